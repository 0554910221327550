/* The patch strategy at run time: entering the kernel's code where it is, and keeping the patches out of sight of those who
 * decode. Which instructions are patched, and how, is patch.c's business. */
#include <signal.h>
#include <string.h>

#include "direct/world.h"
#include "gate.h"
#include "look.h"
#include "machine.h"
#include "run.h"
#include "status.h"

/* Who decodes what stands at EIP must not see a patch of ours. */
void run_uncover(struct translator *t)
{
    const struct patch *patch = patch_at(t->patches, t->m->cpu.eip);

    if (patch)
        patch_undo(t->patches, patch->gpa);
}

void run_uncover_page(struct translator *t)
{
    struct translation tr;

    if (memory_peek(t->m, t->m->cpu.seg[CS].base + t->m->cpu.eip, ACCESS_READ, &tr) && tr.gpa < t->m->mem.bytes)
        patch_undo(t->patches, tr.gpa);
}

/* INT3 where the guest has something else, or in the rest of a stretch, where only a jump into its middle leads. */
static enum direct_exit take_breakpoint(struct translator *t, const struct patch *patch, bool *again)
{
    t->m->cpu.eip--;
    direct_world.signal = 0;
    if (patch->trap) {
        t->direct->insn = &patch->insn;
        return run_count(t, COUNT_BREAKPOINT, DIRECT_SENSITIVE);
    }
    patch_learn(t->patches, t->m->cpu.eip);
    *again = true;
    return run_count(t, COUNT_BREAKPOINT, DIRECT_INTERRUPTED);
}

/* The patches' jumps lead where only the monitor's own flat code segment reaches: so the guest's must be flat as well. */
bool run_is_in_place(const struct translator *t)
{
    const struct vcpu *cpu = &t->m->cpu;
    const struct segment *cs = &cpu->seg[CS];

    return t->patches && vcpu_cpl(cpu) == 0 && !run_must_step(t) && cs->base == 0 && cs->limit == 0xffffffff &&
           (cs->attr & ATTR_BIG) && t->direct->shadow.window == 0;
}

/* The monitor's code segment, in which patched code runs, does not end below the hole. What leads there and is none of the monitor's
 * jumps is the guest's own. */
static bool is_monitors(struct translator *t, uint32_t host)
{
    return cache_block_at(&t->cache, host) ||
           (direct_world.signal == SIGALRM && (cache_exit_at(&t->cache, host) || gate_contains(host)));
}

static enum direct_exit fetched_in_hole(struct translator *t)
{
    struct machine *m = t->m;
    struct translation tr;

    if (!memory_walk(m, m->cpu.eip, 0, &tr))
        return run_count(t, COUNT_EXCEPTION, DIRECT_EXCEPTION);
    machine_stop(m, EXIT_CRASH, "the guest executes code where the monitor lives, at the top of its address space");
    return DIRECT_STOPPED;
}

/* The kernel's code where it is, patched. What is not patched because nobody knew it for code either traps, or is wrong. */
enum direct_exit run_in_place(struct translator *t, bool *again)
{
    struct vcpu *cpu = &t->m->cpu;
    int context = cache_context(&t->cache, false, false);
    const struct patch *patch;
    enum direct_exit exit;

    if (t->patches->context != NONE && t->patches->context != context)
        patch_undo_all(t->patches);
    *again = false;
    t->want_fpu = true;
    if (!run_enter(t, patch_entry(t->patches, cpu->eip), &exit, again))
        return exit;
    t->want_fpu = false;
    if (!direct_world.signal)
        return run_take_exit(t, (int)HOLE->slots.exit, context, again);
    if (cpu->eip >= HOLE_BEGIN)
        return is_monitors(t, cpu->eip) ? run_take_signal(t, context, again) : fetched_in_hole(t);
    if (direct_world.seg[CS] == LINUX_CODE32 || direct_world.seg[CS] == LINUX_CODE64)
        return direct_classify(t->direct, again);       /* the end */
    memcpy(direct_world.seg, t->direct->selector, sizeof direct_world.seg);
    patch = patch_at(t->patches, cpu->eip - 1);
    if (direct_world.trap == VEC_BP && direct_world.signal == SIGTRAP && patch)
        return take_breakpoint(t, patch, again);
    return direct_classify(t->direct, again);
}

uint32_t translator_unseen(struct translator *t)
{
    struct vcpu *cpu = &t->m->cpu;
    uint32_t at = cpu->seg[CS].base + cpu->eip, fault = t->direct->fault;

    if (((at ^ fault) & PAGE_MASK) == 0)
        return at;
    if (t->patches)
        run_uncover(t);
    return direct_decode(t->direct) ? at + t->direct->insn->length : fault;
}

void translator_look(struct translator *t)
{
    uint32_t gla = translator_unseen(t);

    look_at(&t->cache, gla);
    t->alone = look_found_sensitive(&t->cache, gla);    /* if it begins in another page, which may run directly */
}

