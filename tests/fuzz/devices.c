/* The devices, by the ports alone, in any order, with time going on as the input says: nothing waits in the past once the bus has been
 * called, no more ticks come than periods have passed, and what comes out of a port is as wide as was asked for. */
#include <string.h>

#include "bus.h"
#include "fuzz.h"
#include "pc.h"

enum { STEPS_MAX = 2000 };

static struct bus bus;
static uint64_t now;
static struct input *source;            /* of what arrives at the serial port */
static unsigned waiting;

static uint64_t host_now(void *ctx) { (void)ctx; return now; }
static void host_put(void *ctx, uint8_t byte) { (void)ctx, (void)byte; }

static int host_get(void *ctx)
{
    (void)ctx;
    if (!waiting)
        return -1;
    waiting--;
    return (int)take(source, 1);
}

static uint16_t a_port(struct input *in)
{
    static const uint16_t ports[] = {
        PORT_PIC1_COMMAND, PORT_PIC1_DATA, PORT_PIC2_COMMAND, PORT_PIC2_DATA, 0x40, 0x41, 0x42, PORT_PIT_CONTROL, PORT_COM1,
        PORT_COM1 + 1, PORT_COM1 + 2, PORT_COM1 + 3, PORT_COM1 + 4, PORT_COM1 + 5, PORT_COM1 + 6, PORT_COM1 + 7, PORT_DEBUG_EXIT,
        PORT_PIC1_COMMAND - 1, PORT_COM1 - 2, PORT_DEBUG_EXIT - 3, 0xffff, 0x3e,
    };
    unsigned which = take_below(in, sizeof ports / sizeof ports[0] + 1);

    return which < sizeof ports / sizeof ports[0] ? ports[which] : (uint16_t)take(in, 2);
}

static bool is_device(uint16_t port)
{
    return (port & ~1) == PORT_PIC1_COMMAND || (port & ~1) == PORT_PIC2_COMMAND || (port & ~3) == PORT_PIT_COUNTER0 ||
           (port & ~7) == PORT_COM1;
}

static void read_port(struct input *in)
{
    unsigned bytes = 1u << take_below(in, 3);
    uint16_t port = a_port(in);
    uint32_t value = bus_in(&bus, port, bytes);

    must(bytes == 4 || value >> 8 * bytes == 0, "%u bytes from port %#x are %#x", bytes, port, value);
    for (unsigned i = 0; i < bytes; i++)
        must(is_device((uint16_t)(port + i)) || (value >> 8 * i & 0xff) == 0xff, "port %#x, where nothing is, reads %#x", port + i,
             value >> 8 * i & 0xff);
}

static void write_port(struct input *in)
{
    unsigned bytes = 1u << take_below(in, 3);
    uint16_t port = a_port(in);
    int status = bus.exit_status;

    bus_out(&bus, port, bytes, take(in, bytes));
    must(status < 0 || bus.exit_status == status, "a guest that has ended ends otherwise");
    must(bus.exit_status == -1 || (bus.exit_status & 1 && bus.exit_status <= 0xff), "exit status %d", bus.exit_status);
}

/* The processor takes the interrupt: its vector is one of the chips', and the chip has it in service unless it ends by itself. */
static void acknowledge(void)
{
    const struct pic_chip *chip;
    bool asked = bus_intr(&bus);
    uint8_t vector = bus_ack(&bus), input = vector & 7;

    chip = (vector & ~7) == bus.pic.chip[0].base ? &bus.pic.chip[0] : &bus.pic.chip[1];
    must((vector & ~7) == chip->base, "vector %#x, of neither chip", vector);
    must(asked || input == 7, "vector %#x, and nobody asked", vector);
    must(!asked || chip->auto_eoi || input == 7 || chip->isr >> input & 1 || bus.pic.chip[0].base == bus.pic.chip[1].base,
         "vector %#x is not in service", vector);
}

/* After the bus has been called nothing is due before later, however late it was. */
static void tick(void)
{
    bus_tick(&bus);
    must(bus_deadline(&bus) > now, "%llu is now, and %llu is due", (unsigned long long)now, (unsigned long long)bus_deadline(&bus));
}

static void check_devices(void)
{
    must(bus.uart.count <= UART_FIFO_BYTES && bus.uart.first < UART_FIFO_BYTES, "%u bytes in the FIFO", bus.uart.count);
    must(bus.pit.owed <= PIT_HZ, "%u ticks are owed", bus.pit.owed);
    for (int i = 0; i < 3; i++)
        must(bus.pit.counter[i].count <= 65536 && bus.pit.counter[i].mode < 6, "counter %d", i);
    for (int i = 0; i < 2; i++)
        must(!(bus.pic.chip[i].base & 7) && bus.pic.chip[i].step <= 4, "8259 %d", i);
}

/* From a clock of the 8254 to the year: 2^56 ns is beyond two of them. */
static void pass_time(struct input *in)
{
    unsigned shift = take_below(in, 48);

    now += (uint64_t)take(in, 1) << shift;
}

static void one_step(struct input *in)
{
    switch (take_below(in, 7)) {
    case 0: read_port(in); break;
    case 1: case 2: write_port(in); break;
    case 3: pass_time(in); break;
    case 4: tick(); break;
    case 5: acknowledge(); break;
    case 6: waiting += take(in, 1); break;
    }
    check_devices();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };

    memset(&bus, 0, sizeof bus);
    now = 1;
    waiting = 0;
    source = &in;
    bus_init(&bus, (struct bus_host){ host_now, host_put, host_get, NULL });
    for (int i = 0; i < STEPS_MAX && in.left; i++)
        one_step(&in);
    tick();
    return 0;
}
