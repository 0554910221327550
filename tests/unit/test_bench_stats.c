/* The harness's statistics against values worked out by hand (and R's quantile, type 7). */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../benchmarks/bench.h"

START_TEST(median_and_quartiles)
{
    const double odd[] = { 3, 1, 2, 5, 4 }, even[] = { 4, 1, 3, 2 };
    struct summary s = summarize(odd, 5);
    ck_assert_double_eq(s.median, 3);
    ck_assert_double_eq(s.q1, 2);
    ck_assert_double_eq(s.q3, 4);
    ck_assert_double_eq(s.low, 1);
    s = summarize(even, 4);
    ck_assert_double_eq(s.median, 2.5);
    ck_assert_double_eq(s.q1, 1.75);
}
END_TEST

START_TEST(an_outlier_moves_neither_median_nor_mad)
{
    const double calm[] = { 10, 11, 12, 13, 14 }, hit[] = { 10, 11, 12, 13, 90000 };
    ck_assert_double_eq(summarize(calm, 5).median, summarize(hit, 5).median);
    ck_assert_double_eq(summarize(calm, 5).mad, 1);
    ck_assert_double_eq(summarize(hit, 5).mad, 1);
}
END_TEST

START_TEST(few_samples)
{
    const double one[] = { 7 };
    ck_assert_uint_eq(summarize(NULL, 0).n, 0);
    struct summary s = summarize(one, 1);
    ck_assert_double_eq(s.median, 7);
}
END_TEST

START_TEST(outliers_are_counted_and_kept)
{
    const double values[] = { 10, 11, 9, 10, 12, 8, 10, 11, 9, 60 };
    struct summary s = summarize(values, 10);
    ck_assert_uint_eq(s.outliers, 1);
    ck_assert_uint_eq(s.n, 10);
    ck_assert(is_outlier(60, &s) && !is_outlier(12, &s));
}
END_TEST

/* The interval is of the runs: two runs that differ make it wide, however many samples they have. */
START_TEST(the_interval_follows_the_runs)
{
    double values[400], low, high;
    int run[400];
    for (int i = 0; i < 400; i++) {
        run[i] = i % 4;
        values[i] = 100 + (run[i] < 2 ? 0 : 10) + i % 3;
    }
    bootstrap_median(values, run, 400, &low, &high);
    ck_assert_double_le(low, 102);
    ck_assert_double_ge(high, 110);
    for (int i = 0; i < 400; i++)
        values[i] = 100 + i % 3;
    bootstrap_median(values, run, 400, &low, &high);
    ck_assert_double_eq(low, 101);
    ck_assert_double_eq(high, 101);
}
END_TEST

/* Of 1,000 intervals for the median of exponential samples (ln 2), about 950 must hold it: 28 runs of one sample each. */
START_TEST(the_interval_covers)
{
    uint32_t state = 7;
    int held = 0;
    for (int k = 0; k < 1000; k++) {
        double values[28], low, high;
        int run[28];
        for (int i = 0; i < 28; i++) {
            values[i] = -log((random_next(&state) + 1.0) / 4294967297.0);
            run[i] = i;
        }
        bootstrap_median(values, run, 28, &low, &high);
        held += low <= log(2) && log(2) <= high;
    }
    ck_assert_int_ge(held, 900);
    ck_assert_int_le(held, 990);
}
END_TEST

START_TEST(an_interval_of_one_sample_is_that)
{
    double one = 5, low, high;
    int run = 3;
    bootstrap_median(&one, &run, 1, &low, &high);
    ck_assert_double_eq(low, 5);
    ck_assert_double_eq(high, 5);
}
END_TEST

START_TEST(geometric)
{
    const double values[] = { 1, 4, 16 };
    ck_assert_double_eq_tol(geometric_mean(values, 3), 4, 1e-12);
    ck_assert_double_eq(geometric_mean(values, 0), 0);
}
END_TEST

START_TEST(shuffle_repeats_and_loses_nothing)
{
    size_t a[50], b[50], seen[50] = { 0 };
    uint32_t one = 9, two = 9;
    for (size_t i = 0; i < 50; i++)
        a[i] = b[i] = i;
    shuffle(a, 50, &one);
    shuffle(b, 50, &two);
    for (size_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(a[i], b[i]);
        seen[a[i]]++;
    }
    for (size_t i = 0; i < 50; i++)
        ck_assert_uint_eq(seen[i], 1);
}
END_TEST

Suite *suite_bench_stats(void);
Suite *suite_bench_stats(void)
{
    Suite *suite = suite_create("bench-stats");
    TCase *tests = tcase_create("bench-stats");
    tcase_add_test(tests, median_and_quartiles);
    tcase_add_test(tests, an_outlier_moves_neither_median_nor_mad);
    tcase_add_test(tests, few_samples);
    tcase_add_test(tests, outliers_are_counted_and_kept);
    tcase_add_test(tests, the_interval_follows_the_runs);
    tcase_add_test(tests, the_interval_covers);
    tcase_add_test(tests, an_interval_of_one_sample_is_that);
    tcase_add_test(tests, geometric);
    tcase_add_test(tests, shuffle_repeats_and_loses_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
