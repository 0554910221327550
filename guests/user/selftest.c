/* Every system call once, and what a process must not be able to do. */
#include "user.h"

static volatile uint32_t shared = 1;

/* The exit status of a child that does `what`. */
static int status_of(void (*what)(void))
{
    int status = -2;

    if (sys_fork() == 0) {
        what();
        sys_exit(7);
    }
    sys_wait(&status);
    return status;
}

static void change_memory(void) { shared = 2; }
static void read_null(void) { (void)*(volatile uint32_t *)(uintptr_t)(shared - 1); }
static void read_kernel(void) { (void)*(volatile uint32_t *)0xc0100000; }
static void write_text(void) { *(volatile uint8_t *)(uintptr_t)write_text = 0; }
static void read_port(void) { __asm__ volatile ("in $0x21, %%al" ::: "eax"); }
static void ask_too_much(void) { sys_exit(sys_write((const char *)0xc0100000, 4)); }
static void wait_into_text(void) { sys_exit(sys_wait((int *)(uintptr_t)write_text)); }
static void wait_for_nothing(void)
{
    int child = sys_fork();

    sys_exit(child ? sys_wait(NULL) != child : 0);
}

int selftest_main(const char *args)
{
    uint32_t before = sys_ticks(), end = (uint32_t)sys_brk(8192);
    int status, child = sys_fork();

    (void)args;
    if (child == 0)
        sys_exit(sys_getpid());
    sys_wait(&status);
    verdict("getpid", (uint32_t)child, (uint32_t)status);
    verdict("fork-wait-status", 7, (uint32_t)status_of(change_memory));
    verdict("fork-copies-memory", 1, shared);
    verdict("null-kills", ~0u, (uint32_t)status_of(read_null));
    verdict("kernel-is-out-of-reach", ~0u, (uint32_t)status_of(read_kernel));
    verdict("text-is-read-only", ~0u, (uint32_t)status_of(write_text));
    verdict("ports-are-the-kernels", ~0u, (uint32_t)status_of(read_port));
    verdict("write-checks-its-buffer", ~0u, (uint32_t)status_of(ask_too_much));
    verdict("wait-checks-its-buffer", ~0u, (uint32_t)status_of(wait_into_text));
    verdict("wait-without-status", 0, (uint32_t)status_of(wait_for_nothing));
    *(volatile uint32_t *)(uintptr_t)(end + 8188) = 0x5a;
    verdict("brk-grows", end + 8192, (uint32_t)sys_brk(0));
    verdict("brk-is-memory", 0x5a, *(volatile uint32_t *)(uintptr_t)(end + 8188));
    sys_sleep(2);
    verdict("sleep-sleeps", 1, sys_ticks() - before >= 2);
    verdict("wait-without-child", ~0u, (uint32_t)sys_wait((int *)&shared));
    return 0;
}
