/* What the files of build/timeline share: timeline.c reads and says it in numbers, timeline-bands.c cuts time into bands,
 * timeline-draw.c draws them. Times are cycles of the time-stamp counter where a name says nothing else. */
#ifndef TIMELINE_BANDS_H
#define TIMELINE_BANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { EVENTS = 3, TURNS = 256, MARKS = 4, ENGINES = 8, POINTS = 64, BANDS = 2 * POINTS, NAME = 24 };
enum kind { ENTER, LEAVE, MARK };
enum who { USER, KERNEL, VMM, HOST, WHO };
enum way { IN, GATE, SIGNAL, KVM, WAYS };               /* into the guest; out of it */

struct point { uint64_t tsc; enum kind kind; bool timer; unsigned way; char reason[NAME]; };
struct band { enum who who; uint64_t from, to; const char *reason; };      /* reason: of a hand-over to the VMM, else NULL */

struct engine {
    const char *name;
    /* timeline.c has read: */
    struct point *stamp;                /* the VMM's, as they came */
    size_t stamps, room;
    uint64_t at[EVENTS][TURNS][MARKS];  /* the guest's */
    unsigned turns[EVENTS];
    /* timeline-bands.c finds: */
    uint64_t crossing[WAYS];            /* of a crossing, by way */
    struct point median[EVENTS][POINTS];                /* the median turn's stamps; its bands point to their reasons */
    struct band band[EVENTS][BANDS];    /* of the median turn, one behind the other */
    unsigned bands[EVENTS];             /* at least one */
};

/* ---- timeline.c ---- */
extern const char *const events[EVENTS], *const who_names[WHO];
extern struct engine engine[ENGINES];
extern unsigned engines;
extern double cycles_per_us;
FILE *open_file(const char *path, const char *mode);    /* or ends with a sentence, status 1 */
void close_file(FILE *f, const char *path);             /* likewise, if not all of it was written */
double us_at(const struct engine *e, unsigned event, uint64_t tsc);         /* microseconds from the first band's begin */
double us_of(const struct engine *e, unsigned event);   /* the whole median turn, in microseconds */

/* ---- timeline-bands.c ---- */
void find_bands(struct engine *e);      /* sorts e->at by duration. Ends with a sentence, status 1, if stamps cannot be so */

/* ---- timeline-draw.c ---- */
void draw(const char *path);            /* an SVG of all engines; ends with a sentence, status 1, if it cannot be written */

#endif
