/* The fifth answer: run no guest code at all. An interpreter of a Pentium III's integer instructions, in portable C. Each is decoded
 * once (by machine/'s decoder) into operations: a function and its operands. Operations stand in blocks, each calls the next (the
 * compiler makes jumps of that), and sensitive instructions leave to the run loop as they do under every VMM of this kit.
 *
 *   main.c      the run loop               compile.c   from an instruction to operations
 *   blocks.c    finding and dropping       ops.c       what operations do (flags.h, access.h)
 *   string.c    MOVS and its kin           rare.c      instructions that no loop waits for
 *   fpu.c       the few of x87 and SSE     arithmetic.c    those that compute */
#ifndef EMULATOR_H
#define EMULATOR_H

#include "vm.h"

struct emulator;
struct op;

/* Does its work and calls the next, or says why not (`left`) and returns. */
typedef void action(struct emulator *e, const struct op *op);

/* Registers are named by where they stand in struct emulator, for one addition to find them: also half registers, and a
 * register that is always 0, for addresses that have no base or index. */
struct op {
    action *act;
    union {
        struct { uint32_t displacement, immediate; };   /* of a branch: where to, from the block's begin */
        const struct insn *insn;                        /* of what is rare */
    };
    uint16_t base, index, a, b;
    uint8_t scale;              /* a shift */
    uint8_t seg;
    uint16_t at, next;          /* the instruction, and the one behind it, from the block's begin */
};

struct link { struct emu_block *to; uint64_t generation; };

/* Straight code in one page, up to a branch or a sensitive instruction. */
struct emu_block {
    struct emu_block *in_page;  /* the next one there */
    struct link link[2];        /* where it went last: not taken, taken */
    uint32_t gpa;
    uint16_t bytes, ops;
    uint8_t kind;               /* BLOCK_ bits */
    struct op op[];
};
enum { BLOCK_WIDE = 1, BLOCK_FLAT = 2 };                /* 32-bit code; in a segment that is all of memory */

enum { BLOCK_INSNS = 32, OPS_PER_INSN = 4, BLOCK_OPS = OPS_PER_INSN * BLOCK_INSNS + 1, ARENA_BYTES = 16 << 20 };

/* A page of the guest's that may be accessed without asking anybody: its address, or TLB_NONE. `host` is to be added. */
struct tlb_entry { uint32_t read, write; uintptr_t host; };
enum { TLB_ENTRIES = 256, TLB_NONE = 1, LOOKUPS = 1024 };
enum tlb { TLB_KERNEL, TLB_USER, TLB_NEVER, TLBS };     /* the last is empty: everything is asked */

struct lookup { uint32_t eip; uint64_t generation; struct emu_block *block; };

enum left { LEFT_NEXT, LEFT_STEP, LEFT_FAULT, LEFT_SENSITIVE };

enum emulator_exit { EMULATOR_SENSITIVE, EMULATOR_EXCEPTION, EMULATOR_INTERRUPTED, EMULATOR_STEPPED };

struct emulator {
    struct tlb_entry *tlb;      /* for the instruction at hand */
    uint32_t result, aux;       /* the six arithmetic flags: flags.h */
    uint32_t zero, address;     /* registers that no processor has: always 0; what an unusual address came to */
    int32_t budget;             /* blocks until the clock is looked at */
    uint8_t left;               /* enum left */
    bool stepping;              /* one instruction only */
    uint64_t generation;        /* links and lookups of another are void */
    struct emu_block *block;    /* EIP is its begin while it runs */
    struct link *from;          /* the branch that wants to know where it went */
    const struct insn *insn;    /* after EMULATOR_SENSITIVE */
    struct vm vm;

    struct tlb_entry *usual;    /* for all instructions but those with unusual segments */
    uint64_t generations[2], last_generation;           /* kernel, user */
    uint8_t buffer[8];          /* of an access that is not by the TLB */
    struct tlb_entry tlbs[TLBS][TLB_ENTRIES];
    struct lookup lookup[LOOKUPS];
    struct emu_block **pages;   /* by frame number */
    uint8_t *arena;
    size_t used;
    struct insn stepped;        /* a step: its instruction, its block */
    struct emu_block *single;
};

/* RAM, hooks, the decoder. NULL, or why not. */
const char *emulator_init(struct emulator *e, uint32_t bytes);

/* Run the guest until something happens, or until `deadline` (ns). After EMULATOR_SENSITIVE e->insn stands at EIP. */
enum emulator_exit emulator_run(struct emulator *e, uint64_t deadline);

/* Every block and translation: RAM is another. */
void emulator_forget(struct emulator *e);

/* The operations of one instruction, OPS_PER_INSN at most: how many. *ends: no other follows in its block. */
unsigned compile(struct emulator *e, const struct insn *insn, unsigned at, unsigned kind, struct op *op, bool *ends);

/* The first memory operand; NULL: none. */
const struct operand *memory_of(const struct insn *insn);

/* In blocks.c: a copy that lives as long as the blocks. */
const struct insn *keep(struct emulator *e, const struct insn *insn);

/* In blocks.c: an access for which the TLB is no help. NULL: left with a fault. slow_rmw() reads what slow_commit() then writes. */
void *slow_read(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes);
void *slow_rmw(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes);
void slow_commit(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes);
bool slow_write(struct emulator *e, const struct op *op, uint32_t offset, unsigned bytes, uint32_t value);
bool slow_push(struct emulator *e, const struct op *op, uint32_t value);
bool slow_pop(struct emulator *e, const struct op *op, uint32_t *value);

/* In rare.c, string.c, fpu.c: false with the exception in m->cpu.fault. `next`: the address behind it; a branch writes where it
 * goes. */
bool rare_run(struct emulator *e, const struct insn *insn, uint32_t *next);
bool string_run(struct emulator *e, const struct insn *insn, bool *again);
bool fpu_run(struct emulator *e, const struct insn *insn);

/* The guest is stopped: this interpreter does not have the instruction. False, for who finds that out. */
bool emulator_lacks(struct emulator *e, const struct insn *insn);
unsigned opcode_of(const struct insn *insn);            /* 0x100 and more: behind 0x0f */

static inline struct vcpu *cpu_of(struct emulator *e) { return &e->vm.machine.cpu; }

#endif
