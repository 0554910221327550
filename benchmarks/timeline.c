/* Draws what `run=timeline` and --trace=timeline have noted (machine/timeline.h, guests/user/timeline.c):
 *
 *   build/timeline OUT.svg OUT.json NAME CONSOLE TRACE [NAME CONSOLE TRACE]...
 *
 * CONSOLE has the guest's MARK lines, TRACE the VMM's TIME lines: the time-stamp counter of both is one. For each event it takes
 * the turn with the median duration and cuts it into bands at every stamp. benchmarks/README.md says how to read them. */
#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

enum { EVENTS = 3, TURNS = 256, MARKS = 4, ENGINES = 8, POINTS = 64, BANDS = 2 * POINTS, NAME = 24 };
enum kind { ENTER, LEAVE, MARK };
enum who { USER, KERNEL, VMM, HOST, WHO };
enum way { IN, GATE, SIGNAL, KVM, WAYS };               /* into the guest; out of it */

struct point { uint64_t tsc; enum kind kind; bool timer; unsigned way; char reason[NAME]; };
struct band { enum who who; uint64_t from, to; const char *reason; };

struct engine {
    const char *name;
    struct point *stamp;
    size_t stamps, room;
    uint64_t at[EVENTS][TURNS][MARKS];
    unsigned turns[EVENTS];
    uint64_t crossing[WAYS];            /* cycles of a crossing, by way */
    struct band band[EVENTS][BANDS];    /* of the median turn */
    unsigned bands[EVENTS];
};

static const char *const events[EVENTS] = { "system-call", "page-fault", "timer-tick" };
static const char *const titles[EVENTS] = { "A system call", "A page fault, which maps the page", "A timer tick" };
static const char *const ways[WAYS] = { "in", "gate", "signal", "kvm" };
static const char *const names[WHO] = { "user", "kernel", "vmm", "host" };
static const char *const legend[WHO] = { "guest: user", "guest: kernel", "VMM", "host: the crossing itself; Linux's signal, KVM" };
static const char *const colours[WHO] = { "#56B4E9", "#0072B2", "#D55E00", "#F0E442" };    /* Okabe and Ito's */

static struct engine engine[ENGINES];
static unsigned engines;
static double cycles_per_us;

/* ---- reading ------------------------------------------------------------------------------------- */

static FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);

    if (!f)
        errx(1, "cannot open %s", path);
    return f;
}

static void read_marks(struct engine *e, const char *path)
{
    FILE *f = open_file(path, "r");
    char line[200], event[NAME];
    uint64_t t[MARKS];
    unsigned turn;

    while (fgets(line, sizeof line, f))
        if (sscanf(line, "MARK %23s %u %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, event, &turn, t, t + 1, t + 2, t + 3) == 6)
            for (unsigned k = 0; k < EVENTS; k++)
                if (!strcmp(event, events[k]) && e->turns[k] < TURNS)
                    memcpy(e->at[k][e->turns[k]++], t, sizeof t);
    fclose(f);
    for (unsigned k = 0; k < EVENTS; k++)
        if (!e->turns[k])
            errx(1, "%s has no MARK %s", path, events[k]);
}

static void read_stamps(struct engine *e, const char *path)
{
    FILE *f = open_file(path, "r");
    char line[200], what[8], way[8] = "";

    while (fgets(line, sizeof line, f)) {
        struct point p = { 0 };

        if (sscanf(line, "TIME %" SCNx64 " %7s %23s %7s", &p.tsc, what, p.reason, way) < 2)
            continue;
        p.kind = strcmp(what, "enter") ? LEAVE : ENTER;
        p.timer = !strcmp(p.reason, "timer");
        while (p.kind == LEAVE && p.way < WAYS - 1 && strcmp(way, ways[p.way]))
            p.way++;
        if (e->stamps == e->room && !(e->stamp = realloc(e->stamp, (e->room = e->room * 2 + 1024) * sizeof p)))
            errx(1, "no memory");
        e->stamp[e->stamps++] = p;
    }
    fclose(f);
}

/* ---- cutting ------------------------------------------------------------------------------------- */

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
    static struct point all[EVENTS][ENGINES][POINTS];   /* bands point to their reasons */
    struct point *p = all[k][e - engine];
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

static void measure_clock(void)
{
    struct timespec start, now;
    uint64_t tsc = __rdtsc();
    double us;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        us = (double)(now.tv_sec - start.tv_sec) * 1e6 + (double)(now.tv_nsec - start.tv_nsec) / 1e3;
    } while (us < 50000);
    cycles_per_us = (double)(__rdtsc() - tsc) / us;
}

/* ---- drawing ------------------------------------------------------------------------------------- */

enum { LEFT = 190, WIDTH = 690, RIGHT = 100, HEAD = 92, ROW = 40, BAR = 16, GROUP = 76 };

static double us(const struct engine *e, unsigned k, uint64_t tsc) { return (double)(tsc - e->band[k][0].from) / cycles_per_us; }
static double total(const struct engine *e, unsigned k) { return us(e, k, e->band[k][e->bands[k] - 1].to); }

static void text(FILE *f, double x, double y, const char *style, const char *format, ...)
{
    va_list args;

    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, style);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fputs("</text>\n", f);
}

/* One row's bands at `scale` pixels a us, and above each hand-over why, if nothing stands there yet. */
static void draw_bands(FILE *f, const struct engine *e, unsigned k, double x0, double y, double scale)
{
    double free = x0;

    for (const struct band *b = e->band[k]; b < e->band[k] + e->bands[k]; b++) {
        double x = x0 + us(e, k, b->from) * scale, width = (double)(b->to - b->from) / cycles_per_us * scale;

        fprintf(f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>%s %.0f ns</title></rect>\n", x, y,
                width, BAR, colours[b->who], b->reason ? b->reason : names[b->who], (double)(b->to - b->from) / cycles_per_us * 1e3);
        if (!b->reason || x < free)
            continue;
        fprintf(f, "<path d=\"M%.2f %.1fv-4\" stroke=\"#555\"/>\n", x, y);
        text(f, x, y - 5, " class=\"why\"", "%s", b->reason);
        free = x + 5.6 * (double)strlen(b->reason) + 6;
    }
    fprintf(f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" fill=\"none\" stroke=\"#888\" stroke-width=\"0.6\"/>\n", x0, y,
            total(e, k) * scale, BAR);
}

/* What is too short for its labels is drawn again beside it, enlarged. */
static void draw_row(FILE *f, const struct engine *e, unsigned k, double y, double scale)
{
    static const int factors[] = { 50, 20, 10, 5, 2 };
    double length = total(e, k) * scale, room = 0.5 * WIDTH;
    unsigned i = 0;

    text(f, LEFT - 8, y + 12, " text-anchor=\"end\"", "%s", e->name);
    text(f, LEFT + length + 6, y + 12, " font-weight=\"bold\"", "%.2f \302\265s", total(e, k));
    if (length > 0.18 * WIDTH) {
        draw_bands(f, e, k, LEFT, y, scale);
        return;
    }
    fprintf(f, "<svg x=\"%d\" y=\"%.1f\" width=\"%.2f\" height=\"%d\">", LEFT, y, length + 1, BAR);
    draw_bands(f, e, k, 0, 0, scale);
    fputs("</svg>\n", f);
    while (i < sizeof factors / sizeof *factors - 1 && length * factors[i] > room)
        i++;
    text(f, LEFT + 0.45 * WIDTH, y + 12, " text-anchor=\"end\" fill=\"#555\"", "enlarged %d times:", factors[i]);
    draw_bands(f, e, k, LEFT + 0.45 * WIDTH + 8, y, scale * factors[i]);
}

static void draw_group(FILE *f, unsigned k, double y)
{
    double most = 0, step = 1e-3, bottom = y + 22 + ROW * engines;

    for (unsigned i = 0; i < engines; i++)
        most = total(&engine[i], k) > most ? total(&engine[i], k) : most;
    for (unsigned i = 0; most / step > 10; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    text(f, LEFT, y, " font-weight=\"bold\" font-size=\"14\"", "%s", titles[k]);
    for (unsigned i = 0; i * step <= most; i++) {
        double x = LEFT + i * step / most * WIDTH;

        fprintf(f, "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#e4e4e4\"/>\n", x, y + 10, bottom);
        text(f, x, bottom + 14, " text-anchor=\"middle\" fill=\"#555\" font-size=\"11\"",
             i * step + step > most ? "%g \302\265s" : "%g", i * step);
    }
    for (unsigned i = 0; i < engines; i++)
        draw_row(f, &engine[i], k, y + 32 + ROW * i, WIDTH / most);
}

static void draw(const char *path)
{
    unsigned height = HEAD + EVENTS * (GROUP + ROW * engines);
    FILE *f = open_file(path, "w");
    double x = 24;

    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\" font-family=\"sans-serif\" "
               "font-size=\"12\">\n<style>.why { font-size: 10px; fill: #333 }</style>\n<rect width=\"100%%\" height=\"100%%\" "
               "fill=\"white\"/>\n", LEFT + WIDTH + RIGHT, height, LEFT + WIDTH + RIGHT, height);
    text(f, 24, 28, " font-size=\"18\" font-weight=\"bold\"", "Who runs when: guest, VMM and host in three events");
    text(f, 24, 48, " fill=\"#333\"", "From the user's code back to it, each the median of %u turns; above a hand-over to the VMM stands "
         "its reason; one scale an event.", engine[0].turns[0]);
    for (int w = 0; w < WHO; w++) {
        fprintf(f, "<rect x=\"%.0f\" y=\"60\" width=\"14\" height=\"14\" fill=\"%s\" stroke=\"#888\" stroke-width=\"0.6\"/>\n", x,
                colours[w]);
        text(f, x + 20, 71, "", "%s", legend[w]);
        x += 20 + 7 * (double)strlen(legend[w]) + 20;
    }
    for (unsigned k = 0; k < EVENTS; k++)
        draw_group(f, k, HEAD + 22 + k * (GROUP + ROW * engines));
    fputs("</svg>\n", f);
    if (fclose(f))
        errx(1, "cannot write %s", path);
}

/* ---- the same as numbers ------------------------------------------------------------------------- */

static void write_one(FILE *f, const struct engine *e, unsigned k)
{
    double part[WHO] = { 0 };

    for (unsigned i = 0; i < e->bands[k]; i++)
        part[e->band[k][i].who] += (double)(e->band[k][i].to - e->band[k][i].from) / cycles_per_us * 1e3;
    fprintf(f, "    \"%s\": {\"turns\": %u, \"total_ns\": %.0f", e->name, e->turns[k], total(e, k) * 1e3);
    for (int w = 0; w < WHO; w++)
        fprintf(f, ", \"%s_ns\": %.0f", names[w], part[w]);
    fputs(", \"bands\": [", f);
    for (const struct band *b = e->band[k]; b < e->band[k] + e->bands[k]; b++)
        fprintf(f, "%s\n      {\"who\": \"%s\", \"from_ns\": %.0f, \"to_ns\": %.0f%s%s%s}", b == e->band[k] ? "" : ",", names[b->who],
                us(e, k, b->from) * 1e3, us(e, k, b->to) * 1e3, b->reason ? ", \"reason\": \"" : "", b->reason ? b->reason : "",
                b->reason ? "\"" : "");
    fputs("]}", f);
}

static void write_numbers(const char *path)
{
    FILE *f = open_file(path, "w");

    fprintf(f, "{ \"tsc_mhz\": %.1f,\n  \"events\": {\n", cycles_per_us);
    for (unsigned k = 0; k < EVENTS; k++) {
        fprintf(f, "  \"%s\": {\n", events[k]);
        for (unsigned i = 0; i < engines; i++) {
            write_one(f, &engine[i], k);
            fputs(i + 1 < engines ? ",\n" : "\n", f);
        }
        fputs(k + 1 < EVENTS ? "  },\n" : "  }\n} }\n", f);
    }
    if (fclose(f))
        errx(1, "cannot write %s", path);
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc % 3 || argc / 3 - 1 > ENGINES)
        errx(1, "usage: timeline OUT.svg OUT.json NAME CONSOLE TRACE [NAME CONSOLE TRACE]...");
    measure_clock();
    for (int i = 3; i < argc; i += 3) {
        struct engine *e = &engine[engines++];

        e->name = argv[i];
        read_marks(e, argv[i + 1]);
        read_stamps(e, argv[i + 2]);
        find_crossings(e);
        for (unsigned k = 0; k < EVENTS; k++) {
            qsort(e->at[k], e->turns[k], sizeof e->at[k][0], compare_turns);
            cut(e, k, e->at[k][e->turns[k] / 2]);
        }
    }
    draw(argv[1]);
    write_numbers(argv[2]);
    return 0;
}
