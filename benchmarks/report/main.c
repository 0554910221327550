/* quadreport: from results.json to a report, a talk, a prediction, a comparison. `make bench`, `make report`, `make slides`, `make
 * predict` and `make compare` call it. Reading order: results.schema.json, report.h, sections.c. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define OUT "build/bench"

static const char usage[] =
    "Usage: quadreport [--out DIR] [FILE...]    the report: DIR/report.html, report.md, plots (DIR: build/bench; FILE: its results.json)\n"
    "       quadreport --slides [--title T] [--author A] [--out DIR] [FILE]     the talk: DIR/slides.html, with what ran in DIR/talk\n"
    "       quadreport --predict NS [FILE]      what operations would cost if an exit cost so many ns\n"
    "       quadreport --compare OLD NEW        two files side by side; a word stands where their intervals part\n"
    "       quadreport --print SECTION [FILE]   a part of the report, as Markdown\n"
    "       quadreport --check FILE...          are these results? Says nothing, or what is wrong with them\n";

static void print_targets(const struct results *r)
{
    const json_t *context = json_object_get(r->root, "context");
    char left_out[WHY];
    json_t *t;
    size_t i;

    printf("  On %s (%.0f processors%s), by the fastest samples, boots by their median:\n", word_of(context, "cpu"), number_of(context, "cpus"),
           truth_of(context, "hypervisor") ? ", a virtual machine" : "");
    if (*what_is_left_out(r, left_out))
        printf("  %s\n", left_out);
    json_array_foreach(list_of(r, "targets"), i, t) {
        const char *unit = !strcmp(word_of(t, "unit"), "×") ? "x" : word_of(t, "unit");
        char text[24], limit[60];

        snprintf(limit, sizeof limit, "%s%s%.30s", in_figures(number_of(t, "limit"), text), *unit ? " " : "", unit);
        printf("  %-49s %s %-16s ", word_of(t, "what"), truth_of(t, "at_least") ? "at least" : "at most ", limit);
        if (json_object_get(t, "value"))
            printf("%s: %s%s%s\n", truth_of(t, "met") ? "met" : "missed", in_figures(number_of(t, "value"), text), *unit ? " " : "", unit);
        else
            printf("not measured\n");
    }
}

/* In the order of the report; --print names one. Those FOR_READMES are not in the report. */
static const struct {
    enum { FOR_REPORT, FOR_READMES } use;
    const char *name;
    void (*write)(struct doc *, const struct results *);
} sections[] = {
    { FOR_REPORT, "answer", section_answer },
    { FOR_REPORT, "correctness", section_correctness },
    { FOR_REPORT, "costs", section_costs },
    { FOR_REPORT, "trap", section_trap },
    { FOR_REPORT, "timeline", section_timeline },
    { FOR_REPORT, "compute", section_compute },
    { FOR_REPORT, "model", section_model },
    { FOR_REPORT, "exits", section_exits },
    { FOR_REPORT, "translator", section_translator },
    { FOR_REPORT, "emulated", section_emulated },
    { FOR_REPORT, "port", section_port },
    { FOR_REPORT, "published", section_published },
    { FOR_REPORT, "targets", section_targets },
    { FOR_READMES, "ways", section_ways },
    { FOR_READMES, "kinds", section_kinds },
    { FOR_READMES, "interpreters", section_interpreters },
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };

static int write_report(const struct results *all, int n, const char *out)
{
    const json_t *context = json_object_get(all[0].root, "context");
    char left_out[WHY];
    struct doc d;

    draw_plots(&all[0], out);
    if (!doc_open(&d, out, "benchmarks/report/report.css", "Four answers to x86's silent instructions, measured")) {
        perror(out);
        return 1;
    }
    doc_text(&d, "The same guest kernel under each technique, on %s, %s.", word_of(context, "cpu"), word_of(context, "date"));
    if (*what_is_left_out(&all[0], left_out))
        doc_text(&d, "**%s**", left_out);
    for (int i = 0; i < SECTIONS; i++) {
        if (sections[i].use == FOR_REPORT)
            sections[i].write(&d, &all[0]);
        if (i == 0)
            section_machines(&d, all, n);
    }
    section_hosts(&d, all, n);
    section_notes(&d, &all[0]);
    if (!doc_close(&d)) {
        perror(out);
        return 1;
    }
    print_targets(&all[0]);
    printf("Report: %s/report.html, report.md, and the plots\n", out);
    return 0;
}

/* A section as Markdown, for a README: without its heading. */
static int print_section(const struct results *r, const char *name)
{
    struct doc d = { .directory = OUT, .html = fopen("/dev/null", "w"), .md = stdout, .other = fopen("/dev/null", "w"), .headless = true };

    for (int i = 0; i < SECTIONS; i++)
        if (!strcmp(sections[i].name, name)) {
            sections[i].write(&d, r);
            return doc_close(&d) ? 0 : 1;
        }
    if (!strcmp(name, "met")) {
        print_targets(r);
        return 0;
    }
    fprintf(stderr, "quadreport: --print %s: there are met", name);
    for (int i = 0; i < SECTIONS; i++)
        fprintf(stderr, " %s", sections[i].name);
    fprintf(stderr, "\n");
    return 2;
}

static int write_talk(const struct results *r, const char *out, const char *title, const char *author)
{
    if (!write_slides(r, out, title, author)) {
        perror(out);
        return 1;
    }
    char left_out[WHY];

    if (*what_is_left_out(r, left_out))
        printf("%s What was not measured is not in the talk.\n", left_out);
    printf("The talk: %s/slides.html. Arrow keys and clicks move, s hides the speaker's line; printed, a slide is a page\n", out);
    return 0;
}

/* False: that is not how many files the command takes, and stderr says so. */
static bool takes(int what, int n)
{
    const char *who = what == 'c' ? "--compare" : what == 'p' ? "--predict" : what == 's' ? "--print" : what == 'S' ? "--slides"
                      : what == 'k' ? "--check" : "the report";
    const char *others = "; two go side by side with `make compare OLD= NEW=`, several with `make report RESULTS=`";
    char count[32];
    int least = what == 'c' ? 2 : 1, most = what == 'c' ? 2 : strchr("psS", what) ? 1 : FILES_MAX;

    if (n >= least && n <= most)
        return true;
    snprintf(count, sizeof count, most == 1 ? "one file" : most == 2 ? "two files" : "1 to %d files", FILES_MAX);
    fprintf(stderr, "quadreport: %s takes %s of results, not %d%s\n", who, count, n, most == 1 ? others : "");
    return false;
}

/* The status, if what was printed has reached somebody. */
static int heard(int status)
{
    if (!ferror(stdout) && !fflush(stdout))
        return status;
    fprintf(stderr, "quadreport: standard output cannot be written: %s\n", strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "out", required_argument, NULL, 'o' }, { "predict", required_argument, NULL, 'p' }, { "print", required_argument, NULL, 's' },
        { "compare", no_argument, NULL, 'c' }, { "check", no_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' },
        { "slides", no_argument, NULL, 'S' }, { "title", required_argument, NULL, 't' }, { "author", required_argument, NULL, 'a' }, { 0 },
    };
    static struct results all[FILES_MAX];
    static char *usual[] = { OUT "/results.json" };
    const char *out = OUT, *section = "", *title = "", *author = "";
    double exit_ns = 0;
    int n, what = 'r';
    char *end;

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1; what = strchr("ota", c) ? what : c)
        switch (c) {
        case 'o': out = optarg; break;
        case 't': title = optarg; break;
        case 'a': author = optarg; break;
        case 's': section = optarg; break;
        case 'p':
            exit_ns = strtod(optarg, &end);
            if (*end || !(exit_ns > 0 && exit_ns < 1e9)) {
                fprintf(stderr, "quadreport: EXIT_NS=%s: give nanoseconds, for example EXIT_NS=300\n", optarg);
                return 2;
            }
            break;
        case 'h': fputs(usage, stdout); return 0;
        case 'c': case 'k': case 'S': break;
        default: fputs(usage, stderr); return 2;
        }
    n = argc - optind;
    argv += optind;
    if (n == 0 && what != 'c') {
        argv = usual;
        n = 1;
    }
    if (!takes(what, n))
        return 2;
    for (int i = 0; i < n; i++)
        if (!results_open(&all[i], argv[i]))
            return 2;
    switch (what) {
    case 'p': return heard(predict(&all[0], exit_ns));
    case 's': return heard(print_section(&all[0], section));
    case 'S': return heard(write_talk(&all[0], out, title, author));
    case 'c': return heard(compare(&all[0], &all[1]));
    case 'k': return 0;
    default: return heard(write_report(all, n, out));
    }
}
