/* The architectural state of the one guest processor: what the guest believes, whatever the host's
 * registers hold at the moment. Nothing here knows how the guest is run. An exception that an operation
 * raises is left in `fault` by the function that found it, which then returns false; its callers return
 * false too, and whoever runs the guest delivers it (event.h). Read next: memory.h, segment.h. */
#ifndef VCPU_H
#define VCPU_H

#include <stdbool.h>
#include <stdint.h>

enum gpr { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

/* Segment registers in the order of their encoding (Intel SDM vol. 2A 2.1.5). */
enum segreg { ES, CS, SS, DS, FS, GS, SEGREGS };

/* Attributes of a descriptor: bits 47:40 and 55:52 of its eight bytes side by side, as in a VMCB
 * (AMD APM vol. 2 15.5.1). Bits 3:0 are the type; for code and data segments: */
enum {
    ATTR_ACCESSED = 1 << 0,
    ATTR_WRITABLE = 1 << 1, ATTR_READABLE = 1 << 1,     /* data; code */
    ATTR_EXPAND_DOWN = 1 << 2, ATTR_CONFORMING = 1 << 2,
    ATTR_CODE = 1 << 3,
    ATTR_TYPE = 0xf,
    ATTR_SEGMENT = 1 << 4,      /* S: a code or data segment, not a system descriptor */
    ATTR_DPL_SHIFT = 5,
    ATTR_PRESENT = 1 << 7,
    ATTR_BIG = 1 << 10,         /* D/B: 32-bit */
    ATTR_GRANULAR = 1 << 11,
};

/* Types of system descriptors (Intel SDM vol. 3A 3.5, table 3-2). */
enum {
    SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL_GATE16 = 4, SYS_TASK_GATE = 5,
    SYS_INT_GATE16 = 6, SYS_TRAP_GATE16 = 7, SYS_TSS = 9, SYS_TSS_BUSY = 11, SYS_CALL_GATE = 12,
    SYS_INT_GATE = 14, SYS_TRAP_GATE = 15,
};

/* A segment register with its hidden part. `limit` is the last valid offset in bytes, granularity
 * already applied. A null selector leaves attr without ATTR_PRESENT. */
struct segment {
    uint16_t selector;
    uint16_t attr;
    uint32_t base;
    uint32_t limit;
};

struct table_register {         /* GDTR, IDTR */
    uint32_t base;
    uint16_t limit;
};

enum {
    FLAG_CF = 1 << 0, FLAG_ONE = 1 << 1, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6,
    FLAG_SF = 1 << 7, FLAG_TF = 1 << 8, FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11,
    FLAG_IOPL = 3 << 12, FLAG_IOPL_SHIFT = 12, FLAG_NT = 1 << 14, FLAG_RF = 1 << 16, FLAG_VM = 1 << 17,
    FLAG_AC = 1 << 18, FLAG_VIF = 1 << 19, FLAG_VIP = 1 << 20, FLAG_ID = 1 << 21,
    FLAGS_ALL = 0x3f7fd7,       /* every bit that is not reserved, and bit 1 */
};

enum {
    CR0_PE = 1 << 0, CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3, CR0_ET = 1 << 4, CR0_NE = 1 << 5,
    CR0_WP = 1 << 16, CR0_AM = 1 << 18,
    CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PGE = 1 << 7, CR4_OSFXSR = 1 << 9,
    CR4_OSXMMEXCPT = 1 << 10,
};
enum {
    DR6_BS = 1 << 14,           /* a single step ended */
    DR6_KNOWN = 0x600f,         /* B0 to B3, BD, BS: why there was a #DB */
    DR7_ENABLES = 0xff, DR7_GD = 1 << 13,
};
#define CR0_PG 0x80000000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u

enum vector {
    VEC_DE, VEC_DB, VEC_NMI, VEC_BP, VEC_OF, VEC_BR, VEC_UD, VEC_NM, VEC_DF, VEC_TS = 10, VEC_NP, VEC_SS,
    VEC_GP, VEC_PF, VEC_MF = 16, VEC_AC, VEC_MC, VEC_XM,
};

struct fault {
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint32_t cr2;               /* for VEC_PF */
};

/* What holds interrupts back for one instruction (Intel SDM vol. 3A 6.8.1, 6.8.3). */
enum interrupt_shadow { SHADOW_NONE, SHADOW_STI, SHADOW_MOV_SS };

struct vcpu {
    uint32_t gpr[8];            /* these four are known to assembly: direct/offsets.c */
    uint32_t eip;
    uint32_t eflags;
    _Alignas(16) uint8_t fpu[512];                      /* FXSAVE area */
    struct segment seg[SEGREGS];
    struct segment ldtr, tr;
    struct table_register gdtr, idtr;
    uint32_t cr0, cr2, cr3, cr4;
    uint32_t dr[8];
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;   /* MSRs 0x174 to 0x176: kept, never used */
    uint64_t apic_base, pat;                            /* MSRs 0x1b, 0x277: likewise */
    bool halted;
    enum interrupt_shadow shadow;
    struct fault fault;
};

/* State at a multiboot entry: flat 32-bit protected mode, paging and interrupts off (Multiboot
 * specification 0.6.96, 3.2). `ebx` is the physical address of the multiboot information. */
void vcpu_reset(struct vcpu *cpu, uint32_t eip, uint32_t ebx);

static inline unsigned vcpu_cpl(const struct vcpu *cpu)
{
    return cpu->eflags & FLAG_VM ? 3 : cpu->seg[CS].selector & 3;       /* in virtual-8086 mode selectors are addresses */
}

static inline unsigned vcpu_iopl(const struct vcpu *cpu)
{
    return (cpu->eflags & FLAG_IOPL) >> FLAG_IOPL_SHIFT;
}

/* Record an exception and return false, so that a check reads `return raise(...)`. */
static inline bool vcpu_raise(struct vcpu *cpu, enum vector vector)
{
    cpu->fault = (struct fault){ .vector = (uint8_t)vector };
    return false;
}

static inline bool vcpu_raise_error(struct vcpu *cpu, enum vector vector, uint32_t error)
{
    cpu->fault = (struct fault){ .vector = (uint8_t)vector, .has_error = true, .error = error };
    return false;
}

#endif
