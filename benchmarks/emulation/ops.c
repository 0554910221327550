/* What the operations do, each to its end or to the fault that it raises. See ops.h, flags.h, access.h. */
#include "ops.h"

#include "access.h"
#include "flags.h"
#include "operand.h"

#define OP(name) void name(struct emulator *e, const struct op *op)

/* ---- two operands: BITS wide, by the do_ function of that name; `keep`: the result is written -------------- */

static inline uint32_t do_mov(struct emulator *e, unsigned bits, uint32_t a, uint32_t b) { (void)e; (void)bits; (void)a; return b; }

#define FORMS(name, bits, keep)                                                                            \
    static OP(name##bits##_rr)                                                                             \
    {                                                                                                      \
        uint32_t r = do_##name(e, bits, get##bits(e, op->a), get##bits(e, op->b));                         \
        if (keep)                                                                                          \
            set##bits(e, op->a, r);                                                                        \
        NEXT;                                                                                              \
    }                                                                                                      \
    static OP(name##bits##_ri)                                                                             \
    {                                                                                                      \
        uint32_t r = do_##name(e, bits, get##bits(e, op->a), op->immediate);                               \
        if (keep)                                                                                          \
            set##bits(e, op->a, r);                                                                        \
        NEXT;                                                                                              \
    }                                                                                                      \
    static OP(name##bits##_rm)                                                                             \
    {                                                                                                      \
        const void *from = reach(e, op, address_of(e, op), bits / 8);                                      \
        uint32_t r;                                                                                        \
        if (UNLIKELY(!from))                                                                               \
            return;                                                                                        \
        r = do_##name(e, bits, get##bits(e, op->a), fetch##bits(from));                                    \
        if (keep)                                                                                          \
            set##bits(e, op->a, r);                                                                        \
        NEXT;                                                                                              \
    }
#define TO_MEMORY(name, bits, form, b)                                                                     \
    static OP(name##bits##_##form)                                                                         \
    {                                                                                                      \
        uint32_t at = address_of(e, op);                                                                   \
        void *place = reach_rmw(e, op, at, bits / 8);                                                      \
        if (UNLIKELY(!place))                                                                              \
            return;                                                                                        \
        store##bits(place, do_##name(e, bits, fetch##bits(place), b));                                     \
        commit(e, op, at, bits / 8, place);                                                                \
        NEXT;                                                                                              \
    }
#define LOOK_AT_MEMORY(name, bits, form, b)                                                                \
    static OP(name##bits##_##form)                                                                         \
    {                                                                                                      \
        const void *from = reach(e, op, address_of(e, op), bits / 8);                                      \
        if (UNLIKELY(!from))                                                                               \
            return;                                                                                        \
        do_##name(e, bits, fetch##bits(from), b);                                                          \
        NEXT;                                                                                              \
    }
#define CHANGES(name, bits) FORMS(name, bits, true) \
    TO_MEMORY(name, bits, mr, get##bits(e, op->b)) TO_MEMORY(name, bits, mi, op->immediate)
#define LOOKS(name, bits) FORMS(name, bits, false) \
    LOOK_AT_MEMORY(name, bits, mr, get##bits(e, op->b)) LOOK_AT_MEMORY(name, bits, mi, op->immediate)
#define MOVES(name, bits) FORMS(name, bits, true)                                                          \
    static OP(name##bits##_mr) { if (put(e, op, address_of(e, op), bits / 8, get##bits(e, op->b))) NEXT; } \
    static OP(name##bits##_mi) { if (put(e, op, address_of(e, op), bits / 8, op->immediate)) NEXT; }
#define SIZES(how, name) how(name, 8) how(name, 16) how(name, 32)
#define ROW(name, bits) { name##bits##_rr, name##bits##_ri, name##bits##_rm, name##bits##_mr, name##bits##_mi }
#define ROWS(name) { ROW(name, 8), ROW(name, 16), ROW(name, 32) }

SIZES(CHANGES, add) SIZES(CHANGES, or) SIZES(CHANGES, adc) SIZES(CHANGES, sbb) SIZES(CHANGES, and) SIZES(CHANGES, sub)
SIZES(CHANGES, xor) SIZES(LOOKS, cmp) SIZES(LOOKS, test) SIZES(CHANGES, rol) SIZES(CHANGES, ror) SIZES(CHANGES, rcl)
SIZES(CHANGES, rcr) SIZES(CHANGES, shl) SIZES(CHANGES, shr) SIZES(CHANGES, sar) SIZES(MOVES, mov) SIZES(CHANGES, imul)

const struct forms binary[BINARIES][3] = {
    ROWS(add), ROWS(or), ROWS(adc), ROWS(sbb), ROWS(and), ROWS(sub), ROWS(xor), ROWS(cmp), ROWS(test),
    ROWS(rol), ROWS(ror), ROWS(rcl), ROWS(rcr), ROWS(shl), ROWS(shr), ROWS(shl), ROWS(sar), ROWS(mov), ROWS(imul),
};

/* ---- one operand ----------------------------------------------------------------------------------- */

#define UNARY(name, bits)                                                                                  \
    static OP(name##bits##_r) { set##bits(e, op->a, do_##name(e, bits, get##bits(e, op->a))); NEXT; }      \
    static OP(name##bits##_m)                                                                              \
    {                                                                                                      \
        uint32_t at = address_of(e, op);                                                                   \
        void *place = reach_rmw(e, op, at, bits / 8);                                                      \
        if (UNLIKELY(!place))                                                                              \
            return;                                                                                        \
        store##bits(place, do_##name(e, bits, fetch##bits(place)));                                        \
        commit(e, op, at, bits / 8, place);                                                                \
        NEXT;                                                                                              \
    }
#define UNARY_ROW(name) { { name##8_r, name##8_m }, { name##16_r, name##16_m }, { name##32_r, name##32_m } }

SIZES(UNARY, inc) SIZES(UNARY, dec) SIZES(UNARY, not) SIZES(UNARY, neg)

const struct place unary[UNARIES][3] = { UNARY_ROW(inc), UNARY_ROW(dec), UNARY_ROW(not), UNARY_ROW(neg) };

/* `with` takes what was read: a value of 32 bits. False: it left with a fault. */
#define FROM(name, with)                                                                                   \
    static OP(name##_r) { if (with(e, op, get32(e, op->a))) NEXT; }                                        \
    static OP(name##_m)                                                                                    \
    {                                                                                                      \
        const void *from = reach(e, op, address_of(e, op), 4);                                             \
        if (LIKELY(from) && with(e, op, fetch32(from)))                                                    \
            NEXT;                                                                                          \
    }

static inline bool set_edx_eax(struct emulator *e, uint32_t edx, uint32_t eax)
{
    set32(e, PLACE(EAX), eax);
    set32(e, PLACE(EDX), edx);
    return true;
}

static inline bool mul(struct emulator *e, const struct op *op, uint32_t b)
{
    uint64_t product = (uint64_t)get32(e, PLACE(EAX)) * b;

    (void)op;
    flags_result(e, 32, (uint32_t)product, product >> 32, product >> 32);
    return set_edx_eax(e, (uint32_t)(product >> 32), (uint32_t)product);
}

static inline bool imul(struct emulator *e, const struct op *op, uint32_t b)
{
    int64_t product = (int64_t)(int32_t)get32(e, PLACE(EAX)) * (int32_t)b;

    (void)op;
    do_imul(e, 32, get32(e, PLACE(EAX)), b);
    return set_edx_eax(e, (uint32_t)((uint64_t)product >> 32), (uint32_t)product);
}

static bool divide_error(struct emulator *e, const struct op *op)
{
    vcpu_raise(cpu_of(e), VEC_DE);
    fault(e, op);
    return false;
}

static inline bool div32(struct emulator *e, const struct op *op, uint32_t by)
{
    uint64_t a = (uint64_t)get32(e, PLACE(EDX)) << 32 | get32(e, PLACE(EAX));

    if (UNLIKELY(by <= a >> 32))                        /* zero, or a quotient of more than 32 bits */
        return divide_error(e, op);
    return set_edx_eax(e, (uint32_t)(a % by), (uint32_t)(a / by));
}

static inline bool idiv32(struct emulator *e, const struct op *op, uint32_t by)
{
    int64_t a = (int64_t)((uint64_t)get32(e, PLACE(EDX)) << 32 | get32(e, PLACE(EAX))), quotient;

    if (UNLIKELY(by == 0 || (a == INT64_MIN && by == ~0u)))
        return divide_error(e, op);
    quotient = a / (int32_t)by;
    if (UNLIKELY(quotient != (int32_t)quotient))
        return divide_error(e, op);
    return set_edx_eax(e, (uint32_t)(a % (int32_t)by), (uint32_t)quotient);
}

FROM(wide_mul, mul) FROM(wide_imul, imul) FROM(wide_div, div32) FROM(wide_idiv, idiv32) FROM(push, push32)

const struct place wide[WIDES] = {
    { wide_mul_r, wide_mul_m }, { wide_imul_r, wide_imul_m }, { wide_div_r, wide_div_m }, { wide_idiv_r, wide_idiv_m },
};
const struct place push_from = { push_r, push_m };

#define EXTEND(name, bits, type)                                                                           \
    static OP(name##_r) { set32(e, op->a, (uint32_t)(type)get##bits(e, op->b)); NEXT; }                    \
    static OP(name##_m)                                                                                    \
    {                                                                                                      \
        const void *from = reach(e, op, address_of(e, op), bits / 8);                                      \
        if (UNLIKELY(!from))                                                                               \
            return;                                                                                        \
        set32(e, op->a, (uint32_t)(type)fetch##bits(from));                                                \
        NEXT;                                                                                              \
    }

EXTEND(z8, 8, uint8_t) EXTEND(z16, 16, uint16_t) EXTEND(s8, 8, int8_t) EXTEND(s16, 16, int16_t)

const struct place extend[EXTENDS] = { { z8_r, z8_m }, { z16_r, z16_m }, { s8_r, s8_m }, { s16_r, s16_m } };

static OP(multiply_r) { set32(e, op->a, do_imul(e, 32, get32(e, op->b), op->immediate)); NEXT; }
static OP(multiply_m)
{
    const void *from = reach(e, op, address_of(e, op), 4);

    if (UNLIKELY(!from))
        return;
    set32(e, op->a, do_imul(e, 32, fetch32(from), op->immediate));
    NEXT;
}

const struct place multiply = { multiply_r, multiply_m };

/* ---- by condition ---------------------------------------------------------------------------------- */

/* CMOVcc reads its memory whatever the condition. */
#define CONDITION(cc)                                                                                      \
    static OP(jump_if_##cc)                                                                                \
    {                                                                                                      \
        bool taken = condition(e, cc);                                                                     \
        go(e, taken, cpu_of(e)->eip + (taken ? op->displacement : op->next));                              \
    }                                                                                                      \
    static OP(set_if_##cc) { set8(e, op->a, condition(e, cc)); NEXT; }                                     \
    static OP(set_m_if_##cc) { if (put(e, op, address_of(e, op), 1, condition(e, cc))) NEXT; }             \
    static OP(move_if_##cc) { if (condition(e, cc)) set32(e, op->a, get32(e, op->b)); NEXT; }              \
    static OP(move_m_if_##cc)                                                                              \
    {                                                                                                      \
        const void *from = reach(e, op, address_of(e, op), 4);                                             \
        if (UNLIKELY(!from))                                                                               \
            return;                                                                                        \
        if (condition(e, cc))                                                                              \
            set32(e, op->a, fetch32(from));                                                                \
        NEXT;                                                                                              \
    }
#define CONDITION_ROW(cc) { jump_if_##cc, set_if_##cc, set_m_if_##cc, move_if_##cc, move_m_if_##cc }
#define CONDITIONS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

CONDITIONS(CONDITION)

#define CONDITION_ENTRY(cc) CONDITION_ROW(cc),
const struct by_condition by_condition[16] = { CONDITIONS(CONDITION_ENTRY) };

/* ---- branches and the stack ------------------------------------------------------------------------ */

OP(act_jump) { go(e, 1, cpu_of(e)->eip + op->displacement); }
OP(act_fall) { go(e, 0, cpu_of(e)->eip + op->at); }

OP(act_call)
{
    uint32_t eip = cpu_of(e)->eip;

    if (push32(e, op, eip + op->next))
        go(e, 1, eip + op->displacement);
}

OP(act_return)
{
    uint32_t eip;

    if (UNLIKELY(!pop32(e, op, &eip)))
        return;
    set32(e, PLACE(ESP), get32(e, PLACE(ESP)) + op->immediate);
    go_indirect(e, eip);
}

static OP(jump_r) { (void)op; go_indirect(e, get32(e, op->a)); }
static OP(jump_m)
{
    const void *from = reach(e, op, address_of(e, op), 4);

    if (LIKELY(from))
        go_indirect(e, fetch32(from));
}

static OP(call_r)
{
    uint32_t to = get32(e, op->a);

    if (push32(e, op, cpu_of(e)->eip + op->next))
        go_indirect(e, to);
}
static OP(call_m)
{
    const void *from = reach(e, op, address_of(e, op), 4);
    uint32_t to;

    if (UNLIKELY(!from))
        return;
    to = fetch32(from);
    if (push32(e, op, cpu_of(e)->eip + op->next))
        go_indirect(e, to);
}

const struct place call_to = { call_r, call_m }, jump_to = { jump_r, jump_m };

OP(act_push_immediate) { if (push32(e, op, op->immediate)) NEXT; }

OP(act_pop)
{
    uint32_t value;

    if (UNLIKELY(!pop32(e, op, &value)))
        return;
    set32(e, op->a, value);
    NEXT;
}

OP(act_leave)
{
    uint32_t esp = get32(e, PLACE(ESP)), value;

    if (cpu_of(e)->seg[SS].attr & ATTR_BIG)
        set32(e, PLACE(ESP), get32(e, PLACE(EBP)));
    else
        set16(e, PLACE(ESP), get16(e, PLACE(EBP)));
    if (UNLIKELY(!pop32(e, op, &value))) {
        set32(e, PLACE(ESP), esp);
        return;
    }
    set32(e, PLACE(EBP), value);
    NEXT;
}

/* ---- the rest -------------------------------------------------------------------------------------- */

OP(act_lea) { set32(e, op->a, address_of(e, op)); NEXT; }
OP(act_nop) { NEXT; }
OP(act_cwde) { set32(e, PLACE(EAX), (uint32_t)(int16_t)get16(e, PLACE(EAX))); NEXT; }
OP(act_cdq) { set32(e, PLACE(EDX), (int32_t)get32(e, PLACE(EAX)) < 0 ? ~0u : 0); NEXT; }
OP(act_clc) { flags_cf_of(e, false, flag_of(e)); NEXT; }
OP(act_stc) { flags_cf_of(e, true, flag_of(e)); NEXT; }
OP(act_cmc) { flags_cf_of(e, !flag_cf(e), flag_of(e)); NEXT; }
OP(act_cld) { cpu_of(e)->eflags &= ~(uint32_t)FLAG_DF; NEXT; }
OP(act_std) { cpu_of(e)->eflags |= FLAG_DF; NEXT; }

/* Around an access through a segment that is not all of memory even where the usual ones are: FS, GS, CS. */
OP(act_careful) { e->tlb = e->tlbs[TLB_NEVER]; NEXT; }
OP(act_usual) { e->tlb = e->usual; NEXT; }

/* An address of 16 bits, before the operation that uses it. */
OP(act_address)
{
    e->address = operand_offset(cpu_of(e), op->insn, memory_of(op->insn));
    NEXT;
}

OP(act_sensitive)
{
    cpu_of(e)->eip += op->at;
    e->insn = op->insn;
    e->left = LEFT_SENSITIVE;
}

OP(act_step) { cpu_of(e)->eip += op->at; e->left = LEFT_STEP; }
OP(act_undefined) { vcpu_raise(cpu_of(e), VEC_UD); fault(e, op); }
OP(act_too_long) { vcpu_raise_error(cpu_of(e), VEC_GP, 0); fault(e, op); }

/* In place of all operations of a block that is no more: so the one that is running, if it was it who wrote there, is its last. */
OP(act_stale)
{
    cpu_of(e)->eip += op->at;
    e->from = NULL;
    e->left = LEFT_NEXT;
}

OP(act_string)
{
    static bool again;                                  /* not on the stack: NEXT must be a jump, else it grows */

    again = false;
    if (!string_run(e, op->insn, &again)) {
        fault(e, op);
    } else if (again) {                                 /* interrupts may come between two turns */
        e->budget = 0;
        act_stale(e, op);
    } else {
        NEXT;
    }
}

OP(act_rare)
{
    if (rare_run(e, op->insn, NULL))
        NEXT;
    fault(e, op);
}

OP(act_rare_branch)
{
    static uint32_t next;                               /* the same */

    next = cpu_of(e)->eip + op->next;
    if (rare_run(e, op->insn, &next))
        go_indirect(e, next);
    else
        fault(e, op);
}

OP(act_fpu)
{
    if (fpu_run(e, op->insn))
        NEXT;
    fault(e, op);
}
