/* quadreport: from results.json to a report, a talk, a prediction, a comparison. `make bench`, `make report`, `make slides`, `make
 * predict` and `make compare` call it. Reads order: results.schema.json, report.h, sections.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define OUT "build/bench"

static const char usage[] =
    "Usage: quadreport [--out DIR] [FILE...]    the report: DIR/report.html, report.md, plots (DIR: build/bench; FILE: its results.json)\n"
    "       quadreport --predict NS [FILE]      what operations would cost if an exit cost so many ns\n"
    "       quadreport --compare OLD NEW        two files side by side; a word stands where their intervals part\n"
    "       quadreport --check FILE...          are these results? Says nothing, or what is wrong with them\n";

static void print_targets(const struct results *r)
{
    json_t *t;
    size_t i;

    json_array_foreach(list_of(r, "targets"), i, t) {
        printf("  %-52s %s %-6g", word_of(t, "what"), truth_of(t, "at_least") ? "at least" : "at most ", number_of(t, "limit"));
        if (json_object_get(t, "value"))
            printf("%s: %.3g\n", truth_of(t, "met") ? "met" : "missed", number_of(t, "value"));
        else
            printf("not measured\n");
    }
}

static int write_report(const struct results *all, int n, const char *out)
{
    const struct results *r = &all[0];
    struct doc d;

    draw_plots(r, out);
    if (!doc_open(&d, out, "benchmarks/report/report.css", "Four answers to x86's silent instructions, measured")) {
        perror(out);
        return 1;
    }
    doc_text(&d, "The same guest kernel under each technique, on %s, %s.", word_of(json_object_get(r->root, "context"), "cpu"),
             word_of(json_object_get(r->root, "context"), "date"));
    section_answer(&d, r);
    section_machines(&d, all, n);
    section_correctness(&d, r);
    section_costs(&d, r);
    section_trap(&d, r);
    section_compute(&d, r);
    section_model(&d, r);
    section_exits(&d, r);
    section_translator(&d, r);
    section_emulated(&d, r);
    section_published(&d, r);
    section_targets(&d, r);
    section_hosts(&d, all, n);
    section_notes(&d, r);
    if (!doc_close(&d)) {
        perror(out);
        return 1;
    }
    print_targets(r);
    printf("Report: %s/report.html, report.md, and the plots\n", out);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "out", required_argument, NULL, 'o' }, { "predict", required_argument, NULL, 'p' }, { "compare", no_argument, NULL, 'c' }, { "check", no_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    static struct results all[FILES_MAX];
    static char *usual[] = { OUT "/results.json" };
    const char *out = OUT;
    double exit_ns = 0;
    int n, what = 'r';
    char *end;

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1; what = c == 'o' ? what : c)
        switch (c) {
        case 'o': out = optarg; break;
        case 'p':
            exit_ns = strtod(optarg, &end);
            if (*end || !(exit_ns > 0 && exit_ns < 1e9)) {
                fprintf(stderr, "quadreport: EXIT_NS=%s: give nanoseconds, for example EXIT_NS=300\n", optarg);
                return 2;
            }
            break;
        case 'h': fputs(usage, stdout); return 0;
        case 'c': case 'k': break;
        default: fputs(usage, stderr); return 2;
        }
    n = argc - optind;
    argv += optind;
    if (n == 0 && what != 'c') {
        argv = usual;
        n = 1;
    }
    if (n > FILES_MAX || (what == 'c' && n != 2) || (what == 'p' && n != 1)) {
        fputs(usage, stderr);
        return 2;
    }
    for (int i = 0; i < n; i++)
        if (!results_open(&all[i], argv[i]))
            return 2;
    return what == 'p' ? predict(&all[0], exit_ns) : what == 'c' ? compare(&all[0], &all[1]) : what == 'k' ? 0 : write_report(all, n, out);
}
