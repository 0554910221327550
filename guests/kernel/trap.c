/* Traps: the IDT, and what happens on each vector. Every gate is an interrupt gate: the kernel runs with
 * interrupts off, but for its idle loop. */
#include "kernel.h"
#include "process.h"
#include "ops.h"

enum { GATE_INTERRUPT = 0x8e00, EXCEPTIONS = 32, IRQS = 16 };

struct idt_gate idt[256];
volatile uint32_t ticks;
bool (*trap_hook)(struct trapframe *);

extern const uint8_t trap_stubs[];      /* 16 bytes each */

static const char *const exception_names[EXCEPTIONS] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode", "no FPU", "double fault",
    "", "invalid TSS", "segment not present", "stack fault", "general protection", "page fault", "", "FPU error",
    "alignment check", "machine check", "SIMD error",
};

static void write_gate(unsigned vector, uint32_t handler, unsigned dpl)
{
    idt[vector].low = (uint32_t)SEL_KCODE << 16 | (handler & 0xffff);
    idt[vector].high = (handler & 0xffff0000) | GATE_INTERRUPT | dpl << 13;
}

void idt_set(unsigned vector, uint32_t handler, unsigned dpl)
{
    write_gate(vector, handler, dpl);
    gate_changed(vector);
}

void idt_init(void)
{
    static const struct table_register idtr = { sizeof idt - 1, (uint32_t)idt };

    for (unsigned v = 0; v < 256; v++)
        write_gate(v, (uint32_t)trap_stubs + 16 * v, v == 3 || v == 4 || v == VEC_SYSCALL ? 3 : 0);
    load_idt(&idtr);
}

const char *symbol_at(uint32_t address, uint32_t *offset)
{
    unsigned i = 0;

    while (symbol_table[i + 1].address <= address && symbol_table[i + 1].address != ~0u)
        i++;
    *offset = address - symbol_table[i].address;
    return symbol_table[i].name;
}

void kernel_panic(const struct trapframe *f, const char *why)
{
    kprintf("PANIC: %s\n", why);
    if (f) {
        uint32_t offset;
        const char *symbol = symbol_at(f->eip, &offset);

        kprintf("  vector %u error %08x cr2 %08x at %08x %s+0x%x\n", f->vector, f->error, read_cr2(), f->eip,
                symbol, offset);
        kprintf("  eax %08x ebx %08x ecx %08x edx %08x\n", f->eax, f->ebx, f->ecx, f->edx);
        bool user = f->cs & 3;

        kprintf("  esi %08x edi %08x ebp %08x esp %08x\n", f->esi, f->edi, f->ebp,
                user ? f->esp : (uint32_t)&f->esp);
        kprintf("  cs %04x ds %04x es %04x fs %04x gs %04x eflags %08x\n", f->cs & 0xffff, f->ds & 0xffff,
                f->es & 0xffff, f->fs & 0xffff, f->gs & 0xffff, f->eflags);
        kprintf("  cr0 %08x cr3 %08x%s\n", read_cr0(), read_cr3(), user ? " from ring 3" : "");
    }
    report(0, 1);
}

static void exception(struct trapframe *f)
{
    const char *name = exception_names[f->vector];

    if (!(f->cs & 3) || !process_running())
        kernel_panic(f, name);          /* ring 3 without a process: a probe that expected none */
    kprintf("process killed: %s at %08x, error %x, cr2 %08x\n", name, f->eip, f->error,
            f->vector == VEC_PF ? read_cr2() : 0);
    process_exit(-1);
}

static void interrupt(unsigned irq)
{
    irq_done(irq);
    if (irq == IRQ_TIMER) {
        ticks += timer_ticks();
        process_tick();
    }
}

/* Called by entry.asm with interrupts off. */
void trap(struct trapframe *f);
void trap(struct trapframe *f)
{
    if (f->vector >= VEC_IRQ && f->vector < VEC_IRQ + IRQS)
        f->vector = VEC_IRQ + irq_take(f->vector);
    if (trap_hook && trap_hook(f))
        return;
    if (f->vector < EXCEPTIONS)
        exception(f);
    else if (f->vector == VEC_SYSCALL)
        f->eax = (uint32_t)system_call(f);
    else if (f->vector < VEC_IRQ + IRQS)
        interrupt(f->vector - VEC_IRQ);
    else
        kernel_panic(f, "a vector that nobody uses");
    if ((f->cs & 3) && process_running())
        yield_if_due();
}
