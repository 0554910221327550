/* The cost model: events per operation times what this host's mechanisms cost, beside what was measured; what an operation would cost if
 * an exit cost something else; and two results side by side. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

/* By what an event crosses that takes no gate. The units are measured by benchmarks/calibrate.c in the same run. */
static const struct unit { const char *event, *of[2]; } units[] = {
    { "shadow-fill", { "signal-roundtrip", "mmap-page" } },
    { "sensitive", { "signal-roundtrip" } },
    { "exception", { "signal-roundtrip" } },
    { "software-interrupt", { "signal-roundtrip" } },
    { "breakpoint", { "signal-roundtrip" } },
    { "single-step", { "signal-roundtrip" } },
};

/* Cycles; NAN: nobody knows. */
static double unit_of(const struct results *r, const char *event)
{
    if (by_gate(event))
        return median_of(r, "host", "gate-roundtrip");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strncmp(event, units[i].event, strlen(units[i].event))) {
            double cost = median_of(r, "host", units[i].of[0]);

            return units[i].of[1] ? cost + median_of(r, "host", units[i].of[1]) : cost;
        }
    return NAN;
}

/* What the events of one operation cost by the model; NAN if an event's unit is not known. */
static double modelled(const struct results *r, const json_t *series)
{
    const char *event;
    json_t *count;
    double cost = 0;

    json_object_foreach(json_object_get(series, "exits_by_reason"), event, count)
        cost += json_number_value(count) * unit_of(r, event);
    return cost;
}

static const char *verdict(double model, double measured)
{
    return measured > model * 1.25 ? "dearer than the model" : measured < model * 0.75 ? "cheaper than the model" : "within a quarter";
}

static const char *in_cycles(double cycles, char text[24])
{
    snprintf(text, 24, isnan(cycles) ? "n/a" : "%.0f", cycles);
    return text;
}

void section_model(struct doc *d, const struct results *r)
{
    char text[3][24];
    static const char *const columns[] = { "<technique", "<operation", "model, cycles", "measured, cycles", "measured over model", "<" };
    int rows = 0, off = 0;
    const char *last = "";
    json_t *s;
    size_t i;

    doc_heading(d, 2, "model", "Can it be predicted?");
    doc_text(d, "The model: events per operation, times what each must cost on this host, measured without any VMM: a signal and its "
                "return (%s cycles), a far jump there and back (%s), a page mapped (%s). Where more than a quarter is missing, "
                "the VMM's own work is not small beside the crossing, or Linux does something the model does not know: an `munmap`, "
                "a second fault.",
             in_cycles(median_of(r, "host", "signal-roundtrip"), text[0]), in_cycles(median_of(r, "host", "gate-roundtrip"), text[1]),
             in_cycles(median_of(r, "host", "mmap-page"), text[2]));
    json_array_foreach(list_of(r, "results"), i, s) {
        double model = modelled(r, s), measured = number_of(s, "median");
        const char *word;

        if (!strcmp(word_of(s, "technique"), "emulation"))      /* nobody crosses anything there: its events cost next to nothing */
            continue;
        if (isnan(model) || model < 1 || !strncmp(word_of(s, "benchmark"), "compute-", 8) || strcmp(word_of(s, "unit"), "cycles"))
            continue;
        word = verdict(model, measured);
        if (!rows++)
            doc_table(d, columns, 6);
        off += *word != 'w';
        doc_row(d);
        doc_cell(d, "text", "%s", strcmp(last, word_of(s, "technique")) ? title_of(r, word_of(s, "technique")) : " ");
        doc_cell(d, "text", "%s", word_of(s, "benchmark"));
        doc_cell(d, "", "%.0f", model);
        doc_cell(d, "", "%.0f", measured);
        doc_cell(d, "", "%.2f", measured / model);
        doc_cell(d, *word == 'w' ? "text right" : "text", "%s", word);
        last = word_of(s, "technique");
    }
    if (rows)
        doc_end_table(d);
    doc_text(d, rows ? "%d of %d operations are off by more than a quarter." : "Not measured in this run.", off, rows);
}

/* ---- predict ------------------------------------------------------------------------------------- */

/* The technique whose only cost is its exits: a processor with virtualization. Its counts come from an emulated one. */
#define HARDWARE "hwassist-svm"

/* A time, right-aligned by characters: \302\265 is one. Below a tenth of a ns a difference of loops is nothing. */
static void print_time(double ns)
{
    char text[24];

    in_time(ns, text);
    if (isnan(ns) || ns < 0.1)
        snprintf(text, sizeof text, isnan(ns) ? "n/a" : "about 0");
    printf(" %*s", 12 + (strchr(text, '\302') != NULL), text);
}

/* What an operation takes beside its exits, nobody has timed on such a processor. A turn of the empty loop stands for it, which runs
 * directly under trap-emulate: little beside an exit. */
int predict(const struct results *r, double exit_ns)
{
    double exit_cycles = exit_ns * r->ghz;
    json_t *s;
    size_t i;
    int rows = 0;

    json_array_foreach(list_of(r, "results"), i, s) {
        const char *name = word_of(s, "benchmark"), *others[] = { "trap-emulate", "binary-translation", "paravirt" };
        double exits = number_of(s, "exits_per_op"), null = fmax(median_of(r, "trap-emulate", "null"), 0);

        if (strcmp(word_of(s, "technique"), HARDWARE) || isnan(exits) || !strcmp(name, "boot"))
            continue;
        if (!rows)
            printf("If an exit of hardware virtualization cost %.0f ns, an operation would cost:\n\n%-16s %6s %12s   %12s %12s %12s\n",
                   exit_ns, "operation", "exits", "hardware", "trap-emul.", "bin.-trans.", "paravirt");
        printf("%-16s %6.3g", name, exits);
        if (exits > 0.005)
            print_time((exits * exit_cycles + null) / r->ghz);
        else
            printf(" %12s", "as native");
        printf("  ");
        for (int k = 0; k < 3; k++)
            print_time(median_of(r, others[k], name) / r->ghz);
        printf("\n");
        rows++;
    }
    if (!rows) {
        fprintf(stderr, "quadreport: %s has no exits of %s to predict from; run `make bench` without FILTER\n", r->file, HARDWARE);
        return 2;
    }
    printf("\nHardware: exits (counted under nested paging on an emulated AMD-V, with the few of the guest's timer) times %.0f ns. What has none "
           "runs\nas on the bare processor. The others are as measured in %s. EXIT_NS= asks for another cost.\n",
           exit_ns, r->file);
    return 0;
}

/* ---- compare ------------------------------------------------------------------------------------- */

int compare(const struct results *old, const struct results *new)
{
    char text[2][24];
    int rows = 0, apart = 0;
    json_t *s;
    size_t i;

    if (strcmp(word_of(json_object_get(old->root, "context"), "cpu"), word_of(json_object_get(new->root, "context"), "cpu")))
        printf("Two processors: %s; %s.\n", word_of(json_object_get(old->root, "context"), "cpu"),
               word_of(json_object_get(new->root, "context"), "cpu"));
    printf("Medians. Cycles are of the time-stamp counter, emulated ones of a processor that software makes. new/old below 1: faster now.\n"
           "Old: %s; new: %s.\n\n", old->file, new->file);
    printf("%-24s %-19s %10s %10s %-15s %7s\n", "technique", "benchmark", "old", "new", "unit", "new/old");
    json_array_foreach(list_of(new, "results"), i, s) {
        const json_t *was = series_of(old, word_of(s, "technique"), word_of(s, "benchmark"));
        double a = number_of(was, "median"), b = number_of(s, "median");
        const char *word = "";

        if (!(a > 0 && b > 0))
            continue;
        if (number_of(s, "ci_low") > number_of(was, "ci_high"))
            word = "slower";
        else if (number_of(s, "ci_high") < number_of(was, "ci_low"))
            word = "faster";
        rows++;
        apart += *word != '\0';
        printf("%-24s %-19s %10s %10s %-15s %7.3f %s\n", word_of(s, "technique"), word_of(s, "benchmark"), in_figures(a, text[0]),
               in_figures(b, text[1]), word_of(s, "unit"), b / a, word);
    }
    printf("\n\"faster\" or \"slower\" stands where the 95 %% confidence intervals of the medians part: %d of %d.\n", apart, rows);
    return rows ? 0 : 2;
}
