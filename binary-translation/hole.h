/* The monitor's hole: the top 64 MiB of the 32-bit address space, where translated code runs and finds what it needs.
 * Guest segments end below it; the monitor's own two (code and data, base 0, limit 4 GiB) reach it.
 *
 *   0xfc000000   struct vm        the virtual PC: translated code reads and writes the guest's CR0, IDTR, IF ... in place
 *                struct slots     what translated code keeps besides
 *                jump tables      one for each context: where indirect branches find their target
 *                runs             how often each block ran, if blocks count that
 *                code             the gate, then the code cache; mapped here for executing, above 4 GiB for writing
 *
 * Data and code are pages apart: a store near code costs more than a crossing. Read next: cache.h, translate.c. */
#ifndef HOLE_H
#define HOLE_H

#include <stdalign.h>
#include <stdint.h>

#include "direct/shadow.h"
#include "vm.h"

enum {
    CONTEXTS = 16,
    TABLE_ENTRIES = 65536,              /* by the low 16 bits of the target: MOVZX is a hash that keeps the flags */
    CACHE_BYTES_MIN = 8 << 10, CACHE_BYTES_DEFAULT = 4 << 20, CACHE_BYTES_MAX = 32 << 20,
    SLOT_SELECTORS = 8, SELECTOR_OURS = 6,
    RUNS_MAX = CACHE_BYTES_MAX / 16,    /* more than the cache can have blocks */
};

struct slots {
    uint32_t eax, ecx, edx;             /* guest registers that a sequence borrows */
    uint32_t target;                    /* guest EIP to which an indirect branch is under way */
    uint32_t exit;                      /* number of the exit through which the cache was left */
    uint32_t interrupt;                 /* not 0: an interrupt waits, so STI must leave the cache */
    uint32_t popf_slow;                 /* POPF must leave the cache if one of these bits is set in its image */
    uint32_t fpu_absent, sse_absent;    /* not 0: the processor does not hold the guest's state, or SSE is switched off */
    uint16_t selector[SLOT_SELECTORS];  /* the processor's selectors for the guest's segments; [6]: the monitor's data */
};

/* A descriptor of the guest's GDT as the kernel loaded it last, at its selector's low byte. To load it again takes no exit:
 * sequences.c compares what stands in the GDT now. What is compared stands negated: LEA adds, and JECXZ asks for 0. */
struct known_descriptor {
    uint32_t minus_selector;            /* 1: empty */
    uint32_t address;                   /* host linear; of null_descriptor for a null selector */
    uint32_t minus_low, minus_high;
    struct segment segment;
    uint16_t hardware;                  /* the processor's selector for it */
};
enum { KNOWN_DESCRIPTORS = 256 };
_Static_assert(sizeof(struct known_descriptor) == 32, "sequences.c finds it by two scalings, of 8 and of 4");

struct hole {
    struct vm vm;
    alignas(4096) struct slots slots;
    uint64_t null_descriptor;           /* zero */
    alignas(32) struct known_descriptor known[KNOWN_DESCRIPTORS];
    alignas(4096) uint32_t table[CONTEXTS][TABLE_ENTRIES];      /* host addresses */
    alignas(4096) uint32_t runs[RUNS_MAX];                      /* by number of the block */
    alignas(4096) uint8_t code[4096 + CACHE_BYTES_MAX];
};
_Static_assert(sizeof(struct hole) <= 64u << 20, "the hole is 64 MiB");

#define HOLE ((struct hole *)(uintptr_t)HOLE_BEGIN)

/* Where something of the hole is, as 32-bit code says it. */
#define ADDRESS(thing) ((uint32_t)(uintptr_t)&(thing))

#endif
