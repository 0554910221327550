/* See start.h. Xen's domain builder did the same for Xen. */
#include "start.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "gate.h"
#include "machine.h"
#include "paravirt.h"

/* Frames of the VMM's own: the table with its two pages, and these. */
enum { FRAME_OWN_TABLE = 0x10, FRAME_PAGE, FRAME_SHARED, FIRST_FRAME = 0x100 };
enum { LOADED_PTE = PTE_P | PTE_A | PTE_D | PTE_G, TABLE_PTE = PTE_P | PTE_W | PTE_A };

/* The multiboot information as multiboot.c leaves it: what is asked of it here. */
struct info { uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], map[2]; };

static bool refuse(const struct paravirt *pv, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", pv->vm->name, pv->vm->options.kernel, why);
    return false;
}

/* ---- the note ------------------------------------------------------------------------------------ */

static bool find_in_segment(const uint8_t *notes, size_t bytes, struct pv_note *out)
{
    while (bytes >= sizeof(Elf32_Nhdr)) {
        Elf32_Nhdr h;
        size_t name, all;

        memcpy(&h, notes, sizeof h);
        name = sizeof h + (((size_t)h.n_namesz + 3) & ~(size_t)3);
        all = name + (((size_t)h.n_descsz + 3) & ~(size_t)3);
        if (all > bytes)
            return false;
        if (h.n_type == PV_NOTE && h.n_namesz == sizeof "Quadvisor" && h.n_descsz == sizeof *out &&
            memcmp(notes + sizeof h, "Quadvisor", sizeof "Quadvisor") == 0) {
            memcpy(out, notes + name, sizeof *out);
            return true;
        }
        notes += all;
        bytes -= all;
    }
    return false;
}

/* The file has been loaded once already: it is an ELF file, and its program headers lie in it. */
static bool find_note(const uint8_t *file, size_t bytes, struct pv_note *out)
{
    Elf32_Ehdr h;
    Elf32_Phdr p;

    memcpy(&h, file, sizeof h);
    for (unsigned i = 0; i < h.e_phnum; i++) {
        memcpy(&p, file + h.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_NOTE && p.p_offset <= bytes && p.p_filesz <= bytes - p.p_offset &&
            find_in_segment(file + p.p_offset, p.p_filesz, out))
            return true;
    }
    return false;
}

static bool read_note(const struct paravirt *pv, struct pv_note *note)
{
    char why[256];
    size_t bytes;
    uint8_t *file = file_read(pv->vm->options.kernel, &bytes, why, sizeof why);
    bool found = file && find_note(file, bytes, note);

    free(file);
    if (!file) {
        fprintf(stderr, "%s: %s\n", pv->vm->name, why);
        return false;
    }
    if (!found)
        return refuse(pv, "it has no paravirt note, so it expects a whole processor; give build/guests/kernel-pv.elf, or run it "
                          "under another VMM");
    if (note->version != PV_VERSION)
        return refuse(pv, "its paravirt note asks for another version of the interface; build it again");
    if (note->base & 0x3fffff || note->base < 0x400000 || note->base >= PV_HOLE)
        return refuse(pv, "the base in its paravirt note is not a multiple of 4 MiB below 0xfb000000; build it again");
    return true;
}

/* ---- the first address space --------------------------------------------------------------------- */

struct layout { uint32_t directory, tables, start, end; };     /* physical */

/* Behind all that is loaded: the directory, as many tables as RAM needs, the start info. */
static struct layout lay_out(const struct paravirt *pv, uint32_t loaded)
{
    uint32_t directory = (loaded + PAGE_BYTES - 1) & PAGE_MASK;
    uint32_t tables = (pv->m->mem.bytes + 0x3fffff) >> 22;

    return (struct layout){ directory, directory + PAGE_BYTES, directory + (1 + tables) * PAGE_BYTES,
                            directory + (2 + tables) * PAGE_BYTES };
}

static void map_ram(struct paravirt *pv, const struct layout *l, uint32_t base)
{
    struct memory *mem = &pv->m->mem;

    for (uint32_t pa = 0; pa < mem->bytes; pa += PAGE_BYTES) {
        uint32_t rights = pa >= l->directory && pa < l->start ? 0 : PTE_W;

        if (pa / PAGE_BYTES >= FIRST_FRAME)
            memory_write(mem, l->tables + pa / PAGE_BYTES * 4, 4, pa | LOADED_PTE | rights);
        if (!(pa & 0x3fffff))
            memory_write(mem, l->directory + (base + pa) / 0x400000 * 4, 4, (l->tables + pa / 1024) | TABLE_PTE);
    }
}

/* The VMM's part of every address space. */
static uint32_t map_own(struct paravirt *pv)
{
    struct memory *mem = &pv->m->mem;
    uint32_t table = FRAME_OWN_TABLE * PAGE_BYTES;

    memory_write(mem, table + PV_PAGE / PAGE_BYTES % 1024 * 4, 4, FRAME_PAGE * PAGE_BYTES | PTE_P | PTE_A);
    memory_write(mem, table + PV_SHARED / PAGE_BYTES % 1024 * 4, 4, FRAME_SHARED * PAGE_BYTES | PTE_P | PTE_W | PTE_A | PTE_D);
    pv->shared = (void *)(mem->ram + FRAME_SHARED * PAGE_BYTES);
    *pv->shared = (struct pv_shared){ .masked = ~0u };
    gate_write_page(pv, mem->ram + FRAME_PAGE * PAGE_BYTES);
    return table | TABLE_PTE;
}

static void write_start(const struct paravirt *pv, const struct layout *l, const struct info *info, uint32_t base)
{
    struct pv_start s = {
        .magic = "quadvisor-pv-1", .frames = pv->m->mem.bytes / PAGE_BYTES, .first_frame = FIRST_FRAME,
        .directory = base + l->directory, .first_free = l->end, .command_line = base + info->cmdline,
    };
    uint32_t module[2];

    if (info->mods_count) {
        memcpy(module, pv->m->mem.ram + info->mods_addr, sizeof module);
        s.module = base + module[0];
        s.module_bytes = module[1] - module[0];
    }
    memcpy(pv->m->mem.ram + l->start, &s, sizeof s);
}

static void set_processor(struct paravirt *pv, const struct pv_note *note, uint32_t start)
{
    struct vcpu *cpu = &pv->m->cpu;

    vcpu_reset(cpu, note->entry, 0);
    cpu->gpr[EAX] = 0;
    cpu->gpr[ESI] = start;
    cpu->cr0 |= CR0_PG | CR0_WP;
    cpu->seg[FS] = cpu->seg[GS] = (struct segment){ 0 };
}

bool start_load(struct paravirt *pv)
{
    static const size_t info_bytes = sizeof(struct info);
    struct machine *m = pv->m;
    struct pv_note note;
    struct layout l;
    struct frame *frame = calloc(m->mem.bytes / PAGE_BYTES, sizeof *frame);
    struct info info;

    if (!vm_load(pv->vm) || !read_note(pv, &note))
        return false;
    memcpy(&info, m->mem.ram + m->cpu.gpr[EBX], info_bytes);
    l = lay_out(pv, m->cpu.gpr[EBX] + (uint32_t)info_bytes);
    if (l.end > m->mem.bytes)
        return refuse(pv, "no room in RAM for its first page tables; raise -m");
    if (m->mem.bytes > PV_HOLE - note.base)
        return refuse(pv, "there is no room for so much RAM between its base and the VMM's hole; lower -m");
    map_ram(pv, &l, note.base);
    write_start(pv, &l, &info, note.base);
    set_processor(pv, &note, note.base + l.start);
    mmu_init(&pv->mmu, m, frame, FIRST_FRAME, note.base, map_own(pv));
    if (!frame || mmu_pin(&pv->mmu, l.directory) != 0 || mmu_new_base(&pv->mmu, l.directory) != 0)
        return refuse(pv, "its first page tables are not valid: no memory?");
    return true;
}
