/* VMM 1: trap and emulate, the contract of 1974. All guest code, kernel and user, runs directly at ring 3;
 * whatever traps is emulated, and nothing else is looked at. On x86 that is not enough: POPF, SGDT, LAR, PUSH CS
 * and a dozen more give wrong answers here, because no trap ever reaches this loop. That is the lesson, and
 * nothing in this file hides it. tests/expected/trap-emulate.txt lists what goes wrong, and why. */
#include <stdio.h>

#include "direct/direct.h"
#include "emulate.h"
#include "event.h"
#include "status.h"
#include "timeline.h"
#include "vm.h"

static void run(struct vm *vm, struct direct *direct)
{
    struct machine *m = &vm->machine;

    while (vm_continues(vm)) {
        event_interrupts(m);
        if (m->cpu.halted) {
            vm_idle(vm);
            continue;
        }
        /* LAB 2.7: run the guest, and look why it stopped. A sensitive instruction (direct->insn) is emulated; the exception that it
         * may raise goes through the guest's IDT, as does one that an instruction of the guest's own raised; when the timer ended
         * the run, devices catch up. Each kind is traced. */
        switch (direct_run(direct, vm_deadline(vm))) {
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
        /* END 2.7: m, direct */
    }
}

int main(int argc, char **argv)
{
    static struct vm vm = { .name = "trap-emulate" };
    static struct direct direct;
    const char *why;
    int status = cli_parse(&vm.options, argc, argv, vm.name,
                           "a VMM that relies on traps, and is wrong without them", NULL);

    if (status >= 0)
        return status;
    if (vm.options.trace == TRACE_BLOCKS)
        return vm_fail(&vm, EXIT_USAGE, "--trace=blocks: this VMM translates no blocks; ask for exits or insns");
    why = direct_init(&direct, &vm.machine, vm.options.mib << 20);
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    if (!vm_load(&vm))
        return EXIT_USAGE;
    if (vm.options.trace == TRACE_TIMELINE)
        timeline_begin();
    run(&vm, &direct);
    return timeline_print(vm_finish(&vm));
}
