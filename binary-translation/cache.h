/* The code cache: blocks of translated code, how they are found, linked, and thrown away.
 *
 *   context     what a translation depends on besides its bytes: privilege, code segment, address space. Blocks of one
 *               context link to each other and to no other; each context has a jump table in the hole.
 *   code page   a guest-linear page of a context from which code was translated, and the physical frame it then was. It
 *               follows the TLB's rules: INVLPG and CR3 loads look whether it is the same frame still. If not, its blocks
 *               sleep, reachable from nowhere, until the page comes back.
 *   block       a translated stretch. Points tell for each of its host addresses what the guest's state is there.
 *   exit        a way out of a block; its stub leaves the cache by the gate with the exit's number in slots.exit. A direct
 *               branch jumps to the stub only until its target is translated: then it is linked.
 *
 * A frame with code is sealed: the shadow maps it read-only, and the monitor's own stores ask, so that a write wakes
 * cache_written(). Nothing is freed singly: what is invalid stays where it is until the cache is full and flushed. */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "hole.h"

enum { NONE = -1 };

/* Why a frame is sealed: code was translated from it; it was looked at (look.h). */
enum { SEALED_CODE = 1, SEALED_SEEN = 2 };

struct context {
    bool used;
    bool step;                  /* blocks of one instruction, linked to nothing */
    bool simple;                /* 32-bit code without a limit, 32-bit stack: what inline sequences count on */
    uint8_t cpl, iopl;
    struct segment cs;
    bool stack32;
    uint32_t cr3;               /* address space, of user code under paging; else 0 */
    int pages;                  /* list of its code pages */
};

struct code_page {
    uint32_t gla, frame;        /* page-aligned, both */
    int context;
    bool active;                /* the guest maps gla to this frame now */
    int blocks;                 /* list of the blocks that begin or end in it */
    int next_in_context, next_in_frame;
};

/* What must be done at a host address to have the guest's state as it was at `eip`: POINT_ bits, and `esp` to be added. */
enum {
    POINT_EAX = 1, POINT_ECX = 2, POINT_EDX = 4,        /* the register is in its slot */
    POINT_IN_ECX = 8, POINT_IN_TARGET = 16,             /* the guest is on its way to the address in ECX, in slots.target */
    POINT_FORWARD = 32,                                 /* flags are lost: carry the instruction out */
    POINT_STI = 64,                                     /* STI came just before */
    POINT_REPEAT = 128,                                 /* after a turn of a string instruction: `esp` is TURN_ bits */
};
/* Its length; goes on whatever ZF is, else negative for REPNE; counts in CX. */
enum { TURN_LENGTH = 15, TURN_ALWAYS = 32, TURN_COUNTS_CX = 64 };

struct point {
    uint16_t host : 15;         /* from the block's begin; it holds up to the next point */
    uint16_t begins : 1;        /* a guest instruction's host code begins here: for listing.h */
    uint8_t state;
    int8_t esp;
    uint32_t eip;
};

enum exit_kind {
    EXIT_BRANCH,                /* to `eip`, by a direct branch or because the block ends */
    EXIT_PREDICT,               /* to slots.target, ECX in its slot: an indirect branch that has a prediction to make */
    EXIT_CALL,                  /* insn, at `eip`, is the emulator's */
    EXIT_NEAR,                  /* insn, at `eip`, is a branch that the monitor carries out */
    EXIT_STORE,                 /* insn, at `eip`, has kept faulting: it is let through by other means than a signal */
    EXIT_FPU,                   /* the instruction at `eip` needs FPU state; ECX is in its slot */
    EXIT_UNDEFINED,             /* #UD at `eip` */
    EXIT_CHANGED,               /* the bytes of the block are not what was translated; ECX is in its slot */
    EXIT_KINDS,
};
struct exit {
    uint8_t kind;
    bool known;                 /* of a prediction: it has been made */
    bool port;                  /* of a call: IN or OUT, not single-stepped; `to`: the block behind it */
    int block;
    uint32_t eip;
    uint32_t field;             /* of a branch: host address of the rel32 to patch */
    uint32_t test;              /* of a prediction: host address of the disp32 that tells its target */
    int to;                     /* the block it is linked to; of a port access: the one behind it; or NONE */
    int next_incoming;          /* list of the exits that are linked to the same block */
    int insn;                   /* which of cache.insn, or NONE */
};

struct block {
    uint32_t eip;
    uint16_t guest_bytes, instructions;
    uint32_t landing, entry, end;       /* host addresses; landing: for indirect branches; is entry if it has none */
    int context;
    bool dead, checked;
    int page[2], next_on_page[2];
    int next_in_bucket;
    int incoming;
    int points, points_count;
};

enum { BUCKETS = 1 << 14, FAULTING = 64, FAULTS_MAX = 3 };

struct cache {
    struct machine *m;
    struct shadow *shadow;
    uint8_t *writable;          /* the same memory as HOLE->code */
    uint32_t bytes;             /* of translated code */
    uint32_t next, stubs;       /* host addresses: blocks grow up, exits' stubs grow down */
    struct context context[CONTEXTS];
    int bucket[BUCKETS];
    struct block *block;
    struct exit *exit;
    struct point *point;
    struct insn *insn;
    struct code_page *page;
    int *frame_pages;           /* by frame number: list of code pages */
    uint8_t *frame_writes;      /* by frame number: how often sealed code there was written to */
    uint8_t *clean, *sensitive; /* by frame number: what look.c found */
    int blocks, exits, points, insns, pages;
    int blocks_max, exits_max, points_max, insns_max, pages_max;
    bool count_runs;            /* blocks count their own, in HOLE->runs by their number */
    struct { uint32_t eip; unsigned faults; } faulting[FAULTING];       /* instructions that write to sealed code */
    uint32_t window;            /* the shadow's, when checked blocks were made: they read guest code at its host address */
    unsigned generation;        /* counts flushes */
    void (*flushing)(struct cache *);                   /* for patch.c: translated code is about to go */
    void (*unseen)(struct cache *, uint32_t frame);     /* what was looked at there is being written to */
};

enum { STUB_BYTES = 20, PREDICTIONS = 2, COUNT_BYTES = 34 };
_Static_assert(RUNS_MAX >= CACHE_BYTES_MAX / STUB_BYTES, "a block has a stub at least");

/* Maps code and tables. `bytes` of cache, CACHE_BYTES_MIN to CACHE_BYTES_MAX. NULL, or what the host lacks. */
const char *cache_init(struct cache *c, struct machine *m, struct shadow *shadow, uint32_t bytes);

/* The context for the guest's present state; may flush the cache if there are too many. */
int cache_context(struct cache *c, bool step, bool by_address_space);

/* The block at `eip`, or NULL. It may have slept: then its pages are looked up. */
struct block *cache_find(struct cache *c, int context, uint32_t eip);

/* Has the page of code at `gla` been written to so often that it is no longer sealed, but its blocks check themselves? */
bool cache_is_checked(const struct cache *c, uint32_t gla);

/* The frame has something for `why` now: no mapping of it stays writable. */
void cache_seal(struct cache *c, uint32_t frame, unsigned why);

/* The instruction at `eip` has faulted, because the page that it writes to is sealed. Once it has done so FAULTS_MAX times
 * its blocks are forgotten, to be translated again: cache_keeps_faulting() is then true. */
void cache_faulted(struct cache *c, uint32_t eip);
bool cache_keeps_faulting(const struct cache *c, uint32_t eip);

/* A new block is entered once its code is there: found from now on, its frames sealed. */
void cache_enter(struct cache *c, struct block *b);

void cache_link(struct cache *c, struct exit *x, struct block *to);

/* The indirect branch that left through `ask` goes to `to`: it will find the way itself next time. */
void cache_predict(struct cache *c, struct exit *ask, struct block *to);
void cache_set_target(struct cache *c, struct block *b);        /* indirect branches find it */

/* The block is not to be used again. */
void cache_kill(struct cache *c, struct block *b);

void cache_flush(struct cache *c);
void cache_pages_changed(struct cache *c, bool globals_too);    /* CR3, CR0, CR4 */
void cache_page_changed(struct cache *c, uint32_t gla);         /* INVLPG */
void cache_written(struct cache *c, uint32_t gpa, uint32_t bytes);

/* The block whose code, or the exit whose stub, is at a host address; NULL: neither. */
struct block *cache_block_at(struct cache *c, uint32_t host);
struct exit *cache_exit_at(struct cache *c, uint32_t host);
uint32_t cache_stub(const struct cache *c, const struct exit *x);
uint8_t *cache_writable(const struct cache *c, uint32_t host);

#endif
