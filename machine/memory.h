/* Guest-physical memory and the guest's page tables. A guest-linear address (gla) is what segmentation
 * yields; the walk turns it into a guest-physical address (gpa) with the checks and the accessed and dirty
 * bits that a processor applies. Two-level 32-bit paging, with 4 MiB pages where CR4.PSE allows them.
 * Intel SDM vol. 3A 4.3 to 4.8. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

#define PAGE_BYTES 4096u
#define PAGE_MASK  0xfffff000u

/* Page-table entry bits; an access and a page-fault error code use the same ones for P, W, U. */
enum {
    PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_U = 1 << 2, PTE_A = 1 << 5, PTE_D = 1 << 6, PTE_PS = 1 << 7, PTE_G = 1 << 8,
};
enum access {
    ACCESS_READ = 0,
    ACCESS_WRITE = PTE_W,
    ACCESS_USER = PTE_U,        /* made at CPL 3; otherwise by the kernel or the processor itself */
};
enum { PF_PROTECTION = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8 };

struct memory {
    uint8_t *ram;               /* guest-physical 0 */
    uint32_t bytes;
    uint8_t *sealed;            /* by frame number: not 0 if somebody wants to know of writes; NULL: nobody */
    void (*sealed_write)(uint32_t gpa, unsigned bytes);         /* after the write; within a page */
};

/* What a walk found: the page's frame and what may be done with it without asking the tables again. */
struct translation {
    uint32_t gpa;               /* of the address asked for, not of its page */
    uint32_t flags;             /* PTE_ bits, both levels combined; PTE_PS: part of a 4 MiB page */
};

/* Physical accesses of 1, 2 or 4 bytes. Outside RAM reads give all ones and writes vanish, as on a bus
 * where nothing answers. */
uint32_t memory_read(const struct memory *mem, uint32_t gpa, unsigned bytes);
void memory_write(struct memory *mem, uint32_t gpa, unsigned bytes, uint32_t value);

/* Translate `gla` for `access` (ACCESS_ bits), setting accessed and dirty bits. False: a page fault is in
 * m->cpu.fault, with error code and CR2. */
bool memory_walk(struct machine *m, uint32_t gla, unsigned access, struct translation *out);

/* The same for looking only: no bit set, no fault recorded. For shadow paging and for dumps. */
bool memory_peek(const struct machine *m, uint32_t gla, unsigned access, struct translation *out);

/* Copy between the host and guest-linear memory, up to 4096 bytes. Every page is checked before the first
 * byte moves. A load with ACCESS_WRITE is one before a store to the same place. False: a page fault is in
 * m->cpu.fault. */
bool memory_load(struct machine *m, uint32_t gla, void *to, unsigned bytes, unsigned access);
bool memory_store(struct machine *m, uint32_t gla, const void *from, unsigned bytes, unsigned access);

/* May `bytes` (a power of two; else the answer is yes) be accessed at `gla`? False: #AC(0), if CPL, CR0.AM and EFLAGS.AC ask
 * for it (Intel SDM vol. 3A 6.15, interrupt 17). */
bool memory_aligned(struct machine *m, uint32_t gla, unsigned bytes);

/* Accesses by segment and offset, 1 to 8 bytes, with the checks of the segment first (Intel SDM vol. 3A
 * 5.3, 5.5). Privilege is the guest's current one. */
bool memory_read_seg(struct machine *m, unsigned seg, uint32_t offset, void *to, unsigned bytes);
bool memory_write_seg(struct machine *m, unsigned seg, uint32_t offset, const void *from, unsigned bytes);

/* A read before memory_write_seg() to the same place, which then cannot fail. */
bool memory_read_to_write_seg(struct machine *m, unsigned seg, uint32_t offset, void *to, unsigned bytes);

#endif
