/* From a decoded instruction to operations: mostly one. See emulator.h. */
#include <stddef.h>

#include "access.h"
#include "ops.h"

unsigned opcode_of(const struct insn *insn)
{
    const uint8_t *code = insn->bytes + insn->opcode_at;

    return code[0] == 0x0f ? 0x100u | code[1] : code[0];
}

/* The field of the ModRM byte that extends an opcode. */
static unsigned group_of(const struct insn *insn)
{
    const uint8_t *code = insn->bytes + insn->opcode_at;

    return code[code[0] == 0x0f ? 2 : 1] >> 3 & 7;
}

static uint16_t place_of(const struct operand *op)
{
    return op->bytes == 1 ? (uint16_t)(PLACE(op->reg & 3) + (op->reg >> 2)) : PLACE(op->reg);
}

static uint16_t part_of_address(uint8_t reg)
{
    return reg == REG_NONE ? offsetof(struct emulator, zero) : PLACE(reg);
}
_Static_assert(PLACE(EDI) < 65536, "places are 16 bits wide");

static int size_of(unsigned bytes) { return bytes == 1 ? 0 : bytes == 2 ? 1 : 2; }

/* Which of a row's forms the first two operands ask for; NULL: neither. */
static action *form_of(const struct forms *f, const struct insn *insn)
{
    const struct operand *a = &insn->op[0], *b = &insn->op[1];

    if (a->kind == OPERAND_REG)
        return b->kind == OPERAND_REG ? f->rr : b->kind == OPERAND_IMM ? f->ri : b->kind == OPERAND_MEM ? f->rm : NULL;
    return a->kind != OPERAND_MEM ? NULL : b->kind == OPERAND_REG ? f->mr : b->kind == OPERAND_IMM ? f->mi : NULL;
}

static action *binary_of(const struct insn *insn, unsigned which)
{
    return form_of(&binary[which][size_of(insn->op[0].bytes)], insn);
}

static action *place_form(const struct place *p, const struct operand *op)
{
    return op->kind == OPERAND_REG ? p->r : op->kind == OPERAND_MEM ? p->m : NULL;
}

/* Group 3: TEST, NOT, NEG, and the four of EDX:EAX. */
static action *group3(const struct insn *insn)
{
    unsigned group = group_of(insn), bytes = insn->op[0].bytes;

    if (group < 2)
        return binary_of(insn, BINARY_TEST);
    if (group < 4)
        return place_form(&unary[group == 2 ? UNARY_NOT : UNARY_NEG][size_of(bytes)], &insn->op[0]);
    return bytes == 4 ? place_form(&wide[group - 4], &insn->op[0]) : NULL;
}

/* Groups 4 and 5, but for what goes far. */
static action *group5(const struct insn *insn, unsigned kind)
{
    const struct operand *op = &insn->op[0];
    unsigned group = group_of(insn);
    bool usual = insn->opsize == 4 && kind & BLOCK_FLAT;

    switch (group) {
    case 0: case 1: return place_form(&unary[group][size_of(op->bytes)], op);
    case 2: return usual ? place_form(&call_to, op) : NULL;
    case 4: return usual ? place_form(&jump_to, op) : NULL;
    case 6: return insn->opsize == 4 ? place_form(&push_from, op) : NULL;
    default: return NULL;
    }
}

static action *extend_of(const struct insn *insn, unsigned code)
{
    unsigned which = (code & 8 ? EXTEND_S8 : EXTEND_Z8) + (code & 1);

    return insn->op[0].bytes == 4 ? place_form(&extend[which], &insn->op[1]) : NULL;
}

static action *by_condition_of(const struct insn *insn, unsigned code)
{
    const struct by_condition *c = &by_condition[code & 15];

    switch (code >> 4) {
    case 0x14: return insn->opsize != 4 ? NULL : insn->op[1].kind == OPERAND_MEM ? c->move_m : c->move;
    case 0x19: return insn->op[0].kind == OPERAND_MEM ? c->set_m : c->set;
    default: return c->jump;
    }
}

/* Near branches whose operand size is 16, or in a segment that may end before their target, are rare. */
static action *branch_of(const struct insn *insn, unsigned code, unsigned kind)
{
    if (insn->opsize != 4 || !(kind & BLOCK_FLAT))
        return NULL;
    if (code >> 4 == 7 || code >> 4 == 0x18)
        return by_condition_of(insn, code);
    switch (code) {
    case 0xe8: return act_call;
    case 0xe9: case 0xeb: return act_jump;
    case 0xc2: case 0xc3: return act_return;
    default: return NULL;
    }
}

/* NULL: rare. */
static action *action_of(const struct insn *insn, unsigned kind)
{
    unsigned code = opcode_of(insn);
    bool usual = insn->opsize == 4;

    if (code < 0x40)
        return (code & 7) < 6 ? binary_of(insn, code >> 3) : NULL;
    if (insn->branch && code != 0xff)
        return branch_of(insn, code, kind);
    switch (code) {
    case 0x40: case 0x41: case 0x42: case 0x43: case 0x44: case 0x45: case 0x46: case 0x47:
        return place_form(&unary[UNARY_INC][size_of(insn->op[0].bytes)], &insn->op[0]);
    case 0x48: case 0x49: case 0x4a: case 0x4b: case 0x4c: case 0x4d: case 0x4e: case 0x4f:
        return place_form(&unary[UNARY_DEC][size_of(insn->op[0].bytes)], &insn->op[0]);
    case 0x50: case 0x51: case 0x52: case 0x53: case 0x54: case 0x55: case 0x56: case 0x57:
        return usual ? push_from.r : NULL;
    case 0x58: case 0x59: case 0x5a: case 0x5b: case 0x5c: case 0x5d: case 0x5e: case 0x5f:
        return usual ? act_pop : NULL;
    case 0x68: case 0x6a: return usual ? act_push_immediate : NULL;
    case 0x69: case 0x6b: return usual ? place_form(&multiply, &insn->op[1]) : NULL;
    case 0x80: case 0x81: case 0x82: case 0x83: return binary_of(insn, group_of(insn));
    case 0x84: case 0x85: case 0xa8: case 0xa9: return binary_of(insn, BINARY_TEST);
    case 0x88: case 0x89: case 0x8a: case 0x8b: case 0xa0: case 0xa1: case 0xa2: case 0xa3: case 0xc6: case 0xc7:
    case 0xb0: case 0xb1: case 0xb2: case 0xb3: case 0xb4: case 0xb5: case 0xb6: case 0xb7:
    case 0xb8: case 0xb9: case 0xba: case 0xbb: case 0xbc: case 0xbd: case 0xbe: case 0xbf:
        return binary_of(insn, BINARY_MOV);
    case 0x8d: return usual ? act_lea : NULL;
    case 0x90: return act_nop;
    case 0x98: return usual ? act_cwde : NULL;
    case 0x99: return usual ? act_cdq : NULL;
    case 0xa4: case 0xa5: case 0xa6: case 0xa7: case 0xaa: case 0xab: case 0xac: case 0xad: case 0xae: case 0xaf:
        return act_string;
    case 0xc0: case 0xc1: case 0xd0: case 0xd1: case 0xd2: case 0xd3:
        return binary_of(insn, BINARY_SHIFT + group_of(insn));
    case 0xc9: return usual ? act_leave : NULL;
    case 0xf5: return act_cmc;
    case 0xf6: case 0xf7: return group3(insn);
    case 0xf8: return act_clc;
    case 0xf9: return act_stc;
    case 0xfc: return act_cld;
    case 0xfd: return act_std;
    case 0xfe: case 0xff: return group5(insn, kind);
    case 0x1af: return binary_of(insn, BINARY_IMUL);
    case 0x1b6: case 0x1b7: case 0x1be: case 0x1bf: return extend_of(insn, code);
    default: return code >> 4 == 0x14 || code >> 4 == 0x19 ? by_condition_of(insn, code) : NULL;
    }
}

const struct operand *memory_of(const struct insn *insn)
{
    for (const struct operand *o = insn->op; o < insn->op + insn->operands; o++)
        if (o->kind == OPERAND_MEM)
            return o;
    return NULL;
}

/* The operands, whatever the operation. An immediate is cut to its operation's size. */
static void set_operands(struct op *op, const struct insn *insn)
{
    op->base = op->index = offsetof(struct emulator, zero);
    op->seg = SS;
    for (unsigned k = 0; k < insn->operands; k++) {
        const struct operand *o = &insn->op[k];

        if (o->kind == OPERAND_REG) {
            *(k == 0 ? &op->a : &op->b) = place_of(o);
        } else if (o->kind == OPERAND_IMM) {
            op->immediate = k == 0 || insn->op[0].bytes == 4 ? o->value : o->value & (insn->op[0].bytes == 1 ? 0xff : 0xffff);
        } else if (o == memory_of(insn)) {
            op->base = part_of_address(o->base);
            op->index = part_of_address(o->index);
            op->scale = o->index == REG_NONE ? 0 : o->scale == 8 ? 3 : o->scale / 2;
            op->displacement = o->value;
            op->seg = o->seg;
        }
    }
}

/* An operation that looks at the instruction itself. */
static unsigned whole(struct emulator *e, const struct insn *insn, struct op *op, action *act)
{
    op->act = act;
    op->insn = keep(e, insn);
    return 1;
}

unsigned compile(struct emulator *e, const struct insn *insn, unsigned at, unsigned kind, struct op *op, bool *ends)
{
    const struct operand *memory = memory_of(insn);
    action *act = insn->isa == ISA_OTHER && insn->known && !insn->fpu ? action_of(insn, kind) : NULL;
    bool unusual = memory && (memory->read || memory->written) && memory->seg != DS && memory->seg != SS && memory->seg != ES;
    unsigned n = 0;

    *ends = insn->isa != ISA_OTHER || !insn->known || insn->branch;
    for (unsigned k = 0; k < OPS_PER_INSN; k++)
        op[k] = (struct op){ .at = (uint16_t)at, .next = (uint16_t)(at + insn->length) };
    if (insn->isa != ISA_OTHER)
        return whole(e, insn, op, act_sensitive);
    if (!insn->known)
        return whole(e, insn, op, act_undefined);
    if (insn->fpu)
        return whole(e, insn, op, act_fpu);
    if (!act || act == act_string || (unusual && *ends))
        return whole(e, insn, op, act && !*ends ? act_string : *ends ? act_rare_branch : act_rare);
    if (memory && insn->addrsize == 2)
        n += whole(e, insn, &op[n], act_address);
    if (unusual)
        op[n++].act = act_careful;
    op[n].act = act;
    set_operands(&op[n], insn);
    if (memory && insn->addrsize == 2) {
        op[n].base = offsetof(struct emulator, address);
        op[n].index = offsetof(struct emulator, zero);
        op[n].displacement = 0;
    }
    if (insn->branch && insn->branch != BRANCH_RETURN && insn->op[0].kind == OPERAND_IMM)
        op[n].displacement = op[n].next + insn->op[0].value;
    n++;
    if (unusual)
        op[n++] = (struct op){ .act = act_usual, .at = op[0].next, .next = op[0].next };
    return n;
}
