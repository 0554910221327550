/* System calls: int 0x40, number in EAX, arguments in EBX and ECX, result in EAX, -1 for a refusal. */
#include "syscall.h"

#include "kernel.h"
#include "ops.h"
#include "process.h"

static int32_t sys_write(uint32_t text, uint32_t bytes)
{
    if (!process_owns(text, bytes, 0))
        return -1;
    console_write((const char *)text, bytes);
    return (int32_t)bytes;
}

/* Where the status goes may be NULL. */
static int32_t sys_wait(uint32_t status)
{
    int value, pid;

    if (status && !process_owns(status, sizeof value, PTE_W))
        return -1;
    pid = process_wait(&value);
    if (pid >= 0 && status)
        *(int *)status = value;
    return pid;
}

static int32_t sys_sleep(uint32_t how_long)
{
    process_sleep(how_long);
    return 0;
}

/* The command line, for init to choose by. */
static int32_t sys_options(uint32_t to, uint32_t bytes)
{
    const char *line = command_line();
    size_t n = strlen(line) + 1;

    if (n > bytes || !process_owns(to, bytes, PTE_W))
        return -1;
    memcpy((char *)to, line, n);
    return (int32_t)n;
}

int32_t system_call(struct trapframe *f)
{
    switch (f->eax) {
    case SYS_WRITE: return sys_write(f->ebx, f->ecx);
    case SYS_EXIT: process_exit((int)f->ebx);
    case SYS_FORK: return process_fork(f);
    case SYS_WAIT: return sys_wait(f->ebx);
    case SYS_YIELD: yield(); return 0;
    case SYS_SLEEP: return sys_sleep(f->ebx);
    case SYS_GETPID: return process_pid();
    case SYS_TICKS: return (int32_t)ticks;
    case SYS_BRK: return process_brk(f->ebx);
    case SYS_OPTIONS: return sys_options(f->ebx, f->ecx);
    case SYS_FREEPAGES: return (int32_t)pages_free();
    case SYS_PIT: return timer_clock();
    default: return -1;
    }
}
