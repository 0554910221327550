/* What spares the kernel's code the way to the loop: port accesses served at the gate, and descriptors that are known, so
 * that the cache itself can load them (sequences.c). */
#include "emulate.h"
#include "gate.h"
#include "machine.h"
#include "profile.h"
#include "run.h"
#include "segment.h"
#include "timeline.h"

/* ---- the service --------------------------------------------------------------------------------- */

/* Is there a block to go on with, and nothing that main.c's loop has to see first? */
static bool may_go_on(const struct translator *t, const struct exit *x)
{
    const struct bus *bus = &t->m->bus;
    const struct block *next;

    if (x->to == NONE)
        return false;
    next = &t->cache.block[x->to];
    return !next->dead && next->page[1] == NONE && t->cache.page[next->page[0]].active &&
           bus_intr(bus) == (HOLE->slots.interrupt != 0) && bus->exit_status < 0 &&
           (t->cache.insn[x->insn].isa == ISA_IN || vm_deadline(&HOLE->vm) >= t->direct->armed);
}

/* Port accesses are frequent, change nothing but EAX and a device, and are not worth the way to main.c's loop: they are
 * carried out at the gate. */
bool run_serve(void)
{
    struct translator *t = translator_only;
    struct machine *m = t->m;
    int number = (int)HOLE->slots.exit;
    struct exit *x = number < 0 ? NULL : &t->cache.exit[number];

    if (!x || !x->port)
        return false;
    profile_left(false);
    m->cpu.eip = x->eip;
    if (!emulate(m, &t->cache.insn[x->insn]))
        return false;                                   /* the loop comes to the same end, and delivers the exception */
    m->counters.exits[COUNT_CALL]++;
    timeline_because(isa_rows[t->cache.insn[x->insn].isa].name);
    t->direct->entry_eip = m->cpu.eip;
    if (may_go_on(t, x)) {
        m->cpu.eip = t->cache.block[x->to].entry;
        profile_to(PROFILE_CACHE);
        return true;
    }
    t->served = number;
    HOLE->slots.exit = (uint32_t)EXIT_SERVED;
    return false;
}

/* ---- known descriptors --------------------------------------------------------------------------- */

/* All are forgotten when a thing changes on which they depend, beside what the sequence compares itself. */
void run_check_known(struct translator *t)
{
    const struct table_register *gdtr = &t->m->cpu.gdtr;

    if (t->known_gdtr.base == gdtr->base && t->known_gdtr.limit == gdtr->limit &&
        t->known_rewritten == t->direct->segments.rewritten)
        return;
    for (unsigned i = 0; i < KNOWN_DESCRIPTORS; i++)
        HOLE->known[i].minus_selector = 1;
    t->known_gdtr = *gdtr;
    t->known_rewritten = t->direct->segments.rewritten;
}

/* The kernel has loaded `seg` with the emulator's help: next time it will do so itself. */
void run_learn_descriptor(struct translator *t, unsigned seg)
{
    const struct segment *s = &t->m->cpu.seg[seg];
    struct known_descriptor *known = &HOLE->known[s->selector % KNOWN_DESCRIPTORS];
    uint32_t gla = t->m->cpu.gdtr.base + (s->selector & ~7u), word[2] = { 0, 0 };
    struct segment now = { 0 };

    if (!selector_is_null(s->selector)) {
        if ((s->selector & 4) || gla + t->direct->shadow.window > WINDOW_END - 8 || !memory_load(t->m, gla, word, 8, 0))
            return;
        now = segment_unpack(word[0], word[1]);
    }
    if (now.base != s->base || now.limit != s->limit || now.attr != s->attr)
        return;                                         /* it was not loaded after all: an exception */
    *known = (struct known_descriptor){
        .minus_selector = -(uint32_t)s->selector, .minus_low = -word[0], .minus_high = -word[1], .segment = *s,
        .address = selector_is_null(s->selector) ? ADDRESS(HOLE->null_descriptor) : gla + t->direct->shadow.window,
        .hardware = t->direct->selector[seg],
    };
}

