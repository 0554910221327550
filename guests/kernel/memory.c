/* Physical pages and page tables. All RAM (at most 128 MiB of it) is mapped at KERNEL_BASE: the start does it, by
 * entries whose accessed and dirty bits are set from the start, so that neither a processor nor a VMM need write them.
 * Free pages are remembered in an array, not in the pages: a VMM pays for every page that is touched. */
#include "kernel.h"
#include "ops.h"

uint32_t *kernel_pgdir;

static uint32_t next_page, ram_end;     /* physical: never handed out yet */
static uint16_t freed[RAM_PAGES];       /* page numbers */
static unsigned freed_count;

void memory_init(const struct boot *boot)
{
    kernel_pgdir = boot->pgdir;
    next_page = boot->first_free;
    ram_end = boot->ram_end;
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

uint32_t pages_free(void) { return freed_count + (ram_end - next_page) / PAGE + tables_spare(); }

uint32_t *pte_of(uint32_t *pgdir, uint32_t va)
{
    uint32_t pde = pgdir[va >> 22];

    return pde & PTE_P ? (uint32_t *)phys_to_virt(pde & ~(PAGE - 1)) + (va >> 12 & 1023) : NULL;
}

void map_page(uint32_t *pgdir, uint32_t va, uint32_t pa, uint32_t flags)
{
    if (!(pgdir[va >> 22] & PTE_P)) {
        set_pte(&pgdir[va >> 22], table_alloc() | PTE_P | PTE_W | PTE_A | (flags & PTE_U));
        ptes_sync();                    /* for pte_of() */
    }
    set_pte(pte_of(pgdir, va), pa | flags);
}
