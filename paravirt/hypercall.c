/* The hypercalls, in the order of hypercalls.def. Whatever the guest says is checked here: a wild pointer, count or frame
 * is an error to the guest, and has then changed nothing but what is said to have been done. Pointers are linear addresses
 * that the guest's kernel may read or write. Results below 0 are errors of interface.h. */
#include "hypercall.h"

#include "event.h"
#include "events.h"
#include "fast.h"
#include "gate.h"
#include "machine.h"
#include "paravirt.h"
#include "segment.h"
#include "transfer.h"

_Static_assert((int)HYPERCALLS <= (int)HYPERCALLS_MAX, "counters.h has no place for so many");

enum { TRAPS_MAX = 256, GDT_MAX = 8192, UPDATES_MAX = 2048, CALLS_MAX = 64, CHUNK = 64 };

typedef int32_t handler(struct paravirt *pv, const uint32_t *argument);

static int32_t copy_in(struct paravirt *pv, uint32_t linear, void *to, unsigned bytes)
{
    if (!bytes)
        return 0;
    return linear <= PV_HOLE - bytes && memory_load(pv->m, linear, to, bytes, ACCESS_READ) ? 0 : -PV_EFAULT;
}

static int32_t copy_out(struct paravirt *pv, uint32_t linear, const void *from, unsigned bytes)
{
    return linear <= PV_HOLE - bytes && memory_store(pv->m, linear, from, bytes, 0) ? 0 : -PV_EFAULT;
}

/* Those of fast.h, which says what they do. */
#define FAST(function) \
    static int32_t do_##function(struct paravirt *pv, const uint32_t *a) { (void)pv; return fast_##function(a[0], a[1]); }
FAST(version)
FAST(stack_switch)
FAST(event)

/* ---- traps, stack, segments ---------------------------------------------------------------------- */

static bool is_row(const struct pv_trap *row)
{
    return (!row->eip || (row->cs && !(row->cs & 3))) && !(row->flags & ~(3 | PV_TRAP_MASKS | PV_TRAP_USER_CALL));
}

/* Replace so many rows (struct pv_trap), each naming its vector; EIP 0: there is none any more. */
static int32_t do_set_trap_table(struct paravirt *pv, const uint32_t *a)
{
    static struct pv_trap rows[TRAPS_MAX];
    uint32_t count = a[1];

    if (count > TRAPS_MAX)
        return -PV_EINVAL;
    if (copy_in(pv, a[0], rows, count * (unsigned)sizeof rows[0]))
        return -PV_EFAULT;
    for (uint32_t i = 0; i < count; i++)
        if (!is_row(&rows[i]))
            return -PV_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        pv->trap[rows[i].vector] = rows[i];
        if (rows[i].flags & PV_TRAP_USER_CALL)
            gate_set_user_call(pv, rows[i].vector);
        else if (rows[i].vector == pv->user_call)
            gate_set_user_call(pv, -1);
    }
    return 0;
}

/* The GDT is at this linear address from now on. Descriptors are checked when they are loaded, and what is loaded ends
 * below the hole (segments.h); what is loaded already stays. To change one that is in use takes update_descriptor: the gates
 * need not see a plain store. */
static int32_t do_set_gdt(struct paravirt *pv, const uint32_t *a)
{
    uint32_t linear = a[0], bytes = a[1] * 8;
    uint8_t byte;

    if (a[1] == 0 || a[1] > GDT_MAX)
        return -PV_EINVAL;
    if (linear > PV_HOLE - bytes)
        return -PV_EFAULT;
    for (uint32_t at = 0; at < bytes; at += PAGE_BYTES)
        if (copy_in(pv, linear + at, &byte, 1))
            return -PV_EFAULT;
    if (copy_in(pv, linear + bytes - 1, &byte, 1))
        return -PV_EFAULT;
    pv->m->cpu.gdtr = (struct table_register){ .base = linear, .limit = (uint16_t)(bytes - 1) };
    gate_forget();
    return 0;
}

/* Entry `entry` of the GDT: code or data, of ring 0 or 3, or not present. */
static int32_t do_update_descriptor(struct paravirt *pv, const uint32_t *a)
{
    const struct table_register *gdtr = &pv->m->cpu.gdtr;
    uint32_t word[2] = { a[1], a[2] };
    struct segment s = segment_unpack(word[0], word[1]);
    unsigned dpl = attr_dpl(s.attr);

    if (a[0] == 0 || a[0] > gdtr->limit / 8u)
        return -PV_EINVAL;
    if ((s.attr & ATTR_PRESENT) && (!(s.attr & ATTR_SEGMENT) || (dpl != 0 && dpl != 3)))
        return -PV_EINVAL;
    gate_forget();
    return copy_out(pv, gdtr->base + a[0] * 8, word, sizeof word);
}

/* ---- memory -------------------------------------------------------------------------------------- */

/* So many struct pv_mmu_update, in their order, up to the first that is refused. How many were done goes to `done`, if that is
 * not 0. */
static int32_t do_mmu_update(struct paravirt *pv, const uint32_t *a)
{
    uint32_t count = a[1], done = 0, n;
    struct pv_mmu_update update[CHUNK];
    int32_t error = count > UPDATES_MAX ? -PV_EINVAL : 0;

    if (a[2] && copy_out(pv, a[2], &done, sizeof done))
        return -PV_EFAULT;              /* before anything is changed */
    while (!error && done < count) {
        n = count - done < CHUNK ? count - done : CHUNK;
        error = copy_in(pv, a[0] + done * (uint32_t)sizeof update[0], update, n * (unsigned)sizeof update[0]);
        for (uint32_t i = 0; !error && i < n; i++) {
            error = mmu_update(&pv->mmu, update[i].at, update[i].entry);
            done += !error;
        }
    }
    if (a[2] && copy_out(pv, a[2], &done, sizeof done))
        return -PV_EFAULT;
    return error;
}

/* The entry of one page of the space in use. PV_FLUSH is understood: a change is never seen late here. */
static int32_t do_update_va_mapping(struct paravirt *pv, const uint32_t *a)
{
    return a[2] & ~(uint32_t)PV_FLUSH ? -PV_EINVAL : mmu_update_va(&pv->mmu, a[0], a[1]);
}

/* PIN, UNPIN, NEW_BASE: of the page directory at this physical address. FLUSH: of this linear page; FLUSH_ALL. */
static int32_t do_mmuext(struct paravirt *pv, const uint32_t *a)
{
    struct machine *m = pv->m;

    switch (a[0]) {
    case PV_MMUEXT_PIN: return mmu_pin(&pv->mmu, a[1]);
    case PV_MMUEXT_UNPIN: return mmu_unpin(&pv->mmu, a[1]);
    case PV_MMUEXT_NEW_BASE: return mmu_new_base(&pv->mmu, a[1]);
    case PV_MMUEXT_FLUSH:
        if (m->hooks.flush_page)
            m->hooks.flush_page(m, a[1]);
        return 0;
    case PV_MMUEXT_FLUSH_ALL:
        if (m->hooks.flush_all)
            m->hooks.flush_all(m);
        return 0;
    default: return -PV_EINVAL;
    }
}

/* ---- control ------------------------------------------------------------------------------------- */

/* The frame is on the stack, as for the processor's own IRET, which this is: its faults are the guest's. EAX is the guest's
 * again. Never in a multicall. */
static int32_t do_iret(struct paravirt *pv, const uint32_t *a)
{
    struct machine *m = pv->m;

    (void)a;
    if (!transfer_iret(m, 4))
        event_exception(m);
    return (int32_t)m->cpu.gpr[EAX];
}

/* YIELD does nothing, there is nobody else. BLOCK: events on, and wait for one. SHUTDOWN: with this status. */
static int32_t do_sched(struct paravirt *pv, const uint32_t *a)
{
    struct machine *m = pv->m;

    switch (a[0]) {
    case PV_SCHED_YIELD: return 0;
    case PV_SCHED_BLOCK:
        m->cpu.eflags |= FLAG_IF;
        m->cpu.halted = !events_due(pv->shared);
        return 0;
    case PV_SCHED_SHUTDOWN:
        m->bus.exit_status = (int)((a[1] << 1 | 1) & 0xff);
        return 0;
    default: return -PV_EINVAL;
    }
}

/* ---- devices ------------------------------------------------------------------------------------- */

/* The timer's event comes once, when the guest's clock is there; at once if it was. All ones: never. */
static int32_t do_set_timer(struct paravirt *pv, const uint32_t *a)
{
    pv->timer = (uint64_t)a[1] << 32 | a[0];
    clock_tick(pv);
    return 0;
}

/* WRITE: all of it, the result is 0. READ: the result is how many bytes came, 0 if none are waiting. */
static int32_t do_console_io(struct paravirt *pv, const uint32_t *a)
{
    const struct bus_host *host = &pv->m->bus.host;
    uint8_t text[256];
    uint32_t done = 0, n;
    int byte = 0;

    if (a[0] == PV_CONSOLE_READ) {
        n = a[2] < sizeof text ? a[2] : (uint32_t)sizeof text;
        if (n && (a[1] > PV_HOLE - n || !memory_load(pv->m, a[1], text, n, ACCESS_WRITE)))
            return -PV_EFAULT;                          /* before a byte is taken */
        while (done < n && (byte = host->get(host->ctx)) >= 0)
            text[done++] = (uint8_t)byte;
        return done && copy_out(pv, a[1], text, done) ? -PV_EFAULT : (int32_t)done;
    }
    if (a[0] != PV_CONSOLE_WRITE || a[2] > PAGE_BYTES)
        return -PV_EINVAL;
    for (; done < a[2]; done += n) {
        n = a[2] - done < sizeof text ? a[2] - done : (uint32_t)sizeof text;
        if (copy_in(pv, a[1] + done, text, n))
            return -PV_EFAULT;
        for (uint32_t i = 0; i < n; i++)
            host->put(host->ctx, text[i]);
    }
    return 0;
}

/* So many struct pv_call, one after another, each with its own result; an error does not stop them. */
static int32_t do_multicall(struct paravirt *pv, const uint32_t *a)
{
    struct pv_call call;

    if (a[1] > CALLS_MAX)
        return -PV_EINVAL;
    for (uint32_t i = 0; i < a[1]; i++) {
        uint32_t at = a[0] + i * (uint32_t)sizeof call;

        if (at > PV_HOLE - sizeof call || !memory_load(pv->m, at, &call, sizeof call, ACCESS_WRITE))
            return -PV_EFAULT;          /* where its result cannot go, no call is made */
        if (call.number == HC_MULTICALL || call.number == HC_IRET)
            call.result = -PV_EINVAL;
        else
            call.result = hypercall(pv, call.number, call.argument);
        if (copy_out(pv, at, &call, sizeof call))
            return -PV_EFAULT;
    }
    return 0;
}

/* ---- all of them --------------------------------------------------------------------------------- */

int32_t hypercall(struct paravirt *pv, uint32_t number, const uint32_t argument[5])
{
    static handler *const handlers[HYPERCALLS] = {
#define HYPERCALL(name, function, ...) [HC_##name] = do_##function,
#include "hypercalls.def"
#undef HYPERCALL
    };

    if (number >= HYPERCALLS)
        return -PV_ENOSYS;
    pv->m->counters.hypercalls[number]++;
    return handlers[number](pv, argument);
}
