/* See host.h. Each look that might end in a signal happens in a child process. */
#include "host.h"

#include <asm/ldt.h>
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of Linux's headers, for systems whose headers are older than their kernels. */
enum { ARCH_CPUID_SWITCH = 0x1012, DISPATCH_OPTION = 59, DISPATCH_ON = 1, HWCAP2_FSGSBASE_BIT = 1 << 1 };

/* What `look` returns in a child process, 0 to 127; -1 if a signal ended it. */
static int in_child(int (*look)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(look());
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* Enter a 32-bit code segment of the LDT by a far jump, load EAX there, and come back by another. The upper
 * halves of all registers may be lost on the way (RSP's are), so what is needed later lies in memory. */
static int try_segments(void)
{
    struct user_desc code = { .limit = 0xfffff, .seg_32bit = 1, .contents = MODIFY_LDT_CONTENTS_CODE,
                              .limit_in_pages = 1 };
    uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
                         -1, 0);
    static struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) far;
    static uint64_t rsp, rbp;
    uint32_t back, got = 0;

    if (page == MAP_FAILED || syscall(SYS_modify_ldt, 1, &code, sizeof code) != 0)
        return 1;
    far.offset = (uint32_t)(uintptr_t)page;
    far.selector = 0 << 3 | 4 | 3;
    back = far.offset + 12;
    memcpy(page, "\xb8\x2a\0\0\0", 5);          /* mov eax, 42 */
    page[5] = 0xea;                             /* jmp 0x33:back */
    memcpy(page + 6, &back, 4);
    memcpy(page + 10, "\x33\0", 2);
    memcpy(page + 12, "\x48\xb9", 2);           /* back: mov rcx, the label below */
    memcpy(page + 22, "\xff\xe1", 2);           /* jmp rcx */
    __asm__ volatile("lea 1f(%%rip), %%rcx\n\tmov %%rcx, 14(%[page])\n\tmov %%rsp, %[rsp]\n\tmov %%rbp, %[rbp]\n\t"
                     "ljmpl *%[far]\n1:\tmov %[rsp], %%rsp\n\tmov %[rbp], %%rbp"
                     : "=&a"(got), [rsp] "+m"(rsp), [rbp] "+m"(rbp) : [far] "m"(far), [page] "d"(page)
                     : "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
    return got == 42 ? 0 : 2;
}

static int try_dispatch(void)
{
    return (int)syscall(SYS_prctl, DISPATCH_OPTION, DISPATCH_ON, 1ul << 32, ~0ul - (1ul << 32), 0ul) ? 1 : 0;
}

static int try_cpuid_faulting(void)
{
    return syscall(SYS_arch_prctl, ARCH_CPUID_SWITCH, 0) ? 1 : 0;
}

/* With UMIP, Linux answers SIDT itself, with a limit of 0. */
static int try_umip(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idt = { 0xffff, 0 };

    __asm__ volatile("sidt %0" : "=m"(idt));
    return idt.limit == 0;
}

static unsigned long read_mmap_min(void)
{
    unsigned long value = 0;
    FILE *in = fopen("/proc/sys/vm/mmap_min_addr", "r");

    if (in) {
        if (fscanf(in, "%lu", &value) != 1)
            value = 0;
        fclose(in);
    }
    return value;
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

const char *host_cpu_maker(void)
{
    unsigned a, b, c, d;

    __cpuid(0, a, b, c, d);
    return b == signature_INTEL_ebx ? "intel" : b == signature_AMD_ebx ? "amd" : "other";
}

static bool look_at_kvm(char *what, size_t bytes)
{
    static const char *const modules[][2] = {
        { "/sys/module/kvm_intel", "VT-x (kvm_intel)" }, { "/sys/module/kvm_amd", "AMD-V (kvm_amd)" },
        { "/sys/module/kvm_pvm", "software (kvm_pvm): 32-bit paging does not work there" },
    };
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    const char *behind = "something that /sys/module does not name";

    if (fd < 0) {
        snprintf(what, bytes, "%s; %s", strerror(errno), errno == EACCES
                 ? "join its group: sudo usermod -aG kvm $USER, then log in again"
                 : "switch virtualization on in the firmware (or nested, in a virtual machine) and load "
                   "kvm_intel or kvm_amd");
        return false;
    }
    close(fd);
    for (unsigned i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (access(modules[i][0], F_OK) == 0)
            behind = modules[i][1];
    snprintf(what, bytes, "opens; behind it: %s", behind);
    return true;
}

void host_look(struct host_report reports[HOST_FACTS])
{
    static const struct {
        const char *name;
        bool needed;
        const char *yes, *no;
    } texts[HOST_FACTS] = {
        [HOST_SEGMENTS] = { "32-bit segments", true, "modify_ldt works and its 32-bit code runs",
            "modify_ldt is refused; leave the sandbox, or use a kernel with CONFIG_MODIFY_LDT_SYSCALL=y and IA32" },
        [HOST_DISPATCH] = { "syscall dispatch", true, "system calls of the guest can be caught",
            "PR_SET_SYSCALL_USER_DISPATCH fails; use Linux 5.11 or newer, outside sandboxes" },
        [HOST_FSGSBASE] = { "fsgsbase", false, "the FS base is restored without a system call",
            "a system call restores it instead, which is slower; Linux 5.9 or newer has it on most processors" },
        [HOST_CPUID_FAULTING] = { "cpuid faulting", false, "CPUID traps",
            "CPUID does not trap here, so trap-emulate's guest sees the host's; the tests know" },
        [HOST_UMIP] = { "umip", false, "SIDT, SGDT, SLDT, STR, SMSW trap, but into Linux, which answers them",
            "SIDT, SGDT, SLDT, STR, SMSW do not trap; the tests know" },
        [HOST_MMAP_MIN] = { "mmap_min_addr", false, "64 KiB or less: the tiny kernel fits above it",
            "guest memory below it is out of reach; sudo sysctl vm.mmap_min_addr=65536" },
        [HOST_NOT_TCG] = { "no emulator", true, "this host is not QEMU's software emulation",
            "Linux hangs on guest segments inside QEMU TCG; use KVM, or a real machine" },
        [HOST_KVM] = { "/dev/kvm", false, "", "" },
    };
    bool found[HOST_FACTS] = {
        [HOST_SEGMENTS] = in_child(try_segments) == 0,
        [HOST_DISPATCH] = in_child(try_dispatch) == 0,
        [HOST_FSGSBASE] = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT,
        [HOST_CPUID_FAULTING] = in_child(try_cpuid_faulting) == 0,
        [HOST_UMIP] = in_child(try_umip) != 0,  /* a signal, before Linux 5.5, is UMIP as well */
        [HOST_MMAP_MIN] = read_mmap_min() <= 65536,
        [HOST_NOT_TCG] = !is_tcg(),
    };

    for (unsigned i = 0; i < HOST_FACTS; i++) {
        reports[i] = (struct host_report){ .name = texts[i].name, .found = found[i], .needed = texts[i].needed };
        if (i == HOST_KVM)
            reports[i].found = look_at_kvm(reports[i].what, sizeof reports[i].what);
        else
            snprintf(reports[i].what, sizeof reports[i].what, "%s", found[i] ? texts[i].yes : texts[i].no);
    }
}

const struct host_report *host_missing(const struct host_report reports[HOST_FACTS])
{
    for (unsigned i = 0; i < HOST_FACTS; i++)
        if (reports[i].needed && !reports[i].found)
            return &reports[i];
    return NULL;
}
