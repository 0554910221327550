/* The start of day. */
#ifndef START_H
#define START_H

#include <stdbool.h>

struct paravirt;

/* Load the kernel that vm->options names and make the guest's first address space: RAM at the kernel's base, page tables
 * read-only, in frames behind the kernel. The processor stands at the entry that the kernel's note gives. False: a
 * sentence has been printed; exit with EXIT_USAGE. */
bool start_load(struct paravirt *pv);

#endif
