/* What generate.c, instructions, and flow.c, how they are put together, share. See stream.h. */
#ifndef GENERATE_H
#define GENERATE_H

#include "stream.h"

enum holds { ANYTHING, POINTER, SMALL };        /* POINTER: into the data, or the stack; SMALL: an offset or a count */
enum { MOV_IMM = 0xb8, PUSH_IMM = 0x68, HLT = 0xf4 };

/* The stream that is being made, and what is known of the registers where it has got to. */
struct generator {
    struct stream *s;
    struct rng *r;
    enum holds reg[8];
    unsigned keep;                  /* registers that a loop or a function needs */
};
extern struct generator generator;

uint32_t below(uint32_t n);
bool chance(unsigned percent);

/* A new piece at the end; one with an immediate of four bytes, whatever the code's width; MOV to a register. */
struct piece *add(const uint8_t *bytes, unsigned length);
struct piece *add_imm(unsigned opcode, uint32_t value);
void add_mov(unsigned reg, uint32_t value, enum holds holds);

/* Any instruction but a branch, with what it needs. */
void add_any(void);

/* The register holds such a thing, or does after this. False: it must keep what it has. */
bool set(unsigned reg, uint32_t value, enum holds holds);

uint32_t pointer(bool small);
uint32_t stack_pointer(void);
uint32_t flags_image(void);

#endif
