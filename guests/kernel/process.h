/* Processes: see process.c. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct trapframe;

void process_start(uint32_t entry);             /* process 1 at user address `entry`; returns never */
bool process_running(void);
void process_tick(void);                        /* the timer: wake sleepers, a switch is due */
void yield(void);
void yield_if_due(void);
void process_exit(int status) __attribute__((noreturn));
int process_fork(const struct trapframe *f);    /* the child's pid, or -1: no place */
int process_wait(int *status);
void process_sleep(uint32_t how_long);          /* ticks */
int process_pid(void);
int32_t process_brk(uint32_t bytes);
bool process_owns(uint32_t va, uint32_t bytes, uint32_t rights);    /* PTE_W to write there, 0 to read */

int32_t system_call(struct trapframe *f);         /* in syscall.c */

#endif
