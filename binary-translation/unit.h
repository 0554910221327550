/* A block while it is being translated: what translate.c and sequences.c share. */
#ifndef UNIT_H
#define UNIT_H

#include "cache.h"
#include "emit.h"
#include "translate.h"

/* What becomes of an instruction. Those from KIND_CALL on end the block. */
enum kind {
    KIND_COPY,                  /* as it is */
    KIND_SEGMENT,               /* a memory operand through CS, FS or GS: through the monitor's GS, loaded for the purpose */
    KIND_INLINE,                /* sensitive, done in the cache */
    KIND_JCC, KIND_LOOP,        /* conditional branches: not taken, they go on */
    KIND_CALL,                  /* sensitive, the emulator's */
    KIND_STORE,                 /* writes to sealed code again and again: a signal each time would cost more than the gate */
    KIND_UNDEFINED,             /* not an instruction of the virtual processor's */
    KIND_NEAR,                  /* a branch that the monitor carries out */
    KIND_JMP, KIND_CALL_NEAR,
    KIND_JMP_INDIRECT, KIND_CALL_INDIRECT, KIND_RETURN,
};

struct item {
    struct insn insn;
    uint32_t eip;
    enum kind kind;
    bool guard;                 /* the first to use the FPU, or SSE: is the guest's state in it? */
};

struct unit {
    struct machine *m;
    struct cache *cache;
    const struct context *context;
    struct block *block;
    struct emitter e;
    struct item item[BLOCK_INSTRUCTIONS];
    unsigned count;
    uint32_t next;              /* EIP after the last instruction */
    bool after_sti;             /* the instruction that is being emitted comes after an STI */
};

/* From here on the way back to the guest's state is this one. */
void unit_point(struct unit *u, uint32_t eip, unsigned state, int esp);

/* A new exit with its stub, and its number's place in the cache. */
struct exit *unit_exit(struct unit *u, enum exit_kind kind, const struct item *item, uint32_t eip);

/* Jump to a new exit. */
void unit_leave(struct unit *u, enum exit_kind kind, const struct item *item, uint32_t eip);

/* The point just noted is where a guest instruction's host code begins. */
void unit_begins(struct unit *u);

/* Does it access memory through CS, FS or GS, so that the monitor's GS must step aside? */
bool unit_borrows_gs(const struct insn *insn);

/* In generate.c: host code for one instruction; for the whole block, with a landing in front if indirect branches are to
 * reach it. */
void unit_emit_item(struct unit *u, const struct item *item);
void unit_emit_block(struct unit *u, bool landing);

#endif
