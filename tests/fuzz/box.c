/* See box.h. */
#include "box.h"

#include <string.h>

#include "emulate.h"
#include "segment.h"

struct machine box;
uint8_t box_ram[RAM_BYTES];

static uint8_t told[RAM_BYTES];         /* RAM as sealed_write() tells of it */
static uint8_t sealed[RAM_BYTES / PAGE_BYTES];

void box_poke(uint32_t gpa, uint32_t value)
{
    if (gpa <= RAM_BYTES - 4)
        memcpy(box_ram + gpa, &value, 4);
}

uint32_t box_peek(uint32_t gpa)
{
    uint32_t value = ~0u;

    if (gpa <= RAM_BYTES - 4)
        memcpy(&value, box_ram + gpa, 4);
    return value;
}

/* ---- reset --------------------------------------------------------------------------------------- */

static void set_descriptor(unsigned index, uint32_t base, uint32_t limit, unsigned attr)
{
    box_poke(GDT_AT + 8 * index, (limit & 0xffff) | base << 16);
    box_poke(GDT_AT + 8 * index + 4, (base >> 16 & 0xff) | (attr & 0xff) << 8 | (limit & 0xf0000) | (attr & 0xf00) << 12 |
                                     (base & 0xff000000));
}

static void set_gate(uint32_t at, uint16_t selector, uint32_t offset, unsigned attr, unsigned parameters)
{
    box_poke(at, (offset & 0xffff) | (uint32_t)selector << 16);
    box_poke(at + 4, (offset & 0xffff0000) | attr << 8 | parameters);
}

/* Ring n has its code at 2n + 1 and its data at 2n + 2, both flat. The others are what is seldom met by chance. */
static void set_gdt(void)
{
    for (unsigned ring = 0; ring < 4; ring++) {
        set_descriptor(2 * ring + 1, 0, 0xfffff, 0xc9a | ring << ATTR_DPL_SHIFT);
        set_descriptor(2 * ring + 2, 0, 0xfffff, 0xc92 | ring << ATTR_DPL_SHIFT);
    }
    set_descriptor(9, TSS_AT, TSS_LIMIT, 0x08b);
    set_descriptor(10, LDT_AT, 0x3f, 0x082);
    set_descriptor(11, 0, 0xffff, 0x09a);               /* 16-bit code, ring 0; then ring 3 */
    set_descriptor(12, 0, 0xffff, 0x0fa);
    set_descriptor(13, 0, 0xffff, 0x092);               /* 16-bit stacks */
    set_descriptor(14, 0, 0xffff, 0x0f2);
    set_descriptor(15, 0, 0xfffff, 0xc9e);              /* conforming code */
    set_descriptor(16, 0, 0x3fff, 0x4f6);               /* expand-down data, above 0x3fff */
    set_descriptor(17, TSS_AT, TSS_LIMIT, 0x089);       /* a TSS that is free */
    set_descriptor(18, 0, 0xfffff, 0xcf0);              /* read-only data */
    set_gate(GDT_AT + 8 * 19, 0x08, HANDLERS_AT, 0xec, 2);      /* call gates, of 32 and 16 bits, and one to conforming code */
    set_gate(GDT_AT + 8 * 20, 0x08, HANDLERS_AT, 0xe4, 1);
    set_gate(GDT_AT + 8 * 21, 0x78, HANDLERS_AT, 0xec, 0);
    set_gate(GDT_AT + 8 * 22, 0x18, HANDLERS_AT, 0xec, 0);      /* and to ring 1 */
}

static void set_tables(void)
{
    set_gdt();
    memcpy(box_ram + LDT_AT, box_ram + GDT_AT, 0x40);
    for (unsigned v = 0; v < 256; v++)
        set_gate(IDT_AT + 8 * v, 0x08, HANDLERS_AT + 16 * v, v & 1 ? 0xef : 0x8e, 0);
    for (unsigned ring = 0; ring < 3; ring++) {
        box_poke(TSS_AT + 4 + 8 * ring, STACKS_END - ring * STACK_BYTES);
        box_poke(TSS_AT + 8 + 8 * ring, (2 * ring + 2) * 8 + ring);
    }
    box_poke(TSS_AT + 100, 104u << 16);                 /* the I/O bitmap: ports 0 to 0x7f and no more, all allowed */
    for (uint32_t i = 0; i < RAM_BYTES / PAGE_BYTES; i++)
        box_poke(PAGE_TABLE + 4 * i, i << 12 | PTE_P | PTE_W | PTE_U);
    box_poke(PAGE_DIR, PAGE_TABLE | PTE_P | PTE_W | PTE_U);
}

static uint64_t host_now(void *ctx) { (void)ctx; return 0; }
static void host_put(void *ctx, uint8_t byte) { (void)ctx, (void)byte; }
static int host_get(void *ctx) { (void)ctx; return -1; }

static void reset(void)
{
    memset(&box, 0, sizeof box);
    memset(box_ram, 0, sizeof box_ram);
    box.mem = (struct memory){ .ram = box_ram, .bytes = RAM_BYTES };
    bus_init(&box.bus, (struct bus_host){ host_now, host_put, host_get, NULL });
    set_tables();
    vcpu_reset(&box.cpu, CODE_AT, 0);
    emulate_init_cpuid(&box);
    box.cpu.gdtr = (struct table_register){ GDT_AT, GDT_ENTRIES * 8 - 1 };
    box.cpu.idtr = (struct table_register){ IDT_AT, 256 * 8 - 1 };
    box.cpu.tr = (struct segment){ 9 * 8, ATTR_PRESENT | SYS_TSS_BUSY, TSS_AT, TSS_LIMIT };
    box.cpu.ldtr = (struct segment){ 10 * 8, ATTR_PRESENT | SYS_LDT, LDT_AT, 0x3f };
    box.cpu.cr3 = PAGE_DIR;
}

/* ---- what the input says ------------------------------------------------------------------------- */

/* A segment register as its descriptor in the GDT has it, which the input has not touched yet. */
static void put_segment(enum segreg seg, unsigned index, unsigned rpl)
{
    struct segment s = segment_unpack(box_peek(GDT_AT + 8 * index), box_peek(GDT_AT + 8 * index + 4));

    s.selector = (uint16_t)(index * 8 + rpl);
    box.cpu.seg[seg] = s;
}

/* One byte and a half of choices that change how everything else works. */
static void set_mode(struct input *in)
{
    uint32_t mode = take(in, 2);
    unsigned ring = mode & 3;
    bool narrow_code = mode & 4 && ring % 3 == 0, narrow_stack = mode & 8 && ring % 3 == 0;
    struct vcpu *cpu = &box.cpu;

    for (unsigned seg = 0; seg < SEGREGS; seg++)
        put_segment((enum segreg)seg, 2 * ring + 2, ring);
    put_segment(CS, narrow_code ? 11 + (ring != 0) : 2 * ring + 1, ring);
    if (narrow_stack)
        put_segment(SS, 13 + (ring != 0), ring);
    cpu->gpr[ESP] = STACKS_END - 3 * STACK_BYTES - 64;  /* below it is room, above it something to pop */
    cpu->gpr[ECX] = 5;                                  /* iterations of a REP, the second or third in the next page */
    cpu->gpr[EDX] = 0x40;
    cpu->gpr[EBX] = DATA_AT;
    cpu->gpr[ESI] = cpu->gpr[EDI] = DATA_AT - 6;
    cpu->eflags |= (mode >> 4 & 3) << FLAG_IOPL_SHIFT;
    cpu->eflags |= (mode & 0x40 ? FLAG_TF : 0) | (mode & 0x80 ? FLAG_IF : 0) | (mode & 0x100 ? FLAG_AC : 0) |
                   (mode & 0x200 ? FLAG_NT : 0) | (mode & 0x400 ? FLAG_OF | FLAG_DF : 0);
    cpu->cr0 |= (mode & 0x800 ? CR0_PG : 0) | (mode & 0x1000 ? CR0_WP : 0) | (mode & 0x2000 ? CR0_AM : 0);
    cpu->cr4 |= (mode & 0x4000 ? CR4_PSE : 0) | (mode & 0x8000 ? CR4_PGE : 0);
}

enum edit {
    EDIT_DESCRIPTOR, EDIT_GATE, EDIT_TSS, EDIT_PTE, EDIT_PDE, EDIT_REGISTER, EDIT_STACK, EDIT_LIMIT, EDIT_SEGMENT, EDIT_WORD,
    EDIT_FRAME, EDIT_SELECTOR, EDITS
};

static void edit_limit(struct input *in)
{
    struct vcpu *cpu = &box.cpu;
    unsigned which = take_below(in, 4);
    uint16_t limit = (uint16_t)take(in, 2);

    switch (which) {
    case 0: cpu->gdtr.limit = limit; break;
    case 1: cpu->idtr.limit = limit; break;
    case 2: cpu->ldtr.limit = limit; break;
    case 3: cpu->tr.limit = limit; break;
    }
}

static void edit_descriptor(struct input *in)
{
    unsigned index = take_below(in, GDT_ENTRIES), attr = take(in, 2);
    uint32_t limit = take(in, 2), base = take(in, 1) << 8;

    set_descriptor(index, base, limit, attr & 0xcff);
}

/* In the IDT, or a call gate in the GDT. */
static void edit_gate(struct input *in)
{
    unsigned which = take(in, 1), attr = take(in, 1), index = take_below(in, GDT_ENTRIES), parameters = take(in, 1);
    uint32_t offset = take(in, 2) << (parameters >> 4 & 15);

    set_gate(parameters & 8 ? GDT_AT + which % GDT_ENTRIES * 8 : IDT_AT + which * 8, (uint16_t)(index * 8), offset, attr,
             parameters & 7);
}

/* At the top of the stack what RET far and IRET like to find: EIP, CS, EFLAGS, ESP, SS, each as wide as the input says. */
static void edit_frame(struct input *in)
{
    unsigned what = take(in, 1), ring = what & 3, bytes = what & 4 ? 2 : 4;
    uint32_t frame[5] = { CODE_AT + 8, (2 * ring + 1) * 8 + ring, take(in, 2), STACKS_END - 256, (2 * ring + 2) * 8 + ring };

    if (what & 8)                                       /* RET far has no flags */
        memmove(frame + 2, frame + 3, 2 * sizeof *frame);
    if (what & 16)                                      /* and one of them is another */
        frame[what >> 5 & 3] ^= take(in, 2);
    for (unsigned i = 0; i < 5 && box.cpu.gpr[ESP] < RAM_BYTES - sizeof frame; i++)
        memcpy(box_ram + box.cpu.gpr[ESP] + bytes * i, &frame[i], bytes);
}

static void edit(struct input *in)
{
    static const uint8_t data[] = { ES, DS, FS, GS };
    struct vcpu *cpu = &box.cpu;
    uint32_t at;

    switch ((enum edit)take_below(in, EDITS)) {
    case EDIT_DESCRIPTOR: edit_descriptor(in); break;
    case EDIT_GATE: edit_gate(in); break;
    case EDIT_TSS: at = take_below(in, TSS_LIMIT + 1); box_poke(TSS_AT + at, take(in, 4)); break;
    case EDIT_PTE: at = take_below(in, 16); box_poke(PAGE_TABLE + 4 * at, take(in, 4)); break;
    case EDIT_PDE: at = take_below(in, 1024); box_poke(PAGE_DIR + 4 * at, take(in, 4)); break;
    case EDIT_REGISTER: at = take_below(in, 8); cpu->gpr[at] = take(in, 4); break;
    case EDIT_STACK: at = take_below(in, 64); box_poke(cpu->gpr[ESP] + at, take(in, 4)); break;
    case EDIT_LIMIT: edit_limit(in); break;
    case EDIT_SEGMENT: at = TAKE_ONE_OF(in, data); segment_load(&box, (enum segreg)at, (uint16_t)take(in, 2)); break;
    case EDIT_WORD: at = take(in, 2); box_poke(at, take(in, 4)); break;
    case EDIT_FRAME: edit_frame(in); break;
    case EDIT_SELECTOR: at = take_below(in, 8); cpu->gpr[at] = take_below(in, GDT_ENTRIES * 8); break;
    case EDITS: break;
    }
}

static void tell(uint32_t gpa, unsigned bytes)
{
    must(bytes && gpa < RAM_BYTES && bytes <= RAM_BYTES - gpa, "told of %u bytes at %#x, beyond RAM", bytes, gpa);
    must(gpa / PAGE_BYTES == (gpa + bytes - 1) / PAGE_BYTES, "told of %u bytes at %#x, in two pages", bytes, gpa);
    memcpy(told + gpa, box_ram + gpa, bytes);
}

void box_setup(struct input *in)
{
    reset();
    set_mode(in);
    for (unsigned edits = take_below(in, 32); edits && in->left; edits--)
        edit(in);
    memset(sealed, 1, sizeof sealed);
    memcpy(told, box_ram, sizeof told);
    box.mem.sealed = sealed;
    box.mem.sealed_write = tell;
}

void box_code(struct input *in)
{
    unsigned where = take(in, 1), difference = take(in, 1);
    struct insn insn;
    uint8_t *other;

    if (where & 0x80)
        box.cpu.eip += PAGE_BYTES - 4;
    other = box_ram + box.cpu.eip + where % INSN_MAX;
    memcpy(box_ram + box.cpu.eip, in->at, in->left < 64 ? in->left : 64);
    *other ^= difference;
    decode_at_eip(&box, &insn);
    *other ^= difference;
    memcpy(told, box_ram, sizeof told);
}

/* ---- what must be so ----------------------------------------------------------------------------- */

void box_check_told(void)
{
    for (uint32_t at = 0; at < RAM_BYTES; at += PAGE_BYTES)
        must(!memcmp(told + at, box_ram + at, PAGE_BYTES), "a store to the page at %#x was not told to who asked for it", at);
}

static void check_data_segment(const struct vcpu *cpu, enum segreg seg, const char *when)
{
    unsigned attr = cpu->seg[seg].attr;
    bool conforming = attr_is_code(attr) && (attr & ATTR_CONFORMING);

    if (!(attr & ATTR_PRESENT))
        return;
    must(attr & ATTR_SEGMENT, "%s: segment register %d holds a system descriptor", when, seg);
    must(conforming || attr_dpl(attr) >= vcpu_cpl(cpu), "%s: segment register %d, of DPL %u, at CPL %u", when, seg, attr_dpl(attr),
         vcpu_cpl(cpu));
}

void box_check_state(const char *when)
{
    const struct vcpu *cpu = &box.cpu;
    unsigned cs = cpu->seg[CS].attr, ss = cpu->seg[SS].attr, cpl = vcpu_cpl(cpu);

    must((cs & ATTR_PRESENT) && attr_is_code(cs), "%s: CS has attributes %#x", when, cs);
    must(cs & ATTR_CONFORMING ? attr_dpl(cs) <= cpl : attr_dpl(cs) == cpl, "%s: CS of DPL %u at CPL %u", when, attr_dpl(cs), cpl);
    must((ss & ATTR_PRESENT) && attr_is_writable_data(ss), "%s: SS has attributes %#x", when, ss);
    must(attr_dpl(ss) == cpl && (cpu->seg[SS].selector & 3) == cpl, "%s: SS %#x of DPL %u at CPL %u", when, cpu->seg[SS].selector,
         attr_dpl(ss), cpl);
    for (unsigned seg = 0; seg < SEGREGS; seg++)
        if (seg != CS && seg != SS)
            check_data_segment(cpu, (enum segreg)seg, when);
    must((cpu->eflags & ~(uint32_t)FLAGS_ALL) == 0 && (cpu->eflags & FLAG_ONE) && !(cpu->eflags & FLAG_VM), "%s: EFLAGS %#x", when,
         cpu->eflags);
    must((cpu->cr0 & (CR0_PE | CR0_ET)) == (CR0_PE | CR0_ET), "%s: CR0 %#x", when, cpu->cr0);
}
