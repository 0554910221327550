/* The counters' JSON: it parses, and says what was counted. And machine_stop(), which has no other home. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "fixture.h"
#include "status.h"

static const char *const exit_names[] = { "privileged", "page-fault", NULL };

static json_int_t number(const json_t *root, const char *table, const char *name)
{
    json_t *value = json_object_get(json_object_get(root, table), name);

    ck_assert_msg(json_is_integer(value), "%s.%s is missing", table, name);
    return json_integer_value(value);
}

static json_t *written(void)
{
    char path[] = "/tmp/quadvisor-counters-XXXXXX";
    json_error_t error;
    json_t *root;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(counters_write(&pc.counters, "trap-emulate", file_create(path)));
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    unlink(path);
    ck_assert_msg(root != NULL, "line %d: %s", error.line, error.text);
    return root;
}

START_TEST(nothing_counted)
{
    json_t *root;

    pc.counters.exit_names = exit_names;
    root = written();
    ck_assert_str_eq(json_string_value(json_object_get(root, "vmm")), "trap-emulate");
    ck_assert_int_eq(number(root, "exits", "total"), 0);
    ck_assert_uint_eq(json_object_size(json_object_get(root, "emulated")), 0);
    ck_assert_uint_eq(json_object_size(json_object_get(root, "events")), 0);
    json_decref(root);
}
END_TEST

START_TEST(everything_counted)
{
    struct counters *c = &pc.counters;
    json_t *root;

    c->exit_names = exit_names;
    c->exits[0] = 5;
    c->exits[1] = 0xffffffffff;
    for (int i = 0; i < ISA_COUNT; i++)
        c->emulated[i] = (uint64_t)i + 1;
    for (int i = 0; i < 256; i++)
        c->events[i] = 256 - (uint64_t)i;
    c->hypercalls[31] = 3;
    c->pages_shadowed = 7;
    c->pages_flushed = 8;
    c->blocks_translated = 9;
    c->blocks_chained = 10;
    c->blocks_invalidated = 11;
    c->blocks_evicted = 13;
    c->guest_bytes = 14;
    c->host_bytes = 15;
    c->instructions = 16;
    c->looked_up = 17;
    c->missed = 18;
    c->predicted = 19;
    c->timer_ticks_lost = 12;
    root = written();
    ck_assert_int_eq(number(root, "exits", "privileged"), 5);
    ck_assert_int_eq(number(root, "exits", "total"), 0x10000000004);
    ck_assert_uint_eq(json_object_size(json_object_get(root, "emulated")), ISA_COUNT);
    ck_assert_int_eq(number(root, "emulated", "cli"), ISA_CLI + 1);
    ck_assert_int_eq(number(root, "emulated", "mov-to-cr"), ISA_MOV_TO_CR + 1);
    ck_assert_uint_eq(json_object_size(json_object_get(root, "events")), 256);
    ck_assert_int_eq(number(root, "events", "0"), 256);
    ck_assert_int_eq(number(root, "events", "255"), 1);
    ck_assert_uint_eq(json_object_size(json_object_get(root, "hypercalls")), 1);
    ck_assert_int_eq(number(root, "hypercalls", "31"), 3);
    ck_assert_int_eq(number(root, "shadow", "mapped"), 7);
    ck_assert_int_eq(number(root, "shadow", "flushed"), 8);
    ck_assert_int_eq(number(root, "blocks", "translated"), 9);
    ck_assert_int_eq(number(root, "blocks", "chained"), 10);
    ck_assert_int_eq(number(root, "blocks", "invalidated"), 11);
    ck_assert_int_eq(number(root, "blocks", "evicted"), 13);
    ck_assert_int_eq(number(root, "blocks", "guest_bytes"), 14);
    ck_assert_int_eq(number(root, "blocks", "host_bytes"), 15);
    ck_assert_int_eq(number(root, "blocks", "instructions"), 16);
    ck_assert_int_eq(number(root, "blocks", "looked_up"), 17);
    ck_assert_int_eq(number(root, "blocks", "missed"), 18);
    ck_assert_int_eq(number(root, "blocks", "predicted"), 19);
    ck_assert_int_eq(number(root, "timer", "lost"), 12);
    json_decref(root);
}
END_TEST

START_TEST(no_file)
{
    pc.counters.exit_names = exit_names;
    ck_assert_ptr_null(file_create("/nonexistent/counters.json"));
    ck_assert_int_eq(errno, ENOENT);
    if (access("/dev/full", W_OK) == 0)                 /* what is lost when the file is closed counts as well */
        ck_assert(!counters_write(&pc.counters, "trap-emulate", file_create("/dev/full")));
}
END_TEST

START_TEST(first_reason_wins)
{
    char longest[400];

    ck_assert(!machine_stop(&pc, EXIT_CRASH, "the first"));
    ck_assert(!machine_stop(&pc, EXIT_BUG, "the second"));
    ck_assert(pc.stopped);
    ck_assert_int_eq(pc.status, EXIT_CRASH);
    ck_assert_str_eq(pc.why, "the first");
    fixture_setup();
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    machine_stop(&pc, EXIT_HOST, longest);
    ck_assert_uint_eq(strlen(pc.why), sizeof pc.why - 1);
}
END_TEST

Suite *suite_counters(void)
{
    Suite *s = suite_create("counters");
    TCase *t = fixture_case(s, "counters");

    tcase_add_test(t, nothing_counted);
    tcase_add_test(t, everything_counted);
    tcase_add_test(t, no_file);
    tcase_add_test(t, first_reason_wins);
    return s;
}
