/* The I/O ports of the PC and what hangs on them: two 8259, an 8254, a 16550 and the port by which a guest
 * ends its run. All four VMMs use this file and none of the devices knows under which it runs: it needs no
 * C library and reaches the host through three functions. Read next: pic.h, pit.h, uart.h. */
#ifndef BUS_H
#define BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "pic.h"
#include "pit.h"
#include "uart.h"

struct bus_host {
    uint64_t (*now)(void *ctx);             /* ns, monotonic */
    void (*put)(void *ctx, uint8_t byte);   /* to the serial port's other end */
    int (*get)(void *ctx);                  /* from there: a byte, or -1 if there is none now */
    void *ctx;
};

struct bus {
    struct pic pic;
    struct pit pit;
    struct uart uart;
    int exit_status;            /* -1, or what the guest's write to port 0xf4 makes of it: (v << 1) | 1 */
    uint64_t poll;              /* ns at which the host is asked for input next */
    struct bus_host host;
};

void bus_init(struct bus *bus, struct bus_host host);

/* IN and OUT of 1, 2 or 4 bytes. */
uint32_t bus_in(struct bus *bus, uint16_t port, unsigned bytes);
void bus_out(struct bus *bus, uint16_t port, unsigned bytes, uint32_t value);

/* The INTR pin, and the processor's acknowledgement of it, which gives the vector. */
bool bus_intr(const struct bus *bus);
uint8_t bus_ack(struct bus *bus);

/* ns at which bus_tick() must be called next, UINT64_MAX if never. It brings the timer and the receiver up
 * to now; between calls, reading a device's registers does so too. */
uint64_t bus_deadline(const struct bus *bus);
void bus_tick(struct bus *bus);

#endif
