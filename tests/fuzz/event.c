/* Event delivery: exceptions, INT n and external interrupts through gates, segments, stacks and page tables that the input has bent.
 * Either the handler that the IDT names goes on, with the frame that the manual draws (Intel SDM vol. 3A figure 6-4); or another
 * exception is delivered in its place; or the machine stops with a sentence. */
#include "event.h"

#include <string.h>

#include "box.h"
#include "pc.h"
#include "segment.h"
#include "status.h"

enum { EVENTS = 4 };
enum kind { EXCEPTION, SOFTWARE, EXTERNAL, PENDING, KINDS };

static struct vcpu before;

/* Which vector was delivered: the one whose count grew. -1: none. */
static int delivered(void)
{
    int which = -1;

    for (int v = 0; v < 256; v++)
        if (box.counters.events[v]) {
            must(which < 0 && box.counters.events[v] == 1, "one event, and both #%d and #%d are delivered", which, v);
            which = v;
        }
    return which;
}

/* The n-th word from the top of the handler's stack, as the handler would read it. */
static uint32_t pushed(unsigned n, unsigned bytes)
{
    const struct segment *ss = &box.cpu.seg[SS];
    uint32_t esp = box.cpu.gpr[ESP] + n * bytes, value = 0;

    if (!(ss->attr & ATTR_BIG))
        esp &= 0xffff;
    must(segment_allows(ss, esp, bytes, ACCESS_WRITE), "word %u of the frame is outside the stack segment", n);
    must(memory_load(&box, ss->base + esp, &value, bytes, vcpu_cpl(&box.cpu) == 3 ? ACCESS_USER : 0),
         "word %u of the frame is not there", n);
    return value;
}

static void check_word(unsigned n, unsigned bytes, uint32_t want, const char *what)
{
    uint32_t mask = bytes == 4 ? ~0u : 0xffff, got = pushed(n, bytes);

    must(((got ^ want) & mask) == 0, "the frame has %#x for %s, which was %#x", got, what, want);
}

/* Where the frame is not RAM, or on the tables that tell where it is, there is nothing to be read. */
static bool frame_is_plain(unsigned bytes)
{
    struct translation t;
    uint32_t at = box.cpu.seg[SS].base + (box.cpu.seg[SS].attr & ATTR_BIG ? box.cpu.gpr[ESP] : box.cpu.gpr[ESP] & 0xffff);

    for (uint32_t i = 0; i < 2; i++)
        if (!memory_peek(&box, at + i * (6 * bytes - 1), ACCESS_WRITE, &t) || t.gpa >= STACKS_END ||
            t.gpa < STACKS_END - 4 * STACK_BYTES)
            return false;
    return true;
}

static bool has_error(int vector) { return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC; }

static void check_frame(int vector, bool error, unsigned bytes, uint32_t eip)
{
    bool inward = vcpu_cpl(&box.cpu) < vcpu_cpl(&before);
    uint32_t flags = before.eflags;

    if (!frame_is_plain(bytes))
        return;
    check_word(error, bytes, eip, "EIP");
    must((pushed(error + 1, bytes) & 0xffff) == before.seg[CS].selector, "#%d: another CS is pushed", vector);
    must(((pushed(error + 2, bytes) ^ flags) & (bytes == 4 ? ~(uint32_t)FLAG_RF : 0xffff)) == 0, "#%d: other flags are pushed",
         vector);
    if (!inward)
        return;
    check_word(error + 3, bytes, before.gpr[ESP], "ESP");
    must((pushed(error + 4, bytes) & 0xffff) == before.seg[SS].selector, "#%d: another SS is pushed", vector);
}

/* The gate as it stands in the IDT now: pushing changes it only if the stack is there. */
static void check_delivered(int vector, bool error, uint32_t eip)
{
    const struct vcpu *cpu = &box.cpu;
    uint32_t gate[2], offset;
    unsigned type;
    bool wide;

    box_check_state("delivered");
    must((unsigned)vector * 8 + 7 <= cpu->idtr.limit, "#%d is delivered, beyond the IDT's limit", vector);
    if (!memory_load(&box, cpu->idtr.base + (unsigned)vector * 8, gate, 8, 0) || !frame_is_plain(4))
        return;
    type = gate[1] >> 8 & 0x1f;
    wide = type & 8;
    offset = (gate[0] & 0xffff) | (wide ? gate[1] & 0xffff0000 : 0);
    must((gate[1] & 0x8000) && (type | 9) == 15 && (type & 6) == 6, "#%d is delivered through %#x %#x", vector, gate[0], gate[1]);
    must(cpu->eip == offset && offset <= cpu->seg[CS].limit, "#%d goes to %#x, its gate says %#x", vector, cpu->eip, offset);
    must(((cpu->seg[CS].selector ^ gate[0] >> 16) & 0xfffc) == 0, "#%d goes to segment %#x", vector, cpu->seg[CS].selector);
    must(vcpu_cpl(cpu) <= vcpu_cpl(&before), "#%d leads from CPL %u to %u", vector, vcpu_cpl(&before), vcpu_cpl(cpu));
    must(!(cpu->eflags & (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM)), "#%d: EFLAGS %#x", vector, cpu->eflags);
    must((cpu->eflags & FLAG_IF) == (type & 1 ? before.eflags & FLAG_IF : 0), "#%d: IF by a gate of type %u", vector, type);
    must(!cpu->halted && cpu->shadow == SHADOW_NONE, "#%d leaves a halt or a shadow", vector);
    check_frame(vector, error, wide ? 4 : 2, eip);
}

/* Intel SDM vol. 3A tables 6-4 and 6-5: what may come out of a chain that began with `first`. A check of alignment on the way,
 * which is benign, lets anything follow. */
static bool may_follow(uint8_t first, int last)
{
    bool contributory = first == VEC_DE || (first >= VEC_TS && first <= VEC_GP);

    if (first == last || ((before.cr0 & CR0_AM) && (before.eflags & FLAG_AC) && vcpu_cpl(&before) == 3))
        return true;
    if (first == VEC_PF)
        return last == VEC_DF;
    return first != VEC_DF && (!contributory || last == VEC_PF || last == VEC_DF);
}

/* Nothing but CR2, the exception, and what segments and walks mark in memory. */
static void check_not_delivered(void)
{
    struct vcpu now;

    memcpy(&now, &box.cpu, sizeof now);
    memcpy(&now.fault, &before.fault, sizeof now.fault);
    now.cr2 = before.cr2;
    must(!memcmp(&now, &before, sizeof now), "nothing is delivered, and the processor's state changed");
}

/* A vector that processors raise, with the error code that goes with it. */
static void make_exception(struct input *in)
{
    static const uint8_t vectors[] = { 0, 1, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 8 };
    uint8_t vector = TAKE_ONE_OF(in, vectors);
    uint32_t error = take(in, 2), cr2 = take(in, 4);

    box.cpu.fault = (struct fault){ .vector = vector, .has_error = has_error(vector), .cr2 = cr2 };
    if (has_error(vector))
        box.cpu.fault.error = error;
}

static bool deliver(enum kind kind, uint8_t vector)
{
    switch (kind) {
    case EXCEPTION: return event_exception(&box);
    case SOFTWARE: return event_software(&box, vector, box.cpu.eip + 2);
    case PENDING: event_interrupts(&box); return !box.stopped && !bus_intr(&box.bus);
    default: event_external(&box, vector); return !box.stopped;
    }
}

/* The timer's interrupt, from an 8259 with vectors from about `vector` on. */
static void make_interrupt(uint8_t vector)
{
    bus_init(&box.bus, box.bus.host);
    bus_out(&box.bus, PORT_PIC1_COMMAND, 1, 0x11);
    bus_out(&box.bus, PORT_PIC1_DATA, 1, vector);
    bus_out(&box.bus, PORT_PIC1_DATA, 1, 4);
    bus_out(&box.bus, PORT_PIC1_DATA, 1, 1);
    pic_line(&box.bus.pic, IRQ_TIMER, true);
    box.cpu.shadow = vector & 1 ? SHADOW_STI : vector & 2 ? SHADOW_MOV_SS : SHADOW_NONE;
}

/* False: that was the last. */
static bool one_event(struct input *in)
{
    enum kind kind = (enum kind)take_below(in, KINDS);
    uint8_t vector = (uint8_t)take(in, 1);
    bool done, wanted;
    int which;

    if (kind != SOFTWARE)
        vector |= 0x20;                                 /* an interrupt's, that none may take for an exception's */
    if (kind == EXCEPTION)
        make_exception(in);
    if (kind == PENDING)
        make_interrupt(vector);
    wanted = kind != PENDING || ((box.cpu.eflags & FLAG_IF) && box.cpu.shadow == SHADOW_NONE);
    box.cpu.halted = kind == EXTERNAL && vector & 1;
    memset(box.counters.events, 0, sizeof box.counters.events);
    memcpy(&before, &box.cpu, sizeof before);
    done = deliver(kind, vector);
    box_check_told();
    which = delivered();
    must(wanted || (!done && !box.stopped), "an interrupt comes, IF or not");
    must(done == (which >= 0), "said to be delivered: %d, delivered: #%d", done, which);
    must(!box.stopped || (!done && box.status == EXIT_CRASH && box.why[0]), "stopped without a word");
    if (!done) {
        check_not_delivered();
        must(box.stopped || kind == SOFTWARE || !wanted, "an event is lost");
        return !wanted;
    }
    must(kind != SOFTWARE || which == vector, "INT %u leads to #%d", vector, which);
    must(kind != EXCEPTION || may_follow(before.fault.vector, which), "#%u leads to #%d", before.fault.vector, which);
    check_delivered(which, kind == EXCEPTION || which != vector ? has_error(which) : false, before.eip + (kind == SOFTWARE ? 2 : 0));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };

    box_setup(&in);
    for (int i = 0; i < EVENTS && in.left && one_event(&in); i++)
        ;
    return 0;
}
