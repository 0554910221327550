/* The decoder: lengths, operands, and which row of isa.def an instruction falls on. The bytes are from the opcode
 * tables of Intel SDM vol. 2D appendix A. */
#include <string.h>

#include "fixture.h"

static struct insn decoded(const char *bytes, size_t n, bool wide)
{
    struct insn insn;
    uint8_t copy[INSN_MAX + 1];

    memset(copy, 0x90, sizeof copy);
    memcpy(copy, bytes, n);
    ck_assert_int_eq(decode(copy, INSN_MAX, wide, &insn), DECODED);
    ck_assert_uint_eq(insn.length, n);
    ck_assert_mem_eq(insn.bytes, bytes, n);
    return insn;
}

/* 32-bit code. */
static const struct { const char *bytes; size_t n; enum isa isa; } rows[] = {
    { BYTES("\xfa"), ISA_CLI },
    { BYTES("\xfb"), ISA_STI },
    { BYTES("\xe4\x20"), ISA_IN }, { BYTES("\xe5\x20"), ISA_IN },
    { BYTES("\xec"), ISA_IN }, { BYTES("\x66\xed"), ISA_IN },
    { BYTES("\xe6\x20"), ISA_OUT }, { BYTES("\xe7\x20"), ISA_OUT },
    { BYTES("\xee"), ISA_OUT }, { BYTES("\xef"), ISA_OUT },
    { BYTES("\x6c"), ISA_INSB }, { BYTES("\xf3\x6c"), ISA_INSB },
    { BYTES("\x66\x6d"), ISA_INSW }, { BYTES("\x6d"), ISA_INSD },
    { BYTES("\x6e"), ISA_OUTSB }, { BYTES("\x66\x6f"), ISA_OUTSW }, { BYTES("\x6f"), ISA_OUTSD },
    { BYTES("\xf3\x65\x6f"), ISA_OUTSD },
    { BYTES("\xf4"), ISA_HLT },
    { BYTES("\x0f\x01\x10"), ISA_LGDT }, { BYTES("\x66\x0f\x01\x10"), ISA_LGDT },
    { BYTES("\x0f\x01\x1d\x78\x56\x34\x12"), ISA_LIDT },
    { BYTES("\x0f\x00\xd0"), ISA_LLDT }, { BYTES("\x0f\x00\x10"), ISA_LLDT },
    { BYTES("\x0f\x00\xd8"), ISA_LTR }, { BYTES("\x0f\x00\x18"), ISA_LTR },
    { BYTES("\x0f\x01\xf0"), ISA_LMSW }, { BYTES("\x0f\x01\x30"), ISA_LMSW },
    { BYTES("\x0f\x06"), ISA_CLTS },
    { BYTES("\x0f\x01\x38"), ISA_INVLPG },
    { BYTES("\x0f\x08"), ISA_INVD }, { BYTES("\x0f\x09"), ISA_WBINVD },
    { BYTES("\x0f\x32"), ISA_RDMSR }, { BYTES("\x0f\x30"), ISA_WRMSR },
    { BYTES("\x0f\x20\xd8"), ISA_MOV_FROM_CR }, { BYTES("\x0f\x22\xc0"), ISA_MOV_TO_CR },
    { BYTES("\x0f\x21\xf8"), ISA_MOV_FROM_DR }, { BYTES("\x0f\x23\xc0"), ISA_MOV_TO_DR },
    { BYTES("\x0f\x01\x00"), ISA_SGDT }, { BYTES("\x0f\x01\x08"), ISA_SIDT },
    { BYTES("\x0f\x00\xc0"), ISA_SLDT }, { BYTES("\x0f\x00\x00"), ISA_SLDT },
    { BYTES("\x0f\x00\xc8"), ISA_STR }, { BYTES("\x0f\x01\xe0"), ISA_SMSW }, { BYTES("\x0f\x01\x20"), ISA_SMSW },
    { BYTES("\x66\x9c"), ISA_PUSHF }, { BYTES("\x9c"), ISA_PUSHFD }, { BYTES("\x66\x9d"), ISA_POPF },
    { BYTES("\x9d"), ISA_POPFD },
    { BYTES("\x0f\x02\xc3"), ISA_LAR }, { BYTES("\x0f\x03\x03"), ISA_LSL },
    { BYTES("\x0f\x00\xe0"), ISA_VERR }, { BYTES("\x0f\x00\x28"), ISA_VERW },
    { BYTES("\x06"), ISA_PUSH_SEG }, { BYTES("\x0e"), ISA_PUSH_SEG }, { BYTES("\x16"), ISA_PUSH_SEG },
    { BYTES("\x1e"), ISA_PUSH_SEG }, { BYTES("\x0f\xa0"), ISA_PUSH_SEG }, { BYTES("\x66\x0f\xa8"), ISA_PUSH_SEG },
    { BYTES("\x07"), ISA_POP_SEG }, { BYTES("\x17"), ISA_POP_SEG }, { BYTES("\x1f"), ISA_POP_SEG },
    { BYTES("\x0f\xa1"), ISA_POP_SEG }, { BYTES("\x0f\xa9"), ISA_POP_SEG },
    { BYTES("\x8c\xc8"), ISA_MOV_FROM_SEG }, { BYTES("\x8c\x1b"), ISA_MOV_FROM_SEG },
    { BYTES("\x8e\xd8"), ISA_MOV_TO_SEG }, { BYTES("\x8e\x13"), ISA_MOV_TO_SEG },
    { BYTES("\xc5\x03"), ISA_LDS }, { BYTES("\xc4\x03"), ISA_LES }, { BYTES("\x0f\xb4\x03"), ISA_LFS },
    { BYTES("\x0f\xb5\x03"), ISA_LGS }, { BYTES("\x0f\xb2\x03"), ISA_LSS },
    { BYTES("\x9a\x78\x56\x34\x12\x08\x00"), ISA_CALL_FAR }, { BYTES("\xff\x18"), ISA_CALL_FAR },
    { BYTES("\x66\x9a\x34\x12\x08\x00"), ISA_CALL_FAR },
    { BYTES("\xea\x78\x56\x34\x12\x08\x00"), ISA_JMP_FAR }, { BYTES("\xff\x28"), ISA_JMP_FAR },
    { BYTES("\xcb"), ISA_RET_FAR }, { BYTES("\xca\x08\x00"), ISA_RET_FAR },
    { BYTES("\x66\xcf"), ISA_IRET }, { BYTES("\xcf"), ISA_IRETD },
    { BYTES("\xcd\x80"), ISA_INT }, { BYTES("\xcc"), ISA_INT3 }, { BYTES("\xce"), ISA_INTO },
    { BYTES("\x0f\xa2"), ISA_CPUID },
    /* near relatives that are nobody's business */
    { BYTES("\x90"), ISA_OTHER }, { BYTES("\xf3\x90"), ISA_OTHER }, { BYTES("\x89\xd8"), ISA_OTHER },
    { BYTES("\x64\x8b\x03"), ISA_OTHER },               /* mov eax, fs:[ebx]: a segment, but no operand */
    { BYTES("\x50"), ISA_OTHER }, { BYTES("\x8f\x00"), ISA_OTHER }, { BYTES("\xff\x30"), ISA_OTHER },
    { BYTES("\xe8\x00\x00\x00\x00"), ISA_OTHER }, { BYTES("\xff\x10"), ISA_OTHER },
    { BYTES("\xeb\x00"), ISA_OTHER },
    { BYTES("\xff\x20"), ISA_OTHER }, { BYTES("\xc3"), ISA_OTHER }, { BYTES("\xc2\x04\x00"), ISA_OTHER },
    { BYTES("\x8d\x03"), ISA_OTHER }, { BYTES("\xa4"), ISA_OTHER }, { BYTES("\x0f\x31"), ISA_OTHER },
    { BYTES("\x0f\x0b"), ISA_OTHER }, { BYTES("\xf0\x0f\xb1\x0b"), ISA_OTHER },
    { BYTES("\x9e"), ISA_OTHER }, { BYTES("\x60"), ISA_OTHER }, { BYTES("\xc9"), ISA_OTHER },
};

START_TEST(isa_row)
{
    struct insn insn = decoded(rows[_i].bytes, rows[_i].n, true);

    ck_assert_msg(insn.isa == rows[_i].isa, "%s instead of %s", isa_rows[insn.isa].name,
                  isa_rows[rows[_i].isa].name);
    ck_assert(insn.wide);
}
END_TEST

START_TEST(every_row_is_tested)
{
    bool seen[ISA_COUNT] = { false };

    for (int i = 0; i < COUNT_OF(rows); i++)
        seen[rows[i].isa] = true;
    for (int id = 0; id < ISA_COUNT; id++)
        ck_assert_msg(seen[id], "no bytes for %s", isa_rows[id].name);
}
END_TEST

/* 16-bit code: the same opcodes, the other sizes; prefixes turn them round. */
static const struct { const char *bytes; size_t n; enum isa isa; unsigned opsize, addrsize; } narrow[] = {
    { BYTES("\xfa"), ISA_CLI, 2, 2 },
    { BYTES("\x9c"), ISA_PUSHF, 2, 2 }, { BYTES("\x66\x9c"), ISA_PUSHFD, 4, 2 },
    { BYTES("\xcf"), ISA_IRET, 2, 2 }, { BYTES("\x66\xcf"), ISA_IRETD, 4, 2 },
    { BYTES("\xea\x34\x12\x08\x00"), ISA_JMP_FAR, 2, 2 },
    { BYTES("\x66\xea\x78\x56\x34\x12\x08\x00"), ISA_JMP_FAR, 4, 2 },
    { BYTES("\x0f\x01\x16\x34\x12"), ISA_LGDT, 2, 2 },
    { BYTES("\x66\x67\x0f\x01\x15\x78\x56\x34\x12"), ISA_LGDT, 4, 4 },
    { BYTES("\x6d"), ISA_INSW, 2, 2 }, { BYTES("\xf3\x66\x6d"), ISA_INSD, 4, 2 },
    { BYTES("\xe8\x34\x12"), ISA_OTHER, 2, 2 },
};

START_TEST(narrow_code)
{
    struct insn insn = decoded(narrow[_i].bytes, narrow[_i].n, false);

    ck_assert_msg(insn.isa == narrow[_i].isa, "%s", isa_rows[insn.isa].name);
    ck_assert_uint_eq(insn.opsize, narrow[_i].opsize);
    ck_assert_uint_eq(insn.addrsize, narrow[_i].addrsize);
    ck_assert(!insn.wide);
}
END_TEST

/* ---- operands ------------------------------------------------------------------------------------ */

/* The first two operands; `value` is the displacement, immediate or far offset. */
struct expected { unsigned kind, bytes; bool read, written; unsigned reg; };

static const struct {
    const char *what, *bytes;
    size_t n;
    struct expected op[2];
} operands[] = {
    { "mov eax, cr3", BYTES("\x0f\x20\xd8"),
      { { OPERAND_REG, 4, false, true, EAX }, { OPERAND_CR, 4, true, false, 3 } } },
    { "mov cr0, edi", BYTES("\x0f\x22\xc7"),
      { { OPERAND_CR, 4, false, true, 0 }, { OPERAND_REG, 4, true, false, EDI } } },
    { "mov dr7, esp", BYTES("\x0f\x23\xfc"),
      { { OPERAND_DR, 4, false, true, 7 }, { OPERAND_REG, 4, true, false, ESP } } },
    { "mov ds, bx", BYTES("\x8e\xdb"),
      { { OPERAND_SEG, 2, false, true, DS }, { OPERAND_REG, 2, true, false, EBX } } },
    { "push gs", BYTES("\x0f\xa8"),
      { { OPERAND_SEG, 2, true, false, GS }, { OPERAND_MEM, 4, false, true, 0 } } },
    { "in al, dx", BYTES("\xec"),
      { { OPERAND_REG, 1, false, true, EAX }, { OPERAND_REG, 2, true, false, EDX } } },
    { "out 0xf4, ax", BYTES("\x66\xe7\xf4"),
      { { OPERAND_IMM, 1, true, false, 0 }, { OPERAND_REG, 2, true, false, EAX } } },
    { "mov ah, bh", BYTES("\x88\xfc"),
      { { OPERAND_REG, 1, false, true, 4 }, { OPERAND_REG, 1, true, false, 7 } } },
    { "add [ebx], cl", BYTES("\x00\x0b"),
      { { OPERAND_MEM, 1, true, true, 0 }, { OPERAND_REG, 1, true, false, ECX } } },
    { "lea eax, [ebx]", BYTES("\x8d\x03"),
      { { OPERAND_REG, 4, false, true, EAX }, { OPERAND_MEM, 4, false, false, 0 } } },
    { "jmp 8:0", BYTES("\xea\x00\x00\x00\x00\x08\x00"),
      { { OPERAND_FAR, 6, true, false, 0 } } },
};

START_TEST(operand_kinds)
{
    struct insn insn = decoded(operands[_i].bytes, operands[_i].n, true);

    for (int k = 0; k < 2; k++) {
        const struct expected *x = &operands[_i].op[k];
        const struct operand *op = &insn.op[k];

        if (!x->kind)
            continue;
        ck_assert_uint_lt(k, insn.operands);
        ck_assert_msg(op->kind == x->kind, "%s, operand %d: kind %u", operands[_i].what, k, op->kind);
        if (x->kind != OPERAND_FAR && x->kind != OPERAND_IMM) {
            ck_assert_msg(op->bytes == x->bytes, "%s, operand %d: %u bytes", operands[_i].what, k, op->bytes);
            ck_assert_msg(op->read == x->read && op->written == x->written, "%s, operand %d: access",
                          operands[_i].what, k);
        }
        if (x->kind != OPERAND_MEM && x->kind != OPERAND_FAR && x->kind != OPERAND_IMM)
            ck_assert_msg(op->reg == x->reg, "%s, operand %d: register %u", operands[_i].what, k, op->reg);
    }
}
END_TEST

/* Memory operands: segment (with the defaults of vol. 1 3.7.4), base, index, scale, displacement. */
static const struct {
    const char *what, *bytes;
    size_t n;
    unsigned op, seg, base, index, scale;
    uint32_t value;
    unsigned bytes_wide;
} places[] = {
    { "mov eax, [ebx]", BYTES("\x8b\x03"), 1, DS, EBX, REG_NONE, 0, 0, 4 },
    { "mov eax, [ebp-4]", BYTES("\x8b\x45\xfc"), 1, SS, EBP, REG_NONE, 0, 0xfffffffc, 4 },
    { "mov ax, [esp+8]", BYTES("\x66\x8b\x44\x24\x08"), 1, SS, ESP, REG_NONE, 0, 8, 2 },
    { "mov al, gs:[ecx+edx*8+0x12345678]", BYTES("\x65\x8a\x84\xd1\x78\x56\x34\x12"),
      1, GS, ECX, EDX, 8, 0x12345678, 1 },
    { "mov eax, [esi*2+0x80000000]", BYTES("\x8b\x04\x75\x00\x00\x00\x80"),
      1, DS, REG_NONE, ESI, 2, 0x80000000, 4 },
    { "mov [0xfedcba98], al", BYTES("\xa2\x98\xba\xdc\xfe"), 0, DS, REG_NONE, REG_NONE, 0, 0xfedcba98, 1 },
    { "mov eax, [bx+di]", BYTES("\x67\x8b\x01"), 1, DS, EBX, EDI, 1, 0, 4 },
    { "mov eax, [bp+2]", BYTES("\x67\x8b\x46\x02"), 1, SS, EBP, REG_NONE, 0, 2, 4 },
    { "lgdt cs:[ebx]", BYTES("\x2e\x0f\x01\x13"), 0, CS, EBX, REG_NONE, 0, 0, 6 },
    { "jmp far [edi]", BYTES("\xff\x2f"), 0, DS, EDI, REG_NONE, 0, 0, 6 },
    { "insb", BYTES("\x6c"), 0, ES, EDI, REG_NONE, 0, 0, 1 },
    { "fs insb: its ES cannot be overridden", BYTES("\x64\x6c"), 0, ES, EDI, REG_NONE, 0, 0, 1 },
    { "fs outsd", BYTES("\x64\x6f"), 0, FS, ESI, REG_NONE, 0, 0, 4 },
    { "push eax: the slot below ESP", BYTES("\x50"), 1, SS, ESP, REG_NONE, 0, 0xfffffffc, 4 },
    { "push word 1", BYTES("\x66\x6a\x01"), 1, SS, ESP, REG_NONE, 0, 0xfffffffe, 2 },
    { "call: the slot below ESP", BYTES("\xe8\x00\x00\x00\x00"), 1, SS, ESP, REG_NONE, 0, 0xfffffffc, 4 },
    { "pop eax: the top of the stack", BYTES("\x58"), 1, SS, ESP, REG_NONE, 0, 0, 4 },
    { "ret", BYTES("\xc3"), 0, SS, ESP, REG_NONE, 0, 0, 4 },
};

START_TEST(operand_places)
{
    struct insn insn = decoded(places[_i].bytes, places[_i].n, true);
    const struct operand *op = &insn.op[places[_i].op];

    ck_assert_msg(op->kind == OPERAND_MEM, "%s: kind %u", places[_i].what, op->kind);
    ck_assert_msg(op->seg == places[_i].seg, "%s: segment %u", places[_i].what, op->seg);
    ck_assert_msg(op->base == places[_i].base, "%s: base %u", places[_i].what, op->base);
    ck_assert_msg(op->index == places[_i].index, "%s: index %u", places[_i].what, op->index);
    if (places[_i].index != REG_NONE)
        ck_assert_msg(op->scale == places[_i].scale, "%s: scale %u", places[_i].what, op->scale);
    ck_assert_msg(op->value == places[_i].value, "%s: displacement 0x%x", places[_i].what, op->value);
    ck_assert_msg(op->bytes == places[_i].bytes_wide, "%s: %u bytes", places[_i].what, op->bytes);
}
END_TEST

START_TEST(immediates)
{
    struct insn insn = decoded(BYTES("\xea\x78\x56\x34\x12\xcd\xab"), true);

    ck_assert_uint_eq(insn.op[0].value, 0x12345678);
    ck_assert_uint_eq(insn.op[0].selector, 0xabcd);
    insn = decoded(BYTES("\xcd\xfe"), true);
    ck_assert_uint_eq(insn.op[0].value & 0xff, 0xfe);
    insn = decoded(BYTES("\xca\x34\x12"), true);
    ck_assert_int_eq(insn.op[0].kind, OPERAND_IMM);
    ck_assert_uint_eq(insn.op[0].value, 0x1234);
}
END_TEST

static const struct {
    const char *what, *bytes;
    size_t n;
    unsigned opsize, addrsize;
    bool rep;
    enum branch branch;
} kinds[] = {
    { "nop", BYTES("\x90"), 4, 4, false, BRANCH_NONE },
    { "o16 lgdt", BYTES("\x66\x0f\x01\x10"), 2, 4, false, BRANCH_NONE },
    { "a16 insb", BYTES("\x67\x6c"), 4, 2, false, BRANCH_NONE },
    { "rep outsw", BYTES("\xf3\x66\x6f"), 2, 4, true, BRANCH_NONE },
    { "repne insb", BYTES("\xf2\x6c"), 4, 4, true, BRANCH_NONE },
    { "o16 retf", BYTES("\x66\xcb"), 2, 4, false, BRANCH_NONE },
    { "jmp short", BYTES("\xeb\xfe"), 4, 4, false, BRANCH_SHORT_OR_NEAR },
    { "jne near", BYTES("\x0f\x85\x00\x00\x00\x00"), 4, 4, false, BRANCH_SHORT_OR_NEAR },
    { "loop", BYTES("\xe2\xfe"), 4, 4, false, BRANCH_SHORT_OR_NEAR },
    { "jmp eax", BYTES("\xff\xe0"), 4, 4, false, BRANCH_SHORT_OR_NEAR },
    { "call near", BYTES("\xe8\x00\x00\x00\x00"), 4, 4, false, BRANCH_CALL },
    { "call [eax]", BYTES("\xff\x10"), 4, 4, false, BRANCH_CALL },
    { "ret", BYTES("\xc3"), 4, 4, false, BRANCH_RETURN },
    { "ret 4", BYTES("\xc2\x04\x00"), 4, 4, false, BRANCH_RETURN },
    { "jmp far", BYTES("\xff\x28"), 4, 4, false, BRANCH_NONE },
};

START_TEST(sizes_and_branches)
{
    struct insn insn = decoded(kinds[_i].bytes, kinds[_i].n, true);

    ck_assert_msg(insn.opsize == kinds[_i].opsize, "%s: operand size %u", kinds[_i].what, insn.opsize);
    ck_assert_msg(insn.addrsize == kinds[_i].addrsize, "%s: address size %u", kinds[_i].what, insn.addrsize);
    ck_assert_msg(insn.rep == kinds[_i].rep, "%s: rep", kinds[_i].what);
    ck_assert_msg(insn.branch == kinds[_i].branch, "%s: branch %u", kinds[_i].what, insn.branch);
}
END_TEST

/* What the virtual processor has: a Pentium III with SSE2 and no more (CPUID, emulate.c). */
static const struct { const char *what, *bytes; size_t n; bool known, fpu; unsigned opcode_at; } known[] = {
    { "mov", BYTES("\x89\xd8"), true, false, 0 },
    { "lock cmpxchg", BYTES("\xf0\x0f\xb1\x0b"), true, false, 1 },
    { "cmpxchg8b", BYTES("\x0f\xc7\x08"), true, false, 0 },
    { "bswap", BYTES("\x0f\xc8"), true, false, 0 },
    { "cmove", BYTES("\x0f\x44\xc1"), true, false, 0 },
    { "cpuid", BYTES("\x0f\xa2"), true, false, 0 },
    { "rdtsc", BYTES("\x0f\x31"), true, false, 0 },
    { "rdpmc", BYTES("\x0f\x33"), true, false, 0 },
    { "lahf", BYTES("\x9f"), true, false, 0 },
    { "arpl", BYTES("\x63\xc8"), true, false, 0 },
    { "pause", BYTES("\xf3\x90"), true, false, 1 },
    { "nop [eax]", BYTES("\x0f\x1f\x00"), true, false, 0 },
    { "endbr32, a nop", BYTES("\xf3\x0f\x1e\xfb"), true, false, 1 },
    { "prefetcht0", BYTES("\x0f\x18\x08"), true, false, 0 },
    { "lzcnt, which is bsr", BYTES("\xf3\x0f\xbd\xc1"), true, false, 1 },
    { "tzcnt, which is bsf", BYTES("\xf3\x0f\xbc\xc1"), true, false, 1 },
    { "rep movsd", BYTES("\xf3\xa5"), true, false, 1 },
    { "o16 a16 gs mov", BYTES("\x66\x67\x65\x8b\x07"), true, false, 3 },
    { "lgdt", BYTES("\x0f\x01\x10"), true, false, 0 },
    { "fninit", BYTES("\xdb\xe3"), true, true, 0 },
    { "fwait", BYTES("\x9b"), true, true, 0 },
    { "fcmove", BYTES("\xda\xc9"), true, true, 0 },
    { "fcomi: of the Pentium Pro, as fcmov is", BYTES("\xdb\xf1"), true, true, 0 },
    { "fucomip", BYTES("\xdf\xe9"), true, true, 0 },
    { "fxsave", BYTES("\x0f\xae\x00"), true, true, 0 },
    { "emms", BYTES("\x0f\x77"), true, true, 0 },
    { "movq mm0, mm1", BYTES("\x0f\x6f\xc1"), true, true, 0 },
    { "addps", BYTES("\x0f\x58\xc1"), true, true, 0 },
    { "ldmxcsr", BYTES("\x0f\xae\x10"), true, true, 0 },
    { "addpd", BYTES("\x66\x0f\x58\xc1"), true, true, 1 },
    { "paddq mm0, mm1", BYTES("\x0f\xd4\xc1"), true, true, 0 },
    { "haddps: SSE3", BYTES("\xf2\x0f\x7c\xc1"), false, false, 1 },
    { "fisttp dword: SSE3", BYTES("\xdb\x08"), false, false, 0 },
    { "fisttp word", BYTES("\xdf\x08"), false, false, 0 },
    { "fisttp qword", BYTES("\xdd\x08"), false, false, 0 },
    { "pshufb: SSSE3", BYTES("\x66\x0f\x38\x00\xc1"), false, false, 1 },
    { "pfadd: 3DNow!", BYTES("\x0f\x0f\xc1\x9e"), false, false, 0 },
    { "popcnt", BYTES("\xf3\x0f\xb8\xc1"), false, false, 1 },
    { "crc32", BYTES("\xf2\x0f\x38\xf1\xc1"), false, false, 1 },
    { "movbe", BYTES("\x0f\x38\xf0\x00"), false, false, 0 },
    { "rdrand", BYTES("\x0f\xc7\xf0"), false, false, 0 },
    { "rdseed", BYTES("\x0f\xc7\xf8"), false, false, 0 },
    { "rdtscp", BYTES("\x0f\x01\xf9"), false, false, 0 },
    { "xgetbv", BYTES("\x0f\x01\xd0"), false, false, 0 },
    { "xsave", BYTES("\x0f\xae\x20"), false, false, 0 },
    { "monitor", BYTES("\x0f\x01\xc8"), false, false, 0 },
    { "vmcall", BYTES("\x0f\x01\xc1"), false, false, 0 },
    { "vaddps: AVX", BYTES("\xc5\xf0\x58\xc1"), false, false, 0 },
    { "andn: BMI1", BYTES("\xc4\xe2\x70\xf2\xc1"), false, false, 0 },
    { "adcx: ADX", BYTES("\x66\x0f\x38\xf6\xc1"), false, false, 1 },
    { "sysenter", BYTES("\x0f\x34"), false, false, 0 },
    { "sysexit", BYTES("\x0f\x35"), false, false, 0 },
    { "rsm", BYTES("\x0f\xaa"), false, false, 0 },
    { "ud2", BYTES("\x0f\x0b"), false, false, 0 },
    { "ud1", BYTES("\x0f\xb9\xc1"), false, false, 0 },
};

START_TEST(extensions)
{
    struct insn insn = decoded(known[_i].bytes, known[_i].n, true);

    ck_assert_msg(insn.known == known[_i].known, "%s: %s", known[_i].what, insn.known ? "known" : "not known");
    ck_assert_msg((insn.fpu != FPU_NONE) == known[_i].fpu, "%s: %s", known[_i].what, insn.fpu ? "FPU" : "no FPU");
    ck_assert_msg(insn.opcode_at == known[_i].opcode_at, "%s: opcode at %u", known[_i].what, insn.opcode_at);
}
END_TEST

/* The guest may execute whatever isa.def names. */
START_TEST(every_row_is_known)
{
    for (int i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].isa != ISA_OTHER)
            ck_assert_msg(decoded(rows[i].bytes, rows[i].n, true).known, "%s", isa_rows[rows[i].isa].name);
}
END_TEST

/* ---- input that is no instruction ---------------------------------------------------------------- */

START_TEST(truncated)
{
    struct insn insn;

    for (int i = 0; i < COUNT_OF(rows); i++)
        for (size_t n = 0; n < rows[i].n; n++)
            ck_assert_int_eq(decode((const uint8_t *)rows[i].bytes, n, true, &insn), DECODE_TRUNCATED);
}
END_TEST

static const struct { const char *what, *bytes; size_t n; } invalid[] = {
    { "mov cs, ax", BYTES("\x8e\xc8") },
    { "mov to segment register 6", BYTES("\x8e\xf0") },
    { "mov to segment register 7", BYTES("\x8e\xf8") },
    { "mov eax, cr1", BYTES("\x0f\x20\xc8") },
    { "mov cr7, eax", BYTES("\x0f\x22\xf8") },
    { "lds with a register", BYTES("\xc5\xc0\x00\x00\x00") },
    { "lea with a register", BYTES("\x8d\xc0") },
    { "jmp far with a register", BYTES("\xff\xe8") },
    { "lgdt with a register", BYTES("\x0f\x01\xd7") },
    { "lock cli", BYTES("\xf0\xfa") },
    { "lock mov", BYTES("\xf0\x89\x03") },
    { "0f 04, a hole in the map", BYTES("\x0f\x04") },
};

START_TEST(invalid_bytes)
{
    memset(pc.mem.ram + CODE_AT, 0x90, 32);
    expect_fault(run_bytes(invalid[_i].bytes, invalid[_i].n), VEC_UD, NO_ERROR, invalid[_i].what);
}
END_TEST

/* Sixteen bytes are no instruction: #GP(0), not #UD (vol. 2A 2.3.11; vol. 3A 6.15, #GP). */
START_TEST(too_long)
{
    char bytes[16];

    memset(bytes, 0x66, sizeof bytes);
    bytes[14] = '\xfa';
    ck_assert(run_bytes(bytes, 15));
    pc.cpu.eip = CODE_AT;
    bytes[14] = 0x66;
    bytes[15] = '\xfa';
    expect_fault(run_bytes(bytes, 16), VEC_GP, 0, "fifteen prefixes and cli");
}
END_TEST

/* ---- fetching ------------------------------------------------------------------------------------ */

START_TEST(fetch_limits)
{
    struct insn insn;

    poke(CODE_AT, 0x0080cd);                            /* int 0x80 */
    pc.cpu.seg[CS].limit = CODE_AT + 1;
    ck_assert(decode_at_eip(&pc, &insn));
    pc.cpu.seg[CS].limit = CODE_AT;
    expect_fault(decode_at_eip(&pc, &insn), VEC_GP, 0, "the second byte beyond CS's limit");
    poke(CODE_AT, 0xfa);
    ck_assert(decode_at_eip(&pc, &insn));               /* one byte, the last of the segment */
    poke(CODE_AT, 0x80cd);
    pc.cpu.seg[CS].limit = CODE_AT - 1;
    expect_fault(decode_at_eip(&pc, &insn), VEC_GP, 0, "EIP beyond CS's limit");
    fixture_setup();
    pc.cpu.seg[CS].base = 0x6000;
    pc.cpu.eip = 0x10;
    poke(0x6010, 0xfa);
    ck_assert(decode_at_eip(&pc, &insn));
    ck_assert_int_eq(insn.isa, ISA_CLI);
    pc.cpu.seg[CS].attr &= ~(unsigned)ATTR_BIG;
    poke(0x6010, 0x9c);
    ck_assert(decode_at_eip(&pc, &insn));
    ck_assert_int_eq(insn.isa, ISA_PUSHF);
}
END_TEST

START_TEST(fetch_pages)
{
    struct insn insn;

    paging_on();
    set_pte(0x7000, 0);
    pc.cpu.eip = 0x6ffe;
    poke(0x6ffc, 0x80cd0000);
    ck_assert(decode_at_eip(&pc, &insn));               /* ends with its page: the next is not asked */
    ck_assert_int_eq(insn.isa, ISA_INT);
    pc.cpu.eip = 0x6fff;
    poke(0x6ffc, 0xcd000000);
    expect_fault(decode_at_eip(&pc, &insn), VEC_PF, 0, "goes on in a missing page");
    ck_assert_uint_eq(pc.cpu.fault.cr2, 0x7000);
    set_pte(0x7000, 0x8000 | PTE_P | PTE_W | PTE_U);
    poke(0x8000, 0x81);
    ck_assert(decode_at_eip(&pc, &insn));
    ck_assert_uint_eq(insn.op[0].value & 0xff, 0x81);
    set_pte(0x7000, 0);
    expect_fault(decode_at_eip(&pc, &insn), VEC_PF, 0, "decoded before, and not there any more");
    set_pte(0x7000, 0x8000 | PTE_P | PTE_W | PTE_U);
    set_pte(0x6000, 0x6000 | PTE_P | PTE_W);
    pc.cpu.seg[CS].selector = UCODE;
    expect_fault(decode_at_eip(&pc, &insn), VEC_PF, 5, "a user fetches from a supervisor's page");
    ck_assert_uint_eq(pc.cpu.fault.cr2, 0x6fff);
}
END_TEST

/* Code that changes is decoded anew, and so is the same code in a segment of the other size. */
START_TEST(fetch_changed_code)
{
    struct insn insn;

    poke(CODE_AT, 0xfa);
    ck_assert(decode_at_eip(&pc, &insn) && insn.isa == ISA_CLI);
    poke(CODE_AT, 0xfb);
    ck_assert(decode_at_eip(&pc, &insn) && insn.isa == ISA_STI);
    poke(CODE_AT, 0x80cd);
    ck_assert(decode_at_eip(&pc, &insn) && insn.op[0].value == 0x80);
    poke(CODE_AT, 0x81cd);
    ck_assert(decode_at_eip(&pc, &insn) && (insn.op[0].value & 0xff) == 0x81);
    poke(CODE_AT, 0x9c);
    ck_assert(decode_at_eip(&pc, &insn) && insn.isa == ISA_PUSHFD);
    pc.cpu.seg[CS].attr &= ~(unsigned)ATTR_BIG;
    ck_assert(decode_at_eip(&pc, &insn) && insn.isa == ISA_PUSHF);
}
END_TEST

START_TEST(text)
{
    char line[64];

    decode_text((const uint8_t *)"\x0f\x22\xd8", 3, true, 0, line, sizeof line);
    ck_assert_str_eq(line, "mov cr3, eax");
    decode_text((const uint8_t *)"\x0f\x04", 2, true, 0, line, sizeof line);
    ck_assert_str_eq(line, "(not an instruction)");
}
END_TEST

Suite *suite_decode(void)
{
    Suite *s = suite_create("decode");
    TCase *t = fixture_case(s, "rows");

    tcase_add_loop_test(t, isa_row, 0, COUNT_OF(rows));
    tcase_add_test(t, every_row_is_tested);
    tcase_add_test(t, every_row_is_known);
    tcase_add_loop_test(t, narrow_code, 0, COUNT_OF(narrow));
    t = fixture_case(s, "operands");
    tcase_add_loop_test(t, operand_kinds, 0, COUNT_OF(operands));
    tcase_add_loop_test(t, operand_places, 0, COUNT_OF(places));
    tcase_add_test(t, immediates);
    tcase_add_loop_test(t, sizes_and_branches, 0, COUNT_OF(kinds));
    tcase_add_loop_test(t, extensions, 0, COUNT_OF(known));
    t = fixture_case(s, "input");
    tcase_add_test(t, truncated);
    tcase_add_loop_test(t, invalid_bytes, 0, COUNT_OF(invalid));
    tcase_add_test(t, too_long);
    t = fixture_case(s, "fetch");
    tcase_add_test(t, fetch_limits);
    tcase_add_test(t, fetch_pages);
    tcase_add_test(t, fetch_changed_code);
    tcase_add_test(t, text);
    return s;
}
