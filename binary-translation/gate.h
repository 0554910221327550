/* The way out of the code cache: the first page of HOLE->code. An exit's stub, 32-bit code, says which exit it is and
 * jumps far to Linux's 64-bit segment; eight bytes of 64-bit code there go on to direct_gate(), above 4 GiB.
 *
 *     block:   ... jmp stub
 *     stub:    mov dword gs:[slots.exit], number
 *              jmp far 0x33:gate
 *     gate:    jmp [direct_gate]                             64-bit from here on */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

struct emitter;

/* slots.exit, if it is not the number of an exit: an indirect branch found nothing in the jump table; the instruction has
 * been carried out already. */
enum { EXIT_MISS = -1, EXIT_SERVED = -2 };

/* Write the gate into its page, of which `page` is the writable mapping. */
void gate_write(uint8_t *page);

/* Host address to which an indirect branch goes that finds nothing. */
uint32_t gate_miss(void);

/* Is this host address in the gate's page? If so, which exit is being taken: the one in slots.exit, `said`, or EXIT_MISS,
 * which may not have been written yet. */
bool gate_contains(uint32_t host);
int gate_exit(uint32_t host, uint32_t said);

/* The stub of exit `number`, STUB_BYTES at most. */
void gate_emit_stub(struct emitter *e, uint32_t number);

#endif
