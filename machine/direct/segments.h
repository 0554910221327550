/* The guest's segment registers on the real processor. A guest selector cannot be loaded as it is (the
 * processor would look in Linux's GDT), so each segment in use gets a descriptor in the process's LDT, with
 * the guest's base and a limit truncated below the monitor. modify_ldt costs microseconds, hence slots. */
#ifndef SEGMENTS_H
#define SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

/* The end of an LDT of one page: the places below stay empty, so that a guest that has an LDT itself traps when it
 * loads from it. */
enum {
    SEGMENT_SLOTS = 64, SEGMENT_FIRST = 512 - SEGMENT_SLOTS,
    /* selectors of the monitor's own segments, for 32-bit code of its own: base 0, limit 4 GiB */
    SEGMENT_MONITOR_CODE = (SEGMENT_FIRST - 2) << 3 | 7, SEGMENT_MONITOR_DATA = (SEGMENT_FIRST - 1) << 3 | 7,
};

struct segment_slot {
    struct segment segment;     /* the guest's */
    uint32_t ceiling;           /* host-linear address where it must end */
    uint32_t last;              /* the last offset that the processor lets through; 0: none */
    uint64_t used;              /* when last; 0: free */
};

struct segments {
    struct segment_slot slot[SEGMENT_SLOTS];
    uint8_t hint[64];           /* by hash: the slot that such a segment was found in last */
    unsigned rewritten;         /* how often a slot got another segment */
    uint64_t clock;
    uint32_t window;            /* host-linear address of guest-linear 0 */
    bool refused;               /* modify_ldt has failed */
};

/* The hardware selector for `seg`, no byte of which at or above `ceiling` is reachable through it. A null or
 * unusable segment yields a null selector. Sets s->refused if Linux will not have such a segment (16-bit ones need
 * CONFIG_X86_16BIT). */
uint16_t segments_select(struct segments *s, const struct segment *seg, uint32_t ceiling);

/* The last offset that the processor lets through `selector`: 0 if none, so that every access traps; all ones if it is
 * not one of ours. */
uint32_t segments_last(const struct segments *s, uint16_t selector);

/* What the guest has in a register that holds `selector` now: it may have loaded one of ours itself, without
 * a trap (POP DS of what PUSH DS showed it), or one of Linux's. */
struct segment segments_found(const struct segments *s, uint16_t selector);

/* Forget all: the window has moved. */
void segments_reset(struct segments *s, uint32_t window);

/* Make the monitor's own segments. False: Linux will not have them. */
bool segments_monitor(void);

/* NULL if modify_ldt gives this process a 32-bit code segment, else why not. */
const char *segments_missing(void);

#endif
