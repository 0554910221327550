/* Fork and wait without end for seconds= seconds of the guest's clock (hz= ticks each), beside a process that never
 * calls the kernel but to read the clock, and prints once a second: it runs only because the timer takes the
 * processor from the others. Whoever runs this compares the guest's clock with a real one: had timer interrupts
 * been lost, the run would have taken longer than it says. */
#include "user.h"

/* Counts the ticks between two looks that are further apart than a tenth of a second: was it starved? */
static void spin(uint32_t start, uint32_t ticks, uint32_t hz)
{
    uint32_t last = sys_ticks(), starved = 0, second = 0;

    while (last - start < ticks) {
        uint32_t now = sys_ticks();

        starved += now - last > hz / 10;
        last = now;
        if ((last - start) / hz > second)
            uprintf("soak: second %u\n", ++second);
    }
    verdict("soak-not-starved", 0, starved);
    sys_exit(verdicts());
}

int soak_main(const char *args)
{
    uint32_t hz = option_value(args, "hz", 100), ticks = option_value(args, "seconds", 10) * hz;
    uint32_t start = sys_ticks(), pages = sys_freepages(), children = 0, good = 0;
    int spinner = sys_fork(), spinner_status = -1, status, pid;

    if (spinner == 0)
        spin(start, ticks, hz);
    for (; sys_ticks() - start < ticks; children++) {
        int child = sys_fork();

        if (child == 0) {
            sys_yield();
            sys_exit(3);
        }
        while ((pid = sys_wait(&status)) == spinner)
            spinner_status = status;
        good += pid == child && status == 3;
    }
    if (spinner_status < 0)
        sys_wait(&spinner_status);
    add_verdicts(spinner_status);
    verdict("soak-children", children, good);
    verdict("soak-pages", pages, sys_freepages());
    uprintf("soak: %u ticks at %u Hz, %u children\n", sys_ticks() - start, hz, children);
    return 0;
}
