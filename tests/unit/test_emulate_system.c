/* The emulator's other half: system registers, segments, far transfers, CPUID, by their instructions' bytes. Intel
 * SDM vol. 2, the operation and exception sections of each instruction. Continues test_emulate.c. */
#include <string.h>

#include "emulate.h"
#include "fixture.h"

enum { OUTSIDE = GDT_ENTRIES * 8 };

/* ---- system registers ---------------------------------------------------------------------------- */

START_TEST(table_registers)
{
    poke(DATA_AT, 0x567803ff);
    poke(DATA_AT + 4, 0x00001234);
    pc.cpu.gpr[EBX] = DATA_AT;
    expect_ran(RUN("\x0f\x01\x13"), "lgdt [ebx]");
    ck_assert_uint_eq(pc.cpu.gdtr.limit, 0x3ff);
    ck_assert_uint_eq(pc.cpu.gdtr.base, 0x12345678);
    expect_ran(RUN("\x66\x0f\x01\x1b"), "o16 lidt [ebx]");     /* 24 bits */
    ck_assert_uint_eq(pc.cpu.idtr.limit, 0x3ff);
    ck_assert_uint_eq(pc.cpu.idtr.base, 0x00345678);
    poke(DATA_AT + 0x14, 0xaaaaaaaa);
    expect_ran(RUN("\x0f\x01\x43\x10"), "sgdt [ebx+16]");
    ck_assert_uint_eq(peek(DATA_AT + 0x10), 0x567803ff);
    ck_assert_uint_eq(peek(DATA_AT + 0x14), 0xaaaa1234);        /* six bytes, no more */
    expect_ran(RUN("\x0f\x01\x4b\x20"), "sidt [ebx+32]");
    ck_assert_uint_eq(peek(DATA_AT + 0x20), 0x567803ff);
    ck_assert_uint_eq(peek(DATA_AT + 0x24), 0x0034);
    paging_on();
    set_pte(DATA_AT + 0x1000, 0);
    pc.cpu.gpr[EBX] = DATA_AT + 0xffe;
    expect_fault(RUN("\x0f\x01\x13"), VEC_PF, 0, "lgdt across pages");
    ck_assert_uint_eq(pc.cpu.gdtr.limit, 0x3ff);
    fixture_user(0);
    pc.cpu.gpr[EBX] = DATA_AT;
    expect_ran(RUN("\x0f\x01\x03"), "sgdt at CPL 3");
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
        expect_ran(run_bytes(rows[i].reg, rows[i].n), rows[i].what);
        ck_assert_uint_eq(pc.cpu.gpr[EBX], rows[i].value);
        pc.cpu.gpr[EBX] = 0xffffffff;
        expect_ran(run_bytes(rows[i].narrow, rows[i].n + 1), rows[i].what);
        ck_assert_uint_eq(pc.cpu.gpr[EBX], 0xffff0000 | (rows[i].value & 0xffff));
        pc.cpu.gpr[ESI] = DATA_AT;
        poke(DATA_AT, 0xffffffff);
        expect_ran(run_bytes(rows[i].mem, rows[i].n), rows[i].what);
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
    expect_ran(RUN("\x0f\x01\xf0"), "lmsw");
    ck_assert_uint_eq(pc.cpu.cr0, lmsws[_i].after & ~CR0_PG);
    expect_ran(RUN("\x0f\x06"), "clts");
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
    pc.hooks = (struct machine_hooks){ .flush_all = note_all, .load_cr3 = note_cr3, .flush_page = note_page };
    pc.cpu.seg[ES].base = 0x1000;
    pc.cpu.gpr[EDI] = 0x12345;
    expect_ran(RUN("\x26\x0f\x01\x3f"), "invlpg es:[edi]");
    ck_assert_uint_eq(flushed_page, 0x13345);
    pc.cpu.gpr[EAX] = 0x7000;
    expect_ran(RUN("\x0f\x22\xd8"), "mov cr3, eax");
    ck_assert_uint_eq(loaded_cr3, 1);
    ck_assert_uint_eq(pc.cpu.cr3, 0x7000);
    pc.cpu.gpr[EAX] = CR4_PSE | CR4_PGE;
    expect_ran(RUN("\x0f\x22\xe0"), "mov cr4, eax");
    ck_assert_uint_eq(flushed_all, 1);
    expect_ran(RUN("\x0f\x22\xe0"), "the same once more");
    ck_assert_uint_eq(pc.cpu.cr4, CR4_PSE | CR4_PGE);
    pc.cpu.gpr[EAX] = 0x00010011;
    flushed_all = 0;
    expect_ran(RUN("\x0f\x22\xc0"), "mov cr0, eax: WP");
    ck_assert_uint_eq(flushed_all, 1);
    pc.cpu.gpr[EAX] = 0x00010019;
    expect_ran(RUN("\x0f\x22\xc0"), "mov cr0, eax: TS");
    ck_assert_uint_eq(flushed_all, 1);
    expect_ran(RUN("\x0f\x09"), "wbinvd");
    expect_ran(RUN("\x0f\x08"), "invd");
}
END_TEST

START_TEST(control_registers)
{
    pc.cpu.cr2 = 0x11112222;
    expect_ran(RUN("\x0f\x20\xd3"), "mov ebx, cr2");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x11112222);
    pc.cpu.gpr[ECX] = 0x33334444;
    expect_ran(RUN("\x0f\x22\xd1"), "mov cr2, ecx");
    ck_assert_uint_eq(pc.cpu.cr2, 0x33334444);
    expect_fault(RUN("\x0f\x20\xc8"), VEC_UD, NO_ERROR, "mov eax, cr1");
    expect_fault(RUN("\x0f\x22\xe8"), VEC_UD, NO_ERROR, "mov cr5, eax");
    pc.cpu.gpr[EAX] = 0x12345678;
    expect_ran(RUN("\x0f\x23\xc8"), "mov dr1, eax");
    expect_ran(RUN("\x0f\x21\xcb"), "mov ebx, dr1");
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
    expect_ran(RUN("\x0f\x30"), "wrmsr");
    pc.cpu.gpr[EAX] = pc.cpu.gpr[EDX] = 0xffffffff;
    expect_ran(RUN("\x0f\x32"), "rdmsr");
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
    uint8_t narrow[3] = { 0x66 };
    struct vcpu before;

    set_descriptor(SPARE, 0, 0xfffff, A_DATA | A_FLAT);
    pc.cpu.gpr[EAX] = 0xdead0000 | SPARE;
    poke(KERNEL_STACK, 0xdead0000 | SPARE);
    expect_ran(run_bytes(seg_loads[_i].bytes, seg_loads[_i].n), seg_loads[_i].what);
    ck_assert_uint_eq(pc.cpu.seg[seg_loads[_i].seg].selector, SPARE);
    ck_assert_int_eq(pc.cpu.shadow, seg_loads[_i].shadow ? SHADOW_MOV_SS : SHADOW_NONE);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK + (pop ? 4 : 0));
    expect_ran(RUN("\xfa"), "the next instruction");
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
    if (pop) {
        memcpy(narrow + 1, seg_loads[_i].bytes, seg_loads[_i].n);
        poke(KERNEL_STACK + 4, 0xdead0000 | KDATA);
        expect_ran(run_bytes(narrow, seg_loads[_i].n + 1), seg_loads[_i].what);
        ck_assert_uint_eq(pc.cpu.seg[seg_loads[_i].seg].selector, KDATA);
        ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK + 6);
    }
    fixture_setup();
    pc.cpu.gpr[EAX] = OUTSIDE;
    poke(KERNEL_STACK, OUTSIDE);
    before = pc.cpu;
    expect_fault(run_bytes(seg_loads[_i].bytes, seg_loads[_i].n), VEC_GP, OUTSIDE, seg_loads[_i].what);
    expect_unchanged(before, seg_loads[_i].what);
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
    expect_ran(run_bytes(pushes[_i].bytes, pushes[_i].n), pushes[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 4);
    ck_assert_uint_eq(stack_word(0), 0x5a5a0000u | pc.cpu.seg[pushes[_i].seg].selector);
    memcpy(narrow + 1, pushes[_i].bytes, pushes[_i].n);
    expect_ran(run_bytes(narrow, pushes[_i].n + 1), pushes[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK - 6);
    pc.cpu.seg[SS].attr &= ~(unsigned)ATTR_BIG;
    pc.cpu.seg[SS].limit = 0xffff;
    pc.cpu.gpr[ESP] = 0x12340000;
    expect_ran(run_bytes(pushes[_i].bytes, pushes[_i].n), pushes[_i].what);
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
    expect_ran(run_bytes(far_loads[_i].bytes, far_loads[_i].n), far_loads[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x12345678);
    ck_assert_uint_eq(pc.cpu.seg[far_loads[_i].seg].selector, SPARE);
    ck_assert_int_eq(pc.cpu.shadow, SHADOW_NONE);
    memcpy(narrow + 1, far_loads[_i].bytes, far_loads[_i].n);
    poke(DATA_AT, KDATA << 16 | 0xabcd);
    expect_ran(run_bytes(narrow, far_loads[_i].n + 1), far_loads[_i].what);
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x1234abcd);
    ck_assert_uint_eq(pc.cpu.seg[far_loads[_i].seg].selector, KDATA);
    poke(DATA_AT + 4, OUTSIDE);
    before = pc.cpu;
    expect_fault(run_bytes(far_loads[_i].bytes, far_loads[_i].n), VEC_GP, OUTSIDE, far_loads[_i].what);
    expect_unchanged(before, far_loads[_i].what);
}
END_TEST

START_TEST(inspections)
{
    set_descriptor(SPARE, 0x12345678, 0x00fff, A_DATA | A_FLAT);
    pc.cpu.gpr[EAX] = SPARE;
    pc.cpu.gpr[EBX] = 0xffffffff;
    expect_ran(RUN("\x0f\x02\xd8"), "lar ebx, eax");
    ck_assert_uint_eq(pc.cpu.gpr[EBX] & 0xfff0ffff, 0x00c09200);
    ck_assert(pc.cpu.eflags & FLAG_ZF);
    expect_ran(RUN("\x0f\x03\xd8"), "lsl ebx, eax");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0x00ffffff);
    pc.cpu.gpr[EBX] = 0xeeeeeeee;
    expect_ran(RUN("\x66\x0f\x02\xd8"), "lar bx, ax");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0xeeee9200);
    expect_ran(RUN("\x0f\x00\xe0"), "verr ax");
    ck_assert(pc.cpu.eflags & FLAG_ZF);
    set_descriptor(SPARE, 0, 0, 0x090);
    expect_ran(RUN("\x0f\x00\xe8"), "verw ax");
    ck_assert(!(pc.cpu.eflags & FLAG_ZF));
    pc.cpu.eflags |= FLAG_ZF | FLAG_CF | FLAG_SF;
    pc.cpu.gpr[EAX] = OUTSIDE;
    expect_ran(RUN("\x0f\x02\xd8"), "lar of nothing");
    ck_assert_uint_eq(pc.cpu.gpr[EBX], 0xeeee9200);
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_ONE | FLAG_CF | FLAG_SF);
    poke(DATA_AT, 0xdead0000 | KDATA);
    expect_ran(RUN("\x0f\x00\x2d\x00\x00\x02\x00"), "verw [DATA_AT]");
    ck_assert(pc.cpu.eflags & FLAG_ZF);
}
END_TEST

START_TEST(lldt_ltr)
{
    set_descriptor(SPARE, 0x7000, 0x67, 0x089);
    pc.cpu.gpr[EAX] = 0;
    expect_ran(RUN("\x0f\x00\xd0"), "lldt ax");
    ck_assert(!(pc.cpu.ldtr.attr & ATTR_PRESENT));
    pc.cpu.gpr[EAX] = SPARE;
    expect_ran(RUN("\x0f\x00\xd8"), "ltr ax");
    ck_assert_uint_eq(pc.cpu.tr.base, 0x7000);
    expect_fault(RUN("\x0f\x00\xd8"), VEC_GP, SPARE, "ltr of a busy TSS");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 6);
}
END_TEST

/* ---- far transfers by their bytes ---------------------------------------------------------------- */

START_TEST(transfers)
{
    expect_ran(RUN("\x9a\x34\x12\x00\x00\x08\x00"), "call 8:0x1234");
    ck_assert_uint_eq(pc.cpu.eip, 0x1234);
    ck_assert_uint_eq(stack_word(0), CODE_AT + 7);
    expect_ran(RUN("\xcb"), "retf");
    ck_assert_uint_eq(pc.cpu.eip, CODE_AT + 7);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK);
    poke(DATA_AT, 0x7000);
    poke(DATA_AT + 4, KCODE);
    expect_ran(RUN("\xff\x2d\x00\x00\x02\x00"), "jmp far [DATA_AT]");
    ck_assert_uint_eq(pc.cpu.eip, 0x7000);
    expect_ran(RUN("\xff\x1d\x00\x00\x02\x00"), "call far [DATA_AT]");
    ck_assert_uint_eq(stack_word(0), 0x7006);
    pc.cpu.gpr[ESP] -= 8;
    poke(pc.cpu.gpr[ESP], 0x6500);
    poke(pc.cpu.gpr[ESP] + 4, KCODE);
    expect_ran(RUN("\xca\x08\x00"), "retf 8");
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK);
    ck_assert_uint_eq(pc.cpu.eip, 0x6500);
    expect_ran(RUN("\x66\xea\x00\x62\x08\x00"), "o16 jmp 8:0x6200");
    ck_assert_uint_eq(pc.cpu.eip, 0x6200);
    poke(KERNEL_STACK, 0x6000);
    poke(KERNEL_STACK + 4, KCODE);
    poke(KERNEL_STACK + 8, FLAG_IF);
    expect_ran(RUN("\xcf"), "iretd");
    ck_assert_uint_eq(pc.cpu.eip, 0x6000);
    ck_assert_uint_eq(pc.cpu.eflags, FLAG_IF | FLAG_ONE);
    ck_assert_uint_eq(pc.cpu.gpr[ESP], KERNEL_STACK + 12);
    expect_fault(RUN("\xea\x00\x00\x00\x00\x00\x00"), VEC_GP, 0, "jmp 0:0");
    ck_assert_uint_eq(pc.cpu.eip, 0x6000);
}
END_TEST

/* ---- operands that are not there --------------------------------------------------------------------- */

/* EBX points to a page that is not mapped, ESP to its start or its end; the page fault changes nothing. */
static const struct { const char *what, *bytes; size_t n; uint32_t esp; int error; } absent[] = {
    { "pushfd", BYTES("\x9c"), 0x2000, 2 }, { "popfd", BYTES("\x9d"), 0x1000, 0 },
    { "push ds", BYTES("\x1e"), 0x2000, 2 }, { "pop ds", BYTES("\x1f"), 0x1000, 0 },
    { "pop ss", BYTES("\x17"), 0x1000, 0 },
    { "int 0x40", BYTES("\xcd\x40"), 0x2000, 2 }, { "iretd", BYTES("\xcf"), 0x1000, 0 },
    { "retf", BYTES("\xcb"), 0x1000, 0 }, { "call 8:0", BYTES("\x9a\x00\x00\x00\x00\x08\x00"), 0x2000, 2 },
    { "call far [ebx]", BYTES("\xff\x1b"), 0, 0 }, { "jmp far [ebx]", BYTES("\xff\x2b"), 0, 0 },
    { "lgdt [ebx]", BYTES("\x0f\x01\x13"), 0, 0 }, { "lidt [ebx]", BYTES("\x0f\x01\x1b"), 0, 0 },
    { "sgdt [ebx]", BYTES("\x0f\x01\x03"), 0, 2 }, { "sidt [ebx]", BYTES("\x0f\x01\x0b"), 0, 2 },
    { "sldt [ebx]", BYTES("\x0f\x00\x03"), 0, 2 }, { "str [ebx]", BYTES("\x0f\x00\x0b"), 0, 2 },
    { "lldt [ebx]", BYTES("\x0f\x00\x13"), 0, 0 }, { "ltr [ebx]", BYTES("\x0f\x00\x1b"), 0, 0 },
    { "verr [ebx]", BYTES("\x0f\x00\x23"), 0, 0 }, { "verw [ebx]", BYTES("\x0f\x00\x2b"), 0, 0 },
    { "lar eax, [ebx]", BYTES("\x0f\x02\x03"), 0, 0 }, { "lsl eax, [ebx]", BYTES("\x0f\x03\x03"), 0, 0 },
    { "lmsw [ebx]", BYTES("\x0f\x01\x33"), 0, 0 }, { "smsw [ebx]", BYTES("\x0f\x01\x23"), 0, 2 },
    { "mov es, [ebx]", BYTES("\x8e\x03"), 0, 0 }, { "mov ss, [ebx]", BYTES("\x8e\x13"), 0, 0 },
    { "mov [ebx], es", BYTES("\x8c\x03"), 0, 2 }, { "lss eax, [ebx]", BYTES("\x0f\xb2\x03"), 0, 0 },
};

START_TEST(operands_absent)
{
    struct vcpu before;

    paging_on();
    set_pte(DATA_AT + 0x1000, 0);
    pc.cpu.gpr[EBX] = DATA_AT + 0x1000;
    pc.cpu.gpr[ESP] = DATA_AT + absent[_i].esp;
    before = pc.cpu;
    expect_fault(run_bytes(absent[_i].bytes, absent[_i].n), VEC_PF, absent[_i].error, absent[_i].what);
    ck_assert_uint_eq(pc.cpu.fault.cr2 & PAGE_MASK, DATA_AT + 0x1000);
    expect_unchanged(before, absent[_i].what);
}
END_TEST

START_TEST(byte_registers)
{
    pc.cpu.gpr[EDX] = 0x11223344;
    ck_assert_uint_eq(register_read(&pc.cpu, 2, 1), 0x44);      /* DL */
    ck_assert_uint_eq(register_read(&pc.cpu, 6, 1), 0x33);      /* DH */
    register_write(&pc.cpu, 2, 1, 0xaa);
    ck_assert_uint_eq(pc.cpu.gpr[EDX], 0x112233aa);
    register_write(&pc.cpu, 6, 1, 0xffffffbb);
    ck_assert_uint_eq(pc.cpu.gpr[EDX], 0x1122bbaa);
    register_write(&pc.cpu, EDX, 2, 0xcccccccc);
    ck_assert_uint_eq(pc.cpu.gpr[EDX], 0x1122cccc);
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------------------ */

START_TEST(cpuid)
{
    emulate_init_cpuid(&pc);
    fixture_user(0);
    pc.cpu.gpr[EAX] = 0;
    expect_ran(RUN("\x0f\xa2"), "cpuid 0");                    /* any CPL */
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 1);
    pc.cpu.gpr[EAX] = 1;
    expect_ran(RUN("\x0f\xa2"), "cpuid 1");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0x80000000);     /* only: a hypervisor is present */
    ck_assert_uint_eq(pc.cpu.gpr[EDX] & ~0x0780a139u, 0);
    ck_assert_uint_eq(pc.cpu.gpr[EDX] & 0x2038, 0x2038);        /* PSE, TSC, MSR, PGE */
    ck_assert_uint_eq(pc.cpu.gpr[EBX] & 0xffff00ff, 0); /* one processor, APIC 0; CLFLUSH's line is the host's */
    ck_assert_uint_ne(pc.cpu.gpr[EBX], 0);
    pc.cpu.gpr[EAX] = 0x40000000;
    expect_ran(RUN("\x0f\xa2"), "cpuid 0x40000000");
    ck_assert_uint_eq(pc.cpu.gpr[EAX], 0x40000000);     /* the highest leaf of its kind */
    ck_assert_mem_eq(&pc.cpu.gpr[EBX], "Quad", 4);
    ck_assert_mem_eq(&pc.cpu.gpr[ECX], "viso", 4);
    ck_assert_mem_eq(&pc.cpu.gpr[EDX], "rVMM", 4);
    pc.cpu.gpr[EAX] = 7;                                /* beyond the last leaf: as the last */
    expect_ran(RUN("\x0f\xa2"), "cpuid 7");
    ck_assert_uint_eq(pc.cpu.gpr[ECX], 0x80000000);
}
END_TEST

START_TEST(counters)
{
    expect_ran(RUN("\xfa"), "cli");
    expect_ran(RUN("\xfa"), "cli");
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
    expect_ran(RUN("\x64\x8e\x5c\xb3\x04"), "mov ds, fs:[ebx+esi*4+4]");
    pc.cpu.gpr[EBX] = 0x5678ffff;
    pc.cpu.gpr[ESI] = 0x12340033;
    expect_ran(RUN("\x64\x67\x8e\x40\x02"), "mov es, fs:[bx+si+2]");
    ck_assert_uint_eq(pc.cpu.seg[ES].selector, KDATA);
    pc.cpu.gpr[EBP] = DATA_AT;
    pc.cpu.seg[SS].limit = DATA_AT;
    expect_fault(RUN("\x8e\x45\x00"), VEC_SS, 0, "mov es, [ebp] beyond SS's limit");
    pc.cpu.seg[DS].attr = 0;
    expect_fault(RUN("\x8e\x03"), VEC_GP, 0, "mov es, [ebx] with a null DS");
}
END_TEST

Suite *suite_emulate_system(void)
{
    Suite *s = suite_create("emulate-system");
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
    t = fixture_case(s, "rest");
    tcase_add_loop_test(t, operands_absent, 0, COUNT_OF(absent));
    tcase_add_test(t, byte_registers);
    tcase_add_test(t, cpuid);
    tcase_add_test(t, counters);
    tcase_add_test(t, operand_addresses);
    return s;
}
