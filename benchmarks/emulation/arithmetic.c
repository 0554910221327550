/* Rare arithmetic: decimals, single bits, products and quotients of 8 and 16 bits. See rare.h. */
#include "rare.h"

/* ---- decimals -------------------------------------------------------------------------------------- */

bool do_daa(const struct rare *r, bool subtract)
{
    uint8_t old = al(r);
    bool low = (old & 15) > 9 || flag_af(r->e), high = old > 0x99 || flag_cf(r->e);
    unsigned by = (low ? 6 : 0) + (high ? 0x60 : 0);
    uint8_t new = (uint8_t)(subtract ? old - by : old + by);
    bool cf = high || (subtract && low && old < 6);

    register_write(&r->m->cpu, EAX, 1, new);
    flags_result(r->e, 8, new, cf, false);
    r->e->aux |= low ? AUX_AF : 0;
    return true;
}

bool do_aaa(const struct rare *r, bool subtract)
{
    uint32_t ax = r->m->cpu.gpr[EAX] & 0xffff;
    bool adjust = (ax & 15) > 9 || flag_af(r->e);

    if (adjust)
        ax = subtract ? ax - 0x106 : ax + 0x106;
    set_ax(r, ax >> 8, ax & 15);
    flags_result(r->e, 8, ax & 15, adjust, false);
    r->e->aux |= adjust ? AUX_AF : 0;
    return true;
}

bool do_aam(const struct rare *r)
{
    unsigned base = r->insn->op[0].value & 0xff, value = al(r);

    if (base == 0)
        return vcpu_raise(&r->m->cpu, VEC_DE);
    set_ax(r, value / base, value % base);
    flags_result(r->e, 8, value % base, false, false);
    return true;
}

bool do_aad(const struct rare *r)
{
    unsigned value = (al(r) + ah(r) * (r->insn->op[0].value & 0xff)) & 0xff;

    set_ax(r, 0, value);
    flags_result(r->e, 8, value, false, false);
    return true;
}

/* ---- bits ------------------------------------------------------------------------------------------ */

/* BT and its kin: bit `index` of a register, or of a string of bits in memory that may begin far from its operand. */
bool do_bit(const struct rare *r)
{
    const struct operand *o = &r->insn->op[0];
    unsigned what = r->code == 0x1ba ? r->insn->bytes[r->insn->opcode_at + 2] >> 3 & 3 : r->code >> 3 & 3, bytes = o->bytes;
    uint32_t index, value = 0, offset = 0, bit;

    if (!get(r, 1, &index))
        return false;
    if (o->kind == OPERAND_MEM) {
        int32_t far = r->code == 0x1ba ? 0 : (int32_t)sign_extended(index, r->bits) >> (bytes == 2 ? 4 : 5);

        offset = operand_offset(&r->m->cpu, r->insn, o) + (uint32_t)far * bytes;
        offset &= r->insn->addrsize == 2 ? 0xffff : ~0u;
        if (what ? !memory_read_to_write_seg(r->m, o->seg, offset, &value, bytes)
                 : !memory_read_seg(r->m, o->seg, offset, &value, bytes))
            return false;
    } else {
        value = register_read(&r->m->cpu, o->reg, bytes);
    }
    bit = 1u << index % r->bits;
    flags_cf_of(r->e, value & bit, flag_of(r->e));
    value = what == 1 ? value | bit : what == 2 ? value & ~bit : what == 3 ? value ^ bit : value;
    if (what && o->kind == OPERAND_MEM)
        return memory_write_seg(r->m, o->seg, offset, &value, bytes);
    if (what)
        register_write(&r->m->cpu, o->reg, bytes, value);
    return true;
}

bool do_scan(const struct rare *r)
{
    bool forward = r->code == 0x1bc;
    uint32_t value, n = forward ? 0 : r->bits - 1;

    if (!get(r, 1, &value))
        return false;
    if (value)
        while (!(value >> n & 1))
            n += forward ? 1 : -1u;
    flags_result(r->e, 32, value, false, false);
    return !value || set(r, 0, n);
}

bool do_double_shift(const struct rare *r)
{
    bool left = r->code < 0x1a8;
    uint32_t a, b, count, result;
    unsigned n;
    bool cf;

    if (!get_to_change(r, 0, &a) || !get(r, 1, &b) || !get(r, 2, &count))
        return false;
    n = count & 31;
    if (n == 0)
        return set(r, 0, a);
    if (r->bits == 16) {                                /* more than 16: undefined; here the first operand comes round again */
        uint64_t ring = (uint64_t)a << 32 | b << 16 | a;

        result = (uint32_t)(left ? ring << n >> 32 : ring >> n) & 0xffff;
        cf = left ? ring >> (48 - n) & 1 : ring >> (n - 1) & 1;
    } else {
        result = left ? a << n | b >> (32 - n) : a >> n | b << (32 - n);
        cf = left ? a >> (32 - n) & 1 : a >> (n - 1) & 1;
    }
    if (!set(r, 0, result))
        return false;
    flags_result(r->e, r->bits, result, cf, (a ^ result) >> (r->bits - 1) & 1);
    return true;
}

/* ---- products, quotients --------------------------------------------------------------------------- */

bool do_multiply_by(const struct rare *r)
{
    uint32_t a;

    return get(r, 1, &a) && set(r, 0, do_imul(r->e, r->bits, a, r->insn->op[2].value));
}

static void set_wide(const struct rare *r, uint32_t high, uint32_t low)
{
    if (r->bits == 8) {
        set_ax(r, high, low);
    } else {
        register_write(&r->m->cpu, EAX, 2, low);
        register_write(&r->m->cpu, EDX, 2, high);
    }
}

static uint32_t mask_of(unsigned bits) { return 0xffffffffu >> (32 - bits); }

/* Of 8 and 16 bits: MUL, IMUL, DIV, IDIV as group 3 numbers them from 4 on. */
bool do_wide(const struct rare *r, unsigned what)
{
    struct vcpu *cpu = &r->m->cpu;
    unsigned bits = r->bits;
    uint32_t a = bits == 8 ? cpu->gpr[EAX] & 0xffff : cpu->gpr[EDX] << 16 | (cpu->gpr[EAX] & 0xffff), b, product;
    int64_t quotient, rest, value, by;

    if (!get(r, 0, &b))
        return false;
    if (what < 6) {
        uint32_t low = a & mask_of(bits);

        product = what == 5 ? sign_extended(low, bits) * sign_extended(b, bits) : low * b;
        if (what == 5)
            do_imul(r->e, bits, low, b);
        else
            flags_result(r->e, bits, product, product >> bits, product >> bits);
        set_wide(r, product >> bits, product);
        return true;
    }
    value = what == 7 ? (int64_t)(int32_t)sign_extended(a, 2 * bits) : (int64_t)a;
    by = what == 7 ? (int64_t)(int32_t)sign_extended(b, bits) : (int64_t)b;
    if (by == 0)
        return vcpu_raise(cpu, VEC_DE);
    quotient = value / by;
    rest = value % by;
    if (what == 7 ? quotient != (int32_t)sign_extended((uint32_t)quotient, bits) || quotient != (int32_t)quotient
                  : quotient >> bits != 0)
        return vcpu_raise(cpu, VEC_DE);
    set_wide(r, (uint32_t)rest & mask_of(bits), (uint32_t)quotient);
    return true;
}
