/* What a run leaves for people: report.md, and the plots with their data and gnuplot scripts beside them, so that a
 * student can change a plot without running anything again. Next: plots/, README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

FILE *create(const char *name)
{
    FILE *f = fopen(name, "w");
    if (!f) {
        perror(name);
        exit(1);
    }
    return f;
}

static double median_of(int e, int b)
{
    return e < 0 || b < 0 || !series[e][b].count ? -1 : summarize(series[e][b].values, series[e][b].count).median;
}

/* ---- targets ---- */

/* Noise only ever adds, so two engines are compared by their fastest samples; `low` false: by the medians. */
static double value_of(const char *engine, const char *benchmark, bool low)
{
    int e = engine_index(engine), b = benchmark_index(benchmark);
    if (e < 0 || b < 0 || !series[e][b].count)
        return -1;
    struct summary s = summarize(series[e][b].values, series[e][b].count);
    return low ? s.low : s.median;
}

/* `list`: names of engines, blanks between. -1: one of them has no value. */
static double least_of(const char *list, const char *benchmark, bool low)
{
    double least = -1;
    for (const char *word = list; word; word = strchr(word, ' '), word = word ? word + 1 : NULL) {
        double value = value_of(word, benchmark, low);
        if (value < 0)
            return -1;
        least = least < 0 || value < least ? value : least;
    }
    return least;
}

static double ratio(const struct target *t, const char *benchmark, const char *other_benchmark, bool low)
{
    if (!strcmp(t->other, "instructions"))
        return per_exit(engine_index(t->engine), benchmark_index(benchmark));
    double a = value_of(t->engine, benchmark, low) / t->divide;
    double b = !strcmp(t->other, "ns") ? tsc_ghz : *t->other ? least_of(t->other, other_benchmark, low) : 1;
    return a > 0 && b > 0 ? a / b : -1;
}

double target_value(const struct target *t, bool low, double *worst)
{
    double ratios[MAX_BENCHMARKS];
    size_t n = 0;
    if (strcmp(t->benchmark, "compute-*"))
        return *worst = ratio(t, t->benchmark, t->other_benchmark, low);
    for (int b = 0; benchmarks[b].name; b++) {
        const char *name = benchmarks[b].name;
        double r = strcmp(benchmarks[b].workload, "compute") ? -1 : ratio(t, name, name, low);
        if (r <= 0)
            continue;
        ratios[n++] = r;
        if (n == 1 || (t->at_least ? r < *worst : r > *worst))
            *worst = r;
    }
    return n ? geometric_mean(ratios, n) : -1;
}

static void write_targets(FILE *f)
{
    fprintf(f, "\n## Targets\n\nCompared by the fastest samples (noise only adds); several programs by the "
               "geometric mean.\n\n| what | against | target | measured | worst program | by medians | |\n"
               "|---|---|---:|---:|---:|---:|---|\n");
    for (const struct target *t = targets; t->what; t++) {
        double worst = -1, value = target_value(t, *t->other, &worst), any, medians = target_value(t, false, &any);
        const char *verdict = value < 0 ? "not measured"
                              : (t->at_least ? value >= t->limit : value <= t->limit) ? "met" : "**missed**";
        fprintf(f, "| %s | %s %s | %s %g %s |", t->what, *t->other_benchmark ? t->other : "absolute", t->other_benchmark,
                t->at_least ? "≥" : "≤", t->limit, *t->other_benchmark ? "×" : t->other);
        if (value < 0)
            fprintf(f, " n/a | | | %s |\n", verdict);
        else
            fprintf(f, " %.3f | %.3f | %.3f | %s |\n", value, worst, medians, verdict);
        printf("  %-52s %s %-6g", t->what, t->at_least ? "at least" : "at most ", t->limit);
        printf(value < 0 ? "%s\n" : "%s: %.3g\n", verdict, value);
    }
}

/* ---- tables ---- */

/* Nanoseconds as people read them; a static copy. */
static const char *in_time(double ns)
{
    static char text[24];
    bool micro = ns >= 1000, milli = ns >= 1e6;
    snprintf(text, sizeof text, "%.3g %s", milli ? ns / 1e6 : micro ? ns / 1e3 : ns,
             milli ? "ms" : micro ? "µs" : "ns");
    return text;
}

static void write_value(FILE *f, int e, int b)
{
    const struct series *s = &series[e][b];
    struct summary sum = summarize(s->values, s->count);
    if (!s->count && !strcmp(s->reason, "does not apply"))
        fprintf(f, " |");
    else if (!s->count)
        fprintf(f, " n/a |");
    else if (strcmp(benchmarks[b].unit, "cycles"))
        fprintf(f, " %.1f ± %.1f |", sum.median, sum.iqr / 2);
    else
        fprintf(f, sum.median < 100 ? " %.1f ± %.1f (%s)" : " %.0f ± %.0f (%s)", sum.median, sum.iqr / 2,
                in_time(sum.median / tsc_ghz));
    if (!s->count || strcmp(benchmarks[b].unit, "cycles"))
        return;
    if (s->exits_per_op >= 0)
        fprintf(f, ", %.2f exits", s->exits_per_op);
    fprintf(f, " |");
}

static void write_costs(FILE *f, const char *title, const char *workload_list, bool published)
{
    int rows = 0;
    for (int b = 0; benchmarks[b].name; b++)
        rows += strstr(workload_list, benchmarks[b].workload) && selected(b);
    if (rows == 0)
        return;
    fprintf(f, "\n## %s\n\n", title);
    if (published)
        fprintf(f, "Published: cycles of Adams and Agesen, ASPLOS 2006, on a 3.8 GHz Pentium 4; BT is VMware's "
                   "software VMM, VT its hardware VMM without nested paging.\n\n");
    fprintf(f, "| benchmark |");
    for (int e = 1; engines[e].name; e++)
        if (!engines[e].baseline)
            fprintf(f, " %s |", engines[e].title);
    fprintf(f, "%s one operation |\n|---|", published ? " published: native / BT / VT |" : "");
    for (int e = 1; engines[e].name; e++)
        if (!engines[e].baseline)
            fprintf(f, "---:|");
    fprintf(f, "%s---|\n", published ? "---:|" : "");
    for (int b = 0; benchmarks[b].name; b++) {
        const struct benchmark *k = &benchmarks[b];
        if (!strstr(workload_list, k->workload) || !selected(b))
            continue;
        fprintf(f, "| %s |", k->name);
        for (int e = 1; engines[e].name; e++)
            if (!engines[e].baseline)
                write_value(f, e, b);
        if (published && k->published[0] > 0)
            fprintf(f, " %g / %g / %g |", k->published[0], k->published[1], k->published[2]);
        else if (published)
            fprintf(f, " |");
        fprintf(f, " %s |\n", k->what);
    }
}

static void write_limits(FILE *f)
{
    fprintf(f, "\n## The host's limits\n\n| limit | cycles | ns | |\n|---|---:|---:|---|\n");
    for (int b = 0; benchmarks[b].name; b++) {
        double m = median_of(0, b);
        if (strcmp(benchmarks[b].workload, "calibrate"))
            continue;
        if (m < 0)
            fprintf(f, "| %s | n/a | | %s |\n", benchmarks[b].name, series[0][b].reason);
        else
            fprintf(f, "| %s | %.0f | %.0f | %s |\n", benchmarks[b].name, m, m / tsc_ghz, benchmarks[b].what);
    }
}

/* How many of the probes that failed does the file name? Its conditions are for `make check` to hold against. */
static unsigned expected_failures(const struct verdict *v, const char *file)
{
    char line[256];
    unsigned n = 0;
    FILE *f = file ? fopen(file, "r") : NULL;
    while (f && fgets(line, sizeof line, f))
        for (unsigned i = 0; i < v->failed; i++)
            n += strcspn(line, " \t\n") == strlen(v->names[i]) && !strncmp(line, v->names[i], strlen(v->names[i]));
    if (f)
        fclose(f);
    return n;
}

static void write_correctness(FILE *f)
{
    fprintf(f, "\n## Correctness: what the guest observes\n\n"
               "| engine | probes passed | failed | of these expected | which |\n|---|---:|---:|---:|---|\n");
    for (int e = 0; engines[e].name; e++) {
        const struct verdict *v = &verdicts[e];
        if (!v->passed && !v->failed && (v->ran || v->reason[0]))
            fprintf(f, "| %s | n/a | n/a | n/a | %s |\n", engines[e].title,
                    *v->reason ? v->reason : "it printed no probe");
        if (!v->passed && !v->failed)
            continue;
        fprintf(f, "| %s | %u | %u | %u |", engines[e].title, v->passed, v->failed,
                expected_failures(v, engines[e].expected));
        for (unsigned i = 0; i < v->failed; i++)
            fprintf(f, "%s %s", i ? "," : "", v->names[i]);
        fprintf(f, "%s%s |\n", v->ran ? "" : " broke off: ", v->reason);
    }
}

/* What makes numbers doubtful, and why cells are empty. */
static void write_notes(FILE *f, const json_t *facts)
{
    fprintf(f, "\n## Notes\n\n");
    if (!json_is_true(json_object_get(facts, "constant_tsc")))
        fprintf(f, "- The time-stamp counter is not constant here: cycles follow the clock frequency.\n");
    if (json_is_true(json_object_get(facts, "hypervisor")))
        fprintf(f, "- The host is a virtual machine itself: faults and exits may cost more than on bare metal.\n");
    for (int e = 0; engines[e].name; e++) {
        int noisy = 0, all = 0;
        for (int b = 0; benchmarks[b].name; b++) {
            struct summary sum = summarize(series[e][b].values, series[e][b].count);
            all += sum.n > 0;
            noisy += sum.n > 0 && sum.iqr > sum.median / 10;
        }
        if (noisy)
            fprintf(f, "- Noise: in %d of %d series of %s the middle half spreads over more than a tenth of the "
                       "median.\n", noisy, all, engines[e].name);
    }
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            const char *why = series[e][b].reason;
            if (!*why || !selected(b) || !strcmp(why, "does not apply"))
                continue;
            bool told = false;              /* one line per engine and reason, not per benchmark */
            for (int earlier = 0; earlier < b; earlier++)
                told = told || (selected(earlier) && !strcmp(series[e][earlier].reason, why));
            if (!told)
                fprintf(f, "- %s n/a (%s)\n", engines[e].name, why);
        }
}

/* ---- plots ---- */

/* The first block: where each benchmark's row is; its third column only keeps gnuplot from dropping the row. */
static void write_labels(FILE *f, const char *workload_list)
{
    fprintf(f, "labels\n");
    for (int b = 0, row = 0; benchmarks[b].name; b++)
        if (strstr(workload_list, benchmarks[b].workload) && selected(b)) {
            bool compute = !strncmp(benchmarks[b].name, "compute-", 8);
            fprintf(f, "%d \"%s\" 1\n", ++row, benchmarks[b].name + (compute ? 8 : 0));
        }
}

/* One block per engine, headed by its name: row, benchmark, median, quartiles; relative: over native's median. */
static void write_data(const char *name, const char *workload_list, bool relative)
{
    FILE *f = create(name);
    fprintf(f, "# row benchmark median q1 q3 engine%s\n", relative ? ", divided by native's median" : "");
    write_labels(f, workload_list);
    for (int e = 1; engines[e].name; e++) {
        if (engines[e].baseline)
            continue;                                       /* they are in emulated.dat */
        bool any = false;
        int row = 0;
        for (int b = 0; benchmarks[b].name; b++) {
            if (!strstr(workload_list, benchmarks[b].workload) || !selected(b))
                continue;
            row++;
            double by = relative ? median_of(1, b) : 1;
            struct summary s = summarize(series[e][b].values, series[e][b].count);
            if (!s.n || by <= 0 || s.median <= 0)
                continue;
            if (!any)
                fprintf(f, "\n\n\"%s\"\n", engines[e].title);
            any = true;
            fprintf(f, "%d \"%s\" %.6g %.6g %.6g %d\n", row, benchmarks[b].name, s.median / by,
                    (s.q1 > 0 ? s.q1 : s.median) / by, s.q3 / by, e);
        }
    }
    fclose(f);
}

static void draw(const char *name)
{
    char command[300];
    snprintf(command, sizeof command,
             "cp benchmarks/plots/style.gp benchmarks/plots/%s.gp " OUT " && cd " OUT " && "
             "if [ $(grep -c '^\"' %s.dat) -gt 0 ]; then gnuplot %s.gp 2> %s.log; fi", name, name, name, name);
    if (system(command))
        fprintf(stderr, "quadbench: the plot %s was not drawn: see " OUT "%s.log\n", name, name);
}

void write_report(const json_t *facts)
{
    FILE *f = create(OUT "report.md");
    const char *key;
    json_t *value;
    fprintf(f, "# The comparison\n\nMedian ± half the interquartile range; time-stamp cycles, %.3f GHz.\n",
            tsc_ghz);
    write_correctness(f);
    write_costs(f, "Boot", "boot", false);
    write_costs(f, "Cost of one operation", "bench-user", true);
    write_costs(f, "Compute in user mode, one call", "compute", false);
    bool emulated = write_emulated(f);
    bool profiled = write_profiles(f);
    write_limits(f);
    write_targets(f);
    write_notes(f, facts);
    fprintf(f, "\n## Context\n\n");
    json_object_foreach((json_t *)facts, key, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        fprintf(f, "- %s: %s\n", key, text);
        free(text);
    }
    fclose(f);
    write_data(OUT "cost.dat", "bench-user", false);
    write_data(OUT "compute.dat", "compute", true);
    draw("cost");
    draw("compute");
    if (profiled)
        draw("translator");
    if (emulated)
        draw("emulated");
    printf("Results: " OUT "report.md, results.json, results.csv, cost.svg, compute.svg%s%s\n", profiled ? ", translator.svg" : "",
           emulated ? ", emulated.svg" : "");
}
