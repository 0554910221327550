/* The start of day: everything before the guest's first instruction. */
#ifndef START_H
#define START_H

#include <stdbool.h>
#include <stdint.h>

struct paravirt;

/* The first address space: RAM at linear `base`, the VMM's own pages, page tables read-only in frames from physical `loaded`
 * up to *end; checked, pinned, in CR3. NULL, or why it cannot be. */
const char *start_space(struct paravirt *pv, uint32_t base, uint32_t loaded, uint32_t *end);

/* Load the kernel that vm->options names, make its first address space, and put the processor at the entry that its note
 * gives. False: a sentence has been printed; exit with EXIT_USAGE. */
bool start_load(struct paravirt *pv);

#endif
