/* See listing.h. The host's code is decoded again; points say where it passes on to the next guest instruction. Guest
 * bytes are read where the block's pages were when it was translated, whatever the guest maps there by then. */
#include "listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "machine.h"

/* ---- the guest's side ----------------------------------------------------------------------------- */

static uint32_t linear(const struct listing *l, uint32_t eip)
{
    return l->cache->context[l->block->context].cs.base + eip;
}

static unsigned guest_bytes(const struct listing *l, uint32_t eip, uint8_t *bytes)
{
    const struct cache *c = l->cache;
    const struct block *b = l->block;
    uint32_t left = b->eip + b->guest_bytes - eip;
    unsigned n;

    for (n = 0; n < left && n < INSN_MAX; n++) {
        uint32_t gla = linear(l, eip + n);
        struct translation t;

        if (b->page[0] == NONE && !memory_peek(c->m, gla, ACCESS_READ, &t))
            break;
        for (int k = 0; k < 2 && b->page[k] != NONE; k++)
            if (c->page[b->page[k]].gla == (gla & PAGE_MASK))
                t.gpa = c->page[b->page[k]].frame + gla % PAGE_BYTES;
        bytes[n] = (uint8_t)memory_read(&c->m->mem, t.gpa, 1);
    }
    return n;
}

static void read_guest(struct listing *l, uint32_t eip)
{
    bool wide = l->cache->context[l->block->context].cs.attr & ATTR_BIG;
    unsigned n = guest_bytes(l, eip, l->bytes);
    struct insn insn;
    bool good = decode(l->bytes, n, wide, &insn) == DECODED;

    l->eip = eip;
    l->length = good ? insn.length : n;
    l->sensitive = good && insn.isa != ISA_OTHER;
    decode_text(l->bytes, n, wide, eip, l->guest_text, sizeof l->guest_text);
}

/* What stands where the guest has nothing. */
static const char *label(const struct listing *l)
{
    const struct block *b = l->block;

    if (l->host == b->entry)
        return !l->cache->count_runs ? "(checks its bytes)"
               : !b->checked         ? "(counts its runs)"
                                     : "(counts its runs, checks its bytes)";
    return l->host == b->landing ? "(landing of indirect branches)" : "";
}

/* A point that begins an instruction stands at its first host byte; one more, after the last, at the way on. */
static void read_left(struct listing *l)
{
    const struct block *b = l->block;
    const struct point *p = &l->cache->point[l->point], *end = &l->cache->point[b->points + b->points_count];

    l->length = 0;
    while (p < end && (!p->begins || b->landing + p->host < l->host))
        p++;
    l->point = (int)(p - l->cache->point);
    if (p == end || b->landing + p->host != l->host) {
        snprintf(l->guest_text, sizeof l->guest_text, "%s", label(l));
    } else if (p->eip - b->eip < b->guest_bytes) {
        read_guest(l, p->eip);
        l->aside = false;
    } else {
        snprintf(l->guest_text, sizeof l->guest_text, "(on to what follows)");
        l->aside = true;
        l->sensitive = false;
    }
}

/* ---- the host's side ------------------------------------------------------------------------------ */

/* Words for the monitor's data. `each`: bytes of an element if it is an array. */
#define SLOT(field) { offsetof(struct hole, slots.field), sizeof HOLE->slots.field, 0, "slots." #field }
#define CPU(field) { offsetof(struct hole, vm.machine.cpu.field), sizeof HOLE->vm.machine.cpu.field, 0, "cpu." #field }
static const struct { size_t offset, bytes, each; const char *name; } places[] = {
    CPU(eflags), CPU(cr0), CPU(cr2), CPU(cr3), CPU(cr4), CPU(gdtr), CPU(idtr), CPU(ldtr), CPU(tr),
    CPU(seg[ES]), CPU(seg[CS]), CPU(seg[SS]), CPU(seg[DS]), CPU(seg[FS]), CPU(seg[GS]),
    SLOT(eax), SLOT(ecx), SLOT(edx), SLOT(target), SLOT(exit), SLOT(interrupt), SLOT(popf_slow), SLOT(fpu_absent), SLOT(sse_absent),
    { offsetof(struct hole, slots.selector), sizeof HOLE->slots.selector, sizeof *HOLE->slots.selector,
      "slots.selector" },
    { offsetof(struct hole, table), sizeof HOLE->table, sizeof *HOLE->table, "table" },
    { offsetof(struct hole, runs), sizeof HOLE->runs, sizeof *HOLE->runs, "runs" },
};

/* "mov ecx, cs:[0xFC201004]" -> "mov ecx, cs:[slots.ecx]" */
static void name_operand(char *text)
{
    char *bracket = strchr(text, '['), *number = bracket ? strstr(bracket, "0x") : NULL, *end, rest[LISTING_TEXT];
    uint32_t offset;

    if (!number)
        return;
    offset = (uint32_t)strtoul(number, &end, 16);
    offset = (number[-1] == '-' ? -offset : offset) - HOLE_BEGIN;
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        size_t into = offset - places[i].offset;
        char index[32] = "";

        if (offset < places[i].offset || into >= places[i].bytes)
            continue;
        if (places[i].each)
            snprintf(index, sizeof index, "[%zu]", into / places[i].each);
        else if (into)
            snprintf(index, sizeof index, "+%zu", into);
        if (number[-1] == '-')
            number[-1] = '+';
        snprintf(rest, sizeof rest, "%s", end);
        snprintf(number, (size_t)(text + LISTING_TEXT - number), "%s%s%s", places[i].name, index, rest);
        return;
    }
}

/* "jz 0xFC61FFEC" -> "jz stub 7 (gate-link)" or "jz block 3" */
static void name_target(struct listing *l, uint32_t target)
{
    static const char *const kinds[EXIT_KINDS] = {
        [EXIT_BRANCH] = "gate-link", [EXIT_PREDICT] = "gate-lookup", [EXIT_CALL] = "gate-call",
        [EXIT_NEAR] = "gate-branch", [EXIT_STORE] = "gate-store", [EXIT_FPU] = "gate-fpu",
        [EXIT_UNDEFINED] = "gate-undefined", [EXIT_CHANGED] = "gate-changed",
    };
    const struct block *b = l->block, *to = cache_block_at(l->cache, target);
    const struct exit *x = target >= l->cache->stubs ? cache_exit_at(l->cache, target) : NULL;
    char *operand = strchr(l->host_text, ' ') + 1;

    if (to == b && target != b->entry)
        return;
    l->ours |= x || gate_contains(target);
    if (x)
        snprintf(operand, LISTING_OPERAND, "stub %d (%s)", (int)(x - l->cache->exit), kinds[x->kind]);
    else if (gate_contains(target))
        snprintf(operand, LISTING_OPERAND, "miss");
    else if (to)
        snprintf(operand, LISTING_OPERAND, "block %d", l->to = (int)(to - l->cache->block));
}

static void read_host(struct listing *l)
{
    const uint8_t *code = cache_writable(l->cache, l->host);
    uint32_t left = l->block->end - l->host;
    struct insn insn;

    if (decode(code, left, true, &insn) != DECODED)
        insn = (struct insn){ .length = 1 };
    decode_text(code, left, true, l->host, l->host_text, sizeof l->host_text);
    l->next = l->host + insn.length;
    l->to = NONE;
    l->ours = l->aside;
    if (insn.branch == BRANCH_SHORT_OR_NEAR && insn.op[0].kind == OPERAND_IMM)
        name_target(l, l->next + insn.op[0].value);
    else if (l->sensitive || insn.length != l->length || memcmp(code, l->bytes, l->length))
        name_operand(l->host_text);
}

/* ---- together ------------------------------------------------------------------------------------- */

struct listing listing_begin(struct cache *c, const struct block *b)
{
    return (struct listing){ .cache = c, .block = b, .point = b->points, .next = b->landing, .aside = true };
}

bool listing_next(struct listing *l)
{
    l->host = l->next;
    if (l->host >= l->block->end)
        return false;
    read_left(l);
    read_host(l);
    return true;
}

void listing_place(const struct cache *c, const struct block *b, char *text, size_t size)
{
    uint32_t offset;
    const char *name = symbols_find(&HOLE->vm.symbols, c->context[b->context].cs.base + b->eip, &offset);

    if (name)
        snprintf(text, size, "%08" PRIx32 " %s+0x%" PRIx32, b->eip, name, offset);
    else
        snprintf(text, size, "%08" PRIx32 " (no symbol)", b->eip);
}

void listing_context(const struct cache *c, const struct block *b, char *text, size_t size)
{
    const struct context *x = &c->context[b->context];
    bool asleep = b->page[0] != NONE && !c->page[b->page[0]].active;

    snprintf(text, size, "%s%s%s%s%s", x->cpl == 3 ? "user" : "kernel", x->cs.attr & ATTR_BIG ? "" : ", 16-bit",
             x->step ? ", one step" : "", b->checked ? ", checks itself" : "", asleep ? ", asleep" : "");
}
