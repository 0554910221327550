/* From guest code to a block of the cache. Read next: translate.c, which explains the passes. */
#ifndef TRANSLATE_H
#define TRANSLATE_H

#include "cache.h"
#include "decode.h"

enum { BLOCK_INSTRUCTIONS = 24, BLOCK_HOST_BYTES = 6144 };

/* Translate the block at the guest's CS:EIP for `context`, which must be the present one. `landing`: indirect branches are
 * to reach it. NULL: its first instruction cannot be fetched or decoded; the exception is in m->cpu.fault. May flush. */
struct block *translate(struct cache *c, int context, bool landing);

/* Is there room for one more block, whatever it holds? */
bool translate_has_room(const struct cache *c);

/* For patch.c: `bytes` of straight code at `eip` of the kernel, at most BLOCK_INSTRUCTIONS, then a jump to what follows
 * where it is. The block is in no table. NULL: no room, or the code is not there. */
struct block *translate_stretch(struct cache *c, int context, uint32_t eip, unsigned bytes);

/* Where in its sequence was the guest when it stopped at `host`, an address in `b`? Sets registers and EIP of m->cpu to the
 * guest's. */
struct back {
    bool forward;               /* the instruction at EIP must be emulated before anything else: its flags are lost */
    bool turned;                /* a turn of the repeated string instruction at EIP, or before it, has just ended */
};
struct back translate_back(struct cache *c, const struct block *b, uint32_t host);

#endif
