/* What every VMM counts, so that techniques can be compared by numbers that repeat exactly. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "decode.h"

enum { EXIT_KINDS_MAX = 32, HYPERCALLS_MAX = 32 };

struct counters {
    const char *const *exit_names;      /* of this VMM's exit reasons; ends with NULL */
    uint64_t exits[EXIT_KINDS_MAX];
    uint64_t ticks[EXIT_KINDS_MAX];     /* TSC ticks from such an exit to the next entry; of a VMM that reads the TSC there */
    uint64_t emulated[ISA_COUNT];
    uint64_t events[256];               /* delivered to the guest, by vector */
    uint64_t pages_shadowed, pages_flushed;
    uint64_t blocks_translated, blocks_chained, blocks_invalidated, blocks_evicted;
    uint64_t guest_bytes, host_bytes, instructions;     /* of the blocks translated */
    uint64_t looked_up, missed;         /* entries and indirect branches whose block was there, and was not */
    uint64_t predicted;                 /* targets of indirect branches that were written into the branch */
    const char *const *hypercall_names;                 /* HYPERCALLS_MAX at most; NULL: this VMM has none */
    uint64_t hypercalls[HYPERCALLS_MAX];
    uint64_t timer_ticks_lost;          /* beyond one second of debt: see pit.h */
};

/* Write them as one JSON object to `f`, and close it. False: errno tells why. */
bool counters_write(const struct counters *c, const char *vmm, FILE *f);

#endif
