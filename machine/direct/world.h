/* The world switch: from 64-bit VMM code into the guest's 32-bit code at ring 3 of the same process, and
 * back out of a signal. This header is the border between C and world.asm. */
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

/* What crosses beside the vcpu's registers. One virtual processor, so one of these, at a fixed place: a
 * signal handler has no argument to find it by. */
struct world {
    uint64_t host_rsp;          /* where direct_enter()'s frame is */
    struct vcpu *cpu;
    uint64_t fs_base;           /* the host's thread pointer, lost while the guest's FS is loaded */
    uint64_t cr2;               /* out: for trap 14, host linear */
    uint32_t eflags;            /* in and out: the processor's, not the guest's */
    uint32_t trap, error;       /* out: vector and error code; stale unless the signal is a fault's */
    uint32_t signal;            /* out */
    uint16_t seg[SEGREGS];      /* in and out: the processor's selectors */
    uint8_t kick;               /* set by the timer's signal; direct_enter() then returns at once */
    uint8_t dispatch;           /* Linux's syscall user dispatch looks here: 1 while the guest runs */
    uint8_t fsgsbase;           /* WRFSBASE works; else a system call restores the thread pointer */
};
extern struct world direct_world __attribute__((visibility("hidden")));

/* Run the guest from direct_world and `cpu` until a signal comes. True: interrupted by the timer before the
 * first instruction, nothing has changed. False: registers, FPU state and direct_world are the guest's. */
bool direct_enter(struct vcpu *cpu);

/* Once per process: alternate stack, handlers, thread pointer. NULL, or what failed. */
const char *world_init(void);

#endif
