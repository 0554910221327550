/* Far JMP, CALL, RET and IRET. Intel SDM vol. 2A/2B, the operation sections of these; vol. 3A 5.8. Descriptor
 * SPARE is the code that a row names, SPARE + 8 a gate to it. */
#include <string.h>

#include "fixture.h"
#include "status.h"
#include "transfer.h"

enum { NEXT = CODE_AT + 7, GATE = SPARE + 8, RING1_STACK = SPARE + 16, OUTSIDE = GDT_ENTRIES * 8 };

static void at_cpl(unsigned cpl)
{
    if (cpl)
        fixture_user(0);
    pc.cpu.seg[CS].selector = (uint16_t)((cpl == 3 ? UCODE & ~3 : KCODE) | cpl);
}

/* ---- direct jumps and calls ---------------------------------------------------------------------- */

static const struct direct {
    const char *what;
    unsigned cpl;
    uint16_t selector;
    unsigned attr;              /* of SPARE */
    uint32_t eip;
    int vector, error;
} directs[] = {
    { "kernel code", 0, SPARE, 0x09a, 0x1234, NO_FAULT, 0 },
    { "execute-only code", 0, SPARE, 0x098, 0x1234, NO_FAULT, 0 },
    { "last byte of the segment", 0, SPARE, 0x09a, 0xffff, NO_FAULT, 0 },
    { "beyond the limit", 0, SPARE, 0x09a, 0x10000, VEC_GP, 0 },
    { "null", 0, 0, 0, 0, VEC_GP, 0 },
    { "null, RPL 3", 0, 3, 0, 0, VEC_GP, 0 },
    { "outside the GDT", 0, OUTSIDE, 0, 0, VEC_GP, OUTSIDE },
    { "outside the LDT", 0, 0x44, 0, 0, VEC_GP, 0x44 },
    { "in the LDT", 0, 0x0c, 0x09a, 0x1234, NO_FAULT, 0 },
    { "RPL 3 from CPL 0", 0, SPARE | 3, 0x09a, 0, VEC_GP, SPARE },
    { "user code from CPL 0", 0, SPARE | 3, 0x0fa, 0, VEC_GP, SPARE },
    { "user code, RPL 0, from CPL 0", 0, SPARE, 0x0fa, 0, VEC_GP, SPARE },
    { "kernel code from CPL 3", 3, SPARE | 3, 0x09a, 0, VEC_GP, SPARE },
    { "user code from CPL 3", 3, SPARE | 3, 0x0fa, 0x1234, NO_FAULT, 0 },
    { "user code, RPL 0, from CPL 3", 3, SPARE, 0x0fa, 0x1234, NO_FAULT, 0 },
    { "conforming code of DPL 0 from CPL 3", 3, SPARE, 0x09e, 0x1234, NO_FAULT, 0 },
    { "conforming code of DPL 0 from CPL 0, RPL 3", 0, SPARE | 3, 0x09e, 0x1234, NO_FAULT, 0 },
    { "conforming code of DPL 3 from CPL 0", 0, SPARE, 0x0fe, 0, VEC_GP, SPARE },
    { "data", 0, SPARE, 0x092, 0, VEC_GP, SPARE },
    { "data in the LDT", 0, 0x0c, 0x092, 0, VEC_GP, 0x0c },
    { "an LDT", 0, SPARE, 0x082, 0, VEC_GP, SPARE },
    { "an interrupt gate", 0, SPARE, 0x08e, 0, VEC_GP, SPARE },
    { "a busy TSS", 0, SPARE, 0x08b, 0, VEC_GP, SPARE },
    { "not present", 0, SPARE, 0x01a, 0, VEC_NP, SPARE },
    { "not present and not allowed", 3, SPARE, 0x01a, 0, VEC_GP, SPARE },
    { "not present and beyond the limit", 0, SPARE, 0x01a, 0x10000, VEC_NP, SPARE },
};

static void check_direct(const struct direct *d, bool call)
{
    struct vcpu before;
    bool ok;

    at_cpl(d->cpl);
    if (d->attr)
        set_descriptor(d->selector, 0x00010000, 0xffff, d->attr | A_BIG);
    before = pc.cpu;
    ok = call ? transfer_call(&pc, d->selector, d->eip, 4, NEXT) : transfer_jump(&pc, d->selector, d->eip, 4);
    if (d->vector != NO_FAULT) {
        expect_fault(ok, (unsigned)d->vector, d->error, d->what);
        expect_unchanged(before, d->what);
        return;
    }
    expect_ran(ok, d->what);
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, (d->selector & ~3u) | d->cpl);      /* CPL, not RPL */
    ck_assert_uint_eq(pc.cpu.seg[CS].base, 0x00010000);
    ck_assert_uint_eq(pc.cpu.eip, d->eip);
    ck_assert_uint_eq(descriptor_byte5(d->selector), d->attr | 1);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], before.gpr[ESP] - (call ? 8 : 0));
    if (call) {
        ck_assert_uint_eq(stack_word(0), NEXT);
        ck_assert_uint_eq(stack_word(1) & 0xffff, before.seg[CS].selector);
    }
}

START_TEST(jump_direct) { check_direct(&directs[_i], false); } END_TEST
START_TEST(call_direct) { check_direct(&directs[_i], true); } END_TEST

START_TEST(operand16)
{
    ck_assert(transfer_jump(&pc, KCODE, 0xdead1234, 2));
    ck_assert_uint_eq(pc.cpu.eip, 0x1234);
    ck_assert(transfer_call(&pc, KCODE, 0xdead5678, 2, 0x12349abc));
    ck_assert_uint_eq(pc.cpu.eip, 0x5678);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 4);
    ck_assert_uint_eq(stack_word(0), KCODE << 16 | 0x9abc);
    ck_assert(transfer_return(&pc, 2, 0));
    ck_assert_uint_eq(pc.cpu.eip, 0x9abc);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK);
}
END_TEST

START_TEST(call_without_stack)
{
    pc.cpu.gpr[ESP] = 4;
    pc.cpu.seg[SS].limit = 0xfff;
    expect_fault(transfer_call(&pc, KCODE, 0x1234, 4, NEXT), VEC_SS, 0, "second push wraps");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 4);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

/* ---- call gates ---------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    unsigned cpl;
    uint16_t selector;
    unsigned gate;              /* attributes of GATE */
    uint16_t target;
    unsigned code;              /* attributes of SPARE */
    int jump, call;             /* vector, NO_FAULT: it works */
    unsigned error;
    unsigned cpl_after;         /* of a call */
} gates[] = {
    { "same privilege", 0, GATE, 0x08c, SPARE, 0x09a, NO_FAULT, NO_FAULT, 0, 0 },
    { "RPL of the gate's selector is ignored", 0, GATE, 0x08c, SPARE | 3, 0x09a, NO_FAULT, NO_FAULT, 0, 0 },
    { "from user to user", 3, GATE | 3, 0x0ec, SPARE | 3, 0x0fa, NO_FAULT, NO_FAULT, 0, 3 },
    { "from user inward", 3, GATE | 3, 0x0ec, SPARE, 0x09a, VEC_GP, NO_FAULT, SPARE, 0 },
    { "from user to conforming code", 3, GATE | 3, 0x0ec, SPARE, 0x09e, NO_FAULT, NO_FAULT, 0, 3 },
    { "from kernel outward", 0, GATE, 0x08c, SPARE, 0x0fa, VEC_GP, VEC_GP, SPARE, 0 },
    { "gate's DPL below CPL", 3, GATE, 0x08c, SPARE, 0x09a, VEC_GP, VEC_GP, GATE, 0 },
    { "gate's DPL below RPL", 0, GATE | 3, 0x08c, SPARE, 0x09a, VEC_GP, VEC_GP, GATE, 0 },
    { "gate not present", 0, GATE, 0x00c, SPARE, 0x09a, VEC_NP, VEC_NP, GATE, 0 },
    { "gate not present and forbidden", 3, GATE, 0x00c, SPARE, 0x09a, VEC_GP, VEC_GP, GATE, 0 },
    { "to null", 0, GATE, 0x08c, 0, 0x09a, VEC_GP, VEC_GP, 0, 0 },
    { "to outside the GDT", 0, GATE, 0x08c, OUTSIDE, 0x09a, VEC_GP, VEC_GP, OUTSIDE, 0 },
    { "to data", 0, GATE, 0x08c, KDATA, 0x09a, VEC_GP, VEC_GP, KDATA, 0 },
    { "to another gate", 0, GATE, 0x08c, GATE, 0x09a, VEC_GP, VEC_GP, GATE, 0 },
    { "to absent code", 0, GATE, 0x08c, SPARE, 0x01a, VEC_NP, VEC_NP, SPARE, 0 },
    { "a jump inward to absent code", 3, GATE | 3, 0x0ec, SPARE, 0x01a, VEC_GP, VEC_NP, SPARE, 0 },
};

static void check_gate(int i, bool call)
{
    int vector = call ? gates[i].call : gates[i].jump;
    struct vcpu before;
    bool ok;

    at_cpl(gates[i].cpl);
    set_descriptor(SPARE, 0, 0xfffff, gates[i].code | A_FLAT);
    set_gate(GDT_AT + GATE, gates[i].target, 0x12345678, gates[i].gate, 0);
    before = pc.cpu;
    ok = call ? transfer_call(&pc, gates[i].selector, 0xdeadbeef, 4, NEXT)
              : transfer_jump(&pc, gates[i].selector, 0xdeadbeef, 4);
    if (vector != NO_FAULT) {
        expect_fault(ok, (unsigned)vector, (int)gates[i].error, gates[i].what);
        expect_unchanged(before, gates[i].what);
        ck_assert_msg(descriptor_byte5(SPARE) == gates[i].code, "%s: accessed bit", gates[i].what);
        return;
    }
    expect_ran(ok, gates[i].what);
    ck_assert_uint_eq(pc.cpu.eip, 0x12345678);          /* the gate's offset */
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, SPARE | gates[i].cpl_after);
    if (call) {
        ck_assert_uint_eq(stack_word(0), NEXT);
        ck_assert_uint_eq(stack_word(1) & 0xffff, before.seg[CS].selector);
    }
}

START_TEST(jump_gate) { check_gate(_i, false); } END_TEST
START_TEST(call_gate) { check_gate(_i, true); } END_TEST

/* Inward: SS, ESP, parameters in their order, CS, EIP on the stack of the TSS. And back with RET n. */
START_TEST(call_gate_parameters)
{
    fixture_user(0);
    set_gate(GDT_AT + GATE, KCODE, 0x1234, 0x0ec, 3);
    pc.cpu.gpr[ESP] -= 12;
    for (uint32_t i = 0; i < 3; i++)
        poke(USER_STACK - 12 + 4 * i, 0x11110000 + i);
    ck_assert(transfer_call(&pc, GATE | 3, 0, 4, NEXT));
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 28);
    ck_assert_uint_eq(pc.cpu.seg[SS].selector, KDATA);
    ck_assert_uint_eq(stack_word(0), NEXT);
    ck_assert_uint_eq(stack_word(1) & 0xffff, UCODE);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(stack_word(2 + i), 0x11110000 + i);
    ck_assert_uint_eq(stack_word(5), USER_STACK - 12);
    ck_assert_uint_eq(stack_word(6) & 0xffff, UDATA);
    ck_assert(transfer_return(&pc, 4, 12));             /* releases the parameters on both stacks */
    ck_assert_uint_eq(pc.cpu.gpr[ESP], USER_STACK);
    ck_assert_uint_eq(pc.cpu.seg[SS].selector, UDATA);
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, UCODE);
    ck_assert_uint_eq(pc.cpu.eip, NEXT);
}
END_TEST

START_TEST(call_gate16)
{
    fixture_user(0);
    set_gate(GDT_AT + GATE, KCODE, 0xdead1234, 0x0e4, 1);
    pc.cpu.gpr[ESP] -= 2;
    poke(USER_STACK - 2, 0x5555);
    ck_assert(transfer_call(&pc, GATE | 3, 0, 4, NEXT));        /* the gate's size counts, not the operand's */
    ck_assert_uint_eq(pc.cpu.eip, 0x1234);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 10);
    ck_assert_uint_eq(stack_word(0), UCODE << 16 | NEXT);
    ck_assert_uint_eq(stack_word(1), (USER_STACK - 2u) << 16 | 0x5555);
    ck_assert_uint_eq(stack_word(2) & 0xffff, UDATA);
}
END_TEST

START_TEST(call_gate_stack)
{
    fixture_user(0);
    set_gate(GDT_AT + GATE, KCODE, 0x1234, 0x0ec, 1);
    poke(TSS_AT + 8, KDATA | 3);
    expect_fault(transfer_call(&pc, GATE | 3, 0, 4, NEXT), VEC_TS, KDATA, "SS0 with RPL 3");
    set_descriptor(SPARE, 0, 0xfff, 0x092 | A_BIG);
    poke(TSS_AT + 4, 12);
    poke(TSS_AT + 8, SPARE);
    expect_fault(transfer_call(&pc, GATE | 3, 0, 4, NEXT), VEC_SS, SPARE, "ESP0 leaves no room for CS");
    poke(TSS_AT + 4, KERNEL_STACK);
    poke(TSS_AT + 8, KDATA);
    pc.cpu.seg[SS].limit = USER_STACK;
    expect_fault(transfer_call(&pc, GATE | 3, 0, 4, NEXT), VEC_SS, 0, "parameter beyond the old stack");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], USER_STACK);
    ck_assert_uint_eq(vcpu_cpl(&pc.cpu), 3);
}
END_TEST

static const struct { unsigned attr; bool stops; } tasks[] = {
    { 0x089, true }, { 0x085, true }, { 0x081, true }, { 0x009, false },
};

START_TEST(task_switch)
{
    set_descriptor(SPARE, TSS_AT, 0x67, tasks[_i].attr);
    ck_assert(!transfer_jump(&pc, SPARE, 0, 4));
    ck_assert_int_eq(pc.stopped, tasks[_i].stops);
    if (tasks[_i].stops)
        ck_assert_int_eq(pc.status, EXIT_CRASH);
    else
        expect_fault(false, VEC_NP, SPARE, "TSS not present");
}
END_TEST

/* ---- returns ------------------------------------------------------------------------------------- */

/* The frame on the kernel's stack: EIP, CS, (EFLAGS,) ESP, SS. RET and IRET check alike. */
static const struct {
    const char *what;
    uint16_t cs, ss;
    unsigned code, data;        /* attributes of SPARE and SPARE + 8; 0: those selectors are not used */
    uint32_t eip;
    int vector, error;
} returns[] = {
    { "same privilege", KCODE, 0, 0, 0, 0x1234, NO_FAULT, 0 },
    { "outward", UCODE, UDATA, 0, 0, 0x1234, NO_FAULT, 0 },
    { "to ring 1", SPARE | 1, GATE | 1, 0x0ba, 0x0b2, 0x1234, NO_FAULT, 0 },
    { "outward to conforming code", SPARE | 3, UDATA, 0x09e, 0, 0x1234, NO_FAULT, 0 },
    { "outward to conforming code of DPL 3", SPARE | 3, UDATA, 0x0fe, 0, 0x1234, NO_FAULT, 0 },
    { "conforming code of more DPL than RPL", SPARE | 1, GATE | 1, 0x0fe, 0x0b2, 0, VEC_GP, SPARE },
    { "null", 0, 0, 0, 0, 0, VEC_GP, 0 },
    { "null, RPL 3", 3, UDATA, 0, 0, 0, VEC_GP, 0 },
    { "outside the GDT", OUTSIDE | 3, UDATA, 0, 0, 0, VEC_GP, OUTSIDE },
    { "data", KDATA, 0, 0, 0, 0, VEC_GP, KDATA },
    { "a TSS", TSS_SEL, 0, 0, 0, 0, VEC_GP, TSS_SEL },
    { "RPL 3, DPL 0", KCODE | 3, UDATA, 0, 0, 0, VEC_GP, KCODE },
    { "RPL 0, DPL 3", UCODE & ~3, 0, 0, 0, 0, VEC_GP, UCODE & ~3 },
    { "not present", SPARE | 3, UDATA, 0x07a, 0, 0, VEC_NP, SPARE },
    { "beyond the limit", SPARE | 3, UDATA, 0x0fa, 0, 0x10000, VEC_GP, 0 },
    { "null SS", UCODE, 0, 0, 0, 0, VEC_GP, 0 },
    { "SS outside the GDT", UCODE, OUTSIDE | 3, 0, 0, 0, VEC_GP, OUTSIDE },
    { "SS of RPL 0", UCODE, UDATA & ~3, 0, 0, 0, VEC_GP, UDATA & ~3 },
    { "SS of DPL 0", UCODE, KDATA | 3, 0, 0, 0, VEC_GP, KDATA },
    { "SS is code", UCODE, UCODE, 0, 0, 0, VEC_GP, UCODE & ~3 },
    { "SS read-only", UCODE, GATE | 3, 0, 0x0f0, 0, VEC_GP, GATE },
    { "SS not present", UCODE, GATE | 3, 0, 0x072, 0, VEC_SS, GATE },
};

static void check_return(int i, bool iret)
{
    uint32_t frame[5] = { returns[i].eip, 0xdead0000u | returns[i].cs, FLAG_ONE, USER_STACK,
                          0xdead0000u | returns[i].ss };
    unsigned n = 0;
    struct vcpu before;
    bool ok;

    if (returns[i].code)
        set_descriptor(SPARE, 0, 0xffff, returns[i].code | A_BIG);
    if (returns[i].data)
        set_descriptor(GATE, 0, 0xfffff, returns[i].data | A_FLAT);
    pc.cpu.gpr[ESP] -= 20;
    for (int k = 0; k < 5; k++)
        if (k != 2 || iret)
            poke(KERNEL_STACK - 20 + 4 * n++, frame[k]);
    before = pc.cpu;
    ok = iret ? transfer_iret(&pc, 4) : transfer_return(&pc, 4, 0);
    if (returns[i].vector != NO_FAULT) {
        expect_fault(ok, (unsigned)returns[i].vector, returns[i].error, returns[i].what);
        expect_unchanged(before, returns[i].what);
        return;
    }
    expect_ran(ok, returns[i].what);
    ck_assert_uint_eq(pc.cpu.seg[CS].selector, returns[i].cs);
    ck_assert_uint_eq(pc.cpu.eip, 0x1234);
    if (returns[i].cs & 3) {
        ck_assert_uint_eq(pc.cpu.seg[SS].selector, returns[i].ss);
        ck_assert_uint_eq(pc.cpu.gpr[ESP], USER_STACK);
    } else {
        ck_assert_uint_eq(pc.cpu.seg[SS].selector, KDATA);
        ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - (iret ? 8 : 12));
    }
}

START_TEST(far_return) { check_return(_i, false); } END_TEST
START_TEST(iret) { check_return(_i, true); } END_TEST

START_TEST(return_inward)
{
    fixture_user(0);
    poke(USER_STACK - 8, 0x1234);
    poke(USER_STACK - 4, KCODE);
    pc.cpu.gpr[ESP] -= 8;
    expect_fault(transfer_return(&pc, 4, 0), VEC_GP, KCODE, "RPL below CPL");
}
END_TEST

/* Leaving privilege takes the data segments that it had with it. */
static const struct { const char *what; unsigned attr; bool kept; } data_segments[] = {
    { "kernel data", 0x093, false },
    { "kernel code", 0x09b, false },
    { "kernel code, conforming", 0x09f, true },
    { "ring 2 data", 0x0d3, false },
    { "user data", 0x0f3, true },
    { "user code", 0x0fb, true },
};

START_TEST(data_segments_dropped)
{
    static const enum segreg seg[] = { ES, DS, FS, GS };
    const uint32_t frame[] = { 0x1234, UCODE, FLAG_ONE, USER_STACK, UDATA };

    for (int k = 0; k < 4; k++)
        pc.cpu.seg[seg[k]] = (struct segment){ SPARE, (uint16_t)data_segments[_i].attr, 0x1000, 0xfff };
    pc.cpu.gpr[ESP] -= 20;
    for (unsigned k = 0; k < 5; k++)
        poke(KERNEL_STACK - 20 + 4 * k, frame[k]);
    ck_assert(transfer_iret(&pc, 4));
    for (int k = 0; k < 4; k++) {
        ck_assert_msg(pc.cpu.seg[seg[k]].selector == (data_segments[_i].kept ? SPARE : 0), "%s",
                      data_segments[_i].what);
        ck_assert_int_eq(!!(pc.cpu.seg[seg[k]].attr & ATTR_PRESENT), data_segments[_i].kept);
    }
}
END_TEST

/* What IRET changes of the flags, by the privilege before it. */
static const struct {
    unsigned cpl, iopl, bytes;
    uint32_t changes;
} masks[] = {
    { 0, 0, 4, 0x3d7fd5 }, { 0, 0, 2, 0x7fd5 }, { 0, 3, 4, 0x3d7fd5 },
    { 3, 0, 4, 0x254dd5 }, { 3, 0, 2, 0x4dd5 }, { 3, 2, 4, 0x254dd5 },
    { 3, 3, 4, 0x254fd5 }, { 3, 3, 2, 0x4fd5 },
};

static void iret_flags(int i, uint32_t popped, uint32_t before, uint32_t expected)
{
    unsigned bytes = masks[i].bytes;
    uint32_t value[3] = { 0x1234, masks[i].cpl ? UCODE : KCODE, popped };

    fixture_setup();
    at_cpl(masks[i].cpl);
    pc.cpu.eflags = before;
    for (unsigned k = 0; k < 3; k++)
        memory_write(&pc.mem, 0x8000 + bytes * k, bytes, value[k]);
    pc.cpu.gpr[ESP] = 0x8000;
    ck_assert(transfer_iret(&pc, bytes));
    ck_assert_msg(pc.cpu.eflags == expected, "CPL %u IOPL %u %u bytes: 0x%x, expected 0x%x", masks[i].cpl,
                  masks[i].iopl, bytes, pc.cpu.eflags, expected);
}

START_TEST(iret_flag_masks)
{
    uint32_t iopl = masks[_i].iopl << FLAG_IOPL_SHIFT, all = 0x3f7fd7, changes = masks[_i].changes;
    uint32_t set = all & ~(uint32_t)(FLAG_VM | FLAG_NT | FLAG_IOPL);

    iret_flags(_i, all & ~(uint32_t)FLAG_VM, FLAG_ONE | iopl, FLAG_ONE | iopl | (changes & ~(uint32_t)FLAG_VM));
    iret_flags(_i, 0, set | iopl, (set | iopl | FLAG_ONE) & ~changes);
    iret_flags(_i, 0xffc08028, FLAG_ONE | iopl, FLAG_ONE | (iopl & ~changes));   /* reserved bits stay 0 */
}
END_TEST

/* The flags are those of the CPL before: a kernel returning outward sets IF and IOPL. */
START_TEST(iret_outward_flags)
{
    const uint32_t frame[] = { 0x1234, UCODE, 0x3202 | FLAG_RF, USER_STACK, UDATA };

    pc.cpu.gpr[ESP] -= 20;
    for (unsigned k = 0; k < 5; k++)
        poke(KERNEL_STACK - 20 + 4 * k, frame[k]);
    ck_assert(transfer_iret(&pc, 4));
    ck_assert_uint_eq(pc.cpu.eflags, 0x3202 | FLAG_RF);
}
END_TEST

START_TEST(iret_not_modelled)
{
    if (_i)
        pc.cpu.eflags |= FLAG_NT;
    else
        poke(KERNEL_STACK + 8, FLAG_VM);
    poke(KERNEL_STACK, 0x1234);
    poke(KERNEL_STACK + 4, KCODE);
    ck_assert(!transfer_iret(&pc, 4));
    ck_assert_int_eq(pc.status, EXIT_CRASH);
}
END_TEST

START_TEST(iret_page_fault)
{
    paging_on();
    set_pte(0xb000, 0);
    pc.cpu.gpr[ESP] = 0xaff8;                           /* EIP and CS are there, the flags are not */
    poke(0xaff8, 0x1234);
    poke(0xaffc, KCODE);
    expect_fault(transfer_iret(&pc, 4), VEC_PF, 0, "flags on a missing page");
    ck_assert_uint_eq(pc.cpu.fault.cr2, 0xb000);
    pc.cpu.gpr[ESP] = 0xaffc;
    expect_fault(transfer_return(&pc, 4, 0), VEC_PF, 0, "CS on a missing page");
    pc.cpu.gpr[ESP] = 0xaff8;
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 0xaff8);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
}
END_TEST

/* ---- stacks of 16 bits ----------------------------------------------------------------------------- */

/* Only SP counts and only SP moves, also when it is loaded by a return (Linux' "espfix" is about that). */
START_TEST(stack16)
{
    struct stack s;
    uint32_t value;

    pc.cpu.seg[SS].attr &= ~(unsigned)ATTR_BIG;
    pc.cpu.seg[SS].limit = 0xffff;
    pc.cpu.gpr[ESP] = 0x12340000;
    s = stack_current(&pc.cpu);
    ck_assert(stack_push(&pc, &s, 0xcafebabe, 4));
    stack_commit(&pc.cpu, &s);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 0x1234fffc);
    ck_assert_uint_eq(peek(0xfffc), 0xcafebabe);
    ck_assert(stack_pop(&pc, &s, 4, &value));
    ck_assert_uint_eq(value, 0xcafebabe);
    ck_assert_uint_eq(s.esp, 0x12340000);
}
END_TEST

START_TEST(return_to_stack16)
{
    const uint32_t frame[] = { 0x1234, UCODE, 0x55558000, GATE | 3 };

    set_descriptor(GATE, 0, 0xffff, 0x0f2);
    pc.cpu.gpr[ESP] = KERNEL_STACK - 16;
    for (unsigned k = 0; k < 4; k++)
        poke(KERNEL_STACK - 16 + 4 * k, frame[k]);
    pc.cpu.seg[SS].base = 0x10000;                      /* so that ESP's upper half is not 0 */
    pc.cpu.gpr[ESP] -= 0x10000;
    ck_assert(transfer_return(&pc, 4, 0));
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 0xffff8000);
}
END_TEST

Suite *suite_transfer(void)
{
    Suite *s = suite_create("transfer");
    TCase *t = fixture_case(s, "direct");

    tcase_add_loop_test(t, jump_direct, 0, COUNT_OF(directs));
    tcase_add_loop_test(t, call_direct, 0, COUNT_OF(directs));
    tcase_add_test(t, operand16);
    tcase_add_test(t, call_without_stack);
    t = fixture_case(s, "gates");
    tcase_add_loop_test(t, jump_gate, 0, COUNT_OF(gates));
    tcase_add_loop_test(t, call_gate, 0, COUNT_OF(gates));
    tcase_add_test(t, call_gate_parameters);
    tcase_add_test(t, call_gate16);
    tcase_add_test(t, call_gate_stack);
    tcase_add_loop_test(t, task_switch, 0, COUNT_OF(tasks));
    t = fixture_case(s, "returns");
    tcase_add_loop_test(t, far_return, 0, COUNT_OF(returns));
    tcase_add_loop_test(t, iret, 0, COUNT_OF(returns));
    tcase_add_test(t, return_inward);
    tcase_add_loop_test(t, data_segments_dropped, 0, COUNT_OF(data_segments));
    tcase_add_loop_test(t, iret_flag_masks, 0, COUNT_OF(masks));
    tcase_add_test(t, iret_outward_flags);
    tcase_add_loop_test(t, iret_not_modelled, 0, 2);
    tcase_add_test(t, iret_page_fault);
    t = fixture_case(s, "16-bit stacks");
    tcase_add_test(t, stack16);
    tcase_add_test(t, return_to_stack16);
    return s;
}
