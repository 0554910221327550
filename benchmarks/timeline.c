/* Draws what `run=timeline` and --trace=timeline have noted (machine/timeline.h, guests/user/timeline.c):
 *
 *   build/timeline OUT.svg OUT.json NAME CONSOLE TRACE [NAME CONSOLE TRACE]...
 *
 * CONSOLE has the guest's MARK lines, TRACE the VMM's TIME lines: the time-stamp counter of both is one. For each event it takes
 * the turn with the median duration and cuts it into bands at every stamp (timeline-bands.c), draws them (timeline-draw.c), and
 * writes the same as numbers. benchmarks/README.md says how to read them. */
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "timeline-bands.h"

const char *const events[EVENTS] = { "system-call", "page-fault", "timer-tick" };
const char *const who_names[WHO] = { "user", "kernel", "vmm", "host" };
static const char *const ways[WAYS] = { "in", "gate", "signal", "kvm" };

struct engine engine[ENGINES];
unsigned engines;
double cycles_per_us;

double us_at(const struct engine *e, unsigned event, uint64_t tsc) { return (double)(tsc - e->band[event][0].from) / cycles_per_us; }
double us_of(const struct engine *e, unsigned event) { return us_at(e, event, e->band[event][e->bands[event] - 1].to); }

/* ---- reading ------------------------------------------------------------------------------------- */

FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);

    if (!f)
        errx(1, "cannot open %s", path);
    return f;
}

void close_file(FILE *f, const char *path)
{
    if (fclose(f))
        errx(1, "cannot write %s", path);
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

/* By 50 ms of looking at both clocks. */
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

/* ---- as numbers ---------------------------------------------------------------------------------- */

static void write_one(FILE *f, const struct engine *e, unsigned k)
{
    double part[WHO] = { 0 };

    for (unsigned i = 0; i < e->bands[k]; i++)
        part[e->band[k][i].who] += (double)(e->band[k][i].to - e->band[k][i].from) / cycles_per_us * 1e3;
    fprintf(f, "    \"%s\": {\"turns\": %u, \"total_ns\": %.0f", e->name, e->turns[k], us_of(e, k) * 1e3);
    for (int w = 0; w < WHO; w++)
        fprintf(f, ", \"%s_ns\": %.0f", who_names[w], part[w]);
    fputs(", \"bands\": [", f);
    for (const struct band *b = e->band[k]; b < e->band[k] + e->bands[k]; b++)
        fprintf(f, "%s\n      {\"who\": \"%s\", \"from_ns\": %.0f, \"to_ns\": %.0f%s%s%s}", b == e->band[k] ? "" : ",", who_names[b->who],
                us_at(e, k, b->from) * 1e3, us_at(e, k, b->to) * 1e3, b->reason ? ", \"reason\": \"" : "", b->reason ? b->reason : "",
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
    close_file(f, path);
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
        find_bands(e);
    }
    draw(argv[1]);
    write_numbers(argv[2]);
    return 0;
}
