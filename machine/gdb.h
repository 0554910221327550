/* --gdb: a stub for the GNU debugger (gdb manual, appendix E, "GDB Remote Serial Protocol"). It works by what every processor has, and so
 * under every way of running a guest: INT3 for breakpoints, the trap flag for steps; the exceptions come here before they go to the
 * guest's IDT (event.c, hooks.debugger). Addresses are guest-virtual. No interrupt comes while it steps, and the
 * timer stands while the guest does; the time-stamp counter runs on. Known gaps: a PUSHF that nobody emulates shows the trap flag of
 * a step, the guest that reads its own code finds a breakpoint, and an INT3 that it writes over one of ours is lost. */
#ifndef GDB_H
#define GDB_H

#include "vm.h"

/* Wait for gdb at vm->options.gdb (a port of this host only), if there is to be one, as long as it takes: --timeout counts the
 * time in which the guest runs. False: a sentence has been printed. */
bool gdb_attach(struct vm *vm);

/* What gdb_attach() does once gdb has come: who is at the other end of this socket, which is ours from now on, is served until the guest
 * is to run, or nobody is there. */
void gdb_serve(struct vm *vm, int connection);

/* Its socket; 0: none. */
int gdb_connection(void);

/* Does it want one instruction only? The trap flag is set then. */
bool gdb_steps(void);

#endif
