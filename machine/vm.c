/* See vm.h. */
#include "vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"
#include "event.h"
#include "file.h"
#include "multiboot.h"
#include "status.h"

bool vm_cannot_write(const struct vm *vm, const char *path)
{
    fprintf(stderr, "%s: cannot write %s: %s\n", vm->name, path, strerror(errno));
    return false;
}

bool vm_output(struct vm *vm)
{
    if (vm->options.counters)
        vm->counters = file_create(vm->options.counters);
    return vm->counters || !vm->options.counters || vm_cannot_write(vm, vm->options.counters);
}

bool vm_load(struct vm *vm)
{
    struct machine *m = &vm->machine;
    const struct boot_files files = { vm->options.kernel, vm->options.append, vm->options.initrd };
    struct boot_entry entry = { 0 };
    char why[256];

    bus_init(&m->bus, console_host(&vm->console));
    if (!multiboot_load(&m->mem, &files, &entry, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", vm->name, why);
        return false;
    }
    symbols_load(&vm->symbols, vm->options.kernel);
    vcpu_reset(&m->cpu, entry.eip, entry.ebx);
    vm->wake_at = vm->look_at = UINT64_MAX;
    vm->timeout_at = vm->options.timeout ? console_now() + vm->options.timeout * UINT64_C(1000000000) : UINT64_MAX;
    return vm_output(vm);
}

/* A guest that nobody hears need not go on. */
static void look_at_output(struct vm *vm)
{
    char why[120];

    if (!vm->console.lost)
        return;
    snprintf(why, sizeof why, "what the guest prints cannot be written: %s; give it another stdout", strerror(vm->console.lost));
    machine_stop(&vm->machine, EXIT_USAGE, why);
}

bool vm_continues(struct vm *vm)
{
    look_at_output(vm);
    if (vm->debugger)
        vm->debugger(vm);
    return !vm->machine.stopped && vm->machine.bus.exit_status < 0;
}

uint64_t vm_deadline(const struct vm *vm)
{
    uint64_t deadline = bus_deadline(&vm->machine.bus);

    if (vm->wake_at < deadline)
        deadline = vm->wake_at;
    if (vm->look_at < deadline)
        deadline = vm->look_at;
    return deadline < vm->timeout_at ? deadline : vm->timeout_at;
}

void vm_tick(struct vm *vm)
{
    char why[80];

    bus_tick(&vm->machine.bus);
    if (vm->timeout_at != UINT64_MAX && console_now() >= vm->timeout_at) {
        snprintf(why, sizeof why, "the guest did not end within %u s (--timeout)", vm->options.timeout);
        machine_stop(&vm->machine, EXIT_TIMEOUT, why);
    }
}

void vm_idle(struct vm *vm)
{
    struct machine *m = &vm->machine;

    if (!(m->cpu.eflags & FLAG_IF)) {
        machine_stop(m, EXIT_CRASH, "the guest halted with interrupts off: nothing can wake it");
        return;
    }
    console_wait(&vm->console, vm_deadline(vm));
    vm_tick(vm);
}

void vm_trace(struct vm *vm, const char *what, bool emulated)
{
    vm->last[vm->exits++ % VM_LAST_EXITS] = (struct vm_exit){ what, vm->machine.cpu.eip };
    if (vm->options.trace != TRACE_EXITS && !(vm->options.trace == TRACE_INSNS && emulated))
        return;
    fprintf(stderr, "%-17s ", what);
    dump_place(stderr, &vm->machine, &vm->symbols);
}

static void print_last_exits(const struct vm *vm)
{
    uint64_t first = vm->exits < VM_LAST_EXITS ? 0 : vm->exits - VM_LAST_EXITS;

    fputs("  last exits:", stderr);
    for (uint64_t i = first; i < vm->exits; i++)
        fprintf(stderr, " %s@%08x", vm->last[i % VM_LAST_EXITS].what, vm->last[i % VM_LAST_EXITS].eip);
    fputs(vm->exits ? "\n" : " none\n", stderr);
}

int vm_finish(struct vm *vm)
{
    struct machine *m = &vm->machine;

    console_flush(&vm->console);
    look_at_output(vm);
    if (m->stopped) {
        fprintf(stderr, "%s: %s\n", vm->name, m->why);
        if (m->status != EXIT_KILLED && m->status != EXIT_USAGE) {
            dump_machine(stderr, m, &vm->symbols);
            print_last_exits(vm);
        }
    }
    m->counters.timer_ticks_lost = m->bus.pit.lost;
    if (vm->counters && !counters_write(&m->counters, vm->name, vm->counters) && !vm_cannot_write(vm, vm->options.counters))
        return EXIT_USAGE;
    return m->stopped ? m->status : m->bus.exit_status;
}

int vm_fail(const struct vm *vm, int status, const char *why)
{
    fprintf(stderr, "%s: %s%s%s\n", vm->name, status == EXIT_HOST ? "this host cannot run it: " : "", why,
            status == EXIT_HOST ? " (`make doctor` tells more)" : "");
    return status;
}
