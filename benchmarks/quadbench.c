/* The comparison: every engine, every workload, several times, in random order, on one processor.
 * `make bench` starts it; README.md says what the numbers mean. Next: bench.h (the parts), tables.c (what runs). */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"

enum { MAX_JOBS = 8192, MAX_WORKLOADS = 8, COUNTED = 256 };

struct series series[MAX_ENGINES][MAX_BENCHMARKS];
struct verdict verdicts[MAX_ENGINES];
struct options options = { .runs = 0, .seed = 1 };
double tsc_ghz;

static struct job { int engine, workload, benchmark, run; } jobs[MAX_JOBS];     /* benchmark -1: the whole workload */
static size_t job_count;
static char trouble[MAX_ENGINES][MAX_WORKLOADS][200];

/* Does the list `words` (blanks or commas between) hold `name`? */
static bool listed(const char *words, const char *name)
{
    size_t n = strlen(name);
    for (const char *w = words; *w; w += strcspn(w, " ,"), w += strspn(w, " ,"))
        if (strcspn(w, " ,") == n && !strncmp(w, name, n))
            return true;
    return false;
}

bool selected(int benchmark)
{
    return !*options.filter || listed(options.filter, benchmarks[benchmark].workload) ||
           listed(options.filter, benchmarks[benchmark].name);
}

static void progress(const char *engine, const char *what, size_t at, size_t of)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, at == of ? "\r\033[K" : "\r\033[K[%zu/%zu] %s %s", at + 1, of, engine, what);
    else if (at < of)
        fprintf(stderr, "bench: %s %s\n", engine, what);
}

static struct outcome run_job(const struct job *job, const char *extra, double timeout)
{
    char tag[100];
    const char *name = job->benchmark < 0 ? workloads[job->workload].name : benchmarks[job->benchmark].name;
    struct request r = { .engine = &engines[job->engine], .tag = tag, .cpu = options.cpu, .timeout = timeout };
    snprintf(tag, sizeof tag, "%s%s-%d", name, *extra == 'i' ? "-counted" : "", job->run);
    const struct workload *w = &workloads[job->workload];
    bool only = job->benchmark >= 0 && w->picks;
    snprintf(r.append, sizeof r.append, "%s%s%s %s", w->append, only ? " only=" : "",
             !only ? "" : strncmp(name, "compute-", 8) ? name : name + 8, w->scales ? extra : "");
    return run_cell(&r);
}

static void add_value(int engine, int benchmark, int run, double value, const struct sample *raw)
{
    struct series *s = &series[engine][benchmark];
    if (benchmark < 0 || s->count == MAX_SAMPLES)
        return;
    s->values[s->count] = value;
    s->run[s->count] = run;
    s->raw[s->count++] = *raw;
}

static void record(const struct job *job, struct outcome *o)
{
    static struct output out;
    const char *workload = workloads[job->workload].name;
    parse_output(o->text, &out);
    if (!strcmp(workload, "boot") && o->ran && out.done)
        add_value(job->engine, benchmark_index("boot"), job->run, o->wall_ms, &(struct sample){ .iterations = 1 });
    else if (!strcmp(workload, "boot") && o->ran)
        snprintf(o->reason, sizeof o->reason, "no DONE line");
    for (size_t i = 0; i < out.count; i++) {
        const struct sample *s = &out.samples[i];
        add_value(job->engine, benchmark_add(s->name, workload), job->run,
                  (double)s->cycles / (double)s->iterations, s);
    }
    for (size_t i = 0; i < out.skips; i++) {
        int b = benchmark_add(out.skipped[i].name, workload);
        if (b >= 0)
            strcpy(series[job->engine][b].reason, out.skipped[i].why);
    }
    if (o->reason[0]) {
        strcpy(trouble[job->engine][job->workload], o->reason);
        if (job->benchmark >= 0)
            strcpy(series[job->engine][job->benchmark].reason, o->reason);
    }
    free(o->text);
    free(o->counters);
}

static void plan(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int w = 0; workloads[w].name; w++) {
            if (!options.engine_on[e] || cannot_run(&engines[e]) || !strcmp(workloads[w].name, "probes") ||
                !runs_workload(&engines[e], workloads[w].name))
                continue;
            bool whole = !*options.filter || listed(options.filter, workloads[w].name);
            for (int b = -1; b < 0 || benchmarks[b].name; b++)
                for (int run = 0; run < options.runs && job_count < MAX_JOBS; run++)
                    if (whole ? b < 0 : b >= 0 && selected(b) && !strcmp(benchmarks[b].workload, workloads[w].name))
                        jobs[job_count++] = (struct job){ e, w, b, run };
        }
}

static void run_plan(void)
{
    static size_t order[MAX_JOBS];
    const char *scale = options.quick ? "samples=3 cycles=2000000" : "samples=5 cycles=5000000";
    for (size_t i = 0; i < job_count; i++)
        order[i] = i;
    shuffle(order, job_count, &options.seed);
    for (size_t i = 0; i < job_count; i++) {
        const struct job *job = &jobs[order[i]];
        progress(engines[job->engine].name,
                 job->benchmark < 0 ? workloads[job->workload].name : benchmarks[job->benchmark].name, i, job_count);
        struct outcome o = run_job(job, scale, options.quick ? 10 : 60);
        record(job, &o);
    }
    progress("", "", job_count, job_count);
}

/* A workload that broke off took the benchmarks after the break with it: each gets a run of its own. */
static void retry(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int w = 0; workloads[w].name; w++)
            for (int b = 0; trouble[e][w][0] && workloads[w].scales && benchmarks[b].name; b++) {
                if (series[e][b].count || series[e][b].reason[0] || strcmp(benchmarks[b].workload, workloads[w].name) ||
                    !selected(b))
                    continue;
                progress(engines[e].name, benchmarks[b].name, 0, 1);
                struct job job = { e, w, b, 0 };
                struct outcome o = run_job(&job, "samples=3 cycles=1000000", 4);
                record(&job, &o);
            }
}

/* Exits of a run with `iterations` and how many operations it really made; false if it does not say. */
static bool count_exits(const struct job *job, int iterations, json_t **exits, double *total, double *operations)
{
    static struct output out;
    char extra[60];
    snprintf(extra, sizeof extra, "iterations=%d samples=1", iterations);
    struct outcome o = run_job(job, extra, 10);
    parse_output(o.text, &out);
    bool good = o.ran && out.count && parse_counters(o.counters, exits, total);
    *operations = 0;
    for (size_t i = 0; i < out.count; i++)
        if (!strcmp(out.samples[i].name, benchmarks[job->benchmark].name))
            *operations += (double)out.samples[i].iterations;
    free(o.text);
    free(o.counters);
    return good;
}

/* Exits per operation: two runs that differ in the number of iterations; all else cancels. */
static void count_operations(int e, int w, int b)
{
    struct job job = { e, w, b, 0 };
    json_t *few = NULL, *many = NULL, *count;
    const char *reason;
    double total[2], operations[2];
    progress(engines[e].name, benchmarks[b].name, 0, 1);
    if (count_exits(&job, COUNTED, &few, &total[0], &operations[0]) &&
        count_exits(&job, 3 * COUNTED, &many, &total[1], &operations[1]) && operations[1] > operations[0]) {
        double n = operations[1] - operations[0];
        series[e][b].exits_per_op = (total[1] - total[0]) / n;
        series[e][b].exits = json_object();
        json_object_foreach(many, reason, count) {
            double more = json_number_value(count) - json_number_value(json_object_get(few, reason));
            if (more > n / 20 || more < -n / 20)
                json_object_set_new(series[e][b].exits, reason, json_real(more / n));
        }
    }
    json_decref(few);
    json_decref(many);
}

static void count_all(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            series[e][b].exits_per_op = -1;
            for (int w = 0; strstr(engines[e].command, "{counters}") && workloads[w].name; w++)
                if (series[e][b].count && workloads[w].scales && !strcmp(workloads[w].name, benchmarks[b].workload))
                    count_operations(e, w, b);
        }
    progress("", "", 1, 1);
}

static void run_probes(void)
{
    static struct output out;
    for (int e = 0; engines[e].name; e++) {
        struct verdict *v = &verdicts[e];
        if (!options.engine_on[e] || !runs_workload(&engines[e], "probes"))
            continue;
        if (cannot_run(&engines[e])) {
            strcpy(v->reason, cannot_run(&engines[e]));
            continue;
        }
        struct request r = { &engines[e], "run=probes", "probes", options.cpu, 20 };
        progress(engines[e].name, "probes", 0, 1);
        struct outcome o = run_cell(&r);
        parse_output(o.text, &out);
        v->ran = o.ran;
        v->passed = out.passed;
        v->failed = out.failed;
        memcpy(v->names, out.failures, sizeof v->names);
        strcpy(v->reason, o.reason);
        free(o.text);
        free(o.counters);
    }
    progress("", "", 1, 1);
}

/* Every empty cell gets its reason. */
static void give_reasons(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            struct series *s = &series[e][b];
            const char *why = NULL;
            if (s->count)
                s->reason[0] = 0;
            if (s->count || s->reason[0])
                continue;
            for (int w = 0; workloads[w].name; w++)
                if (!strcmp(workloads[w].name, benchmarks[b].workload) && trouble[e][w][0])
                    why = trouble[e][w];
            bool guest = runs_workload(&engines[e], "boot");
            if (!runs_workload(&engines[e], benchmarks[b].workload) || (!guest && strcmp(benchmarks[b].workload, "compute") &&
                                                                        series[e][benchmark_index("null")].count))
                why = "does not apply";
            else if (!options.engine_on[e])
                why = "not asked for";
            else if (cannot_run(&engines[e]))
                why = cannot_run(&engines[e]);
            snprintf(s->reason, sizeof s->reason, "%.190s", why ? why : "it printed no such benchmark");
        }
}

static void measure_tsc(void)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    uint64_t start = __rdtsc();
    do
        clock_gettime(CLOCK_MONOTONIC, &b);
    while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 50000000);
    uint64_t cycles = __rdtsc() - start;
    tsc_ghz = (double)cycles / ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec));
}

static int last_cpu(void)
{
    cpu_set_t set;
    int last = 0;
    sched_getaffinity(0, sizeof set, &set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            last = i;
    return last;
}

/* Refuses what no table has: a sentence with what there is, and status 2. */
static void check_words(const char *option, const char *words, bool (*known)(const char *), const char *all)
{
    for (const char *w = words; *w; w += strcspn(w, " ,"), w += strspn(w, " ,")) {
        if (known(w))
            continue;
        fprintf(stderr, "quadbench: %s does not know \"%.*s\"; it knows: %s\n", option, (int)strcspn(w, " ,"), w, all);
        exit(2);
    }
}

static bool known_engine(const char *word) { return engine_index(word) >= 0; }

static bool known_filter(const char *word)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, " ,"), word);
    for (int w = 0; workloads[w].name; w++)
        if (!strcmp(name, workloads[w].name))
            return true;
    return benchmark_index(word) >= 0;
}

static void check_names(const char *engine_list)
{
    char all[2000] = "";
    for (int i = 0; engines[i].name; i++)
        strcat(strcat(all, engines[i].name), " ");
    check_words("ENGINES", engine_list, known_engine, all);
    for (int i = 0; engines[i].name; i++)
        options.engine_on[i] = !*engine_list || listed(engine_list, engines[i].name) || i == 0;
    all[0] = 0;
    for (int i = 0; workloads[i].name; i++)
        strcat(strcat(all, workloads[i].name), " ");
    for (int i = 0; benchmarks[i].name; i++)
        strcat(strcat(all, benchmarks[i].name), " ");
    check_words("FILTER", options.filter, known_filter, all);
}

static const char usage[] =
    "Usage: quadbench [--quick] [--runs N] [--seed N] [--engines LIST] [--filter LIST]\n"
    "       quadbench --compare OLD.json NEW.json\n"
    "Compares the engines on the same guest; results go to " OUT ". Lists have blanks or commas between.\n";

static bool number(const char *text, long *value)
{
    char *end;
    *value = strtol(text, &end, 10);
    return *text && !*end && *value > 0 && *value <= 1000000;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "quick", no_argument, NULL, 'q' },         { "runs", required_argument, NULL, 'r' },
        { "seed", required_argument, NULL, 's' },    { "engines", required_argument, NULL, 'e' },
        { "filter", required_argument, NULL, 'f' },  { "compare", no_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },          { 0 },
    };
    const char *engine_list = "";
    long n = 0;
    options.filter = "";
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        bool good = true;
        switch (c) {
        case 'q': options.quick = true; break;
        case 'r': good = number(optarg, &n) && n <= 100; options.runs = (int)n; break;
        case 's': good = number(optarg, &n); options.seed = (uint32_t)n; break;
        case 'e': engine_list = optarg; break;
        case 'f': options.filter = optarg; break;
        case 'c': return optind + 2 == argc ? compare(argv[optind], argv[optind + 1]) : (fputs(usage, stderr), 2);
        case 'h': fputs(usage, stdout); return 0;
        default: good = false;
        }
        if (!good) {
            fprintf(stderr, "quadbench: RUNS is 1 to 100, SEED 1 to 1000000.\n%s", usage);
            return 2;
        }
    }
    check_names(engine_list);
    if (!options.runs)
        options.runs = options.quick ? 3 : 7;
    options.cpu = last_cpu();
    mkdir("build", 0777);
    mkdir(OUT, 0777);
    mkdir(OUT "cells", 0777);
    measure_tsc();
    json_t *facts = context();
    plan();
    run_plan();
    retry();
    count_all();
    if (!*options.filter || listed(options.filter, "probes"))
        run_probes();
    give_reasons();
    write_results(facts);
    write_report(facts);
    json_decref(facts);
    return 0;
}
