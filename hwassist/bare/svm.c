/* AMD's half of hv.h: Secure Virtual Machine, AMD APM vol. 2 chapter 15. README.md has a table of what is set here and why. */
#include <cpuid.h>
#include <string.h>

#include "host.h"
#include "hv.h"
#include "machine.h"
#include "paging.h"
#include "privileged.h"
#include "vmcb.h"

enum {
    MSR_EFER = 0xc0000080, MSR_VM_CR = 0xc0010114, MSR_VM_HSAVE_PA = 0xc0010117,
    CPUID_SVM = 1 << 2, TCGT = 0x54474354, CPUID_NESTED = 1 << 0, EFER_SVME = 1 << 12, VM_CR_SVMDIS = 1 << 4,
    IOPM_BYTES = 3 * 4096, MSRPM_BYTES = 2 * 4096,
    V_IRQ = 1 << 8, V_IGNORE_TPR = 1 << 20, V_INTR_MASKING = 1 << 24,
    TLB_FLUSH_ALL = 1, GUEST_ASID = 1,
    TSS_IS_BUSY = SYS_TSS_BUSY & ~SYS_TSS, IO_IN = 1 << 0, IO_STRING = 1 << 2, IO_BYTES_SHIFT = 4,
};

void svm_run(struct vcpu *cpu, uint64_t vmcb, uint64_t ticks[2]);

static struct vmcb the_vmcb, *const vmcb = &the_vmcb;
static _Alignas(4096) uint8_t host_state[4096];         /* VMRUN keeps ours here */
static bool nested, loaded;
static bool in_qemu;                    /* 7.2 of which keeps the type of TR that LTR found, not the busy one, and takes no other */

/* ---- once ---------------------------------------------------------------------------------------- */

static bool present(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & CPUID_SVM);
}

static const char *find_features(void)
{
    unsigned a, b, c, d;

    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
        return "AMD-V is switched off in the firmware";
    __cpuid(0x8000000a, a, b, c, d);
    return nested && !(d & CPUID_NESTED) ? "this processor has no nested paging; use --no-npt" : NULL;
}

static bool is_qemu(void)
{
    unsigned a, b, c, d;

    __cpuid(0x40000000, a, b, c, d);
    return b == TCGT;
}

static void intercept(unsigned code)
{
    vmcb->intercepts[(code - SVM_INTR) / 32] |= 1u << (code & 31);
}

/* What the guest may not do by itself. */
static void set_intercepts(void)
{
    /* LAB 7.1: what must not happen without the monitor leaves the guest: interrupts and NMI, INIT and SHUTDOWN, CPUID, HLT, ports and
     * MSRs, and every instruction that CPUID does not show; writes of CR4; #DB and #AC, which can loop for ever. Without nested
     * paging also CR0, CR3, #PF and INVLPG, for the tables are the monitor's. README.md says why for each. APM vol. 2, 15.9 to 15.14. */
    static const uint8_t always[] = {
        SVM_INTR, SVM_NMI, SVM_INIT, SVM_VINTR, SVM_CPUID, SVM_HLT, SVM_INVD, SVM_IOIO, SVM_MSR, SVM_FERR_FREEZE, SVM_SHUTDOWN,
        SVM_TASK_SWITCH, SVM_RDPMC, SVM_RSM, SVM_VMRUN, SVM_VMMCALL, SVM_VMLOAD, SVM_VMSAVE, SVM_STGI, SVM_CLGI, SVM_SKINIT,
        SVM_INVLPGA, SVM_RDTSCP, SVM_MONITOR, SVM_MWAIT, SVM_MWAIT_ARMED, SVM_XSETBV, SVM_WBINVD,
    };

    for (unsigned i = 0; i < sizeof always; i++)
        intercept(always[i]);
    vmcb->cr_write = 1 << 4;
    vmcb->exceptions = 1 << VEC_DB | 1 << VEC_AC;
    if (nested) {
        intercept(SVM_CR0_SEL_WRITE);                   /* changes of TS and MP are the guest's own */
        return;
    }
    vmcb->cr_write |= 1 << 0 | 1 << 3;
    vmcb->exceptions |= 1 << VEC_PF;
    intercept(SVM_INVLPG);
    /* END 7.1: intercept */
}

static const char *init(struct machine *m, uint64_t nested_root, bool no_unrestricted)
{
    uint8_t *iopm, *msrpm;
    const char *why;

    (void)no_unrestricted;                              /* nested paging runs guests with paging off anyway */
    nested = nested_root != 0;
    if ((why = find_features()))
        return why;
    iopm = host_memory(IOPM_BYTES, 4096);
    msrpm = host_memory(MSRPM_BYTES, 4096);
    if (!iopm || !msrpm)
        return "no memory for the permission maps";
    in_qemu = is_qemu();
    /* LAB 7.2: switch SVM on (EFER.SVME), say where VMRUN may keep the host (VM_HSAVE_PA), let every port and every MSR leave the guest
     * (maps of ones), and fill in what does not change: intercepts, the maps, ASID, whose IF masks our interrupts, nested paging and
     * its root, EFER (VMRUN demands SVME there), the guest's PAT. APM vol. 2, 15.4, 15.5, 15.10, 15.11, 15.21.1. */
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)host_state);
    memset(iopm, 0xff, IOPM_BYTES);                     /* every port and every MSR */
    memset(msrpm, 0xff, MSRPM_BYTES);
    set_intercepts();
    vmcb->iopm = (uintptr_t)iopm;
    vmcb->msrpm = (uintptr_t)msrpm;
    vmcb->asid = GUEST_ASID;                            /* 0 is the host's */
    vmcb->v_intr = V_INTR_MASKING;                      /* the guest's IF is for its own interrupts, not for ours */
    vmcb->nested = nested;
    vmcb->nested_cr3 = nested_root;
    vmcb->efer = EFER_SVME;                             /* VMRUN demands it; nothing else of EFER is on */
    vmcb->g_pat = m->cpu.pat;
    /* END 7.2: iopm, msrpm, m, set_intercepts, host_state */
    loaded = true;                                      /* m->cpu, all of it, goes to the VMCB at the first entry */
    return NULL;
}

/* ---- the processor's state ----------------------------------------------------------------------- */

static struct vmcb_segment *segment_of(int i)
{
    return &vmcb->es + i;                               /* in the order of vcpu.h */
}

static void store_segment(struct vmcb_segment *to, const struct segment *s)
{
    *to = (struct vmcb_segment){ s->selector, s->attr, s->limit, s->base };
}

static struct segment load_segment(const struct vmcb_segment *s)
{
    return (struct segment){ .selector = s->selector, .attr = s->attr, .base = (uint32_t)s->base, .limit = s->limit };
}

/* Caches stay on whatever the guest says; it reads back what it said. */
static void store_cr0(uint32_t cr0)
{
    const uint32_t ours = CR0_CD | CR0_NW;

    vmcb->cr_read = nested ? (cr0 & ours) != 0 : 1 << 0 | 1 << 3;
    vmcb->cr0 = (cr0 & ~ours) | (nested ? 0 : CR0_PG | CR0_WP);
}

static void store(const struct vcpu *cpu)
{
    /* LAB 7.3: *cpu into the VMCB: segments, TR and LDTR (segment_of, store_segment), GDTR and IDTR, CPL (vcpu_cpl), CR0 (store_cr0), CR3
     * (the guest's with nested paging, else shadow_root()), CR4, DR6 and DR7. load() below reads most of them back. Two need care:
     * - CR2: VMRUN loads it from the VMCB, but not in Bochs 2.7. So it goes to both, the VMCB and, by MOV, the processor's own CR2.
     * - TR: cpu->tr is of the type that LTR makes, a busy TSS, and a processor wants it so. QEMU 7.2 ends itself over a busy one: in_qemu, the
     *   VMCB's copy of its attributes, not cpu->tr, goes without the bit TSS_IS_BUSY. load() puts it back.
     * EAX, ESP, EIP and EFLAGS go at every entry: store_some(). APM vol. 2, 15.5.1. */
    for (int i = 0; i < SEGREGS; i++)
        store_segment(segment_of(i), &cpu->seg[i]);
    store_segment(&vmcb->tr, &cpu->tr);
    if (in_qemu)
        vmcb->tr.attr &= (uint16_t)~TSS_IS_BUSY;
    store_segment(&vmcb->ldtr, &cpu->ldtr);
    vmcb->gdtr = (struct vmcb_segment){ .base = cpu->gdtr.base, .limit = cpu->gdtr.limit };
    vmcb->idtr = (struct vmcb_segment){ .base = cpu->idtr.base, .limit = cpu->idtr.limit };
    vmcb->cpl = (uint8_t)vcpu_cpl(cpu);
    store_cr0(cpu->cr0);
    vmcb->cr2 = cpu->cr2;
    __asm__ volatile("mov %0, %%cr2" : : "r"((uint64_t)cpu->cr2));      /* VMRUN's affair, but Bochs 2.7 leaves it out */
    vmcb->cr3 = nested ? cpu->cr3 : shadow_root();
    vmcb->cr4 = cpu->cr4;
    vmcb->dr6 = cpu->dr[6];
    vmcb->dr7 = cpu->dr[7];
    /* END 7.3: cpu, segment_of, store_segment, store_cr0 */
}

static void load(struct machine *m)
{
    struct vcpu *cpu = &m->cpu;

    if (loaded)
        return;
    for (int i = 0; i < SEGREGS; i++)
        cpu->seg[i] = load_segment(segment_of(i));
    cpu->tr = load_segment(&vmcb->tr);
    if (in_qemu)
        cpu->tr.attr |= TSS_IS_BUSY;
    cpu->ldtr = load_segment(&vmcb->ldtr);
    cpu->gdtr = (struct table_register){ (uint32_t)vmcb->gdtr.base, (uint16_t)vmcb->gdtr.limit };
    cpu->idtr = (struct table_register){ (uint32_t)vmcb->idtr.base, (uint16_t)vmcb->idtr.limit };
    cpu->cr2 = (uint32_t)vmcb->cr2;
    cpu->dr[6] = (uint32_t)vmcb->dr6;
    cpu->dr[7] = (uint32_t)vmcb->dr7;
    loaded = true;
}

/* What every exit wants. */
static void load_some(struct vcpu *cpu)
{
    cpu->gpr[EAX] = (uint32_t)vmcb->rax;
    cpu->gpr[ESP] = (uint32_t)vmcb->rsp;
    cpu->eip = (uint32_t)vmcb->rip;
    cpu->eflags = (uint32_t)vmcb->rflags;
    cpu->seg[CS] = load_segment(&vmcb->cs);
    cpu->shadow = vmcb->interrupt_shadow & 1 ? SHADOW_STI : SHADOW_NONE;
    cpu->cr4 = (uint32_t)vmcb->cr4;
    if (nested) {
        cpu->cr0 = (uint32_t)vmcb->cr0 | (cpu->cr0 & (CR0_CD | CR0_NW));
        cpu->cr3 = (uint32_t)vmcb->cr3;
    }
}

static void store_some(const struct vcpu *cpu)
{
    vmcb->rax = cpu->gpr[EAX];
    vmcb->rsp = cpu->gpr[ESP];
    vmcb->rip = cpu->eip;
    vmcb->rflags = cpu->eflags;
    vmcb->interrupt_shadow = cpu->shadow != SHADOW_NONE;
}

/* ---- why the guest came out ---------------------------------------------------------------------- */

static enum hv_exit exit_of(uint64_t code)
{
    /* LAB 7.4: the exit code as hv.h names it. A code that is nobody's is HV_REFUSED. APM vol. 2, appendix C. */
    switch (code) {
    case SVM_INTR: case SVM_NMI: return HV_INTERRUPT;
    case SVM_IOIO: return HV_IO;
    case SVM_CPUID: return HV_CPUID;
    case SVM_HLT: return HV_HLT;
    case SVM_MSR: return HV_MSR;
    case SVM_VINTR: return HV_WINDOW;
    case SVM_NPF: return HV_NESTED_FAULT;
    case SVM_EXCEPTION + VEC_PF: return HV_PAGE_FAULT;
    case SVM_EXCEPTION + VEC_DB: case SVM_EXCEPTION + VEC_AC: case SVM_FERR_FREEZE: return HV_EXCEPTION;
    case SVM_CR0_SEL_WRITE: case SVM_CR_READ: case SVM_CR_READ + 3: case SVM_CR_WRITE: case SVM_CR_WRITE + 3:
    case SVM_CR_WRITE + 4: return HV_CR;
    case SVM_INVLPG: return HV_INVLPG;
    case SVM_INVD: case SVM_WBINVD: return HV_CACHE;
    case SVM_RDPMC: return HV_RDPMC;
    case SVM_TASK_SWITCH: return HV_TASK_SWITCH;
    case SVM_SHUTDOWN: return HV_SHUTDOWN;
    case SVM_RSM: case SVM_VMRUN: case SVM_VMMCALL: case SVM_VMLOAD: case SVM_VMSAVE: case SVM_STGI: case SVM_CLGI:
    case SVM_SKINIT: case SVM_INVLPGA: case SVM_RDTSCP: case SVM_MONITOR: case SVM_MWAIT: case SVM_MWAIT_ARMED:
    case SVM_XSETBV: return HV_FORBIDDEN;
    default: return HV_REFUSED;
    }
    /* END 7.4: code */
}

/* Bochs 2.7 leaves DR6 alone when #DB is intercepted: of a single step, at least, it is known what it says. */
static void tell_exception(struct hv_info *info)
{
    info->vector = vmcb->exit_code == SVM_FERR_FREEZE ? VEC_MF : (uint8_t)(vmcb->exit_code - SVM_EXCEPTION);
    info->error = (uint32_t)vmcb->exit_info1;
    info->next = (uint32_t)vmcb->rip;
    if (info->vector == VEC_DB && (vmcb->rflags & FLAG_TF) && !(vmcb->dr6 & DR6_KNOWN))
        vmcb->dr6 |= DR6_BS;
}

static void tell(enum hv_exit exit, struct hv_info *info)
{
    /* LAB 7.5: what the two words of exit information say, by exit: of a port access its number, size and direction, and where the guest
     * goes on; of a page fault error code and address; of a nested one the guest-physical address. APM vol. 2, 15.10.2, 15.12, 15.25.6. */
    uint64_t one = vmcb->exit_info1, two = vmcb->exit_info2;

    info->next = (uint32_t)vmcb->next_rip;              /* 0 on processors that do not save it */
    switch (exit) {
    case HV_IO:
        info->port = (uint16_t)(one >> 16);
        info->bytes = one >> IO_BYTES_SHIFT & 7;
        info->in = one & IO_IN;
        info->string = one & IO_STRING;
        info->next = (uint32_t)two;
        break;
    case HV_PAGE_FAULT:
        info->error = (uint32_t)one;
        info->gla = (uint32_t)two;
        break;
    case HV_NESTED_FAULT:
        info->gpa = two;
        break;
    case HV_EXCEPTION:
        tell_exception(info);
        break;
    case HV_REFUSED:
        info->code = vmcb->exit_code;
        info->detail = one;
        break;
    default:
        break;
    }
    /* END 7.5: exit, info, tell_exception */
}

static struct hv_event during(void)
{
    uint64_t event = vmcb->exit_int_info;

    return event & HV_EVENT_VALID ? (struct hv_event){ (uint32_t)event, (uint32_t)(event >> 32) } : (struct hv_event){ 0, 0 };
}

static enum hv_exit enter(struct machine *m, struct hv_info *info)
{
    enum hv_exit exit;

    if (loaded)
        store(&m->cpu);
    store_some(&m->cpu);
    svm_run(&m->cpu, (uintptr_t)vmcb, info->ticks);
    loaded = false;
    vmcb->tlb_control = 0;
    vmcb->event = 0;
    load_some(&m->cpu);
    exit = exit_of(vmcb->exit_code);
    tell(exit, info);
    return exit;
}

static void inject(struct hv_event event)
{
    vmcb->event = event.info;
    vmcb->event_error = event.error;
}

/* A virtual interrupt that is never taken: its intercept comes first. */
static void window(bool open)
{
    vmcb->v_intr = V_INTR_MASKING | (open ? V_IRQ | V_IGNORE_TPR : 0);
}

static void flush(void)
{
    vmcb->tlb_control = TLB_FLUSH_ALL;
}

const struct hv svm = {
    .name = "AMD-V", .present = present, .bits = { .table = PTE_A, .page = PTE_A | PTE_D }, /* set already: the tables stay as they are */
    .init = init, .enter = enter, .inject = inject, .during = during, .window = window, .load = load, .flush = flush,
};
