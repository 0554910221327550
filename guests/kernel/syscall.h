/* The numbers of the system calls: what kernel and user programs must agree on. */
#ifndef SYSCALL_H
#define SYSCALL_H

enum {
    SYS_WRITE, SYS_EXIT, SYS_FORK, SYS_WAIT, SYS_YIELD, SYS_SLEEP, SYS_GETPID, SYS_TICKS, SYS_BRK,
    SYS_OPTIONS, SYS_FREEPAGES, SYS_PIT,
};

#endif
