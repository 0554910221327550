/* See pit.h. Nothing counts here: what a counter holds is worked out from the clock when somebody asks. */
#include "pit.h"

#include <string.h>

#include "pc.h"

#define NS_PER_SECOND 1000000000u

enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };

/* Between two looks at the timer, in input clocks: 50 us. A guest may ask for a tick every 838 ns, which is less than it
 * takes to enter it: it would be interrupted before its first instruction, for ever. The ticks between are owed. */
enum { LOOK_CLOCKS = 60 };

/* Input clocks in `ns`, and the ns that `clocks` take, rounded up: exact over centuries, because whole
 * seconds are taken out before anything is multiplied. */
static uint64_t clocks_in(uint64_t ns)
{
    return ns / NS_PER_SECOND * PIT_HZ + ns % NS_PER_SECOND * PIT_HZ / NS_PER_SECOND;
}

static uint64_t ns_for(uint64_t clocks)
{
    return clocks / PIT_HZ * NS_PER_SECOND + (clocks % PIT_HZ * NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ;
}

static uint64_t elapsed(const struct pit_counter *c, uint64_t now)
{
    return now > c->start ? clocks_in(now - c->start) : 0;
}

static bool is_periodic(const struct pit_counter *c)
{
    return c->mode == 2 || c->mode == 3;
}

static uint16_t value_of(const struct pit_counter *c, uint64_t now)
{
    uint64_t clocks = elapsed(c, now);

    if (!c->count)
        return 0;
    if (c->mode == 3)                           /* counts down by two, twice a period */
        return (uint16_t)(c->count - 2 * clocks % c->count);
    if (c->mode == 2)
        return (uint16_t)(c->count - clocks % c->count);
    return (uint16_t)(c->count - clocks);
}

static bool output_of(const struct pit_counter *c, uint64_t now)
{
    uint64_t clocks = elapsed(c, now);

    if (!c->count)
        return is_periodic(c);
    if (c->mode == 3)
        return clocks % c->count < (c->count + 1) / 2;
    if (c->mode == 2)
        return clocks % c->count != c->count - 1;
    return clocks >= c->count;
}

void pit_init(struct pit *pit)
{
    memset(pit, 0, sizeof *pit);
    for (int i = 0; i < 3; i++)
        pit->counter[i].access = ACCESS_BOTH;
}

void pit_advance(struct pit *pit, uint64_t now)
{
    const struct pit_counter *c = &pit->counter[0];
    uint64_t periods, most, debt;

    if (!c->count || now < c->start || (!is_periodic(c) && (c->mode != 0 || pit->periods)))
        return;
    periods = elapsed(c, now) / c->count;
    if (!is_periodic(c) && periods > 1)
        periods = 1;                            /* mode 0 ticks once */
    most = PIT_HZ / c->count;
    debt = pit->owed + (periods - pit->periods);
    if (debt > most) {
        pit->lost += debt - most;
        debt = most;
    }
    pit->owed = (uint32_t)debt;
    pit->periods = periods;
}

uint64_t pit_deadline(const struct pit *pit)
{
    const struct pit_counter *c = &pit->counter[0];
    uint32_t ticks = 1;

    if (!c->count || (!is_periodic(c) && (c->mode != 0 || pit->periods)))
        return UINT64_MAX;
    if (is_periodic(c) && c->count < LOOK_CLOCKS)
        ticks = LOOK_CLOCKS / c->count;
    return c->start + ns_for((pit->periods + ticks) * c->count);
}

static void latch_count(struct pit_counter *c, uint64_t now)
{
    if (c->latched)
        return;                                 /* the first latch command wins until it is read */
    c->latch = value_of(c, now);
    c->latched = c->access == ACCESS_BOTH ? 2 : 1;
}

static void read_back(struct pit *pit, uint8_t command, uint64_t now)
{
    for (int i = 0; i < 3; i++) {
        struct pit_counter *c = &pit->counter[i];

        if (!(command & 2u << i))
            continue;
        if (!(command & 0x20))
            latch_count(c, now);
        if (!(command & 0x10) && !c->status_latched) {
            c->status = (uint8_t)(output_of(c, now) << 7 | !c->count << 6 | c->access << 4 | c->mode << 1 | c->bcd);
            c->status_latched = true;
        }
    }
}

/* A new mode stops the counter until a count is written. */
static void set_mode(struct pit *pit, unsigned which, uint8_t command)
{
    unsigned mode = command >> 1 & 7;

    pit->counter[which] = (struct pit_counter){
        .access = command >> 4 & 3, .mode = (uint8_t)(mode > 5 ? mode - 4 : mode), .bcd = command & 1,
    };
    if (which == 0)
        pit->owed = 0;
}

static void load(struct pit *pit, unsigned which, uint16_t value, uint64_t now)
{
    pit->counter[which].count = value ? value : 65536;
    pit->counter[which].start = now;
    if (which == 0)
        pit->periods = 0;
}

void pit_out(struct pit *pit, uint16_t port, uint8_t value, uint64_t now)
{
    unsigned which = port == PORT_PIT_CONTROL ? value >> 6 : port & 3u;
    struct pit_counter *c = &pit->counter[which < 3 ? which : 0];

    pit_advance(pit, now);
    if (port == PORT_PIT_CONTROL) {
        if (which == 3)
            read_back(pit, value, now);
        else if ((value >> 4 & 3) == ACCESS_LATCH)
            latch_count(c, now);
        else
            set_mode(pit, which, value);
    } else if (c->access == ACCESS_LOW) {
        load(pit, which, value, now);
    } else if (c->access == ACCESS_HIGH) {
        load(pit, which, (uint16_t)(value << 8), now);
    } else {
        if (c->write_high)
            load(pit, which, (uint16_t)(value << 8 | c->low), now);
        else
            c->low = value;
        c->write_high = !c->write_high;
    }
}

uint8_t pit_in(struct pit *pit, uint16_t port, uint64_t now)
{
    struct pit_counter *c = &pit->counter[port & 3u];
    uint16_t value;
    bool high;

    if (port == PORT_PIT_CONTROL)
        return 0;                               /* write-only; QEMU answers 0 */
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    value = c->latched ? c->latch : value_of(c, now);
    if (c->access == ACCESS_BOTH) {
        high = c->read_high;
        c->read_high = !c->read_high;
    } else {
        high = c->access == ACCESS_HIGH;
    }
    if (c->latched)
        c->latched--;
    return (uint8_t)(high ? value >> 8 : value);
}

void pit_stand_still(struct pit *pit, uint64_t ns)
{
    for (int i = 0; i < 3; i++)
        pit->counter[i].start += ns;
}
