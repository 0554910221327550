/* What the harness reads: guests' output, VMMs' counters, names from the command line; and the table of checksums
 * against the tools that it comes from. Canned text only: nothing here needs a VMM. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../benchmarks/bench.h"

static struct output out;

START_TEST(reads_samples)
{
    parse_output("boot\nBENCH null 100000 80050\r\nBENCH compute-fib 60 5103670\nDONE 2 0\n", &out);
    ck_assert_uint_eq(out.count, 2);
    ck_assert_str_eq(out.samples[0].name, "null");
    ck_assert_uint_eq(out.samples[0].iterations, 100000);
    ck_assert_uint_eq(out.samples[0].cycles, 80050);
    ck_assert_str_eq(out.samples[1].name, "compute-fib");
    ck_assert(out.done);
}
END_TEST

START_TEST(passes_over_what_is_not_a_sample)
{
    parse_output("BENCH\nBENCH null\nBENCH null 5\nBENCH null 0 80050\nBENCH null -5 7\n"
                 "BENCH null 5 7x\nBENCH null 5 7 9\n"
                 "the BENCH null 5 7\nBENCH null 5 0x7\nBENCH null 5 7", &out);
    ck_assert_uint_eq(out.count, 0);
    parse_output("", &out);
    ck_assert_uint_eq(out.count, 0);
    ck_assert(!out.done);
}
END_TEST

START_TEST(takes_sixty_four_bits)
{
    parse_output("BENCH forkwait 1 18446744073709551615\n", &out);
    ck_assert_uint_eq(out.samples[0].cycles, UINT64_MAX);
}
END_TEST

START_TEST(counts_probes)
{
    parse_output("PROBE popf PASS\nPROBE sidt FAIL want=00001000 got=ffff0000\nPROBE odd PASSED\nPROBE lar\n"
                 "DONE 1 1\n", &out);
    ck_assert_uint_eq(out.probe_count, 2);
    ck_assert(out.probes[0].right && !out.probes[1].right);
    ck_assert_str_eq(out.probes[1].name, "sidt");
    ck_assert_str_eq(out.probes[1].want, "00001000");
    ck_assert_str_eq(out.probes[1].got, "ffff0000");
}
END_TEST

START_TEST(keeps_the_reason_of_a_skip)
{
    parse_output("SKIP gate-roundtrip modify_ldt is refused\n", &out);
    ck_assert_uint_eq(out.skips, 1);
    ck_assert_str_eq(out.skipped[0].name, "gate-roundtrip");
    ck_assert_str_eq(out.skipped[0].why, "modify_ldt is refused");
}
END_TEST

START_TEST(survives_long_lines_and_many)
{
    char *text = malloc(200000), *p = text;
    memset(p, 'x', 1000);
    p += 1000;
    *p++ = '\n';
    for (int i = 0; i < 2 * MAX_SAMPLES; i++)
        p = stpcpy(p, "BENCH null 1 1\n");
    for (int i = 0; i < 2 * MAX_PROBES; i++)
        p = stpcpy(p, "PROBE a-name-that-is-longer-than-forty-characters-is FAIL want=0 got=1\n"
                      "PROBE x FAIL want=0 got=1\n");
    parse_output(text, &out);
    ck_assert_uint_eq(out.count, MAX_SAMPLES);
    ck_assert_uint_eq(out.probe_count, MAX_PROBES);
    free(text);
}
END_TEST

START_TEST(sums_the_exits)
{
    json_t *exits;
    double total;
    ck_assert(parse_counters("{\"vmm\":\"trap-emulate\",\"exits\":{\"sensitive\":40,\"exception\":2,\"total\":42},"
                             "\"emulated\":{\"cli\":20}}", &exits, &total));
    ck_assert_double_eq(total, 42);
    ck_assert_int_eq(json_integer_value(json_object_get(exits, "sensitive")), 40);
    json_decref(exits);
    ck_assert(!parse_counters("", &exits, &total));
    ck_assert(!parse_counters("{\"exits\":7}", &exits, &total));
    ck_assert(!parse_counters("{\"exits\":{", &exits, &total));
}
END_TEST

START_TEST(reads_ticks_where_a_vmm_tells)
{
    json_t *ticks = parse_ticks("{\"exits\":{\"io\":3,\"total\":3},\"ticks\":{\"io\":981}}");
    ck_assert_int_eq(json_integer_value(json_object_get(ticks, "io")), 981);
    json_decref(ticks);
    ck_assert_ptr_null(parse_ticks("{\"exits\":{\"io\":3,\"total\":3}}"));
    ck_assert_ptr_null(parse_ticks("{\"ticks\":{}}"));          /* those of the hosted VMMs */
    ck_assert_ptr_null(parse_ticks("{\"ticks\":7}"));
    ck_assert_ptr_null(parse_ticks(""));
}
END_TEST

/* io grows by one for each of 200 operations; the interrupt, of the timer, does not; hlt is fewer, cr is new. */
START_TEST(tells_what_an_operation_adds)
{
    json_t *few = json_loads("{\"io\": 124, \"interrupt\": 1, \"hlt\": 500, \"msr\": 0}", 0, NULL);
    json_t *many = json_loads("{\"io\": 324, \"interrupt\": 11, \"hlt\": 100, \"cr\": 11, \"msr\": 0}", 0, NULL);
    json_t *each = per_operation(few, many, 200);
    ck_assert_uint_eq(json_object_size(each), 3);
    ck_assert_double_eq(json_number_value(json_object_get(each, "io")), 1);
    ck_assert_double_eq(json_number_value(json_object_get(each, "hlt")), -2);
    ck_assert_double_eq_tol(json_number_value(json_object_get(each, "cr")), 0.055, 1e-12);
    json_decref(few);
    json_decref(many);
    json_decref(each);
}
END_TEST

/* emulated.c counts engine after engine, and divides by what it has of the baseline. */
START_TEST(an_emulated_engine_has_its_baseline_above_it)
{
    int emulated = 0;
    for (int e = 0; engines[e].name; e++) {
        const char *name = engines[e].baseline;
        int base = name ? engine_index(name) : -1;
        if (!name)
            continue;
        emulated++;
        ck_assert_msg(base >= 0 && base <= e, "%s: its baseline %s is not above it", engines[e].name, name);
        ck_assert_str_eq(engines[base].baseline, name);
        ck_assert_msg(!engines[base].repeat == !engines[e].repeat, "%s is timed, or %s, not both", engines[e].name, name);
        ck_assert_msg(!engines[base].slow || engines[e].slow, "%s needs %s, which QUICK=1 leaves out", engines[e].name, name);
        for (int w = 0; workloads[w].name; w++)
            ck_assert_msg(!runs_workload(&engines[e], workloads[w].name) || !strcmp(workloads[w].name, "probes") ||
                          runs_workload(&engines[base], workloads[w].name), "%s does not run %s", name, workloads[w].name);
    }
    ck_assert_int_ge(emulated, 2);
}
END_TEST

START_TEST(a_unit_says_that_it_is_emulated)
{
    ck_assert_str_eq(unit_of(engine_index("hwassist"), benchmark_index("in")), "cycles");
    ck_assert_str_eq(unit_of(engine_index("hwassist-svm"), benchmark_index("in")), "emulated cycles");
    ck_assert_str_eq(unit_of(engine_index("qemu-svm-base"), benchmark_index("boot")), "emulated ms");
}
END_TEST

START_TEST(knows_names_exactly)
{
    ck_assert_int_ge(engine_index("qemu-tcg"), 0);
    ck_assert_int_ge(engine_index("native,qemu-tcg"), 0);
    ck_assert_int_eq(engine_index("qemu"), -1);
    ck_assert_int_eq(engine_index(""), -1);
    ck_assert_int_ge(benchmark_index("cli-sti"), 0);
    ck_assert_int_eq(benchmark_index("cli"), -1);
    ck_assert(runs_workload(&engines[engine_index("native")], "compute"));
    ck_assert(!runs_workload(&engines[engine_index("native")], "boot"));
}
END_TEST

START_TEST(adds_names_that_a_guest_prints)
{
    int i = benchmark_add("something-new", "bench");
    ck_assert_int_ge(i, 0);
    ck_assert_int_eq(benchmark_add("something-new", "bench"), i);
    ck_assert_ptr_null(benchmarks[i + 1].name);
}
END_TEST

/* Crossings are taken out of the time in the cache: 10 exits by the gate of at least 20 cycles, 2 by a signal of 300. */
START_TEST(divides_a_profile)
{
    json_t *root = json_loads("{\"instructions\": 50, \"cycles\": {\"start\": 1, \"idle\": 2, \"cache\": 5000, \"direct\": 4,"
                              "\"decode\": 5, \"emit\": 6, \"enter\": 7, \"link\": 8, \"monitor\": 9}, \"left\": {"
                              "\"gate\": {\"count\": 10, \"least\": 20}, \"signal\": {\"count\": 2, \"least\": 300}}}", 0, NULL);
    struct profile p;

    ck_assert(parse_profile(root, &p));
    ck_assert(p.instructions == 50 && p.cycles[SHARE_CROSS] == 800 && p.cycles[SHARE_CACHE] == 4200);
    ck_assert(p.cycles[SHARE_OUTSIDE] == 3 && p.cycles[SHARE_MONITOR] == 9 && p.cycles[SHARE_LINK] == 8);
    json_object_del(json_object_get(root, "cycles"), "emit");
    ck_assert(!parse_profile(root, &p));
    json_decref(root);
    ck_assert(!parse_profile(NULL, &p));
}
END_TEST

/* Each `name value` that expected.sh derives stands in the runner's table. */
START_TEST(checksums_come_from_other_tools)
{
    ck_assert_int_eq(system("n=0; while read -r name value; do n=$((n + 1)); grep -q "
                            "\"\\\"compute-$name\\\", [a-z0-9_]*, 0x$value }\" guests/compute/compute.c || exit 1;"
                            "done <<E\n"
                            "$(sh guests/compute/expected.sh)\nE\n[ $n -eq 9 ]"), 0);
}
END_TEST

Suite *suite_bench_output(void);
Suite *suite_bench_output(void)
{
    Suite *suite = suite_create("bench-output");
    TCase *tests = tcase_create("bench-output");
    tcase_add_test(tests, reads_samples);
    tcase_add_test(tests, passes_over_what_is_not_a_sample);
    tcase_add_test(tests, takes_sixty_four_bits);
    tcase_add_test(tests, counts_probes);
    tcase_add_test(tests, keeps_the_reason_of_a_skip);
    tcase_add_test(tests, survives_long_lines_and_many);
    tcase_add_test(tests, sums_the_exits);
    tcase_add_test(tests, reads_ticks_where_a_vmm_tells);
    tcase_add_test(tests, tells_what_an_operation_adds);
    tcase_add_test(tests, an_emulated_engine_has_its_baseline_above_it);
    tcase_add_test(tests, a_unit_says_that_it_is_emulated);
    tcase_add_test(tests, knows_names_exactly);
    tcase_add_test(tests, adds_names_that_a_guest_prints);
    tcase_add_test(tests, divides_a_profile);
    tcase_add_test(tests, checksums_come_from_other_tools);
    suite_add_tcase(suite, tests);
    return suite;
}
