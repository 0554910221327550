/* See kvm.h. */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emulate.h"
#include "machine.h"
#include "pc.h"
#include "status.h"
#include "timeline.h"
#include "wall.h"

/* Three pages for a TSS and one of page tables, which VT-x needs where it cannot run real mode; nobody's RAM. */
#define KVM_TSS_AT      0xfffbd000u
#define KVM_IDENTITY_AT UINT64_C(0xfffbc000)

const char *const kvm_exit_names[] = {
    [COUNT_IO] = "io", [COUNT_MMIO] = "mmio", [COUNT_HLT] = "hlt", [COUNT_WINDOW] = "interrupt-window", [COUNT_TIMER] = "timer",
    [COUNT_DEBUG] = "debug", [COUNT_SHUTDOWN] = "shutdown", [COUNT_OTHER] = "other", NULL,
};

/* ---- once ---------------------------------------------------------------------------------------- */

static struct kvm_run *volatile the_run;

/* Comes between the loop's look at the clock and KVM_RUN as well: that then returns at once. */
static void on_alarm(int signal)
{
    (void)signal;
    the_run->immediate_exit = 1;
}

static const char *open_device(struct kvm *k)
{
    static char why[160];
    int version;

    k->device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    version = k->device < 0 ? -1 : ioctl(k->device, KVM_GET_API_VERSION, 0);
    if (version == KVM_API_VERSION)
        return NULL;
    if (k->device >= 0)
        return version < 0 ? host_failed("/dev/kvm does not say its version: not Linux's KVM")
                           : "/dev/kvm speaks another version of the interface: not Linux's KVM";
    snprintf(why, sizeof why, "/dev/kvm: %s; %s", strerror(errno),
             errno == EACCES ? "join its group: sudo usermod -aG kvm $USER, then log in again"
                             : "`make run-hwassist-svm` runs the bare monitor in QEMU instead");
    return why;
}

static const char *make_irqchip(struct kvm *k)
{
    struct kvm_pit_config pit = { 0 };

    if (k->irqchip && (ioctl(k->vm, KVM_CREATE_IRQCHIP, 0) || ioctl(k->vm, KVM_CREATE_PIT2, &pit)))
        return host_failed("KVM makes no interrupt controllers of its own; leave --irqchip=kernel out");
    return NULL;
}

static const char *make_ram(struct kvm *k, uint32_t bytes)
{
    struct memory *mem = &k->m->mem;
    void *ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct kvm_userspace_memory_region region = { .memory_size = bytes, .userspace_addr = (uintptr_t)ram };

    if (ram == MAP_FAILED)
        return host_failed("no memory for the guest's RAM");
    mem->ram = ram;
    mem->bytes = bytes;
    return ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region) ? host_failed("KVM does not take the guest's RAM") : NULL;
}

/* What the guest sees of the processor: what it sees under the other VMMs. */
static bool set_cpuid(struct kvm *k)
{
    static const uint32_t leaf[] = { 0, 1, CPUID_HYPERVISOR };
    enum { LEAVES = sizeof leaf / sizeof leaf[0] };
    uint64_t room[(sizeof(struct kvm_cpuid2) + LEAVES * sizeof(struct kvm_cpuid_entry2)) / 8 + 1] = { 0 };
    struct kvm_cpuid2 *cpuid = (struct kvm_cpuid2 *)room;

    cpuid->nent = LEAVES;
    for (int i = 0; i < LEAVES; i++) {
        const uint32_t *r = emulate_cpuid(k->m, leaf[i]);

        cpuid->entries[i] = (struct kvm_cpuid_entry2){
            .function = leaf[i], .eax = r[0], .ebx = r[1], .ecx = r[2], .edx = r[3],
        };
    }
    return ioctl(k->vcpu, KVM_SET_CPUID2, cpuid) == 0;
}

static const char *make_vcpu(struct kvm *k)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    uint64_t offset = 0;
    struct kvm_device_attr tsc = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)&offset };

    k->run_bytes = (size_t)ioctl(k->device, KVM_GET_VCPU_MMAP_SIZE, 0);
    k->vcpu = ioctl(k->vm, KVM_CREATE_VCPU, 0);
    k->run = mmap(NULL, k->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, k->vcpu, 0);
    if (k->vcpu < 0 || k->run == MAP_FAILED || !set_cpuid(k))
        return host_failed("KVM makes no virtual processor");
    k->run->kvm_valid_regs = KVM_SYNC_X86_REGS;         /* EIP at every exit, without a system call for it */
    k->same_tsc = ioctl(k->vcpu, KVM_SET_DEVICE_ATTR, &tsc) == 0;       /* Linux would have it begin at 0 */
    the_run = k->run;
    signal(SIGALRM, on_alarm);
    return timer_create(CLOCK_MONOTONIC, &event, &k->timer) ? host_failed("no timer (is `ulimit -i` low?): timer_create") : NULL;
}

const char *kvm_init(struct kvm *k, struct machine *m, uint32_t bytes, bool irqchip)
{
    uint64_t identity = KVM_IDENTITY_AT;
    const char *why;

    *k = (struct kvm){ .m = m, .irqchip = irqchip, .armed = UINT64_MAX };
    m->counters.exit_names = kvm_exit_names;
    emulate_init_cpuid(m);
    why = open_device(k);
    if (why)
        return why;
    k->vm = ioctl(k->device, KVM_CREATE_VM, 0);
    if (k->vm < 0)
        return host_failed("KVM_CREATE_VM fails: another hypervisor may hold the processor's extensions");
    ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    ioctl(k->vm, KVM_SET_TSS_ADDR, KVM_TSS_AT);
    if (!(why = make_irqchip(k)) && !(why = make_ram(k, bytes)))
        why = make_vcpu(k);
    return why;
}

void kvm_free(struct kvm *k)
{
    timer_delete(k->timer);
    munmap(k->run, k->run_bytes);
    munmap(k->m->mem.ram, k->m->mem.bytes);
    close(k->vcpu);
    close(k->vm);
    close(k->device);
}

const struct wall_ioctl *kvm_ioctls(const struct kvm *k)
{
    static const unsigned long vcpu[] = {
        KVM_RUN, KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_INTERRUPT, KVM_SET_GUEST_DEBUG,
    };
    enum { VCPU_CALLS = sizeof vcpu / sizeof vcpu[0] };
    static struct wall_ioctl all[VCPU_CALLS + 2];

    for (int i = 0; i < VCPU_CALLS; i++)
        all[i] = (struct wall_ioctl){ k->vcpu, vcpu[i] };
    all[VCPU_CALLS] = (struct wall_ioctl){ k->vm, KVM_IRQ_LINE };
    return all;
}

/* ---- what must not fail -------------------------------------------------------------------------- */

/* Whose fault it is, ours or KVM's, errno does not tell: this host cannot go on. */
static void failed(struct kvm *k, const char *call)
{
    machine_stop(k->m, EXIT_HOST, host_failed(call));
}

/* An ioctl of the vCPU; its name is its number's. */
#define VCPU(k, call, argument) (ioctl((k)->vcpu, call, argument) ? failed(k, #call) : (void)0)

/* ---- the processor's state ----------------------------------------------------------------------- */

static struct kvm_segment to_kvm(const struct segment *s)
{
    return (struct kvm_segment){
        .selector = s->selector, .base = s->base, .limit = s->limit, .type = s->attr & ATTR_TYPE,
        .s = (s->attr & ATTR_SEGMENT) != 0, .dpl = s->attr >> ATTR_DPL_SHIFT & 3, .present = (s->attr & ATTR_PRESENT) != 0,
        .db = (s->attr & ATTR_BIG) != 0, .g = (s->attr & ATTR_GRANULAR) != 0, .unusable = !(s->attr & ATTR_PRESENT),
    };
}

static struct segment from_kvm(const struct kvm_segment *s)
{
    unsigned attr = s->type | s->s << 4 | s->dpl << ATTR_DPL_SHIFT | (unsigned)s->present << 7 | s->db << 10 | s->g << 11;

    return (struct segment){
        .selector = s->selector, .base = (uint32_t)s->base, .limit = s->limit, .attr = s->unusable ? 0 : (uint16_t)attr,
    };
}

/* In the order of vcpu.h: es, cs, ss, ds, fs, gs. */
static struct kvm_segment *segment_of(struct kvm_sregs *s, int i)
{
    struct kvm_segment *const place[SEGREGS] = { &s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs };

    return place[i];
}

static void store_segments(struct kvm *k, const struct vcpu *cpu)
{
    struct kvm_sregs s = { 0 };

    VCPU(k, KVM_GET_SREGS, &s);
    for (int i = 0; i < SEGREGS; i++)
        *segment_of(&s, i) = to_kvm(&cpu->seg[i]);
    s.tr = to_kvm(&cpu->tr);
    s.ldt = to_kvm(&cpu->ldtr);
    s.gdt = (struct kvm_dtable){ .base = cpu->gdtr.base, .limit = cpu->gdtr.limit };
    s.idt = (struct kvm_dtable){ .base = cpu->idtr.base, .limit = cpu->idtr.limit };
    s.cr0 = cpu->cr0;
    s.cr2 = cpu->cr2;
    s.cr3 = cpu->cr3;
    s.cr4 = cpu->cr4;
    s.efer = 0;
    VCPU(k, KVM_SET_SREGS, &s);
}

static void store_registers(struct kvm *k, const struct vcpu *cpu)
{
    struct kvm_regs r = {
        .rax = cpu->gpr[EAX], .rbx = cpu->gpr[EBX], .rcx = cpu->gpr[ECX], .rdx = cpu->gpr[EDX], .rsi = cpu->gpr[ESI],
        .rdi = cpu->gpr[EDI], .rsp = cpu->gpr[ESP], .rbp = cpu->gpr[EBP], .rip = cpu->eip, .rflags = cpu->eflags,
    };

    VCPU(k, KVM_SET_REGS, &r);
}

static void store_fpu(struct kvm *k, const struct vcpu *cpu)
{
    struct kvm_fpu f = { 0 };

    memcpy(&f.fcw, cpu->fpu, 2);
    memcpy(&f.mxcsr, cpu->fpu + 24, 4);
    VCPU(k, KVM_SET_FPU, &f);
}

void kvm_store(struct kvm *k)
{
    store_segments(k, &k->m->cpu);
    store_registers(k, &k->m->cpu);
    store_fpu(k, &k->m->cpu);
}

void kvm_load(struct kvm *k)
{
    struct vcpu *cpu = &k->m->cpu;
    struct kvm_sregs s = { 0 };
    struct kvm_regs r = { 0 };

    VCPU(k, KVM_GET_SREGS, &s);
    VCPU(k, KVM_GET_REGS, &r);
    for (int i = 0; i < SEGREGS; i++)
        cpu->seg[i] = from_kvm(segment_of(&s, i));
    cpu->tr = from_kvm(&s.tr);
    cpu->ldtr = from_kvm(&s.ldt);
    cpu->gdtr = (struct table_register){ (uint32_t)s.gdt.base, s.gdt.limit };
    cpu->idtr = (struct table_register){ (uint32_t)s.idt.base, s.idt.limit };
    cpu->cr0 = (uint32_t)s.cr0;
    cpu->cr2 = (uint32_t)s.cr2;
    cpu->cr3 = (uint32_t)s.cr3;
    cpu->cr4 = (uint32_t)s.cr4;
    memcpy(cpu->gpr, (uint32_t[]){ (uint32_t)r.rax, (uint32_t)r.rcx, (uint32_t)r.rdx, (uint32_t)r.rbx, (uint32_t)r.rsp,
                                   (uint32_t)r.rbp, (uint32_t)r.rsi, (uint32_t)r.rdi }, sizeof cpu->gpr);
    cpu->eip = (uint32_t)r.rip;
    cpu->eflags = (uint32_t)r.rflags;
}

/* ---- a debugger ---------------------------------------------------------------------------------- */

static void set_guest_debug(struct kvm *k, const struct kvm_guest_debug *wanted)
{
    if (ioctl(k->vcpu, KVM_SET_GUEST_DEBUG, wanted))
        machine_stop(k->m, EXIT_HOST, "KVM_SET_GUEST_DEBUG: KVM has no breakpoints and steps for a debugger here");
}

/* While it steps, KVM keeps the trap flag for itself. So its own goes first, the guest's comes, and then KVM's again. */
void kvm_debug(struct kvm *k, const struct kvm_guest_debug *wanted)
{
    set_guest_debug(k, &(struct kvm_guest_debug){ 0 });
    store_registers(k, &k->m->cpu);
    set_guest_debug(k, wanted);
}

void kvm_reflect_int3(struct kvm *k, struct kvm_guest_debug wanted)
{
    wanted.control |= KVM_GUESTDBG_INJECT_BP;
    set_guest_debug(k, &wanted);
}

/* ---- running ------------------------------------------------------------------------------------- */

static void arm(struct kvm *k, uint64_t deadline)
{
    struct itimerspec at = { .it_value = { (time_t)(deadline / 1000000000), (long)(deadline % 1000000000) } };

    if (deadline == k->armed)
        return;
    if (deadline == UINT64_MAX)
        at.it_value = (struct timespec){ 0, 0 };        /* disarms */
    else if (deadline == 0)
        at.it_value.tv_nsec = 1;                        /* now */
    if (timer_settime(k->timer, TIMER_ABSTIME, &at, NULL) != 0)
        failed(k, "timer_settime");
    k->armed = deadline;
}

static enum kvm_count count_of(uint32_t reason)
{
    switch (reason) {
    case KVM_EXIT_IO: return COUNT_IO;
    case KVM_EXIT_MMIO: return COUNT_MMIO;
    case KVM_EXIT_HLT: return COUNT_HLT;
    case KVM_EXIT_IRQ_WINDOW_OPEN: return COUNT_WINDOW;
    case KVM_EXIT_INTR: return COUNT_TIMER;
    case KVM_EXIT_DEBUG: return COUNT_DEBUG;
    case KVM_EXIT_SHUTDOWN: return COUNT_SHUTDOWN;
    default: return COUNT_OTHER;
    }
}

uint32_t kvm_enter(struct kvm *k, uint64_t deadline)
{
    uint32_t reason;
    int ran;

    arm(k, deadline);
    timeline_stamp(TIMELINE_ENTER, NULL);
    ran = ioctl(k->vcpu, KVM_RUN, 0);
    timeline_stamp(TIMELINE_KVM, NULL);
    if (ran == 0) {
        reason = k->run->exit_reason;
    } else if (errno == EINTR || errno == EAGAIN) {
        reason = KVM_EXIT_INTR;
        k->armed = UINT64_MAX;
        k->run->immediate_exit = 0;
    } else {
        failed(k, "KVM_RUN");
        reason = KVM_EXIT_INTR;
    }
    k->unfinished = reason == KVM_EXIT_IO || reason == KVM_EXIT_MMIO;
    k->m->counters.exits[count_of(reason)]++;
    timeline_because(kvm_exit_names[count_of(reason)]);
    k->m->cpu.eip = (uint32_t)k->run->s.regs.regs.rip;
    return reason;
}

void kvm_offer_interrupt(struct kvm *k)
{
    struct kvm_run *run = k->run;
    struct kvm_interrupt interrupt;

    if (k->irqchip || k->m->hidden_flags)               /* none while a debugger steps */
        return;
    if (run->ready_for_interrupt_injection && bus_intr(&k->m->bus)) {
        interrupt.irq = bus_ack(&k->m->bus);
        VCPU(k, KVM_INTERRUPT, &interrupt);
        k->m->counters.events[interrupt.irq]++;
        k->m->cpu.halted = false;
        run->ready_for_interrupt_injection = 0;
    }
    run->request_interrupt_window = bus_intr(&k->m->bus);
}

static void drive_com1(struct kvm *k, bool level)
{
    struct kvm_irq_level line = { .irq = IRQ_COM1, .level = level };

    if (level != k->com1_line && ioctl(k->vm, KVM_IRQ_LINE, &line))
        failed(k, "KVM_IRQ_LINE");
    k->com1_line = level;
}

/* The line may have risen and fallen since the last look: machine/'s 8259 remembers the edge. */
void kvm_com1_line(struct kvm *k)
{
    struct pic_chip *chip = &k->m->bus.pic.chip[0];

    if (!k->irqchip)
        return;
    if (chip->irr & 1 << IRQ_COM1) {
        drive_com1(k, false);
        drive_com1(k, true);
    }
    chip->irr = 0;
    drive_com1(k, chip->lines & 1 << IRQ_COM1);
}

/* REP INS and OUTS ask for several at once. */
void kvm_io(struct kvm *k)
{
    struct kvm_run *run = k->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        uint32_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, run->io.size);
            bus_out(&k->m->bus, run->io.port, run->io.size, value);
        } else {
            value = bus_in(&k->m->bus, run->io.port, run->io.size);
            memcpy(data, &value, run->io.size);
        }
    }
    kvm_com1_line(k);
}

/* No device is there: all ones, or nothing. */
void kvm_mmio(struct kvm *k)
{
    if (!k->run->mmio.is_write)
        memset(k->run->mmio.data, 0xff, sizeof k->run->mmio.data);
}
