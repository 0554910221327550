/* Guest code that is written to: what is forgotten, and how the write gets through the seal. */
#include <assert.h>

#include "emulate.h"
#include "machine.h"
#include "run.h"
#include "segment.h"

enum { OPERAND_BYTES_MAX = 16 };        /* of larger ones (FXSAVE) all of the page is forgotten */

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
    uint32_t page = d->fault & PAGE_MASK;
    bool found = false;

    for (int i = 0; i < d->insn->operands && !d->insn->rep; i++) {
        const struct operand *op = &d->insn->op[i];
        uint32_t first, end;

        if (op->kind != OPERAND_MEM || !op->written || op->bytes == 0 || op->bytes > OPERAND_BYTES_MAX)
            continue;
        first = t->m->cpu.seg[op->seg].base + direct_operand_offset(d, op);
        end = first + op->bytes;
        if (end - page > PAGE_BYTES + OPERAND_BYTES_MAX)
            continue;                                   /* in another page */
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
        run_uncover(t);
    if (direct_decode(d))
        forget_operands(t);
    if (!memory_peek(t->m, gla, ACCESS_READ, &tr) || tr.gpa >= t->m->mem.bytes || !t->m->mem.sealed[tr.gpa >> 12])
        return true;                                    /* nothing is left there: an ordinary write */
    if (shadow_fill(&d->shadow, gla, ACCESS_READ) == FILL_STOPPED)
        return false;
    shadow_open(&d->shadow, gla);
    for (unsigned i = 0; i < t->opened_count; i++)
        if (t->opened[i] == gla)
            return true;
    assert(t->opened_count < OPENED_MAX);               /* no instruction writes to more pages */
    t->opened[t->opened_count++] = gla;
    t->open = true;
    return true;
}

void run_close_pages(struct translator *t)
{
    for (unsigned i = 0; i < t->opened_count; i++)
        shadow_close(&t->direct->shadow, t->opened[i]);
    t->opened_count = 0;
    t->open = false;
}

/* What its fault would have led to, without it: the pages that the instruction writes to are opened if they are sealed.
 * Where the write would be a page's first, or not be allowed, it is left to fault: nobody but the processor knows when. */
enum direct_exit run_store(struct translator *t, bool *again)
{
    const struct insn *insn = t->direct->insn;
    struct vcpu *cpu = &t->m->cpu;
    unsigned access = ACCESS_WRITE | (vcpu_cpl(cpu) == 3 ? ACCESS_USER : 0);
    struct translation tr;

    for (int i = 0; i < insn->operands; i++) {
        const struct operand *op = &insn->op[i];
        uint32_t offset = op->kind == OPERAND_MEM ? direct_operand_offset(t->direct, op) : 0;

        if (op->kind != OPERAND_MEM || !op->written || !segment_allows(&cpu->seg[op->seg], offset, op->bytes, ACCESS_WRITE))
            continue;
        t->direct->fault = cpu->seg[op->seg].base + offset;
        if (memory_peek(t->m, t->direct->fault, access, &tr) && tr.gpa < t->m->mem.bytes && (tr.flags & PTE_D) &&
            t->m->mem.sealed[tr.gpa >> 12])
            translator_write(t);
    }
    *again = t->alone = true;
    return run_count(t, COUNT_STORE, DIRECT_INTERRUPTED);
}

