/* See patch.h. */
#include "patch.h"

#include <string.h>

#include "machine.h"
#include "sweep.h"
#include "translate.h"

enum { JMP_BYTES = 5, OPCODE_JMP = 0xe9, OPCODE_INT3 = 0xcc, OPCODE_NOP = 0x90 };

void patch_init(struct patches *p, struct cache *c)
{
    p->cache = c;
    p->context = NONE;
}

static void mark_targets(struct patches *p, struct sweep *s, uint32_t page)
{
    for (unsigned at = 0; at < PAGE_BYTES; at++) {
        const struct insn *insn = &s->insn[at];
        uint32_t target = at + insn->length + insn->op[0].value;

        if (!s->code[at] || insn->branch == BRANCH_NONE || insn->op[0].kind != OPERAND_IMM)
            continue;
        if (target < PAGE_BYTES)
            s->target[target] = true;
        else
            patch_learn(p, page + target);
    }
    for (int i = 0; i < p->targets; i++)
        if (p->target[i] - page < PAGE_BYTES)
            s->target[p->target[i] - page] = true;
}

/* ---- patches ------------------------------------------------------------------------------------- */

/* What follows these need not belong to them. */
static bool leaves(const struct insn *insn)
{
    return insn->branch != BRANCH_NONE || insn->isa == ISA_IRET || insn->isa == ISA_IRETD || insn->isa == ISA_JMP_FAR ||
           insn->isa == ISA_RET_FAR || (insn->isa == ISA_OTHER && !insn->known);
}

/* From `at` on, instructions in a row that leave room for a jump, none of which is a branch's target but the first: how
 * many bytes? 0: no room. Those before it join only if needed: *begin. */
static unsigned stretch(const struct sweep *s, unsigned at, unsigned *begin)
{
    unsigned end = at + s->insn[at].length, last = at;

    *begin = at;
    while (end - *begin < JMP_BYTES && end < PAGE_BYTES && s->code[end] && !s->target[end] && !leaves(&s->insn[last]) &&
           s->insn[end].branch == BRANCH_NONE && (s->insn[end].isa != ISA_OTHER || s->insn[end].known) &&
           s->bytes[end] != OPCODE_NOP) {               /* padding: another function may follow */
        last = end;
        end += s->insn[end].length;
    }
    while (end - *begin < JMP_BYTES && !s->target[*begin]) {
        unsigned before = 1;

        while (before < INSN_MAX && before <= *begin &&
               !(s->code[*begin - before] && s->insn[*begin - before].length == before))
            before++;
        if (before > *begin || before == INSN_MAX || leaves(&s->insn[*begin - before]) ||
            s->bytes[*begin - before] == OPCODE_NOP)
            break;                                      /* padding: a function begins */
        *begin -= before;
    }
    return end - *begin >= JMP_BYTES && end <= PAGE_BYTES && end - *begin <= STRETCH_MAX ? end - *begin : 0;
}

static void write_bytes(struct patches *p, struct patch *patch, const uint8_t *bytes)
{
    memcpy(patch->patched, bytes, patch->length);
    memcpy(p->cache->m->mem.ram + patch->gpa, bytes, patch->length);
}

static void make_trap(struct patches *p, struct patch *patch)
{
    uint8_t bytes[STRETCH_MAX];

    memcpy(bytes, patch->original, patch->length);
    bytes[0] = OPCODE_INT3;                             /* the rest is never executed */
    patch->trap = true;
    patch->block = NONE;
    write_bytes(p, patch, bytes);
}

static void make_jump(struct patches *p, struct patch *patch, const struct block *b)
{
    uint8_t bytes[STRETCH_MAX];
    uint32_t relative = b->entry - (patch->eip + JMP_BYTES);

    memset(bytes, OPCODE_INT3, sizeof bytes);           /* who jumps here is seen */
    bytes[0] = OPCODE_JMP;
    memcpy(bytes + 1, &relative, 4);
    patch->block = (int)(b - p->cache->block);
    write_bytes(p, patch, bytes);
}

static struct patch *add_patch(struct patches *p, const struct sweep *s, unsigned begin, unsigned length, uint32_t page,
                               uint32_t frame)
{
    struct patch *patch = &p->patch[p->count++];

    *patch = (struct patch){ .eip = page + begin, .gpa = frame + begin, .length = (uint8_t)length };
    memcpy(patch->original, s->bytes + begin, length);
    return patch;
}

/* Returns where to go on looking. */
static unsigned patch_one(struct patches *p, struct sweep *s, unsigned at, uint32_t page, uint32_t frame)
{
    const struct patch *last = p->count ? &p->patch[p->count - 1] : NULL;
    unsigned begin, length = stretch(s, at, &begin);
    struct patch *patch;
    struct block *b;

    if (length && begin < at && last && last->eip + last->length > page + begin)
        length = 0;                                     /* what is before it belongs to another patch */
    b = length ? translate_stretch(p->cache, p->context, page + begin, length) : NULL;
    if (b) {
        make_jump(p, add_patch(p, s, begin, length, page, frame), b);
        return begin + length;
    }
    patch = add_patch(p, s, at, s->insn[at].length, page, frame);
    patch->insn = s->insn[at];
    make_trap(p, patch);
    return at + patch->length;
}

/* While the kernel runs GS is the monitor's and FS the host's thread pointer. */
static bool needs_patch(const struct insn *insn)
{
    bool needs = insn->isa != ISA_OTHER;

    for (int i = 0; i < insn->operands; i++)
        needs |= insn->op[i].kind == OPERAND_MEM && (insn->op[i].seg == FS || insn->op[i].seg == GS);
    return needs;
}

/* Translated code of patches that were undone fills the cache: start afresh. */
static void make_room(struct patches *p)
{
    int live = 0;

    for (int i = 0; i < p->count; i++)
        live += !p->patch[i].trap;
    if (!translate_has_room(p->cache) && live < p->cache->blocks)
        cache_flush(p->cache);                          /* undoes them all: translator_init()'s hook */
}

/* The code of this page flows into the next: where does its first instruction begin? If it was patched without knowing, it
 * is to be looked at again. */
static void tell_next(struct patches *p, struct sweep *s, uint32_t page, unsigned entry)
{
    struct machine *m = p->cache->m;
    unsigned at = sweep_from(s, entry), place = ((page + PAGE_BYTES) >> 12) % BEGINS;
    uint8_t bytes[INSN_MAX];
    struct translation t;
    struct insn insn;

    if (at < PAGE_BYTES && (!memory_load(m, page + at, bytes, INSN_MAX, 0) ||
                            decode(bytes, INSN_MAX, true, &insn) != DECODED))
        return;
    at += at < PAGE_BYTES ? insn.length : 0;
    if (p->begin[place].page == page + PAGE_BYTES || at < PAGE_BYTES)
        return;
    p->begin[place].page = page + PAGE_BYTES;
    p->begin[place].offset = at - PAGE_BYTES;
    if (memory_peek(m, page + PAGE_BYTES, ACCESS_READ, &t) && t.gpa < m->mem.bytes)
        patch_undo(p, t.gpa);
}

void patch_look_at(struct patches *p, uint32_t gla, int context)
{
    static struct sweep s;
    struct cache *c = p->cache;
    struct translation t;
    uint32_t page = gla & PAGE_MASK, frame;

    if (p->context != context)
        patch_undo_all(p);
    if (!memory_peek(c->m, gla, ACCESS_READ, &t) || t.gpa >= c->m->mem.bytes)
        return;                                         /* the fetch itself will fault */
    frame = t.gpa & PAGE_MASK;
    patch_undo(p, frame);
    make_room(p);
    p->context = context;
    c->clean[frame >> 12] = true;
    if (!cache_is_checked(c, gla)) {
        sweep_page(&s, c->m->mem.ram + frame, gla % PAGE_BYTES, true);
        if (p->begin[(page >> 12) % BEGINS].page == page)
            sweep_from(&s, p->begin[(page >> 12) % BEGINS].offset);
        tell_next(p, &s, page, gla % PAGE_BYTES);
        mark_targets(p, &s, page);
        for (unsigned at = 0; at < PAGE_BYTES && p->count < PATCHES_MAX;)
            at = s.code[at] && needs_patch(&s.insn[at]) ? patch_one(p, &s, at, page, frame) : at + 1;
        cache_seal(c, frame, SEALED_SEEN);
    }
    shadow_seal(c->shadow, frame);
}

const struct patch *patch_at(const struct patches *p, uint32_t eip)
{
    for (int i = 0; i < p->count; i++)
        if (eip - p->patch[i].eip < p->patch[i].length)
            return &p->patch[i];
    return NULL;
}

uint32_t patch_entry(const struct patches *p, uint32_t eip)
{
    const struct patch *patch = patch_at(p, eip);
    const struct block *b;

    if (!patch || patch->trap || eip == patch->eip)
        return eip;
    b = &p->cache->block[patch->block];
    for (int i = 0; i < b->points_count; i++) {
        const struct point *point = &p->cache->point[b->points + i];

        if (point->eip == eip && (point->state & ~POINT_STI) == 0 && point->esp == 0)
            return b->landing + point->host;
    }
    return eip;                                         /* into the middle of an instruction: so be it */
}

void patch_learn(struct patches *p, uint32_t eip)
{
    const struct patch *patch = patch_at(p, eip);

    for (int i = 0; i < p->targets; i++)
        if (p->target[i] == eip)
            return;
    p->target[p->targets++ % TARGETS_MAX] = eip;
    if (p->targets > TARGETS_MAX)
        p->targets = TARGETS_MAX;
    if (patch && patch->eip != eip)
        patch_undo(p, patch->gpa);
}

/* ---- undoing them -------------------------------------------------------------------------------- */

/* What the guest has written over the patch meanwhile stays. */
static void restore(struct patches *p, const struct patch *patch)
{
    uint8_t *ram = p->cache->m->mem.ram + patch->gpa;

    for (unsigned i = 0; i < patch->length; i++)
        if (ram[i] == patch->patched[i])
            ram[i] = patch->original[i];
}

void patch_undo(struct patches *p, uint32_t gpa)
{
    struct cache *c = p->cache;
    uint32_t frame = gpa >> 12;
    int kept = 0;

    for (int i = 0; i < p->count; i++)
        if (p->patch[i].gpa >> 12 == frame)
            restore(p, &p->patch[i]);
        else
            p->patch[kept++] = p->patch[i];
    if (kept == p->count)
        return;
    p->count = kept;
    c->clean[frame] = false;
    c->m->mem.sealed[frame] &= (uint8_t)~SEALED_SEEN;
    shadow_seal(c->shadow, frame << 12);
}

void patch_undo_all(struct patches *p)
{
    while (p->count)
        patch_undo(p, p->patch[0].gpa);
    p->context = NONE;
}
