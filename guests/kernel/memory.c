/* Physical pages and page tables. All RAM (at most 128 MiB of it) is mapped at KERNEL_BASE: boot.asm does it, by
 * entries whose accessed and dirty bits are set from the start, so that neither a processor nor a VMM need write them.
 * Free pages are remembered in an array, not in the pages: a VMM pays for every page that is touched. */
#include "kernel.h"
#include "multiboot.h"
#include "ops.h"

enum { RAM_MAX = 128 << 20 };

extern uint8_t image_end[];             /* the linker's: behind kernel and user programs */

static uint32_t next_page, ram_end;     /* physical: never handed out yet */
static uint16_t freed[RAM_MAX / PAGE];  /* page numbers */
static unsigned freed_count;

static uint32_t highest(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* The loader may have put its information and modules behind the kernel. */
static uint32_t end_of_loaded(const struct multiboot_info *info, uint32_t info_pa)
{
    uint32_t end = highest(virt_to_phys(image_end), info_pa + sizeof *info);

    if (info->flags & MULTIBOOT_CMDLINE)
        end = highest(end, info->cmdline + PAGE);
    if (info->flags & MULTIBOOT_MODULES)
        for (uint32_t i = 0; i < info->mods_count; i++)
            end = highest(end, ((const struct multiboot_module *)phys_to_virt(info->mods_addr))[i].end);
    return (end + PAGE - 1) & ~(PAGE - 1);
}

void memory_init(const struct multiboot_info *info, uint32_t info_pa)
{
    ram_end = (info->mem_upper << 10) + (1 << 20);
    if (ram_end > RAM_MAX)
        ram_end = RAM_MAX;
    ram_end &= ~(PAGE - 1);
    next_page = end_of_loaded(info, info_pa);
}

uint32_t page_alloc(void)
{
    uint32_t pa = next_page;

    if (freed_count)
        pa = (uint32_t)freed[--freed_count] * PAGE;
    else if (next_page >= ram_end)
        kernel_panic(NULL, "out of memory");
    else
        next_page += PAGE;
    memset(phys_to_virt(pa), 0, PAGE);
    return pa;
}

void page_free(uint32_t pa) { freed[freed_count++] = (uint16_t)(pa / PAGE); }

uint32_t pages_free(void) { return freed_count + (ram_end - next_page) / PAGE; }

uint32_t *pte_of(uint32_t *pgdir, uint32_t va)
{
    uint32_t pde = pgdir[va >> 22];

    return pde & PTE_P ? (uint32_t *)phys_to_virt(pde & ~(PAGE - 1)) + (va >> 12 & 1023) : NULL;
}

void map_page(uint32_t *pgdir, uint32_t va, uint32_t pa, uint32_t flags)
{
    if (!(pgdir[va >> 22] & PTE_P))
        pgdir[va >> 22] = page_alloc() | PTE_P | PTE_W | PTE_A | (flags & PTE_U);
    *pte_of(pgdir, va) = pa | flags;
}
