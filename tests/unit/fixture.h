/* A small PC for the unit tests of machine/: 1 MiB of RAM, a GDT, an IDT, a TSS, two stacks, the real bus
 * with nobody at its other end. Each test starts from fixture_setup() and bends what it needs. Expectations
 * in the tests come from the Intel SDM, not from the code. Read next: test_segment.c, test_event.c. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

/* Where things stand, linear and physical (paging is off at first). */
enum {
    GDT_AT = 0x1000, GDT_ENTRIES = 64, IDT_AT = 0x2000, TSS_AT = 0x3000, TSS_LIMIT = 0x103f, LDT_AT = 0x5000,
    CODE_AT = 0x6000, USER_STACK = 0x9000, KERNEL_STACK = 0xb000, HANDLERS_AT = 0x4c000, PAGE_DIR = 0x10000,
    PAGE_TABLE = 0x11000, DATA_AT = 0x20000, RAM_BYTES = 0x100000, IO_BITMAP = 104,
};

/* Selectors that fixture_setup() fills: flat, 32-bit. Everything from 0x40 on is the test's. */
enum { KCODE = 0x08, KDATA = 0x10, UCODE = 0x1b, UDATA = 0x23, TSS_SEL = 0x28, LDT_SEL = 0x30, SPARE = 0x40 };

/* Descriptor attributes as in vcpu.h: byte 5 in bits 7:0, G D/B L AVL in bits 11:8. `D3` for DPL 3. */
enum {
    A_CODE = 0x09a, A_DATA = 0x092, A_DPL1 = 0x20, A_DPL2 = 0x40, A_DPL3 = 0x60, A_BIG = 0x400, A_GRAN = 0x800,
    A_FLAT = 0xc00, A_ABSENT = 0x80,            /* to be subtracted */
};

extern struct machine pc;

void fixture_setup(void);               /* CPL 0, IF 0, EIP = CODE_AT, ESP = KERNEL_STACK */
void fixture_user(unsigned iopl);       /* from there to CPL 3 on the user's stack */
TCase *fixture_case(Suite *s, const char *name);        /* a TCase that starts every test from fixture_setup() */

void set_descriptor(uint16_t selector, uint32_t base, uint32_t limit, unsigned attr);   /* raw 20-bit limit */
void set_gate(uint32_t at, uint16_t selector, uint32_t offset, unsigned attr, unsigned parameters);
uint32_t handler_of(unsigned vector);   /* where the fixture's interrupt gate of this vector leads */
unsigned descriptor_byte5(uint16_t selector);

void paging_on(void);                   /* the first 4 MiB mapped one to one, present, writable, user */
void set_pte(uint32_t gla, uint32_t pte);
uint32_t get_pte(uint32_t gla);

void poke(uint32_t gpa, uint32_t value);        /* 32 bits of RAM */
uint32_t peek(uint32_t gpa);
uint32_t stack_word(unsigned n);        /* the n-th 32-bit word from the top of the guest's stack */

/* The instruction at EIP: decode, emulate. With the bytes put there first: RUN("\xfa"). */
bool run_here(void);
bool run_bytes(const void *bytes, size_t n);
#define RUN(literal) run_bytes(literal, sizeof literal - 1)

/* Registers and shadow are as they were; `fault` is looked at by expect_fault(). */
void expect_unchanged(struct vcpu before, const char *what);

/* The operation succeeded. */
void expect_ran(bool ok, const char *what);

/* The operation failed with exactly this exception; `error` -1: without an error code. */
void expect_fault(bool ok, unsigned vector, int error, const char *what);

extern char com1_output[64];            /* what the guest wrote to the serial port, NUL-terminated */

void raise_irq0(void);                  /* an 8259 with vectors from 0x20, everything unmasked, request 0 pending */

#define BYTES(literal) literal, sizeof literal - 1
#define COUNT_OF(table) ((int)(sizeof (table) / sizeof (table)[0]))
#define NO_ERROR (-1)
#define NO_FAULT (-2)

#endif
