/* What the boot loader tells, as far as this kernel asks. Multiboot specification 0.6.96, 3.3. */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include <stdint.h>

enum { MULTIBOOT_CMDLINE = 1 << 2, MULTIBOOT_MODULES = 1 << 3 };

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

struct multiboot_module { uint32_t start, end, string, reserved; };

#endif
