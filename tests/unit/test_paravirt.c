/* Hypercalls and validated page tables (paravirt/), each error and each effect. What is right is what Xen's interface promised
 * (Barham et al. 2003, 3.2 and 3.3): interface.h and hypercall.c say it for this one. */
#include "test_paravirt.h"

#include <string.h>

#include "../../paravirt/events.h"
#include "../../paravirt/fast.h"
#include "../../paravirt/gate.h"
#include "../../paravirt/start.h"
#include "test_shadow.h"

struct paravirt pv;
uint8_t pv_ram[PV_RAM] __attribute__((aligned(4096)));

/* What gate.c has; there is no gate here. */
uint32_t gate_kernel_esp, gate_kernel_ss_selector;
bool gate_kernel_ready, gate_user_ready;
void gate_set_user_call(struct paravirt *p, int vector) { p->user_call = vector; }
void gate_write_page(struct paravirt *p, uint8_t *page) { (void)p, (void)page; }

static struct direct direct;
enum { OWN_AT = 0x10000, OWN_END = 0x13000 };           /* the VMM's table and pages */
static uint8_t kept[0x100000];          /* what is not the guest's, as it was */

static void flush_all(struct machine *m) { (void)m; shadow_flush_all(&direct.shadow); }
static void flush_page(struct machine *m, uint32_t gla) { (void)m; shadow_flush_page(&direct.shadow, gla); }
static void changed(struct machine *m, uint32_t gla) { (void)m; shadow_replace(&direct.shadow, gla); }
static void switched(struct machine *m, uint32_t old) { (void)m; shadow_switch(&direct.shadow, old); }

uint32_t pv_word(uint32_t pa)
{
    uint32_t value;

    memcpy(&value, pv_ram + pa, 4);
    return value;
}

void pv_set_word(uint32_t pa, uint32_t value) { memcpy(pv_ram + pa, &value, 4); }

int32_t pv_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t argument[5] = { a, b, c };

    return hypercall(&pv, number, argument);
}

static uint32_t directory(void) { return pc.cpu.cr3; }

uint32_t pv_alias(uint32_t pa)
{
    uint32_t table = pv_word(directory() + (PV_BASE + pa) / 0x400000 * 4) & PAGE_MASK;

    return table + (PV_BASE + pa) / PAGE_BYTES % 1024 * 4;
}

void paravirt_setup(void)
{
    static struct vm vm;
    uint32_t end;

    memset(host, 0, sizeof host);
    pc.mem = (struct memory){ .ram = pv_ram, .bytes = PV_RAM };
    pc.cpu.cr0 |= CR0_PG | CR0_WP;
    pc.cpu.cr3 = 0;
    ck_assert(shadow_init(&direct.shadow, &pc, MEMFD));
    direct.m = &pc;
    pv = (struct paravirt){ .vm = &vm, .m = &pc, .direct = &direct, .user_call = -1 };
    the_paravirt = &pv;
    if (!kept[1])                                       /* nobody may ever change that */
        for (uint32_t pa = 0; pa < sizeof kept; pa += 4)
            memcpy(kept + pa, &(uint32_t){ 0x5a5a0100 + pa / 4 }, 4);
    memcpy(pv_ram, kept, sizeof kept);
    memset(pv_ram + sizeof kept, 0, sizeof pv_ram - sizeof kept);
    memset(pv_ram + OWN_AT, 0, OWN_END - OWN_AT);       /* but what the VMM keeps there itself */
    ck_assert(start_space(&pv, PV_BASE, PV_LOADED, &end) == NULL);
    shadow_enter_user(&direct.shadow);
    ck_assert_uint_le(end, PV_FREE);
    pc.hooks.flush_all = flush_all;
    pc.hooks.flush_page = flush_page;
    pv.mmu.changed = changed;
    pv.mmu.switched = switched;
    clock_start(&pv);
}

/* ---- the audit ------------------------------------------------------------------------------------- */

/* Check notes every assertion that it passes: too slow for these. */
#define check_that(condition, ...) do { if (!(condition)) ck_abort_msg(__VA_ARGS__); } while (0)

static struct { uint32_t uses; bool walked; } counted[PV_RAM / PAGE_BYTES];

static void count_use(uint32_t frame, unsigned type, const char *when)
{
    const struct frame *f = &pv.mmu.frame[frame];

    check_that(frame >= pv.mmu.first && frame < PV_RAM / PAGE_BYTES, "%s: frame %#x is not the guest's", when, frame);
    check_that(f->uses && f->type == type, "%s: frame %#x has type %u, is used as %u", when, frame, f->type, type);
    counted[frame].uses++;
    if (counted[frame].walked || type == FRAME_WRITABLE)
        return;
    counted[frame].walked = true;
    for (unsigned i = 0; i < (type == FRAME_DIRECTORY ? PV_HOLE >> 22 : 1024); i++) {
        uint32_t entry = pv_word(frame * PAGE_BYTES + i * 4);

        if (!(entry & PTE_P))
            continue;
        if (type == FRAME_DIRECTORY) {
            check_that(i && !((entry & PTE_U) && i >= PV_BASE >> 22), "%s: slot %u is %#x", when, i, entry);
            count_use(entry >> 12, FRAME_TABLE, when);
        } else if (entry & PTE_W) {
            count_use(entry >> 12, FRAME_WRITABLE, when);
        } else {
            check_that(entry >> 12 >= pv.mmu.first && entry >> 12 < PV_RAM / PAGE_BYTES, "%s: entry %#x", when, entry);
        }
    }
}

static void audit_shadow(const char *when)
{
    static const uint32_t nothing[1024];
    const unsigned rights = PTE_W | PTE_U;
    struct translation t;

    for (uint32_t page = 0; page < 1 << 20; page++) {
        while (page < 1 << 20 && !(page & 1023) && !memcmp(host + page, nothing, sizeof nothing))
            page += 1024;
        if (page >= 1 << 20 || !host[page])
            continue;
        check_that(memory_peek(&pc, page << 12, host[page] & WRITABLE ? ACCESS_WRITE : ACCESS_READ, &t) &&
                      (t.gpa & PAGE_MASK) == (host[page] & PAGE_MASK),
                      "%s: the shadow of %#x is %#x", when, page << 12, host[page]);
        check_that((direct.shadow.spte[page] & rights) == (t.flags & rights), "%s: rights of %#x", when, page << 12);
        check_that((t.flags & PTE_U) || page << 12 >= direct.shadow.cut || direct.shadow.exposed,
                   "%s: nobody knows that %#x must go before ring 3 runs", when, page << 12);
    }
}

void pv_audit(const char *when)
{
    memset(counted, 0, sizeof counted);
    count_use(directory() >> 12, FRAME_DIRECTORY, when);
    for (uint32_t i = 0; i < PV_RAM / PAGE_BYTES; i++)
        if (pv.mmu.frame[i].pinned)
            count_use(i, FRAME_DIRECTORY, when);
    for (uint32_t i = 0; i < PV_RAM / PAGE_BYTES; i++)
        check_that(counted[i].uses == pv.mmu.frame[i].uses, "%s: frame %#x has %u uses, not %u", when, i,
                      counted[i].uses, pv.mmu.frame[i].uses);
    check_that(!memcmp(kept, pv_ram, OWN_AT) &&
                  !memcmp(kept + OWN_END, pv_ram + OWN_END, sizeof kept - OWN_END), "%s: not the guest's, and changed", when);
    ck_assert_uint_eq(pv_word(directory() + (PV_PAGE >> 22) * 4) & ~(uint32_t)PTE_A, pv.mmu.own & ~(uint32_t)PTE_A);
    check_that(pc.cpu.gdtr.base <= PV_HOLE - 1 - pc.cpu.gdtr.limit, "%s: the GDT is at %#x", when, pc.cpu.gdtr.base);
    audit_shadow(when);
}

/* ---- page tables ----------------------------------------------------------------------------------- */

enum { RO = PTE_P | PTE_A, RW = PTE_P | PTE_W | PTE_A | PTE_D };

static void expect(int32_t want, int32_t got, const char *what)
{
    ck_assert_msg(want == got, "%s: %d, not %d", what, got, want);
    pv_audit(what);
}

/* The page at `pa` becomes one that the guest cannot write: what a page table must be. */
static void make_read_only(uint32_t pa) { ck_assert_int_eq(mmu_update(&pv.mmu, pv_alias(pa), pa | RO), 0); }

START_TEST(first_space)
{
    pv_audit("the start");
    ck_assert(!(pv_word(pv_alias(directory())) & PTE_W));
    ck_assert(pv_word(pv_alias(PV_FREE)) & PTE_W);
    ck_assert_uint_eq(pv_word(pv_alias(0x1000)), 0);    /* not the guest's */
    ck_assert_uint_eq(pv.mmu.frame[PV_FREE >> 12].uses, 1);
}
END_TEST

START_TEST(entries_refused)
{
    uint32_t at = pv_alias(PV_FREE), old = pv_word(at);

    expect(-PV_EPERM, mmu_update(&pv.mmu, at, 0x50000 | RO), "a frame of the VMM's");
    expect(-PV_EPERM, mmu_update(&pv.mmu, at, PV_RAM | RO), "a frame beyond RAM");
    expect(-PV_EPERM, mmu_update(&pv.mmu, at, 0xfffff000 | RW), "the last frame of all");
    expect(-PV_EBUSY, mmu_update(&pv.mmu, at, directory() | RW), "a page directory writable");
    expect(-PV_EBUSY, mmu_update(&pv.mmu, pv_alias(at), (at & PAGE_MASK) | RW), "a page table writable");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, at, PV_FREE | RO | PTE_PS), "bit 7");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, at + 1, 0), "an address that is no entry's");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, PV_FREE, 0), "a page that is no table");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, 0x10000, 0), "the VMM's own table");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, 0xfffffffc, 0), "beyond RAM");
    ck_assert_uint_eq(pv_word(at), old);
    expect(0, mmu_update(&pv.mmu, at, 0xfffffffe), "what is not present is anything");
    expect(0, mmu_update(&pv.mmu, at, directory() | RO), "a page directory to read");
    expect(0, mmu_update(&pv.mmu, at, old), "back");
}
END_TEST

START_TEST(directories)
{
    uint32_t d = directory(), table = PV_FREE, slot = d + 3 * 4;

    expect(-PV_EBUSY, mmu_update(&pv.mmu, slot, table | RW), "a table that is writable");
    make_read_only(table);
    expect(0, mmu_update(&pv.mmu, slot, table | RW | PTE_U), "an empty table");
    expect(-PV_EBUSY, mmu_update(&pv.mmu, pv_alias(table), table | RW), "writing it now");
    expect(0, mmu_update(&pv.mmu, table + 8, (PV_FREE + 0x1000) | RW | PTE_U), "an entry in it");
    expect(0, mmu_update(&pv.mmu, slot, 0), "taken out");
    ck_assert_uint_eq(pv.mmu.frame[table >> 12].uses, 0);
    ck_assert_uint_eq(pv.mmu.frame[(PV_FREE >> 12) + 1].uses, 1);
    expect(0, mmu_update(&pv.mmu, pv_alias(table), table | RW), "an ordinary page again");
    expect(-PV_EBUSY, mmu_update(&pv.mmu, slot, d | RO), "a directory that holds itself");
    expect(-PV_EPERM, mmu_update(&pv.mmu, slot, 0x20000 | RO), "a table of the VMM's");
    expect(-PV_EPERM, mmu_update(&pv.mmu, d, pv_word(d + 0x300 * 4)), "the first slot");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, slot, PV_FREE | RO | PTE_PS), "a page of 4 MiB");
    expect(-PV_EINVAL, mmu_update(&pv.mmu, d + 0x304 * 4, pv_word(d + 0x300 * 4) | PTE_U), "the kernel's part for ring 3");
    expect(-PV_EPERM, mmu_update(&pv.mmu, d + (PV_HOLE >> 22) * 4, 0), "the VMM's slots");
    expect(-PV_EPERM, mmu_update(&pv.mmu, d + 0xffc, 0), "the last of them");
}
END_TEST

/* A table whose last entry but one is bad: what the others used is used no longer. */
START_TEST(tables_are_checked)
{
    uint32_t table = PV_FREE;

    pv_set_word(table, (PV_FREE + 0x1000) | RW);
    pv_set_word(table + 4, (PV_FREE + 0x2000) | RO);
    pv_set_word(table + 1022 * 4, 0x30000 | RO);
    make_read_only(table);
    expect(-PV_EPERM, mmu_update(&pv.mmu, directory() + 12, table | RW), "a table with a frame of the VMM's");
    ck_assert_uint_eq(pv.mmu.frame[table >> 12].uses, 0);
    pv_set_word(table + 1022 * 4, table | RW);
    expect(-PV_EBUSY, mmu_update(&pv.mmu, directory() + 12, table | RW), "a table that maps itself writable");
    pv_set_word(table + 1022 * 4, table | RO);
    expect(0, mmu_update(&pv.mmu, directory() + 12, table | RW), "a table that maps itself to read");
    ck_assert_uint_eq(pv.mmu.frame[(PV_FREE >> 12) + 1].uses, 2);
}
END_TEST

START_TEST(pins_and_bases)
{
    uint32_t first = directory(), second = PV_FREE;

    memcpy(pv_ram + second + 0xc00, pv_ram + first + 0xc00, 0x400);
    pv_set_word(second + (PV_HOLE >> 22) * 4, 0x1000 | RW);     /* whatever the guest puts there */
    expect(-PV_EBUSY, mmu_pin(&pv.mmu, second), "pin what is writable");
    make_read_only(second);
    expect(-PV_EINVAL, mmu_pin(&pv.mmu, second + 4), "pin what is no page");
    expect(-PV_EPERM, mmu_pin(&pv.mmu, 0x20000), "pin a frame of the VMM's");
    expect(-PV_EINVAL, mmu_unpin(&pv.mmu, second), "unpin what is not pinned");
    expect(0, mmu_pin(&pv.mmu, second), "pin");
    ck_assert_uint_eq(pv_word(second + (PV_HOLE >> 22) * 4), 0);
    expect(-PV_EINVAL, mmu_pin(&pv.mmu, second), "pin again");
    expect(0, mmu_new_base(&pv.mmu, second), "the other space");
    expect(0, mmu_unpin(&pv.mmu, second), "unpin the one in use");
    ck_assert_uint_eq(pv.mmu.frame[second >> 12].uses, 1);
    expect(0, mmu_new_base(&pv.mmu, first), "and back");
    ck_assert_uint_eq(pv.mmu.frame[second >> 12].uses, 0);
    expect(0, mmu_update(&pv.mmu, pv_alias(second), second | RW), "an ordinary page again");
    expect(-PV_EBUSY, mmu_new_base(&pv.mmu, second), "a base that is writable");
    expect(-PV_EPERM, mmu_new_base(&pv.mmu, 0xfffff000), "a base beyond RAM");
    ck_assert_uint_eq(directory(), first);
}
END_TEST

/* What the processor knew must follow at once: rights, frames, absence; in the space in use, not in others. */
START_TEST(shadow_follows)
{
    struct shadow *s = &direct.shadow;
    uint32_t gla = PV_BASE + PV_FREE, at = pv_alias(PV_FREE);

    ck_assert_int_eq(shadow_fill(s, gla, ACCESS_WRITE), FILL_DONE);
    ck_assert_uint_eq(host[gla >> 12], PV_FREE | THERE | WRITABLE);
    expect(0, mmu_update(&pv.mmu, at, PV_FREE | RO), "read-only");
    ck_assert_uint_eq(host[gla >> 12], PV_FREE | THERE);
    expect(0, mmu_update(&pv.mmu, at, PV_FREE | RW), "writable again");
    ck_assert_uint_eq(host[gla >> 12], PV_FREE | THERE | WRITABLE);
    expect(0, mmu_update_va(&pv.mmu, gla, (PV_FREE + 0x5000) | RW), "another frame");
    ck_assert_uint_eq(host[gla >> 12], (PV_FREE + 0x5000) | THERE | WRITABLE);
    expect(0, mmu_update_va(&pv.mmu, gla, 0), "gone");
    ck_assert_uint_eq(host[gla >> 12], 0);
    expect(0, mmu_update_va(&pv.mmu, gla, PV_FREE | RW), "there again: the next access brings it");
    ck_assert_uint_eq(host[gla >> 12], 0);
    expect(-PV_EINVAL, mmu_update_va(&pv.mmu, 0x1000, PV_FREE | RO), "no table");
    expect(-PV_EINVAL, mmu_update_va(&pv.mmu, PV_SHARED, 0), "the VMM's page");
}
END_TEST

/* Two spaces with a user page at the same place: the switch brings the other's. */
START_TEST(shadow_switches)
{
    uint32_t space[2] = { PV_FREE, PV_FREE + 0x1000 }, table[2] = { PV_FREE + 0x2000, PV_FREE + 0x3000 };
    uint32_t page[2] = { PV_FREE + 0x4000, PV_FREE + 0x8000 }, first = directory(), gla = 0x400000;

    for (int i = 0; i < 2; i++) {
        memcpy(pv_ram + space[i] + 0xc00, pv_ram + first + 0xc00, 0x400);
        for (uint32_t n = 0; n < 3; n++)
            pv_set_word(table[i] + 4 * n, (page[i] + n * 0x1000) | RW | PTE_U);
        pv_set_word(space[i] + 4, table[i] | RW | PTE_U);
        make_read_only(table[i]);
        make_read_only(space[i]);
        expect(0, mmu_pin(&pv.mmu, space[i]), "pin");
    }
    expect(0, mmu_new_base(&pv.mmu, space[0]), "the first space");
    ck_assert_int_eq(shadow_fill(&direct.shadow, gla, ACCESS_WRITE | ACCESS_USER), FILL_DONE);
    ck_assert_uint_eq(host[(gla >> 12) + 2], (page[0] + 0x2000) | THERE | WRITABLE);    /* a neighbour */
    expect(0, mmu_new_base(&pv.mmu, space[1]), "the second");
    ck_assert_uint_eq(host[gla >> 12], page[1] | THERE | WRITABLE);             /* was asked for */
    ck_assert_uint_eq(host[(gla >> 12) + 2], 0);                                /* was not */
    expect(0, mmu_update(&pv.mmu, table[0], 0), "an entry of the space not in use");
    ck_assert_uint_eq(host[gla >> 12], page[1] | THERE | WRITABLE);
    expect(0, mmu_new_base(&pv.mmu, space[0]), "the first again");
    ck_assert_uint_eq(host[gla >> 12], 0);
    expect(0, mmu_update(&pv.mmu, table[0], page[0] | RW | PTE_U), "its entry is back");
    ck_assert_int_eq(shadow_fill(&direct.shadow, gla, ACCESS_WRITE | ACCESS_USER), FILL_DONE);
    for (int i = 1; i <= 10; i++)
        expect(0, mmu_new_base(&pv.mmu, space[i % 2]), "to and fro");
    ck_assert_uint_eq(host[gla >> 12], page[0] | THERE | WRITABLE);             /* it may be in use */
    for (int i = 1; i <= 10; i++)
        expect(0, mmu_new_base(&pv.mmu, space[i % 2]), "to and fro");
    ck_assert_uint_eq(host[gla >> 12], 0);                                      /* nobody knows: ask again */
}
END_TEST

/* ---- hypercalls ------------------------------------------------------------------------------------ */

#define WILD 0x12345678u                /* nothing is mapped there */

static uint32_t at_free(uint32_t offset) { return PV_BASE + PV_FREE + offset; }

START_TEST(numbers)
{
    expect(PV_VERSION, pv_call(HC_VERSION, 1, 2, 3), "version");
    expect(-PV_ENOSYS, pv_call(HYPERCALLS, 0, 0, 0), "the first that is none");
    expect(-PV_ENOSYS, pv_call(0xffffffff, 0, 0, 0), "the last");
    ck_assert_uint_eq(pc.counters.hypercalls[HC_VERSION], 1);
}
END_TEST

START_TEST(trap_table)
{
    struct pv_trap rows[2] = { { 3, 3, 0x08, 0xc0001000 }, { 0x80, PV_TRAP_MASKS | PV_TRAP_USER_CALL | 3, 0x08, 0xc0002000 } };

    memcpy(pv_ram + PV_FREE, rows, sizeof rows);
    expect(0, pv_call(HC_SET_TRAP_TABLE, at_free(0), 2, 0), "two rows");
    ck_assert_uint_eq(pv.trap[3].eip, 0xc0001000);
    ck_assert_int_eq(pv.user_call, 0x80);
    expect(-PV_EINVAL, pv_call(HC_SET_TRAP_TABLE, at_free(0), 257, 0), "too many");
    expect(-PV_EFAULT, pv_call(HC_SET_TRAP_TABLE, WILD, 1, 0), "a wild pointer");
    expect(-PV_EFAULT, pv_call(HC_SET_TRAP_TABLE, 0xfffffff8, 2, 0), "one that wraps");
    rows[0].cs = 0x0b;
    rows[1].eip = 0;
    memcpy(pv_ram + PV_FREE, rows, sizeof rows);
    expect(-PV_EINVAL, pv_call(HC_SET_TRAP_TABLE, at_free(0), 2, 0), "a handler in ring 3");
    ck_assert_uint_eq(pv.trap[0x80].eip, 0xc0002000);
    expect(0, pv_call(HC_SET_TRAP_TABLE, WILD, 0, 0), "no row");
    expect(0, pv_call(HC_SET_TRAP_TABLE, at_free(8), 1, 0), "a row less");
    ck_assert_uint_eq(pv.trap[0x80].eip, 0);
    ck_assert_int_eq(pv.user_call, 0x80);
    rows[1].flags = 3;
    memcpy(pv_ram + PV_FREE, rows, sizeof rows);
    expect(0, pv_call(HC_SET_TRAP_TABLE, at_free(8), 1, 0), "no system calls any more");
    ck_assert_int_eq(pv.user_call, -1);
}
END_TEST

START_TEST(stacks_and_segments)
{
    expect(0, pv_call(HC_STACK_SWITCH, 0x10, 0xc0003000, 0), "a stack");
    ck_assert_uint_eq(pv.kernel_esp, 0xc0003000);
    expect(-PV_EINVAL, pv_call(HC_STACK_SWITCH, 0x13, 0, 0), "one of ring 3");
    expect(-PV_EINVAL, pv_call(HC_STACK_SWITCH, 0, 0, 0), "none");
    expect(-PV_EINVAL, pv_call(HC_STACK_SWITCH, 0x10010, 0, 0), "no selector");
    gate_kernel_ready = gate_user_ready = true;
    expect(0, pv_call(HC_SET_GDT, at_free(0x100), 32, 0), "a GDT");
    ck_assert(!gate_kernel_ready && !gate_user_ready);
    ck_assert_uint_eq(pc.cpu.gdtr.limit, 255);
    expect(-PV_EINVAL, pv_call(HC_SET_GDT, at_free(0), 0, 0), "an empty one");
    expect(-PV_EINVAL, pv_call(HC_SET_GDT, at_free(0), 8193, 0), "one that is too long");
    expect(-PV_EFAULT, pv_call(HC_SET_GDT, 0xfffffff0, 8, 0), "one that wraps");
    expect(-PV_EFAULT, pv_call(HC_SET_GDT, WILD, 8, 0), "one that is not there");
    ck_assert_uint_eq(pc.cpu.gdtr.base, at_free(0x100));
    expect(0, pv_call(HC_UPDATE_DESCRIPTOR, 5, 0x0000ffff, 0x00cff200), "data of ring 3");
    ck_assert_uint_eq(pv_word(PV_FREE + 0x100 + 44), 0x00cff200);
    expect(0, pv_call(HC_UPDATE_DESCRIPTOR, 5, 0, 0), "nothing");
    expect(-PV_EINVAL, pv_call(HC_UPDATE_DESCRIPTOR, 0, 0, 0), "entry 0");
    expect(-PV_EINVAL, pv_call(HC_UPDATE_DESCRIPTOR, 32, 0, 0), "beyond its end");
    expect(-PV_EINVAL, pv_call(HC_UPDATE_DESCRIPTOR, 0xffffffff, 0, 0), "far beyond");
    expect(-PV_EINVAL, pv_call(HC_UPDATE_DESCRIPTOR, 5, 0x00080000, 0x0000ec00), "a call gate");
    expect(-PV_EINVAL, pv_call(HC_UPDATE_DESCRIPTOR, 5, 0x0000ffff, 0x00cfb200), "ring 1");
}
END_TEST

START_TEST(updates)
{
    struct pv_mmu_update u[3] = {
        { pv_alias(PV_FREE + 0x1000), 0 }, { pv_alias(PV_FREE + 0x2000), 0 }, { 0, 0 },
    };

    memcpy(pv_ram + PV_FREE, u, sizeof u);
    expect(0, pv_call(HC_MMU_UPDATE, at_free(0), 2, at_free(0x80)), "two");
    ck_assert_uint_eq(pv_word(PV_FREE + 0x80), 2);
    ck_assert_uint_eq(pv_word(u[1].at), 0);
    expect(-PV_EINVAL, pv_call(HC_MMU_UPDATE, at_free(0), 3, at_free(0x80)), "the third is none");
    ck_assert_uint_eq(pv_word(PV_FREE + 0x80), 2);
    expect(-PV_EINVAL, pv_call(HC_MMU_UPDATE, at_free(0), 2049, at_free(0x80)), "too many");
    ck_assert_uint_eq(pv_word(PV_FREE + 0x80), 0);
    expect(-PV_EFAULT, pv_call(HC_MMU_UPDATE, WILD, 1, 0), "a wild pointer");
    expect(-PV_EFAULT, pv_call(HC_MMU_UPDATE, at_free(0), 1, PV_BASE + directory()), "the count to a page table");
    expect(-PV_EFAULT, pv_call(HC_MMU_UPDATE, at_free(0), 1, PV_SHARED), "the count to the VMM's page");
    u[0].entry = 2;
    memcpy(pv_ram + PV_FREE, u, sizeof u);
    expect(-PV_EFAULT, pv_call(HC_MMU_UPDATE, at_free(0), 1, WILD), "the count to nowhere");
    ck_assert_uint_eq(pv_word(u[0].at), 0);             /* and nothing was done */
    expect(0, pv_call(HC_UPDATE_VA_MAPPING, at_free(0x1000), (PV_FREE + 0x1000) | RW, PV_FLUSH), "by its address");
    expect(-PV_EINVAL, pv_call(HC_UPDATE_VA_MAPPING, at_free(0x1000), 0, 2), "a flag that is none");
    expect(-PV_EINVAL, pv_call(HC_MMUEXT, 5, 0, 0), "an operation that is none");
    expect(0, pv_call(HC_MMUEXT, PV_MMUEXT_FLUSH, 0xffffffff, 0), "flush");
    expect(0, pv_call(HC_MMUEXT, PV_MMUEXT_FLUSH_ALL, 0, 0), "flush all");
}
END_TEST

START_TEST(events)
{
    struct pv_shared *s = pv.shared;

    expect(0, pv_call(HC_EVENT, PV_EVENT_SEND, 4, 0), "send");
    ck_assert_uint_eq(s->pending, 0);                   /* all are masked at the start */
    expect(0, pv_call(HC_EVENT, PV_EVENT_UNMASK, 4, 0), "unmask");
    ck_assert_uint_eq(s->pending, 1);
    expect(0, pv_call(HC_EVENT, PV_EVENT_MASK, 4, 0), "mask");
    ck_assert_uint_eq(s->pending, 0);
    expect(0, pv_call(HC_EVENT, PV_EVENT_ACK, 4, 0), "ack");
    ck_assert_uint_eq(s->events, 0);
    expect(-PV_EINVAL, pv_call(HC_EVENT, PV_EVENT_SEND, 32, 0), "event 32");
    expect(-PV_EINVAL, pv_call(HC_EVENT, 4, 0, 0), "an operation that is none");
}
END_TEST

START_TEST(scheduling)
{
    expect(0, pv_call(HC_SCHED, PV_SCHED_YIELD, 0, 0), "yield");
    expect(0, pv_call(HC_SCHED, PV_SCHED_BLOCK, 0, 0), "block");
    ck_assert(pc.cpu.halted && (pc.cpu.eflags & FLAG_IF));
    pv.shared->events = 1 << 4;
    pv.shared->masked = 0;
    expect(0, pv_call(HC_SCHED, PV_SCHED_BLOCK, 0, 0), "block with an event");
    ck_assert(!pc.cpu.halted);
    expect(-PV_EINVAL, pv_call(HC_SCHED, 3, 0, 0), "an operation that is none");
    expect(0, pv_call(HC_SCHED, PV_SCHED_SHUTDOWN, 1, 0), "shutdown");
    ck_assert_int_eq(pc.bus.exit_status, 3);
}
END_TEST

START_TEST(timer)
{
    expect(0, pv_call(HC_SET_TIMER, 0xffffffff, 0xffffffff, 0), "never");
    ck_assert(clock_deadline(&pv) == UINT64_MAX);
    expect(0, pv_call(HC_SET_TIMER, 0xffffffff, 0x7fffffff, 0), "in centuries");
    ck_assert(clock_deadline(&pv) == pv.clock_start + 0x7fffffffffffffff && !(pv.shared->events & 1));
    expect(0, pv_call(HC_SET_TIMER, (uint32_t)-5, 0xffffffff, 0), "almost never");
    ck_assert(clock_deadline(&pv) == UINT64_MAX);
    expect(0, pv_call(HC_SET_TIMER, 0, 0, 0), "at the start");
    ck_assert_uint_eq(pv.shared->events & 1, 1);
    ck_assert(clock_deadline(&pv) == UINT64_MAX);
}
END_TEST

static uint64_t guests_clock(const struct pv_shared *s)
{
    return s->ns + (uint64_t)((unsigned __int128)(__builtin_ia32_rdtsc() - s->tsc_then) * s->scale >> 24);
}

/* What a guest computes from the page never goes back, though the scale is corrected. */
START_TEST(clock_is_monotonic)
{
    const struct pv_shared *s = pv.shared;
    uint64_t last = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t now = guests_clock(s);

        ck_assert(now >= last && !(s->version & 1));
        last = now;
        if (i % 7 == 0)
            clock_tick(&pv);
    }
}
END_TEST

/* Some laptops' counts 900 MHz, Bochs's 50 MHz: 20 ns a count. As if it had done so for ten seconds. */
START_TEST(clock_of_a_slow_counter)
{
    pv.clock_start -= 10000000000;
    pv.tsc_start = __builtin_ia32_rdtsc() - 500000000;
    clock_tick(&pv);
    ck_assert_uint_ge(pv.shared->scale >> 24, 18);
    ck_assert_uint_le(pv.shared->scale >> 24, 20);
}
END_TEST

START_TEST(console)
{
    memcpy(pv_ram + PV_FREE, "Xen and the art", 15);
    expect(0, pv_call(HC_CONSOLE_IO, PV_CONSOLE_WRITE, at_free(0), 15), "write");
    ck_assert_str_eq(com1_output, "Xen and the art");
    expect(0, pv_call(HC_CONSOLE_IO, PV_CONSOLE_WRITE, WILD, 0), "nothing");
    expect(-PV_EINVAL, pv_call(HC_CONSOLE_IO, PV_CONSOLE_WRITE, at_free(0), 4097), "too much");
    expect(-PV_EFAULT, pv_call(HC_CONSOLE_IO, PV_CONSOLE_WRITE, WILD, 1), "a wild pointer");
    expect(-PV_EINVAL, pv_call(HC_CONSOLE_IO, 2, at_free(0), 1), "an operation that is none");
    expect(0, pv_call(HC_CONSOLE_IO, PV_CONSOLE_READ, at_free(0), 10), "read when nothing came");
    expect(-PV_EFAULT, pv_call(HC_CONSOLE_IO, PV_CONSOLE_READ, PV_BASE + directory(), 10), "read into a page table");
}
END_TEST

START_TEST(multicalls)
{
    struct pv_call c[4] = {
        { HC_VERSION, 99, { 0 } }, { HC_MULTICALL, 99, { 0 } }, { HC_IRET, 99, { 0 } },
        { HC_EVENT, 99, { PV_EVENT_SEND, 32 } },
    };

    memcpy(pv_ram + PV_FREE, c, sizeof c);
    expect(0, pv_call(HC_MULTICALL, at_free(0), 4, 0), "four");
    memcpy(c, pv_ram + PV_FREE, sizeof c);
    ck_assert_int_eq(c[0].result, PV_VERSION);
    ck_assert_int_eq(c[1].result, -PV_EINVAL);          /* they do not nest */
    ck_assert_int_eq(c[2].result, -PV_EINVAL);
    ck_assert_int_eq(c[3].result, -PV_EINVAL);
    expect(-PV_EINVAL, pv_call(HC_MULTICALL, at_free(0), 65, 0), "too many");
    expect(-PV_EFAULT, pv_call(HC_MULTICALL, WILD, 1, 0), "a wild pointer");
}
END_TEST

Suite *suite_paravirt(void);
Suite *suite_paravirt(void)
{
    Suite *s = suite_create("paravirt");
    TCase *t = fixture_case(s, "paravirt");

    tcase_add_checked_fixture(t, paravirt_setup, NULL);
    tcase_add_test(t, first_space);
    tcase_add_test(t, entries_refused);
    tcase_add_test(t, directories);
    tcase_add_test(t, tables_are_checked);
    tcase_add_test(t, pins_and_bases);
    tcase_add_test(t, shadow_follows);
    tcase_add_test(t, shadow_switches);
    tcase_add_test(t, numbers);
    tcase_add_test(t, trap_table);
    tcase_add_test(t, stacks_and_segments);
    tcase_add_test(t, updates);
    tcase_add_test(t, events);
    tcase_add_test(t, scheduling);
    tcase_add_test(t, timer);
    tcase_add_test(t, clock_is_monotonic);
    tcase_add_test(t, clock_of_a_slow_counter);
    tcase_add_test(t, console);
    tcase_add_test(t, multicalls);
    return s;
}
