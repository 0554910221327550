/* Segment loads, segment checks and the instructions that look at descriptors. Intel SDM vol. 3A chapters 3 and
 * 5; vol. 2, the operation sections of MOV, LLDT, LTR, LAR, LSL, VERR and VERW. */
#include <string.h>

#include "fixture.h"
#include "segment.h"

enum { OUTSIDE = GDT_ENTRIES * 8 };     /* the first selector beyond the GDT */

/* One descriptor at SPARE, one load of it, at `cpl`. Attributes without the accessed bit. */
struct load {
    const char *what;
    unsigned cpl;
    uint16_t selector;
    unsigned attr;
    int vector, error;          /* NO_FAULT: it loads */
};

static void at_cpl(unsigned cpl)
{
    pc.cpu.seg[CS].selector = (uint16_t)(KCODE | cpl);
}

static const struct load data_loads[] = {
    { "kernel data", 0, SPARE, A_DATA | A_FLAT, NO_FAULT, 0 },
    { "read-only data", 0, SPARE, 0x090, NO_FAULT, 0 },
    { "readable code", 0, SPARE, 0x09a, NO_FAULT, 0 },
    { "execute-only code", 0, SPARE, 0x098, VEC_GP, SPARE },
    { "conforming execute-only code", 0, SPARE, 0x09c, VEC_GP, SPARE },
    { "null", 0, 0, 0, NO_FAULT, 0 },
    { "null with RPL 3", 3, 3, 0, NO_FAULT, 0 },
    { "outside the GDT", 0, OUTSIDE, 0, VEC_GP, OUTSIDE },
    { "outside the GDT, RPL 3", 0, OUTSIDE | 3, 0, VEC_GP, OUTSIDE },
    { "outside the LDT", 0, 0x44, 0, VEC_GP, 0x44 },
    { "in the LDT", 0, 0x0c, A_DATA, NO_FAULT, 0 },
    { "user data for the kernel", 0, SPARE, A_DATA | A_DPL3, NO_FAULT, 0 },
    { "user data for the user", 3, SPARE | 3, A_DATA | A_DPL3, NO_FAULT, 0 },
    { "user data, RPL 0, for the user", 3, SPARE, A_DATA | A_DPL3, NO_FAULT, 0 },
    { "kernel data for the user", 3, SPARE, A_DATA, VEC_GP, SPARE },
    { "kernel data, RPL 3, for the kernel", 0, SPARE | 3, A_DATA, VEC_GP, SPARE },
    { "DPL 1 at CPL 2", 2, SPARE | 1, A_DATA | A_DPL1, VEC_GP, SPARE },
    { "DPL 2 at CPL 1 with RPL 2", 1, SPARE | 2, A_DATA | A_DPL2, NO_FAULT, 0 },
    { "kernel code, readable, for the user", 3, SPARE | 3, 0x09a, VEC_GP, SPARE },
    { "kernel code, conforming and readable, for the user", 3, SPARE | 3, 0x09e, NO_FAULT, 0 },
    { "not present", 0, SPARE, A_DATA - A_ABSENT, VEC_NP, SPARE },
    { "not present and not allowed", 3, SPARE, A_DATA - A_ABSENT, VEC_GP, SPARE },
    { "a TSS", 0, SPARE, 0x089, VEC_GP, SPARE },
    { "an LDT", 0, SPARE, 0x082, VEC_GP, SPARE },
    { "a call gate", 0, SPARE, 0x08c, VEC_GP, SPARE },
};

static const struct load stack_loads[] = {
    { "kernel data", 0, SPARE, A_DATA | A_FLAT, NO_FAULT, 0 },
    { "expand-down data", 0, SPARE, 0x096 | A_BIG, NO_FAULT, 0 },
    { "user data for the user", 3, SPARE | 3, A_DATA | A_DPL3, NO_FAULT, 0 },
    { "null", 0, 0, 0, VEC_GP, 0 },
    { "null with RPL 3", 3, 3, 0, VEC_GP, 0 },
    { "outside the GDT", 0, OUTSIDE, 0, VEC_GP, OUTSIDE },
    { "RPL 3 in the kernel", 0, SPARE | 3, A_DATA | A_DPL3, VEC_GP, SPARE },
    { "RPL 0, DPL 3 in the kernel", 0, SPARE, A_DATA | A_DPL3, VEC_GP, SPARE },
    { "RPL 3, DPL 0 in the kernel", 0, SPARE | 3, A_DATA, VEC_GP, SPARE },
    { "RPL 0 for the user", 3, SPARE, A_DATA | A_DPL3, VEC_GP, SPARE },
    { "DPL 0 for the user", 3, SPARE | 3, A_DATA, VEC_GP, SPARE },
    { "read-only data", 0, SPARE, 0x090, VEC_GP, SPARE },
    { "code", 0, SPARE, 0x09a, VEC_GP, SPARE },
    { "a TSS", 0, SPARE, 0x089, VEC_GP, SPARE },
    { "not present", 0, SPARE, A_DATA - A_ABSENT, VEC_SS, SPARE },
    { "not present and read-only", 0, SPARE, 0x010, VEC_GP, SPARE },
};

static void check_load(const struct load *l, enum segreg seg)
{
    struct segment before = pc.cpu.seg[seg];
    bool ok;

    if (l->attr)
        set_descriptor(l->selector, 0x00345678, 0x12345, l->attr);
    at_cpl(l->cpl);
    ok = segment_load(&pc, seg, l->selector);
    if (l->vector != NO_FAULT) {
        expect_fault(ok, (unsigned)l->vector, l->error, l->what);
        ck_assert_mem_eq(&before, &pc.cpu.seg[seg], sizeof before);
        if (l->attr)
            ck_assert_msg(descriptor_byte5(l->selector) == (l->attr & 0xff), "%s: accessed bit set", l->what);
        return;
    }
    ck_assert_msg(ok, "%s: #%u(0x%x)", l->what, pc.cpu.fault.vector, pc.cpu.fault.error);
    ck_assert_uint_eq(pc.cpu.seg[seg].selector, l->selector);
    ck_assert_uint_eq(!!(pc.cpu.seg[seg].attr & ATTR_PRESENT), l->attr != 0);
    if (!l->attr)
        return;
    ck_assert_uint_eq(pc.cpu.seg[seg].attr, l->attr | ATTR_ACCESSED);
    ck_assert_uint_eq(pc.cpu.seg[seg].base, 0x00345678);
    ck_assert_uint_eq(pc.cpu.seg[seg].limit, l->attr & A_GRAN ? 0x12345fff : 0x12345);
    ck_assert_msg(descriptor_byte5(l->selector) == ((l->attr & 0xff) | 1), "%s: accessed bit", l->what);
}

START_TEST(load_ds) { check_load(&data_loads[_i], DS); } END_TEST
START_TEST(load_es) { check_load(&data_loads[_i], ES); } END_TEST
START_TEST(load_fs) { check_load(&data_loads[_i], FS); } END_TEST
START_TEST(load_gs) { check_load(&data_loads[_i], GS); } END_TEST
START_TEST(load_ss) { check_load(&stack_loads[_i], SS); } END_TEST

/* The last descriptor needs all its eight bytes within the limit. */
START_TEST(table_limit)
{
    set_descriptor(SPARE, 0, 0xfffff, A_DATA);
    pc.cpu.gdtr.limit = SPARE + 7;
    ck_assert(segment_load(&pc, DS, SPARE));
    pc.cpu.gdtr.limit = SPARE + 6;
    expect_fault(segment_load(&pc, DS, SPARE), VEC_GP, SPARE, "last byte outside");
    pc.cpu.ldtr.attr = 0;
    set_descriptor(0x0c, 0, 0xfffff, A_DATA);
    expect_fault(segment_load(&pc, DS, 0x0c), VEC_GP, 0x0c, "no LDT");
}
END_TEST

/* Descriptor tables are the processor's, whatever the CPL: a supervisor page will do, a missing one faults with
 * a supervisor's error code. */
START_TEST(table_pages)
{
    paging_on();
    set_descriptor(SPARE | 3, 0, 0xfffff, A_DATA | A_DPL3);
    set_pte(GDT_AT, GDT_AT | PTE_P | PTE_W);
    at_cpl(3);
    ck_assert(segment_load(&pc, DS, SPARE | 3));
    set_pte(GDT_AT, 0);
    expect_fault(segment_load(&pc, DS, SPARE | 3), VEC_PF, 0, "GDT not mapped");
    ck_assert_uint_eq(pc.cpu.fault.cr2, GDT_AT + SPARE);
    set_descriptor(SPARE | 3, 0, 0xfffff, A_DATA | A_DPL3);
    set_pte(GDT_AT, GDT_AT | PTE_P);
    expect_fault(segment_load(&pc, DS, SPARE | 3), VEC_PF, 3, "accessed bit on a read-only page");
    expect_fault(segment_load(&pc, SS, SPARE | 3), VEC_PF, 3, "the same for SS");
    set_descriptor(SPARE + 8, TSS_AT, 0x67, 0x089);
    expect_fault(segment_load_task(&pc, SPARE + 8), VEC_PF, 3, "busy bit on a read-only page");
    ck_assert_uint_eq(pc.cpu.tr.selector, TSS_SEL);
    set_descriptor(SPARE | 3, 0, 0xfffff, A_DATA | A_DPL3 | ATTR_ACCESSED);
    ck_assert(segment_load(&pc, DS, SPARE | 3));
}
END_TEST

static const struct load ldt_loads[] = {
    { "an LDT", 0, SPARE, 0x082, NO_FAULT, 0 },
    { "an LDT of DPL 0 by RPL 3", 0, SPARE | 3, 0x082, NO_FAULT, 0 },
    { "null", 0, 2, 0, NO_FAULT, 0 },
    { "in the LDT", 0, 0x0c, 0x082, VEC_GP, 0x0c },
    { "outside", 0, OUTSIDE, 0, VEC_GP, OUTSIDE },
    { "data", 0, SPARE, A_DATA, VEC_GP, SPARE },
    { "a TSS", 0, SPARE, 0x089, VEC_GP, SPARE },
    { "not present", 0, SPARE, 0x002, VEC_NP, SPARE },
};

START_TEST(load_ldt)
{
    const struct load *l = &ldt_loads[_i];
    struct segment before = pc.cpu.ldtr;
    bool ok;

    if (l->attr)
        set_descriptor(l->selector, 0x00345678, 0x7f, l->attr);
    ok = segment_load_ldt(&pc, l->selector);
    if (l->vector != NO_FAULT) {
        expect_fault(ok, (unsigned)l->vector, l->error, l->what);
        ck_assert_mem_eq(&before, &pc.cpu.ldtr, sizeof before);
        return;
    }
    ck_assert_msg(ok, "%s", l->what);
    ck_assert_uint_eq(pc.cpu.ldtr.selector, l->selector);
    if (l->attr) {
        ck_assert_uint_eq(pc.cpu.ldtr.base, 0x00345678);
        ck_assert_uint_eq(pc.cpu.ldtr.limit, 0x7f);
    } else {
        expect_fault(segment_load(&pc, DS, 0x0c), VEC_GP, 0x0c, "no LDT any more");
    }
}
END_TEST

static const struct load task_loads[] = {
    { "a 32-bit TSS", 0, SPARE, 0x089, NO_FAULT, 0 },
    { "a 16-bit TSS", 0, SPARE, 0x081, NO_FAULT, 0 },
    { "null", 0, 0, 0, VEC_GP, 0 },
    { "in the LDT", 0, 0x0c, 0x089, VEC_GP, 0x0c },
    { "outside", 0, OUTSIDE, 0, VEC_GP, OUTSIDE },
    { "a busy TSS", 0, SPARE, 0x08b, VEC_GP, SPARE },
    { "a busy 16-bit TSS", 0, SPARE, 0x083, VEC_GP, SPARE },
    { "data", 0, SPARE, A_DATA, VEC_GP, SPARE },
    { "accessed read-only data, which has a TSS's type", 0, SPARE, 0x091, VEC_GP, SPARE },
    { "not present", 0, SPARE, 0x009, VEC_NP, SPARE },
    { "busy and not present", 0, SPARE, 0x00b, VEC_GP, SPARE },
};

START_TEST(load_task)
{
    const struct load *l = &task_loads[_i];
    struct segment before = pc.cpu.tr;
    bool ok;

    if (l->attr)
        set_descriptor(l->selector, 0x00345678, 0x67, l->attr);
    ok = segment_load_task(&pc, l->selector);
    if (l->vector != NO_FAULT) {
        expect_fault(ok, (unsigned)l->vector, l->error, l->what);
        ck_assert_mem_eq(&before, &pc.cpu.tr, sizeof before);
        if (l->attr)
            ck_assert_uint_eq(descriptor_byte5(l->selector), l->attr);
        return;
    }
    ck_assert_msg(ok, "%s", l->what);
    ck_assert_uint_eq(descriptor_byte5(l->selector), l->attr | 2);      /* busy */
    ck_assert_uint_eq(pc.cpu.tr.selector, l->selector);
    ck_assert_uint_eq(pc.cpu.tr.attr & ATTR_TYPE, (l->attr & ATTR_TYPE) | 2);
    ck_assert_uint_eq(pc.cpu.tr.base, 0x00345678);
    ck_assert_uint_eq(pc.cpu.tr.limit, 0x67);
}
END_TEST

/* ---- LAR, LSL, VERR, VERW ------------------------------------------------------------------------ */

enum { LAR = 1, LSL = 2, VERR = 4, VERW = 8 };

/* `yes`: which of the four say ZF = 1. */
static const struct {
    const char *what;
    unsigned cpl;
    uint16_t selector;
    unsigned attr, yes;
} inspections[] = {
    { "null", 0, 0, 0, 0 },
    { "null, RPL 3", 0, 3, 0, 0 },
    { "outside", 0, OUTSIDE, 0, 0 },
    { "outside the LDT", 0, 0x44, 0, 0 },
    { "in the LDT", 0, 0x0c, A_DATA, LAR | LSL | VERR | VERW },
    { "data", 0, SPARE, A_DATA, LAR | LSL | VERR | VERW },
    { "big data", 0, SPARE, A_DATA | A_FLAT, LAR | LSL | VERR | VERW },
    { "read-only data", 0, SPARE, 0x090, LAR | LSL | VERR },
    { "readable code", 0, SPARE, 0x09a, LAR | LSL | VERR },
    { "execute-only code", 0, SPARE, 0x098, LAR | LSL },
    { "conforming code for the user", 3, SPARE | 3, 0x09e, LAR | LSL | VERR },
    { "conforming execute-only code for the user", 3, SPARE, 0x09c, LAR | LSL },
    { "code for the user", 3, SPARE | 3, 0x09a, 0 },
    { "data, RPL 3", 0, SPARE | 3, A_DATA, 0 },
    { "data for the user", 3, SPARE, A_DATA, 0 },
    { "user data for the user", 3, SPARE | 3, A_DATA | A_DPL3, LAR | LSL | VERR | VERW },
    { "not present", 0, SPARE, A_DATA - A_ABSENT, LAR | LSL | VERR | VERW },
    { "type 0", 0, SPARE, 0x080, 0 },
    { "16-bit TSS", 0, SPARE, 0x081, LAR | LSL },
    { "LDT", 0, SPARE, 0x082, LAR | LSL },
    { "busy 16-bit TSS", 0, SPARE, 0x083, LAR | LSL },
    { "16-bit call gate", 0, SPARE, 0x084, LAR },
    { "task gate", 0, SPARE, 0x085, LAR },
    { "16-bit interrupt gate", 0, SPARE, 0x086, 0 },
    { "16-bit trap gate", 0, SPARE, 0x087, 0 },
    { "type 8", 0, SPARE, 0x088, 0 },
    { "TSS", 0, SPARE, 0x089, LAR | LSL },
    { "type 10", 0, SPARE, 0x08a, 0 },
    { "busy TSS", 0, SPARE, 0x08b, LAR | LSL },
    { "call gate", 0, SPARE, 0x08c, LAR },
    { "type 13", 0, SPARE, 0x08d, 0 },
    { "interrupt gate", 0, SPARE, 0x08e, 0 },
    { "trap gate", 0, SPARE, 0x08f, 0 },
    { "TSS for the user", 3, SPARE, 0x089, 0 },
    { "call gate for the user", 3, SPARE | 3, 0x08c | A_DPL3, LAR },
};

START_TEST(inspect)
{
    static const enum inspect how[] = { INSPECT_LAR, INSPECT_LSL, INSPECT_VERR, INSPECT_VERW };
    unsigned attr = inspections[_i].attr;
    uint16_t selector = inspections[_i].selector;

    if (attr)
        set_descriptor(selector, 0x12345678, 0xabcde, attr);
    at_cpl(inspections[_i].cpl);
    for (int k = 0; k < 4; k++) {
        bool valid = !(inspections[_i].yes >> k & 1);
        uint32_t value = 0x5a5a5a5a;

        ck_assert(segment_inspect(&pc, how[k], selector, &valid, &value));
        ck_assert_msg(valid == (inspections[_i].yes >> k & 1), "%s: instruction %d says ZF = %d",
                      inspections[_i].what, k, valid);
        if (how[k] == INSPECT_LAR && valid)             /* bits 19:16 are undefined */
            ck_assert_uint_eq(value & 0xfff0ffff, (attr & 0xff) << 8 | (attr & 0xf00) << 12);
        else if (how[k] == INSPECT_LSL && valid)
            ck_assert_uint_eq(value, attr & A_GRAN ? 0xabcdefff : 0xabcde);
        else
            ck_assert_uint_eq(value, 0x5a5a5a5a);
    }
    if (attr)
        ck_assert_uint_eq(descriptor_byte5(selector), attr & 0xff);     /* looking marks nothing */
}
END_TEST

START_TEST(inspect_page_fault)
{
    bool valid;
    uint32_t value;

    paging_on();
    set_pte(GDT_AT, 0);
    expect_fault(segment_inspect(&pc, INSPECT_LAR, SPARE, &valid, &value), VEC_PF, 0, "GDT not mapped");
}
END_TEST

/* ---- accesses ------------------------------------------------------------------------------------ */

static const struct {
    const char *what;
    unsigned attr;
    uint32_t limit, offset;
    unsigned bytes, access;
    bool ok;
} accesses[] = {
    { "last byte", 0x093, 0xfff, 0xfff, 1, ACCESS_READ, true },
    { "one beyond", 0x093, 0xfff, 0x1000, 1, ACCESS_READ, false },
    { "last double word", 0x093, 0xfff, 0xffc, 4, ACCESS_WRITE, true },
    { "a byte sticks out", 0x093, 0xfff, 0xffd, 4, ACCESS_WRITE, false },
    { "wraps around a limited segment", 0x093, 0xfff, 0xffffffff, 2, ACCESS_READ, false },
    { "top of a flat segment", 0xc93, 0xffffffff, 0xfffffffc, 4, ACCESS_WRITE, true },
    { "read-only, read", 0x091, 0xfff, 0, 4, ACCESS_READ, true },
    { "read-only, written", 0x091, 0xfff, 0, 4, ACCESS_WRITE, false },
    { "code, readable, read", 0x09b, 0xfff, 0, 4, ACCESS_READ, true },
    { "code, readable, written", 0x09b, 0xfff, 0, 4, ACCESS_WRITE, false },
    { "code, execute-only, read", 0x099, 0xfff, 0, 1, ACCESS_READ, false },
    { "conforming code is not expand-down", 0x09f, 0xfff, 0xffc, 4, ACCESS_READ, true },
    { "null", 0, 0, 0, 1, ACCESS_READ, false },
    { "null, written", 0, 0, 0, 1, ACCESS_WRITE, false },
    { "expand-down: at the limit", 0x497, 0xfff, 0xfff, 1, ACCESS_READ, false },
    { "expand-down: above the limit", 0x497, 0xfff, 0x1000, 4, ACCESS_WRITE, true },
    { "expand-down: one byte above the limit", 0x497, 0xfff, 0x1000, 1, ACCESS_READ, true },
    { "expand-down: below the limit", 0x497, 0xfff, 0x10, 4, ACCESS_WRITE, false },
    { "expand-down: top of 4 GiB", 0x497, 0xfff, 0xfffffffc, 4, ACCESS_WRITE, true },
    { "expand-down: wraps", 0x497, 0xfff, 0xfffffffe, 4, ACCESS_WRITE, false },
    { "expand-down, 16-bit: top", 0x097, 0xfff, 0xfffc, 4, ACCESS_WRITE, true },
    { "expand-down, 16-bit: beyond 64 KiB", 0x097, 0xfff, 0xfffe, 4, ACCESS_WRITE, false },
    { "expand-down, 16-bit: far beyond", 0x097, 0xfff, 0x10000, 1, ACCESS_READ, false },
    { "expand-down, read-only, written", 0x495, 0xfff, 0x2000, 1, ACCESS_WRITE, false },
};

START_TEST(access_checks)
{
    struct segment s = { SPARE, (uint16_t)accesses[_i].attr, 0x1000, accesses[_i].limit };
    static const enum segreg seg[] = { DS, SS, GS };

    for (int k = 0; k < 3; k++) {
        bool ok;

        pc.cpu.seg[seg[k]] = s;
        ok = segment_check(&pc.cpu, seg[k], accesses[_i].offset, accesses[_i].bytes, accesses[_i].access);
        if (accesses[_i].ok)
            ck_assert_msg(ok, "%s", accesses[_i].what);
        else
            expect_fault(ok, seg[k] == SS ? VEC_SS : VEC_GP, 0, accesses[_i].what);
    }
}
END_TEST

START_TEST(unpack)
{
    struct segment s = segment_unpack(0x5678fffe, 0x12cf9b34);

    ck_assert_uint_eq(s.base, 0x12345678);
    ck_assert_uint_eq(s.limit, 0xffffefff);             /* granular: low twelve bits are ones */
    ck_assert_uint_eq(s.attr, 0xc9b);
    s = segment_unpack(0x00000000, 0x00800000);
    ck_assert_uint_eq(s.limit, 0xfff);
    s = segment_unpack(0x0000ffff, 0x000f0000);
    ck_assert_uint_eq(s.limit, 0xfffff);
}
END_TEST

Suite *suite_segment(void)
{
    Suite *s = suite_create("segment");
    TCase *t = fixture_case(s, "loads");

    tcase_add_loop_test(t, load_ds, 0, COUNT_OF(data_loads));
    tcase_add_loop_test(t, load_es, 0, COUNT_OF(data_loads));
    tcase_add_loop_test(t, load_fs, 0, COUNT_OF(data_loads));
    tcase_add_loop_test(t, load_gs, 0, COUNT_OF(data_loads));
    tcase_add_loop_test(t, load_ss, 0, COUNT_OF(stack_loads));
    tcase_add_loop_test(t, load_ldt, 0, COUNT_OF(ldt_loads));
    tcase_add_loop_test(t, load_task, 0, COUNT_OF(task_loads));
    tcase_add_test(t, table_limit);
    tcase_add_test(t, table_pages);
    t = fixture_case(s, "inspection");
    tcase_add_loop_test(t, inspect, 0, COUNT_OF(inspections));
    tcase_add_test(t, inspect_page_fault);
    t = fixture_case(s, "accesses");
    tcase_add_loop_test(t, access_checks, 0, COUNT_OF(accesses));
    tcase_add_test(t, unpack);
    return s;
}
