/* `run=bench-user only=NAME samples=N cycles=N`: what a process pays, in ring 3: a system call, a switch to another
 * process, a process's whole life; and calls, which should cost what they cost natively (nano-user.asm; the twin
 * prints them as callret and callind). Measured as bench.c does. */
#include "user.h"

void nano_null(uint32_t n);
void nano_callret(uint32_t n);
void nano_callind(uint32_t n);
void nano_int(uint32_t n, uint32_t number);

static SHARED volatile uint32_t partner_ends;

static void do_syscall(uint32_t n)
{
    while (n--)
        sys_getpid();
}

static void do_syscall_by_int(uint32_t n) { nano_int(n, SYS_GETPID); }

/* n is even: this process and its partner take turns, n switches in all. */
static void do_switches(uint32_t n)
{
    for (n /= 2; n--; )
        sys_yield();
}

static void do_forkwait(uint32_t n)
{
    while (n--) {
        if (sys_fork() == 0)
            sys_exit(0);
        sys_wait(0);
    }
}

static uint32_t cycles_of(void (*run)(uint32_t), uint32_t n)
{
    uint32_t start = (uint32_t)__builtin_ia32_rdtsc();
    run(n);
    return (uint32_t)__builtin_ia32_rdtsc() - start;
}

/* The least of three, as in bench.c. */
static uint32_t null_cycles(uint32_t n)
{
    uint32_t least = ~0u;
    for (int i = 0; i < 3; i++) {
        uint32_t took = cycles_of(nano_null, n);
        least = took < least ? took : least;
    }
    return least;
}

/* Loops of two to six cycles are told whole: their DEC and JNZ run beside the call, so that there is nothing to take off. */
static int is_whole(void (*run)(uint32_t)) { return run == nano_null || run == nano_callret || run == nano_callind; }

static uint32_t fixed;          /* iterations=N, for counting exits */

static void measure(const char *name, void (*run)(uint32_t), uint32_t samples, uint32_t cycles)
{
    uint32_t n = fixed ? fixed : 2;

    while (!fixed && cycles_of(run, n) < cycles / 2 && n < 1u << 28)
        n *= 2;
    while (samples--) {
        uint32_t null = is_whole(run) ? 0 : null_cycles(n), took = cycles_of(run, n);
        uprintf("BENCH %s %u %u\n", name, n, took > null ? took - null : 0);
    }
}

static void measure_switches(const char *name, uint32_t samples, uint32_t cycles)
{
    partner_ends = 0;
    if (sys_fork() == 0) {
        while (!partner_ends)
            sys_yield();
        sys_exit(0);
    }
    measure(name, do_switches, samples, cycles);
    partner_ends = 1;
    sys_wait(0);
}

int bench_user_main(const char *args)
{
    static const struct { const char *name; void (*run)(uint32_t); } benches[] = {
        { "syscall", do_syscall }, { "syscall-int", do_syscall_by_int }, { "ctxsw", do_switches }, { "forkwait", do_forkwait },
        { "null-user", nano_null }, { "callret-user", nano_callret }, { "callind-user", nano_callind },
    };
    uint32_t samples = option_value(args, "samples", 5), cycles = option_value(args, "cycles", 2000000);
    char only[32] = "";
    int ran = 0;

    fixed = option_value(args, "iterations", 0);
    option_text(args, "only", only, sizeof only);
    for (unsigned i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        if (*only && strcmp(only, benches[i].name) != 0)
            continue;
        ran++;
        if (benches[i].run == do_switches)
            measure_switches(benches[i].name, samples, cycles);
        else
            measure(benches[i].name, benches[i].run, samples, cycles);
    }
    if (!ran)
        uprintf("bench-user: there is no \"%s\"\n", only);
    return ran == 0;
}
