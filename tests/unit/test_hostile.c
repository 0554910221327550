/* A hostile guest: random hypercalls with random, wild and boundary arguments, and memory touched in between. Whatever it asks,
 * it gets an error or the effect, and what mmu.h promises holds (pv_audit). HOSTILE=N asks N times, SEED=S begins
 * elsewhere; a failure names both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_paravirt.h"

enum { CALLS = 100000, AUDIT_EVERY = 50, TABLES = 8, PAGES = 16 };

static uint64_t state;

static uint32_t random_word(void)                       /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1d) >> 32);
}

static uint32_t below(uint32_t n) { return random_word() % n; }

/* ---- what it likes to say ------------------------------------------------------------------------ */

/* The pages that it plays with: a few that become tables and directories, a few that they map. */
static uint32_t a_page(void)
{
    switch (below(8)) {
    case 0: return pc.cpu.cr3;
    case 1: return below(PV_RAM / PAGE_BYTES + 2) * PAGE_BYTES;
    case 2: return random_word() & PAGE_MASK;
    case 3: return 0x10000 + below(4) * PAGE_BYTES;     /* the VMM's */
    default: return PV_FREE + below(PAGES) * PAGE_BYTES;
    }
}

static uint32_t an_entry(void)
{
    static const uint32_t flags[] = { 1, 3, 7, 0x23, 0x27, 0x63, 0x67, 0x61, 0x21, 0x25, 0x163, 0xe03, 0x83, 0 };

    return below(12) ? a_page() | flags[below(sizeof flags / sizeof flags[0])] : random_word();
}

/* Where an entry may be: of the first directory and its table, of tables that it makes, of anything. */
static uint32_t an_entry_address(void)
{
    uint32_t page = PV_FREE + below(PAGES) * PAGE_BYTES;

    switch (below(6)) {
    case 0: return pv_alias(page);
    case 1: return pv_alias(pv_alias(page) & PAGE_MASK);
    case 2: return pc.cpu.cr3 + 4 * below(1024);
    case 3: return PV_FREE + below(TABLES) * PAGE_BYTES + 4 * below(4);
    case 4: return PV_FREE + below(TABLES) * PAGE_BYTES + 4 * below(1024);
    default: return random_word();
    }
}

static uint32_t a_linear(void)
{
    static const uint32_t boundaries[] = {
        0, 1, 0xfff, 0x1000, PV_BASE - 1, PV_BASE, PV_BASE + PV_RAM - 1, PV_BASE + PV_RAM, PV_HOLE - 1, PV_HOLE, PV_PAGE,
        PV_SHARED, PV_SHARED + 0xfff, 0xfbffffff, 0xfc000000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff,
    };

    switch (below(4)) {
    case 0: return boundaries[below(sizeof boundaries / sizeof boundaries[0])];
    case 1: return random_word();
    case 2: return below(8) * 0x400000 + below(8) * PAGE_BYTES + below(2) * (PAGE_BYTES - 4);
    default: return PV_BASE + PV_FREE + below(PAGES + 4) * PAGE_BYTES + below(2) * below(PAGE_BYTES);
    }
}

static uint32_t an_argument(void)
{
    static const uint32_t counts[] = { 0, 1, 2, 3, 4, 63, 64, 65, 256, 257, 1024, 1025, 2048, 2049, 4096, 4097, 8192, 8193 };

    switch (below(6)) {
    case 0: return a_linear();
    case 1: return counts[below(sizeof counts / sizeof counts[0])];
    case 2: return an_entry();
    case 3: return below(6);
    case 4: return 0u - below(4);
    default: return random_word();
    }
}

/* Requests in memory, half of them sensible. Plain stores go where the guest may write. */
static void write_requests(uint32_t gla)
{
    uint32_t word[16];
    struct translation t;

    for (unsigned i = 0; i < 16; i += 2) {
        word[i] = below(2) ? an_entry_address() : an_argument();
        word[i + 1] = below(2) ? an_entry() : an_argument();
    }
    if (below(3) == 0)
        word[0] = below(HYPERCALLS + 1);                /* a multicall's */
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
static void check_errors_seen(void)
{
    for (unsigned n = 0; n < HYPERCALLS; n++)
        for (unsigned e = 0; e < ERRORS; e++)
            if (strstr(listed[n], errors[e].name) && !seen[n][e])
                ck_abort_msg("hypercall %u never returned %s", n, errors[e].name);
}

/* ---- one after another --------------------------------------------------------------------------- */

static void ask(void)
{
    uint32_t number = below(16) ? below(HYPERCALLS) : an_argument(), a[5];
    uint32_t requests = PV_BASE + PV_FREE + (PAGES + below(2)) * PAGE_BYTES + below(2) * below(PAGE_BYTES);

    for (int i = 0; i < 5; i++)
        a[i] = an_argument();
    if (number == HC_MMU_UPDATE || number == HC_MULTICALL || number == HC_SET_TRAP_TABLE) {
        write_requests(requests);
        a[0] = below(8) ? requests : a[0];
        a[1] = below(4) ? 1 + below(8) : a[1];
    } else if (number == HC_UPDATE_VA_MAPPING) {
        a[0] = a_linear();
        a[1] = an_entry();
        a[2] = below(8) ? below(2) : a[2];
    } else if (number == HC_MMUEXT) {
        a[0] = below(6);
        a[1] = below(4) ? PV_FREE + below(TABLES) * PAGE_BYTES : a[1];
    }
    note_result(number, hypercall(&pv, number, a));
}

/* A page that is not mapped writable cannot be made a table without these: the guest does it properly now and then. */
static void make_tables(void)
{
    uint32_t table = PV_FREE + below(TABLES) * PAGE_BYTES;

    mmu_update(&pv.mmu, pv_alias(table), table | PTE_P | PTE_A | (below(4) ? 0 : PTE_W));
    if (below(2))
        mmu_update(&pv.mmu, pc.cpu.cr3 + 4 * below(8), table | PTE_P | PTE_W | PTE_A | PTE_U);
    else if (below(2) && (mmu_pin(&pv.mmu, table) == 0 || below(2)))
        mmu_new_base(&pv.mmu, below(2) ? table : PV_LOADED);
    else
        mmu_unpin(&pv.mmu, table);
}

/* A page that will be a directory gets the kernel's entries, while the guest can write it. */
static void fill_directory(void)
{
    uint32_t page = PV_FREE + below(TABLES) * PAGE_BYTES;
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
        shadow_fill(&pv.direct->shadow, gla, (below(2) ? ACCESS_WRITE : 0) | (below(2) ? ACCESS_USER : 0));
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
    return getenv(name) ? (uint32_t)strtoul(getenv(name), NULL, 0) : otherwise;
}

static void swallow(void *ctx, uint8_t byte) { (void)ctx, (void)byte; }
static int feed(void *ctx) { (void)ctx; return below(3) ? (int)below(256) : -1; }

START_TEST(hypercalls)
{
    uint32_t calls = setting("HOSTILE", CALLS), seed = setting("SEED", 1), done = 0;
    struct vcpu start = pc.cpu;
    char when[80];

    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    pc.bus.host.put = swallow;
    pc.bus.host.get = feed;
    for (uint32_t i = 0; i < calls; i++) {
        uint32_t cr3 = pc.cpu.cr3;

        pc.cpu = start;                                 /* where it stands does not matter, nor what IRET made of it */
        pc.cpu.cr3 = cr3;
        pc.cpu.gpr[ESP] = a_linear();
        pc.stopped = false;
        switch (below(8)) {
        case 0: make_tables(); break;
        case 1: fill_directory(); break;
        case 2: touch(); break;
        }
        ask();
        if (i % AUDIT_EVERY)
            continue;
        snprintf(when, sizeof when, "SEED=%u HOSTILE=%u", seed, i + 1);
        pv_audit(when);
        for (uint32_t n = 0; n < TABLES; n++)
            done += pv.mmu.frame[(PV_FREE >> 12) + n].uses && pv.mmu.frame[(PV_FREE >> 12) + n].type != FRAME_WRITABLE;
    }
    if (calls >= CALLS)
        check_errors_seen();
    ck_assert_msg(done > calls / AUDIT_EVERY / 2, "only %u tables were seen: such a guest is no danger", done);
}
END_TEST

Suite *suite_hostile(void);
Suite *suite_hostile(void)
{
    Suite *s = suite_create("hostile");
    TCase *t = fixture_case(s, "hostile");

    tcase_add_checked_fixture(t, paravirt_setup, NULL);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, hypercalls);
    return s;
}
