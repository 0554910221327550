/* Of x87 and SSE what the tiny kernel's probes use, on the FXSAVE area of the guest's processor: its images are real ones, its
 * arithmetic is left to real processors. Anything else ends the guest with a sentence. Intel SDM vol. 1 8.1, 10.5; vol. 3A table
 * 9-3 for what CR0 forbids. */
#include "access.h"
#include "operand.h"

enum { FCW = 0, FSW = 2, FTW = 4, ST0 = 32, XMM0 = 160, SLOT = 16, TOP_SHIFT = 11 };

static bool allowed(struct vcpu *cpu, const struct insn *insn)
{
    bool em = cpu->cr0 & CR0_EM, ts = cpu->cr0 & CR0_TS;

    if (insn->fpu == FPU_WAIT)
        return !(ts && cpu->cr0 & CR0_MP) || vcpu_raise(cpu, VEC_NM);
    if (insn->fpu >= FPU_MMX && (em || (insn->fpu == FPU_SSE && !(cpu->cr4 & CR4_OSFXSR))))
        return vcpu_raise(cpu, VEC_UD);
    return !(ts || (em && insn->fpu == FPU_X87)) || vcpu_raise(cpu, VEC_NM);
}

static unsigned top(const struct vcpu *cpu) { return cpu->fpu[FSW + 1] >> (TOP_SHIFT - 8) & 7; }

/* The registers in the area count from the top; `by` moves it. */
static void move_top(struct vcpu *cpu, int by)
{
    uint8_t st[8][SLOT];

    memcpy(st, cpu->fpu + ST0, sizeof st);
    for (unsigned k = 0; k < 8; k++)
        memcpy(cpu->fpu + ST0 + SLOT * ((k - (unsigned)by) & 7), st[k], SLOT);
    cpu->fpu[FSW + 1] = (uint8_t)((cpu->fpu[FSW + 1] & ~0x38) | ((top(cpu) + (unsigned)by) & 7) << 3);
}

/* An integer as an extended number: sign and exponent, and a mantissa whose first bit is its highest. */
static void push_integer(struct vcpu *cpu, int32_t value)
{
    uint64_t mantissa = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint16_t exponent = mantissa ? 16383 + 63 : 0;

    for (; mantissa && !(mantissa >> 63); exponent--)
        mantissa <<= 1;
    exponent |= value < 0 ? 0x8000 : 0;
    move_top(cpu, -1);
    memcpy(cpu->fpu + ST0, &mantissa, 8);
    memcpy(cpu->fpu + ST0 + 8, &exponent, 2);
    cpu->fpu[FTW] |= (uint8_t)(1u << top(cpu));
}

/* What push_integer() put there; all that is ever there. */
static int32_t top_integer(const struct vcpu *cpu)
{
    uint64_t mantissa;
    uint16_t exponent;

    memcpy(&mantissa, cpu->fpu + ST0, 8);
    memcpy(&exponent, cpu->fpu + ST0 + 8, 2);
    mantissa = mantissa ? mantissa >> (16383 + 63 - (exponent & 0x7fff)) : 0;
    return (int32_t)(exponent & 0x8000 ? -mantissa : mantissa);
}

static void pop_register(struct vcpu *cpu)
{
    cpu->fpu[FTW] &= (uint8_t)~(1u << top(cpu));
    move_top(cpu, 1);
}

static void initialize(struct vcpu *cpu)
{
    memset(cpu->fpu, 0, 24);
    cpu->fpu[FCW] = 0x7f;
    cpu->fpu[FCW + 1] = 0x03;
}

static bool do_movd(struct machine *m, const struct insn *insn, bool to_xmm)
{
    uint8_t *xmm = m->cpu.fpu + XMM0 + SLOT * (insn->bytes[insn->opcode_at + 2] >> 3 & 7);
    const struct operand *o = &insn->op[0];
    uint32_t value;

    if (to_xmm) {
        if (!operand_read(m, insn, o, 4, &value))
            return false;
        memset(xmm, 0, SLOT);
        memcpy(xmm, &value, 4);
        return true;
    }
    memcpy(&value, xmm, 4);
    return operand_write(m, insn, o, 4, value);
}

bool fpu_run(struct emulator *e, const struct insn *insn)
{
    struct machine *m = &e->vm.machine;
    struct vcpu *cpu = &m->cpu;
    unsigned code = opcode_of(insn), modrm = insn->bytes[insn->opcode_at + 1];
    bool memory = insn->op[0].kind == OPERAND_MEM, sse = insn->opcode_at && insn->bytes[insn->opcode_at - 1] == 0x66;
    uint32_t value;

    if (!allowed(cpu, insn))
        return false;
    if (insn->fpu == FPU_WAIT)
        return true;
    if (code == 0xdb && modrm == 0xe3) {                /* FNINIT */
        initialize(cpu);
        return true;
    }
    if (code == 0xd9 && modrm == 0xe8) {                /* FLD1 */
        push_integer(cpu, 1);
        return true;
    }
    if (code == 0xdb && memory && (modrm >> 3 & 7) == 0) {      /* FILD m32 */
        if (!operand_read(m, insn, &insn->op[0], 4, &value))
            return false;
        push_integer(cpu, (int32_t)value);
        return true;
    }
    if (code == 0xdb && memory && (modrm >> 3 & 7) == 3) {      /* FISTP m32 */
        value = (uint32_t)top_integer(cpu);
        if (!operand_write(m, insn, &insn->op[0], 4, value))
            return false;
        pop_register(cpu);
        return true;
    }
    if (sse && (code == 0x16e || code == 0x17e))
        return do_movd(m, insn, code == 0x16e);
    return emulator_lacks(e, insn);
}
