/* See cache.h. */
#include "cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gate.h"
#include "machine.h"
#include "status.h"

enum { WRITES_MAX = 16 };        /* writes to sealed code in a frame before it is checked instead */

/* ---- once ---------------------------------------------------------------------------------------- */

static bool reserve(struct cache *c)
{
    /* In proportion to the cache: what a block of the shortest kind needs. */
    c->blocks_max = c->exits_max = (int)(c->bytes / STUB_BYTES);
    c->points_max = (int)c->bytes;
    c->insns_max = c->pages_max = (int)(c->bytes / STUB_BYTES);
    c->block = calloc((size_t)c->blocks_max, sizeof *c->block);
    c->exit = calloc((size_t)c->exits_max, sizeof *c->exit);
    c->point = calloc((size_t)c->points_max, sizeof *c->point);
    c->insn = calloc((size_t)c->insns_max, sizeof *c->insn);
    c->page = calloc((size_t)c->pages_max, sizeof *c->page);
    c->frame_writes = calloc(c->m->mem.bytes >> 12, 1);
    c->clean = calloc(c->m->mem.bytes >> 12, 1);
    c->sensitive = calloc(c->m->mem.bytes >> 12, 1);
    c->frame_pages = malloc((c->m->mem.bytes >> 12) * sizeof *c->frame_pages);
    c->m->mem.sealed = calloc(c->m->mem.bytes >> 12, 1);
    return c->block && c->exit && c->point && c->insn && c->page && c->frame_pages && c->frame_writes && c->clean &&
           c->sensitive && c->m->mem.sealed;
}

const char *cache_init(struct cache *c, struct machine *m, struct shadow *shadow, uint32_t bytes)
{
    int memfd = memfd_create("code-cache", MFD_CLOEXEC);
    size_t all = 4096 + bytes;

    c->m = m;
    c->shadow = shadow;
    c->bytes = bytes;
    if (memfd < 0 || ftruncate(memfd, (off_t)all) != 0 ||
        mmap(HOLE->code, all, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, memfd, 0) != HOLE->code)
        return host_failed("no memory for the code cache, which --cache makes smaller");
    c->writable = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (c->writable == MAP_FAILED || !reserve(c))
        return host_failed("no memory for the code cache, which --cache makes smaller");
    close(memfd);
    gate_write(c->writable);
    memset(c->frame_pages, 0xff, (m->mem.bytes >> 12) * sizeof *c->frame_pages);
    cache_flush(c);
    return NULL;
}

/* ---- addresses ----------------------------------------------------------------------------------- */

static uint32_t cache_begin(void) { return ADDRESS(HOLE->code) + 4096; }
static uint32_t cache_end(const struct cache *c) { return cache_begin() + c->bytes; }

uint8_t *cache_writable(const struct cache *c, uint32_t host) { return c->writable + (host - ADDRESS(HOLE->code)); }

uint32_t cache_stub(const struct cache *c, const struct exit *x)
{
    return cache_end(c) - (uint32_t)(x - c->exit + 1) * STUB_BYTES;
}

struct exit *cache_exit_at(struct cache *c, uint32_t host)
{
    uint32_t number = (cache_end(c) - host - 1) / STUB_BYTES;

    return host < cache_end(c) && number < (uint32_t)c->exits ? &c->exit[number] : NULL;
}

struct block *cache_block_at(struct cache *c, uint32_t host)
{
    int low = 0, high = c->blocks;

    while (low < high) {                /* blocks stand in the order of their code */
        int middle = (low + high) / 2;

        if (host >= c->block[middle].end)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->blocks && host >= c->block[low].landing ? &c->block[low] : NULL;
}

/* ---- contexts ------------------------------------------------------------------------------------ */

static bool is_context(const struct context *x, const struct vcpu *cpu, bool step, uint32_t cr3)
{
    const struct segment *cs = &cpu->seg[CS];

    return x->cr3 == cr3 && x->step == step && x->iopl == vcpu_iopl(cpu) && x->cs.selector == cs->selector &&
           x->cs.attr == cs->attr && x->cs.base == cs->base && x->cs.limit == cs->limit &&
           x->stack32 == !!(cpu->seg[SS].attr & ATTR_BIG);
}

int cache_context(struct cache *c, bool step, bool by_address_space)
{
    const struct vcpu *cpu = &c->m->cpu;
    uint32_t cr3 = by_address_space && (cpu->cr0 & CR0_PG) ? cpu->cr3 : 0;
    struct context *x;
    int i;

    for (i = 0; i < CONTEXTS && c->context[i].used; i++)
        if (is_context(&c->context[i], cpu, step, cr3))
            return i;
    if (i == CONTEXTS) {
        cache_flush(c);
        memset(c->context, 0, sizeof c->context);
        i = 0;
    }
    x = &c->context[i];
    *x = (struct context){
        .used = true, .step = step, .cpl = (uint8_t)vcpu_cpl(cpu), .iopl = (uint8_t)vcpu_iopl(cpu), .cs = cpu->seg[CS],
        .stack32 = cpu->seg[SS].attr & ATTR_BIG, .cr3 = cr3, .pages = NONE,
    };
    x->simple = !step && (x->cs.attr & ATTR_BIG) && x->stack32 && x->cs.limit == 0xffffffff;
    for (int k = 0; k < TABLE_ENTRIES; k++)
        HOLE->table[i][k] = gate_miss();
    return i;
}

/* ---- finding blocks ------------------------------------------------------------------------------ */

static int *bucket_of(struct cache *c, int context, uint32_t eip)
{
    return &c->bucket[((eip ^ (uint32_t)context << 29) * 2654435761u) >> 18];
}

static uint32_t *target_of(const struct block *b) { return &HOLE->table[b->context][b->eip % TABLE_ENTRIES]; }

/* Is the page mapped as when its code was translated? It is then active again. */
static bool awake(struct cache *c, struct code_page *p)
{
    struct translation t;

    if (!p->active)
        p->active = memory_peek(c->m, p->gla, c->context[p->context].cpl == 3 ? ACCESS_USER : 0, &t) &&
                    (t.gpa & PAGE_MASK) == p->frame;
    return p->active;
}

struct block *cache_find(struct cache *c, int context, uint32_t eip)
{
    for (int i = *bucket_of(c, context, eip); i != NONE; i = c->block[i].next_in_bucket) {
        struct block *b = &c->block[i];

        if (!b->dead && b->eip == eip && b->context == context && awake(c, &c->page[b->page[0]]) &&
            (b->page[1] == NONE || awake(c, &c->page[b->page[1]])))
            return b;
    }
    return NULL;
}

/* The code page for a block's begin or end. */
static int page_for(struct cache *c, int context, uint32_t gla)
{
    struct context *x = &c->context[context];
    struct translation t = { .gpa = gla };
    int i;

    memory_peek(c->m, gla & PAGE_MASK, x->cpl == 3 ? ACCESS_USER : 0, &t);
    assert(t.gpa < c->m->mem.bytes);
    t.gpa &= PAGE_MASK;
    for (i = x->pages; i != NONE; i = c->page[i].next_in_context)
        if (c->page[i].gla == (gla & PAGE_MASK) && c->page[i].frame == t.gpa)
            break;
    if (i == NONE) {
        i = c->pages++;
        c->page[i] = (struct code_page){
            .gla = gla & PAGE_MASK, .frame = t.gpa, .context = context, .blocks = NONE, .next_in_context = x->pages,
            .next_in_frame = c->frame_pages[t.gpa >> 12],
        };
        x->pages = c->frame_pages[t.gpa >> 12] = i;
    }
    c->page[i].active = true;
    return i;
}

void cache_seal(struct cache *c, uint32_t frame, unsigned why)
{
    uint8_t *sealed = &c->m->mem.sealed[frame >> 12];

    if (!(*sealed & why)) {
        *sealed |= why;
        shadow_seal(c->shadow, frame);
    }
}

void cache_enter(struct cache *c, struct block *b)
{
    uint32_t first = c->context[b->context].cs.base + b->eip, last = first + b->guest_bytes - 1;
    int self = (int)(b - c->block), *bucket = bucket_of(c, b->context, b->eip);

    b->next_in_bucket = *bucket;
    *bucket = self;
    b->page[0] = page_for(c, b->context, first);
    if ((first ^ last) & PAGE_MASK)
        b->page[1] = page_for(c, b->context, last);
    for (int k = 0; k < 2 && b->page[k] != NONE; k++) {
        struct code_page *p = &c->page[b->page[k]];

        b->next_on_page[k] = p->blocks;
        p->blocks = self;
        if (!b->checked)
            cache_seal(c, p->frame, SEALED_CODE);
    }
}

/* ---- linking ------------------------------------------------------------------------------------- */

static void patch_word(struct cache *c, uint32_t host, uint32_t word)
{
    memcpy(cache_writable(c, host), &word, 4);
}

static void patch(struct cache *c, uint32_t field, uint32_t target)
{
    patch_word(c, field, target - (field + 4));
}

void cache_link(struct cache *c, struct exit *x, struct block *to)
{
    /* LAB 4.5: an exit that leads to a known block needs no gate any more: its jump's field is patched, once, and the block learns who
     * comes in (`incoming`), to be found when it goes. To its `entry`: `landing` is for indirect branches. Only for EXIT_BRANCH with a
     * field that is not linked yet. Count it. */
    if (x->kind != EXIT_BRANCH || x->to != NONE || !x->field)
        return;
    patch(c, x->field, to->entry);
    x->to = (int)(to - c->block);
    x->next_incoming = to->incoming;
    to->incoming = (int)(x - c->exit);
    c->m->counters.blocks_chained++;
    /* END 4.5, empty: c, x, to */
}

/* LEA ECX, [ECX - target] by each prediction in turn: what it subtracts, the one before it had subtracted already. */
void cache_predict(struct cache *c, struct exit *ask, struct block *to)
{
    uint32_t before = 0;
    int k = 1;

    while (ask[k].known)
        before = ask[k++].eip;
    assert(k <= PREDICTIONS);
    ask[k].known = true;
    ask[k].eip = to->eip;
    patch_word(c, ask[k].test, before - to->eip);
    if (k < PREDICTIONS)
        patch_word(c, ask[k + 1].test, to->eip);
    else
        patch_word(c, ask->field, 0);                   /* JMP to the next instruction: the table */
    cache_link(c, &ask[k], to);
}

void cache_set_target(struct cache *c, struct block *b)
{
    (void)c;
    *target_of(b) = b->landing;
}

static void unlink_block(struct cache *c, struct block *b)
{
    /* LAB 5.3: whoever jumps to this block is to leave by its own stub again; and the table must not lead here. */
    for (int i = b->incoming; i != NONE; i = c->exit[i].next_incoming) {
        patch(c, c->exit[i].field, cache_stub(c, &c->exit[i]));
        c->exit[i].to = NONE;
    }
    b->incoming = NONE;
    if (b->landing != b->entry && *target_of(b) == b->landing)
        *target_of(b) = gate_miss();
    /* END 5.3: c, b */
}

/* ---- throwing away ------------------------------------------------------------------------------- */

static int *next_on_page(struct block *b, int page) { return &b->next_on_page[b->page[0] == page ? 0 : 1]; }

void cache_flush(struct cache *c)
{
    if (c->flushing)
        c->flushing(c);
    for (int i = 0; i < c->blocks; i++) {
        struct block *b = &c->block[i];

        if (!b->dead) {
            *target_of(b) = gate_miss();
            c->m->counters.blocks_evicted++;
        }
    }
    for (int i = 0; i < c->pages; i++) {
        c->m->mem.sealed[c->page[i].frame >> 12] &= SEALED_SEEN;
        c->frame_pages[c->page[i].frame >> 12] = NONE;
    }
    for (int i = 0; i < CONTEXTS; i++)
        c->context[i].pages = NONE;
    memset(c->bucket, 0xff, sizeof c->bucket);
    c->blocks = c->exits = c->points = c->insns = c->pages = 0;
    c->next = cache_begin();
    c->stubs = cache_end(c);
    c->generation++;
}

/* A page of a context: does the guest still map it to the same frame? */
static void look_again(struct cache *c, struct code_page *p)
{
    bool was = p->active;

    p->active = false;
    if (!was || awake(c, p))
        return;
    for (int i = p->blocks; i != NONE; i = *next_on_page(&c->block[i], (int)(p - c->page)))
        unlink_block(c, &c->block[i]);
}

static bool is_current(const struct cache *c, const struct context *x)
{
    return x->used && (x->cr3 == 0 || x->cr3 == c->m->cpu.cr3);
}

void cache_pages_changed(struct cache *c, bool globals_too)
{
    struct translation t;

    for (int i = 0; i < CONTEXTS; i++)
        for (int k = is_current(c, &c->context[i]) ? c->context[i].pages : NONE; k != NONE; k = c->page[k].next_in_context)
            if (globals_too || !memory_peek(c->m, c->page[k].gla, ACCESS_READ, &t) || !(t.flags & PTE_G))
                look_again(c, &c->page[k]);
}

void cache_page_changed(struct cache *c, uint32_t gla)
{
    for (int i = 0; i < CONTEXTS; i++)
        for (int k = is_current(c, &c->context[i]) ? c->context[i].pages : NONE; k != NONE; k = c->page[k].next_in_context)
            if (c->page[k].gla == (gla & PAGE_MASK))
                look_again(c, &c->page[k]);
}

/* Guest-physical bytes of a block in one of its pages: [*first, *end). */
static void bytes_in(const struct cache *c, const struct block *b, int page, uint32_t *first, uint32_t *end)
{
    const struct code_page *p = &c->page[page];
    uint32_t gla = c->context[b->context].cs.base + b->eip;

    *first = gla - p->gla < PAGE_BYTES ? p->frame + (gla - p->gla) : p->frame;
    *end = gla + b->guest_bytes - p->gla <= PAGE_BYTES ? p->frame + (gla + b->guest_bytes - p->gla)
                                                       : p->frame + PAGE_BYTES;
}

bool cache_is_checked(const struct cache *c, uint32_t gla)
{
    struct translation t;

    return memory_peek(c->m, gla, ACCESS_READ, &t) && t.gpa < c->m->mem.bytes && c->frame_writes[t.gpa >> 12] >= WRITES_MAX;
}

void cache_kill(struct cache *c, struct block *b)
{
    unlink_block(c, b);
    b->dead = true;
    c->m->counters.blocks_invalidated++;
}

static unsigned place_of(uint32_t eip) { return (eip ^ eip >> 6 ^ eip >> 12) % FAULTING; }

bool cache_keeps_faulting(const struct cache *c, uint32_t eip)
{
    return c->faulting[place_of(eip)].eip == eip && c->faulting[place_of(eip)].faults >= FAULTS_MAX;
}

void cache_faulted(struct cache *c, uint32_t eip)
{
    unsigned place = place_of(eip);

    if (c->faulting[place].eip != eip) {
        c->faulting[place].eip = eip;
        c->faulting[place].faults = 0;
    }
    if (++c->faulting[place].faults != FAULTS_MAX)
        return;
    for (int i = 0; i < c->blocks; i++)
        if (!c->block[i].dead && eip - c->block[i].eip < c->block[i].guest_bytes)
            cache_kill(c, &c->block[i]);
}

static bool prune(struct cache *c, int page, uint32_t gpa, uint32_t end)
{
    /* LAB 5.4: take the blocks out of a page's list that have bytes in [gpa, end), and kill them. Is any sealed one left? */
    bool left = false;

    for (int *link = &c->page[page].blocks; *link != NONE;) {
        struct block *b = &c->block[*link];
        uint32_t from, to;

        bytes_in(c, b, page, &from, &to);
        if (!b->dead && gpa < to && end > from)
            cache_kill(c, b);
        left |= !b->dead && !b->checked;
        if (b->dead)
            *link = *next_on_page(b, page);
        else
            link = next_on_page(b, page);
    }
    return left;
    /* END 5.4: c, page, gpa, end, bytes_in, next_on_page */
}

void cache_written(struct cache *c, uint32_t gpa, uint32_t bytes)
{
    uint32_t frame = gpa >> 12;
    bool left = false;

    if (++c->frame_writes[frame] >= WRITES_MAX) {       /* from now on its blocks check themselves */
        c->frame_writes[frame] = WRITES_MAX;
        gpa &= PAGE_MASK;
        bytes = PAGE_BYTES;
    }
    for (int k = c->frame_pages[frame]; k != NONE; k = c->page[k].next_in_frame)
        left |= prune(c, k, gpa, gpa + bytes);
    if (c->m->mem.sealed[frame] & SEALED_SEEN) {        /* to be looked at again */
        if (c->unseen)
            c->unseen(c, frame << 12);
        c->clean[frame] = c->sensitive[frame] = false;
        shadow_seal(c->shadow, frame << 12);
    }
    c->m->mem.sealed[frame] = left ? SEALED_CODE : 0;
}
