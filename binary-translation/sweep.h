/* Which bytes of a page are instructions? Nobody can know that of x86 code but by running it; this is a good guess, from
 * one byte that is known to be executed. Code that hides an instruction in the middle of another escapes it. */
#ifndef SWEEP_H
#define SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "decode.h"
#include "memory.h"

struct sweep {
    uint8_t bytes[PAGE_BYTES];
    bool wide;
    struct insn insn[PAGE_BYTES];       /* by offset, where `code` is set */
    bool code[PAGE_BYTES];              /* an instruction begins here, for all we know */
    bool target[PAGE_BYTES];            /* a branch leads here: the caller's to set */
};

/* Look at a page of code, of which offset `entry` is about to be executed. An instruction that goes on in the next page is
 * not seen. */
void sweep_page(struct sweep *s, const uint8_t *page, unsigned entry, bool wide);

/* The same from one more byte that is known to begin an instruction. Returns PAGE_BYTES, or where, reading on
 * from there, an instruction begins that may go on in the next page. */
unsigned sweep_from(struct sweep *s, unsigned start);

#endif
