/* The instructions of a stream. Opcodes are chosen uniformly; what makes a stream go on for more than three of them is
 * that the generator knows which registers hold pointers, small numbers or anything, and puts a MOV before an
 * instruction that would miss. In a few cases it does not, so that every instruction gets its faults.
 * Read next: flow.c. */
#include <Zydis/Zydis.h>
#include <string.h>

#include "generate.h"

struct generator generator;
#define g generator

/* An instruction as Zydis sees it and as the VMM does. */
struct look {
    ZydisDecodedInstruction z;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    struct insn insn;
};

/* ---- random numbers (splitmix64) ----------------------------------------------------------------- */

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint32_t rng_below(struct rng *r, uint32_t n) { return (uint32_t)(rng_next(r) >> 32) % n; }
bool rng_chance(struct rng *r, unsigned percent) { return rng_below(r, 100) < percent; }

uint32_t below(uint32_t n) { return rng_below(g.r, n); }
bool chance(unsigned percent) { return rng_chance(g.r, percent); }

/* ---- pieces -------------------------------------------------------------------------------------- */

static bool look(const uint8_t *bytes, size_t n, struct look *l)
{
    static ZydisDecoder decoder[2];
    ZydisDecoder *d = &decoder[g.s->wide];

    if (d->stack_width == 0)
        ZydisDecoderInit(d, g.s->wide ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 : ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
                         g.s->wide ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
    return decode(bytes, n, g.s->wide, &l->insn) == DECODED &&
           ZYAN_SUCCESS(ZydisDecoderDecodeFull(d, bytes, n, &l->z, l->op));
}

static int register_of(ZydisRegister reg)
{
    int id = ZydisRegisterGetId(reg);

    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8: return id & 3;
    case ZYDIS_REGCLASS_GPR16: case ZYDIS_REGCLASS_GPR32: return id;
    default: return -1;
    }
}

/* Registers that it writes to; the stack pointer only if that is its point. */
static unsigned changes(const struct look *l)
{
    unsigned set = 0;

    for (int k = 0; k < l->z.operand_count; k++) {
        int reg = l->op[k].type == ZYDIS_OPERAND_TYPE_REGISTER ? register_of(l->op[k].reg.value) : -1;

        if (reg >= 0 && (l->op[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
            (reg != ESP || l->op[k].visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
             l->z.mnemonic == ZYDIS_MNEMONIC_LEAVE))
            set |= 1u << reg;
    }
    return set;
}

struct piece *add(const uint8_t *bytes, unsigned length)
{
    struct piece *p = &g.s->piece[g.s->pieces++];
    struct look l;

    *p = (struct piece){ .length = (uint8_t)length };
    memcpy(p->bytes, bytes, length);
    if (look(bytes, length, &l))
        for (unsigned k = 0, set = changes(&l); k < 8; k++)
            if (set >> k & 1 && !(l.z.mnemonic == ZYDIS_MNEMONIC_LEAVE && k == ESP && g.reg[EBP] == POINTER))
                g.reg[k] = ANYTHING;
    return p;
}

/* An opcode with an immediate of four bytes, whatever the code's width. */
struct piece *add_imm(unsigned opcode, uint32_t value)
{
    uint8_t bytes[6] = { 0x66, (uint8_t)opcode };
    struct piece *p;

    memcpy(bytes + 2, &value, 4);
    p = g.s->wide ? add(bytes + 1, 5) : add(bytes, 6);
    p->at = g.s->wide ? 1 : 2;
    p->width = 4;
    return p;
}

void add_mov(unsigned reg, uint32_t value, enum holds holds)
{
    add_imm(MOV_IMM + reg, value);
    g.reg[reg] = holds;
}

/* ---- operands ------------------------------------------------------------------------------------ */

/* Where offsets are small: FS and GS have small limits, and 16-bit code's segments begin at the data. */
static bool is_small(unsigned seg) { return seg == FS || seg == GS || !g.s->wide; }

uint32_t pointer(bool small)
{
    uint32_t offset = small ? 0x80 + below(0x680) : DATA + 0x100 + below(DATA_BYTES - 0x1000);

    return chance(70) ? offset & ~3u : offset;
}

uint32_t stack_pointer(void)
{
    return (g.s->wide ? STACK : 0) + STACK_BYTES / 2 + 4 * below(64);
}

bool set(unsigned reg, uint32_t value, enum holds holds)
{
    if (g.keep >> reg & 1)
        return false;
    if (g.reg[reg] != holds)
        add_mov(reg, value, holds);
    return true;
}

static void patch_displacement(uint8_t *bytes, const struct look *l, bool based, bool small)
{
    uint32_t value = based ? below(0x80) - (small ? 0 : 0x40) : pointer(small);

    if (l->z.raw.disp.size >= 16)
        memcpy(bytes + l->z.raw.disp.offset, &value, l->z.raw.disp.size / 8);
    else if (l->z.raw.disp.size == 8 && small)
        bytes[l->z.raw.disp.offset] &= 0x7f;
}

/* Make a memory operand point at data. False: it cannot be made to. */
static bool fit_memory(uint8_t *bytes, const struct look *l, const ZydisDecodedOperand *op)
{
    int base = register_of(op->mem.base), index = register_of(op->mem.index);
    bool small = is_small((unsigned)ZydisRegisterGetId(op->mem.segment));
    bool byte_index = ZydisRegisterGetClass(op->mem.index) == ZYDIS_REGCLASS_GPR8;
    bool implicit = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

    if (l->z.address_width == 16 && !small && !(implicit && base == ESP))
        return false;
    if (base == ESP && (g.reg[ESP] == POINTER || set(ESP, stack_pointer(), POINTER)))
        base = index < 0 ? -1 : base;
    else if (base == ESP)
        return false;
    if (base >= 0 && base == index)
        small = true;
    if (base >= 0 && base != ESP && !set((unsigned)base, pointer(small), small ? SMALL : POINTER))
        return false;
    if (index >= 0 && index != base && !byte_index && !set((unsigned)index, below(0x80), SMALL))
        return false;
    patch_displacement(bytes, l, op->mem.base != ZYDIS_REGISTER_NONE && base != index, small);
    return true;
}

static bool is_bit_string(const struct look *l)
{
    return l->insn.bytes[l->insn.opcode_at] == 0x0f && (l->insn.bytes[l->insn.opcode_at + 1] & 0xe7) == 0xa3 &&
           l->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool is_division(const struct look *l)
{
    return l->z.mnemonic == ZYDIS_MNEMONIC_DIV || l->z.mnemonic == ZYDIS_MNEMONIC_IDIV;
}

static uint32_t selector(void)
{
    static const uint8_t data[] = { SEL_FS, SEL_GS, SEL_FS, SEL_GS, SEL_READ_ONLY, SEL_DOWN };
    static const uint8_t bad[] = {
        0, SEL_ABSENT, SEL_EXECUTE_ONLY, SEL_TSS, SEL_LDT, 0xf8, 0x04, SEL_CODE0, SEL_CONFORMING,
    };

    uint32_t one = chance(92) ? data[below(sizeof data)] : bad[below(sizeof bad)];

    return one == 0 || chance(g.s->user ? 0 : 50) ? one : one | (g.s->user ? 3 : below(4));
}

uint32_t flags_image(void)
{
    const uint32_t portable = 0x200ed7 | FLAG_IOPL;     /* not TF, NT, AC, nor what makes it virtual-8086 mode */
    uint32_t image = (uint32_t)rng_next(g.r) & (chance(50) ? 0xcd7 : 0x267fd7);

    if (g.s->portable)
        return image & portable;
    return chance(3) ? image : image & ~(uint32_t)FLAG_TF;
}

static uint32_t usual_selector(unsigned seg)
{
    if (seg == SS || (seg == DS && chance(80)) || (seg == ES && chance(80)))
        return (!g.s->wide ? seg == SS ? SEL_STACK16 : SEL_DATA16 : g.s->user ? SEL_DATA3 : SEL_DATA0) |
               (g.s->user ? 3u : 0);
    return selector();
}

/* What else an instruction needs in order not to fault most of the time. */
static bool fit_rest(const struct look *l)
{
    const struct insn *insn = &l->insn;

    if (is_bit_string(l) && insn->op[1].kind == OPERAND_REG && !set(insn->op[1].reg, below(0x100), SMALL))
        return false;
    if (is_division(l) && (!set(EDX, 0, ANYTHING) || !set(EAX, below(0x8000), ANYTHING)))
        return false;
    if (is_division(l))
        add_mov(EDX, 0, SMALL), add_mov(EAX, below(insn->op[0].bytes == 1 ? 0x60 : 0x8000), ANYTHING);
    if (insn->rep && !set(ECX, below(10), ANYTHING))
        return false;
    if (insn->rep)
        add_mov(ECX, below(10), SMALL);
    if (insn->isa == ISA_POPF || insn->isa == ISA_POPFD)
        add_imm(PUSH_IMM, flags_image());
    if (insn->isa == ISA_POP_SEG)
        add_imm(PUSH_IMM, usual_selector(insn->op[0].reg));
    if (insn->isa == ISA_MOV_TO_SEG) {
        if (insn->op[1].kind != OPERAND_REG || g.keep >> insn->op[1].reg & 1)
            return false;
        add_mov(insn->op[1].reg, usual_selector(insn->op[0].reg), ANYTHING);
    }
    return true;
}

/* ENTER of level 2 and more copies frame pointers. Where the new frame lies over the old one, a page that the monitor has not
 * mapped yet makes the processor begin anew with what it has overwritten already: level 1 at most. */
static bool fit(uint8_t *bytes, const struct look *l)
{
    if (l->z.mnemonic == ZYDIS_MNEMONIC_ENTER) {
        unsigned at = l->insn.opcode_at + 1u;

        bytes[at] &= 0x3f, bytes[at + 1] = 0, bytes[at + 2] &= 1;
        if (!set(EBP, stack_pointer(), POINTER))
            return false;
    }
    if (!fit_rest(l))
        return false;
    for (int k = 0; k < l->z.operand_count; k++)
        if (l->op[k].type == ZYDIS_OPERAND_TYPE_MEMORY && l->op[k].mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
            !fit_memory(bytes, l, &l->op[k]))
            return false;
    return true;
}

/* ---- any instruction ----------------------------------------------------------------------------- */

/* What no stream has: it would show the host, the time, or devices; end the stream; or stop the reference otherwise. */
static bool is_out(const struct look *l)
{
    const struct insn *i = &l->insn;

    if ((i->bytes[i->opcode_at] & 0xf8) == 0xd8)        /* x87 */
        return true;
    if ((i->isa >= ISA_IN && i->isa <= ISA_OUTSD) || (i->isa >= ISA_LGDT && i->isa <= ISA_LMSW) ||
        i->branch != BRANCH_NONE)
        return true;
    switch (i->isa) {
    case ISA_HLT: case ISA_RDMSR: case ISA_WRMSR: case ISA_MOV_TO_CR: case ISA_MOV_TO_DR: case ISA_CPUID:
    case ISA_CALL_FAR: case ISA_JMP_FAR: case ISA_RET_FAR: case ISA_IRET: case ISA_IRETD: case ISA_INT: return true;
    default: break;
    }
    switch (l->z.mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC: case ZYDIS_MNEMONIC_RDPMC: case ZYDIS_MNEMONIC_INT1: return true;
    case ZYDIS_MNEMONIC_UD2: return false;
    default: return !i->known || i->fpu;
    }
}

/* Processors differ, or the Pentium III from what runs here (TZCNT, LZCNT). */
static bool is_undefined(const struct look *l)
{
    const uint8_t *opcode = l->insn.bytes + l->insn.opcode_at;

    if (opcode[0] == 0x0f && (opcode[1] == 0x0d || opcode[1] == 0x18) && opcode[2] >= 0xc0)
        return true;                                    /* prefetch of a register */
    switch (l->z.mnemonic) {
    case ZYDIS_MNEMONIC_TZCNT: case ZYDIS_MNEMONIC_LZCNT: return true;
    case ZYDIS_MNEMONIC_BSWAP: case ZYDIS_MNEMONIC_SHLD: case ZYDIS_MNEMONIC_SHRD: return l->insn.opsize == 2;
    default: return false;
    }
}

/* What a portable stream has not: see write.c. */
static bool is_other_on_qemu(const struct look *l)
{
    const struct insn *i = &l->insn;
    const uint8_t *opcode = i->bytes + i->opcode_at;

    if ((opcode[0] & 0xfe) == 0xf6 && (opcode[1] >> 3 & 7) == 1)
        return true;                                    /* another TEST: #UD there */
    switch (l->z.mnemonic) {
    case ZYDIS_MNEMONIC_BSF: case ZYDIS_MNEMONIC_BSR: return true;
    case ZYDIS_MNEMONIC_CMPXCHG8B: return true;         /* changes AF, there */
    case ZYDIS_MNEMONIC_ARPL: return l->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;     /* writes always, there */
    default: return i->isa == ISA_LAR || i->isa == ISA_PUSH_SEG || i->isa == ISA_MOV_FROM_DR;
    }
}

/* Rarely more than an exception. */
static bool is_ender(const struct look *l)
{
    const struct insn *i = &l->insn;

    switch (i->isa) {
    case ISA_CLI: case ISA_STI: return g.s->user;
    case ISA_LDS: case ISA_LES: case ISA_LFS: case ISA_LGS: case ISA_LSS: return true;
    default: break;
    }
    return l->z.mnemonic == ZYDIS_MNEMONIC_UD2 || l->z.mnemonic == ZYDIS_MNEMONIC_BOUND ||
           (g.s->user && isa_rows[i->isa].class == CLASS_PRIVILEGED) || (changes(l) >> ESP & 1);
}

static unsigned random_bytes(uint8_t *bytes)
{
    static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x64, 0x65 };
    unsigned n = 0;

    if (chance(20))
        bytes[n++] = 0x66;
    if (chance(6))
        bytes[n++] = 0x67, bytes[n++] = chance(50) ? 0x64 : 0x65;
    else if (chance(15))
        bytes[n++] = segments[below(sizeof segments)];
    if (chance(12))
        bytes[n++] = chance(50) ? 0xf2 : 0xf3;
    if (chance(6))
        bytes[n++] = 0xf0;
    if (chance(35))
        bytes[n++] = 0x0f;
    while (n < INSN_MAX)
        bytes[n++] = (uint8_t)rng_next(g.r);
    return n;
}

void add_any(void)
{
    uint8_t bytes[INSN_MAX];
    struct look l;

    for (int tries = 0; tries < 300; tries++) {
        unsigned n = random_bytes(bytes);

        if (!look(bytes, n, &l) || is_out(&l) || (changes(&l) & g.keep) || (is_ender(&l) && !chance(4)))
            continue;
        if (g.keep >> ESP & 1 && (l.z.mnemonic == ZYDIS_MNEMONIC_LEAVE || l.z.meta.category == ZYDIS_CATEGORY_PUSH ||
                                  l.z.meta.category == ZYDIS_CATEGORY_POP || l.z.mnemonic == ZYDIS_MNEMONIC_ENTER))
            continue;
        if ((g.s->portable && is_other_on_qemu(&l)) || (g.s->defined && is_undefined(&l)))
            continue;
        if ((g.s->portable || (g.s->defined && l.z.mnemonic == ZYDIS_MNEMONIC_ENTER) || !chance(2)) && !fit(bytes, &l))
            continue;
        add(bytes, l.z.length);
        if (g.s->defined && l.z.cpu_flags && l.z.cpu_flags->undefined)
            add((uint8_t[]){ 0x83, 0xf8, 0x00 }, 3);    /* cmp eax, 0 */
        return;
    }
}

