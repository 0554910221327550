/* Which pages of user code may run directly (look.c): those without an instruction that ring 3 gets wrong with no trap
 * to tell. The code cache is a stand-in: test_patch.c. */
#include "../../binary-translation/look.h"

#include <string.h>

#include "test_patch.h"

static void start(void)
{
    cache_stand_in();
    memset(pc.mem.ram + CODE_AT, 0xff, PAGE_BYTES);     /* no instructions */
}

static const struct { const char *what, *code; size_t n; bool clean; } pages[] = {
    { "mov; ret", BYTES("\x89\xd8\xc3"), true },
    { "mov; sidt [eax]", BYTES("\x89\xd8\x0f\x01\x08\xc3"), false },
    { "sgdt [eax]", BYTES("\x0f\x01\x00\xc3"), false },
    { "sldt eax", BYTES("\x0f\x00\xc0\xc3"), false },
    { "str eax", BYTES("\x0f\x00\xc8\xc3"), false },
    { "smsw eax", BYTES("\x0f\x01\xe0\xc3"), false },
    { "lar eax, ebx", BYTES("\x0f\x02\xc3\xc3"), false },
    { "lsl eax, ebx", BYTES("\x0f\x03\xc3\xc3"), false },
    { "verr ax", BYTES("\x0f\x00\xe0\xc3"), false },
    { "verw ax", BYTES("\x0f\x00\xe8\xc3"), false },
    { "push cs", BYTES("\x0e\xc3"), false },
    { "mov eax, cs", BYTES("\x8c\xc8\xc3"), false },
    { "call 8:0", BYTES("\x9a\x00\x00\x00\x00\x08\x00\xc3"), false },
    { "cli: traps", BYTES("\xfa\xc3"), true },
    { "int 0x80: traps", BYTES("\xcd\x80\xc3"), true },
    { "pushfd, popfd: right with IF 1 and IOPL 0", BYTES("\x9c\x9d\xc3"), true },
    { "mov eax, 0xc8c8c: an operand's bytes are no instruction", BYTES("\xb8\x8c\xc8\x0c\x00\xc3"), true },
};

START_TEST(looked_at)
{
    put_code(CODE_AT + 0x100, pages[_i].code, pages[_i].n);
    ck_assert(!look_found_sensitive(&cache, CODE_AT));
    look_at(&cache, CODE_AT + 0x100);
    ck_assert_msg(cache.clean[CODE_AT >> 12] == pages[_i].clean, "%s: clean %u", pages[_i].what,
                  cache.clean[CODE_AT >> 12]);
    ck_assert_int_eq(look_found_sensitive(&cache, CODE_AT + 0xfff), !pages[_i].clean);
    ck_assert_uint_eq(pc.mem.sealed[CODE_AT >> 12], SEALED_SEEN);       /* writes to it are told */
    ck_assert_uint_eq(seals, 1);
}
END_TEST

/* The size of the code is that of the segment that it runs in. */
START_TEST(narrow)
{
    put_code(CODE_AT, BYTES("\xb8\x00\x00\x8c\xc8\xc3"));       /* mov ax, 0; mov ax, cs */
    look_at(&cache, CODE_AT);
    ck_assert(cache.clean[CODE_AT >> 12]);                      /* mov eax, 0xc88c0000 */
    pc.cpu.seg[CS].attr &= ~(unsigned)ATTR_BIG;
    look_at(&cache, CODE_AT);
    ck_assert(!cache.clean[CODE_AT >> 12]);
}
END_TEST

/* Once sensitive, it is not looked at again, wherever it is entered, until somebody writes to it. */
START_TEST(known_already)
{
    put_code(CODE_AT, BYTES("\x8c\xc8\xc3"));
    look_at(&cache, CODE_AT);
    put_code(CODE_AT + 0x800, BYTES("\xc3"));
    look_at(&cache, CODE_AT + 0x800);
    ck_assert(look_found_sensitive(&cache, CODE_AT));
    ck_assert(!cache.clean[CODE_AT >> 12]);
    ck_assert_uint_eq(seals, 1);
}
END_TEST

START_TEST(written_to_often)
{
    checked = true;
    put_code(CODE_AT, BYTES("\xc3"));
    look_at(&cache, CODE_AT);
    ck_assert(!cache.clean[CODE_AT >> 12]);
    ck_assert(look_found_sensitive(&cache, CODE_AT));
}
END_TEST

/* What the guest cannot fetch is not looked at: user mode asks, the frame counts. */
START_TEST(through_the_page_tables)
{
    paging_on();
    put_code(CODE_AT, BYTES("\x8c\xc8\xc3"));
    set_pte(0x30000, CODE_AT | PTE_P);
    look_at(&cache, 0x30000);                                   /* a supervisor's */
    set_pte(0x30000, 0);
    look_at(&cache, 0x30000);
    set_pte(0x30000, RAM_BYTES | PTE_P | PTE_U);
    look_at(&cache, 0x30000);
    ck_assert_uint_eq(seals, 0);
    ck_assert(!look_found_sensitive(&cache, 0x30000));
    set_pte(0x30000, CODE_AT | PTE_P | PTE_U);
    look_at(&cache, 0x30000);
    ck_assert(look_found_sensitive(&cache, CODE_AT));
    ck_assert(!cache.sensitive[0x30000 >> 12]);
}
END_TEST

Suite *suite_look(void);
Suite *suite_look(void)
{
    Suite *suite = suite_create("look");
    TCase *t = fixture_case(suite, "look");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, looked_at, 0, COUNT_OF(pages));
    tcase_add_test(t, narrow);
    tcase_add_test(t, known_already);
    tcase_add_test(t, written_to_often);
    tcase_add_test(t, through_the_page_tables);
    return suite;
}
