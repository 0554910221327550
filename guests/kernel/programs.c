/* The programs that run in the kernel itself. User programs are in guests/user/init.c. */
#include "kernel.h"

void probes_main(void);
void race_main(void);
void bench_main(void);
void timeline_main(void);

/* What a bug in the kernel looks like. */
static void panic_main(void)
{
    volatile uint32_t number = 100, zero = 0;   /* 1 / zero would not do: gcc divides by one with a comparison */

    kprintf("%u\n", number / zero);
}

const struct program programs[] = {
    { "probes", probes_main },          /* is every instruction right? */
    { "race", race_main },              /* the story: a lost update */
    { "bench", bench_main },            /* what does each operation cost? */
    { "timeline", timeline_main },      /* notes the time at the ways in and out; process 1 goes on */
    { "panic", panic_main },            /* a divide error on purpose */
    { NULL, NULL },
};
