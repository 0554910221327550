/* `run=timeline turns=N`: a system call, a page fault and a timer tick, N times each, and what the time-stamp counter was at
 * their borders: in the user's code before, at the kernel's entry, before its return, in the user's code after. One line a turn,
 * in hexadecimal, for what the VMM has noted meanwhile (--trace=timeline) to be put between:
 *
 *   MARK page-fault 7 <before> <entered> <left> <after> */
#include "user.h"

enum { TURNS = 64, EVENTS = 3, GAP = 1000 };    /* GAP: cycles between two looks at the counter that are worth a question */
enum border { BEFORE, ENTERED, LEFT, AFTER, BORDERS };

static uint64_t now(void) { return __builtin_ia32_rdtsc(); }

static void do_syscall(uint64_t *at)
{
    at[BEFORE] = now();
    sys_getpid();
    at[AFTER] = now();
}

static void do_page_fault(uint64_t *at)
{
    static volatile uint8_t *page = (volatile uint8_t *)TIMELINE_PAGES;

    at[BEFORE] = now();
    *page = 1;
    at[AFTER] = now();
    page += 4096;
}

static void do_tick(uint64_t *at)
{
    at[AFTER] = now();
    do {
        at[BEFORE] = at[AFTER];
        at[AFTER] = now();
    } while (at[AFTER] - at[BEFORE] < GAP);
}

static const struct { const char *name; void (*run)(uint64_t *at); uint32_t vector; } events[EVENTS] = {
    { "system-call", do_syscall, 0x40 }, { "page-fault", do_page_fault, 14 }, { "timer-tick", do_tick, 0x20 },
};

/* Was the kernel entered for that, and nothing else? */
static bool happened(uint64_t *at, uint32_t vector)
{
    struct timeline_trap trap;

    if (syscall2(SYS_TIMELINE, (uint32_t)&trap, 0) != SYS_TIMELINE || trap.vector != vector)
        return false;
    at[ENTERED] = trap.entered;
    at[LEFT] = trap.left;
    return at[BEFORE] <= at[ENTERED] && at[LEFT] <= at[AFTER];
}

int timeline_main(const char *args)
{
    uint32_t turns = option_value(args, "turns", 40);
    uint64_t (*at)[TURNS][BORDERS] = (void *)sys_brk(EVENTS * sizeof *at);

    turns = turns < TURNS ? turns : TURNS;
    for (unsigned e = 0; e < EVENTS; e++)
        for (unsigned turn = 0; turn < turns; )
            if (events[e].run(at[e][turn]), happened(at[e][turn], events[e].vector))
                turn++;
    for (unsigned e = 0; e < EVENTS; e++)
        for (unsigned turn = 0; turn < turns; turn++) {
            uprintf("MARK %s %u", events[e].name, turn);
            for (unsigned b = 0; b < BORDERS; b++)
                uprintf(" %08x%08x", (uint32_t)(at[e][turn][b] >> 32), (uint32_t)at[e][turn][b]);
            uprintf("\n");
        }
    return 0;
}
