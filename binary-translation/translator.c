/* See translator.h. */
#include "translator.h"

#include <signal.h>
#include <string.h>

#include "direct/world.h"
#include "event.h"
#include "look.h"
#include "machine.h"
#include "profile.h"
#include "run.h"
#include "status.h"
#include "timeline.h"
#include "translate.h"

static const char *const exit_names[] = {
    [COUNT_SENSITIVE] = "sensitive", [COUNT_SOFTWARE_INT] = "software-interrupt", [COUNT_EXCEPTION] = "exception",
    [COUNT_SHADOW_FILL] = "shadow-fill", [COUNT_TRUNCATION] = "truncation", [COUNT_STEP] = "single-step",
    [COUNT_TIMER] = "timer", [COUNT_SEALED] = "sealed-write", [COUNT_UNSEEN] = "unseen-page",
    [COUNT_CALL] = "gate-call", [COUNT_LINK] = "gate-link", [COUNT_LOOKUP] = "gate-lookup", [COUNT_NEAR] = "gate-branch",
    [COUNT_FPU] = "gate-fpu", [COUNT_UNDEFINED] = "gate-undefined", [COUNT_CHANGED] = "gate-changed",
    [COUNT_BREAKPOINT] = "breakpoint", [COUNT_STORE] = "gate-store", NULL,
};

/* ---- once ---------------------------------------------------------------------------------------- */

/* The one virtual machine of this process: hooks have no argument to find it by. */
struct translator *translator_only;

static void sealed_write(uint32_t gpa, unsigned bytes) { cache_written(&translator_only->cache, gpa, bytes); }

static void flushing(struct cache *c) { (void)c; patch_undo_all(translator_only->patches); }
static void unseen(struct cache *c, uint32_t frame) { (void)c; patch_undo(translator_only->patches, frame); }

/* The translator's view of the guest's page tables follows the shadow's. */
static void flush_all(struct machine *m)
{
    (void)m;
    shadow_flush_all(&translator_only->direct->shadow);
    cache_pages_changed(&translator_only->cache, true);
}

static void load_cr3(struct machine *m)
{
    (void)m;
    shadow_load_cr3(&translator_only->direct->shadow);
    cache_pages_changed(&translator_only->cache, false);
}

static void flush_page(struct machine *m, uint32_t gla)
{
    (void)m;
    shadow_flush_page(&translator_only->direct->shadow, gla);
    cache_page_changed(&translator_only->cache, gla);
}

const char *translator_init(struct translator *t, struct direct *d, uint32_t bytes)
{
    struct machine *m = d->m;
    const char *why;

    t->m = m;
    t->direct = d;
    t->served = t->loaded = NONE;
    translator_only = t;
    m->hooks = (struct machine_hooks){ .flush_all = flush_all, .load_cr3 = load_cr3, .flush_page = flush_page };
    m->mem.sealed_write = sealed_write;
    m->counters.exit_names = exit_names;
    if (!segments_monitor())
        return host_failed("modify_ldt gives no segment of 4 GiB");
    HOLE->slots.selector[SELECTOR_OURS] = SEGMENT_MONITOR_DATA;
    why = cache_init(&t->cache, m, &d->shadow, bytes);
    if (t->patches) {
        patch_init(t->patches, &t->cache);
        t->cache.flushing = flushing;
        t->cache.unseen = unseen;
    }
    d->shadow.executable = t->user_too ? NULL : t->cache.clean;
    return why;
}

/* PUSHF shows ring 3 the processor's IF, IOPL, VIF and VIP, which are 1, 0, 0, 0, and POPF with IOPL 3 would change IF:
 * user code that has others is translated (VMware's rule: Bugnion et al. 2012). */
bool translator_runs_directly(const struct translator *t)
{
    const struct vcpu *cpu = &t->m->cpu;

    return !t->user_too && !t->open && !t->alone && vcpu_cpl(cpu) == 3 &&
           (cpu->eflags & (FLAG_IF | FLAG_IOPL | FLAG_VIF | FLAG_VIP)) == FLAG_IF &&
           !look_found_sensitive(&t->cache, cpu->seg[CS].base + cpu->eip);
}

/* ---- entering ------------------------------------------------------------------------------------ */

bool run_must_step(const struct translator *t)
{
    const struct vcpu *cpu = &t->m->cpu;

    return (cpu->eflags & FLAG_TF) || t->open || t->alone || (cpu->shadow != SHADOW_NONE && event_waiting(t->m));
}

uint32_t run_flags_of_ours(const struct translator *t)
{
    bool aligned = vcpu_cpl(&t->m->cpu) == 3 && (t->m->cpu.cr0 & CR0_AM);

    return FLAGS_NOT_HARDWARE | FLAG_TF | (aligned ? 0 : FLAG_AC);
}

static void load_slots(struct translator *t)
{
    struct vcpu *cpu = &t->m->cpu;
    struct slots *slots = &HOLE->slots;
    bool waits = bus_intr(&t->m->bus);
    const uint32_t allowed = FLAG_CF | FLAG_ONE | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | (waits ? 0 : FLAG_IF) |
                             1 << 3 | 1 << 5;                   /* reserved: POPF ignores them */

    profile_to(PROFILE_MONITOR);
    run_check_known(t);
    if (t->loaded != NONE && vcpu_cpl(cpu) == 0)
        run_learn_descriptor(t, (unsigned)t->loaded);
    t->loaded = NONE;
    memcpy(slots->selector, t->direct->selector, sizeof t->direct->selector);
    slots->interrupt = waits;
    slots->popf_slow = cpu->eflags & (FLAG_AC | FLAG_ID | FLAG_NT) ? ~0u : ~allowed;
    slots->fpu_absent = !t->want_fpu;
    slots->sse_absent = !t->want_fpu || !(cpu->cr4 & CR4_OSFXSR);
}

static void load_world(struct translator *t, uint32_t host)
{
    struct vcpu *cpu = &t->m->cpu;
    enum trace trace = HOLE->vm.options.trace;
    bool is_shown = trace == TRACE_EXITS || trace == TRACE_INSNS || trace == TRACE_BLOCKS;

    memcpy(direct_world.seg, t->direct->selector, sizeof direct_world.seg);
    direct_world.seg[CS] = SEGMENT_MONITOR_CODE;
    direct_world.seg[GS] = SEGMENT_MONITOR_DATA;
    direct_world.eflags = (cpu->eflags & ~run_flags_of_ours(t)) | FLAG_IF | FLAG_ONE;
    direct_world.fpu = t->want_fpu;
    direct_world.service = t->spy || t->patches || is_shown ? NULL : run_serve;
    direct_world.translated = !t->spy;      /* IRETQ can set TF for the first instruction, POPFQ cannot */
    direct_world.eflags |= t->spy ? FLAG_TF : 0;
    t->direct->entry_eip = cpu->eip;
    cpu->eflags &= run_flags_of_ours(t) & ~(uint32_t)FLAG_RF;         /* what sequences count on */
    cpu->eip = host;
}

/* ---- the loop ------------------------------------------------------------------------------------ */

bool run_enter(struct translator *t, uint32_t host, enum direct_exit *exit, bool *again)
{
    bool early;

    load_slots(t);
    load_world(t, host);
    profile_to(PROFILE_CACHE);
    early = direct_enter(&t->m->cpu);
    while (!early && direct_world.signal && t->spy && t->spy(t))
        early = direct_enter(&t->m->cpu);
    if (early) {
        timeline_not_entered();
        profile_to(PROFILE_MONITOR);
    } else {
        profile_left(direct_world.signal);
    }
    run_take_flags(t);
    if (!early)
        return true;
    t->m->cpu.eip = t->direct->entry_eip;
    direct_world.signal = SIGALRM;
    *exit = direct_classify(t->direct, again);
    return false;
}

/* The next instruction, or its end, is beyond RAM: shadow_fill() stops the machine and says so. */
static bool is_beyond_ram(struct translator *t)
{
    uint32_t gla = t->m->cpu.seg[CS].base + t->m->cpu.eip;
    unsigned reach = PAGE_BYTES - gla % PAGE_BYTES < INSN_MAX ? INSN_MAX - 1 : 0;
    struct translation tr;

    for (unsigned i = 0; i <= reach; i += INSN_MAX - 1)
        if (memory_peek(t->m, gla + i, ACCESS_READ, &tr) && tr.gpa >= t->m->mem.bytes &&
            shadow_fill(&t->direct->shadow, gla + i, ACCESS_READ) == FILL_STOPPED)
            return true;
    return false;
}

/* Does `b` begin behind the instruction of exit `x`? */
static bool follows(const struct cache *c, const struct exit *x, const struct block *b)
{
    return b->eip == x->eip + c->insn[x->insn].length && b->context == c->block[x->block].context;
}

/* *again, in: this is not the first turn. */
static enum direct_exit turn_translated(struct translator *t, bool *again)
{
    struct cache *c = &t->cache;
    bool user = vcpu_cpl(&t->m->cpu) == 3;
    unsigned generation = c->generation;
    int context = cache_context(c, run_must_step(t), t->user_too && user), served = t->served;
    struct block *b = *again ? cache_find(c, context, t->m->cpu.eip) : run_look_up(t, context);
    enum direct_exit exit;

    *again = false;
    t->served = NONE;                                   /* whatever comes: its number is good for this turn only */
    if (!b && !(b = translate(c, context, false)) && is_beyond_ram(t))
        return DIRECT_STOPPED;
    if (!b)
        return run_count(t, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    if (served != NONE && generation == c->generation && follows(c, &c->exit[served], b))
        c->exit[served].to = (int)(b - c->block);       /* run_serve() goes on there next time */
    if (!run_enter(t, b->entry, &exit, again))
        return exit;
    t->want_fpu = false;
    if (direct_world.signal)
        return run_take_signal(t, context, again);
    return run_take_exit(t, (int)HOLE->slots.exit, context, again);
}

/* One turn, and what is the translator's own business of what comes of it. */
static enum direct_exit turn(struct translator *t, bool *again)
{
    bool in_place = run_is_in_place(t), open = t->open;
    enum direct_exit exit;

    if (t->patches && !in_place)
        run_uncover_page(t);
    profile_to(PROFILE_LINK);
    exit = in_place ? run_in_place(t, again) : turn_translated(t, again);
    profile_to(PROFILE_MONITOR);
    if (exit == DIRECT_UNSEEN) {
        patch_look_at(t->patches, translator_unseen(t), cache_context(&t->cache, false, false));
        *again = true;
    } else if (exit == DIRECT_SEALED) {
        cache_faulted(&t->cache, t->m->cpu.eip);
        *again = translator_write(t);
        exit = DIRECT_STOPPED;
    } else if (open && !*again) {
        run_close_pages(t);
    }
    t->alone &= *again;
    return exit;
}

/* What was patched for the kernel is not for user code that shares its page. */
enum direct_exit translator_run_directly(struct translator *t, uint64_t deadline)
{
    enum direct_exit exit;

    if (t->patches)
        run_uncover_page(t);
    profile_to(PROFILE_DIRECT);
    exit = direct_run(t->direct, deadline);
    profile_to(PROFILE_MONITOR);
    return exit;
}

static void follow_window(struct translator *t)
{
    if (t->cache.window == t->direct->shadow.window)
        return;
    t->cache.window = t->direct->shadow.window;
    cache_flush(&t->cache);
}

enum direct_exit translator_run(struct translator *t, uint64_t deadline)
{
    enum direct_exit exit;
    bool again = false;

    direct_arm(t->direct, deadline);
    do {
        direct_select(t->direct);
        if (t->m->stopped)
            return DIRECT_STOPPED;
        follow_window(t);
        exit = turn(t, &again);
    } while (again && !t->m->stopped);
    return t->m->stopped ? DIRECT_STOPPED : exit;
}
