/* Descriptors and segment loads. See segment.h. */
#include "segment.h"

#include "machine.h"

enum { SELECTOR_LDT = 1 << 2 };

struct segment segment_unpack(uint32_t low, uint32_t high)
{
    struct segment s = {
        .base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000),
        .limit = (low & 0xffff) | (high & 0xf0000),
        .attr = (uint16_t)((high >> 8 & 0xff) | (high >> 12 & 0xf00)),
    };

    if (s.attr & ATTR_GRANULAR)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

bool descriptor_read(struct machine *m, uint16_t selector, enum vector vector, unsigned ext,
                     struct descriptor *out)
{
    struct vcpu *cpu = &m->cpu;
    bool local = selector & SELECTOR_LDT;
    uint32_t base = local ? cpu->ldtr.base : cpu->gdtr.base;
    uint32_t limit = local ? cpu->ldtr.limit : cpu->gdtr.limit;

    if ((local && !(cpu->ldtr.attr & ATTR_PRESENT)) || (selector | 7u) > limit)
        return vcpu_raise_error(cpu, vector, (selector & ~3u) | ext);
    out->gla = base + (selector & ~7u);
    if (!memory_load(m, out->gla, &out->low, 8, 0))
        return false;
    out->segment = segment_unpack(out->low, out->high);
    return true;
}

bool descriptor_mark_accessed(struct machine *m, struct descriptor *d)
{
    if (d->segment.attr & ATTR_ACCESSED)
        return true;
    d->segment.attr |= ATTR_ACCESSED;
    d->high |= ATTR_ACCESSED << 8;
    return memory_store(m, d->gla + 4, &d->high, 4, 0);
}

static bool raise_selector(struct machine *m, enum vector vector, uint16_t selector, unsigned ext)
{
    return vcpu_raise_error(&m->cpu, vector, (selector & ~3u) | ext);
}

bool segment_check_stack(struct machine *m, uint16_t selector, unsigned dpl, enum vector vector, unsigned ext,
                         struct segment *out)
{
    struct descriptor d;

    if (selector_is_null(selector))
        return vcpu_raise_error(&m->cpu, vector, ext);
    if (!descriptor_read(m, selector, vector, ext, &d))
        return false;
    if ((selector & 3u) != dpl || attr_dpl(d.segment.attr) != dpl || !attr_is_writable_data(d.segment.attr))
        return raise_selector(m, vector, selector, ext);
    if (!(d.segment.attr & ATTR_PRESENT))
        return raise_selector(m, VEC_SS, selector, ext);
    if (!descriptor_mark_accessed(m, &d))
        return false;
    *out = d.segment;
    out->selector = selector;
    return true;
}

bool segment_load(struct machine *m, enum segreg seg, uint16_t selector)
{
    struct vcpu *cpu = &m->cpu;
    unsigned cpl = vcpu_cpl(cpu), rpl = selector & 3;
    struct descriptor d;
    unsigned attr;

    if (seg == SS)
        return segment_check_stack(m, selector, cpl, VEC_GP, 0, &cpu->seg[SS]);
    if (selector_is_null(selector)) {
        cpu->seg[seg] = (struct segment){ .selector = selector };
        return true;
    }
    if (!descriptor_read(m, selector, VEC_GP, 0, &d))
        return false;
    attr = d.segment.attr;
    if (!(attr & ATTR_SEGMENT) || (attr_is_code(attr) && !(attr & ATTR_READABLE)))
        return raise_selector(m, VEC_GP, selector, 0);
    if (!(attr_is_code(attr) && (attr & ATTR_CONFORMING)) && (attr_dpl(attr) < cpl || attr_dpl(attr) < rpl))
        return raise_selector(m, VEC_GP, selector, 0);
    if (!(attr & ATTR_PRESENT))
        return raise_selector(m, VEC_NP, selector, 0);
    if (!descriptor_mark_accessed(m, &d))
        return false;
    cpu->seg[seg] = d.segment;
    cpu->seg[seg].selector = selector;
    return true;
}

bool segment_load_ldt(struct machine *m, uint16_t selector)
{
    struct descriptor d;

    if (selector_is_null(selector)) {
        m->cpu.ldtr = (struct segment){ .selector = selector };
        return true;
    }
    if (selector & SELECTOR_LDT)
        return raise_selector(m, VEC_GP, selector, 0);
    if (!descriptor_read(m, selector, VEC_GP, 0, &d))
        return false;
    if ((d.segment.attr & (ATTR_SEGMENT | ATTR_TYPE)) != SYS_LDT)
        return raise_selector(m, VEC_GP, selector, 0);
    if (!(d.segment.attr & ATTR_PRESENT))
        return raise_selector(m, VEC_NP, selector, 0);
    m->cpu.ldtr = d.segment;
    m->cpu.ldtr.selector = selector;
    return true;
}

bool segment_load_task(struct machine *m, uint16_t selector)
{
    struct descriptor d;
    unsigned type;

    if (selector_is_null(selector))
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    if (selector & SELECTOR_LDT)
        return raise_selector(m, VEC_GP, selector, 0);
    if (!descriptor_read(m, selector, VEC_GP, 0, &d))
        return false;
    type = d.segment.attr & (ATTR_SEGMENT | ATTR_TYPE);
    if (type != SYS_TSS && type != SYS_TSS16)
        return raise_selector(m, VEC_GP, selector, 0);
    if (!(d.segment.attr & ATTR_PRESENT))
        return raise_selector(m, VEC_NP, selector, 0);
    d.high |= 2 << 8;                                   /* busy */
    if (!memory_store(m, d.gla + 4, &d.high, 4, 0))
        return false;
    m->cpu.tr = segment_unpack(d.low, d.high);
    m->cpu.tr.selector = selector;
    return true;
}

/* Valid offsets lie in 0..limit, or for expand-down segments above limit up to 64 KiB or 4 GiB. */
static bool within_limit(const struct segment *s, uint32_t offset, unsigned bytes)
{
    uint32_t last = offset + bytes - 1;

    if (!attr_is_code(s->attr) && (s->attr & ATTR_EXPAND_DOWN))
        return offset > s->limit && last >= offset && last <= (s->attr & ATTR_BIG ? 0xffffffff : 0xffff);
    return last >= offset ? last <= s->limit : s->limit == 0xffffffff;
}

bool segment_allows(const struct segment *s, uint32_t offset, unsigned bytes, unsigned access)
{
    bool allowed = access & ACCESS_WRITE ? attr_is_writable_data(s->attr)
                                         : !attr_is_code(s->attr) || (s->attr & ATTR_READABLE);

    return (s->attr & ATTR_PRESENT) && allowed && within_limit(s, offset, bytes);
}

bool segment_check(struct vcpu *cpu, unsigned seg, uint32_t offset, unsigned bytes, unsigned access)
{
    return segment_allows(&cpu->seg[seg], offset, bytes, access) ||
           vcpu_raise_error(cpu, seg == SS ? VEC_SS : VEC_GP, 0);
}

/* Types of system descriptors that LSL and LAR know. Those beside LSL's are gates: they have no limit (Intel SDM
 * vol. 2A, tables 3-53 and 3-54). */
enum {
    LSL_TYPES = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY | 1 << SYS_TSS | 1 << SYS_TSS_BUSY,
    LAR_TYPES = LSL_TYPES | 1 << SYS_CALL_GATE16 | 1 << SYS_TASK_GATE | 1 << SYS_CALL_GATE,
};

static bool inspectable(const struct vcpu *cpu, enum inspect what, uint16_t selector, unsigned attr)
{
    bool conforming = attr_is_code(attr) && (attr & ATTR_CONFORMING);
    unsigned dpl = attr_dpl(attr), types = what == INSPECT_LAR ? LAR_TYPES : what == INSPECT_LSL ? LSL_TYPES : 0;

    if (!(attr & ATTR_SEGMENT) && !(types >> (attr & ATTR_TYPE) & 1))
        return false;
    if (!conforming && (dpl < vcpu_cpl(cpu) || dpl < (selector & 3u)))
        return false;
    if (what == INSPECT_VERR)
        return !attr_is_code(attr) || (attr & ATTR_READABLE);
    if (what == INSPECT_VERW)
        return attr_is_writable_data(attr);
    return true;
}

bool segment_inspect(struct machine *m, enum inspect what, uint16_t selector, bool *valid, uint32_t *value)
{
    struct descriptor d;

    *valid = false;
    if (selector_is_null(selector))
        return true;
    if (!descriptor_read(m, selector, VEC_GP, 0, &d))
        return m->cpu.fault.vector != VEC_PF;           /* beyond the table: ZF = 0, no fault */
    *valid = inspectable(&m->cpu, what, selector, d.segment.attr);
    if (*valid && what == INSPECT_LAR)
        *value = d.high & 0x00ffff00;                   /* bits 19:16 are "undefined": processors show them */
    if (*valid && what == INSPECT_LSL)
        *value = d.segment.limit;
    return true;
}
