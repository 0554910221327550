/* Tables that stand in the READMEs of the techniques (`make readme-figures`): a few of the results, by the fastest samples. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

/* 17,000 and 2.4: no more digits than two runs agree in. */
static const char *rounded(double value, char text[24])
{
    double step = value >= 10000 ? 100 : value >= 1000 ? 10 : 1, whole = round(value / step) * step;

    if (value < 1)
        snprintf(text, 24, "%.2f", value);
    else if (value < 20)
        snprintf(text, 24, "%.1f", value);
    else if (whole < 1000)
        snprintf(text, 24, "%.0f", whole);
    else
        snprintf(text, 24, "%.0f,%03.0f", floor(whole / 1000), fmod(whole, 1000));
    return text;
}

static void factor_cell(struct doc *d, double factor)
{
    char text[24];

    doc_cell(d, "", "%s", isnan(factor) ? "n/a" : rounded(factor, text));
}

/* ---- paravirt: the ways across ------------------------------------------------------------------- */

void section_ways(struct doc *d, const struct results *r)
{
    static const struct { const char *what, *technique, *benchmark; } ways[] = {
        { "far jump there and back, nothing else (`gate-roundtrip`)", "host", "gate-roundtrip" },
        { "the gate, a function with integer registers only: version, event, stack_switch", "paravirt", "hypercall" },
        { "the gate, FPU state saved, the run loop, all of it back: the others (a flush that has nothing to do)", "paravirt", "invlpg" },
        { "INT 0x82, a signal: everything, under `--gate=trap`", "paravirt-trap", "hypercall" },
        { "a system call and back: PV_USER_CALL, IRET by the gate", "paravirt", "syscall" },
        { "... INT 0x40, a signal, bounced by the VMM to the trap table; IRET by the gate", "paravirt", "syscall-int" },
        { "... the same with `--gate=trap`: two signals", "paravirt-trap", "syscall" },
        { "... binary-translation `--translate=all`, for comparison", "binary-translation-all", "syscall" },
        { "a page-table entry by mmu_update, alone", "paravirt", "pte-update" },
        { "... one of 64", "paravirt", "pte-update-64" },
    };
    static const char *const columns[] = { "<way", "cycles" };
    char text[24];

    doc_table(d, columns, 2);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        double cycles = least_of(r, ways[i].technique, ways[i].benchmark);

        doc_row(d);
        doc_cell(d, "text", "%s", ways[i].what);
        doc_cell(d, "", "%s", isnan(cycles) ? "n/a" : rounded(cycles, text));
    }
    doc_end_table(d);
}

/* ---- paravirt: events by their kind, and cycles -------------------------------------------------- */

static void count_kinds(const json_t *series, double *signals, double *gates)
{
    const char *event;
    json_t *count;

    *signals = *gates = 0;
    json_object_foreach(json_object_get(series, "exits_by_reason"), event, count)
        *(by_gate(event) ? gates : signals) += json_number_value(count);
}

static void kinds_cell(struct doc *d, const struct results *r, const char *technique, const char *benchmark)
{
    double signals, gates, cycles = least_of(r, technique, benchmark);
    char s[24] = "", g[24] = "", text[24];

    count_kinds(series_of(r, technique, benchmark), &signals, &gates);
    if (signals >= 0.5)
        snprintf(s, sizeof s, "%.0f s", signals);
    if (gates >= 0.5)
        snprintf(g, sizeof g, "%s%.0f g", *s ? " " : "", gates);
    doc_cell(d, "", "%s%s: %s", s, g, isnan(cycles) ? "n/a" : rounded(cycles, text));
}

void section_kinds(struct doc *d, const struct results *r)
{
    static const char *const techniques[] = { "trap-emulate", "binary-translation", "binary-translation-all", "paravirt" };
    static const char *const columns[] = { "<", "trap-emulate", "binary-translation", "... `--translate=all`", "paravirt" };
    static const char *const rows[][2] = {
        { "syscall", "system call" }, { "pgfault", "page fault, in the kernel" }, { "ptemod", "change an entry, use the page" },
        { "ctxsw", "context switch" }, { "forkwait", "fork, exit, wait" },
    };

    doc_table(d, columns, 5);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        doc_row(d);
        doc_cell(d, "text", "%s", rows[i][1]);
        for (size_t t = 0; t < 4; t++)
            kinds_cell(d, r, techniques[t], rows[i][0]);
    }
    doc_end_table(d);
}

/* ---- emulation, beside the processor and the other interpreters ------------------------------------- */

void section_interpreters(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<program", "emulation, times native", "QEMU TCG, times emulation", "Bochs, times emulation" };
    static const char *const pairs[][2] = { { "emulation", "native" }, { "qemu-tcg", "emulation" }, { "bochs", "emulation" } };
    const char *name;
    json_t *b;
    size_t i;

    doc_table(d, columns, 4);
    json_array_foreach(list_of(r, "benchmarks"), i, b) {
        name = word_of(b, "name");
        if (strncmp(name, "compute-", 8))
            continue;
        doc_row(d);
        doc_cell(d, "text", "%s", name + 8);
        for (size_t p = 0; p < 3; p++)
            factor_cell(d, least_of(r, pairs[p][0], name) / least_of(r, pairs[p][1], name));
    }
    doc_row(d);
    doc_cell(d, "text", "geometric mean");
    for (size_t p = 0; p < 3; p++)
        factor_cell(d, ratio_of(r, pairs[p][0], "compute-*", pairs[p][1], ""));
    doc_end_table(d);
}
