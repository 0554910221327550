/* Which bytes of a page sweep.c takes for instructions: after the byte that is known to run, before it, over padding
 * and over bytes that are none. */
#include <string.h>

#include "../../binary-translation/sweep.h"
#include "fixture.h"

enum { OPCODE_MOV_EAX = 0xb8, OPCODE_NOP = 0x90, OPCODE_RET = 0xc3, OPCODE_NONE = 0xff };   /* FF FF: no instruction */

static uint8_t page[PAGE_BYTES];
static struct sweep s;

static void start(void) { memset(page, OPCODE_NONE, sizeof page); }

static void put(unsigned at, const void *bytes, size_t n) { memcpy(page + at, bytes, n); }

/* mov eax, 0x90909090, again and again: read from a wrong start it is NOPs. */
static void put_moves(unsigned at, unsigned end)
{
    for (; at < end; at += 5)
        put(at, "\xb8\x90\x90\x90\x90", 5);
}

static unsigned marked(unsigned from, unsigned to)
{
    unsigned n = 0;

    for (unsigned at = from; at < to; at++)
        n += s.code[at];
    return n;
}

START_TEST(straight_on)
{
    put(0x100, BYTES("\xfa\xb8\x11\x22\x33\x44\x0f\x01\x08\xc3"));       /* cli; mov; sidt [eax]; ret */
    sweep_page(&s, page, 0x100, true);
    ck_assert(s.code[0x100] && s.code[0x101] && s.code[0x106] && s.code[0x109]);
    ck_assert_uint_eq(marked(0, PAGE_BYTES), 4);
    ck_assert_int_eq(s.insn[0x100].isa, ISA_CLI);
    ck_assert_int_eq(s.insn[0x106].isa, ISA_SIDT);
    ck_assert_uint_eq(s.insn[0x101].length, 5);
    ck_assert_mem_eq(s.bytes, page, PAGE_BYTES);
    for (unsigned at = 0; at < PAGE_BYTES; at++)
        ck_assert(!s.target[at]);
}
END_TEST

/* What is no instruction is left out up to the next multiple of 16; padding is code like any other. */
START_TEST(over_what_is_none)
{
    put(0x100, BYTES("\xc3\xff\xff\xfa\xfb"));
    put(0x110, BYTES("\xfa\xc3\x90\x90"));
    put(0x120, BYTES("\xfb\xc3"));
    put(0x138, BYTES("\xfb\xc3"));                      /* begins at no multiple of 16 */
    sweep_page(&s, page, 0x100, true);
    ck_assert(s.code[0x100] && !s.code[0x103] && !s.code[0x104]);
    ck_assert(s.code[0x110] && s.code[0x111] && s.code[0x112] && s.code[0x113]);
    ck_assert(s.code[0x120] && s.code[0x121]);
    ck_assert_uint_eq(marked(0, PAGE_BYTES), 7);
}
END_TEST

START_TEST(end_of_page)
{
    memset(page, OPCODE_NOP, sizeof page);
    page[PAGE_BYTES - 4] = OPCODE_MOV_EAX;              /* its last byte is in the next page */
    sweep_page(&s, page, 0x800, true);
    ck_assert_uint_eq(marked(0x800, PAGE_BYTES), 0x7fc);
    put(PAGE_BYTES - 5, BYTES("\xb8\x01\x02\x03\x04"));
    sweep_page(&s, page, PAGE_BYTES - 5, true);
    ck_assert(s.code[PAGE_BYTES - 5]);
    page[PAGE_BYTES - 1] = OPCODE_RET;
    sweep_page(&s, page, PAGE_BYTES - 1, true);
    ck_assert(s.code[PAGE_BYTES - 1]);
    ck_assert(!s.code[PAGE_BYTES - 5]);                 /* it would overlap what is known */
}
END_TEST

/* From fifteen starts: all agree once the first that is right has passed the last of them. */
START_TEST(before_the_entry)
{
    put_moves(0, 0x200);
    sweep_page(&s, page, 500, true);
    ck_assert_uint_eq(marked(0, 15), 0);
    for (unsigned at = 15; at < 500; at++)
        ck_assert_msg(s.code[at] == (at % 5 == 0), "offset %u", at);
    ck_assert_uint_eq(s.insn[495].length, 5);
}
END_TEST

/* Ways that end in what is no instruction, and ways that pass over the entry, say nothing. */
START_TEST(false_starts)
{
    put_moves(20, 0x200);
    put(0, BYTES("\x0f\xff\xff\xff\xff\xff\xff\xff\x90\xe9\x06\x00\x00\x00\x90\x90\x90\x90\x90\x90"));
    sweep_page(&s, page, 500, true);
    for (unsigned at = 0; at < 8; at++)
        ck_assert_msg(!s.code[at], "offset %u", at);
    for (unsigned at = 20; at < 500; at++)
        ck_assert_msg(s.code[at] == (at % 5 == 0), "offset %u", at);
    sweep_page(&s, page, 498, true);                    /* in the middle of an instruction, but known to run */
    ck_assert(s.code[498] && s.code[499] && s.code[500]);
    ck_assert(!s.code[495]);
}
END_TEST

START_TEST(no_way_leads_there)
{
    page[0x800] = OPCODE_RET;
    put_moves(0x100, 0x200);
    sweep_page(&s, page, 0x800, true);
    ck_assert_uint_eq(marked(0, 0x100), 0);
    ck_assert(s.code[0x100] && s.code[0x800]);          /* at a multiple of 16, after what is none */
    page[0x7ff] = 0xb8;                                 /* MOV: every way passes over the entry */
    put_moves(0x7f0, 0x7fd);
    put(0x7fb, "\x90\x90\x90\x90\xb8", 5);
    sweep_page(&s, page, 0x800, true);
    ck_assert_uint_eq(marked(0, 0x800), 0);
    sweep_page(&s, page, 0, true);                      /* nothing is before */
    ck_assert(!s.code[0]);
    ck_assert(s.code[0x100]);
    ck_assert_uint_eq(s.insn[0x100].length, 5);
}
END_TEST

START_TEST(narrow)
{
    put(0x100, BYTES("\xb8\x34\x12\xfa\xc3"));          /* mov ax, 0x1234; cli */
    sweep_page(&s, page, 0x100, false);
    ck_assert(s.code[0x100] && s.code[0x103] && s.code[0x104]);
    ck_assert_int_eq(s.insn[0x103].isa, ISA_CLI);
    ck_assert_uint_eq(marked(0, PAGE_BYTES), 3);
}
END_TEST

/* Whatever a page holds: instructions do not overlap, none leaves the page, the entry is the first of its row. */
START_TEST(any_page)
{
    uint32_t random = (uint32_t)_i * 2654435761u + 1;
    unsigned entry, next = 0;

    for (unsigned at = 0; at < PAGE_BYTES; at++) {
        random = random * 1664525 + 1013904223;
        page[at] = (uint8_t)(random >> 24);
    }
    entry = random >> 8 & 0xfff;
    sweep_page(&s, page, entry, true);
    for (unsigned at = 0; at < PAGE_BYTES; at++) {
        struct insn insn;

        if (at == entry)
            ck_assert_uint_le(next, entry);
        if (!s.code[at])
            continue;
        ck_assert_uint_ge(at, next);
        ck_assert(at <= entry || at == next || at % 16 == 0);
        ck_assert_int_eq(decode(page + at, PAGE_BYTES - at, true, &insn), DECODED);
        ck_assert_uint_eq(insn.length, s.insn[at].length);
        next = at + insn.length;
        ck_assert_uint_le(next, PAGE_BYTES);
    }
    ck_assert_int_eq(s.code[entry], s.insn[entry].length <= INSN_MAX);
}
END_TEST

Suite *suite_sweep(void);
Suite *suite_sweep(void)
{
    Suite *suite = suite_create("sweep");
    TCase *t = tcase_create("sweep");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_test(t, straight_on);
    tcase_add_test(t, over_what_is_none);
    tcase_add_test(t, end_of_page);
    tcase_add_test(t, before_the_entry);
    tcase_add_test(t, false_starts);
    tcase_add_test(t, no_way_leads_there);
    tcase_add_test(t, narrow);
    tcase_add_loop_test(t, any_page, 0, 64);
    suite_add_tcase(suite, t);
    return suite;
}
