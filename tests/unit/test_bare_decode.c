/* The bare monitor's decoder (hwassist/bare/decode.c, compiled as bare_decode) against Zydis: whatever it knows, the two must see
 * alike, in all encodings: prefixes, ModRM, SIB, both code sizes, cut off anywhere. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"

enum decoded bare_decode(const uint8_t *bytes, size_t available, bool wide, struct insn *out);

static char what[64];

static void describe(const uint8_t *bytes, unsigned n, bool wide)
{
    unsigned at = (unsigned)sprintf(what, "%d-bit", wide ? 32 : 16);

    for (unsigned i = 0; i < n; i++)
        at += (unsigned)sprintf(what + at, " %02x", bytes[i]);
}

static void same_operand(const struct operand *a, const struct operand *b)
{
    ck_assert_msg(a->kind == b->kind && a->bytes == b->bytes, "%s: operand kind %d, %d bytes; Zydis: %d, %d", what, a->kind,
                  a->bytes, b->kind, b->bytes);
    if (a->kind == OPERAND_MEM)
        ck_assert_msg(a->seg == b->seg && a->base == b->base && a->index == b->index && a->value == b->value &&
                      (a->index == REG_NONE || a->scale == b->scale),
                      "%s: seg %d base %d index %d*%d disp %x; Zydis: %d %d %d*%d %x", what, a->seg, a->base, a->index, a->scale,
                      a->value, b->seg, b->base, b->index, b->scale, b->value);
    else if (a->kind == OPERAND_IMM)
        ck_assert_msg((uint8_t)a->value == (uint8_t)b->value, "%s: immediate", what);
    else
        ck_assert_msg(a->reg == b->reg, "%s: register %d; Zydis: %d", what, a->reg, b->reg);
}

static bool is_string(enum isa isa)
{
    return isa >= ISA_INSB && isa <= ISA_OUTSD;
}

/* Of a string instruction only the memory operand counts: its place in the list differs. */
static void same_operands(const struct insn *a, const struct insn *b)
{
    for (int i = 0; i < a->operands; i++) {
        int k = i;

        while (is_string(a->isa) && k < b->operands && b->op[k].kind != OPERAND_MEM)
            k++;
        ck_assert_msg(k < b->operands, "%s: an operand more than Zydis sees", what);
        same_operand(&a->op[i], &b->op[k]);
    }
}

/* Does the monitor's decoder claim to know this one? */
static bool is_claimed(enum isa isa)
{
    return (isa >= ISA_IN && isa <= ISA_HLT) || isa == ISA_LMSW || isa == ISA_CLTS || isa == ISA_INVLPG || isa == ISA_INVD ||
           isa == ISA_WBINVD || isa == ISA_RDMSR || isa == ISA_WRMSR || isa == ISA_MOV_FROM_CR || isa == ISA_MOV_TO_CR ||
           isa == ISA_SMSW || isa == ISA_CPUID;
}

static void compare(const uint8_t *bytes, unsigned n, bool wide)
{
    struct insn ours, zydis;
    enum decoded mine = bare_decode(bytes, n, wide, &ours), theirs = decode(bytes, n, wide, &zydis);

    describe(bytes, n, wide);
    if (mine != DECODED) {
        if (mine == DECODE_INVALID)
            ck_assert_msg(theirs != DECODED || !is_claimed(zydis.isa), "%s: not known, but it is isa %d", what, zydis.isa);
        else
            ck_assert_msg(mine == theirs, "%s: %d; Zydis: %d", what, mine, theirs);
        return;
    }
    ck_assert_msg(theirs == DECODED, "%s: isa %d, but Zydis says %d", what, ours.isa, theirs);
    ck_assert_msg(ours.isa == zydis.isa && ours.length == zydis.length, "%s: isa %d, %d bytes; Zydis: %d, %d", what, ours.isa,
                  ours.length, zydis.isa, zydis.length);
    ck_assert_msg(ours.addrsize == zydis.addrsize && (ours.opsize == zydis.opsize || ours.isa == ISA_CPUID), "%s: sizes", what);
    ck_assert_msg(!is_string(ours.isa) || ours.rep == zydis.rep, "%s: rep", what);
    same_operands(&ours, &zydis);
}

static const uint8_t prefixes[][2] = {
    { 0 }, { 0x66 }, { 0x67 }, { 0x66, 0x67 }, { 0xf3 }, { 0xf2 }, { 0x2e }, { 0x65 }, { 0x64, 0x67 }, { 0x36, 0x66 }, { 0xf3, 0x67 },
    { 0x26 }, { 0x3e },
};

/* `opcode` of 1 or 2 bytes, every `step`-th ModRM and some SIB and displacement bytes behind it, every prefix before it. */
static void all_forms(const uint8_t *opcode, unsigned bytes, unsigned step)
{
    static const uint8_t tails[][5] = { { 0x24, 1, 2, 3, 4 }, { 0x8d, 0x80, 0xff, 0xff, 0xff }, { 0x65, 0xfe, 0, 0x80, 0 } };

    for (unsigned p = 0; p < sizeof prefixes / 2; p++)
        for (unsigned modrm = 0; modrm < 256; modrm += step)
            for (unsigned t = 0; t < 3; t++) {
                uint8_t code[INSN_MAX] = { 0 };
                unsigned n = 0;

                for (int i = 0; i < 2 && prefixes[p][i]; i++)
                    code[n++] = prefixes[p][i];
                memcpy(code + n, opcode, bytes);
                n += bytes;
                code[n++] = (uint8_t)modrm;
                memcpy(code + n, tails[t], 5);
                for (int wide = 0; wide < 2; wide++)
                    compare(code, INSN_MAX, wide);
            }
}

START_TEST(one_byte_opcodes)
{
    for (unsigned opcode = 0; opcode < 256; opcode++)
        all_forms((uint8_t[]){ (uint8_t)opcode }, 1, 37);
}
END_TEST

START_TEST(two_byte_opcodes)
{
    static const uint8_t with_modrm[] = { 0x01, 0x20, 0x22 };

    for (unsigned opcode = 0; opcode < 256; opcode++)
        all_forms((uint8_t[]){ 0x0f, (uint8_t)opcode }, 2, 37);
    for (unsigned i = 0; i < sizeof with_modrm; i++)
        all_forms((uint8_t[]){ 0x0f, with_modrm[i] }, 2, 1);
}
END_TEST

START_TEST(cut_off)
{
    static const uint8_t lmsw[] = { 0x2e, 0x67, 0x0f, 0x01, 0xb4, 0x24, 1, 2, 3, 4 }, in[] = { 0x66, 0xe5, 0x40 };

    for (unsigned n = 1; n <= sizeof lmsw; n++)
        compare(lmsw, n, true);
    for (unsigned n = 1; n <= sizeof in; n++)
        compare(in, n, true);
}
END_TEST

START_TEST(too_long)
{
    uint8_t code[INSN_MAX];
    struct insn insn;

    memset(code, 0x66, sizeof code);
    code[14] = 0xf4;
    ck_assert_int_eq(bare_decode(code, INSN_MAX, true, &insn), DECODED);
    memset(code, 0x66, sizeof code);
    ck_assert_int_eq(bare_decode(code, INSN_MAX, true, &insn), DECODE_TOO_LONG);
}
END_TEST

Suite *suite_bare_decode(void);
Suite *suite_bare_decode(void)
{
    Suite *s = suite_create("bare_decode");
    TCase *c = tcase_create("against Zydis");

    tcase_add_test(c, one_byte_opcodes);
    tcase_add_test(c, two_byte_opcodes);
    tcase_add_test(c, cut_off);
    tcase_add_test(c, too_long);
    suite_add_tcase(s, c);
    return s;
}
