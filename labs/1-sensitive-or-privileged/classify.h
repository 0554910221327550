/* Lab 1: what an instruction does at ring 0 and at ring 3, and what that makes of it. */
#ifndef CLASSIFY_H
#define CLASSIFY_H

#include <stdint.h>

/* `fault`: it ends with an exception. `value`: what it shows or leaves behind of the processor's state, 0 if nothing, or if it ends
 * with an exception. At ring 0 the interrupt flag is off and tables and selectors are the kernel's; at ring 3 they are whoever's who
 * runs below. */
struct seen {
    int fault;
    uint32_t value;
};

enum kind { PRIVILEGED, SENSITIVE, INNOCUOUS };

enum kind classify(const struct seen *ring0, const struct seen *ring3);

#endif
