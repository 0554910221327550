/* Guest memory: physical accesses, the page walk, copies through it. See memory.h. */
#include "memory.h"

#include <string.h>

#include "machine.h"
#include "segment.h"

static bool in_ram(const struct memory *mem, uint32_t gpa, unsigned bytes)
{
    return gpa < mem->bytes && mem->bytes - gpa >= bytes;
}

static void tell_if_sealed(const struct memory *mem, uint32_t gpa, unsigned bytes)
{
    if (mem->sealed && mem->sealed[gpa >> 12])
        mem->sealed_write(gpa, bytes);
}

uint32_t memory_read(const struct memory *mem, uint32_t gpa, unsigned bytes)
{
    uint32_t value = 0;

    if (!in_ram(mem, gpa, bytes))
        return 0xffffffffu >> (32 - 8 * bytes);
    if (bytes == 4)                                     /* a page table's, mostly: one load, not a call */
        memcpy(&value, mem->ram + gpa, 4);
    else
        memcpy(&value, mem->ram + gpa, bytes);
    return value;
}

void memory_write(struct memory *mem, uint32_t gpa, unsigned bytes, uint32_t value)
{
    if (!in_ram(mem, gpa, bytes))
        return;
    memcpy(mem->ram + gpa, &value, bytes);
    tell_if_sealed(mem, gpa, bytes);
}

/* An entry of a page table; RAM ends between two of them. */
static uint32_t entry_read(const struct memory *mem, uint32_t gpa)
{
    uint32_t entry = ~0u;

    if (gpa < mem->bytes)
        memcpy(&entry, mem->ram + gpa, 4);
    return entry;
}

/* One walk for both uses. `*error` gets the page-fault error code when it returns false; entries are
 * updated only if `mark`. */
static inline __attribute__((always_inline))
bool walk(const struct machine *m, uint32_t gla, unsigned access, bool mark, struct translation *out, uint32_t *error)
{
    const struct vcpu *cpu = &m->cpu;
    struct memory mem = m->mem;
    uint32_t pde_gpa, pde, pte_gpa, pte, rights;
    bool large;

    if (!(cpu->cr0 & CR0_PG)) {
        *out = (struct translation){ gla, PTE_P | PTE_W | PTE_U | PTE_D | PTE_G };
        return true;
    }
    *error = access & (PF_WRITE | PF_USER);
    pde_gpa = (cpu->cr3 & PAGE_MASK) + (gla >> 22) * 4;
    pde = entry_read(&mem, pde_gpa);
    if (!(pde & PTE_P))
        return false;
    large = (pde & PTE_PS) && (cpu->cr4 & CR4_PSE);
    pte_gpa = large ? pde_gpa : (pde & PAGE_MASK) + (gla >> 12 & 0x3ff) * 4;
    pte = large ? pde : entry_read(&mem, pte_gpa);
    if (!(pte & PTE_P))
        return false;
    *error |= PF_PROTECTION;
    if (large && (pde & 0x3fe000)) {                    /* bits 21:13 of a 4 MiB page are reserved */
        *error |= PF_RESERVED;
        return false;
    }
    rights = pde & pte & (PTE_W | PTE_U);
    if ((access & ACCESS_USER) && !(rights & PTE_U))
        return false;
    if ((access & ACCESS_WRITE) && !(rights & PTE_W)) {
        if ((access & ACCESS_USER) || (cpu->cr0 & CR0_WP))
            return false;
        rights = PTE_W;                                 /* a kernel without CR0.WP: the page is its alone */
    }
    if (mark) {
        if (!large && !(pde & PTE_A))
            memory_write(&mem, pde_gpa, 4, pde | PTE_A);
        pte |= PTE_A | (access & ACCESS_WRITE ? PTE_D : 0);
        if (pte != entry_read(&mem, pte_gpa))
            memory_write(&mem, pte_gpa, 4, pte);
    }
    out->gpa = large ? (pte & 0xffc00000) | (gla & 0x3fffff) : (pte & PAGE_MASK) | (gla & ~PAGE_MASK);
    out->flags = PTE_P | rights | (large ? PTE_PS : 0) | (pte & (PTE_A | PTE_D | (cpu->cr4 & CR4_PGE ? PTE_G : 0)));
    return true;
}

bool memory_walk(struct machine *m, uint32_t gla, unsigned access, struct translation *out)
{
    uint32_t error;

    if (walk(m, gla, access, true, out, &error))
        return true;
    m->cpu.fault = (struct fault){ .vector = VEC_PF, .has_error = true, .error = error, .cr2 = gla };
    return false;
}

bool memory_peek(const struct machine *m, uint32_t gla, unsigned access, struct translation *out)
{
    uint32_t error;

    return walk(m, gla, access, false, out, &error);
}

/* One piece that lies in one page. */
static void copy_piece(const struct memory *mem, uint32_t gpa, uint8_t *host, unsigned bytes, bool store)
{
    if (store) {
        if (in_ram(mem, gpa, bytes)) {
            memcpy(mem->ram + gpa, host, bytes);
            tell_if_sealed(mem, gpa, bytes);
        }
    } else if (in_ram(mem, gpa, bytes)) {
        memcpy(host, mem->ram + gpa, bytes);
    } else {
        memset(host, 0xff, bytes);
    }
}

/* At most two pages are touched: `bytes` <= 4096. */
static bool copy(struct machine *m, uint32_t gla, uint8_t *host, unsigned bytes, unsigned access, bool store)
{
    unsigned head = PAGE_BYTES - (gla & ~PAGE_MASK);
    struct translation t[2];

    if (head > bytes)
        head = bytes;
    if (!memory_walk(m, gla, access, &t[0]))
        return false;
    if (head < bytes && !memory_walk(m, gla + head, access, &t[1]))
        return false;
    copy_piece(&m->mem, t[0].gpa, host, head, store);
    if (head < bytes)
        copy_piece(&m->mem, t[1].gpa, host + head, bytes - head, store);
    return true;
}

bool memory_load(struct machine *m, uint32_t gla, void *to, unsigned bytes, unsigned access)
{
    return copy(m, gla, to, bytes, access, false);
}

bool memory_store(struct machine *m, uint32_t gla, const void *from, unsigned bytes, unsigned access)
{
    return copy(m, gla, (uint8_t *)(uintptr_t)from, bytes, access | ACCESS_WRITE, true);
}

static unsigned current_privilege(const struct machine *m)
{
    return vcpu_cpl(&m->cpu) == 3 ? ACCESS_USER : 0;
}

bool memory_aligned(struct machine *m, uint32_t gla, unsigned bytes)
{
    struct vcpu *cpu = &m->cpu;
    bool checked = vcpu_cpl(cpu) == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC);

    return !checked || (bytes & (bytes - 1)) || gla % bytes == 0 || vcpu_raise_error(cpu, VEC_AC, 0);
}

/* The segment and the alignment. */
static bool check(struct machine *m, unsigned seg, uint32_t offset, unsigned bytes, unsigned access)
{
    return segment_check(&m->cpu, seg, offset, bytes, access) && memory_aligned(m, m->cpu.seg[seg].base + offset, bytes);
}

bool memory_read_seg(struct machine *m, unsigned seg, uint32_t offset, void *to, unsigned bytes)
{
    return check(m, seg, offset, bytes, ACCESS_READ) &&
           memory_load(m, m->cpu.seg[seg].base + offset, to, bytes, current_privilege(m));
}

bool memory_write_seg(struct machine *m, unsigned seg, uint32_t offset, const void *from, unsigned bytes)
{
    return check(m, seg, offset, bytes, ACCESS_WRITE) &&
           memory_store(m, m->cpu.seg[seg].base + offset, from, bytes, current_privilege(m));
}

bool memory_read_to_write_seg(struct machine *m, unsigned seg, uint32_t offset, void *to, unsigned bytes)
{
    return check(m, seg, offset, bytes, ACCESS_WRITE) &&
           memory_load(m, m->cpu.seg[seg].base + offset, to, bytes, ACCESS_WRITE | current_privilege(m));
}
