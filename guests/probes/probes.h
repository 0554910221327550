/* Between probes.c and the tables of probes (*.asm, written as probe.inc says). */
#ifndef PROBES_H
#define PROBES_H

#include <stdbool.h>
#include <stdint.h>

struct probe {
    const char *name;           /* NULL ends a table */
    uint32_t want, cr2;
    void (*code)(void);
};

/* entry.asm */
uint32_t probe_run(void (*code)(void));
void probe_done(void);
void probe_reset_cpu(uint32_t cr0, uint32_t cr3);

#endif
