/* See gate.h and gate.asm. */
#include "gate.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "direct/world.h"
#include "event.h"
#include "events.h"
#include "fast.h"
#include "hypercall.h"
#include "machine.h"
#include "paravirt.h"
#include "segment.h"

enum { PAGE_RETURN = PV_USER_CALL + 32, PAGE_IRET = PV_USER_CALL + 128, FRAME_BYTES = 20, USER_CALL_VECTOR = 1026 };

#define AT(field, offset) _Static_assert(offsetof(struct pv_shared, field) == (offset), "gate.asm and interface.h say so")
AT(flags, PV_FLAGS - PV_SHARED); AT(pending, PV_PENDING - PV_SHARED); AT(events, PV_EVENTS - PV_SHARED);
AT(masked, PV_MASKED - PV_SHARED); AT(cr2, PV_CR2 - PV_SHARED); AT(ret_eip, 44); AT(user_esp, 64);
AT(eax, 84);

/* gate.asm */
extern const uint8_t gate_stubs[], gate_page[], gate_page_trap[], gate_restart[], gate_restart_end[];
void gate_hypercall(void), gate_iret(void), gate_slow(void), gate_user_call(void);

/* What gate.asm asks. */
int32_t (*gate_fast[HYPERCALLS])(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t) = {
    [HC_VERSION] = fast_version, [HC_STACK_SWITCH] = fast_stack_switch, [HC_EVENT] = fast_event,
};
uint64_t gate_calls[HYPERCALLS + 1];                    /* the last one: PV_USER_CALL */
unsigned *gate_exposed;
struct pv_shared *gate_shared;
uint16_t gate_kernel_cs, gate_kernel_ss, gate_user_cs, gate_user_ss;    /* the processor's selectors */
uint32_t gate_user_selectors;                           /* the guest's: CS, and SS in the upper half */
uint32_t gate_kernel_esp;
bool gate_kernel_ready, gate_user_ready;

uint32_t gate_kernel_ss_selector;
static uint32_t gate_kernel_cs_selector;
static uint8_t *user_call_vector;                       /* in the hypercall page, if that asks by INT */
static unsigned seen_rewritten;                         /* segments.h: the selectors are those of then */

/* ---- once ---------------------------------------------------------------------------------------- */

const char *gate_init(struct paravirt *pv, bool trap)
{
    void (*const targets[GATE_STUBS])(void) = { gate_hypercall, gate_iret, gate_slow, gate_user_call };
    void *at = (void *)(uintptr_t)HOLE_BEGIN;
    uint8_t *stubs = mmap(at, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (stubs != at)
        return "the top of the process's first 4 GiB is in use";
    memcpy(stubs, gate_stubs, GATE_STUBS * GATE_STUB);
    memcpy(stubs + GATE_STUBS * GATE_STUB, targets, sizeof targets);
    if (mprotect(stubs, PAGE_BYTES, PROT_READ | PROT_EXEC) != 0)
        return "mprotect failed: no executable memory";
    pv->by_trap = trap;
    gate_exposed = &pv->direct->shadow.exposed;
    pv->direct->gates = HOLE_BEGIN;
    direct_world.restart = (uintptr_t)gate_restart;
    direct_world.restart_end = (uintptr_t)gate_restart_end;
    fast_paravirt = pv;
    return NULL;
}

void gate_write_page(struct paravirt *pv, uint8_t *page)
{
    memcpy(page, pv->by_trap ? gate_page_trap : gate_page, PAGE_BYTES);
    gate_shared = pv->shared;
    user_call_vector = page + USER_CALL_VECTOR;
}

/* ---- what may pass ------------------------------------------------------------------------------- */

void gate_forget(void) { gate_kernel_ready = gate_user_ready = false; }

void gate_set_user_call(struct paravirt *pv, uint8_t vector)
{
    pv->user_call = vector;
    pv->shared->user_call = pv->trap[vector].eip;
    gate_kernel_ready = false;
    if (pv->by_trap && user_call_vector)
        *user_call_vector = vector;
}

/* The frames that the gates push and take are for these segments; whoever has others goes through C. */
static void see_kernel(struct paravirt *pv)
{
    const struct vcpu *cpu = &pv->m->cpu;
    const struct pv_trap *row = &pv->trap[pv->user_call < 0 ? 0 : pv->user_call];

    gate_kernel_cs = pv->direct->selector[CS];
    gate_kernel_ss = pv->direct->selector[SS];
    gate_kernel_cs_selector = cpu->seg[CS].selector;
    gate_kernel_ss_selector = cpu->seg[SS].selector;
    gate_kernel_ready = pv->user_call >= 0 && row->eip && row->cs == gate_kernel_cs_selector &&
                        (row->flags & PV_TRAP_MASKS) && (row->flags & 3) == 3 && pv->kernel_ss == gate_kernel_ss_selector &&
                        cpu->seg[CS].base == 0 && cpu->seg[SS].base == 0 && !vcpu_iopl(cpu);
}

static void see_user(struct paravirt *pv)
{
    const struct vcpu *cpu = &pv->m->cpu;

    gate_user_cs = pv->direct->selector[CS];
    gate_user_ss = pv->direct->selector[SS];
    pv->shared->user_cs = cpu->seg[CS].selector;
    pv->shared->user_ss = cpu->seg[SS].selector;
    gate_user_selectors = cpu->seg[CS].selector | (uint32_t)cpu->seg[SS].selector << 16;
    gate_user_ready = !vcpu_iopl(cpu);
    gate_kernel_ready &= gate_user_ready;
}

/* Where the guest stands behind a gate: EIP did not come along. */
static void find_place(struct vcpu *cpu)
{
    switch (direct_world.gate) {
    case GATE_HYPERCALL: cpu->eip = PAGE_RETURN; break;
    case GATE_IRET: case GATE_IRET_SLOW: cpu->eip = PAGE_IRET; break;
    case GATE_USER_CALL: cpu->eip = cpu->gpr[EDX]; break;
    }
}

enum direct_exit gate_run(struct paravirt *pv, uint64_t deadline)
{
    struct direct *d = pv->direct;
    enum direct_exit exit;

    events_to_guest(pv);
    direct_select(d);
    if (d->segments.rewritten != seen_rewritten || !d->shadow.cut_known)
        gate_forget();
    seen_rewritten = d->segments.rewritten;
    if (vcpu_cpl(&pv->m->cpu) == 3)
        see_user(pv);
    else
        see_kernel(pv);
    exit = direct_run(d, deadline);
    if (exit == DIRECT_GATE)
        find_place(&pv->m->cpu);
    events_from_guest(pv);
    if (vcpu_cpl(&pv->m->cpu) == 0)                     /* the kernel's own IRET changes no IOPL: it has none but 0 */
        pv->m->cpu.eflags &= ~(uint32_t)FLAG_IOPL;
    return exit;
}

/* ---- what does not ------------------------------------------------------------------------------- */

static void serve_hypercall(struct paravirt *pv)
{
    struct vcpu *cpu = &pv->m->cpu;
    uint32_t argument[5] = { cpu->gpr[EBX], cpu->gpr[ECX], cpu->gpr[EDX], cpu->gpr[ESI], cpu->gpr[EDI] };

    cpu->gpr[EAX] = vcpu_cpl(cpu) == 3 ? (uint32_t)-PV_EPERM : (uint32_t)hypercall(pv, cpu->gpr[EAX], argument);
}

static void serve_iret(struct paravirt *pv)
{
    static const uint32_t none[5];
    struct vcpu *cpu = &pv->m->cpu;

    if (vcpu_cpl(cpu) == 3)
        cpu->gpr[EAX] = (uint32_t)-PV_EPERM;
    else
        hypercall(pv, HC_IRET, none);
}

/* As an INT that returns to EDX. */
static void serve_user_call(struct paravirt *pv)
{
    struct machine *m = pv->m;

    m->counters.exits[COUNT_USER_CALL]++;
    if (pv->user_call < 0)
        vcpu_raise_error(&m->cpu, VEC_GP, 0);
    else if (event_software(m, (uint8_t)pv->user_call, m->cpu.eip))
        return;
    event_exception(m);
}

void gate_serve(struct paravirt *pv)
{
    struct vcpu *cpu = &pv->m->cpu;

    if (direct_world.gate == GATE_LEFT)
        return;
    if (direct_world.gate == GATE_USER_CALL) {
        serve_user_call(pv);
        return;
    }
    pv->m->counters.exits[COUNT_HYPERCALL]++;
    if (direct_world.gate == GATE_HYPERCALL) {
        serve_hypercall(pv);
        return;
    }
    if (direct_world.gate == GATE_IRET)
        cpu->gpr[ESP] -= FRAME_BYTES;
    serve_iret(pv);
}

void gate_serve_trap(struct paravirt *pv)
{
    struct vcpu *cpu = &pv->m->cpu;

    cpu->eip += 2;
    if (cpu->gpr[EAX] != HC_IRET) {
        serve_hypercall(pv);
        return;
    }
    cpu->eip = PAGE_IRET;
    cpu->gpr[EAX] = pv->shared->eax;
    serve_iret(pv);
}

void gate_count(struct paravirt *pv)
{
    struct counters *c = &pv->m->counters;

    for (unsigned i = 0; i < HYPERCALLS; i++) {
        c->hypercalls[i] += gate_calls[i];
        c->exits[COUNT_HYPERCALL] += gate_calls[i];
    }
    c->exits[COUNT_USER_CALL] += gate_calls[HYPERCALLS];
    memset(gate_calls, 0, sizeof gate_calls);
}
