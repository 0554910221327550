/* What rare.c and arithmetic.c share: an instruction that is carried out from its decoded form. The functions return false with the
 * exception in m->cpu.fault. */
#ifndef RARE_H
#define RARE_H

#include "flags.h"
#include "operand.h"

struct rare {                   /* the instruction, and what it is about */
    struct emulator *e;
    struct machine *m;
    const struct insn *insn;
    unsigned code, bits;        /* of the first operand */
    uint32_t *next;
};

static inline bool get(const struct rare *r, unsigned k, uint32_t *value)
{
    const struct operand *o = &r->insn->op[k];

    return operand_read(r->m, r->insn, o, o->bytes > 4 ? 4 : o->bytes, value);
}

/* Before set() of the same operand. */
static inline bool get_to_change(const struct rare *r, unsigned k, uint32_t *value)
{
    return operand_read_to_write(r->m, r->insn, &r->insn->op[k], r->insn->op[k].bytes, value);
}

static inline bool set(const struct rare *r, unsigned k, uint32_t value)
{
    return operand_write(r->m, r->insn, &r->insn->op[k], r->insn->op[k].bytes, value);
}

static inline uint8_t al(const struct rare *r) { return (uint8_t)r->m->cpu.gpr[EAX]; }
static inline uint8_t ah(const struct rare *r) { return (uint8_t)(r->m->cpu.gpr[EAX] >> 8); }
static inline void set_ax(const struct rare *r, unsigned high, unsigned low)
{
    register_write(&r->m->cpu, EAX, 2, (high & 0xff) << 8 | (low & 0xff));
}

/* In arithmetic.c. */
bool do_daa(const struct rare *r, bool subtract);
bool do_aaa(const struct rare *r, bool subtract);
bool do_aam(const struct rare *r);
bool do_aad(const struct rare *r);
bool do_bit(const struct rare *r);
bool do_scan(const struct rare *r);
bool do_double_shift(const struct rare *r);
bool do_multiply_by(const struct rare *r);
bool do_wide(const struct rare *r, unsigned what);

#endif
