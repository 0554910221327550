/* Carry out one instruction of isa.def on the guest's state: what the processor itself does at the guest's
 * privilege level, faults included. One function for every VMM: whoever met the instruction (a trap, a
 * translator's call-out, a VM exit) comes here. Intel SDM vol. 2. */
#ifndef EMULATE_H
#define EMULATE_H

#include "operand.h"

struct machine;

/* Execute `insn`, which stands at the guest's CS:EIP, and advance EIP. False: nothing has changed but what
 * completed iterations of a REP did, and the exception to deliver is in m->cpu.fault. */
bool emulate(struct machine *m, const struct insn *insn);

/* Ask the host's CPUID once, for the guest to be shown a subset of it. Call it before the host is asked to
 * trap CPUID (the VMM's own would trap too). */
void emulate_init_cpuid(struct machine *m);

/* What CPUID shows for a leaf: EAX, EBX, ECX, EDX. */
#define CPUID_HYPERVISOR 0x40000000u
const uint32_t *emulate_cpuid(const struct machine *m, uint32_t leaf);

#endif
