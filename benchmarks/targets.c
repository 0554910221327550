/* What was promised, and what was measured: each row of targets[] as the results have it. Next: tables.c. */
#include <string.h>

#include "bench.h"

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
    double b = *t->other_benchmark ? least_of(t->other, other_benchmark, low) : !strcmp(t->other, "ns") ? tsc_ghz : 1;
    return a > 0 && b > 0 ? a / b : -1;
}

static double target_value(const struct target *t, bool low, double *worst)
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

json_t *targets_json(void)
{
    json_t *all = json_array();

    for (const struct target *t = targets; t->what; t++) {
        bool of_medians = !strcmp(t->other, "ms");          /* boots: whole processes, which nobody waits for at their fastest */
        double worst = -1, mean = target_value(t, !of_medians, &worst), any, medians = target_value(t, false, &any);
        bool of_worst = strstr(t->other_benchmark, "(worst)");
        double value = of_worst ? worst : mean;
        char against[200];
        json_t *one;

        snprintf(against, sizeof against, "%s %s", *t->other_benchmark ? t->other : "absolute", t->other_benchmark);
        one = json_pack("{s:s, s:s, s:s, s:f, s:b}", "what", t->what, "against", against, "unit", *t->other_benchmark ? "×" : t->other,
                        "limit", t->limit, "at_least", t->at_least);
        if (value >= 0)
            json_object_update_new(one, json_pack("{s:f, s:f, s:f, s:b}", "value", value, "worst", worst, "by_medians", of_worst ? any : medians, "met",
                                                  t->at_least ? value >= t->limit : value <= t->limit));
        json_array_append_new(all, one);
    }
    return all;
}
