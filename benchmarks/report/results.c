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

/* The object in a list whose field is `word`. */
static const json_t *find(const struct results *r, const char *list, const char *field, const char *word)
{
    json_t *object;
    size_t i;

    json_array_foreach(list_of(r, list), i, object)
        if (!strcmp(word_of(object, field), word))
            return object;
    return NULL;
}

const json_t *technique_of(const struct results *r, const char *name) { return find(r, "techniques", "name", name); }
const json_t *verdict_of(const struct results *r, const char *technique) { return find(r, "correctness", "technique", technique); }

const char *title_of(const struct results *r, const char *technique)
{
    const json_t *t = technique_of(r, technique);

    return t ? word_of(t, "title") : technique;
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
    double a = median_of(r, technique, benchmark), b = *other ? median_of(r, other, other_benchmark) : 1;

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

const char *why_of(const json_t *object, int *length)
{
    static const char before[] = "this host cannot run it: ";
    const char *why = word_of(object, "reason"), *told = strstr(why, before), *after;

    why = told ? told + strlen(before) : why;
    after = strstr(why, " (`make doctor`");
    *length = (int)(after ? (size_t)(after - why) : strlen(why));
    return why;
}

/* Was it left out of this run on purpose? */
static bool is_left_out(const struct results *r, const json_t *technique)
{
    bool asked = true;
    json_t *s;
    size_t i;

    json_array_foreach(list_of(r, "results"), i, s)
        if (!strcmp(word_of(s, "technique"), word_of(technique, "name"))) {
            const char *why = word_of(s, "reason");

            asked = asked && strcmp(why, "QUICK=1 leaves it out") && strcmp(why, "not asked for");
        }
    return !asked;
}

bool is_absent(const struct results *r, const json_t *technique)
{
    const json_t *v = verdict_of(r, word_of(technique, "name"));

    return is_real(technique) && !json_array_size(json_object_get(v, "probes")) && !is_left_out(r, technique) &&
           !has_any(r, word_of(technique, "name"), "boot bench bench-user compute");
}

const char *what_is_left_out(const struct results *r, char text[WHY])
{
    const json_t *context = json_object_get(r->root, "context");
    const char *filter = word_of(context, "filter"), *engines = word_of(context, "engines");
    bool quick = truth_of(context, "quick");
    int at = 0, n = 0;
    json_t *t;
    size_t i;

    *text = '\0';
    if (!quick && !*filter && !*engines)
        return text;
    at += snprintf(text, WHY, "%s: %.0f run%s of each benchmark", quick ? "A quick run" : "A run of a part",
                   number_of(context, "runs"), number_of(context, "runs") == 1 ? "" : "s");
    if (*filter)
        at += snprintf(text + at, WHY - (size_t)at, ", only FILTER=\"%.200s\"", filter);
    if (*engines)
        at += snprintf(text + at, WHY - (size_t)at, ", only ENGINES=\"%.200s\"", engines);
    json_array_foreach(list_of(r, "techniques"), i, t)
        if (!*engines && at < WHY - 200 && (is_real(t) || is_emulated(t)) && is_left_out(r, t))
            at += snprintf(text + at, WHY - (size_t)at, "%s%.80s", n++ ? ", " : "; nothing of ", word_of(t, "title"));
    snprintf(text + at, WHY - (size_t)at, ". `make bench` measures all.");
    return text;
}

/* Binary translation's are gate-call, gate-store, ...; the others are paravirt's. */
bool by_gate(const char *event)
{
    return !strncmp(event, "gate", 4) || !strcmp(event, "hypercall") || !strcmp(event, "user-call");
}

const char *in_figures(double value, char text[24])
{
    double step = fabs(value) >= 999.5 ? pow(10, floor(log10(fabs(value))) - 2) : 1;
    int n;

    if (!(fabs(value) >= 999.5) || fabs(value) >= 1e12) {   /* NAN as well; 1e12 is no figure of ours */
        snprintf(text, 24, "%.3g", value);
        return text;
    }
    n = snprintf(text, 24, "%.0f", round(value / step) * step);
    for (int at = n - 3; at > (value < 0); at -= 3, n++) {
        memmove(text + at + 1, text + at, (size_t)(n - at) + 1);
        text[at] = ',';
    }
    return text;
}

const char *in_time(double ns, char text[24])
{
    static const char *const units[] = { "ns", "µs", "ms", "s" };
    char figures[24];
    int unit = 0;

    for (; ns >= 999.5 && unit < 3; unit++)
        ns /= 1e3;
    snprintf(text, 24, "%s %s", in_figures(ns, figures), units[unit]);
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
