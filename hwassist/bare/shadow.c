/* Shadow paging, for the days before nested paging and for --no-npt. The processor walks tables of ours, which hold what it has
 * asked for of the guest's: a TLB in software, and no more. Whatever empties a TLB empties this too. See paging.h. The entries are
 * those of 32-bit paging (Intel SDM vol. 3A 4.3). */
#include <string.h>

#include "machine.h"
#include "paging.h"

enum {
    ENTRIES = 1024, POOL = 256,
    SPDE_LARGE = 1 << 9,        /* ours: under this entry lies a part of a 4 MiB page of the guest's */
};

static _Alignas(PAGE_BYTES) uint32_t directory[ENTRIES], pool[POOL][ENTRIES];
static unsigned pool_used;
static void (*on_change)(void);

uint32_t shadow_root(void)
{
    return (uint32_t)(uintptr_t)directory;
}

static void drop_all(struct machine *m)
{
    memset(directory, 0, PAGE_BYTES);
    pool_used = 0;
    m->counters.pages_flushed++;
    on_change();
}

/* INVLPG of any address in a 4 MiB page drops all of it. */
static void drop_page(struct machine *m, uint32_t gla)
{
    uint32_t *spde = &directory[gla >> 22];

    if (*spde & SPDE_LARGE)
        *spde = 0;
    else if (*spde)
        ((uint32_t *)(uintptr_t)(*spde & PAGE_MASK))[gla >> 12 & 0x3ff] = 0;
    m->counters.pages_flushed++;
    on_change();
}

void shadow_init(struct machine *m, void (*changed)(void))
{
    on_change = changed;
    m->hooks = (struct machine_hooks){ .flush_all = drop_all, .load_cr3 = drop_all, .flush_page = drop_page };
}

static uint32_t *entry_of(struct machine *m, uint32_t gla, bool large)
{
    uint32_t *spde = &directory[gla >> 22];

    if (!*spde) {
        if (pool_used == POOL)
            drop_all(m);
        memset(pool[pool_used], 0, PAGE_BYTES);
        *spde = (uint32_t)(uintptr_t)pool[pool_used++] | PTE_P | PTE_W | PTE_U;
    }
    *spde |= large ? SPDE_LARGE : 0;
    return (uint32_t *)(uintptr_t)(*spde & PAGE_MASK) + (gla >> 12 & 0x3ff);
}

/* Writable only once it is dirty, so that the guest's tables get their bit. The processor runs with CR0.WP; a guest that has
 * it off gets what it may write as its kernel's alone. */
bool shadow_fill(struct machine *m, uint32_t gla, uint32_t error)
{
    unsigned access = error & (PF_WRITE | PF_USER);
    struct translation t;
    uint32_t bits = PTE_P, *spte;

    if (!memory_walk(m, gla, access, &t))
        return false;
    if ((t.flags & PTE_W) && (t.flags & PTE_D))
        bits |= PTE_W;
    if (t.flags & PTE_U)
        bits |= PTE_U;
    spte = entry_of(m, gla, t.flags & PTE_PS);
    if (t.gpa < m->mem.bytes) {
        *spte = (uint32_t)(uintptr_t)(m->mem.ram + (t.gpa & PAGE_MASK)) | bits;
    } else {
        if (access & ACCESS_WRITE)
            nowhere_open(t.gpa);
        else
            bits &= ~(uint32_t)PTE_W;
        *spte = nowhere_page() | bits;
    }
    m->counters.pages_shadowed++;
    return true;
}
