/* See fast.h. */
#include "fast.h"

#include "events.h"
#include "gate.h"
#include "paravirt.h"

struct paravirt *fast_paravirt;

int32_t fast_version(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
    (void)a, (void)b, (void)c, (void)d, (void)e;
    return PV_VERSION;
}

int32_t fast_stack_switch(uint32_t ss, uint32_t esp, uint32_t c, uint32_t d, uint32_t e)
{
    (void)c, (void)d, (void)e;
    if (ss > 0xffff || (ss & 3) || !ss)
        return -PV_EINVAL;
    fast_paravirt->kernel_ss = ss;
    fast_paravirt->kernel_esp = gate_kernel_esp = esp;
    if (ss != gate_kernel_ss_selector)
        gate_forget();
    return 0;
}

int32_t fast_event(uint32_t operation, uint32_t number, uint32_t c, uint32_t d, uint32_t e)
{
    struct pv_shared *s = fast_paravirt->shared;
    uint32_t bit;

    (void)c, (void)d, (void)e;
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
