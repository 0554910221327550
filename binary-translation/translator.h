/* Running guest code through the translator. translator_run() has the shape of direct_run(): it comes back with a reason,
 * and what only the translator's own means caused (a block that is not there, a write to translated code) stays inside. */
#ifndef TRANSLATOR_H
#define TRANSLATOR_H

#include "cache.h"
#include "direct/direct.h"
#include "patch.h"

/* What brought translated code to a halt, for the counters; the first ones are direct_run()'s. */
enum translator_count {
    COUNT_CALL = COUNT_END, COUNT_LINK, COUNT_LOOKUP, COUNT_NEAR, COUNT_FPU, COUNT_UNDEFINED, COUNT_CHANGED,
    COUNT_BREAKPOINT, COUNT_STORE,
};

enum { OPENED_MAX = 8 };

struct translator {
    struct machine *m;
    struct direct *direct;
    struct cache cache;
    bool user_too;              /* user code is translated: each address space has contexts of its own */
    struct patches *patches;    /* the kernel stays where it is, patched; NULL: it is translated */
    int served;                 /* the exit whose instruction the gate's service has carried out last, or NONE */
    int loaded;                 /* the segment register that the last exit was about, or NONE */
    struct table_register known_gdtr;   /* for which HOLE->known holds */
    unsigned known_rewritten;
    bool want_fpu;              /* enter with the guest's FPU state */
    bool alone;                 /* the next instruction is to be translated alone, though its page may run directly */
    bool open;                  /* the pages `opened` are writable, for one instruction */
    uint32_t opened[OPENED_MAX];
    unsigned opened_count;
    /* For tests: the processor stops after each host instruction, and `spy` looks. True: go on. NULL: nobody does. */
    bool (*spy)(struct translator *);
};

/* After direct_init(). `bytes`: of code cache. NULL, or what this host lacks. */
const char *translator_init(struct translator *t, struct direct *d, uint32_t bytes);

/* Let the guest run, translated, at whatever privilege; see direct_run(). Never DIRECT_SEALED or DIRECT_UNSEEN. */
enum direct_exit translator_run(struct translator *t, uint64_t deadline);

/* Is what comes next to be run directly: user code, for which ring 3 is right? And then direct_run(), for that. */
bool translator_runs_directly(const struct translator *t);
enum direct_exit translator_run_directly(struct translator *t, uint64_t deadline);

/* DIRECT_UNSEEN: where in the unseen page the guest's next instruction begins, in it or behind one that crosses into it. */
uint32_t translator_unseen(struct translator *t);

/* For direct_run()'s DIRECT_UNSEEN: look at the page (look.h). */
void translator_look(struct translator *t);

/* The instruction at EIP writes to sealed code at d->fault: forget what it writes over, and let the next
 * translator_run() carry it out. For direct_run()'s DIRECT_SEALED. False: the machine is stopped. */
bool translator_write(struct translator *t);

#endif
