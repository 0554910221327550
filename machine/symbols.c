/* See symbols.h. The file may be anything: every offset in it is checked before it is followed. */
#include "symbols.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

/* `count` records of `size` bytes at `offset` of the file, or NULL if they are not all there. */
static const void *records(const struct symbols *s, uint32_t offset, uint64_t count, size_t size)
{
    return offset % 4 == 0 && offset <= s->bytes && count * size <= s->bytes - offset ? s->file + offset : NULL;
}

static const Elf32_Ehdr *elf_header(const struct symbols *s)
{
    return s->file && s->bytes >= sizeof(Elf32_Ehdr) && !memcmp(s->file, ELFMAG "\1", SELFMAG + 1) ? (const void *)s->file : NULL;
}

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

static bool is_code(const Elf32_Sym *sym, const Elf32_Shdr *sections, unsigned count)
{
    unsigned type = ELF32_ST_TYPE(sym->st_info);

    return (type == STT_FUNC || type == STT_NOTYPE) && sym->st_shndx > 0 && sym->st_shndx < count
           && sections[sym->st_shndx].sh_flags & SHF_EXECINSTR;
}

static void read_table(struct symbols *s, const Elf32_Shdr *sections, unsigned count, const Elf32_Shdr *table)
{
    const Elf32_Shdr *strings = table->sh_link < count ? &sections[table->sh_link] : NULL;
    size_t symbols = table->sh_size / sizeof(Elf32_Sym);
    const Elf32_Sym *syms = records(s, table->sh_offset, symbols, sizeof *syms);

    if (!syms || !strings || strings->sh_offset > s->bytes || strings->sh_size > s->bytes - strings->sh_offset
        || !strings->sh_size || s->file[strings->sh_offset + strings->sh_size - 1])
        return;
    s->table = calloc(symbols ? symbols : 1, sizeof *s->table);
    for (size_t i = 0; s->table && i < symbols; i++) {
        const Elf32_Shdr *in = &sections[syms[i].st_shndx < count ? syms[i].st_shndx : 0];
        const char *name = (const char *)s->file + strings->sh_offset + syms[i].st_name;

        if (syms[i].st_name < strings->sh_size && *name && is_code(&syms[i], sections, count))
            s->table[s->count++] = (struct symbol){ syms[i].st_value, in->sh_addr + in->sh_size, name };
    }
    if (s->table)
        qsort(s->table, s->count, sizeof *s->table, by_address);
}

bool symbols_load(struct symbols *s, const char *path)
{
    char why[256];
    const Elf32_Ehdr *header;
    const Elf32_Shdr *sections;

    *s = (struct symbols){ 0 };
    s->file = file_read(path, &s->bytes, why, sizeof why);
    header = elf_header(s);
    if (!header || header->e_shentsize != sizeof *sections)
        return false;
    sections = records(s, header->e_shoff, header->e_shnum, sizeof *sections);
    for (unsigned i = 0; sections && i < header->e_shnum && !s->table; i++)
        if (sections[i].sh_type == SHT_SYMTAB)
            read_table(s, sections, header->e_shnum, &sections[i]);
    return s->count;
}

void symbols_free(struct symbols *s)
{
    free(s->table);
    free(s->file);
    *s = (struct symbols){ 0 };
}

const char *symbols_find(const struct symbols *s, uint32_t address, uint32_t *offset)
{
    size_t low = 0, high = s->count;            /* the answer is below `high`; all below `low` are at or below */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->table[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || address >= s->table[low - 1].end)
        return NULL;
    if (offset)
        *offset = address - s->table[low - 1].address;
    return s->table[low - 1].name;
}

bool symbols_loaded_at(const struct symbols *s, uint32_t gla, uint32_t *gpa)
{
    const Elf32_Ehdr *header = elf_header(s);
    const Elf32_Phdr *p = header && header->e_phentsize == sizeof *p ? records(s, header->e_phoff, header->e_phnum, sizeof *p) : NULL;

    for (unsigned i = 0; p && i < header->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && gla - p[i].p_vaddr < p[i].p_memsz) {
            *gpa = gla - p[i].p_vaddr + p[i].p_paddr;
            return true;
        }
    return false;
}
