/* Setting up the world switch: the alternate stack, the signal handlers, the thread pointer. See world.h. */
#include "direct/world.h"

#include <asm/hwcap2.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "status.h"
#include "wall.h"

struct world direct_world;

void signal_entry(int signal, siginfo_t *info, void *context);

/* A fault in the VMM's own code, or a system call that the wall forbids, whoever made it; called from world.asm. */
void __attribute__((noreturn)) world_bug(int signal, siginfo_t *info, ucontext_t *context);
void world_bug(int signal, siginfo_t *info, ucontext_t *context)
{
    if (signal == SIGSYS && info->si_code == WALL_HIT)
        wall_hit(signal, info, context);
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

bool world_sees(uint16_t selector)
{
    uint32_t rights;
    bool seen;

    __asm__ volatile("lar %2, %0" : "=r"(rights), "=@ccz"(seen) : "r"((uint32_t)selector));
    return seen;
}

const char *world_init(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM };
    struct sigaction action = {
        .sa_sigaction = signal_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART,
    };

    if (!set_stack())
        return host_failed("no memory for the signal stack");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return host_failed("a signal gets no handler: sigaction");
    if (syscall(SYS_arch_prctl, ARCH_GET_FS, &direct_world.fs_base) != 0)
        return host_failed("a sandbox is in the way: arch_prctl(ARCH_GET_FS)");
    direct_world.fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
    return NULL;
}
