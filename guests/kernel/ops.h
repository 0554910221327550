/* Everything that the kernel asks of the machine below it, and all that differs between its two images: native/ binds
 * these to privileged instructions and the devices of a PC (kernel.elf), paravirt/ to hypercalls (kernel-pv.elf).
 * Assembly has its own few in ops.inc. None of them asks what does not trap at ring 3 (PUSHF, SGDT, STR, LAR and
 * their kin): the kernel knows what it has set. */
#ifndef OPS_H
#define OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the start: the binding makes one of what it was given, and calls main() with it ---- */
struct boot {
    uint32_t ram_end, first_free;               /* physical, whole pages: what may be given away */
    const char *command_line;
    uint32_t *pgdir;                            /* in use, with all of RAM at KERNEL_BASE */
};
void main(const struct boot *boot) __attribute__((noreturn));

/* ---- the processor ---- */
struct table_register { uint16_t limit; uint32_t base; } __attribute__((packed));

void irq_disable(void);
void irq_enable(void);                          /* takes effect one instruction later */
void idle(void);                                /* interrupts on and wait, with nothing in between; then off */
void machine_off(unsigned status) __attribute__((noreturn));      /* QEMU, and so the VMM, makes status << 1 | 1 of it */
void load_cr3(uint32_t pa);
uint32_t read_cr2(void);
uint32_t read_cr3(void);
uint32_t read_cr0(void);
void load_gdt(const struct table_register *t);  /* and all segment registers with it: CS 0x08, the others 0x10 */
void load_idt(const struct table_register *t);
void gate_changed(unsigned vector);             /* an entry of the IDT, once it is loaded */
void load_tr(uint16_t selector);
void set_kernel_stack(uint32_t esp);            /* where the processor goes on when ring 3 traps */

/* ---- page tables: set_pte() alone writes them. What it has written counts after ptes_sync() at the latest; only flush_page()
 * and load_cr3() make the processor forget. ---- */
uint32_t table_alloc(void);                     /* one without an entry: its physical address */
void table_free(uint32_t *pde);                 /* the one that this entry of a directory names; both are empty then */
uint32_t *space_alloc(void);                    /* a page directory: the kernel's entries and no other */
void space_free(uint32_t *pgdir);               /* such a one again */
uint32_t tables_spare(void);                    /* pages that these four keep */
void set_pte(uint32_t *pte, uint32_t value);
void ptes_sync(void);
void ptes_batch(unsigned most);                 /* so many may wait for that; 64 at the start */
void flush_page(uint32_t va);

/* ---- devices ---- */
void console_init(void);
void console_write(const char *text, size_t bytes);
void irq_init(void);                            /* no line is open */
unsigned irq_take(unsigned vector);             /* at VEC_IRQ and above: which line was it? */
void irq_done(unsigned irq);                    /* and it may come again */
void timer_init(uint32_t hz);
uint32_t timer_ticks(void);                     /* at its interrupt: how many ticks does it stand for? */
uint16_t timer_clock(void);                     /* falls at PIT_HZ and goes round, whoever is interrupted */

/* ---- an interrupt on order, for probes: line IRQ_COM1. Assembly has a few more: open_irq, close_irq, arm_both ---- */
extern uint32_t armed;                          /* one of these two has been called */
void arm_irq(void);                             /* makes it pending, at once; interrupts are off, or it comes inside */
void timer_once(uint32_t clocks);               /* IRQ_TIMER alone, after so many of PIT_HZ, at most 65535 */
void quiet_irq(unsigned irq);                   /* what its handler has to do before irq_done() */
void disarm_irq(void);                          /* nothing is pending any more, and no line open */

#endif
