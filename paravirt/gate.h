/* The gates: how control passes between guest and VMM without a signal. gate.asm is the other half. */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "direct/direct.h"

struct paravirt;

/* Where a crossing that C must see to came from: direct_world.gate after DIRECT_GATE. */
enum gate {
    GATE_HYPERCALL,             /* EAX is the number */
    GATE_IRET,                  /* the frame has been popped, and lies in five words below ESP */
    GATE_IRET_SLOW,             /* the frame is on the stack */
    GATE_USER_CALL,             /* EDX is the return address */
    GATE_INTERRUPTED,           /* no crossing: the timer or an event came as the guest was about to go on, at EIP */
};

/* Once: the gates, by far jumps or by a trapping INT (`trap`). NULL, or what the host lacks. */
const char *gate_init(struct paravirt *pv, bool trap);

/* The hypercall page is this one of guest RAM's; pv->shared is known. */
void gate_write_page(struct paravirt *pv, uint8_t *page);

/* direct_run(), with what may pass a gate without C made known before it. */
enum direct_exit gate_run(struct paravirt *pv, uint64_t deadline);

/* After DIRECT_GATE, or at an INT of vector PV_TRAP_VECTOR (`trap`): do what the guest asks for. */
void gate_serve(struct paravirt *pv);
void gate_serve_trap(struct paravirt *pv);

/* Row `vector` of the trap table is the one for system calls by PV_USER_CALL; -1: none is. */
void gate_set_user_call(struct paravirt *pv, int vector);

/* What passed once must be seen again before it passes without C: segments or stacks have changed. */
extern bool gate_kernel_ready, gate_user_ready;
static inline void gate_forget(void) { gate_kernel_ready = gate_user_ready = false; }

/* Crossings without C since the last time, into the counters. */
void gate_count(struct paravirt *pv);

/* For fast.c: the stack of ring 0, and the selector of its segment when it was seen last. */
extern uint32_t gate_kernel_esp, gate_kernel_ss_selector;

#endif
