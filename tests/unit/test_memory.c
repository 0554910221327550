/* The page walk, physical accesses and copies. Intel SDM vol. 3A 4.3 (32-bit paging), 4.6 (rights), 4.7
 * (error codes), 4.8 (accessed and dirty). */
#include <string.h>

#include "fixture.h"

enum { R = ACCESS_READ, W = ACCESS_WRITE, U = ACCESS_USER, PWU = PTE_P | PTE_W | PTE_U };

/* What each pair of entries allows. `error` is the page-fault error code, NO_FAULT if there is none. */
static const struct {
    uint32_t pde, pte;
    bool wp;
    unsigned access;
    int error;
} rights[] = {
    { PWU, PWU, true, R, NO_FAULT },
    { PWU, PWU, true, W | U, NO_FAULT },
    { 0, PWU, true, R, 0 },
    { 0, PWU, true, W, 2 },
    { 0, PWU, true, U, 4 },
    { PWU, 0, true, R, 0 },
    { PWU, 0, true, W | U, 6 },
    { PWU & ~PTE_P, PWU, true, U, 4 },
    /* the user bit must stand in both entries */
    { PTE_P | PTE_W, PWU, true, U, 5 },
    { PWU, PTE_P | PTE_W, true, U, 5 },
    { PWU, PTE_P | PTE_W, true, W | U, 7 },
    { PTE_P | PTE_W, PTE_P | PTE_W, true, R, NO_FAULT },
    { PTE_P | PTE_W, PTE_P | PTE_W, true, W, NO_FAULT },
    /* so must the writable bit */
    { PTE_P | PTE_U, PWU, true, W | U, 7 },
    { PWU, PTE_P | PTE_U, true, W | U, 7 },
    { PWU, PTE_P | PTE_U, true, U, NO_FAULT },
    /* the kernel: CR0.WP decides */
    { PWU, PTE_P | PTE_U, true, W, 3 },
    { PWU, PTE_P, true, W, 3 },
    { PTE_P, PTE_P | PTE_W, true, W, 3 },
    { PWU, PTE_P | PTE_U, false, W, NO_FAULT },
    { PTE_P, PTE_P, false, W, NO_FAULT },
    { PWU, PTE_P | PTE_U, false, W | U, 7 },
    /* without CR4.PSE bit 7 of a directory entry is ignored */
    { PWU | PTE_PS, PWU, true, R, NO_FAULT },
};

START_TEST(walk_rights)
{
    const uint32_t gla = DATA_AT + 0x123;
    struct translation t;
    bool ok;

    paging_on();
    if (!rights[_i].wp)
        pc.cpu.cr0 &= ~(uint32_t)CR0_WP;
    poke(PAGE_DIR, PAGE_TABLE | rights[_i].pde);
    set_pte(gla, 0x7000 | rights[_i].pte);
    ok = memory_peek(&pc, gla, rights[_i].access, &t);
    ck_assert_int_eq(ok, rights[_i].error == NO_FAULT);
    ck_assert_uint_eq(peek(PAGE_DIR), PAGE_TABLE | rights[_i].pde);         /* looking leaves no trace */
    ck_assert_uint_eq(get_pte(gla), 0x7000 | rights[_i].pte);
    ok = memory_walk(&pc, gla, rights[_i].access, &t);
    if (rights[_i].error == NO_FAULT) {
        ck_assert(ok);
        ck_assert_uint_eq(t.gpa, 0x7123);
        ck_assert_uint_eq(peek(PAGE_DIR), PAGE_TABLE | rights[_i].pde | PTE_A);
        ck_assert_uint_eq(get_pte(gla), 0x7000 | rights[_i].pte | PTE_A | (rights[_i].access & W ? PTE_D : 0));
        return;
    }
    expect_fault(ok, VEC_PF, rights[_i].error, "walk");
    ck_assert_uint_eq(pc.cpu.fault.cr2, gla);
    ck_assert_uint_eq(pc.cpu.cr2, 0);                   /* CR2 is the delivery's business */
    ck_assert_uint_eq(get_pte(gla), 0x7000 | rights[_i].pte);
}
END_TEST

/* 4 MiB pages: bits 21:13 are reserved on a processor without PSE-36. */
static const struct {
    uint32_t pde;
    unsigned access;
    int error;
} large[] = {
    { 0x00800000 | PWU, R, NO_FAULT },
    { 0x00800000 | PWU, W | U, NO_FAULT },
    { 0x00800000 | PTE_P | PTE_U, W | U, 7 },
    { 0x00800000 | PTE_P | PTE_U, W, 3 },
    { 0x00800000 | PTE_P | PTE_W, U, 5 },
    { 0x00800000, R, 0 },
    { 0x00802000 | PWU, R, 9 },
    { 0x00a00000 | PWU, W | U, 15 },
    { 0x00801000 | PWU, R, NO_FAULT },                  /* bit 12 is PAT */
    { 0x00a00000, W, 2 },                               /* not present: reserved bits do not count */
};

START_TEST(walk_large)
{
    struct translation t;
    uint32_t pde = large[_i].pde | PTE_PS;
    bool ok;

    paging_on();
    pc.cpu.cr4 |= CR4_PSE;
    poke(PAGE_DIR + 4, pde);
    ok = memory_walk(&pc, 0x00512345, large[_i].access, &t);
    if (large[_i].error != NO_FAULT) {
        expect_fault(ok, VEC_PF, large[_i].error, "4 MiB page");
        ck_assert_uint_eq(peek(PAGE_DIR + 4), pde);
        return;
    }
    ck_assert(ok);
    ck_assert_uint_eq(t.gpa, 0x00912345);
    ck_assert_uint_eq(peek(PAGE_DIR + 4), pde | PTE_A | (large[_i].access & W ? PTE_D : 0));
}
END_TEST

START_TEST(walk_tells_rights)
{
    struct translation t;

    paging_on();
    set_pte(DATA_AT, DATA_AT | PTE_P | PTE_U | PTE_G);
    ck_assert(memory_walk(&pc, DATA_AT, U, &t));
    ck_assert_uint_eq(t.flags & (PTE_P | PTE_W | PTE_U | PTE_D | PTE_G), PTE_P | PTE_U);    /* no CR4.PGE */
    pc.cpu.cr4 |= CR4_PGE;
    ck_assert(memory_walk(&pc, DATA_AT, U, &t));
    ck_assert_uint_eq(t.flags & (PTE_W | PTE_U | PTE_D | PTE_G), PTE_U | PTE_G);
    pc.cpu.cr0 &= ~(uint32_t)CR0_WP;                    /* the kernel writes: what it got is not for the user */
    ck_assert(memory_walk(&pc, DATA_AT, W, &t));
    ck_assert_uint_eq(t.flags & (PTE_W | PTE_U | PTE_D), PTE_W | PTE_D);
    pc.cpu.cr0 &= ~CR0_PG;
    ck_assert(memory_walk(&pc, 0xfedcba98, W | U, &t));
    ck_assert_uint_eq(t.gpa, 0xfedcba98);
    ck_assert_uint_eq(t.flags, PTE_P | PTE_W | PTE_U | PTE_D | PTE_G);
}
END_TEST

/* CR3's low bits are flags, not an address; the directory's last entry rules the last 4 MiB. */
START_TEST(walk_addresses)
{
    struct translation t;

    paging_on();
    pc.cpu.cr3 |= 0x18;
    poke(PAGE_DIR + 4 * 1023, PAGE_TABLE | PWU);
    poke(PAGE_TABLE + 4 * 1023, 0x00033000 | PWU | 0xe00);      /* bits 11:9 are the guest's */
    ck_assert(memory_walk(&pc, 0xffffffff, R, &t));
    ck_assert_uint_eq(t.gpa, 0x00033fff);
    ck_assert_uint_eq(peek(PAGE_TABLE + 4 * 1023), 0x00033000 | PWU | 0xe00 | PTE_A);
}
END_TEST

START_TEST(physical_accesses)
{
    struct memory *mem = &pc.mem;

    memory_write(mem, 0x100, 4, 0x44332211);
    ck_assert_uint_eq(memory_read(mem, 0x100, 4), 0x44332211);
    ck_assert_uint_eq(memory_read(mem, 0x101, 2), 0x3322);
    ck_assert_uint_eq(memory_read(mem, 0x103, 1), 0x44);
    memory_write(mem, 0x101, 1, 0xffffffee);
    ck_assert_uint_eq(memory_read(mem, 0x100, 4), 0x4433ee11);
    memory_write(mem, RAM_BYTES - 4, 4, 0x12345678);
    ck_assert_uint_eq(memory_read(mem, RAM_BYTES - 4, 4), 0x12345678);
    ck_assert_uint_eq(memory_read(mem, RAM_BYTES - 3, 4), 0xffffffff);
    /* beyond RAM nothing answers */
    memory_write(mem, RAM_BYTES, 4, 0);
    ck_assert_uint_eq(memory_read(mem, RAM_BYTES, 4), 0xffffffff);
    ck_assert_uint_eq(memory_read(mem, RAM_BYTES, 1), 0xff);
    ck_assert_uint_eq(memory_read(mem, 0xfffffffe, 4), 0xffffffff);
    ck_assert_uint_eq(memory_read(mem, 0xffffffff, 2), 0xffff);
}
END_TEST

START_TEST(copy_beyond_ram)
{
    uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    ck_assert(memory_store(&pc, 0x80000000, bytes, 8, R));
    ck_assert(memory_load(&pc, 0x80000000, bytes, 8, R));
    for (int i = 0; i < 8; i++)
        ck_assert_uint_eq(bytes[i], 0xff);
}
END_TEST

/* Two pages that are not neighbours in physical memory. */
START_TEST(copy_across)
{
    uint8_t out[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, in[8] = { 0 };

    paging_on();
    set_pte(0x21000, 0x30000 | PWU);
    ck_assert(memory_store(&pc, 0x20ffd, out, 8, U));
    ck_assert_uint_eq(peek(0x20ffc) >> 8, 0x030201);
    ck_assert_uint_eq(peek(0x30000), 0x07060504);
    ck_assert_uint_eq(get_pte(0x20000) & (PTE_A | PTE_D), PTE_A | PTE_D);
    ck_assert_uint_eq(get_pte(0x21000) & (PTE_A | PTE_D), PTE_A | PTE_D);
    ck_assert(memory_load(&pc, 0x20ffd, in, 8, U));
    ck_assert_mem_eq(in, out, 8);
}
END_TEST

START_TEST(copy_second_page_faults)
{
    uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, in[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };

    paging_on();
    set_pte(0x21000, 0);
    poke(0x20ffc, 0xcafecafe);
    expect_fault(memory_store(&pc, 0x20ffc, bytes, 8, U), VEC_PF, 6, "store");
    ck_assert_uint_eq(pc.cpu.fault.cr2, 0x21000);
    ck_assert_uint_eq(peek(0x20ffc), 0xcafecafe);
    ck_assert(memory_load(&pc, 0x20ffc, in, 4, R));     /* ends with its page: the next is not asked */
    ck_assert_uint_eq(in[0], 0xfe);
    in[0] = 9;
    expect_fault(memory_load(&pc, 0x20ffc, in, 8, R), VEC_PF, 0, "load");
    ck_assert_uint_eq(in[0], 9);
    set_pte(0x21000, 0x21000 | PTE_P | PTE_U);
    expect_fault(memory_store(&pc, 0x20ffe, bytes, 4, U), VEC_PF, 7, "store to a read-only page");
    ck_assert_uint_eq(peek(0x20ffc), 0xcafecafe);
    set_pte(0x20000, 0);
    expect_fault(memory_load(&pc, 0x20ffe, in, 4, U), VEC_PF, 4, "the first page first");
    ck_assert_uint_eq(pc.cpu.fault.cr2, 0x20ffe);
}
END_TEST

/* Through a segment: its base is added, CPL decides about the user bit (CPL 1 and 2 are supervisor's). */
START_TEST(seg_privilege)
{
    uint32_t value = 0;

    paging_on();
    set_pte(DATA_AT, DATA_AT | PTE_P | PTE_W);
    poke(DATA_AT + 8, 0x12345678);
    pc.cpu.seg[DS].base = DATA_AT;
    ck_assert(memory_read_seg(&pc, DS, 8, &value, 4));
    ck_assert_uint_eq(value, 0x12345678);
    pc.cpu.seg[CS].selector = KCODE | 2;
    ck_assert(memory_write_seg(&pc, DS, 8, &value, 4));
    pc.cpu.seg[CS].selector = UCODE;
    expect_fault(memory_read_seg(&pc, DS, 8, &value, 4), VEC_PF, 5, "user read");
    ck_assert_uint_eq(pc.cpu.fault.cr2, DATA_AT + 8);
    expect_fault(memory_write_seg(&pc, DS, 8, &value, 4), VEC_PF, 7, "user write");
    pc.cpu.seg[DS].attr = 0;
    expect_fault(memory_read_seg(&pc, DS, 8, &value, 4), VEC_GP, 0, "the segment's checks come first");
}
END_TEST

/* ---- sealed frames --------------------------------------------------------------------------------- */

static uint8_t sealed[RAM_BYTES >> 12];
static struct { uint32_t gpa, bytes, value; } told[8];          /* `value`: what was there by then */
static unsigned tellings;

static void tell(uint32_t gpa, unsigned bytes)
{
    ck_assert_uint_lt(tellings, COUNT_OF(told));
    told[tellings].gpa = gpa, told[tellings].bytes = bytes, told[tellings++].value = memory_read(&pc.mem, gpa, 1);
}

static void seal(uint32_t gpa)
{
    pc.mem.sealed = sealed;
    pc.mem.sealed_write = tell;
    sealed[gpa >> 12] = 1;
    tellings = 0;
}

static void expect_told(unsigned n, uint32_t gpa, uint32_t bytes, uint32_t value)
{
    ck_assert_uint_lt(n, tellings);
    ck_assert_uint_eq(told[n].gpa, gpa);
    ck_assert_uint_eq(told[n].bytes, bytes);
    ck_assert_uint_eq(told[n].value, value);
}

START_TEST(sealed_physical)
{
    seal(DATA_AT);
    memory_write(&pc.mem, DATA_AT + 6, 2, 0x1234);
    memory_write(&pc.mem, DATA_AT - 1, 1, 0x55);
    memory_write(&pc.mem, DATA_AT + PAGE_BYTES, 4, 0x66);
    memory_write(&pc.mem, RAM_BYTES + 4, 4, 0x77);              /* nothing is there */
    memory_read(&pc.mem, DATA_AT, 4);
    ck_assert_uint_eq(tellings, 1);
    expect_told(0, DATA_AT + 6, 2, 0x34);
}
END_TEST

/* A store that crosses pages comes in two pieces, each told of if its own frame is sealed. */
START_TEST(sealed_stores)
{
    uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    paging_on();
    set_pte(0x21000, 0x30000 | PWU);
    seal(0x30000);
    ck_assert(memory_store(&pc, 0x20ffd, bytes, 8, U));
    ck_assert_uint_eq(tellings, 1);
    expect_told(0, 0x30000, 5, 4);
    seal(0x20000);
    ck_assert(memory_store(&pc, 0x20ffd, bytes + 1, 4, R));
    ck_assert_uint_eq(tellings, 2);
    expect_told(0, 0x20ffd, 3, 2);
    expect_told(1, 0x30000, 1, 5);
    sealed[0x20000 >> 12] = 0;
    ck_assert(memory_load(&pc, 0x20ffd, bytes, 8, R));
    ck_assert(memory_store(&pc, 0x20000, bytes, 8, R));
    ck_assert(memory_store(&pc, 0x80000, bytes, 8, R));
    ck_assert_uint_eq(tellings, 2);
    set_pte(0x21000, 0x30000 | PTE_P | PTE_U);
    ck_assert(!memory_store(&pc, 0x20ffd, bytes, 8, U));        /* faults: nothing is written */
    ck_assert_uint_eq(tellings, 2);
}
END_TEST

START_TEST(sealed_emulated)
{
    seal(DATA_AT);
    pc.cpu.gpr[EBX] = DATA_AT + 8;
    expect_ran(RUN("\x0f\x01\x03"), "sgdt [ebx]");
    ck_assert_uint_ge(tellings, 1);
    expect_told(0, DATA_AT + 8, told[0].bytes, (GDT_ENTRIES * 8 - 1) & 0xff);
    pc.cpu.gpr[EBX] = DATA_AT - 0x100;
    tellings = 0;
    expect_ran(RUN("\x0f\x01\x03"), "sgdt [ebx]");
    ck_assert_uint_eq(tellings, 0);
}
END_TEST

/* Accessed and dirty bits are writes to the frames of the tables, made once. */
START_TEST(sealed_page_tables)
{
    struct translation t;

    paging_on();
    seal(PAGE_DIR);
    seal(PAGE_TABLE);
    ck_assert(memory_peek(&pc, DATA_AT, W, &t));
    ck_assert_uint_eq(tellings, 0);
    ck_assert(memory_walk(&pc, DATA_AT, R, &t));
    ck_assert_uint_eq(tellings, 2);
    expect_told(0, PAGE_DIR, 4, PWU | PTE_A);
    expect_told(1, PAGE_TABLE + (DATA_AT >> 12) * 4, 4, PWU | PTE_A);
    ck_assert(memory_walk(&pc, DATA_AT, R, &t));
    ck_assert_uint_eq(tellings, 2);
    ck_assert(memory_walk(&pc, DATA_AT, W, &t));
    ck_assert_uint_eq(tellings, 3);
    expect_told(2, PAGE_TABLE + (DATA_AT >> 12) * 4, 4, PWU | PTE_A | PTE_D);
    ck_assert(memory_walk(&pc, DATA_AT, W, &t));
    ck_assert_uint_eq(tellings, 3);
    pc.mem.sealed = NULL;                                       /* nobody wants to know */
    ck_assert(memory_walk(&pc, DATA_AT + PAGE_BYTES, W, &t));
    ck_assert_uint_eq(tellings, 3);
}
END_TEST

Suite *suite_memory(void)
{
    Suite *s = suite_create("memory");
    TCase *t = fixture_case(s, "walk");

    tcase_add_loop_test(t, walk_rights, 0, COUNT_OF(rights));
    tcase_add_loop_test(t, walk_large, 0, COUNT_OF(large));
    tcase_add_test(t, walk_tells_rights);
    tcase_add_test(t, walk_addresses);
    t = fixture_case(s, "copies");
    tcase_add_test(t, physical_accesses);
    tcase_add_test(t, copy_beyond_ram);
    tcase_add_test(t, copy_across);
    tcase_add_test(t, copy_second_page_faults);
    tcase_add_test(t, seg_privilege);
    t = fixture_case(s, "sealed frames");
    tcase_add_test(t, sealed_physical);
    tcase_add_test(t, sealed_stores);
    tcase_add_test(t, sealed_emulated);
    tcase_add_test(t, sealed_page_tables);
    return s;
}
