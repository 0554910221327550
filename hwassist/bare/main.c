/* VMM 4 without a host operating system. The run loop is that of the other VMMs, and so are the devices, the loader and the
 * counters, which come from machine/; what Linux was for them is host.c and libc.c, and what KVM was for the other half is svm.c
 * or vmx.c, behind hv.h. What comes before the first entry is in start.c. Read next: hv.h, svm.asm, svm.c. */
#include <inttypes.h>
#include <stdio.h>

#include "emulate.h"
#include "event.h"
#include "host.h"
#include "hv.h"
#include "paging.h"
#include "status.h"
#include "vm.h"

const char *const hv_exit_names[] = {
    [HV_IO] = "io", [HV_CPUID] = "cpuid", [HV_HLT] = "hlt", [HV_MSR] = "msr", [HV_CR] = "cr", [HV_INVLPG] = "invlpg",
    [HV_CACHE] = "invd", [HV_RDPMC] = "rdpmc", [HV_FORBIDDEN] = "forbidden", [HV_PAGE_FAULT] = "page-fault",
    [HV_NESTED_FAULT] = "nested-fault", [HV_EXCEPTION] = "exception", [HV_STEP] = "step",
    [HV_WINDOW] = "interrupt-window", [HV_INTERRUPT] = "interrupt", [HV_TASK_SWITCH] = "task-switch",
    [HV_SHUTDOWN] = "shutdown", [HV_REFUSED] = "refused", NULL,
};

_Static_assert((int)HV_EXITS < EXIT_KINDS_MAX, "enter() counts by exit, and the time before the first exit by HV_EXITS");

static const struct hv *hv;
static struct hv_event pending;         /* waits for the next entry */
static bool window_open;
static uint32_t opened_at;              /* EIP of the last access that faulted */
static struct hv_event injected;        /* went in with the last one */
static bool stepping;                   /* the guest runs with our trap flag */
static uint32_t dr6;                    /* from before */

/* ---- exits --------------------------------------------------------------------------------------- */

static void inject(struct hv_event event)
{
    hv->inject(event);
    pending = event;
}

/* The exception in m->cpu.fault, to be delivered by the processor. */
static void inject_fault(struct machine *m)
{
    const struct fault *f = &m->cpu.fault;

    if (f->vector == VEC_PF) {
        hv->load(m);
        m->cpu.cr2 = f->cr2;
    }
    if (f->vector != VEC_DB && f->vector != VEC_DF)
        m->cpu.eflags |= FLAG_RF;                       /* a fault's flags have it (Intel SDM vol. 3B 17.3.1.1) */
    m->cpu.shadow = SHADOW_NONE;
    m->cpu.halted = false;                              /* a HLT that is single-stepped */
    inject((struct hv_event){
        HV_EVENT_VALID | HV_EVENT_EXCEPTION | (f->has_error ? HV_EVENT_ERROR : 0) | f->vector, f->error,
    });
    m->counters.events[f->vector]++;
}

static void emulate_exit(struct machine *m)
{
    struct insn insn;

    if (m->cpu.eflags & FLAG_TF)
        hv->load(m);                                    /* DR6 may change */
    if (!decode_at_eip(m, &insn) || !emulate(m, &insn))
        inject_fault(m);
}

/* An instruction has been carried out without the emulator. */
static void finish(struct machine *m, uint32_t next, enum isa isa)
{
    m->cpu.eip = next;
    m->cpu.eflags &= ~(uint32_t)FLAG_RF;
    m->cpu.shadow = SHADOW_NONE;
    m->counters.emulated[isa]++;
}

/* CPUID, where the processor tells its length, or where it has no prefix and so two bytes. False: it is for the emulator. */
static bool cpuid_exit(struct machine *m, const struct hv_info *info)
{
    struct vcpu *cpu = &m->cpu;
    uint32_t next = info->next;
    struct translation t;
    const uint32_t *leaf;

    if (!next && memory_peek(m, cpu->seg[CS].base + cpu->eip, ACCESS_READ, &t) && memory_read(&m->mem, t.gpa, 1) == 0x0f)
        next = cpu->eip + 2;
    if (!next || (cpu->eflags & FLAG_TF))
        return false;
    leaf = emulate_cpuid(m, cpu->gpr[EAX]);
    cpu->gpr[EAX] = leaf[0];
    cpu->gpr[EBX] = leaf[1];
    cpu->gpr[ECX] = leaf[2];
    cpu->gpr[EDX] = leaf[3];
    finish(m, next, ISA_CPUID);
    return true;
}

/* RDPMC is #GP; the others are not of the processor that CPUID shows. */
static void refuse_exit(struct machine *m, enum hv_exit exit)
{
    if (exit == HV_RDPMC)
        vcpu_raise_error(&m->cpu, VEC_GP, 0);
    else
        vcpu_raise(&m->cpu, VEC_UD);
    inject_fault(m);
}

/* IN and OUT, as the processor has taken them apart; what moves a string, or is being single-stepped, is for the emulator. */
static void port_exit(struct machine *m, const struct hv_info *info)
{
    struct vcpu *cpu = &m->cpu;

    if (info->string || (cpu->eflags & FLAG_TF)) {
        hv->load(m);
        emulate_exit(m);
        return;
    }
    if (info->in)
        register_write(cpu, EAX, info->bytes, bus_in(&m->bus, info->port, info->bytes));
    else
        bus_out(&m->bus, info->port, info->bytes, register_read(cpu, EAX, info->bytes));
    finish(m, info->next, info->in ? ISA_IN : ISA_OUT);
}

/* An exit while an event was on its way to the guest: it must set out again. A fault does so by itself, for its instruction is
 * executed again, and so do INT n and its kin. */
static void deliver_again(void)
{
    struct hv_event event = hv->during();

    if (event.info && event.info == injected.info)
        inject(event);
}

/* #DB and #AC come here on their way to the guest. Their delivery may raise them again, for ever, and without an exit in between
 * nothing could end that on a real processor, no timer either (CVE-2015-5307, CVE-2015-8104). */
static void exception_exit(struct machine *m, const struct hv_info *info)
{
    hv->load(m);
    m->cpu.eip = info->next;
    if (info->vector == VEC_DB)
        m->cpu.dr[7] &= ~(uint32_t)DR7_GD;
    if (info->vector == VEC_AC)
        vcpu_raise_error(&m->cpu, VEC_AC, info->error);
    else
        vcpu_raise(&m->cpu, info->vector);
    inject_fault(m);
}

/* The first of two exceptions, for the rules of double faults. */
static uint8_t being_delivered(void)
{
    uint32_t info = hv->during().info;

    return (info & HV_EVENT_TYPE) == HV_EVENT_EXCEPTION && info ? (uint8_t)info : VEC_NMI;
}

/* The next instruction writes where no memory is. The one behind it must find ones again: single-step it. Where that cannot be,
 * because the guest debugs itself or an event goes in first, the ones come back at whatever exit is next. */
static void step_if_open(struct machine *m)
{
    struct vcpu *cpu = &m->cpu;

    stepping = nowhere_is_open() && !pending.info && !(cpu->eflags & FLAG_TF) && !(cpu->dr[7] & DR7_ENABLES) &&
               cpu->shadow == SHADOW_NONE;
    cpu->eflags |= stepping ? FLAG_TF : 0;
    dr6 = cpu->dr[6];
}

/* The guest sees neither the flag nor its #DB. */
static enum hv_exit end_step(struct machine *m, enum hv_exit exit, const struct hv_info *info)
{
    stepping = false;
    hv->load(m);
    m->cpu.eflags &= ~(uint32_t)FLAG_TF;
    m->cpu.dr[6] = dr6;
    return exit == HV_EXCEPTION && info->vector == VEC_DB ? HV_STEP : exit;
}

static void page_fault_exit(struct machine *m, const struct hv_info *info)
{
    hv->load(m);
    opened_at = m->cpu.eip;
    if (shadow_fill(m, info->gla, info->error)) {
        deliver_again();
        step_if_open(m);
    } else if (event_second(m, being_delivered())) {
        inject_fault(m);
    }
}

static void nested_fault_exit(struct machine *m, const struct hv_info *info)
{
    if (info->gpa >> 32) {
        machine_stop(m, EXIT_CRASH, "the guest's page tables lead beyond 4 GiB");
        return;
    }
    hv->load(m);
    opened_at = m->cpu.eip;
    nowhere_open((uint32_t)info->gpa);
    hv->flush();
    deliver_again();
    step_if_open(m);
}

/* The guest cannot go on: why? */
static void last_exit(struct machine *m, enum hv_exit exit, const struct hv_info *info)
{
    char why[120];

    if (exit == HV_TASK_SWITCH) {
        machine_stop(m, EXIT_CRASH, "the guest switches tasks by hardware, which is not modelled");
    } else if (exit == HV_SHUTDOWN) {
        machine_stop(m, EXIT_CRASH, "triple fault: the guest could not take a double fault");
    } else {
        snprintf(why, sizeof why, "%s refuses the guest's state: exit code %#" PRIx64 ", detail %#" PRIx64, hv->name, info->code,
                 info->detail);
        machine_stop(m, EXIT_BUG, why);
    }
}

/* ---- the loop ------------------------------------------------------------------------------------ */

static void offer_interrupt(struct machine *m)
{
    uint8_t vector;

    if (!pending.info && m->cpu.shadow == SHADOW_NONE && event_waiting(m)) {
        vector = bus_ack(&m->bus);
        inject((struct hv_event){ HV_EVENT_VALID | HV_EVENT_EXTERNAL | vector, 0 });
        m->counters.events[vector]++;
        m->cpu.halted = false;
    }
    if (bus_intr(&m->bus) != window_open)
        hv->window(window_open = !window_open);
}

static enum hv_exit enter(struct vm *vm, struct hv_info *info)
{
    struct counters *counters = &vm->machine.counters;
    uint64_t left = info->ticks[1];
    static enum hv_exit last = HV_EXITS;
    enum hv_exit exit;

    injected = pending;
    pending.info = 0;
    exit = hv->enter(&vm->machine, info);
    if (stepping)
        exit = end_step(&vm->machine, exit, info);
    counters->ticks[last] += info->ticks[0] - left;     /* those of HV_EXITS, before the first, are nobody's */
    counters->exits[exit]++;
    last = exit;
    if ((exit != HV_NESTED_FAULT && exit != HV_PAGE_FAULT) || vm->machine.cpu.eip != opened_at)
        nowhere_close(&vm->machine);                    /* an access across two pages needs both open */
    vm_trace(vm, hv_exit_names[exit], false);
    return exit;
}

/* Has the time come for something? */
static void look_at_the_clock(struct vm *vm)
{
    host_take_interrupt();
    vm_tick(vm);
    host_arm(vm_deadline(vm));
}

/* Lets the guest run, or sleep, until there may be something to do. CPUID changes nothing outside: straight back. */
static enum hv_exit next_exit(struct vm *vm, struct hv_info *info)
{
    struct machine *m = &vm->machine;
    enum hv_exit exit;

    offer_interrupt(m);
    if (m->cpu.halted) {
        vm_idle(vm);
        host_arm(vm_deadline(vm));
        return HV_WINDOW;                               /* somebody may have something to offer now, and that is all */
    }
    do
        exit = enter(vm, info);
    while (exit == HV_CPUID && cpuid_exit(m, info));
    return exit;
}

static void run(struct vm *vm)
{
    struct machine *m = &vm->machine;
    struct hv_info info = { 0 };
    enum hv_exit exit;

    host_arm(vm_deadline(vm));                          /* again whenever a device may have changed it */
    while (vm_continues(vm)) {
        exit = next_exit(vm, &info);
        /* LAB 7.6: what the exit asks for. The devices' ports; instructions that machine/ carries out (hv->load first, where they need
         * more than the registers that every exit brings); faults to be filled or injected; the clock; the last exit. */
        switch (exit) {
        case HV_IO:
            port_exit(m, &info);
            host_arm(vm_deadline(vm));
            break;
        case HV_CR: case HV_INVLPG:
            hv->load(m);
            emulate_exit(m);
            break;
        case HV_CPUID: case HV_HLT: case HV_MSR: case HV_CACHE:
            emulate_exit(m);
            break;
        case HV_RDPMC: case HV_FORBIDDEN:
            refuse_exit(m, exit);
            break;
        case HV_PAGE_FAULT:
            page_fault_exit(m, &info);
            break;
        case HV_NESTED_FAULT:
            nested_fault_exit(m, &info);
            break;
        case HV_INTERRUPT:
            deliver_again();
            look_at_the_clock(vm);
            break;
        case HV_EXCEPTION:
            exception_exit(m, &info);
            look_at_the_clock(vm);                      /* which cannot interrupt while events follow one another */
            break;
        case HV_WINDOW: case HV_STEP:
            break;
        case HV_TASK_SWITCH: case HV_SHUTDOWN: case HV_REFUSED: case HV_EXITS:
            last_exit(m, exit, &info);
            break;
        }
        /* END 7.6: m, exit, port_exit, emulate_exit, refuse_exit, page_fault_exit, nested_fault_exit, deliver_again, look_at_the_clock,
         * exception_exit, last_exit */
    }
}

void hv_run(struct vm *vm, const struct hv *processor)
{
    hv = processor;
    run(vm);
    hv->load(&vm->machine);
}
