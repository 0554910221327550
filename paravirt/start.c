/* What Xen's domain builder did: the kernel's ELF note, page tables, the start info, the processor. See start.h. */
#include "start.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "gate.h"
#include "machine.h"
#include "paravirt.h"
#include "status.h"

/* Frames of the VMM's own: the table with its two pages, and these. */
enum { FRAME_OWN_TABLE = 0x10, FRAME_PAGE, FRAME_SHARED, FIRST_FRAME = 0x100 };
enum { SLOT_BYTES = 4 << 20 };        /* of one entry of a page directory */
enum { LOADED_PTE = PTE_P | PTE_A | PTE_D, TABLE_PTE = PTE_P | PTE_W | PTE_A };

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
    if (note->base % SLOT_BYTES || note->base < SLOT_BYTES || note->base >= PV_HOLE)
        return refuse(pv, "the base in its paravirt note is not a multiple of 4 MiB below 0xfb000000; build it again");
    return true;
}

/* ---- the first address space --------------------------------------------------------------------- */

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

/* RAM at `base`, the page tables from physical `directory` to `end` read-only. */
static void map_ram(struct paravirt *pv, uint32_t base, uint32_t directory, uint32_t end)
{
    struct memory *mem = &pv->m->mem;
    uint32_t tables = directory + PAGE_BYTES;

    for (uint32_t pa = 0; pa < mem->bytes; pa += PAGE_BYTES) {
        uint32_t rights = pa >= directory && pa < end ? 0 : PTE_W;

        if (pa / PAGE_BYTES >= FIRST_FRAME)
            memory_write(mem, tables + pa / PAGE_BYTES * 4, 4, pa | LOADED_PTE | rights);
        if (pa % SLOT_BYTES == 0)
            memory_write(mem, directory + (base + pa) / SLOT_BYTES * 4, 4, (tables + pa / 1024) | TABLE_PTE);
    }
}

const char *start_space(struct paravirt *pv, uint32_t base, uint32_t loaded, uint32_t *end)
{
    uint32_t bytes = pv->m->mem.bytes, directory = (loaded + PAGE_BYTES - 1) & PAGE_MASK;
    static char why[160];
    uint32_t tables = (bytes + SLOT_BYTES - 1) / SLOT_BYTES;
    struct frame *frame;

    *end = directory + (1 + tables) * PAGE_BYTES;
    if (*end + PAGE_BYTES > bytes)
        return "no room in RAM for its first page tables; raise -m";
    if (bytes > PV_HOLE - base) {
        snprintf(why, sizeof why, "there is no room for so much RAM between its base, 0x%08x, and the VMM's hole; -m %u is the most",
                 base, (PV_HOLE - base) >> 20);
        return why;
    }
    frame = calloc(bytes / PAGE_BYTES, sizeof *frame);
    if (!frame)
        return "the host has no memory for what the VMM has to know of its pages; lower -m";
    map_ram(pv, base, directory, *end);
    mmu_init(&pv->mmu, pv->m, frame, FIRST_FRAME, base, map_own(pv));
    if (mmu_pin(&pv->mmu, directory) != 0 || mmu_new_base(&pv->mmu, directory) != 0)
        machine_stop(pv->m, EXIT_BUG, "the VMM's first page tables are not valid");
    return NULL;
}

/* ---- the start of day ---------------------------------------------------------------------------- */

static void write_start(struct paravirt *pv, uint32_t at, const struct info *info)
{
    uint32_t base = pv->mmu.base, module[2];
    struct pv_start s = {
        .frames = pv->m->mem.bytes / PAGE_BYTES, .directory = base + pv->m->cpu.cr3, .first_free = at + PAGE_BYTES,
        .command_line = base + info->cmdline,
    };

    if (info->mods_count) {
        memcpy(module, pv->m->mem.ram + info->mods_addr, sizeof module);
        s.module = base + module[0];
        s.module_bytes = module[1] - module[0];
    }
    memcpy(pv->m->mem.ram + at, &s, sizeof s);
}

static void set_processor(struct paravirt *pv, const struct pv_note *note, uint32_t start)
{
    struct vcpu *cpu = &pv->m->cpu;
    uint32_t cr3 = cpu->cr3;

    vcpu_reset(cpu, note->entry, 0);
    cpu->gpr[EAX] = 0;
    cpu->gpr[ESI] = start;
    cpu->cr0 |= CR0_PG | CR0_WP;
    cpu->cr3 = cr3;
    cpu->seg[FS] = cpu->seg[GS] = (struct segment){ 0 };
    cpu->tr = (struct segment){ 0 };            /* no TSS: ring 3 has no I/O bitmap, so no ports */
}

bool start_load(struct paravirt *pv)
{
    struct machine *m = pv->m;
    struct pv_note note;
    struct info info;
    uint32_t start;
    const char *why;

    if (!vm_load(pv->vm) || !read_note(pv, &note))
        return false;
    memcpy(&info, m->mem.ram + m->cpu.gpr[EBX], sizeof info);
    why = start_space(pv, note.base, m->cpu.gpr[EBX] + (uint32_t)sizeof info, &start);
    if (why)
        return refuse(pv, why);
    write_start(pv, start, &info);
    set_processor(pv, &note, note.base + start);
    return true;
}
