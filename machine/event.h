/* Events: exceptions, software and external interrupts, delivered through the guest's own IDT as the
 * processor would, TSS stack switch, double and triple faults included. Intel SDM vol. 3A chapter 6. */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

struct machine;

/* Deliver the exception in m->cpu.fault to the guest. A fault on the way becomes the fault that is delivered,
 * a double fault, or at last a triple fault: then the machine is stopped with EXIT_CRASH and false returned. */
bool event_exception(struct machine *m);

/* The exception in m->cpu.fault came while `first` was delivered (VEC_NMI: while nothing was, or an interrupt). It stays, or
 * becomes a double fault, and CR2 is set; false after a third: the machine is stopped (Intel SDM vol. 3A table 6-5). For
 * whoever lets a processor deliver. */
bool event_second(struct machine *m, uint8_t first);

/* INT n, INT3, INTO: `next` is the address of the instruction that follows. False: the delivery faulted
 * (the gate's DPL, say); the exception is in m->cpu.fault, EIP still at the instruction. */
bool event_software(struct machine *m, uint8_t vector, uint32_t next);

/* If the guest can take an external interrupt now (IF set, no shadow) and one is pending, acknowledge it
 * and deliver it. Call it before every entry to the guest. Ends a HLT. */
void event_interrupts(struct machine *m);

/* Deliver external interrupt `vector`, which is the caller's to acknowledge, even if IF is 0. */
void event_external(struct machine *m, uint8_t vector);

/* Would event_interrupts(), or a VMM with m->vmm_event, have something to deliver, were it not for an interrupt shadow? */
bool event_waiting(const struct machine *m);

#endif
