/* Setting up the world switch: the alternate stack, the signal handlers, the thread pointer. See world.h. */
#include "direct/world.h"

#include <asm/hwcap2.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "direct/offsets.h"
#include "status.h"

struct world direct_world;

#define SAME(name, type, field) _Static_assert(name == offsetof(type, field), "direct/offsets.h: " #name)
SAME(VCPU_EAX, struct vcpu, gpr[EAX]);
SAME(VCPU_EDI, struct vcpu, gpr[EDI]);
SAME(VCPU_EIP, struct vcpu, eip);
SAME(VCPU_FPU, struct vcpu, fpu);
SAME(WORLD_HOST_RSP, struct world, host_rsp);
SAME(WORLD_VCPU, struct world, cpu);
SAME(WORLD_FS_BASE, struct world, fs_base);
SAME(WORLD_CR2, struct world, cr2);
SAME(WORLD_EFLAGS, struct world, eflags);
SAME(WORLD_TRAP, struct world, trap);
SAME(WORLD_ERROR, struct world, error);
SAME(WORLD_SIGNAL, struct world, signal);
SAME(WORLD_SEG, struct world, seg);
SAME(WORLD_KICK, struct world, kick);
SAME(WORLD_DISPATCH, struct world, dispatch);
SAME(WORLD_FSGSBASE, struct world, fsgsbase);
SAME(UC_RDI, ucontext_t, uc_mcontext.gregs[REG_RDI]);
SAME(UC_RSI, ucontext_t, uc_mcontext.gregs[REG_RSI]);
SAME(UC_RBP, ucontext_t, uc_mcontext.gregs[REG_RBP]);
SAME(UC_RBX, ucontext_t, uc_mcontext.gregs[REG_RBX]);
SAME(UC_RDX, ucontext_t, uc_mcontext.gregs[REG_RDX]);
SAME(UC_RAX, ucontext_t, uc_mcontext.gregs[REG_RAX]);
SAME(UC_RCX, ucontext_t, uc_mcontext.gregs[REG_RCX]);
SAME(UC_RSP, ucontext_t, uc_mcontext.gregs[REG_RSP]);
SAME(UC_RIP, ucontext_t, uc_mcontext.gregs[REG_RIP]);
SAME(UC_EFLAGS, ucontext_t, uc_mcontext.gregs[REG_EFL]);
SAME(UC_CS, ucontext_t, uc_mcontext.gregs[REG_CSGSFS]);
SAME(UC_ERROR, ucontext_t, uc_mcontext.gregs[REG_ERR]);
SAME(UC_TRAP, ucontext_t, uc_mcontext.gregs[REG_TRAPNO]);
SAME(UC_CR2, ucontext_t, uc_mcontext.gregs[REG_CR2]);
SAME(UC_FPSTATE, ucontext_t, uc_mcontext.fpregs);

void signal_entry(int signal, siginfo_t *info, void *context);

/* A fault in the VMM's own code, called from world.asm. */
void __attribute__((noreturn)) world_bug(int signal, siginfo_t *info, ucontext_t *context);
void world_bug(int signal, siginfo_t *info, ucontext_t *context)
{
    fprintf(stderr, "quadvisor: a bug in the monitor: signal %d (trap %lld) at rip %#llx, address %p\n", signal,
            (long long)context->uc_mcontext.gregs[REG_TRAPNO], (unsigned long long)context->uc_mcontext.gregs[REG_RIP],
            info->si_addr);
    _exit(EXIT_BUG);
}

/* Frames hold AVX-512 and AMX state where the processor has them: Linux tells their size. */
static bool set_stack(void)
{
    size_t least = getauxval(AT_MINSIGSTKSZ), size = (least ? least : 16384) + 65536;
    void *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t s = { .ss_sp = stack, .ss_size = size };

    return stack != MAP_FAILED && sigaltstack(&s, NULL) == 0;
}

const char *world_init(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM };
    struct sigaction action = {
        .sa_sigaction = signal_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART,
    };

    if (!set_stack())
        return "no memory for the signal stack";
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return "sigaction failed";
    if (syscall(SYS_arch_prctl, ARCH_GET_FS, &direct_world.fs_base) != 0)
        return "arch_prctl(ARCH_GET_FS) failed";
    direct_world.fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
    return NULL;
}
