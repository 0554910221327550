/* The host's side of the devices: the serial line on stdin and stdout, the clock, and waiting for either. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct console {
    uint8_t out[4096];          /* written out at a line's end, or when the guest waits */
    unsigned held;
    int lost;                   /* errno of the first write that failed: nothing more is written */
    bool closed;                /* stdin has ended */
    bool asked;                 /* the guest has looked for input since the last wait */
};

/* Before anything is opened: descriptors 0 to 2 are taken, for else the guest's RAM would become one of them; and a reader who has
 * gone, or a file that may not grow, is an error of write(), not a signal. */
void console_init(void);

/* The functions that bus_init() wants. */
struct bus_host console_host(struct console *c);

void console_flush(struct console *c);

/* Sleep until `deadline` (ns of CLOCK_MONOTONIC, UINT64_MAX: for ever) or until stdin has something. */
void console_wait(struct console *c, uint64_t deadline);

/* ns of CLOCK_MONOTONIC */
uint64_t console_now(void);

#endif
