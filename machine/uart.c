/* See uart.h. */
#include "uart.h"

#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };
enum { IER_RECEIVE = 1, IER_TRANSMIT = 2, IER_LINE = 4, IER_ALL = 0x0f };
enum { IIR_NONE = 1, IIR_TRANSMIT = 2, IIR_RECEIVE = 4, IIR_LINE = 6, IIR_TIMEOUT = 12, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RECEIVE = 2, FCR_CLEAR_TRANSMIT = 4, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80, MCR_OUT2 = 8, MCR_LOOP = 0x10, MCR_ALL = 0x1f };
enum { LSR_READY = 1, LSR_OVERRUN = 2, LSR_THR_EMPTY = 0x20, LSR_EMPTY = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_DCD = 0x80 };

void uart_init(struct uart *uart)
{
    memset(uart, 0, sizeof *uart);
    uart->divisor[0] = 12;      /* 9600 baud */
    uart->mcr = MCR_OUT2;
}

/* The most urgent reason to interrupt. A FIFO filled below its trigger level counts as timed out at once:
 * the host's bytes come in bursts. */
static uint8_t interrupt_id(const struct uart *uart)
{
    static const uint8_t trigger[] = { 1, 4, 8, 14 };

    if (uart->ier & IER_LINE && uart->overrun)
        return IIR_LINE;
    if (uart->ier & IER_RECEIVE && uart->count)
        return uart->fcr & FCR_ENABLE && uart->count < trigger[uart->fcr >> 6] ? IIR_TIMEOUT : IIR_RECEIVE;
    if (uart->ier & IER_TRANSMIT && uart->thre_pending)
        return IIR_TRANSMIT;
    return IIR_NONE;
}

bool uart_irq(const struct uart *uart)
{
    return interrupt_id(uart) != IIR_NONE;
}

static unsigned capacity(const struct uart *uart)
{
    return uart->fcr & FCR_ENABLE ? UART_FIFO_BYTES : 1;
}

bool uart_is_loopback(const struct uart *uart)
{
    return uart->mcr & MCR_LOOP;
}

bool uart_can_receive(const struct uart *uart)
{
    return !uart_is_loopback(uart) && uart->count < capacity(uart);
}

bool uart_wants_input(const struct uart *uart)
{
    return uart_can_receive(uart) && uart->ier & IER_RECEIVE;
}

void uart_receive(struct uart *uart, uint8_t byte)
{
    if (uart->count == capacity(uart)) {
        uart->overrun = true;
        if (uart->fcr & FCR_ENABLE)
            return;             /* the FIFO keeps what it has; without one, the newest byte stays */
        uart->count--;
    }
    uart->fifo[(uart->first + uart->count) % UART_FIFO_BYTES] = byte;
    uart->count++;
}

static uint8_t take(struct uart *uart)
{
    uint8_t byte;

    if (!uart->count)
        return 0;
    byte = uart->fifo[uart->first];
    uart->first = (uart->first + 1) % UART_FIFO_BYTES;
    uart->count--;
    return byte;
}

static uint8_t modem_status(const struct uart *uart)
{
    unsigned mcr = uart->mcr;

    if (!(mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uint8_t)((mcr & 0x0c) << 4 | (mcr & 2) << 3 | (mcr & 1) << 5);
}

uint8_t uart_in(struct uart *uart, unsigned reg)
{
    uint8_t value;

    if (uart->lcr & LCR_DLAB && reg <= REG_IER)
        return uart->divisor[reg];
    switch (reg) {
    case REG_DATA:
        return take(uart);
    case REG_IER:
        return uart->ier;
    case REG_IIR_FCR:
        value = interrupt_id(uart);
        if (value == IIR_TRANSMIT)
            uart->thre_pending = false;
        return value | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
    case REG_LCR:
        return uart->lcr;
    case REG_MCR:
        return uart->mcr;
    case REG_LSR:
        value = LSR_THR_EMPTY | LSR_EMPTY | (uart->count ? LSR_READY : 0) | (uart->overrun ? LSR_OVERRUN : 0);
        uart->overrun = false;
        return value;
    case REG_MSR:
        return modem_status(uart);
    default:
        return uart->scratch;
    }
}

static void write_fcr(struct uart *uart, uint8_t value)
{
    if ((value ^ uart->fcr) & FCR_ENABLE)
        value |= FCR_CLEAR_RECEIVE | FCR_CLEAR_TRANSMIT;
    if (value & FCR_CLEAR_RECEIVE)
        uart->count = 0;
    if (value & FCR_CLEAR_TRANSMIT)
        uart->thre_pending = true;
    uart->fcr = value & FCR_KEPT;
}

bool uart_out(struct uart *uart, unsigned reg, uint8_t value)
{
    if (uart->lcr & LCR_DLAB && reg <= REG_IER) {
        uart->divisor[reg] = value;
        return false;
    }
    switch (reg) {
    case REG_DATA:
        uart->thre_pending = false;
        return true;
    case REG_IER:
        if ((uart->ier ^ value) & IER_TRANSMIT)
            uart->thre_pending = value & IER_TRANSMIT;
        uart->ier = value & IER_ALL;
        break;
    case REG_IIR_FCR:
        write_fcr(uart, value);
        break;
    case REG_LCR:
        uart->lcr = value;
        break;
    case REG_MCR:
        uart->mcr = value & MCR_ALL;
        break;
    case REG_SCRATCH:
        uart->scratch = value;
        break;
    }
    return false;
}

void uart_sent(struct uart *uart, uint8_t value)
{
    if (uart_is_loopback(uart))
        uart_receive(uart, value);
    uart->thre_pending = true;
}
