/* Each handler of the emulator, by its instruction's bytes. Intel SDM vol. 2, the operation and exception
 * sections of each instruction; vol. 1 3.4.3 (flags) and 19.5.2 (I/O bitmap); vol. 3B 17.3.1.4 (single step). */
#include <string.h>

#include "emulate.h"
#include "fixture.h"
#include "pc.h"
#include "status.h"

enum { OUTSIDE = GDT_ENTRIES * 8 };

#define BYTES(literal) literal, sizeof literal - 1

/* Registers and shadow are as they were; `fault` is looked at elsewhere. */
static void check_unchanged(struct vcpu before, const char *what)
{
    before.fault = pc.cpu.fault;
    ck_assert_msg(memcmp(&before, &pc.cpu, sizeof before) == 0, "%s: the processor's state changed", what);
}

static void ran(bool ok, const char *what)
{
    ck_assert_msg(ok, "%s: #%u(0x%x)", what, pc.cpu.fault.vector, pc.cpu.fault.error);
}

/* ---- privilege ----------------------------------------------------------------------------------- */

static const struct { const char *what, *bytes; size_t n; } privileged[] = {
    { "hlt", BYTES("\xf4") },
    { "lgdt", BYTES("\x0f\x01\x15\x00\x00\x02\x00") },
    { "lidt", BYTES("\x0f\x01\x1d\x00\x00\x02\x00") },
    { "lldt", BYTES("\x0f\x00\xd0") },
    { "ltr", BYTES("\x0f\x00\xd8") },
    { "lmsw", BYTES("\x0f\x01\xf0") },
    { "clts", BYTES("\x0f\x06") },
    { "invlpg", BYTES("\x0f\x01\x38") },
    { "invd", BYTES("\x0f\x08") },
    { "wbinvd", BYTES("\x0f\x09") },
    { "rdmsr", BYTES("\x0f\x32") },
    { "wrmsr", BYTES("\x0f\x30") },
    { "mov eax, cr0", BYTES("\x0f\x20\xc0") },
    { "mov cr3, eax", BYTES("\x0f\x22\xd8") },
    { "mov eax, dr7", BYTES("\x0f\x21\xf8") },
    { "mov dr0, eax", BYTES("\x0f\x23\xc0") },
};

START_TEST(privileged_faults)
{
    for (unsigned cpl = 1; cpl <= 3; cpl++) {
        struct vcpu before;

        fixture_setup();
        fixture_user(3);                                /* IOPL does not help */
        pc.cpu.seg[CS].selector = (uint16_t)((UCODE & ~3) | cpl);
        before = pc.cpu;
        expect_fault(run_bytes(privileged[_i].bytes, privileged[_i].n), VEC_GP, 0, privileged[_i].what);
        check_unchanged(before, privileged[_i].what);
    }
}
END_TEST

static const struct { const char *what, *bytes; size_t n; unsigned cpl, iopl; bool ok; } by_iopl[] = {
    { "cli", BYTES("\xfa"), 0, 0, true }, { "cli", BYTES("\xfa"), 3, 0, false }, { "cli", BYTES("\xfa"), 3, 2, false },
    { "cli", BYTES("\xfa"), 3, 3, true }, { "cli", BYTES("\xfa"), 1, 1, true }, { "cli", BYTES("\xfa"), 2, 1, false },
    { "sti", BYTES("\xfb"), 0, 0, true }, { "sti", BYTES("\xfb"), 3, 2, false }, { "sti", BYTES("\xfb"), 3, 3, true },
    { "in al, dx", BYTES("\xec"), 3, 3, true }, { "in al, dx", BYTES("\xec"), 3, 2, false },
    { "out dx, al", BYTES("\xee"), 2, 2, true }, { "out dx, al", BYTES("\xee"), 3, 0, false },
    { "insb", BYTES("\x6c"), 3, 0, false }, { "insb", BYTES("\x6c"), 3, 3, true },
    { "outsb", BYTES("\x6e"), 3, 0, false }, { "outsb", BYTES("\x6e"), 3, 3, true },
    { "rep insd", BYTES("\xf3\x6d"), 3, 0, false }, { "rep outsd", BYTES("\xf3\x6f"), 3, 0, false },
};

START_TEST(iopl)
{
    struct vcpu before;
    bool ok;

    if (by_iopl[_i].cpl)
        fixture_user(by_iopl[_i].iopl);
    pc.cpu.seg[CS].selector = (uint16_t)((pc.cpu.seg[CS].selector & ~3) | by_iopl[_i].cpl);
    pc.cpu.gpr[ECX] = 1;
    pc.cpu.gpr[EDX] = 0x1234;                           /* nobody's port; its bits in the bitmap are 1 */
    pc.cpu.gpr[ESI] = pc.cpu.gpr[EDI] = DATA_AT;
    before = pc.cpu;
    ok = run_bytes(by_iopl[_i].bytes, by_iopl[_i].n);
    if (by_iopl[_i].ok) {
        ran(ok, by_iopl[_i].what);
        ck_assert_uint_eq(pc.cpu.eip, CODE_AT + by_iopl[_i].n);
        return;
    }
    expect_fault(ok, VEC_GP, 0, by_iopl[_i].what);
    check_unchanged(before, by_iopl[_i].what);
}
END_TEST

/* The bitmap at TSS offset `base`; the bits of ports 0x3f8 to 0x407 are `bits`, bit 0 is port 0x3f8's. */
static const struct {
    const char *what;
    unsigned base, bits;
    uint32_t limit;
    unsigned type;
    uint16_t port;
    unsigned bytes;
    bool ok;
} bitmaps[] = {
    { "clear bit", 104, 0xfffe, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 1, true },
    { "set bit", 104, 0x0001, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 1, false },
    { "another's bit", 104, 0xfffe, TSS_LIMIT, SYS_TSS_BUSY, 0x3f9, 1, false },
    { "two ports", 104, 0xfffc, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 2, true },
    { "the second of two", 104, 0xfffe, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 2, false },
    { "the fourth of four", 104, 0xfff8, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 4, false },
    { "four ports", 104, 0xfff0, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 4, true },
    { "across a byte", 104, 0xfe7f, TSS_LIMIT, SYS_TSS_BUSY, 0x3ff, 2, true },
    { "across a byte, the second set", 104, 0xff7f, TSS_LIMIT, SYS_TSS_BUSY, 0x3ff, 2, false },
    { "its byte and the next within the limit", 104, 0, 104 + 0x80, SYS_TSS_BUSY, 0x3f8, 1, true },
    { "the next byte beyond the limit", 104, 0, 104 + 0x7f, SYS_TSS_BUSY, 0x3f8, 1, false },
    { "beyond the limit", 104, 0, 104 + 0x70, SYS_TSS_BUSY, 0x3f8, 1, false },
    { "no bitmap", 0xffff, 0, TSS_LIMIT, SYS_TSS_BUSY, 0x3f8, 1, false },
    { "TSS without a bitmap's address", 104, 0, 0x60, SYS_TSS_BUSY, 0x3f8, 1, false },
    { "16-bit TSS", 104, 0, TSS_LIMIT, SYS_TSS16_BUSY, 0x3f8, 1, false },
};

START_TEST(io_bitmap)
{
    static const struct { const char *bytes; size_t n; } in[] = { [1] = { BYTES("\xec") }, [2] = { BYTES("\x66\xed") },
                                                                  [4] = { BYTES("\xed") } };
    bool ok;

    fixture_user(0);
    poke(TSS_AT + 100, bitmaps[_i].base << 16);
    memory_write(&pc.mem, TSS_AT + 104 + 0x7f, 2, bitmaps[_i].bits);
    pc.cpu.tr.limit = bitmaps[_i].limit;
    pc.cpu.tr.attr = (uint16_t)(ATTR_PRESENT | bitmaps[_i].type);
    pc.cpu.gpr[EDX] = bitmaps[_i].port;
    ok = run_bytes(in[bitmaps[_i].bytes].bytes, in[bitmaps[_i].bytes].n);
    if (bitmaps[_i].ok)
        ran(ok, bitmaps[_i].what);
    else
        expect_fault(ok, VEC_GP, 0, bitmaps[_i].what);
}
END_TEST

/* ---- flags, interrupts --------------------------------------------------------------------------- */

START_TEST(cli_sti)
{
    pc.cpu.eflags |= FLAG_IF;
    ran(RUN("\xfa"), "cli");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE);
    ran(RUN("\xfb"), "sti");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_IF);
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_STI);
    ran(RUN("\xfb"), "sti with IF already 1");          /* holds nothing back */
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
    ran(RUN("\xf4"), "hlt");
    ck_assert(pc.cpu.halted);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 4);
}
END_TEST

/* POPF: which bits change, by CPL and IOPL. */
static const struct { unsigned cpl, iopl, bytes; uint32_t changes; } popf_masks[] = {
    { 0, 0, 4, 0x247fd5 }, { 0, 0, 2, 0x7fd5 }, { 3, 0, 4, 0x244dd5 }, { 3, 0, 2, 0x4dd5 },
    { 3, 3, 4, 0x244fd5 }, { 3, 3, 2, 0x4fd5 }, { 3, 2, 4, 0x244dd5 },
};

static void popf_flags(int i, uint32_t popped, uint32_t before, uint32_t expected)
{
    fixture_setup();
    if (popf_masks[i].cpl)
        fixture_user(0);
    pc.cpu.eflags = before;
    poke(pc.cpu.gpr[ESP], popped);
    ran(popf_masks[i].bytes == 4 ? RUN("\x9d") : RUN("\x66\x9d"), "popf");
    /* bits that POPF leaves: a trap flag that was set raises #DB, so it is not among `before` */
    ck_assert_msg(pc.cpu.eflags == expected, "CPL %u IOPL %u: 0x%x, expected 0x%x", popf_masks[i].cpl,
                  popf_masks[i].iopl, pc.cpu.eflags, expected);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], (popf_masks[i].cpl ? USER_STACK : KERNEL_STACK) + popf_masks[i].bytes);
}

START_TEST(popf_flag_masks)
{
    uint32_t iopl = popf_masks[_i].iopl << FLAG_IOPL_SHIFT, changes = popf_masks[_i].changes;
    uint32_t set = 0x240ed7 | FLAG_NT;                  /* all but TF, IOPL, and what POPF never touches */

    popf_flags(_i, 0xffffffff, FLAG_ONE | iopl, FLAG_ONE | iopl | changes);
    popf_flags(_i, 0, set | iopl, (set | iopl | FLAG_ONE) & ~changes);
}
END_TEST

START_TEST(pushf)
{
    pc.cpu.eflags = 0x3f7ed7;                           /* all but TF; VM and RF are pushed as 0 */
    ran(RUN("\x9c"), "pushfd");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 4);
    ck_assert_uint_eq(stack_word(0), 0x3c7ed7);
    pc.cpu.eflags = 0x3246;
    ran(RUN("\x66\x9c"), "pushf");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 6);
    ck_assert_uint_eq(stack_word(0), 0x7ed73246);
    fixture_user(2);
    ran(RUN("\x9c"), "pushfd at CPL 3");                /* shows the guest's IF and IOPL */
    ck_assert_uint_eq(stack_word(0), 0x2202);
}
END_TEST

/* RF lasts for one instruction. A signal's frame has it set for the instruction that faulted. */
START_TEST(resume_flag)
{
    pc.cpu.eflags |= FLAG_RF;
    ran(RUN("\xfb"), "sti");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_IF);
}
END_TEST

/* TF as the instruction starts: #DB behind it, DR6.BS set. */
static const struct { const char *what, *bytes; size_t n; uint32_t eflags; bool trap; } steps[] = {
    { "cli", BYTES("\xfa"), 0, true },
    { "mov ds, ax", BYTES("\x8e\xd8"), 0, true },
    { "mov ss, ax", BYTES("\x8e\xd0"), 0, false },
    { "pop ss", BYTES("\x17"), 0, false },
    { "lss", BYTES("\x0f\xb2\x24\x24"), 0, true },      /* needs no shadow: it loads ESP as well */
    { "popfd that clears TF", BYTES("\x9d"), 0, true },
    { "int 0x40", BYTES("\xcd\x40"), 0, false },
    { "int3", BYTES("\xcc"), 0, false },
    { "into, taken", BYTES("\xce"), FLAG_OF, false },
    { "into, not taken", BYTES("\xce"), 0, true },
    { "jmp far", BYTES("\xea\x34\x12\x00\x00\x08\x00"), 0, true },
};

START_TEST(single_step)
{
    bool ok;

    pc.cpu.eflags |= FLAG_TF | steps[_i].eflags;
    pc.cpu.gpr[EAX] = KDATA;
    pc.cpu.gpr[ESP] = DATA_AT;
    poke(DATA_AT, steps[_i].bytes[0] == '\x9d' ? FLAG_ONE : KDATA);
    poke(DATA_AT + 4, KDATA);
    ok = run_bytes(steps[_i].bytes, steps[_i].n);
    if (!steps[_i].trap) {
        ran(ok, steps[_i].what);
        ck_assert(!(pc.cpu.dr[6] & 1 << 14));
        return;
    }
    expect_fault(ok, VEC_DB, NO_ERROR, steps[_i].what);
    ck_assert_uint_eq(pc.cpu.dr[6], 0xffff4ff0);
    ck_assert_uint_eq(pc.cpu.eip, steps[_i].bytes[0] == '\xea' ? 0x1234 : CODE_AT + steps[_i].n);
}
END_TEST

START_TEST(popf_sets_tf)
{
    poke(KERNEL_STACK, FLAG_TF);
    ran(RUN("\x9d"), "popfd that sets TF");             /* the next instruction is the first to trap */
    expect_fault(RUN("\xfa"), VEC_DB, NO_ERROR, "cli");
}
END_TEST

START_TEST(software_interrupts)
{
    static const struct { const char *bytes; size_t n; unsigned vector; } rows[] = {
        { BYTES("\xcd\x80"), 0x80 }, { BYTES("\xcc"), 3 }, { BYTES("\xcd\x03"), 3 }, { BYTES("\xce"), 4 },
        { BYTES("\xcd\xff"), 0xff },
    };

    for (int i = 0; i < COUNT_OF(rows); i++) {
        fixture_setup();
        pc.cpu.eflags |= FLAG_OF | FLAG_IF;
        ran(run_bytes(rows[i].bytes, rows[i].n), "int");
        ck_assert_uint_eq(pc.cpu.eip, handler_of(rows[i].vector));
        ck_assert_uint_eq(stack_word(0), CODE_AT + rows[i].n);
        ck_assert_uint_eq(stack_word(2), FLAG_ONE | FLAG_OF | FLAG_IF);
        fixture_setup();
        fixture_user(0);                                /* gates have DPL 0 */
        pc.cpu.eflags |= FLAG_OF;
        expect_fault(run_bytes(rows[i].bytes, rows[i].n), VEC_GP, (int)rows[i].vector * 8 + 2, "int at CPL 3");
        ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
    }
    fixture_setup();
    ran(RUN("\xce"), "into without OF");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 1);
}
END_TEST

/* ---- ports --------------------------------------------------------------------------------------- */

enum { SCRATCH = PORT_COM1 + 7 };

START_TEST(in_out)
{
    pc.cpu.gpr[EAX] = 0x112233a5;
    pc.cpu.gpr[EDX] = 0xffff0000 | SCRATCH;             /* DX only */
    ran(RUN("\xee"), "out dx, al");
    pc.cpu.gpr[EAX] = 0x11223344;
    ran(RUN("\xec"), "in al, dx");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x112233a5);
    ran(RUN("\x66\xed"), "in ax, dx");                  /* the next port is nobody's */
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x1122ffa5);
    ran(RUN("\xed"), "in eax, dx");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0xffffffa5);
    pc.cpu.gpr[EAX] = 0x5a;
    ran(RUN("\xe6\x21"), "out 0x21, al");
    pc.cpu.gpr[EAX] = 0;
    ran(RUN("\xe4\x21"), "in al, 0x21");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x5a);
    pc.cpu.gpr[EAX] = 0xff;
    ran(RUN("\xe6\xf4"), "out 0xf4, al");               /* immediate ports are not sign-extended */
    ck_assert_int_eq(pc.bus.exit_status, 0xff);
}
END_TEST

START_TEST(outs)
{
    poke(DATA_AT, 0x64636261);
    pc.cpu.gpr[EDX] = PORT_COM1;
    pc.cpu.gpr[ESI] = DATA_AT;
    pc.cpu.gpr[ECX] = 3;
    ran(RUN("\xf3\x6e"), "rep outsb");
    ck_assert_str_eq(com1_output, "abc");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0);
    ck_assert_uint_eq(pc.cpu.gpr[ESI], DATA_AT + 3);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 2);
    pc.cpu.gpr[ECX] = 7;
    pc.cpu.eflags |= FLAG_DF;
    ran(RUN("\x6e"), "outsb");                          /* without REP: ECX is not asked */
    ck_assert_str_eq(com1_output, "abcd");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 7);
    ck_assert_uint_eq(pc.cpu.gpr[ESI], DATA_AT + 2);
    pc.cpu.gpr[ECX] = 0;
    ran(RUN("\xf3\x6f"), "rep outsd with ECX = 0");
    ck_assert_uint_eq(pc.cpu.gpr[ESI], DATA_AT + 2);
    pc.cpu.seg[FS].base = DATA_AT - 0x20;
    pc.cpu.gpr[ESI] = 0x20;
    ran(RUN("\x64\x6e"), "fs outsb");
    ck_assert_str_eq(com1_output, "abcda");
}
END_TEST

START_TEST(ins)
{
    bus_out(&pc.bus, SCRATCH, 1, 0x77);
    pc.cpu.gpr[EDX] = SCRATCH;
    pc.cpu.gpr[EDI] = DATA_AT + 2;
    pc.cpu.gpr[ECX] = 0x12340002;
    ran(RUN("\x67\xf3\x6c"), "rep insb, 16-bit addresses");     /* DI and CX only */
    ck_assert_uint_eq(peek(2), 0x00007777);
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0x12340000);
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT + 4);
    pc.cpu.gpr[EDI] = DATA_AT + 8;
    pc.cpu.eflags |= FLAG_DF;
    ran(RUN("\x66\x6d"), "insw");
    ck_assert_uint_eq(peek(DATA_AT + 8), 0xff77);
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT + 6);
    pc.cpu.gpr[ECX] = 2;
    ran(RUN("\xf2\x6c"), "repne insb");                 /* INS takes either prefix for REP */
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0);
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT + 4);
}
END_TEST

START_TEST(rep_faults_in_the_middle)
{
    paging_on();
    set_pte(DATA_AT + 0x1000, 0);
    bus_out(&pc.bus, SCRATCH, 1, 0x77);
    pc.cpu.gpr[EDX] = SCRATCH;
    pc.cpu.gpr[EDI] = DATA_AT + 0xffd;
    pc.cpu.gpr[ECX] = 5;
    expect_fault(RUN("\xf3\x6c"), VEC_PF, 2, "rep insb");
    ck_assert_uint_eq(pc.cpu.fault.cr2, DATA_AT + 0x1000);
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 2);
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT + 0x1000);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
    ck_assert_uint_eq(peek(DATA_AT + 0xffc), 0x77777700);
    pc.cpu.gpr[EDX] = PORT_COM1;
    pc.cpu.gpr[ESI] = DATA_AT + 0xfff;
    expect_fault(RUN("\xf3\x6e"), VEC_PF, 0, "rep outsb");
    ck_assert_str_eq(com1_output, "\x77");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 1);
}
END_TEST

/* A device is not read if what it gives has no place to go. */
START_TEST(ins_asks_first)
{
    pc.cpu.seg[ES].attr &= ~(unsigned)ATTR_WRITABLE;
    pc.cpu.gpr[EDX] = PORT_COM1 + 5;
    pc.cpu.gpr[EDI] = DATA_AT;
    expect_fault(RUN("\x6c"), VEC_GP, 0, "insb to read-only data");
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT);
}
END_TEST

/* A REP with more iterations than one wants to wait for stops between two of them, as at an interrupt. */
START_TEST(rep_is_interruptible)
{
    pc.cpu.gpr[EDX] = 0x1234;
    pc.cpu.gpr[EDI] = 0;
    pc.cpu.gpr[ECX] = 0xffffffff;
    pc.cpu.seg[ES].base = 0x80000000;
    ran(RUN("\xf3\x6c"), "rep insb");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
    ck_assert_uint_gt(pc.cpu.gpr[EDI], 0);
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0xffffffff - pc.cpu.gpr[EDI]);
}
END_TEST

START_TEST(rep_single_step)
{
    pc.cpu.gpr[EDX] = 0x1234;
    pc.cpu.gpr[EDI] = DATA_AT;
    pc.cpu.gpr[ECX] = 2;
    pc.cpu.eflags |= FLAG_TF;
    expect_fault(RUN("\xf3\x6c"), VEC_DB, NO_ERROR, "first iteration");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 1);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT);
    expect_fault(run_here(), VEC_DB, NO_ERROR, "second iteration");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 2);
}
END_TEST

/* ---- system registers ---------------------------------------------------------------------------- */

START_TEST(table_registers)
{
    poke(DATA_AT, 0x567803ff);
    poke(DATA_AT + 4, 0x00001234);
    pc.cpu.gpr[EBX] = DATA_AT;
    ran(RUN("\x0f\x01\x13"), "lgdt [ebx]");
    ck_assert_uint_eq(pc.cpu.gdtr.limit, 0x3ff);
    ck_assert_uint_eq(pc.cpu.gdtr.base, 0x12345678);
    ran(RUN("\x66\x0f\x01\x1b"), "o16 lidt [ebx]");     /* 24 bits */
    ck_assert_uint_eq(pc.cpu.idtr.limit, 0x3ff);
    ck_assert_uint_eq(pc.cpu.idtr.base, 0x00345678);
    poke(DATA_AT + 0x14, 0xaaaaaaaa);
    ran(RUN("\x0f\x01\x43\x10"), "sgdt [ebx+16]");
    ck_assert_uint_eq(peek(DATA_AT + 0x10), 0x567803ff);
    ck_assert_uint_eq(peek(DATA_AT + 0x14), 0xaaaa1234);        /* six bytes, no more */
    ran(RUN("\x0f\x01\x4b\x20"), "sidt [ebx+32]");
    ck_assert_uint_eq(peek(DATA_AT + 0x20), 0x567803ff);
    ck_assert_uint_eq(peek(DATA_AT + 0x24), 0x0034);
    paging_on();
    set_pte(DATA_AT + 0x1000, 0);
    pc.cpu.gpr[EBX] = DATA_AT + 0xffe;
    expect_fault(RUN("\x0f\x01\x13"), VEC_PF, 0, "lgdt across pages");
    ck_assert_uint_eq(pc.cpu.gdtr.limit, 0x3ff);
    fixture_user(0);
    pc.cpu.gpr[EBX] = DATA_AT;
    ran(RUN("\x0f\x01\x03"), "sgdt at CPL 3");
}
END_TEST

/* SLDT, STR, SMSW, MOV from a segment register: 16 bits to memory, zero-extended to 32-bit registers. */
START_TEST(words)
{
    static const struct { const char *what, *reg, *narrow, *mem; size_t n; uint32_t value; } rows[] = {
        { "sldt", "\x0f\x00\xc3", "\x66\x0f\x00\xc3", "\x0f\x00\x06", 3, LDT_SEL },
        { "str", "\x0f\x00\xcb", "\x66\x0f\x00\xcb", "\x0f\x00\x0e", 3, TSS_SEL },
        { "smsw", "\x0f\x01\xe3", "\x66\x0f\x01\xe3", "\x0f\x01\x26", 3, 0x80050033 },
        { "mov ebx, ds", "\x8c\xdb", "\x66\x8c\xdb", "\x8c\x1e", 2, KDATA },
    };

    for (int i = 0; i < COUNT_OF(rows); i++) {
        pc.cpu.cr0 = 0x00050033 | (pc.cpu.cr0 & CR0_PG);
        paging_on();
        pc.cpu.cr0 = 0x80050033;
        pc.cpu.gpr[EBX] = 0xffffffff;
        ran(run_bytes(rows[i].reg, rows[i].n), rows[i].what);
        ck_assert_uint_eq(pc.cpu.gpr[EBX], rows[i].value);
        pc.cpu.gpr[EBX] = 0xffffffff;
        ran(run_bytes(rows[i].narrow, rows[i].n + 1), rows[i].what);
        ck_assert_uint_eq(pc.cpu.gpr[EBX], 0xffff0000 | (rows[i].value & 0xffff));
        pc.cpu.gpr[ESI] = DATA_AT;
        poke(DATA_AT, 0xffffffff);
        ran(run_bytes(rows[i].mem, rows[i].n), rows[i].what);
        ck_assert_uint_eq(peek(DATA_AT), 0xffff0000 | (rows[i].value & 0xffff));
    }
}
END_TEST

/* LMSW writes bits 3:0 but cannot clear PE. */
static const struct { uint32_t before, operand, after; } lmsws[] = {
    { 0x11, 0xfff0, 0x11 }, { 0x11, 0x000f, 0x1f }, { 0x1f, 0x0000, 0x11 }, { 0x1f, 0x0003, 0x13 },
    { 0x80010031, 0x0008, 0x80010039 },
};

START_TEST(lmsw_clts)
{
    pc.cpu.cr0 = lmsws[_i].before & ~CR0_PG;
    pc.cpu.gpr[EAX] = 0xdead0000 | lmsws[_i].operand;
    ran(RUN("\x0f\x01\xf0"), "lmsw");
    ck_assert_uint_eq(pc.cpu.cr0, lmsws[_i].after & ~CR0_PG);
    ran(RUN("\x0f\x06"), "clts");
    ck_assert_uint_eq(pc.cpu.cr0, lmsws[_i].after & ~(CR0_PG | CR0_TS));
}
END_TEST

static uint32_t flushed_page;
static unsigned flushed_all, loaded_cr3;
static void note_page(struct machine *m, uint32_t linear) { (void)m; flushed_page = linear; }
static void note_all(struct machine *m) { (void)m; flushed_all++; }
static void note_cr3(struct machine *m) { (void)m; loaded_cr3++; }

START_TEST(hooks)
{
    pc.hooks = (struct machine_hooks){ note_all, note_cr3, note_page };
    pc.cpu.seg[ES].base = 0x1000;
    pc.cpu.gpr[EDI] = 0x12345;
    ran(RUN("\x26\x0f\x01\x3f"), "invlpg es:[edi]");
    ck_assert_uint_eq(flushed_page, 0x13345);
    pc.cpu.gpr[EAX] = 0x7000;
    ran(RUN("\x0f\x22\xd8"), "mov cr3, eax");
    ck_assert_uint_eq(loaded_cr3, 1);
    ck_assert_uint_eq(pc.cpu.cr3, 0x7000);
    pc.cpu.gpr[EAX] = CR4_PSE | CR4_PGE;
    ran(RUN("\x0f\x22\xe0"), "mov cr4, eax");
    ck_assert_uint_eq(flushed_all, 1);
    ran(RUN("\x0f\x22\xe0"), "the same once more");
    ck_assert_uint_eq(pc.cpu.cr4, CR4_PSE | CR4_PGE);
    pc.cpu.gpr[EAX] = 0x00010011;
    flushed_all = 0;
    ran(RUN("\x0f\x22\xc0"), "mov cr0, eax: WP");
    ck_assert_uint_eq(flushed_all, 1);
    pc.cpu.gpr[EAX] = 0x00010019;
    ran(RUN("\x0f\x22\xc0"), "mov cr0, eax: TS");
    ck_assert_uint_eq(flushed_all, 1);
    ran(RUN("\x0f\x09"), "wbinvd");
    ran(RUN("\x0f\x08"), "invd");
}
END_TEST

START_TEST(control_registers)
{
    pc.cpu.cr2 = 0x11112222;
    ran(RUN("\x0f\x20\xd3"), "mov ebx, cr2");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x11112222);
    pc.cpu.gpr[ECX] = 0x33334444;
    ran(RUN("\x0f\x22\xd1"), "mov cr2, ecx");
    ck_assert_uint_eq(pc.cpu.cr2, 0x33334444);
    expect_fault(RUN("\x0f\x20\xc8"), VEC_UD, NO_ERROR, "mov eax, cr1");
    expect_fault(RUN("\x0f\x22\xe8"), VEC_UD, NO_ERROR, "mov cr5, eax");
    pc.cpu.gpr[EAX] = 0x12345678;
    ran(RUN("\x0f\x23\xc8"), "mov dr1, eax");
    ran(RUN("\x0f\x21\xcb"), "mov ebx, dr1");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x12345678);
    pc.cpu.cr4 = CR4_DE;
    expect_fault(RUN("\x0f\x21\xe0"), VEC_UD, NO_ERROR, "mov eax, dr4");
}
END_TEST

START_TEST(msrs)
{
    pc.cpu.gpr[ECX] = 0x176;
    pc.cpu.gpr[EAX] = 0x12345678;
    pc.cpu.gpr[EDX] = 0;
    ran(RUN("\x0f\x30"), "wrmsr");
    pc.cpu.gpr[EAX] = pc.cpu.gpr[EDX] = 0xffffffff;
    ran(RUN("\x0f\x32"), "rdmsr");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x12345678);
    ck_assert_uint_eq(pc.cpu.gpr[EDX], 0);
    pc.cpu.gpr[ECX] = 0xdead;
    expect_fault(RUN("\x0f\x32"), VEC_GP, 0, "rdmsr of nothing");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x12345678);
    expect_fault(RUN("\x0f\x30"), VEC_GP, 0, "wrmsr of nothing");
}
END_TEST

/* ---- segments ------------------------------------------------------------------------------------ */

static const struct { const char *what, *bytes; size_t n; unsigned seg; bool shadow; } seg_loads[] = {
    { "mov es, ax", BYTES("\x8e\xc0"), ES, false },
    { "mov ss, ax", BYTES("\x8e\xd0"), SS, true },
    { "mov ds, ax", BYTES("\x8e\xd8"), DS, false },
    { "mov fs, ax", BYTES("\x8e\xe0"), FS, false },
    { "mov gs, ax", BYTES("\x8e\xe8"), GS, false },
    { "mov ds, [esp]", BYTES("\x8e\x1c\x24"), DS, false },
    { "pop es", BYTES("\x07"), ES, false },
    { "pop ss", BYTES("\x17"), SS, true },
    { "pop ds", BYTES("\x1f"), DS, false },
    { "pop fs", BYTES("\x0f\xa1"), FS, false },
    { "pop gs", BYTES("\x0f\xa9"), GS, false },
};

START_TEST(segment_loads)
{
    bool pop = strncmp(seg_loads[_i].what, "pop", 3) == 0;
    struct vcpu before;

    set_descriptor(SPARE, 0, 0xfffff, A_DATA | A_FLAT);
    pc.cpu.gpr[EAX] = 0xdead0000 | SPARE;
    poke(KERNEL_STACK, 0xdead0000 | SPARE);
    ran(run_bytes(seg_loads[_i].bytes, seg_loads[_i].n), seg_loads[_i].what);
    ck_assert_uint_eq(pc.cpu.seg[seg_loads[_i].seg].selector, SPARE);
    ck_assert_int_eq(pc.cpu.shadow, seg_loads[_i].shadow ? SHADOW_MOV_SS : SHADOW_NONE);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK + (pop ? 4 : 0));
    ran(RUN("\xfa"), "the next instruction");
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
    fixture_setup();
    pc.cpu.gpr[EAX] = OUTSIDE;
    poke(KERNEL_STACK, OUTSIDE);
    before = pc.cpu;
    expect_fault(run_bytes(seg_loads[_i].bytes, seg_loads[_i].n), VEC_GP, OUTSIDE, seg_loads[_i].what);
    check_unchanged(before, seg_loads[_i].what);
}
END_TEST

static const struct { const char *what, *bytes; size_t n; unsigned seg; } pushes[] = {
    { "push es", BYTES("\x06"), ES }, { "push cs", BYTES("\x0e"), CS }, { "push ss", BYTES("\x16"), SS },
    { "push ds", BYTES("\x1e"), DS }, { "push fs", BYTES("\x0f\xa0"), FS }, { "push gs", BYTES("\x0f\xa8"), GS },
};

/* 32-bit: the slot is four bytes, its upper half stays (vol. 2B, PUSH). */
START_TEST(push_segments)
{
    uint8_t narrow[3] = { 0x66 };

    poke(KERNEL_STACK - 4, 0x5a5a5a5a);
    ran(run_bytes(pushes[_i].bytes, pushes[_i].n), pushes[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 4);
    ck_assert_uint_eq(stack_word(0), 0x5a5a0000u | pc.cpu.seg[pushes[_i].seg].selector);
    memcpy(narrow + 1, pushes[_i].bytes, pushes[_i].n);
    ran(run_bytes(narrow, pushes[_i].n + 1), pushes[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 6);
    pc.cpu.seg[SS].attr &= ~(unsigned)ATTR_BIG;
    pc.cpu.seg[SS].limit = 0xffff;
    pc.cpu.gpr[ESP] = 0x12340000;
    ran(run_bytes(pushes[_i].bytes, pushes[_i].n), pushes[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], 0x1234fffc);
}
END_TEST

static const struct { const char *what, *bytes; size_t n; unsigned seg; } far_loads[] = {
    { "lds ebx, [esi]", BYTES("\xc5\x1e"), DS }, { "les ebx, [esi]", BYTES("\xc4\x1e"), ES },
    { "lfs ebx, [esi]", BYTES("\x0f\xb4\x1e"), FS }, { "lgs ebx, [esi]", BYTES("\x0f\xb5\x1e"), GS },
    { "lss ebx, [esi]", BYTES("\x0f\xb2\x1e"), SS },
};

START_TEST(load_far)
{
    uint8_t narrow[4] = { 0x66 };
    struct vcpu before;

    set_descriptor(SPARE, 0, 0xfffff, A_DATA | A_FLAT);
    pc.cpu.gpr[ESI] = DATA_AT;
    poke(DATA_AT, 0x12345678);
    poke(DATA_AT + 4, SPARE);
    ran(run_bytes(far_loads[_i].bytes, far_loads[_i].n), far_loads[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x12345678);
    ck_assert_uint_eq(pc.cpu.seg[far_loads[_i].seg].selector, SPARE);
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
    memcpy(narrow + 1, far_loads[_i].bytes, far_loads[_i].n);
    poke(DATA_AT, KDATA << 16 | 0xabcd);
    ran(run_bytes(narrow, far_loads[_i].n + 1), far_loads[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x1234abcd);
    ck_assert_uint_eq(pc.cpu.seg[far_loads[_i].seg].selector, KDATA);
    poke(DATA_AT + 4, OUTSIDE);
    before = pc.cpu;
    expect_fault(run_bytes(far_loads[_i].bytes, far_loads[_i].n), VEC_GP, OUTSIDE, far_loads[_i].what);
    check_unchanged(before, far_loads[_i].what);
}
END_TEST

START_TEST(inspections)
{
    set_descriptor(SPARE, 0x12345678, 0x00fff, A_DATA | A_FLAT);
    pc.cpu.gpr[EAX] = SPARE;
    pc.cpu.gpr[EBX] = 0xffffffff;
    ran(RUN("\x0f\x02\xd8"), "lar ebx, eax");
    ck_assert_uint_eq(pc.cpu.gpr[EBX] & 0xfff0ffff, 0x00c09200);
    ck_assert(pc.cpu.eflags & FLAG_ZF);
    ran(RUN("\x0f\x03\xd8"), "lsl ebx, eax");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x00ffffff);
    pc.cpu.gpr[EBX] = 0xeeeeeeee;
    ran(RUN("\x66\x0f\x02\xd8"), "lar bx, ax");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0xeeee9200);
    ran(RUN("\x0f\x00\xe0"), "verr ax");
    ck_assert(pc.cpu.eflags & FLAG_ZF);
    set_descriptor(SPARE, 0, 0, 0x090);
    ran(RUN("\x0f\x00\xe8"), "verw ax");
    ck_assert(!(pc.cpu.eflags & FLAG_ZF));
    pc.cpu.eflags |= FLAG_ZF | FLAG_CF | FLAG_SF;
    pc.cpu.gpr[EAX] = OUTSIDE;
    ran(RUN("\x0f\x02\xd8"), "lar of nothing");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0xeeee9200);
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_CF | FLAG_SF);
    poke(DATA_AT, 0xdead0000 | KDATA);
    ran(RUN("\x0f\x00\x2d\x00\x00\x02\x00"), "verw [DATA_AT]");
    ck_assert(pc.cpu.eflags & FLAG_ZF);
}
END_TEST

START_TEST(lldt_ltr)
{
    set_descriptor(SPARE, 0x7000, 0x67, 0x089);
    pc.cpu.gpr[EAX] = 0;
    ran(RUN("\x0f\x00\xd0"), "lldt ax");
    ck_assert(!(pc.cpu.ldtr.attr & ATTR_PRESENT));
    pc.cpu.gpr[EAX] = SPARE;
    ran(RUN("\x0f\x00\xd8"), "ltr ax");
    ck_assert_uint_eq(pc.cpu.tr.base, 0x7000);
    expect_fault(RUN("\x0f\x00\xd8"), VEC_GP, SPARE, "ltr of a busy TSS");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 6);
}
END_TEST

/* ---- far transfers by their bytes ---------------------------------------------------------------- */

START_TEST(transfers)
{
    ran(RUN("\x9a\x34\x12\x00\x00\x08\x00"), "call 8:0x1234");
    ck_assert_uint_eq(pc.cpu.eip, 0x1234);
    ck_assert_uint_eq(stack_word(0), CODE_AT + 7);
    ran(RUN("\xcb"), "retf");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 7);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK);
    poke(DATA_AT, 0x7000);
    poke(DATA_AT + 4, KCODE);
    ran(RUN("\xff\x2d\x00\x00\x02\x00"), "jmp far [DATA_AT]");
    ck_assert_uint_eq(pc.cpu.eip, 0x7000);
    ran(RUN("\xff\x1d\x00\x00\x02\x00"), "call far [DATA_AT]");
    ck_assert_uint_eq(stack_word(0), 0x7006);
    pc.cpu.gpr[ESP] -= 8;
    poke(pc.cpu.gpr[ESP], 0x6500);
    poke(pc.cpu.gpr[ESP] + 4, KCODE);
    ran(RUN("\xca\x08\x00"), "retf 8");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK);
    ck_assert_uint_eq(pc.cpu.eip, 0x6500);
    ran(RUN("\x66\xea\x00\x62\x08\x00"), "o16 jmp 8:0x6200");
    ck_assert_uint_eq(pc.cpu.eip, 0x6200);
    poke(KERNEL_STACK, 0x6000);
    poke(KERNEL_STACK + 4, KCODE);
    poke(KERNEL_STACK + 8, FLAG_IF);
    ran(RUN("\xcf"), "iretd");
    ck_assert_uint_eq(pc.cpu.eip, 0x6000);
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_IF | FLAG_ONE);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK + 12);
    expect_fault(RUN("\xea\x00\x00\x00\x00\x00\x00"), VEC_GP, 0, "jmp 0:0");
    ck_assert_uint_eq(pc.cpu.eip, 0x6000);
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------------------ */

START_TEST(cpuid)
{
    emulate_init_cpuid(&pc);
    fixture_user(0);
    pc.cpu.gpr[EAX] = 0;
    ran(RUN("\x0f\xa2"), "cpuid 0");                    /* any CPL */
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 1);
    pc.cpu.gpr[EAX] = 1;
    ran(RUN("\x0f\xa2"), "cpuid 1");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0x80000000);     /* only: a hypervisor is present */
    ck_assert_uint_eq(pc.cpu.gpr[EDX] & ~0x0780a139u, 0);
    ck_assert_uint_eq(pc.cpu.gpr[EDX] & 0x2038, 0x2038);        /* PSE, TSC, MSR, PGE */
    ck_assert_uint_eq(pc.cpu.gpr[EBX] >> 24, 0);        /* APIC 0 */
    pc.cpu.gpr[EAX] = 0x40000000;
    ran(RUN("\x0f\xa2"), "cpuid 0x40000000");
    ck_assert_mem_eq(&pc.cpu.gpr[EBX], "Quad", 4);
    ck_assert_mem_eq(&pc.cpu.gpr[ECX], "viso", 4);
    ck_assert_mem_eq(&pc.cpu.gpr[EDX], "rVMM", 4);
    pc.cpu.gpr[EAX] = 7;                                /* beyond the last leaf: as the last */
    ran(RUN("\x0f\xa2"), "cpuid 7");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0x80000000);
}
END_TEST

START_TEST(counters)
{
    ran(RUN("\xfa"), "cli");
    ran(RUN("\xfa"), "cli");
    fixture_user(0);
    expect_fault(RUN("\xfa"), VEC_GP, 0, "cli");
    ck_assert_uint_eq(pc.counters.emulated[ISA_CLI], 2);
    expect_fault(RUN("\x90"), VEC_UD, NO_ERROR, "nop is not for the emulator");
}
END_TEST

/* Operands go through their segment: base, limit, privilege, 16-bit addresses. */
START_TEST(operand_addresses)
{
    poke(DATA_AT + 0x34, KDATA);
    pc.cpu.seg[FS].base = DATA_AT;
    pc.cpu.gpr[EBX] = 0x10;
    pc.cpu.gpr[ESI] = 0x8;
    ran(RUN("\x64\x8e\x5c\xb3\x04"), "mov ds, fs:[ebx+esi*4+4]");
    pc.cpu.gpr[EBX] = 0x5678ffff;
    pc.cpu.gpr[ESI] = 0x12340033;
    ran(RUN("\x64\x67\x8e\x40\x02"), "mov es, fs:[bx+si+2]");
    ck_assert_uint_eq(pc.cpu.seg[ES].selector, KDATA);
    pc.cpu.gpr[EBP] = DATA_AT;
    pc.cpu.seg[SS].limit = DATA_AT;
    expect_fault(RUN("\x8e\x45\x00"), VEC_SS, 0, "mov es, [ebp] beyond SS's limit");
    pc.cpu.seg[DS].attr = 0;
    expect_fault(RUN("\x8e\x03"), VEC_GP, 0, "mov es, [ebx] with a null DS");
}
END_TEST

static void add_privilege(Suite *s)
{
    TCase *t = fixture_case(s, "privilege");

    tcase_add_loop_test(t, privileged_faults, 0, COUNT_OF(privileged));
    tcase_add_loop_test(t, iopl, 0, COUNT_OF(by_iopl));
    tcase_add_loop_test(t, io_bitmap, 0, COUNT_OF(bitmaps));
    t = fixture_case(s, "flags");
    tcase_add_test(t, cli_sti);
    tcase_add_loop_test(t, popf_flag_masks, 0, COUNT_OF(popf_masks));
    tcase_add_test(t, pushf);
    tcase_add_test(t, resume_flag);
    tcase_add_loop_test(t, single_step, 0, COUNT_OF(steps));
    tcase_add_test(t, popf_sets_tf);
    tcase_add_test(t, software_interrupts);
}

static void add_ports(Suite *s)
{
    TCase *t = fixture_case(s, "ports");

    tcase_add_test(t, in_out);
    tcase_add_test(t, outs);
    tcase_add_test(t, ins);
    tcase_add_test(t, rep_faults_in_the_middle);
    tcase_add_test(t, ins_asks_first);
    tcase_add_test(t, rep_is_interruptible);
    tcase_add_test(t, rep_single_step);
}

static void add_registers(Suite *s)
{
    TCase *t = fixture_case(s, "registers");

    tcase_add_test(t, table_registers);
    tcase_add_test(t, words);
    tcase_add_loop_test(t, lmsw_clts, 0, COUNT_OF(lmsws));
    tcase_add_test(t, hooks);
    tcase_add_test(t, control_registers);
    tcase_add_test(t, msrs);
    t = fixture_case(s, "segments");
    tcase_add_loop_test(t, segment_loads, 0, COUNT_OF(seg_loads));
    tcase_add_loop_test(t, push_segments, 0, COUNT_OF(pushes));
    tcase_add_loop_test(t, load_far, 0, COUNT_OF(far_loads));
    tcase_add_test(t, inspections);
    tcase_add_test(t, lldt_ltr);
    tcase_add_test(t, transfers);
}

Suite *suite_emulate(void)
{
    Suite *s = suite_create("emulate");
    TCase *t;

    add_privilege(s);
    add_ports(s);
    add_registers(s);
    t = fixture_case(s, "rest");
    tcase_add_test(t, cpuid);
    tcase_add_test(t, counters);
    tcase_add_test(t, operand_addresses);
    return s;
}
