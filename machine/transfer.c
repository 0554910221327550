/* Far transfers. See transfer.h. Each function checks everything, then commits. */
#include "transfer.h"

#include "machine.h"
#include "segment.h"
#include "status.h"

/* ---- stacks ------------------------------------------------------------------------------------ */

struct stack stack_current(const struct vcpu *cpu)
{
    return (struct stack){ .ss = cpu->seg[SS], .esp = cpu->gpr[ESP], .cpl = vcpu_cpl(cpu) };
}

static uint32_t stack_pointer(const struct stack *s)
{
    return s->ss.attr & ATTR_BIG ? s->esp : s->esp & 0xffff;
}

static void stack_move(struct stack *s, int32_t by)
{
    uint32_t esp = s->esp + (uint32_t)by;

    s->esp = s->ss.attr & ATTR_BIG ? esp : (s->esp & 0xffff0000) | (esp & 0xffff);
}

static bool stack_access(struct machine *m, const struct stack *s, uint32_t offset, unsigned bytes, unsigned access)
{
    if (!segment_allows(&s->ss, offset, bytes, access))
        return vcpu_raise_error(&m->cpu, VEC_SS, s->error);
    return s->cpl != 3 || memory_aligned(m, s->ss.base + offset, bytes);
}

bool stack_push(struct machine *m, struct stack *s, uint32_t value, unsigned bytes)
{
    struct stack moved = *s;

    stack_move(&moved, -(int32_t)bytes);
    if (!stack_access(m, s, stack_pointer(&moved), bytes, ACCESS_WRITE) ||
        !memory_store(m, s->ss.base + stack_pointer(&moved), &value, bytes, s->cpl == 3 ? ACCESS_USER : 0))
        return false;
    *s = moved;
    return true;
}

bool stack_pop(struct machine *m, struct stack *s, unsigned bytes, uint32_t *value)
{
    *value = 0;
    if (!stack_access(m, s, stack_pointer(s), bytes, ACCESS_READ) ||
        !memory_load(m, s->ss.base + stack_pointer(s), value, bytes, s->cpl == 3 ? ACCESS_USER : 0))
        return false;
    stack_move(s, (int32_t)bytes);
    return true;
}

void stack_commit(struct vcpu *cpu, const struct stack *s)
{
    uint32_t keep = s->ss.attr & ATTR_BIG ? 0 : cpu->gpr[ESP] & 0xffff0000;

    cpu->seg[SS] = s->ss;
    cpu->gpr[ESP] = keep | stack_pointer(s);
}

bool stack_of_ring(struct machine *m, unsigned cpl, unsigned ext, struct stack *out)
{
    const struct segment *tr = &m->cpu.tr;
    bool wide = (tr->attr & ATTR_TYPE) == SYS_TSS_BUSY;
    uint32_t at = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
    unsigned bytes = wide ? 4 : 2;
    uint16_t selector;

    *out = (struct stack){ .cpl = cpl };
    if (cpl == 0 && m->hooks.kernel_stack && m->hooks.kernel_stack(m, &selector, &out->esp)) {
        out->error = (selector & ~3u) | ext;
        return segment_check_stack(m, selector, cpl, VEC_TS, ext, &out->ss);
    }
    if (at + bytes + 1 > tr->limit)
        return vcpu_raise_error(&m->cpu, VEC_TS, (tr->selector & ~3u) | ext);
    if (!memory_load(m, tr->base + at, &out->esp, bytes, 0) ||
        !memory_load(m, tr->base + at + bytes, &selector, 2, 0))
        return false;
    out->error = (selector & ~3u) | ext;
    return segment_check_stack(m, selector, cpl, VEC_TS, ext, &out->ss);
}

/* ---- code segments ------------------------------------------------------------------------------- */

void transfer_commit(struct vcpu *cpu, uint16_t selector, const struct segment *cs, unsigned cpl, uint32_t eip)
{
    cpu->seg[CS] = *cs;
    cpu->seg[CS].selector = (uint16_t)((selector & ~3u) | cpl);
    cpu->eip = eip;
}

static bool refuse(struct machine *m, enum vector vector, uint16_t selector)
{
    return vcpu_raise_error(&m->cpu, vector, selector & ~3u);
}

/* A code segment that a jump or call names directly, or that a gate names (then at CPL `dpl` or below). */
static bool check_code(struct machine *m, uint16_t selector, struct descriptor *d, bool allowed, uint32_t eip)
{
    if (!allowed)
        return refuse(m, VEC_GP, selector);
    if (!(d->segment.attr & ATTR_PRESENT))
        return refuse(m, VEC_NP, selector);
    if (eip > d->segment.limit)
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    return descriptor_mark_accessed(m, d);
}

static bool direct_allowed(const struct vcpu *cpu, uint16_t selector, unsigned attr)
{
    unsigned cpl = vcpu_cpl(cpu), dpl = attr_dpl(attr);

    return attr_is_code(attr) && (attr & ATTR_CONFORMING ? dpl <= cpl : (selector & 3u) <= cpl && dpl == cpl);
}

/* ---- gates --------------------------------------------------------------------------------------- */

struct gate {
    uint16_t selector;
    uint32_t offset;
    unsigned bytes;             /* 2 or 4 */
    unsigned parameters;
    struct descriptor code;
};

/* A jump or call whose selector names a system descriptor; only a call may gain privilege. False also when it
 * is a descriptor that is not modelled: the machine is stopped then. */
static bool gate_read(struct machine *m, uint16_t selector, const struct descriptor *d, bool call, struct gate *g)
{
    unsigned type = d->segment.attr & (ATTR_SEGMENT | ATTR_TYPE), dpl = attr_dpl(d->segment.attr);
    unsigned attr, cpl = vcpu_cpl(&m->cpu);
    bool task = type == SYS_TASK_GATE || type == SYS_TSS || type == SYS_TSS16, reached;

    if (!task && type != SYS_CALL_GATE && type != SYS_CALL_GATE16)
        return refuse(m, VEC_GP, selector);
    if (dpl < cpl || dpl < (selector & 3u))
        return refuse(m, VEC_GP, selector);
    if (!(d->segment.attr & ATTR_PRESENT))
        return refuse(m, VEC_NP, selector);
    if (task)
        return machine_stop(m, EXIT_CRASH, "the guest asked for a hardware task switch, which is not modelled");
    g->bytes = type == SYS_CALL_GATE ? 4 : 2;
    g->selector = (uint16_t)(d->low >> 16);
    g->offset = (d->low & 0xffff) | (g->bytes == 4 ? d->high & 0xffff0000 : 0);
    g->parameters = d->high & 0x1f;
    if (selector_is_null(g->selector))
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    if (!descriptor_read(m, g->selector, VEC_GP, 0, &g->code))
        return false;
    attr = g->code.segment.attr;
    dpl = attr_dpl(attr);
    reached = call || (attr & ATTR_CONFORMING) ? dpl <= cpl : dpl == cpl;
    return check_code(m, g->selector, &g->code, attr_is_code(attr) && reached, g->offset);
}

static bool code_target(struct machine *m, uint16_t selector, struct descriptor *d)
{
    if (selector_is_null(selector))
        return vcpu_raise_error(&m->cpu, VEC_GP, 0);
    return descriptor_read(m, selector, VEC_GP, 0, d);
}

bool transfer_jump(struct machine *m, uint16_t selector, uint32_t eip, unsigned bytes)
{
    struct vcpu *cpu = &m->cpu;
    unsigned cpl = vcpu_cpl(cpu);
    struct descriptor d;
    struct gate g;

    if (bytes == 2)
        eip &= 0xffff;
    if (!code_target(m, selector, &d))
        return false;
    if (d.segment.attr & ATTR_SEGMENT) {
        if (!check_code(m, selector, &d, direct_allowed(cpu, selector, d.segment.attr), eip))
            return false;
        transfer_commit(cpu, selector, &d.segment, cpl, eip);
        return true;
    }
    if (!gate_read(m, selector, &d, false, &g))
        return false;
    transfer_commit(cpu, g.selector, &g.code.segment, cpl, g.offset);
    return true;
}

/* A call to more privilege: the stack comes from the TSS, the gate's parameters move across. */
static bool call_inward(struct machine *m, const struct gate *g, uint32_t next)
{
    struct vcpu *cpu = &m->cpu;
    unsigned cpl = attr_dpl(g->code.segment.attr);
    struct stack old = stack_current(cpu), new;
    uint32_t value;

    if (!stack_of_ring(m, cpl, 0, &new) ||
        !stack_push(m, &new, cpu->seg[SS].selector, g->bytes) || !stack_push(m, &new, cpu->gpr[ESP], g->bytes))
        return false;
    for (unsigned i = g->parameters; i-- > 0;) {
        struct stack from = old;

        stack_move(&from, (int32_t)(i * g->bytes));
        if (!stack_pop(m, &from, g->bytes, &value) || !stack_push(m, &new, value, g->bytes))
            return false;
    }
    if (!stack_push(m, &new, cpu->seg[CS].selector, g->bytes) || !stack_push(m, &new, next, g->bytes))
        return false;
    stack_commit(cpu, &new);
    transfer_commit(cpu, g->selector, &g->code.segment, cpl, g->offset);
    return true;
}

bool transfer_call(struct machine *m, uint16_t selector, uint32_t eip, unsigned bytes, uint32_t next)
{
    struct vcpu *cpu = &m->cpu;
    unsigned cpl = vcpu_cpl(cpu);
    struct stack s = stack_current(cpu);
    struct descriptor d;
    struct gate g = { .bytes = bytes, .selector = selector, .offset = bytes == 2 ? eip & 0xffff : eip };

    if (!code_target(m, selector, &d))
        return false;
    if (d.segment.attr & ATTR_SEGMENT) {
        if (!check_code(m, selector, &d, direct_allowed(cpu, selector, d.segment.attr), g.offset))
            return false;
        g.code = d;
    } else {
        if (!gate_read(m, selector, &d, true, &g))
            return false;
        if (!(g.code.segment.attr & ATTR_CONFORMING) && attr_dpl(g.code.segment.attr) < cpl)
            return call_inward(m, &g, next);
    }
    if (!stack_push(m, &s, cpu->seg[CS].selector, g.bytes) || !stack_push(m, &s, next, g.bytes))
        return false;
    stack_commit(cpu, &s);
    transfer_commit(cpu, g.selector, &g.code.segment, cpl, g.offset);
    return true;
}

/* ---- returns ------------------------------------------------------------------------------------- */

/* After a return to less privilege, data segments that its code could not have loaded become null. */
static void drop_privileged_segments(struct vcpu *cpu)
{
    static const enum segreg data[] = { ES, DS, FS, GS };

    for (int i = 0; i < 4; i++) {
        struct segment *s = &cpu->seg[data[i]];
        bool conforming = attr_is_code(s->attr) && (s->attr & ATTR_CONFORMING);

        if ((s->attr & ATTR_PRESENT) && !conforming && attr_dpl(s->attr) < vcpu_cpl(cpu))
            *s = (struct segment){ 0 };
    }
}

static bool check_return_code(struct machine *m, uint16_t selector, struct descriptor *d, uint32_t eip)
{
    unsigned rpl = selector & 3, attr, dpl;

    if (!code_target(m, selector, d))
        return false;
    attr = d->segment.attr;
    dpl = attr_dpl(attr);
    return check_code(m, selector, d, attr_is_code(attr) && rpl >= vcpu_cpl(&m->cpu) &&
                      (attr & ATTR_CONFORMING ? dpl <= rpl : dpl == rpl), eip);
}

/* The common half of RET far and IRET: CS:EIP are popped, `s` stands behind them and behind what the
 * instruction releases. */
static bool return_to(struct machine *m, struct stack *s, uint16_t selector, uint32_t eip, unsigned bytes,
                      unsigned release)
{
    struct vcpu *cpu = &m->cpu;
    unsigned rpl = selector & 3;
    struct descriptor d;
    struct stack outer = { .cpl = rpl };
    uint32_t ss;

    if (!check_return_code(m, selector, &d, eip))
        return false;
    if (rpl == vcpu_cpl(cpu)) {
        stack_commit(cpu, s);
        transfer_commit(cpu, selector, &d.segment, rpl, eip);
        return true;
    }
    if (!stack_pop(m, s, bytes, &outer.esp) || !stack_pop(m, s, bytes, &ss) ||
        !segment_check_stack(m, (uint16_t)ss, rpl, VEC_GP, 0, &outer.ss))
        return false;
    stack_move(&outer, (int32_t)release);
    stack_commit(cpu, &outer);
    transfer_commit(cpu, selector, &d.segment, rpl, eip);
    drop_privileged_segments(cpu);
    return true;
}

bool transfer_return(struct machine *m, unsigned bytes, unsigned release)
{
    struct stack s = stack_current(&m->cpu);
    uint32_t eip, cs;

    if (!stack_pop(m, &s, bytes, &eip) || !stack_pop(m, &s, bytes, &cs))
        return false;
    stack_move(&s, (int32_t)release);
    return return_to(m, &s, (uint16_t)cs, eip, bytes, release);
}

uint32_t flags_writable(const struct vcpu *cpu)
{
    uint32_t mask = FLAGS_ALL & ~(FLAG_ONE | FLAG_IOPL | FLAG_IF | FLAG_VM | FLAG_RF | FLAG_VIF | FLAG_VIP);

    if (vcpu_cpl(cpu) == 0)
        mask |= FLAG_IOPL;
    if (vcpu_cpl(cpu) <= vcpu_iopl(cpu))
        mask |= FLAG_IF;
    return mask;
}

bool transfer_iret(struct machine *m, unsigned bytes)
{
    /* LAB 2.6: pop EIP, CS and EFLAGS, and go there (return_to does it, to less privilege with another stack). Flags change last, as
     * far as they may at the privilege that IRET began with: what POPF may change, RF, and at CPL 0 VIF and VIP. With an operand size
     * of 16 the upper half stays. NT and a return to virtual-8086 mode are not modelled: stop the machine with a sentence. Intel SDM
     * vol. 2A, IRET. */
    struct vcpu *cpu = &m->cpu;
    struct stack s = stack_current(cpu);
    uint32_t eip, cs, flags, mask = flags_writable(cpu) | FLAG_RF;

    if (cpu->eflags & FLAG_NT)
        return machine_stop(m, EXIT_CRASH, "IRET with NT set: a hardware task switch, which is not modelled");
    if (!stack_pop(m, &s, bytes, &eip) || !stack_pop(m, &s, bytes, &cs) || !stack_pop(m, &s, bytes, &flags))
        return false;
    if (bytes == 4 && (flags & FLAG_VM) && vcpu_cpl(cpu) == 0)
        return machine_stop(m, EXIT_CRASH, "IRET to virtual-8086 mode, which is not modelled");
    if (vcpu_cpl(cpu) == 0)
        mask |= FLAG_VIF | FLAG_VIP;
    if (bytes == 2)
        mask &= 0xffff;
    if (!return_to(m, &s, (uint16_t)cs, eip, bytes, 0))
        return false;
    cpu->eflags = (cpu->eflags & ~mask) | (flags & mask) | FLAG_ONE;
    return true;
    /* END 2.6: m, bytes */
}
