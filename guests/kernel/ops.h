/* Every sensitive operation that the kernel's C code executes. What assembly has of its own is the switch to paging in
 * boot.asm, and in entry.asm the segment registers on the way in and out and the return (iret_to). Whoever ports this
 * kernel to a hypervisor rebinds these and iret_to. None of them asks what does not trap at ring 3 (PUSHF, SGDT, STR,
 * LAR and their kin): the kernel knows what it has set. */
#ifndef OPS_H
#define OPS_H

#include <stddef.h>
#include <stdint.h>

struct table_register { uint16_t limit; uint32_t base; } __attribute__((packed));

void irq_disable(void);
void irq_enable(void);                          /* takes effect one instruction later */
void idle(void);                                /* interrupts on and wait, with nothing in between; then off */
void halt_forever(void) __attribute__((noreturn));
void outb(uint16_t port, uint8_t value);
uint8_t inb(uint16_t port);
void outb_block(uint16_t port, const void *from, size_t bytes);    /* one instruction: one trap */
void load_cr3(uint32_t pa);
uint32_t read_cr2(void);
uint32_t read_cr3(void);
uint32_t read_cr0(void);
void load_gdt(const struct table_register *t);  /* and all segment registers with it: CS 0x08, the others 0x10 */
void load_idt(const struct table_register *t);
void load_tr(uint16_t selector);

#endif
