/* Where binary translation's time goes: a few workloads of the guest under --profile, each several times, the fastest run
 * of each for the report; and what a translated instruction costs, over all of them, as the series
 * `translation`. Profiled runs are not among those that the other tables time. Next: parse_profile() in output.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const struct { const char *name, *append; bool scales; } runs[] = {
    { "boot", "", false },
    { "probes", "run=probes", false },
    { "forkwait", "run=bench-user only=forkwait", true },
    { "syscall", "run=bench-user only=syscall", true },
    { "compute", "run=compute", true },
};
enum { RUNS = sizeof runs / sizeof runs[0] };

static const char *const share_titles[SHARES] = {
    [SHARE_CACHE] = "translated code", [SHARE_DIRECT] = "user code, run directly", [SHARE_CROSS] = "in and out of the cache",
    [SHARE_DECODE] = "decode", [SHARE_EMIT] = "plan and emit", [SHARE_ENTER] = "enter", [SHARE_LINK] = "look up and link",
    [SHARE_MONITOR] = "rest of the monitor", [SHARE_OUTSIDE] = "start, end, HLT",
};

static struct profile fastest[MAX_ENGINES][RUNS];           /* instructions 0: none */

static double total(const struct profile *p)
{
    double sum = 0;
    for (int i = 0; i < SHARES; i++)
        sum += p->cycles[i];
    return sum;
}

static double translation(const struct profile *p)
{
    return p->cycles[SHARE_DECODE] + p->cycles[SHARE_EMIT] + p->cycles[SHARE_ENTER];
}

/* The engine's own command and --profile. False: `reason` of the series tells why. */
static bool run_profile(int e, int run, struct profile *p)
{
    char command[600], file[200], append[200], tag[40];
    struct engine engine = engines[e];
    int b = benchmark_index("translation");
    json_t *root;

    snprintf(tag, sizeof tag, "profile-%s", runs[run].name);
    snprintf(file, sizeof file, OUT "cells/%s-%s.profile", engine.name, tag);
    snprintf(command, sizeof command, "%s --profile %s", engine.command, file);
    snprintf(append, sizeof append, "%s%s", runs[run].append, runs[run].scales ? " samples=4 cycles=4000000" : "");
    engine.command = command;
    unlink(file);
    struct request r = { .engine = &engine, .tag = tag, .cpu = options.cpu, .timeout = 20 };
    strcpy(r.append, append);
    progress(engines[e].name, tag, false);
    struct outcome o = run_cell(&r);
    root = json_load_file(file, 0, NULL);
    bool good = o.ran && parse_profile(root, p);
    if (!good)
        snprintf(series[e][b].reason, sizeof series[e][b].reason, "%s: %.150s", runs[run].name,
                 o.ran ? "no profile that the harness can read" : o.reason);
    json_decref(root);
    free(o.text);
    free(o.counters);
    return good;
}

/* Each workload once. */
static void profile_engine(int e, int turn)
{
    struct sample all = { .name = "translation" };
    double cycles = 0, instructions = 0;

    for (int run = 0; run < RUNS; run++) {
        struct profile p, *best = &fastest[e][run];
        if (!run_profile(e, run, &p))
            return;
        cycles += translation(&p);
        instructions += p.instructions;
        if (!best->instructions || total(&p) < total(best))
            *best = p;
    }
    all.cycles = (uint64_t)cycles;
    all.iterations = (uint64_t)instructions;
    add_value(e, benchmark_index("translation"), turn, cycles / instructions, &all);
}

void run_profiles(void)
{
    if (!selected(benchmark_index("translation")))
        return;
    for (int turn = 0; turn < options.runs; turn++)
        for (int e = 0; engines[e].name; e++)
            if (options.engine_on[e] && runs_workload(&engines[e], "profile") && !cannot_run(&engines[e]))
                profile_engine(e, turn);
}

json_t *profiles_json(void)
{
    json_t *all = json_array();

    for (int run = 0; run < RUNS; run++)
        for (int e = 0; engines[e].name; e++) {
            const struct profile *p = &fastest[e][run];
            json_t *shares = json_object();

            for (int i = 0; i < SHARES && p->instructions; i++)
                json_object_set_new(shares, share_titles[i], json_real(100 * p->cycles[i] / total(p)));
            if (p->instructions)
                json_array_append_new(all, json_pack("{s:s, s:s, s:f, s:O, s:f, s:f}", "run", runs[run].name, "technique", engines[e].name,
                                                 "ms", total(p) / tsc_ghz / 1e6, "shares", shares, "instructions", p->instructions,
                                                 "ns_each", translation(p) / p->instructions / tsc_ghz));
            json_decref(shares);
        }
    return all;
}
