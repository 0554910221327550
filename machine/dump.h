/* The guest's state in words, for a crash or a trace. */
#ifndef DUMP_H
#define DUMP_H

#include <stdio.h>

struct machine;
struct symbols;

/* Registers, sixteen bytes at EIP with their mnemonic, the symbol. `symbols` may be NULL. */
void dump_machine(FILE *f, const struct machine *m, const struct symbols *symbols);

/* One line: symbol+offset, address, mnemonic. */
void dump_place(FILE *f, const struct machine *m, const struct symbols *symbols);

#endif
