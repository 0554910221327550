/* Where the time of a run goes: --profile. The program says what it is about to do, profile_to(), and the time-stamp
 * cycles since the last such call are put down to what it did until then. One read of the counter each; without
 * --profile, the test of a flag. */
#ifndef PROFILE_H
#define PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum profile_kind {
    PROFILE_START,              /* from main() to the guest's first instruction, and from its last on */
    PROFILE_IDLE,               /* the guest has halted */
    PROFILE_CACHE,              /* in the code cache: translated code, with the ways in and out */
    PROFILE_DIRECT,             /* user code that runs directly, with its faults */
    PROFILE_DECODE,
    PROFILE_EMIT,               /* planned, emitted */
    PROFILE_ENTER,              /* into the cache's tables; pages sealed */
    PROFILE_LINK,               /* blocks looked for, linked, killed */
    PROFILE_MONITOR,            /* the rest: emulation, events, devices */
    PROFILE_KINDS,
};

/* A way out of the cache. The hardware's and Linux's share of it has no beginning to be seen; it is bounded by the shortest
 * stay that ended so. */
enum profile_way { PROFILE_GATE, PROFILE_SIGNAL, PROFILE_WAYS };

extern bool profile_on;

void profile_begin(void);
void profile_switch(enum profile_kind to);
void profile_count(enum profile_way way);

static inline void profile_to(enum profile_kind to)
{
    if (__builtin_expect(profile_on, false))
        profile_switch(to);
}

/* The guest has stopped, and the cache was left: by a signal or by the gate. */
static inline void profile_left(bool signal)
{
    if (__builtin_expect(profile_on, false))
        profile_count(signal ? PROFILE_SIGNAL : PROFILE_GATE);
}

/* The sums as one JSON object; `instructions`: of the guest's, translated. False: errno tells why. */
bool profile_write(FILE *f, uint64_t instructions);

#endif
