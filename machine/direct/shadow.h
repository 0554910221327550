/* Shadow paging: which guest-linear pages are mapped into the window, so that the processor reaches them
 * without asking. A page comes in when a fault asks for it, with the rights that the guest's tables give at
 * that moment; INVLPG and CR3 loads take pages out. The shadow is a TLB and no more: a guest that changes a
 * page table and does not flush may go on seeing the old mapping, as on a processor. */
#ifndef SHADOW_H
#define SHADOW_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

/* Host-linear. The window ends one page below the hole: what must not be reachable points there. */
#define HOLE_BEGIN   0xfc000000u
#define WINDOW_END   (HOLE_BEGIN - 0x1000u)
#define WINDOW_MOVED 0x10000u       /* the window's base once the guest has mapped what Linux keeps from us */

/* Pages mapped by one fault at most. Of 1, 4, 16, 64 the boot takes 3.1, 1.9, 2.0, 2.2 ms, 300 forks 27, 24, 23, 23 ms:
 * perf stat -r 15 build/trap-emulate -kernel build/guests/kernel.elf -append "run=forkwait n=300" */
enum { SHADOW_RUN_MAX = 16 };

struct shadow {
    struct machine *m;
    int memfd;                      /* guest RAM */
    uint32_t window;                /* host-linear address of guest-linear 0 */
    uint32_t *spte;                 /* by guest-linear page number: frame and flags, 0 if not mapped */
    uint8_t *brought;               /* by page number: so often shadow_switch() has since a fault asked for it */
    uint32_t *listed;               /* guest-linear page numbers: what is mapped, and some that was */
    unsigned count;
    uint64_t slots[16];             /* one bit for each 4 MiB: something may be mapped there */
    bool flat;                      /* paging is off and all of RAM is mapped at once */
    uint32_t cut;                   /* guest-linear: user mode gets segments that end here */
    bool cut_known, cut_given_up;
    unsigned exposed;               /* supervisor pages mapped below the cut */
    const uint8_t *executable;      /* by frame number: may the guest execute it where it is? NULL: all of it */
};

/* `memfd` holds the guest's RAM of m->mem.bytes. False: out of memory. */
bool shadow_init(struct shadow *s, struct machine *m, int memfd);

enum fill { FILL_DONE, FILL_FAULT, FILL_STOPPED, FILL_SEALED };

/* Make `gla` reachable for `access` (ACCESS_ bits), with neighbours that the guest's tables map alike.
 * FILL_FAULT: the guest's tables forbid it, the #PF is in m->cpu.fault. FILL_STOPPED: so is the machine.
 * FILL_SEALED: it is a write to a frame that m->mem.sealed keeps read-only; nothing is mapped. */
enum fill shadow_fill(struct shadow *s, uint32_t gla, unsigned access);

/* What m->mem.sealed or s->executable say of the frame at `frame` (guest-physical, page-aligned) has changed: its mappings
 * get the rights that follow. Writing is left out: the next write brings it back, if the frame is not sealed. */
void shadow_seal(struct shadow *s, uint32_t frame);

/* Let writes to a page through for a while, though its frame is sealed; and no longer. */
void shadow_open(struct shadow *s, uint32_t gla);
void shadow_close(struct shadow *s, uint32_t gla);

void shadow_flush_all(struct shadow *s);
void shadow_load_cr3(struct shadow *s);     /* keeps what is global or unchanged */
void shadow_flush_page(struct shadow *s, uint32_t gla);

/* These two are for a VMM that sees every change of a page table as it happens, and has no global pages. The entry for the
 * page at `gla` has changed: its mapping, if there is one, becomes what the entry says, without a fault. */
void shadow_replace(struct shadow *s, uint32_t gla);

/* CR3 was `old_cr3`: the same for every page that is mapped otherwise now. */
void shadow_switch(struct shadow *s, uint32_t old_cr3);

/* Before user code runs: no supervisor page may be reachable below the cut. Returns the cut. */
uint32_t shadow_enter_user(struct shadow *s);

/* User code has a page above the cut: from now on the cut is the window's end, and supervisor pages are
 * taken out whenever user code runs. Slower, never wrong. */
void shadow_give_up_cut(struct shadow *s);

#endif
