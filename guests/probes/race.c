/* The story in one program: what a wrong interrupt flag costs. Two parties add 1 to a counter, the program and an
 * interrupt's handler; a critical section keeps them apart, if PUSHF and POPF do what a kernel needs. No clock: the
 * interrupt is made pending inside the section (arm_irq). The sections' ends: race.asm. */
#include "kernel.h"
#include "ops.h"
#include "pc.h"
#include "probes.h"

uint32_t flags_and_cli(void);
void sti_if(uint32_t flags);
void flags_restore(uint32_t flags);

static volatile uint32_t counter;

static bool hook(struct trapframe *f)
{
    if (f->vector != VEC_IRQ + IRQ_COM1)
        return false;
    counter++;
    quiet_irq(IRQ_COM1);
    irq_done(IRQ_COM1);
    return true;
}

/* Reads, gives the other party every chance, writes. */
static void add_slowly(void (*meanwhile)(void))
{
    uint32_t value = counter;
    meanwhile();
    counter = value + 1;
}

/* pushf; cli; popf with interrupts on: the one that came meanwhile is served at the POPF. */
static void section(void)
{
    /* LAB 3.1: turn interrupts on; then the section: note the flags and turn them off, add_slowly() while an interrupt is made
     * (arm_irq), and put the flags back as they were. */
    irq_enable();
    uint32_t flags = flags_and_cli();
    add_slowly(arm_irq);
    flags_restore(flags);
    /* END 3.1: flags_and_cli, flags_restore, add_slowly */
}

/* The same inside another section, where interrupts are off already: its end must not turn them on. */
static void inner_section(void)
{
    /* LAB 3.1: a section of its own, in which an interrupt is made; its end (sti_if) turns interrupts on only if its begin found
     * them on. */
    uint32_t flags = flags_and_cli();
    arm_irq();
    sti_if(flags);
    /* END 3.1: flags_and_cli, sti_if */
}

static void nested_section(void)
{
    irq_disable();
    add_slowly(inner_section);
    irq_enable();
}

/* pushf; sti; popf: a long job opens interrupts for a while; the caller's section goes on behind it. */
static void open_window(void)
{
    uint32_t flags = flags_and_cli();
    irq_enable();
    flags_restore(flags);
}

static void reopened_section(void)
{
    irq_disable();
    open_window();
    add_slowly(arm_irq);
    irq_enable();
}

static bool run(const char *name, void (*program)(void), const char *otherwise)
{
    enum { WANT = 2 };
    counter = 0;
    program();
    uint32_t got = counter;     /* read where the program's own guard has ended */

    irq_disable();
    disarm_irq();
    kprintf("%s: the program and the handler of an interrupt add 1 each; the counter is %u.\n", name + sizeof "race-" - 1, got);
    if (got != WANT)
        kprintf("It should be 2: %s\n", otherwise);
    return verdict(name, WANT, got);
}

void race_main(void);
void race_main(void)
{
    unsigned passed = 0;

    trap_hook = hook;
    irq_init();
    passed += run("race-section", section, "POPF did not turn interrupts on again, so the handler never ran.");
    passed += run("race-nested", nested_section, "PUSHF said that interrupts were on, so the inner section's end let\n"
                  "the handler in between reading and writing. An update was lost.");
    passed += run("race-reopened", reopened_section, "POPF did not turn interrupts off again, so the handler came in\n"
                  "between reading and writing. An update was lost.");
    report(passed, 3 - passed);
}
