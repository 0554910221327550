/* The shadow. See shadow.h. Costs on a 6.18 host: one mmap of a page with MAP_POPULATE 2.7 us and its fault
 * 1.3 us, hence neighbours; a munmap of many pages at once is far cheaper than one by one, hence runs. */
#include "direct/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine.h"
#include "status.h"

enum {
    /* in an spte beside the PTE_ flags of the translation (SPTE_KEPT) */
    SPTE_MAPPED = 1 << 9, SPTE_LISTED = 1 << 10, SPTE_WANTED = 1 << 11,     /* a fault asked for it */
    SPTE_KEPT = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_PS | PTE_G,
    PAGES = 1 << 20,
    MAPPINGS_MAX = 60000,           /* Linux allows a process 65,530 */
    BROUGHT_MAX = 16,
};

bool shadow_init(struct shadow *s, struct machine *m, int memfd)
{
    *s = (struct shadow){ .m = m, .memfd = memfd, .spte = calloc(PAGES, sizeof *s->spte) };
    s->brought = calloc(PAGES, sizeof *s->brought);
    s->listed = malloc(MAPPINGS_MAX * sizeof *s->listed);
    return s->spte && s->brought && s->listed;
}

/* ---- taking pages out ---------------------------------------------------------------------------- */

/* The host will not. What stays mapped must not be seen by the guest any more, so the run ends. */
static void refused(struct shadow *s, const char *call, uint32_t gla)
{
    char why[200];

    snprintf(why, sizeof why, "%s at guest-linear 0x%08x failed: %s; is vm.max_map_count lowered?", call, gla, strerror(errno));
    machine_stop(s->m, EXIT_HOST, why);
}

static void unmap(struct shadow *s, uint32_t page, unsigned pages)
{
    if (munmap((void *)(uintptr_t)(s->window + (page << 12)), (size_t)pages << 12) != 0)
        refused(s, "munmap", page << 12);
    s->m->counters.pages_flushed += pages;
}

static uint32_t window_end(const struct shadow *s) { return WINDOW_END - s->window; }

static bool is_exposed(const struct shadow *s, uint32_t page)
{
    return !(s->spte[page] & PTE_U) && page << 12 < s->cut;
}

/* Over a CR3 load: is the page global, or does the guest still translate it to the same, for the same accesses? */
static bool is_global_or_same(const struct shadow *s, uint32_t page)
{
    struct translation t;

    if (s->spte[page] & PTE_G)
        return true;
    return memory_peek(s->m, page << 12, ACCESS_READ, &t) && (t.gpa & PAGE_MASK) == (s->spte[page] & PAGE_MASK) &&
           (t.flags & SPTE_KEPT) == (s->spte[page] & SPTE_KEPT);
}

static bool is_user(const struct shadow *s, uint32_t page) { return !is_exposed(s, page); }

static bool is_wanted_never(const struct shadow *s, uint32_t page)
{
    (void)s;
    (void)page;
    return false;
}

/* Unmap every page that `keep` does not want, neighbours in one call, and close the gaps. */
static void sweep(struct shadow *s, bool (*keep)(const struct shadow *, uint32_t))
{
    uint32_t run = 0;
    unsigned kept = 0, length = 0;

    for (unsigned i = 0; i < s->count; i++) {
        uint32_t page = s->listed[i];

        if ((s->spte[page] & SPTE_MAPPED) && keep(s, page)) {
            s->listed[kept++] = page;
            continue;
        }
        if ((s->spte[page] & SPTE_MAPPED) && page == run + length && length) {
            length++;
        } else if (s->spte[page] & SPTE_MAPPED) {
            if (length)
                unmap(s, run, length);
            run = page;
            length = 1;
        }
        s->spte[page] = 0;
    }
    if (length)
        unmap(s, run, length);
    s->count = kept;
}

static void drop_flat(struct shadow *s)
{
    if (!s->flat)
        return;
    if (munmap((void *)(uintptr_t)(s->window + WINDOW_MOVED), s->m->mem.bytes - WINDOW_MOVED) != 0)
        refused(s, "munmap", WINDOW_MOVED);
    s->flat = false;
}

void shadow_flush_all(struct shadow *s)
{
    drop_flat(s);
    sweep(s, is_wanted_never);
    s->exposed = 0;
    s->cut_known = false;
}

void shadow_load_cr3(struct shadow *s)
{
    sweep(s, is_global_or_same);
    s->cut_known = false;
}

static void flush_one(struct shadow *s, uint32_t page)
{
    unmap(s, page, 1);
    s->spte[page] = SPTE_LISTED;        /* its place in the list stays */
}

/* A 4 MiB page goes as a whole, whatever pieces of it were needed (Intel SDM vol. 3A 4.10.4.1). */
void shadow_flush_page(struct shadow *s, uint32_t gla)
{
    uint32_t page = gla >> 12, first = page & ~1023u;

    if (s->spte[page] & SPTE_MAPPED)
        flush_one(s, page);
    if (!(s->m->cpu.cr4 & CR4_PSE))
        return;
    for (page = first; page < first + 1024; page++)
        if (s->spte[page] & PTE_PS)
            flush_one(s, page);
}

/* ---- user mode ------------------------------------------------------------------------------------ */

static bool is_kernels(uint32_t pde) { return (pde & PTE_P) && !(pde & PTE_U); }

/* The lowest page directory entry that is the kernel's alone. Supervisor pages below it are `exposed`. */
static uint32_t find_cut(const struct shadow *s)
{
    const struct vcpu *cpu = &s->m->cpu;

    if (s->cut_given_up || !(cpu->cr0 & CR0_PG))
        return window_end(s);
    for (uint32_t i = 0; i << 22 < window_end(s); i++) {
        uint32_t pde = memory_read(&s->m->mem, (cpu->cr3 & PAGE_MASK) + i * 4, 4);

        if (is_kernels(pde))
            return i << 22;
    }
    return window_end(s);
}

static void count_exposed(struct shadow *s)
{
    s->exposed = 0;
    for (unsigned i = 0; i < s->count; i++)
        s->exposed += (s->spte[s->listed[i]] & SPTE_MAPPED) && is_exposed(s, s->listed[i]);
}

uint32_t shadow_enter_user(struct shadow *s)
{
    uint32_t old = s->cut;

    if (!s->cut_known) {
        s->cut = find_cut(s);
        s->cut_known = true;
        if (s->cut != old)
            count_exposed(s);
    }
    if (s->exposed) {
        sweep(s, is_user);
        s->exposed = 0;
    }
    return s->cut;
}

void shadow_give_up_cut(struct shadow *s)
{
    s->cut_given_up = true;
    s->cut_known = false;
}

/* ---- sealed frames -------------------------------------------------------------------------------- */

static bool is_sealed(const struct shadow *s, uint32_t gpa)
{
    return s->m->mem.sealed && s->m->mem.sealed[gpa >> 12];
}

static bool is_executable(const struct shadow *s, uint32_t gpa)
{
    return !s->executable || s->executable[gpa >> 12];
}

static enum fill stop(struct shadow *s, const char *format, uint32_t gla, uint32_t gpa)
{
    char why[200];

    snprintf(why, sizeof why, format, gla, gpa, s->m->mem.bytes >> 20);
    machine_stop(s->m, EXIT_CRASH, why);
    return FILL_STOPPED;
}

static int rights(const struct shadow *s, uint32_t gpa, bool writable)
{
    return PROT_READ | (writable ? PROT_WRITE : 0) | (is_executable(s, gpa) ? PROT_EXEC : 0);
}

static void protect(struct shadow *s, uint32_t gla, uint32_t gpa, bool writable)
{
    if (mprotect((void *)(uintptr_t)(s->window + gla), PAGE_BYTES, rights(s, gpa, writable)) != 0)
        refused(s, "mprotect", gla);
}

void shadow_seal(struct shadow *s, uint32_t frame)
{
    if (s->flat && frame >= WINDOW_MOVED)
        protect(s, frame, frame, false);
    for (unsigned i = 0; i < s->count; i++) {
        uint32_t spte = s->spte[s->listed[i]];

        if ((spte & SPTE_MAPPED) && (spte & PAGE_MASK) == frame)
            protect(s, s->listed[i] << 12, frame, false);
    }
}

/* The frame that is mapped at `gla` now, if any is. */
static bool mapped(const struct shadow *s, uint32_t gla, uint32_t *frame)
{
    bool flat = s->flat && gla >= WINDOW_MOVED;

    *frame = (flat ? gla : s->spte[gla >> 12]) & PAGE_MASK;
    return flat || (s->spte[gla >> 12] & SPTE_MAPPED);
}

void shadow_open(struct shadow *s, uint32_t gla)
{
    uint32_t frame;

    if (mapped(s, gla, &frame))
        protect(s, gla & PAGE_MASK, frame, true);
}

void shadow_close(struct shadow *s, uint32_t gla)
{
    uint32_t frame;

    if (mapped(s, gla, &frame) && is_sealed(s, frame))
        protect(s, gla & PAGE_MASK, frame, false);
}

/* ---- bringing pages in ---------------------------------------------------------------------------- */

/* Map guest-physical memory at a guest-linear address. False: the machine is stopped, or (when Linux keeps the
 * lowest pages to itself) the window has moved and the caller must look again. */
static bool map(struct shadow *s, uint32_t gla, uint32_t gpa, size_t bytes, int prot)
{
    void *at = (void *)(uintptr_t)(gla + s->window);
    int flags = MAP_SHARED | MAP_FIXED | (s->flat ? 0 : MAP_POPULATE);

    if (mmap(at, bytes, prot, flags, s->memfd, gpa) == at)
        return true;
    if (s->window == 0 && gla < WINDOW_MOVED && (errno == EPERM || errno == EACCES)) {
        shadow_flush_all(s);
        s->window = WINDOW_MOVED;
        return false;
    }
    refused(s, "mmap", gla);
    return false;
}

static uint32_t rights_of(const struct translation *t) { return t->flags & SPTE_KEPT; }

/* Is the page at `gla` mapped by the guest like its neighbour `t`, `distance` pages further in both spaces? */
static bool continues(const struct shadow *s, const struct translation *t, uint32_t gla, int32_t distance)
{
    struct translation next;
    uint32_t at = gla + (uint32_t)distance * PAGE_BYTES;

    return at < window_end(s) && at >= WINDOW_MOVED && !(s->spte[at >> 12] & SPTE_MAPPED) &&
           memory_peek(s->m, at, ACCESS_READ, &next) && rights_of(&next) == rights_of(t) &&
           next.gpa == t->gpa + (uint32_t)distance * PAGE_BYTES && next.gpa < s->m->mem.bytes &&
           is_sealed(s, next.gpa) == is_sealed(s, t->gpa) && is_executable(s, next.gpa) == is_executable(s, t->gpa);
}

static void remember(struct shadow *s, uint32_t page, uint32_t gpa, uint32_t flags)
{
    if (!(s->spte[page] & SPTE_LISTED))
        s->listed[s->count++] = page;
    s->slots[page >> 16] |= 1ull << (page >> 10 & 63);
    s->spte[page] = (gpa & PAGE_MASK) | flags | SPTE_MAPPED | SPTE_LISTED;
    if (is_exposed(s, page))
        s->exposed++;
    s->m->counters.pages_shadowed++;
}

/* Paging is off: all of RAM in one mapping, but for the lowest pages, which Linux may refuse. */
static enum fill map_flat(struct shadow *s, uint32_t gla)
{
    bool low = gla < WINDOW_MOVED;
    uint32_t first = low ? gla : WINDOW_MOVED;
    int most = PROT_READ | PROT_WRITE | (s->executable ? 0 : PROT_EXEC);

    if (!low && s->flat) {                              /* a page that was sealed once */
        protect(s, gla, gla, !is_sealed(s, gla));
        return FILL_DONE;
    }
    if (!low)
        s->flat = true;
    if (low ? !map(s, gla, gla, PAGE_BYTES, rights(s, gla, !is_sealed(s, gla)))
            : !map(s, first, first, s->m->mem.bytes - WINDOW_MOVED, most))
        return s->m->stopped ? FILL_STOPPED : FILL_DONE;
    for (uint32_t gpa = first; !low && s->m->mem.sealed && gpa < s->m->mem.bytes; gpa += PAGE_BYTES)
        if (is_sealed(s, gpa) || (s->executable && is_executable(s, gpa)))
            protect(s, gpa, gpa, !is_sealed(s, gpa));
    if (low)
        remember(s, gla >> 12, gla, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
    return FILL_DONE;
}

static void make_room(struct shadow *s)
{
    if (s->count + SHADOW_RUN_MAX > MAPPINGS_MAX)
        shadow_flush_all(s);
}

enum fill shadow_fill(struct shadow *s, uint32_t gla, unsigned access)
{
    struct translation t;
    unsigned before = 0, after = 0;
    uint32_t first;

    if (!memory_walk(s->m, gla, access, &t))
        return FILL_FAULT;
    gla &= PAGE_MASK;
    t.gpa &= PAGE_MASK;
    if (t.gpa >= s->m->mem.bytes)
        return stop(s,
                    "the guest accessed linear 0x%08x, which is physical 0x%08x, beyond its %u MiB of RAM", gla, t.gpa);
    if (gla >= window_end(s))
        return stop(s, "the guest uses linear 0x%08x (physical 0x%08x), where the monitor lives", gla,
                    t.gpa);
    if ((access & ACCESS_WRITE) && is_sealed(s, t.gpa))
        return FILL_SEALED;
    if (!(s->m->cpu.cr0 & CR0_PG))
        return map_flat(s, gla);
    make_room(s);
    if (!(s->spte[gla >> 12] & SPTE_MAPPED)) {
        while (after < SHADOW_RUN_MAX - 1 && continues(s, &t, gla, (int32_t)after + 1))
            after++;
        while (before + after < SHADOW_RUN_MAX - 1 && continues(s, &t, gla, -(int32_t)before - 1))
            before++;
    }
    first = gla - before * PAGE_BYTES;
    if (!map(s, first, t.gpa - before * PAGE_BYTES, (size_t)(before + 1 + after) * PAGE_BYTES,
             rights(s, t.gpa, (t.flags & PTE_W) && (t.flags & PTE_D) && !is_sealed(s, t.gpa))))
        return s->m->stopped ? FILL_STOPPED : FILL_DONE;
    for (unsigned i = 0; i <= before + after; i++)
        remember(s, (first >> 12) + i, t.gpa + (i - before) * PAGE_BYTES, rights_of(&t));
    s->spte[gla >> 12] |= SPTE_WANTED;
    s->brought[gla >> 12] = 0;
    return FILL_DONE;
}

/* ---- tables whose every change is seen -------------------------------------------------------------- */

/* What the processor may do with a page now, if it is one that the monitor may map at once: accessed already. */
static bool is_mappable(const struct shadow *s, uint32_t page, struct translation *t)
{
    return memory_peek(s->m, page << 12, ACCESS_READ, t) && (t->flags & PTE_A) && t->gpa < s->m->mem.bytes &&
           !((s->spte[page] ^ t->flags) & PTE_U);
}

static bool is_writable(const struct translation *t) { return (t->flags & PTE_W) && (t->flags & PTE_D); }

static void note_entry(struct shadow *s, uint32_t page, const struct translation *t)
{
    s->spte[page] = (t->gpa & PAGE_MASK) | rights_of(t) | (s->spte[page] & (SPTE_MAPPED | SPTE_LISTED | SPTE_WANTED));
}

/* Another right to the same frame costs one mprotect, another frame one mmap: a munmap, a fault and an mmap cost twice that. */
void shadow_replace(struct shadow *s, uint32_t gla)
{
    uint32_t page = gla >> 12;
    struct translation t;

    if (!(s->spte[page] & SPTE_MAPPED))
        return;
    if (!is_mappable(s, page, &t)) {
        flush_one(s, page);
        return;
    }
    if (((t.gpa ^ s->spte[page]) & PAGE_MASK) == 0)
        protect(s, gla & PAGE_MASK, t.gpa & PAGE_MASK, is_writable(&t));
    else if (!map(s, gla & PAGE_MASK, t.gpa & PAGE_MASK, PAGE_BYTES, rights(s, t.gpa, is_writable(&t))))
        return;
    note_entry(s, page, &t);
}

/* Is it mapped, and otherwise than the tables have it now? */
static bool differs(const struct shadow *s, uint32_t page)
{
    return (s->spte[page] & SPTE_MAPPED) && !is_global_or_same(s, page);
}

/* Pages that came with a neighbour and were never asked for go, those side by side with one munmap. */
static uint32_t drop_run(struct shadow *s, uint32_t page, uint32_t end)
{
    uint32_t first = page;

    do {
        s->spte[page++] = SPTE_LISTED;
    } while (page < end && !(s->spte[page] & SPTE_WANTED) && differs(s, page));
    unmap(s, first, page - first);
    return page;
}

/* Was it asked for? Whether it is used nobody sees once it is there, so now and then it must be asked for again. Two
 * processes that yield to each other: 28,700 cycles a switch if what was asked for once always comes along, 20,900 so
 * (taskset -c 1 build/paravirt -kernel build/guests/kernel-pv.elf -append "run=bench-user only=ctxsw"). */
static bool is_wanted(struct shadow *s, uint32_t page)
{
    return (s->spte[page] & SPTE_WANTED) && ++s->brought[page] < BROUGHT_MAX;
}

/* Pages of one directory entry: where one was asked for, the next space will most likely want its own. */
static void switch_slot(struct shadow *s, uint32_t slot)
{
    uint32_t page = slot << 10, end = page + 1024;

    while (page < end) {
        if (!differs(s, page))
            page++;
        else if (is_wanted(s, page))
            shadow_replace(s, page++ << 12);
        else
            page = drop_run(s, page, end);
    }
}

void shadow_switch(struct shadow *s, uint32_t old_cr3)
{
    const uint32_t *before = (const void *)(s->m->mem.ram + (old_cr3 & PAGE_MASK));
    const uint32_t *after = (const void *)(s->m->mem.ram + (s->m->cpu.cr3 & PAGE_MASK));

    for (unsigned i = 0; i < 16; i++)
        for (uint64_t bits = s->slots[i]; bits; bits &= bits - 1) {
            uint32_t slot = i * 64 + (unsigned)__builtin_ctzll(bits);

            if (!((before[slot] ^ after[slot]) & ~(uint32_t)PTE_A))
                continue;
            s->cut_known &= is_kernels(before[slot]) == is_kernels(after[slot]);
            switch_slot(s, slot);
        }
    s->cut_known &= s->cut >= window_end(s) || is_kernels(after[s->cut >> 22]);
}
