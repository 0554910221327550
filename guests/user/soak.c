/* demo and forkwait again and again for seconds= seconds of the guest's clock (hz= ticks each), beside a process that
 * never calls the kernel but to read the clock, and prints once a second: it runs only because the timer takes the
 * processor from the others. At the end, no page may be missing and no tick: what the timer's interrupts counted is
 * compared with a clock that needs none (clock_advance). */
#include "pc.h"
#include "user.h"

enum { ROUND = 0x10000, CALIBRATION = 20000, TOLERANCE = 2, STARVED = 4 };   /* PIT clocks, PIT clocks, ticks, rounds */

/* PIT counter 1 falls at PIT_HZ and goes round every 55 ms; the time-stamp counter tells how often it did. It only
 * has to be right to half a round between two looks, and they may not be further apart than 2^32 cycles. */
static struct {
    uint32_t pit, tsc;          /* at the last look */
    uint32_t cycles;            /* of the time-stamp counter, for one of the PIT's */
    uint32_t total;             /* PIT clocks so far */
} clock;

static SHARED volatile uint32_t rounds;         /* children that have come and gone */

static uint32_t rdtsc(void) { return (uint32_t)__builtin_ia32_rdtsc(); }

/* The least of five, for a pause in between only makes it more. */
static void clock_start(void)
{
    clock.cycles = ~0u;
    for (int i = 0; i < 5; i++) {
        uint32_t tsc = rdtsc(), pit = sys_pit(), clocks;

        while ((clocks = (pit - sys_pit()) % ROUND) < CALIBRATION)
            ;
        clocks = (rdtsc() - tsc) / clocks;
        clock.cycles = clocks < clock.cycles ? clocks : clock.cycles;
    }
    clock.cycles += !clock.cycles;
    clock.tsc = rdtsc();
    clock.pit = sys_pit();
}

/* All of the PIT's clocks since clock_start(). Both counters are read at one time: within an eighth of a round, or once more. */
static uint32_t clock_advance(void)
{
    uint32_t pit, tsc, before, low;
    int32_t more;

    do {
        before = rdtsc();
        pit = sys_pit();
        tsc = rdtsc();
    } while ((tsc - before) / clock.cycles > ROUND / 8);
    low = (clock.pit - pit) % ROUND;
    more = (int32_t)((tsc - clock.tsc) / clock.cycles - low + ROUND / 2);

    clock.total += low + (more > 0 ? (uint32_t)more & ~(ROUND - 1u) : 0);
    clock.pit = pit;
    clock.tsc = tsc;
    return clock.total;
}

static void await_tick(void)
{
    uint32_t ticks = sys_ticks();

    while (sys_ticks() == ticks)
        ;
}

/* Until a tick comes a period after the one before it: then no late ones are on their way. */
static void settle(uint32_t hz)
{
    uint32_t count = PIT_HZ / hz, last, now;

    await_tick();
    now = clock_advance();
    for (int i = 0; i < 1000; i++) {
        last = now;
        await_tick();
        now = clock_advance();
        if (now - last > count - count / 8)
            break;
    }
}

/* Late ticks get some time to arrive: a VMM that was not running delivers them one after another. The clock is read between two
 * looks at the ticks: whoever takes the processor in the meantime makes them differ. */
static void check_ticks(uint32_t start, uint32_t hz)
{
    uint32_t count = (PIT_HZ + hz / 2) / hz, before, want, after;

    for (int i = 0; i < 1000; i++) {
        before = sys_ticks() - start;
        want = clock_advance() / count;
        after = sys_ticks() - start;
        if (after + TOLERANCE >= want)
            break;
        sys_yield();
    }
    uprintf("soak: %u ticks, %u by the clock\n", before, want);
    verdict("soak-ticks", want, before <= want + TOLERANCE && after + TOLERANCE >= want ? want : before);
}

/* Does it get its turns? Told by what the others get done between two looks, not by the clock: a busy host stops all
 * of them. */
static void spin(uint32_t start, uint32_t ticks, uint32_t hz)
{
    uint32_t passed = 0, seen = rounds, starved = 0, second = 0;

    for (; passed < ticks; passed = sys_ticks() - start) {
        uint32_t now = rounds;

        starved += now - seen > STARVED;
        seen = now;
        if (passed / hz > second)
            uprintf("soak: second %u\n", ++second);
    }
    verdict("soak-not-starved", 0, starved);
    sys_exit(verdicts());
}

int soak_main(const char *args)
{
    uint32_t hz = option_value(args, "hz", 100), ticks = option_value(args, "seconds", 10) * hz;
    uint32_t start, pages = sys_freepages(), children = 0, good = 0;
    int spinner, spinner_status = -1, status, pid;

    clock_start();
    settle(hz);
    start = sys_ticks();
    clock.total = 0;
    spinner = sys_fork();
    if (spinner == 0)
        spin(start, ticks, hz);
    for (; sys_ticks() - start < ticks; rounds = ++children) {
        int child = sys_fork();

        if (child == 0) {
            sys_exit(demo_in_turn(false) ? 3 : 4);       /* forks and waits for two more */
        }
        while ((pid = sys_wait(&status)) == spinner)
            spinner_status = status;
        good += pid == child && status == 3;
        clock_advance();
    }
    if (spinner_status < 0)
        sys_wait(&spinner_status);
    check_ticks(start, hz);
    add_verdicts(spinner_status);
    verdict("soak-children", children, good);
    verdict("soak-pages", pages, sys_freepages());
    uprintf("soak: %u ticks at %u Hz, %u children\n", sys_ticks() - start, hz, children);
    return 0;
}
