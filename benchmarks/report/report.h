/* From results.json to what people look at: report.html and report.md, plots, slides, predictions, comparisons. Nothing here
 * measures; everything comes out of files that schema.h has checked. Next: main.c, sections.c. */
#ifndef REPORT_H
#define REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "doc.h"

enum { FILES_MAX = 16, WHY = 1000 };

/* ---- results.c: a file of results. What functions return belongs to it, and lives as long; nobody frees it ---- */
struct results {
    const char *file;
    json_t *root;
    json_t *index;                                          /* of its results, by "technique benchmark" */
    double ghz;                                             /* of the time-stamp counter: cycles / ghz are ns */
};
bool results_open(struct results *r, const char *file);     /* false: the sentence has been printed. `file` is kept, not copied */

/* A field of an object, which may be NULL. */
const char *word_of(const json_t *object, const char *field);           /* "" if there is none */
double number_of(const json_t *object, const char *field);              /* NAN if there is none */
bool truth_of(const json_t *object, const char *field);                 /* false if there is none */

const json_t *list_of(const struct results *r, const char *name);       /* "techniques", "benchmarks", ...; NULL: no such list */
const json_t *technique_of(const struct results *r, const char *name);  /* an object in "techniques"; NULL */
const json_t *verdict_of(const struct results *r, const char *technique);   /* an object in "correctness"; NULL */
const char *title_of(const struct results *r, const char *technique);   /* its own name if it is not among the techniques */

/* Of one technique and benchmark, by their names. Values are in the series' own unit (cycles; of boot ms), NAN if there is none. */
const json_t *series_of(const struct results *r, const char *technique, const char *benchmark);  /* measured ones; else NULL */
double median_of(const struct results *r, const char *technique, const char *benchmark);
double least_of(const struct results *r, const char *technique, const char *benchmark);          /* the fastest sample */
double instructions_of(const struct results *r, const char *technique, const char *benchmark);   /* an operation's, counted */
/* The median over another's, over 1 if `other` is ""; over all of "compute-*" their geometric mean (other_benchmark is not looked at
 * then); NAN. */
double ratio_of(const struct results *r, const char *technique, const char *benchmark, const char *other, const char *other_benchmark);
bool has_any(const struct results *r, const char *technique, const char *workloads);             /* a measured series of these? */

/* Of an object in "techniques": its time is time, and it is not "host", the yardsticks; or it runs on a processor that software makes,
 * and is told as a ratio to its baseline. A baseline is neither. */
bool is_real(const json_t *technique);
bool is_emulated(const json_t *technique);

/* Of an object with a "reason": why there is nothing, without the name of who says so and what else to ask. Not ended by a zero byte. */
const char *why_of(const json_t *object, int *length);
bool is_absent(const struct results *r, const json_t *technique);       /* of hardware, wanted, and there is nothing of it at all */

/* Of a quick run, or one narrowed by FILTER or ENGINES: sentences that say so, and what all is left out. "": it is a whole one. */
const char *what_is_left_out(const struct results *r, char text[WHY]);
const char *was_busy(const struct results *r, char text[WHY]);          /* a sentence; "": it was not */
bool by_gate(const char *event);                            /* an event: does it cross by a far jump? Others: a signal, an exit */

/* All write into `text` and return it. */
const char *in_figures(double value, char text[24]);        /* three of them, thousands apart: "0.938", "2,460" */
const char *in_time(double ns, char text[24]);              /* "1.27 µs" */
const char *in_range(double low, double high, char text[56]);           /* "1.2 – 1.4 µs", from ns */

/* ---- correctness.c: the groups of tests/probe-groups.txt, numbered from 0 in its order ---- */
struct group { char label[80], why[120]; };                 /* what it is; why trap-emulate gets it wrong, or right */
const struct group *group_at(int g);                        /* NULL behind the last; of a file that is missing stderr tells, once */
int group_of(const char *probe);                            /* -1: in none */
enum { ALL_GROUPS = -1 };
/* Of what fails: "right": nothing; "alike": under a monitor on QEMU's processor that which fails there without one; "wrong". */
const char *group_class(const struct results *r, const json_t *verdict, int g);
void group_count(const json_t *verdict, int g, int *right, int *all);   /* of an object in "correctness" */

/* ---- sections.c, costs.c, correctness.c, model.c, machines.c: the parts of the report. What the results do not have is left out, or
 * said to be n/a ---- */
void section_answer(struct doc *d, const struct results *r);
void section_correctness(struct doc *d, const struct results *r);
void section_costs(struct doc *d, const struct results *r);
void section_compute(struct doc *d, const struct results *r);
void section_published(struct doc *d, const struct results *r);
void section_trap(struct doc *d, const struct results *r);
void section_timeline(struct doc *d, const struct results *r);
void section_port(struct doc *d, const struct results *r);              /* of this tree, not of the results */
void section_exits(struct doc *d, const struct results *r);
void section_emulated(struct doc *d, const struct results *r);
void section_translator(struct doc *d, const struct results *r);
void section_model(struct doc *d, const struct results *r);
void section_targets(struct doc *d, const struct results *r);
void section_machines(struct doc *d, const struct results *all, int n);     /* of n files; nothing if there is but one */
void section_hosts(struct doc *d, const struct results *all, int n);
void section_notes(struct doc *d, const struct results *r);
/* Why there are no figures, an item for each reason: of those reasons for which a technique is absent, or of the others. */
void tell_reasons(struct doc *d, const struct results *r, bool absent);

/* ---- readmes.c: for --print alone ---- */
void section_ways(struct doc *d, const struct results *r);
void section_kinds(struct doc *d, const struct results *r);
void section_interpreters(struct doc *d, const struct results *r);

/* ---- model.c: tables on stdout. The exit status: 0; 2 if there is nothing to tell ---- */
int predict(const struct results *r, double exit_ns);       /* stderr says what lacks */
int compare(const struct results *old, const struct results *new);      /* what both have; others' rows are left out */

/* ---- plots.c: data for gnuplot, and its pictures, in `directory`. Ends the program if it cannot write there; a picture that gnuplot
 * does not draw is a sentence on stderr ---- */
void draw_plots(const struct results *r, const char *directory);

/* ---- slides.c: the talk, DIRECTORY/slides.html; "": its own title, nobody's name. False: it cannot be written; errno tells ---- */
bool write_slides(const struct results *r, const char *directory, const char *title, const char *author);

#endif
