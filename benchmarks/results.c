/* What a run leaves for machines: results.json with every raw sample and the context it was taken in, results.csv
 * in long form. Names are stable; report/results.schema.json says what stands where, schema_version counts its changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { SCHEMA_VERSION = 2 };

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

json_t *context(const char *engine_list)
{
    char cpu[200], flags[8192], date[40];
    double load;
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
    json_object_set_new(c, "engines", json_string(engine_list));
    if (getloadavg(&load, 1) == 1)
        json_object_set_new(c, "load", json_real(load));
    return c;
}

static void add_samples(json_t *r, const struct series *s)
{
    struct summary sum = summarize(s->values, s->count);
    double low, high;
    json_t *raw = json_array();
    bootstrap_median(s->values, s->run, s->count, &low, &high);
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(raw, json_pack("{s:i, s:I, s:I, s:f, s:b}", "run", s->run[i], "iterations",
                                             (json_int_t)s->raw[i].iterations, "cycles", (json_int_t)s->raw[i].cycles, "value",
                                             s->values[i], "outlier", is_outlier(s->values[i], &sum)));
    json_object_update_new(r, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:o}", "n", (json_int_t)sum.n, "median",
                                        sum.median, "ci_low", low, "ci_high", high, "q1", sum.q1, "q3", sum.q3, "mad", sum.mad,
                                        "minimum", sum.low, "outliers", (int)sum.outliers, "samples", raw));
}

static json_t *series_json(int e, int b)
{
    const struct series *s = &series[e][b];
    json_t *r = json_pack("{s:s, s:s, s:s, s:s}", "technique", engines[e].name, "benchmark", benchmarks[b].name, "unit",
                          unit_of(e, b), "status", s->count ? "ok" : "n/a");
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
        json_object_set(r, "ticks_by_reason", s->ticks);
    return r;
}

static _Noreturn void cannot_write(const char *file)
{
    int error = errno;
    char made[100];
    snprintf(made, sizeof made, "%s.new", file);
    unlink(made);
    fprintf(stderr, "quadbench: %s cannot be written: %s; what was there is kept, and so is what is measured: once there is "
            "room, RESUME=1 writes it\n", file, error ? strerror(error) : "no memory");
    exit(1);
}

/* What is whole takes the place of what an earlier run left, which a full disk must not spoil. */
static void put_in_place(bool whole, const char *file)
{
    char made[100];
    snprintf(made, sizeof made, "%s.new", file);
    if (whole && rename(made, file) == 0)
        return;
    cannot_write(file);
}

static void write_csv(void)
{
    FILE *f = fopen(OUT "results.csv.new", "w");
    bool whole;
    if (!f)
        cannot_write(OUT "results.csv");
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
    whole = !ferror(f);
    put_in_place(fclose(f) == 0 && whole, OUT "results.csv");
}

/* ---- tables, for whoever reads the file without this program ---- */

static json_t *techniques_json(void)
{
    json_t *all = json_array();
    for (int e = 0; engines[e].name; e++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s*}", "name", engines[e].name, "title", engines[e].title, "baseline",
                                             engines[e].baseline));
    return all;
}

static json_t *benchmarks_json(void)
{
    json_t *all = json_array();
    for (int b = 0; benchmarks[b].name; b++) {
        const struct benchmark *k = &benchmarks[b];
        json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "name", k->name, "workload", k->workload, "unit", k->unit, "about", k->what);
        if (selected(b))
            json_array_append_new(all, one);
        else
            json_decref(one);
    }
    return all;
}

/* Why this probe is expected to fail, by a file of tests/expected: "NAME CONDITION REASON". NULL: it is not. */
static json_t *expectation(const char *probe, const char *file)
{
    char line[300];
    json_t *reason = NULL;
    FILE *f = file ? fopen(file, "r") : NULL;
    size_t n = strlen(probe);
    while (f && !reason && fgets(line, sizeof line, f)) {
        const char *condition = line + n + strspn(line + n, " ");
        if (!strncmp(line, probe, n) && line[n] == ' ' && strchr(condition, ' '))
            reason = json_stringn(strchr(condition, ' ') + 1, strcspn(strchr(condition, ' ') + 1, "\n"));
    }
    if (f)
        fclose(f);
    return reason;
}

static json_t *verdict_json(int e)
{
    const struct verdict *v = &verdicts[e];
    json_t *probes = json_array();
    for (size_t i = 0; i < v->count; i++) {
        const struct probe *p = &v->probes[i];
        json_t *one = json_pack("{s:s, s:b}", "name", p->name, "right", p->right);
        if (!p->right)
            json_object_update_new(one, json_pack("{s:s, s:s, s:o*}", "want", p->want, "got", p->got, "expected",
                                                  expectation(p->name, engines[e].expected)));
        json_array_append_new(probes, one);
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "technique", engines[e].name, "status", v->ran ? "ok" : "n/a", "reason", v->reason, "probes",
                     probes);
}

static size_t measured(const json_t *root)
{
    size_t i, n = 0;
    json_t *one;

    json_array_foreach(json_object_get(root, "results"), i, one)
        n += json_object_get(one, "median") != NULL;
    return n;
}

static size_t measured_in(const char *file)
{
    json_t *root = json_load_file(file, 0, NULL);
    size_t n = measured(root);

    json_decref(root);
    return n;
}

/* A run of a few engines must not cost the results of all: the fuller ones stay, under another name. */
static void keep_fuller(const json_t *root)
{
    size_t now = measured(root), before = measured_in(OUT "results.json"), kept = measured_in(OUT "results.old.json");

    if (before > now && before >= kept && rename(OUT "results.json", OUT "results.old.json") == 0)
        fprintf(stderr, "quadbench: this run has %zu series, results.json had %zu: that one is now " OUT "results.old.json\n", now, before);
    else if (kept > now)
        fprintf(stderr, "quadbench: this run has %zu series, " OUT "results.old.json still the %zu of an earlier one\n", now, kept);
}

void write_results(json_t *facts)
{
    json_t *results = json_array(), *correctness = json_array();
    for (int e = 0; engines[e].name; e++)
        for (int b = 0; benchmarks[b].name; b++)
            if (selected(b))
                json_array_append_new(results, series_json(e, b));
    for (int e = 0; engines[e].name; e++)
        if (verdicts[e].ran || verdicts[e].reason[0])
            json_array_append_new(correctness, verdict_json(e));
    errno = 0;
    json_t *root = json_pack("{s:i, s:O, s:o, s:o, s:o, s:o, s:o, s:o}", "schema_version", SCHEMA_VERSION, "context", facts, "techniques",
                             techniques_json(), "benchmarks", benchmarks_json(), "results", results, "correctness", correctness, "targets",
                             targets_json(), "profiles", profiles_json());
    bool whole = root && json_dump_file(root, OUT "results.json.new", JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0;
    if (whole)
        keep_fuller(root);                                  /* not before: until then the old ones are all there is */
    put_in_place(whole, OUT "results.json");
    json_decref(root);
    write_csv();
}
