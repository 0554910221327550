/* See gdb.h. */
#include "gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "status.h"

enum { PACKET_MAX = 4096, BREAKPOINTS = 64, REGISTERS = 16, NUMBER_OF_EIP = 8, NUMBER_OF_EFLAGS, SETTABLE, INT3 = 0xcc, SIGNAL_INT = 2, SIGNAL_TRAP = 5,
       LOOK_EVERY = 50000000 /* ns */ };

static struct gdb {
    struct vm *vm;
    int connection;             /* -1: nobody, any more */
    int signal;                 /* why the guest is to stop, 0: it runs */
    bool stepping, traced;      /* one instruction; the guest's own TF */
    uint32_t dr6;
    struct { uint32_t gla, gpa; uint8_t byte; bool used, placed; } breakpoint[BREAKPOINTS];
} gdb = { .connection = -1 };

/* ---- packets: $data#checksum, each answered by + ------------------------------------------------------ */

static void hang_up(void);

/* Whoever is gone must not end the guest by SIGPIPE. */
static bool send_bytes(const char *bytes, int n) { return send(gdb.connection, bytes, (size_t)n, MSG_NOSIGNAL) == n; }

static int get_byte(void)
{
    uint8_t byte;

    return read(gdb.connection, &byte, 1) == 1 ? byte : -1;
}

static void put(const char *data)
{
    char packet[2 * PACKET_MAX + 8];
    uint8_t sum = 0;
    int n;

    for (const char *c = data; *c; c++)
        sum = (uint8_t)(sum + *c);
    n = snprintf(packet, sizeof packet, "$%s#%02x", data, sum);
    if (n >= (int)sizeof packet || !send_bytes(packet, n))
        hang_up();
}

/* The next packet's data; its checksum is TCP's affair. False: gdb is gone. */
static bool get(char *data, size_t size)
{
    size_t n = 0;
    int c;

    do
        c = get_byte();
    while (c != -1 && c != '$');
    while ((c = get_byte()) != -1 && c != '#')
        if (n + 1 < size)
            data[n++] = (char)c;
    data[n] = '\0';
    return c != -1 && get_byte() != -1 && get_byte() != -1 && send_bytes("+", 1);
}

/* ---- the guest's state -------------------------------------------------------------------------------- */

/* In gdb's order: the eight registers, EIP, EFLAGS, CS, SS, DS, ES, FS, GS. */
static uint32_t *register_place(struct vcpu *cpu, unsigned n)
{
    return n < NUMBER_OF_EIP ? &cpu->gpr[n] : n == NUMBER_OF_EIP ? &cpu->eip : n == NUMBER_OF_EFLAGS ? &cpu->eflags : NULL;
}

static uint32_t register_value(struct vcpu *cpu, unsigned n)
{
    static const enum segreg order[] = { CS, SS, DS, ES, FS, GS };

    return n < SETTABLE ? *register_place(cpu, n) : cpu->seg[order[n - SETTABLE]].selector;
}

/* False: selectors mean descriptors, and are not set by us; nor are flags that no processor here can have. */
static bool set_register(struct vcpu *cpu, unsigned n, uint32_t value)
{
    if (n >= SETTABLE)
        return false;
    *register_place(cpu, n) = n == NUMBER_OF_EFLAGS ? (value & FLAGS_ALL & ~(uint32_t)FLAG_VM) | FLAG_ONE : value;
    return true;
}

/* Before the kernel turns paging on, its addresses are where its file says that it was loaded. */
static bool find(uint32_t gla, uint32_t *gpa)
{
    struct machine *m = &gdb.vm->machine;
    struct translation t = { 0 };
    bool found = memory_peek(m, gla, ACCESS_READ, &t) && t.gpa < m->mem.bytes;

    *gpa = t.gpa;
    return found || (!(m->cpu.cr0 & CR0_PG) && symbols_loaded_at(&gdb.vm->symbols, gla, gpa) && *gpa < m->mem.bytes);
}

/* Whoever keeps translations of that page must know: memory_write() tells. */
static void write_byte(uint32_t gpa, uint8_t value) { memory_write(&gdb.vm->machine.mem, gpa, 1, value); }

/* Before the guest runs, and while it does: where nothing is mapped yet, a breakpoint waits until something is. */
static void place_breakpoints(void)
{
    for (int i = 0; i < BREAKPOINTS; i++) {
        uint32_t gpa;

        if (gdb.breakpoint[i].used && !gdb.breakpoint[i].placed && find(gdb.breakpoint[i].gla, &gpa)) {
            gdb.breakpoint[i].byte = gdb.vm->machine.mem.ram[gpa];
            gdb.breakpoint[i].gpa = gpa;
            gdb.breakpoint[i].placed = true;
            write_byte(gpa, INT3);
        }
    }
}

/* While gdb looks, memory is the guest's alone. A byte that is no longer INT3 was written by the guest, and stays. Of two breakpoints in one
 * byte, by two addresses, the first to be placed has the guest's byte; the other has INT3, which is no longer there, or is replaced next. */
static void lift_breakpoints(void)
{
    for (int i = 0; i < BREAKPOINTS; i++) {
        if (gdb.breakpoint[i].placed && gdb.vm->machine.mem.ram[gdb.breakpoint[i].gpa] == INT3)
            write_byte(gdb.breakpoint[i].gpa, gdb.breakpoint[i].byte);
        gdb.breakpoint[i].placed = false;
    }
}

/* It will be placed when the guest runs. False: there is no room for one more. */
static bool set_breakpoint(uint32_t gla, bool insert)
{
    int unused = -1;

    for (int i = 0; i < BREAKPOINTS; i++) {
        if (!gdb.breakpoint[i].used) {
            unused = i;
        } else if (gdb.breakpoint[i].gla == gla) {
            gdb.breakpoint[i].used = insert;
            return true;
        }
    }
    if (insert && unused >= 0) {
        gdb.breakpoint[unused].gla = gla;
        gdb.breakpoint[unused].used = true;
    }
    return !insert || unused >= 0;
}

static bool is_breakpoint(uint32_t gla)
{
    for (int i = 0; i < BREAKPOINTS; i++)
        if (gdb.breakpoint[i].used && gdb.breakpoint[i].gla == gla)
            return true;
    return false;
}

/* The guest's own state again. */
static void end_step(void)
{
    struct machine *m = &gdb.vm->machine;

    if (gdb.stepping && !gdb.traced)
        m->cpu.eflags &= ~(uint32_t)FLAG_TF;
    m->hidden_flags = 0;
    gdb.stepping = false;
}

/* gdb has gone, or is sent away: the guest goes on as if nobody had ever been here. */
static void hang_up(void)
{
    close(gdb.connection);
    gdb.connection = -1;
    end_step();
    lift_breakpoints();
    for (int i = 0; i < BREAKPOINTS; i++)
        gdb.breakpoint[i].used = false;
    gdb.vm->debugger = NULL;
    gdb.vm->machine.hooks.debugger = NULL;
    gdb.vm->look_at = UINT64_MAX;
}

/* ---- what gdb asks ------------------------------------------------------------------------------------- */

static void put_registers(void)
{
    char text[8 * REGISTERS + 1];

    for (unsigned n = 0; n < REGISTERS; n++) {
        uint32_t value = register_value(&gdb.vm->machine.cpu, n);

        sprintf(text + 8 * n, "%02x%02x%02x%02x", value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >> 24);
    }
    put(text);
}

/* What a packet means is asked before anything is changed: two digits for each byte. */
static bool has_bytes(const char *hex, unsigned bytes) { return strspn(hex, "0123456789abcdefABCDEF") / 2 >= bytes; }

/* "05000000" -> 5 */
static uint32_t little_endian(const char *hex)
{
    unsigned value = 0;

    sscanf(hex, "%8x", &value);
    return ntohl(value);
}

static bool set_registers(const char *hex)
{
    if (!has_bytes(hex, 4 * SETTABLE))
        return false;
    for (unsigned n = 0; n < SETTABLE; n++)
        set_register(&gdb.vm->machine.cpu, n, little_endian(hex + 8 * n));
    return true;
}

static void read_memory(uint32_t gla, unsigned bytes)
{
    char text[2 * PACKET_MAX] = "";
    uint32_t gpa;

    for (unsigned i = 0; i < bytes && i < PACKET_MAX - 1 && find(gla + i, &gpa); i++)
        sprintf(text + 2 * i, "%02x", gdb.vm->machine.mem.ram[gpa]);
    put(*text ? text : "E14");                          /* EFAULT */
}

static void write_memory(uint32_t gla, unsigned bytes, const char *hex)
{
    unsigned byte;
    uint32_t gpa;

    for (unsigned i = 0; i < bytes; i++) {
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1 || !find(gla + i, &gpa)) {
            put("E14");
            return;
        }
        write_byte(gpa, (uint8_t)byte);
    }
    put("OK");
}

/* Why it stopped ('S', a signal's number), or how it ended ('W', its exit status). */
static void tell(char what, int number)
{
    char text[8];

    sprintf(text, "%c%02x", what, number & 0xff);
    put(text);
}

static void resume(bool step)
{
    struct vcpu *cpu = &gdb.vm->machine.cpu;

    place_breakpoints();
    gdb.signal = 0;
    gdb.stepping = step;
    gdb.traced = cpu->eflags & FLAG_TF;
    gdb.dr6 = cpu->dr[6];
    gdb.vm->machine.hidden_flags = step && !gdb.traced ? FLAG_TF : 0;
    if (step) {
        cpu->eflags |= FLAG_TF;
        cpu->halted = false;                            /* no interrupt would end a HLT while it steps */
    }
}

static void answer(const char *packet)
{
    unsigned a = 0, b = 0;
    int at = 0;

    switch (*packet) {
    case '?': tell('S', gdb.signal); break;
    case 'g': put_registers(); break;
    case 'G': put(set_registers(packet + 1) ? "OK" : "E01"); break;
    case 'P':
        sscanf(packet + 1, "%x=%n", &a, &at);
        put(at && has_bytes(packet + 1 + at, 4) && set_register(&gdb.vm->machine.cpu, a, little_endian(packet + 1 + at)) ? "OK" : "E01");
        break;
    case 'm': sscanf(packet + 1, "%x,%x", &a, &b); read_memory(a, b); break;
    case 'M':
        sscanf(packet + 1, "%x,%x:%n", &a, &b, &at);
        if (at && has_bytes(packet + 1 + at, b))
            write_memory(a, b, packet + 1 + at);
        else
            put("E01");
        break;
    case 'Z': case 'z':
        if (packet[1] != '0')
            put("");                                    /* watchpoints: not here */
        else
            put(sscanf(packet + 2, ",%x", &a) == 1 && set_breakpoint(a, *packet == 'Z') ? "OK" : "E14");
        break;
    case 'c': resume(false); break;
    case 's': resume(true); break;
    case 'D': put("OK"); hang_up(); break;
    case 'k': machine_stop(&gdb.vm->machine, EXIT_KILLED, "gdb ended it (kill)"); hang_up(); break;
    case 'H': case 'T': put("OK"); break;
    case 'q': put(!strncmp(packet, "qAttached", 9) ? "1" : !strncmp(packet, "qSupported", 10) ? "PacketSize=1000" : ""); break;
    default: put(""); break;
    }
}

/* ---- when ---------------------------------------------------------------------------------------------- */

/* Before an exception goes to the guest. True: it was for us. */
static bool exception(struct machine *m, uint8_t vector)
{
    struct vcpu *cpu = &m->cpu;

    if (vector == VEC_DB && gdb.stepping) {
        cpu->dr[6] = gdb.dr6;
        gdb.signal = SIGNAL_TRAP;
        return true;
    }
    if (vector == VEC_BP && is_breakpoint(m->cpu.seg[CS].base + cpu->eip - 1)) {
        cpu->eip--;
        gdb.signal = SIGNAL_TRAP;
        return true;
    }
    return false;
}

/* ^C is a byte of its own, between packets. */
static bool interrupted(void)
{
    struct pollfd fd = { gdb.connection, POLLIN, 0 };

    if (poll(&fd, 1, 0) <= 0)
        return false;
    if (get_byte() == -1)
        hang_up();
    return true;
}

/* Do as gdb says until the guest is to run. Meanwhile the timer stands: else it would owe a tick after each stop, and the guest might never
 * get to anything but its interrupts. */
static void serve(struct vm *vm)
{
    uint64_t since = console_now(), stood;
    char packet[PACKET_MAX];

    while (gdb.connection >= 0 && gdb.signal && !vm->machine.stopped)
        if (get(packet, sizeof packet))
            answer(packet);
        else
            hang_up();
    stood = console_now() - since;
    pit_stand_still(&vm->machine.bus.pit, stood);
    if (vm->timeout_at != UINT64_MAX)
        vm->timeout_at += stood;
}

/* From vm_continues(): before the guest is entered, and once more when it has ended. */
static void look(struct vm *vm)
{
    struct vcpu *cpu = &vm->machine.cpu;

    if (vm->machine.stopped || vm->machine.bus.exit_status >= 0) {
        tell('W', vm->machine.stopped ? vm->machine.status : vm->machine.bus.exit_status);
        hang_up();
        return;
    }
    vm->look_at = console_now() + LOOK_EVERY;
    if (!gdb.signal && interrupted())
        gdb.signal = SIGNAL_INT;
    if (!gdb.signal && gdb.stepping && !(cpu->eflags & FLAG_TF))
        gdb.signal = SIGNAL_TRAP;                       /* an event was delivered: at its handler */
    if (gdb.connection < 0)
        return;
    if (!gdb.signal) {
        place_breakpoints();
        return;
    }
    end_step();
    lift_breakpoints();
    console_flush(&vm->console);
    tell('S', gdb.signal);
    serve(vm);
}

int gdb_connection(void) { return gdb.connection > 0 ? gdb.connection : 0; }

bool gdb_steps(void) { return gdb.stepping; }

void gdb_serve(struct vm *vm, int connection)
{
    gdb.vm = vm;
    gdb.connection = connection;
    gdb.signal = SIGNAL_TRAP;
    vm->debugger = look;
    vm->machine.hooks.debugger = exception;
    serve(vm);                                          /* gdb speaks first */
}

/* -1: nobody can come, and errno says why. */
static int wait_for_gdb(const char *kernel, uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, connection = -1, error;

    if (listener < 0)
        return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0) {
        fprintf(stderr, "waiting for gdb: gdb %s -ex 'target remote :%u'\n", kernel, port);
        connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    error = errno;
    close(listener);
    errno = error;
    return connection;
}

bool gdb_attach(struct vm *vm)
{
    int connection;

    if (!vm->options.gdb)
        return true;
    connection = wait_for_gdb(vm->options.kernel, vm->options.gdb);
    if (connection < 0) {
        fprintf(stderr, "%s: --gdb=%u: %s; another port may be free\n", vm->name, vm->options.gdb, strerror(errno));
        return false;
    }
    gdb_serve(vm, connection);
    return true;
}
