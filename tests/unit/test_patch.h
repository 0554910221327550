/* Stand-ins for the code cache and the translator, so that what becomes of a page of guest code that is not translated
 * (patch.c, look.c) can be tested without the hole and without executing anything. See test_patch.c. */
#ifndef TEST_PATCH_H
#define TEST_PATCH_H

#include "../../binary-translation/cache.h"
#include "fixture.h"

extern struct cache cache;
extern bool checked;            /* what cache_is_checked() answers */
extern unsigned seals;          /* calls of cache_seal() */

void cache_stand_in(void);      /* an empty cache for `pc` */
void put_code(uint32_t gpa, const void *bytes, size_t n);

#endif
