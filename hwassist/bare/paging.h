/* What the guest's physical memory is made of: nested page tables, or, with --no-npt, shadow page tables in their place. Beyond
 * the guest's RAM every address leads to one page of ones that may be read. A write there ends in that page too, which is
 * made writable for it and is full of ones again at the next exit, which main.c sees to comes soon: no more is left of the write. */
#ifndef PAGING_H
#define PAGING_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

/* ---- nested.c: guest-physical to host-physical, by the processor (AMD APM vol. 2 15.25, Intel SDM vol. 3C 29.3) ---- */

/* What entries have beside permissions: those that lead to a table, and those that lead to a page. */
struct nested_bits {
    uint16_t table, page;
};

/* Tables for all of m->mem and what lies beyond, up to 4 GiB. Returns the physical address of the root, 0 if there is no memory
 * for them. */
uint64_t nested_init(const struct machine *m, struct nested_bits bits);

/* The page that stands for all that is not RAM. False: there is no memory for it. */
bool nowhere_init(void);
uint32_t nowhere_page(void);

/* Let a write to it by this address happen; and no more. m->hooks.flush_all is told of the second, if the first was. */
void nowhere_open(uint32_t gpa);
void nowhere_close(struct machine *m);
bool nowhere_is_open(void);

/* ---- shadow.c: guest-linear to host-physical, filled by page faults -------------------------------- */

/* A directory and a pool of tables, and the hooks of machine.h for what the guest does to its translations. `changed` is called
 * whenever something has left the shadow. */
void shadow_init(struct machine *m, void (*changed)(void));

/* The directory's physical address, for the processor's CR3. */
uint32_t shadow_root(void);

/* The guest met a page fault at `gla` (error code as the processor gave it). True: the shadow has the page now. False: it is
 * the guest's own fault, which is in m->cpu.fault. */
bool shadow_fill(struct machine *m, uint32_t gla, uint32_t error);

#endif
