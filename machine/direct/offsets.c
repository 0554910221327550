/* Prints build/include/offsets.inc: where world.asm finds things in struct vcpu, struct world and Linux's ucontext_t.
 * Runs on the machine that builds; so no number is written down twice. */
#include <stddef.h>
#include <stdio.h>
#include <ucontext.h>

#include "direct/world.h"
#include "timeline.h"

#define OFFSET(name, type, field) printf("%%define %s %zu\n", #name, offsetof(type, field))
#define VCPU(name, field) OFFSET(VCPU_##name, struct vcpu, field)
#define WORLD(name, field) OFFSET(WORLD_##name, struct world, field)
#define STAMP(name, field) OFFSET(STAMP_##name, struct timeline_stamp, field)
#define CONTEXT(reg) OFFSET(UC_##reg, ucontext_t, uc_mcontext.gregs[REG_##reg])

int main(void)
{
    VCPU(EAX, gpr[EAX]); VCPU(ECX, gpr[ECX]); VCPU(EDX, gpr[EDX]); VCPU(EBX, gpr[EBX]);
    VCPU(ESP, gpr[ESP]); VCPU(EBP, gpr[EBP]); VCPU(ESI, gpr[ESI]); VCPU(EDI, gpr[EDI]);
    VCPU(EIP, eip); VCPU(FPU, fpu);
    WORLD(HOST_RSP, host_rsp); WORLD(VCPU, cpu); WORLD(FS_BASE, fs_base); WORLD(FSGSBASE, fsgsbase);
    WORLD(EFLAGS, eflags); WORLD(TRAP, trap); WORLD(ERROR, error); WORLD(CR2, cr2); WORLD(SIGNAL, signal);
    WORLD(ES, seg[ES]); WORLD(CS, seg[CS]); WORLD(SS, seg[SS]);
    WORLD(DS, seg[DS]); WORLD(FS, seg[FS]); WORLD(GS, seg[GS]);
    WORLD(KICK, kick); WORLD(DISPATCH, dispatch); WORLD(FPU, fpu); WORLD(TRANSLATED, translated);
    WORLD(GATE, gate);
    WORLD(ENTERED, entered); WORLD(CPL, cpl); WORLD(RESTART, restart); WORLD(RESTART_END, restart_end);
    WORLD(TARGET, target); WORLD(SERVICE, service);
    OFFSET(TIMELINE_NEXT, struct timeline, next); OFFSET(TIMELINE_END, struct timeline, end);
    STAMP(TSC, tsc); STAMP(WAY, way); STAMP(REASON, reason); printf("%%define STAMP_BYTES %zu\n", sizeof(struct timeline_stamp));
    CONTEXT(RAX); CONTEXT(RCX); CONTEXT(RDX); CONTEXT(RBX); CONTEXT(RSP); CONTEXT(RBP); CONTEXT(RSI); CONTEXT(RDI);
    CONTEXT(RIP); CONTEXT(EFL); CONTEXT(ERR); CONTEXT(TRAPNO); CONTEXT(CR2);
    OFFSET(UC_CS, ucontext_t, uc_mcontext.gregs[REG_CSGSFS]);           /* 16 bits each: CS, GS, FS, SS */
    OFFSET(UC_FPSTATE, ucontext_t, uc_mcontext.fpregs);
    return 0;
}
