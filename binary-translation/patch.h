/* The other historic way: the guest's kernel stays where it is, and only its sensitive instructions are replaced, in place,
 * before they first run (KQEMU, VirtualBox's raw mode). Where an instruction and its straight-line neighbours leave five
 * bytes they become a jump to translated code that jumps back behind them; else the instruction becomes INT3.
 *
 *     cli                            jmp  0xfd000440  -->   mov  byte gs:[eflags+1], 0
 *     mov  eax, [counter]   -->      int3 ...               mov  eax, [counter]
 *     inc  eax                       inc  eax         <--   jmp  back
 *
 * What it cannot get right, and why: tests/expected/binary-translation-patch.txt. */
#ifndef PATCH_H
#define PATCH_H

#include "cache.h"

enum { STRETCH_MAX = 24, PATCHES_MAX = 4096, TARGETS_MAX = 1024, BEGINS = 256 };

struct patch {
    uint32_t eip, gpa;          /* of its first byte */
    uint8_t length;
    bool trap;                  /* INT3 instead of a jump */
    uint8_t original[STRETCH_MAX], patched[STRETCH_MAX];
    int block;                  /* with the translated code; NONE for INT3 */
    struct insn insn;           /* what INT3 stands for */
};

struct patches {
    struct cache *cache;
    int context;                /* for which the patches were made; NONE: there are none */
    struct patch patch[PATCHES_MAX];
    int count;
    uint32_t target[TARGETS_MAX];       /* branches from other pages lead to these: a stretch may begin there only */
    int targets;
    struct { uint32_t page; unsigned offset; } begin[BEGINS];   /* where a page's first instruction begins: the one before told */
};

void patch_init(struct patches *p, struct cache *c);

/* The kernel wants to execute at `gla`: patch its page, as far as it is known to be code, and let it be executed. */
void patch_look_at(struct patches *p, uint32_t gla, int context);

/* The patch that covers EIP, or NULL. */
const struct patch *patch_at(const struct patches *p, uint32_t eip);

/* Where the processor must go on for the guest to go on at EIP. */
uint32_t patch_entry(const struct patches *p, uint32_t eip);

/* A branch leads to `eip`: if that is inside a patched stretch, the page is unpatched, to be patched otherwise. */
void patch_learn(struct patches *p, uint32_t eip);

/* Put the guest's own bytes back: in the frame of `gpa`; everywhere. The frame's code is to be looked at again. */
void patch_undo(struct patches *p, uint32_t gpa);
void patch_undo_all(struct patches *p);

#endif
