/* The guest around a stream: descriptors, interrupt gates, page tables, data, registers. All of it follows from the
 * stream's seed, but none of it from its instructions, so that dropping some changes nothing else. See stream.h. */
#include <string.h>

#include "segment.h"
#include "stream.h"

static void put32(struct image *i, uint32_t at, uint32_t value) { memcpy(i->ram + at, &value, 4); }

/* ---- descriptors --------------------------------------------------------------------------------- */

static void put_descriptor(struct image *i, uint32_t selector, uint32_t base, uint32_t limit, uint32_t attr)
{
    put32(i, GDT + selector, base << 16 | (limit & 0xffff));
    put32(i, GDT + selector + 4,
          (base & 0xff000000) | (limit & 0xf0000) | (attr & 0xff) << 8 | (attr & 0xf00) << 12 | (base >> 16 & 0xff));
}

/* Attributes as in struct segment: 0xc.. is 4 KiB units and 32-bit, .9. and .f. are DPL 0 and 3; all are accessed.
 * Stacks of 16 bits are left out: a step by IRETQ brings the upper half of the host's ESP to the guest. */
static void make_gdt(struct image *i, const struct stream *s)
{
    unsigned dpl = s->user ? 0x60 : 0;

    put_descriptor(i, SEL_CODE0, 0, 0xfffff, 0xc9b);
    put_descriptor(i, SEL_DATA0, 0, 0xfffff, 0xc93);
    put_descriptor(i, SEL_CODE3, 0, 0xfffff, 0xcfb);
    put_descriptor(i, SEL_DATA3, 0, 0xfffff, 0xcf3);
    put_descriptor(i, SEL_TSS, TSS, 103, 0x8b);
    put_descriptor(i, SEL_FS, DATA, 0xfff, 0x4f3);
    put_descriptor(i, SEL_GS, DATA + 0x1000, 0x7ff, 0x4f3);
    put_descriptor(i, SEL_READ_ONLY, 0, 0xfffff, 0xcf1);
    put_descriptor(i, SEL_DOWN, DATA, 0x0fff, 0x0f7);
    put_descriptor(i, SEL_ABSENT, 0, 0xfffff, 0xc73);
    put_descriptor(i, SEL_CONFORMING, 0, 0xfffff, 0xc9f);
    put_descriptor(i, SEL_EXECUTE_ONLY, 0, 0xfffff, 0xcf9);
    put_descriptor(i, SEL_LDT, DATA, 0xff, 0x082);
    put_descriptor(i, SEL_CODE16, CODE, 0xffff, 0x09b | dpl);
    put_descriptor(i, SEL_DATA16, DATA, 0xffff, 0x093 | dpl);
    put_descriptor(i, SEL_STACK16, STACK, 0xffff, 0x093 | dpl | ATTR_BIG);
}

static void load(struct image *i, enum segreg seg, uint32_t selector, unsigned cpl)
{
    uint32_t low, high;

    memcpy(&low, i->ram + GDT + selector, 4);
    memcpy(&high, i->ram + GDT + selector + 4, 4);
    i->cpu.seg[seg] = segment_unpack(low, high);
    i->cpu.seg[seg].selector = (uint16_t)(selector | cpl);
}

static void load_segments(struct image *i, const struct stream *s)
{
    unsigned cpl = s->user ? 3 : 0;

    load(i, CS, !s->wide ? SEL_CODE16 : s->user ? SEL_CODE3 : SEL_CODE0, cpl);
    for (int seg = ES; seg <= DS; seg++)
        if (seg != CS)
            load(i, (enum segreg)seg,
                 !s->wide ? seg == SS ? SEL_STACK16 : SEL_DATA16 : s->user ? SEL_DATA3 : SEL_DATA0, cpl);
    load(i, FS, SEL_FS, cpl);
    load(i, GS, SEL_GS, cpl);
    i->cpu.gdtr = (struct table_register){ GDT, GDT_END - 1 };
    i->cpu.idtr = (struct table_register){ IDT, 0x40 * 8 - 1 };
    i->cpu.tr = (struct segment){ .selector = SEL_TSS, .attr = 0x8b, .base = TSS, .limit = 103 };
}

/* Handlers that come back at once, behind interrupt gates and trap gates. */
static void make_gates(struct image *i)
{
    static const uint8_t vectors[] = { 3, 4, VECTOR_IRET, VECTOR_IRET + 1, VECTOR_IRET + 2 };

    for (unsigned k = 0; k < sizeof vectors; k++) {
        unsigned type = vectors[k] & 1 ? 0xef00 : 0xee00;

        put32(i, IDT + vectors[k] * 8u, SEL_CODE0 << 16 | ((HANDLERS + k * 16) & 0xffff));
        put32(i, IDT + vectors[k] * 8u + 4, ((HANDLERS + k * 16) & 0xffff0000) | type);
        memcpy(i->ram + HANDLERS + k * 16, "\x50\x9c\x58\x58\xcf", 5);      /* push eax, pushfd, pop eax * 2, iret */
    }
    put32(i, TSS + 4, KERNEL_STACK);
    put32(i, TSS + 8, SEL_DATA0);
}

/* ---- pages --------------------------------------------------------------------------------------- */

/* Data pages are sometimes missing, read-only, or the kernel's. Those of the tables cannot be written to, so that no
 * stream changes them behind the translation-lookaside buffer. */
static uint32_t page_entry(const struct stream *s, uint32_t gpa, struct rng *r)
{
    uint32_t common = gpa | PTE_P | PTE_A | (rng_chance(r, 50) ? PTE_D : 0);
    uint32_t kind = rng_below(r, 100);

    if (gpa >= GDT && gpa < HANDLERS + PAGE_BYTES)
        return common;
    if (gpa >= KERNEL_STACK - PAGE_BYTES && gpa < KERNEL_STACK)
        return common | PTE_W;
    if (gpa >= CODE && gpa < CODE + CODE_BYTES)
        return gpa > CODE && kind < 4 ? 0 : common | PTE_U | (kind < 20 ? 0 : PTE_W);
    if (gpa >= STACK && gpa < STACK + STACK_BYTES)
        return kind < 2 && !s->portable ? 0 : common | PTE_U | PTE_W;
    if (gpa < DATA || gpa >= DATA + DATA_BYTES || kind < 5)
        return 0;
    return common | (kind < 10 ? PTE_W : kind < 16 ? PTE_U : PTE_U | PTE_W);
}

static void make_pages(struct image *i, const struct stream *s, struct rng *r)
{
    put32(i, PAGE_DIRECTORY, PAGE_TABLE | PTE_P | PTE_W | PTE_U | PTE_A);
    for (uint32_t gpa = 0x10000; gpa < RAM_BYTES; gpa += PAGE_BYTES)
        put32(i, PAGE_TABLE + gpa / PAGE_BYTES * 4, page_entry(s, gpa, r));
    i->cpu.cr3 = PAGE_DIRECTORY;
    if (s->paging)
        i->cpu.cr0 |= CR0_PG | (rng_chance(r, 80) ? CR0_WP : 0);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void make_registers(struct image *i, const struct stream *s, struct rng *r)
{
    struct vcpu *cpu = &i->cpu;

    for (int k = 0; k < 8; k++)
        cpu->gpr[k] = rng_chance(r, 30) ? rng_below(r, 256) : (uint32_t)rng_next(r);
    for (int k = EBX; k <= EDI; k++)
        cpu->gpr[k] = s->wide ? DATA + 0x400 + rng_below(r, DATA_BYTES - 0x800) : 0x100 + rng_below(r, 0x600);
    cpu->gpr[ESP] = (s->wide ? STACK : 0) + STACK_BYTES / 2 + 4 * rng_below(r, 64) + (rng_chance(r, 5) ? 2 : 0);
    cpu->eflags = (uint32_t)rng_next(r) & (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF | FLAG_IF);
    cpu->eflags |= FLAG_ONE | (rng_chance(r, 20) ? FLAG_DF : 0);
    cpu->eflags |= rng_chance(r, 50) ? rng_below(r, 4) << FLAG_IOPL_SHIFT : 0;
    cpu->eflags |= rng_chance(r, 5) && !s->portable ? FLAG_AC : 0;
    cpu->eflags |= rng_chance(r, 5) && !s->portable ? FLAG_NT : 0;
    cpu->eflags |= rng_chance(r, 5) ? FLAG_ID : 0;
    cpu->cr0 |= rng_chance(r, 30) && !s->portable ? CR0_AM : 0;
    cpu->eip = s->begin + (s->wide ? CODE : 0);
}

/* Where each piece stands; then what says so in others. */
static void lay_out(struct image *i, struct stream *s)
{
    uint32_t base = s->wide ? CODE : 0, at = s->begin;

    for (int k = 0; k < s->pieces; k++) {
        s->piece[k].offset = base + at;
        at += s->piece[k].dropped ? 0 : s->piece[k].length;
    }
    for (int k = 0; k < s->pieces; k++) {
        struct piece *p = &s->piece[k];
        uint32_t value = p->fix == FIX_NONE ? 0 : s->piece[p->to].offset;

        value -= p->fix == FIX_RELATIVE ? p->offset + p->length : 0;
        value += p->fix == FIX_LINEAR ? (s->wide ? 0 : CODE) + p->plus : 0;
        if (p->fix != FIX_NONE)
            memcpy(p->bytes + p->at, &value, p->width);
        if (!p->dropped)
            memcpy(i->ram + p->offset - base + CODE, p->bytes, p->length);
    }
}

void image_make(struct image *i, struct stream *s)
{
    struct rng r = { stream_begin(s) + 1 }, data = { rng_next(&r) };

    memset(i, 0, sizeof *i);
    vcpu_reset(&i->cpu, 0, 0);
    if (s->portable)
        data.state = s->seed;                           /* the same for all of a table */
    for (uint32_t at = DATA; at < STACK + STACK_BYTES; at += 4)
        put32(i, at, rng_chance(&data, 30) ? rng_below(&data, 4096) : (uint32_t)rng_next(&data));
    make_gdt(i, s);
    make_gates(i);
    load_segments(i, s);
    make_pages(i, s, &r);
    make_registers(i, s, &r);
    for (uint32_t at = CODE; at < CODE + CODE_BYTES; at += 2)
        memcpy(i->ram + at, s->portable ? (uint8_t[]){ 0xcd, VECTOR_END } : (uint8_t[]){ 0xf4, 0xf4 }, 2);
    lay_out(i, s);
}
