/* `run=timeline`, the kernel's half: system calls, page faults and timer ticks come in and go out by ways that note the time-stamp
 * counter (timeline-entry.asm). The user's half (user/timeline.c) makes them happen, asks for what was noted, and prints. */
#include "kernel.h"
#include "ops.h"
#include "process.h"
#include "syscall.h"

void timeline_syscall(void), timeline_page_fault(void), timeline_timer(void);
extern uint64_t timeline_entered, timeline_left;

static uint32_t *pgdir;                 /* of the process that calls */

/* A page that is there on demand. */
static bool give_page(uint32_t va)
{
    if (va - TIMELINE_PAGES >= TIMELINE_PAGE_COUNT * PAGE)
        return false;
    map_page(pgdir, va & ~(PAGE - 1), page_alloc(), PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
    ptes_sync();
    return true;
}

/* Before anything else sees to a trap. `left` is of the trap before. */
static bool note(struct trapframe *f)
{
    static struct timeline_trap last;
    struct timeline_trap before = { last.vector, last.entered, timeline_left };

    last = (struct timeline_trap){ f->vector, timeline_entered, 0 };
    if (f->vector == VEC_PF && (f->cs & 3))
        return give_page(read_cr2());
    if (f->vector != VEC_SYSCALL || f->eax != SYS_TIMELINE || !process_owns(f->ebx, sizeof before, PTE_W))
        return false;
    pgdir = phys_to_virt(read_cr3());
    memcpy((void *)f->ebx, &before, sizeof before);
    return true;
}

/* It returns: process 1 then runs the user's half. */
void timeline_main(void);
void timeline_main(void)
{
    trap_hook = note;
    idt_set(VEC_SYSCALL, (uint32_t)timeline_syscall, 3);
    idt_set(VEC_PF, (uint32_t)timeline_page_fault, 0);
    idt_set(VEC_IRQ + IRQ_TIMER, (uint32_t)timeline_timer, 0);
}
