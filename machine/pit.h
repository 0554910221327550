/* Intel 8254 interval timer: counter 0 drives IRQ 0. Modes 0, 2 and 3 (Intel 8254 data sheet); the other two
 * counters keep what is written but count nothing. Time is given by the caller, in ns.
 * No tick is lost when the host is late: every period that has passed is owed to the guest and delivered as
 * soon as it has acknowledged the one before, up to one second's worth (pit_tick). */
#ifndef PIT_H
#define PIT_H

#include <stdbool.h>
#include <stdint.h>

struct pit_counter {
    uint16_t reload;            /* 0 means 65536 */
    uint16_t latch;
    uint8_t low;                /* first half of a two-byte write */
    uint8_t access;             /* 1 low byte, 2 high byte, 3 low then high */
    uint8_t mode;               /* 0 to 5 */
    uint8_t status;             /* latched by the read-back command */
    bool bcd;
    bool write_high, read_high; /* the second half comes next */
    bool latched, status_latched;
    bool running;
    uint64_t start;             /* ns at which the count was loaded */
};

struct pit {
    struct pit_counter counter[3];
    uint64_t periods;           /* of counter 0 since its start that have been looked at */
    uint32_t owed;              /* ticks to be delivered */
    uint64_t lost;              /* ticks beyond one second of debt: dropped, but counted */
};

void pit_init(struct pit *pit);
uint8_t pit_in(struct pit *pit, uint16_t port, uint64_t now);
void pit_out(struct pit *pit, uint16_t port, uint8_t value, uint64_t now);

/* Account for the time up to `now`; then take one tick of those owed, if any. */
void pit_advance(struct pit *pit, uint64_t now);
bool pit_take_tick(struct pit *pit);

/* ns at which the next period of counter 0 ends, UINT64_MAX if it is not running. */
uint64_t pit_deadline(const struct pit *pit);

#endif
