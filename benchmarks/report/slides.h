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

/* ---- excerpts.c: what really ran, and real source ---- */
void excerpt_race(struct doc *d, const char *title, const char *file);
void excerpt_trace(struct doc *d, const char *file);
void excerpt_operations(struct doc *d, const char *native, const char *paravirt);
void excerpt_port(struct doc *d, const char *file);
void excerpt_groups(struct doc *d, const struct results *r, const char *file);  /* what each technique gets right */

/* ---- diagrams.c ---- */
void draw_contract(FILE *f, bool kept);
void draw_race(FILE *f);
void draw_repairs(FILE *f);
void draw_trap(FILE *f, const struct results *r);
void draw_exit(FILE *f, const struct results *r);
void draw_exits(FILE *f, const char *nested, const char *shadow);
void draw_costs(FILE *f, const struct results *r);

/* Why there is no such figure, "" if there is one or nobody says; cut to what a slide can show. */
const char *reason_of(const struct results *r, const char *technique, const char *benchmark);

#endif
