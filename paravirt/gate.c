/* See gate.h and gate.asm. */
#include "gate.h"

#include <errno.h>
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
#include "status.h"

enum { FRAME_BYTES = 20, USER_CALL_VECTOR = PV_USER_CALL - PV_PAGE + 2 };     /* behind POP EDX and the opcode of INT */

#define AT(field, offset) _Static_assert(offsetof(struct pv_shared, field) == (offset), "gate.asm and interface.h say so")
AT(flags, PV_FLAGS - PV_SHARED); AT(pending, PV_PENDING - PV_SHARED); AT(events, PV_EVENTS - PV_SHARED);
AT(masked, PV_MASKED - PV_SHARED); AT(cr2, PV_CR2 - PV_SHARED);
AT(ret_eip, 44); AT(ret_cs, 48); AT(ret_eflags, 52); AT(ret_esp, 56); AT(ret_ss, 60); AT(user_esp, 64);
AT(user_eflags, 68); AT(user_cs, 72); AT(user_ss, 76); AT(user_call, 80); AT(eax, 84);
_Static_assert(HOLE_BEGIN == 0xfc000000 && GATE_STUB_BYTES == 32 && GATE_STUBS == 4, "gate.asm says so");

/* gate.asm */
extern const uint8_t gate_stubs[], gate_page[], gate_page_trap[], gate_restart[], gate_restart_end[];
void gate_hypercall(void), gate_iret(void), gate_slow(void), gate_user_call(void);

/* What gate.asm asks. */
int32_t (*const gate_fast[HYPERCALLS])(uint32_t, uint32_t) = {
    [HC_VERSION] = fast_version, [HC_STACK_SWITCH] = fast_stack_switch, [HC_EVENT] = fast_event,
};
uint64_t gate_calls[HYPERCALLS + 1];                    /* the last one: PV_USER_CALL */
unsigned *gate_exposed;
struct pv_shared *gate_shared;
uint16_t gate_kernel_cs, gate_kernel_ss, gate_user_cs, gate_user_ss;    /* the processor's selectors */
uint32_t gate_user_selectors;                           /* the guest's: CS, and SS in the upper half */
uint32_t gate_kernel_esp;
uint32_t gate_user_last;                                /* the last EIP that user code may have */
bool gate_kernel_ready, gate_user_ready;
bool gate_page_ready;                                   /* the kernel's CS reaches the hypercall page */
const unsigned *gate_rewritten;                         /* segments.h: the selectors are those of then */
unsigned gate_seen_rewritten;

uint32_t gate_kernel_ss_selector;
static uint8_t *user_call_vector;                       /* in the hypercall page, if that asks by INT */

/* ---- once ---------------------------------------------------------------------------------------- */

const char *gate_init(struct paravirt *pv, bool trap)
{
    void (*const targets[GATE_STUBS])(void) = { gate_hypercall, gate_iret, gate_slow, gate_user_call };
    void *at = (void *)(uintptr_t)HOLE_BEGIN;
    uint8_t *stubs = mmap(at, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (stubs == MAP_FAILED && errno != EEXIST)
        return host_failed("no memory for the gates: mmap");
    if (stubs != at)
        return "the top of the process's first 4 GiB is in use";
    memcpy(stubs, gate_stubs, GATE_STUBS * GATE_STUB_BYTES);
    memcpy(stubs + GATE_STUBS * GATE_STUB_BYTES, targets, sizeof targets);
    if (mprotect(stubs, PAGE_BYTES, PROT_READ | PROT_EXEC) != 0)
        return host_failed("no executable memory: mprotect");
    pv->by_trap = trap;
    gate_exposed = &pv->direct->shadow.exposed;
    gate_rewritten = &pv->direct->segments.rewritten;
    pv->direct->gates = HOLE_BEGIN;
    direct_world.restart = (uintptr_t)gate_restart;
    direct_world.restart_end = (uintptr_t)gate_restart_end;
    return NULL;
}

void gate_write_page(struct paravirt *pv, uint8_t *page)
{
    memcpy(page, pv->by_trap ? gate_page_trap : gate_page, PAGE_BYTES);
    gate_shared = pv->shared;
    user_call_vector = page + USER_CALL_VECTOR;
}

/* ---- what may pass ------------------------------------------------------------------------------- */

void gate_set_user_call(struct paravirt *pv, int vector)
{
    pv->user_call = vector;
    gate_kernel_ready = false;
    if (vector < 0)
        return;
    pv->shared->user_call = pv->trap[vector].eip;
    if (pv->by_trap)
        *user_call_vector = (uint8_t)vector;
}

/* Is it a flat 32-bit segment, and its descriptor in the GDT still what has been loaded? A real interrupt reads that anew. */
static bool is_current(struct paravirt *pv, const struct segment *seg)
{
    struct machine *m = pv->m;
    uint32_t word[2], at = seg->selector & ~7u;
    struct segment now;

    if ((seg->selector & 4) || at + 7 > m->cpu.gdtr.limit || !memory_load(m, m->cpu.gdtr.base + at, word, sizeof word, 0))
        return false;
    now = segment_unpack(word[0], word[1]);
    return now.base == 0 && seg->base == 0 && now.limit == seg->limit && now.attr == seg->attr && (now.attr & ATTR_BIG);
}

/* The frames that the gates push and take are for these segments; whoever has others goes through C. */
static void see_kernel(struct paravirt *pv)
{
    const struct vcpu *cpu = &pv->m->cpu;
    const struct segment *cs = &cpu->seg[CS], *ss = &cpu->seg[SS];
    const struct pv_trap *row = &pv->trap[pv->user_call < 0 ? 0 : pv->user_call];
    const uint16_t *selector = pv->direct->selector;

    gate_page_ready = cs->base == 0 && (cs->attr & ATTR_BIG) &&
                      segments_last(&pv->direct->segments, selector[CS]) >= PV_SHARED;
    if (gate_kernel_ready && gate_kernel_cs == selector[CS] && gate_kernel_ss == selector[SS])
        return;
    gate_kernel_cs = selector[CS];
    gate_kernel_ss = selector[SS];
    gate_kernel_ss_selector = ss->selector;
    gate_kernel_ready = gate_page_ready && pv->user_call >= 0 && row->eip && row->cs == cs->selector &&
                        (row->flags & PV_TRAP_MASKS) && (row->flags & 3) == 3 && pv->kernel_ss == ss->selector &&
                        is_current(pv, cs) && is_current(pv, ss);
}

static void see_user(struct paravirt *pv)
{
    const struct vcpu *cpu = &pv->m->cpu;
    const struct segment *cs = &cpu->seg[CS], *ss = &cpu->seg[SS];
    const uint16_t *selector = pv->direct->selector;

    if (vcpu_iopl(cpu))                                 /* a frame of the gate's would not have it */
        gate_forget();
    if (vcpu_iopl(cpu) || (gate_user_ready && gate_user_cs == selector[CS] && gate_user_ss == selector[SS]))
        return;
    gate_user_cs = selector[CS];
    gate_user_ss = selector[SS];
    gate_user_last = segments_last(&pv->direct->segments, selector[CS]);
    pv->shared->user_cs = cs->selector;
    pv->shared->user_ss = ss->selector;
    gate_user_selectors = cs->selector | (uint32_t)ss->selector << 16;
    gate_user_ready = is_current(pv, cs) && is_current(pv, ss);
}

/* Where the guest stands behind a gate: EIP did not come along. */
static void find_place(struct vcpu *cpu)
{
    switch (direct_world.gate) {
    case GATE_HYPERCALL: cpu->eip = PV_PAGE_RETURN; break;
    case GATE_IRET: case GATE_IRET_SLOW: cpu->eip = PV_PAGE_IRET; break;
    case GATE_USER_CALL: cpu->eip = cpu->gpr[EDX]; break;
    }
}

enum direct_exit gate_run(struct paravirt *pv, uint64_t deadline)
{
    struct direct *d = pv->direct;
    enum direct_exit exit;

    events_to_guest(pv);
    direct_select(d);
    if (d->segments.rewritten != gate_seen_rewritten || !d->shadow.cut_known)
        gate_forget();
    gate_seen_rewritten = d->segments.rewritten;
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

    if (direct_world.gate == GATE_INTERRUPTED)
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

    cpu->eip += pv->direct->insn->length;
    if (cpu->gpr[EAX] != HC_IRET) {
        serve_hypercall(pv);
        return;
    }
    cpu->eip = PV_PAGE_IRET;
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
