/* Cycles for `n` times a part of machine/'s work on one trap: see parts.c. */
#ifndef PARTS_H
#define PARTS_H

#include <stdint.h>

uint64_t decode_new(uint32_t n), decode_again(uint32_t n), emulate_cli(uint32_t n);

#endif
