/* From results.json to what people look at: report.html and report.md, plots, slides, predictions, comparisons. Nothing here
 * measures; everything comes out of files that schema.h has checked. Next: main.c, sections.c. */
#ifndef REPORT_H
#define REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "doc.h"

enum { FILES_MAX = 16, WHY = 700 };

/* ---- results.c: a file of results ---- */
struct results {
    const char *file;
    json_t *root;
    json_t *index;                                          /* of its results, by "technique benchmark" */
    double ghz;                                             /* of the time-stamp counter */
};
bool results_open(struct results *r, const char *file);     /* false: the sentence has been printed */
const char *word_of(const json_t *object, const char *field);           /* "" if there is none */
double number_of(const json_t *object, const char *field);              /* NAN if there is none */
bool truth_of(const json_t *object, const char *field);
const json_t *list_of(const struct results *r, const char *name);       /* "techniques", "benchmarks", ... */
const char *title_of(const struct results *r, const char *technique);
const json_t *series_of(const struct results *r, const char *technique, const char *benchmark);  /* measured ones; else NULL */
double median_of(const struct results *r, const char *technique, const char *benchmark);         /* NAN */
double instructions_of(const struct results *r, const char *technique, const char *benchmark);   /* an operation's, counted; NAN */
/* The median over another's, or over all of "compute-*" their geometric mean; NAN. */
double ratio_of(const struct results *r, const char *technique, const char *benchmark, const char *other, const char *other_benchmark);
bool has_any(const struct results *r, const char *technique, const char *workloads);             /* a measured series of these? */
const char *in_time(double ns, char text[24]);              /* "1.27 µs" */
const char *in_range(double low, double high, char text[56]);           /* "1.2 – 1.4 µs" */

/* ---- sections.c, costs.c, model.c: the parts of the report ---- */
void section_answer(struct doc *d, const struct results *r);
void section_correctness(struct doc *d, const struct results *r);
void section_costs(struct doc *d, const struct results *r);
void section_compute(struct doc *d, const struct results *r);
void section_published(struct doc *d, const struct results *r);
void section_trap(struct doc *d, const struct results *r);
void section_timeline(struct doc *d, const struct results *r);
void section_port(struct doc *d, const struct results *r);
void section_exits(struct doc *d, const struct results *r);
void section_emulated(struct doc *d, const struct results *r);
void section_translator(struct doc *d, const struct results *r);
void section_model(struct doc *d, const struct results *r);
void section_targets(struct doc *d, const struct results *r);
void section_machines(struct doc *d, const struct results *all, int n);
void section_hosts(struct doc *d, const struct results *all, int n);
void section_notes(struct doc *d, const struct results *r);
/* ---- readmes.c: for --print alone ---- */
void section_ways(struct doc *d, const struct results *r);
void section_kinds(struct doc *d, const struct results *r);
void section_interpreters(struct doc *d, const struct results *r);
int predict(const struct results *r, double exit_ns);
int compare(const struct results *old, const struct results *new);

/* ---- plots.c: data for gnuplot, and its pictures, in `directory` ---- */
void draw_plots(const struct results *r, const char *directory);

/* ---- slides.c: the talk, DIRECTORY/slides.html; "": its own title, nobody's name. False: it cannot be written; errno tells ---- */
bool write_slides(const struct results *r, const char *directory, const char *title, const char *author);

#endif
