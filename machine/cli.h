/* The command line that the four VMMs share; QEMU's names where QEMU has one. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>

enum trace { TRACE_NONE, TRACE_EXITS, TRACE_INSNS, TRACE_BLOCKS, TRACE_TIMELINE };

struct options {
    const char *kernel;
    const char *append;         /* NULL: none */
    const char *initrd;         /* NULL: none */
    uint32_t mib;               /* RAM, 1 to 1024 */
    enum trace trace;
    const char *traces;         /* what of it this VMM has, set before cli_parse(): "exits, insns or timeline"; NULL: all */
    const char *counters;       /* file for the counters, NULL: none */
    unsigned timeout;           /* seconds, 0: none */
    uint16_t gdb;               /* port to wait for gdb at, 0: none */
    bool no_sandbox;            /* no wall (wall.h) */
};

/* An option of one VMM alone. */
struct cli_option {
    const char *name;           /* "cache"; NULL ends the list */
    const char *usage;          /* "cache SIZE" */
    const char *help;
    const char **value;         /* where its argument goes */
};

/* Returns -1 to go on with *options, or the status to exit with: 0 after --help and --version, EXIT_USAGE
 * after a sentence on stderr. Makes the console ready as well (console_init()). `vmm` is the program's name, `summary` its
 * line in --help; `own` may be NULL. */
int cli_parse(struct options *options, int argc, char **argv, const char *vmm, const char *summary,
              const struct cli_option *own);

/* Prints "vmm: ...; --help shows the usage", returns EXIT_USAGE. */
int cli_error(const char *vmm, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
