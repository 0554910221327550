/* See multiboot.h. */
#include "multiboot.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "pc.h"

enum { HEADER_WITHIN = 8192, HEADER_BYTES = 12, SEGMENTS_MAX = 64 };
enum { NEEDS_KNOWN = 0x3, NEEDS_MASK = 0xffff, NEEDS_ADDRESSES = 1 << 16 };     /* flags of the header */
enum { INFO_MEMORY = 1 << 0, INFO_CMDLINE = 1 << 2, INFO_MODULES = 1 << 3, INFO_MMAP = 1 << 6 };
enum { MMAP_FREE = 1, MMAP_RESERVED = 2, LOW_FREE = 0x9fc00, HIGH_START = 0x100000 };

struct info {                   /* the part of the structure that is used here */
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr;
};

struct module { uint32_t start, end, string, reserved; };

struct mmap_entry {
    uint32_t size;              /* of the rest */
    uint32_t base[2], length[2], type;
};

struct loader {
    const struct memory *mem;
    const char *path;
    const uint8_t *file;
    size_t bytes;
    uint32_t end;               /* physical, above everything placed so far */
    char *why;
    size_t why_bytes;
};

__attribute__((format(printf, 2, 3)))
static bool refuse(const struct loader *l, const char *format, ...)
{
    va_list args;
    int used = snprintf(l->why, l->why_bytes, "%s: ", l->path);

    va_start(args, format);
    if (used >= 0 && (size_t)used < l->why_bytes)
        vsnprintf(l->why + used, l->why_bytes - (size_t)used, format, args);
    va_end(args);
    return false;
}

static uint32_t word_at(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static bool check_header(const struct loader *l)
{
    for (size_t at = 0; at + HEADER_BYTES <= l->bytes && at + HEADER_BYTES <= HEADER_WITHIN; at += 4) {
        uint32_t flags;

        if (word_at(l->file + at) != MULTIBOOT_HEADER_MAGIC)
            continue;
        flags = word_at(l->file + at + 4);
        if (MULTIBOOT_HEADER_MAGIC + flags + word_at(l->file + at + 8) != 0)
            continue;
        if (flags & NEEDS_MASK & ~NEEDS_KNOWN)
            return refuse(l, "its multiboot header at offset %#zx demands what this loader lacks (flags %#x); "
                          "of the first 16 flags only 0 and 1 are served", at, flags);
        if (flags & NEEDS_ADDRESSES)
            return refuse(l, "its multiboot header at offset %#zx asks to be loaded by addresses of its own "
                          "(flag 16); clear the flag and link it as ELF", at);
        return true;
    }
    return refuse(l, "no multiboot 1 header with a right checksum in its first %d bytes; is it a kernel?",
                  HEADER_WITHIN);
}

static bool check_elf(const struct loader *l)
{
    const Elf32_Ehdr *h = (const void *)l->file;

    if (l->bytes < EI_NIDENT || memcmp(l->file, ELFMAG, SELFMAG))
        return refuse(l, "not an ELF file; link the kernel as ELF32 (ld -m elf_i386)");
    if (l->file[EI_CLASS] != ELFCLASS32)
        return refuse(l, "a 64-bit ELF file, but the guest starts in 32-bit mode; link it with ld -m elf_i386");
    if (l->bytes < sizeof *h)
        return refuse(l, "truncated: %zu bytes are less than an ELF header of %zu; build or copy it again",
                      l->bytes, sizeof *h);
    if (h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_type != ET_EXEC || h->e_machine != EM_386)
        return refuse(l, "not an x86 executable (ELF type %u, machine %u); link it with ld -m elf_i386",
                      h->e_type, h->e_machine);
    if (h->e_phnum == 0 || h->e_phnum > SEGMENTS_MAX || h->e_phentsize != sizeof(Elf32_Phdr))
        return refuse(l, "%u program headers of %u bytes each; 1 to %d of %zu bytes are accepted", h->e_phnum,
                      h->e_phentsize, SEGMENTS_MAX, sizeof(Elf32_Phdr));
    if (h->e_phoff > l->bytes || h->e_phnum * sizeof(Elf32_Phdr) > l->bytes - h->e_phoff)
        return refuse(l, "truncated: its %u program headers at offset %#x end beyond its %zu bytes; build or "
                      "copy it again", h->e_phnum, h->e_phoff, l->bytes);
    return true;
}

static bool check_segment(const struct loader *l, unsigned index, const Elf32_Phdr *p)
{
    if (p->p_offset > l->bytes || p->p_filesz > l->bytes - p->p_offset)
        return refuse(l, "truncated: segment %u is %#x bytes at offset %#x, the file has %zu; build or copy it "
                      "again", index, p->p_filesz, p->p_offset, l->bytes);
    if (p->p_filesz > p->p_memsz)
        return refuse(l, "segment %u has %#x bytes in the file but %#x in memory; link it again", index,
                      p->p_filesz, p->p_memsz);
    if (p->p_paddr > l->mem->bytes || p->p_memsz > l->mem->bytes - p->p_paddr)
        return refuse(l, "segment %u, %#x bytes at physical %#x, does not fit into %u MiB of RAM; raise -m or "
                      "link it lower", index, p->p_memsz, p->p_paddr, l->mem->bytes >> 20);
    return true;
}

/* Copy the segments and find the physical address of the entry point. */
static bool load_segments(struct loader *l, uint32_t *eip)
{
    const Elf32_Ehdr *h = (const void *)l->file;
    Elf32_Phdr p[SEGMENTS_MAX];
    bool entered = false;

    memcpy(p, l->file + h->e_phoff, h->e_phnum * sizeof *p);
    for (unsigned i = 0; i < h->e_phnum; i++) {
        if (p[i].p_type != PT_LOAD || !p[i].p_memsz)
            continue;
        if (!check_segment(l, i, &p[i]))
            return false;
        for (unsigned j = 0; j < i; j++)
            if (p[j].p_type == PT_LOAD && p[j].p_memsz && p[i].p_paddr < p[j].p_paddr + p[j].p_memsz
                && p[j].p_paddr < p[i].p_paddr + p[i].p_memsz)
                return refuse(l, "segments %u and %u overlap at physical %#x; link it again", j, i,
                              p[i].p_paddr > p[j].p_paddr ? p[i].p_paddr : p[j].p_paddr);
        memcpy(l->mem->ram + p[i].p_paddr, l->file + p[i].p_offset, p[i].p_filesz);
        if (p[i].p_paddr + p[i].p_memsz > l->end)
            l->end = p[i].p_paddr + p[i].p_memsz;
        if (!entered && h->e_entry - p[i].p_vaddr < p[i].p_memsz) {
            *eip = h->e_entry - p[i].p_vaddr + p[i].p_paddr;
            entered = true;
        }
    }
    for (unsigned i = 0; i < h->e_phnum && !entered; i++)       /* a kernel that names its physical address */
        if (p[i].p_type == PT_LOAD && h->e_entry - p[i].p_paddr < p[i].p_memsz) {
            *eip = h->e_entry;
            entered = true;
        }
    return entered || refuse(l, "its entry point %#x is in none of its segments; link it again", h->e_entry);
}

/* Put `bytes` from `from` above all that is there. Returns 0 if there is no room. */
static uint32_t place(struct loader *l, const void *from, size_t bytes, uint32_t alignment)
{
    uint64_t at = ((uint64_t)l->end + alignment - 1) & ~(uint64_t)(alignment - 1);

    if (at + bytes > l->mem->bytes) {
        refuse(l, "%zu bytes at physical %#llx do not fit into %u MiB of RAM; raise -m", bytes,
               (unsigned long long)at, l->mem->bytes >> 20);
        return 0;
    }
    if (bytes)
        memcpy(l->mem->ram + at, from, bytes);
    l->end = (uint32_t)(at + bytes);
    return (uint32_t)at;
}

static bool load_module(struct loader *l, const char *path, struct info *info)
{
    size_t bytes;
    uint8_t *data = file_read(path, &bytes, l->why, l->why_bytes);
    const char *kernel = l->path;
    struct module module = { 0 };

    if (!data)
        return false;
    l->path = path;
    module.start = place(l, data, bytes, PAGE_BYTES);
    free(data);
    module.end = l->end;
    if (!module.start || !(module.string = place(l, path, strlen(path) + 1, 1))
        || !(info->mods_addr = place(l, &module, sizeof module, 4)))
        return false;
    l->path = kernel;
    info->flags |= INFO_MODULES;
    info->mods_count = 1;
    return true;
}

static bool place_info(struct loader *l, const char *append, const char *initrd, uint32_t *ebx)
{
    uint32_t ram = l->mem->bytes, high = ram > HIGH_START ? ram - HIGH_START : 0;
    struct mmap_entry map[] = {
        { 20, { 0 }, { LOW_FREE }, MMAP_FREE },
        { 20, { LOW_FREE }, { HIGH_START - LOW_FREE }, MMAP_RESERVED },
        { 20, { HIGH_START }, { high }, MMAP_FREE },
    };
    struct info info = {
        .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MMAP,
        .mem_lower = LOW_FREE >> 10, .mem_upper = high >> 10, .mmap_length = sizeof map,
    };

    if (initrd && !load_module(l, initrd, &info))
        return false;
    info.cmdline = place(l, l->path, strlen(l->path), PAGE_BYTES);
    return info.cmdline && place(l, " ", 1, 1) && place(l, append, strlen(append) + 1, 1)
           && (info.mmap_addr = place(l, map, sizeof map, 4)) && (*ebx = place(l, &info, sizeof info, 4));
}

bool multiboot_load(const struct memory *mem, const struct boot_files *files, struct boot_entry *entry, char *why,
                    size_t why_bytes)
{
    struct loader l = { .mem = mem, .path = files->kernel, .why = why, .why_bytes = why_bytes };
    uint8_t *file = file_read(files->kernel, &l.bytes, why, why_bytes);
    bool done;

    l.file = file;
    done = file && check_elf(&l) && load_segments(&l, &entry->eip) && check_header(&l)
           && place_info(&l, files->append ? files->append : "", files->initrd, &entry->ebx);
    free(file);
    return done;
}
