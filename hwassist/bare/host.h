/* What stands in for a host operating system: memory, the clock, the way out. The serial port and the modules come in the shape
 * that machine/ knows from Linux (console.h, file.h): host.c brings the same functions. */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

/* Of such lines, here and in vmcs.h, the Makefile makes an include for nasm. Selectors in boot.asm's GDT; the 8254's vector. */
#define HOST_CS 8
#define HOST_DS 16
#define HOST_TR 24
#define HOST_IRQ_VECTOR 0x30

/* start.c: what boot.asm calls, with the address of the multiboot information. */
_Noreturn void bare_main(uint32_t info);

/* COM1, the 8259s, the 8254 and the clock; what the multiboot information at `info` tells is copied. */
void host_init(uint32_t info);

/* The monitor's command line; that of the first module, which is the guest's kernel ("kernel.elf run=demo"); that of the second,
 * which is the guest's module, empty if there is none. */
extern char host_command_line[], host_guest_line[], host_module_line[];

/* `bytes` of zeroed memory at a multiple of `alignment`, never given back; NULL if there is no more. */
void *host_memory(size_t bytes, size_t alignment);

/* Have the 8254 interrupt at `deadline` (ns of console_now()) or before; UINT64_MAX: never. */
void host_arm(uint64_t deadline);

/* Let an interrupt in that ended the guest's run. */
void host_take_interrupt(void);

/* A checksum of all memory that neither the guest nor the monitor should change: all but [guest, guest + bytes) and the
 * monitor's own data. */
uint64_t host_checksum(const uint8_t *guest, size_t bytes);

/* A character of what printf and its kin print: to the debug console, or where there is none, to COM2. */
void host_debug(char c);

/* What boot.asm calls when the monitor itself raises an exception: host_bug(). */
_Noreturn void trap(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2);

/* End it with a sentence: the monitor is wrong. */
_Noreturn void host_bug(const char *what);

/* End the machine: on QEMU and Bochs, with `status` on the debug console for those who started it. */
_Noreturn void host_exit(int status);

#endif
