/* The probes: one small named check after another of what a guest must observe, by the Intel SDM. Each starts from
 * the same state, and whatever it leaves behind is put right before the next. A wrong answer is a finding about the
 * machine below, so nothing here looks at which one that is. How a probe is written: probe.inc; what they check:
 * sensitive.asm, segments.asm, privileged.asm, exceptions.asm, user.asm, interrupts.asm. `only=PREFIX` picks. */
#include "kernel.h"
#include "ops.h"
#include "pc.h"
#include "probes.h"

/* What probe.inc calls by the same names; pages count from U_CODE. */
enum {
    U_CODE = 0x400000, U_PAGES = 6, U_RO = 2, U_ABSENT = 3, U_SUPER = 5,
    LEAVE_USER = 0x41, IRQ_BASE = 0x20, GDT_TSS = 8, TSS_BUSY = 0x200, GATE_USER = 0x6000,
    PAGE_P = 1, PAGE_W = 2, PAGE_U = 4, VECTOR_DB = 1, VECTOR_PF = 14, STEPS_MAX = 7,
};

extern const struct probe sensitive_probes[], segment_probes[], privileged_probes[], exception_probes[],
    user_probes[], interrupt_probes[];
extern const struct probe hypercall_probes[] __attribute__((weak));     /* of kernel-pv.elf */

/* What the hook tells a probe, and what a probe asks of the hook. */
struct trapframe seen;                      /* the last trap's frame; seen_top: the address behind it */
uint32_t seen_top, seen_cr2;
uint32_t resume_at;                         /* not 0: where in ring 0 the next trap goes on, once */
uint32_t pass_vector;                       /* a vector to note in `trace` and to return from */
uint32_t trace;                             /* one hex digit each: where, as in a fault's digest */
uint32_t armed, irqs, irq_eip, hold_eoi;    /* interrupts: on order, come, where the last one came, keep its EOI */
uint32_t irq_order;                         /* one hex digit each: the line */

uint32_t kernel_stack_top;                  /* where ring 3's traps go on */
uint32_t *user_ptes;                        /* of U_CODE and the pages behind it */
static uint32_t kept_ptes[U_PAGES], kept_cr0;
static struct gdt_entry kept_gdt[40];
static struct idt_gate kept_idt[256];
static uint16_t kept_iomap;
static uint8_t stack[4096] __attribute__((aligned(16)));         /* for what comes from ring 3 */
static const struct probe *current;

static bool to_kernel(struct trapframe *f, uint32_t eip)
{
    f->eip = eip;
    f->cs = SEL_KCODE;
    f->eflags = 2;
    f->ds = f->es = SEL_KDATA;
    f->fs = f->gs = 0;
    return true;
}

/* Back to probe_run's caller with this value, from whichever ring. */
static bool finish(struct trapframe *f, uint32_t got)
{
    f->eax = got;
    return to_kernel(f, (uint32_t)probe_done);
}

static bool interrupt(const struct trapframe *f)
{
    irqs++;
    irq_eip = f->eip;
    irq_order = irq_order << 4 | (f->vector - IRQ_BASE);
    quiet_irq(f->vector - IRQ_BASE);
    if (!hold_eoi)
        irq_done(f->vector - IRQ_BASE);
    return true;
}

static bool hook(struct trapframe *f)
{
    uint32_t where = (f->eip - (f->cs & 3 ? U_CODE : (uint32_t)current->code)) & 15;

    seen = *f;
    seen_top = (uint32_t)(f->cs & 3 ? &f->ss + 1 : &f->eflags + 1);
    if (f->vector >= IRQ_BASE && f->vector < IRQ_BASE + 16)
        return interrupt(f);
    if (f->vector == pass_vector) {
        trace = trace << 4 | where;
        if (trace >> (4 * STEPS_MAX))       /* a single step that nobody ends */
            f->eflags &= ~0x100u;
        return true;
    }
    if (f->vector == LEAVE_USER && f->cs & 3)
        return finish(f, f->eax);
    if (f->vector == VECTOR_PF)
        seen_cr2 = read_cr2();
    if (resume_at) {
        uint32_t to = resume_at;
        resume_at = 0;
        return to_kernel(f, to);
    }
    return finish(f, 0xe0000000 | f->vector << 20 | (f->error & 0xffff) << 4 | where);
}

static void keep_state(void)
{
    for (unsigned i = 0; i < U_PAGES; i++) {
        uint32_t flags = PAGE_P | PAGE_W | PAGE_U;
        if (i == U_RO)
            flags &= ~PAGE_W;
        if (i == U_SUPER)
            flags &= ~PAGE_U;
        map_page(kernel_pgdir, U_CODE + i * 4096, page_alloc(), flags);
    }
    ptes_sync();
    user_ptes = pte_of(kernel_pgdir, U_CODE);
    set_pte(&user_ptes[U_ABSENT], 0);
    /* Only for the probes that ask: it lies among pages of ring 3. */
    set_pte(&user_ptes[U_SUPER], user_ptes[U_SUPER] & ~PAGE_P);
    ptes_sync();
    memcpy(kept_ptes, user_ptes, sizeof kept_ptes);
    memcpy(kept_gdt, gdt, sizeof kept_gdt);
    idt[LEAVE_USER].high |= GATE_USER;
    gate_changed(LEAVE_USER);
    memcpy(kept_idt, idt, sizeof kept_idt);
    kept_gdt[GDT_TSS].high &= ~TSS_BUSY;
    kept_cr0 = read_cr0();
    kept_iomap = tss.iomap_base;
    kernel_stack_top = (uint32_t)(stack + sizeof stack);
    set_kernel_stack(kernel_stack_top);
}

static void reset_interrupts(void)
{
    disarm_irq();
    armed = irqs = irq_order = hold_eoi = 0;
}

static void reset(const struct probe *p)
{
    memcpy(gdt, kept_gdt, sizeof kept_gdt);
    for (unsigned v = 0; v < 256; v++)
        if (idt[v].low != kept_idt[v].low || idt[v].high != kept_idt[v].high) {
            idt[v] = kept_idt[v];
            gate_changed(v);
        }
    for (unsigned i = 0; i < U_PAGES; i++)
        if (user_ptes[i] != kept_ptes[i])
            set_pte(&user_ptes[i], kept_ptes[i]);
    ptes_sync();
    tss.iomap_base = kept_iomap;
    probe_reset_cpu(kept_cr0, virt_to_phys(kernel_pgdir));
    seen = (struct trapframe) { .vector = ~0u };
    resume_at = trace = seen_cr2 = 0;
    pass_vector = ~0u;
    current = p;
}

static bool prefix(const char *name, const char *only)
{
    while (only && *only)
        if (*name++ != *only++)
            return false;
    return true;
}

static bool check(const struct probe *p)
{
    reset(p);
    uint32_t want = p->want, got = probe_run(p->code);

    if (got == want && (want >> 20) == (0xe00 | VECTOR_PF)) {   /* the fault is right; is its address? */
        want = p->cr2;
        got = seen_cr2;
    }
    if (armed)
        reset_interrupts();
    return verdict(p->name, want, got);
}

void probes_main(void)
{
    static const struct probe *const tables[] = {
        sensitive_probes, segment_probes, privileged_probes, exception_probes, user_probes, interrupt_probes,
        hypercall_probes,
    };
    const char *only = option("only");
    unsigned passed = 0, failed = 0;

    keep_state();
    reset_interrupts();                     /* of what the firmware left */
    trap_hook = hook;
    for (unsigned t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct probe *p = tables[t]; p && p->name; p++)
            if (prefix(p->name, only)) {
                if (check(p))
                    passed++;
                else
                    failed++;
            }
    trap_hook = NULL;
    report(passed, failed);
}
