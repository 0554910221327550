/* What depends on whose machine it was: of several, their figures side by side; each one's processor and tools; and the notes on
 * noise, to be read before a figure is quoted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

/* ---- from machine to machine --------------------------------------------------------------------- */

/* A technique's figures that a class would compare between processors. */
static const struct { const char *benchmark, *other, *what; } compared[] = {
    { "compute-*", "native", "computing, times native" }, { "cli-sti", "", "`cli` and `sti`" }, { "in", "", "read a port" },
    { "syscall", "", "system call" }, { "pgfault", "", "page fault" }, { "ctxsw", "", "context switch" }, { "boot", "", "boot" },
};

static double compared_value(const struct results *r, const char *technique, size_t k)
{
    return *compared[k].other ? ratio_of(r, technique, compared[k].benchmark, compared[k].other, "")
                              : median_of(r, technique, compared[k].benchmark);
}

static void compared_cell(struct doc *d, const struct results *r, double value, size_t k)
{
    char text[24];

    if (isnan(value))
        doc_cell(d, "none", "n/a");
    else if (*compared[k].other)
        doc_cell(d, "", "%.2f ×", value);
    else
        doc_cell(d, "", "%s", in_time(strcmp(compared[k].benchmark, "boot") ? value / r->ghz : value * 1e6, text));
}

/* One column a machine. */
void section_machines(struct doc *d, const struct results *all, int n)
{
    const char *columns[FILES_MAX + 2] = { "<technique", "<" };
    json_t *t;
    size_t i;

    if (n < 2)
        return;
    for (int k = 0; k < n; k++)
        columns[k + 2] = word_of(json_object_get(all[k].root, "context"), "cpu");
    doc_heading(d, 2, "machines", "From machine to machine");
    doc_text(d, "Medians. All other tables below are of the first: %s.", all[0].file);
    doc_table(d, columns, n + 2);
    json_array_foreach(list_of(&all[0], "techniques"), i, t)
        for (size_t k = 0; k < sizeof compared / sizeof compared[0]; k++) {
            bool any = false;

            for (int m = 0; m < n; m++)
                any = any || !isnan(compared_value(&all[m], word_of(t, "name"), k));
            if (!any || !is_real(t))
                continue;
            doc_row(d);
            doc_cell(d, "text", "%s", word_of(t, "title"));
            doc_cell(d, "text", "%s", compared[k].what);
            for (int m = 0; m < n; m++)
                compared_cell(d, &all[m], compared_value(&all[m], word_of(t, "name"), k), k);
        }
    doc_end_table(d);
}

/* ---- each one by itself -------------------------------------------------------------------------- */

void section_hosts(struct doc *d, const struct results *all, int n)
{
    static const char *const fields[] = { "cpu", "kernel", "kvm", "compiler", "nasm", "qemu", "commit", "date" };
    const char *columns[FILES_MAX + 1] = { "<" };

    doc_heading(d, 2, "host", n > 1 ? "These machines" : "This machine");
    for (int i = 0; i < n; i++)
        columns[i + 1] = n > 1 ? all[i].file : "<here";
    doc_table(d, columns, n + 1);
    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
        doc_row(d);
        doc_cell(d, "text", "%s", fields[k]);
        for (int i = 0; i < n; i++)
            doc_cell(d, "text", "%s", word_of(json_object_get(all[i].root, "context"), fields[k]));
    }
    doc_row(d);
    doc_cell(d, "text", "time-stamp counter");
    for (int i = 0; i < n; i++)
        doc_cell(d, "text", "%.3f GHz", all[i].ghz);
    doc_end_table(d);
}

/* ---- notes --------------------------------------------------------------------------------------- */

static void noise(struct doc *d, const struct results *r)
{
    json_t *t, *s;
    size_t i, k;

    json_array_foreach(list_of(r, "techniques"), i, t) {
        int noisy = 0, all = 0;
        json_int_t outliers = 0, samples = 0;

        json_array_foreach(list_of(r, "results"), k, s)
            if (!strcmp(word_of(s, "technique"), word_of(t, "name")) && json_object_get(s, "median")) {
                all++;
                noisy += number_of(s, "ci_high") - number_of(s, "ci_low") > number_of(s, "median") / 10;
                outliers += json_integer_value(json_object_get(s, "outliers"));
                samples += json_integer_value(json_object_get(s, "n"));
            }
        if (noisy || outliers)
            doc_item(d, "%s: in %d of %d series the interval is wider than a tenth of the median; %lld of %lld samples are outliers (ten "
                        "deviations from the median by the MAD), named in results.json and kept.", word_of(t, "title"), noisy, all,
                     (long long)outliers, (long long)samples);
    }
}

const char *was_busy(const struct results *r, char text[WHY])
{
    const json_t *context = json_object_get(r->root, "context");

    *text = '\0';
    if (number_of(context, "load") > 0.5)
        snprintf(text, WHY, "The machine was busy when it began: load %.1f on %.0f processors.", number_of(context, "load"),
                 number_of(context, "cpus"));
    return text;
}

enum { REASONS_MAX = 200 };

static bool same_reason(const json_t *a, const json_t *b)
{
    int n, m;
    const char *one = why_of(a, &n), *other = why_of(b, &m);

    return n == m && !memcmp(one, other, (size_t)n);
}

/* Is it why there is nothing at all of some technique? */
static bool explains_absence(const struct results *r, const json_t *a)
{
    json_t *s;
    size_t i;

    json_array_foreach(list_of(r, "results"), i, s)
        if (same_reason(a, s) && is_absent(r, technique_of(r, word_of(s, "technique"))))
            return true;
    return false;
}

/* A sentence for each reason, with all whose reason it is. */
void tell_reasons(struct doc *d, const struct results *r, bool absent)
{
    const json_t *told[REASONS_MAX];                        /* the first of each technique with that reason */
    bool headed = !absent;
    int n = 0, k;
    json_t *s;
    size_t i;

    json_array_foreach(list_of(r, "results"), i, s) {
        for (k = 0; k < n; k++)
            if (same_reason(s, told[k]) && !strcmp(word_of(s, "technique"), word_of(told[k], "technique")))
                break;
        if (k == n && n < REASONS_MAX && *word_of(s, "reason") && strcmp(word_of(s, "reason"), "does not apply"))
            told[n++] = s;
    }
    for (int one = 0; one < n; one++) {
        char who[WHY] = "";
        int length, at = 0;
        const char *why = why_of(told[one], &length);

        for (k = 0; k < one && !same_reason(told[one], told[k]); k++)
            ;
        if (k < one || explains_absence(r, told[one]) != absent)
            continue;
        for (k = one; k < n && at < WHY - 100; k++)
            if (same_reason(told[one], told[k]))
                at += snprintf(who + at, WHY - (size_t)at, "%s%.80s", at ? ", " : "",
                               strcmp(word_of(told[k], "technique"), "host") ? title_of(r, word_of(told[k], "technique")) : "yardsticks");
        if (!headed)
            doc_text(d, "**Not on this host:**");
        headed = true;
        doc_item(d, "%s: n/a (%.*s)", who, length, why);
    }
}

void section_notes(struct doc *d, const struct results *r)
{
    const json_t *context = json_object_get(r->root, "context");
    char busy[WHY];

    doc_heading(d, 2, "notes", "Before you quote a figure");
    if (truth_of(context, "quick"))
        doc_item(d, "This was a quick run (QUICK=1): few samples, wide intervals.");
    if (!truth_of(context, "constant_tsc"))
        doc_item(d, "The time-stamp counter is not constant here: cycles follow the clock frequency.");
    if (truth_of(context, "hypervisor"))
        doc_item(d, "The host is a virtual machine itself: faults and exits may cost more than on bare metal.");
    if (*word_of(context, "governor") && strcmp(word_of(context, "governor"), "performance"))
        doc_item(d, "The clock frequency is governed by \"%s\": it changes while the benchmark runs.", word_of(context, "governor"));
    if (*was_busy(r, busy))
        doc_item(d, "%s", busy);
    if (number_of(context, "left_out") > 0)
        doc_item(d, "%.0f starts were left out, at random, for the run to end in time: the intervals are wider for it. LIMIT= gives it more.",
                 number_of(context, "left_out"));
    noise(d, r);
    tell_reasons(d, r, false);
}
