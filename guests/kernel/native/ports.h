/* Ports, as C sees them: ops.asm. */
#ifndef PORTS_H
#define PORTS_H

#include <stddef.h>
#include <stdint.h>

void outb(uint16_t port, uint8_t value);
uint8_t inb(uint16_t port);
void outb_block(uint16_t port, const void *from, size_t bytes);    /* one instruction: one trap */
void halt(void);

#endif
