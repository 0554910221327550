/* NS16550A serial port: what a kernel's console driver needs of it (National Semiconductor PC16550D data
 * sheet). A byte written leaves at once, so the transmitter is always empty; the receiver holds up to 16. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

enum { UART_FIFO_BYTES = 16 };

struct uart {
    uint8_t ier, fcr, lcr, mcr, scratch;
    uint8_t divisor[2];
    bool thre_pending;          /* the transmitter-empty interrupt: set by an event, cleared by reading IIR */
    bool overrun;
    uint8_t fifo[UART_FIFO_BYTES];
    uint8_t first, count;
};

void uart_init(struct uart *uart);

/* Register `reg` (0 to 7). uart_out() returns true if `value` is to be sent to the host. */
uint8_t uart_in(struct uart *uart, unsigned reg);
bool uart_out(struct uart *uart, unsigned reg, uint8_t value);

bool uart_can_receive(const struct uart *uart);
void uart_receive(struct uart *uart, uint8_t byte);

/* The interrupt line, after the gate OUT2 of the modem control register. */
bool uart_irq(const struct uart *uart);

#endif
