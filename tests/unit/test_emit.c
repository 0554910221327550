/* What emit.h writes, read back: each emitter's bytes are the instruction that its comment says, and a memory operand
 * that emit_memory() writes is the one it was given. The reader is machine/decode.c, which test_decode.c tests. */
#include <stdio.h>
#include <string.h>

#include "../../binary-translation/emit.h"
#include "fixture.h"

enum { AT = 0xfd000000, SLOT = 0xfc001234 };

static uint8_t bytes[512];
static struct emitter e;

static void start(void)
{
    memset(bytes, 0, sizeof bytes);
    e = (struct emitter){ bytes, AT };
}

/* The one instruction that was emitted since start(). */
static struct insn emitted(void)
{
    struct insn insn = { 0 };

    ck_assert_int_eq(decode(bytes, sizeof bytes, true, &insn), DECODED);
    ck_assert_uint_eq(insn.length, e.at - bytes);
    ck_assert_uint_eq(insn.length, e.address - AT);
    ck_assert_uint_eq(insn.opcode_at + 0u, strspn((const char *)bytes, "\x26\x2e\x36\x3e\x64\x65\x66\x67"));
    return insn;
}

/* ---- each emitter -------------------------------------------------------------------------------- */

static void emit_each(void)
{
    emit_store(&e, SLOT, EBX);
    emit_store8(&e, SLOT, 4);
    emit_store8_imm(&e, SLOT, 0xfe);
    emit_store_imm(&e, SLOT, 0x89abcdef);
    emit_load(&e, ESI, SLOT);
    emit_load16(&e, EDX, SLOT);
    emit_load8(&e, ECX, SLOT);
    emit_load_gs(&e, SLOT);
    emit_mov(&e, EDI, EBP);
    emit_add(&e, EAX, 0x1234);
    emit_add(&e, ESP, (uint32_t)-8);
    emit_load_top(&e, ECX);
    emit_store_top(&e, EDX);
    emit_pop(&e, ECX);
    emit_push_imm(&e, 0xcafebabe);
    emit_jmp(&e, AT);
    emit_jcc(&e, JCC_Z, AT);
    emit_jcc(&e, JCC_NZ, 0xfd001000);
    emit_jecxz(&e, 0);
    emit_jcxz(&e, 4);
    emit_jcxz(&e, 2);
    emit_jcc_short(&e, JCC_NZ);
    emit_decrement(&e, ECX, 4);
    emit_decrement(&e, ECX, 2);
}

static const char *const each[] = {
    "mov gs:[0xFC001234], ebx", "mov gs:[0xFC001234], ah", "mov byte ptr gs:[0xFC001234], 0xFE",
    "mov dword ptr gs:[0xFC001234], 0x89ABCDEF", "mov esi, cs:[0xFC001234]",
    "movzx edx, word ptr cs:[0xFC001234]", "movzx ecx, byte ptr cs:[0xFC001234]", "mov gs, cs:[0xFC001234]",
    "mov edi, ebp", "lea eax, [eax+0x1234]", "lea esp, [esp-0x08]", "mov ecx, [esp]",
    "mov [esp], edx", "pop ecx", "push 0xCAFEBABE", "jmp 0xFD000000", "jz 0xFD000000", "jnz 0xFD001000",
    "jecxz next", "jecxz next", "jcxz next", "jnz next", "lea ecx, [ecx-0x01]", "lea cx, [ecx-0x01]",
};

START_TEST(each_is_what_it_says)
{
    uint32_t at = 0, end;
    char text[80], expected[80];
    struct insn insn;

    emit_each();
    end = e.address - AT;
    ck_assert_uint_eq(end, e.at - bytes);
    for (int i = 0; i < COUNT_OF(each); i++) {
        ck_assert_int_eq(decode(bytes + at, end - at, true, &insn), DECODED);
        decode_text(bytes + at, end - at, true, AT + at, text, sizeof text);
        at += insn.length;
        snprintf(expected, sizeof expected, "%s", each[i]);
        if (strstr(expected, "next"))
            sprintf(strstr(expected, "next"), "0x%X", AT + at);
        ck_assert_str_eq(text, expected);
    }
    ck_assert_uint_eq(at, end);
}
END_TEST

/* Every register, as source and as destination. */
START_TEST(all_registers)
{
    struct insn insn;

    for (unsigned from = EAX; from <= EDI; from++) {
        start(), emit_mov(&e, _i, from), insn = emitted();
        ck_assert_uint_eq(insn.op[0].reg, _i);
        ck_assert_uint_eq(insn.op[1].reg, from);
        ck_assert(insn.op[0].written && !insn.op[1].written);
    }
    start(), emit_store(&e, SLOT, _i), insn = emitted();
    ck_assert_uint_eq(insn.op[1].reg, _i);
    ck_assert(insn.op[0].kind == OPERAND_MEM && insn.op[0].written);
    start(), emit_load(&e, _i, SLOT), insn = emitted();
    ck_assert_uint_eq(insn.op[0].reg, _i);
    start(), emit_store8(&e, SLOT, _i), insn = emitted();
    ck_assert_uint_eq(insn.op[1].reg, _i);
    ck_assert_uint_eq(insn.op[1].bytes, 1);
    start(), emit_add(&e, _i, 0x80000001), insn = emitted();
    ck_assert_uint_eq(insn.op[0].reg, _i);
    ck_assert_uint_eq(insn.op[1].base, _i);
    ck_assert_uint_eq(insn.op[1].index, REG_NONE);
    ck_assert_uint_eq(insn.op[1].value, 0x80000001);
    start(), emit_load_top(&e, _i), insn = emitted();
    ck_assert_uint_eq(insn.op[0].reg, _i);
    ck_assert_uint_eq(insn.op[1].base, ESP);
    start(), emit_store_top(&e, _i), insn = emitted();
    ck_assert_uint_eq(insn.op[1].reg, _i);
    ck_assert_uint_eq(insn.op[0].base, ESP);
    start(), emit_pop(&e, _i), insn = emitted();
    ck_assert_uint_eq(insn.op[0].reg, _i);
}
END_TEST

/* What the branches return leads to the bytes that say how far. */
START_TEST(branch_fields)
{
    uint32_t field, word;
    uint8_t *short_end;

    emit1(&e, 0x90);
    field = emit_jmp(&e, 0x12345678);
    memcpy(&word, bytes + (field - AT), 4);
    ck_assert_uint_eq(field + 4 + word, 0x12345678);
    ck_assert_uint_eq(field + 4, e.address);
    field = emit_jcc(&e, JCC_Z, 0x12345678);
    memcpy(&word, bytes + (field - AT), 4);
    ck_assert_uint_eq(field + 4 + word, 0x12345678);
    for (unsigned addrsize = 2; addrsize <= 4; addrsize += 2) {
        start();
        short_end = emit_jcxz(&e, addrsize);
        short_end[-1] = 5;
        ck_assert_uint_eq(emitted().op[0].value, 5);
        ck_assert_uint_eq(emitted().addrsize, addrsize);
    }
    start();
    short_end = emit_jcc_short(&e, JCC_Z);
    short_end[-1] = 5;
    ck_assert_uint_eq(emitted().op[0].value, 5);
}
END_TEST

/* ---- memory operands ----------------------------------------------------------------------------- */

static const struct { unsigned prefix, opcode, op, bytes; } memory_opcodes[] = {
    { 0, 0x8b, 1, 4 },                                  /* mov reg, [] */
    { PREFIX_OPSIZE, 0x89, 0, 2 },                      /* mov [], reg16 */
    { 0, 0x0fb7, 1, 2 },                                /* movzx reg, word [] */
};

static void same_operand(const struct operand *in, const struct operand *out, unsigned further)
{
    char what[96];

    snprintf(what, sizeof what, "segment %u base %u index %u scale %u displacement 0x%x + %u", in->seg, in->base,
             in->index, in->scale, in->value, further);
    ck_assert_msg(out->kind == OPERAND_MEM, "%s: kind %u", what, out->kind);
    ck_assert_msg(out->seg == in->seg, "%s: segment %u", what, out->seg);
    ck_assert_msg(out->base == in->base, "%s: base %u", what, out->base);
    ck_assert_msg(out->index == in->index, "%s: index %u", what, out->index);
    ck_assert_msg(in->index == REG_NONE || out->scale == in->scale, "%s: scale %u", what, out->scale);
    ck_assert_msg(out->value == in->value + further, "%s: displacement 0x%x", what, out->value);
}

/* With the registers of `op`: every scale, segment, displacement and opcode. */
static void try_places(struct operand op)
{
    static const enum segreg segments[] = { ES, SS, DS };
    static const uint32_t values[] = { 0, 1, 0x7f, 0x80, 0x12345678, 0x7fffffff, 0x80000000, 0xffffff80, 0xffffffff };
    unsigned last = op.index == REG_NONE ? 1 : 8;

    for (unsigned scale = 1; scale <= last; scale *= 2)
        for (int i = 0; i < COUNT_OF(segments) * COUNT_OF(values) * COUNT_OF(memory_opcodes); i++) {
            unsigned further = i % 2 ? 4 : 0, form = (unsigned)(i % COUNT_OF(memory_opcodes)), reg = (unsigned)i % 8;
            struct insn insn;

            op.scale = (uint8_t)(op.index == REG_NONE ? 0 : scale);
            op.seg = (uint8_t)segments[i / COUNT_OF(memory_opcodes) % COUNT_OF(segments)];
            op.value = values[i / COUNT_OF(memory_opcodes) / COUNT_OF(segments)];
            start();
            emit_memory(&e, memory_opcodes[form].prefix, memory_opcodes[form].opcode, reg, &op, further);
            insn = emitted();
            same_operand(&op, &insn.op[memory_opcodes[form].op], further);
            ck_assert_uint_eq(insn.op[memory_opcodes[form].op].bytes, memory_opcodes[form].bytes);
            ck_assert_uint_eq(insn.op[!memory_opcodes[form].op].reg, reg);
        }
}

/* The base is the loop's; 8: none. ESP cannot be an index. */
START_TEST(memory_operands)
{
    struct operand op = { .kind = OPERAND_MEM, .base = (uint8_t)(_i < 8 ? _i : REG_NONE) };

    for (unsigned index = EAX; index <= EDI + 1; index++)
        if (index != ESP) {
            op.index = (uint8_t)(index <= EDI ? index : REG_NONE);
            try_places(op);
        }
}
END_TEST

Suite *suite_emit(void);
Suite *suite_emit(void)
{
    Suite *suite = suite_create("emit");
    TCase *t = tcase_create("emit");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_test(t, each_is_what_it_says);
    tcase_add_loop_test(t, all_registers, EAX, EDI + 1);
    tcase_add_test(t, branch_fields);
    tcase_add_loop_test(t, memory_operands, 0, 9);
    suite_add_tcase(suite, t);
    return suite;
}
