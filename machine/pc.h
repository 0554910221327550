/* The PC's numbers: what a guest and the machine must agree on, and what guests/ may include (with paravirt/interface.h).
 * Only `#define NAME number` lines, so that the Makefile can turn this file into a nasm include
 * (build/pc.inc). Sources: Intel 8259A, 8254 and NS16550A data sheets; QEMU's `pc` machine. */
#ifndef PC_H
#define PC_H

/* I/O ports */
#define PORT_PIC1_COMMAND 0x20
#define PORT_PIC1_DATA    0x21
#define PORT_PIC2_COMMAND 0xa0
#define PORT_PIC2_DATA    0xa1
#define PORT_PIT_COUNTER0 0x40
#define PORT_PIT_COUNTER1 0x41
#define PORT_PIT_CONTROL  0x43
#define PORT_COM1         0x3f8
#define PORT_DEBUG_EXIT   0xf4

/* Interrupt lines */
#define IRQ_TIMER   0
#define IRQ_CASCADE 2
#define IRQ_COM1    4

/* The 8254's input clock, Hz */
#define PIT_HZ 1193182

/* Multiboot 1: EAX at entry, and the header's magic */
#define MULTIBOOT_LOADER_MAGIC 0x2badb002
#define MULTIBOOT_HEADER_MAGIC 0x1badb002

#endif
