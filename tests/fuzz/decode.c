/* The decoder and the classifier, of 16-bit and 32-bit code. The class is asked for a second time, from Zydis's names and isa.def's
 * columns as they are written; the bare monitor's decoder must not contradict. */
#include "decode.h"

#include <Zydis/Zydis.h>
#include <string.h>

#include "fuzz.h"
#include "vcpu.h"

enum decoded bare_decode(const uint8_t *bytes, size_t available, bool wide, struct insn *out);

static const struct { const char *id, *mnemonic, *form; enum isa isa; } rows[] = {
#define ISA(id, mnemonic, form, ...) { #id, #mnemonic, #form, ISA_##id },
#include "isa.def"
#undef ISA
};

static bool touches(const ZydisDecodedOperand *op, ZydisRegisterClass class, bool written)
{
    return op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           ZydisRegisterGetClass(op->reg.value) == class &&
           (op->actions & (written ? ZYDIS_OPERAND_ACTION_MASK_WRITE : ZYDIS_OPERAND_ACTION_MASK_READ));
}

/* "TO_CR": an operand that is a control register is written. */
static bool has_form(const char *form, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops)
{
    bool written = !strncmp(form, "TO_", 3);
    ZydisRegisterClass class = strstr(form, "_CR") ? ZYDIS_REGCLASS_CONTROL : strstr(form, "_DR") ? ZYDIS_REGCLASS_DEBUG
                                                                                                  : ZYDIS_REGCLASS_SEGMENT;

    if (!strcmp(form, "ANY"))
        return true;
    if (!strcmp(form, "FAR"))
        return z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    for (int i = 0; i < z->operand_count; i++)
        if (touches(&ops[i], class, written))
            return true;
    return false;
}

static bool is_named(const char *upper, const char *lower)
{
    for (; *upper && (*upper | 0x20) == (*lower | 0x20); upper++, lower++)
        ;
    return !*upper && !*lower;
}

static enum isa class_by_table(const uint8_t *bytes, size_t n, bool wide)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

    ZydisDecoderInit(&decoder, wide ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 : ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
                     wide ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
    must(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, n, &z, ops)), "decoded, but Zydis cannot");
    must(z.length == n, "%zu bytes, but Zydis says %u", n, z.length);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (is_named(rows[i].mnemonic, ZydisMnemonicGetString(z.mnemonic)) && has_form(rows[i].form, &z, ops))
            return rows[i].isa;
    return ISA_OTHER;
}

static void check_operand(const struct operand *op)
{
    static const uint8_t registers[] = { [OPERAND_REG] = 8, [OPERAND_SEG] = SEGREGS, [OPERAND_CR] = 16, [OPERAND_DR] = 16 };

    must(op->kind > OPERAND_NONE && op->kind <= OPERAND_FAR, "operand of kind %u", op->kind);
    if (op->kind == OPERAND_MEM) {
        must(op->seg < SEGREGS && (op->base < 8 || op->base == REG_NONE) && (op->index < 8 || op->index == REG_NONE),
             "memory at %u:[%u+%u]", op->seg, op->base, op->index);
        must(op->index == REG_NONE || (op->scale && op->scale <= 8 && !(op->scale & (op->scale - 1))), "scale %u", op->scale);
    } else if (op->kind < sizeof registers && registers[op->kind]) {
        must(op->reg < registers[op->kind], "register %u of kind %u", op->reg, op->kind);
    }
}

/* What the emulator takes for granted of a row's operands. */
static void check_insn(const struct insn *i, const uint8_t *bytes, size_t available, bool wide)
{
    must(i->length >= 1 && i->length <= INSN_MAX && i->length <= available, "an instruction of %u bytes", i->length);
    must(!memcmp(i->bytes, bytes, i->length) && i->opcode_at < i->length && i->wide == wide, "its bytes are others");
    must((i->opsize == 2 || i->opsize == 4) && (i->addrsize == 2 || i->addrsize == 4), "sizes %u, %u", i->opsize, i->addrsize);
    must(i->operands <= INSN_OPERANDS, "%u operands", i->operands);
    for (int k = 0; k < i->operands; k++)
        check_operand(&i->op[k]);
    must(i->isa == class_by_table(bytes, i->length, wide), "%s, by the table %s", isa_rows[i->isa].name,
         isa_rows[class_by_table(bytes, i->length, wide)].name);
    must(i->isa == ISA_OTHER || i->known, "%s is not known", isa_rows[i->isa].name);
}

/* All that is behind an instruction is nothing to it; what is cut off is cut off. */
static void check_cut(const struct insn *whole, const uint8_t *bytes, bool wide)
{
    struct insn cut;

    memset(&cut, 0, sizeof cut);
    must(decode(bytes, whole->length, wide, &cut) == DECODED && cut.length == whole->length && cut.isa == whole->isa,
         "without what follows it is another");
    must(decode(bytes, whole->length - 1u, wide, &cut) == DECODE_TRUNCATED, "cut by a byte, it is still one");
}

static void check_bare(enum decoded theirs, const struct insn *zydis, const uint8_t *bytes, size_t available, bool wide)
{
    struct insn ours;

    if (bare_decode(bytes, available, wide, &ours) != DECODED)
        return;
    must(theirs == DECODED, "the bare monitor sees %s, Zydis nothing", isa_rows[ours.isa].name);
    must(ours.isa == zydis->isa && ours.length == zydis->length, "the bare monitor sees %s of %u bytes, Zydis %s of %u",
         isa_rows[ours.isa].name, ours.length, isa_rows[zydis->isa].name, zydis->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    for (int wide = 0; wide < 2; wide++) {
        struct insn insn;
        char text[96];
        enum decoded result = decode(data, bytes, wide, &insn);

        if (result == DECODED) {
            check_insn(&insn, data, bytes, wide);
            check_cut(&insn, data, wide);
        }
        must(result != DECODE_TRUNCATED || bytes < INSN_MAX, "%zu bytes are too few", bytes);
        check_bare(result, &insn, data, bytes, wide);
        decode_text(data, bytes, wide, 0x1000, text, sizeof text);
        must(memchr(text, '\0', sizeof text) && *text, "no text");
    }
    return 0;
}
