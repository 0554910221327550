/* NS16550A serial port: what a kernel's console driver needs of it. Behaviour: National Semiconductor
 * PC16550D data sheet (1995), and QEMU's serial port. A byte written has left at once, so the transmitter is
 * always empty; the transmit-empty interrupt still comes and goes as the data sheet has it, which gives a
 * guest an interrupt at a known instruction. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

enum { UART_FIFO_BYTES = 16 };

struct uart {
    uint8_t ier, fcr, lcr, mcr, scratch;
    uint8_t divisor[2];
    bool thre_pending;          /* transmit-empty interrupt: set by an event, cleared by reading IIR */
    bool overrun;
    uint8_t fifo[UART_FIFO_BYTES];
    uint8_t first, count;
};

void uart_init(struct uart *uart);

/* Registers 0 to 7. uart_out() returns true if `value` is to be transmitted: the caller looks at the
 * interrupt line, sends the byte, calls uart_sent(), looks again. The line's fall and rise in between are
 * the edge that the 8259 needs. */
uint8_t uart_in(struct uart *uart, unsigned reg);
bool uart_out(struct uart *uart, unsigned reg, uint8_t value);
void uart_sent(struct uart *uart, uint8_t value);
bool uart_is_loopback(const struct uart *uart);

/* May uart_receive() be called without loss? */
bool uart_can_receive(const struct uart *uart);
void uart_receive(struct uart *uart, uint8_t byte);
bool uart_wants_input(const struct uart *uart);     /* will a received byte interrupt? */

/* The interrupt line. Not gated by OUT2 of the modem control register: QEMU's is not either. */
bool uart_irq(const struct uart *uart);

#endif
