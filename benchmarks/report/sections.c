/* The smaller sections: the answer first, one trap, the translator's time, emulated processors, the port, targets. Next: machines.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* ---- the answer ---------------------------------------------------------------------------------- */

/* What the first table shows beside the probes: times native (cycles where nothing native runs), cycles, cycles, ms; NAN where there is
 * none. */
enum { ANSWERS = 4 };

static int answers_of(const struct results *r, const json_t *t, double value[ANSWERS])
{
    const char *name = word_of(t, "name");
    int n = 0;

    value[0] = ratio_of(r, name, "compute-*", has_any(r, "native", "compute") ? "native" : "", "");
    value[1] = median_of(r, name, "cli-sti");
    value[2] = median_of(r, name, "syscall");
    value[3] = median_of(r, name, "boot");
    for (int k = 0; k < ANSWERS; k++) {
        if (!is_real(t))
            value[k] = NAN;
        n += !isnan(value[k]);
    }
    return n;
}

static void answer_row(struct doc *d, const struct results *r, const json_t *t)
{
    const json_t *verdict = verdict_of(r, word_of(t, "name"));
    double value[ANSWERS];
    char text[24];
    int right, all;

    group_count(verdict, ALL_GROUPS, &right, &all);
    if (!answers_of(r, t, value) && !all)
        return;
    doc_row(d);
    doc_cell(d, "text", "%s", word_of(t, "title"));
    if (all && *word_of(verdict, "reason"))
        doc_cell(d, "wrong", "n/a after %d", all);
    else if (all)
        doc_cell(d, group_class(r, verdict, ALL_GROUPS), "%d of %d", right, all);
    else
        doc_cell(d, "none", " ");
    for (int k = 0; k < ANSWERS; k++)
        if (isnan(value[k]))
            doc_cell(d, "none", " ");
        else if ((k == 0 && has_any(r, "native", "compute")) || k == ANSWERS - 1)
            doc_cell(d, "", k ? "%.1f ms" : "%.2f", value[k]);
        else
            doc_cell(d, "", "%s", in_time(value[k] / r->ghz, text));
}

static void answer_table(struct doc *d, const struct results *r)
{
    const char *columns[] = { "<technique", "probes right", "computing, times native", "`cli` and `sti`", "system call", "boot to DONE" };
    json_t *t;
    size_t i;

    if (!has_any(r, "native", "compute"))
        columns[2] = "computing, the mean program";
    doc_table(d, columns, 6);
    json_array_foreach(list_of(r, "techniques"), i, t)
        if (is_real(t) || is_emulated(t))
            answer_row(d, r, t);
    doc_end_table(d);
    doc_text(d, "**(all)**: user code is translated as well as the kernel (`--translate=all`). **(patch)**: sensitive instructions are "
                "overwritten where they stand (`--strategy=patch`). **(trap)**: a hypercall is an INT, which is a signal, where it is a far "
                "jump else (`--gate=trap`). **hwassist** on qemu or bochs runs on a processor that software makes: what it gets right "
                "counts, its time does not.");
}

void section_answer(struct doc *d, const struct results *r)
{
    double value[ANSWERS];
    json_t *t;
    size_t i;
    int n = (int)json_array_size(list_of(r, "correctness"));

    json_array_foreach(list_of(r, "techniques"), i, t)
        n += answers_of(r, t, value);
    if (n)
        answer_table(d, r);                                 /* FILTER may have left all of that out */
    tell_reasons(d, r, true);
}

/* ---- one trap ------------------------------------------------------------------------------------ */

static void part(struct doc *d, const struct results *r, const char *what, double cycles, double all, const char *how)
{
    char text[24];

    if (isnan(cycles))
        return;
    doc_row(d);
    doc_cell(d, "text", "%s", what);
    doc_cell(d, "", "%.0f", cycles);
    doc_cell(d, "", "%s", in_time(cycles / r->ghz, text));
    doc_cell(d, "", "%.0f %%", 100 * cycles / all);
    doc_cell(d, "text", "%s", how);
}

/* Of one emulated CLI under trap-emulate. By the fastest samples: parts of one thing are measured at several times. */
void section_trap(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<part", "cycles", "time", "share", "<measured how" };
    double all = least_of(r, "trap-emulate", "cli-sti") / 2, entry = least_of(r, "host", "signal-entry");
    double decode = least_of(r, "host", "decode-again"), emulate = least_of(r, "host", "emulate-cli");
    double exception = least_of(r, "host", "exception");

    if (isnan(all) || isnan(entry) || isnan(decode))
        return;
    doc_heading(d, 2, "trap", "Where does the time of one trap go?");
    doc_text(d, "One `cli` of the guest under trap-emulate: decoding and emulating it is %.0f per cent of that, the rest is the way there and back. "
                "The fastest samples, for the parts are measured one after another.",
             100 * (decode + emulate) / all);
    doc_table(d, columns, 5);
    part(d, r, "the processor's exception, and Linux on its way in", exception / 2, all,
         "half of an exception that Linux answers by itself (`sidt` under UMIP)");
    part(d, r, "Linux delivers the signal", isnan(exception) ? entry : entry - exception / 2, all,
         isnan(exception) ? "from a bare `cli` to a handler's first instruction, the exception included"
                          : "from a bare `cli` to a handler's first instruction, less that half");
    part(d, r, "the VMM fetches and decodes", decode, all, "machine/'s decoder in a loop, the instruction known from before");
    part(d, r, "the VMM carries it out", emulate, all, "machine/'s emulator in a loop");
    part(d, r, "the rest of the VMM's loop, and back to the guest", all - entry - decode - emulate, all, "what is left of the whole");
    part(d, r, "**the whole**", all, all, "half of `cli-sti` under trap-emulate");
    doc_end_table(d);
    doc_text(d, "Back by `sigreturn`, as a plain handler goes, takes %.0f cycles; decoding an instruction for the first time %.0f.",
             least_of(r, "host", "signal-return"), least_of(r, "host", "decode-new"));
}

/* ---- the timeline, if it has been drawn ---------------------------------------------------------- */

void section_timeline(struct doc *d, const struct results *r)
{
    char file[300];

    (void)r;
    snprintf(file, sizeof file, "%s/timeline.svg", d->directory);
    if (access(file, R_OK))
        return;
    doc_heading(d, 2, "timeline", "Who runs when?");
    doc_figure(d, "timeline", "The same three events under each VMM, on one axis: yellow is the way between guest and VMM. Where that is a "
                              "signal, it is most of the bar; where it is a far jump, hardly any. (Of the last `make timeline`.)");
}

/* ---- the translator ------------------------------------------------------------------------------ */

void section_translator(struct doc *d, const struct results *r)
{
    const json_t *profiles = list_of(r, "profiles");
    const char *columns[24] = { "<run", "<technique", "ms" }, *share;
    json_t *p, *part;
    int n = 3;
    size_t i;

    if (!json_array_size(profiles))
        return;
    doc_heading(d, 2, "translator", "Where does the translator's time go?");
    doc_figure(d, "translator", "One bar a run, in per cent of its cycles: greens and blues run the guest, warm colours translate, "
                                "grey is the monitor. Translation is paid once: the longer a run, the less it matters.");
    json_object_foreach(json_object_get(json_array_get(profiles, 0), "shares"), share, part)
        if (n < 22)
            columns[n++] = share;
    columns[n++] = "instructions translated";
    columns[n++] = "ns for each";
    doc_table(d, columns, n);
    json_array_foreach(profiles, i, p) {
        doc_row(d);
        doc_cell(d, "text", "%s", word_of(p, "run"));
        doc_cell(d, "text", "%s", title_of(r, word_of(p, "technique")));
        doc_cell(d, "", "%.2f", number_of(p, "ms"));
        for (int k = 3; k < n - 2; k++)
            doc_cell(d, "", "%.1f", number_of(json_object_get(p, "shares"), columns[k]));
        doc_cell(d, "", "%.0f", number_of(p, "instructions"));
        doc_cell(d, "", "%.0f", number_of(p, "ns_each"));
    }
    doc_end_table(d);
}

/* ---- emulated processors ------------------------------------------------------------------------- */

/* Time against the same emulator without a monitor; instructions alone and added; exits. */
static void emulated_cells(struct doc *d, const struct results *r, const json_t *t, const json_t *s)
{
    double time = ratio_of(r, word_of(t, "name"), word_of(s, "benchmark"), word_of(t, "baseline"), word_of(s, "benchmark"));
    double all = number_of(s, "instructions_per_op"), each = number_of(s, "instructions_per_exit");
    double alone = instructions_of(r, word_of(t, "baseline"), word_of(s, "benchmark"));
    char text[24];

    doc_cell(d, "", isnan(time) ? " " : "%s ×", in_figures(time, text));
    doc_cell(d, "", isnan(alone) ? " " : "%.0f", alone);
    doc_cell(d, "", isnan(all) || isnan(alone) ? " " : "%.0f", all - alone);
    doc_cell(d, "", isnan(number_of(s, "exits_per_op")) ? " " : "%.4g", number_of(s, "exits_per_op"));
    doc_cell(d, "", isnan(each) ? " " : "%.0f", each);
}

void section_emulated(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<technique", "<operation", "time, against the same emulator without a monitor",
                                           "instructions without a monitor", "added by it", "exits", "instructions per exit" };
    bool any = false;
    json_t *t, *s;
    size_t i, k;

    json_array_foreach(list_of(r, "techniques"), i, t)
        json_array_foreach(list_of(r, "results"), k, s)
            any = any || (is_emulated(t) && !strcmp(word_of(s, "technique"), word_of(t, "name")) &&
                          json_object_get(s, "instructions_per_op"));
    if (!any)
        return;
    doc_heading(d, 2, "emulated", "Hardware assistance, on processors made by software");
    doc_figure(d, "emulated", "Hatched, because it is no time on hardware: an exit, which a processor does in a microsecond, is a "
                              "long walk through the emulator. What the bars show is which operations leave the guest, and which do "
                              "not.");
    doc_text(d, "Instructions are exact and the same on every host. Those of one exit are the monitor's own, from the guest's "
                "instruction to its next.");
    doc_table(d, columns, 7);
    json_array_foreach(list_of(r, "techniques"), i, t)
        json_array_foreach(list_of(r, "results"), k, s) {
            if (!is_emulated(t) || strcmp(word_of(s, "technique"), word_of(t, "name")) ||
                (!json_object_get(s, "instructions_per_op") && !json_object_get(s, "median")))
                continue;
            doc_row(d);
            doc_cell(d, "text", "%s", word_of(t, "title"));
            doc_cell(d, "text", "%s", word_of(s, "benchmark"));
            emulated_cells(d, r, t, s);
        }
    doc_end_table(d);
}

/* ---- the port to paravirt ------------------------------------------------------------------------ */

/* A line of paravirt/port.sh's table: "  WHAT   LINES   SHARE%". */
static bool port_line(char *line, char **what, int *lines, double *share)
{
    char *digits = line + strcspn(line, "\n");

    *digits = '\0';
    while (digits > line && strchr("0123456789.% ", digits[-1]))
        digits--;
    if (sscanf(digits, "%d %lf", lines, share) != 2 || !strchr(digits, '%'))
        return false;
    *digits = '\0';
    *what = line + strspn(line, " ");
    return true;
}

/* Counted, not measured: of the tree that this runs in. */
void section_port(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<changed or written for the port", "lines", "share of the kernel" };
    FILE *f = popen("sh paravirt/port.sh", "r");
    char line[300], *what;
    double share;
    int lines;

    (void)r;
    doc_heading(d, 2, "port", "What did the port to hypercalls take?");
    doc_text(d, "Counted in the sources by `make paravirt-port`, beside Barham et al. 2003, table 2. The share says how small a "
                "kernel is; the lines say what a port is.");
    doc_table(d, columns, 3);
    while (f && fgets(line, sizeof line, f))
        if (port_line(line, &what, &lines, &share)) {
            doc_row(d);
            doc_cell(d, "text", "%s", what);
            doc_cell(d, "", "%d", lines);
            doc_cell(d, "", "%.2f %%", share);
        }
    doc_end_table(d);
    if (f)
        pclose(f);
}

/* ---- targets ------------------------------------------------------------------------------------- */

void section_targets(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<what", "<against", "target", "measured", "worst program", "by medians", "<" };
    int met = 0, measured = 0;
    json_t *t;
    size_t i;

    doc_heading(d, 2, "targets", "What was promised");
    doc_text(d, "Compared by the fastest samples, the medians beside them; several programs by the geometric mean.");
    doc_table(d, columns, 7);
    json_array_foreach(list_of(r, "targets"), i, t) {
        bool known = json_object_get(t, "value"), good = truth_of(t, "met");
        const char *fields[] = { "value", "worst", "by_medians" }, *unit = word_of(t, "unit");
        char text[24];

        met += known && good;
        measured += known;
        doc_row(d);
        doc_cell(d, "text", "%s", word_of(t, "what"));
        doc_cell(d, "text", "%s", word_of(t, "against"));
        doc_cell(d, "", "%s %s %s", truth_of(t, "at_least") ? "≥" : "≤", in_figures(number_of(t, "limit"), text), unit);
        for (int k = 0; k < 3; k++)
            doc_cell(d, "", known ? "%s %s" : " ", in_figures(number_of(t, fields[k]), text), unit);
        doc_cell(d, !known ? "text none" : good ? "text right" : "text wrong", "%s", !known ? "not measured" : good ? "met" : "missed");
    }
    doc_end_table(d);
    doc_text(d, "%d of %d measured targets are met.", met, measured);
}
