/* Load a multiboot 1 kernel as QEMU's -kernel does: an ELF32 file to its physical addresses, then one
 * module, then the information structure, all above the kernel. Multiboot specification 0.6.96. A file is a
 * stranger's: whatever is wrong with it ends in one sentence that names it, never in a crash. */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

struct boot_files {
    const char *kernel;         /* path */
    const char *append;         /* NULL: nothing. The guest's command line is "kernel append", as on QEMU */
    const char *initrd;         /* path of the module, NULL: none */
};

struct boot_entry {
    uint32_t eip;               /* physical */
    uint32_t ebx;               /* physical address of the multiboot information */
};

/* RAM is expected to be zero. False: `why` holds the sentence, without a newline. */
bool multiboot_load(const struct memory *mem, const struct boot_files *files, struct boot_entry *entry, char *why,
                    size_t why_bytes);

#endif
