/* Emulation: the answer that needs nothing of the processor. The loop is that of the four VMMs, but what runs the guest is
 * emulator_run(), which reads it. So it is right everywhere, traps or no traps; what that costs is in the report. */
#include <stdio.h>

#include "emulate.h"
#include "emulator.h"
#include "event.h"
#include "gdb.h"
#include "status.h"
#include "wall.h"

static const char *const exit_names[] = { "sensitive", "exception", "timer", NULL };

static void run(struct emulator *e)
{
    struct vm *vm = &e->vm;
    struct machine *m = &vm->machine;

    while (vm_continues(vm)) {
        event_interrupts(m);
        if (m->cpu.halted) {
            vm_idle(vm);
            continue;
        }
        switch (emulator_run(e, vm_deadline(vm))) {
        case EMULATOR_SENSITIVE:
            m->counters.exits[EMULATOR_SENSITIVE]++;
            vm_trace(vm, "emulate", true);
            if (!emulate(m, e->insn))
                event_exception(m);
            break;
        case EMULATOR_EXCEPTION:
            m->counters.exits[EMULATOR_EXCEPTION]++;
            vm_trace(vm, "exception", false);
            event_exception(m);
            break;
        case EMULATOR_INTERRUPTED:
            m->counters.exits[EMULATOR_INTERRUPTED]++;
            vm_tick(vm);
            break;
        case EMULATOR_STEPPED:
            break;
        }
    }
}

int main(int argc, char **argv)
{
    static struct emulator e = { .vm = { .name = "emulation", .options.traces = "exits or insns" } };
    struct vm *vm = &e.vm;
    const char *why;
    int status = cli_parse(&vm->options, argc, argv, vm->name, "an interpreter: it runs no guest code at all", NULL);

    if (status >= 0)
        return status;
    if (vm->options.trace == TRACE_BLOCKS)
        return vm_fail(vm, EXIT_USAGE, "--trace=blocks: nothing is translated here; ask for exits or insns");
    if (vm->options.trace == TRACE_TIMELINE)
        return vm_fail(vm, EXIT_USAGE,
                       "--trace=timeline: the guest is read, so nobody crosses to it and back; ask for exits or insns");
    why = emulator_init(&e, vm->options.mib << 20);
    if (why)
        return vm_fail(vm, EXIT_HOST, why);
    vm->machine.counters.exit_names = exit_names;
    emulate_init_cpuid(&vm->machine);
    if (!vm_load(vm) || !gdb_attach(vm))
        return EXIT_USAGE;
    why = vm_confine(vm, (struct wall){ 0 });
    if (why)
        return vm_fail(vm, EXIT_HOST, why);
    run(&e);
    return vm_finish(vm);
}
