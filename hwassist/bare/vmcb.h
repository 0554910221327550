/* The virtual machine control block: what SVM is told, and tells, in one page. Names and offsets as in AMD APM vol. 2 appendix B,
 * tables B-1 and B-2; what is left out here is padding. */
#ifndef VMCB_H
#define VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {           /* attributes as struct segment has them */
    uint16_t selector, attr;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    /* control area */
    uint16_t cr_read, cr_write, dr_read, dr_write;      /* intercepts, a bit a register */
    uint32_t exceptions;                                /* a bit a vector */
    uint32_t intercepts[2];                             /* a bit an exit code: 0x60 on, 0x80 on */
    uint8_t reserved_014[0x040 - 0x014];
    uint64_t iopm, msrpm, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint8_t reserved_05d[3];
    uint64_t v_intr;
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info1, exit_info2, exit_int_info;
    uint64_t nested;                                    /* bit 0: nested paging */
    uint8_t reserved_098[0x0a8 - 0x098];
    uint32_t event, event_error;
    uint64_t nested_cr3;
    uint64_t lbr, clean;
    uint64_t next_rip;
    uint8_t reserved_0d0[0x400 - 0x0d0];

    /* state save area */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4a0[0x4cb - 0x4a0];
    uint8_t cpl;
    uint8_t reserved_4cc[4];
    uint64_t efer;
    uint8_t reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved_5e0[0x5f8 - 0x5e0];
    uint64_t rax;
    uint8_t reserved_600[0x640 - 0x600];
    uint64_t cr2;
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t g_pat;
    uint8_t reserved_670[0x1000 - 0x670];
} __attribute__((packed, aligned(4096)));

_Static_assert(offsetof(struct vmcb, iopm) == 0x040 && offsetof(struct vmcb, asid) == 0x058 &&
               offsetof(struct vmcb, exit_code) == 0x070 && offsetof(struct vmcb, event) == 0x0a8 &&
               offsetof(struct vmcb, next_rip) == 0x0c8 && offsetof(struct vmcb, es) == 0x400 && offsetof(struct vmcb, tr) == 0x490 &&
               offsetof(struct vmcb, efer) == 0x4d0 && offsetof(struct vmcb, cr4) == 0x548 &&
               offsetof(struct vmcb, rip) == 0x578 && offsetof(struct vmcb, rsp) == 0x5d8 &&
               offsetof(struct vmcb, rax) == 0x5f8 && offsetof(struct vmcb, cr2) == 0x640 &&
               sizeof(struct vmcb) == 4096, "AMD APM vol. 2 appendix B");

/* Exit codes (AMD APM vol. 2 appendix C); most name the bit of their intercept as well. */
enum {
    SVM_CR_READ = 0x00, SVM_CR_WRITE = 0x10, SVM_EXCEPTION = 0x40, SVM_INTR = 0x60, SVM_NMI = 0x61, SVM_INIT = 0x63,
    SVM_VINTR = 0x64, SVM_CR0_SEL_WRITE = 0x65, SVM_RDPMC = 0x6f, SVM_CPUID = 0x72, SVM_RSM = 0x73, SVM_INVD = 0x76,
    SVM_HLT = 0x78, SVM_INVLPG = 0x79, SVM_INVLPGA = 0x7a, SVM_IOIO = 0x7b, SVM_MSR = 0x7c, SVM_TASK_SWITCH = 0x7d,
    SVM_FERR_FREEZE = 0x7e, SVM_SHUTDOWN = 0x7f, SVM_VMRUN = 0x80, SVM_VMMCALL = 0x81, SVM_VMLOAD = 0x82, SVM_VMSAVE = 0x83,
    SVM_STGI = 0x84, SVM_CLGI = 0x85, SVM_SKINIT = 0x86, SVM_RDTSCP = 0x87, SVM_WBINVD = 0x89, SVM_MONITOR = 0x8a,
    SVM_MWAIT = 0x8b, SVM_MWAIT_ARMED = 0x8c, SVM_XSETBV = 0x8d, SVM_NPF = 0x400,
};

#endif
