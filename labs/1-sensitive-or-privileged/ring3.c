/* Lab 1: the instructions of labs/steps/ring0.asm at ring 3 of this processor, in the same form: name, whether a signal came, what was
 * seen. Under UMIP Linux answers some of them itself, and no signal comes (Documentation/arch/x86 of the kernel, "umip"). */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

static sigjmp_buf back;

static void came(int signal) { (void)signal; siglongjmp(back, 1); }

/* `out` takes what the instruction left; `code` is assembly. */
#define TRY(name, out, code, ...)                                                                          \
    do {                                                                                                   \
        volatile uint64_t seen = 0;                                                                        \
        int fault = sigsetjmp(back, 1);                                                                    \
        if (!fault) {                                                                                      \
            uint64_t value = 0;                                                                            \
            __asm__ volatile(code : "+a"(value) : "m"(memory), ##__VA_ARGS__ : "rcx", "rdx", "rbx", "cc", "memory");       \
            seen = out;                                                                                    \
        }                                                                                                  \
        printf("%s %08x %08x\n", name, fault, (uint32_t)seen);                                             \
    } while (0)

int main(void)
{
    static uint64_t memory[4];
    const int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGTRAP };

    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], came);
    setvbuf(stdout, NULL, _IOLBF, 0);
    TRY("cli", value, "cli");
    TRY("sti", value, "sti; cli");
    TRY("pushf", value & 0x200, "pushfq; pop %%rax");
    TRY("popf", value & 0x200, "push $2; popfq; pushfq; pop %%rax");
    TRY("sgdt", memory[0] & 0xffff, "sgdt %1");
    TRY("sidt", memory[0] & 0xffff, "sidt %1");
    TRY("sldt", value, "sldt %%ax");
    TRY("str", value, "str %%ax");
    TRY("smsw", value & 8, "smsw %%rax");
    TRY("lar", value & 0xff00, "mov $0x10, %%ecx; lar %%ecx, %%eax; jz 1f; xor %%eax, %%eax; 1:");
    TRY("verr", value & 1, "mov $0x10, %%ecx; verr %%cx; setz %%al");
    TRY("mov-from-cs", value, "mov %%cs, %%eax");
    TRY("mov-from-cr0", value & 0, "mov %%cr0, %%rax");
    TRY("mov-to-cr3", value & 0, "mov %%cr3, %%rax; mov %%rax, %%cr3");
    TRY("lgdt", value, "lgdt %1");
    TRY("lidt", value, "lidt %1");
    TRY("in", value & 0, "in $0x80, %%al");
    TRY("invlpg", value, "invlpg %1");
    TRY("clts", value, "clts");
    TRY("add", value, "mov $40, %%eax; add $2, %%eax");
    TRY("cpuid", value & 0, "cpuid");
    TRY("rdtsc", value & 0, "rdtsc");
    return 0;
}
