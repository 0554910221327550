/* VMM 1: trap and emulate, the contract of 1974. All guest code, kernel and user, runs directly at ring 3;
 * whatever traps is emulated, and nothing else is looked at. On x86 that is not enough: POPF, SGDT, LAR, PUSH CS
 * and a dozen more give wrong answers here, because no trap ever reaches this loop. That is the lesson, and nothing in this file hides
 * it, unless --cure=step asks for that. tests/expected/trap-emulate.txt lists what goes wrong, and why. */
#include <stdio.h>
#include <string.h>

#include "direct/direct.h"
#include "emulate.h"
#include "event.h"
#include "gdb.h"
#include "status.h"
#include "timeline.h"
#include "vm.h"
#include "wall.h"

static const char *cure;                 /* --cure=step: NULL, or "step" */

/* A cure for what does not trap, and what it costs is the lesson of lab 3: look at each instruction before it runs. What is
 * sensitive is emulated, all else runs alone, by the trap flag. (VMware's first answer was faster: binary-translation/.) */
static enum direct_exit run_one(struct vm *vm, struct direct *direct)
{
    /* LAB 3.2: if the instruction at EIP is in isa.def, it is direct->insn, and DIRECT_SENSITIVE. Else run it with TF set, which the
     * guest must not see: neither in its flags, if they did not have it, nor as #DB, nor in DR6. A fetch that faults is an
     * exception. */
    struct machine *m = &vm->machine;
    struct vcpu *cpu = &m->cpu;
    bool traced = cpu->eflags & FLAG_TF;
    uint32_t dr6 = cpu->dr[6];
    static struct insn insn;
    enum direct_exit exit;

    if (!decode_at_eip(m, &insn))
        return DIRECT_EXCEPTION;
    if (insn.isa != ISA_OTHER) {
        direct->insn = &insn;
        return DIRECT_SENSITIVE;
    }
    cpu->eflags |= FLAG_TF;
    exit = direct_run(direct, vm_deadline(vm));
    if (traced)
        return exit;
    cpu->eflags &= ~(uint32_t)FLAG_TF;
    if (exit != DIRECT_EXCEPTION || cpu->fault.vector != VEC_DB)
        return exit;
    cpu->dr[6] = dr6;
    return DIRECT_STOPPED;              /* nothing has happened */
    /* END 3.2: vm, direct */
}

static void run(struct vm *vm, struct direct *direct)
{
    struct machine *m = &vm->machine;

    while (vm_continues(vm)) {
        event_interrupts(m);
        if (m->cpu.halted) {
            vm_idle(vm);
            continue;
        }
        /* LAB 2.7: run the guest (direct_run(); with `cure`, run_one() in its place), and look why it stopped. A sensitive
         * instruction (direct->insn) is emulated; the exception that it may raise goes through the guest's IDT, as does one that an
         * instruction of the guest's own raised; when the timer ended the run, devices catch up. Each kind is traced. */
        switch (cure ? run_one(vm, direct) : direct_run(direct, vm_deadline(vm))) {
        case DIRECT_SENSITIVE:
            vm_trace(vm, "emulate", true);
            if (!emulate(m, direct->insn))
                event_exception(m);
            break;
        case DIRECT_EXCEPTION:
            vm_trace(vm, "exception", false);
            event_exception(m);
            break;
        case DIRECT_INTERRUPTED:
            vm_tick(vm);
            break;
        case DIRECT_SEALED: case DIRECT_UNSEEN: case DIRECT_GATE:    /* nothing is sealed or hidden here; no gates */
        case DIRECT_STOPPED:
            break;
        }
        /* END 2.7: m, direct, run_one */
    }
}

int main(int argc, char **argv)
{
    static struct vm vm = { .name = "trap-emulate", .options.traces = "exits, insns or timeline" };
    static struct direct direct;
    static const struct cli_option own[] = {
        { "cure", "cure=step", "look at each instruction before it runs alone: right, and what that costs", &cure }, { 0 },
    };
    const char *why;
    int status = cli_parse(&vm.options, argc, argv, vm.name,
                           "a VMM that relies on traps, and is wrong without them", own);

    if (status >= 0)
        return status;
    if (cure && strcmp(cure, "step"))
        return cli_error(vm.name, "--cure=%s: there is only step", cure);
    if (vm.options.trace == TRACE_BLOCKS)
        return vm_fail(&vm, EXIT_USAGE, "--trace=blocks: this VMM translates no blocks; ask for exits or insns");
    why = direct_init(&direct, &vm.machine, vm.options.mib << 20);
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    if (!vm_load(&vm) || !gdb_attach(&vm))
        return EXIT_USAGE;
    if (vm.options.trace == TRACE_TIMELINE)
        timeline_begin();
    why = vm_confine(&vm, (struct wall){ .ram = direct.shadow.memfd, .window_end = WINDOW_END });
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    run(&vm, &direct);
    return timeline_print(vm_finish(&vm));
}
