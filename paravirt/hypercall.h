/* The hypercalls: what a paravirtual guest asks for instead of executing what would be wrong at ring 3. */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include <stdint.h>

struct paravirt;

/* Carry out hypercall `number`, counted: the result for EAX, an error of interface.h if below 0. */
int32_t hypercall(struct paravirt *pv, uint32_t number, const uint32_t argument[5]);

#endif
