/* What people look at: guest code and what it was translated to, side by side. */
#ifndef TRACE_H
#define TRACE_H

#include "cache.h"

/* --trace=blocks: a block that has just been translated, on stderr. In colour only on a terminal without NO_COLOR: whether it is
 * one trace_begin() asks, before the wall. */
void trace_begin(void);
void trace_block(struct cache *c, const struct block *b);

/* --dump-cache: the hottest blocks of a cache that counts runs, as one HTML page; closes the file. False: errno tells why. */
bool trace_page(struct cache *c, FILE *f);

#endif
