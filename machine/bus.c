/* See bus.h. A device's line is looked at after each access to it; the timer's debt is paid whenever its
 * request has been acknowledged. */
#include "bus.h"

#include "pc.h"

enum { UART_REGISTERS = 8, RECEIVE_POLL_NS = 5000000, REG_LSR = 5 };

void bus_init(struct bus *bus, struct bus_host host)
{
    pic_init(&bus->pic);
    pit_init(&bus->pit);
    uart_init(&bus->uart);
    bus->exit_status = -1;
    bus->poll = 0;
    bus->host = host;
}

static uint64_t now(const struct bus *bus)
{
    return bus->host.now(bus->host.ctx);
}

/* Ticks that are due become requests, one at a time. While the guest masks the timer it misses them, as on
 * hardware, but for the one that the 8259 remembers. */
static void pay_ticks(struct bus *bus)
{
    if (bus->pit.owed && !pic_pending(&bus->pic, IRQ_TIMER)) {
        pic_line(&bus->pic, IRQ_TIMER, true);
        pic_line(&bus->pic, IRQ_TIMER, false);
        bus->pit.owed--;
    }
}

static void timer_tick(struct bus *bus)
{
    uint32_t owed = bus->pit.owed;

    pit_advance(&bus->pit, now(bus));
    if (bus->pic.chip[0].imr & 1 << IRQ_TIMER && bus->pit.owed > owed)
        bus->pit.owed = owed + !pic_pending(&bus->pic, IRQ_TIMER);
    pay_ticks(bus);
}

/* Ask the host for input, but not at every look of a guest that polls: that is a system call each. */
static void receive(struct bus *bus)
{
    uint64_t time = now(bus);
    int byte;

    if (time < bus->poll)
        return;
    while (uart_can_receive(&bus->uart) && (byte = bus->host.get(bus->host.ctx)) >= 0)
        uart_receive(&bus->uart, (uint8_t)byte);
    if (uart_can_receive(&bus->uart))
        bus->poll = time + RECEIVE_POLL_NS;
    pic_line(&bus->pic, IRQ_COM1, uart_irq(&bus->uart));
}

static void uart_write(struct bus *bus, unsigned reg, uint8_t value)
{
    bool send = uart_out(&bus->uart, reg, value);

    pic_line(&bus->pic, IRQ_COM1, uart_irq(&bus->uart));
    if (!send)
        return;
    if (!uart_is_loopback(&bus->uart))
        bus->host.put(bus->host.ctx, value);
    uart_sent(&bus->uart, value);
    pic_line(&bus->pic, IRQ_COM1, uart_irq(&bus->uart));
}

static bool is_pic(uint16_t port)
{
    return (port & ~1) == PORT_PIC1_COMMAND || (port & ~1) == PORT_PIC2_COMMAND;
}

static uint8_t in_byte(struct bus *bus, uint16_t port)
{
    unsigned reg = (unsigned)port - PORT_COM1;
    uint8_t value;

    if (is_pic(port))
        return pic_in(&bus->pic, port);
    if ((port & ~3) == PORT_PIT_COUNTER0)
        return pit_in(&bus->pit, port, now(bus));
    if (reg >= UART_REGISTERS)
        return 0xff;
    if (reg == REG_LSR)
        receive(bus);
    value = uart_in(&bus->uart, reg);
    pic_line(&bus->pic, IRQ_COM1, uart_irq(&bus->uart));
    return value;
}

static void out_byte(struct bus *bus, uint16_t port, uint8_t value)
{
    unsigned reg = (unsigned)port - PORT_COM1;

    if (is_pic(port)) {
        if (port == PORT_PIC1_DATA)
            timer_tick(bus);                    /* what came before the new mask, by the old one */
        pic_out(&bus->pic, port, value);
        pay_ticks(bus);
    } else if ((port & ~3) == PORT_PIT_COUNTER0) {
        pit_out(&bus->pit, port, value, now(bus));
    } else if (reg < UART_REGISTERS) {
        uart_write(bus, reg, value);
    } else if (port == PORT_DEBUG_EXIT && bus->exit_status < 0) {
        bus->exit_status = (value << 1 | 1) & 0xff;
    }
}

/* All devices here are eight bits wide: a wider access is one to each port in turn. */
uint32_t bus_in(struct bus *bus, uint16_t port, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)in_byte(bus, (uint16_t)(port + i)) << 8 * i;
    return value;
}

void bus_out(struct bus *bus, uint16_t port, unsigned bytes, uint32_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        out_byte(bus, (uint16_t)(port + i), (uint8_t)(value >> 8 * i));
}

bool bus_intr(const struct bus *bus)
{
    return pic_intr(&bus->pic);
}

uint8_t bus_ack(struct bus *bus)
{
    uint8_t vector = pic_ack(&bus->pic);

    pay_ticks(bus);
    return vector;
}

uint64_t bus_deadline(const struct bus *bus)
{
    uint64_t deadline = pit_deadline(&bus->pit);

    if (uart_wants_input(&bus->uart) && bus->poll < deadline)
        deadline = bus->poll;
    return deadline;
}

void bus_tick(struct bus *bus)
{
    timer_tick(bus);
    if (uart_wants_input(&bus->uart))
        receive(bus);
}
