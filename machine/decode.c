/* From Zydis' view of an instruction to ours. See decode.h. */
#include "decode.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#include "vcpu.h"

enum form { FORM_ANY, FORM_TO_CR, FORM_FROM_CR, FORM_TO_DR, FORM_FROM_DR, FORM_TO_SEG, FORM_FROM_SEG, FORM_FAR };

static const struct { ZydisMnemonic mnemonic; enum form form; } keys[ISA_COUNT] = {
    [ISA_OTHER] = { ZYDIS_MNEMONIC_INVALID, FORM_ANY },
#define ISA(id, zydis, form, ...) [ISA_##id] = { ZYDIS_MNEMONIC_##zydis, FORM_##form },
#include "isa.def"
#undef ISA
};

static ZydisDecoder *decoder(bool wide)
{
    static ZydisDecoder decoders[2];
    static bool ready;

    if (!ready) {
        ZydisDecoderInit(&decoders[0], ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16);
        ZydisDecoderInit(&decoders[1], ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
        ready = true;
    }
    return &decoders[wide];
}

/* The operand that a form asks for. */
static const struct { enum operand_kind kind; bool written; } form_operands[] = {
    [FORM_TO_CR] = { OPERAND_CR, true }, [FORM_FROM_CR] = { OPERAND_CR, false },
    [FORM_TO_DR] = { OPERAND_DR, true }, [FORM_FROM_DR] = { OPERAND_DR, false },
    [FORM_TO_SEG] = { OPERAND_SEG, true }, [FORM_FROM_SEG] = { OPERAND_SEG, false },
};

static bool matches(const struct insn *i, enum form form, bool far)
{
    if (form == FORM_ANY || form == FORM_FAR)
        return form == FORM_ANY || far;
    for (const struct operand *op = i->op; op < i->op + i->operands; op++)
        if (op->kind == form_operands[form].kind && (form_operands[form].written ? op->written : op->read))
            return true;
    return false;
}

static uint8_t register_number(ZydisRegister reg)
{
    return reg == ZYDIS_REGISTER_NONE ? REG_NONE : (uint8_t)ZydisRegisterGetId(reg);
}

static bool convert_register(const ZydisDecodedOperand *z, struct operand *op)
{
    switch (ZydisRegisterGetClass(z->reg.value)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32: op->kind = OPERAND_REG; break;
    case ZYDIS_REGCLASS_SEGMENT: op->kind = OPERAND_SEG; break;
    case ZYDIS_REGCLASS_CONTROL: op->kind = OPERAND_CR; break;
    case ZYDIS_REGCLASS_DEBUG: op->kind = OPERAND_DR; break;
    default: return false;
    }
    op->reg = register_number(z->reg.value);
    return true;
}

/* False: nothing that anybody here asks for. */
static bool convert(const ZydisDecodedOperand *z, struct operand *op)
{
    *op = (struct operand){
        .bytes = (uint8_t)(z->size / 8),
        .read = z->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
        .written = z->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
    };
    if (z->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && z->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return false;
    switch (z->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return convert_register(z, op);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        op->kind = OPERAND_MEM;
        op->seg = register_number(z->mem.segment);
        op->base = register_number(z->mem.base);
        op->index = register_number(z->mem.index);
        op->scale = z->mem.scale;
        op->value = (uint32_t)z->mem.disp.value;
        if (z->mem.type == ZYDIS_MEMOP_TYPE_AGEN)       /* LEA, NOP: an address, no access */
            op->read = op->written = false;
        /* A push writes below the stack pointer that Zydis names as the base. */
        if (z->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->base == ESP && op->written)
            op->value -= op->bytes;
        return true;
    case ZYDIS_OPERAND_TYPE_POINTER:
        op->kind = OPERAND_FAR;
        op->selector = z->ptr.segment;
        op->value = z->ptr.offset;
        return true;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        op->kind = OPERAND_IMM;
        op->value = (uint32_t)z->imm.value.u;
        return true;
    default:
        return false;
    }
}

static enum branch near_branch(const ZydisDecodedInstruction *z)
{
    if (z->meta.branch_type != ZYDIS_BRANCH_TYPE_SHORT && z->meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR)
        return BRANCH_NONE;
    return z->mnemonic == ZYDIS_MNEMONIC_RET ? BRANCH_RETURN
         : z->mnemonic == ZYDIS_MNEMONIC_CALL ? BRANCH_CALL : BRANCH_SHORT_OR_NEAR;
}

/* The virtual processor is a Pentium III with SSE2: what CPUID shows (emulate.c) and no more. TZCNT and LZCNT are BSF and
 * BSR with a prefix that the Pentium ignores; what they do is the real processor's affair, as in direct execution. */
static bool is_known(const ZydisDecodedInstruction *z)
{
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_TZCNT: case ZYDIS_MNEMONIC_LZCNT: case ZYDIS_MNEMONIC_ENDBR32: return true;
    case ZYDIS_MNEMONIC_UD0: case ZYDIS_MNEMONIC_UD1: case ZYDIS_MNEMONIC_UD2: case ZYDIS_MNEMONIC_RSM:
    case ZYDIS_MNEMONIC_SYSENTER: case ZYDIS_MNEMONIC_SYSEXIT: return false;
    default: break;
    }
    switch (z->meta.isa_set) {
    case ZYDIS_ISA_SET_I86: case ZYDIS_ISA_SET_I186: case ZYDIS_ISA_SET_I286REAL: case ZYDIS_ISA_SET_I286PROTECTED:
    case ZYDIS_ISA_SET_I386: case ZYDIS_ISA_SET_I486: case ZYDIS_ISA_SET_I486REAL: case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_PPRO: case ZYDIS_ISA_SET_CMOV: case ZYDIS_ISA_SET_LAHF: case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_FAT_NOP: case ZYDIS_ISA_SET_PREFETCH_NOP: case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_RDPMC: return true;
    default: return false;
    }
}

static bool is_general_sse(const ZydisDecodedInstruction *z)
{
    return z->mnemonic == ZYDIS_MNEMONIC_LFENCE || z->mnemonic == ZYDIS_MNEMONIC_MFENCE ||
           z->mnemonic == ZYDIS_MNEMONIC_SFENCE || z->mnemonic == ZYDIS_MNEMONIC_MOVNTI;
}

/* FCOMI is of the Pentium Pro, FISTTP of SSE3. */
static enum fpu uses_fpu(const ZydisDecodedInstruction *z)
{
    if (is_general_sse(z))
        return FPU_NONE;
    if (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z->opcode & 0xf8) == 0xd8)
        return z->mnemonic == ZYDIS_MNEMONIC_FISTTP ? FPU_NONE : FPU_X87;
    switch (z->meta.isa_set) {
    case ZYDIS_ISA_SET_X87: return z->mnemonic == ZYDIS_MNEMONIC_FWAIT ? FPU_WAIT : FPU_X87;
    case ZYDIS_ISA_SET_FXSAVE: return FPU_X87;
    case ZYDIS_ISA_SET_PENTIUMMMX: return FPU_MMX;
    case ZYDIS_ISA_SET_SSE: case ZYDIS_ISA_SET_SSEMXCSR: case ZYDIS_ISA_SET_SSE2: case ZYDIS_ISA_SET_SSE2MMX:
        return FPU_SSE;
    default: return FPU_NONE;
    }
}

enum decoded decode(const uint8_t *bytes, size_t available, bool wide, struct insn *out)
{
    ZydisDecodedInstruction z;
    ZydisDecodedOperand zop[ZYDIS_MAX_OPERAND_COUNT];
    ZyanStatus status;

    if (available > INSN_MAX)
        available = INSN_MAX;
    status = ZydisDecoderDecodeFull(decoder(wide), bytes, available, &z, zop);
    if (status == ZYDIS_STATUS_NO_MORE_DATA)
        return available < INSN_MAX ? DECODE_TRUNCATED : DECODE_TOO_LONG;
    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return DECODE_TOO_LONG;
    if (ZYAN_FAILED(status))
        return DECODE_INVALID;
    *out = (struct insn){
        .length = z.length, .wide = wide, .addrsize = z.address_width / 8, .branch = near_branch(&z),
        .opsize = z.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE ? (wide ? 2 : 4) : (wide ? 4 : 2),
        .rep = z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE),
        .fpu = uses_fpu(&z), .known = is_known(&z) || is_general_sse(&z) || uses_fpu(&z) != FPU_NONE,
        .opcode_at = z.raw.prefix_count,
    };
    memcpy(out->bytes, bytes, z.length);
    for (int k = 0; k < z.operand_count && out->operands < INSN_OPERANDS; k++)
        if (convert(&zop[k], &out->op[out->operands]))
            out->operands++;
    for (int id = ISA_OTHER + 1; id < ISA_COUNT; id++)
        if (keys[id].mnemonic == z.mnemonic &&
            matches(out, keys[id].form, z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR))
            out->isa = (enum isa)id;
    return DECODED;
}

void decode_text(const uint8_t *bytes, size_t available, bool wide, uint32_t eip, char *text, size_t size)
{
    ZydisDecodedInstruction z;
    ZydisDecodedOperand zop[ZYDIS_MAX_OPERAND_COUNT];
    ZydisFormatter formatter;

    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder(wide), bytes, available, &z, zop)) ||
        ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &z, zop, z.operand_count_visible, text, size, eip,
                                                    ZYAN_NULL)))
        snprintf(text, size, "(not an instruction)");
}
