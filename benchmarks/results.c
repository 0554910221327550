/* What a run leaves for machines: results.json with every raw sample and the context it was taken in, results.csv
 * in long form, and the comparison of two such files. Names are stable; schema_version counts changes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { SCHEMA_VERSION = 1 };

/* The first line that a command prints, "" if it fails. */
static json_t *first_line(const char *command)
{
    char line[200] = "";
    FILE *f = popen(command, "r");
    if (f && !fgets(line, sizeof line, f))
        line[0] = 0;
    if (f)
        pclose(f);
    line[strcspn(line, "\n")] = 0;
    return json_string(line);
}

/* The value of a field of /proc/cpuinfo, of the first processor. */
static void cpuinfo(const char *field, char *value, size_t size)
{
    char line[8192];
    FILE *f = fopen("/proc/cpuinfo", "r");
    value[0] = 0;
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, field, strlen(field)) && strchr(line, ':')) {
            line[strcspn(line, "\n")] = 0;
            snprintf(value, size, "%s", strchr(line, ':') + 2);
            break;
        }
    if (f)
        fclose(f);
}

static const char *which_kvm(void)
{
    static const char *const modules[] = { "kvm_intel", "kvm_amd", "kvm_pvm" };
    char name[64];
    if (access("/dev/kvm", F_OK))
        return "none";
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        snprintf(name, sizeof name, "/sys/module/%s", modules[i]);
        if (!access(name, F_OK))
            return modules[i];
    }
    return "/dev/kvm, backend unknown";
}

json_t *context(void)
{
    char cpu[200], flags[8192], date[40];
    struct utsname u;
    time_t t = time(NULL);
    uname(&u);
    cpuinfo("model name", cpu, sizeof cpu);
    cpuinfo("flags", flags, sizeof flags);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
    json_t *c = json_pack("{s:s, s:s, s:f, s:i, s:s, s:s}", "date", date, "cpu", cpu, "tsc_ghz", tsc_ghz, "cpus",
                          (int)sysconf(_SC_NPROCESSORS_ONLN), "kernel", u.release, "kvm", which_kvm());
    static const char *const told[] = { "hypervisor", "constant_tsc", "umip", "fsgsbase", "cpuid_fault" };
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        json_object_set_new(c, told[i], json_boolean(strstr(flags, told[i]) != NULL));
    json_object_set_new(c, "compiler", json_string(__VERSION__));
    json_object_set_new(c, "nasm", first_line("nasm -v 2>/dev/null"));
    json_object_set_new(c, "qemu", first_line("qemu-system-i386 --version 2>/dev/null"));
    json_object_set_new(c, "commit", first_line("git describe --always --dirty 2>/dev/null"));
    json_object_set_new(c, "governor",
                        first_line("cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null"));
    json_object_set_new(c, "quick", json_boolean(options.quick));
    json_object_set_new(c, "runs", json_integer(options.runs));
    json_object_set_new(c, "seed", json_integer(options.seed));
    json_object_set_new(c, "pinned_to_cpu", json_integer(options.cpu));
    json_object_set_new(c, "filter", json_string(options.filter));
    return c;
}

static void add_samples(json_t *r, const struct series *s)
{
    struct summary sum = summarize(s->values, s->count);
    json_t *raw = json_array();
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(raw, json_pack("{s:i, s:I, s:I, s:f}", "run", s->run[i],
                                             "iterations", (json_int_t)s->raw[i].iterations,
                                             "cycles", (json_int_t)s->raw[i].cycles, "value", s->values[i]));
    json_object_update_new(r, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "n", (json_int_t)sum.n, "median",
                                        sum.median, "q1", sum.q1, "q3", sum.q3, "mad", sum.mad, "minimum", sum.low,
                                        "samples", raw));
}

static json_t *series_json(int e, int b)
{
    const struct series *s = &series[e][b];
    json_t *r = json_pack("{s:s, s:s, s:s, s:s, s:s*}", "technique", engines[e].name, "benchmark", benchmarks[b].name, "unit",
                          unit_of(e, b), "status", s->count ? "ok" : "n/a", "baseline", engines[e].baseline);
    if (s->count)
        add_samples(r, s);
    else
        json_object_set_new(r, "reason", json_string(s->reason));
    if (s->exits_per_op >= 0) {
        json_object_set_new(r, "exits_per_op", json_real(s->exits_per_op));
        json_object_set(r, "exits_by_reason", s->exits);
    }
    if (s->instructions >= 0)
        json_object_set_new(r, "instructions_per_op", json_real(s->instructions));
    if (per_exit(e, b) >= 0)
        json_object_set_new(r, "instructions_per_exit", json_real(per_exit(e, b)));
    if (s->ticks)
        json_object_set(r, "ticks_per_exit_by_reason", s->ticks);
    return r;
}

static void write_csv(void)
{
    FILE *f = fopen(OUT "results.csv", "w");
    if (!f) {
        perror(OUT "results.csv");
        exit(1);
    }
    fprintf(f, "technique,benchmark,run,value,unit,status\n");
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++) {
            const struct series *s = &series[e][b];
            for (size_t i = 0; i < s->count; i++)
                fprintf(f, "%s,%s,%d,%.6g,%s,ok\n", engines[e].name, benchmarks[b].name, s->run[i], s->values[i],
                        unit_of(e, b));
            if (!s->count && selected(b) && strcmp(s->reason, "does not apply"))
                fprintf(f, "%s,%s,,,%s,\"n/a (%s)\"\n", engines[e].name, benchmarks[b].name, unit_of(e, b), s->reason);
        }
    fclose(f);
}

void write_results(json_t *facts)
{
    json_t *results = json_array(), *correctness = json_array();
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++)
            if (selected(b))
                json_array_append_new(results, series_json(e, b));
    for (int e = 0; engines[e].name; e++) {
        const struct verdict *v = &verdicts[e];
        if (!v->ran && !v->reason[0])
            continue;
        json_t *names = json_array();
        for (unsigned i = 0; i < v->failed; i++)
            json_array_append_new(names, json_string(v->names[i]));
        json_array_append_new(correctness, json_pack("{s:s, s:s, s:s, s:i, s:i, s:o}", "technique", engines[e].name,
                                                     "status", v->ran ? "ok" : "n/a", "reason", v->reason, "passed",
                                                     (int)v->passed, "failed", (int)v->failed, "failures", names));
    }
    json_t *root = json_pack("{s:i, s:O, s:o, s:o}", "schema_version", SCHEMA_VERSION, "context", facts, "results",
                             results, "correctness", correctness);
    if (!root || json_dump_file(root, OUT "results.json", JSON_INDENT(1) | JSON_REAL_PRECISION(9))) {
        fprintf(stderr, "quadbench: " OUT "results.json cannot be written\n");
        exit(1);
    }
    json_decref(root);
    write_csv();
}

static json_t *find(const json_t *results, const json_t *like)
{
    size_t i;
    json_t *r;
    json_array_foreach((json_t *)results, i, r)
        if (json_equal(json_object_get(r, "technique"), json_object_get(like, "technique")) &&
            json_equal(json_object_get(r, "benchmark"), json_object_get(like, "benchmark")))
            return r;
    return NULL;
}

static double field(const json_t *r, const char *name) { return json_number_value(json_object_get(r, name)); }

/* Prints new / old for each series that both files have; "*" where the quartiles do not overlap. */
int compare(const char *old_file, const char *new_file)
{
    json_error_t error;
    json_t *old = json_load_file(old_file, 0, &error), *new = old ? json_load_file(new_file, 0, &error) : NULL;
    if (!old || !new) {
        fprintf(stderr, "quadbench: %s: %s\n", old ? new_file : old_file, error.text);
        return 2;
    }
    json_t *before = json_object_get(old, "results"), *r;
    size_t i;
    printf("%-14s %-20s %12s %12s %8s\n", "technique", "benchmark", "old", "new", "new/old");
    json_array_foreach(json_object_get(new, "results"), i, r) {
        json_t *was = find(before, r);
        double a = field(was, "median"), b = field(r, "median");
        if (a <= 0 || b <= 0)
            continue;
        bool apart = field(r, "q1") > field(was, "q3") || field(r, "q3") < field(was, "q1");
        printf("%-14s %-20s %12.5g %12.5g %8.3f%s%s\n", json_string_value(json_object_get(r, "technique")),
               json_string_value(json_object_get(r, "benchmark")), a, b, b / a, json_object_get(r, "baseline") ? " emulated" : "",
               apart ? " *" : "");
    }
    json_decref(old);
    json_decref(new);
    return 0;
}
