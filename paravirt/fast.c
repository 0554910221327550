/* See fast.h. */
#include "fast.h"

#include "events.h"
#include "gate.h"
#include "paravirt.h"

struct paravirt *the_paravirt;

int32_t fast_version(uint32_t unused, uint32_t unused_too)
{
    (void)unused, (void)unused_too;
    return PV_VERSION;
}

int32_t fast_stack_switch(uint32_t ss, uint32_t esp)
{
    if (ss > 0xffff || (ss & 3) || !ss)
        return -PV_EINVAL;
    the_paravirt->kernel_ss = ss;
    the_paravirt->kernel_esp = gate_kernel_esp = esp;
    if (ss != gate_kernel_ss_selector)
        gate_forget();
    return 0;
}

int32_t fast_event(uint32_t operation, uint32_t number)
{
    struct pv_shared *s = the_paravirt->shared;
    uint32_t bit;

    if (number > 31)
        return -PV_EINVAL;
    bit = 1u << number;
    switch (operation) {
    case PV_EVENT_MASK: s->masked |= bit; break;
    case PV_EVENT_UNMASK: s->masked &= ~bit; break;
    case PV_EVENT_ACK: s->events &= ~bit; break;
    case PV_EVENT_SEND: s->events |= bit; break;
    default: return -PV_EINVAL;
    }
    s->pending = events_due(s);
    return 0;
}
