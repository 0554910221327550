/* The reader of results: a file from another machine is refused with a sentence, or all that quadreport makes of it can be made. The
 * input is the file itself if it begins with a brace; otherwise it says what becomes of the one in results.json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../benchmarks/report/report.h"
#include "../../benchmarks/report/schema.h"
#include "fuzz.h"

#define TEMPLATE "tests/fuzz/results.json"

enum { EDITS_MAX = 8 };

/* ---- a file that was right ----------------------------------------------------------------------- */

static json_t *a_value(struct input *in)
{
    static const double figures[] = { 0, -1, 1, 0.5, 1e15, -1e15, 1e-300, 1e16, 4294967296.0, 2 };
    static const char *const texts[] = { "", "ok", "n/a", "<b>&\"'|`*", "kvm", "compute", "qemu-tcg", "a b", "%s%n", "\xc3\xa9" };

    switch (take_below(in, 9)) {
    case 0: return json_null();
    case 1: return json_boolean(take(in, 1) & 1);
    case 2: return json_integer((json_int_t)(int32_t)take(in, 4));
    case 3: return json_real(TAKE_ONE_OF(in, figures));
    case 4: return json_string(TAKE_ONE_OF(in, texts));
    case 5: return json_object();
    case 6: return json_array();
    default: return NULL;                                                /* it goes */
    }
}

static void edit_here(json_t *parent, const char *key, size_t index, json_t *value)
{
    if (json_is_array(parent))
        value ? json_array_set_new(parent, index, value) : json_array_remove(parent, index);
    else
        value ? json_object_set_new(parent, key, value) : json_object_del(parent, key);
}

/* Downward by as many choices as the input wants, then another value there. */
static void edit(struct input *in, json_t *at)
{
    for (;;) {
        size_t n = json_is_object(at) ? json_object_size(at) : json_array_size(at), index;
        void *member = json_object_iter(at);
        json_t *child;

        if (!n)
            return;
        index = take_below(in, (uint32_t)n);
        for (size_t i = 0; i < index && member; i++)
            member = json_object_iter_next(at, member);
        child = member ? json_object_iter_value(member) : json_array_get(at, index);
        if (!json_is_object(child) && !json_is_array(child) ? true : take_below(in, 8) == 0) {
            edit_here(at, member ? json_object_iter_key(member) : NULL, index, a_value(in));
            return;
        }
        at = child;
    }
}

static char *edited_template(struct input *in)
{
    static json_t *original;
    json_t *copy;
    char *text;

    if (!original)
        original = json_load_file(TEMPLATE, 0, NULL);
    must(original != NULL, "%s is not there: run this where the Makefile is", TEMPLATE);
    copy = json_deep_copy(original);
    for (int i = 0; i < EDITS_MAX && in->left; i++)
        edit(in, copy);
    text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    return text;
}

/* ---- what has been accepted ---------------------------------------------------------------------- */

static void check_name(const json_t *object, const char *field)
{
    const char *name = json_string_value(json_object_get(object, field));

    must(name && *name && strlen(name) <= 60 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name),
         "accepted, with \"%s\" for a %s", name ? name : "", field);
}

/* Some of what the schema promises: what everything else is found by. */
static void check_accepted(const json_t *root)
{
    double ghz = json_number_value(json_object_get(json_object_get(root, "context"), "tsc_ghz"));
    json_t *item, *name;
    size_t i;

    must(ghz >= 0.01 && ghz <= 100, "accepted, with %g GHz", ghz);
    must(json_array_size(json_object_get(root, "techniques")) <= 64, "accepted, with too many techniques");
    json_array_foreach(json_object_get(root, "techniques"), i, item) {
        name = json_object_get(item, "title");
        check_name(item, "name");
        must(json_is_string(name) && json_string_length(name) <= 600, "accepted, with a technique that has no title");
    }
    json_array_foreach(json_object_get(root, "results"), i, item) {
        name = json_object_get(item, "status");
        check_name(item, "technique");
        check_name(item, "benchmark");
        must(json_is_string(name) && (!strcmp(json_string_value(name), "ok") || !strcmp(json_string_value(name), "n/a")),
             "accepted, with another status");
    }
}

/* ---- what quadreport does with it ---------------------------------------------------------------- */

static void (*const sections[])(struct doc *, const struct results *) = {
    section_answer, section_correctness, section_costs, section_compute, section_published, section_trap, section_timeline,
    section_exits, section_emulated, section_translator, section_model, section_targets, section_notes, section_ways, section_kinds,
    section_interpreters,
};

/* The talk is slow, and has most of its tables from the sections. */
static void write_all(const struct results *r, bool talk)
{
    FILE *null = fopen("/dev/null", "w");
    struct doc d = { .directory = "build/fuzz", .html = null, .md = null, .other = null };

    for (unsigned i = 0; i < sizeof sections / sizeof sections[0]; i++)
        sections[i](&d, r);
    section_machines(&d, (struct results[]){ *r, *r }, 2);
    section_hosts(&d, r, 1);
    predict(r, 300);
    compare(r, r);
    fclose(null);
    if (talk)
        must(write_slides(r, "build/fuzz", "", ""), "build/fuzz/slides.html cannot be written");
}

/* A name for json_load_file() and stat(): a file that no disk has. */
static const char *file_of(const void *bytes, size_t n)
{
    static char name[40];
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("results", 0);
    must(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, bytes, n, 0) == (ssize_t)n, "memfd");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return name;
}

/* Tables for people are not wanted here. */
static void silence(void)
{
    static bool silent;

    if (!silent)
        silent = freopen("/dev/null", "w", stdout) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };
    char *text = bytes && *data == '{' ? NULL : edited_template(&in);
    char why[WHY] = "";
    struct results r;

    silence();
    r.file = text ? file_of(text, strlen(text)) : file_of(data, bytes);
    r.root = results_load(r.file, why, sizeof why);
    if (!r.root) {
        must(memchr(why, '\0', sizeof why) && !strncmp(why, r.file, strlen(r.file)) && strlen(why) > strlen(r.file) + 20,
             "refused without a sentence: \"%s\"", why);
    } else {
        check_accepted(r.root);
        json_decref(r.root);
        must(results_open(&r, r.file), "read, then refused");
        write_all(&r, bytes % 4 == 3);
        json_decref(r.root);
        json_decref(r.index);
    }
    free(text);
    return 0;
}
