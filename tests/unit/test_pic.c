/* The two 8259: vectors, priorities, end of interrupt, cascade, spurious requests. */
#include <check.h>
#include <string.h>

#include "pic.h"

static struct pic pic;

static void set_up(void)
{
    static const uint8_t first[] = { 0x11, 0x20, 0x04, 0x01 }, second[] = { 0x11, 0x28, 0x02, 0x01 };

    pic_init(&pic);
    for (int i = 0; i < 4; i++) {
        pic_out(&pic, i ? 0x21 : 0x20, first[i]);
        pic_out(&pic, i ? 0xa1 : 0xa0, second[i]);
    }
}

static void pulse(unsigned irq)
{
    pic_line(&pic, irq, true);
    pic_line(&pic, irq, false);
}

static uint8_t in_service(uint16_t port)
{
    pic_out(&pic, port, 0x0b);
    return pic_in(&pic, port);
}

static uint8_t requested(uint16_t port)
{
    pic_out(&pic, port, 0x0a);
    return pic_in(&pic, port);
}

START_TEST(request_acknowledge_eoi)
{
    ck_assert(!pic_intr(&pic));
    pulse(4);
    ck_assert(pic_intr(&pic));
    ck_assert_uint_eq(requested(0x20), 0x10);
    ck_assert_uint_eq(pic_ack(&pic), 0x24);
    ck_assert(!pic_intr(&pic));
    ck_assert_uint_eq(requested(0x20), 0);
    ck_assert_uint_eq(in_service(0x20), 0x10);
    pic_out(&pic, 0x20, 0x20);
    ck_assert_uint_eq(in_service(0x20), 0);
}
END_TEST

START_TEST(mask_holds_back_and_remembers)
{
    pic_out(&pic, 0x21, 0xef);
    ck_assert_uint_eq(pic_in(&pic, 0x21), 0xef);
    pulse(0);
    ck_assert(!pic_intr(&pic));
    pic_out(&pic, 0x21, 0xee);
    ck_assert_uint_eq(pic_ack(&pic), 0x20);
}
END_TEST

START_TEST(priority)
{
    pulse(4);
    pulse(1);
    ck_assert_uint_eq(pic_ack(&pic), 0x21);
    ck_assert(!pic_intr(&pic));                 /* 4 waits for 1 */
    pulse(0);
    ck_assert_uint_eq(pic_ack(&pic), 0x20);     /* 0 does not */
    ck_assert_uint_eq(in_service(0x20), 0x03);
    pic_out(&pic, 0x20, 0x20);                  /* ends the more urgent one */
    ck_assert_uint_eq(in_service(0x20), 0x02);
    ck_assert(!pic_intr(&pic));
    pic_out(&pic, 0x20, 0x20);
    ck_assert_uint_eq(pic_ack(&pic), 0x24);
}
END_TEST

START_TEST(specific_eoi)
{
    pulse(5);
    pic_ack(&pic);
    pulse(3);
    pic_ack(&pic);
    pic_out(&pic, 0x20, 0x60 | 5);
    ck_assert_uint_eq(in_service(0x20), 0x08);
    pic_out(&pic, 0x20, 0x60 | 3);
    ck_assert_uint_eq(in_service(0x20), 0);
}
END_TEST

START_TEST(cascade)
{
    pulse(12);
    ck_assert_uint_eq(requested(0x20), 0x04);
    ck_assert_uint_eq(requested(0xa0), 0x10);
    ck_assert_uint_eq(pic_ack(&pic), 0x2c);
    ck_assert_uint_eq(in_service(0x20), 0x04);
    ck_assert_uint_eq(in_service(0xa0), 0x10);
    pulse(14);
    ck_assert(!pic_intr(&pic));
    pic_out(&pic, 0xa0, 0x20);
    pic_out(&pic, 0x20, 0x20);
    ck_assert_uint_eq(pic_ack(&pic), 0x2e);
}
END_TEST

START_TEST(spurious)
{
    ck_assert_uint_eq(pic_ack(&pic), 0x27);
    ck_assert_uint_eq(in_service(0x20), 0);
    pulse(10);
    pic_out(&pic, 0xa1, 0xff);                  /* too late: the first chip has seen it */
    ck_assert(pic_intr(&pic));
    ck_assert_uint_eq(pic_ack(&pic), 0x2f);
    ck_assert_uint_eq(in_service(0x20), 0x04);
    ck_assert_uint_eq(in_service(0xa0), 0);
}
END_TEST

START_TEST(edges_not_levels)
{
    pic_line(&pic, 4, true);
    pic_line(&pic, 4, true);
    pic_ack(&pic);
    pic_out(&pic, 0x20, 0x20);
    ck_assert(!pic_intr(&pic));
    pic_line(&pic, 4, false);
    pic_line(&pic, 4, true);
    ck_assert(pic_intr(&pic));
}
END_TEST

START_TEST(auto_eoi)
{
    pic_out(&pic, 0x20, 0x11);
    pic_out(&pic, 0x21, 0x40);
    pic_out(&pic, 0x21, 0x04);
    pic_out(&pic, 0x21, 0x03);
    pulse(3);
    ck_assert_uint_eq(pic_ack(&pic), 0x43);
    ck_assert_uint_eq(in_service(0x20), 0);
}
END_TEST

START_TEST(single_mode_skips_the_third_word)
{
    pic_out(&pic, 0x20, 0x12);
    pic_out(&pic, 0x21, 0x60);
    pic_out(&pic, 0x21, 0xfe);
    ck_assert_uint_eq(pic_in(&pic, 0x21), 0xfe);
    pulse(0);
    ck_assert_uint_eq(pic_ack(&pic), 0x60);
}
END_TEST

Suite *suite_pic(void);
Suite *suite_pic(void)
{
    Suite *suite = suite_create("pic");
    TCase *tests = tcase_create("pic");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, request_acknowledge_eoi);
    tcase_add_test(tests, mask_holds_back_and_remembers);
    tcase_add_test(tests, priority);
    tcase_add_test(tests, specific_eoi);
    tcase_add_test(tests, cascade);
    tcase_add_test(tests, spurious);
    tcase_add_test(tests, edges_not_levels);
    tcase_add_test(tests, auto_eoi);
    tcase_add_test(tests, single_mode_skips_the_third_word);
    suite_add_tcase(suite, tests);
    return suite;
}
