/* From stamps to bands: whose was the time between two of them? The guest's and the VMM's are put in order, a crossing's length is
 * estimated, because nothing notes when the guest's last instruction ends and the processor's way out begins, and the turn of
 * median duration is cut at every stamp. benchmarks/README.md tells how sure that is. Next: timeline-draw.c. */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "timeline-bands.h"

/* The stamps of a turn, the guest's and the VMM's, in order. */
static unsigned collect(const struct engine *e, const uint64_t *at, struct point *p)
{
    unsigned n = 0, mark = 0;

    for (size_t i = 0; i < e->stamps && n < POINTS - MARKS && mark < MARKS; i++) {
        if (e->stamp[i].tsc < at[0])
            continue;
        while (mark < MARKS && at[mark] <= e->stamp[i].tsc)
            p[n++] = (struct point){ .tsc = at[mark++], .kind = MARK };
        if (mark < MARKS)
            p[n++] = e->stamp[i];
    }
    while (mark < MARKS)
        p[n++] = (struct point){ .tsc = at[mark++], .kind = MARK };
    return n;
}

static bool is_crossing(const struct point *p)
{
    return p->kind != LEAVE && (p[1].kind == LEAVE || (p->kind == ENTER && p[1].kind == MARK));
}

static int compare_cycles(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Cycles, so many of them. */
struct series { unsigned n; uint64_t cycles[TURNS]; };

static void note(struct series *s, uint64_t cycles) { s->cycles[s->n++] = cycles; }

static uint64_t median(struct series *s)
{
    qsort(s->cycles, s->n, sizeof s->cycles[0], compare_cycles);
    return s->n ? s->cycles[s->n / 2] : 0;
}

/* A crossing has no stamp in its middle. How long one takes is seen where next to nothing else is between two stamps: behind the
 * user's and the kernel's last mark, and before the kernel's first; of several such places, the one where it takes longest. Not at
 * the timer's, if there are others: its signal has a way of its own through Linux, and what follows finds all caches cold. KVM has no
 * such place on the way out: its shortest stay in the guest. */
static void find_crossings(struct engine *e)
{
    uint64_t shortest[WAYS];

    memset(shortest, 0xff, sizeof shortest);
    for (size_t i = 1; i < e->stamps; i++)
        if (e->stamp[i].kind == LEAVE && !e->stamp[i].timer && e->stamp[i].tsc - e->stamp[i - 1].tsc < shortest[e->stamp[i].way])
            shortest[e->stamp[i].way] = e->stamp[i].tsc - e->stamp[i - 1].tsc;
    for (unsigned k = 0; k < EVENTS; k++) {
        static struct series at[MARKS][WAYS];
        struct point p[POINTS];

        memset(at, 0, sizeof at);
        for (unsigned turn = 0; turn < e->turns[k]; turn++)
            for (unsigned marks = 0, i = 0, n = collect(e, e->at[k][turn], p); i + 1 < n; i++) {
                marks += p[i].kind == MARK;
                if (p[i].kind == MARK ? p[i + 1].kind == LEAVE && !p[i + 1].timer && marks != 2 : p[i + 1].kind == MARK && marks == 1)
                    note(&at[marks][p[i + 1].way], p[i + 1].tsc - p[i].tsc);
            }
        for (unsigned way = 0; way < WAYS; way++)
            for (unsigned marks = 1; marks < MARKS; marks++)
                if (median(&at[marks][way]) > e->crossing[way] && (k < EVENTS - 1 || !e->crossing[way]))
                    e->crossing[way] = median(&at[marks][way]);
    }
    for (unsigned way = 0; way < WAYS; way++)
        if (!e->crossing[way] && shortest[way] != UINT64_MAX)
            e->crossing[way] = shortest[way];
}

/* How much of the time before each stamp is the guest's: what the turns that went the same way have, as a rule, beyond the
 * crossing. The user's loop that waits for the timer has nothing beyond. */
static void find_guest(const struct engine *e, unsigned k, const struct point *of, unsigned n, uint64_t *guest)
{
    static struct series before[POINTS];
    struct point p[POINTS];

    memset(before, 0, sizeof before);
    for (unsigned turn = 0; turn < e->turns[k]; turn++) {
        bool same = collect(e, e->at[k][turn], p) == n;

        for (unsigned i = 0; same && i < n; i++)
            same = same && p[i].kind == of[i].kind && !strcmp(p[i].reason, of[i].reason);
        for (unsigned i = 1; same && i < n; i++)
            note(&before[i], p[i].tsc - p[i - 1].tsc);
    }
    for (unsigned i = 1; i < n; i++) {
        uint64_t all = median(&before[i]), host = of[i].timer && of[i - 1].kind == MARK ? all : e->crossing[of[i].way];
        uint64_t here = of[i].tsc - of[i - 1].tsc;

        guest[i] = all > host ? all - host : 0;
        guest[i] = guest[i] < here ? guest[i] : here;
    }
}

static void add(struct engine *e, unsigned k, enum who who, uint64_t from, uint64_t to, const char *reason)
{
    struct band *last = &e->band[k][e->bands[k]];

    if (e->bands[k] && who != VMM && last[-1].who == who)
        last[-1].to = to;
    else if (from < to)
        *last = (struct band){ who, from, to, reason }, e->bands[k]++;
}

/* Between two stamps it is the VMM's, or the guest's with a crossing at one end. Whose of the guest? Before the kernel's first
 * mark the user's, but for what leads to the mark; behind its last the kernel's, up to the first crossing. */
static void cut(struct engine *e, unsigned k, const uint64_t *at)
{
    struct point *p = e->median[k];
    unsigned n = collect(e, at, p), marks = 0;
    uint64_t guest[POINTS];
    bool left = false;

    find_guest(e, k, p, n, guest);
    for (unsigned i = 0; i + 1 < n; i++) {
        const struct point *a = &p[i], *b = a + 1;
        uint64_t own = is_crossing(a) ? guest[i + 1] : b->tsc - a->tsc;
        enum who who;

        if ((a->kind == LEAVE) != (b->kind == ENTER))
            errx(1, "%s, %s: the VMM's stamps do not alternate", e->name, events[k]);
        left = a->kind == LEAVE || (left && a->kind != MARK);
        marks += a->kind == MARK;
        who = marks == 2 || (marks == 1 && b->kind == MARK) || (marks == 3 && !left) ? KERNEL : USER;
        if (a->kind == LEAVE) {
            add(e, k, VMM, a->tsc, b->tsc, a->reason);
        } else if (b->kind == LEAVE) {
            add(e, k, who, a->tsc, a->tsc + own, NULL);
            add(e, k, HOST, a->tsc + own, b->tsc, NULL);
        } else {
            add(e, k, HOST, a->tsc, b->tsc - own, NULL);
            add(e, k, who, b->tsc - own, b->tsc, NULL);
        }
    }
}

static int compare_turns(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b, dx = x[MARKS - 1] - x[0], dy = y[MARKS - 1] - y[0];

    return (dx > dy) - (dx < dy);
}

void find_bands(struct engine *e)
{
    find_crossings(e);
    for (unsigned k = 0; k < EVENTS; k++) {
        qsort(e->at[k], e->turns[k], sizeof e->at[k][0], compare_turns);
        cut(e, k, e->at[k][e->turns[k] / 2]);
    }
}
