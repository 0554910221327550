/* Two processes that print in turn, each at its own tick of the timer: A at even ones from the start, B at odd ones.
 * The order is the same on every VMM and at every speed, so a transcript can be compared word by word. */
#include "user.h"

enum { ROUNDS = 5 };

static void sleep_until(uint32_t tick)
{
    int32_t left = (int32_t)(tick - sys_ticks());

    if (left > 0)
        sys_sleep((uint32_t)left);
}

int demo_main(const char *args)
{
    uint32_t start = sys_ticks() + 1;
    int child, status = -1;

    (void)args;
    child = sys_fork();
    for (unsigned i = 0; i < ROUNDS; i++) {
        sleep_until(start + 2 * i + (child == 0));
        uprintf("%c%u\n", child ? 'A' : 'B', i + 1);
        sys_yield();                    /* who is late must not print twice in a row */
    }
    if (child == 0)
        sys_exit(0);
    verdict("demo-child", (uint32_t)child, (uint32_t)sys_wait(&status));
    return 0;
}
