/* The emulator: one short function per row of isa.def, and the table that joins them. See emulate.h. */
#include "emulate.h"

#include <string.h>

#include "control.h"
#include "event.h"
#include "host.h"
#include "machine.h"
#include "segment.h"
#include "status.h"
#include "transfer.h"

/* ---- interrupts and halting ---------------------------------------------------------------------- */

static bool do_cli(struct machine *m, const struct insn *insn)
{
    /* LAB 2.2: IF becomes 0; allowed() has looked at the privilege. Intel SDM vol. 2A, CLI. */
    (void)insn;
    m->cpu.eflags &= ~(uint32_t)FLAG_IF;
    return true;
    /* END 2.2: m, insn */
}

static bool do_sti(struct machine *m, const struct insn *insn)
{
    /* LAB 2.2: IF becomes 1. If it was 0, no interrupt comes before the end of the next instruction: cpu->shadow. Intel SDM
     * vol. 2B, STI. */
    (void)insn;
    if (!(m->cpu.eflags & FLAG_IF))
        m->cpu.shadow = SHADOW_STI;
    m->cpu.eflags |= FLAG_IF;
    return true;
    /* END 2.2: m, insn */
}

static bool do_hlt(struct machine *m, const struct insn *insn)
{
    /* LAB 2.2: the processor waits; main.c's loop looks at cpu->halted. */
    (void)insn;
    m->cpu.halted = true;
    return true;
    /* END 2.2: m, insn */
}

static bool do_int(struct machine *m, const struct insn *insn)
{
    /* LAB 2.5: INT n, INT3 and INTO deliver a vector; INTO only if OF is 1. By now cpu->eip is behind the instruction: there the
     * handler returns to. */
    uint8_t vector = insn->isa == ISA_INT3 ? VEC_BP : insn->isa == ISA_INTO ? VEC_OF : (uint8_t)insn->op[0].value;

    if (insn->isa == ISA_INTO && !(m->cpu.eflags & FLAG_OF))
        return true;
    return event_software(m, vector, m->cpu.eip);
    /* END 2.5: m, insn */
}

static bool do_iret(struct machine *m, const struct insn *insn)
{
    return transfer_iret(m, insn->opsize);
}

/* ---- flags --------------------------------------------------------------------------------------- */

static bool do_pushf(struct machine *m, const struct insn *insn)
{
    struct stack s = stack_current(&m->cpu);

    if (!stack_push(m, &s, m->cpu.eflags & ~(FLAG_VM | FLAG_RF | m->hidden_flags), insn->opsize))
        return false;
    stack_commit(&m->cpu, &s);
    return true;
}

static bool do_popf(struct machine *m, const struct insn *insn)
{
    struct vcpu *cpu = &m->cpu;
    struct stack s = stack_current(cpu);
    uint32_t mask = flags_writable(cpu), value;

    if (!stack_pop(m, &s, insn->opsize, &value))
        return false;
    stack_commit(cpu, &s);
    if (insn->opsize == 2)
        mask &= 0xffff;
    cpu->eflags = (cpu->eflags & ~mask) | (value & mask) | FLAG_ONE;
    return true;
}

/* ---- ports --------------------------------------------------------------------------------------- */

/* CPL > IOPL: every bit of the TSS's I/O bitmap that the access covers must be 0. The processor always
 * reads two bytes of it (Intel SDM vol. 1 19.5.2). */
static bool port_allowed(struct machine *m, uint16_t port, unsigned bytes)
{
    struct vcpu *cpu = &m->cpu;
    const struct segment *tr = &cpu->tr;
    uint16_t base, bits;
    uint32_t at;

    if (vcpu_cpl(cpu) <= vcpu_iopl(cpu))
        return true;
    if ((tr->attr & ATTR_TYPE) != SYS_TSS_BUSY || tr->limit < 103)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    if (!memory_load(m, tr->base + 102, &base, 2, 0))
        return false;
    at = base + port / 8u;
    if (at + 1 > tr->limit)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    if (!memory_load(m, tr->base + at, &bits, 2, 0))
        return false;
    if (bits >> port % 8 & ((1u << bytes) - 1))
        return vcpu_raise_error(cpu, VEC_GP, 0);
    return true;
}

static uint16_t port_number(const struct vcpu *cpu, const struct operand *op)
{
    return op->kind == OPERAND_IMM ? (uint8_t)op->value : (uint16_t)cpu->gpr[EDX];
}

static bool do_in(struct machine *m, const struct insn *insn)
{
    /* LAB 2.1: ask for the rights to the port (port_allowed), read it from m->bus, and write as many bytes of EAX as the
     * operand has. Intel SDM vol. 2A, IN. */
    unsigned bytes = insn->op[0].bytes;
    uint16_t port = port_number(&m->cpu, &insn->op[1]);

    if (!port_allowed(m, port, bytes))
        return false;
    register_write(&m->cpu, EAX, bytes, bus_in(&m->bus, port, bytes));
    return true;
    /* END 2.1: m, insn, port_allowed, port_number */
}

static bool do_out(struct machine *m, const struct insn *insn)
{
    /* LAB 2.1: the same towards the device. Intel SDM vol. 2B, OUT. */
    unsigned bytes = insn->op[1].bytes;
    uint16_t port = port_number(&m->cpu, &insn->op[0]);

    if (!port_allowed(m, port, bytes))
        return false;
    bus_out(&m->bus, port, bytes, register_read(&m->cpu, EAX, bytes));
    return true;
    /* END 2.1: m, insn */
}

enum { REP_SLICE = 1024 };

static void advance_index(struct vcpu *cpu, const struct insn *insn, unsigned reg, unsigned bytes)
{
    uint32_t by = cpu->eflags & FLAG_DF ? -bytes : bytes;

    register_write(cpu, reg, insn->addrsize, cpu->gpr[reg] + by);
}

static bool string_once(struct machine *m, const struct insn *insn, const struct operand *mem, bool in)
{
    uint32_t value = 0, offset = operand_offset(&m->cpu, insn, mem);
    uint16_t port = (uint16_t)m->cpu.gpr[EDX];

    if (in) {       /* memory is asked first: a value read from a port cannot be put back */
        if (!memory_read_to_write_seg(m, mem->seg, offset, &value, mem->bytes))
            return false;
        value = bus_in(&m->bus, port, mem->bytes);
        return memory_write_seg(m, mem->seg, offset, &value, mem->bytes);
    }
    if (!memory_read_seg(m, mem->seg, offset, &value, mem->bytes))
        return false;
    bus_out(&m->bus, port, mem->bytes, value);
    return true;
}

/* INS, OUTS with REP: ECX is right after every iteration, so that a fault in the middle is precise. Single steps
 * stop after each one; a long REP stops now and then at the same EIP, for interrupts and the time limit. */
static bool string_io(struct machine *m, const struct insn *insn, bool in)
{
    struct vcpu *cpu = &m->cpu;
    const struct operand *mem = insn->op[0].kind == OPERAND_MEM ? &insn->op[0] : &insn->op[1];

    if (!port_allowed(m, (uint16_t)cpu->gpr[EDX], mem->bytes))
        return false;
    for (unsigned done = 0; !insn->rep || register_read(cpu, ECX, insn->addrsize) != 0; done++) {
        if (done == REP_SLICE || (done && cpu->eflags & FLAG_TF)) {
            cpu->eip -= insn->length;
            break;
        }
        if (!string_once(m, insn, mem, in))
            return false;
        advance_index(cpu, insn, in ? EDI : ESI, mem->bytes);
        if (!insn->rep)
            break;
        register_write(cpu, ECX, insn->addrsize, cpu->gpr[ECX] - 1);
    }
    return true;
}

static bool do_ins(struct machine *m, const struct insn *insn) { return string_io(m, insn, true); }
static bool do_outs(struct machine *m, const struct insn *insn) { return string_io(m, insn, false); }

/* ---- system registers ---------------------------------------------------------------------------- */

static bool table_load(struct machine *m, const struct insn *insn, struct table_register *to)
{
    /* LAB 2.3: a limit of 16 bits and a base of 32 stand at the operand, through its segment, with all checks. With an operand
     * size of 16 the base has 24 bits. Nothing changes if the read faults. Intel SDM vol. 2A, LGDT. */
    const struct operand *op = &insn->op[0];
    uint8_t bytes[6];

    if (!memory_read_seg(m, op->seg, operand_offset(&m->cpu, insn, op), bytes, 6))
        return false;
    memcpy(&to->limit, bytes, 2);
    memcpy(&to->base, bytes + 2, 4);
    if (insn->opsize == 2)
        to->base &= 0xffffff;
    return true;
    /* END 2.3: m, insn, to */
}

/* Two stores, as processors do it: a page fault at the second leaves the limit written. */
static bool table_store(struct machine *m, const struct insn *insn, const struct table_register *from)
{
    const struct operand *op = &insn->op[0];
    uint32_t offset = operand_offset(&m->cpu, insn, op), gla = m->cpu.seg[op->seg].base + offset;
    unsigned access = vcpu_cpl(&m->cpu) == 3 ? ACCESS_USER : 0;

    return segment_check(&m->cpu, op->seg, offset, 6, ACCESS_WRITE) && memory_store(m, gla, &from->limit, 2, access) &&
           memory_store(m, gla + 2, &from->base, 4, access);
}

/* A selector or machine word: 16 bits in memory, the whole register else (Intel SDM vol. 2B, MOV). */
static bool put_word(struct machine *m, const struct insn *insn, uint32_t value)
{
    const struct operand *op = &insn->op[0];

    return operand_write(m, insn, op, op->kind == OPERAND_MEM ? 2 : insn->opsize, value);
}

static bool do_lgdt(struct machine *m, const struct insn *insn) { return table_load(m, insn, &m->cpu.gdtr); }
static bool do_lidt(struct machine *m, const struct insn *insn) { return table_load(m, insn, &m->cpu.idtr); }
static bool do_sgdt(struct machine *m, const struct insn *insn) { return table_store(m, insn, &m->cpu.gdtr); }
static bool do_sidt(struct machine *m, const struct insn *insn) { return table_store(m, insn, &m->cpu.idtr); }
static bool do_sldt(struct machine *m, const struct insn *insn) { return put_word(m, insn, m->cpu.ldtr.selector); }
static bool do_str(struct machine *m, const struct insn *insn) { return put_word(m, insn, m->cpu.tr.selector); }
static bool do_smsw(struct machine *m, const struct insn *insn) { return put_word(m, insn, m->cpu.cr0); }

static bool do_lldt(struct machine *m, const struct insn *insn)
{
    uint32_t selector;

    return operand_read(m, insn, &insn->op[0], 2, &selector) && segment_load_ldt(m, (uint16_t)selector);
}

static bool do_ltr(struct machine *m, const struct insn *insn)
{
    uint32_t selector;

    return operand_read(m, insn, &insn->op[0], 2, &selector) && segment_load_task(m, (uint16_t)selector);
}

static bool do_lmsw(struct machine *m, const struct insn *insn)
{
    uint32_t value;

    if (!operand_read(m, insn, &insn->op[0], 2, &value))
        return false;
    return control_write(m, 0, (m->cpu.cr0 & ~0xeu) | (value & 0xf));       /* PE is set, never cleared */
}

static bool do_clts(struct machine *m, const struct insn *insn)
{
    (void)insn;
    m->cpu.cr0 &= ~(uint32_t)CR0_TS;
    return true;
}

static bool do_invlpg(struct machine *m, const struct insn *insn)
{
    const struct operand *op = &insn->op[0];

    if (m->hooks.flush_page)
        m->hooks.flush_page(m, m->cpu.seg[op->seg].base + operand_offset(&m->cpu, insn, op));
    return true;
}

static bool do_nothing(struct machine *m, const struct insn *insn)
{
    (void)m;
    (void)insn;
    return true;
}

static bool do_mov_cr(struct machine *m, const struct insn *insn)
{
    /* LAB 2.4: operand 0 is written, operand 1 read; one of them is the control register, whose rules control.c knows. */
    if (insn->isa == ISA_MOV_TO_CR)
        return control_write(m, insn->op[0].reg, m->cpu.gpr[insn->op[1].reg]);
    return control_read(m, insn->op[1].reg, &m->cpu.gpr[insn->op[0].reg]);
    /* END 2.4: m, insn */
}

static bool do_mov_dr(struct machine *m, const struct insn *insn)
{
    if (insn->isa == ISA_MOV_TO_DR)
        return debug_write(m, insn->op[0].reg, m->cpu.gpr[insn->op[1].reg]);
    return debug_read(m, insn->op[1].reg, &m->cpu.gpr[insn->op[0].reg]);
}

static bool do_rdmsr(struct machine *m, const struct insn *insn)
{
    uint64_t value;

    (void)insn;
    if (!msr_read(m, m->cpu.gpr[ECX], &value))
        return false;
    m->cpu.gpr[EAX] = (uint32_t)value;
    m->cpu.gpr[EDX] = (uint32_t)(value >> 32);
    return true;
}

static bool do_wrmsr(struct machine *m, const struct insn *insn)
{
    (void)insn;
    return msr_write(m, m->cpu.gpr[ECX], (uint64_t)m->cpu.gpr[EDX] << 32 | m->cpu.gpr[EAX]);
}

/* ---- segments ------------------------------------------------------------------------------------ */

static bool inspect(struct machine *m, const struct insn *insn, enum inspect what)
{
    const struct operand *op = &insn->op[what == INSPECT_LAR || what == INSPECT_LSL];
    uint32_t selector, value;
    bool valid;

    if (!operand_read(m, insn, op, 2, &selector) || !segment_inspect(m, what, (uint16_t)selector, &valid, &value))
        return false;
    if (valid && (what == INSPECT_LAR || what == INSPECT_LSL))
        register_write(&m->cpu, insn->op[0].reg, insn->opsize, value);
    m->cpu.eflags = (m->cpu.eflags & ~(uint32_t)FLAG_ZF) | (valid ? FLAG_ZF : 0);
    return true;
}

static bool do_lar(struct machine *m, const struct insn *insn) { return inspect(m, insn, INSPECT_LAR); }
static bool do_lsl(struct machine *m, const struct insn *insn) { return inspect(m, insn, INSPECT_LSL); }
static bool do_verr(struct machine *m, const struct insn *insn) { return inspect(m, insn, INSPECT_VERR); }
static bool do_verw(struct machine *m, const struct insn *insn) { return inspect(m, insn, INSPECT_VERW); }

/* Recent processors write two bytes and leave the upper half of the slot as it was (Intel SDM vol. 2B, PUSH). */
static bool do_push_seg(struct machine *m, const struct insn *insn)
{
    struct stack s = stack_current(&m->cpu);

    s.esp -= insn->opsize - 2u;
    if (!stack_push(m, &s, m->cpu.seg[insn->op[0].reg].selector, 2))
        return false;
    stack_commit(&m->cpu, &s);
    return true;
}

static void shadow_after_ss(struct vcpu *cpu, unsigned seg)
{
    if (seg == SS)
        cpu->shadow = SHADOW_MOV_SS;
}

static bool do_pop_seg(struct machine *m, const struct insn *insn)
{
    struct stack s = stack_current(&m->cpu);
    unsigned seg = insn->op[0].reg;
    uint32_t selector;

    if (!stack_pop(m, &s, insn->opsize, &selector) || !segment_load(m, (enum segreg)seg, (uint16_t)selector))
        return false;
    m->cpu.gpr[ESP] = s.esp;
    shadow_after_ss(&m->cpu, seg);
    return true;
}

static bool do_mov_from_seg(struct machine *m, const struct insn *insn)
{
    return put_word(m, insn, m->cpu.seg[insn->op[1].reg].selector);
}

static bool do_mov_to_seg(struct machine *m, const struct insn *insn)
{
    unsigned seg = insn->op[0].reg;
    uint32_t selector;

    if (!operand_read(m, insn, &insn->op[1], 2, &selector) ||
        !segment_load(m, (enum segreg)seg, (uint16_t)selector))
        return false;
    shadow_after_ss(&m->cpu, seg);
    return true;
}

static bool far_pointer(struct machine *m, const struct insn *insn, const struct operand *op, uint32_t *offset,
                        uint16_t *selector)
{
    uint8_t bytes[6];

    *offset = op->value;
    *selector = op->selector;
    if (op->kind == OPERAND_FAR)
        return true;
    if (!memory_read_seg(m, op->seg, operand_offset(&m->cpu, insn, op), bytes, insn->opsize + 2u))
        return false;
    *offset = 0;
    memcpy(offset, bytes, insn->opsize);
    memcpy(selector, bytes + insn->opsize, 2);
    return true;
}

static bool do_load_far(struct machine *m, const struct insn *insn)
{
    enum segreg seg = insn->isa == ISA_LDS ? DS : insn->isa == ISA_LES ? ES : insn->isa == ISA_LFS ? FS
                    : insn->isa == ISA_LGS ? GS : SS;
    uint32_t offset;
    uint16_t selector;

    if (!far_pointer(m, insn, &insn->op[1], &offset, &selector) || !segment_load(m, seg, selector))
        return false;
    register_write(&m->cpu, insn->op[0].reg, insn->opsize, offset);
    return true;
}

static bool do_jmp_far(struct machine *m, const struct insn *insn)
{
    uint32_t offset;
    uint16_t selector;

    return far_pointer(m, insn, &insn->op[0], &offset, &selector) &&
           transfer_jump(m, selector, offset, insn->opsize);
}

static bool do_call_far(struct machine *m, const struct insn *insn)
{
    uint32_t offset;
    uint16_t selector;

    return far_pointer(m, insn, &insn->op[0], &offset, &selector) &&
           transfer_call(m, selector, offset, insn->opsize, m->cpu.eip);
}

static bool do_ret_far(struct machine *m, const struct insn *insn)
{
    return transfer_return(m, insn->opsize, insn->op[0].kind == OPERAND_IMM ? insn->op[0].value : 0);
}

/* ---- CPUID --------------------------------------------------------------------------------------- */

enum {
    CPUID_VISIBLE_EDX = 1 << 0 /* FPU */ | 1 << 3 /* PSE */ | 1 << 4 /* TSC */ | 1 << 5 /* MSR */ |
                        1 << 8 /* CX8 */ | 1 << 13 /* PGE */ | 1 << 15 /* CMOV */ | 1 << 23 /* MMX */ |
                        1 << 24 /* FXSR */ | 1 << 25 /* SSE */ | 1 << 26 /* SSE2 */,
};
#define CPUID_HYPERVISOR_BIT 0x80000000u    /* ECX of leaf 1 */

void emulate_init_cpuid(struct machine *m)
{
    for (unsigned leaf = 0; leaf < 2; leaf++) {
        uint32_t *r = m->cpuid[leaf];

        host_cpuid(leaf, r);
    }
    m->cpuid[0][0] = 1;                                 /* the highest leaf */
    m->cpuid[1][1] &= 0x0000ff00;                       /* no brand, APIC 0 */
    m->cpuid[1][2] = CPUID_HYPERVISOR_BIT;
    m->cpuid[1][3] &= CPUID_VISIBLE_EDX;
}

const uint32_t *emulate_cpuid(const struct machine *m, uint32_t leaf)
{
    static const uint32_t hypervisor[4] = { CPUID_HYPERVISOR, 0x64617551, 0x6f736976, 0x4d4d5672 };   /* "QuadvisorVMM" */

    return leaf == CPUID_HYPERVISOR ? hypervisor : m->cpuid[leaf == 0 ? 0 : 1];
}

static bool do_cpuid(struct machine *m, const struct insn *insn)
{
    const uint32_t *r = emulate_cpuid(m, m->cpu.gpr[EAX]);

    (void)insn;
    m->cpu.gpr[EAX] = r[0];
    m->cpu.gpr[EBX] = r[1];
    m->cpu.gpr[ECX] = r[2];
    m->cpu.gpr[EDX] = r[3];
    return true;
}

/* ---- all together -------------------------------------------------------------------------------- */

typedef bool handler(struct machine *m, const struct insn *insn);

static handler *const handlers[ISA_COUNT] = {
#define ISA(id, zydis, form, class, handler, ...) [ISA_##id] = do_##handler,
#include "isa.def"
#undef ISA
};

static bool is_port_access(enum isa isa) { return isa >= ISA_IN && isa <= ISA_OUTSD; }

static bool allowed(const struct vcpu *cpu, enum isa isa)
{
    switch (isa_rows[isa].class) {
    case CLASS_PRIVILEGED: return vcpu_cpl(cpu) == 0;
    case CLASS_IOPL: return vcpu_cpl(cpu) <= vcpu_iopl(cpu) || is_port_access(isa);
    default: return true;
    }
}

/* The trap flag at the start of an instruction traps at its end, but an INT that is taken clears it on the way
 * and a load of SS holds it back (Intel SDM vol. 3B 17.3.1.4). */
static bool single_step(struct machine *m, const struct insn *insn, bool traced)
{
    bool is_int = insn->isa == ISA_INT || insn->isa == ISA_INT3 || insn->isa == ISA_INTO;

    if (!traced || (is_int && !(m->cpu.eflags & FLAG_TF)) || m->cpu.shadow == SHADOW_MOV_SS)
        return true;
    m->cpu.dr[6] |= DR6_BS;
    return vcpu_raise(&m->cpu, VEC_DB);
}

bool emulate(struct machine *m, const struct insn *insn)
{
    struct vcpu *cpu = &m->cpu;
    uint32_t at = cpu->eip;
    bool traced = cpu->eflags & FLAG_TF;

    if (insn->isa == ISA_OTHER)
        return vcpu_raise(cpu, VEC_UD);
    if (!allowed(cpu, insn->isa))
        return vcpu_raise_error(cpu, VEC_GP, 0);
    cpu->shadow = SHADOW_NONE;
    cpu->eflags &= ~(uint32_t)FLAG_RF;                  /* it lasts for one instruction */
    cpu->eip = at + insn->length;
    if (!handlers[insn->isa](m, insn)) {
        cpu->eip = at;
        return false;
    }
    m->counters.emulated[insn->isa]++;
    return single_step(m, insn, traced);
}
