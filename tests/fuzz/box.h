/* A machine without a host, for targets that need one: 64 KiB of RAM, the real bus with nobody at its other end, paging one to one if
 * it is on, tables, a stack for each ring, code. tests/unit/fixture.h is its elder brother, who knows of no input. */
#ifndef BOX_H
#define BOX_H

#include "fuzz.h"
#include "machine.h"

enum {
    RAM_BYTES = 0x10000, GDT_AT = 0x1000, GDT_ENTRIES = 32, IDT_AT = 0x2000, TSS_AT = 0x3000, TSS_LIMIT = 0x87, LDT_AT = 0x3800,
    CODE_AT = 0x4000, STACKS_END = 0x6000, STACK_BYTES = 0x400, DATA_AT = 0x7000, PAGE_DIR = 0x8000, PAGE_TABLE = 0x9000,
    HANDLERS_AT = 0xa000,
};

extern struct machine box;
extern uint8_t box_ram[RAM_BYTES];

void box_poke(uint32_t gpa, uint32_t value);
uint32_t box_peek(uint32_t gpa);        /* all ones outside RAM */

/* Reset it, then change what the input says: privilege, paging, sizes; then descriptors, gates, page-table entries, registers.
 * The processor's state stays one that a processor can be in. */
void box_setup(struct input *in);

/* The rest of the input, up to 64 bytes, where EIP is, which may be at a page's end; another first instruction, different in one
 * byte, has been fetched before. */
void box_code(struct input *in);

/* Whoever follows m->mem.sealed_write has all of RAM: no store may pass it by. After the operation. */
void box_check_told(void);

/* Can a processor be in this state? Segments fit the privilege, reserved bits are as they must be. */
void box_check_state(const char *when);

#endif
