/* build/doctor: one line for each thing of this host that the kit leans on: found, or what to do. What can be tried
 * is tried, by a guest of five instructions, not read off version numbers. With --conditions it prints the words
 * that tests/expected/ may use. */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "direct/direct.h"
#include "direct/world.h"
#include "machine.h"
#include "wall.h"

static bool direct_runs = true;

static void tell(const char *word, const char *name, const char *what) { printf("%-8s %-18s %s\n", word, name, what); }

/* `needed`: no VMM runs guest code at ring 3 without it. */
static void line(const char *name, bool found, bool needed, const char *yes, const char *no)
{
    tell(found ? "ok" : needed ? "MISSING" : "absent", name, found ? yes : no);
    direct_runs = direct_runs && (found || !needed);
}

/* The first line that `command` prints, without its newline. False if it prints nothing. */
static bool first_line(const char *command, char *text, int bytes)
{
    FILE *in = popen(command, "r");
    bool got = in && fgets(text, bytes, in);

    if (in)
        pclose(in);
    if (got)
        text[strcspn(text, "\n")] = '\0';
    return got;
}

static const char *cpu_maker(void)
{
    unsigned a, b, c, d;

    __cpuid(0, a, b, c, d);
    return b == signature_INTEL_ebx ? "intel" : b == signature_AMD_ebx ? "amd" : "other";
}

static bool is_tcg(void)
{
    unsigned a, b, c, d;

    __cpuid(1, a, b, c, d);
    if (!(c >> 31))                             /* no hypervisor */
        return false;
    __cpuid(0x40000000, a, b, c, d);
    return !memcmp(&b, "TCGT", 4);              /* "TCGTCGTCGTCG" */
}

/* QEMU 7.2 has an IRET at ring 3 read its stack as the kernel would, which SMAP forbids. */
static bool has_smap(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1 << 20);
}

static bool mmap_min_is_low(void)
{
    char text[32];
    unsigned long value;

    return !first_line("cat /proc/sys/vm/mmap_min_addr 2>/dev/null", text, sizeof text) ||
           sscanf(text, "%lu", &value) != 1 || value <= 65536;
}

/* build/hwassist runs ten instructions there before it looks at its kernel; what it says of them is in its first line. */
static bool look_at_kvm(void)
{
    char text[400] = "";
    const char *said, *end = "; ";
    bool runs;

    first_line("build/hwassist -kernel /dev/null 2>&1 </dev/null", text, sizeof text);
    runs = strstr(text, ": behind /dev/kvm: ") != NULL;
    said = strstr(text, runs ? "behind" : "cannot run it: ");
    if (!runs && said) {
        said += strlen("cannot run it: ");
        end = strstr(said, " (`make doctor`");
        if (end)
            *(char *)(uintptr_t)end = '\0';
    }
    tell(runs ? "ok" : access("/dev/kvm", F_OK) ? "absent" : said ? "unusable" : "unknown", "/dev/kvm",
         said ? said : "not tried: make build/hwassist");
    return runs;
}

/* Around a child: it is for good. */
static bool try_wall(void)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(wall_build(&(struct wall){ 0 }) != NULL);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void tell_of_wall(bool built)
{
    line("wall", built, true,
         wall_landlock() > 0 ? "a guest that gets out of its VMM still meets seccomp filters, and Landlock"
                             : "a guest that gets out of its VMM still meets seccomp filters; Landlock, the second wall, wants Linux 5.13 or newer",
         "it cannot be built: `make run-emulation` says why; OPTIONS=--no-sandbox, for debugging only, leaves it out");
}

/* What a guest at ring 3 meets. */
struct tried {
    bool runs, umip, cpuid_traps;
};

static struct tried try_guest(void)
{
    static const uint8_t code[] = {
        0xb8, 42, 0, 0, 0,                      /* mov eax, 42 */
        0x0f, 0x01, 0x0d, 0, 0, 0x20, 0,        /* sidt [0x200000]: under UMIP Linux answers, with a limit of 0 */
        0xcd, 0x80,                             /* int 0x80: must come to us, not to Linux */
        0x0f, 0xa2,                             /* cpuid */
        0xf4,                                   /* hlt */
    };
    static struct machine m;
    static struct direct d;
    struct tried tried = { 0 };

    if (direct_init(&d, &m, 4 << 20))
        return tried;
    memcpy(m.mem.ram + 0x100000, code, sizeof code);
    vcpu_reset(&m.cpu, 0x100000, 0);
    tried.runs = direct_run(&d, UINT64_MAX) == DIRECT_SENSITIVE && d.insn->isa == ISA_INT && m.cpu.gpr[EAX] == 42;
    tried.umip = memory_read(&m.mem, 0x200000, 2) == 0;
    m.cpu.eip += 2;
    tried.cpuid_traps = direct_run(&d, UINT64_MAX) == DIRECT_SENSITIVE && d.insn->isa == ISA_CPUID;
    return tried;
}

/* What the trial changes of this process (signal handlers, CPUID) must not reach the tools that are asked before. */
int main(int argc, char **argv)
{
    static const char *const direct_vmms[] = { "trap-emulate", "binary-translation", "paravirt" };
    char qemu[200] = "", missing[200] = "";
    bool tcg = is_tcg(), low = mmap_min_is_low(), dispatch, has_qemu, has_packages, hardware, walled;
    const char *maker = cpu_maker(), *missing_segments;
    struct tried tried;

    has_qemu = first_line("qemu-system-i386 --version 2>/dev/null", qemu, sizeof qemu);
    has_packages = !first_line("sh .ci/install --missing 2>&1", missing, sizeof missing);
    dispatch = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &direct_world.dispatch) == 0;
    walled = try_wall();
    tried = try_guest();
    if (argc > 1 && !strcmp(argv[1], "--conditions")) {
        printf("%s%s%s%s\n", maker, tried.umip ? " umip" : "", tried.cpuid_traps ? " cpuid-faulting" : "",
               tcg ? " tcg" : "");
        return 0;
    }
    tell("ok", "processor", maker);
    missing_segments = segments_missing();
    line("32-bit segments", !missing_segments, true, "modify_ldt makes them, and the processor sees them", missing_segments);
    line("syscall dispatch", dispatch, true, "the guest's system calls come to the VMM, not to Linux",
         "PR_SET_SYSCALL_USER_DISPATCH fails, so the guest's system calls would reach Linux; use Linux 5.11 or newer, outside sandboxes");
    line("guest at ring 3", tried.runs, true, "a guest of five instructions ran",
         direct_runs ? "a guest of five instructions did not run; `make run-trap-emulate` says why"
                     : "a guest of five instructions could not run, for want of what is MISSING above");
    line("fsgsbase", direct_world.fsgsbase, false, "the FS base is restored without a system call",
         "a system call restores the FS base: right, but slower; Linux 5.9 or newer does without on most processors");
    line("cpuid faulting", tried.cpuid_traps, false, "CPUID traps",
         "CPUID does not trap on this processor: under trap-emulate a guest sees the host's; the tests expect that");
    line("umip", tried.umip, false, "SIDT, SGDT, SLDT, STR, SMSW trap, but into Linux, which answers them",
         "SIDT, SGDT, SLDT, STR, SMSW do not trap on this processor: at ring 3 they show the host's values; the tests expect that");
    line("mmap_min_addr", low, false, "64 KiB or less: the tiny kernel fits above it",
         "it keeps more than 64 KiB from the guest; sudo sysctl vm.mmap_min_addr=65536");
    line("emulator", !tcg || !has_smap(), true,
         tcg ? "QEMU, without SMAP: it checks no segment limits, so that some probes fail, and lab 6" : "none: this processor is not software of QEMU's",
         "QEMU, in which IRET at ring 3 faults under SMAP; start it with -cpu max,-smap -smp 2");
    tell_of_wall(walled);
    hardware = look_at_kvm();
    line("qemu", has_qemu, false, qemu, "not found, though all that is right is what it says; `make packages` installs it");
    line("packages", has_packages, false, "all of .ci/packages are here", missing);
    if (!direct_runs)
        printf("\nThe VMMs that run guest code at ring 3 need what is MISSING; what is absent they do without.");
    printf("\n\n");
    for (unsigned i = 0; i < sizeof direct_vmms / sizeof direct_vmms[0]; i++)   /* they stand on the same */
        printf("%s %s here.\n", direct_vmms[i], direct_runs ? "runs" : "does not run");
    if (missing_segments && !tcg)
        printf("An x86 Linux in QEMU, given -cpu max,-smap -smp 2, runs these three here too, slowly.\n");
    printf("hwassist %s here%s.\n", hardware ? "runs" : "does not run",
           hardware ? "" : "; its bare monitor does, in QEMU (make run-hwassist-svm) and in Bochs (make run-hwassist-vmx)");
    printf("emulation %s.\n", walled ? "runs here, as everywhere: make run-emulation" : "does not run here behind its wall: make run-emulation OPTIONS=--no-sandbox");
    printf("Labs: %s.\n", !direct_runs ? "1 and 7 can be done here entirely; of the others `make grade` skips what needs one of the three above"
                         : tcg ? "all but 6 can be done here, slowly" : "all eight can be done here");
    return !direct_runs || !has_qemu || !has_packages;
}
