/* What translator.c shares with the files beside it: exits.c (what an exit means), service.c (what needs no exit),
 * written.c (code that changes), in-place.c (the patch strategy). Everybody else needs translator.h alone. */
#ifndef RUN_H
#define RUN_H

#include "translator.h"

extern struct translator *translator_only;      /* the one of this process: hooks have no argument to find it by */

/* `what`: an enum direct_count or translator_count. */
enum direct_exit run_count(struct translator *t, unsigned what, enum direct_exit exit);

/* One instruction alone: single-stepped, in an interrupt shadow that holds something back, or with a sealed page open. */
bool run_must_step(const struct translator *t);

/* Flags that the processor does not hold for the guest. Linux has CR0.AM set, the guest may have not. */
uint32_t run_flags_of_ours(const struct translator *t);

/* Enter the guest at `host`. True: it has run, and cpu.eflags is its again. False: the timer came first; *exit and *again say
 * what of it. */
bool run_enter(struct translator *t, uint32_t host, enum direct_exit *exit, bool *again);
void run_take_flags(struct translator *t);

/* The block at EIP, for an entry or an indirect branch; counted. */
struct block *run_look_up(struct translator *t, int context);

/* exits.c: exit `number` was taken; a signal stopped the guest in the cache. *again: nobody need know. */
enum direct_exit run_take_exit(struct translator *t, int number, int context, bool *again);
enum direct_exit run_take_signal(struct translator *t, int context, bool *again);

/* service.c: asked at the gate (world.h); before an entry, forget or learn what segments the kernel loads. */
bool run_serve(void);
void run_check_known(struct translator *t);
void run_learn_descriptor(struct translator *t, unsigned seg);

/* written.c: an instruction that was translated into a call because it kept faulting; the end of what translator_write()
 * allows. */
enum direct_exit run_store(struct translator *t, bool *again);
void run_close_pages(struct translator *t);

/* in-place.c */
bool run_is_in_place(const struct translator *t);
enum direct_exit run_in_place(struct translator *t, bool *again);
void run_uncover(struct translator *t);
void run_uncover_page(struct translator *t);

#endif
