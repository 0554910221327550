/* build/kvm-exit: what a VM exit by KVM costs whoever does nothing with it: a guest of two instructions that reads a port again
 * and again, and a loop around KVM_RUN. The yardstick of build/hwassist, as signal-roundtrip is that of trap-emulate. Prints
 * BENCH lines as the guests do. benchmarks/kvm-exit.sh compares the two. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <x86intrin.h>

enum { RAM = 0x10000, START = 0x1000, SAMPLES = 10, EXITS = 5000 };

static int cannot(const char *what)
{
    fprintf(stderr, "kvm-exit: %s fails; `make doctor` tells what /dev/kvm can do\n", what);
    return 6;
}

/* Flat 32-bit code without paging, as a multiboot kernel starts. */
static void set_up(int vcpu)
{
    struct kvm_segment data = { .limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 }, code = data;
    struct kvm_regs r = { .rip = START, .rflags = 2, .rdx = 0x3ff };
    struct kvm_sregs s;

    code.type = 11;
    code.selector = 8;
    ioctl(vcpu, KVM_GET_SREGS, &s);
    s.cs = code;
    s.ds = s.es = s.fs = s.gs = s.ss = data;
    s.cr0 |= 1;
    ioctl(vcpu, KVM_SET_SREGS, &s);
    ioctl(vcpu, KVM_SET_REGS, &r);
}

int main(void)
{
    static const uint8_t guest[] = { 0xec, 0xeb, 0xfd };        /* again: in al, dx; jmp again */
    int device = open("/dev/kvm", O_RDWR), vm = device < 0 ? -1 : ioctl(device, KVM_CREATE_VM, 0), vcpu;
    uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = { .memory_size = RAM, .userspace_addr = (uintptr_t)ram };
    struct kvm_run *run;

    if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
        return cannot("KVM_CREATE_VM");
    ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
    memcpy(ram + START, guest, sizeof guest);
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    run = mmap(NULL, (size_t)ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED)
        return cannot("KVM_CREATE_VCPU");
    set_up(vcpu);
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint64_t start = __rdtsc();

        for (int i = 0; i < EXITS; i++)
            if (ioctl(vcpu, KVM_RUN, 0) || run->exit_reason != KVM_EXIT_IO)
                return cannot("KVM_RUN");
        printf("BENCH kvm-exit %d %llu\n", EXITS, (unsigned long long)(__rdtsc() - start));
    }
    return 0;
}
