/* The PC's devices: the first 16550 as console, output only; the interrupt controllers; the timer. Intel 8259A and 8254,
 * NS16550A data sheets. A FIFO's worth of bytes costs one look at the line status and one REP OUTSB, for every port access
 * is a trap under a VMM. */
#include "kernel.h"
#include "native/ports.h"
#include "ops.h"

/* ---- the console ---- */

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

/* ---- interrupts ---- */

enum { ICW1_INIT = 0x11, ICW4_8086 = 1, EOI = 0x20, PIT_RATE_GENERATOR = 0x34, PIT_ONE_SHOT = 0x30, PIT_LATCH_1 = 0x40 };

static uint16_t masked = 0xffff & ~(1 << IRQ_CASCADE);

static void write_masks(void)
{
    outb(PORT_PIC1_DATA, masked & 0xff);
    outb(PORT_PIC2_DATA, masked >> 8);
}

/* Vectors 0x20 to 0x2f. */
void irq_init(void)
{
    outb(PORT_PIC1_COMMAND, ICW1_INIT);
    outb(PORT_PIC2_COMMAND, ICW1_INIT);
    outb(PORT_PIC1_DATA, VEC_IRQ);
    outb(PORT_PIC2_DATA, VEC_IRQ + 8);
    outb(PORT_PIC1_DATA, 1 << IRQ_CASCADE);
    outb(PORT_PIC2_DATA, IRQ_CASCADE);
    outb(PORT_PIC1_DATA, ICW4_8086);
    outb(PORT_PIC2_DATA, ICW4_8086);
    write_masks();
}

static void pic_unmask(unsigned irq)
{
    masked &= ~(1u << irq);
    write_masks();
}

unsigned irq_take(unsigned vector) { return vector - VEC_IRQ; }

void irq_done(unsigned irq)
{
    if (irq >= 8)
        outb(PORT_PIC2_COMMAND, EOI);
    outb(PORT_PIC1_COMMAND, EOI);
}

void timer_init(uint32_t hz)
{
    uint32_t count = hz ? (PIT_HZ + hz / 2) / hz : 0;

    if (count > 0xffff)
        count = 0;                      /* 65536: 18.2 Hz, the slowest */
    else if (count < 2)
        count = 2;                      /* the fastest that this mode counts */
    outb(PORT_PIT_CONTROL, PIT_LATCH_1 | PIT_RATE_GENERATOR);
    outb(PORT_PIT_COUNTER1, 0);
    outb(PORT_PIT_COUNTER1, 0);
    outb(PORT_PIT_CONTROL, PIT_RATE_GENERATOR);
    outb(PORT_PIT_COUNTER0, count & 0xff);
    outb(PORT_PIT_COUNTER0, count >> 8);
    pic_unmask(IRQ_TIMER);
}

/* ---- the timer ---- */

uint32_t timer_ticks(void) { return 1; }

uint16_t timer_clock(void)
{
    uint8_t low;

    outb(PORT_PIT_CONTROL, PIT_LATCH_1);       /* latches it */
    low = inb(PORT_PIT_COUNTER1);
    return (uint16_t)(inb(PORT_PIT_COUNTER1) << 8 | low);
}

/* ---- an interrupt on order: arm-irq.asm has its beginning ---- */

enum { UART_IIR = 2 };

void quiet_irq(unsigned irq)
{
    if (irq == IRQ_COM1)
        inb(PORT_COM1 + UART_IIR);      /* reading what it is takes the request back */
}

void disarm_irq(void)
{
    outb(PORT_COM1 + UART_IER, 0);
    quiet_irq(IRQ_COM1);
    outb(PORT_PIT_CONTROL, PIT_ONE_SHOT);       /* and no count: silent */
    irq_init();                         /* all masked, and forgets what it has seen */
}

void timer_once(uint32_t clocks)
{
    armed = 1;
    outb(PORT_PIT_CONTROL, PIT_ONE_SHOT);
    outb(PORT_PIT_COUNTER0, clocks & 0xff);
    outb(PORT_PIT_COUNTER0, (uint8_t)(clocks >> 8));
    outb(PORT_PIC1_DATA, 0xff & ~(1 << IRQ_TIMER));
}
