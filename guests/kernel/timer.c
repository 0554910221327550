/* The interrupt controllers and the timer. Intel 8259A and 8254 data sheets. */
#include "kernel.h"
#include "ops.h"

enum { ICW1_INIT = 0x11, ICW4_8086 = 1, EOI = 0x20, PIT_RATE_GENERATOR = 0x34, PIT_COUNTER1 = 0x40 };

volatile uint32_t ticks;
static uint16_t masked = 0xffff & ~(1 << IRQ_CASCADE);

static void write_masks(void)
{
    outb(PORT_PIC1_DATA, masked & 0xff);
    outb(PORT_PIC2_DATA, masked >> 8);
}

/* Vectors 0x20 to 0x2f; all lines masked. */
void pic_init(void)
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

void pic_eoi(unsigned irq)
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
    outb(PORT_PIT_CONTROL, PIT_COUNTER1 | PIT_RATE_GENERATOR);
    outb(PORT_PIT_COUNTER1, 0);
    outb(PORT_PIT_COUNTER1, 0);
    outb(PORT_PIT_CONTROL, PIT_RATE_GENERATOR);
    outb(PORT_PIT_COUNTER0, count & 0xff);
    outb(PORT_PIT_COUNTER0, count >> 8);
    pic_unmask(IRQ_TIMER);
}

uint16_t timer_clock(void)
{
    uint8_t low;

    outb(PORT_PIT_CONTROL, PIT_COUNTER1);       /* latches it */
    low = inb(PORT_PIT_COUNTER1);
    return (uint16_t)(inb(PORT_PIT_COUNTER1) << 8 | low);
}
