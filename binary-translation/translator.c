/* See translator.h. */
#include "translator.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "direct/world.h"
#include "emulate.h"
#include "event.h"
#include "gate.h"
#include "look.h"
#include "machine.h"
#include "profile.h"
#include "segment.h"
#include "status.h"
#include "translate.h"

static const char *const exit_names[] = {
    [COUNT_SENSITIVE] = "sensitive", [COUNT_SOFTWARE_INT] = "software-interrupt", [COUNT_EXCEPTION] = "exception",
    [COUNT_SHADOW_FILL] = "shadow-fill", [COUNT_TRUNCATION] = "truncation", [COUNT_STEP] = "single-step",
    [COUNT_TIMER] = "timer", [COUNT_SEALED] = "sealed-write", [COUNT_UNSEEN] = "unseen-page", [COUNT_CALL] = "gate-call", [COUNT_LINK] = "gate-link",
    [COUNT_LOOKUP] = "gate-lookup", [COUNT_NEAR] = "gate-branch", [COUNT_FPU] = "gate-fpu",
    [COUNT_UNDEFINED] = "gate-undefined", [COUNT_CHANGED] = "gate-changed", [COUNT_BREAKPOINT] = "breakpoint", [COUNT_STORE] = "gate-store", NULL,
};

/* ---- once ---------------------------------------------------------------------------------------- */

/* The one virtual machine of this process: hooks have no argument to find it by. */
static struct translator *the_translator;

static void sealed_write(uint32_t gpa, unsigned bytes) { cache_written(&the_translator->cache, gpa, bytes); }

static void flushing(struct cache *c) { (void)c; patch_undo_all(the_translator->patches); }
static void unseen(struct cache *c, uint32_t frame) { (void)c; patch_undo(the_translator->patches, frame); }

/* The translator's view of the guest's page tables follows the shadow's. */
static void flush_all(struct machine *m)
{
    (void)m;
    shadow_flush_all(&the_translator->direct->shadow);
    cache_pages_changed(&the_translator->cache, true);
}

static void load_cr3(struct machine *m)
{
    (void)m;
    shadow_load_cr3(&the_translator->direct->shadow);
    cache_pages_changed(&the_translator->cache, false);
}

static void flush_page(struct machine *m, uint32_t gla)
{
    (void)m;
    shadow_flush_page(&the_translator->direct->shadow, gla);
    cache_page_changed(&the_translator->cache, gla);
}

const char *translator_init(struct translator *t, struct direct *d, uint32_t bytes)
{
    struct machine *m = d->m;
    const char *why;

    t->m = m;
    t->direct = d;
    t->served = t->loaded = NONE;
    the_translator = t;
    m->hooks = (struct machine_hooks){ flush_all, load_cr3, flush_page };
    m->mem.sealed_write = sealed_write;
    m->counters.exit_names = exit_names;
    if (!segments_monitor())
        return "modify_ldt gives no segment of 4 GiB";
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

/* With interrupts off or ports of its own, even user code would see what is not so (VMware's rule: Bugnion et al. 2012). */
bool translator_runs_directly(const struct translator *t)
{
    const struct vcpu *cpu = &t->m->cpu;

    return !t->user_too && !t->open && !t->alone && vcpu_cpl(cpu) == 3 && vcpu_iopl(cpu) < 3 && (cpu->eflags & FLAG_IF) &&
           !look_found_sensitive(&t->cache, cpu->seg[CS].base + cpu->eip);
}

/* ---- the service --------------------------------------------------------------------------------- */

/* Is there a block to go on with, and nothing that main.c's loop has to see first? */
static bool may_go_on(const struct translator *t, const struct exit *x, const struct block *next)
{
    const struct bus *bus = &t->m->bus;

    return x->to != NONE && !next->dead && next->page[1] == NONE && t->cache.page[next->page[0]].active &&
           bus_intr(bus) == (HOLE->slots.interrupt != 0) && bus->exit_status < 0 &&
           (t->cache.insn[x->insn].isa == ISA_IN || vm_deadline(&HOLE->vm) >= t->direct->armed);
}

/* Port accesses are frequent, change nothing but EAX and a device, and are not worth the way to main.c's loop: they are
 * carried out at the gate. */
static bool serve(void)
{
    struct translator *t = the_translator;
    struct machine *m = t->m;
    int number = (int)HOLE->slots.exit;
    struct exit *x = number < 0 ? NULL : &t->cache.exit[number];

    if (!x || !x->port)
        return false;
    profile_left(false);
    m->cpu.eip = x->eip;
    if (!emulate(m, &t->cache.insn[x->insn]))
        return false;                                   /* the loop comes to the same end, and delivers the exception */
    m->counters.exits[COUNT_CALL]++;
    t->direct->entry_eip = m->cpu.eip;
    if (may_go_on(t, x, &t->cache.block[x->to])) {
        m->cpu.eip = t->cache.block[x->to].entry;
        profile_to(PROFILE_CACHE);
        return true;
    }
    t->served = number;
    HOLE->slots.exit = (uint32_t)EXIT_SERVED;
    return false;
}

/* ---- known descriptors --------------------------------------------------------------------------- */

/* All are forgotten when a thing changes on which they depend, beside what the sequence compares itself. */
static void check_known(struct translator *t)
{
    const struct table_register *gdtr = &t->m->cpu.gdtr;

    if (t->known_gdtr.base == gdtr->base && t->known_gdtr.limit == gdtr->limit &&
        t->known_rewritten == t->direct->segments.rewritten)
        return;
    for (unsigned i = 0; i < KNOWN_DESCRIPTORS; i++)
        HOLE->known[i].minus_selector = 1;
    t->known_gdtr = *gdtr;
    t->known_rewritten = t->direct->segments.rewritten;
}

/* The kernel has loaded `seg` with the emulator's help: next time it will do so itself. */
static void learn_descriptor(struct translator *t, unsigned seg)
{
    const struct segment *s = &t->m->cpu.seg[seg];
    struct known_descriptor *known = &HOLE->known[s->selector % KNOWN_DESCRIPTORS];
    uint32_t gla = t->m->cpu.gdtr.base + (s->selector & ~7u), word[2] = { 0, 0 };
    struct segment now = { 0 };

    if (!selector_is_null(s->selector)) {
        if ((s->selector & 4) || gla + t->direct->shadow.window > WINDOW_END - 8 || !memory_load(t->m, gla, word, 8, 0))
            return;
        now = segment_unpack(word[0], word[1]);
    }
    if (now.base != s->base || now.limit != s->limit || now.attr != s->attr)
        return;                                         /* it was not loaded after all: an exception */
    *known = (struct known_descriptor){
        .minus_selector = -(uint32_t)s->selector, .minus_low = -word[0], .minus_high = -word[1], .segment = *s,
        .address = selector_is_null(s->selector) ? ADDRESS(HOLE->null_descriptor) : gla + t->direct->shadow.window,
        .hardware = t->direct->selector[seg],
    };
}

/* ---- entering ------------------------------------------------------------------------------------ */

/* One instruction alone: single-stepped, in an interrupt shadow that holds something back, or with a sealed page open. */
static bool must_step(const struct translator *t)
{
    const struct vcpu *cpu = &t->m->cpu;

    return (cpu->eflags & FLAG_TF) || t->open || t->alone || (cpu->shadow != SHADOW_NONE && event_waiting(t->m));
}

/* Flags that the processor does not hold for the guest. Linux has CR0.AM set, the guest may have not. */
static uint32_t flags_of_ours(const struct translator *t)
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
                             1 << 3 | 1 << 5;

    profile_to(PROFILE_MONITOR);
    check_known(t);
    if (t->loaded != NONE && vcpu_cpl(cpu) == 0)
        learn_descriptor(t, (unsigned)t->loaded);
    t->loaded = NONE;
    memcpy(slots->selector, t->direct->selector, sizeof t->direct->selector);
    slots->interrupt = waits;
    slots->popf_slow = cpu->eflags & (FLAG_AC | FLAG_ID | FLAG_NT) ? ~0u : ~allowed;
    slots->fpu_absent = !t->want_fpu;
}

static void load_world(struct translator *t, uint32_t host)
{
    struct vcpu *cpu = &t->m->cpu;

    memcpy(direct_world.seg, t->direct->selector, sizeof direct_world.seg);
    direct_world.seg[CS] = SEGMENT_MONITOR_CODE;
    direct_world.seg[GS] = SEGMENT_MONITOR_DATA;
    direct_world.eflags = (cpu->eflags & ~flags_of_ours(t)) | FLAG_IF | FLAG_ONE;
    direct_world.fpu = t->want_fpu;
    direct_world.service = t->spy || t->patches || HOLE->vm.options.trace ? NULL : serve;
    direct_world.translated = !t->spy;      /* IRETQ can set TF for the first instruction, POPFQ cannot */
    direct_world.eflags |= t->spy ? FLAG_TF : 0;
    t->direct->entry_eip = cpu->eip;
    cpu->eflags &= flags_of_ours(t) & ~(uint32_t)FLAG_RF;         /* what sequences count on */
    cpu->eip = host;
}

/* ---- leaving ------------------------------------------------------------------------------------- */

static enum direct_exit count(struct translator *t, enum translator_count what, enum direct_exit exit)
{
    t->m->counters.exits[what]++;
    return exit;
}

static void take_flags(struct translator *t)
{
    const uint32_t ours = flags_of_ours(t);

    t->m->cpu.eflags = (t->m->cpu.eflags & ours & ~(uint32_t)FLAG_RF) | (direct_world.eflags & ~ours) | FLAG_ONE;
}

/* A block of one instruction has ended: what single-stepping asks for. */
static enum direct_exit stepped(struct translator *t)
{
    struct vcpu *cpu = &t->m->cpu;

    cpu->shadow = SHADOW_NONE;
    if (!(cpu->eflags & FLAG_TF))
        return DIRECT_INTERRUPTED;
    cpu->dr[6] |= 1 << 14;                              /* BS */
    vcpu_raise(cpu, VEC_DB);
    return DIRECT_EXCEPTION;
}

/* The block at EIP, for an entry or an indirect branch. */
static struct block *look_up(struct translator *t, int context)
{
    struct block *b = cache_find(&t->cache, context, t->m->cpu.eip);
    struct counters *n = &t->m->counters;

    ++*(b ? &n->looked_up : &n->missed);
    return b;
}

/* Find or make the block that an exit leads to, and make the way there shorter. Only one that the jump table leads to
 * needs a landing; if it has none, it is made again. */
static void shorten(struct translator *t, struct exit *x, int context)
{
    struct cache *c = &t->cache;
    struct block *b = x && x->kind == EXIT_BRANCH ? cache_find(c, context, t->m->cpu.eip) : look_up(t, context);
    unsigned generation = c->generation;

    if (!x && b && b->landing == b->entry) {
        cache_kill(c, b);
        b = NULL;
    }
    if (!b)
        b = translate(c, context, !x);
    if (!b)
        return;                                         /* the next look will find the exception */
    if (!x)
        cache_set_target(c, b);
    else if (generation == c->generation && x->kind == EXIT_PREDICT)
        cache_predict(c, x, b), t->m->counters.predicted++;
    else if (generation == c->generation)
        cache_link(c, x, b);
}

static enum direct_exit branch(struct translator *t, struct exit *x, int context, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;

    cpu->shadow = SHADOW_NONE;
    if (t->cache.context[context].step)
        return count(t, (enum translator_count)COUNT_STEP, stepped(t));
    *again = !translator_runs_directly(t);
    profile_to(PROFILE_LINK);
    if (*again)
        shorten(t, x, context);
    profile_to(PROFILE_MONITOR);
    return count(t, x && x->kind == EXIT_BRANCH ? COUNT_LINK : COUNT_LOOKUP, DIRECT_INTERRUPTED);
}

static enum direct_exit near_branch(struct translator *t, bool *again)
{
    if (!direct_branch(t->direct))
        return count(t, COUNT_NEAR, DIRECT_EXCEPTION);
    *again = !must_step(t);
    return count(t, COUNT_NEAR, *again ? DIRECT_INTERRUPTED : stepped(t));
}

/* #NM, or let the guest's state into the FPU (Intel SDM vol. 3A table 2-2, AMD APM vol. 2 table 8-6). */
static enum direct_exit want_fpu(struct translator *t, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;

    count(t, COUNT_FPU, DIRECT_INTERRUPTED);
    if (cpu->cr0 & (CR0_TS | CR0_EM)) {
        vcpu_raise(cpu, VEC_NM);
        return DIRECT_EXCEPTION;
    }
    *again = t->want_fpu = true;
    return DIRECT_INTERRUPTED;
}

static enum direct_exit changed(struct translator *t, struct exit *x, bool *again)
{
    cache_kill(&t->cache, &t->cache.block[x->block]);
    *again = true;
    return count(t, COUNT_CHANGED, DIRECT_INTERRUPTED);
}

/* What its fault would have led to, without it: the pages that the instruction writes to are opened if they are sealed.
 * Where the write would be a page's first, or not be allowed, it is left to fault: nobody but the processor knows when. */
static enum direct_exit store(struct translator *t, bool *again)
{
    const struct insn *insn = t->direct->insn;
    struct vcpu *cpu = &t->m->cpu;
    unsigned access = ACCESS_WRITE | (vcpu_cpl(cpu) == 3 ? ACCESS_USER : 0);
    struct translation tr;

    for (int i = 0; i < insn->operands; i++) {
        const struct operand *op = &insn->op[i];
        uint32_t offset = op->kind == OPERAND_MEM ? operand_offset(cpu, insn, op) : 0;

        if (op->kind != OPERAND_MEM || !op->written || !segment_allows(&cpu->seg[op->seg], offset, op->bytes, ACCESS_WRITE))
            continue;
        t->direct->fault = cpu->seg[op->seg].base + offset;
        if (memory_peek(t->m, t->direct->fault, access, &tr) && tr.gpa < t->m->mem.bytes && (tr.flags & PTE_D) &&
            t->m->mem.sealed[tr.gpa >> 12])
            translator_write(t);
    }
    *again = t->alone = true;
    return count(t, COUNT_STORE, DIRECT_INTERRUPTED);
}

static enum direct_exit take_exit(struct translator *t, int number, int context, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;
    struct exit *x = number < 0 ? NULL : &t->cache.exit[number];
    bool indirect = !x || x->kind == EXIT_PREDICT;

    if (number == EXIT_SERVED) {
        cpu->eip = t->direct->entry_eip;
        return DIRECT_INTERRUPTED;
    }
    cpu->eip = indirect ? HOLE->slots.target : x->eip;
    if (cpu->eip != t->direct->entry_eip)
        cpu->shadow = SHADOW_NONE;
    if (indirect || x->kind == EXIT_FPU || x->kind == EXIT_CHANGED)
        cpu->gpr[ECX] = HOLE->slots.ecx;
    if (indirect || x->kind == EXIT_BRANCH)
        return branch(t, x, context, again);
    if (x->insn != NONE)
        t->direct->insn = &t->cache.insn[x->insn];
    switch (x->kind) {
    case EXIT_CALL:
        if (t->direct->insn->isa == ISA_MOV_TO_SEG || t->direct->insn->isa == ISA_POP_SEG)
            t->loaded = t->direct->insn->op[0].reg;
        return count(t, COUNT_CALL, DIRECT_SENSITIVE);
    case EXIT_STORE: return store(t, again);
    case EXIT_NEAR: return near_branch(t, again);
    case EXIT_FPU: return want_fpu(t, again);
    case EXIT_CHANGED: return changed(t, x, again);
    default:
        vcpu_raise(cpu, VEC_UD);
        return count(t, COUNT_UNDEFINED, DIRECT_EXCEPTION);
    }
}

/* Who decodes what stands at EIP must not see a patch of ours. */
static void uncover(struct translator *t)
{
    const struct patch *patch = patch_at(t->patches, t->m->cpu.eip);

    if (patch)
        patch_undo(t->patches, patch->gpa);
}

static void uncover_page(struct translator *t)
{
    struct translation tr;

    if (memory_peek(t->m, t->m->cpu.seg[CS].base + t->m->cpu.eip, ACCESS_READ, &tr) && tr.gpa < t->m->mem.bytes)
        patch_undo(t->patches, tr.gpa);
}

/* A signal stopped the guest in the middle of translated code. */
static enum direct_exit take_signal(struct translator *t, int context, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;
    struct cache *c = &t->cache;
    uint32_t host = cpu->eip;
    const struct block *b = cache_block_at(c, host);
    struct exit *x = cache_exit_at(c, host);
    enum interrupt_shadow shadow = cpu->shadow;
    struct back back;

    if (b) {
        direct_select(t->direct);                       /* segments may have changed meanwhile */
        cpu->shadow = SHADOW_NONE;
        back = translate_back(c, b, host);
        if (t->patches && (direct_world.trap != VEC_PF || direct_world.cr2 >= WINDOW_END))
            uncover(t);
        if (back.forward && (!direct_decode(t->direct) || !emulate(t->m, t->direct->insn)))
            machine_stop(t->m, EXIT_BUG, "an instruction that had begun in the code cache cannot be ended");
        if (c->context[context].step && direct_world.signal == SIGALRM &&
            (back.turned || cpu->eip != t->direct->entry_eip)) {
            direct_world.kick = true;                   /* first what the step's end asks for */
            return count(t, (enum translator_count)COUNT_STEP, stepped(t));
        }
        memcpy(direct_world.seg, t->direct->selector, sizeof direct_world.seg);
        if (cpu->shadow == SHADOW_STI)
            t->direct->entry_eip = cpu->eip;            /* it began here: direct_classify() keeps it */
        else
            cpu->shadow = shadow;
        return direct_classify(t->direct, again);
    }
    if (direct_world.signal == SIGALRM && (x || gate_contains(host))) {
        direct_world.kick = true;                       /* seen to at the next entry */
        return take_exit(t, x ? (int)(x - c->exit) : gate_exit(host, HOLE->slots.exit), context, again);
    }
    machine_stop(t->m, EXIT_BUG, "a fault in the translator's own code");
    return DIRECT_STOPPED;
}

/* ---- code that is written to --------------------------------------------------------------------- */

static void forget(struct translator *t, uint32_t gla, unsigned bytes)
{
    struct translation tr;

    if (memory_peek(t->m, gla, ACCESS_READ, &tr) && tr.gpa < t->m->mem.bytes && t->m->mem.sealed[tr.gpa >> 12])
        cache_written(&t->cache, tr.gpa, bytes);
}

/* What the instruction at EIP writes in the page of d->fault; all of the page if it repeats. */
static void forget_operands(struct translator *t)
{
    struct direct *d = t->direct;
    struct vcpu *cpu = &t->m->cpu;
    uint32_t page = d->fault & PAGE_MASK;
    bool found = false;

    for (int i = 0; i < d->insn->operands && !d->insn->rep; i++) {
        const struct operand *op = &d->insn->op[i];
        uint32_t first = cpu->seg[op->seg % SEGREGS].base + operand_offset(cpu, d->insn, op), end = first + op->bytes;

        if (op->kind != OPERAND_MEM || !op->written || op->bytes == 0 || op->bytes > 16 || end - page > PAGE_BYTES + 16)
            continue;
        first = first - page < PAGE_BYTES ? first : page;
        end = end - page <= PAGE_BYTES ? end : page + PAGE_BYTES;
        if (first < end) {
            forget(t, first, end - first);
            found = true;
        }
    }
    if (!found)
        forget(t, page, PAGE_BYTES);
}

bool translator_write(struct translator *t)
{
    struct direct *d = t->direct;
    uint32_t gla = d->fault & PAGE_MASK;
    struct translation tr;

    if (t->patches)
        uncover(t);
    if (direct_decode(d))
        forget_operands(t);
    if (!memory_peek(t->m, gla, ACCESS_READ, &tr) || tr.gpa >= t->m->mem.bytes || !t->m->mem.sealed[tr.gpa >> 12])
        return true;                                    /* nothing is left there: an ordinary write */
    if (shadow_fill(&d->shadow, gla, ACCESS_READ) == FILL_STOPPED)
        return false;
    shadow_open(&d->shadow, gla);
    t->opened[t->opened_count++ % 4] = gla;
    t->open = true;
    return true;
}

uint32_t translator_unseen(struct translator *t)
{
    struct vcpu *cpu = &t->m->cpu;
    uint32_t at = cpu->seg[CS].base + cpu->eip, fault = t->direct->fault;

    if (((at ^ fault) & PAGE_MASK) == 0)
        return at;
    if (t->patches)
        uncover(t);
    return direct_decode(t->direct) ? at + t->direct->insn->length : fault;
}

void translator_look(struct translator *t)
{
    uint32_t gla = translator_unseen(t);

    look_at(&t->cache, gla);
    t->alone = look_found_sensitive(&t->cache, gla);    /* if it begins in another page, which may run directly */
}

static void close_pages(struct translator *t)
{
    for (unsigned i = 0; i < t->opened_count && i < 4; i++)
        shadow_close(&t->direct->shadow, t->opened[i]);
    t->opened_count = 0;
    t->open = false;
}

/* ---- the loop ------------------------------------------------------------------------------------ */

/* False: the guest has run, and stopped. */
static bool enter(struct translator *t)
{
    bool early;

    profile_to(PROFILE_CACHE);
    early = direct_enter(&t->m->cpu);
    while (!early && direct_world.signal && t->spy && t->spy(t))
        early = direct_enter(&t->m->cpu);
    early ? profile_to(PROFILE_MONITOR) : profile_left(direct_world.signal);
    return early;
}

/* INT3 where the guest has something else, or in the rest of a stretch, where only a jump into its middle leads. */
static enum direct_exit take_breakpoint(struct translator *t, const struct patch *patch, bool *again)
{
    t->m->cpu.eip--;
    direct_world.signal = 0;
    if (patch->trap) {
        t->direct->insn = &patch->insn;
        return count(t, COUNT_BREAKPOINT, DIRECT_SENSITIVE);
    }
    patch_learn(t->patches, t->m->cpu.eip);
    *again = true;
    return count(t, COUNT_BREAKPOINT, DIRECT_INTERRUPTED);
}

/* The patches' jumps lead where only the monitor's own flat code segment reaches: so the guest's must be flat as well. */
static bool runs_in_place(const struct translator *t)
{
    const struct vcpu *cpu = &t->m->cpu;
    const struct segment *cs = &cpu->seg[CS];

    return t->patches && vcpu_cpl(cpu) == 0 && !must_step(t) && cs->base == 0 && cs->limit == 0xffffffff &&
           (cs->attr & ATTR_BIG) && t->direct->shadow.window == 0;
}

/* The kernel's code where it is, patched. What is not patched because nobody knew it for code either traps, or is wrong. */
static enum direct_exit run_in_place(struct translator *t, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;
    int context = cache_context(&t->cache, false, false);
    const struct patch *patch;

    if (t->patches->context != NONE && t->patches->context != context)
        patch_undo_all(t->patches);
    *again = false;
    t->want_fpu = true;
    load_slots(t);
    load_world(t, patch_entry(t->patches, cpu->eip));
    if (enter(t)) {
        cpu->eip = t->direct->entry_eip;
        direct_world.signal = SIGALRM;
        take_flags(t);
        return direct_classify(t->direct, again);
    }
    take_flags(t);
    t->want_fpu = false;
    if (!direct_world.signal)
        return take_exit(t, (int)HOLE->slots.exit, context, again);
    if (cpu->eip >= HOLE_BEGIN)
        return take_signal(t, context, again);
    memcpy(direct_world.seg, t->direct->selector, sizeof direct_world.seg);
    patch = patch_at(t->patches, cpu->eip - 1);
    if (direct_world.trap == VEC_BP && direct_world.signal == SIGTRAP && patch)
        return take_breakpoint(t, patch, again);
    return direct_classify(t->direct, again);
}

/* There is nothing to execute: shadow_fill() stops the machine and says so. */
static bool is_beyond_ram(struct translator *t)
{
    uint32_t gla = t->m->cpu.seg[CS].base + t->m->cpu.eip;
    struct translation tr;

    return memory_peek(t->m, gla, ACCESS_READ, &tr) && tr.gpa >= t->m->mem.bytes &&
           shadow_fill(&t->direct->shadow, gla, ACCESS_READ) == FILL_STOPPED;
}

/* Does `b` begin behind the instruction of exit `x`? */
static bool follows(const struct cache *c, const struct exit *x, const struct block *b)
{
    return b->eip == x->eip + c->insn[x->insn].length && b->context == c->block[x->block].context;
}

/* *again, in: this is not the first turn. */
static enum direct_exit run_once(struct translator *t, bool *again)
{
    struct cache *c = &t->cache;
    bool user = vcpu_cpl(&t->m->cpu) == 3;
    unsigned generation = c->generation;
    int context = cache_context(c, must_step(t), t->user_too && user);
    struct block *b = *again ? cache_find(c, context, t->m->cpu.eip) : look_up(t, context);

    *again = false;
    if (!b && !(b = translate(c, context, false)) && is_beyond_ram(t))
        return DIRECT_STOPPED;
    if (!b)
        return count(t, (enum translator_count)COUNT_EXCEPTION, DIRECT_EXCEPTION);
    if (t->served != NONE && generation == c->generation && follows(c, &c->exit[t->served], b))
        c->exit[t->served].to = (int)(b - c->block);    /* serve() goes on there next time */
    t->served = NONE;
    load_slots(t);
    load_world(t, b->entry);
    if (enter(t)) {
        t->m->cpu.eip = t->direct->entry_eip;
        direct_world.signal = SIGALRM;
        take_flags(t);
        return direct_classify(t->direct, again);
    }
    take_flags(t);
    t->want_fpu = false;
    return direct_world.signal ? take_signal(t, context, again) : take_exit(t, (int)HOLE->slots.exit, context, again);
}

/* One turn, and what is the translator's own business of what comes of it. */
static enum direct_exit turn(struct translator *t, bool *again)
{
    bool in_place = runs_in_place(t), open = t->open;
    enum direct_exit exit;

    if (t->patches && !in_place)
        uncover_page(t);
    profile_to(PROFILE_LINK);
    exit = in_place ? run_in_place(t, again) : run_once(t, again);
    profile_to(PROFILE_MONITOR);
    if (exit == DIRECT_UNSEEN) {
        patch_look_at(t->patches, translator_unseen(t), cache_context(&t->cache, false, false));
        *again = true;
    } else if (exit == DIRECT_SEALED) {
        cache_faulted(&t->cache, t->m->cpu.eip);
        *again = translator_write(t);
        exit = DIRECT_STOPPED;
    } else if (open && !*again) {
        close_pages(t);
    }
    t->alone &= *again;
    return exit;
}

/* What was patched for the kernel is not for user code that shares its page. */
enum direct_exit translator_run_directly(struct translator *t, uint64_t deadline)
{
    enum direct_exit exit;

    if (t->patches)
        uncover_page(t);
    profile_to(PROFILE_DIRECT);
    exit = direct_run(t->direct, deadline);
    profile_to(PROFILE_MONITOR);
    return exit;
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
        exit = turn(t, &again);
    } while (again && !t->m->stopped);
    return t->m->stopped ? DIRECT_STOPPED : exit;
}
