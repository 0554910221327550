/* Hypercalls that the gate calls with nothing saved but the general registers: no FPU or SSE register, nothing of the C
 * library, no thread-local variable. fast.c is compiled that way. All return an error of interface.h if below 0. */
#ifndef FAST_H
#define FAST_H

#include <stdint.h>

struct paravirt;

/* The one of this process: the gate has no argument to find it by. */
extern struct paravirt *the_paravirt;

/* The interface's version. Nothing happens: this is what the way across costs. */
int32_t fast_version(uint32_t unused, uint32_t unused_too);

/* Where the kernel goes on when ring 3 traps: `ss` of ring 0. Both are checked when they are used. */
int32_t fast_stack_switch(uint32_t ss, uint32_t esp);

/* MASK, UNMASK, ACK (its bit goes out), SEND (it comes, from the guest itself): event 0 to 31. */
int32_t fast_event(uint32_t operation, uint32_t number);

#endif
