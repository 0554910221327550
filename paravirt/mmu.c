/* Validated page tables. See mmu.h. An entry that is not present is anything the guest likes. */
#include "mmu.h"

#include <stddef.h>

#include "interface.h"
#include "machine.h"

enum { ENTRIES = 1024, SLOT_SHIFT = 22, HOLE_SLOT = PV_HOLE >> SLOT_SHIFT, OWN_SLOT = PV_PAGE >> SLOT_SHIFT };
#define PTE_KNOWN (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_G | 0xe18u | PAGE_MASK)     /* PWT, PCD, bits 9 to 11 */

void mmu_init(struct mmu *mmu, struct machine *m, struct frame *frame, uint32_t first, uint32_t base, uint32_t own)
{
    *mmu = (struct mmu){
        .m = m, .frame = frame, .frames = m->mem.bytes / PAGE_BYTES, .first = first, .base = base, .own = own,
    };
    for (uint32_t i = 0; i < mmu->frames; i++)
        frame[i] = (struct frame){ .slot = SLOT_NONE };
}

/* ---- uses of frames ------------------------------------------------------------------------------ */

static bool is_guest_frame(const struct mmu *mmu, uint32_t frame) { return frame >= mmu->first && frame < mmu->frames; }

/* A frame of RAM as a page table. */
static uint32_t *entries_at(const struct mmu *mmu, uint32_t frame)
{
    return (uint32_t *)(void *)(mmu->m->mem.ram + (size_t)frame * PAGE_BYTES);
}

static int take_entry(struct mmu *mmu, unsigned type, unsigned slot, uint32_t entry);
static void drop_entry(struct mmu *mmu, unsigned type, uint32_t entry);

/* How many entries of such a frame are the guest's. */
static unsigned entries_of(unsigned type) { return type == FRAME_DIRECTORY ? HOLE_SLOT : ENTRIES; }

/* Its uses ended: what its entries use is used no longer. */
static void dissolve(struct mmu *mmu, uint32_t frame, unsigned entries)
{
    const uint32_t *entry = entries_at(mmu, frame);

    for (unsigned i = 0; i < entries; i++)
        drop_entry(mmu, mmu->frame[frame].type, entry[i]);
}

/* One more use of `frame` as `type`. The first use as a table or directory checks all entries. */
static int take(struct mmu *mmu, uint32_t frame, unsigned type)
{
    struct frame *f = &mmu->frame[frame];
    uint32_t *entry;
    int error;

    if (!is_guest_frame(mmu, frame))
        return -PV_EPERM;
    if (f->uses && f->type != type)
        return -PV_EBUSY;
    if (f->uses++ || type == FRAME_WRITABLE) {
        f->type = (uint8_t)type;
        return 0;
    }
    f->type = (uint8_t)type;            /* already: one that holds itself must find it so */
    f->slot = SLOT_NONE;
    entry = entries_at(mmu, frame);
    for (unsigned i = 0; i < entries_of(type); i++) {
        error = take_entry(mmu, type, i, entry[i]);
        if (error) {
            dissolve(mmu, frame, i);
            f->uses = 0;
            return error;
        }
    }
    for (unsigned i = entries_of(type); i < ENTRIES; i++)
        entry[i] = i == OWN_SLOT ? mmu->own : 0;
    return 0;
}

static void drop(struct mmu *mmu, uint32_t frame)
{
    struct frame *f = &mmu->frame[frame];

    if (f->uses == 1 && f->type != FRAME_WRITABLE)
        dissolve(mmu, frame, entries_of(f->type));
    f->uses--;
}

/* ---- entries ------------------------------------------------------------------------------------- */

static int take_directory_entry(struct mmu *mmu, unsigned slot, uint32_t entry)
{
    uint32_t frame = entry >> 12, gla = slot << SLOT_SHIFT;
    int error;

    if (slot == 0)                      /* Linux keeps its first pages from every process */
        return -PV_EPERM;
    if ((entry & ~PTE_KNOWN) || ((entry & PTE_U) && gla >= mmu->base))
        return -PV_EINVAL;
    error = take(mmu, frame, FRAME_TABLE);
    if (!error && mmu->frame[frame].slot != slot)
        mmu->frame[frame].slot = mmu->frame[frame].slot == SLOT_NONE ? (uint16_t)slot : SLOT_MANY;
    return error;
}

static int take_entry(struct mmu *mmu, unsigned type, unsigned slot, uint32_t entry)
{
    if (!(entry & PTE_P))
        return 0;
    if (type == FRAME_DIRECTORY)
        return take_directory_entry(mmu, slot, entry);
    if (entry & ~PTE_KNOWN)
        return -PV_EINVAL;
    if (entry & PTE_W)
        return take(mmu, entry >> 12, FRAME_WRITABLE);
    return is_guest_frame(mmu, entry >> 12) ? 0 : -PV_EPERM;
}

static void drop_entry(struct mmu *mmu, unsigned type, uint32_t entry)
{
    if ((entry & PTE_P) && (type == FRAME_DIRECTORY || (entry & PTE_W)))
        drop(mmu, entry >> 12);
}

/* ---- what the guest asks for --------------------------------------------------------------------- */

/* The processor must forget the old entry, if it can know it: translations are those of the space in use alone. */
static void forget(struct mmu *mmu, uint32_t frame, unsigned i)
{
    struct machine *m = mmu->m;
    bool directory = mmu->frame[frame].type == FRAME_DIRECTORY;
    unsigned slot = mmu->frame[frame].slot;
    uint32_t pde;

    if (directory ? frame == m->cpu.cr3 >> 12 : slot == SLOT_MANY) {
        if (m->hooks.flush_all)
            m->hooks.flush_all(m);
        return;
    }
    if (directory || slot == SLOT_NONE)
        return;
    pde = entries_at(mmu, m->cpu.cr3 >> 12)[slot];
    if ((pde & PTE_P) && pde >> 12 == frame && mmu->changed)
        mmu->changed(m, slot << SLOT_SHIFT | i << 12);
}

int mmu_update(struct mmu *mmu, uint32_t at, uint32_t entry)
{
    uint32_t frame = at >> 12, *entry_now, old;
    unsigned i = at / 4 % ENTRIES, type;
    int error;

    if ((at & 3) || !is_guest_frame(mmu, frame) || !mmu->frame[frame].uses || mmu->frame[frame].type == FRAME_WRITABLE)
        return -PV_EINVAL;
    type = mmu->frame[frame].type;
    if (i >= entries_of(type))
        return -PV_EPERM;
    entry_now = &entries_at(mmu, frame)[i];
    old = *entry_now;
    error = take_entry(mmu, type, i, entry);
    if (error)
        return error;
    *entry_now = entry;
    drop_entry(mmu, type, old);
    if (old & PTE_P)
        forget(mmu, frame, i);
    return 0;
}

int mmu_update_va(struct mmu *mmu, uint32_t gla, uint32_t entry)
{
    uint32_t pde = entries_at(mmu, mmu->m->cpu.cr3 >> 12)[gla >> SLOT_SHIFT];

    if (!(pde & PTE_P) || gla >= PV_HOLE)
        return -PV_EINVAL;
    return mmu_update(mmu, (pde & PAGE_MASK) + (gla >> 12) % ENTRIES * 4, entry);
}

int mmu_pin(struct mmu *mmu, uint32_t pa)
{
    int error = pa & ~PAGE_MASK ? -PV_EINVAL : take(mmu, pa >> 12, FRAME_DIRECTORY);

    if (error)
        return error;
    if (mmu->frame[pa >> 12].pinned) {
        drop(mmu, pa >> 12);
        return -PV_EINVAL;
    }
    mmu->frame[pa >> 12].pinned = true;
    return 0;
}

int mmu_unpin(struct mmu *mmu, uint32_t pa)
{
    if ((pa & ~PAGE_MASK) || !is_guest_frame(mmu, pa >> 12) || !mmu->frame[pa >> 12].pinned)
        return -PV_EINVAL;
    mmu->frame[pa >> 12].pinned = false;
    drop(mmu, pa >> 12);
    return 0;
}

int mmu_new_base(struct mmu *mmu, uint32_t pa)
{
    struct machine *m = mmu->m;
    uint32_t old = m->cpu.cr3;
    int error = pa & ~PAGE_MASK ? -PV_EINVAL : take(mmu, pa >> 12, FRAME_DIRECTORY);

    if (error)
        return error;
    m->cpu.cr3 = pa;
    if (mmu->switched)                  /* looks at both directories */
        mmu->switched(m, old);
    if (is_guest_frame(mmu, old >> 12))      /* not at the start */
        drop(mmu, old >> 12);
    return 0;
}
