/* The third pass: host code for a block's instructions. translate.c explains the passes and draws what a branch becomes. */
#include "gate.h"
#include "sequences.h"
#include "unit.h"

static void emit_landing(struct unit *u)
{
    struct emitter *e = &u->e;

    unit_point(u, u->block->eip, POINT_ECX | POINT_IN_TARGET, 0);
    emit_load(e, ECX, ADDRESS(HOLE->slots.target));
    emit_add(e, ECX, -u->block->eip);
    emit_jecxz(e, 5);
    emit_jmp(e, gate_miss());
    emit_load(e, ECX, ADDRESS(HOLE->slots.ecx));
}

/* Where the code is not sealed: are its bytes still those that were translated? Flags are kept. */
static void emit_check(struct unit *u)
{
    struct emitter *e = &u->e;
    uint32_t host = u->context->cs.base + u->block->eip + u->cache->shadow->window, word = 0;
    uint32_t changed = cache_stub(u->cache, unit_exit(u, EXIT_CHANGED, NULL, u->block->eip));
    uint8_t bytes[BLOCK_INSTRUCTIONS * INSN_MAX];
    unsigned n = 0, step;

    for (unsigned i = 0; i < u->count; n += u->item[i++].insn.length)
        memcpy(bytes + n, u->item[i].insn.bytes, u->item[i].insn.length);
    unit_point(u, u->block->eip, 0, 0);
    emit_store(e, ADDRESS(HOLE->slots.ecx), ECX);
    unit_point(u, u->block->eip, POINT_ECX, 0);
    for (unsigned i = 0; i < n; i += step) {
        step = (host + i) % 4 == 0 && n - i >= 4 ? 4 : 1;       /* aligned: the guest may have AC set */
        memcpy(&word, bytes + i, step);
        if (step == 4)
            emit_load(e, ECX, host + i);
        else
            emit_load8(e, ECX, host + i);
        emit_add(e, ECX, -(step == 4 ? word : bytes[i]));
        emit_jecxz(e, 5);
        emit_jmp(e, changed);
    }
    emit_load(e, ECX, ADDRESS(HOLE->slots.ecx));
}

/* One more run. Until ECX is back the block has not begun. */
static void emit_count(struct unit *u)
{
    struct emitter *e = &u->e;
    uint32_t *runs = &HOLE->runs[u->block - u->cache->block];

    *runs = 0;
    unit_point(u, u->block->eip, 0, 0);
    emit_store(e, ADDRESS(HOLE->slots.ecx), ECX);
    unit_point(u, u->block->eip, POINT_ECX, 0);
    emit_load(e, ECX, ADDRESS(*runs));
    emit_add(e, ECX, 1);
    emit_store(e, ADDRESS(*runs), ECX);
    emit_load(e, ECX, ADDRESS(HOLE->slots.ecx));
    unit_point(u, u->block->eip, 0, 0);
}

static void emit_guard(struct unit *u, const struct item *item)
{
    struct emitter *e = &u->e;

    emit_store(e, ADDRESS(HOLE->slots.ecx), ECX);
    unit_point(u, item->eip, POINT_ECX, 0);
    emit_load(e, ECX, item->insn.fpu == FPU_SSE ? ADDRESS(HOLE->slots.sse_absent) : ADDRESS(HOLE->slots.fpu_absent));
    emit_jecxz(e, 5);
    unit_leave(u, EXIT_FPU, item, item->eip);
    emit_load(e, ECX, ADDRESS(HOLE->slots.ecx));
    unit_point(u, item->eip, 0, 0);
}

static bool is_segment_prefix(uint8_t byte)
{
    return byte == PREFIX_ES || byte == PREFIX_CS || byte == PREFIX_SS || byte == PREFIX_DS || byte == PREFIX_FS ||
           byte == PREFIX_GS;
}

/* Of SSE instructions, MOVNTI and the fences among them, 0x66 does not change the size: it is part of the opcode. */
static bool opsize_is_opcode(const struct insn *insn)
{
    const uint8_t *opcode = insn->bytes + insn->opcode_at;

    return opcode[0] == 0x0f && (insn->fpu || opcode[1] == 0xc3 || opcode[1] == 0xae);
}

/* 16-bit code in our 32-bit segment: what was the default becomes a prefix, and the other way round. */
static void emit_copy_narrow(struct unit *u, const struct insn *insn, unsigned segment)
{
    bool opsize = true, addrsize = true, mandatory = opsize_is_opcode(insn);

    for (unsigned i = 0; i < insn->opcode_at; i++) {
        uint8_t byte = insn->bytes[i];

        opsize &= byte != PREFIX_OPSIZE;
        addrsize &= byte != PREFIX_ADDRSIZE;
        if ((byte != PREFIX_OPSIZE || mandatory) && byte != PREFIX_ADDRSIZE && !(segment && is_segment_prefix(byte)))
            emit1(&u->e, byte);
    }
    if (opsize && !mandatory)
        emit1(&u->e, PREFIX_OPSIZE);
    if (addrsize)
        emit1(&u->e, PREFIX_ADDRSIZE);
}

/* The instruction itself, its segment prefix replaced by `segment` if that is not 0. */
static void emit_copy(struct unit *u, const struct insn *insn, unsigned segment)
{
    if (segment)
        emit1(&u->e, segment);
    if (!insn->wide)
        emit_copy_narrow(u, insn, segment);
    else
        for (unsigned i = 0; i < insn->opcode_at; i++)
            if (!segment || !is_segment_prefix(insn->bytes[i]))
                emit1(&u->e, insn->bytes[i]);
    emit_bytes(&u->e, insn->bytes + insn->opcode_at, insn->length - insn->opcode_at);
}

static unsigned segment_used(const struct insn *insn)
{
    for (const struct operand *op = insn->op; op < insn->op + insn->operands; op++)
        if (op->kind == OPERAND_MEM && (op->seg == CS || op->seg == FS || op->seg == GS))
            return op->seg;
    return DS;
}

/* The caller takes GS back, after the point that says that the instruction is done. */
static void emit_through_gs(struct unit *u, const struct insn *insn)
{
    emit_load_gs(&u->e, ADDRESS(HOLE->slots.selector[segment_used(insn)]));
    emit_copy(u, insn, PREFIX_GS);
}

static void emit_gs_of_ours(struct unit *u) { emit_load_gs(&u->e, ADDRESS(HOLE->slots.selector[SELECTOR_OURS])); }

/* ECX is borrowed, the guest on its way to the address in it. */
static void emit_on_the_way(struct unit *u)
{
    unit_point(u, 0, POINT_ECX | POINT_IN_ECX, 0);
    emit_store(&u->e, ADDRESS(HOLE->slots.target), ECX);
    unit_point(u, 0, POINT_ECX | POINT_IN_TARGET, 0);
}

static void emit_jump_by_table(struct unit *u)
{
    /* LAB 5.2: ECX holds the target: its low 16 bits pick the entry of HOLE->table for this block's context. A JMP through it, with a
     * CS prefix, for DS is the guest's. */
    struct emitter *e = &u->e;

    emit1(e, 0x0f), emit1(e, 0xb7), emit1(e, 0xc9);             /* movzx ecx, cx */
    emit1(e, PREFIX_CS), emit1(e, 0xff), emit1(e, 0x24), emit1(e, 0x8d);        /* jmp cs:[table + ecx * 4] */
    emit4(e, ADDRESS(HOLE->table[u->block->context][0]));
    /* END 5.2: u */
}

/* Two targets that were met here before, tried before the table: for returns and indirect calls, whose targets are few.
 * The exit that asks for a prediction to be made comes first, those of the predictions behind it: cache_predict(). */
static void emit_predictions(struct unit *u)
{
    struct emitter *e = &u->e;
    struct exit *ask = unit_exit(u, EXIT_PREDICT, NULL, 0);
    uint8_t *over[PREDICTIONS];

    for (int k = 0; k < PREDICTIONS; k++) {
        unit_exit(u, EXIT_BRANCH, NULL, 0);                     /* ask[1 + k] */
        emit_add(e, ECX, 0);                                    /* lea ecx, [ecx - target] */
        ask[1 + k].test = e->address - 4;
        emit_jecxz(e, 0);
        over[k] = e->at;
    }
    ask->field = emit_jmp(e, cache_stub(u->cache, ask));
    emit_load(e, ECX, ADDRESS(HOLE->slots.target));
    emit_jump_by_table(u);
    for (int k = 0; k < PREDICTIONS; k++) {
        over[k][-1] = (uint8_t)(e->at - over[k]);
        emit_load(e, ECX, ADDRESS(HOLE->slots.ecx));
        ask[1 + k].field = emit_jmp(e, cache_stub(u->cache, &ask[1 + k]));
    }
}

/* mov ecx, r/m: the operand of FF /2 and FF /4 */
static void emit_load_operand(struct unit *u, const struct insn *insn)
{
    struct insn load = *insn;

    load.bytes[insn->opcode_at] = 0x8b;
    load.bytes[insn->opcode_at + 1] = (uint8_t)((insn->bytes[insn->opcode_at + 1] & 0xc7) | ECX << 3);
    if (unit_borrows_gs(insn))
        emit_through_gs(u, &load), emit_gs_of_ours(u);
    else
        emit_copy(u, &load, 0);
}

static void emit_indirect(struct unit *u, const struct item *item)
{
    /* LAB 5.1: a return, or a jump or call through a register or memory: load the target into ECX, which is borrowed (and give the
     * stack what the instruction gives it), note it (emit_on_the_way), and go by the table, or by predictions first.
     * What may fault in between finds its way back by points (unit_point): ECX lies in its slot, and how far ESP is off. */
    const struct insn *insn = &item->insn;
    struct emitter *e = &u->e;

    emit_store(e, ADDRESS(HOLE->slots.ecx), ECX);
    unit_point(u, item->eip, POINT_ECX, 0);
    if (item->kind == KIND_RETURN) {
        if (insn->op[0].kind == OPERAND_IMM) {
            emit_load_top(e, ECX);
            emit_add(e, ESP, 4 + insn->op[0].value);
        } else {
            emit_pop(e, ECX);
        }
    } else {
        emit_load_operand(u, insn);
        if (item->kind == KIND_CALL_INDIRECT)
            emit_push_imm(e, u->next);
    }
    emit_on_the_way(u);
    if (item->kind == KIND_JMP_INDIRECT)
        emit_jump_by_table(u);
    else
        emit_predictions(u);
    /* END 5.1: u, item, emit_on_the_way, emit_load_operand, emit_predictions, emit_jump_by_table */
}

/* Where a direct branch leads, and how: beyond the code segment's limit the monitor raises #GP, at the branch. */
static enum exit_kind target_of_branch(const struct unit *u, const struct item *item, uint32_t *eip)
{
    *eip = item->eip + item->insn.length + item->insn.op[0].value;
    if (item->insn.opsize == 2)
        *eip &= 0xffff;
    if (*eip <= u->context->cs.limit || item->kind == KIND_LOOP)
        return EXIT_BRANCH;
    *eip = item->eip;
    return EXIT_NEAR;
}

static void emit_direct(struct unit *u, const struct item *item)
{
    /* LAB 4.4: JMP and CALL, which end the block. A call pushes the guest's return address, u->next; from there on the guest is at
     * the target, and a point says so. Leave by the exit that target_of_branch() names. */
    uint32_t eip;
    enum exit_kind way = target_of_branch(u, item, &eip);

    if (item->kind == KIND_CALL_NEAR && way == EXIT_BRANCH) {
        emit_push_imm(&u->e, u->next);
        unit_point(u, eip, 0, 0);
    }
    unit_leave(u, way, item, eip);
    /* END 4.4: u, item, target_of_branch */
}

static void emit_conditional(struct unit *u, const struct item *item)
{
    /* LAB 4.4: leave if it is taken, go on behind it if not. Jcc becomes a Jcc to the exit's stub, whose field cache_link() will
     * patch. LOOP and JECXZ reach only 127 bytes: over a short jump, to a long one. LOOP has changed ECX by then: a point before each
     * of the two says where the guest is. */
    enum { SHORT_JMP = 2, LONG_JMP = 5 };
    const struct insn *insn = &item->insn;
    const uint8_t *opcode = insn->bytes + insn->opcode_at;
    uint32_t eip;
    enum exit_kind way = target_of_branch(u, item, &eip);
    struct exit *x = unit_exit(u, way, item, eip);

    if (item->kind == KIND_JCC) {
        x->field = emit_jcc(&u->e, opcode[opcode[0] == 0x0f] & 15, cache_stub(u->cache, x));
        return;
    }
    if (insn->addrsize == 2)
        emit1(&u->e, PREFIX_ADDRSIZE);                          /* but no PREFIX_OPSIZE, which would cut our EIP */
    emit1(&u->e, opcode[0]), emit1(&u->e, SHORT_JMP);           /* over the short jump, to the long one */
    unit_point(u, item->eip + insn->length, 0, 0);
    emit1(&u->e, 0xeb), emit1(&u->e, LONG_JMP);
    unit_point(u, eip, 0, 0);
    x->field = emit_jmp(&u->e, cache_stub(u->cache, x));
    /* END 4.4: u, item, target_of_branch */
}

/* A repeated string instruction, when each of its turns is a step: one turn, then out to itself or to what follows. */
static void emit_one_turn(struct unit *u, const struct item *item)
{
    enum { REPNE = 0xf2 };
    struct emitter *e = &u->e;
    const struct insn *insn = &item->insn;
    struct insn once = *insn;
    uint8_t opcode = insn->bytes[insn->opcode_at], *over[3];
    bool compares = (opcode & 0xf6) == 0xa6, until_equal = false;
    int n = 0, turn;

    once.opcode_at = once.length = 0;
    for (unsigned i = 0; i < insn->length; i++) {
        if (i < insn->opcode_at && (insn->bytes[i] & 0xfe) == REPNE) {
            until_equal = insn->bytes[i] == REPNE;              /* the last one counts */
            continue;
        }
        once.bytes[once.length++] = insn->bytes[i];
        once.opcode_at += i < insn->opcode_at;
    }
    over[n++] = emit_jcxz(e, insn->addrsize);
    emit_store(e, ADDRESS(HOLE->slots.ecx), ECX);
    emit_decrement(e, ECX, insn->addrsize);
    unit_point(u, item->eip, POINT_ECX, 0);
    if (item->kind == KIND_SEGMENT)
        emit_through_gs(u, &once);
    else
        emit_copy(u, &once, 0);
    turn = insn->length | (compares ? 0 : TURN_ALWAYS) | (insn->addrsize == 2 ? TURN_COUNTS_CX : 0);
    unit_point(u, item->eip, POINT_REPEAT, until_equal ? -turn : turn);
    if (item->kind == KIND_SEGMENT)
        emit_gs_of_ours(u);
    if (compares)
        over[n++] = emit_jcc_short(e, until_equal ? JCC_Z : JCC_NZ);
    over[n++] = emit_jcxz(e, insn->addrsize);
    unit_leave(u, EXIT_BRANCH, NULL, item->eip);
    while (n-- > 0)
        over[n][-1] = (uint8_t)(e->at - over[n]);
}

static bool is_repeated_string(const struct insn *insn)
{
    uint8_t opcode = insn->bytes[insn->opcode_at];

    return insn->rep && opcode >= 0xa4 && opcode <= 0xaf && opcode != 0xa8 && opcode != 0xa9;
}

void unit_emit_item(struct unit *u, const struct item *item)
{
    unit_point(u, item->eip, 0, 0);
    unit_begins(u);
    if (item->guard)
        emit_guard(u, item);
    if (u->context->step && item->kind < KIND_CALL && is_repeated_string(&item->insn)) {
        emit_one_turn(u, item);
        return;
    }
    switch (item->kind) {
    case KIND_COPY: emit_copy(u, &item->insn, 0); break;
    case KIND_SEGMENT:
        emit_through_gs(u, &item->insn);
        u->after_sti = false;
        unit_point(u, item->eip + item->insn.length, 0, 0);
        emit_gs_of_ours(u);
        break;
    case KIND_INLINE: sequence_emit(u, item); break;
    case KIND_CALL: unit_leave(u, EXIT_CALL, item, item->eip); break;
    case KIND_STORE: unit_leave(u, EXIT_STORE, item, item->eip); break;
    case KIND_UNDEFINED: unit_leave(u, EXIT_UNDEFINED, item, item->eip); break;
    case KIND_NEAR: unit_leave(u, EXIT_NEAR, item, item->eip); break;
    case KIND_JCC: case KIND_LOOP: emit_conditional(u, item); break;
    case KIND_JMP: case KIND_CALL_NEAR: emit_direct(u, item); break;
    case KIND_JMP_INDIRECT: case KIND_CALL_INDIRECT: case KIND_RETURN: emit_indirect(u, item); break;
    }
    u->after_sti = item->kind == KIND_INLINE && item->insn.isa == ISA_STI;
}

void unit_emit_block(struct unit *u, bool landing)
{
    struct block *b = u->block;

    b->landing = u->e.address;
    if (landing)
        emit_landing(u);
    b->entry = u->e.address;
    if (u->cache->count_runs)
        emit_count(u);
    if (b->checked)
        emit_check(u);
    for (unsigned i = 0; i < u->count; i++)
        unit_emit_item(u, &u->item[i]);
    if (u->item[u->count - 1].kind < KIND_CALL) {
        unit_point(u, u->next, 0, 0);
        unit_begins(u);
        unit_leave(u, EXIT_BRANCH, NULL, u->next);
    }
    b->end = u->e.address;
}
