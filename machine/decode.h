/* One guest instruction, decoded by Zydis and classified by isa.def. What the emulator and the fault
 * classifier need of it is copied into `struct insn`, so that no other file depends on Zydis. */
#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

enum isa {
    ISA_OTHER,                  /* not in isa.def: innocuous, or not for the guest to execute */
#define ISA(id, ...) ISA_##id,
#include "isa.def"
#undef ISA
    ISA_COUNT
};

enum isa_class { CLASS_OTHER, CLASS_PRIVILEGED, CLASS_IOPL, CLASS_SENSITIVE, CLASS_CAUGHT };

struct isa_row {
    const char *name;           /* "MOV_TO_CR" */
    enum isa_class class;
};
extern const struct isa_row isa_rows[ISA_COUNT];

enum { INSN_MAX = 15, INSN_OPERANDS = 4, REG_NONE = 0xff };

enum operand_kind {
    OPERAND_NONE, OPERAND_REG, OPERAND_SEG, OPERAND_CR, OPERAND_DR, OPERAND_MEM, OPERAND_IMM, OPERAND_FAR,
};

struct operand {
    uint8_t kind;
    uint8_t bytes;              /* size of the datum; of a far pointer in memory: 4 or 6 */
    bool read, written;
    uint8_t reg;                /* number of the register; for one-byte registers AL..BL, AH..BH */
    uint8_t seg, base, index, scale;    /* of a memory operand; base and index may be REG_NONE */
    uint32_t value;             /* displacement, immediate (branches: relative), or offset of a far pointer */
    uint16_t selector;          /* of an immediate far pointer */
};

enum branch { BRANCH_NONE, BRANCH_SHORT_OR_NEAR, BRANCH_RETURN, BRANCH_CALL };

enum fpu { FPU_NONE, FPU_X87, FPU_WAIT, FPU_MMX, FPU_SSE };     /* in this order: exits.c asks for FPU_MMX and above */

struct insn {
    enum isa isa;
    uint8_t length;
    uint8_t opsize, addrsize;   /* 2 or 4 */
    bool wide;                  /* decoded as 32-bit code */
    bool rep;
    bool known;                 /* the virtual processor has it: no extension that its CPUID does not show */
    uint8_t fpu;                /* enum fpu: which state beside the general registers' it uses */
    uint8_t opcode_at;          /* so many prefixes stand before the opcode */
    uint8_t branch;             /* near transfers only */
    uint8_t operands;           /* explicit ones first, then implicit memory; others are left out */
    struct operand op[INSN_OPERANDS];
    uint8_t bytes[INSN_MAX];
};

enum { DECODE_CACHE = 256 };                             /* instructions that decode_at_eip() keeps */

enum decoded { DECODED, DECODE_TRUNCATED, DECODE_INVALID, DECODE_TOO_LONG };

/* Decode at most `available` bytes; `wide` is CS.D. Truncated: more bytes are needed. Too long: no instruction has
 * more than INSN_MAX (#GP, where invalid is #UD). */
enum decoded decode(const uint8_t *bytes, size_t available, bool wide, struct insn *out);

/* Fetch and decode the instruction at the guest's CS:EIP. False: #PF, #GP or #UD is in m->cpu.fault. */
bool decode_at_eip(struct machine *m, struct insn *out);

/* The instruction as text ("mov cr3, eax"), for dumps and traces. `eip` is its offset in CS. */
void decode_text(const uint8_t *bytes, size_t available, bool wide, uint32_t eip, char *text, size_t size);

#endif
