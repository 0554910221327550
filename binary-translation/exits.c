/* What an exit from the cache means, and what a signal does that stopped the guest in the middle of translated code. */
#include <signal.h>
#include <string.h>

#include "direct/world.h"
#include "emulate.h"
#include "gate.h"
#include "machine.h"
#include "profile.h"
#include "run.h"
#include "status.h"
#include "timeline.h"
#include "translate.h"

enum direct_exit run_count(struct translator *t, unsigned what, enum direct_exit exit)
{
    t->m->counters.exits[what]++;
    timeline_because(exit == DIRECT_SENSITIVE ? isa_rows[t->direct->insn->isa].name : t->m->counters.exit_names[what]);
    return exit;
}

void run_take_flags(struct translator *t)
{
    const uint32_t ours = run_flags_of_ours(t);

    t->m->cpu.eflags = (t->m->cpu.eflags & ours & ~(uint32_t)FLAG_RF) | (direct_world.eflags & ~ours) | FLAG_ONE;
}

/* A block of one instruction has ended: what single-stepping asks for. */
static enum direct_exit stepped(struct translator *t)
{
    struct vcpu *cpu = &t->m->cpu;

    cpu->shadow = SHADOW_NONE;
    if (!(cpu->eflags & FLAG_TF))
        return DIRECT_INTERRUPTED;
    cpu->dr[6] |= DR6_BS;
    vcpu_raise(cpu, VEC_DB);
    return DIRECT_EXCEPTION;
}

struct block *run_look_up(struct translator *t, int context)
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
    struct block *b = x && x->kind == EXIT_BRANCH ? cache_find(c, context, t->m->cpu.eip) : run_look_up(t, context);
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
        return run_count(t, COUNT_STEP, stepped(t));
    *again = !translator_runs_directly(t);
    profile_to(PROFILE_LINK);
    if (*again)
        shorten(t, x, context);
    profile_to(PROFILE_MONITOR);
    return run_count(t, x && x->kind == EXIT_BRANCH ? COUNT_LINK : COUNT_LOOKUP, DIRECT_INTERRUPTED);
}

static enum direct_exit near_branch(struct translator *t, bool *again)
{
    if (!direct_branch(t->direct))
        return run_count(t, COUNT_NEAR, DIRECT_EXCEPTION);
    *again = !run_must_step(t);
    t->m->cpu.shadow = SHADOW_NONE;
    return run_count(t, COUNT_NEAR, *again ? DIRECT_INTERRUPTED : stepped(t));
}

/* Intel SDM vol. 3A table 2-2, and 13.1.1: what x87, WAIT, MMX and SSE instructions ask of CR0 and CR4. */
static bool fpu_allowed(struct vcpu *cpu, enum fpu use)
{
    bool switched = cpu->cr0 & CR0_TS, emulated = cpu->cr0 & CR0_EM;

    if ((use == FPU_SSE && !(cpu->cr4 & CR4_OSFXSR)) || (use >= FPU_MMX && emulated))
        return vcpu_raise(cpu, VEC_UD);
    if (use == FPU_WAIT ? switched && (cpu->cr0 & CR0_MP) : switched || emulated)
        return vcpu_raise(cpu, VEC_NM);
    return true;
}

/* The guest's state goes into the FPU, until the next exit. */
static enum direct_exit want_fpu(struct translator *t, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;

    run_count(t, COUNT_FPU, DIRECT_INTERRUPTED);
    if (!fpu_allowed(cpu, (enum fpu)t->direct->insn->fpu))
        return DIRECT_EXCEPTION;
    if (cpu->cr0 & (CR0_TS | CR0_EM)) {                 /* WAIT: nothing is to be waited for, and the FPU stays out */
        cpu->eip += t->direct->insn->length;
        *again = !run_must_step(t);
        cpu->shadow = SHADOW_NONE;
        return *again ? DIRECT_INTERRUPTED : stepped(t);
    }
    *again = t->want_fpu = true;
    return DIRECT_INTERRUPTED;
}

static enum direct_exit changed(struct translator *t, struct exit *x, bool *again)
{
    cache_kill(&t->cache, &t->cache.block[x->block]);
    *again = true;
    return run_count(t, COUNT_CHANGED, DIRECT_INTERRUPTED);
}

enum direct_exit run_take_exit(struct translator *t, int number, int context, bool *again)
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
        return run_count(t, COUNT_CALL, DIRECT_SENSITIVE);
    case EXIT_STORE: return run_store(t, again);
    case EXIT_NEAR: return near_branch(t, again);
    case EXIT_FPU: return want_fpu(t, again);
    case EXIT_CHANGED: return changed(t, x, again);
    default:
        vcpu_raise(cpu, VEC_UD);
        return run_count(t, COUNT_UNDEFINED, DIRECT_EXCEPTION);
    }
}

/* Who is asked next decodes what stands at EIP? A page fault is not decoded, unless a segment is behind it; the timer, whose
 * signal leaves `trap` and `cr2` as the last fault's, asks nobody but for the end of an instruction that has begun. */
static bool is_decoded_next(struct back back)
{
    bool fault = direct_world.signal != SIGALRM;

    return back.forward || (fault && (direct_world.trap != VEC_PF || direct_world.cr2 >= WINDOW_END));
}

/* A signal stopped the guest in the middle of translated code. */
enum direct_exit run_take_signal(struct translator *t, int context, bool *again)
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
        if (t->patches && is_decoded_next(back))
            run_uncover(t);
        if (back.forward && (!direct_decode(t->direct) || !emulate(t->m, t->direct->insn)))
            machine_stop(t->m, EXIT_BUG, "an instruction that had begun in the code cache cannot be ended");
        if (c->context[context].step && direct_world.signal == SIGALRM &&
            (back.turned || cpu->eip != t->direct->entry_eip)) {
            direct_world.kick = true;                   /* first what the step's end asks for */
            return run_count(t, COUNT_STEP, stepped(t));
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
        return run_take_exit(t, x ? (int)(x - c->exit) : gate_exit(host, HOLE->slots.exit), context, again);
    }
    machine_stop(t->m, EXIT_BUG, "a fault in the translator's own code");
    return DIRECT_STOPPED;
}

