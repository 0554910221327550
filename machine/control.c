/* CRn, DRn, MSRs. See control.h. */
#include "control.h"

#include "host.h"
#include "machine.h"
#include "status.h"

#define CR0_KNOWN (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
enum {
    CR4_KNOWN = CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT,
    MSR_APIC_BASE = 0x1b, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176, MSR_PAT = 0x277,
};

bool control_read(struct machine *m, unsigned reg, uint32_t *value)
{
    switch (reg) {
    case 0: *value = m->cpu.cr0; return true;
    case 2: *value = m->cpu.cr2; return true;
    case 3: *value = m->cpu.cr3; return true;
    case 4: *value = m->cpu.cr4; return true;
    default: return vcpu_raise(&m->cpu, VEC_UD);
    }
}

static void flush(struct machine *m, void (*hook)(struct machine *))
{
    if (hook)
        hook(m);
}

static bool write_cr0(struct machine *m, uint32_t value)
{
    uint32_t changed = m->cpu.cr0 ^ value;

    if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    if (!(value & CR0_PE))
        return machine_stop(m, EXIT_CRASH, "the guest turned protected mode off; real mode is not modelled");
    m->cpu.cr0 = (value & CR0_KNOWN) | CR0_ET;
    if (changed & (CR0_PG | CR0_WP))
        flush(m, m->hooks.flush_all);
    return true;
}

static bool write_cr4(struct machine *m, uint32_t value)
{
    uint32_t changed = m->cpu.cr4 ^ value;

    if (value & ~(uint32_t)CR4_KNOWN)
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    m->cpu.cr4 = value;
    if (changed & (CR4_PSE | CR4_PGE))
        flush(m, m->hooks.flush_all);
    return true;
}

bool control_write(struct machine *m, unsigned reg, uint32_t value)
{
    switch (reg) {
    case 0: return write_cr0(m, value);
    case 2: m->cpu.cr2 = value; return true;
    case 3:
        m->cpu.cr3 = value;
        flush(m, m->hooks.load_cr3);
        return true;
    case 4: return write_cr4(m, value);
    default: return vcpu_raise(&m->cpu, VEC_UD);
    }
}

/* DR4 and DR5 are other names of DR6 and DR7 unless CR4.DE forbids it. */
static bool debug_alias(struct machine *m, unsigned *reg)
{
    if (*reg == 4 || *reg == 5) {
        if (m->cpu.cr4 & CR4_DE)
            return vcpu_raise(&m->cpu, VEC_UD);
        *reg += 2;
    }
    return true;
}

bool debug_read(struct machine *m, unsigned reg, uint32_t *value)
{
    if (!debug_alias(m, &reg))
        return false;
    *value = m->cpu.dr[reg];
    return true;
}

bool debug_write(struct machine *m, unsigned reg, uint32_t value)
{
    if (!debug_alias(m, &reg))
        return false;
    if (reg == 6)
        value = (value & 0xe00f) | 0xffff0ff0;
    if (reg == 7)
        value = (value & 0xffff27ff) | 0x400;
    m->cpu.dr[reg] = value;
    return true;
}

/* An MSR that is only kept; NULL if there is none of this number. */
static uint64_t *msr_place(struct vcpu *cpu, uint32_t index)
{
    switch (index) {
    case MSR_APIC_BASE: return &cpu->apic_base;
    case MSR_PAT: return &cpu->pat;
    case MSR_SYSENTER_CS: return &cpu->sysenter_cs;
    case MSR_SYSENTER_ESP: return &cpu->sysenter_esp;
    case MSR_SYSENTER_EIP: return &cpu->sysenter_eip;
    default: return NULL;
    }
}

bool msr_read(struct machine *m, uint32_t index, uint64_t *value)
{
    const uint64_t *place = msr_place(&m->cpu, index);

    if (index == MSR_TSC)
        *value = host_tsc();
    else if (place)
        *value = *place;
    else
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    return true;
}

bool msr_write(struct machine *m, uint32_t index, uint64_t value)
{
    uint64_t *place = msr_place(&m->cpu, index);

    if (!place)
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    *place = value;
    return true;
}
