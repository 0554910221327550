/* --trace=timeline: when the guest was left and entered, by the time-stamp counter, which is the guest's as well. The stamps
 * are taken where the way across is (stamp.inc, around KVM_RUN), kept in memory, and printed when the guest has ended:
 *
 *   TIME <tsc> enter                       the last of the VMM
 *   TIME <tsc> leave <reason> <way>        its first: by gate, signal or kvm
 *
 * Without the option, next and end are both NULL, and a stamp costs their comparison. benchmarks/timeline.c draws it. */
#ifndef TIMELINE_H
#define TIMELINE_H

#include <stdint.h>

#include "host.h"

enum timeline_way { TIMELINE_ENTER, TIMELINE_GATE, TIMELINE_SIGNAL, TIMELINE_KVM };

struct timeline_stamp {
    uint64_t tsc;
    uint32_t way;
    const char *reason;                 /* of leaving: "MOV_TO_CR", "shadow-fill"; NULL until somebody knows */
};

struct timeline { struct timeline_stamp *next, *end; };         /* the same: off, or full */
extern struct timeline timeline __attribute__((visibility("hidden")));

/* From here on. Without memory there are no lines. */
void timeline_begin(void);

/* The lines, to stderr, if it has begun; returns `status`, for main() to end with. */
int timeline_print(int status);

static inline void timeline_stamp(enum timeline_way way, const char *reason)
{
    if (__builtin_expect(timeline.next != timeline.end, 0))
        *timeline.next++ = (struct timeline_stamp){ host_tsc(), way, reason };
}

/* Why the guest was left last. The first to say it is right: a timer that comes before the guest runs is no leaving. */
static inline void timeline_because(const char *reason)
{
    if (__builtin_expect(timeline.next != timeline.end, 0) && !timeline.next[-1].reason)
        timeline.next[-1].reason = reason;
}

/* The timer came before the guest's first instruction: it was not entered. */
static inline void timeline_not_entered(void)
{
    if (__builtin_expect(timeline.next != timeline.end, 0) && timeline.next[-1].way == TIMELINE_ENTER)
        timeline.next--;
}

/* The way back was begun, but something waited, and a second leaving is stamped: only the first was the guest's. */
static inline void timeline_left_before(void)
{
    if (__builtin_expect(timeline.next != timeline.end, 0)) {
        timeline.next--;
        timeline_not_entered();
    }
}

#endif
