/* Direct execution: guest code runs on the real processor at ring 3, in this process, inside LDT segments.
 * direct_run() enters the guest and comes back with a reason, the way KVM_RUN does; faults that only the
 * monitor's own means caused (a page not in the shadow, a truncated segment limit) stay inside.
 *
 *   host-linear  0 ......... vm.mmap_min_addr      Linux keeps it unmapped
 *                .......... 0xfbffefff             the guest's window: guest-linear L at L + window (0, as a rule)
 *                0xfbfff000 .......... 0xffffffff  never reachable through a guest segment: the monitor's hole
 *                above 4 GiB                       the VMM itself
 *
 * Read next: world.asm, classify.c, shadow.h, segments.h. */
#ifndef DIRECT_H
#define DIRECT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "decode.h"
#include "direct/segments.h"
#include "direct/shadow.h"

struct machine;

enum direct_exit {
    DIRECT_SENSITIVE,       /* *d->insn stands at the guest's EIP: emulate it */
    DIRECT_EXCEPTION,       /* the exception in m->cpu.fault: deliver it */
    DIRECT_INTERRUPTED,     /* the timer, or an interrupt shadow has ended: look at the devices */
    DIRECT_SEALED,          /* a write to a sealed page (memory.h) at d->fault, guest-linear; only if there are any */
    DIRECT_UNSEEN,          /* a page that shadow.executable does not allow: look at it; only if that is set */
    DIRECT_GATE,            /* the guest went through gate direct_world.gate; only if d->gates is set */
    DIRECT_STOPPED,         /* the machine is stopped */
};

/* What brought the guest to a halt, for the counters: names in direct_exit_names. */
enum direct_count {
    COUNT_SENSITIVE, COUNT_SOFTWARE_INT, COUNT_EXCEPTION, COUNT_SHADOW_FILL, COUNT_TRUNCATION, COUNT_STEP, COUNT_TIMER,
    COUNT_SEALED, COUNT_UNSEEN, COUNT_END,
};
extern const char *const direct_exit_names[];

struct direct {
    struct machine *m;
    struct segments segments;
    struct shadow shadow;
    struct insn decoded;
    const struct insn *insn;        /* after DIRECT_SENSITIVE: `decoded`, or where a translator keeps it */
    uint16_t selector[SEGREGS];     /* as entered with: for the segments `selected`, cut at `selected_end` */
    struct segment selected[SEGREGS];
    uint32_t selected_end;
    uint32_t fault;
    uint32_t gates;                 /* host-linear address of a VMM's own gates, which lead to direct_gate; 0: none */
    bool step;                      /* the trap flag is ours: run one instruction */
    bool unaligned;                 /* run one instruction without AC */
    uint32_t entry_eip;
    timer_t timer;
    uint64_t armed;                 /* ns at which the timer fires; UINT64_MAX: never */
};

/* Guest RAM as `direct` needs it: a memfd of `bytes`, and a mapping of it above 4 GiB in m->mem. Then the
 * signal handlers, the timer, CPUID faulting. NULL, or a sentence that tells what this host lacks. */
const char *direct_init(struct direct *d, struct machine *m, uint32_t bytes);

/* At d->gates: code below 4 GiB through which the guest leaves, one stub for each direct_world.gate. */
enum { GATE_STUB_BYTES = 32, GATE_STUBS = 4 };

/* Let the guest run. The timer interrupts it at `deadline` (ns of CLOCK_MONOTONIC). */
enum direct_exit direct_run(struct direct *d, uint64_t deadline);

/* The steps of direct_run(), for a VMM that enters the guest at code of its own: arm the timer; choose the hardware's
 * selectors for the guest's segments (d->selector). */
void direct_arm(struct direct *d, uint64_t deadline);
void direct_select(struct direct *d);

/* Where a memory operand of *d->insn really is, in its segment: BT and its kin reach beyond the one they name. */
uint32_t direct_operand_offset(const struct direct *d, const struct operand *op);

/* Decode what stands at EIP to d->insn. False: the exception is in m->cpu.fault. */
bool direct_decode(struct direct *d);

/* Carry out the near branch *d->insn, which is taken, at the guest's EIP. False: the exception is in m->cpu.fault. */
bool direct_branch(struct direct *d);

/* Flags that the processor must not take from the guest: they would be ours (IF, IOPL) or fault. */
#define FLAGS_NOT_HARDWARE (uint32_t)(FLAG_IF | FLAG_IOPL | FLAG_VM | FLAG_RF | FLAG_VIF | FLAG_VIP)

/* In classify.c: why did the guest stop? `again`: nobody need know, go on. */
enum direct_exit direct_classify(struct direct *d, bool *again);

#endif
