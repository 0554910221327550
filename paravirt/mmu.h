/* The guest's page tables, checked as Xen's were: the guest writes them by asking, and the processor uses them as they are.
 * Every frame of RAM has one type at a time, and a count of what uses it as that (Barham et al. 2003, 3.3.3): a page table, a
 * page directory, or writable. So no guest ever has a page table mapped writable, or maps what is not its own. */
#ifndef MMU_H
#define MMU_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

enum frame_type { FRAME_WRITABLE, FRAME_TABLE, FRAME_DIRECTORY };

struct frame {
    uint32_t uses;              /* as `type`: entries, the pin, CR3. 0: it may become anything */
    uint8_t type;
    bool pinned;
    uint16_t slot;              /* of a table: where in its directories it stands; SLOT_NONE, SLOT_MANY */
};
enum { SLOT_NONE = 0xffff, SLOT_MANY = 0xfffe };

struct mmu {
    struct machine *m;
    struct frame *frame;        /* by frame number */
    uint32_t frames;            /* of RAM */
    uint32_t first;             /* those below are not the guest's */
    uint32_t base;              /* linear: user space ends here, the kernel's begins; a multiple of 4 MiB */
    uint32_t own;               /* the VMM's own entry, which stands in every directory in the slot of PV_PAGE */
    /* Whoever else remembers translations must hear of a change at once: no stale one may outlive a frame's type. Both may be
     * NULL, like m->hooks.flush_all, which is for the rest. */
    void (*changed)(struct machine *, uint32_t gla);        /* the present entry for a page of the space in use is another */
    void (*switched)(struct machine *, uint32_t old_cr3);   /* CR3 is another */
};

/* All frames without a type, none in use. `frame` of m->mem.bytes / 4096 elements is the caller's. */
void mmu_init(struct mmu *mmu, struct machine *m, struct frame *frame, uint32_t first, uint32_t base, uint32_t own);

/* All return 0 or a negated error of interface.h, and have then changed nothing. */

/* The entry at physical `at`, which must lie in a page table or directory, becomes `entry`. Whatever the processor
 * remembers of the old one is forgotten. */
int mmu_update(struct mmu *mmu, uint32_t at, uint32_t entry);

/* The same by its linear address, in the address space in use. */
int mmu_update_va(struct mmu *mmu, uint32_t gla, uint32_t entry);

/* Check the page directory at `pa`, with its tables, and keep it one until it is unpinned. */
int mmu_pin(struct mmu *mmu, uint32_t pa);
int mmu_unpin(struct mmu *mmu, uint32_t pa);

/* Load CR3. */
int mmu_new_base(struct mmu *mmu, uint32_t pa);

#endif
