/* The devices together: which port reaches which, interrupts to the processor, time, the end of a run. */
#include <check.h>
#include <string.h>

#include "bus.h"
#include "pc.h"

#define MS 1000000ull

static struct bus bus;
static uint64_t clock_ns;
static char sent[64];
static const char *input;
static unsigned gets;

static uint64_t host_now(void *ctx) { (void)ctx; return clock_ns; }
static void host_put(void *ctx, uint8_t byte) { (void)ctx; sent[strlen(sent)] = (char)byte; }
static int host_get(void *ctx) { (void)ctx; gets++; return *input ? *input++ : -1; }

static void out(uint16_t port, uint8_t value) { bus_out(&bus, port, 1, value); }

static void set_up(void)
{
    static const uint8_t words[] = { 0x11, 0x20, 0x04, 0x01 };

    clock_ns = 0;
    gets = 0;
    input = "";
    memset(sent, 0, sizeof sent);
    bus_init(&bus, (struct bus_host){ .now = host_now, .put = host_put, .get = host_get });
    for (int i = 0; i < 4; i++)
        out(i ? 0x21 : 0x20, words[i]);
}

static void start_timer(uint16_t count)
{
    out(PORT_PIT_CONTROL, 0x34);
    out(PORT_PIT_COUNTER0, (uint8_t)count);
    out(PORT_PIT_COUNTER0, (uint8_t)(count >> 8));
}

START_TEST(nobody_answers)
{
    ck_assert_uint_eq(bus_in(&bus, 0x1234, 1), 0xff);
    ck_assert_uint_eq(bus_in(&bus, 0x1234, 2), 0xffff);
    ck_assert_uint_eq(bus_in(&bus, 0xffff, 4), 0xffffffff);     /* wraps around to port 0 */
    out(0x1234, 1);
    ck_assert_int_eq(bus.exit_status, -1);
}
END_TEST

START_TEST(debug_exit)
{
    bus_out(&bus, PORT_DEBUG_EXIT, 4, 1);
    ck_assert_int_eq(bus.exit_status, 3);
    out(PORT_DEBUG_EXIT, 0);                    /* the first one counts */
    ck_assert_int_eq(bus.exit_status, 3);
}
END_TEST

START_TEST(console)
{
    out(PORT_COM1, 'h');
    out(PORT_COM1, 'i');
    ck_assert_str_eq(sent, "hi");
    ck_assert(!bus_intr(&bus));
    out(PORT_COM1 + 4, 0x10);                   /* loopback sends nothing */
    out(PORT_COM1, 'x');
    ck_assert_str_eq(sent, "hi");
}
END_TEST

START_TEST(transmit_empty_interrupts_at_a_known_place)
{
    out(PORT_COM1 + 1, 2);
    ck_assert(bus_intr(&bus));
    ck_assert_uint_eq(bus_ack(&bus), 0x24);
    out(PORT_PIC1_COMMAND, 0x20);
    ck_assert(!bus_intr(&bus));                 /* still asserted, but no new edge */
    out(PORT_COM1, 'x');
    ck_assert(bus_intr(&bus));
    ck_assert_uint_eq(bus_ack(&bus), 0x24);
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1 + 2, 1), 2);
}
END_TEST

START_TEST(wide_access_is_one_to_each_port)
{
    bus_out(&bus, PORT_COM1 + 7, 1, 0x77);
    bus_out(&bus, PORT_COM1 + 3, 2, 0x0003);
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1 + 6, 2), 0x77b0);
    bus_out(&bus, 0x20, 2, 0xfb20);
    ck_assert_uint_eq(bus_in(&bus, 0x21, 1), 0xfb);
}
END_TEST

START_TEST(timer_ticks)
{
    ck_assert_uint_eq(bus_deadline(&bus), UINT64_MAX);
    start_timer(1193);
    ck_assert_uint_eq(bus_deadline(&bus) / 1000, 999);
    clock_ns = bus_deadline(&bus);
    ck_assert(!bus_intr(&bus));
    bus_tick(&bus);
    ck_assert(bus_intr(&bus));
    ck_assert_uint_eq(bus_ack(&bus), 0x20);
    ck_assert(!bus_intr(&bus));
}
END_TEST

START_TEST(no_tick_is_lost)
{
    unsigned ticks = 0;

    start_timer(1193);
    clock_ns = 100 * MS + MS / 2;
    bus_tick(&bus);
    for (; bus_intr(&bus); ticks++) {
        ck_assert_uint_eq(bus_ack(&bus), 0x20);
        ck_assert(!bus_intr(&bus));             /* the next one waits for the end of this one */
        out(PORT_PIC1_COMMAND, 0x20);
    }
    ck_assert_uint_eq(ticks, 100);
    ck_assert_uint_eq(bus.pit.lost, 0);
}
END_TEST

START_TEST(masked_ticks_are_one)
{
    unsigned ticks = 0;

    start_timer(1193);
    out(PORT_PIC1_DATA, 0x01);
    clock_ns = 50 * MS;
    bus_tick(&bus);
    clock_ns = 100 * MS;
    out(PORT_PIC1_DATA, 0x00);
    for (; bus_intr(&bus); ticks++) {
        bus_ack(&bus);
        out(PORT_PIC1_COMMAND, 0x20);
    }
    ck_assert_uint_eq(ticks, 1);
}
END_TEST

START_TEST(input_interrupts)
{
    clock_ns = MS;
    input = "yes";
    out(PORT_COM1 + 2, 0x01);
    out(PORT_COM1 + 1, 0x01);
    ck_assert_uint_le(bus_deadline(&bus), clock_ns);
    bus_tick(&bus);
    ck_assert_uint_gt(bus_deadline(&bus), clock_ns);
    ck_assert_uint_eq(bus_ack(&bus), 0x24);
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1, 1), 'y');
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1, 1), 'e');
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1 + 5, 1), 0x61);
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1, 1), 's');
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1 + 5, 1), 0x60);
}
END_TEST

START_TEST(polling_guest_does_not_hammer_the_host)
{
    for (int i = 0; i < 1000; i++)
        bus_in(&bus, PORT_COM1 + 5, 1);
    ck_assert_uint_eq(gets, 1);
    input = "k";
    clock_ns = 20 * MS;
    ck_assert_uint_eq(bus_in(&bus, PORT_COM1 + 5, 1), 0x61);
}
END_TEST

Suite *suite_bus(void);
Suite *suite_bus(void)
{
    Suite *suite = suite_create("bus");
    TCase *tests = tcase_create("bus");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, nobody_answers);
    tcase_add_test(tests, debug_exit);
    tcase_add_test(tests, console);
    tcase_add_test(tests, transmit_empty_interrupts_at_a_known_place);
    tcase_add_test(tests, wide_access_is_one_to_each_port);
    tcase_add_test(tests, timer_ticks);
    tcase_add_test(tests, no_tick_is_lost);
    tcase_add_test(tests, masked_ticks_are_one);
    tcase_add_test(tests, input_interrupts);
    tcase_add_test(tests, polling_guest_does_not_hammer_the_host);
    suite_add_tcase(suite, tests);
    return suite;
}
