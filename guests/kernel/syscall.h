/* The numbers of the system calls: what kernel and user programs must agree on. */
#ifndef SYSCALL_H
#define SYSCALL_H

#include <stdint.h>

enum {
    SYS_WRITE, SYS_EXIT, SYS_FORK, SYS_WAIT, SYS_YIELD, SYS_SLEEP, SYS_GETPID, SYS_TICKS, SYS_BRK,
    SYS_OPTIONS, SYS_FREEPAGES, SYS_PIT,
};

/* Process 1 exits with its verdicts (failed in bits 7:0, passed above), with this if it is asked for a program that there is not. */
enum { NO_SUCH_PROGRAM = -2 };

/* Of run=timeline alone (bench/timeline.c): the trap before this call, and pages that a fault brings. */
enum { SYS_TIMELINE = 64, TIMELINE_PAGES = 0x00600000, TIMELINE_PAGE_COUNT = 256 };
struct timeline_trap { uint32_t vector; uint64_t entered, left; };

#endif
