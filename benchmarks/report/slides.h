/* What the files of the talk share. See slides.c. */
#ifndef SLIDES_H
#define SLIDES_H

#include "report.h"

enum { LINE_SIZE = 200, LINES_MAX = 400 };

/* A text file that others wrote: its lines, without control characters, cut to what a slide can show. */
struct excerpt {
    int n;
    char line[LINES_MAX][LINE_SIZE];
};
const struct excerpt *excerpt_read(const char *file);       /* of no lines if there is none; good until the next call */
bool excerpt_has(const char *file, const char *words);      /* one of its lines */

/* ---- excerpts.c: what really ran, and real source. Of a file that is missing or has nothing of the kind the slide says n/a ---- */
void excerpt_race(struct doc *d, const char *title, const char *file);              /* a console of run=race */
void excerpt_trace(struct doc *d, const char *file);        /* lines of --trace=blocks */
void excerpt_operations(struct doc *d, const char *native, const char *paravirt);   /* two files that define the same operations */
void excerpt_port(struct doc *d, const char *file);         /* what paravirt/port.sh prints */
void excerpt_groups(struct doc *d, const struct results *r);            /* what each technique gets right */

/* ---- diagrams.c: each writes one SVG, or two, into the page ---- */
void draw_contract(FILE *f, bool kept);                     /* sensitive instructions within the privileged ones, or not */
void draw_race(FILE *f);
void draw_repairs(FILE *f);
void draw_trap(FILE *f, const struct results *r);           /* the way of an IN, and what it costs */
void draw_exit(FILE *f, const struct results *r);           /* the same under hwassist, instructions counted */
void draw_exits(FILE *f, const char *nested, const char *shadow);       /* files with rows such as "in io=1024 cr=2" */
void draw_costs(FILE *f, const struct results *r);          /* a logarithmic axis, 0.1 ns to 100 µs; what lies outside ends there */

#endif
