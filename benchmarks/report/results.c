/* A file of results, and how the rest asks it. See report.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "schema.h"

static const char *key(const char *technique, const char *benchmark)
{
    static char text[130];

    snprintf(text, sizeof text, "%s %s", technique, benchmark);
    return text;
}

bool results_open(struct results *r, const char *file)
{
    char why[WHY];
    json_t *s;
    size_t i;

    *r = (struct results){ .file = file, .root = results_load(file, why, sizeof why), .index = json_object() };
    if (!r->root) {
        fprintf(stderr, "quadreport: %s\n", why);
        return false;
    }
    r->ghz = number_of(json_object_get(r->root, "context"), "tsc_ghz");
    json_array_foreach(list_of(r, "results"), i, s)
        json_object_set(r->index, key(word_of(s, "technique"), word_of(s, "benchmark")), s);
    return true;
}

const char *word_of(const json_t *object, const char *field)
{
    const char *word = json_string_value(json_object_get(object, field));

    return word ? word : "";
}

double number_of(const json_t *object, const char *field)
{
    const json_t *value = json_object_get(object, field);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

bool truth_of(const json_t *object, const char *field)
{
    return json_is_true(json_object_get(object, field));
}

const json_t *list_of(const struct results *r, const char *name)
{
    return json_object_get(r->root, name);
}

const char *title_of(const struct results *r, const char *technique)
{
    json_t *t;
    size_t i;

    json_array_foreach(list_of(r, "techniques"), i, t)
        if (!strcmp(word_of(t, "name"), technique))
            return word_of(t, "title");
    return technique;
}

const json_t *series_of(const struct results *r, const char *technique, const char *benchmark)
{
    const json_t *s = json_object_get(r->index, key(technique, benchmark));

    return json_object_get(s, "median") ? s : NULL;
}

double median_of(const struct results *r, const char *technique, const char *benchmark)
{
    return number_of(series_of(r, technique, benchmark), "median");
}

double least_of(const struct results *r, const char *technique, const char *benchmark)
{
    return number_of(series_of(r, technique, benchmark), "minimum");
}

double instructions_of(const struct results *r, const char *technique, const char *benchmark)
{
    return number_of(json_object_get(r->index, key(technique, benchmark)), "instructions_per_op");
}

static double one_ratio(const struct results *r, const char *technique, const char *benchmark, const char *other,
                        const char *other_benchmark)
{
    double a = median_of(r, technique, benchmark), b = median_of(r, other, other_benchmark);

    return a > 0 && b > 0 ? a / b : NAN;
}

double ratio_of(const struct results *r, const char *technique, const char *benchmark, const char *other, const char *other_benchmark)
{
    double sum = 0;
    size_t i, n = 0;
    json_t *b;

    if (strcmp(benchmark, "compute-*"))
        return one_ratio(r, technique, benchmark, other, other_benchmark);
    json_array_foreach(list_of(r, "benchmarks"), i, b) {
        double one = strcmp(word_of(b, "workload"), "compute") ? NAN
                     : one_ratio(r, technique, word_of(b, "name"), other, word_of(b, "name"));

        if (!isnan(one)) {
            sum += log(one);
            n++;
        }
    }
    return n ? exp(sum / (double)n) : NAN;
}

bool has_any(const struct results *r, const char *technique, const char *workloads)
{
    json_t *b;
    size_t i;

    json_array_foreach(list_of(r, "benchmarks"), i, b)
        if (strstr(workloads, word_of(b, "workload")) && series_of(r, technique, word_of(b, "name")))
            return true;
    return false;
}

bool is_real(const json_t *technique)
{
    return !*word_of(technique, "baseline") && strcmp(word_of(technique, "name"), "host");
}

bool is_emulated(const json_t *technique)
{
    return *word_of(technique, "baseline") && strcmp(word_of(technique, "baseline"), word_of(technique, "name"));
}

/* Binary translation's are gate-call, gate-store, ...; the others are paravirt's. */
bool by_gate(const char *event)
{
    return !strncmp(event, "gate", 4) || !strcmp(event, "hypercall") || !strcmp(event, "user-call");
}

const char *in_time(double ns, char text[24])
{
    bool micro = ns >= 999.5, milli = ns >= 999500;

    snprintf(text, 24, "%.3g %s", milli ? ns / 1e6 : micro ? ns / 1e3 : ns, milli ? "ms" : micro ? "µs" : "ns");
    return text;
}

const char *in_range(double low, double high, char text[56])
{
    char from[24], to[24];

    in_time(low, from);
    in_time(high, to);
    if (!strcmp(strchr(from, ' '), strchr(to, ' ')))
        *strchr(from, ' ') = '\0';                          /* one unit for both */
    snprintf(text, 56, "%s – %s", from, to);
    return text;
}
