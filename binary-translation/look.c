/* See look.h. */
#include "look.h"

#include <string.h>

#include "machine.h"

/* Sensitive, and not trapping at ring 3, for user code with IF = 1 and IOPL = 0: PUSHF and POPF are right there. */
static bool escapes(enum isa isa)
{
    switch (isa) {
    case ISA_SGDT: case ISA_SIDT: case ISA_SLDT: case ISA_STR: case ISA_SMSW: case ISA_LAR: case ISA_LSL: case ISA_VERR:
    case ISA_VERW: case ISA_PUSH_SEG: case ISA_MOV_FROM_SEG: case ISA_CALL_FAR: return true;
    default: return false;
    }
}

static bool is_clean(const uint8_t *page, unsigned at, bool wide)
{
    struct insn insn;

    while (at < PAGE_BYTES) {
        enum decoded result = decode(page + at, PAGE_BYTES - at, wide, &insn);

        if (result == DECODED && escapes(insn.isa))
            return false;
        at += result == DECODED ? insn.length : 1;
    }
    return true;
}

void look_at(struct cache *c, uint32_t gla)
{
    struct translation t;
    uint8_t page[PAGE_BYTES];
    bool wide = c->m->cpu.seg[CS].attr & ATTR_BIG, clean;
    uint32_t frame;

    if (!memory_peek(c->m, gla, ACCESS_USER, &t) || t.gpa >= c->m->mem.bytes)
        return;                                         /* the fetch itself will fault */
    frame = t.gpa & PAGE_MASK;
    memcpy(page, c->m->mem.ram + frame, PAGE_BYTES);
    clean = !cache_is_checked(c, gla) && is_clean(page, 0, wide) && is_clean(page, gla % PAGE_BYTES, wide);
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
