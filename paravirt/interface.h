/* What a paravirtual guest and its VMM must agree on: after Xen's interface of 2003 (Barham et al., section 3), in small.
 * Guests include this file, and assembly gets its numbers (`#define NAME number` lines) and those of hypercalls.def as
 * build/include/pv.inc. README.md tells how it is used.
 *
 *   linear 0xfc000000  the monitor's hole, out of every guest segment's reach
 *          0xfbffe000  PV_SHARED: the shared-info page, which both sides write
 *          0xfbffd000  PV_PAGE: the hypercall page, which the VMM has written
 *          0xfb000000  PV_HOLE: from here up every page directory holds the VMM's entries, whatever the guest puts there
 *                   0  the first 4 MiB stay unmapped: Linux keeps their beginning from every process */
#ifndef INTERFACE_H
#define INTERFACE_H

#define PV_VERSION 1
#define PV_HOLE   0xfb000000
#define PV_SHARED 0xfbffe000
#define PV_PAGE   0xfbffd000

/* Hypercall n is a CALL to PV_PAGE + n * PV_ENTRY_BYTES; EAX is the result, the flags are lost. */
#define PV_ENTRY_BYTES 32
/* But IRET is jumped to, with the frame of a real one on the stack. Within the kernel it keeps CS. */

/* A routine that the kernel may copy to where its processes find it: system calls without a trap. It changes EDX and the
 * flags. It is right once the trap table is set. */
#define PV_USER_CALL (PV_PAGE + 1024)
#define PV_USER_CALL_BYTES 32
/* The rest of the page is the VMM's own. */
#define PV_PAGE_RETURN (PV_PAGE + 1056)
#define PV_PAGE_ENTER (PV_PAGE + 1088)
#define PV_PAGE_IRET (PV_PAGE + 1152)

/* Offsets in the shared-info page: struct pv_shared. */
#define PV_FLAGS   (PV_SHARED + 0)
#define PV_IF_BYTE (PV_SHARED + 1)      /* of PV_FLAGS: 2 is IF, and the rest means nothing, so that a byte's store does */
#define PV_PENDING (PV_SHARED + 4)
#define PV_EVENTS  (PV_SHARED + 8)
#define PV_MASKED  (PV_SHARED + 12)
#define PV_CR2     (PV_SHARED + 16)

/* A row of the trap table: flags. The first 2 bits are the least privileged ring that may ask for it by INT. */
#define PV_TRAP_MASKS 4
#define PV_TRAP_USER_CALL 8
/* The vector by which events come: one entry for all of them. */
#define PV_UPCALL 0x20
/* With --gate=trap the hypercall page asks by this INT, and hypercalls go by it alone. */
#define PV_TRAP_VECTOR 0x82

/* For update_va_mapping. */
#define PV_FLUSH 1

#define PV_MMUEXT_PIN 0
#define PV_MMUEXT_UNPIN 1
#define PV_MMUEXT_NEW_BASE 2
#define PV_MMUEXT_FLUSH 3
#define PV_MMUEXT_FLUSH_ALL 4

#define PV_SCHED_YIELD 0
#define PV_SCHED_BLOCK 1
#define PV_SCHED_SHUTDOWN 2

#define PV_CONSOLE_WRITE 0
#define PV_CONSOLE_READ 1

#define PV_EVENT_MASK 0
#define PV_EVENT_UNMASK 1
#define PV_EVENT_ACK 2
#define PV_EVENT_SEND 3
#define PV_EVENT_TIMER 0

/* Errors, negated in EAX. */
#define PV_EPERM 1
#define PV_EFAULT 14
#define PV_EBUSY 16
#define PV_EINVAL 22
#define PV_ENOSYS 38

/* The ELF note by which a kernel says that it is one of ours: name "Quadvisor", this type, struct pv_note. */
#define PV_NOTE 1

#include <stdint.h>

enum pv_hypercall {
#define HYPERCALL(name, ...) HC_##name,
#include "hypercalls.def"
#undef HYPERCALL
    HYPERCALLS
};

struct pv_note {
    uint32_t version;                   /* PV_VERSION */
    uint32_t entry;                     /* linear: entered with ESI = struct pv_start, IF 0, no stack */
    uint32_t base;                      /* linear: where all of RAM is mapped; below is user space. A multiple of 4 MiB */
};

/* At the entry ESI has its linear address. Its page, like all up to `first_free`, is the guest's. */
struct pv_start {
    uint32_t frames;                    /* of RAM */
    uint32_t directory;                 /* linear: the initial page table: RAM at `base`, page tables read-only */
    uint32_t first_free;                /* physical: nothing is there, up to the end of RAM */
    uint32_t command_line;              /* linear */
    uint32_t module, module_bytes;      /* linear; 0: none */
};

/* The shared-info page. */
struct pv_shared {
    uint32_t flags;                     /* bit 9 is IF, where EFLAGS has it: events come. The other bits mean nothing */
    uint32_t pending;                   /* not 0: an event waits that is not masked. Whoever sets IF looks here next */
    uint32_t events;                    /* which have come; ACK clears a bit */
    uint32_t masked;                    /* which wait though IF is 1; all at the start */
    uint32_t cr2;                       /* of the last page fault */
    /* The guest's clock in ns is ns + (((tsc - tsc_then) << 8) * scale >> 32): so a count may be up to 256 ns long. Once more if
     * `version` has changed meanwhile, or is odd. */
    uint32_t version;
    uint64_t tsc_then, ns;
    uint32_t scale;
    /* What the hypercall page keeps between two instructions. Nobody else need look. */
    uint32_t ret_eip, ret_cs, ret_eflags, ret_esp, ret_ss;
    uint32_t user_esp, user_eflags, user_cs, user_ss, user_call, eax;
};

struct pv_trap { uint8_t vector, flags; uint16_t cs; uint32_t eip; };
struct pv_mmu_update { uint32_t at, entry; };           /* physical address of the entry, a multiple of 4; its value */
struct pv_call { uint32_t number; int32_t result; uint32_t argument[5]; };

#endif
