/* The 16550: its interrupt reasons in their order, its FIFO, its loopback. */
#include <check.h>

#include "uart.h"

static struct uart uart;

static void set_up(void)
{
    uart_init(&uart);
}

static void send(uint8_t byte)
{
    ck_assert(uart_out(&uart, 0, byte));
    uart_sent(&uart, byte);
}

START_TEST(transmitter_is_always_empty)
{
    ck_assert_uint_eq(uart_in(&uart, 5), 0x60);
    send('x');
    ck_assert_uint_eq(uart_in(&uart, 5), 0x60);
    ck_assert(!uart_irq(&uart));
    ck_assert_uint_eq(uart_in(&uart, 2), 0x01);
}
END_TEST

START_TEST(transmit_interrupt_on_enabling)
{
    uart_out(&uart, 1, 2);
    ck_assert(uart_irq(&uart));
    ck_assert_uint_eq(uart_in(&uart, 2), 0x02);
    ck_assert(!uart_irq(&uart));                /* reading IIR took it back */
    ck_assert_uint_eq(uart_in(&uart, 2), 0x01);
    uart_out(&uart, 1, 2);                      /* no change, no event */
    ck_assert(!uart_irq(&uart));
    uart_out(&uart, 1, 0);
    uart_out(&uart, 1, 2);
    ck_assert(uart_irq(&uart));
}
END_TEST

START_TEST(transmit_interrupt_falls_and_rises_with_a_byte)
{
    uart_out(&uart, 1, 2);
    ck_assert(uart_out(&uart, 0, 'x'));
    ck_assert(!uart_irq(&uart));
    uart_sent(&uart, 'x');
    ck_assert(uart_irq(&uart));
}
END_TEST

START_TEST(receives)
{
    uart_out(&uart, 1, 1);
    ck_assert(uart_can_receive(&uart));
    uart_receive(&uart, 'a');
    ck_assert(!uart_can_receive(&uart));        /* one byte without the FIFO */
    ck_assert(uart_irq(&uart));
    ck_assert_uint_eq(uart_in(&uart, 2), 0x04);
    ck_assert_uint_eq(uart_in(&uart, 5), 0x61);
    ck_assert_uint_eq(uart_in(&uart, 0), 'a');
    ck_assert_uint_eq(uart_in(&uart, 5), 0x60);
    ck_assert(!uart_irq(&uart));
}
END_TEST

START_TEST(fifo_keeps_order_and_wraps)
{
    uart_out(&uart, 2, 0x01);
    ck_assert_uint_eq(uart_in(&uart, 2), 0xc1);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 16; i++)
            uart_receive(&uart, (uint8_t)(round * 16 + i));
        ck_assert(!uart_can_receive(&uart));
        for (unsigned i = 0; i < 16; i++)
            ck_assert_uint_eq(uart_in(&uart, 0), round * 16 + i);
    }
    ck_assert_uint_eq(uart_in(&uart, 0), 0);
}
END_TEST

START_TEST(trigger_level)
{
    uart_out(&uart, 2, 0x81);                   /* 8 bytes */
    uart_out(&uart, 1, 1);
    uart_receive(&uart, 1);
    ck_assert_uint_eq(uart_in(&uart, 2), 0xcc); /* timed out */
    for (int i = 0; i < 7; i++)
        uart_receive(&uart, 2);
    ck_assert_uint_eq(uart_in(&uart, 2), 0xc4);
}
END_TEST

START_TEST(overrun_ranks_first)
{
    uart_out(&uart, 1, 7);
    uart_receive(&uart, 1);
    uart_receive(&uart, 2);
    ck_assert_uint_eq(uart_in(&uart, 2), 0x06);
    ck_assert_uint_eq(uart_in(&uart, 5), 0x63);
    ck_assert_uint_eq(uart_in(&uart, 2), 0x04);
    ck_assert_uint_eq(uart_in(&uart, 0), 2);
    ck_assert_uint_eq(uart_in(&uart, 2), 0x02);
    ck_assert_uint_eq(uart_in(&uart, 2), 0x01);
}
END_TEST

START_TEST(divisor_hides_two_registers)
{
    uart_out(&uart, 3, 0x83);
    ck_assert(!uart_out(&uart, 0, 0x01));
    uart_out(&uart, 1, 0x02);
    ck_assert_uint_eq(uart_in(&uart, 0), 1);
    ck_assert_uint_eq(uart_in(&uart, 1), 2);
    uart_out(&uart, 3, 0x03);
    ck_assert_uint_eq(uart_in(&uart, 1), 0);
}
END_TEST

START_TEST(loopback)
{
    uart_out(&uart, 4, 0x10 | 0x0b);
    ck_assert_uint_eq(uart_in(&uart, 6), 0xb0);
    ck_assert(!uart_can_receive(&uart));
    send('q');
    ck_assert_uint_eq(uart_in(&uart, 0), 'q');
    uart_out(&uart, 4, 0x10);
    ck_assert_uint_eq(uart_in(&uart, 6), 0);
}
END_TEST

START_TEST(keeps_scratch)
{
    uart_out(&uart, 7, 0x5a);
    ck_assert_uint_eq(uart_in(&uart, 7), 0x5a);
    ck_assert_uint_eq(uart_in(&uart, 6), 0xb0);
}
END_TEST

Suite *suite_uart(void);
Suite *suite_uart(void)
{
    Suite *suite = suite_create("uart");
    TCase *tests = tcase_create("uart");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, transmitter_is_always_empty);
    tcase_add_test(tests, transmit_interrupt_on_enabling);
    tcase_add_test(tests, transmit_interrupt_falls_and_rises_with_a_byte);
    tcase_add_test(tests, receives);
    tcase_add_test(tests, fifo_keeps_order_and_wraps);
    tcase_add_test(tests, trigger_level);
    tcase_add_test(tests, overrun_ranks_first);
    tcase_add_test(tests, divisor_hides_two_registers);
    tcase_add_test(tests, loopback);
    tcase_add_test(tests, keeps_scratch);
    suite_add_tcase(suite, tests);
    return suite;
}
