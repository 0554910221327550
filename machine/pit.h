/* Intel 8254 interval timer. Counter 0 drives IRQ 0 in modes 0, 2 and 3; counters 1 and 2 can be read and
 * written, but their outputs lead nowhere. Behaviour: Intel 8254 data sheet (1993), and QEMU's `pc`. Time
 * comes from the caller, in ns. No tick is lost when the host is late: every period that has passed is owed
 * to the guest, up to one second's worth. Read next: bus.c, which pays the debt. */
#ifndef PIT_H
#define PIT_H

#include <stdbool.h>
#include <stdint.h>

struct pit_counter {
    uint32_t count;             /* periods, in input clocks: 1 to 65536; 0 before the first is written */
    uint64_t start;             /* ns at which it was loaded */
    uint16_t latch;
    uint8_t low;                /* first half of a two-byte write */
    uint8_t access;             /* 1 low byte, 2 high byte, 3 low then high */
    uint8_t mode;
    uint8_t status;             /* latched by the read-back command */
    uint8_t latched;            /* bytes of `latch` still to be read */
    bool bcd;                   /* kept for the status byte; counting is binary all the same, as in QEMU */
    bool write_high, read_high; /* the second half comes next */
    bool status_latched;
};

struct pit {
    struct pit_counter counter[3];
    uint64_t periods;           /* of counter 0 since `start` that are accounted for */
    uint32_t owed;              /* ticks the guest has not had yet */
    uint64_t lost;              /* ticks beyond one second of debt: dropped, but counted */
};

void pit_init(struct pit *pit);
uint8_t pit_in(struct pit *pit, uint16_t port, uint64_t now);
void pit_out(struct pit *pit, uint16_t port, uint8_t value, uint64_t now);

/* Add the ticks up to `now` to those owed. */
void pit_advance(struct pit *pit, uint64_t now);

/* ns at which to look at counter 0 next, UINT64_MAX if never: its next tick, or if they come every few microseconds a later
 * one, so that the guest gets on in between. */
uint64_t pit_deadline(const struct pit *pit);

/* The guest has stood still for `ns`, which do not count. */
void pit_stand_still(struct pit *pit, uint64_t ns);

#endif
