/* What a hostile paravirtual guest does next, out of whatever numbers somebody throws: random ones (test_hostile.c), or a fuzzer's
 * (tests/fuzz/hypercalls.c). On the machine of test_paravirt.h. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdint.h>

#include "test_paravirt.h"

enum { HOSTILE_TABLES = 8, HOSTILE_PAGES = 16 };        /* from PV_FREE: what it makes tables of, what it maps */

struct hostile {
    uint32_t (*word)(void);                             /* any */
    uint32_t (*below)(uint32_t n);                      /* 0 to n - 1 */
};

/* Once: where the numbers come from, and the state that every step begins with. */
void hostile_start(struct hostile numbers);

/* It touches memory, makes a table, or does neither; then it asks for something. An error that hypercalls.def does not list ends the
 * test. */
void hostile_step(void);

/* Every error that the table lists has come. */
void hostile_saw_all_errors(void);

#endif
