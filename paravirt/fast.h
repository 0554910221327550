/* Hypercalls that the gate calls with nothing saved but the general registers: no FPU or SSE register, nothing of the C library,
 * no thread-local variable. fast.c is compiled that way; what a hypercall takes and returns says hypercall.c. */
#ifndef FAST_H
#define FAST_H

#include <stdint.h>

struct paravirt;

/* The one of this process: the gate has no argument to find it by. */
extern struct paravirt *fast_paravirt;

int32_t fast_version(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e);
int32_t fast_stack_switch(uint32_t ss, uint32_t esp, uint32_t c, uint32_t d, uint32_t e);
int32_t fast_event(uint32_t operation, uint32_t number, uint32_t c, uint32_t d, uint32_t e);

#endif
