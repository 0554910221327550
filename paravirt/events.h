/* Events and the guest's clock: what stands in for interrupts and the 8254. The guest's interrupt flag lives in the
 * shared-info page while the guest runs, in its EFLAGS while C runs. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "interface.h"

struct paravirt;

static inline bool events_due(const struct pv_shared *s) { return (s->events & ~s->masked) != 0; }

/* IF, `pending` and CR2 into the shared-info page, before the guest runs; IF back, after it. */
void events_to_guest(struct paravirt *pv);
void events_from_guest(struct paravirt *pv);

/* If one has come that is not masked, and the guest takes events: the upcall. Ends a HLT. */
void events_deliver(struct paravirt *pv);

/* ns since the guest's start. */
uint64_t clock_now(const struct paravirt *pv);

/* Once: the clock is 0 now. Then whenever the VMM runs anyway: tell the guest by what it can compute the time; raise the timer's
 * event if it is due. */
void clock_start(struct paravirt *pv);
void clock_tick(struct paravirt *pv);

/* When it will be due, in console_now()'s ns; UINT64_MAX: never. */
uint64_t clock_deadline(const struct paravirt *pv);

#endif
