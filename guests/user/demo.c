/* Two processes print in turn: A1 B1 A2 B2 ... Whose turn it is stands in memory that both share; who must wait
 * yields. So the order is the same on every VMM and at every speed. Then both only count, without one system call:
 * that each sees the other's count rise several times shows that the timer takes the processor away. */
#include "user.h"

enum { ROUNDS = 5, GLIMPSES = 3 };

static SHARED volatile uint32_t turn, printed, count[2];
static SHARED volatile char order[2 * ROUNDS];

static SHARED volatile bool aloud, content[2];

static void print_in_turn(uint32_t me)
{
    for (unsigned i = 1; i <= ROUNDS; i++) {
        while (turn != me)
            sys_yield();
        if (aloud)
            uprintf("%c%u\n", "AB"[me], i);
        order[printed++] = "AB"[me];
        turn = !me;
    }
}

/* Neither stops before both have seen enough: on a host that is short of time a turn may be an instruction long, and whoever stops
 * counting is seen no more. */
static void count_against_other(uint32_t me)
{
    uint32_t seen = 0, glimpses = 0;

    content[me] = false;
    for (; !content[0] || !content[1]; count[me]++) {
        uint32_t other = count[!me];

        glimpses += other != seen;
        seen = other;
        content[me] = glimpses >= GLIMPSES;
    }
}

/* Two processes run it. Returns how many of them ended as they should. */
static uint32_t both(void (*what)(uint32_t me))
{
    uint32_t good = 0;
    int status;

    for (uint32_t me = 0; me < 2; me++)
        if (sys_fork() == 0) {
            what(me);
            sys_exit(0);
        }
    while (sys_wait(&status) >= 0)
        good += status == 0;
    return good;
}

bool demo_in_turn(bool printing)
{
    uint32_t right = 0;

    aloud = printing;
    turn = printed = 0;
    if (both(print_in_turn) != 2)
        return false;
    for (unsigned i = 0; i < printed; i++)
        right += order[i] == "AB"[i % 2];
    return right == 2 * ROUNDS;
}

int demo_main(const char *args)
{
    (void)args;
    verdict("demo-in-turn", 1, demo_in_turn(true));
    verdict("demo-preempts", 2, both(count_against_other));
    return 0;
}
