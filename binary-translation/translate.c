/* The translator. A block of guest code goes through four passes:
 *
 *   decode   fetch and decode instructions up to a jump, call or return, an instruction for the monitor, the end of the
 *            page or BLOCK_INSTRUCTIONS; choose what becomes of each: a copy, a copy through the monitor's segment register, a
 *            sequence (sequences.c), the end of the block. If one cannot be fetched the block ends before it: it may never run.
 *   plan     what needs the whole block in view: an STI at its end, which instructions ask for the FPU.
 *   emit     (generate.c) write host code. All eight registers and the flags are the guest's throughout, at the guest's own
 *            addresses; only CS and GS are ours. A point is noted wherever the way back to the guest's state changes.
 *   link     later, when an exit is taken for the first time: cache_link() patches its branch.
 *
 * A direct branch, before and after it is linked, and an indirect one with the target's landing:
 *
 *     jnz  stub 7   -> jnz  block 12        mov  gs:[ecx'], ecx       landing: mov   ecx, cs:[target']
 *     jmp  stub 8   -> jmp  block 3         pop  ecx                           lea   ecx, [ecx - EIP of this block]
 *                                           mov  gs:[target'], ecx             jecxz +5
 *                                           movzx ecx, cx                      jmp   miss
 *                                           jmp  cs:[table + ecx*4]            mov   ecx, cs:[ecx']
 *                                                                     entry:   ...
 * The jump table is asked without a comparison; the landing finds out whether it was the right one. LEA and JECXZ keep the
 * flags. README.md has what other ways cost. */
#include "translate.h"

#include <assert.h>
#include <stdlib.h>

#include "emit.h"
#include "emulate.h"
#include "gate.h"
#include "machine.h"
#include "profile.h"
#include "sequences.h"
#include "trace.h"
#include "unit.h"

/* ---- points and exits ----------------------------------------------------------------------------- */

void unit_point(struct unit *u, uint32_t eip, unsigned state, int esp)
{
    struct cache *c = u->cache;
    uint32_t host = u->e.address - u->block->landing;

    if (u->block->points_count && c->point[c->points - 1].host == host)
        c->points--, u->block->points_count--;
    c->point[c->points++] = (struct point){
        .host = (uint16_t)host, .state = (uint8_t)(state | (u->after_sti ? POINT_STI : 0)), .esp = (int8_t)esp, .eip = eip,
    };
    u->block->points_count++;
}

/* The point just noted begins a guest instruction, or what follows the last. */
void unit_begins(struct unit *u) { u->cache->point[u->cache->points - 1].begins = true; }

struct exit *unit_exit(struct unit *u, enum exit_kind kind, const struct item *item, uint32_t eip)
{
    struct cache *c = u->cache;
    struct exit *x = &c->exit[c->exits++];
    struct emitter stub;

    *x = (struct exit){ .kind = (uint8_t)kind, .block = (int)(u->block - c->block), .eip = eip, .to = NONE, .insn = NONE };
    x->port = kind == EXIT_CALL && !u->context->step && (item->insn.isa == ISA_IN || item->insn.isa == ISA_OUT);
    if (kind == EXIT_CALL || kind == EXIT_NEAR || kind == EXIT_STORE || kind == EXIT_FPU) {
        x->insn = c->insns;
        c->insn[c->insns++] = item->insn;
    }
    c->stubs = cache_stub(c, x);
    stub = (struct emitter){ cache_writable(c, c->stubs), c->stubs };
    gate_emit_stub(&stub, (uint32_t)(x - c->exit));
    assert(stub.address - c->stubs <= STUB_BYTES);
    return x;
}

void unit_leave(struct unit *u, enum exit_kind kind, const struct item *item, uint32_t eip)
{
    struct exit *x = unit_exit(u, kind, item, eip);

    x->field = emit_jmp(&u->e, cache_stub(u->cache, x));
}

/* ---- decode --------------------------------------------------------------------------------------- */

bool unit_borrows_gs(const struct insn *insn)
{
    for (const struct operand *op = insn->op; op < insn->op + insn->operands; op++)
        if (op->kind == OPERAND_MEM && (op->read || op->written) && (op->seg == CS || op->seg == FS || op->seg == GS))
            return true;
    return false;
}

/* Near transfers by opcode (Intel SDM vol. 2D, appendix A). */
static enum kind kind_of_branch(const struct unit *u, const struct insn *insn)
{
    uint8_t opcode = insn->bytes[insn->opcode_at], modrm = insn->bytes[insn->opcode_at + 1];
    bool by_monitor = !u->context->simple || insn->opsize == 2;

    if (opcode == 0x0f || (opcode & 0xf0) == 0x70)
        return KIND_JCC;
    if ((opcode & 0xfc) == 0xe0)
        return KIND_LOOP;
    if (opcode == 0xe9 || opcode == 0xeb)
        return KIND_JMP;
    if (by_monitor)
        return KIND_NEAR;
    if (opcode == 0xe8)
        return KIND_CALL_NEAR;
    if (opcode == 0xff)
        return (modrm >> 3 & 7) == 2 ? KIND_CALL_INDIRECT : KIND_JMP_INDIRECT;
    return KIND_RETURN;
}

static enum kind kind_of(const struct unit *u, const struct insn *insn)
{
    if (insn->isa != ISA_OTHER)
        return sequence_exists(u, insn) ? KIND_INLINE : KIND_CALL;
    if (!insn->known)
        return KIND_UNDEFINED;
    if (insn->branch != BRANCH_NONE)
        return kind_of_branch(u, insn);
    if (!u->context->step && cache_keeps_faulting(u->cache, u->m->cpu.eip))
        return KIND_STORE;
    return unit_borrows_gs(insn) ? KIND_SEGMENT : KIND_COPY;
}

static bool writes_memory(const struct insn *insn)
{
    for (const struct operand *op = insn->op; op < insn->op + insn->operands; op++)
        if (op->kind == OPERAND_MEM && op->written)
            return true;
    return false;
}

/* Cache tables are by frame: there are none beyond RAM. */
static bool is_in_ram(const struct machine *m, uint32_t gla)
{
    struct translation t;

    return memory_peek(m, gla, ACCESS_READ, &t) && t.gpa < m->mem.bytes;
}

static bool decode_block(struct unit *u)
{
    struct vcpu *cpu = &u->m->cpu;
    uint32_t begin = cpu->eip, base = cpu->seg[CS].base, page = (base + begin) & PAGE_MASK;
    unsigned most = u->context->step ? 1 : BLOCK_INSTRUCTIONS;
    struct item *item = u->item;

    while (u->count < most && ((base + cpu->eip) & PAGE_MASK) == page && decode_at_eip(u->m, &item->insn)) {
        if (!is_in_ram(u->m, base + cpu->eip + item->insn.length - 1))
            break;
        item->eip = cpu->eip;
        item->kind = kind_of(u, &item->insn);
        cpu->eip += item->insn.length;
        u->count++;
        if (item->kind >= KIND_CALL || (u->block->checked && writes_memory(&item->insn)))
            break;
        item++;
    }
    u->next = cpu->eip;
    cpu->eip = begin;
    return u->count != 0;
}

/* ---- plan ----------------------------------------------------------------------------------------- */

/* An STI whose successor is not in the block would lose its shadow at the block's end. */
static void plan(struct unit *u)
{
    struct item *last = &u->item[u->count - 1];
    unsigned guarded = 0;

    if (last->insn.isa == ISA_STI)
        last->kind = KIND_CALL;
    for (unsigned i = 0; i < u->count; i++) {
        unsigned use = 1u << (u->item[i].insn.fpu == FPU_SSE);

        u->item[i].guard = u->item[i].insn.fpu && !(guarded & use);
        guarded |= u->item[i].guard ? use : 0;
    }
}

/* ---- a block -------------------------------------------------------------------------------------- */

bool translate_has_room(const struct cache *c)
{
    enum {
        EXITS_OF_A_BLOCK = 2 * BLOCK_INSTRUCTIONS + 4, POINTS_OF_A_BLOCK = 8 * BLOCK_INSTRUCTIONS,
        INSNS_OF_A_BLOCK = BLOCK_INSTRUCTIONS + 2,              /* of two exits: its own, and its guard's */
    };

    return c->next + BLOCK_HOST_BYTES + EXITS_OF_A_BLOCK * STUB_BYTES <= c->stubs && c->blocks < c->blocks_max &&
           c->pages + 2 <= c->pages_max && c->insns + INSNS_OF_A_BLOCK <= c->insns_max &&
           c->points + POINTS_OF_A_BLOCK <= c->points_max;
}

static struct block new_block(const struct cache *c, int context, uint32_t eip)
{
    return (struct block){
        .eip = eip, .context = context, .page = { NONE, NONE }, .incoming = NONE, .points = c->points,
    };
}

static void begin_block(struct unit *u)
{
    u->cache->blocks++;
    u->block->guest_bytes = (uint16_t)(u->next - u->block->eip);
    u->block->instructions = (uint16_t)u->count;
    u->e = (struct emitter){ cache_writable(u->cache, u->cache->next), u->cache->next };
}

/* Blocks begin at multiples of 32: compute takes 4 % less than at multiples of 16. */
static void end_block(struct unit *u)
{
    struct counters *counters = &u->cache->m->counters;

    assert(u->block->end - u->block->landing <= BLOCK_HOST_BYTES);
    u->cache->next = (u->block->end + 31) & ~31u;
    counters->blocks_translated++;
    counters->guest_bytes += u->block->guest_bytes;
    counters->host_bytes += u->block->end - u->block->landing;
    counters->instructions += u->count;
}

static struct block *show(struct cache *c, struct block *b)
{
    if (HOLE->vm.options.trace == TRACE_BLOCKS)
        trace_block(c, b);
    return b;
}

struct block *translate(struct cache *c, int context, bool landing)
{
    struct vcpu *cpu = &c->m->cpu;
    struct unit u = { .m = c->m, .cache = c, .context = &c->context[context] };
    struct block *b;

    if (!translate_has_room(c))
        cache_flush(c);
    b = u.block = &c->block[c->blocks];
    *b = new_block(c, context, cpu->eip);
    b->checked = cache_is_checked(c, cpu->seg[CS].base + cpu->eip);
    profile_to(PROFILE_DECODE);
    if (!decode_block(&u))
        return NULL;
    if (!b->checked && cache_is_checked(c, cpu->seg[CS].base + u.next - 1)) {      /* it ends in another page */
        b->checked = true;
        u.count = 0;
        decode_block(&u);
    }
    profile_to(PROFILE_EMIT);
    plan(&u);
    begin_block(&u);
    unit_emit_block(&u, landing);
    end_block(&u);
    profile_to(PROFILE_ENTER);
    cache_enter(c, b);
    profile_to(PROFILE_LINK);
    return show(c, b);
}

struct block *translate_stretch(struct cache *c, int context, uint32_t eip, unsigned bytes)
{
    struct vcpu *cpu = &c->m->cpu;
    struct unit u = { .m = c->m, .cache = c, .context = &c->context[context] };
    uint32_t was = cpu->eip;

    if (!translate_has_room(c))
        return NULL;
    u.block = &c->block[c->blocks];
    *u.block = new_block(c, context, eip);
    for (cpu->eip = eip; cpu->eip != eip + bytes; cpu->eip += u.item[u.count++].insn.length) {
        struct item *item = &u.item[u.count];

        if (u.count == BLOCK_INSTRUCTIONS || !decode_at_eip(u.m, &item->insn))
            break;
        item->eip = cpu->eip;
        item->kind = kind_of(&u, &item->insn);
    }
    u.next = cpu->eip;
    cpu->eip = was;
    if (u.next != eip + bytes)
        return NULL;
    plan(&u);
    begin_block(&u);
    u.block->landing = u.block->entry = u.e.address;
    for (unsigned i = 0; i < u.count; i++)
        unit_emit_item(&u, &u.item[i]);
    unit_point(&u, u.next, 0, 0);
    emit_jmp(&u.e, u.next);
    u.block->end = u.e.address;
    end_block(&u);
    return show(c, u.block);
}

/* ---- back ----------------------------------------------------------------------------------------- */

/* Does a repeated string instruction go on, after a turn? `turn`: TURN_ bits. */
static bool repeats(const struct vcpu *cpu, int turn)
{
    bool equal = cpu->eflags & FLAG_ZF;

    return register_read(cpu, ECX, abs(turn) & TURN_COUNTS_CX ? 2 : 4) != 0 &&
           (abs(turn) & TURN_ALWAYS || equal == (turn > 0));
}

struct back translate_back(struct cache *c, const struct block *b, uint32_t host)
{
    struct vcpu *cpu = &c->m->cpu;
    const struct slots *slots = &HOLE->slots;
    const struct point *p = &c->point[b->points];

    for (int i = 0; i < b->points_count && c->point[b->points + i].host <= host - b->landing; i++)
        p = &c->point[b->points + i];
    cpu->eip = p->state & POINT_IN_ECX ? cpu->gpr[ECX] : p->state & POINT_IN_TARGET ? slots->target : p->eip;
    if (p->state & POINT_EAX)
        cpu->gpr[EAX] = slots->eax;
    if (p->state & POINT_ECX)
        cpu->gpr[ECX] = slots->ecx;
    if (p->state & POINT_EDX)
        cpu->gpr[EDX] = slots->edx;
    if (!(p->state & POINT_REPEAT))
        cpu->gpr[ESP] += (uint32_t)p->esp;
    else if (!repeats(cpu, p->esp))
        cpu->eip += abs(p->esp) & TURN_LENGTH;
    if (p->state & POINT_STI)
        cpu->shadow = SHADOW_STI;
    return (struct back){ p->state & POINT_FORWARD, p->state & POINT_REPEAT };
}
