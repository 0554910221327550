/* What each technique costs: nanobenchmarks, compute, boot, exits, and the figures that others published. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

enum { COLUMNS_MAX = 40 };
#define NANO "bench bench-user"

/* ---- tables -------------------------------------------------------------------------------------- */

/* The techniques whose time is time, and which have something to say on these workloads. */
static int columns_of(const struct results *r, const char *workloads, const json_t **techniques)
{
    json_t *t;
    size_t i;
    int n = 0;

    json_array_foreach(list_of(r, "techniques"), i, t)
        if (n < COLUMNS_MAX - 1 && is_real(t) && has_any(r, word_of(t, "name"), workloads))
            techniques[n++] = t;
    return n;
}

/* Of compute the events are the clock's, which are as many as the time is long. */
static bool asks_for_nothing(const json_t *s) { return !strncmp(word_of(s, "benchmark"), "compute-", 8); }

static bool is_cycles(const json_t *s) { return !strcmp(word_of(s, "unit"), "cycles"); }

/* "1,200 ×", or "÷ 300" where that says more. */
static const char *factor(double ratio, char text[24])
{
    char figures[24];

    in_figures(ratio >= 0.1 ? ratio : 1 / ratio, figures);
    snprintf(text, 24, ratio >= 0.1 ? "%s ×" : "÷ %s", figures);
    return text;
}

/* Median; its interval; events and the factor against `base`, a median. Less than half a cycle is nothing that a clock tells. */
static void value_cell(struct doc *d, const struct results *r, const json_t *s, double base)
{
    char text[24], range[56], events[40] = "", times[24] = "";
    double median = number_of(s, "median"), by = is_cycles(s) ? r->ghz : 1e-6, exits = number_of(s, "exits_per_op");
    bool nothing = is_cycles(s) && median < 0.5;

    if (!s) {
        doc_cell(d, "none", " ");
        return;
    }
    if (exits >= 0.005 && !asks_for_nothing(s))
        snprintf(events, sizeof events, "%s event%s%s", in_figures(exits, text), exits == 1 ? "" : "s",
                 base > 0 && median != base ? ",\n" : "");
    if (base > 0 && median != base && !nothing)
        factor(median / base, times);
    if (nothing)
        doc_cell(d, "value", "**≈ 0**");
    else
        doc_cell(d, "value", "**%s**\n%s\n%s%s", in_time(median / by, text),
                 in_range(number_of(s, "ci_low") / by, number_of(s, "ci_high") / by, range), events, times);
}

static void cost_table(struct doc *d, const struct results *r, const char *workloads, const char *base)
{
    const json_t *techniques[COLUMNS_MAX];
    const char *columns[COLUMNS_MAX] = { "<operation" };
    int n = columns_of(r, workloads, techniques);
    json_t *b;
    size_t i;

    if (!n) {
        doc_text(d, "Not measured in this run.");
        return;
    }
    for (int t = 0; t < n; t++)
        columns[t + 1] = word_of(techniques[t], "title");
    doc_table(d, columns, n + 1);
    json_array_foreach(list_of(r, "benchmarks"), i, b) {
        const char *name = word_of(b, "name");
        bool any = false;

        for (int t = 0; t < n; t++)
            any = any || series_of(r, word_of(techniques[t], "name"), name);
        if (!any || !strstr(workloads, word_of(b, "workload")))
            continue;
        doc_row(d);
        doc_cell(d, "text operation", "**%s**\n%s", name, word_of(b, "about"));
        for (int t = 0; t < n; t++)
            value_cell(d, r, series_of(r, word_of(techniques[t], "name"), name), median_of(r, base, name));
    }
    doc_end_table(d);
}

/* ---- sentences, computed ------------------------------------------------------------------------- */

/* Which operation sets the techniques of this kit farthest apart? */
static void widest(const struct results *r, char *sentence, size_t size)
{
    const json_t *techniques[COLUMNS_MAX], *slow = NULL, *fast = NULL, *where = NULL;
    json_t *b;
    int n = columns_of(r, NANO, techniques);
    double most = 1;
    char factor[24];
    size_t i;

    json_array_foreach(list_of(r, "benchmarks"), i, b)
        for (int s = 0; s < n; s++)
            for (int f = 0; f < n && strstr(NANO, word_of(b, "workload")); f++) {
                double slower = median_of(r, word_of(techniques[s], "name"), word_of(b, "name"));
                double faster = median_of(r, word_of(techniques[f], "name"), word_of(b, "name"));

                if (faster >= 0.5 && slower / faster > most) {
                    most = slower / faster;
                    slow = techniques[s], fast = techniques[f], where = b;
                }
            }
    i = (size_t)snprintf(sentence, size, "One row an operation, one mark a technique, left is cheaper, the axis is logarithmic.");
    if (where)
        snprintf(sentence + i, size - i, " Widest apart: `%s`, where %s takes %s times as long as %s.", word_of(where, "name"),
                 word_of(slow, "title"), in_figures(most, factor), word_of(fast, "title"));
}

/* "nothing", "11 per cent", "24 times as much" */
static const char *surplus(double ratio, char text[32])
{
    if (isnan(ratio))
        snprintf(text, 32, "n/a");
    else if (ratio < 1.02)
        snprintf(text, 32, "nothing");
    else if (ratio < 2)
        snprintf(text, 32, "%.0f per cent", 100 * ratio - 100);
    else
        snprintf(text, 32, "%.0f times as much", ratio);
    return text;
}

/* How many of compute's were measured. */
static int programs(const struct results *r)
{
    json_t *b;
    size_t i;
    int n = 0;

    json_array_foreach(list_of(r, "benchmarks"), i, b)
        n += !strcmp(word_of(b, "workload"), "compute") && !isnan(median_of(r, "native", word_of(b, "name")));
    return n;
}

/* Of how many is the interval above that of the native program? */
static int slower_programs(const struct results *r, const char *technique)
{
    json_t *b;
    size_t i;
    int n = 0;

    json_array_foreach(list_of(r, "benchmarks"), i, b)
        n += !strcmp(word_of(b, "workload"), "compute") && number_of(series_of(r, technique, word_of(b, "name")), "ci_low") >
                                                               number_of(series_of(r, "native", word_of(b, "name")), "ci_high");
    return n;
}

static void compute_sentence(const struct results *r, char *sentence, size_t size)
{
    const json_t *techniques[COLUMNS_MAX];
    int n = columns_of(r, "compute", techniques), at = snprintf(sentence, size, "Times native, %d programs, geometric mean:", programs(r));
    const char *cpu = word_of(json_object_get(r->root, "context"), "cpu");
    char text[3][32];
    int slower = slower_programs(r, "trap-emulate");

    for (int t = 0; t < n; t++) {
        double mean = ratio_of(r, word_of(techniques[t], "name"), "compute-*", "native", "");

        if (strcmp(word_of(techniques[t], "name"), "native") && !isnan(mean) && (size_t)at < size)
            at += snprintf(sentence + at, size - (size_t)at, "%s %s %.2f", t > 1 ? "," : "", word_of(techniques[t], "title"), mean);
    }
    if ((size_t)at < size)
        snprintf(sentence + at, size - (size_t)at, ". What runs directly costs %s%s; what is translated whole, %s; what is read "
                 "instruction by instruction, %s.", surplus(ratio_of(r, "trap-emulate", "compute-*", "native", ""), text[0]),
                 2 * slower > programs(r) && strstr(cpu, "AMD") ? " (its code segment ends below the monitor, and from such a one AMD's processors "
                                                        "fetch more slowly)" : "",
                 surplus(ratio_of(r, "binary-translation-all", "compute-*", "native", ""), text[1]),
                 surplus(ratio_of(r, "emulation", "compute-*", "native", ""), text[2]));
}

/* ---- sections ------------------------------------------------------------------------------------ */

void section_costs(struct doc *d, const struct results *r)
{
    char sentence[500] = "";

    doc_heading(d, 2, "costs", "What does it cost?");
    widest(r, sentence, sizeof sentence);
    doc_figure(d, "cost", sentence);
    doc_text(d, "Median of all samples; its 95 %% confidence interval (bootstrap over runs). Events are "
                "what left the guest for the VMM, counted in runs of their own.%s",
             has_any(r, "trap-emulate", NANO) ? " The factor is against trap-emulate." : "");
    cost_table(d, r, NANO, "trap-emulate");
    doc_heading(d, 3, "boot", "Boot to DONE, whole process");
    cost_table(d, r, "boot", "");
}

void section_compute(struct doc *d, const struct results *r)
{
    const json_t *techniques[COLUMNS_MAX];
    bool native = has_any(r, "native", "compute");
    char sentence[800];

    if (!columns_of(r, "compute", techniques))
        return;
    doc_heading(d, 2, "compute", "What does computing cost?");
    if (native) {
        compute_sentence(r, sentence, sizeof sentence);
        doc_figure(d, "compute", sentence);
    }
    doc_text(d, "Programs in the guest's user mode that ask the kernel for nothing. %s", native
                    ? "The factor is against the same object code as a Linux process."
                    : "The same object code as a Linux process, which they are held against elsewhere, was not measured: these are times, without factors.");
    cost_table(d, r, "compute", "native");
}

/* What others measured, as ratios: their processors are twenty years older. */
static const struct published {
    const char *what, *source;
    double ratio;
    const char *technique, *benchmark, *other, *other_benchmark;
} published[] = {
    { "call and return, binary translation over native", "Adams and Agesen 2006, VMware: 51 over 11 cycles", 51.0 / 11,
      "binary-translation-all", "callret-user", "native", "callret-user" },
    { "the same, vx32 on an Opteron", "Ford and Cox 2008, table of micro benchmarks", 5.3, "binary-translation-all", "callret-user",
      "native",
      "callret-user" },
    { "indirect call, vx32 on an Opteron", "Ford and Cox 2008", 4.4, "binary-translation-all", "callind-user", "native", "callind-user" },
    { "SPECint 2000, binary translation over native", "Adams and Agesen 2006: 4 per cent slower on average", 1.04, "binary-translation-all",
      "compute-*", "native", "" },
    { "compute, full-system emulation over native", "Bellard 2005: QEMU, integer, 4 times, soft-MMU twice that", 8, "qemu-tcg", "compute-*",
      "native", "" },
    { "context switch, paravirtual over binary translation", "Barham et al. 2003, table 4: Xen 1.97, VMware 18.1 µs", 1.97 / 18.1,
      "paravirt",
      "ctxsw", "binary-translation", "ctxsw" },
    { "fork, the same two", "Barham et al. 2003, table 3: Xen 198, VMware 874 µs", 198.0 / 874, "paravirt", "forkwait",
      "binary-translation",
      "forkwait" },
    { "page fault, the same two", "Barham et al. 2003, table 5: Xen 2.73, VMware 12.4 µs", 2.73 / 12.4, "paravirt", "pgfault",
      "binary-translation", "pgfault" },
    { "a trap, emulated (in), over a bare signal", "dosemu2, 2015: 4900 over 3100 cycles", 4900.0 / 3100, "trap-emulate", "in", "host",
      "signal-roundtrip" },
};

void section_published(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<what", "published", "here", "<source" };

    doc_heading(d, 2, "published", "Beside what others measured");
    doc_text(d, "Ratios only: the processors of these papers are some twenty years older, and their VMMs ran whole operating systems.");
    doc_table(d, columns, 4);
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        const struct published *p = &published[i];
        double here = ratio_of(r, p->technique, p->benchmark, p->other, p->other_benchmark);
        char text[24];

        doc_row(d);
        doc_cell(d, "text", "%s", p->what);
        doc_cell(d, "", "%s ×", in_figures(p->ratio, text));
        if (isnan(here))
            doc_cell(d, "none", "n/a");
        else
            doc_cell(d, "", "**%s ×**", in_figures(here, text));
        doc_cell(d, "text", "%s", p->source);
    }
    doc_end_table(d);
}

void section_exits(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<technique", "<operation", "<what left the guest, for each operation" };
    const char *reason, *last = "";
    json_t *s, *count;
    size_t i;

    doc_heading(d, 2, "exits", "What leaves the guest?");
    doc_text(d, "Counted, and repeatable whatever the machine is doing, but for the ticks of the guest's timer in the longest "
                "operations. Those that never leave are not listed.");
    json_array_foreach(list_of(r, "results"), i, s) {
        const json_t *reasons = json_object_get(s, "exits_by_reason");
        char text[400] = "", figures[24];

        json_object_foreach((json_t *)reasons, reason, count)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %s", *text ? ", " : "",
                     in_figures(json_number_value(count), figures), reason);
        if (!*text || asks_for_nothing(s))
            continue;
        if (!*last)
            doc_table(d, columns, 3);
        doc_row(d);
        doc_cell(d, "text", "%s", strcmp(last, word_of(s, "technique")) ? title_of(r, word_of(s, "technique")) : " ");
        doc_cell(d, "text", "%s", word_of(s, "benchmark"));
        doc_cell(d, "text", "%s", text);
        last = word_of(s, "technique");
    }
    if (*last)
        doc_end_table(d);
    else
        doc_text(d, "Not measured in this run.");
}
