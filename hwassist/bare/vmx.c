/* Intel's half of hv.h: Virtual Machine Extensions, Intel SDM vol. 3C chapters 24 to 29. README.md has a table of what is set here
 * and why. Where a processor cannot run a guest with paging off (no "unrestricted guest"), such a guest runs on shadow.c's
 * tables until it turns paging on. */
#include <cpuid.h>

#include "host.h"
#include "hv.h"
#include "machine.h"
#include "paging.h"
#include "privileged.h"
#include "vmcs.h"

enum {
    MSR_FEATURE_CONTROL = 0x3a, MSR_VMX_BASIC = 0x480, MSR_VMX_CAPABILITIES = 0x481, MSR_VMX_TRUE_CAPABILITIES = 0x48d,
    MSR_VMX_CONTROLS2 = 0x48b, MSR_VMX_EPT_VPID = 0x48c, MSR_VMX_CR0_FIXED0 = 0x486, MSR_VMX_CR0_FIXED1 = 0x487,
    FEATURE_LOCKED = 1, FEATURE_VMXON = 4,
    PINS = 0, CONTROLS = 1, EXITS = 2, ENTRIES = 3,     /* in the order of the capability MSRs */
    CPUID_VMX = 1 << 5, CR4_VMXE = 1 << 13,
    GUEST_VPID = 1, EPT_WALK_4 = 3 << 3, EPT_WRITE_BACK = 6,
    CAN_WALK_4 = 1 << 6, CAN_WRITE_BACK = 1 << 14, CAN_LARGE = 1 << 16, CAN_INVEPT = 1 << 20 | 1 << 26, CAN_INVVPID = 1 << 0 | 1 << 10,
    INVEPT_ALL = 2, INVVPID_ALL = 2,
    IO_BYTES = 7, IO_IN = 1 << 3, IO_STRING = 1 << 4, EVENT_VECTOR = 0xff, EVENT_INT1 = 5 << 8,
};

bool vmx_run(struct vcpu *cpu, bool launched, uint64_t ticks[2]);
extern const uint8_t vmx_exit[];

static _Alignas(4096) uint32_t vmxon_region[1024], vmcs[1024];
static uint64_t ept_pointer;            /* 0: there is no EPT, or it is not wanted */
static bool unrestricted, vpid, nested; /* nested: EPT is in use now */
static bool launched, loaded;
static uint32_t cpu_controls, exit_eip;

/* ---- instructions -------------------------------------------------------------------------------- */

static uint64_t vmread(uint64_t field)
{
    uint64_t value;

    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
    return value;
}

static void vmwrite(uint64_t field, uint64_t value)
{
    __asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(value) : "cc");
}

/* VMXON, VMCLEAR, VMPTRLD take the physical address of a region, in memory. */
#define VMX_REGION(instruction, region) __extension__ ({                                    \
    uint64_t at_ = (uintptr_t)(region);                                                     \
    bool failed_;                                                                           \
    __asm__ volatile(instruction " %1" : "=@ccna"(failed_) : "m"(at_) : "memory");          \
    !failed_; })

static uint64_t read_cr(unsigned reg)
{
    uint64_t value;

    if (reg == 0)
        __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    else if (reg == 3)
        __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    else
        __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static uint32_t read_dr6(void)
{
    uint64_t value;

    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return (uint32_t)value;
}

static void write_dr6(uint32_t value)
{
    __asm__ volatile("mov %0, %%dr6" : : "r"((uint64_t)value));
}

/* ---- once ---------------------------------------------------------------------------------------- */

static bool present(void)
{
    unsigned a, b, c, d;

    __cpuid(1, a, b, c, d);
    return c & CPUID_VMX;
}

static const char *unlock(void)
{
    if (!(rdmsr(MSR_FEATURE_CONTROL) & FEATURE_LOCKED))
        wrmsr(MSR_FEATURE_CONTROL, rdmsr(MSR_FEATURE_CONTROL) | FEATURE_LOCKED | FEATURE_VMXON);
    return rdmsr(MSR_FEATURE_CONTROL) & FEATURE_VMXON ? NULL : "VT-x is switched off in the firmware";
}

/* A control is what we want, plus what this processor cannot have off. False: it cannot have on what we need (31.5.1). */
static bool adjust(unsigned which, uint32_t wanted, uint32_t *controls)
{
    bool exact = rdmsr(MSR_VMX_BASIC) >> 55 & 1;
    uint64_t allowed = rdmsr((exact ? MSR_VMX_TRUE_CAPABILITIES : MSR_VMX_CAPABILITIES) + which);

    *controls = wanted | (uint32_t)allowed;
    return !(*controls & ~(uint32_t)(allowed >> 32));
}

static const char *enter_vmx_operation(void)
{
    uint64_t cr0 = (read_cr(0) | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1);

    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
    __asm__ volatile("mov %0, %%cr4" : : "r"(read_cr(4) | CR4_VMXE));
    vmxon_region[0] = vmcs[0] = (uint32_t)rdmsr(MSR_VMX_BASIC);
    if (!VMX_REGION("vmxon", vmxon_region) || !VMX_REGION("vmclear", vmcs) || !VMX_REGION("vmptrld", vmcs))
        return "VMXON, VMCLEAR or VMPTRLD fails";
    return NULL;
}

static const char *set_controls(void)
{
    uint32_t pins, exits, entries;

    if (!adjust(PINS, PIN_EXTERNAL_INTERRUPT | PIN_NMI, &pins) || !adjust(EXITS, EXIT_HOST_64 | EXIT_SAVE_DEBUG, &exits) ||
        !adjust(ENTRIES, ENTRY_LOAD_DEBUG, &entries) ||
        !adjust(CONTROLS, CPU_HLT | CPU_MWAIT | CPU_RDPMC | CPU_IO | CPU_MONITOR, &cpu_controls))
        return "this processor lacks a VM-execution control";
    vmwrite(VMCS_PIN_CONTROLS, pins);
    vmwrite(VMCS_EXIT_CONTROLS, exits);
    vmwrite(VMCS_ENTRY_CONTROLS, entries);              /* not the 64-bit guest: EFER.LMA and LME become 0 */
    return NULL;
}

static const char *find_nesting(uint64_t nested_root, bool no_unrestricted)
{
    const uint64_t ept_needs = CAN_WALK_4 | CAN_WRITE_BACK | CAN_LARGE | CAN_INVEPT, vpid_needs = (uint64_t)CAN_INVVPID << 32;
    uint32_t probe, can = 0;
    uint64_t how = 0;

    if (adjust(CONTROLS, CPU_CONTROLS2, &probe))
        can = (uint32_t)(rdmsr(MSR_VMX_CONTROLS2) >> 32);
    if (can & (CPU2_EPT | CPU2_VPID))
        how = rdmsr(MSR_VMX_EPT_VPID);                  /* the MSR is there only then (appendix A.10) */
    if (nested_root && (!(can & CPU2_EPT) || (how & ept_needs) != ept_needs))
        return "this processor has no extended page tables, or not of the kind that is used here; use --no-npt";
    vpid = (can & CPU2_VPID) && (how & vpid_needs) == vpid_needs;
    unrestricted = (can & CPU2_UNRESTRICTED) && nested_root && !no_unrestricted;
    ept_pointer = nested_root ? nested_root | EPT_WALK_4 | EPT_WRITE_BACK : 0;
    vmwrite(VMCS_VPID, GUEST_VPID);
    vmwrite(VMCS_EPT_POINTER, ept_pointer);
    return NULL;
}

static void set_host_state(void)
{
    struct __attribute__((packed)) { uint16_t limit; uint64_t base; } gdtr, idtr;
    static const uint16_t selector[] = { HOST_DS, HOST_CS, HOST_DS, HOST_DS, 0, 0, HOST_TR };

    __asm__("sgdt %0" : "=m"(gdtr));
    __asm__("sidt %0" : "=m"(idtr));
    for (unsigned i = 0; i < sizeof selector / sizeof selector[0]; i++)
        vmwrite(VMCS_HOST_SELECTOR + 2 * i, selector[i]);
    vmwrite(VMCS_HOST_CR0, read_cr(0));
    vmwrite(VMCS_HOST_CR3, read_cr(3));
    vmwrite(VMCS_HOST_CR4, read_cr(4));
    vmwrite(VMCS_HOST_GDTR_BASE, gdtr.base);
    vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
    vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_exit);
}

/* VMCLEAR leaves fields undefined (25.11.3): these have no other place. */
static void clear_fields(void)
{
    static const uint16_t zero[] = {
        VMCS_PFEC_MASK, VMCS_PFEC_MATCH, VMCS_CR3_TARGETS, VMCS_EXIT_MSR_STORES, VMCS_EXIT_MSR_LOADS, VMCS_ENTRY_MSR_LOADS,
        VMCS_GUEST_DEBUGCTL, VMCS_GUEST_ACTIVITY, VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_SYSENTER_CS, VMCS_GUEST_SYSENTER_ESP,
        VMCS_GUEST_SYSENTER_EIP, VMCS_HOST_SYSENTER_CS, VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP, VMCS_HOST_FS_BASE,
        VMCS_HOST_GS_BASE, VMCS_HOST_TR_BASE, VMCS_ENTRY_EVENT,
    };

    for (unsigned i = 0; i < sizeof zero / sizeof zero[0]; i++)
        vmwrite(zero[i], 0);
}

static const char *init(struct machine *m, uint64_t nested_root, bool no_unrestricted)
{
    const char *why;

    (void)m;
    if ((why = unlock()) || (why = enter_vmx_operation()) || (why = set_controls()) ||
        (why = find_nesting(nested_root, no_unrestricted)))
        return why;
    set_host_state();
    vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
    clear_fields();
    loaded = true;
    return NULL;
}

/* ---- the processor's state ----------------------------------------------------------------------- */

/* What the guest may change by itself; the rest of CR0 and CR4 it reads from a shadow, and asks for by an exit. */
static uint32_t own_cr0(void)
{
    return CR0_MP | CR0_EM | CR0_TS | CR0_AM | (nested ? CR0_WP : 0);
}

static uint32_t own_cr4(void)
{
    return CR4_TSD | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT | (nested ? CR4_PSE | CR4_PGE : 0);
}

/* EPT, or shadow page tables in its place? */
static void choose_paging(const struct vcpu *cpu)
{
    uint32_t cpu1 = cpu_controls, cpu2 = vpid ? CPU2_VPID : 0;

    nested = ept_pointer && (unrestricted || (cpu->cr0 & CR0_PG));
    if (nested)
        cpu2 |= CPU2_EPT | (unrestricted ? CPU2_UNRESTRICTED : 0);
    else
        cpu1 |= CPU_CR3_LOAD | CPU_CR3_STORE | CPU_INVLPG;
    vmwrite(VMCS_CONTROLS, cpu1 | (cpu2 ? CPU_CONTROLS2 : 0));
    vmwrite(VMCS_CONTROLS2, cpu2);
    vmwrite(VMCS_EXCEPTIONS, 1 << VEC_DB | 1 << VEC_AC | (nested ? 0 : 1 << VEC_PF));
    vmwrite(VMCS_CR0_MASK, ~own_cr0());
    vmwrite(VMCS_CR4_MASK, ~own_cr4());
}

static void store_control(const struct vcpu *cpu)
{
    uint32_t cr0 = (cpu->cr0 | CR0_NE) & ~(CR0_CD | CR0_NW);        /* VMX wants NE on */

    choose_paging(cpu);
    vmwrite(VMCS_GUEST_CR0, nested ? cr0 : cr0 | CR0_PG | CR0_WP);
    vmwrite(VMCS_CR0_SHADOW, cpu->cr0);
    vmwrite(VMCS_GUEST_CR3, nested ? cpu->cr3 : shadow_root());
    vmwrite(VMCS_GUEST_CR4, cpu->cr4 | CR4_VMXE);
    vmwrite(VMCS_CR4_SHADOW, cpu->cr4);
    vmwrite(VMCS_GUEST_DR7, cpu->dr[7]);
    __asm__ volatile("mov %0, %%cr2" : : "r"((uint64_t)cpu->cr2));
    write_dr6(cpu->dr[6]);
}

/* Attributes have their upper four bits at 15:12 here. */
static void store_segment(unsigned i, const struct segment *s)
{
    uint32_t rights = (s->attr & 0xffu) | (s->attr & 0xf00u) << 4;

    vmwrite(VMCS_GUEST_SELECTOR + 2 * i, s->selector);
    vmwrite(VMCS_GUEST_BASE + 2 * i, s->base);
    vmwrite(VMCS_GUEST_LIMIT + 2 * i, s->limit);
    vmwrite(VMCS_GUEST_RIGHTS + 2 * i, s->attr & ATTR_PRESENT ? rights : RIGHTS_UNUSABLE);
}

static struct segment load_segment(unsigned i)
{
    uint32_t rights = (uint32_t)vmread(VMCS_GUEST_RIGHTS + 2 * i);

    return (struct segment){
        .selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR + 2 * i), .base = (uint32_t)vmread(VMCS_GUEST_BASE + 2 * i),
        .limit = (uint32_t)vmread(VMCS_GUEST_LIMIT + 2 * i),
        .attr = rights & RIGHTS_UNUSABLE ? 0 : (uint16_t)((rights & 0xff) | (rights >> 4 & 0xf00)),
    };
}

static void store(const struct vcpu *cpu)
{
    for (unsigned i = 0; i < SEGREGS; i++)
        store_segment(i, &cpu->seg[i]);
    store_segment(VMCS_LDTR, &cpu->ldtr);
    store_segment(VMCS_TR, &cpu->tr);
    vmwrite(VMCS_GUEST_GDTR_BASE, cpu->gdtr.base);
    vmwrite(VMCS_GUEST_GDTR_LIMIT, cpu->gdtr.limit);
    vmwrite(VMCS_GUEST_IDTR_BASE, cpu->idtr.base);
    vmwrite(VMCS_GUEST_IDTR_LIMIT, cpu->idtr.limit);
    store_control(cpu);
}

static void load(struct machine *m)
{
    struct vcpu *cpu = &m->cpu;
    uint64_t cr2;

    if (loaded)
        return;
    for (unsigned i = 0; i < SEGREGS; i++)
        cpu->seg[i] = load_segment(i);
    cpu->ldtr = load_segment(VMCS_LDTR);
    cpu->tr = load_segment(VMCS_TR);
    cpu->gdtr = (struct table_register){ (uint32_t)vmread(VMCS_GUEST_GDTR_BASE), (uint16_t)vmread(VMCS_GUEST_GDTR_LIMIT) };
    cpu->idtr = (struct table_register){ (uint32_t)vmread(VMCS_GUEST_IDTR_BASE), (uint16_t)vmread(VMCS_GUEST_IDTR_LIMIT) };
    cpu->dr[7] = (uint32_t)vmread(VMCS_GUEST_DR7);
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    cpu->cr2 = (uint32_t)cr2;
    cpu->dr[6] = read_dr6();
    loaded = true;
}

static void load_some(struct vcpu *cpu)
{
    uint64_t blocking = vmread(VMCS_GUEST_BLOCKING);

    cpu->gpr[ESP] = (uint32_t)vmread(VMCS_GUEST_RSP);
    cpu->eip = exit_eip = (uint32_t)vmread(VMCS_GUEST_RIP);
    cpu->eflags = (uint32_t)vmread(VMCS_GUEST_RFLAGS);
    cpu->seg[CS] = load_segment(CS);
    cpu->shadow = blocking & BLOCKING_MOV_SS ? SHADOW_MOV_SS : blocking & BLOCKING_STI ? SHADOW_STI : SHADOW_NONE;
    cpu->cr0 = (cpu->cr0 & ~own_cr0()) | ((uint32_t)vmread(VMCS_GUEST_CR0) & own_cr0());
    cpu->cr4 = (cpu->cr4 & ~own_cr4()) | ((uint32_t)vmread(VMCS_GUEST_CR4) & own_cr4());
    if (nested)
        cpu->cr3 = (uint32_t)vmread(VMCS_GUEST_CR3);
}

static void store_some(const struct vcpu *cpu)
{
    static const uint8_t blocking[] = {
        [SHADOW_NONE] = 0, [SHADOW_STI] = BLOCKING_STI, [SHADOW_MOV_SS] = BLOCKING_MOV_SS,
    };

    vmwrite(VMCS_GUEST_RSP, cpu->gpr[ESP]);
    vmwrite(VMCS_GUEST_RIP, cpu->eip);
    vmwrite(VMCS_GUEST_RFLAGS, cpu->eflags);
    vmwrite(VMCS_GUEST_BLOCKING, blocking[cpu->shadow]);
    if (cpu->shadow == SHADOW_NONE)                     /* else they wait for its end. Bochs 2.7 leaves some at other exits too */
        vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
}

/* ---- why the guest came out ---------------------------------------------------------------------- */

static enum hv_exit exit_of_exception(uint32_t event)
{
    if ((event & HV_EVENT_TYPE) == HV_EVENT_NMI)
        return HV_INTERRUPT;
    return (event & EVENT_VECTOR) == VEC_PF ? HV_PAGE_FAULT : HV_EXCEPTION;
}

static enum hv_exit exit_of(uint32_t reason)
{
    switch (reason) {
    case VMX_EXCEPTION: return exit_of_exception((uint32_t)vmread(VMCS_EXIT_EVENT));
    case VMX_INTERRUPT: return HV_INTERRUPT;
    case VMX_IO: return HV_IO;
    case VMX_CPUID: return HV_CPUID;
    case VMX_HLT: return HV_HLT;
    case VMX_RDMSR: case VMX_WRMSR: return HV_MSR;
    case VMX_WINDOW: return HV_WINDOW;
    case VMX_EPT_VIOLATION: return HV_NESTED_FAULT;
    case VMX_CR: return HV_CR;
    case VMX_INVLPG: return HV_INVLPG;
    case VMX_INVD: return HV_CACHE;
    case VMX_RDPMC: return HV_RDPMC;
    case VMX_TASK_SWITCH: return HV_TASK_SWITCH;
    case VMX_TRIPLE_FAULT: return HV_SHUTDOWN;
    case VMX_RSM: case VMX_MWAIT: case VMX_MONITOR: case VMX_INVEPT: case VMX_RDTSCP: case VMX_INVVPID: case VMX_XSETBV:
        return HV_FORBIDDEN;
    default: return reason >= VMX_VMCALL && reason <= VMX_VMXON ? HV_FORBIDDEN : HV_REFUSED;
    }
}

/* A #DB that comes here has not been to DR6. INT1's does not go there, and its frame points behind the instruction. */
static void tell_exception(struct hv_info *info, uint64_t detail)
{
    uint32_t event = (uint32_t)vmread(VMCS_EXIT_EVENT);

    info->vector = (uint8_t)event;
    info->error = (uint32_t)vmread(VMCS_EXIT_ERROR);
    if ((event & HV_EVENT_TYPE) == EVENT_INT1)
        return;
    info->next = exit_eip;
    if (info->vector == VEC_DB)
        write_dr6((read_dr6() & ~0xfu) | ((uint32_t)detail & DR6_KNOWN));
}

static void tell(enum hv_exit exit, struct hv_info *info)
{
    uint64_t detail = vmread(VMCS_QUALIFICATION);

    info->next = exit_eip + (uint32_t)vmread(VMCS_INSTRUCTION_BYTES);
    switch (exit) {
    case HV_IO:
        info->port = (uint16_t)(detail >> 16);
        info->bytes = (detail & IO_BYTES) + 1;
        info->in = detail & IO_IN;
        info->string = detail & IO_STRING;
        break;
    case HV_PAGE_FAULT:
        info->error = (uint32_t)vmread(VMCS_EXIT_ERROR);
        info->gla = (uint32_t)detail;
        break;
    case HV_EXCEPTION:
        tell_exception(info, detail);
        break;
    case HV_NESTED_FAULT:
        info->gpa = vmread(VMCS_GUEST_PHYSICAL);
        break;
    case HV_REFUSED:
        info->code = vmread(VMCS_EXIT_REASON);
        info->detail = detail;
        break;
    default:
        break;
    }
}

/* Bit 12 and more are undefined (25.9.3). */
#define EVENT_DEFINED (HV_EVENT_VALID | HV_EVENT_ERROR | HV_EVENT_TYPE | EVENT_VECTOR)

static struct hv_event during(void)
{
    uint64_t event = vmread(VMCS_DURING_EVENT) & EVENT_DEFINED;

    return event & HV_EVENT_VALID ? (struct hv_event){ (uint32_t)event, (uint32_t)vmread(VMCS_DURING_ERROR) }
                                  : (struct hv_event){ 0, 0 };
}

static enum hv_exit enter(struct machine *m, struct hv_info *info)
{
    enum hv_exit exit;

    if (loaded)
        store(&m->cpu);
    store_some(&m->cpu);
    if (!vmx_run(&m->cpu, launched, info->ticks)) {
        info->code = vmread(VMCS_INSTRUCTION_ERROR);
        return HV_REFUSED;
    }
    launched = true;
    loaded = false;
    load_some(&m->cpu);
    exit = exit_of((uint32_t)vmread(VMCS_EXIT_REASON));
    tell(exit, info);
    return exit;
}

static void inject(struct hv_event event)
{
    vmwrite(VMCS_ENTRY_EVENT, event.info);
    vmwrite(VMCS_ENTRY_ERROR, event.error);
}

static void window(bool open)
{
    uint32_t bit = open ? CPU_WINDOW : 0;

    cpu_controls = (cpu_controls & ~(uint32_t)CPU_WINDOW) | bit;
    vmwrite(VMCS_CONTROLS, (vmread(VMCS_CONTROLS) & ~(uint64_t)CPU_WINDOW) | bit);      /* it also has what choose_paging() added */
}

/* Both kinds of translations, of every guest: there is one (Intel SDM vol. 3C 29.4.3.1). */
static void flush(void)
{
    static const struct { uint64_t which, address; } all;
    bool failed = false, also = false;

    if (ept_pointer)
        __asm__ volatile("invept %1, %2" : "=@ccna"(failed) : "m"(all), "r"((uint64_t)INVEPT_ALL) : "memory");
    if (vpid)
        __asm__ volatile("invvpid %1, %2" : "=@ccna"(also) : "m"(all), "r"((uint64_t)INVVPID_ALL) : "memory");
    if (failed || also)
        host_bug("INVEPT or INVVPID fails");
}

const struct hv vmx = {
    .name = "VT-x", .present = present, .bits = { .page = EPT_WRITE_BACK << 3 }, .init = init, .enter = enter, .inject = inject,
    .during = during, .window = window, .load = load, .flush = flush,
};
