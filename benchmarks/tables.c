/* The tables of the harness: engines, workloads, benchmarks, targets. A new VMM is one row of engines[] (and its
 * targets); a new nanobenchmark needs no row, but has no description without one. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define GUEST "boot bench bench-user compute probes"
#define REST " -append {append} --counters {counters} --timeout {timeout}"
#define VMM " -kernel " KERNEL REST
#define OTHERS "trap-emulate binary-translation binary-translation-all"
#define REAL NULL, false
#define TIMED "boot bench bench-user compute"
#define COUNTED "boot bench bench-user"
#define BARE "sh hwassist/run-bare "

const struct engine engines[] = {
    { "host", "host", "calibrate", "build/calibrate {append}", { 0, 0 }, 3, "make build/calibrate", NULL, REAL },
    { "native", "native", "bench bench-user compute", "build/native-twin {append}", { 0, 0 }, 3,
      "make build/native-twin", NULL, REAL },
    { "trap-emulate", "trap-emulate", GUEST, "build/trap-emulate" VMM, { 1, 3 }, 3, "make build/trap-emulate",
      "tests/expected/trap-emulate.txt", REAL },
    { "binary-translation", "binary-translation", GUEST " profile", "build/binary-translation" VMM, { 1, 3 }, 3,
      "make build/binary-translation", "tests/expected/binary-translation.txt", REAL },
    { "binary-translation-all", "binary-translation (all)", GUEST " profile",
      "build/binary-translation --translate=all" VMM, { 1, 3 }, 3, "make build/binary-translation",
      "tests/expected/binary-translation.txt", REAL },
    { "binary-translation-patch", "binary-translation (patch)", GUEST, "build/binary-translation --strategy=patch" VMM,
      { 1, 3 }, 3, "make build/binary-translation", "tests/expected/binary-translation-patch.txt", REAL },
    { "paravirt", "paravirt", GUEST, "build/paravirt -kernel " KERNEL_PV REST, { 1, 3 }, 3, "make build/paravirt",
      "tests/expected/paravirt.txt", REAL },
    { "paravirt-trap", "paravirt (trap)", GUEST, "build/paravirt --gate=trap -kernel " KERNEL_PV REST, { 1, 3 }, 3,
      "make build/paravirt", "tests/expected/paravirt.txt", REAL },
    { "hwassist", "hwassist (kvm)", GUEST, "build/hwassist" VMM, { 1, 3 }, 3, "make build/hwassist", NULL, REAL },
    { "emulation", "emulation", GUEST, "build/emulation" VMM, { 1, 3 }, 3, "make build/emulation", "tests/expected/bochs.txt", REAL },
    { "qemu-tcg", "qemu-tcg", GUEST,
      "qemu-system-i386 -accel tcg -cpu max -display none -nodefaults -serial stdio -no-reboot "
      "-device isa-debug-exit,iobase=0xf4,iosize=1 -kernel " KERNEL " -append {append}", { 1, 3 }, 1,
      "install the package qemu-system-x86", "tests/expected/qemu.txt", REAL },
    { "bochs", "bochs", "compute probes", "sh benchmarks/bochs-timed {append} {timeout}", { 0, 1 }, .2, "", "tests/expected/bochs.txt", NULL, true },
    /* Processors that software makes. */
    { "qemu-svm-base", "qemu, cpu max", TIMED, "sh benchmarks/qemu-base " KERNEL " {append}", { 1, 3 }, .3, "", NULL,
      "qemu-svm-base", false },
    { "hwassist-svm", "hwassist (svm on qemu)", GUEST, BARE "qemu-svm" VMM, { 1, 3 }, .3, "", "tests/expected/qemu.txt",
      "qemu-svm-base", false },
    { "hwassist-svm-shadow", "hwassist (svm on qemu, --no-npt)", GUEST, BARE "qemu-svm --no-npt" VMM, { 1, 3 }, .3, "",
      "tests/expected/qemu.txt", "qemu-svm-base", true },
    { "bochs-base", "bochs, counted", COUNTED, "sh tests/bochs {append} {timeout}", { 0, 1 }, 0, "", NULL, "bochs-base", true },
    { "hwassist-vmx", "hwassist (vmx on bochs)", COUNTED, BARE "bochs-vmx" VMM, { 1, 3 }, 0, "", NULL, "bochs-base", true },
    { 0 },
};
_Static_assert(sizeof engines / sizeof *engines <= MAX_ENGINES, "a series for each");

const struct workload workloads[] = {
    { "calibrate", "", true, false },
    { "boot", "", false, false },
    { "bench", "run=bench", true, true },
    { "bench-user", "run=bench-user", true, true },
    { "compute", "run=compute", true, true },
    { "probes", "run=probes", false, false },
    { "profile", "", false, false },                         /* profile.c has what it runs */
    { 0 },
};
_Static_assert(sizeof workloads / sizeof *workloads <= MAX_WORKLOADS, "schedule.c keeps the trouble of each");

struct benchmark benchmarks[MAX_BENCHMARKS + 1] = {
    { "signal-roundtrip", "calibrate", "cycles", "cli at ring 3, SIGSEGV, handler, sigreturn" },
    { "signal-entry", "calibrate", "cycles", "from that cli to the handler's first look at the clock" },
    { "signal-return", "calibrate", "cycles", "from the handler's last look at the clock to the next instruction" },
    { "exception", "calibrate", "cycles", "sidt under UMIP: an exception that Linux answers itself, there and back" },
    { "decode-new", "calibrate", "cycles", "fetch and decode an instruction, the first time" },
    { "decode-again", "calibrate", "cycles", "the same, when it has been decoded before" },
    { "emulate-cli", "calibrate", "cycles", "carry out a cli on the virtual processor" },
    { "gate-roundtrip", "calibrate", "cycles", "32-bit code, far jump to 64-bit code, and back" },
    { "linux-syscall", "calibrate", "cycles", "getppid" },
    { "mmap-page", "calibrate", "cycles", "one page of a memfd, MAP_FIXED, MAP_POPULATE" },
    { "rdtsc", "calibrate", "cycles", "reading the time-stamp counter" },
    { "boot", "boot", "ms", "whole process: start, boot to DONE, end" },
    { "null", "bench", "cycles", "one turn of the empty loop" },
    { "cli-sti", "bench", "cycles", "both" },
    { "pushf-popf", "bench", "cycles", "both" },
    { "in", "bench", "cycles", "read a port" },
    { "out", "bench", "cycles", "write a port" },
    { "sidt", "bench", "cycles", "store the IDT register (under UMIP Linux emulates it, unasked)" },
    { "mov-from-cr0", "bench", "cycles", "read a control register" },
    { "mov-to-cr3", "bench", "cycles", "load the page directory that is loaded" },
    { "invlpg", "bench", "cycles", "drop one page from the TLB" },
    { "callret", "bench", "cycles", "call of an empty function and return" },
    { "callind", "bench", "cycles", "the same through a register" },
    { "int-iret", "bench", "cycles", "software interrupt and return, in the kernel" },
    { "divzero", "bench", "cycles", "divide error to its handler and back" },
    { "pgfault", "bench", "cycles", "true page fault to its handler and back" },
    { "ptemod", "bench", "cycles", "change a page-table entry, INVLPG, use the page" },
    { "pte-update", "bench", "cycles", "change an entry of a table in use, of a page that nobody touches" },
    { "pte-update-64", "bench", "cycles", "the same, 64 at a time where there are hypercalls" },
    { "hypercall", "bench", "cycles", "one that does nothing" },
    { "cpuid", "bench", "cycles", "leaf 0" },
    { "smc", "bench", "cycles", "change one instruction and execute it" },
    { "syscall", "bench-user", "cycles", "system call of the guest and back" },
    { "syscall-int", "bench-user", "cycles", "the same by INT, even where there is a shorter way" },
    { "ctxsw", "bench-user", "cycles", "two processes yield to each other" },
    { "forkwait", "bench-user", "cycles", "fork, exit, wait" },
    { "null-user", "bench-user", "cycles", "one turn of the empty loop, in ring 3" },
    { "callret-user", "bench-user", "cycles", "one turn of a loop with a call and return in it, in ring 3" },
    { "callind-user", "bench-user", "cycles", "the same through a register" },
    { "translation", "profile", "cycles", "one guest instruction: decode, plan and emit, enter" },
    { "compute-sieve", "compute", "cycles", "byte stores with strides" },
    { "compute-sha256", "compute", "cycles", "rotates and adds, register pressure" },
    { "compute-quicksort", "compute", "cycles", "mispredicted branches" },
    { "compute-matmul", "compute", "cycles", "multiply and add" },
    { "compute-crc32", "compute", "cycles", "a chain of dependent loads" },
    { "compute-lz-compress", "compute", "cycles", "hashing, byte copies" },
    { "compute-fib", "compute", "cycles", "calls and returns" },
    { "compute-dispatch", "compute", "cycles", "an indirect jump per step" },
    { "compute-strings", "compute", "cycles", "rep movsd, stosb, cmpsb, scasb" },
};

const struct target targets[] = {
    { "trap-emulate: one emulated cli", "trap-emulate", "cli-sti", 2, 1.15, false, "host", "signal-roundtrip" },
    { "trap-emulate: user-mode compute", "trap-emulate", "compute-*", 1, 1.01, false, "native", "compute-*" },
    { "trap-emulate: boot to DONE", "trap-emulate", "boot", 1, 15, false, "ms", "" },
    { "binary-translation (all): compute", "binary-translation-all", "compute-*", 1, 1.05, false, "native", "compute-*" },
    { "binary-translation (all): compute, the worst", "binary-translation-all", "compute-*", 1, 1.3, false, "native",
      "compute-* (worst)" },
    { "binary-translation: call and return, in ring 3", "binary-translation-all", "callret-user", 1, 4, false, "native",
      "callret-user" },
    { "binary-translation: indirect call, in ring 3", "binary-translation-all", "callind-user", 1, 3, false, "native",
      "callind-user" },
    { "binary-translation: cli and sti", "binary-translation", "cli-sti", 1, 10, false, "ns", "" },
    { "binary-translation: pushf and popf", "binary-translation", "pushf-popf", 1, 10, false, "ns", "" },
    { "binary-translation: in", "binary-translation", "in", 1, 1.5, false, "host", "gate-roundtrip" },
    { "binary-translation (all): system call", "binary-translation-all", "syscall", 1, 1000, false, "ns", "" },
    { "translation, of one guest instruction", "binary-translation-all", "translation", 1, 1000, false, "ns", "" },
    { "binary-translation: boot to DONE", "binary-translation", "boot", 1, 15, false, "ms", "" },
    { "paravirt: null hypercall", "paravirt", "hypercall", 1, 1.3, false, "host", "gate-roundtrip" },
    { "paravirt: cli and sti", "paravirt", "cli-sti", 1, 2, false, "ns", "" },
    { "paravirt: pushf and popf", "paravirt", "pushf-popf", 1, 3, false, "ns", "" },
    { "paravirt: user-mode compute", "paravirt", "compute-*", 1, 1.01, false, "native", "compute-*" },
    { "paravirt: context switch, against the best above", "paravirt", "ctxsw", 1, 1, false, OTHERS, "ctxsw" },
    { "paravirt: fork and wait, the same", "paravirt", "forkwait", 1, 1, false, OTHERS, "forkwait" },
    { "paravirt: page fault, the same", "paravirt", "pgfault", 1, 1, false, OTHERS, "pgfault" },
    { "paravirt: page-table change and use, the same", "paravirt", "ptemod", 1, 1, false, OTHERS, "ptemod" },
    { "paravirt: page-table update, one each over 64", "paravirt", "pte-update", 1, 3, true, "paravirt", "pte-update-64" },
    { "paravirt: boot to DONE", "paravirt", "boot", 1, 15, false, "ms", "" },
    { "hwassist (svm on qemu): an exit for in", "hwassist-svm", "in", 1, 600, false, "instructions", "" },
    { "hwassist (svm on qemu): an exit for cpuid", "hwassist-svm", "cpuid", 1, 250, false, "instructions", "" },
    { "trap-emulate: compute, times faster than QEMU TCG", "qemu-tcg", "compute-*", 1, 5, true, "trap-emulate",
      "compute-*" },
    { "binary-translation (all): the same", "qemu-tcg", "compute-*", 1, 5, true, "binary-translation-all", "compute-*" },
    { "paravirt: the same", "qemu-tcg", "compute-*", 1, 5, true, "paravirt", "compute-*" },
    { "emulation: compute, times faster than Bochs", "bochs", "compute-*", 1, 1.5, true, "emulation", "compute-*" },
    { 0 },
};

static bool equals(const char *name, const char *word)      /* word ends at a zero byte, blank or comma */
{
    size_t n = strlen(name);
    return !strncmp(name, word, n) && (!word[n] || word[n] == ',' || word[n] == ' ');
}

int engine_index(const char *name)
{
    for (int i = 0; engines[i].name; i++)
        if (equals(engines[i].name, name))
            return i;
    return -1;
}

int workload_index(const char *name)
{
    for (int i = 0; workloads[i].name; i++)
        if (equals(workloads[i].name, name))
            return i;
    return -1;
}

int benchmark_index(const char *name)
{
    for (int i = 0; benchmarks[i].name; i++)
        if (equals(benchmarks[i].name, name))
            return i;
    return -1;
}

int benchmark_add(const char *name, const char *workload)
{
    int i = benchmark_index(name);
    if (i >= 0)
        return i;
    for (i = 0; benchmarks[i].name; i++)
        ;
    if (i == MAX_BENCHMARKS)
        return -1;
    benchmarks[i] = (struct benchmark){ strdup(name), workload, "cycles", "" };
    return i;
}

bool runs_workload(const struct engine *engine, const char *workload)
{
    for (const char *word = engine->workloads; word; word = strchr(word, ' '), word = word ? word + 1 : NULL)
        if (equals(workload, word))
            return true;
    return false;
}

const char *unit_of(int engine, int benchmark)
{
    static char unit[40];
    snprintf(unit, sizeof unit, "%s%s", engines[engine].baseline ? "emulated " : "", benchmarks[benchmark].unit);
    return unit;
}
