/* See events.h. */
#include "events.h"

#include <x86intrin.h>

#include "event.h"
#include "paravirt.h"

void events_to_guest(struct paravirt *pv)
{
    pv->shared->flags = pv->m->cpu.eflags & FLAG_IF;
    pv->shared->pending = pv->m->vmm_event = events_due(pv->shared);
    pv->shared->cr2 = pv->m->cpu.cr2;
}

void events_from_guest(struct paravirt *pv)
{
    struct vcpu *cpu = &pv->m->cpu;

    cpu->eflags = (cpu->eflags & ~(uint32_t)FLAG_IF) | (pv->shared->flags & FLAG_IF);
}

void events_deliver(struct paravirt *pv)
{
    struct vcpu *cpu = &pv->m->cpu;

    if ((cpu->eflags & FLAG_IF) && cpu->shadow == SHADOW_NONE && events_due(pv->shared))
        event_external(pv->m, PV_UPCALL);
}

/* ---- the clock ----------------------------------------------------------------------------------- */

enum { CALIBRATION = 400000 /* ns: then the scale is right to a ten-thousandth; it gets better */, SCALE_BITS = 32 - 8 };

uint64_t clock_now(const struct paravirt *pv) { return console_now() - pv->clock_start; }

uint64_t clock_deadline(const struct paravirt *pv)
{
    return pv->timer > UINT64_MAX - pv->clock_start ? UINT64_MAX : pv->clock_start + pv->timer;
}

static uint64_t guest_ns(const struct pv_shared *s, uint64_t tsc)
{
    return s->ns + (uint64_t)((unsigned __int128)(tsc - s->tsc_then) * s->scale >> SCALE_BITS);
}

/* The scale gets better the longer the guest runs. What it has read must not be later than what it reads next. */
static void publish_clock(struct paravirt *pv)
{
    struct pv_shared *s = pv->shared;
    uint64_t tsc = __rdtsc(), ns = clock_now(pv), shown = s->scale ? guest_ns(s, tsc) : 0;

    s->version++;
    s->scale = (uint32_t)(((unsigned __int128)ns << SCALE_BITS) / (tsc - pv->tsc_start));
    s->tsc_then = tsc;
    s->ns = ns > shown ? ns : shown;
    s->version++;
}

void clock_start(struct paravirt *pv)
{
    pv->clock_start = console_now();
    pv->tsc_start = __rdtsc();
    pv->timer = UINT64_MAX;
    while (clock_now(pv) < CALIBRATION)
        ;
    publish_clock(pv);
}

void clock_tick(struct paravirt *pv)
{
    publish_clock(pv);
    if (clock_now(pv) < pv->timer)
        return;
    pv->timer = UINT64_MAX;
    pv->shared->events |= 1u << PV_EVENT_TIMER;
}
