/* A block of the code cache, line by line: which host instructions each guest instruction became. For the trace on the
 * terminal (trace.c) and the page (page.c). */
#ifndef LISTING_H
#define LISTING_H

#include "cache.h"
#include "decode.h"

enum { LISTING_TEXT = 96, LISTING_OPERAND = 40 };

struct listing {
    struct cache *cache;
    const struct block *block;
    int point;                  /* where to look for the next guest instruction */
    uint32_t next;              /* host address of the next line */
    /* The line: on its left a guest instruction, a label (length 0) or, if the text is empty, nothing; one host
     * instruction on its right. */
    uint32_t eip, host;
    uint8_t bytes[INSN_MAX];
    unsigned length;
    char guest_text[LISTING_TEXT], host_text[LISTING_TEXT];
    bool sensitive;             /* the guest instruction to which the line belongs */
    bool aside;                 /* no guest instruction asks for it */
    bool ours;                  /* the host instruction: that, or it leaves the cache */
    int to;                     /* the block to which it jumps, or NONE */
};

struct listing listing_begin(struct cache *c, const struct block *b);
bool listing_next(struct listing *l);           /* false: there is no further line */

/* "c0101234 divide+0x12", "kernel, 16-bit" */
void listing_place(const struct cache *c, const struct block *b, char *text, size_t size);
void listing_context(const struct cache *c, const struct block *b, char *text, size_t size);

#endif
