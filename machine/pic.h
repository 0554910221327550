/* Two Intel 8259A interrupt controllers, cascaded as in a PC. Behaviour: Intel 8259A data sheet (1988), and
 * QEMU's `pc` where the sheet leaves room. Inputs are edge-triggered and input 0 is the most urgent. Not
 * modelled, because PC kernels leave them alone: rotating priorities, poll command, special mask and special
 * fully nested modes. */
#ifndef PIC_H
#define PIC_H

#include <stdbool.h>
#include <stdint.h>

struct pic_chip {
    uint8_t irr, isr, imr;
    uint8_t lines;              /* levels of the inputs, to find edges */
    uint8_t base;               /* ICW2: vector of input 0 */
    uint8_t step;               /* initialization word expected next: 2, 3, 4; 0 when done */
    bool needs_icw4, single, auto_eoi, read_isr;
};

struct pic {
    struct pic_chip chip[2];    /* [1] hangs on input 2 of [0] */
};

void pic_init(struct pic *pic);
uint8_t pic_in(struct pic *pic, uint16_t port);
void pic_out(struct pic *pic, uint16_t port, uint8_t value);

/* Drive input `irq` (0 to 15) to `level`. */
void pic_line(struct pic *pic, unsigned irq, bool level);

/* The INTR output, and the processor's acknowledgement of it: the vector. With nothing left to
 * acknowledge it is the spurious one, input 7 of a chip. */
bool pic_intr(const struct pic *pic);
uint8_t pic_ack(struct pic *pic);

/* Is a request of `irq` still waiting to be acknowledged? */
bool pic_pending(const struct pic *pic, unsigned irq);

#endif
