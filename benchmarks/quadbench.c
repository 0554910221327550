/* The comparison: every engine, every workload, several times, in random order, on one processor.
 * `make bench` starts it; README.md says what the numbers mean. Next: bench.h (the parts), tables.c (what runs),
 * schedule.c (in which order). */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"

struct series series[MAX_ENGINES][MAX_BENCHMARKS];
struct verdict verdicts[MAX_ENGINES];
struct options options = { .runs = 0, .seed = 1 };
double tsc_ghz;

/* Does the list `words` (blanks or commas between) hold `name`? */
bool listed(const char *words, const char *name)
{
    size_t n = strlen(name);
    for (const char *w = words + strspn(words, " ,"); *w; w += strcspn(w, " ,"), w += strspn(w, " ,"))
        if (strcspn(w, " ,") == n && !strncmp(w, name, n))
            return true;
    return false;
}

bool selected(int benchmark)
{
    return !*options.filter || !strcmp(benchmarks[benchmark].workload, "calibrate") ||      /* yardsticks: always */
           listed(options.filter, benchmarks[benchmark].workload) ||
           listed(options.filter, benchmarks[benchmark].name);
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

/* What RESUME=1 must find as it was: the same question, asked of the same programs. */
static int describe_file(char *text, size_t size, const char *name)
{
    struct stat s;

    if (stat(name, &s) != 0 || !S_ISREG(s.st_mode))
        return 0;
    return snprintf(text, size, "%s %lld.%09ld\n", name, (long long)s.st_mtime, s.st_mtim.tv_nsec);
}

static void describe_plan(char *plan, size_t size, const char *engine_list)
{
    int n = snprintf(plan, size, "QUICK=%d\nRUNS=%d\nSEED=%u\nENGINES=%s\nFILTER=%s\n", options.quick, options.runs, options.seed,
                     engine_list, options.filter);
    for (int e = 0; engines[e].name; e++) {
        char command[512];
        snprintf(command, sizeof command, "%s", engines[e].command);
        for (char *word = strtok(command, " "); word; word = strtok(NULL, " "))
            n += describe_file(plan + n, size - (size_t)n, word);
    }
    describe_file(plan + n, size - (size_t)n, "build/hwassist-bare.elf");       /* run-bare's, whose word is not among those */
}

/* The first line in which two plans differ: an option, or a file and its time. */
static void refuse_to_resume(const char *plan, const char *before)
{
    size_t same = 0;

    fprintf(stderr, "quadbench: RESUME=1: ");
    for (size_t i = 0; plan[i] && plan[i] == before[i]; i++)
        same = plan[i] == '\n' ? i + 1 : same;
    plan += same;
    before += same;
    if (!*before && !same)
        fprintf(stderr, "there is nothing to go on with");
    else if (strcspn(plan, "=") < strcspn(plan, " \n") && strcspn(before, "=") < strcspn(before, " \n"))
        fprintf(stderr, "now %.*s, in the interrupted run %.*s", (int)strcspn(plan, "\n"), plan, (int)strcspn(before, "\n"), before);
    else
        fprintf(stderr, "%.*s is not as it was in the interrupted run", (int)strcspn(plan, " \n"), plan);
    fprintf(stderr, "; leave it out to begin anew\n");
}

/* Begin anew, or go on with a plan that was interrupted; false: it is another one. */
static bool open_plan(const char *engine_list)
{
    static char plan[16000], before[16000];
    FILE *f = fopen(OUT "plan", "r");
    describe_plan(plan, sizeof plan, engine_list);
    if (f)
        before[fread(before, 1, sizeof before - 1, f)] = 0;
    if (f)
        fclose(f);
    if (options.resume && !strcmp(plan, before))
        return true;
    if (options.resume) {
        refuse_to_resume(plan, before);
        return false;
    }
    if (system("{ rm -rf " OUT "cells && mkdir " OUT "cells; } 2>/dev/null") || !(f = fopen(OUT "plan", "w"))) {
        fprintf(stderr, "quadbench: " OUT "cells or " OUT "plan cannot be made anew: do they belong to somebody else?\n");
        return false;
    }
    fputs(plan, f);
    if (fclose(f) == 0)
        return true;
    perror("quadbench: " OUT "plan");
    return false;
}

/* Better now than after three minutes. */
static bool may_write(void)
{
    bool is_there = (!mkdir("build", 0777) || errno == EEXIST) && (!mkdir(OUT, 0777) || errno == EEXIST);

    if (is_there && !access(OUT, W_OK | X_OK) && (!access(OUT "results.json", W_OK) || errno == ENOENT))
        return true;
    fprintf(stderr, "quadbench: the results cannot be written to " OUT ": %s\n", strerror(errno));
    return false;
}

static void interrupted(int number)
{
    static const char text[] = "\nquadbench: interrupted; what is measured is kept, and the same command with RESUME=1 beside it goes on from here\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;                                          /* there is nobody else to tell */
    _exit(128 + number);
}

/* The last processor that we may use, for what is timed, and another, if there is one, for what then is not. */
static void choose_cpus(void)
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            options.beside = options.cpu;
            options.cpu = i;
        }
    if (!CPU_ISSET(options.beside, &set))
        options.beside = options.cpu;
}

/* Refuses what no table has: a sentence with what there is, and status 2. */
static void check_words(const char *option, const char *words, bool (*known)(const char *), const char *all)
{
    for (const char *w = words + strspn(words, " ,"); *w; w += strcspn(w, " ,"), w += strspn(w, " ,")) {
        if (known(w))
            continue;
        fprintf(stderr, "quadbench: %s does not know \"%.*s\"; it knows: %s\n", option, (int)strcspn(w, " ,"), w,
                all);
        exit(2);
    }
}

static bool known_engine(const char *word) { return engine_index(word) >= 0; }

static bool known_filter(const char *word) { return workload_index(word) >= 0 || benchmark_index(word) >= 0; }

static void check_names(const char *engine_list)
{
    char all[2000] = "";
    for (int i = 0; engines[i].name; i++)
        strcat(strcat(all, engines[i].name), " ");
    check_words("ENGINES", engine_list, known_engine, all);
    for (int i = 0; engines[i].name; i++)
        options.engine_on[i] = i == 0 || (*engine_list ? listed(engine_list, engines[i].name) : !options.quick || !engines[i].slow);
    for (int i = 0; engines[i].name; i++)                   /* with an engine, what it is compared with */
        if (options.engine_on[i] && engines[i].baseline)
            options.engine_on[engine_index(engines[i].baseline)] = true;
    all[0] = 0;
    for (int i = 0; workloads[i].name; i++)
        strcat(strcat(all, workloads[i].name), " ");
    for (int i = 0; benchmarks[i].name; i++)
        strcat(strcat(all, benchmarks[i].name), " ");
    check_words("FILTER", options.filter, known_filter, all);
}

static const char usage[] =
    "Usage: quadbench [--quick] [--runs N] [--seed N] [--engines LIST] [--filter LIST] [--limit SECONDS] [--resume]\n"
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
        { "filter", required_argument, NULL, 'f' },  { "resume", no_argument, NULL, 'R' },
        { "limit", required_argument, NULL, 'l' },   { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    const char *engine_list = "";
    long n = 0;
    options.filter = "";
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        bool good = true;
        switch (c) {
        case 'q': options.quick = true; break;
        case 'r': good = number(optarg, &n) && n <= 25; options.runs = (int)n; break;
        case 's': good = number(optarg, &n); options.seed = (uint32_t)n; break;
        case 'l': good = number(optarg, &n); options.limit = (int)n; break;
        case 'e': engine_list = optarg; break;
        case 'f': options.filter = optarg; break;
        case 'R': options.resume = true; break;
        case 'h': fputs(usage, stdout); return 0;
        default: good = false;
        }
        if (!good) {
            if (c == 'r' || c == 's' || c == 'l')
                fprintf(stderr, "quadbench: %s: give a number from 1 to %s\n", optarg,
                        c == 'r' ? "25 (RUNS=)" : c == 's' ? "1000000 (SEED=)" : "1000000 (LIMIT=)");
            else
                fputs(usage, stderr);
            return 2;
        }
    }
    check_names(engine_list);
    if (!options.runs && !options.limit)                  /* with what is built before: half a minute, or three */
        options.limit = options.quick ? 20 : 130;
    if (!options.runs)
        options.runs = options.quick ? 3 : 7;
    choose_cpus();
    if (!may_write() || !open_plan(engine_list))
        return 2;
    signal(SIGINT, interrupted);
    measure_tsc();
    json_t *facts = context(engine_list);
    run_everything();
    json_object_set_new(facts, "left_out", json_integer(options.left_out));
    write_results(facts);
    json_decref(facts);
    return 0;
}
