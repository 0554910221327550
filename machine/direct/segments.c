/* LDT slots. See segments.h. */
#include "direct/segments.h"

#include <asm/ldt.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "direct/shadow.h"
#include "direct/world.h"
#include "segment.h"
#include "status.h"

static bool is_expand_down(unsigned attr) { return !attr_is_code(attr) && (attr & ATTR_EXPAND_DOWN); }

/* `limit` is the last valid offset, or of an expand-down segment the last invalid one. */
static bool write_slot(int slot, uint32_t base, uint32_t limit, unsigned attr)
{
    bool pages = limit > 0xfffff;
    struct user_desc d = {
        .entry_number = (unsigned)(SEGMENT_FIRST + slot), .base_addr = base,
        .limit = pages ? limit >> 12 : limit, .limit_in_pages = pages,
        .seg_32bit = (attr & ATTR_BIG) != 0,
        .contents = attr_is_code(attr) ? 2 : is_expand_down(attr) ? 1 : 0,
        .read_exec_only = !(attr & ATTR_WRITABLE),      /* of code: not readable; the same bit */
        .useable = 1,
    };

    return syscall(SYS_modify_ldt, 0x11, &d, sizeof d) == 0;
}

const char *segments_missing(void)
{
    const unsigned code = ATTR_PRESENT | ATTR_SEGMENT | ATTR_CODE | ATTR_READABLE | ATTR_BIG;

    if (!write_slot(0, 0, 0xfff, code))
        return host_failed("modify_ldt gives no 32-bit code segment; the kernel needs CONFIG_MODIFY_LDT_SYSCALL and "
                            "CONFIG_IA32_EMULATION, and a sandbox must allow the call");
    if (!world_sees(SEGMENT_FIRST << 3 | 7))
        return "modify_ldt succeeds, but the processor does not see its segments, as in a virtual machine under PVM; use another "
               "host; `make run-emulation` works on this one";
    return NULL;
}

bool segments_monitor(void)
{
    const unsigned data = ATTR_PRESENT | ATTR_SEGMENT | ATTR_WRITABLE | ATTR_BIG;
    const unsigned code = ATTR_PRESENT | ATTR_SEGMENT | ATTR_CODE | ATTR_READABLE | ATTR_BIG;

    return write_slot(-2, 0, 0xffffffff, code) && write_slot(-1, 0, 0xffffffff, data);
}

/* How much of the segment the processor may see: up to offset *last, which is below `ceiling` (granularity
 * considered). False if that is nothing: the segment begins too high, or grows down from 4 GiB. */
static bool truncate_limit(const struct segment *seg, uint32_t base, uint32_t ceiling, uint32_t *last)
{
    if (is_expand_down(seg->attr)) {
        *last = 0xffff;
        return !(seg->attr & ATTR_BIG) && base < ceiling && ceiling - base > *last;
    }
    if (base >= ceiling)
        return false;
    *last = seg->limit < ceiling - base ? seg->limit : ceiling - base - 1;
    if (*last > 0xfffff && (*last & 0xfff) != 0xfff)
        *last = (*last & 0xfffff000) - 1;
    return true;
}

static bool same(const struct segment *a, const struct segment *b)
{
    return a->selector == b->selector && a->attr == b->attr && a->base == b->base && a->limit == b->limit;
}

static bool is_in(const struct segments *s, unsigned i, const struct segment *seg, uint32_t ceiling)
{
    return s->slot[i].used && s->slot[i].ceiling == ceiling && same(&s->slot[i].segment, seg);
}

/* The slot that has this segment, or the oldest, which then gets it. */
static unsigned find(struct segments *s, const struct segment *seg, uint32_t ceiling)
{
    uint32_t base = seg->base + s->window;
    struct segment_slot *slot;
    unsigned oldest = 0;

    for (unsigned i = 0; i < SEGMENT_SLOTS; i++) {
        if (is_in(s, i, seg, ceiling))
            return i;
        if (s->slot[i].used < s->slot[oldest].used)
            oldest = i;
    }
    slot = &s->slot[oldest];
    *slot = (struct segment_slot){ .segment = *seg, .ceiling = ceiling };
    if (truncate_limit(seg, base, ceiling, &slot->last))
        s->refused |= !write_slot((int)oldest, base, is_expand_down(seg->attr) ? seg->limit : slot->last, seg->attr);
    else        /* one byte that is never mapped: every access comes to the monitor */
        s->refused |= !write_slot((int)oldest, WINDOW_END, slot->last = 0, seg->attr & ~(unsigned)ATTR_EXPAND_DOWN);
    s->rewritten++;
    return oldest;
}

uint16_t segments_select(struct segments *s, const struct segment *seg, uint32_t ceiling)
{
    uint8_t *hint = &s->hint[((seg->selector >> 3) ^ (ceiling >> 28) ^ seg->attr) % sizeof s->hint];
    unsigned i;

    if (!(seg->attr & ATTR_PRESENT))
        return seg->selector & 3;
    i = is_in(s, *hint, seg, ceiling) ? *hint : find(s, seg, ceiling);
    *hint = (uint8_t)i;
    s->slot[i].used = ++s->clock;
    return (uint16_t)((SEGMENT_FIRST + i) << 3 | 7);
}

uint32_t segments_last(const struct segments *s, uint16_t selector)
{
    unsigned slot = (selector >> 3) - SEGMENT_FIRST;

    return (selector & 4) && slot < SEGMENT_SLOTS ? s->slot[slot].last : 0xffffffff;
}

struct segment segments_found(const struct segments *s, uint16_t selector)
{
    unsigned slot = (selector >> 3) - SEGMENT_FIRST;

    if (selector_is_null(selector))
        return (struct segment){ .selector = selector };
    if ((selector & 4) && slot < SEGMENT_SLOTS && s->slot[slot].used)
        return s->slot[slot].segment;
    return (struct segment){
        .selector = selector, .limit = 0xffffffff,
        .attr = ATTR_PRESENT | ATTR_SEGMENT | ATTR_WRITABLE | ATTR_ACCESSED | ATTR_BIG | ATTR_GRANULAR |
                3 << ATTR_DPL_SHIFT,
    };
}

void segments_reset(struct segments *s, uint32_t window)
{
    *s = (struct segments){ .window = window, .clock = s->clock, .rewritten = s->rewritten + 1 };
}
