/* Protected-mode segmentation: descriptors, the checks of a segment load, the checks of an access, and
 * the four instructions that look at descriptors without loading them. Intel SDM vol. 3A chapter 5. Control
 * transfers between segments are in transfer.h. */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

struct machine;

/* A descriptor as it stands in the guest's GDT or LDT, unpacked. What a gate holds is in `low` and
 * `high`. */
struct descriptor {
    uint32_t gla;               /* where it stands, to set its accessed or busy bit */
    uint32_t low, high;
    struct segment segment;     /* base, limit in bytes, attributes; selector left to the caller */
};

static inline unsigned attr_dpl(unsigned attr) { return attr >> ATTR_DPL_SHIFT & 3; }
static inline bool attr_is_code(unsigned attr)
{
    return (attr & (ATTR_SEGMENT | ATTR_CODE)) == (ATTR_SEGMENT | ATTR_CODE);
}
static inline bool attr_is_writable_data(unsigned attr)
{
    return (attr & (ATTR_SEGMENT | ATTR_CODE | ATTR_WRITABLE)) == (ATTR_SEGMENT | ATTR_WRITABLE);
}
static inline bool selector_is_null(uint16_t selector) { return (selector & ~3) == 0; }

/* Unpack eight bytes (Intel SDM vol. 3A 3.4.5). */
struct segment segment_unpack(uint32_t low, uint32_t high);

/* Fetch the descriptor that `selector` names. Outside its table: `vector` with the selector (and `ext`, 0
 * or 1) as error code; a page fault while reading is possible too. `selector` must not be null. */
bool descriptor_read(struct machine *m, uint16_t selector, enum vector vector, unsigned ext,
                     struct descriptor *out);

/* Set the accessed bit of a code or data descriptor that is about to be loaded. */
bool descriptor_mark_accessed(struct machine *m, struct descriptor *d);

/* MOV, POP, LDS and their kin to ES, SS, DS, FS or GS at the current privilege level (Intel SDM vol. 3A 5.6, 5.7). */
bool segment_load(struct machine *m, enum segreg seg, uint16_t selector);

/* The checks on SS when privilege changes to `dpl`: `vector` is #TS or #GP. Fills `out`, commits nothing. */
bool segment_check_stack(struct machine *m, uint16_t selector, unsigned dpl, enum vector vector, unsigned ext,
                         struct segment *out);

bool segment_load_ldt(struct machine *m, uint16_t selector);      /* LLDT */
bool segment_load_task(struct machine *m, uint16_t selector);     /* LTR */

/* May `bytes` at `offset` be accessed through this segment, as the type, a null selector and the limit demand? */
bool segment_allows(const struct segment *s, uint32_t offset, unsigned bytes, unsigned access);

/* The same for a segment register. False: #GP(0), or #SS(0) for SS, has been raised. */
bool segment_check(struct vcpu *cpu, unsigned seg, uint32_t offset, unsigned bytes, unsigned access);

/* LAR, LSL: *valid tells ZF; *value is written only if valid. VERR, VERW: *valid tells ZF. False only for a
 * page fault in the descriptor table. */
enum inspect { INSPECT_LAR, INSPECT_LSL, INSPECT_VERR, INSPECT_VERW };
bool segment_inspect(struct machine *m, enum inspect what, uint16_t selector, bool *valid, uint32_t *value);

#endif
