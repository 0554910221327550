/* The 8254: ticks, reading back, and what is owed when the host is late. Time here is a number. */
#include <check.h>

#include "pc.h"
#include "pit.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

static struct pit pit;

static void set_up(void)
{
    pit_init(&pit);
}

static void program(uint8_t control, uint16_t count, uint64_t now)
{
    pit_out(&pit, PORT_PIT_CONTROL, control, now);
    pit_out(&pit, PORT_PIT_COUNTER0, (uint8_t)count, now);
    pit_out(&pit, PORT_PIT_COUNTER0, (uint8_t)(count >> 8), now);
}

static uint16_t read_count(uint64_t now)
{
    uint16_t low = pit_in(&pit, PORT_PIT_COUNTER0, now);

    return (uint16_t)(pit_in(&pit, PORT_PIT_COUNTER0, now) << 8 | low);
}

START_TEST(off_until_programmed)
{
    ck_assert_uint_eq(pit_deadline(&pit), UINT64_MAX);
    pit_advance(&pit, SECOND);
    ck_assert_uint_eq(pit.owed, 0);
    pit_out(&pit, PORT_PIT_CONTROL, 0x34, 0);
    pit_out(&pit, PORT_PIT_COUNTER0, 0x9c, 0);
    ck_assert_uint_eq(pit_deadline(&pit), UINT64_MAX);
}
END_TEST

START_TEST(ticks_at_its_deadlines)
{
    program(_i == 2 ? 0x34 : 0x36, 11932, 5 * MS);      /* 100 Hz, nearly */
    for (unsigned i = 1; i <= 1000; i++) {
        uint64_t deadline = pit_deadline(&pit);

        pit_advance(&pit, deadline - 1);
        ck_assert_uint_eq(pit.owed, 0);
        pit_advance(&pit, deadline);
        ck_assert_uint_eq(pit.owed, 1);
        pit.owed = 0;
    }
    ck_assert_uint_eq(pit_deadline(&pit) / MS, 5 + 10010);
}
END_TEST

START_TEST(mode_0_ticks_once)
{
    program(0x30, 1193, 0);
    pit_advance(&pit, 10 * MS);
    ck_assert_uint_eq(pit.owed, 1);
    ck_assert_uint_eq(pit_deadline(&pit), UINT64_MAX);
    pit_advance(&pit, 20 * MS);
    ck_assert_uint_eq(pit.owed, 1);
}
END_TEST

START_TEST(late_host_owes_every_tick)
{
    program(0x34, 1193, 0);
    pit_advance(&pit, 37 * MS + MS / 2);
    ck_assert_uint_eq(pit.owed, 37);
    pit_advance(&pit, 40 * MS + MS / 2);
    ck_assert_uint_eq(pit.owed, 40);
    ck_assert_uint_eq(pit.lost, 0);
}
END_TEST

START_TEST(debt_is_bounded_and_the_rest_counted)
{
    program(0x34, 1193, 0);
    pit_advance(&pit, 3 * SECOND);
    ck_assert_uint_eq(pit.owed, 1000);
    ck_assert_uint_eq(pit.owed + pit.lost, 3ull * PIT_HZ / 1193);
}
END_TEST

START_TEST(zero_means_65536)
{
    program(0x34, 0, 0);
    ck_assert_uint_eq(pit_deadline(&pit) / 1000, 54925);
}
END_TEST

START_TEST(counts_down)
{
    program(0x34, 10000, 0);
    ck_assert_uint_eq(read_count(MS), 10000 - 1193);
    ck_assert_uint_eq(read_count(9 * MS), 10000 - (10738 - 10000));
    program(0x36, 10000, 0);
    ck_assert_uint_eq(read_count(MS), 10000 - 2 * 1193);
}
END_TEST

START_TEST(latch_freezes_until_read)
{
    program(0x34, 10000, 0);
    pit_out(&pit, PORT_PIT_CONTROL, 0x00, MS);
    pit_out(&pit, PORT_PIT_CONTROL, 0x00, 2 * MS);      /* the first one wins */
    ck_assert_uint_eq(read_count(3 * MS), 10000 - 1193);
    ck_assert_uint_eq(read_count(3 * MS), 10000 - 3579);
}
END_TEST

START_TEST(low_byte_only)
{
    pit_out(&pit, PORT_PIT_CONTROL, 0x14, 0);
    pit_out(&pit, PORT_PIT_COUNTER0, 200, 0);
    ck_assert_uint_eq(pit_in(&pit, PORT_PIT_COUNTER0, 0), 200);
    ck_assert_uint_eq(pit_in(&pit, PORT_PIT_COUNTER0, 100000), 200 - 119);
}
END_TEST

START_TEST(read_back_gives_status_then_count)
{
    program(0x34, 10000, 0);
    pit_out(&pit, PORT_PIT_CONTROL, 0xc2, MS);
    ck_assert_uint_eq(pit_in(&pit, PORT_PIT_COUNTER0, MS), 0x80 | 0x34);
    ck_assert_uint_eq(read_count(2 * MS), 10000 - 1193);
}
END_TEST

START_TEST(far_future_is_exact)
{
    program(0x34, 1, 0);
    ck_assert_uint_eq(read_count(1), 1);
    program(0x34, 0, 0);
    pit_advance(&pit, 200ull * 365 * 86400 * SECOND);
    ck_assert_uint_eq(pit.owed + pit.lost, 200ull * 365 * 86400 * PIT_HZ / 65536);
}
END_TEST

/* Else the guest would be interrupted again before its first instruction. */
START_TEST(fast_ticks_leave_the_guest_time)
{
    static const uint16_t counts[] = { 1, 2, 7, 31, 59 };

    program(_i % 2 ? 0x34 : 0x36, counts[_i / 2], 0);
    for (uint64_t now = 0, next; now < 10 * MS; now = next) {
        pit_advance(&pit, now);
        next = pit_deadline(&pit);
        ck_assert_uint_ge(next, now + 25000);
        ck_assert_uint_le(next, now + 60000);
    }
    ck_assert_uint_eq(pit.owed + pit.lost, pit.periods);
}
END_TEST

START_TEST(stands_still)
{
    uint64_t deadline;
    uint16_t count;

    program(0x34, 11932, 0);
    deadline = pit_deadline(&pit);
    count = read_count(4 * MS);
    pit_stand_still(&pit, SECOND);
    ck_assert_uint_eq(pit_deadline(&pit), deadline + SECOND);
    ck_assert_uint_eq(read_count(SECOND + 4 * MS), count);
    pit_advance(&pit, SECOND + 9 * MS);
    ck_assert_uint_eq(pit.owed, 0);
}
END_TEST

Suite *suite_pit(void);
Suite *suite_pit(void)
{
    Suite *suite = suite_create("pit");
    TCase *tests = tcase_create("pit");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, off_until_programmed);
    tcase_add_loop_test(tests, ticks_at_its_deadlines, 2, 4);
    tcase_add_test(tests, mode_0_ticks_once);
    tcase_add_test(tests, late_host_owes_every_tick);
    tcase_add_test(tests, debt_is_bounded_and_the_rest_counted);
    tcase_add_test(tests, zero_means_65536);
    tcase_add_test(tests, counts_down);
    tcase_add_test(tests, latch_freezes_until_read);
    tcase_add_test(tests, low_byte_only);
    tcase_add_test(tests, read_back_gives_status_then_count);
    tcase_add_test(tests, far_future_is_exact);
    tcase_add_loop_test(tests, fast_ticks_leave_the_guest_time, 0, 10);
    tcase_add_test(tests, stands_still);
    suite_add_tcase(suite, tests);
    return suite;
}
