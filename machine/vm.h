/* What the hosted VMMs do alike around their run loops: options, devices on the host's terminal, loading the
 * guest, time, and the end. Each VMM's main.c keeps the loop itself. */
#ifndef VM_H
#define VM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli.h"
#include "console.h"
#include "machine.h"
#include "symbols.h"

enum { VM_LAST_EXITS = 8 };

struct vm_exit { const char *what; uint32_t eip; };

struct vm {
    struct machine machine;
    struct console console;
    struct symbols symbols;
    struct options options;
    FILE *counters;             /* for --counters, else NULL */
    const char *name;           /* "trap-emulate" */
    uint64_t timeout_at;        /* ns, UINT64_MAX: never */
    uint64_t wake_at;           /* the same, of a VMM with devices of its own */
    uint64_t look_at;           /* the same, of a debugger */
    struct vm_exit last[VM_LAST_EXITS];
    uint64_t exits;             /* so many in all; the last few are kept for a dump */
    void (*debugger)(struct vm *);      /* looks in before the guest is entered, and when it has ended; NULL: none */
};

/* Says so, with errno's meaning. Returns false. */
bool vm_cannot_write(const struct vm *vm, const char *path);

/* Open the file for --counters: before the guest begins, and before the wall. False: a sentence has been printed. vm_load() asks. */
bool vm_output(struct vm *vm);

/* The guest's kernel, command line and module into RAM, which is there already; devices and processor reset.
 * False: a sentence has been printed; exit with EXIT_USAGE. */
bool vm_load(struct vm *vm);

/* Should the guest go on? A debugger may have a look first. No after machine_stop() and after the guest wrote to the exit port. */
bool vm_continues(struct vm *vm);

/* When the devices or the time-out want the guest interrupted (ns). */
uint64_t vm_deadline(const struct vm *vm);

/* Bring the devices up to now; stop the machine if its time is up. */
void vm_tick(struct vm *vm);

/* HLT: sleep until something happens. Without interrupts nothing can, and the machine is stopped. */
void vm_idle(struct vm *vm);

/* The guest stopped at EIP because of `what`: remember it, and print a line if --trace asks for all exits or, of those
 * that end in an emulated instruction, for these. */
void vm_trace(struct vm *vm, const char *what, bool emulated);

/* Say why the guest ended, with a register dump if it crashed; write the counters. Returns the exit status. */
int vm_finish(struct vm *vm);

/* It cannot even begin: say why. `status` is EXIT_HOST (this host cannot run this VMM) or EXIT_USAGE; returns it. */
int vm_fail(const struct vm *vm, int status, const char *why);

#endif
