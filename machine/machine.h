/* The whole virtual PC: processor, memory, devices, counters. Every VMM has one, and runs it its own way.
 * What a way of running must know of (a stale translation, a reason to stop) goes through `hooks` and
 * machine_stop(). Read next: vcpu.h, memory.h, event.h, emulate.h. */
#ifndef MACHINE_H
#define MACHINE_H

#include "bus.h"
#include "counters.h"
#include "decode.h"
#include "memory.h"
#include "vcpu.h"

struct machine;

/* What a VMM must be told, for it may keep translations of the guest's page tables; and what it answers in place of this machine.
 * A hook may be NULL. */
struct machine_hooks {
    void (*flush_all)(struct machine *);                     /* CR0, CR4: every linear address */
    void (*load_cr3)(struct machine *);                      /* all but global pages */
    void (*flush_page)(struct machine *, uint32_t linear);   /* INVLPG */
    /* A VMM to which its guest tells gates and stacks by other ways than IDT and TSS: false where it has none. The gate is as
     * an IDT holds it; the stack is that of ring 0. */
    bool (*gate)(struct machine *, uint8_t vector, uint32_t word[2]);
    bool (*kernel_stack)(struct machine *, uint16_t *ss, uint32_t *esp);
    bool (*debugger)(struct machine *, uint8_t vector);     /* an exception was for it, and is not to be delivered */
};

struct machine {
    struct vcpu cpu;
    struct memory mem;
    struct bus bus;
    struct counters counters;
    struct insn decoded[DECODE_CACHE];      /* by the low bits of their address; length 0: none */
    struct machine_hooks hooks;
    uint32_t cpuid[2][4];       /* what leaves 0 and 1 show: EAX, EBX, ECX, EDX */
    bool vmm_event;             /* an interrupt waits that is not the PIC's: of a VMM with events of its own */
    uint32_t hidden_flags;      /* of EFLAGS: a debugger's trap flag, which no stack may show; no interrupt comes while it steps */
    bool stopped;
    int status;                 /* exit status of the VMM once stopped (status.h) */
    char why[256];              /* one sentence, empty if the guest ended by itself */
};

/* End the guest's run with `status` and a sentence. The first reason wins: whatever goes wrong on the way
 * out of a failure is not what the reader must know. Returns false, as a failed operation does. */
bool machine_stop(struct machine *m, int status, const char *why);

#endif
