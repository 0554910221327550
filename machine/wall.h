/* The wall around a VMM that is a Linux process. Before the run loop begins the process gives up what the loop does not need:
 * files, limits, privileges, and all system calls but a short list with their arguments. Guest code in direct execution can
 * far-jump to Linux's 64-bit segment; it then finds itself in a process that can do nothing to the host. README.md beside
 * this file has the list; what a VMM needs of its own stands in its main.c. */
#ifndef WALL_H
#define WALL_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

struct vm;

enum { WALL_FILES = 4, WALL_HIT = 1 /* si_code of its SIGSYS: SYS_SECCOMP, which older C libraries have no name for */ };

struct wall_ioctl { int fd; unsigned long request; };

struct wall {
    int file[WALL_FILES];               /* descriptors beside 0, 1 and 2 that are read and written; 0: no more */
    int ram;                            /* the memfd whose pages may be mapped, with all rights, below window_end; 0: none */
    uint32_t window_end;                /* host linear, 2 GiB at least. No mapping goes beyond: 16 pages at most, or 1 GiB if it begins
                                           in the first GiB */
    const struct wall_ioctl *ioctls;    /* allowed; NULL, or ends with descriptor 0 */
};

/* Add the descriptor of `f`, if that is not NULL. */
void wall_keep(struct wall *w, FILE *f);

/* Build it, for good. NULL, or a sentence that tells what failed; the process is then half walled in and should end. Landlock
 * is left out where the kernel lacks it, all else is required. Linux 5.9 or later; seccomp(2), landlock(7). */
const char *wall_build(const struct wall *w);

/* The same around `vm`, with the descriptors of its options. With --no-sandbox a warning instead. Call it last of all before the
 * run loop: what is not open by then stays closed. */
const char *vm_confine(struct vm *vm, struct wall w);

/* Landlock's ABI version here; 0 or less: it has none. */
int wall_landlock(void);

/* Handler of the SIGSYS (si_code WALL_HIT) that a forbidden system call ends in: says so, exits with EXIT_WALL. Installed
 * by wall_build(), unless SIGSYS has a handler already (to be ignored is none), which then must come here. */
void wall_hit(int signal, siginfo_t *info, void *context) __attribute__((noreturn));

#endif
