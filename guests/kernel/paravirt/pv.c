/* The kernel on a paravirtual VMM: what ops.h asks for, by hypercalls (paravirt/interface.h). The command line's
 * `ptes=each` has every page-table entry cost one; otherwise they are collected, and go 64 at a time. */
#include "interface.h"
#include "kernel.h"
#include "ops.h"

enum { QUEUE = 64, WRITE_MAX = 4096, IRQS = 16, SPARE_MAX = 64 };
enum { GATE_MASK = 0x9f00, GATE_PRESENT = 0x8e00 };     /* of an interrupt gate of ring 0 to 3: its second word */

#define SHARED ((volatile struct pv_shared *)PV_SHARED)

int32_t pv_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c);

extern const uint8_t user_call[];       /* the user address of PV_USER_CALL's place */
extern uint8_t user_image[];            /* kernel.ld */

static struct pv_mmu_update queue[QUEUE];
static unsigned queued, queue_full = QUEUE;
static uint32_t cr3;

static void must(enum pv_hypercall number, uint32_t a, uint32_t b, uint32_t c)
{
    int32_t result = pv_call(number, a, b, c);

    if (result >= 0)
        return;
    kprintf("hypercall %u (%08x, %08x, %08x) is refused: %d\n", number, a, b, c, result);
    kernel_panic(NULL, "a hypercall failed");
}

void pv_main(const struct pv_start *start);
void pv_main(const struct pv_start *start)
{
    const struct boot boot = {
        .ram_end = (start->frames < RAM_PAGES ? start->frames : RAM_PAGES) * PAGE, .first_free = start->first_free,
        .command_line = (const char *)start->command_line, .pgdir = (uint32_t *)start->directory,
    };
    char ptes[8] = "";

    cr3 = virt_to_phys(boot.pgdir);
    option_text(boot.command_line, "ptes", ptes, sizeof ptes);
    if (strcmp(ptes, "each") == 0)
        ptes_batch(1);
    main(&boot);
}

/* ---- the processor ------------------------------------------------------------------------------- */

void machine_off(unsigned status)
{
    for (;;)
        pv_call(HC_SCHED, PV_SCHED_SHUTDOWN, status, 0);
}

void load_cr3(uint32_t pa)
{
    /* LAB 6.6: the VMM loads it, after all that waits; read_cr3() wants to know what it was. */
    ptes_sync();
    must(HC_MMUEXT, PV_MMUEXT_NEW_BASE, pa, 0);
    cr3 = pa;
    /* END 6.6: pa */
}

uint32_t read_cr3(void) { return cr3; }
uint32_t read_cr0(void) { return 0x80010011; }          /* paging, write protection: as it started */
void load_gdt(const struct table_register *t)
{
    /* LAB 6.1: the VMM takes the whole table: its address and the number of entries (the limit is that of the last byte). */
    must(HC_SET_GDT, t->base, (t->limit + 1u) / 8, 0);
    /* END 6.1: t */
}
void load_tr(uint16_t selector) { (void)selector; }     /* there is no TSS, but set_kernel_stack() */
void set_kernel_stack(uint32_t esp)
{
    /* LAB 6.1: what a TSS says elsewhere: SS and ESP for whoever comes from ring 3. */
    must(HC_STACK_SWITCH, SEL_KDATA, esp, 0);
    /* END 6.1: esp */
}

static struct pv_trap trap_of(unsigned vector)
{
    /* LAB 6.2: the row of the trap table that says what this gate of the IDT says: where to, from which ring on (an int of that
     * privilege), with interrupts off; the system call's has a short way of its own (PV_TRAP_USER_CALL). interface.h has the fields.
     * A gate that is not present, or leads to no kernel segment, has a row with nothing but its vector. */
    uint32_t low = idt[vector].low, high = idt[vector].high, cs = low >> 16;
    bool gate = (high & GATE_MASK) == GATE_PRESENT && cs && !(cs & 3);

    if (!gate)                          /* a probe's: the VMM has no row, and looks into the IDT itself */
        return (struct pv_trap){ .vector = (uint8_t)vector };
    return (struct pv_trap){
        .vector = (uint8_t)vector, .cs = (uint16_t)cs, .eip = (low & 0xffff) | (high & 0xffff0000),
        .flags = (uint8_t)((high >> 13 & 3) | PV_TRAP_MASKS | (vector == VEC_SYSCALL ? PV_TRAP_USER_CALL : 0)),
    };
    /* END 6.2: vector */
}

void gate_changed(unsigned vector)
{
    struct pv_trap row = trap_of(vector);

    must(HC_SET_TRAP_TABLE, (uint32_t)&row, 1, 0);
}

/* Then the entry for system calls is as it will be, and processes may have it. */
void load_idt(const struct table_register *t)
{
    static struct pv_trap rows[256];

    (void)t;
    for (unsigned v = 0; v < 256; v++)
        rows[v] = trap_of(v);
    must(HC_SET_TRAP_TABLE, (uint32_t)rows, 256, 0);
    memcpy(user_image + (uint32_t)user_call - USER_BASE, (const void *)PV_USER_CALL, PV_USER_CALL_BYTES);
}

/* ---- page tables --------------------------------------------------------------------------------- */

void ptes_sync(void)
{
    /* LAB 6.6: whatever waits in the queue goes to the VMM, by one hypercall; nothing costs none. */
    unsigned n = queued;

    queued = 0;
    if (n)
        must(HC_MMU_UPDATE, (uint32_t)queue, n, 0);
    /* END 6.6: queue, queued */
}

void ptes_batch(unsigned most)
{
    ptes_sync();
    queue_full = most < QUEUE ? most : QUEUE;
}

void set_pte(uint32_t *pte, uint32_t value)
{
    /* LAB 6.6: a change of a page-table entry waits in the queue, by the entry's physical address, until that is full. */
    queue[queued++] = (struct pv_mmu_update){ virt_to_phys(pte), value };
    if (queued >= queue_full)
        ptes_sync();
    /* END 6.6: pte, value, queue_full */
}

/* The VMM checks a page table for good, so the kernel may not write it, not even in its own mapping of it. To change
 * that back and forth costs more than all else in a fork: what was a table stays one, empty, and a directory stays
 * pinned (Linux on Xen kept such lists as well). */
static uint32_t spare_tables[SPARE_MAX], *spare_spaces[SPARE_MAX];
static unsigned spare_table_count, spare_space_count;

uint32_t tables_spare(void) { return spare_table_count + spare_space_count; }

static void protect(uint32_t pa)
{
    uint32_t *pte = pte_of(kernel_pgdir, pa + KERNEL_BASE);

    set_pte(pte, *pte & ~(uint32_t)PTE_W);
}

uint32_t table_alloc(void)
{
    uint32_t pa;

    if (spare_table_count)
        return spare_tables[--spare_table_count];
    pa = page_alloc();
    protect(pa);
    return pa;
}

void table_free(uint32_t *pde)
{
    uint32_t pa = *pde & ~(PAGE - 1), *pte = phys_to_virt(pa);

    if (spare_table_count == SPARE_MAX)
        kernel_panic(NULL, "more page tables than SPARE_MAX");
    for (unsigned i = 0; i < 1024; i++)
        if (pte[i])
            set_pte(&pte[i], 0);
    set_pte(pde, 0);
    ptes_sync();
    spare_tables[spare_table_count++] = pa;
}

uint32_t *space_alloc(void)
{
    enum { FIRST = KERNEL_BASE >> 22 };
    uint32_t *pgdir;

    if (spare_space_count)
        return spare_spaces[--spare_space_count];
    pgdir = phys_to_virt(page_alloc());
    memcpy(pgdir + FIRST, kernel_pgdir + FIRST, PAGE - FIRST * 4);
    protect(virt_to_phys(pgdir));
    ptes_sync();
    must(HC_MMUEXT, PV_MMUEXT_PIN, virt_to_phys(pgdir), 0);
    return pgdir;
}

void space_free(uint32_t *pgdir) { spare_spaces[spare_space_count++] = pgdir; }

void flush_page(uint32_t va)
{
    ptes_sync();
    must(HC_MMUEXT, PV_MMUEXT_FLUSH, va, 0);
}

/* ---- the console, events ------------------------------------------------------------------------- */

void console_init(void) { }

void console_write(const char *text, size_t bytes)
{
    for (size_t n; bytes; text += n, bytes -= n) {
        n = bytes < WRITE_MAX ? bytes : WRITE_MAX;
        pv_call(HC_CONSOLE_IO, PV_CONSOLE_WRITE, (uint32_t)text, n);
    }
}

void irq_init(void)
{
    SHARED->masked = ~0u;               /* `pending` follows with the next hypercall; until then it only costs one */
    SHARED->events = 0;
}

/* All events come by one vector. The lowest goes first; the others keep the mask from opening without a hypercall. */
unsigned irq_take(unsigned vector)
{
    /* LAB 6.4: of the events that are due and not masked the lowest, which is then acknowledged. Without one, the line that the vector names. */
    uint32_t due = SHARED->events & ~SHARED->masked & ((1 << IRQS) - 1);
    unsigned irq = due ? (unsigned)__builtin_ctz(due) : vector - VEC_IRQ;

    must(HC_EVENT, PV_EVENT_ACK, irq, 0);
    return irq;
    /* END 6.4: vector */
}

void irq_done(unsigned irq) { (void)irq; }
void quiet_irq(unsigned irq) { (void)irq; }
void disarm_irq(void) { irq_init(); }

/* ---- time: no exit is needed to know it ---------------------------------------------------------- */

/* In the PIT's clocks: 2^32 * PIT_HZ / 10^9, and 10^9 / PIT_HZ as 838 and 2^32 parts. */
enum { CLOCKS_OF_NS = 5124678, NS_OF_CLOCKS = 838, NS_OF_CLOCKS_REST = 408490383 };

static uint32_t period;                 /* of the timer */
static uint64_t next;                   /* tick */

/* value * by >> 32, of which the product may have more than 64 bits. */
static uint64_t scale(uint64_t value, uint32_t by)
{
    return (value >> 32) * by + ((value & 0xffffffff) * by >> 32);
}

static uint64_t clocks(void)
{
    /* LAB 6.5: now, in the PIT's clocks, without asking: the shared page has the time at tsc_then, and by what to scale what the
     * time-stamp counter has counted since (struct pv_shared has the formula, scale() multiplies). It changes under our eyes: version is
     * odd while it does, and another one afterwards. */
    uint32_t version;
    uint64_t ns;

    do {
        version = SHARED->version;
        ns = SHARED->ns + scale((__builtin_ia32_rdtsc() - SHARED->tsc_then) << 8, SHARED->scale);
    } while (version != SHARED->version || (version & 1));
    return scale(ns, CLOCKS_OF_NS);
    /* END 6.5: scale */
}

static void arm_timer(void)
{
    /* LAB 6.5: when the tick number `next` is due: in ns, both halves. */
    uint64_t ns = next * NS_OF_CLOCKS + scale(next, NS_OF_CLOCKS_REST) + NS_OF_CLOCKS;

    must(HC_SET_TIMER, (uint32_t)ns, (uint32_t)(ns >> 32), 0);
    /* END 6.5: scale */
}

void timer_once(uint32_t after)
{
    armed = 1;
    next = clocks() + after;
    must(HC_EVENT, PV_EVENT_UNMASK, PV_EVENT_TIMER, 0);
    arm_timer();
}

void timer_init(uint32_t hz)
{
    uint32_t count = hz ? (PIT_HZ + hz / 2) / hz : 0;

    period = count > 0xffff || count == 0 ? 0x10000 : count < 2 ? 2 : count;    /* as the PIT could */
    next = clocks() + period;
    must(HC_EVENT, PV_EVENT_UNMASK, PV_EVENT_TIMER, 0);
    arm_timer();
}

/* Those that should have come by now: the event stands for all that were missed. */
uint32_t timer_ticks(void)
{
    uint64_t now = clocks();
    uint32_t ticks = 0;

    for (; next <= now && period; next += period)
        ticks++;
    arm_timer();
    return ticks;
}

uint16_t timer_clock(void) { return (uint16_t)-clocks(); }
