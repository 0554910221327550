/* See look.h. */
#include "look.h"

#include "machine.h"
#include "sweep.h"

/* Sensitive, and not trapping at ring 3, for user code with IF = 1 and IOPL = 0: PUSHF and POPF are right there. */
static bool escapes(enum isa isa)
{
    switch (isa) {
    case ISA_SGDT: case ISA_SIDT: case ISA_SLDT: case ISA_STR: case ISA_SMSW: case ISA_LAR: case ISA_LSL: case ISA_VERR:
    case ISA_VERW: case ISA_PUSH_SEG: case ISA_MOV_FROM_SEG: case ISA_CALL_FAR: return true;
    default: return false;
    }
}

static bool is_clean(struct cache *c, uint32_t frame, unsigned entry)
{
    static struct sweep s;

    sweep_page(&s, c->m->mem.ram + frame, entry, c->m->cpu.seg[CS].attr & ATTR_BIG);
    for (unsigned at = 0; at < PAGE_BYTES; at++)
        if (s.code[at] && escapes(s.insn[at].isa))
            return false;
    return true;
}

void look_at(struct cache *c, uint32_t gla)
{
    struct translation t;
    uint32_t frame;
    bool clean;

    if (!memory_peek(c->m, gla, ACCESS_USER, &t) || t.gpa >= c->m->mem.bytes)
        return;                                         /* the fetch itself will fault */
    frame = t.gpa & PAGE_MASK;
    if (c->sensitive[frame >> 12])
        return;                                         /* known, and sealed since */
    clean = !cache_is_checked(c, gla) && is_clean(c, frame, gla % PAGE_BYTES);
    c->clean[frame >> 12] = clean;
    c->sensitive[frame >> 12] = !clean;
    c->m->mem.sealed[frame >> 12] &= ~SEALED_SEEN;
    cache_seal(c, frame, SEALED_SEEN);
}

bool look_found_sensitive(const struct cache *c, uint32_t gla)
{
    struct translation t;

    return memory_peek(c->m, gla, ACCESS_READ, &t) && t.gpa < c->m->mem.bytes && c->sensitive[t.gpa >> 12];
}
