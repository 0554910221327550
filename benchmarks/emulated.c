/* The fourth VMM where software makes the processor. Time there is not time on hardware: it is told as a ratio to the same
 * guest on the same emulator without a monitor, the row's baseline. What is exact is counted: under -icount QEMU's time-stamp
 * counter counts instructions, and Bochs's always does, so that the difference of two runs which differ in the number of
 * operations is what an operation takes, and the difference to the baseline what the monitor adds.
 * Next: count_operations() in schedule.c, README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Operations of the shorter run. Of compute there is nothing to count: it asks the kernel for nothing. */
static const struct { const char *workload; int few; } counted[] = { { "bench", 256 }, { "bench-user", 32 }, { 0 } };

static int baseline_of(int e) { return engines[e].baseline ? engine_index(engines[e].baseline) : -1; }

static bool is_of(int b, const char *workload) { return !strcmp(benchmarks[b].workload, workload) && selected(b); }

/* ---- counting ---- */

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

/* A baseline stands above what is compared with it. */
void run_emulated(void)
{
    for (int e = 0; engines[e].name; e++) {
        if (!options.engine_on[e] || !engines[e].baseline)
            continue;
        for (int i = 0; counted[i].workload && !cannot_run(&engines[e]); i++) {
            int w = workload_index(counted[i].workload);
            if (any_of(counted[i].workload) && count_workload(e, w, counted[i].few) && e != baseline_of(e))
                count_exits(e, w, counted[i].few);
        }
    }
}

/* ---- what it says ---- */

double per_exit(int e, int b)
{
    const struct series *s = &series[e][b];
    double alone = baseline_of(e) < 0 ? -1 : series[baseline_of(e)][b].instructions;
    return s->instructions < 0 || alone < 0 || s->exits_per_op < 0.05 ? -1 : (s->instructions - alone) / s->exits_per_op;
}

/* Its time stamps count instructions and nothing else. */
static bool is_untimed(int e) { return engines[e].repeat == 0; }

static bool shown(int e) { return options.engine_on[e] && engines[e].baseline && baseline_of(e) != e; }

/* By the medians: the fastest samples would be those from which the most noise was subtracted with the empty loop. The
 * quartiles are of e's samples only. False: not measured. */
static bool time_ratio(int e, int b, struct summary *r)
{
    const struct series *s = &series[e][b], *alone = &series[baseline_of(e)][b];
    double by = summarize(alone->values, alone->count).median;
    *r = summarize(s->values, s->count);
    r->median /= by;
    r->q1 /= by;
    r->q3 /= by;
    return s->count && alone->count && by > 0 && r->median > 0;
}

static double instruction_ratio(int e, int b)
{
    double own = series[e][b].instructions, alone = series[baseline_of(e)][b].instructions;
    return own >= 0 && alone > 0 ? own / alone : -1;
}

static void write_cell(FILE *f, int e, int b)
{
    const struct series *s = &series[e][b];
    double alone = series[baseline_of(e)][b].instructions;
    struct summary r;
    if (!is_untimed(e) && time_ratio(e, b, &r))
        fprintf(f, r.median < 10 ? " %.2f (%.2f–%.2f) |" : " %.0f (%.0f–%.0f) |", r.median, r.q1, r.q3);
    else if (!is_untimed(e))
        fprintf(f, " n/a |");
    if (is_of(b, "boot") || is_of(b, "compute"))
        fprintf(f, " | |");                                 /* not counted */
    else if (s->instructions < 0 || alone < 0)
        fprintf(f, " n/a | n/a |");
    else
        fprintf(f, s->exits_per_op < 0 ? " %.0f + %.0f | n/a |" : " %.0f + %.0f | %.4g |", alone, s->instructions - alone,
                s->exits_per_op);
}

/* Has it a row? */
static bool drawn(int b)
{
    bool any = false;
    for (int e = 0; engines[e].name; e++)
        any = any || (shown(e) && (series[e][b].instructions >= 0 || series[e][b].count));
    return any && selected(b);
}

static void write_ratios(FILE *f)
{
    fprintf(f, "| benchmark |");
    for (int e = 0; engines[e].name; e++)
        if (shown(e))
            fprintf(f, " %s: %sinstructions | exits |", engines[e].title, is_untimed(e) ? "" : "time, × | ");
    fprintf(f, "\n|---|");
    for (int e = 0; engines[e].name; e++)
        if (shown(e))
            fprintf(f, is_untimed(e) ? "---:|---:|" : "---:|---:|---:|");
    fprintf(f, "\n");
    for (int b = 0; benchmarks[b].name; b++) {
        if (!drawn(b))
            continue;
        fprintf(f, "| %s |", benchmarks[b].name);
        for (int e = 0; engines[e].name; e++)
            if (shown(e))
                write_cell(f, e, b);
        fprintf(f, "\n");
    }
}

/* What an exit costs in instructions, where there are exits. */
static void write_exits(FILE *f)
{
    const char *reason;
    json_t *count;
    fprintf(f, "\nWhat an exit costs the monitor, in instructions. **per exit** is what the guest sees: what the monitor adds to an "
               "operation, over its exits, with the world switch. The last column is what the monitor itself reads, from after an "
               "exit to before the next entry, without some of that switch; it tells exits of several kinds apart.\n\n"
               "| engine | benchmark | per exit | exits of an operation: instructions between the readings |\n|---|---|---:|---|\n");
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            const char *comma = "";
            if (!shown(e) || !selected(b) || per_exit(e, b) < 0)
                continue;
            fprintf(f, "| %s | %s | %.0f |", engines[e].title, benchmarks[b].name, per_exit(e, b));
            json_object_foreach(series[e][b].exits, reason, count) {
                fprintf(f, "%s %.4g %s: %.0f", comma, json_number_value(count), reason,
                        json_number_value(json_object_get(series[e][b].ticks, reason)));
                comma = ",";
            }
            fprintf(f, " |\n");
        }
}

/* One row per benchmark, one column per engine: the ratio to the baseline, of time, or of instructions where that is all. */
static void write_dat(void)
{
    FILE *f = create(OUT "emulated.dat");
    int row = 0;
    fprintf(f, "\"row\" \"benchmark\"");
    for (int e = 0; engines[e].name; e++)
        if (shown(e))
            fprintf(f, " \"%s, %s\"", engines[e].title, is_untimed(e) ? "instructions" : "time");
    for (int b = 0; benchmarks[b].name; b++) {
        if (!drawn(b))
            continue;
        fprintf(f, "\n%d \"%s\"", ++row, benchmarks[b].name);
        for (int e = 0; engines[e].name; e++) {
            struct summary r;
            if (!shown(e))
                continue;
            if (is_untimed(e))
                r.median = instruction_ratio(e, b);
            else if (!time_ratio(e, b, &r))
                r.median = -1;
            fprintf(f, r.median > 0 ? " %.6g" : " ?", r.median);
        }
    }
    fprintf(f, "\n");
    fclose(f);
}

bool write_emulated(FILE *f)
{
    bool any = false;
    for (int b = 0; benchmarks[b].name; b++)
        any = any || drawn(b);
    if (!any)
        return false;
    fprintf(f, "\n## On an emulated processor\n\n"
               "Here software makes the processor: QEMU its AMD-V, Bochs its VT-x. **Time on it is not time on hardware.** An exit, "
               "which a processor does in a microsecond, is a long walk through the emulator and throws away what that has "
               "translated; nested page tables, which cost a processor a second walk at each TLB miss, cost it next to nothing. So "
               "there are no cycles here, and nothing to hold against the tables above. **time** is the guest's, divided by that of "
               "the same guest on the same emulator without a monitor (medians; quartiles in brackets): it says which operations leave "
               "the guest, not what that costs.\n\n"
               "**instructions** are those of one operation without a monitor, and what the monitor adds: counted, not timed, the "
               "same on every host (QEMU under `-icount`, Bochs always). **exits** are per operation. `boot` and compute are not "
               "counted; in the longest operations is the guest's timer.\n\n");
    write_ratios(f);
    write_exits(f);
    write_dat();
    return true;
}
