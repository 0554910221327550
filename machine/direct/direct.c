/* Entering and leaving the guest. See direct.h; why the guest stopped is classify.c's business. */
#include "direct/direct.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "direct/world.h"
#include "emulate.h"
#include "event.h"
#include "machine.h"
#include "segment.h"
#include "status.h"
#include "timeline.h"

const char *const direct_exit_names[] = {
    [COUNT_SENSITIVE] = "sensitive", [COUNT_SOFTWARE_INT] = "software-interrupt", [COUNT_EXCEPTION] = "exception",
    [COUNT_SHADOW_FILL] = "shadow-fill", [COUNT_TRUNCATION] = "truncation", [COUNT_STEP] = "single-step",
    [COUNT_TIMER] = "timer", NULL,
};

/* ---- once ---------------------------------------------------------------------------------------- */

/* The one virtual machine of this process: hooks get a struct machine and must find its struct direct. */
static struct direct *the_direct;

static void flush_all(struct machine *m) { (void)m; shadow_flush_all(&the_direct->shadow); }
static void load_cr3(struct machine *m) { (void)m; shadow_load_cr3(&the_direct->shadow); }
static void flush_page(struct machine *m, uint32_t gla) { (void)m; shadow_flush_page(&the_direct->shadow, gla); }

static const char *init_ram(struct direct *d, uint32_t bytes)
{
    int memfd = memfd_create("guest-ram", MFD_CLOEXEC);
    void *ram;

    if (memfd < 0 || ftruncate(memfd, bytes) != 0)
        return host_failed("no shared memory for the guest's RAM (are `ulimit -n` or `ulimit -f` low?): memfd_create");
    ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (ram == MAP_FAILED || !shadow_init(&d->shadow, d->m, memfd))
        return host_failed("no memory for the guest's RAM; -m asks for less");
    d->m->mem.ram = ram;
    d->m->mem.bytes = bytes;
    return NULL;
}

/* Nothing of ours may lie where the guest will. */
static const char *claim_window(void)
{
    void *low = (void *)(uintptr_t)WINDOW_MOVED;
    size_t bytes = HOLE_BEGIN - WINDOW_MOVED;

    void *got = mmap(low, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (got == MAP_FAILED && errno != EEXIST)
        return host_failed("Linux gives the process no 4 GiB of addresses (is `ulimit -v` low?): mmap");
    if (got != low)
        return "the process's first 4 GiB are in use: is the VMM built as a position-independent executable?";
    munmap(low, bytes);
    return NULL;
}

static const char *init_host(struct direct *d)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    const char *why = world_init();

    if (why)
        return why;
    why = segments_missing();
    if (why)
        return why;
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &direct_world.dispatch) != 0)
        return host_failed("no syscall user dispatch, for which Linux 5.11 or later is needed: prctl");
    if (timer_create(CLOCK_MONOTONIC, &event, &d->timer) != 0)
        return host_failed("no timer (is `ulimit -i` low?): timer_create");
    /* Where the processor cannot, the guest sees the host's CPUID: one more gap. */
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    return NULL;
}

const char *direct_init(struct direct *d, struct machine *m, uint32_t bytes)
{
    const char *why;

    *d = (struct direct){ .m = m, .armed = UINT64_MAX };
    the_direct = d;
    m->hooks = (struct machine_hooks){ .flush_all = flush_all, .load_cr3 = load_cr3, .flush_page = flush_page };
    m->counters.exit_names = direct_exit_names;
    emulate_init_cpuid(m);
    why = init_ram(d, bytes);
    if (!why)
        why = claim_window();
    if (!why)
        why = init_host(d);
    return why;
}

/* ---- entering ------------------------------------------------------------------------------------ */

void direct_arm(struct direct *d, uint64_t deadline)
{
    struct itimerspec at = {
        .it_value = { (time_t)(deadline / 1000000000), (long)(deadline % 1000000000) },
    };

    if (deadline == d->armed)
        return;
    if (deadline == UINT64_MAX)
        at.it_value = (struct timespec){ 0, 0 };        /* disarms */
    else if (deadline == 0)
        at.it_value.tv_nsec = 1;                        /* now */
    if (timer_settime(d->timer, TIMER_ABSTIME, &at, NULL) != 0)
        machine_stop(d->m, EXIT_HOST, host_failed("this host's timer cannot be set: timer_settime"));
    d->armed = deadline;
}

/* Host-linear address at which the guest's segments must end at its current privilege. */
static uint32_t ceiling(struct direct *d)
{
    if (vcpu_cpl(&d->m->cpu) == 3)
        return shadow_enter_user(&d->shadow) + d->shadow.window;
    return WINDOW_END;
}

/* Six segments of twelve bytes, as words: this is asked at every entry. */
static bool same_segments(const struct segment *a, const struct segment *b)
{
    uint64_t x[9], y[9], differ = 0;

    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    for (int i = 0; i < 9; i++)
        differ |= x[i] ^ y[i];
    return differ == 0;
}
_Static_assert(sizeof(struct segment[SEGREGS]) == 9 * sizeof(uint64_t), "same_segments() compares nine words");

void direct_select(struct direct *d)
{
    struct vcpu *cpu = &d->m->cpu;
    uint32_t end = ceiling(d);

    if (d->segments.window != d->shadow.window)
        segments_reset(&d->segments, d->shadow.window);
    else if (end == d->selected_end && same_segments(d->selected, cpu->seg))
        return;
    for (int i = 0; i < SEGREGS; i++)
        d->selector[i] = segments_select(&d->segments, &cpu->seg[i], end);
    d->selected_end = end;
    memcpy(d->selected, cpu->seg, sizeof d->selected);
    if (d->segments.refused)
        machine_stop(d->m, EXIT_HOST, host_failed("modify_ldt refused a segment of the guest's, 16-bit ones need CONFIG_X86_16BIT"));
}

/* Is the next instruction where the processor would not fetch? Then IRETQ itself would fault. */
static bool is_beyond(const struct direct *d)
{
    uint32_t last = segments_last(&d->segments, d->selector[CS]);

    return d->m->cpu.eip > last || last == 0;
}

/* What would the guest's processor say to that fetch? */
static enum direct_exit fetch_beyond(struct direct *d, bool *again)
{
    struct machine *m = d->m;
    struct vcpu *cpu = &m->cpu;
    uint32_t gla = cpu->seg[CS].base + cpu->eip;
    struct translation t;

    m->counters.exits[COUNT_TRUNCATION]++;
    if (cpu->eip > cpu->seg[CS].limit) {
        vcpu_raise_error(cpu, VEC_GP, 0);
        return DIRECT_EXCEPTION;
    }
    if (!memory_walk(m, gla, vcpu_cpl(cpu) == 3 ? ACCESS_USER : 0, &t))
        return DIRECT_EXCEPTION;
    if (vcpu_cpl(cpu) == 3 && gla + d->shadow.window < WINDOW_END && !d->shadow.cut_given_up) {
        shadow_give_up_cut(&d->shadow);
        *again = true;
    } else {
        machine_stop(m, EXIT_CRASH, "the guest executes code where the monitor lives, at the top of its address space");
    }
    return DIRECT_STOPPED;
}

static void load_flags(struct direct *d)
{
    struct vcpu *cpu = &d->m->cpu;

    d->step = cpu->shadow != SHADOW_NONE && event_waiting(d->m);
    direct_world.eflags = (cpu->eflags & ~FLAGS_NOT_HARDWARE) | FLAG_IF | FLAG_ONE;
    if (d->unaligned)
        direct_world.eflags &= ~(uint32_t)FLAG_AC;
    if (d->step || d->unaligned)
        direct_world.eflags |= FLAG_TF;
}

/* ---- leaving ------------------------------------------------------------------------------------- */

/* The processor's flags become the guest's, but for those that it never had. RF lasts for one instruction. */
static void take_flags(struct direct *d)
{
    struct vcpu *cpu = &d->m->cpu;
    uint32_t ours = FLAGS_NOT_HARDWARE | (d->step || d->unaligned ? FLAG_TF : 0) | (d->unaligned ? FLAG_AC : 0);

    cpu->eflags = (((cpu->eflags & ours) | (direct_world.eflags & ~ours)) & ~(uint32_t)FLAG_RF) | FLAG_ONE;
}

/* Segment registers that the guest loaded without a trap. By a far jump to one of our own selectors its user code
 * could become the kernel: no processor changes privilege like that. */
static void take_selectors(struct direct *d)
{
    unsigned cpl = direct_world.cpl;

    for (int i = 0; i < SEGREGS; i++)                   /* on its way out Linux may clear a null selector's RPL */
        if (direct_world.seg[i] != d->selector[i] &&
            !(selector_is_null(direct_world.seg[i]) && selector_is_null(d->selector[i])))
            d->m->cpu.seg[i] = segments_found(&d->segments, direct_world.seg[i]);
    if ((direct_world.seg[CS] & 4) && vcpu_cpl(&d->m->cpu) != cpl)
        machine_stop(d->m, EXIT_CRASH,
                     "the guest changed its privilege by a far transfer to a segment of the monitor's");
}

/* Was it a gate? A signal may have come on its first instructions, where the guest's registers are in place as well: the
 * timer's, or a single step's. */
static bool came_by_gate(struct direct *d)
{
    uint32_t at = d->m->cpu.eip - d->gates;

    if (direct_world.signal == 0)
        return true;
    if (!d->gates || direct_world.seg[CS] != LINUX_CODE64 || at >= GATE_STUBS * GATE_STUB_BYTES)
        return false;
    direct_world.gate = at / GATE_STUB_BYTES;
    direct_world.seg[CS] = direct_world.entered;
    if (direct_world.signal == SIGALRM)
        d->armed = UINT64_MAX;                          /* it is past: the next entry ends at once */
    return true;
}

enum direct_exit direct_run(struct direct *d, uint64_t deadline)
{
    struct machine *m = d->m;
    enum direct_exit exit;
    bool again;

    direct_arm(d, deadline);
    do {
        again = false;
        direct_select(d);
        if (m->stopped)
            return DIRECT_STOPPED;
        if (is_beyond(d)) {
            exit = fetch_beyond(d, &again);
            continue;
        }
        load_flags(d);
        direct_world.fpu = true;
        direct_world.translated = false;
        for (int i = 0; i < SEGREGS; i++)
            direct_world.seg[i] = d->selector[i];
        direct_world.cpl = (uint8_t)vcpu_cpl(&m->cpu);
        direct_world.entered = direct_world.seg[CS];
        d->entry_eip = m->cpu.eip;
        if (direct_enter(&m->cpu)) {
            timeline_not_entered();
            direct_world.signal = SIGALRM;
        } else {
            bool gate = came_by_gate(d);

            take_flags(d);
            take_selectors(d);
            if (gate) {
                m->cpu.shadow = SHADOW_NONE;
                d->unaligned = false;
                return m->stopped ? DIRECT_STOPPED : DIRECT_GATE;
            }
        }
        exit = direct_classify(d, &again);
    } while (again);
    return m->stopped ? DIRECT_STOPPED : exit;
}
