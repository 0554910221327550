/* Blocks: made when they are first needed, found by where they are, dropped when somebody writes there. And what leads to memory
 * when the TLB does not. See emulator.h. */
#include <stdlib.h>

#include "access.h"
#include "event.h"
#include "flags.h"
#include "ops.h"
#include "segment.h"
#include "transfer.h"

enum { BLOCKS_BETWEEN_LOOKS = 2000 };                   /* at the clock: some 20 us */

static struct emulator *the_emulator;                   /* for the hooks: they know no emulator */

/* ---- what becomes void ------------------------------------------------------------------------------ */

static bool is_flat(const struct segment *s, unsigned want)
{
    return s->base == 0 && s->limit == 0xffffffff && (s->attr & (want | ATTR_CODE)) == want;
}

static bool is_flat_code(const struct vcpu *cpu) { return is_flat(&cpu->seg[CS], ATTR_PRESENT | ATTR_SEGMENT | ATTR_CODE); }

/* Where the code segment is not all of memory, no link holds. */
static void set_generation(struct emulator *e)
{
    const struct vcpu *cpu = cpu_of(e);

    e->generation = is_flat_code(cpu) ? e->generations[vcpu_cpl(cpu) == 3] : ++e->last_generation;
}

static void forget_links(struct emulator *e)
{
    e->generations[0] = ++e->last_generation;
    e->generations[1] = ++e->last_generation;
    set_generation(e);
}

static void forget_tlb(struct emulator *e)
{
    for (unsigned k = 0; k < TLBS * TLB_ENTRIES; k++) {
        struct tlb_entry *t = &e->tlbs[k % TLBS][k / TLBS];

        t->read = t->write = TLB_NONE;
    }
}

static void flush_all(struct machine *m)
{
    (void)m;
    forget_tlb(the_emulator);
    forget_links(the_emulator);
}

/* The page may be a part of 4 MiB, which all go. */
static void flush_page(struct machine *m, uint32_t gla) { (void)gla; flush_all(m); }

/* A page that gets its first block: writes there are to be seen from now on. */
static void seal(struct emulator *e, uint32_t frame)
{
    const uint8_t *page = e->vm.machine.mem.ram + frame * PAGE_BYTES;

    e->vm.machine.mem.sealed[frame] = 1;
    for (unsigned k = 0; k < TLBS * TLB_ENTRIES; k++) {
        struct tlb_entry *t = &e->tlbs[k % TLBS][k / TLBS];

        if (t->write != TLB_NONE && t->host + t->write == (uintptr_t)page)
            t->write = TLB_NONE;
    }
}

static void drop(struct emulator *e, struct emu_block *b)
{
    for (unsigned k = 0; k < b->ops; k++)
        b->op[k].act = act_stale;
    e->vm.machine.counters.blocks_invalidated++;
}

static void sealed_write(uint32_t gpa, unsigned bytes)
{
    struct emulator *e = the_emulator;
    struct emu_block **at = &e->pages[gpa / PAGE_BYTES];
    bool dropped = false;

    while (*at) {
        struct emu_block *b = *at;

        if (gpa < b->gpa + b->bytes && b->gpa < gpa + bytes) {
            drop(e, b);
            *at = b->in_page;
            dropped = true;
        } else {
            at = &b->in_page;
        }
    }
    if (dropped)
        forget_links(e);
    if (!e->pages[gpa / PAGE_BYTES])
        e->vm.machine.mem.sealed[gpa / PAGE_BYTES] = 0;
}

/* ---- memory, when the TLB does not know -------------------------------------------------------------- */

/* After an access that was allowed. */
static void fill_tlb(struct emulator *e, uint32_t gla, bool write)
{
    struct machine *m = &e->vm.machine;
    struct tlb_entry *t = tlb_of(e, gla);
    unsigned access = (write ? ACCESS_WRITE : 0) | (vcpu_cpl(&m->cpu) == 3 ? ACCESS_USER : 0);
    struct translation to;
    uint32_t page = gla & PAGE_MASK;

    if (e->tlb == e->tlbs[TLB_NEVER] || !memory_peek(m, page, access, &to) || to.gpa >= m->mem.bytes)
        return;
    if (t->read != page)
        t->write = TLB_NONE;
    t->read = page;
    t->host = (uintptr_t)(m->mem.ram + to.gpa) - page;
    if (write && !m->mem.sealed[to.gpa / PAGE_BYTES])
        t->write = page;
}

void *slow_read(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes)
{
    if (!memory_read_seg(&e->vm.machine, op->seg, offset, e->buffer, bytes)) {
        fault(e, op);
        return NULL;
    }
    fill_tlb(e, offset, false);
    return e->buffer;
}

void *slow_rmw(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes)
{
    if (memory_read_to_write_seg(&e->vm.machine, op->seg, offset, e->buffer, bytes))
        return e->buffer;
    fault(e, op);
    return NULL;
}

void slow_commit(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes)
{
    memory_write_seg(&e->vm.machine, op->seg, offset, e->buffer, bytes);
    fill_tlb(e, offset, true);
}

bool slow_write(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes, uint32_t value)
{
    if (!memory_write_seg(&e->vm.machine, op->seg, offset, &value, bytes)) {
        fault(e, op);
        return false;
    }
    fill_tlb(e, offset, true);
    return true;
}

bool slow_push(struct emulator *e, const struct op *op, uint32_t value)
{
    struct stack s = stack_current(cpu_of(e));

    if (!stack_push(&e->vm.machine, &s, value, 4)) {
        fault(e, op);
        return false;
    }
    cpu_of(e)->gpr[ESP] = s.esp;
    fill_tlb(e, s.esp, true);
    return true;
}

bool slow_pop(struct emulator *e, const struct op *op, uint32_t *value)
{
    struct stack s = stack_current(cpu_of(e));

    if (!stack_pop(&e->vm.machine, &s, 4, value)) {
        fault(e, op);
        return false;
    }
    fill_tlb(e, cpu_of(e)->gpr[ESP], false);
    cpu_of(e)->gpr[ESP] = s.esp;
    return true;
}

/* ---- making blocks ----------------------------------------------------------------------------------- */

static void *take(struct emulator *e, size_t bytes)
{
    void *p = e->arena + e->used;

    e->used += (bytes + 15) & ~(size_t)15;
    return p;
}

const struct insn *keep(struct emulator *e, const struct insn *insn)
{
    if (insn == &e->stepped)
        return insn;
    return memcpy(take(e, sizeof *insn), insn, sizeof *insn);
}

void emulator_forget(struct emulator *e)
{
    struct memory *mem = &e->vm.machine.mem;

    memset(e->pages, 0, mem->bytes / PAGE_BYTES * sizeof *e->pages);
    memset(mem->sealed, 0, mem->bytes / PAGE_BYTES);
    e->used = 0;
    forget_links(e);
    forget_tlb(e);
}

/* All blocks go when there is no room for one more. */
static void make_room(struct emulator *e)
{
    if (e->used + sizeof(struct emu_block) + BLOCK_OPS * sizeof(struct op) + 2 * BLOCK_INSNS * sizeof(struct insn) < ARENA_BYTES)
        return;
    emulator_forget(e);
    e->vm.machine.counters.blocks_evicted++;
}

static struct emu_block *make_block(struct emulator *e, uint32_t gpa, unsigned kind)
{
    struct machine *m = &e->vm.machine;
    static struct op ops[BLOCK_OPS];                    /* too much for a small stack (ulimit -s) */
    unsigned n = 0, at = 0, room = PAGE_BYTES - gpa % PAGE_BYTES, insns = 0;
    bool ends = false;
    struct emu_block *b;

    make_room(e);
    while (!ends && insns < BLOCK_INSNS && at < room) {
        struct insn insn;
        enum decoded result = decode(m->mem.ram + gpa + at, room - at, kind & BLOCK_WIDE, &insn);

        if (result == DECODED) {
            n += compile(e, &insn, at, kind, &ops[n], &ends);
            at += insn.length;
        } else {                                        /* truncated: it goes on in the next page */
            ops[n++] = (struct op){ .act = result == DECODE_TRUNCATED ? act_step : result == DECODE_TOO_LONG ? act_too_long
                                                                                                     : act_undefined,
                                    .at = (uint16_t)at };
            at = result == DECODE_TRUNCATED || room - at < INSN_MAX ? room : at + INSN_MAX;
            ends = true;
        }
        insns++;
    }
    if (!ends)
        ops[n++] = (struct op){ .act = act_fall, .at = (uint16_t)at };
    b = take(e, sizeof *b + n * sizeof *ops);
    *b = (struct emu_block){ .gpa = gpa, .bytes = (uint16_t)at, .ops = (uint16_t)n, .kind = (uint8_t)kind };
    memcpy(b->op, ops, n * sizeof *ops);
    b->in_page = e->pages[gpa / PAGE_BYTES];
    e->pages[gpa / PAGE_BYTES] = b;
    if (!m->mem.sealed[gpa / PAGE_BYTES])
        seal(e, gpa / PAGE_BYTES);
    m->counters.blocks_translated++;
    m->counters.instructions += insns;
    m->counters.guest_bytes += at;
    m->counters.host_bytes += n * sizeof *ops;
    return b;
}

/* ---- running ----------------------------------------------------------------------------------------- */

static unsigned kind_of(const struct vcpu *cpu)
{
    return (cpu->seg[CS].attr & ATTR_BIG ? BLOCK_WIDE : 0) | (is_flat_code(cpu) ? BLOCK_FLAT : 0);
}

/* The block at EIP. NULL: e->left says why not. */
static struct emu_block *find(struct emulator *e)
{
    struct machine *m = &e->vm.machine;
    const struct segment *cs = &m->cpu.seg[CS];
    struct lookup *l = lookup_of(e, m->cpu.eip);
    struct translation to;
    struct emu_block *b;

    m->counters.looked_up++;
    if (l->eip == m->cpu.eip && l->generation == e->generation)
        return l->block;
    e->left = LEFT_STEP;
    if (m->cpu.eip > cs->limit || !memory_walk(m, cs->base + m->cpu.eip, vcpu_cpl(&m->cpu) == 3 ? ACCESS_USER : 0, &to) ||
        to.gpa >= m->mem.bytes)
        return NULL;                                    /* a fault, most likely: a step finds it out */
    m->counters.missed++;
    for (b = e->pages[to.gpa / PAGE_BYTES]; b && (b->gpa != to.gpa || b->kind != kind_of(&m->cpu));)
        b = b->in_page;
    if (!b)
        b = make_block(e, to.gpa, kind_of(&m->cpu));
    if (cs->limit - m->cpu.eip < b->bytes - 1u)
        return NULL;
    *l = (struct lookup){ m->cpu.eip, e->generation, b };
    return b;
}

/* One instruction, with what ends after it: single steps, RF, what holds interrupts back. */
static enum emulator_exit step(struct emulator *e)
{
    struct vcpu *cpu = cpu_of(e);
    struct emu_block *b = e->single;
    bool traced = cpu->eflags & FLAG_TF, ends;
    unsigned n;

    if (!decode_at_eip(&e->vm.machine, &e->stepped))
        return EMULATOR_EXCEPTION;
    *b = (struct emu_block){ 0 };
    n = compile(e, &e->stepped, 0, kind_of(cpu), b->op, &ends);
    if (!ends)
        b->op[n] = (struct op){ .act = act_stale, .at = e->stepped.length };
    e->stepping = true;
    e->tlb = e->usual;
    enter(e, b);
    e->stepping = false;
    e->from = NULL;
    if (e->left == LEFT_SENSITIVE)
        return EMULATOR_SENSITIVE;
    if (e->left == LEFT_FAULT)
        return EMULATOR_EXCEPTION;
    cpu->shadow = SHADOW_NONE;
    cpu->eflags &= ~(uint32_t)FLAG_RF;
    if (!traced)
        return EMULATOR_STEPPED;
    cpu->dr[6] |= DR6_BS;
    vcpu_raise(cpu, VEC_DB);
    return EMULATOR_EXCEPTION;
}

static enum emulator_exit run_blocks(struct emulator *e, uint64_t deadline)
{
    for (;;) {
        struct emu_block *b = find(e);

        if (b && e->from)
            *e->from = (struct link){ b, e->generation };
        e->from = NULL;
        if (b) {
            e->budget--;
            e->left = LEFT_NEXT;
            e->tlb = e->usual;
            enter(e, b);
        }
        if (e->left == LEFT_STEP) {
            enum emulator_exit exit = step(e);

            if (exit != EMULATOR_STEPPED)
                return exit;
        } else if (e->left == LEFT_FAULT) {
            return EMULATOR_EXCEPTION;
        } else if (e->left == LEFT_SENSITIVE) {
            return EMULATOR_SENSITIVE;
        }
        if (e->budget <= 0) {
            e->budget = BLOCKS_BETWEEN_LOOKS;
            if (console_now() >= deadline)
                return EMULATOR_INTERRUPTED;
        }
    }
}

/* Data by the TLB only where segments and alignment need not be looked at. */
static void set_mode(struct emulator *e)
{
    const unsigned data = ATTR_PRESENT | ATTR_SEGMENT | ATTR_WRITABLE;
    const struct vcpu *cpu = cpu_of(e);
    bool aligned = vcpu_cpl(cpu) == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC);
    bool flat = is_flat(&cpu->seg[DS], data) && is_flat(&cpu->seg[ES], data) && is_flat(&cpu->seg[SS], data | ATTR_BIG);

    e->usual = e->tlbs[aligned || !flat ? TLB_NEVER : vcpu_cpl(cpu) == 3 ? TLB_USER : TLB_KERNEL];
    set_generation(e);
}

enum emulator_exit emulator_run(struct emulator *e, uint64_t deadline)
{
    struct vcpu *cpu = cpu_of(e);
    bool alone = (cpu->eflags & (FLAG_TF | FLAG_RF)) || (cpu->shadow != SHADOW_NONE && event_waiting(&e->vm.machine));
    enum emulator_exit exit;

    set_mode(e);
    flags_set(e, cpu->eflags);
    e->from = NULL;
    if (!alone)
        cpu->shadow = SHADOW_NONE;
    exit = alone ? step(e) : run_blocks(e, deadline);
    cpu->eflags = (cpu->eflags & ~(uint32_t)FLAGS_ARITHMETIC) | flags_get(e);
    return exit;
}

const char *emulator_init(struct emulator *e, uint32_t bytes)
{
    struct machine *m = &e->vm.machine;

    the_emulator = e;
    m->mem = (struct memory){ .ram = calloc(bytes, 1), .bytes = bytes, .sealed = calloc(bytes / PAGE_BYTES, 1),
                              .sealed_write = sealed_write };
    m->hooks = (struct machine_hooks){ .flush_all = flush_all, .load_cr3 = flush_all, .flush_page = flush_page };
    e->pages = calloc(bytes / PAGE_BYTES, sizeof *e->pages);
    e->arena = malloc(ARENA_BYTES);
    e->single = calloc(1, sizeof *e->single + BLOCK_OPS * sizeof(struct op));
    if (!m->mem.ram || !m->mem.sealed || !e->pages || !e->arena || !e->single)
        return "there is no memory for the guest's RAM";
    flush_all(m);
    return NULL;
}
