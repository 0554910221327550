/* Events through the guest's IDT. Intel SDM vol. 3A chapter 6 (frames: figure 6-4; double faults: table 6-5),
 * vol. 2A INT n (the order of checks and the error codes), vol. 3B 17.3.1.1 (RF). */
#include <string.h>

#include "event.h"
#include "fixture.h"
#include "status.h"

enum { LDT_CODE = 0x0c };

/* ---- frames -------------------------------------------------------------------------------------- */

/* RF is pushed as 1 by faults and as it was by traps. */
static const struct exception {
    unsigned vector;
    int error;
    uint32_t rf;
} exceptions[] = {
    { VEC_DE, NO_ERROR, FLAG_RF }, { VEC_DB, NO_ERROR, 0 }, { VEC_BP, NO_ERROR, 0 }, { VEC_OF, NO_ERROR, 0 },
    { VEC_BR, NO_ERROR, FLAG_RF }, { VEC_UD, NO_ERROR, FLAG_RF }, { VEC_NM, NO_ERROR, FLAG_RF },
    { VEC_TS, 0x28, FLAG_RF }, { VEC_NP, 0x48, FLAG_RF }, { VEC_SS, 0, FLAG_RF }, { VEC_GP, 0x402, FLAG_RF },
    { VEC_PF, 7, FLAG_RF }, { VEC_MF, NO_ERROR, FLAG_RF }, { VEC_AC, 0, FLAG_RF }, { VEC_XM, NO_ERROR, FLAG_RF },
};

static void set_exception(unsigned vector, int error)
{
    if (error == NO_ERROR)
        vcpu_raise(&pc.cpu, vector);
    else
        vcpu_raise_error(&pc.cpu, vector, (uint32_t)error);
    pc.cpu.fault.cr2 = 0xabcd0123;
}

/* EIP, CS, EFLAGS from the n-th word of the stack on. */
static void check_frame(unsigned n, uint32_t eip, uint16_t cs, uint32_t eflags)
{
    ck_assert_uint_eq(stack_word(n), eip);
    ck_assert_uint_eq(stack_word(n + 1) & 0xffff, cs);
    ck_assert_uint_eq(stack_word(n + 2), eflags);
}

static void check_arrival(unsigned vector, uint32_t esp)
{
    ck_assert_uint_eq(pc.cpu.eip, handler_of(vector));
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, KCODE);
    ck_assert_uint_eq(pc.cpu.seg[SS].selector, KDATA);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], esp);
    ck_assert_uint_eq(pc.counters.events[vector], 1);
}

START_TEST(exception_same_privilege)
{
    const struct exception *x = &exceptions[_i];
    unsigned n = x->error != NO_ERROR;
    uint32_t eflags = FLAG_ONE | FLAG_CF | FLAG_IF | FLAG_OF | FLAG_AC | FLAG_IOPL;

    pc.cpu.eflags = eflags;
    set_exception(x->vector, x->error);
    ck_assert(event_exception(&pc));
    check_arrival(x->vector, KERNEL_STACK - 12 - 4 * n);
    if (n)
        ck_assert_uint_eq(stack_word(0), (uint32_t)x->error);
    check_frame(n, CODE_AT, KCODE, eflags | x->rf);
    ck_assert_uint_eq(pc.cpu.eflags, eflags & ~(uint32_t)FLAG_IF);
    ck_assert_uint_eq(pc.cpu.cr2, x->vector == VEC_PF ? 0xabcd0123 : 0);
}
END_TEST

START_TEST(exception_inward)
{
    const struct exception *x = &exceptions[_i];
    unsigned n = x->error != NO_ERROR;
    uint32_t eflags;

    fixture_user(0);
    eflags = pc.cpu.eflags;
    set_descriptor(KDATA, 0, 0xfffff, A_DATA | A_FLAT);     /* its accessed bit is to be set */
    set_exception(x->vector, x->error);
    ck_assert(event_exception(&pc));
    check_arrival(x->vector, KERNEL_STACK - 20 - 4 * n);
    if (n)
        ck_assert_uint_eq(stack_word(0), (uint32_t)x->error);
    check_frame(n, CODE_AT, UCODE, eflags | x->rf);
    ck_assert_uint_eq(stack_word(n + 3), USER_STACK);
    ck_assert_uint_eq(stack_word(n + 4) & 0xffff, UDATA);
    ck_assert_uint_eq(vcpu_cpl(&pc.cpu), 0);
    ck_assert_uint_eq(pc.cpu.seg[DS].selector, UDATA);      /* data segments stay */
    ck_assert_uint_eq(descriptor_byte5(KDATA), 0x93);
    ck_assert_uint_eq(descriptor_byte5(KCODE), 0x9b);
}
END_TEST

/* The gate's kind decides IF; TF, NT, RF go either way. */
static const struct { unsigned type; bool keeps_if; } gate_kinds[] = { { 0x8e, false }, { 0x8f, true } };

START_TEST(gate_flags)
{
    uint32_t eflags = FLAG_ONE | FLAG_IF | FLAG_TF | FLAG_NT | FLAG_RF | FLAG_DF | FLAG_AC | FLAG_ID;

    set_gate(IDT_AT + 8 * 0x40, KCODE, handler_of(0x40), gate_kinds[_i].type, 0);
    pc.cpu.eflags = eflags;
    pc.cpu.halted = true;
    pc.cpu.shadow = SHADOW_STI;
    ck_assert(event_software(&pc, 0x40, CODE_AT + 2));
    check_arrival(0x40, KERNEL_STACK - 12);
    ck_assert_uint_eq(stack_word(0), CODE_AT + 2);
    ck_assert_uint_eq(stack_word(2) & ~(uint32_t)FLAG_RF, eflags & ~(uint32_t)FLAG_RF);
    ck_assert_uint_eq(pc.cpu.eflags,
                      FLAG_ONE | FLAG_DF | FLAG_AC | FLAG_ID | (gate_kinds[_i].keeps_if ? FLAG_IF : 0));
    ck_assert(!pc.cpu.halted);
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
}
END_TEST

/* 16-bit gates push words and take a 16-bit offset. */
static const struct { unsigned type; bool keeps_if; } narrow_kinds[] = { { 0x86, false }, { 0x87, true } };

START_TEST(gate16)
{
    set_gate(IDT_AT + 8 * VEC_GP, KCODE, 0xdead1234, narrow_kinds[_i].type, 0);
    fixture_user(0);
    set_exception(VEC_GP, 0x18);
    ck_assert(event_exception(&pc));
    ck_assert_uint_eq(pc.cpu.eip, 0x1234);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 12);
    ck_assert_uint_eq(stack_word(0), (CODE_AT & 0xffff) << 16 | 0x18);
    ck_assert_uint_eq(stack_word(1), (FLAG_ONE | FLAG_IF) << 16 | UCODE);
    ck_assert_uint_eq(stack_word(2), UDATA << 16 | USER_STACK);
    ck_assert_uint_eq(!!(pc.cpu.eflags & FLAG_IF), narrow_kinds[_i].keeps_if);
}
END_TEST

/* A conforming handler runs at the interrupted privilege, on its stack. */
START_TEST(conforming_handler)
{
    fixture_user(0);
    set_descriptor(SPARE, 0, 0xfffff, 0x09e | A_FLAT);
    set_gate(IDT_AT + 8 * VEC_UD, SPARE, handler_of(VEC_UD), 0x8e, 0);
    set_exception(VEC_UD, NO_ERROR);
    ck_assert(event_exception(&pc));
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, SPARE | 3);
    ck_assert_uint_eq(pc.cpu.seg[SS].selector, UDATA);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], USER_STACK - 12);
}
END_TEST

/* A handler in ring 1 gets that ring's stack; a 16-bit TSS holds words. */
START_TEST(ring1_handler)
{
    fixture_user(0);
    set_descriptor(SPARE, 0, 0xfffff, A_CODE | A_DPL1 | A_FLAT);
    set_descriptor(SPARE + 8, 0, 0xfffff, A_DATA | A_DPL1 | A_FLAT);
    set_gate(IDT_AT + 8 * VEC_UD, SPARE, handler_of(VEC_UD), 0x8e, 0);
    if (_i) {
        pc.cpu.tr.attr = ATTR_PRESENT | SYS_TSS16_BUSY;
        poke(TSS_AT + 6, (SPARE + 8 + 1) << 16 | 0x7000);
    } else {
        poke(TSS_AT + 12, 0x7000);
        poke(TSS_AT + 16, SPARE + 8 + 1);
    }
    set_exception(VEC_UD, NO_ERROR);
    ck_assert(event_exception(&pc));
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, SPARE + 1);
    ck_assert_uint_eq(pc.cpu.seg[SS].selector, SPARE + 8 + 1);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 0x7000 - 20);
    check_frame(0, CODE_AT, UCODE, FLAG_ONE | FLAG_IF | FLAG_RF);
}
END_TEST

/* ---- refusals: software and external, from CPL 3 ------------------------------------------------- */

/* The gate of vector 0x20 is bent; `error` is that of INT 0x20, an external one sets EXT (bit 0) in it. */
static const struct refusal {
    const char *what;
    uint16_t selector;          /* of the handler */
    unsigned gate, code;        /* attributes; code of the descriptor SPARE */
    unsigned vector, error;
} refusals[] = {
    { "not present", KCODE, 0x6e, 0, VEC_NP, 0x102 },
    { "a call gate", KCODE, 0xec, 0, VEC_GP, 0x102 },
    { "an empty gate", KCODE, 0, 0, VEC_GP, 0x102 },
    { "an absent gate of a wrong type", KCODE, 0x6c, 0, VEC_GP, 0x102 },
    { "a data segment as gate", KCODE, 0xfe, 0, VEC_GP, 0x102 },
    { "null selector", 3, 0xee, 0, VEC_GP, 0 },
    { "outside the GDT", 0x200 | 3, 0xee, 0, VEC_GP, 0x200 },
    { "outside the LDT", 0x44, 0xee, 0, VEC_GP, 0x44 },
    { "data", KDATA, 0xee, 0, VEC_GP, KDATA },
    { "a TSS", TSS_SEL, 0xee, 0, VEC_GP, TSS_SEL },
    { "data in the LDT", 0x0c, 0xee, 0x092, VEC_GP, 0x0c },
    { "code in the LDT, not present", 0x0c, 0xee, 0x01a, VEC_NP, 0x0c },
    { "code not present", SPARE, 0xee, 0x01a, VEC_NP, SPARE },
    { "offset beyond the limit", SPARE, 0xee, 0x09a, VEC_GP, 0 },
};

static void bend_gate(const struct refusal *r)
{
    set_gate(IDT_AT + 8 * 0x20, r->selector, handler_of(0x20), r->gate, 0);
    if (r->code)
        set_descriptor(r->selector, 0, 0x100, r->code);
}

START_TEST(refused_software)
{
    const struct refusal *r = &refusals[_i];
    struct vcpu before;

    fixture_user(0);
    bend_gate(r);
    before = pc.cpu;
    expect_fault(event_software(&pc, 0x20, CODE_AT + 2), r->vector, (int)r->error, r->what);
    expect_unchanged(before, r->what);
}
END_TEST

START_TEST(refused_external)
{
    fixture_user(0);
    bend_gate(&refusals[_i]);
    raise_irq0();
    event_interrupts(&pc);
    check_arrival(refusals[_i].vector, KERNEL_STACK - 24);
    ck_assert_msg(stack_word(0) == refusals[_i].error + 1, "%s: error code 0x%x", refusals[_i].what, stack_word(0));
    ck_assert_uint_eq(stack_word(1), CODE_AT);
}
END_TEST

START_TEST(gate_privilege)
{
    static const struct { unsigned cpl, dpl; bool ok; } rows[] = {
        { 0, 0, true }, { 0, 3, true }, { 3, 3, true }, { 3, 0, false }, { 3, 2, false },
        { 1, 0, false }, { 2, 3, true },
    };

    for (int i = 0; i < COUNT_OF(rows); i++) {
        fixture_setup();
        if (rows[i].cpl)
            fixture_user(0);
        pc.cpu.seg[CS].selector = (uint16_t)(KCODE | rows[i].cpl);
        set_gate(IDT_AT + 8 * 0x80, KCODE, handler_of(0x80), 0x8e | rows[i].dpl << 5, 0);
        if (rows[i].ok)
            ck_assert(event_software(&pc, 0x80, CODE_AT + 2));
        else
            expect_fault(event_software(&pc, 0x80, CODE_AT + 2), VEC_GP, 0x402, "gate's DPL");
    }
    /* exceptions and external interrupts do not ask for the gate's DPL */
    fixture_setup();
    fixture_user(0);
    set_exception(VEC_GP, 0);
    ck_assert(event_exception(&pc));
    check_arrival(VEC_GP, KERNEL_STACK - 24);
    /* an absent gate that is forbidden as well: the privilege first */
    fixture_setup();
    fixture_user(0);
    set_gate(IDT_AT + 8 * 0x80, KCODE, handler_of(0x80), 0x0e, 0);
    expect_fault(event_software(&pc, 0x80, CODE_AT + 2), VEC_GP, 0x402, "privilege before presence");
}
END_TEST

/* The handler may not have less privilege than what it interrupts. */
START_TEST(outward_handler)
{
    set_gate(IDT_AT + 8 * 0x20, UCODE, handler_of(0x20), 0x8e, 0);
    expect_fault(event_software(&pc, 0x20, CODE_AT + 2), VEC_GP, UCODE & ~3, "handler with DPL 3 at CPL 0");
}
END_TEST

/* The handler may be the last byte of its segment. */
START_TEST(handler_at_limit)
{
    set_descriptor(SPARE, 0, handler_of(0x20), 0x09a | A_BIG);
    set_gate(IDT_AT + 8 * 0x20, SPARE, handler_of(0x20), 0x8e, 0);
    ck_assert(event_software(&pc, 0x20, CODE_AT + 2));
    ck_assert_uint_eq(pc.cpu.eip, handler_of(0x20));
}
END_TEST

START_TEST(idt_limit)
{
    pc.cpu.idtr.limit = 0x80 * 8 + 7;
    ck_assert(event_software(&pc, 0x80, CODE_AT + 2));
    fixture_setup();
    pc.cpu.idtr.limit = 0x80 * 8 + 6;
    expect_fault(event_software(&pc, 0x80, CODE_AT + 2), VEC_GP, 0x402, "beyond the IDT");
}
END_TEST

START_TEST(task_gate)
{
    set_gate(IDT_AT + 8 * 0x20, TSS_SEL, 0, 0x85, 0);
    ck_assert(!event_software(&pc, 0x20, CODE_AT + 2));
    ck_assert(pc.stopped);
    ck_assert_int_eq(pc.status, EXIT_CRASH);
    fixture_setup();
    set_gate(IDT_AT + 8 * VEC_GP, TSS_SEL, 0, 0x85, 0);
    set_exception(VEC_GP, 0);
    ck_assert(!event_exception(&pc));
    ck_assert_ptr_nonnull(strstr(pc.why, "task gate"));
    ck_assert(!event_exception(&pc));                   /* a stopped machine takes no more events */
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

/* ---- the stack ----------------------------------------------------------------------------------- */

/* What is wrong with the stack that the TSS names, and what INT n from CPL 3 raises. */
static const struct {
    const char *what;
    uint16_t ss0;
    unsigned attr;              /* of SPARE, if ss0 is that */
    uint32_t limit, tss_limit;
    unsigned vector, error;
} stacks[] = {
    { "TSS too short for ESP0 and SS0", KDATA, 0, 0, 8, VEC_TS, TSS_SEL },
    { "null SS0", 0, 0, 0, 0x67, VEC_TS, 0 },
    { "SS0 outside the GDT", 0x200, 0, 0, 0x67, VEC_TS, 0x200 },
    { "SS0 with RPL 3", KDATA | 3, 0, 0, 0x67, VEC_TS, KDATA },
    { "SS0 with DPL 3", UDATA & ~3, 0, 0, 0x67, VEC_TS, UDATA & ~3 },
    { "SS0 is code", KCODE, 0, 0, 0x67, VEC_TS, KCODE },
    { "SS0 is read-only", SPARE, 0x490, 0xfffff, 0x67, VEC_TS, SPARE },
    { "SS0 not present", SPARE, 0x412, 0xfffff, 0x67, VEC_SS, SPARE },
    { "ESP0 beyond SS0's limit", SPARE, 0x492, KERNEL_STACK - 0x100, 0x67, VEC_SS, SPARE },
};

START_TEST(bad_inner_stack)
{
    for (int external = 0; external < 2; external++) {
        fixture_setup();
        fixture_user(0);
        poke(TSS_AT + 8, stacks[_i].ss0);
        pc.cpu.tr.limit = stacks[_i].tss_limit;
        if (stacks[_i].attr)
            set_descriptor(SPARE, 0, stacks[_i].limit, stacks[_i].attr);
        set_gate(IDT_AT + 8 * 0x20, KCODE, handler_of(0x20), 0xee, 0);
        if (!external) {
            expect_fault(event_software(&pc, 0x20, CODE_AT + 2), stacks[_i].vector, (int)stacks[_i].error,
                         stacks[_i].what);
            continue;
        }
        /* the handler of #TS or #SS is conforming, so that it needs no stack of the TSS */
        set_descriptor(SPARE + 8, 0, 0xfffff, 0x09e | A_FLAT);
        set_gate(IDT_AT + 8 * stacks[_i].vector, SPARE + 8, 0x1000, 0x8e, 0);
        raise_irq0();
        event_interrupts(&pc);
        ck_assert_uint_eq(pc.cpu.eip, 0x1000);
        ck_assert_uint_eq(stack_word(0), stacks[_i].error + 1);
    }
}
END_TEST

START_TEST(tss_limit)
{
    fixture_user(0);
    pc.cpu.tr.limit = 9;                                /* SS0's last byte */
    set_exception(VEC_UD, NO_ERROR);
    ck_assert(event_exception(&pc));
    check_arrival(VEC_UD, KERNEL_STACK - 20);
}
END_TEST

START_TEST(own_stack_too_small)
{
    pc.cpu.seg[SS].limit = KERNEL_STACK - 9;            /* room for nothing but the last word's pops */
    pc.cpu.gpr[ESP] = 8;
    expect_fault(event_software(&pc, 0x20, CODE_AT + 2), VEC_SS, 0, "wraps below 0");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 8);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

/* The same for an external interrupt sets EXT in the error code. The handler of #SS has a stack of its own. */
START_TEST(external_without_stack)
{
    fixture_user(0);
    set_descriptor(SPARE, 0, 0xfffff, 0x09e | A_FLAT);
    set_gate(IDT_AT + 8 * 0x20, SPARE, handler_of(0x20), 0x8e, 0);
    pc.cpu.gpr[ESP] = 8;
    pc.cpu.seg[SS].limit = USER_STACK;
    raise_irq0();
    event_interrupts(&pc);
    check_arrival(VEC_SS, KERNEL_STACK - 24);
    ck_assert_uint_eq(stack_word(0), 1);
}
END_TEST

START_TEST(idt_page)
{
    paging_on();
    set_pte(IDT_AT, 0);
    expect_fault(event_software(&pc, 0x20, CODE_AT + 2), VEC_PF, 0, "IDT not mapped");
    ck_assert_uint_eq(pc.cpu.fault.cr2, IDT_AT + 8 * 0x20);
}
END_TEST

/* A kernel stack on a supervisor page is written although the interrupted code is the user's. */
START_TEST(inner_stack_page)
{
    fixture_user(0);
    paging_on();
    set_pte(KERNEL_STACK - 4, (KERNEL_STACK - 0x1000) | PTE_P | PTE_W);
    set_pte(TSS_AT, TSS_AT | PTE_P);
    set_exception(VEC_UD, NO_ERROR);
    ck_assert(event_exception(&pc));
    fixture_user(0);
    set_gate(IDT_AT + 8 * 0x20, KCODE, handler_of(0x20), 0xee, 0);
    set_pte(TSS_AT, 0);
    expect_fault(event_software(&pc, 0x20, CODE_AT + 2), VEC_PF, 0, "TSS missing");
    ck_assert_uint_eq(pc.cpu.fault.cr2, TSS_AT + 4);
    set_pte(TSS_AT, TSS_AT | PTE_P);
    set_pte(KERNEL_STACK - 4, 0);
    expect_fault(event_software(&pc, 0x20, CODE_AT + 2), VEC_PF, 2, "stack page missing");
    ck_assert_uint_eq(pc.cpu.fault.cr2, KERNEL_STACK - 4);
}
END_TEST

/* ---- a fault on the way to a fault --------------------------------------------------------------- */

/* The gate of `first` is absent (#NP), or its selector is in an LDT on a page that is not mapped (#PF). */
enum second { ABSENT, PAGE };

static const struct {
    unsigned first;
    enum second second;
    unsigned taken, error;
} pairs[] = {
    { VEC_DE, ABSENT, VEC_DF, 0 },
    { VEC_TS, ABSENT, VEC_DF, 0 },
    { VEC_SS, ABSENT, VEC_DF, 0 },
    { VEC_GP, ABSENT, VEC_DF, 0 },
    { VEC_PF, ABSENT, VEC_DF, 0 },
    { VEC_PF, PAGE, VEC_DF, 0 },
    { VEC_GP, PAGE, VEC_PF, 0 },                        /* contributory, then a page fault: one after the other */
    { VEC_DE, PAGE, VEC_PF, 0 },
    { VEC_DB, ABSENT, VEC_NP, 1 * 8 + 3 },
    { VEC_BR, ABSENT, VEC_NP, 5 * 8 + 3 },
    { VEC_UD, ABSENT, VEC_NP, 6 * 8 + 3 },
    { VEC_NM, ABSENT, VEC_NP, 7 * 8 + 3 },
    { VEC_MF, ABSENT, VEC_NP, 16 * 8 + 3 },
    { VEC_AC, ABSENT, VEC_NP, 17 * 8 + 3 },
    { VEC_UD, PAGE, VEC_PF, 0 },
};

static void break_gate(unsigned vector, enum second how)
{
    if (how == ABSENT)
        set_gate(IDT_AT + 8 * vector, KCODE, handler_of(vector), 0x0e, 0);
    else
        set_gate(IDT_AT + 8 * vector, LDT_CODE, handler_of(vector), 0x8e, 0);
}

static bool has_error(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC;
}

START_TEST(second_fault)
{
    unsigned first = pairs[_i].first;

    paging_on();
    set_pte(LDT_AT, 0);
    break_gate(first, pairs[_i].second);
    set_exception(first, has_error(first) ? 0 : NO_ERROR);
    ck_assert(event_exception(&pc));
    check_arrival(pairs[_i].taken, KERNEL_STACK - 16);
    ck_assert_uint_eq(stack_word(0), pairs[_i].error);
    ck_assert_uint_eq(stack_word(1), CODE_AT);
    ck_assert_uint_eq(pc.counters.events[first], 0);
    /* every page fault writes CR2, even one that ends in a double fault (vol. 3A 6.15, interrupt 14) */
    if (pairs[_i].second == PAGE)
        ck_assert_uint_eq(pc.cpu.cr2, LDT_AT + (LDT_CODE & ~7u));
    else
        ck_assert_uint_eq(pc.cpu.cr2, first == VEC_PF ? 0xabcd0123 : 0);
}
END_TEST

static const struct { unsigned first; enum second of_df; } triples[] = {
    { VEC_GP, ABSENT }, { VEC_PF, ABSENT }, { VEC_PF, PAGE },
};

START_TEST(triple_fault)
{
    paging_on();
    set_pte(LDT_AT, 0);
    break_gate(triples[_i].first, ABSENT);
    break_gate(VEC_DF, triples[_i].of_df);
    set_exception(triples[_i].first, 0);
    ck_assert(!event_exception(&pc));
    ck_assert(pc.stopped);
    ck_assert_int_eq(pc.status, EXIT_CRASH);
    ck_assert_ptr_nonnull(strstr(pc.why, "triple fault"));
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

/* No IDT at all: what a guest does that wants to reboot. */
START_TEST(triple_fault_without_idt)
{
    pc.cpu.idtr.limit = 0;
    set_exception(VEC_BP, NO_ERROR);
    ck_assert(!event_exception(&pc));
    ck_assert_int_eq(pc.status, EXIT_CRASH);
}
END_TEST

/* ---- external interrupts ------------------------------------------------------------------------- */

static const struct { uint32_t eflags; enum interrupt_shadow shadow; bool waiting, taken; } interrupts[] = {
    { FLAG_IF, SHADOW_NONE, true, true },
    { FLAG_IF, SHADOW_STI, true, false },
    { FLAG_IF, SHADOW_MOV_SS, true, false },
    { 0, SHADOW_NONE, false, false },
};

/* At CPL 3 with alignment checked, a handler in a conforming segment, and its stack is odd: delivering #AC raises #AC, which makes no
 * double fault. A processor tries for ever (CVE-2015-5307), and our time limit would never be looked at. The same with a #PF in
 * between: #AC, whose gate is on a page that is not there, #PF, whose push is not aligned, #AC ... */
START_TEST(exception_without_end)
{
    set_descriptor(SPARE, 0, 0xfffff, A_CODE | ATTR_CONFORMING | A_FLAT);
    set_gate(IDT_AT + 8 * VEC_AC, SPARE, handler_of(VEC_AC), 0x8e, 0);
    set_gate(IDT_AT + 8 * VEC_PF, SPARE, handler_of(VEC_PF), 0x8e, 0);
    fixture_user(0);
    pc.cpu.cr0 |= CR0_AM;
    pc.cpu.eflags |= FLAG_AC;
    pc.cpu.gpr[ESP] = USER_STACK - 1;
    if (_i) {
        paging_on();
        pc.cpu.idtr.base = IDT_AT + 0x1000 - 8 * VEC_AC;        /* #PF's gate before the page's end, #AC's behind it */
        memcpy(pc.mem.ram + IDT_AT + 0x1000 - 24, pc.mem.ram + IDT_AT + 8 * VEC_PF, 8);
        set_pte(IDT_AT + 0x1000, 0);
    }
    set_exception(VEC_AC, 0);
    ck_assert(!event_exception(&pc));
    ck_assert(pc.stopped);
    ck_assert_int_eq(pc.status, EXIT_CRASH);
    ck_assert_ptr_nonnull(strstr(pc.why, "for ever"));
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

START_TEST(external)
{
    raise_irq0();
    pc.cpu.eflags |= interrupts[_i].eflags;
    pc.cpu.shadow = interrupts[_i].shadow;
    pc.cpu.halted = true;
    ck_assert_int_eq(event_waiting(&pc), interrupts[_i].waiting);
    event_interrupts(&pc);
    ck_assert_int_eq(pc.cpu.halted, !interrupts[_i].taken);
    if (!interrupts[_i].taken) {
        ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
        ck_assert(bus_intr(&pc.bus));                   /* still pending */
        return;
    }
    check_arrival(0x20, KERNEL_STACK - 12);
    check_frame(0, CODE_AT, KCODE, FLAG_ONE | FLAG_IF);
    ck_assert(!bus_intr(&pc.bus));
    pc.cpu.eflags |= FLAG_IF;
    event_interrupts(&pc);                              /* in service: not a second time */
    ck_assert_uint_eq(pc.counters.events[0x20], 1);
}
END_TEST

START_TEST(none_pending)
{
    pc.cpu.eflags |= FLAG_IF;
    ck_assert(!event_waiting(&pc));
    event_interrupts(&pc);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

Suite *suite_event(void)
{
    Suite *s = suite_create("event");
    TCase *t = fixture_case(s, "frames");

    tcase_add_loop_test(t, exception_same_privilege, 0, COUNT_OF(exceptions));
    tcase_add_loop_test(t, exception_inward, 0, COUNT_OF(exceptions));
    tcase_add_loop_test(t, gate_flags, 0, COUNT_OF(gate_kinds));
    tcase_add_loop_test(t, gate16, 0, COUNT_OF(narrow_kinds));
    tcase_add_test(t, conforming_handler);
    tcase_add_loop_test(t, ring1_handler, 0, 2);
    t = fixture_case(s, "refusals");
    tcase_add_loop_test(t, refused_software, 0, COUNT_OF(refusals));
    tcase_add_loop_test(t, refused_external, 0, COUNT_OF(refusals));
    tcase_add_test(t, gate_privilege);
    tcase_add_test(t, outward_handler);
    tcase_add_test(t, handler_at_limit);
    tcase_add_test(t, idt_limit);
    tcase_add_test(t, task_gate);
    t = fixture_case(s, "stacks");
    tcase_add_loop_test(t, bad_inner_stack, 0, COUNT_OF(stacks));
    tcase_add_test(t, tss_limit);
    tcase_add_test(t, own_stack_too_small);
    tcase_add_test(t, external_without_stack);
    tcase_add_test(t, idt_page);
    tcase_add_test(t, inner_stack_page);
    t = fixture_case(s, "double");
    tcase_add_loop_test(t, second_fault, 0, COUNT_OF(pairs));
    tcase_add_loop_test(t, triple_fault, 0, COUNT_OF(triples));
    tcase_add_test(t, triple_fault_without_idt);
    tcase_add_loop_test(t, exception_without_end, 0, 2);
    t = fixture_case(s, "external");
    tcase_add_loop_test(t, external, 0, COUNT_OF(interrupts));
    tcase_add_test(t, none_pending);
    return s;
}
