/* Segments: flat ones, and the TSS that tells the processor which stack to take when ring 3 traps. The user's
 * selectors skip places 4, 5, 6 and 15: where a Linux process runs this kernel, 0x23, 0x2b, 0x33 and 0x7b are its
 * own ring-3 segments, and loading them would not trap. Places 9 to 14 and from 16 on are free for probes. */
#include "kernel.h"
#include "ops.h"

enum { CODE = 0x9a, DATA = 0x92, RING3 = 0x60, TSS_AVAILABLE = 0x89, FLAT = 0xc00 };

struct gdt_entry gdt[40];
struct tss tss;

/* `attr`: bits 47:40 of a descriptor in the low byte, bits 55:52 in bits 11:8. */
struct gdt_entry segment_descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    return (struct gdt_entry){
        .low = base << 16 | (limit & 0xffff),
        .high = (base & 0xff000000) | (attr & 0xf00) << 12 | (limit & 0xf0000) | (attr & 0xff) << 8 |
                (base >> 16 & 0xff),
    };
}

void gdt_init(void)
{
    static const struct table_register gdtr = { sizeof gdt - 1, (uint32_t)gdt };

    gdt[SEL_KCODE >> 3] = segment_descriptor(0, 0xfffff, FLAT | CODE);
    gdt[SEL_KDATA >> 3] = segment_descriptor(0, 0xfffff, FLAT | DATA);
    gdt[SEL_UCODE >> 3] = segment_descriptor(0, 0xfffff, FLAT | CODE | RING3);
    gdt[SEL_UDATA >> 3] = segment_descriptor(0, 0xfffff, FLAT | DATA | RING3);
    gdt[SEL_TSS >> 3] = segment_descriptor((uint32_t)&tss, sizeof tss - 1, TSS_AVAILABLE);
    tss.ss0 = SEL_KDATA;
    tss.iomap_base = sizeof tss;        /* beyond the limit: no port for ring 3 */
    load_gdt(&gdtr);
    load_tr(SEL_TSS);
}
