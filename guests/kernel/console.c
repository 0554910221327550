/* The console: the first 16550, output only. A FIFO's worth of bytes costs one look at the line status and one
 * REP OUTSB, for every port access is a trap under a VMM. */
#include <stdarg.h>

#include "kernel.h"
#include "ops.h"

enum { UART_IER = 1, UART_FCR, UART_LCR, UART_MCR, UART_LSR, FIFO_BYTES = 16, LSR_THR_EMPTY = 0x20 };

void console_init(void)
{
    outb(PORT_COM1 + UART_IER, 0);
    outb(PORT_COM1 + UART_LCR, 0x80);
    outb(PORT_COM1, 1);                 /* divisor 1: 115,200 baud */
    outb(PORT_COM1 + UART_IER, 0);
    outb(PORT_COM1 + UART_LCR, 3);      /* 8 bits, no parity, 1 stop bit */
    outb(PORT_COM1 + UART_FCR, 7);      /* FIFOs on and empty */
    outb(PORT_COM1 + UART_MCR, 0xb);    /* DTR, RTS, and OUT2: the interrupt's gate */
}

void console_write(const char *text, size_t bytes)
{
    while (bytes) {
        size_t n = bytes < FIFO_BYTES ? bytes : FIFO_BYTES;

        while (!(inb(PORT_COM1 + UART_LSR) & LSR_THR_EMPTY))
            ;
        outb_block(PORT_COM1, text, n);
        text += n;
        bytes -= n;
    }
}

void kprintf(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    console_write(line, format_text(line, sizeof line, format, args));
    va_end(args);
}
