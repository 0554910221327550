/* The benchmark harness in one page: what runs (tables.c), in which order (schedule.c), how a cell is run (run.c), how its output is
 * read (output.c), what the numbers say (stats.c), where they go (results.c; report/ makes of it what people read). main() is in
 * quadbench.c.
 * A cell is one engine running one workload once; a series is all samples of one benchmark on one engine. */
#ifndef BENCH_H
#define BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OUT "build/bench/"
#define KERNEL "build/guests/kernel.elf"
#define KERNEL_PV "build/guests/kernel-pv.elf"            /* its port to paravirt */

enum { MAX_ENGINES = 24, MAX_WORKLOADS = 8, MAX_BENCHMARKS = 64, MAX_SAMPLES = 1024, MAX_PROBES = 512, REASON = 400 };

/* ---- tables.c: one row each; the order is the order of the report ---- */
struct engine {
    const char *name;               /* one word, for ENGINES= and the results */
    const char *title;              /* what the report calls it */
    const char *workloads;          /* those it can run, separated by blanks */
    const char *command;            /* words; {append}, {counters}, {timeout} stand for the cell's own;
                                     * the first must be there (or in PATH), and KERNEL, if it is named */
    int good[2];                    /* exit statuses that mean "it ran to its end" */
    double repeat;                  /* runs for each of RUNS=, half as many again of boots: more for what starts fast, lest a slow
                                     * second of the host spoil all of one engine's samples; 0: not timed, only counted */
    const char *remedy;             /* what to do where it is missing */
    const char *expected;           /* the file that names the probes which fail under it */
    const char *baseline;           /* on a processor that software makes: the engine, above it, that is the same guest on the same
                                     * emulator without a monitor, all it may be compared with (that one names itself); NULL: hardware */
    bool slow;                      /* QUICK=1 leaves it out */
};
struct workload {
    const char *name, *append;      /* the guest's command line */
    bool picks, scales;             /* takes only=; takes samples= cycles= iterations= */
};
struct benchmark {
    const char *name, *workload, *unit;
    const char *what;               /* one operation of it */
};
/* value(engine, benchmark) / divide, against limit x value(other engine, other benchmark); "compute-*" takes the
 * geometric mean over the compute programs. Of several other engines the least value counts. Without another benchmark, `other` is
 * the unit of the value and of the limit. */
struct target {
    const char *what, *engine, *benchmark;
    double divide, limit;
    bool at_least;
    const char *other, *other_benchmark;        /* compute-*: the mean of all programs' ratios; "compute-* (worst)": the worst */
};
extern const struct engine engines[];
extern const struct workload workloads[];
extern const struct target targets[];
extern struct benchmark benchmarks[MAX_BENCHMARKS + 1];     /* known ones, then those that a guest names */

/* Where it stands in its table; -1: nowhere. A name ends with a blank or a comma as well as with a zero byte. */
int engine_index(const char *name);
int benchmark_index(const char *name);
int workload_index(const char *name);
int benchmark_add(const char *name, const char *workload);  /* its index, new or not; -1 when the table is full. Keeps `workload` */
bool runs_workload(const struct engine *engine, const char *workload);
const char *unit_of(int engine, int benchmark);             /* "emulated cycles" are not "cycles". Good until the next call */

/* ---- output.c ---- */
struct sample { char name[40]; uint64_t iterations, cycles; };         /* cycles of all iterations; iterations > 0 */
struct probe { char name[40]; bool right; char want[40], got[40]; };
struct output {
    struct sample samples[MAX_SAMPLES];
    size_t count;
    struct { char name[40], why[160]; } skipped[16];
    size_t skips;
    struct probe probes[MAX_PROBES];                        /* PROBE lines */
    size_t probe_count;
    bool done;                                              /* a DONE line came */
};
void parse_output(const char *text, struct output *out);    /* whole lines only; all else is for people */
bool parse_counters(const char *json, json_t **exits, double *total);   /* caller frees *exits; false: not ours */
json_t *parse_ticks(const char *json);                      /* by reason, of a VMM that tells; NULL. Caller frees */
/* What `more` operations add to the counts by reason, for each of them; less than one in twenty is noise. Caller frees. */
json_t *per_operation(const json_t *few, const json_t *many, double more);

/* Where a run of binary translation spent its cycles: the bars of translator.svg. */
enum share {
    SHARE_CACHE, SHARE_DIRECT, SHARE_CROSS, SHARE_DECODE, SHARE_EMIT, SHARE_ENTER, SHARE_LINK, SHARE_MONITOR, SHARE_OUTSIDE,
    SHARES,
};
struct profile { double instructions, cycles[SHARES]; };
bool parse_profile(const json_t *root, struct profile *p);  /* of a VMM's --profile; false: not ours. root may be NULL */

/* ---- stats.c: in the unit of the values ---- */
struct summary { size_t n; double median, q1, q3, mad, low; unsigned outliers; };   /* low: the least */
struct summary summarize(const double *values, size_t n);   /* in any order; of none, all 0 */
bool is_outlier(double value, const struct summary *s);
/* 95 % of the medians of resamples, drawn by run and repeatable. n > 0; run[] is not negative. */
void bootstrap_median(const double *values, const int *run, size_t n, double *low, double *high);
double geometric_mean(const double *values, size_t n);      /* 0 if n is 0; values > 0 */
uint32_t random_next(uint32_t *state);                      /* never 0; the same seed in *state, the same numbers */
void shuffle(size_t *order, size_t n, uint32_t *state);     /* in place; repeatable likewise */

/* ---- run.c ---- */
struct request {
    const struct engine *engine;
    char append[200];                                       /* the guest's command line */
    const char *tag;                                        /* names its files in cells/, beside the engine */
    int cpu;                                                /* where it is pinned */
    double timeout;                                         /* seconds */
    bool counting;                                          /* an emulator's time is to be that of executed instructions */
};
struct outcome { bool ran; char reason[REASON]; double wall_ms; char *text, *counters; };   /* reason: why it has not; "" if it has */
double clock_seconds(void);                                 /* since some moment, as a clock on the wall goes */
struct outcome run_cell(const struct request *request);     /* caller frees text and counters, "" where there is nothing */
const char *cannot_run(const struct engine *engine);        /* why and the remedy, run.c's; NULL: it can, as far as is known */

/* ---- what a run collects; quadbench.c, schedule.c ---- */
struct series {
    double values[MAX_SAMPLES];
    int run[MAX_SAMPLES];
    struct sample raw[MAX_SAMPLES];
    size_t count;
    char reason[REASON];                                    /* why there is none; "" if there is */
    double exits_per_op;                                    /* -1: not counted */
    json_t *exits;                                          /* the same by reason; NULL */
    json_t *ticks;                                          /* likewise: time stamps in the monitor, for each such exit; NULL */
    double instructions;                                    /* of an emulated processor, each operation, exact; -1: not counted */
};
struct verdict { bool ran; struct probe probes[MAX_PROBES]; size_t count; char reason[REASON]; };
struct options {
    bool quick, resume;
    int runs, cpu, beside;
    int limit;                                              /* seconds: runs are left out for it. 0: whatever it takes */
    int left_out;                                           /* so many of them were */
    uint32_t seed;
    bool engine_on[MAX_ENGINES];
    const char *filter;
};
extern struct series series[MAX_ENGINES][MAX_BENCHMARKS];
extern struct verdict verdicts[MAX_ENGINES];
extern struct options options;
extern double tsc_ghz;                                      /* of the time-stamp counter: cycles / tsc_ghz are ns */
bool selected(int benchmark);                               /* by FILTER; yardsticks always are */
bool listed(const char *words, const char *name);           /* is name one of words? blanks or commas between */
struct job { int engine, workload, benchmark, run; };       /* benchmark -1: the whole workload in one process */
void run_everything(void);                                  /* schedule.c */
/* On stderr, before each start; "" when there is nothing to tell. counts: of one operation, whose events are counted. */
void progress(const char *engine, const char *what, bool counts);
struct outcome run_counted(const struct job *job, int iterations);  /* of each benchmark; caller frees text and counters */
void count_operations(const struct job *job, int iterations);       /* and three times as many: exits_per_op, exits, ticks */
/* A sample more, in the benchmark's unit; benchmark -1, and more than MAX_SAMPLES, are passed over. Copies *raw. */
void add_value(int engine, int benchmark, int run, double value, const struct sample *raw);

/* ---- profile.c: binary translation under --profile ---- */
void run_profiles(void);
json_t *profiles_json(void);                                /* caller frees */

/* ---- emulated.c: the instructions and exits of what runs on processors made by software, into series[][] ---- */
void run_emulated(void (*first)(void));                     /* first: not timed either; Bochs begins beside it already */
double per_exit(int engine, int benchmark);                 /* instructions that an exit adds to the guest's own; -1 */

/* ---- targets.c ---- */
json_t *targets_json(void);                                 /* caller frees */

/* ---- results.c: files under build/bench/ ---- */
json_t *context(const char *engine_list);                   /* this host and its tools; tsc_ghz is known by then. Caller frees */
/* Ends the program with a sentence, status 1, if it cannot. Results with more series in them are kept as results.old.json. */
void write_results(json_t *context);
#endif
