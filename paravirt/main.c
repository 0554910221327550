/* VMM 3: paravirtualization. The guest's kernel knows that it is one: what ring 3 gets wrong it does not execute, but asks
 * for (hypercall.c) or does in memory that both share (interface.h). So almost nothing traps, and nothing need be found or
 * rewritten. What the port has left out and traps is emulated, as slowly as under trap-emulate; what does not trap is wrong,
 * as there. tests/expected/paravirt.txt lists it. Read next: interface.h, hypercall.c, gate.asm, mmu.c. */
#include <string.h>

#include "direct/world.h"
#include "emulate.h"
#include "event.h"
#include "events.h"
#include "fast.h"
#include "gate.h"
#include "gdb.h"
#include "machine.h"
#include "paravirt.h"
#include "segment.h"
#include "start.h"
#include "status.h"
#include "timeline.h"
#include "wall.h"

static const char *const exit_names[] = {
    [COUNT_SENSITIVE] = "sensitive", [COUNT_SOFTWARE_INT] = "software-interrupt", [COUNT_EXCEPTION] = "exception",
    [COUNT_SHADOW_FILL] = "shadow-fill", [COUNT_TRUNCATION] = "truncation", [COUNT_STEP] = "single-step",
    [COUNT_TIMER] = "timer", [COUNT_SEALED] = "sealed", [COUNT_UNSEEN] = "unseen", [COUNT_HYPERCALL] = "hypercall",
    [COUNT_USER_CALL] = "user-call", NULL,
};

const char *const gate_names[] = {
    [GATE_HYPERCALL] = "hypercall", [GATE_IRET] = "iret", [GATE_IRET_SLOW] = "iret", [GATE_USER_CALL] = "user-call",
    [GATE_INTERRUPTED] = "interrupted",
};
const char *const hypercall_names[] = {
#define HYPERCALL(name, function, ...) #function,
#include "hypercalls.def"
#undef HYPERCALL
};

/* ---- what the machine asks ----------------------------------------------------------------------- */

/* A row of the trap table as a gate of an IDT. */
static bool trap_gate(struct machine *m, uint8_t vector, uint32_t word[2])
{
    const struct pv_trap *row = &the_paravirt->trap[vector];
    unsigned type = row->flags & PV_TRAP_MASKS ? SYS_INT_GATE : SYS_TRAP_GATE;

    (void)m;
    if (!row->eip)
        return false;
    word[0] = (uint32_t)row->cs << 16 | (row->eip & 0xffff);
    word[1] = (row->eip & 0xffff0000) | (ATTR_PRESENT | (row->flags & 3u) << ATTR_DPL_SHIFT | type) << 8;
    return true;
}

static bool kernel_stack(struct machine *m, uint16_t *ss, uint32_t *esp)
{
    (void)m;
    *ss = (uint16_t)the_paravirt->kernel_ss;
    *esp = the_paravirt->kernel_esp;
    return the_paravirt->kernel_ss != 0;
}

static void page_changed(struct machine *m, uint32_t gla)
{
    (void)m;
    shadow_replace(&the_paravirt->direct->shadow, gla);
}

static void switched(struct machine *m, uint32_t old_cr3)
{
    (void)m;
    shadow_switch(&the_paravirt->direct->shadow, old_cr3);
}

/* ---- the loop ------------------------------------------------------------------------------------ */

static bool is_hypercall(const struct paravirt *pv)
{
    const struct insn *insn = pv->direct->insn;

    return insn->isa == ISA_INT && insn->op[0].value == PV_TRAP_VECTOR && pv->by_trap && vcpu_cpl(&pv->m->cpu) != 3;
}

/* What traps and is no hypercall: the port has left it out. Page tables stay checked, and paging stays on. */
static void emulate_leftover(struct paravirt *pv)
{
    struct vcpu *cpu = &pv->m->cpu;
    struct table_register gdtr = cpu->gdtr;
    uint32_t cr3 = cpu->cr3, wanted;
    bool done = emulate(pv->m, pv->direct->insn);       /* false also for a step's #DB, behind it */

    if (cpu->gdtr.base != gdtr.base || cpu->gdtr.limit != gdtr.limit)
        gate_forget();
    cpu->cr0 |= CR0_PE | CR0_PG | CR0_WP;
    cpu->cr4 &= ~(uint32_t)(CR4_PGE | CR4_PSE);
    wanted = cpu->cr3;
    cpu->cr3 = cr3;
    if (wanted != cr3 && mmu_new_base(&pv->mmu, wanted) != 0)
        machine_stop(pv->m, EXIT_CRASH, "the guest loaded CR3 with what is no valid page directory");
    else if (!done)
        event_exception(pv->m);
}

/* For --trace=exits: which hypercall or crossing, and where the guest's kernel goes on. */
static void trace_crossing(struct vm *vm, bool is_hypercall, const char *otherwise)
{
    struct vcpu *cpu = &vm->machine.cpu;
    const char *what = is_hypercall && cpu->gpr[EAX] < HYPERCALLS ? hypercall_names[cpu->gpr[EAX]] : otherwise;
    uint32_t eip = cpu->eip;
    struct translation t;

    if (is_hypercall && memory_peek(&vm->machine, cpu->gpr[ESP], ACCESS_READ, &t))
        cpu->eip = memory_read(&vm->machine.mem, t.gpa, 4);
    timeline_because(what);
    vm_trace(vm, what, false);
    cpu->eip = eip;
}

static void run(struct vm *vm, struct paravirt *pv)
{
    struct machine *m = &vm->machine;

    while (vm_continues(vm)) {
        events_deliver(pv);
        vm->wake_at = clock_deadline(pv);
        if (m->cpu.halted) {
            vm_idle(vm);
            clock_tick(pv);
            continue;
        }
        switch (gate_run(pv, vm_deadline(vm))) {
        case DIRECT_GATE:
            if (direct_world.gate == GATE_INTERRUPTED)
                timeline_left_before();
            trace_crossing(vm, direct_world.gate == GATE_HYPERCALL, gate_names[direct_world.gate]);
            gate_serve(pv);
            break;
        case DIRECT_SENSITIVE:
            if (is_hypercall(pv)) {
                trace_crossing(vm, true, "hypercall");
                gate_serve_trap(pv);
                break;
            }
            vm_trace(vm, "emulate", true);
            emulate_leftover(pv);
            break;
        case DIRECT_EXCEPTION:
            vm_trace(vm, "exception", false);
            event_exception(m);
            break;
        case DIRECT_INTERRUPTED:
            vm_tick(vm);
            clock_tick(pv);
            break;
        case DIRECT_SEALED: case DIRECT_UNSEEN:         /* nothing is sealed here, or hidden */
        case DIRECT_STOPPED:
            break;
        }
    }
}

/* ---- options ------------------------------------------------------------------------------------- */

static const char *word_gate;
static const struct cli_option own_options[] = {
    { "gate", "gate=WHICH", "far: hypercalls cross by a far jump (default); trap: by an INT, which is a signal", &word_gate },
    { 0 },
};

int main(int argc, char **argv)
{
    static struct vm vm = { .name = "paravirt", .options.traces = "exits, insns or timeline" };
    static struct direct direct;
    static struct paravirt paravirt;
    struct paravirt *pv = the_paravirt = &paravirt;
    const char *why;
    int status = cli_parse(&vm.options, argc, argv, vm.name, "a VMM for kernels that know it", own_options);
    bool trap = word_gate && !strcmp(word_gate, "trap");

    if (status >= 0)
        return status;
    if (vm.options.trace == TRACE_BLOCKS)
        return vm_fail(&vm, EXIT_USAGE, "--trace=blocks: this VMM translates no blocks; ask for exits or insns");
    if (word_gate && !trap && strcmp(word_gate, "far"))
        return cli_error(vm.name, "--gate=%s: there are only far and trap", word_gate);
    *pv = (struct paravirt){ .vm = &vm, .m = &vm.machine, .direct = &direct, .user_call = -1 };
    why = direct_init(&direct, &vm.machine, vm.options.mib << 20);
    if (!why)
        why = gate_init(pv, trap);
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    vm.machine.counters.exit_names = exit_names;
    vm.machine.counters.hypercall_names = hypercall_names;
    vm.machine.hooks.gate = trap_gate;
    vm.machine.hooks.kernel_stack = kernel_stack;
    if (!start_load(pv) || !gdb_attach(&vm))
        return EXIT_USAGE;
    clock_start(pv);
    pv->mmu.changed = page_changed;
    pv->mmu.switched = switched;
    if (vm.options.trace == TRACE_TIMELINE)
        timeline_begin();
    why = vm_confine(&vm, (struct wall){ .ram = direct.shadow.memfd, .window_end = WINDOW_END });
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    run(&vm, pv);
    gate_count(pv);
    return timeline_print(vm_finish(&vm));
}
