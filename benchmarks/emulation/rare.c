/* Instructions that no loop waits for, each from its decoded form and with no short way. Where flags are undefined (Intel SDM
 * vol. 2) they are as the result has them, or stay. See emulator.h. */
#include <stdio.h>

#include "access.h"
#include "control.h"
#include "rare.h"
#include "segment.h"
#include "status.h"
#include "transfer.h"

/* ---- the stack ------------------------------------------------------------------------------------- */

static bool push(const struct rare *r, uint32_t value)
{
    struct stack s = stack_current(&r->m->cpu);

    if (!stack_push(r->m, &s, value, r->insn->opsize))
        return false;
    stack_commit(&r->m->cpu, &s);
    return true;
}

static bool do_push(const struct rare *r)
{
    uint32_t value;

    return get(r, 0, &value) && push(r, value);
}

/* An address that has ESP in it is that after the pop. */
static bool do_pop(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    struct stack s = stack_current(cpu);
    uint32_t esp = cpu->gpr[ESP], value;

    if (!stack_pop(r->m, &s, r->insn->opsize, &value))
        return false;
    stack_commit(cpu, &s);
    if (set(r, 0, value))
        return true;
    cpu->gpr[ESP] = esp;
    return false;
}

static bool do_pusha(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    struct stack s = stack_current(cpu);

    for (unsigned reg = EAX; reg <= EDI; reg++)
        if (!stack_push(r->m, &s, cpu->gpr[reg], r->insn->opsize))
            return false;
    stack_commit(cpu, &s);
    return true;
}

static bool do_popa(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    struct stack s = stack_current(cpu);
    uint32_t value[8];

    for (unsigned reg = 8; reg-- > 0;)
        if (!stack_pop(r->m, &s, r->insn->opsize, &value[reg]))
            return false;
    for (unsigned reg = EAX; reg <= EDI; reg++)
        if (reg != ESP)
            register_write(cpu, reg, r->insn->opsize, value[reg]);
    stack_commit(cpu, &s);
    return true;
}

/* A frame within `level` others, whose pointers are copied (Intel SDM vol. 2A, ENTER). */
static bool do_enter(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    struct stack s = stack_current(cpu), outer = s;
    unsigned bytes = r->insn->opsize, level = r->insn->op[1].value & 31;
    uint32_t frame, value;
    struct stack end;

    outer.esp = cpu->gpr[EBP] + bytes;
    if (!stack_push(r->m, &s, cpu->gpr[EBP], bytes))
        return false;
    frame = s.esp;
    for (unsigned k = 1; k < level; k++) {
        outer.esp -= 2 * bytes;                         /* stack_pop() goes one up again */
        if (!stack_pop(r->m, &outer, bytes, &value) || !stack_push(r->m, &s, value, bytes))
            return false;
    }
    if (level && !stack_push(r->m, &s, frame, bytes))
        return false;
    end = s;
    end.esp -= r->insn->op[0].value & 0xffff;
    if (!(s.ss.attr & ATTR_BIG))
        end.esp &= 0xffff;
    value = 0;                                          /* where the stack then ends must be writable */
    if (!memory_read_to_write_seg(r->m, SS, end.esp, &value, bytes))
        return false;
    stack_commit(cpu, &end);
    register_write(cpu, EBP, bytes, frame);
    return true;
}

static bool do_leave(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    struct stack s = stack_current(cpu);
    uint32_t value;

    s.esp = cpu->gpr[EBP];
    if (!stack_pop(r->m, &s, r->insn->opsize, &value))
        return false;
    stack_commit(cpu, &s);
    register_write(cpu, EBP, r->insn->opsize, value);
    return true;
}

/* ---- near branches whose target must be looked at ------------------------------------------------------ */

static bool is_taken(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    unsigned size = r->insn->addrsize;
    uint32_t count = register_read(cpu, ECX, size);

    switch (r->code) {
    case 0xe3: return count == 0;
    case 0xe0: return count != 1 && !flag_zf(r->e);
    case 0xe1: return count != 1 && flag_zf(r->e);
    case 0xe2: return count != 1;
    default: return r->code >> 4 == 7 || r->code >> 4 == 0x18 ? condition(r->e, r->code & 15) : true;
    }
}

static bool do_branch(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    struct stack s = stack_current(cpu);
    bool taken = is_taken(r), returns = r->insn->branch == BRANCH_RETURN;
    uint32_t to = *r->next;

    if (returns) {
        if (!stack_pop(r->m, &s, r->insn->opsize, &to))
            return false;
        s.esp += r->insn->op[0].kind == OPERAND_IMM ? r->insn->op[0].value : 0;
    } else if (r->insn->op[0].kind != OPERAND_IMM) {
        if (!get(r, 0, &to))
            return false;
    } else if (taken) {
        to += r->insn->op[0].value;
    }
    if (r->insn->opsize == 2 && taken)
        to &= 0xffff;
    if (taken && to > cpu->seg[CS].limit)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    if (r->insn->branch == BRANCH_CALL && !push(r, *r->next))
        return false;
    if (returns)
        stack_commit(cpu, &s);
    if (r->code >= 0xe0 && r->code <= 0xe2)
        register_write(cpu, ECX, r->insn->addrsize, register_read(cpu, ECX, r->insn->addrsize) - 1);
    *r->next = to;
    return true;
}

/* ---- exchanges ------------------------------------------------------------------------------------- */

static bool do_xchg(const struct rare *r)
{
    unsigned memory = r->insn->op[1].kind == OPERAND_MEM;   /* its write may fault: first */
    uint32_t a, b;

    return get_to_change(r, memory, &a) && get(r, !memory, &b) && set(r, memory, b) && set(r, !memory, a);
}

static bool do_xadd(const struct rare *r)
{
    uint32_t a, b;

    if (!get_to_change(r, 0, &a) || !get(r, 1, &b))
        return false;
    if (r->insn->op[0].kind == OPERAND_REG)             /* the same one twice is the sum */
        return set(r, 1, a) && set(r, 0, do_add(r->e, r->bits, a, b));
    return set(r, 0, do_add(r->e, r->bits, a, b)) && set(r, 1, a);
}

static bool do_cmpxchg(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    uint32_t a, b, accumulator = register_read(cpu, EAX, r->insn->op[0].bytes);

    if (!get_to_change(r, 0, &a) || !get(r, 1, &b))
        return false;
    do_sub(r->e, r->bits, accumulator, a);
    if (accumulator == a)
        return set(r, 0, b);
    return set(r, 0, a) && (register_write(cpu, EAX, r->insn->op[0].bytes, a), true);
}

static bool do_cmpxchg8b(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    const struct operand *o = &r->insn->op[0];
    uint32_t offset = operand_offset(cpu, r->insn, o), old[2], new[2] = { cpu->gpr[EBX], cpu->gpr[ECX] };
    bool same;

    if (!memory_read_to_write_seg(r->m, o->seg, offset, old, 8))
        return false;
    same = old[0] == cpu->gpr[EAX] && old[1] == cpu->gpr[EDX];
    if (!memory_write_seg(r->m, o->seg, offset, same ? new : old, 8))
        return false;
    if (!same)
        cpu->gpr[EAX] = old[0], cpu->gpr[EDX] = old[1];
    flags_set(r->e, (flags_get(r->e) & ~(uint32_t)FLAG_ZF) | (same ? FLAG_ZF : 0));
    return true;
}

/* ---- the others ------------------------------------------------------------------------------------ */

static bool do_bound(const struct rare *r)
{
    const struct operand *o = &r->insn->op[1];
    unsigned bytes = r->insn->opsize;
    uint32_t index, offset = operand_offset(&r->m->cpu, r->insn, o), low = 0, high = 0;
    int32_t at;

    if (!get(r, 0, &index) || !memory_read_seg(r->m, o->seg, offset, &low, bytes) ||
        !memory_read_seg(r->m, o->seg, offset + bytes, &high, bytes))
        return false;
    at = (int32_t)sign_extended(index, 8 * bytes);
    return (at >= (int32_t)sign_extended(low, 8 * bytes) && at <= (int32_t)sign_extended(high, 8 * bytes)) ||
           vcpu_raise(&r->m->cpu, VEC_BR);
}

static bool do_arpl(const struct rare *r)
{
    uint32_t a, b;
    bool lower;

    if (!get(r, 0, &a) || !get(r, 1, &b))
        return false;
    lower = (a & 3) < (b & 3);
    if (lower && !set(r, 0, (a & ~3u) | (b & 3)))       /* there is no write if nothing changes */
        return false;
    flags_set(r->e, (flags_get(r->e) & ~(uint32_t)FLAG_ZF) | (lower ? FLAG_ZF : 0));
    return true;
}

static bool do_xlat(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    uint32_t offset = register_read(cpu, EBX, r->insn->addrsize) + al(r), value = 0;

    if (!memory_read_seg(r->m, memory_of(r->insn)->seg, r->insn->addrsize == 2 ? offset & 0xffff : offset, &value, 1))
        return false;
    register_write(cpu, EAX, 1, value);
    return true;
}

static bool do_extend(const struct rare *r)
{
    uint32_t value;

    return get(r, 1, &value) && set(r, 0, r->code & 8 ? sign_extended(value, 8u * r->insn->op[1].bytes) : value);
}

static bool do_move_if(const struct rare *r)
{
    uint32_t value;

    return get(r, 1, &value) && (!condition(r->e, r->code & 15) || set(r, 0, value));
}

static bool do_rdtsc(const struct rare *r)
{
    struct vcpu *cpu = &r->m->cpu;
    uint64_t now;

    if ((cpu->cr4 & CR4_TSD) && vcpu_cpl(cpu) != 0)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    msr_read(r->m, MSR_TSC, &now);
    cpu->gpr[EAX] = (uint32_t)now;
    cpu->gpr[EDX] = (uint32_t)(now >> 32);
    return true;
}

static bool do_lea(const struct rare *r)
{
    return set(r, 0, operand_offset(&r->m->cpu, r->insn, &r->insn->op[1]));
}

static bool do_sign(const struct rare *r)               /* CBW, CWD: the wide ones are not rare */
{
    struct vcpu *cpu = &r->m->cpu;

    register_write(cpu, r->code == 0x98 ? EAX : EDX, 2,
                   r->code == 0x98 ? sign_extended(al(r), 8) : (cpu->gpr[EAX] & 0x8000 ? 0xffff : 0));
    return true;
}

static bool do_bswap(const struct rare *r)
{
    uint32_t *reg = &r->m->cpu.gpr[r->insn->op[0].reg], v = *reg;

    if (r->insn->opsize == 2)                           /* undefined: processors give zeros */
        *reg &= 0xffff0000;
    else
        *reg = v << 24 | (v & 0xff00) << 8 | (v >> 8 & 0xff00) | v >> 24;
    return true;
}

static bool do_salc(const struct rare *r)
{
    register_write(&r->m->cpu, EAX, 1, flag_cf(r->e) ? 0xff : 0);
    return true;
}

static bool do_icebp(const struct rare *r)              /* a trap, not a fault */
{
    r->m->cpu.eip += r->insn->length;
    return vcpu_raise(&r->m->cpu, VEC_DB);
}

bool emulator_lacks(struct emulator *e, const struct insn *insn)
{
    char text[80], why[160];

    decode_text(insn->bytes, insn->length, insn->wide, 0, text, sizeof text);
    snprintf(why, sizeof why, "emulation has no \"%s\"", text);
    return machine_stop(&e->vm.machine, EXIT_CRASH, why);
}

bool rare_run(struct emulator *e, const struct insn *insn, uint32_t *next)
{
    struct rare rare = { e, &e->vm.machine, insn, opcode_of(insn), 8u * insn->op[0].bytes, next }, *r = &rare;

    if (insn->branch)
        return do_branch(r);
    if (r->code >> 4 == 0x14)
        return do_move_if(r);
    switch (r->code) {
    case 0x27: return do_daa(r, false);
    case 0x2f: return do_daa(r, true);
    case 0x37: return do_aaa(r, false);
    case 0x3f: return do_aaa(r, true);
    case 0x50: case 0x51: case 0x52: case 0x53: case 0x54: case 0x55: case 0x56: case 0x57: case 0x68: case 0x6a: case 0xff:
        return do_push(r);
    case 0x58: case 0x59: case 0x5a: case 0x5b: case 0x5c: case 0x5d: case 0x5e: case 0x5f: case 0x8f: return do_pop(r);
    case 0x60: return do_pusha(r);
    case 0x61: return do_popa(r);
    case 0x62: return do_bound(r);
    case 0x63: return do_arpl(r);
    case 0x69: case 0x6b: return do_multiply_by(r);
    case 0x86: case 0x87: case 0x91: case 0x92: case 0x93: case 0x94: case 0x95: case 0x96: case 0x97: return do_xchg(r);
    case 0x8d: return do_lea(r);
    case 0x98: case 0x99: return do_sign(r);
    case 0x9e: flags_set(e, (flags_get(e) & FLAG_OF) | ah(r)); return true;
    case 0x9f: set_ax(r, (flags_get(e) & 0xff) | FLAG_ONE, al(r)); return true;
    case 0xc8: return do_enter(r);
    case 0xc9: return do_leave(r);
    case 0xd4: return do_aam(r);
    case 0xd5: return do_aad(r);
    case 0xd6: return do_salc(r);
    case 0xd7: return do_xlat(r);
    case 0xf1: return do_icebp(r);
    case 0xf6: case 0xf7: return do_wide(r, insn->bytes[insn->opcode_at + 1] >> 3 & 7);
    case 0x10d: case 0x118: case 0x119: case 0x11a: case 0x11b: case 0x11c: case 0x11d: case 0x11e: case 0x11f: case 0x1ae:
        return true;                                    /* hints and fences */
    case 0x131: return do_rdtsc(r);
    case 0x133: return vcpu_raise_error(&r->m->cpu, VEC_GP, 0);     /* RDPMC: there are no counters */
    case 0x1a3: case 0x1ab: case 0x1b3: case 0x1bb: case 0x1ba: return do_bit(r);
    case 0x1a4: case 0x1a5: case 0x1ac: case 0x1ad: return do_double_shift(r);
    case 0x1b0: case 0x1b1: return do_cmpxchg(r);
    case 0x1b6: case 0x1b7: case 0x1be: case 0x1bf: return do_extend(r);
    case 0x1bc: case 0x1bd: return do_scan(r);
    case 0x1c0: case 0x1c1: return do_xadd(r);
    case 0x1c3: { uint32_t value; return get(r, 1, &value) && set(r, 0, value); }
    case 0x1c7: return do_cmpxchg8b(r);
    default: break;
    }
    if (r->code >= 0x1c8 && r->code <= 0x1cf)
        return do_bswap(r);
    return emulator_lacks(e, insn);
}
