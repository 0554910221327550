/* A bytecode interpreter with one indirect jump per step; its program searches the longest Collatz chain that
 * starts below 100. Mix: indirect jumps with a history that real predictors follow and software tables do not,
 * byte loads, few instructions between.
 * Expected: 97 takes 118 steps (OEIS A006877, A006878): 97 << 16 | 118. */
#include "compute.h"

enum { MOVE, IMMEDIATE, INCREMENT, HALVE, TRIPLE_PLUS_1, JUMP_EVEN, JUMP_LESS, JUMP_NOT_ONE, JUMP, STOP };
enum { START, VALUE, STEPS, BEST, BEST_START, END };         /* registers of the bytecode's machine */

static const uint8_t program[] = {
    /*  0 */ IMMEDIATE, START, 1,
    /*  3 */ IMMEDIATE, BEST, 0,
    /*  6 */ IMMEDIATE, END, 100,
    /*  9 */ MOVE, VALUE, START,                /* for each start */
    /* 12 */ IMMEDIATE, STEPS, 0,
    /* 15 */ JUMP, 28,
    /* 17 */ INCREMENT, STEPS,                  /* one step of the chain */
    /* 19 */ JUMP_EVEN, VALUE, 26,
    /* 22 */ TRIPLE_PLUS_1, VALUE,
    /* 24 */ JUMP, 28,
    /* 26 */ HALVE, VALUE,
    /* 28 */ JUMP_NOT_ONE, VALUE, 17,
    /* 31 */ JUMP_LESS, STEPS, BEST, 41,        /* remember the longest */
    /* 35 */ MOVE, BEST, STEPS,
    /* 38 */ MOVE, BEST_START, START,
    /* 41 */ INCREMENT, START,
    /* 43 */ JUMP_LESS, START, END, 9,
    /* 47 */ STOP,
};

uint32_t dispatch(void)
{
    static const void *const handler[] = {
        &&move, &&immediate, &&increment, &&halve, &&triple_plus_1, &&jump_even, &&jump_less,
        &&jump_not_one, &&jump, &&stop,
    };
    uint32_t r[8] = { 0 };
    const uint8_t *pc = program;
#define NEXT(size) do { pc += (size); goto *handler[*pc]; } while (0)
#define GO(taken, size, target) do { pc = (taken) ? program + (target) : pc + (size); NEXT(0); } while (0)
    NEXT(0);
move:           r[pc[1]] = r[pc[2]];            NEXT(3);
immediate:      r[pc[1]] = pc[2];               NEXT(3);
increment:      r[pc[1]]++;                     NEXT(2);
halve:          r[pc[1]] >>= 1;                 NEXT(2);
triple_plus_1:  r[pc[1]] = 3 * r[pc[1]] + 1;    NEXT(2);
jump_even:      GO(!(r[pc[1]] & 1), 3, pc[2]);
jump_less:      GO(r[pc[1]] < r[pc[2]], 4, pc[3]);
jump_not_one:   GO(r[pc[1]] != 1, 3, pc[2]);
jump:           GO(true, 2, pc[1]);
stop:
    return r[BEST_START] << 16 | r[BEST];
}
