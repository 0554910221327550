/* What gdb may say to the stub (machine/gdb.h), and what a guest may do between: packets that are whole or end too early, breakpoints
 * anywhere, memory that is page tables. A second stub, below, has no INT3 in its memory, for it runs no guest. Both must say the same, byte
 * for byte, and when gdb has gone, nothing of it may be left. */
#include "gdb.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box.h"

enum { TEXT_MAX = 1 << 15, PACKETS = 8, BREAKPOINTS = 64, REGISTERS = 16, CODE_AGAIN = 0xf000, SIGNAL_INT = 2, SIGNAL_TRAP = 5 };
enum kind { WHY, GET, PUT, PUT_ONE, READ, WRITE, INSERT, REMOVE, CONTINUE, STEP, DETACH, KILL, OTHER, KINDS };

static struct vm vm;

/* ---- the second stub ------------------------------------------------------------------------------ */

static uint8_t ram[RAM_BYTES];          /* what the guest has there */
static struct {
    struct machine m;
    uint32_t breakpoint[BREAKPOINTS];
    unsigned breakpoints;
    int signal;                         /* 0: the guest runs */
    bool stepping, gone;
} model;

static struct text { char at[TEXT_MAX]; size_t n; } talk, want;

static void add(struct text *t, const char *bytes, size_t n)
{
    must(n <= sizeof t->at - t->n, "the target's buffer is full");
    memcpy(t->at + t->n, bytes, n);
    t->n += n;
}

static void add_packet(struct text *t, const char *data)
{
    char packet[TEXT_MAX / 16];
    uint8_t sum = 0;

    for (const char *c = data; *c; c++)
        sum = (uint8_t)(sum + *c);
    add(t, packet, (size_t)snprintf(packet, sizeof packet, "$%s#%02x", data, sum));
}

static bool find(uint32_t gla, uint32_t *gpa)
{
    struct translation t;

    if (!memory_peek(&model.m, gla, ACCESS_READ, &t) || t.gpa >= RAM_BYTES)
        return false;
    *gpa = t.gpa;
    return true;
}

static uint32_t *place(unsigned n)
{
    struct vcpu *cpu = &model.m.cpu;

    return n < 8 ? &cpu->gpr[n] : n == 8 ? &cpu->eip : n == 9 ? &cpu->eflags : NULL;
}

static void put_register(unsigned n, uint32_t value)
{
    *place(n) = n == 9 ? (value & FLAGS_ALL & ~(uint32_t)FLAG_VM) | FLAG_ONE : value;
}

static int breakpoint_at(uint32_t gla)
{
    for (unsigned i = 0; i < model.breakpoints; i++)
        if (model.breakpoint[i] == gla)
            return (int)i;
    return -1;
}

static void stop(int signal)
{
    char text[8];

    model.signal = signal;
    model.stepping = false;
    snprintf(text, sizeof text, "S%02x", signal);
    add_packet(&want, text);
}

/* ---- packets, and what they mean ------------------------------------------------------------------ */

static void hex32(char *text, uint32_t value)
{
    sprintf(text, "%02x%02x%02x%02x", value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >> 24);
}

/* What does not come to its end means nothing: cut short by a digit or more, behind the letter. */
static bool cut(struct input *in, char *data)
{
    size_t n = strlen(data), off = take_below(in, 8) ? 0 : 1 + take_below(in, (uint32_t)n - 1);

    data[n - off] = '\0';
    return off;
}

static const char *get_all(char *text)
{
    static const enum segreg order[] = { CS, SS, DS, ES, FS, GS };

    for (unsigned n = 0; n < REGISTERS; n++)
        hex32(text + 8 * n, n < 10 ? *place(n) : model.m.cpu.seg[order[n - 10]].selector);
    return text;
}

static const char *put_all(struct input *in, char *data)
{
    uint32_t value[10];
    char *at = data;

    *at++ = 'G';
    for (unsigned n = 0; n < 10; n++, at += 8)
        hex32(at, value[n] = take(in, 4));
    if (cut(in, data))
        return "E01";
    for (unsigned n = 0; n < 10; n++)
        put_register(n, value[n]);
    return "OK";
}

static const char *put_one(struct input *in, char *data)
{
    unsigned n = take_below(in, 20);
    uint32_t value = take(in, 4);

    hex32(data + sprintf(data, "P%x=", n), value);
    if (cut(in, data) || n >= 10)
        return "E01";
    put_register(n, value);
    return "OK";
}

/* Where something is: code, by one address and another; data, the tables; or anywhere. */
static uint32_t address(struct input *in)
{
    static const uint32_t near[] = { CODE_AT, CODE_AGAIN, DATA_AT, PAGE_DIR, PAGE_TABLE, CODE_AT + PAGE_BYTES - 2, RAM_BYTES - 4 };

    return take_below(in, 4) ? TAKE_ONE_OF(in, near) + take_below(in, 16) : take(in, 4);
}

static const char *read_some(struct input *in, char *data, char *text)
{
    uint32_t gla = address(in), gpa;
    unsigned bytes = take_below(in, 300), n;

    sprintf(data, "m%x,%x", gla, bytes);
    for (n = 0; n < bytes && find(gla + n, &gpa); n++)
        sprintf(text + 2 * n, "%02x", ram[gpa]);
    return n ? text : "E14";
}

static const char *write_some(struct input *in, char *data)
{
    uint32_t gla = address(in), gpa;
    unsigned bytes = take_below(in, 12);
    uint8_t byte[12];
    char *at = data + sprintf(data, "M%x,%x:", gla, bytes);

    for (unsigned i = 0; i < bytes; i++)
        at += sprintf(at, "%02x", byte[i] = (uint8_t)take(in, 1));
    if (cut(in, data))
        return "E01";
    for (unsigned i = 0; i < bytes; i++) {
        if (!find(gla + i, &gpa))
            return "E14";
        ram[gpa] = byte[i];
    }
    return "OK";
}

static const char *insert_or_remove(struct input *in, char *data, bool insert)
{
    uint32_t gla = address(in);
    int which = breakpoint_at(gla);

    sprintf(data, "%c0,%x,1", insert ? 'Z' : 'z', gla);
    if (insert && which < 0 && model.breakpoints == BREAKPOINTS)
        return "E14";
    if (insert && which < 0)
        model.breakpoint[model.breakpoints++] = gla;
    if (!insert && which >= 0)
        model.breakpoint[which] = model.breakpoint[--model.breakpoints];
    return "OK";
}

static const char *other(struct input *in, char *data)
{
    static const char *const says[][2] = {
        { "qAttached", "1" }, { "qSupported:swbreak+", "PacketSize=1000" }, { "qOffsets", "" }, { "vCont?", "" }, { "Hg0", "OK" },
        { "T1", "OK" }, { "Z2,4000,4", "" }, { "X4000,0:", "" }, { "", "" }, { "!", "" },
    };
    unsigned which = take_below(in, sizeof says / sizeof says[0]);

    strcpy(data, says[which][0]);
    return says[which][1];
}

/* One packet into `talk`, and its answer, if it has one, into `want`. */
static void say(struct input *in, enum kind kind)
{
    char data[256] = { kind < OTHER ? "?gGPmMZzcsDk"[kind] : '\0' }, text[1024] = "";
    const char *answer = text;

    switch (kind) {
    case WHY: sprintf(text, "S%02x", model.signal); break;
    case GET: get_all(text); break;
    case PUT: answer = put_all(in, data); break;
    case PUT_ONE: answer = put_one(in, data); break;
    case READ: answer = read_some(in, data, text); break;
    case WRITE: answer = write_some(in, data); break;
    case INSERT: case REMOVE: answer = insert_or_remove(in, data, kind == INSERT); break;
    case CONTINUE: case STEP:
        answer = NULL;
        model.signal = 0;
        model.stepping = kind == STEP;
        model.m.cpu.halted &= kind != STEP;
        break;
    case DETACH: answer = "OK"; model.gone = true; break;
    case KILL: answer = NULL; model.gone = model.m.stopped = true; break;
    default: answer = other(in, data); break;
    }
    add_packet(&talk, data);
    add(&want, "+", 1);
    if (answer)
        add_packet(&want, answer);
}

/* As much as gdb says while the guest stands: in the end that it may go on, or nothing more. */
static void say_some(struct input *in)
{
    for (unsigned n = take_below(in, PACKETS); n && in->left; n--)
        say(in, take_below(in, 2) ? (enum kind)take_below(in, CONTINUE) : OTHER);
    say(in, in->left ? (enum kind)(CONTINUE + take_below(in, OTHER - CONTINUE)) : DETACH);
}

/* ---- the guest ------------------------------------------------------------------------------------ */

static bool debugger(uint8_t vector) { return vm.machine.hooks.debugger(&vm.machine, vector); }

/* An INT3 was executed. */
static void meet_breakpoint(struct input *in)
{
    uint32_t gla = model.breakpoints && take_below(in, 2) ? model.breakpoint[take_below(in, model.breakpoints)] : address(in);
    struct vcpu *cpu = &model.m.cpu;
    bool ours = breakpoint_at(gla) >= 0;

    cpu->eip = vm.machine.cpu.eip = gla - cpu->seg[CS].base + 1;
    must(debugger(VEC_BP) == ours, "an INT3 at %#x is taken for another's", gla);
    cpu->eip -= ours;
    if (ours)
        stop(SIGNAL_TRAP);
}

static void meet_debug_exception(struct input *in)
{
    uint32_t dr6 = take(in, 4);
    bool ours = model.stepping;

    vm.machine.cpu.dr[6] = dr6;
    if (!ours)
        model.m.cpu.dr[6] = dr6;
    must(debugger(VEC_DB) == ours, "a debug exception is taken for another's");
    if (ours)
        stop(SIGNAL_TRAP);
}

/* Never an INT3: that is a breakpoint to the stub, as gdb.h says. */
static void store_something(struct input *in)
{
    uint32_t gpa = address(in) % RAM_BYTES;
    uint8_t byte = (uint8_t)take(in, 1) & 0x7f;

    memory_write(&vm.machine.mem, gpa, 1, byte);
    ram[gpa] = byte;
}

static void run(struct input *in)
{
    char exited[8];

    switch (take_below(in, 6)) {
    case 0: meet_breakpoint(in); break;
    case 1: meet_debug_exception(in); break;
    case 2: case 3: store_something(in); break;
    case 4:
        add(&talk, "\3", 1);
        stop(SIGNAL_INT);
        break;
    case 5:
        vm.machine.bus.exit_status = (int)take(in, 1);
        sprintf(exited, "W%02x", vm.machine.bus.exit_status);
        add_packet(&want, exited);
        model.gone = true;
        break;
    }
}

/* ---- both ----------------------------------------------------------------------------------------- */

static void set_up(struct input *in)
{
    box_setup(in);
    memory_write(&box.mem, PAGE_TABLE + CODE_AGAIN / PAGE_BYTES * 4, 4, CODE_AT | PTE_P | PTE_W | PTE_U);
    memset(&vm, 0, sizeof vm);
    vm.machine = box;
    vm.timeout_at = vm.wake_at = vm.look_at = UINT64_MAX;
    memset(&model, 0, sizeof model);
    memcpy(ram, box_ram, sizeof ram);
    model.m = box;
    model.m.mem = (struct memory){ .ram = ram, .bytes = RAM_BYTES };
    model.signal = SIGNAL_TRAP;
    talk.n = want.n = 0;
}

static void send_talk(int gdb)
{
    must(!talk.n || send(gdb, talk.at, talk.n, MSG_NOSIGNAL) == (ssize_t)talk.n, "the target's socket is full");
    talk.n = 0;
}

static void check(int gdb)
{
    static char got[TEXT_MAX];
    ssize_t n = recv(gdb, got, sizeof got, MSG_DONTWAIT | MSG_WAITALL);

    must(n == (ssize_t)want.n && !memcmp(got, want.at, want.n), "it says %.*s and not %.*s", (int)n, got, (int)want.n, want.at);
    must(!vm.debugger && !vm.machine.hooks.debugger && !gdb_connection() && !gdb_steps() && !vm.machine.hidden_flags,
         "gdb has gone, and is still there");
    must(!memcmp(&vm.machine.cpu, &model.m.cpu, sizeof model.m.cpu), "the processor's state is another");
    must(!memcmp(box_ram, ram, sizeof ram), "memory is not the guest's");
    must(vm.machine.stopped == model.m.stopped, "it is ended, or not");
    box_check_told();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };
    int ends[2];

    set_up(&in);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "no sockets");
    say_some(&in);
    send_talk(ends[0]);
    gdb_serve(&vm, ends[1]);
    while (!model.gone) {
        if (in.left)
            run(&in);
        else
            model.gone = shutdown(ends[0], SHUT_WR) == 0;
        if (model.signal)
            say_some(&in);
        send_talk(ends[0]);
        vm.debugger(&vm);
    }
    check(ends[0]);
    close(ends[0]);
    return 0;
}
