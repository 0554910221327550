/* What runs when: every selected cell several times in random order, so that a slow minute of the host hits all
 * engines alike, half of the runs only as far as there is time for them; then what broke off again, one benchmark at
 * a time; then the runs that only count exits, and the probes. Every empty series ends with its reason. Next: run.c (one cell), output.c (what it printed). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_JOBS = 65536, COUNTED = 256 };

static struct job jobs[MAX_JOBS];
static size_t job_count;
static char trouble[MAX_ENGINES][MAX_WORKLOADS][REASON];

static bool is_boot(int w) { return !strcmp(workloads[w].name, "boot"); }

/* Are the events of an operation counted: by the VMM itself, in a run of its own? */
static bool is_counted(int e, int b)
{
    return !engines[e].baseline && strstr(engines[e].command, "{counters}") && workloads[workload_index(benchmarks[b].workload)].scales;
}

/* What is to come of each engine, in starts, and what one took so far: of whole workloads, and of short ones: a boot, or a count, which is
 * a boot and a few operations. Of what is emulated a count is as long as a workload. */
static struct estimate { double left, done, seconds; } forecast[MAX_ENGINES][2];
static double began;

static struct estimate *estimate_of(int e, bool is_short) { return &forecast[e][is_short && !engines[e].baseline]; }

static double seconds_left(void)
{
    double sum = 0;
    for (int e = 0; engines[e].name; e++)
        for (int k = 0; k < 2 && !cannot_run(&engines[e]); k++) {
            const struct estimate *f = &forecast[e][k];
            double each = f->done ? f->seconds / f->done : k ? .03 : engines[e].repeat < 1 && engines[e].slow ? 4 : .4;
            sum += fmax(f->left, 0) * each;
        }
    return sum;
}

/* One line, where there is a terminal; else one for each tenth of the way. */
void progress(const char *engine, const char *what, bool counts)
{
    static double last;
    static struct estimate *running;
    static int told;
    double t = clock_seconds(), left;
    if (!began)
        began = last = t;
    if (running) {
        running->left--;
        running->done++;
        running->seconds += t - last;
    }
    last = t;
    running = *engine ? estimate_of(engine_index(engine), counts || !strcmp(what, "boot")) : NULL;
    left = seconds_left();
    int percent = (int)(100 * (t - began) / (t - began + left + .001));
    if (isatty(STDERR_FILENO) && !*engine)
        fprintf(stderr, "\r\033[K");
    else if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%2d %%, %.0f s left: %s %s", percent, left, engine, what);
    else if (*engine && percent / 10 > told)
        fprintf(stderr, "bench: %d0 %%, %.0f s left\n", told = percent / 10, left);
}

/* Beside the plan: two runs for each operation whose events are counted, the probes, five profiles of two engines, and of QEMU's
 * emulated processors four runs and two for each of some ten operations that exit (Bochs's run beside them). */
static void make_forecast(void)
{
    for (size_t i = 0; i < job_count; i++)
        estimate_of(jobs[i].engine, is_boot(jobs[i].workload))->left++;
    for (int e = 0; engines[e].name; e++) {
        if (!options.engine_on[e])
            continue;
        for (int b = 0; benchmarks[b].name; b++)
            estimate_of(e, true)->left += is_counted(e, b) && selected(b) && runs_workload(&engines[e], benchmarks[b].workload) ? 2 : 0;
        forecast[e][0].left += runs_workload(&engines[e], "probes");
        forecast[e][0].left += !engines[e].baseline || !engines[e].repeat ? 0 : strcmp(engines[e].name, engines[e].baseline) ? 24 : 4;
        forecast[e][0].left += runs_workload(&engines[e], "profile") ? 5 * options.runs : 0;
    }
}

static const char *job_name(const struct job *job)
{
    return job->benchmark < 0 ? workloads[job->workload].name : benchmarks[job->benchmark].name;
}

static struct outcome run_job(const struct job *job, const char *extra, double timeout)
{
    char tag[100];
    const char *name = job_name(job);
    struct request r = { &engines[job->engine], "", tag, options.cpu, timeout, *extra == 'i' };
    snprintf(tag, sizeof tag, "%s-%d%s%s", name, job->run, *extra ? "-" : "", extra);
    for (char *blank; (blank = strchr(tag, ' '));)
        *blank = '-';
    const struct workload *w = &workloads[job->workload];
    bool only = job->benchmark >= 0 && w->picks;
    snprintf(r.append, sizeof r.append, "%s%s%s %s", w->append, only ? " only=" : "",
             !only ? "" : strncmp(name, "compute-", 8) ? name : name + 8, w->scales ? extra : "");
    return run_cell(&r);
}

void add_value(int engine, int benchmark, int run, double value, const struct sample *raw)
{
    struct series *s = &series[engine][benchmark];
    if (benchmark < 0 || s->count == MAX_SAMPLES)
        return;
    s->values[s->count] = value;
    s->run[s->count] = run;
    s->raw[s->count++] = *raw;
}

static bool fails(const char *name, const struct output *failures)
{
    for (size_t i = 0; i < failures->probe_count; i++)
        if (!failures->probes[i].right && !strcmp(failures->probes[i].name, name))
            return true;
    return false;
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
        if (fails(s->name, &out))                           /* fast and wrong is not a result */
            snprintf(o->reason, sizeof o->reason, "%s: wrong checksum", s->name);
        else
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

/* A boot is short, and one sample: some more of them. */
static double runs_of(int e, int w) { return options.runs * engines[e].repeat * (is_boot(w) ? 1.5 : 1); }

static void plan(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int w = 0; workloads[w].name; w++) {
            if (!options.engine_on[e] || cannot_run(&engines[e]) || listed("probes profile", workloads[w].name) ||
                !runs_workload(&engines[e], workloads[w].name))
                continue;
            bool whole = !*options.filter || e == 0 || listed(options.filter, workloads[w].name);
            for (int b = -1; b < 0 || benchmarks[b].name; b++)
                for (int run = 0; run < runs_of(e, w) && job_count < MAX_JOBS; run++)
                    if (whole ? b < 0 : b >= 0 && selected(b) && !strcmp(benchmarks[b].workload, workloads[w].name))
                        jobs[job_count++] = (struct job){ e, w, b, run };
        }
}

/* The second half of a cell's runs; of boots all beyond ten samples. */
static bool is_optional(const struct job *job)
{
    return job->run >= (is_boot(job->workload) ? 10 : runs_of(job->engine, job->workload) / 2);
}

static bool is_late(void) { return options.limit && clock_seconds() - began + seconds_left() > options.limit; }

static void run_plan(void)
{
    static size_t order[MAX_JOBS];
    const char *scale = options.quick ? "samples=4 cycles=1000000" : "samples=9 cycles=2000000";
    for (size_t i = 0; i < job_count; i++)
        order[i] = i;
    shuffle(order, job_count, &options.seed);
    for (size_t i = 0; i < 2 * job_count; i++) {
        const struct job *job = &jobs[order[i % job_count]];
        if (is_optional(job) != (i >= job_count))
            continue;
        bool would_again = strstr(trouble[job->engine][job->workload], "timed out") != NULL;
        bool hopeless = would_again || cannot_run(&engines[job->engine]);
        if (hopeless || (is_optional(job) && is_late())) {
            estimate_of(job->engine, is_boot(job->workload))->left--;
            options.left_out += !hopeless;
            continue;
        }
        progress(engines[job->engine].name, job_name(job), false);
        struct outcome o = run_job(job, scale, options.quick ? 10 : 60);
        record(job, &o);
    }
    progress("", "", false);
}

/* A workload that broke off took the benchmarks after the break with it: each gets a run of its own, until three
 * of them have timed out. */
static void retry(void)
{
    int timeouts = 0;
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            int w = workload_index(benchmarks[b].workload);
            struct series *s = &series[e][b];
            if (cannot_run(&engines[e]) || !trouble[e][w][0] || !workloads[w].scales || s->count || s->reason[0] || !selected(b) ||
                timeouts == 3)
                continue;
            progress(engines[e].name, benchmarks[b].name, true);
            struct job job = { e, w, b, 0 };
            struct outcome o = run_job(&job, "samples=3 cycles=1000000", 4);
            timeouts += strstr(o.reason, "timed out") != NULL;
            record(&job, &o);
        }
}

struct outcome run_counted(const struct job *job, int iterations)
{
    char extra[60];
    snprintf(extra, sizeof extra, "iterations=%d samples=1", iterations);
    progress(engines[job->engine].name, job_name(job), true);
    return run_job(job, extra, 60);
}

/* What a run counted that has exactly so many operations in its one sample. */
struct counted { double total; json_t *exits, *ticks; };

static bool count_run(const struct job *job, int iterations, struct counted *c)
{
    static struct output out;
    struct outcome o = run_counted(job, iterations);
    parse_output(o.text, &out);
    bool good = o.ran && out.count == 1 && out.samples[0].iterations == (uint64_t)iterations &&
                parse_counters(o.counters, &c->exits, &c->total);
    c->ticks = good ? parse_ticks(o.counters) : NULL;
    free(o.text);
    free(o.counters);
    return good;
}

/* Two runs that differ in the number of iterations; all else cancels. */
void count_operations(const struct job *job, int iterations)
{
    struct series *s = &series[job->engine][job->benchmark];
    struct counted few = { 0 }, many = { 0 };
    double more = 2 * iterations, each;
    const char *reason;
    json_t *count;
    if (count_run(job, iterations, &few) && count_run(job, 3 * iterations, &many)) {
        s->exits_per_op = (many.total - few.total) / more;
        s->exits = per_operation(few.exits, many.exits, more);
        s->ticks = many.ticks ? per_operation(few.ticks, many.ticks, more) : NULL;
        json_object_foreach(s->exits, reason, count)
            if ((each = json_number_value(json_object_get(s->ticks, reason))) > 0)
                json_object_set_new(s->ticks, reason, json_real(each / json_number_value(count)));
    }
    json_decref(few.exits);
    json_decref(many.exits);
    json_decref(few.ticks);
    json_decref(many.ticks);
}

static void count_all(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            int w = workload_index(benchmarks[b].workload);
            series[e][b].exits_per_op = series[e][b].instructions = -1;
            if (is_counted(e, b) && series[e][b].count)
                count_operations(&(struct job){ e, w, b, 0 }, strcmp(workloads[w].name, "compute") ? COUNTED : COUNTED / 16);
        }
    progress("", "", false);
}

static void run_probes(void)
{
    static struct output out;
    if (*options.filter && !listed(options.filter, "probes"))
        return;
    for (int e = 0; engines[e].name; e++) {
        struct verdict *v = &verdicts[e];
        if (!options.engine_on[e] || !runs_workload(&engines[e], "probes"))
            continue;
        if (cannot_run(&engines[e])) {
            strcpy(v->reason, cannot_run(&engines[e]));
            continue;
        }
        struct request r = { &engines[e], "run=probes", "probes", options.cpu, 20, false };
        progress(engines[e].name, "probes", false);
        struct outcome o = run_cell(&r);
        parse_output(o.text, &out);
        v->ran = o.ran;
        v->count = out.probe_count;
        memcpy(v->probes, out.probes, sizeof v->probes);
        strcpy(v->reason, o.reason);
        free(o.text);
        free(o.counters);
    }
    progress("", "", false);
}

/* Why engine e has no sample of benchmark b. */
static const char *reason_for(int e, int b)
{
    const char *workload = benchmarks[b].workload, *why = cannot_run(&engines[e]);
    bool guest = runs_workload(&engines[e], "boot");        /* the others have no kernel to measure */
    if (!strcmp(benchmarks[b].name, "hypercall") && !strstr(engines[e].command, KERNEL_PV))
        return "does not apply";                            /* a bare machine has none */
    if (!runs_workload(&engines[e], workload) || (!guest && strcmp(workload, "compute")))
        return "does not apply";
    if (!options.engine_on[e])
        return options.quick && engines[e].slow ? "QUICK=1 leaves it out" : "not asked for";
    if (why)
        return why;
    if (!engines[e].repeat)
        return "does not apply";                            /* only counted, in emulated.c */
    why = trouble[e][workload_index(workload)];
    return *why ? why : "it printed no such benchmark";
}

static void give_reasons(void)
{
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++)
            if (series[e][b].count)
                series[e][b].reason[0] = 0;
            else if (!series[e][b].reason[0])
                strcpy(series[e][b].reason, reason_for(e, b));
}

void run_everything(void)
{
    plan();
    make_forecast();
    run_plan();
    retry();
    count_all();
    run_profiles();
    run_emulated(run_probes);
    give_reasons();
    progress("", "", false);
}
