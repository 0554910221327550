/* Why did the guest stop? A signal says which fault the processor took at ring 3; what the guest's own
 * processor would have done is another question, and this file answers it:
 *
 *   #GP, error code of the IDT       INT n: the guest's IDT is asked
 *   #GP, #NP, #SS on a row of isa.def    emulate it
 *   #GP or #SS on anything else      a limit that we truncated, or a fault the guest earned
 *   #PF                              a page that the shadow lacks, or a page fault of the guest's
 *   everything else                  the guest's exception */
#include <signal.h>
#include <stdio.h>

#include "direct/direct.h"
#include "direct/world.h"
#include "emulate.h"
#include "machine.h"
#include "segment.h"
#include "status.h"
#include "timeline.h"
#include "transfer.h"

enum { ERROR_IDT = 2, HOST_PF_WRITE = 2, HOST_PF_FETCH = 16 };

static enum direct_exit count(struct direct *d, enum direct_count what, enum direct_exit exit)
{
    d->m->counters.exits[what]++;
    timeline_because(exit == DIRECT_SENSITIVE ? isa_rows[d->insn->isa].name : d->m->counters.exit_names[what]);
    return exit;
}

static unsigned user(const struct direct *d) { return vcpu_cpl(&d->m->cpu) == 3 ? ACCESS_USER : 0; }

bool direct_decode(struct direct *d)
{
    d->insn = &d->decoded;
    return decode_at_eip(d->m, &d->decoded);
}

/* ---- instructions -------------------------------------------------------------------------------- */

/* A software interrupt's signal comes after the instruction: step back to it. The short form is the byte
 * `opcode`, the long one CD n. */
static enum direct_exit software_interrupt(struct direct *d, uint8_t opcode)
{
    struct vcpu *cpu = &d->m->cpu;
    uint8_t last = 0;

    memory_load(d->m, cpu->seg[CS].base + cpu->eip - 1, &last, 1, user(d));
    cpu->eip -= last == opcode ? 1 : 2;
    return count(d, COUNT_SOFTWARE_INT, direct_decode(d) ? DIRECT_SENSITIVE : DIRECT_EXCEPTION);
}

/* ---- #GP and #SS without a sensitive instruction -------------------------------------------------- */

/* The page tables' word, without a mark in them: the access itself is still to come. */
static bool page_allowed(struct direct *d, uint32_t gla, unsigned access)
{
    struct translation t;

    return memory_peek(d->m, gla, access | user(d), &t) || memory_walk(d->m, gla, access | user(d), &t);
}

/* One access of an instruction that faulted: would the guest's segment and page tables allow it?
 * *explained: yes, but we had truncated the limit, which is mended now. */
static bool access_allowed(struct direct *d, const struct operand *op, uint32_t offset, unsigned access,
                           bool *explained)
{
    struct machine *m = d->m;
    struct vcpu *cpu = &m->cpu;
    uint32_t first = cpu->seg[op->seg].base + offset, last = first + op->bytes - 1;

    if (!segment_check(cpu, op->seg, offset, op->bytes, access) || !page_allowed(d, first, access) ||
        (((first ^ last) & PAGE_MASK) && !page_allowed(d, last & PAGE_MASK, access)))
        return false;
    if (user(d) && (last >= d->shadow.cut || first >= d->shadow.cut) && !d->shadow.cut_given_up) {
        shadow_give_up_cut(&d->shadow);
        *explained = true;
    } else if (last >= WINDOW_END - d->shadow.window || last < first) {
        machine_stop(m, EXIT_CRASH, "the guest accesses memory at the top of its address space, where the monitor lives");
        *explained = true;
    } else if (offset + op->bytes - 1 > segments_last(&d->segments, direct_world.seg[op->seg])) {
        machine_stop(m, EXIT_CRASH, "the guest uses a segment that wraps around 4 GiB or grows down from there: the "
                                    "processor cannot be made to stop it below the monitor");
        *explained = true;
    }
    return true;
}

/* BT and its kin with a register index reach beyond the operand they name (Intel SDM vol. 2A, table 3-2). */
static uint32_t bit_string_offset(const struct direct *d, const struct operand *op)
{
    const struct insn *insn = d->insn;
    int at = 0;

    while (at < insn->length - 1 && insn->bytes[at] != 0x0f)
        at++;
    if (op != &insn->op[0] || insn->bytes[at] != 0x0f || (insn->bytes[at + 1] & 0xe7) != 0xa3)
        return 0;
    int32_t bit = (int32_t)register_read(&d->m->cpu, insn->op[1].reg, op->bytes);

    return (uint32_t)((op->bytes == 2 ? (int16_t)bit >> 4 : bit >> 5) * op->bytes);
}

uint32_t direct_operand_offset(const struct direct *d, const struct operand *op)
{
    return operand_offset(&d->m->cpu, d->insn, op) + bit_string_offset(d, op);
}

/* Ask every memory operand, reads first. False: the guest earned the fault in m->cpu.fault. */
static bool operands_allowed(struct direct *d, bool *explained)
{
    const struct insn *insn = d->insn;

    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < insn->operands; k++) {
            const struct operand *op = &insn->op[k];
            uint32_t offset = direct_operand_offset(d, op);
            bool asked = pass ? op->written : op->read && !op->written;  /* a read-modify-write asks to write */

            if (op->kind == OPERAND_MEM && asked &&
                !access_allowed(d, op, offset, pass ? ACCESS_WRITE : ACCESS_READ, explained))
                return false;
        }
    return true;
}

/* Near branches that are not the processor's: out of the truncated code segment, or of translated code (EXIT_NEAR). Whoever
 * enters the guest next sees where EIP is. */
bool direct_branch(struct direct *d)
{
    struct machine *m = d->m;
    struct vcpu *cpu = &m->cpu;
    const struct insn *insn = d->insn;
    struct stack s = stack_current(cpu);
    uint32_t next = cpu->eip + insn->length, target;
    bool loop = insn->op[0].kind == OPERAND_IMM && insn->op[0].bytes == 1 &&
                (insn->bytes[insn->length - 2] & 0xfc) == 0xe0;

    if (insn->branch == BRANCH_RETURN) {
        if (!stack_pop(m, &s, insn->opsize, &target))
            return false;
        s.esp += insn->op[0].kind == OPERAND_IMM ? insn->op[0].value : 0;
    } else {
        if (!operand_read(m, insn, &insn->op[0], insn->opsize, &target))
            return false;
        target += insn->op[0].kind == OPERAND_IMM ? next : 0;
    }
    if (insn->opsize == 2)
        target &= 0xffff;
    if (target > cpu->seg[CS].limit)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    if (insn->branch == BRANCH_CALL && !stack_push(m, &s, next, insn->opsize))
        return false;
    if (loop && insn->bytes[insn->length - 2] != 0xe3)                  /* JECXZ only looks */
        register_write(cpu, ECX, insn->addrsize, cpu->gpr[ECX] - 1);
    stack_commit(cpu, &s);
    cpu->eip = target;
    return true;
}

/* A #GP or #SS. If nothing of ours explains it, it is the guest's own, with the error code it came with. */
static enum direct_exit protection(struct direct *d, enum vector vector, uint32_t error, bool *again)
{
    struct vcpu *cpu = &d->m->cpu;
    bool explained = false;

    if (!direct_decode(d))
        return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    if (d->insn->isa != ISA_OTHER)
        return count(d, vector == VEC_GP && (error & ERROR_IDT) ? COUNT_SOFTWARE_INT : COUNT_SENSITIVE,
                     DIRECT_SENSITIVE);
    if (!operands_allowed(d, &explained))
        return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    if (!explained && d->insn->branch != BRANCH_NONE) {
        if (!direct_branch(d))
            return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
        explained = true;
    }
    if (explained) {
        *again = true;
        return count(d, COUNT_TRUNCATION, DIRECT_INTERRUPTED);
    }
    vcpu_raise_error(cpu, vector, error);
    return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
}

/* ---- the other faults ----------------------------------------------------------------------------- */

static enum direct_exit page_fault(struct direct *d, bool *again)
{
    unsigned access = (direct_world.error & HOST_PF_WRITE ? ACCESS_WRITE : 0) | user(d);
    bool fetch = direct_world.error & HOST_PF_FETCH, present = direct_world.error & PF_PROTECTION;

    if (direct_world.cr2 >= WINDOW_END)                 /* a segment of which nothing may be reached */
        return protection(d, VEC_GP, 0, again);
    d->fault = (uint32_t)direct_world.cr2 - d->shadow.window;
    if (d->shadow.executable && fetch && present)
        return count(d, COUNT_UNSEEN, DIRECT_UNSEEN);
    switch (shadow_fill(&d->shadow, d->fault, access)) {
    case FILL_DONE:
        *again = true;
        return count(d, COUNT_SHADOW_FILL, DIRECT_INTERRUPTED);
    case FILL_FAULT:
        return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    case FILL_SEALED:
        return count(d, COUNT_SEALED, DIRECT_SEALED);
    default:
        return DIRECT_STOPPED;
    }
}

/* Our own trap flag shows in the image that a PUSHF pushed. */
static void clean_pushed_flags(struct direct *d)
{
    struct machine *m = d->m;
    uint32_t gla = m->cpu.seg[CS].base + d->entry_eip, top = m->cpu.gpr[ESP] + 1;
    uint8_t byte = 0;

    if (memory_load(m, gla, &byte, 1, user(d)) && byte == 0x66)
        memory_load(m, gla + 1, &byte, 1, user(d));
    if (byte == 0x9c && memory_read_seg(m, SS, top, &byte, 1)) {
        byte &= (uint8_t)~(FLAG_TF >> 8);
        memory_write_seg(m, SS, top, &byte, 1);
    }
}

static enum direct_exit debug_trap(struct direct *d, bool *again)
{
    struct vcpu *cpu = &d->m->cpu;
    bool ours = (d->step || d->unaligned) && !(cpu->eflags & FLAG_TF);

    d->unaligned = false;
    cpu->shadow = SHADOW_NONE;
    if (ours) {
        clean_pushed_flags(d);
        *again = !d->step;
        return count(d, COUNT_STEP, DIRECT_INTERRUPTED);
    }
    cpu->dr[6] |= DR6_BS;
    vcpu_raise(cpu, VEC_DB);
    return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
}

/* Linux has CR0.AM on, so the processor checks at ring 3 whatever the guest's CR0 and CPL say. */
static enum direct_exit alignment(struct direct *d, bool *again)
{
    if (user(d) && (d->m->cpu.cr0 & CR0_AM)) {
        vcpu_raise_error(&d->m->cpu, VEC_AC, 0);
        return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    }
    d->unaligned = true;
    *again = true;
    return count(d, COUNT_STEP, DIRECT_INTERRUPTED);
}

static enum direct_exit fault(struct direct *d, bool *again)
{
    switch (direct_world.trap) {
    case VEC_PF: return page_fault(d, again);
    case VEC_GP: case VEC_NP: case VEC_SS:
        return protection(d, (enum vector)direct_world.trap, direct_world.error, again);
    case VEC_DB: return debug_trap(d, again);
    case VEC_BP: return software_interrupt(d, 0xcc);
    case VEC_OF: return software_interrupt(d, 0xce);
    case VEC_AC: return alignment(d, again);
    default:
        vcpu_raise(&d->m->cpu, (enum vector)direct_world.trap);
        return count(d, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    }
}

enum direct_exit direct_classify(struct direct *d, bool *again)
{
    struct vcpu *cpu = &d->m->cpu;

    if (cpu->eip != d->entry_eip)
        cpu->shadow = SHADOW_NONE;
    if (direct_world.seg[CS] == LINUX_CODE32 || direct_world.seg[CS] == LINUX_CODE64) {
        machine_stop(d->m, EXIT_CRASH, "the guest got into a code segment of Linux's own: by a far transfer to 0x23 or "
                                       "0x33, or by SYSENTER");
        return DIRECT_STOPPED;
    }
    if (direct_world.signal == SIGALRM) {
        direct_world.kick = 0;
        d->armed = UINT64_MAX;
        return count(d, COUNT_TIMER, DIRECT_INTERRUPTED);
    }
    if (direct_world.signal == SIGSYS)
        return software_interrupt(d, 0);                /* INT 0x80, rolled back by Linux */
    return fault(d, again);
}
