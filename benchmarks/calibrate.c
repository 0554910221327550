/* The host's limits, measured in the same run as everything else: what a VMM that lives on signals, far jumps and
 * mmap cannot beat. Prints `BENCH <name> <iterations> <tsc cycles>` as a guest does, and `SKIP <name> <why>` for
 * what this host does not have. The 32-bit code is in calibrate-loops.asm; README.md has the yardsticks. */
#include <asm/ldt.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "direct/segments.h"
#include "parts.h"

enum { CODE = 0x10000000, PAGE = 4096, STACK_TOP = CODE + 4 * PAGE, LDT_INDEX = 0, SELECTOR = LDT_INDEX << 3 | 7 };
enum { SAMPLES = 15, PAGES = 128 };

void calibrate_enter(uint32_t offset, uint16_t selector, uint32_t n, uint32_t stack);
extern const char calibrate_code[], calibrate_code_end[], calibrate_cli[], calibrate_split[], calibrate_gate[], calibrate_null[];

/* The plainest handler there can be: step over the one-byte instruction. The loop leaves FS and GS alone, so the
 * C library's thread pointer is in place; its stack is the alternate one. */
static void step_over(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]++;
}

/* The same with a look at the clock at both ends. */
static uint64_t entry_cycles;
static void step_over_and_look(int number, siginfo_t *info, void *context)
{
    greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
    entry_cycles += (uint32_t)__rdtsc() - (uint32_t)gregs[REG_RAX];
    step_over(number, info, context);
    gregs[REG_RBX] = (uint32_t)__rdtsc();
}

/* One code segment of base 0 and one low page each for code, data and stack. Returns NULL or why it cannot. */
static const char *set_up_32_bit(void)
{
    struct user_desc code = {
        .entry_number = LDT_INDEX, .limit = 0xfffff, .seg_32bit = 1, .contents = MODIFY_LDT_CONTENTS_CODE,
        .limit_in_pages = 1, .useable = 1,
    };
    const char *why = segments_missing();
    if (why)
        return why;
    if (syscall(SYS_modify_ldt, 1, &code, sizeof code))
        return strerror(errno);
    char *low = mmap((void *)(uintptr_t)CODE, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (low == MAP_FAILED)
        return "the pages at 0x10000000 are taken";
    memcpy(low, calibrate_code, (size_t)(calibrate_code_end - calibrate_code));
    size_t size = (size_t)sysconf(_SC_SIGSTKSZ) + 65536;
    stack_t stack = { .ss_sp = malloc(size), .ss_size = size };
    struct sigaction action = { .sa_sigaction = step_over, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    if (!stack.ss_sp || sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL))
        return strerror(errno);
    return NULL;
}

static uint64_t loop(const char *entry, uint32_t n)
{
    uint64_t start = __rdtsc();
    calibrate_enter((uint32_t)(entry - calibrate_code), SELECTOR, n, STACK_TOP);
    return __rdtsc() - start;
}

static uint32_t split(uint32_t n)
{
    struct sigaction action = { .sa_sigaction = step_over_and_look, .sa_flags = SA_SIGINFO | SA_ONSTACK }, before;
    sigaction(SIGSEGV, &action, &before);
    entry_cycles = 0;
    loop(calibrate_split, n);
    sigaction(SIGSEGV, &before, NULL);
    return *(volatile uint32_t *)(uintptr_t)(CODE + PAGE + 24);
}

static uint64_t signal_entries(uint32_t n) { return split(n), entry_cycles; }
static uint64_t signal_returns(uint32_t n) { return split(n); }

/* SIDT under UMIP: an exception that Linux answers by itself, the shortest way there and back. */
static uint64_t exceptions(uint32_t n)
{
    char table[10];
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < n; i++)
        __asm__ volatile("sidt %0" : "=m"(table));
    return __rdtsc() - start;
}

static int has_umip(void)
{
    struct __attribute__((packed)) { uint16_t limit; uint64_t base; } table;
    __asm__ volatile("sidt %0" : "=m"(table));
    return table.limit == 0;
}

/* Without what the loop itself takes. If that was more, somebody else has run in it: once more. */
static uint64_t beyond_null(const char *entry, uint32_t n)
{
    uint64_t all, null;

    do {
        all = loop(entry, n);
        null = loop(calibrate_null, n);
    } while (all < null);
    return all - null;
}

static uint64_t signals(uint32_t n) { return beyond_null(calibrate_cli, n); }
static uint64_t gates(uint32_t n) { return beyond_null(calibrate_gate, n); }

static uint64_t system_calls(uint32_t n)
{
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < n; i++)
        syscall(SYS_getppid);
    return __rdtsc() - start;
}

/* Pages of a memfd over a reserved range, as shadow pages are mapped; two apart: Linux cannot merge them. */
static uint64_t mappings(uint32_t n)
{
    static int memory = -1;
    char *range = mmap(NULL, 2 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory < 0) {
        static char zero[PAGE];
        memory = memfd_create("calibrate", MFD_CLOEXEC);
        for (int i = 0; i < PAGES; i++)
            if (write(memory, zero, PAGE) != PAGE)
                exit(8);
    }
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < n; i++)
        if (mmap(range + 2 * PAGE * i, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, memory,
                 (off_t)i * PAGE) == MAP_FAILED)
            exit(8);
    uint64_t took = __rdtsc() - start;
    munmap(range, 2 * PAGES * PAGE);
    return took;
}

static uint64_t time_stamps(uint32_t n)
{
    uint64_t start = __rdtsc(), last = start;
    for (uint32_t i = 0; i < n; i++)
        last = __rdtsc();
    return last - start;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t (*measure)(uint32_t n);
        uint32_t n;
        enum { ALWAYS, SEGMENTS, UMIP } needs;
    } limits[] = {
        { "signal-roundtrip", signals, 250, SEGMENTS }, { "signal-entry", signal_entries, 250, SEGMENTS },
        { "signal-return", signal_returns, 250, SEGMENTS }, { "exception", exceptions, 1000, UMIP },
        { "gate-roundtrip", gates, 4000, SEGMENTS }, { "linux-syscall", system_calls, 4000, ALWAYS },
        { "mmap-page", mappings, PAGES, ALWAYS }, { "rdtsc", time_stamps, 20000, ALWAYS },
        { "decode-new", decode_new, 2000, ALWAYS }, { "decode-again", decode_again, 2000, ALWAYS },
        { "emulate-cli", emulate_cli, 2000, ALWAYS },
    };
    const char *only = argc > 1 ? strstr(argv[1], "only=") : NULL, *why = set_up_32_bit();
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (only && strcmp(only + 5, limits[i].name))
            continue;
        if ((why && limits[i].needs == SEGMENTS) || (limits[i].needs == UMIP && !has_umip())) {
            printf("SKIP %s %s\n", limits[i].name, limits[i].needs == UMIP ? "this processor has no UMIP, or Linux has it off" : why);
            continue;
        }
        for (int sample = -1; sample < SAMPLES; sample++) {         /* the first one warms up */
            uint64_t cycles = limits[i].measure(limits[i].n);
            if (sample >= 0)
                printf("BENCH %s %u %llu\n", limits[i].name, limits[i].n, (unsigned long long)cycles);
        }
    }
    return 0;
}
