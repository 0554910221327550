/* Names for the guest's addresses, from its ELF symbol table: a register dump that says `divide+0x12` spares
 * its reader a disassembly. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    uint32_t address;
    uint32_t end;               /* of its section */
    const char *name;
};

struct symbols {
    struct symbol *table;       /* by address */
    size_t count;
    uint8_t *file;              /* the names are in here */
    size_t bytes;               /* of it */
};

/* Read them from the ELF32 file at `path`. False if there are none: *symbols is then empty and usable.
 * symbols_free() releases what it holds. */
bool symbols_load(struct symbols *symbols, const char *path);
void symbols_free(struct symbols *symbols);

/* The code symbol at or below linear `address`, and how far above it the address is; NULL if the address is
 * in no code of the file. */
const char *symbols_find(const struct symbols *symbols, uint32_t address, uint32_t *offset);

/* Where the file has `gla` loaded, to serve until paging is on: a guest-physical address. False: nowhere. */
bool symbols_loaded_at(const struct symbols *symbols, uint32_t gla, uint32_t *gpa);

#endif
