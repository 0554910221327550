/* What test_shadow.c's fake of mmap() keeps: by host-linear page the offset into the memfd and these. */
#ifndef TEST_SHADOW_H
#define TEST_SHADOW_H

#include <stdint.h>

enum { THERE = 1, WRITABLE = 2, NO_EXEC = 4, MEMFD = 77 };
extern uint32_t host[1 << 20];

#endif
