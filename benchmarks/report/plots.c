/* Data files for gnuplot, each beside the script that draws it, so that a student can change a plot without running anything again. Block
 * 0 of a file has the labels, each other one a technique; style.gp tells the columns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { EMULATED_MAX = 3 };                                  /* emulated.gp has as many colours */

static FILE *create(const char *directory, const char *name, const char *head)
{
    char file[300];
    FILE *f;

    snprintf(file, sizeof file, "%s/%s.dat", directory, name);
    f = fopen(file, "w");
    if (!f) {
        perror(file);
        exit(1);
    }
    fprintf(f, "# %s\n", head);
    return f;
}

static bool is_row(const struct results *r, const json_t *benchmark, const char *workloads)
{
    json_t *t;
    size_t i;

    if (!strstr(workloads, word_of(benchmark, "workload")))
        return false;
    json_array_foreach(list_of(r, "techniques"), i, t)
        if (is_real(t) && series_of(r, word_of(t, "name"), word_of(benchmark, "name")))
            return true;
    return false;
}

/* Their number. The third column only keeps gnuplot from dropping the row. */
static int labels(FILE *f, const struct results *r, const char *workloads)
{
    int row = 0;
    json_t *b;
    size_t i;

    fprintf(f, "labels\n");
    json_array_foreach(list_of(r, "benchmarks"), i, b)
        if (is_row(r, b, workloads)) {
            const char *name = word_of(b, "name");

            fprintf(f, "%d \"%s\" 1\n", ++row, name + (strncmp(name, "compute-", 8) ? 0 : 8));
        }
    return row;
}

/* Row, benchmark, median, interval, number of the technique: over `base`'s median, or as it is. */
static void block(FILE *f, const struct results *r, const json_t *t, int number, const char *workloads, const char *base)
{
    bool headed = false;
    int row = 0;
    json_t *b;
    size_t i;

    json_array_foreach(list_of(r, "benchmarks"), i, b) {
        const json_t *s = series_of(r, word_of(t, "name"), word_of(b, "name"));
        double by = *base ? median_of(r, base, word_of(b, "name")) : 1;

        if (!is_row(r, b, workloads))
            continue;
        row++;
        if (!s || !(by > 0) || !(number_of(s, "median") > 0))
            continue;
        if (!headed)
            fprintf(f, "\n\n\"%s\"\n", word_of(t, "title"));
        headed = true;
        fprintf(f, "%d \"%s\" %.6g %.6g %.6g %d\n", row, word_of(b, "name"), number_of(s, "median") / by,
                fmax(number_of(s, "ci_low"), number_of(s, "median") / 100) / by, number_of(s, "ci_high") / by, number);
    }
}

/* These return how many rows there are to draw. */
static int data(const struct results *r, const char *directory, const char *name, const char *head, const char *workloads,
                 const char *base)
{
    FILE *f = create(directory, name, head);
    int number = 0, rows = labels(f, r, workloads);
    json_t *t;
    size_t i;

    json_array_foreach(list_of(r, "techniques"), i, t)
        if (is_real(t))
            block(f, r, t, ++number, workloads, base);
    fclose(f);
    return *base && !has_any(r, base, workloads) ? 0 : rows;
}

/* Time over that of the same emulator without a monitor; where only instructions are counted, these. NAN: neither. */
static double emulated_ratio(const struct results *r, const json_t *t, const char *benchmark)
{
    double own = instructions_of(r, word_of(t, "name"), benchmark), alone = instructions_of(r, word_of(t, "baseline"), benchmark);

    if (has_any(r, word_of(t, "name"), "boot bench bench-user compute"))
        return ratio_of(r, word_of(t, "name"), benchmark, word_of(t, "baseline"), benchmark);
    return own > 0 && alone > 0 ? own / alone : NAN;
}

/* Those with a bar to draw: what a quick run leaves out gets no place beside the others. */
static int emulated_columns(const struct results *r, const json_t **columns, int most)
{
    json_t *t, *b;
    size_t i, k;
    int n = 0;

    json_array_foreach(list_of(r, "techniques"), i, t)
        json_array_foreach(list_of(r, "benchmarks"), k, b)
            if (n < most && is_emulated(t) && !isnan(emulated_ratio(r, t, word_of(b, "name")))) {
                columns[n++] = t;
                break;
            }
    return n;
}

/* A column a technique, a row a benchmark. */
static int emulated_data(const struct results *r, const char *directory)
{
    FILE *f = create(directory, "emulated", "over the same emulator without a monitor");
    const json_t *columns[EMULATED_MAX];
    int n = emulated_columns(r, columns, EMULATED_MAX), row = 0;
    json_t *b;
    size_t k;

    fprintf(f, "\"row\" \"benchmark\"");
    for (int i = 0; i < n; i++)
        fprintf(f, " \"%s, %s\"", word_of(columns[i], "title"),
                has_any(r, word_of(columns[i], "name"), "boot bench bench-user compute") ? "time" : "instructions");
    json_array_foreach(list_of(r, "benchmarks"), k, b) {
        bool headed = false;

        for (int i = 0; i < n; i++)
            headed = headed || !isnan(emulated_ratio(r, columns[i], word_of(b, "name")));
        if (headed)
            fprintf(f, "\n%d \"%s\"", ++row, word_of(b, "name"));
        for (int i = 0; headed && i < n; i++) {
            double ratio = emulated_ratio(r, columns[i], word_of(b, "name"));

            fprintf(f, isnan(ratio) ? " ?" : " %.6g", ratio);
        }
    }
    fprintf(f, "\n");
    fclose(f);
    return row;
}

static int translator(const struct results *r, const char *directory)
{
    FILE *f = create(directory, "translator", "per cent of each profiled run's cycles");
    const char *share;
    json_t *p, *part;
    size_t i;
    int row = 0;

    fprintf(f, "\"row\" \"run\"");
    json_object_foreach(json_object_get(json_array_get(list_of(r, "profiles"), 0), "shares"), share, part)
        fprintf(f, " \"%s\"", share);
    fprintf(f, "\n");
    json_array_foreach(list_of(r, "profiles"), i, p) {
        fprintf(f, "%d \"%s%s\"", ++row, word_of(p, "run"), strstr(word_of(p, "technique"), "-all") ? " (all)" : "");
        json_object_foreach(json_object_get(p, "shares"), share, part)
            fprintf(f, " %.2f", json_number_value(part));
        fprintf(f, "\n");
    }
    fclose(f);
    return row;
}

/* What an earlier run has drawn goes, even where there is nothing to draw: it would be taken for this one's. */
static void draw(const char *directory, const char *name, int rows)
{
    char command[700];

    snprintf(command, sizeof command,
             "cp benchmarks/plots/style.gp benchmarks/plots/%s.gp '%s' && cd '%s' && rm -f %s.svg %s.png%s%s.gp 2> %s.log", name,
             directory, directory, name, name, rows ? " && gnuplot " : " && : ", name, name);
    if (!rows)
        printf("No plot %s: nothing that it shows was measured\n", name);
    if (system(command))
        fprintf(stderr, "quadreport: the plot %s was not drawn: see %s/%s.log\n", name, directory, name);
}

void draw_plots(const struct results *r, const char *directory)
{
    draw(directory, "cost", data(r, directory, "cost", "row benchmark median ci_low ci_high technique", "bench bench-user", ""));
    draw(directory, "compute",
         data(r, directory, "compute", "row benchmark median ci_low ci_high technique, over native's median", "compute", "native"));
    draw(directory, "emulated", emulated_data(r, directory));
    draw(directory, "translator", translator(r, directory));
}
