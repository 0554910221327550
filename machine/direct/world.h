/* The world switch: from 64-bit VMM code into the guest's 32-bit code at ring 3 of the same process, and
 * back out of a signal. This header is the border between C and world.asm. */
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

/* Linux's own code segments, which ring 3 may load. */
enum { LINUX_CODE32 = 0x23, LINUX_CODE64 = 0x33 };

/* What crosses beside the vcpu's registers. One virtual processor, so one of these, at a fixed place: a
 * signal handler has no argument to find it by. */
struct world {
    uint64_t host_rsp;          /* where direct_enter()'s frame is */
    struct vcpu *cpu;
    uint64_t fs_base;           /* the host's thread pointer, lost while the guest's FS is loaded */
    uint64_t target;            /* of the far jump to the guest: offset and, in bits 47:32, selector */
    bool (*service)(void);      /* asked at the gate, unless FPU state is loaded: true: go on at vcpu->eip. May be NULL. */
    uint64_t cr2;               /* out: for trap 14, host linear */
    uint64_t eflags;            /* in and out: the processor's, not the guest's */
    uint32_t trap, error;       /* out: vector and error code; stale unless the signal is a fault's */
    uint32_t signal;            /* out */
    uint16_t seg[SEGREGS];      /* in and out: the processor's selectors */
    uint8_t kick;               /* set by the timer's signal; direct_enter() then returns at once */
    uint8_t dispatch;           /* Linux's syscall user dispatch looks here: 1 while the guest runs */
    uint8_t fsgsbase;           /* WRFSBASE works; else a system call restores the thread pointer */
    uint8_t fpu;                /* in: load the guest's FPU state; out: it was loaded, and vcpu->fpu is current again */
    uint32_t gate;              /* out, after the gate: which, if there are several */
    /* The processor's CS with which the guest was entered last, and its privilege then. Code in a gate that enters it
     * otherwise, without C, updates both. */
    uint16_t entered;
    uint8_t cpl;
    uint64_t restart, restart_end;      /* code in a gate: a timer's signal between these begins anew at the first */
    uint8_t translated;         /* in: what runs is a translator's output: FS stays the host's, nobody looks at it */
};
extern struct world direct_world __attribute__((visibility("hidden")));

/* Run the guest from direct_world and `cpu` until a signal comes, or until it jumps to direct_gate(). True: interrupted
 * by the timer before the first instruction, nothing has changed but what the service did. False: registers, FPU state
 * and direct_world are the guest's; direct_world.signal is 0 after the gate. */
bool direct_enter(struct vcpu *cpu);

/* The gate: code of ours, below 4 GiB, leaves 32-bit mode by a far jump to Linux's 64-bit segment and jumps here with
 * all of the guest's registers in place. No signal, a sixteenth of the price. Never called from C. */
void direct_gate(void);

/* Does the processor know a descriptor of this selector, which ring 3 may load? (LAR: Intel SDM vol. 2A.) */
bool world_sees(uint16_t selector);

/* Once per process: alternate stack, handlers, thread pointer. NULL, or what failed. */
const char *world_init(void);

#endif
