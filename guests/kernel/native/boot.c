/* From multiboot's information to main(), and the operations of ops.h that a bare machine does by a plain store. Multiboot
 * specification 0.6.96, 3.3. */
#include "kernel.h"
#include "native/ports.h"
#include "ops.h"

enum { INFO_CMDLINE = 1 << 2, INFO_MODULES = 1 << 3 };

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

struct multiboot_module { uint32_t start, end, string, reserved; };

extern uint8_t image_end[];             /* the linker's: behind kernel and user programs */
extern uint32_t boot_pgdir[1024];

static uint32_t highest(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* The loader may have put its information and modules behind the kernel. */
static uint32_t end_of_loaded(const struct multiboot_info *info, uint32_t info_pa)
{
    uint32_t end = highest(virt_to_phys(image_end), info_pa + sizeof *info);

    if (info->flags & INFO_CMDLINE)
        end = highest(end, info->cmdline + PAGE);
    if (info->flags & INFO_MODULES)
        for (uint32_t i = 0; i < info->mods_count; i++)
            end = highest(end, ((const struct multiboot_module *)phys_to_virt(info->mods_addr))[i].end);
    return (end + PAGE - 1) & ~(PAGE - 1);
}

void native_main(uint32_t magic, uint32_t info_pa);
void native_main(uint32_t magic, uint32_t info_pa)
{
    const struct multiboot_info *info = phys_to_virt(info_pa);
    uint32_t ram_end = ((info->mem_upper << 10) + (1 << 20)) & ~(PAGE - 1);
    struct boot boot = {
        .ram_end = ram_end < RAM_PAGES * PAGE ? ram_end : RAM_PAGES * PAGE, .first_free = end_of_loaded(info, info_pa),
        .command_line = info->flags & INFO_CMDLINE ? phys_to_virt(info->cmdline) : "", .pgdir = boot_pgdir,
    };

    if (magic != MULTIBOOT_LOADER_MAGIC) {
        console_init();
        kernel_panic(NULL, "not started by a multiboot loader");
    }
    main(&boot);
}

/* A processor looks at its tables whenever it needs them, and a page table is memory like any other. */
void gate_changed(unsigned vector) { (void)vector; }
void set_kernel_stack(uint32_t esp) { tss.esp0 = esp; }
uint32_t table_alloc(void) { return page_alloc(); }
void space_free(uint32_t *pgdir) { page_free(virt_to_phys(pgdir)); }
uint32_t tables_spare(void) { return 0; }
void set_pte(uint32_t *pte, uint32_t value) { *pte = value; }
void ptes_sync(void) { }
void ptes_batch(unsigned most) { (void)most; }

void table_free(uint32_t *pde)
{
    page_free(*pde & ~(PAGE - 1));
    *pde = 0;
}

uint32_t *space_alloc(void)
{
    enum { FIRST = KERNEL_BASE >> 22 };
    uint32_t *pgdir = phys_to_virt(page_alloc());

    memcpy(pgdir + FIRST, kernel_pgdir + FIRST, PAGE - FIRST * 4);
    return pgdir;
}

void machine_off(unsigned status)
{
    outb(PORT_DEBUG_EXIT, (uint8_t)status);
    irq_disable();
    for (;;)
        halt();
}
