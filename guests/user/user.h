/* What user programs have: system calls, printing, and verdicts. */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <stdint.h>

#include "syscall.h"
#include "text.h"

int32_t syscall2(uint32_t number, uint32_t a, uint32_t b);

static inline int32_t sys_write(const char *text, uint32_t bytes)
{
    return syscall2(SYS_WRITE, (uint32_t)text, bytes);
}
static inline int32_t sys_fork(void) { return syscall2(SYS_FORK, 0, 0); }           /* 0 in the child */
static inline int32_t sys_wait(int *status) { return syscall2(SYS_WAIT, (uint32_t)status, 0); }   /* or NULL */
static inline int32_t sys_yield(void) { return syscall2(SYS_YIELD, 0, 0); }
static inline int32_t sys_sleep(uint32_t ticks) { return syscall2(SYS_SLEEP, ticks, 0); }
static inline int32_t sys_getpid(void) { return syscall2(SYS_GETPID, 0, 0); }
static inline uint32_t sys_ticks(void) { return (uint32_t)syscall2(SYS_TICKS, 0, 0); }
static inline int32_t sys_brk(uint32_t bytes) { return syscall2(SYS_BRK, bytes, 0); }     /* the heap's old end */
static inline uint32_t sys_freepages(void) { return (uint32_t)syscall2(SYS_FREEPAGES, 0, 0); }
static inline uint32_t sys_pit(void) { return (uint32_t)syscall2(SYS_PIT, 0, 0); }        /* timer_clock() */
static inline void __attribute__((noreturn)) sys_exit(int status)
{
    syscall2(SYS_EXIT, (uint32_t)status, 0);
    __builtin_unreachable();
}

/* A variable so marked is one and the same for all processes: fork() does not copy its page. */
#define SHARED __attribute__((section(".shared")))

void uprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print a verdict line and count it; the counts are this process's exit status. */
void verdict(const char *name, uint32_t want, uint32_t got);
int verdicts(void);             /* passed << 8 | failed */
void add_verdicts(int status);  /* of a child */

/* The programs: each returns when it is done. `args` is the guest's command line. */
int demo_main(const char *args);
bool demo_in_turn(bool printing);        /* the demo without its verdicts, for soak */
int selftest_main(const char *args);
int forkwait_main(const char *args);
int soak_main(const char *args);
int compute_main(const char *args);
int bench_user_main(const char *args);
int timeline_main(const char *args);

#endif
