/* See sweep.h. */
#include "sweep.h"

#include <string.h>

enum { STARTS = 15, INSN_NONE = 0xff };         /* INSN_NONE: a length; there is no instruction here */

/* The length of the instruction at `at`; 0: none, or it leaves the page. */
static unsigned length_at(struct sweep *s, unsigned at)
{
    struct insn *insn = &s->insn[at];

    if (insn->length == 0 && decode(s->bytes + at, PAGE_BYTES - at, s->wide, insn) != DECODED)
        insn->length = INSN_NONE;
    return insn->length == INSN_NONE ? 0 : insn->length;
}

/* Where the bytes make no sense, the next function, at a multiple of 16, may. */
static unsigned next(struct sweep *s, unsigned at)
{
    unsigned length = length_at(s, at);

    return length ? at + length : (at | 15) + 1;
}

static void mark_from(struct sweep *s, unsigned at)
{
    for (; at < PAGE_BYTES && !s->code[at]; at = next(s, at))
        s->code[at] = length_at(s, at) != 0;
}

/* Before `entry`, the first byte that is known to be executed: instructions at which every way of reading the page
 * from its begin arrives, of those ways that arrive at `entry`. x86 code read from a wrong start falls into step soon. */
static void mark_before(struct sweep *s, unsigned entry)
{
    static uint8_t visits[PAGE_BYTES];
    unsigned ways = 0;

    memset(visits, 0, sizeof visits);
    for (unsigned start = 0; start < STARTS; start++) {
        unsigned at = start;

        while (at < entry)
            at = next(s, at);
        if (at != entry)
            continue;
        ways++;
        for (at = start; at < entry; at = next(s, at))
            visits[at]++;
    }
    for (unsigned at = 0; at < entry; at++)
        s->code[at] = ways && visits[at] == ways && length_at(s, at) != 0;
}

unsigned sweep_from(struct sweep *s, unsigned start)
{
    unsigned at = start;

    mark_from(s, start);
    while (at < PAGE_BYTES && (length_at(s, at) != 0 || at + INSN_MAX <= PAGE_BYTES))
        at = next(s, at);
    return at;
}

void sweep_page(struct sweep *s, const uint8_t *page, unsigned entry, bool wide)
{
    memset(s, 0, sizeof *s);
    memcpy(s->bytes, page, PAGE_BYTES);
    s->wide = wide;
    mark_before(s, entry);
    mark_from(s, entry);
}
