/* Opening /dev/kvm proves nothing: behind it may stand software that runs 64-bit guests and no others. So this runs a guest of
 * ten instructions (probe.asm) before the guest is put there. See kvm.h. */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "console.h"
#include "kvm.h"
#include "machine.h"
#include "pc.h"

extern const uint8_t kvm_probe_code[];
extern const uint32_t kvm_probe_bytes;

/* Of these lines the Makefile makes an include for probe.asm. */
#define PROBE_AT 0x1000
#define PROBE_DIRECTORY 0x2000
#define PROBE_SAYS 42

enum { PROBE_TABLE = 0x3000, PROBE_GDT = 0x4000, PROBE_STACK = 0x6000, PROBE_RAM = 0x10000, PROBE_SECONDS = 2 };
_Static_assert(PROBE_SECONDS == 2, "name_of() says so");

static bool is_hypervisor_present(void)
{
    unsigned a, b, c, d;

    __cpuid(1, a, b, c, d);
    return c >> 31;
}

static const char *behind_kvm(void)
{
    static const struct { const char *module, *real, *nested; } known[] = {
        { "/sys/module/kvm_intel", "VT-x (kvm_intel)",
          "VT-x (kvm_intel), nested: this Linux runs in a virtual machine itself" },
        { "/sys/module/kvm_amd", "AMD-V (kvm_amd)",
          "AMD-V (kvm_amd), nested: this Linux runs in a virtual machine itself" },
        { "/sys/module/kvm_pvm", "software (kvm_pvm)", "software (kvm_pvm)" },
    };

    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (access(known[i].module, F_OK) == 0)
            return is_hypervisor_present() ? known[i].nested : known[i].real;
    return "something that /sys/module does not name";
}

/* One page table that maps RAM to itself, a flat code segment at selector 8, the code. */
static void set_up(struct machine *m)
{
    static const uint32_t gdt[] = { 0, 0, 0x0000ffff, 0x00cf9b00 };

    for (uint32_t gpa = 0; gpa < PROBE_RAM; gpa += PAGE_BYTES)
        memory_write(&m->mem, PROBE_TABLE + gpa / PAGE_BYTES * 4, 4, gpa | PTE_P | PTE_W);
    memory_write(&m->mem, PROBE_DIRECTORY, 4, PROBE_TABLE | PTE_P | PTE_W);
    memcpy(m->mem.ram + PROBE_GDT, gdt, sizeof gdt);
    memcpy(m->mem.ram + PROBE_AT, kvm_probe_code, kvm_probe_bytes);
    vcpu_reset(&m->cpu, PROBE_AT, 0);
    m->cpu.gdtr = (struct table_register){ PROBE_GDT, sizeof gdt - 1 };
    m->cpu.gpr[ESP] = PROBE_STACK;
}

static const char *name_of(uint32_t reason)
{
    switch (reason) {
    case KVM_EXIT_SHUTDOWN: return "KVM_EXIT_SHUTDOWN";
    case KVM_EXIT_INTERNAL_ERROR: return "KVM_EXIT_INTERNAL_ERROR";
    case KVM_EXIT_FAIL_ENTRY: return "KVM_EXIT_FAIL_ENTRY";
    case KVM_EXIT_HLT: return "KVM_EXIT_HLT";
    case KVM_EXIT_MMIO: return "KVM_EXIT_MMIO";
    case KVM_EXIT_INTR: return "no end within two seconds";
    default: return "another exit";
    }
}

const char *kvm_probe(const char **behind)
{
    static struct machine m;
    static char why[240];
    struct kvm k;
    uint32_t reason;
    const char *lacks = kvm_init(&k, &m, PROBE_RAM, false);

    if (lacks)
        return lacks;
    *behind = behind_kvm();
    set_up(&m);
    kvm_store(&k);
    reason = kvm_enter(&k, console_now() + PROBE_SECONDS * UINT64_C(1000000000));
    if (reason != KVM_EXIT_IO || k.run->io.port != PORT_DEBUG_EXIT || ((uint8_t *)k.run)[k.run->io.data_offset] != PROBE_SAYS) {
        snprintf(why, sizeof why, "/dev/kvm opens, but what stands behind it, %s, cannot run a 32-bit guest with paging: %s at "
                 "eip %#x; `make run-hwassist-svm` runs the bare monitor in QEMU instead", *behind, name_of(reason), m.cpu.eip);
        return why;
    }
    kvm_free(&k);
    return NULL;
}
