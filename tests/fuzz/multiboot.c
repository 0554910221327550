/* The loader: a kernel and a module of any bytes. They are refused with one sentence that names the file, or they stand in RAM as
 * their headers say, under an information structure that tells the truth; and their symbols can be asked for. */
#include "multiboot.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "fuzz.h"
#include "symbols.h"

static const uint8_t *file[2];
static size_t file_bytes[2];
static const char *const paths[2] = { "a-kernel", "a-module" };

/* In place of file.c's: no disk is asked, and a byte read behind the end is one too many. */
uint8_t *file_read(const char *path, size_t *bytes, char *why, size_t why_bytes)
{
    int which = !strcmp(path, paths[1]);
    uint8_t *data = malloc(file_bytes[which] ? file_bytes[which] : 1);

    (void)why, (void)why_bytes;
    *bytes = file_bytes[which];
    if (*bytes)
        memcpy(data, file[which], *bytes);
    return data;
}

static void check_refusal(const char *why, size_t size)
{
    must(memchr(why, '\0', size) != NULL, "the sentence has no end");
    must(!strncmp(why, "a-kernel: ", 10) || !strncmp(why, "a-module: ", 10), "whose fault is it? \"%s\"", why);
    must(strlen(why) > 20 && !strchr(why, '\n'), "no sentence: \"%s\"", why);
}

static uint32_t word(const struct memory *mem, uint32_t at)
{
    must(at <= mem->bytes - 4, "an address beyond RAM: %#x", at);
    return memory_read(mem, at, 4);
}

/* Each byte that the file has for RAM is there. */
static void check_segments(const struct memory *mem)
{
    Elf32_Ehdr h;
    Elf32_Phdr p;

    memcpy(&h, file[0], sizeof h);
    for (unsigned i = 0; i < h.e_phnum; i++) {
        memcpy(&p, file[0] + h.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD && p.p_memsz)
            must(!p.p_filesz || !memcmp(mem->ram + p.p_paddr, file[0] + p.p_offset, p.p_filesz), "segment %u is not at %#x", i,
                 p.p_paddr);
    }
}

/* Multiboot specification 0.6.96, 3.3: flags at 0, command line at 16, modules at 20 and 24, memory map at 44 and 48. */
static void check_information(const struct memory *mem, uint32_t ebx, const char *append, bool module)
{
    uint32_t flags = word(mem, ebx), cmdline = word(mem, ebx + 16), at;
    char want[64];

    must(ebx % 4 == 0 && (flags & 0x45) == 0x45, "the information at %#x has flags %#x", ebx, flags);
    snprintf(want, sizeof want, "%s %s", paths[0], append);
    must(cmdline < mem->bytes - strlen(want) && !strcmp((char *)mem->ram + cmdline, want), "the command line is another");
    must(word(mem, ebx + 44) == 72 && word(mem, ebx + 48) <= mem->bytes - 72, "the memory map is at %#x", word(mem, ebx + 48));
    must(!(flags & 8) == !module, "modules, by the flags: %#x", flags);
    if (!module)
        return;
    at = word(mem, ebx + 24);
    must(word(mem, ebx + 20) == 1 && word(mem, at + 4) - word(mem, at) == file_bytes[1], "the module has another length");
    must(!file_bytes[1] || !memcmp(mem->ram + word(mem, at), file[1], file_bytes[1]), "the module is another");
    must(!strcmp((char *)mem->ram + word(mem, at + 8), paths[1]), "the module has another name");
}

static void ask_symbols(void)
{
    struct symbols s;
    uint32_t offset, gpa;
    const char *name;

    if (!symbols_load(&s, paths[0]))
        must(s.count == 0, "no symbols, but %zu", s.count);
    for (size_t i = 0; i < s.count; i++) {
        must(!i || s.table[i - 1].address <= s.table[i].address, "symbols are not in order");
        name = symbols_find(&s, s.table[i].address, &offset);
        must(!name || strlen(name) < file_bytes[0], "a name without an end");
    }
    symbols_find(&s, 0xffffffff, &offset);
    symbols_loaded_at(&s, 0x100000, &gpa);
    symbols_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    /* One for each size: a sanitizer minds the end of an array, and no allocation is as quick. */
    static uint8_t two_mib[0x200000], one_mib_and_a_page[0x101000], little[0x10000], page[0x1000];
    static const struct memory rams[] = {
        { .ram = two_mib, .bytes = sizeof two_mib }, { .ram = one_mib_and_a_page, .bytes = sizeof one_mib_and_a_page },
        { .ram = little, .bytes = sizeof little }, { .ram = page, .bytes = sizeof page },
    };
    struct input in = { data, bytes };
    unsigned what = take(&in, 1);
    struct memory mem = rams[what & 3];
    struct boot_files files = { paths[0], what & 4 ? "run=demo" : NULL, what & 8 ? paths[1] : NULL };
    struct boot_entry entry;
    char why[256] = "";

    file_bytes[1] = what & 8 ? take(&in, 1) : 0;
    if (file_bytes[1] > in.left)
        file_bytes[1] = in.left;
    file[1] = in.at;
    file[0] = in.at + file_bytes[1];
    file_bytes[0] = in.left - file_bytes[1];
    memset(mem.ram, 0, mem.bytes);
    if (multiboot_load(&mem, &files, &entry, why, sizeof why)) {
        must(entry.eip < mem.bytes, "the entry %#x is beyond RAM", entry.eip);
        check_segments(&mem);
        check_information(&mem, entry.ebx, files.append ? files.append : "", what & 8);
    } else {
        check_refusal(why, sizeof why);
    }
    ask_symbols();
    return 0;
}
