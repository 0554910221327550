/* Sensitive instructions that kernels execute often, as sequences of host code that stay in the cache. */
#ifndef SEQUENCES_H
#define SEQUENCES_H

#include "unit.h"

/* Is there a sequence for this instruction in this context? */
bool sequence_exists(const struct unit *u, const struct insn *insn);

/* Emit it. */
void sequence_emit(struct unit *u, const struct item *item);

#endif
