/* Before a page of guest code runs directly, somebody must have looked at it: ring 3 gets some instructions wrong, and
 * no trap tells. Pages are mapped without the right to execute until then (shadow.executable). */
#ifndef LOOK_H
#define LOOK_H

#include "cache.h"

/* The guest wants to execute at `gla`, in user mode: look at its page. It becomes executable if it has nothing
 * sensitive that does not trap (as far as sweep.h sees), else its code is translated. */
void look_at(struct cache *c, uint32_t gla);

/* Has the page of `gla` been found to need the translator? */
bool look_found_sensitive(const struct cache *c, uint32_t gla);

#endif
