/* The fourth VMM where software makes the processor. Time there is not time on hardware: it is told as a ratio to the same
 * guest on the same emulator without a monitor, the row's baseline. What is exact is counted: under -icount QEMU's time-stamp
 * counter counts instructions, and Bochs's always does, so that the difference of two runs which differ in the number of
 * operations is what an operation takes, and the difference to the baseline what the monitor adds.
 * Next: count_operations() in schedule.c, README.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Operations of the shorter run. Of compute there is nothing to count: it asks the kernel for nothing. */
static const struct { const char *workload; int few; } counted[] = { { "bench", 256 }, { "bench-user", 32 }, { 0 } };

static int baseline_of(int e) { return engines[e].baseline ? engine_index(engines[e].baseline) : -1; }

static bool is_of(int b, const char *workload) { return !strcmp(benchmarks[b].workload, workload) && selected(b); }

static bool read_samples(const struct job *job, int iterations, struct output *out)
{
    struct outcome o = run_counted(job, iterations);
    parse_output(o.text, out);
    for (int b = 0; benchmarks[b].name && !o.ran; b++)
        if (is_of(b, workloads[job->workload].name))
            strcpy(series[job->engine][b].reason, o.reason);
    free(o.text);
    free(o.counters);
    return o.ran;
}

/* The instructions of each operation of a workload, in two runs. */
static bool count_workload(int e, int w, int iterations)
{
    static struct output few, many;
    if (!read_samples(&(struct job){ e, w, -1, 1 }, iterations, &few) ||
        !read_samples(&(struct job){ e, w, -1, 2 }, 3 * iterations, &many))
        return false;
    for (size_t i = 0; i < many.count && i < few.count; i++) {
        int b = benchmark_index(many.samples[i].name);
        if (b >= 0 && !strcmp(few.samples[i].name, many.samples[i].name))
            series[e][b].instructions = ((double)many.samples[i].cycles - (double)few.samples[i].cycles) / (2 * iterations);
    }
    return true;
}

/* Two more runs for each operation to which the monitor adds something: more than one instruction and half a per cent, which
 * the guest's timer may. */
static void count_exits(int e, int w, int iterations)
{
    for (int b = 0; benchmarks[b].name; b++) {
        struct series *s = &series[e][b];
        double alone = series[baseline_of(e)][b].instructions;
        if (!is_of(b, workloads[w].name) || s->instructions < 0 || alone < 0)
            continue;
        if (s->instructions - alone < 1 + alone / 200) {
            s->exits_per_op = 0;
            s->exits = json_object();
        } else {
            count_operations(&(struct job){ e, w, b, 0 }, iterations);
        }
    }
}

static bool any_of(const char *workload)
{
    for (int b = 0; benchmarks[b].name; b++)
        if (is_of(b, workload))
            return true;
    return false;
}

/* Of the engines that are timed as well, or of those that are only counted. A baseline stands above what is compared with it. */
static void count_those(bool timed)
{
    for (int e = 0; engines[e].name; e++) {
        if (!options.engine_on[e] || !engines[e].baseline || (engines[e].repeat > 0) != timed)
            continue;
        for (int i = 0; counted[i].workload && !cannot_run(&engines[e]); i++) {
            int w = workload_index(counted[i].workload);
            if (any_of(counted[i].workload) && count_workload(e, w, counted[i].few) && e != baseline_of(e))
                count_exits(e, w, counted[i].few);
        }
    }
}

/* Nothing is timed any more: what is only counted runs on another processor, in a process of its own. What that found is then
 * recalled from its cells. */
void run_emulated(void (*first)(void))
{
    bool resume = options.resume;
    pid_t beside = fork();
    if (beside == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        options.cpu = options.beside;
        if (freopen("/dev/null", "w", stderr))              /* it tells its progress to nobody */
            count_those(false);
        _exit(0);
    }
    first();
    count_those(true);
    progress("", "", false);
    if (beside > 0)
        options.resume = waitpid(beside, NULL, 0) == beside || resume;
    count_those(false);
    options.resume = resume;
}

double per_exit(int e, int b)
{
    const struct series *s = &series[e][b];
    double alone = baseline_of(e) < 0 ? -1 : series[baseline_of(e)][b].instructions;
    return s->instructions < 0 || alone < 0 || s->exits_per_op < 0.05 ? -1 : (s->instructions - alone) / s->exits_per_op;
}
