/* Delivery of events through the guest's IDT. See event.h. */
#include "event.h"

#include "machine.h"
#include "segment.h"
#include "status.h"
#include "transfer.h"

struct event {
    uint8_t vector;
    bool software;              /* INT n, INT3, INTO: the gate's DPL is checked */
    bool has_error;
    uint32_t error;
    uint32_t eflags, eip;       /* to be pushed */
};

struct gate {
    uint16_t selector;
    uint32_t offset;
    unsigned attr;
    unsigned bytes;             /* 2 or 4 */
};

/* Error code that points into the IDT: bit 1 (Intel SDM vol. 3A 6.13). */
static bool raise_idt(struct machine *m, enum vector vector, uint8_t at, unsigned ext)
{
    return vcpu_raise_error(&m->cpu, vector, at * 8u + 2 + ext);
}

static bool gate_read(struct machine *m, const struct event *e, unsigned ext, struct gate *g)
{
    struct vcpu *cpu = &m->cpu;
    uint32_t word[2];
    unsigned type;

    if (!m->hooks.gate || !m->hooks.gate(m, e->vector, word)) {
        if (e->vector * 8u + 7 > cpu->idtr.limit)
            return raise_idt(m, VEC_GP, e->vector, ext);
        if (!memory_load(m, cpu->idtr.base + e->vector * 8u, word, 8, 0))
            return false;
    }
    g->attr = word[1] >> 8 & 0xff;
    type = g->attr & (ATTR_SEGMENT | ATTR_TYPE);
    if (type != SYS_TASK_GATE && (type & ~(1u | 8u)) != SYS_INT_GATE16)
        return raise_idt(m, VEC_GP, e->vector, ext);
    if (e->software && attr_dpl(g->attr) < vcpu_cpl(cpu))
        return raise_idt(m, VEC_GP, e->vector, 0);
    if (!(g->attr & ATTR_PRESENT))
        return raise_idt(m, VEC_NP, e->vector, ext);
    if (type == SYS_TASK_GATE)
        return machine_stop(m, EXIT_CRASH, "the guest's IDT holds a task gate, which is not modelled");
    g->bytes = type & 8 ? 4 : 2;
    g->selector = (uint16_t)(word[0] >> 16);
    g->offset = (word[0] & 0xffff) | (g->bytes == 4 ? word[1] & 0xffff0000 : 0);
    return true;
}

static bool handler_read(struct machine *m, const struct gate *g, unsigned ext, struct descriptor *code)
{
    unsigned attr;

    if (selector_is_null(g->selector))
        return vcpu_raise_error(&m->cpu, VEC_GP, ext);
    if (!descriptor_read(m, g->selector, VEC_GP, ext, code))
        return false;
    attr = code->segment.attr;
    if (!attr_is_code(attr) || attr_dpl(attr) > vcpu_cpl(&m->cpu))
        return vcpu_raise_error(&m->cpu, VEC_GP, (g->selector & ~3u) | ext);
    if (!(attr & ATTR_PRESENT))
        return vcpu_raise_error(&m->cpu, VEC_NP, (g->selector & ~3u) | ext);
    return descriptor_mark_accessed(m, code);
}

static bool deliver(struct machine *m, const struct event *e)
{
    /* LAB 2.5: through the IDT to the handler, or false with an exception raised and nothing changed. Read the gate and its code
     * segment. If the handler is more privileged, its stack comes from the TSS, and the old SS and ESP are pushed there first; then
     * EFLAGS, CS, EIP and, if there is one, the error code, each as wide as the gate. Only when all that has gone well is the
     * new state committed: stack, CS:EIP, flags (TF, NT, RF, VM go; IF too, but for a trap gate), no shadow, no halt. Count the event.
     * Intel SDM vol. 3A 6.12. */
    struct vcpu *cpu = &m->cpu;
    unsigned ext = e->software ? 0 : 1, cpl = vcpu_cpl(cpu);
    struct stack s = stack_current(cpu);
    struct descriptor code;
    struct gate g = { 0 };

    if (!gate_read(m, e, ext, &g) || !handler_read(m, &g, ext, &code))
        return false;
    s.error = ext;
    if (!(code.segment.attr & ATTR_CONFORMING) && attr_dpl(code.segment.attr) < cpl) {
        cpl = attr_dpl(code.segment.attr);
        if (!stack_of_ring(m, cpl, ext, &s) ||
            !stack_push(m, &s, cpu->seg[SS].selector, g.bytes) || !stack_push(m, &s, cpu->gpr[ESP], g.bytes))
            return false;
    }
    if (!stack_push(m, &s, e->eflags & ~m->hidden_flags, g.bytes) || !stack_push(m, &s, cpu->seg[CS].selector, g.bytes) ||
        !stack_push(m, &s, e->eip, g.bytes) || (e->has_error && !stack_push(m, &s, e->error, g.bytes)))
        return false;
    if (g.offset > code.segment.limit)
        return vcpu_raise_error(cpu, VEC_GP, ext);
    stack_commit(cpu, &s);
    transfer_commit(cpu, g.selector, &code.segment, cpl, g.offset);
    cpu->eflags &= ~(uint32_t)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (g.attr & 1 ? 0 : FLAG_IF));
    cpu->shadow = SHADOW_NONE;
    cpu->halted = false;
    m->counters.events[e->vector]++;
    return true;
    /* END 2.5: m, e, gate_read, handler_read */
}

/* Intel SDM vol. 3A table 6-5: which second exception makes a double fault. */
static bool is_contributory(uint8_t vector)
{
    return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

static bool makes_double_fault(uint8_t first, uint8_t second)
{
    return (is_contributory(first) && is_contributory(second)) ||
           (first == VEC_PF && (is_contributory(second) || second == VEC_PF));
}

/* RF is set in the pushed flags of fault-class exceptions, so that a restarted instruction does not meet
 * its own breakpoint again (Intel SDM vol. 3B 17.3.1.1). */
static bool is_fault_class(uint8_t vector)
{
    return vector != VEC_DB && vector != VEC_BP && vector != VEC_OF && vector != VEC_DF && vector != VEC_NMI;
}

bool event_second(struct machine *m, uint8_t first)
{
    struct vcpu *cpu = &m->cpu;

    if (cpu->fault.vector == VEC_PF)
        cpu->cr2 = cpu->fault.cr2;                      /* also when it ends in a double fault (6.15, #PF) */
    if (first == VEC_DF)
        return machine_stop(m, EXIT_CRASH, "triple fault: the guest could not take a double fault");
    if (makes_double_fault(first, cpu->fault.vector))
        cpu->fault = (struct fault){ .vector = VEC_DF, .has_error = true };
    return true;
}

bool event_exception(struct machine *m)
{
    struct vcpu *cpu = &m->cpu;
    uint8_t first = VEC_NMI;                            /* none yet: like an NMI, it makes no double fault */
    uint32_t met = 0;                                   /* by vector: #AC may raise itself, and a processor tries for ever */

    if (m->hooks.debugger && m->hooks.debugger(m, cpu->fault.vector))
        return true;
    while (!m->stopped && event_second(m, first)) {
        struct fault f = cpu->fault;
        struct event e = {
            .vector = f.vector, .has_error = f.has_error, .error = f.error, .eip = cpu->eip,
            .eflags = cpu->eflags | (is_fault_class(f.vector) ? FLAG_RF : 0),
        };

        if (deliver(m, &e))
            return true;
        if (met >> f.vector & 1)
            return machine_stop(m, EXIT_CRASH, "delivering an exception raises the same one again, for ever");
        met |= 1u << f.vector;
        first = f.vector;
    }
    return false;
}

bool event_software(struct machine *m, uint8_t vector, uint32_t next)
{
    struct event e = { .vector = vector, .software = true, .eip = next, .eflags = m->cpu.eflags };

    if (vector == VEC_BP && m->hooks.debugger && m->hooks.debugger(m, vector))
        return true;
    return deliver(m, &e);
}

bool event_waiting(const struct machine *m)
{
    return (m->cpu.eflags & FLAG_IF) && !m->hidden_flags && (m->vmm_event || bus_intr(&m->bus));
}

void event_external(struct machine *m, uint8_t vector)
{
    struct event e = { .vector = vector, .eip = m->cpu.eip, .eflags = m->cpu.eflags };

    if (!deliver(m, &e))
        event_exception(m);
}

void event_interrupts(struct machine *m)
{
    if (m->cpu.shadow == SHADOW_NONE && event_waiting(m))
        event_external(m, bus_ack(&m->bus));
}
