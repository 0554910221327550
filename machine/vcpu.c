/* Reset of the guest processor, in named steps. */
#include "vcpu.h"

#include <string.h>

#include "pc.h"

static void reset_segments(struct vcpu *cpu)
{
    /* The selectors themselves are undefined at a multiboot entry; GRUB's and QEMU's are these. */
    const uint16_t data = ATTR_PRESENT | ATTR_SEGMENT | ATTR_WRITABLE | ATTR_ACCESSED | ATTR_BIG | ATTR_GRANULAR;

    for (int i = 0; i < SEGREGS; i++)
        cpu->seg[i] = (struct segment){ .selector = 0x10, .attr = data, .limit = 0xffffffff };
    cpu->seg[CS] = (struct segment){ .selector = 0x08, .attr = data | ATTR_CODE, .limit = 0xffffffff };
    cpu->tr = (struct segment){ .attr = ATTR_PRESENT | SYS_TSS_BUSY, .limit = 0xffff };
}

static void reset_control(struct vcpu *cpu)
{
    cpu->cr0 = CR0_PE | CR0_ET;
    cpu->dr[6] = 0xffff0ff0;    /* Intel SDM vol. 3A table 9-1 */
    cpu->dr[7] = 0x400;
    cpu->apic_base = 0xfee00100;
    cpu->pat = 0x0007040600070406;
}

static void reset_fpu(struct vcpu *cpu)
{
    cpu->fpu[0] = 0x7f;         /* FCW = 0x037f, as FNINIT leaves it */
    cpu->fpu[1] = 0x03;
    cpu->fpu[24] = 0x80;        /* MXCSR = 0x1f80 */
    cpu->fpu[25] = 0x1f;
}

void vcpu_reset(struct vcpu *cpu, uint32_t eip, uint32_t ebx)
{
    memset(cpu, 0, sizeof *cpu);
    reset_segments(cpu);
    reset_control(cpu);
    reset_fpu(cpu);
    cpu->gpr[EAX] = MULTIBOOT_LOADER_MAGIC;
    cpu->gpr[EBX] = ebx;
    cpu->eip = eip;
    cpu->eflags = FLAG_ONE;
}
