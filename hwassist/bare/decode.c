/* The few instructions that leave a hardware guest, and no others: what machine/decode.c gets from Zydis, which is a shared
 * library and needs an operating system. tests/unit/test_bare_decode.c holds the two against each other. Intel SDM vol. 2A
 * chapter 2 (formats), vol. 2D appendix A (opcodes). */
#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "vcpu.h"

/* What stands where in the bytes. */
struct reader {
    const uint8_t *bytes;
    size_t available, at;
    bool short_of;              /* bytes were missing */
};

static uint32_t take(struct reader *r, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        if (r->at < r->available)
            value |= (uint32_t)r->bytes[r->at++] << 8 * i;
        else
            r->short_of = true;
    return value;
}

struct prefixes {
    uint8_t segment;            /* SEGREGS: none */
    bool opsize, addrsize, rep, lock;
};

static uint8_t take_prefixes(struct reader *r, struct prefixes *p)
{
    *p = (struct prefixes){ .segment = SEGREGS };
    for (;;) {
        uint8_t byte = (uint8_t)take(r, 1);

        switch (byte) {
        case 0x26: p->segment = ES; break;
        case 0x2e: p->segment = CS; break;
        case 0x36: p->segment = SS; break;
        case 0x3e: p->segment = DS; break;
        case 0x64: p->segment = FS; break;
        case 0x65: p->segment = GS; break;
        case 0x66: p->opsize = true; break;
        case 0x67: p->addrsize = true; break;
        case 0xf0: p->lock = true; break;
        case 0xf2: case 0xf3: p->rep = true; break;
        default: return byte;
        }
        if (r->short_of)
            return 0;
    }
}

static struct operand *add(struct insn *i, enum operand_kind kind, unsigned bytes, bool read, bool written)
{
    struct operand *op = &i->op[i->operands++];

    *op = (struct operand){ .kind = (uint8_t)kind, .bytes = (uint8_t)bytes, .read = read, .written = written };
    return op;
}

static void set_memory(struct operand *op, const struct prefixes *p, unsigned base, unsigned index, unsigned scale, uint32_t disp)
{
    op->seg = p->segment != SEGREGS ? p->segment : base == ESP || base == EBP ? SS : DS;
    op->base = (uint8_t)base;
    op->index = (uint8_t)index;
    op->scale = (uint8_t)scale;
    op->value = disp;
}

/* Intel SDM vol. 2A table 2-1. */
static void take_memory16(struct reader *r, unsigned mod, unsigned rm, const struct prefixes *p, struct operand *op)
{
    static const uint8_t base[] = { EBX, EBX, EBP, EBP, ESI, EDI, EBP, EBX };
    static const uint8_t index[] = { ESI, EDI, ESI, EDI, REG_NONE, REG_NONE, REG_NONE, REG_NONE };
    bool absolute = mod == 0 && rm == 6;
    uint32_t disp = mod == 2 || absolute ? (uint32_t)(int16_t)take(r, 2) : mod == 1 ? (uint32_t)(int8_t)take(r, 1) : 0;

    set_memory(op, p, absolute ? REG_NONE : base[rm], index[rm], index[rm] != REG_NONE, disp);
}

/* Tables 2-2 and 2-3. */
static void take_memory32(struct reader *r, unsigned mod, unsigned rm, const struct prefixes *p, struct operand *op)
{
    unsigned base = rm, index = REG_NONE, scale = 0;
    uint32_t disp;

    if (rm == 4) {
        unsigned sib = take(r, 1);

        base = sib & 7;
        if ((sib >> 3 & 7) != 4) {
            index = sib >> 3 & 7;
            scale = 1u << (sib >> 6);
        }
    }
    if (mod == 0 && base == 5)
        base = REG_NONE;
    disp = mod == 2 || base == REG_NONE ? take(r, 4) : mod == 1 ? (uint32_t)(int8_t)take(r, 1) : 0;
    set_memory(op, p, base, index, scale, disp);
}

static void take_rm(struct reader *r, struct insn *i, unsigned modrm, const struct prefixes *p, struct operand *op)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;

    if (mod == 3)
        op->reg = (uint8_t)rm;
    else if (i->addrsize == 2)
        take_memory16(r, mod, rm, p, op);
    else
        take_memory32(r, mod, rm, p, op);
}

static void port_insn(struct reader *r, struct insn *i, uint8_t opcode)
{
    bool out = opcode & 2;
    unsigned bytes = opcode & 1 ? i->opsize : 1;

    i->isa = out ? ISA_OUT : ISA_IN;
    for (int k = 0; k < 2; k++) {
        if ((k == 0) == out) {
            if (opcode & 8)
                add(i, OPERAND_REG, 2, true, false)->reg = EDX;
            else
                add(i, OPERAND_IMM, 1, true, false)->value = take(r, 1);
        } else {
            add(i, OPERAND_REG, bytes, out, !out)->reg = EAX;
        }
    }
}

static void string_insn(struct insn *i, const struct prefixes *p, uint8_t opcode)
{
    unsigned bytes = opcode & 1 ? i->opsize : 1, size = bytes / 2;  /* 0, 1, 2: B, W, D */
    bool out = opcode & 2;
    struct operand *mem;

    i->isa = (out ? ISA_OUTSB : ISA_INSB) + size;
    i->rep = p->rep;
    mem = add(i, OPERAND_MEM, bytes, out, !out);
    set_memory(mem, p, out ? ESI : EDI, REG_NONE, 0, 0);
    if (!out)
        mem->seg = ES;
}

static bool control_insn(struct insn *i, uint8_t opcode, unsigned modrm)
{
    bool to = opcode & 2;
    struct operand *reg = NULL;

    i->isa = to ? ISA_MOV_TO_CR : ISA_MOV_FROM_CR;
    for (int k = 0; k < 2; k++) {
        reg = add(i, (k == 0) == to ? OPERAND_CR : OPERAND_REG, 4, k == 1, k == 0);
        reg->reg = reg->kind == OPERAND_CR ? modrm >> 3 & 7 : modrm & 7;
    }
    return (modrm >> 3 & 7) != 1 && (modrm >> 3 & 7) < 5;
}

/* 0F 01: SMSW, LMSW, INVLPG. */
static bool group7(struct reader *r, struct insn *i, const struct prefixes *p)
{
    unsigned modrm = take(r, 1), reg = modrm >> 3 & 7, mod = modrm >> 6;
    struct operand *op;

    if (reg == 4 || reg == 6) {
        i->isa = reg == 4 ? ISA_SMSW : ISA_LMSW;
        op = add(i, mod == 3 ? OPERAND_REG : OPERAND_MEM, reg == 4 && mod == 3 ? i->opsize : 2, reg == 6, reg == 4);
    } else if (reg == 7 && mod != 3) {
        i->isa = ISA_INVLPG;
        op = add(i, OPERAND_MEM, 1, false, false);
    } else {
        return false;
    }
    take_rm(r, i, modrm, p, op);
    return true;
}

static bool two_byte(struct reader *r, struct insn *i, const struct prefixes *p)
{
    uint8_t opcode = (uint8_t)take(r, 1);

    switch (opcode) {
    case 0x01: return group7(r, i, p);
    case 0x06: i->isa = ISA_CLTS; return true;
    case 0x08: i->isa = ISA_INVD; return true;
    case 0x09: i->isa = ISA_WBINVD; return true;
    case 0x20: case 0x22: return control_insn(i, opcode, take(r, 1));
    case 0x30: i->isa = ISA_WRMSR; return true;
    case 0x32: i->isa = ISA_RDMSR; return true;
    case 0xa2: i->isa = ISA_CPUID; return true;
    default: return false;
    }
}

static bool one_byte(struct reader *r, struct insn *i, const struct prefixes *p, uint8_t opcode)
{
    switch (opcode) {
    case 0x0f: return two_byte(r, i, p);
    case 0x6c: case 0x6d: case 0x6e: case 0x6f: string_insn(i, p, opcode); return true;
    case 0xe4: case 0xe5: case 0xe6: case 0xe7: case 0xec: case 0xed: case 0xee: case 0xef:
        port_insn(r, i, opcode);
        return true;
    case 0xf4: i->isa = ISA_HLT; return true;
    default: return false;
    }
}

enum decoded decode(const uint8_t *bytes, size_t available, bool wide, struct insn *out)
{
    struct reader r = { .bytes = bytes, .available = available < INSN_MAX ? available : INSN_MAX };
    struct prefixes p;
    uint8_t opcode = take_prefixes(&r, &p);
    bool known;

    *out = (struct insn){
        .wide = wide, .known = true, .opcode_at = (uint8_t)(r.at - 1), .addrsize = wide != p.addrsize ? 4 : 2,
        .opsize = wide != p.opsize ? 4 : 2,
    };
    known = one_byte(&r, out, &p, opcode);
    if (r.short_of)
        return available < INSN_MAX ? DECODE_TRUNCATED : DECODE_TOO_LONG;
    if (!known || p.lock)
        return DECODE_INVALID;
    out->length = (uint8_t)r.at;
    memcpy(out->bytes, bytes, r.at);
    return DECODED;
}

/* A reader of a dump has the bytes. */
void decode_text(const uint8_t *bytes, size_t available, bool wide, uint32_t eip, char *text, size_t size)
{
    struct insn insn;

    (void)eip;
    snprintf(text, size, "%s", decode(bytes, available, wide, &insn) == DECODED ? isa_rows[insn.isa].name : "");
}
