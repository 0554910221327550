/* VMM 4: hardware assistance. The processor has a mode for guests, in which every sensitive instruction is either right or
 * leaves to the VMM: what x86 lacked since 1978. So the unmodified kernel runs at its own ring 0, and this loop sees devices
 * only; Linux's KVM has already seen to the rest. What KVM does there is in bare/, with nothing hidden. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gdb.h"
#include "kvm.h"
#include "status.h"
#include "timeline.h"
#include "vm.h"
#include "wall.h"

/* KVM gives up. Is it the guest's fault, who executes where no memory is? */
static void internal_error(struct kvm *k)
{
    struct machine *m = k->m;
    const struct kvm_run *run = k->run;
    struct translation t;
    char why[160];

    kvm_load(k);
    if (memory_peek(m, m->cpu.seg[CS].base + m->cpu.eip, ACCESS_READ, &t) && t.gpa >= m->mem.bytes) {
        machine_stop(m, EXIT_CRASH, "the guest executes beyond its RAM");
        return;
    }
    snprintf(why, sizeof why, "KVM_EXIT_INTERNAL_ERROR, suberror %" PRIu32 ": KVM cannot go on with this guest",
             run->internal.suberror);
    machine_stop(m, EXIT_HOST, why);
}

static void cannot_go_on(struct kvm *k, const char *what, uint64_t number)
{
    char why[160];

    snprintf(why, sizeof why, "%s, %#" PRIx64, what, number);
    machine_stop(k->m, EXIT_BUG, why);
}

/* Where the guest is takes a few system calls to find out, so only for a reader. */
static void trace(struct vm *vm, struct kvm *k, const char *what)
{
    if (vm->options.trace == TRACE_EXITS)
        kvm_load(k);
    vm_trace(vm, what, false);
}

static struct kvm kvm;
static struct kvm_guest_debug debug;
static void (*gdb_looks)(struct vm *);

static struct kvm_guest_debug gdb_wants(const struct vm *vm)
{
    uint32_t step = gdb_steps() ? KVM_GUESTDBG_SINGLESTEP : 0;

    return (struct kvm_guest_debug){ .control = vm->debugger ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP | step : 0 };
}

/* gdb reads and changes m->cpu, which is the processor's state only for the time it looks; and that state is no instruction's
 * while an IN is unfinished. */
static void look(struct vm *vm)
{
    struct machine *m = &vm->machine;
    struct kvm_guest_debug wanted;
    struct vcpu before;

    if (kvm.unfinished && !m->stopped && m->bus.exit_status < 0)
        return;
    kvm_load(&kvm);
    if (gdb_steps())
        m->cpu.eflags |= FLAG_TF;                       /* KVM hides it */
    before = m->cpu;
    gdb_looks(vm);
    wanted = gdb_wants(vm);
    if (memcmp(&before, &m->cpu, sizeof before) || memcmp(&debug, &wanted, sizeof debug))
        kvm_debug(&kvm, &wanted);
    debug = wanted;
}

/* A step is done, or an INT3 would be next. gdb looks for its breakpoints behind it, where an INT3 that has been carried out leaves EIP. */
static void debug_exit(struct machine *m, struct kvm *k)
{
    uint8_t vector = (uint8_t)k->run->debug.arch.exception;

    kvm_load(k);
    m->cpu.eip += vector == VEC_BP;
    if (!m->hooks.debugger(m, vector) && vector == VEC_BP)
        kvm_reflect_int3(k, debug);
}

/* The guest is at its end, or KVM. */
static void give_up(struct kvm *k, uint32_t reason)
{
    switch (reason) {
    case KVM_EXIT_SHUTDOWN:
        machine_stop(k->m, EXIT_CRASH, "triple fault: the guest could not take a double fault (KVM_EXIT_SHUTDOWN)");
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        internal_error(k);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        cannot_go_on(k, "KVM_EXIT_FAIL_ENTRY: the processor refuses the guest's state",
                     k->run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_UNKNOWN:
        cannot_go_on(k, "KVM_EXIT_UNKNOWN: the processor left the guest for a reason that KVM does not know",
                     k->run->hw.hardware_exit_reason);
        break;
    default:
        cannot_go_on(k, "KVM_RUN ended in a way this VMM does not know: KVM_EXIT number", reason);
    }
}

static void halt(struct machine *m, bool interrupts)
{
    m->cpu.eflags = interrupts ? FLAG_IF : 0;
    m->cpu.halted = true;
    if (m->hooks.debugger)
        m->hooks.debugger(m, VEC_DB);                   /* a step, if it was one, is done */
}

static void handle_exit(struct vm *vm, struct kvm *k, uint32_t reason)
{
    switch (reason) {
    case KVM_EXIT_IO:
        trace(vm, k, "io");
        kvm_io(k);
        break;
    case KVM_EXIT_MMIO:
        trace(vm, k, "mmio");
        kvm_mmio(k);
        break;
    case KVM_EXIT_HLT:
        trace(vm, k, "hlt");
        halt(&vm->machine, k->run->if_flag);
        break;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        trace(vm, k, "interrupt-window");
        break;
    case KVM_EXIT_INTR:
        trace(vm, k, "timer");
        vm_tick(vm);
        kvm_com1_line(k);
        break;
    case KVM_EXIT_DEBUG:
        trace(vm, k, "debug");
        debug_exit(&vm->machine, k);
        break;
    default:
        give_up(k, reason);
    }
}

static void run(struct vm *vm, struct kvm *k)
{
    while (vm_continues(vm)) {
        kvm_offer_interrupt(k);
        if (vm->machine.cpu.halted)
            vm_idle(vm);
        else
            handle_exit(vm, k, kvm_enter(k, vm_deadline(vm)));
    }
}

static const char *word_irqchip;
static const struct cli_option own_options[] = {
    { "irqchip", "irqchip=WHOSE", "vmm: 8259 and 8254 are this program's (default); kernel: they are KVM's", &word_irqchip },
    { 0 },
};

int main(int argc, char **argv)
{
    static struct vm vm = { .name = "hwassist", .options.traces = "exits or timeline" };
    const char *behind, *why;
    int status = cli_parse(&vm.options, argc, argv, vm.name, "a VMM on the processor's own virtualization, by /dev/kvm",
                           own_options);
    bool irqchip = word_irqchip && !strcmp(word_irqchip, "kernel");

    if (status >= 0)
        return status;
    if (vm.options.gdb && irqchip)
        return cli_error(vm.name, "--gdb and --irqchip=kernel: interrupts of Linux's own come between a step and the next; leave one out");
    if (vm.options.trace == TRACE_INSNS || vm.options.trace == TRACE_BLOCKS)
        return vm_fail(&vm, EXIT_USAGE, "--trace: this VMM emulates and translates nothing; ask for exits or the timeline");
    if (word_irqchip && !irqchip && strcmp(word_irqchip, "vmm"))
        return cli_error(vm.name, "--irqchip=%s: there are only vmm and kernel", word_irqchip);
    why = kvm_probe(&behind);
    if (!why)
        why = kvm_init(&kvm, &vm.machine, vm.options.mib << 20, irqchip);
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    fprintf(stderr, "%s: behind /dev/kvm: %s\n", vm.name, behind);
    if (vm.options.trace == TRACE_TIMELINE && !kvm.same_tsc)
        return vm_fail(&vm, EXIT_HOST, "--trace=timeline: the guest's time-stamp counter is not the host's; Linux 5.16 can make it so");
    if (!vm_load(&vm))
        return EXIT_USAGE;
    if (!gdb_attach(&vm))
        return EXIT_USAGE;
    kvm_store(&kvm);
    if (vm.debugger) {
        gdb_looks = vm.debugger;
        vm.debugger = look;
        debug = gdb_wants(&vm);
        kvm_debug(&kvm, &debug);
    }
    if (vm.options.trace == TRACE_TIMELINE)
        timeline_begin();
    why = vm_confine(&vm, (struct wall){ .ioctls = kvm_ioctls(&kvm) });
    if (why)
        return vm_fail(&vm, EXIT_HOST, why);
    run(&vm, &kvm);
    if (vm.machine.stopped)
        kvm_load(&kvm);
    return timeline_print(vm_finish(&vm));
}
