/* Each handler of the emulator, by its instruction's bytes. Intel SDM vol. 2, the operation and exception
 * sections of each instruction; vol. 1 3.4.3 (flags) and 19.5.2 (I/O bitmap); vol. 3B 17.3.1.4 (single step). */
#include <string.h>

#include "emulate.h"
#include "fixture.h"
#include "pc.h"

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
        expect_unchanged(before, privileged[_i].what);
    }
}
END_TEST

static const struct { const char *what, *bytes; size_t n; unsigned cpl, iopl; bool ok; } by_iopl[] = {
    { "cli", BYTES("\xfa"), 0, 0, true }, { "cli", BYTES("\xfa"), 3, 0, false },
    { "cli", BYTES("\xfa"), 3, 2, false },
    { "cli", BYTES("\xfa"), 3, 3, true }, { "cli", BYTES("\xfa"), 1, 1, true },
    { "cli", BYTES("\xfa"), 2, 1, false },
    { "sti", BYTES("\xfb"), 0, 0, true }, { "sti", BYTES("\xfb"), 3, 2, false },
    { "sti", BYTES("\xfb"), 3, 3, true },
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
        expect_ran(ok, by_iopl[_i].what);
        ck_assert_uint_eq(pc.cpu.eip, CODE_AT + by_iopl[_i].n);
        return;
    }
    expect_fault(ok, VEC_GP, 0, by_iopl[_i].what);
    expect_unchanged(before, by_iopl[_i].what);
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
    static const struct { const char *bytes; size_t n; } in[] = {
        [1] = { BYTES("\xec") }, [2] = { BYTES("\x66\xed") }, [4] = { BYTES("\xed") },
    };
    bool ok;

    fixture_user(0);
    poke(TSS_AT + 100, bitmaps[_i].base << 16);
    memory_write(&pc.mem, TSS_AT + 104 + 0x7f, 2, bitmaps[_i].bits);
    pc.cpu.tr.limit = bitmaps[_i].limit;
    pc.cpu.tr.attr = (uint16_t)(ATTR_PRESENT | bitmaps[_i].type);
    pc.cpu.gpr[EDX] = bitmaps[_i].port;
    ok = run_bytes(in[bitmaps[_i].bytes].bytes, in[bitmaps[_i].bytes].n);
    if (bitmaps[_i].ok)
        expect_ran(ok, bitmaps[_i].what);
    else
        expect_fault(ok, VEC_GP, 0, bitmaps[_i].what);
}
END_TEST

/* Every instruction that reaches a port asks the bitmap. */
START_TEST(io_bitmap_allows)
{
    static const char *const bytes[] = { "\xec", "\xed", "\xee", "\xef", "\x6c", "\x6d", "\x6e", "\x6f" };

    for (int i = 0; i < COUNT_OF(bytes); i++) {
        fixture_setup();
        fixture_user(0);
        pc.cpu.gpr[EDX] = 0x1234;
        pc.cpu.gpr[ESI] = pc.cpu.gpr[EDI] = DATA_AT;
        poke(TSS_AT + IO_BITMAP + 0x1234 / 8 - 2, 0);
        expect_ran(run_bytes(bytes[i], 1), bytes[i]);
        ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 1);
    }
}
END_TEST

START_TEST(io_bitmap_pages)
{
    fixture_user(0);
    paging_on();
    poke(TSS_AT + 100, (0x1000 + 8) << 16);             /* the bitmap is on the page behind the TSS */
    pc.cpu.tr.limit = 0x2fff;
    set_pte(TSS_AT + 0x1000, 0);
    expect_fault(RUN("\xec"), VEC_PF, 0, "bitmap on a missing page");
    ck_assert_uint_eq(pc.cpu.fault.cr2, TSS_AT + 0x1008);
    set_pte(TSS_AT, 0);
    expect_fault(RUN("\xec"), VEC_PF, 0, "TSS on a missing page");
    ck_assert_uint_eq(pc.cpu.fault.cr2, TSS_AT + 102);
}
END_TEST

/* ---- flags, interrupts --------------------------------------------------------------------------- */

START_TEST(cli_sti)
{
    pc.cpu.eflags |= FLAG_IF;
    expect_ran(RUN("\xfa"), "cli");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE);
    expect_ran(RUN("\xfb"), "sti");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_IF);
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_STI);
    expect_ran(RUN("\xfb"), "sti with IF already 1");          /* holds nothing back */
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
    expect_ran(RUN("\xf4"), "hlt");
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
    expect_ran(popf_masks[i].bytes == 4 ? RUN("\x9d") : RUN("\x66\x9d"), "popf");
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
    expect_ran(RUN("\x9c"), "pushfd");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 4);
    ck_assert_uint_eq(stack_word(0), 0x3c7ed7);
    pc.cpu.eflags = 0x3246;
    expect_ran(RUN("\x66\x9c"), "pushf");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 6);
    ck_assert_uint_eq(stack_word(0), 0x7ed73246);
    fixture_user(2);
    expect_ran(RUN("\x9c"), "pushfd at CPL 3");                /* shows the guest's IF and IOPL */
    ck_assert_uint_eq(stack_word(0), 0x2202);
}
END_TEST

/* RF lasts for one instruction. A signal's frame has it set for the instruction that faulted. */
START_TEST(resume_flag)
{
    pc.cpu.eflags |= FLAG_RF;
    expect_ran(RUN("\xfb"), "sti");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_IF);
    poke(KERNEL_STACK, CODE_AT);
    poke(KERNEL_STACK + 4, KCODE);
    poke(KERNEL_STACK + 8, FLAG_RF);
    expect_ran(RUN("\xcf"), "iretd that sets RF");
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_RF);
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
        expect_ran(ok, steps[_i].what);
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
    expect_ran(RUN("\x9d"), "popfd that sets TF");             /* the next instruction is the first to trap */
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
        expect_ran(run_bytes(rows[i].bytes, rows[i].n), "int");
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
    expect_ran(RUN("\xce"), "into without OF");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 1);
}
END_TEST

/* ---- ports --------------------------------------------------------------------------------------- */

enum { SCRATCH = PORT_COM1 + 7 };

START_TEST(in_out)
{
    pc.cpu.gpr[EAX] = 0x112233a5;
    pc.cpu.gpr[EDX] = 0xffff0000 | SCRATCH;             /* DX only */
    expect_ran(RUN("\xee"), "out dx, al");
    pc.cpu.gpr[EAX] = 0x11223344;
    expect_ran(RUN("\xec"), "in al, dx");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x112233a5);
    expect_ran(RUN("\x66\xed"), "in ax, dx");                  /* the next port is nobody's */
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x1122ffa5);
    expect_ran(RUN("\xed"), "in eax, dx");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0xffffffa5);
    pc.cpu.gpr[EAX] = 0x5a;
    expect_ran(RUN("\xe6\x21"), "out 0x21, al");
    pc.cpu.gpr[EAX] = 0;
    expect_ran(RUN("\xe4\x21"), "in al, 0x21");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x5a);
    pc.cpu.gpr[EAX] = 0xff;
    expect_ran(RUN("\xe6\xf4"), "out 0xf4, al");               /* immediate ports are not sign-extended */
    ck_assert_int_eq(pc.bus.exit_status, 0xff);
}
END_TEST

START_TEST(outs)
{
    poke(DATA_AT, 0x64636261);
    pc.cpu.gpr[EDX] = PORT_COM1;
    pc.cpu.gpr[ESI] = DATA_AT;
    pc.cpu.gpr[ECX] = 3;
    expect_ran(RUN("\xf3\x6e"), "rep outsb");
    ck_assert_str_eq(com1_output, "abc");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0);
    ck_assert_uint_eq(pc.cpu.gpr[ESI], DATA_AT + 3);
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 2);
    pc.cpu.gpr[ECX] = 7;
    pc.cpu.eflags |= FLAG_DF;
    expect_ran(RUN("\x6e"), "outsb");                          /* without REP: ECX is not asked */
    ck_assert_str_eq(com1_output, "abcd");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 7);
    ck_assert_uint_eq(pc.cpu.gpr[ESI], DATA_AT + 2);
    pc.cpu.gpr[ECX] = 0;
    expect_ran(RUN("\xf3\x6f"), "rep outsd with ECX = 0");
    ck_assert_uint_eq(pc.cpu.gpr[ESI], DATA_AT + 2);
    pc.cpu.seg[FS].base = DATA_AT - 0x20;
    pc.cpu.gpr[ESI] = 0x20;
    expect_ran(RUN("\x64\x6e"), "fs outsb");
    ck_assert_str_eq(com1_output, "abcda");
}
END_TEST

START_TEST(ins)
{
    bus_out(&pc.bus, SCRATCH, 1, 0x77);
    pc.cpu.gpr[EDX] = SCRATCH;
    pc.cpu.gpr[EDI] = DATA_AT + 2;
    pc.cpu.gpr[ECX] = 0x12340002;
    expect_ran(RUN("\x67\xf3\x6c"), "rep insb, 16-bit addresses");     /* DI and CX only */
    ck_assert_uint_eq(peek(2), 0x00007777);
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0x12340000);
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT + 4);
    pc.cpu.gpr[EDI] = DATA_AT + 8;
    pc.cpu.eflags |= FLAG_DF;
    expect_ran(RUN("\x66\x6d"), "insw");
    ck_assert_uint_eq(peek(DATA_AT + 8), 0xff77);
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT + 6);
    pc.cpu.gpr[ECX] = 2;
    expect_ran(RUN("\xf2\x6c"), "repne insb");                 /* INS takes either prefix for REP */
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
    bus_out(&pc.bus, PORT_COM1 + 4, 1, 0x10);           /* loopback: what is sent is received */
    bus_out(&pc.bus, PORT_COM1, 1, 0x41);
    pc.cpu.gpr[EDX] = PORT_COM1;
    pc.cpu.gpr[EDI] = DATA_AT;
    expect_fault(RUN("\x6c"), VEC_GP, 0, "insb to read-only data");
    ck_assert_uint_eq(pc.cpu.gpr[EDI], DATA_AT);
    ck_assert_uint_eq(bus_in(&pc.bus, PORT_COM1 + 5, 1) & 1, 1);        /* not taken */
    ck_assert_uint_eq(bus_in(&pc.bus, PORT_COM1, 1), 0x41);
}
END_TEST

/* A REP with more iterations than one wants to wait for stops between two of them, as at an interrupt. */
START_TEST(rep_is_interruptible)
{
    pc.cpu.gpr[EDX] = 0x1234;
    pc.cpu.gpr[EDI] = 0;
    pc.cpu.gpr[ECX] = 0xffffffff;
    pc.cpu.seg[ES].base = 0x80000000;
    expect_ran(RUN("\xf3\x6c"), "rep insb");
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

Suite *suite_emulate(void)
{
    Suite *s = suite_create("emulate");
    TCase *t = fixture_case(s, "privilege");

    tcase_add_loop_test(t, privileged_faults, 0, COUNT_OF(privileged));
    tcase_add_loop_test(t, iopl, 0, COUNT_OF(by_iopl));
    tcase_add_loop_test(t, io_bitmap, 0, COUNT_OF(bitmaps));
    tcase_add_test(t, io_bitmap_allows);
    tcase_add_test(t, io_bitmap_pages);
    t = fixture_case(s, "flags");
    tcase_add_test(t, cli_sti);
    tcase_add_loop_test(t, popf_flag_masks, 0, COUNT_OF(popf_masks));
    tcase_add_test(t, pushf);
    tcase_add_test(t, resume_flag);
    tcase_add_loop_test(t, single_step, 0, COUNT_OF(steps));
    tcase_add_test(t, popf_sets_tf);
    tcase_add_test(t, software_interrupts);
    t = fixture_case(s, "ports");
    tcase_add_test(t, in_out);
    tcase_add_test(t, outs);
    tcase_add_test(t, ins);
    tcase_add_test(t, rep_faults_in_the_middle);
    tcase_add_test(t, ins_asks_first);
    tcase_add_test(t, rep_is_interruptible);
    tcase_add_test(t, rep_single_step);
    return s;
}
