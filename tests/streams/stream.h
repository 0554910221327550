/* Generated instruction streams: what the parts of this folder share. A stream is a few dozen guest instructions with
 * the state they begin in; it ends at its first exception, with a HLT, or not at all (and is thrown away then).
 *
 *   generate.c   instructions: every integer opcode, and operands that mostly make sense
 *   flow.c       streams of them, from a seed
 *   image.c      the guest around them: descriptor tables, page tables, data
 *   ways.c       the same stream run several ways, all of which must give what the first one gives
 *   main.c       many streams; what to say of one that differs */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"
#include "translator.h"

/* Guest-physical and, paging on or off, guest-linear. Linux keeps the first 64 KiB of addresses to itself. */
enum {
    RAM_BYTES = 0x40000,
    GDT = 0x10000, IDT = 0x10800, TSS = 0x11000, PAGE_DIRECTORY = 0x12000, PAGE_TABLE = 0x13000, HANDLERS = 0x14000,
    CODE = 0x20000, CODE_BYTES = 0x2000,
    DATA = 0x24000, DATA_BYTES = 0x8000,
    STACK = 0x30000, STACK_BYTES = 0x2000, KERNEL_STACK = 0x35000,
};

/* Selectors. Those from SEL_FS on are for everybody; of the first ones user streams use their own. */
enum {
    SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x18, SEL_DATA3 = 0x38, SEL_TSS = 0x40,
    SEL_FS = 0x48, SEL_GS = 0x50, SEL_READ_ONLY = 0x58, SEL_DOWN = 0x60, SEL_ABSENT = 0x68, SEL_CONFORMING = 0x70,
    SEL_EXECUTE_ONLY = 0x78, SEL_LDT = 0x80, SEL_CODE16 = 0x90, SEL_DATA16 = 0xa0, SEL_STACK16 = 0xa8, GDT_END = 0xb0,
    VECTOR_IRET = 0x30,             /* INT of this one and of 3 and 4 comes back */
    VECTOR_END = 0x3e,              /* ends a portable stream */
};

struct rng { uint64_t state; };
uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);
bool rng_chance(struct rng *r, unsigned percent);

/* One instruction. `fix`: the field of `width` bytes at `at` says where piece `to` is. */
enum fix { FIX_NONE, FIX_RELATIVE, FIX_OFFSET, FIX_LINEAR };
struct piece {
    uint8_t bytes[INSN_MAX], length;
    uint8_t fix, at, width;
    uint8_t plus;                   /* added to a FIX_LINEAR */
    int to;
    bool dropped;
    uint32_t offset;                /* in CS, once laid out */
};

enum { PIECES_MAX = 400 };

struct stream {
    uint64_t seed;
    unsigned number;
    bool user, paging, wide;
    bool portable;                  /* means the same on QEMU: see write.c */
    bool defined;                   /* no flag or value is used that processors are free in */
    uint32_t begin;                 /* offset of the first piece in the code pages */
    struct piece piece[PIECES_MAX];
    int pieces;
};

/* In flow.c */
void stream_generate(struct stream *s, uint64_t seed, unsigned number, bool portable);

/* Where its random numbers begin. Those of portable streams are mixed: seeds in a row would share theirs. (Of the others the labs
 * know some by number.) */
uint64_t stream_begin(const struct stream *s);

/* In image.c: the state in which a stream begins. */
struct image {
    struct vcpu cpu;
    uint8_t ram[RAM_BYTES];
};
void image_make(struct image *image, struct stream *s);

/* In ways.c */
enum way { WAY_PLAIN, WAY_SMALL, WAY_STEP, WAY_STORM, WAY_EVERYWHERE, WAY_INTERRUPTED, WAY_EMULATED, WAYS };
extern const char *const way_names[WAYS];

/* NULL, or why this host cannot do it. */
const char *ways_init(void);

/* Run the stream's instructions one by one: what the others are held to. False: it does not end, or does what cannot be
 * compared; it is no test then. On a host that cannot do it, the interpreter does, which is enough to choose streams for a table. */
bool ways_reference(const struct image *image, struct rng *r);

/* Run it this way. False: it differs, and `why` says how. */
bool ways_run(enum way way, const struct image *image, char *why, size_t size);

/* Did each sensitive instruction that the reference executed trap? */
bool ways_traps(void);

/* Did the reference stay in this stretch of code, and the handlers? Did it end in a way that is the same on QEMU? */
bool ways_kept_to(uint32_t from, uint32_t end);
bool ways_ends_alike(void);

/* How it ended, for people: "fault 14", "halt". */
const char *ways_end(void);
unsigned ways_steps(void);
uint64_t ways_blocks(void);
uint64_t ways_stops(void);          /* host instructions that were looked at */

/* In write.c: streams as a table for guest.asm. */
struct selection {
    uint64_t seed;
    unsigned first, streams;
    bool trapping;                  /* only those in which whatever is sensitive traps */
    const char *drop;               /* only `first`, without these of its pieces: "3,17", "" for all of it; NULL: see above */
    const char *only;               /* those of the table that have these numbers, which ascend: "7,0x2a"; NULL: all */
};

/* *last is the last one that was generated. False: errno tells why. */
bool write_streams(const char *path, const struct selection *which, struct stream *last);

#endif
