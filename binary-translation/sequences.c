/* The inline sequences. They work on the guest's state in struct vcpu itself, which lies in the hole. While translated
 * code runs, cpu.eflags holds only what the processor's flags do not: IF, IOPL, VIF, VIP, and AC where it is not checked. Most keep the
 * processor's flags by using none of the instructions that change them: MOV, LEA, MOVZX, JECXZ.
 *
 * A sequence borrows registers by storing them to their slots. Until its last instruction nothing that the guest can
 * see has changed, so that a point which takes the registers back undoes it; where that is not so, it says how. */
#include "sequences.h"

#include <stddef.h>

#include "machine.h"

#define CPU (HOLE->vm.machine.cpu)

enum { FLAGS_HIGH = 1 };        /* byte of EFLAGS that has TF, IF, DF, OF, IOPL, NT */

static uint32_t slot_of(unsigned reg)
{
    return reg == EAX ? ADDRESS(HOLE->slots.eax) : reg == ECX ? ADDRESS(HOLE->slots.ecx) : ADDRESS(HOLE->slots.edx);
}

static unsigned point_of(unsigned reg) { return reg == EAX ? POINT_EAX : reg == ECX ? POINT_ECX : POINT_EDX; }

static void borrow(struct unit *u, unsigned reg, uint32_t eip)
{
    emit_store(&u->e, slot_of(reg), reg);
    unit_point(u, eip, point_of(reg), 0);
}

static void give_back(struct unit *u, unsigned reg) { emit_load(&u->e, reg, slot_of(reg)); }

/* ---- IF ------------------------------------------------------------------------------------------ */

static uint32_t flags_high(void) { return ADDRESS(CPU.eflags) + FLAGS_HIGH; }

static unsigned high_byte(const struct unit *u, bool interrupts)
{
    return (u->context->iopl << FLAG_IOPL_SHIFT | (interrupts ? FLAG_IF : 0)) >> 8;
}

static void emit_cli(struct unit *u, const struct item *item)
{
    /* LAB 4.2: one store: IF in the byte of cpu.eflags that holds it, with IOPL as the block's context has it. */
    (void)item;
    emit_store8_imm(&u->e, flags_high(), high_byte(u, false));
    /* END 4.2: u, item, high_byte, flags_high */
}

static void emit_sti(struct unit *u, const struct item *item)
{
    /* LAB 4.2: with no interrupt waiting (slots.interrupt is 0), a store like CLI's; else the emulator's STI, by a gate, for it knows
     * of the shadow. JECXZ tests without touching flags. */
    enum { SLOW_BYTES = 12 };

    borrow(u, ECX, item->eip);
    emit_load(&u->e, ECX, ADDRESS(HOLE->slots.interrupt));
    emit_jecxz(&u->e, SLOW_BYTES);
    give_back(u, ECX);                                          /* 7 bytes */
    unit_leave(u, EXIT_CALL, item, item->eip);                  /* 5 bytes */
    emit_store8_imm(&u->e, flags_high(), high_byte(u, true));
    unit_point(u, item->eip + item->insn.length, POINT_ECX | POINT_STI, 0);
    give_back(u, ECX);
    /* END 4.2: u, item, high_byte, flags_high, borrow */
}

/* ---- PUSHF, POPF --------------------------------------------------------------------------------- */

/* The processor pushes IF = 1 and IOPL = 0; the guest's differ by cpu.eflags - IF, and no bit carries into another. */
static void emit_pushf(struct unit *u, const struct item *item)
{
    /* LAB 4.1: the flags as the guest's PUSHFD must store them, at the top of the guest's stack, and no register or flag changed. Let
     * the processor push its own: they differ from the guest's by cpu.eflags - IF, and no bit carries into another. LEA adds
     * without touching flags. Behind the push, and wherever else the guest's state is not that of `item->eip` as it stands, a point
     * says how to undo it: which registers are in their slots, what ESP lacks (unit.h). */
    struct emitter *e = &u->e;

    emit_store(e, slot_of(ECX), ECX);
    emit_store(e, slot_of(EDX), EDX);
    emit1(e, 0x9c);                                             /* pushfd */
    unit_point(u, item->eip, POINT_ECX | POINT_EDX, 4);
    emit_load_top(e, ECX);
    emit_load(e, EDX, ADDRESS(CPU.eflags));
    emit1(e, 0x8d), emit1(e, 0x8c), emit1(e, 0x11), emit4(e, -(uint32_t)FLAG_IF);    /* lea ecx, [ecx + edx - IF] */
    emit_store_top(e, ECX);
    give_back(u, ECX);
    give_back(u, EDX);
    /* END 4.1: u, item */
}

/* POPFD takes 20 cycles, SAHF one. It has all that is needed if OF and DF are 0 and nothing above bit 9 is asked for; what
 * must not be set for that is in slots.popf_slow, together with IF while an interrupt waits. Flags are lost from the
 * TEST on: the way back is to carry the instruction out. In ring 3 IF keeps its value. */
static void emit_popf(struct unit *u, const struct item *item)
{
    /* LAB 4.3: the flags at the top of the guest's stack become the processor's. If a bit of slots.popf_slow is set in them, the
     * emulator does it, by a gate. Else SAHF and CLD do (POPFD takes 20 cycles), and IF becomes cpu.eflags': but only where CPL <=
     * IOPL; at ring 3 with IOPL 0 POPF leaves it alone. Once the guest's flags are lost nothing can be undone: from there on the
     * point's state has POINT_FORWARD. */
    struct emitter *e = &u->e;
    bool interrupts = u->context->cpl <= u->context->iopl;
    uint32_t slow;

    emit_store(e, slot_of(EAX), EAX);
    emit_load_top(e, EAX);
    unit_point(u, item->eip, POINT_EAX | POINT_FORWARD, 0);
    emit1(e, 0x83), emit1(e, 0xc8), emit1(e, FLAG_ONE);         /* or eax, 2: never 0 */
    emit1(e, PREFIX_CS), emit1(e, 0x85), emit_absolute(e, EAX, ADDRESS(HOLE->slots.popf_slow));   /* test eax, slow */
    slow = emit_jcc(e, JCC_Z, 0);                               /* over the next two */
    give_back(u, EAX);
    unit_leave(u, EXIT_CALL, item, item->eip);
    memcpy(cache_writable(u->cache, slow), &(uint32_t){ e->address - (slow + 4) }, 4);
    if (interrupts)
        emit_store8(e, flags_high(), 4);                        /* AH */
    emit1(e, 0x88), emit1(e, 0xc4);                             /* mov ah, al */
    emit1(e, 0x9e);                                             /* sahf */
    emit1(e, 0xfc);                                             /* cld */
    give_back(u, EAX);
    emit_add(e, ESP, 4);
    /* END 4.3: u, item, flags_high */
}

/* ---- selectors, descriptor-table and control registers ------------------------------------------- */

/* A register that the operand does not use. */
static unsigned spare(const struct operand *op)
{
    unsigned reg = ECX;

    while (op->base == reg || op->index == reg)
        reg = reg == ECX ? EDX : EAX;
    return reg;
}

/* Store 16 bits (a selector, CR0's lower half) or, to a register of 32 bits, all of it. */
static void emit_store_word(struct unit *u, const struct item *item, uint32_t from, bool whole)
{
    const struct operand *op = &item->insn.op[0];
    unsigned reg = op->kind == OPERAND_REG ? op->reg : spare(op);

    if (op->kind == OPERAND_REG) {
        if (item->insn.opsize == 2)
            emit1(&u->e, PREFIX_OPSIZE);
        if (item->insn.opsize == 2 || whole)
            emit_load(&u->e, reg, from);
        else
            emit_load16(&u->e, reg, from);
        return;
    }
    borrow(u, reg, item->eip);
    emit_load16(&u->e, reg, from);
    emit_memory(&u->e, PREFIX_OPSIZE, 0x89, reg, op, 0);        /* mov [operand], reg16 */
    unit_point(u, item->eip + item->insn.length, point_of(reg), 0);
    give_back(u, reg);
}

static void emit_mov_from_seg(struct unit *u, const struct item *item)
{
    emit_store_word(u, item, ADDRESS(CPU.seg[item->insn.op[1].reg].selector), false);
}

/* Two bytes are written, four are taken: Intel SDM vol. 2B, PUSH. */
static void emit_push_seg(struct unit *u, const struct item *item)
{
    struct emitter *e = &u->e;

    borrow(u, ECX, item->eip);
    emit_load16(e, ECX, ADDRESS(CPU.seg[item->insn.op[0].reg].selector));
    emit1(e, PREFIX_OPSIZE), emit1(e, 0x89), emit1(e, 0x4c), emit1(e, 0x24), emit1(e, 0xfc);    /* mov [esp - 4], cx */
    emit_add(e, ESP, -4u);
    unit_point(u, item->eip + item->insn.length, POINT_ECX, 0);
    give_back(u, ECX);
}

/* ---- loading segment registers ------------------------------------------------------------------- */

enum { KNOWN_SELECTOR = 0, KNOWN_ADDRESS = 4, KNOWN_LOW = 8, KNOWN_HIGH = 12, KNOWN_SEGMENT = 16, KNOWN_HARDWARE = 28 };
_Static_assert(offsetof(struct known_descriptor, segment) == KNOWN_SEGMENT &&
               offsetof(struct known_descriptor, hardware) == KNOWN_HARDWARE, "what the sequence adds to EDX");

/* mov reg, cs:[base + offset] */
static void emit_load_field(struct emitter *e, unsigned reg, unsigned base, unsigned offset)
{
    emit1(e, PREFIX_CS), emit1(e, 0x8b), emit1(e, 0x40 | reg << 3 | base), emit1(e, offset);
}

/* ECX + the field at [EDX + offset] must be 0; else to `slow`, which is emitted here if it is not yet. */
static void emit_compare_field(struct unit *u, const struct item *item, unsigned offset, uint32_t *slow)
{
    struct emitter *e = &u->e;
    uint8_t *over;

    emit_load_field(e, EAX, EDX, offset);
    emit1(e, 0x8d), emit1(e, 0x0c), emit1(e, 0x01);             /* lea ecx, [ecx + eax] */
    over = emit_jcxz(e, 4);
    if (*slow) {
        emit_jmp(e, *slow);
    } else {
        *slow = e->address;
        give_back(u, EAX);
        give_back(u, ECX);
        give_back(u, EDX);
        unit_leave(u, EXIT_CALL, item, item->eip);
    }
    over[-1] = (uint8_t)(e->at - over);
}

static void emit_compare_descriptor(struct unit *u, const struct item *item)
{
    struct emitter *e = &u->e;
    uint32_t slow = 0;

    emit1(e, 0x0f), emit1(e, 0xb6), emit1(e, 0xd1);             /* movzx edx, cl */
    emit1(e, 0x8d), emit1(e, 0x14), emit1(e, 0xd5), emit4(e, 0);        /* lea edx, [edx * 8] */
    emit1(e, 0x8d), emit1(e, 0x14), emit1(e, 0x95), emit4(e, ADDRESS(HOLE->known));     /* lea edx, [edx * 4 + known] */
    emit_compare_field(u, item, KNOWN_SELECTOR, &slow);
    for (unsigned half = 0; half < 8; half += 4) {
        emit_load_field(e, EAX, EDX, KNOWN_ADDRESS);
        emit_load_field(e, ECX, EAX, half);
        emit_compare_field(u, item, KNOWN_LOW + half, &slow);
    }
}

/* MOV and POP to DS, ES, FS, GS. From the first store to the guest's segment on, the way back is to carry the
 * instruction out: it does the same once more. */
static void emit_load_segment(struct unit *u, const struct item *item)
{
    struct emitter *e = &u->e;
    const struct operand *from = &item->insn.op[1];
    unsigned seg = item->insn.op[0].reg;

    emit_store(e, slot_of(EAX), EAX);
    emit_store(e, slot_of(ECX), ECX);
    emit_store(e, slot_of(EDX), EDX);
    unit_point(u, item->eip, POINT_EAX | POINT_ECX | POINT_EDX, 0);
    if (item->insn.isa == ISA_POP_SEG)
        emit1(e, 0x0f), emit1(e, 0xb7), emit1(e, 0x0c), emit1(e, 0x24);         /* movzx ecx, word [esp] */
    else if (from->kind == OPERAND_REG)
        emit1(e, 0x0f), emit1(e, 0xb7), emit1(e, 0xc8 | from->reg);             /* movzx ecx, reg16 */
    else
        emit_memory(e, 0, 0x0fb7, ECX, from, 0);
    emit_compare_descriptor(u, item);
    if (seg == DS || seg == ES) {
        emit1(e, PREFIX_CS), emit1(e, 0x8e), emit1(e, 0x40 | seg << 3 | EDX), emit1(e, KNOWN_HARDWARE);
    } else {
        emit_load_field(e, EAX, EDX, KNOWN_HARDWARE);
        emit1(e, PREFIX_OPSIZE), emit_store(e, ADDRESS(HOLE->slots.selector[seg]), EAX);
    }
    unit_point(u, item->eip, POINT_EAX | POINT_ECX | POINT_EDX | POINT_FORWARD, 0);
    for (unsigned k = 0; k < sizeof(struct segment); k += 4) {
        emit_load_field(e, EAX, EDX, KNOWN_SEGMENT + k);
        emit_store(e, ADDRESS(CPU.seg[seg]) + k, EAX);
    }
    give_back(u, EAX);
    give_back(u, ECX);
    give_back(u, EDX);
    if (item->insn.isa == ISA_POP_SEG)
        emit_add(e, ESP, 4);
}

static void emit_store_table(struct unit *u, const struct item *item)
{
    const struct table_register *from = item->insn.isa == ISA_SGDT ? &CPU.gdtr : &CPU.idtr;
    const struct operand *op = &item->insn.op[0];
    unsigned reg = spare(op);

    borrow(u, reg, item->eip);
    emit_load16(&u->e, reg, ADDRESS(from->limit));
    emit_memory(&u->e, PREFIX_OPSIZE, 0x89, reg, op, 0);
    emit_load(&u->e, reg, ADDRESS(from->base));
    emit_memory(&u->e, 0, 0x89, reg, op, 2);
    unit_point(u, item->eip + item->insn.length, point_of(reg), 0);
    give_back(u, reg);
}

static void emit_mov_from_cr(struct unit *u, const struct item *item)
{
    static const uint32_t *const place[] = { &CPU.cr0, NULL, &CPU.cr2, &CPU.cr3, &CPU.cr4 };

    emit_load(&u->e, item->insn.op[0].reg, ADDRESS(*place[item->insn.op[1].reg]));
}

/* ---- all together -------------------------------------------------------------------------------- */

static bool plain_memory(const struct insn *insn, unsigned operand)
{
    const struct operand *op = &insn->op[operand];

    return insn->addrsize == 4 && (op->seg == DS || op->seg == ES || op->seg == SS);
}

bool sequence_exists(const struct unit *u, const struct insn *insn)
{
    const struct context *x = u->context;
    bool to_memory = insn->op[0].kind == OPERAND_MEM;
    unsigned cr = insn->op[1].reg;

    if (!x->simple)
        return false;
    switch (insn->isa) {
    case ISA_CLI: case ISA_STI: return x->cpl <= x->iopl;
    case ISA_PUSHFD: return true;
    case ISA_POPFD: return x->iopl == 0;
    case ISA_PUSH_SEG: return insn->opsize == 4;
    case ISA_MOV_FROM_SEG: case ISA_SLDT: case ISA_STR: case ISA_SMSW: return !to_memory || plain_memory(insn, 0);
    case ISA_SGDT: case ISA_SIDT: return insn->opsize == 4 && plain_memory(insn, 0);
    case ISA_POP_SEG: return x->cpl == 0 && insn->opsize == 4 && insn->op[0].reg != SS;
    case ISA_MOV_TO_SEG:
        return x->cpl == 0 && insn->op[0].reg != SS && (insn->op[1].kind == OPERAND_REG || plain_memory(insn, 1));
    case ISA_MOV_FROM_CR: return x->cpl == 0 && (cr == 0 || (cr >= 2 && cr <= 4));
    default: return false;
    }
}

void sequence_emit(struct unit *u, const struct item *item)
{
    switch (item->insn.isa) {
    case ISA_CLI: emit_cli(u, item); break;
    case ISA_STI: emit_sti(u, item); break;
    case ISA_PUSHFD: emit_pushf(u, item); break;
    case ISA_POPFD: emit_popf(u, item); break;
    case ISA_PUSH_SEG: emit_push_seg(u, item); break;
    case ISA_MOV_FROM_SEG: emit_mov_from_seg(u, item); break;
    case ISA_POP_SEG: case ISA_MOV_TO_SEG: emit_load_segment(u, item); break;
    case ISA_SLDT: emit_store_word(u, item, ADDRESS(CPU.ldtr.selector), false); break;
    case ISA_STR: emit_store_word(u, item, ADDRESS(CPU.tr.selector), false); break;
    case ISA_SMSW: emit_store_word(u, item, ADDRESS(CPU.cr0), true); break;
    case ISA_SGDT: case ISA_SIDT: emit_store_table(u, item); break;
    default: emit_mov_from_cr(u, item); break;
    }
}
