/* The PC under the monitor. See host.h. Ports: QEMU's isa-debugcon and isa-debug-exit, Bochs's "Shutdown" port. */
#include "host.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "file.h"
#include "pc.h"
#include "privileged.h"
#include "status.h"

enum {
    PORT_DEBUG_CONSOLE = 0xe9, PORT_COM2 = 0x2f8, PORT_BOCHS_SHUTDOWN = 0x8900,
    PIT_MODE0 = 0x30, PIT_MODE2_COUNTER2 = 0xb4, PIT_LATCH_COUNTER2 = 0x80, PORT_PIT_COUNTER2 = 0x42, PORT_PIT_GATE2 = 0x61,
    LSR_READY = 1, LSR_EMPTY = 0x20, LSR_SENT = 0x40, CALIBRATION_PIT = PIT_HZ / 250,
};

/* In boot.asm: let an interrupt in that waits; sleep until one comes; IDT and TR. */
void host_let_in(void);
void host_wait(void);
void host_idt_load(void);

/* ---- memory -------------------------------------------------------------------------------------- */

/* Multiboot specification 0.6.96, 3.3. */
struct info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};
struct module {
    uint32_t start, end, string, reserved;
};

enum {
    LOW_BEGIN = 0x1000, LOW_END = 0x9f000, MODULES_MAX = 2, LINE_MAX_BYTES = 1024,
    INFO_MEMORY = 1 << 0, INFO_LINE = 1 << 2, INFO_MODULES = 1 << 3,
};

extern const uint8_t monitor_begin[], monitor_constant_end[], monitor_end[];

static struct module modules[MODULES_MAX];
static unsigned module_count;
static uintptr_t heap, memory_end;

char host_command_line[LINE_MAX_BYTES], host_guest_line[LINE_MAX_BYTES], host_module_line[LINE_MAX_BYTES];
static char *const lines[] = { host_guest_line, host_module_line };

static _Noreturn void refuse(const char *why)
{
    fprintf(stderr, "hwassist-bare: %s\n", why);
    host_exit(EXIT_USAGE);
}

static void *at(uint32_t physical)
{
    return (void *)(uintptr_t)physical;
}

static void take_line(char *line, uint32_t from)
{
    size_t bytes = strlen(at(from)) + 1;

    if (bytes > LINE_MAX_BYTES)
        refuse("a command line is longer than 1,023 characters; shorten it");
    memcpy(line, at(from), bytes);
}

static void find_memory(const struct info *info)
{
    heap = (uintptr_t)monitor_end;
    if (!(info->flags & INFO_MEMORY))
        refuse("the boot loader does not tell how much memory there is; use one of multiboot's");
    memory_end = 0x100000 + (uintptr_t)info->mem_upper * 1024;
    if (info->flags & INFO_LINE)
        take_line(host_command_line, info->cmdline);
    if (!(info->flags & INFO_MODULES))
        return;
    module_count = info->mods_count < MODULES_MAX ? info->mods_count : MODULES_MAX;
    memcpy(modules, at(info->mods_addr), module_count * sizeof modules[0]);
    for (unsigned i = 0; i < module_count; i++) {
        take_line(lines[i], modules[i].string);
        if (modules[i].end > heap)
            heap = modules[i].end;
    }
}

void *host_memory(size_t bytes, size_t alignment)
{
    uintptr_t begin = (heap + alignment - 1) & ~(alignment - 1);

    if (begin + bytes > memory_end || begin + bytes < begin)
        return NULL;
    heap = begin + bytes;
    return memset((void *)begin, 0, bytes);
}

/* The first word of its line names a module. */
uint8_t *file_read(const char *path, size_t *bytes, char *why, size_t why_bytes)
{
    size_t n = strlen(path);

    for (unsigned i = 0; i < module_count; i++)
        if (!memcmp(lines[i], path, n) && (lines[i][n] == ' ' || !lines[i][n])) {
            *bytes = modules[i].end - modules[i].start;
            return at(modules[i].start);
        }
    snprintf(why, why_bytes, "%s: there is no such module; give the guest's kernel as the first one", path);
    return NULL;
}

static uint64_t sum(uint64_t so_far, const void *from, const void *to)
{
    for (const uint64_t *p = from; p + 1 <= (const uint64_t *)to; p++)
        so_far = (so_far ^ *p) * 0x100000001b3;         /* FNV-1a, a word at a time */
    return so_far;
}

uint64_t host_checksum(const uint8_t *guest, size_t bytes)
{
    uint64_t total = sum(0xcbf29ce484222325, at(LOW_BEGIN), at(LOW_END));

    total = sum(total, monitor_begin, monitor_constant_end);
    total = sum(total, monitor_end, guest);             /* modules, page tables */
    return sum(total, guest + bytes, (void *)memory_end);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static uint64_t tsc_zero, ns_per_tick;  /* the latter times 2^32 */
static uint64_t armed;

static uint64_t rdtsc(void)
{
    return __builtin_ia32_rdtsc();
}

uint64_t console_now(void)
{
    return (uint64_t)((unsigned __int128)(rdtsc() - tsc_zero) * ns_per_tick >> 32);
}

static uint16_t pit_counter2(void)
{
    uint16_t low;

    port_out(PORT_PIT_CONTROL, PIT_LATCH_COUNTER2);
    low = port_in(PORT_PIT_COUNTER2);
    return (uint16_t)(low | port_in(PORT_PIT_COUNTER2) << 8);
}

/* ns_per_tick by a few ms of the 8254's time. */
static uint64_t measure_tick(void)
{
    uint16_t first = pit_counter2(), passed;
    uint64_t begin = rdtsc();

    do
        passed = (uint16_t)(first - pit_counter2());
    while (passed < CALIBRATION_PIT);
    return (passed * UINT64_C(1000000000) / PIT_HZ << 32) / (rdtsc() - begin);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The median of five: an emulator that its host stops in the middle spoils one of them. */
static void calibrate(void)
{
    uint64_t measured[5];

    port_out(PORT_PIT_GATE2, 1);
    port_out(PORT_PIT_CONTROL, PIT_MODE2_COUNTER2);
    port_out(PORT_PIT_COUNTER2, 0);
    port_out(PORT_PIT_COUNTER2, 0);
    tsc_zero = rdtsc();
    while (pit_counter2() == 0)
        ;
    for (int i = 0; i < 5; i++)
        measured[i] = measure_tick();
    qsort(measured, 5, sizeof measured[0], by_value);
    ns_per_tick = measured[2];
}

/* Counter 0 counts down once. It knows 54 ms at most: a later deadline is armed again at an early interrupt. */
void host_arm(uint64_t deadline)
{
    uint64_t now, inputs;

    if (deadline == armed)
        return;
    armed = deadline;
    port_out(PORT_PIT_CONTROL, PIT_MODE0);
    if (deadline == UINT64_MAX)
        return;                                         /* without a count it stands still */
    now = console_now();
    inputs = deadline > now ? deadline - now : 0;
    inputs = inputs < 50000000 ? inputs * PIT_HZ / 1000000000 + 1 : 0xffff;
    port_out(PORT_PIT_COUNTER0, (uint8_t)inputs);
    port_out(PORT_PIT_COUNTER0, (uint8_t)(inputs >> 8));
}

void host_take_interrupt(void)
{
    host_let_in();
    armed = 0;
}

static void init_interrupts(void)
{
    static const uint8_t master[] = { 0x11, HOST_IRQ_VECTOR, 4, 1, 0xfe };
    static const uint8_t slave[] = { 0x11, HOST_IRQ_VECTOR + 8, 2, 1, 0xff };

    port_out(PORT_PIC1_COMMAND, master[0]);
    port_out(PORT_PIC2_COMMAND, slave[0]);
    for (int i = 1; i < 5; i++) {
        port_out(PORT_PIC1_DATA, master[i]);
        port_out(PORT_PIC2_DATA, slave[i]);
    }
    host_idt_load();
}

/* ---- the serial port: console.h ------------------------------------------------------------------ */

static void init_serial(unsigned port)
{
    static const uint8_t setup[][2] = { { 1, 0 }, { 3, 0x80 }, { 0, 1 }, { 1, 0 }, { 3, 3 }, { 2, 7 }, { 4, 3 } };

    for (unsigned i = 0; i < sizeof setup / sizeof setup[0]; i++)
        port_out(port + setup[i][0], setup[i][1]);      /* 115200 baud, 8 bits, FIFO */
}

static void serial_put(unsigned port, uint8_t byte)
{
    while (!(port_in(port + 5) & LSR_EMPTY))
        ;
    port_out(port, byte);
}

/* Until the last bit is on the line. */
static void serial_drain(unsigned port)
{
    while (!(port_in(port + 5) & LSR_SENT))
        ;
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return console_now();
}

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    serial_put(PORT_COM1, byte);
}

static int get(void *ctx)
{
    (void)ctx;
    return port_in(PORT_COM1 + 5) & LSR_READY ? port_in(PORT_COM1) : -1;
}

struct bus_host console_host(struct console *c)
{
    return (struct bus_host){ .now = now, .put = put, .get = get, .ctx = c };
}

void console_flush(struct console *c)
{
    (void)c;
}

void console_wait(struct console *c, uint64_t deadline)
{
    (void)c;
    while (console_now() < deadline) {
        host_arm(deadline);
        host_wait();
        armed = 0;
    }
}

/* ---- the end ------------------------------------------------------------------------------------- */

void host_debug(char c)
{
    if (port_in(PORT_DEBUG_CONSOLE) == PORT_DEBUG_CONSOLE)
        port_out(PORT_DEBUG_CONSOLE, (uint8_t)c);
    else
        serial_put(PORT_COM2, (uint8_t)c);
}

void host_exit(int status)
{
    fprintf(stderr, "status %d\n", status);
    serial_drain(PORT_COM1);
    serial_drain(PORT_COM2);
    port_out(PORT_DEBUG_EXIT, (uint8_t)(status >> 1));
    for (const char *c = "Shutdown"; *c; c++)
        port_out(PORT_BOCHS_SHUTDOWN, (uint8_t)*c);
    for (;;)
        host_wait();
}

void host_bug(const char *what)
{
    fprintf(stderr, "hwassist-bare: a bug in the monitor: %s\n", what);
    host_exit(EXIT_BUG);
}

void trap(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2)
{
    char what[120];

    snprintf(what, sizeof what, "exception %u, error code %#x, rip %#llx, cr2 %#llx", (unsigned)vector, (unsigned)error,
             (unsigned long long)rip, (unsigned long long)cr2);
    host_bug(what);
}

void host_init(uint32_t info)
{
    init_serial(PORT_COM1);
    init_serial(PORT_COM2);
    find_memory(at(info));
    init_interrupts();
    calibrate();
    host_arm(UINT64_MAX);
}
