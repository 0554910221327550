/* See hostile.h. */
#include "hostile.h"

#include <string.h>

static struct hostile from;
static struct vcpu start;

/* ---- what it likes to say ------------------------------------------------------------------------ */

/* The pages that it plays with: a few that become tables and directories, a few that they map. */
static uint32_t a_page(void)
{
    switch (from.below(8)) {
    case 0: return pc.cpu.cr3;
    case 1: return from.below(PV_RAM / PAGE_BYTES + 2) * PAGE_BYTES;
    case 2: return from.word() & PAGE_MASK;
    case 3: return 0x10000 + from.below(4) * PAGE_BYTES;     /* the VMM's */
    default: return PV_FREE + from.below(HOSTILE_PAGES) * PAGE_BYTES;
    }
}

static uint32_t an_entry(void)
{
    static const uint32_t flags[] = { 1, 3, 7, 0x23, 0x27, 0x63, 0x67, 0x61, 0x21, 0x25, 0x163, 0xe03, 0x83, 0 };

    return from.below(12) ? a_page() | flags[from.below(sizeof flags / sizeof flags[0])] : from.word();
}

/* Where an entry may be: of the first directory and its table, of tables that it makes, of anything. */
static uint32_t an_entry_address(void)
{
    uint32_t page = PV_FREE + from.below(HOSTILE_PAGES) * PAGE_BYTES;

    switch (from.below(6)) {
    case 0: return pv_alias(page);
    case 1: return pv_alias(pv_alias(page) & PAGE_MASK);
    case 2: return pc.cpu.cr3 + 4 * from.below(1024);
    case 3: return PV_FREE + from.below(HOSTILE_TABLES) * PAGE_BYTES + 4 * from.below(4);
    case 4: return PV_FREE + from.below(HOSTILE_TABLES) * PAGE_BYTES + 4 * from.below(1024);
    default: return from.word();
    }
}

static uint32_t a_linear(void)
{
    static const uint32_t boundaries[] = {
        0, 1, 0xfff, 0x1000, PV_BASE - 1, PV_BASE, PV_BASE + PV_RAM - 1, PV_BASE + PV_RAM, PV_HOLE - 1, PV_HOLE, PV_PAGE,
        PV_SHARED, PV_SHARED + 0xfff, 0xfbffffff, 0xfc000000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff,
    };

    switch (from.below(4)) {
    case 0: return boundaries[from.below(sizeof boundaries / sizeof boundaries[0])];
    case 1: return from.word();
    case 2: return from.below(8) * 0x400000 + from.below(8) * PAGE_BYTES + from.below(2) * (PAGE_BYTES - 4);
    default: return PV_BASE + PV_FREE + from.below(HOSTILE_PAGES + 4) * PAGE_BYTES + from.below(2) * from.below(PAGE_BYTES);
    }
}

static uint32_t an_argument(void)
{
    static const uint32_t counts[] = { 0, 1, 2, 3, 4, 63, 64, 65, 256, 257, 1024, 1025, 2048, 2049, 4096, 4097, 8192, 8193 };

    switch (from.below(6)) {
    case 0: return a_linear();
    case 1: return counts[from.below(sizeof counts / sizeof counts[0])];
    case 2: return an_entry();
    case 3: return from.below(6);
    case 4: return 0u - from.below(4);
    default: return from.word();
    }
}

/* Requests in memory, half of them sensible. Plain stores go where the guest may write. */
static void write_requests(uint32_t gla)
{
    uint32_t word[16];
    struct translation t;

    for (unsigned i = 0; i < 16; i += 2) {
        word[i] = from.below(2) ? an_entry_address() : an_argument();
        word[i + 1] = from.below(2) ? an_entry() : an_argument();
    }
    if (from.below(3) == 0)
        word[0] = from.below(HYPERCALLS + 1);                /* a multicall's */
    if (memory_peek(&pc, gla, ACCESS_WRITE, &t) && (gla & 0xfff) <= PAGE_BYTES - sizeof word)
        memcpy(pv_ram + t.gpa, word, sizeof word);
}

/* ---- what it gets -------------------------------------------------------------------------------- */

static const struct { const char *name; int32_t value; } errors[] = {
    { "EPERM", -PV_EPERM }, { "EFAULT", -PV_EFAULT }, { "EBUSY", -PV_EBUSY }, { "EINVAL", -PV_EINVAL },
};
enum { ERRORS = sizeof errors / sizeof errors[0] };
static const char *const listed[HYPERCALLS] = {         /* in the table of README.md */
#define HYPERCALL(name, function, arguments, errors, ...) [HC_##name] = errors,
#include "../../paravirt/hypercalls.def"
#undef HYPERCALL
};
static bool seen[HYPERCALLS][ERRORS];

/* Every error that comes must be one that the table lists. */
static void note_result(uint32_t number, int32_t result)
{
    if (number >= HYPERCALLS && result == -PV_ENOSYS)
        return;
    for (unsigned e = 0; result < 0 && number < HYPERCALLS && number != HC_IRET && e <= ERRORS; e++) {
        if (e == ERRORS)
            ck_abort_msg("hypercall %u returns %d, which is no error", number, result);
        if (result == errors[e].value) {
            if (!strstr(listed[number], errors[e].name))
                ck_abort_msg("hypercall %u returns %s, which hypercalls.def does not list", number, errors[e].name);
            seen[number][e] = true;
            return;
        }
    }
}

/* And every one that it lists must come. */
void hostile_saw_all_errors(void)
{
    for (unsigned n = 0; n < HYPERCALLS; n++)
        for (unsigned e = 0; e < ERRORS; e++)
            if (strstr(listed[n], errors[e].name) && !seen[n][e])
                ck_abort_msg("hypercall %u never returned %s", n, errors[e].name);
}

/* ---- one after another --------------------------------------------------------------------------- */

static void ask(void)
{
    uint32_t number = from.below(16) ? from.below(HYPERCALLS) : an_argument(), a[5];
    uint32_t requests = PV_BASE + PV_FREE + (HOSTILE_PAGES + from.below(2)) * PAGE_BYTES + from.below(2) * from.below(PAGE_BYTES);

    for (int i = 0; i < 5; i++)
        a[i] = an_argument();
    if (number == HC_MMU_UPDATE || number == HC_MULTICALL || number == HC_SET_TRAP_TABLE) {
        write_requests(requests);
        a[0] = from.below(8) ? requests : a[0];
        a[1] = from.below(4) ? 1 + from.below(8) : a[1];
    } else if (number == HC_UPDATE_VA_MAPPING) {
        a[0] = a_linear();
        a[1] = an_entry();
        a[2] = from.below(8) ? from.below(2) : a[2];
    } else if (number == HC_MMUEXT) {
        a[0] = from.below(6);
        a[1] = from.below(4) ? PV_FREE + from.below(HOSTILE_TABLES) * PAGE_BYTES : a[1];
    }
    note_result(number, hypercall(&pv, number, a));
}

/* A page that is not mapped writable cannot be made a table without these: the guest does it properly now and then. */
static void make_tables(void)
{
    uint32_t table = PV_FREE + from.below(HOSTILE_TABLES) * PAGE_BYTES;

    mmu_update(&pv.mmu, pv_alias(table), table | PTE_P | PTE_A | (from.below(4) ? 0 : PTE_W));
    if (from.below(2))
        mmu_update(&pv.mmu, pc.cpu.cr3 + 4 * from.below(8), table | PTE_P | PTE_W | PTE_A | PTE_U);
    else if (from.below(2) && (mmu_pin(&pv.mmu, table) == 0 || from.below(2)))
        mmu_new_base(&pv.mmu, from.below(2) ? table : PV_LOADED);
    else
        mmu_unpin(&pv.mmu, table);
}

/* A page that will be a directory gets the kernel's entries, while the guest can write it. */
static void fill_directory(void)
{
    uint32_t page = PV_FREE + from.below(HOSTILE_TABLES) * PAGE_BYTES;
    struct translation t;

    if (memory_peek(&pc, PV_BASE + page, ACCESS_WRITE, &t) && (t.gpa & PAGE_MASK) == page) {
        memset(pv_ram + page, 0, PAGE_BYTES);
        memcpy(pv_ram + page + 0xc00, pv_ram + PV_LOADED + 0xc00, 0x80);
    }
}

static void touch(void)
{
    uint32_t gla = a_linear();

    if (gla < WINDOW_END)
        shadow_fill(&pv.direct->shadow, gla, (from.below(2) ? ACCESS_WRITE : 0) | (from.below(2) ? ACCESS_USER : 0));
}

static void swallow(void *ctx, uint8_t byte) { (void)ctx, (void)byte; }
static int feed(void *ctx) { (void)ctx; return from.below(3) ? (int)from.below(256) : -1; }

void hostile_start(struct hostile numbers)
{
    from = numbers;
    start = pc.cpu;
    pc.bus.host.put = swallow;
    pc.bus.host.get = feed;
}

void hostile_step(void)
{
    uint32_t cr3 = pc.cpu.cr3;

    pc.cpu = start;                                     /* where it stands does not matter, nor what IRET made of it */
    pc.cpu.cr3 = cr3;
    pc.cpu.gpr[ESP] = a_linear();
    pc.stopped = false;
    switch (from.below(8)) {
    case 0: make_tables(); break;
    case 1: fill_directory(); break;
    case 2: touch(); break;
    }
    ask();
}
