/* Shadow paging, against a host that only records: machine/direct/shadow.c is compiled once more with mmap,
 * munmap and mprotect replaced by those below (the Makefile's FAKED_OBJ). What the tests look at is `host`: what the
 * processor would reach. Which translations a processor may keep: Intel SDM vol. 3A 4.10. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "direct/shadow.h"
#include "fixture.h"
#include "status.h"
#include "test_shadow.h"

enum { PWU = PTE_P | PTE_W | PTE_U, AD = PTE_A | PTE_D, PAGE = 0x40000 };

uint32_t host[1 << 20];
static unsigned maps, unmaps;           /* so many calls */
static uint32_t refused_below;          /* Linux's mmap_min_addr */
static int refusal;                     /* errno for those, and with refused_below 0 for all if not 0 */
static int unmap_refusal;               /* errno for munmap, if not 0 */
static struct shadow s;
static uint8_t sealed[RAM_BYTES >> 12], executable[RAM_BYTES >> 12];

static uint32_t flags_of(int prot)
{
    ck_assert(prot & PROT_READ);
    return THERE | (prot & PROT_WRITE ? WRITABLE : 0) | (prot & PROT_EXEC ? 0 : NO_EXEC);
}

void *fake_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
    uint32_t page = (uint32_t)((uintptr_t)at >> 12);

    ck_assert_int_eq(fd, MEMFD);
    ck_assert((flags & MAP_FIXED) && (flags & MAP_SHARED));
    ck_assert_uint_eq((uintptr_t)at & 0xfff, 0);
    ck_assert_uint_le((uintptr_t)at + bytes, WINDOW_END);
    ck_assert_uint_le((size_t)offset + bytes, pc.mem.bytes);
    if (refusal && (!refused_below || (uintptr_t)at < refused_below)) {
        errno = refusal;
        return MAP_FAILED;
    }
    maps++;
    for (uint32_t i = 0; i < bytes >> 12; i++)
        host[page + i] = ((uint32_t)offset + (i << 12)) | flags_of(prot);
    return at;
}

int fake_munmap(void *at, size_t bytes)
{
    if (unmap_refusal) {
        errno = unmap_refusal;
        return -1;
    }
    unmaps++;
    memset(host + ((uintptr_t)at >> 12), 0, (bytes >> 12) * sizeof *host);
    return 0;
}

int fake_mprotect(void *at, size_t bytes, int prot)
{
    uint32_t *page = &host[(uintptr_t)at >> 12];

    ck_assert_uint_eq((uintptr_t)at & 0xfff, 0);
    ck_assert_uint_eq(bytes, PAGE_BYTES);
    ck_assert_msg(*page & THERE, "mprotect of a page that is not mapped");
    *page = (*page & PAGE_MASK) | flags_of(prot);
    return 0;
}

static void start(void)
{
    memset(host, 0, sizeof host);
    memset(sealed, 0, sizeof sealed);
    memset(executable, 0, sizeof executable);
    ck_assert(shadow_init(&s, &pc, MEMFD));
    paging_on();
    for (uint32_t gla = 0; gla < 4 << 20; gla += PAGE_BYTES)
        set_pte(gla, get_pte(gla) | AD);
}

static void fill(uint32_t gla, unsigned access) { ck_assert_int_eq(shadow_fill(&s, gla, access), FILL_DONE); }

static unsigned reachable(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 1 << 20; i++)
        n += host[i] != 0;
    return n;
}

static void flush_page(uint32_t gla, uint32_t pte)
{
    set_pte(gla, pte);
    shadow_flush_page(&s, gla);
}

/* ---- bringing in ---------------------------------------------------------------------------------- */

START_TEST(neighbours_merge)
{
    fill(PAGE + 0x123, ACCESS_READ);
    ck_assert_uint_eq(maps, 1);
    ck_assert_uint_eq(reachable(), 16);
    for (uint32_t gla = PAGE; gla < PAGE + 0x10000; gla += PAGE_BYTES)
        ck_assert_uint_eq(host[gla >> 12], gla | THERE | WRITABLE);
    fill(RAM_BYTES - PAGE_BYTES, ACCESS_READ);          /* nothing above: those below, and RAM's end is kept */
    ck_assert_uint_eq(maps, 2);
    ck_assert_uint_eq(host[RAM_BYTES >> 12], 0);
    ck_assert_uint_eq(host[(RAM_BYTES >> 12) - 16], (RAM_BYTES - 0x10000) | THERE | WRITABLE);
    ck_assert_uint_eq(pc.counters.pages_shadowed, 32);
    shadow_load_cr3(&s);                                /* nothing has changed */
    ck_assert_uint_eq(reachable(), 32);
    shadow_flush_page(&s, PAGE + 0x5000);
    fill(PAGE + 0x5000, ACCESS_READ);                   /* the neighbours are there */
    ck_assert_uint_eq(pc.counters.pages_shadowed, 33);
}
END_TEST

START_TEST(neighbours_within_the_window)
{
    set_pte(WINDOW_MOVED + 0x3000, 0);
    fill(WINDOW_MOVED + 0x1000, ACCESS_READ);           /* lower pages would have to move the window */
    ck_assert_uint_eq(host[(WINDOW_MOVED >> 12) - 1], 0);
    ck_assert_uint_eq(reachable(), 3);
    poke(PAGE_DIR + (WINDOW_END >> 22) * 4, PAGE_TABLE | PWU);
    set_pte((WINDOW_END & 0x3fffff) - 0x1000, PAGE | PWU | AD);
    set_pte(WINDOW_END & 0x3fffff, (PAGE + 0x1000) | PWU | AD);
    fill(WINDOW_END - 0x1000, ACCESS_READ);
    ck_assert_uint_eq(host[(WINDOW_END >> 12) - 1], PAGE | THERE | WRITABLE);
    ck_assert_uint_eq(reachable(), 4);
}
END_TEST

/* A page whose entry is unlike its neighbours': the run ends before it. */
static const uint32_t unlike[] = {
    (PAGE + 0x2000) | PTE_P | PTE_U | AD, (PAGE + 0x2000) | PTE_P | PTE_W | AD, (PAGE + 0x2000) | PWU | PTE_A,
    (PAGE + 0x2000) | PWU | PTE_D, (PAGE + 0x2000) | PWU | AD | PTE_G, (PAGE + 0x2000) | PTE_W | PTE_U | AD,
    (PAGE + 0x3000) | PWU | AD, (RAM_BYTES + 0x2000) | PWU | AD,
};

START_TEST(neighbours_unlike)
{
    pc.cpu.cr4 |= CR4_PGE;
    set_pte(PAGE + 0x2000, unlike[_i]);
    set_pte(PAGE - 0x2000, unlike[_i] - 0x4000);
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(maps, 1);
    ck_assert_uint_eq(reachable(), 3);
    ck_assert_uint_eq(host[(PAGE >> 12) - 1], (PAGE - 0x1000) | THERE | WRITABLE);
    ck_assert_uint_eq(host[(PAGE >> 12) + 1], (PAGE + 0x1000) | THERE | WRITABLE);
}
END_TEST

/* The dirty bit must get into the guest's table by a write: until then the processor must ask. */
START_TEST(read_only_until_dirty)
{
    set_pte(PAGE, PAGE | PWU);
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(host[PAGE >> 12], PAGE | THERE);
    ck_assert_uint_eq(get_pte(PAGE) & AD, PTE_A);
    fill(PAGE, ACCESS_WRITE);
    ck_assert_uint_eq(host[PAGE >> 12], PAGE | THERE | WRITABLE);
    ck_assert_uint_eq(get_pte(PAGE) & AD, AD);
    ck_assert_uint_eq(s.count, 1);
    set_pte(PAGE, PAGE | PTE_P | PTE_U | AD);           /* dirty once, read-only now */
    shadow_flush_all(&s);
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(host[PAGE >> 12], PAGE | THERE);
    ck_assert_int_eq(shadow_fill(&s, PAGE, ACCESS_WRITE), FILL_FAULT);
    ck_assert_uint_eq(pc.cpu.fault.error, PF_PROTECTION | PF_WRITE);
}
END_TEST

/* The guest changed the entry and did not flush; a write makes the processor look again: all is as it says then. */
START_TEST(second_fill_replaces_the_first)
{
    pc.cpu.cr4 |= CR4_PGE;
    set_pte(PAGE, PAGE | PTE_P | PTE_G);
    fill(PAGE, ACCESS_READ);
    set_pte(PAGE, (PAGE + 0x1000) | PTE_P | PTE_W);
    fill(PAGE, ACCESS_WRITE);
    ck_assert_uint_eq(host[PAGE >> 12], (PAGE + 0x1000) | THERE | WRITABLE);
    shadow_load_cr3(&s);
    ck_assert_uint_eq(host[PAGE >> 12], (PAGE + 0x1000) | THERE | WRITABLE);
    set_pte(PAGE, 0);
    shadow_load_cr3(&s);                                /* global no longer */
    ck_assert_uint_eq(host[PAGE >> 12], 0);
}
END_TEST

START_TEST(paging_off_is_one_mapping)
{
    pc.cpu.cr0 &= ~CR0_PG;
    fill(0x12345, ACCESS_WRITE);
    ck_assert_uint_eq(maps, 1);
    ck_assert_uint_eq(reachable(), (RAM_BYTES - WINDOW_MOVED) >> 12);
    ck_assert_uint_eq(host[0xff], 0xff000 | THERE | WRITABLE);
    fill(0x3004, ACCESS_READ);                          /* low pages come one by one */
    ck_assert_uint_eq(host[3], 0x3000 | THERE | WRITABLE);
    ck_assert_uint_eq(host[4], 0);
    shadow_flush_all(&s);
    ck_assert_uint_eq(reachable(), 0);
    ck_assert(!s.flat);
}
END_TEST

/* What Linux keeps from us: the window moves, nothing stays at its old place. */
START_TEST(low_page_moves_the_window)
{
    refusal = _i ? EACCES : EPERM;
    refused_below = WINDOW_MOVED;
    fill(PAGE, ACCESS_READ);
    fill(0x3000, ACCESS_READ);
    ck_assert_uint_eq(s.window, WINDOW_MOVED);
    ck_assert_uint_eq(reachable(), 0);
    fill(0x3000, ACCESS_READ);
    ck_assert_uint_eq(host[(0x3000 + WINDOW_MOVED) >> 12], 0x3000 | THERE | WRITABLE);
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(host[(PAGE + WINDOW_MOVED) >> 12], PAGE | THERE | WRITABLE);
    shadow_flush_page(&s, PAGE);
    ck_assert_uint_eq(host[(PAGE + WINDOW_MOVED) >> 12], 0);
}
END_TEST

START_TEST(stops_with_a_sentence)
{
    static const struct { uint32_t gla, pte; int refusal, status; const char *says; } cases[] = {
        { PAGE, RAM_BYTES, 0, EXIT_CRASH, "beyond its 1 MiB" },
        { WINDOW_END, PAGE, 0, EXIT_CRASH, "where the monitor lives" },
        { 0xffffffff, PAGE, 0, EXIT_CRASH, "where the monitor lives" },
        { PAGE, PAGE, ENOMEM, EXIT_HOST, "vm.max_map_count" },
    };

    for (int i = 0; i < COUNT_OF(cases); i++) {
        pc.stopped = false;
        refusal = cases[i].refusal;
        poke(PAGE_DIR + (cases[i].gla >> 22) * 4, PAGE_TABLE | PWU);
        set_pte(cases[i].gla & 0x3fffff, cases[i].pte | PWU);
        ck_assert_int_eq(shadow_fill(&s, cases[i].gla, ACCESS_READ), FILL_STOPPED);
        ck_assert_int_eq(pc.status, cases[i].status);
        ck_assert_msg(strstr(pc.why, cases[i].says) != NULL, "it says: %s", pc.why);
        ck_assert_uint_eq(maps, 0);
    }
}
END_TEST

/* The guest must not go on to see what it has thrown away. */
START_TEST(stops_when_a_page_cannot_be_taken_out)
{
    fill(PAGE, ACCESS_READ);
    unmap_refusal = ENOMEM;
    shadow_flush_page(&s, PAGE);
    unmap_refusal = 0;
    ck_assert(pc.stopped && pc.status == EXIT_HOST);
    ck_assert_msg(strstr(pc.why, "munmap") != NULL, "it says: %s", pc.why);
}
END_TEST

START_TEST(page_fault_is_the_guests)
{
    set_pte(PAGE, 0);
    ck_assert_int_eq(shadow_fill(&s, PAGE + 5, ACCESS_WRITE | ACCESS_USER), FILL_FAULT);
    ck_assert_uint_eq(pc.cpu.fault.cr2, PAGE + 5);
    ck_assert_uint_eq(pc.cpu.fault.error, PF_WRITE | PF_USER);
    ck_assert_uint_eq(maps, 0);
}
END_TEST

/* One table for 1 GiB: 16 pages at a time until there are 60,000, all of which go to make room. */
START_TEST(room_is_made)
{
    unsigned filled = 0;

    for (uint32_t i = 1; i < 256; i++)
        poke(PAGE_DIR + i * 4, PAGE_TABLE | PWU);
    for (uint32_t gla = 4 << 20; filled < 60000; gla += (gla & 0x3fffff) == 0xf0000 ? 0x310000 : 0x10000) {
        fill(gla, ACCESS_READ);
        filled += 16;
        ck_assert_uint_eq(s.count, filled);
    }
    ck_assert_uint_eq(reachable(), 60000);
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(s.count, 16);
    ck_assert_uint_eq(reachable(), 16);
    ck_assert_uint_eq(pc.counters.pages_flushed, 60000);
}
END_TEST

/* ---- taking out ------------------------------------------------------------------------------------ */

START_TEST(cr3_load)
{
    pc.cpu.cr4 |= CR4_PGE;
    set_pte(PAGE, PAGE | PWU | AD | PTE_G);                     /* global */
    set_pte(PAGE + 0x2000, (PAGE + 0x2000) | PTE_P | AD);       /* these four local, each mapped alone */
    set_pte(PAGE + 0x4000, (PAGE + 0x4000) | PTE_P | AD);
    set_pte(PAGE + 0x6000, (PAGE + 0x6000) | PTE_P | AD);
    set_pte(PAGE + 0x8000, (PAGE + 0x8000) | PTE_P | AD);
    for (uint32_t gla = PAGE; gla <= PAGE + 0x8000; gla += 0x2000)
        fill(gla, ACCESS_READ);
    ck_assert_uint_eq(reachable(), 5);
    set_pte(PAGE, 0);
    set_pte(PAGE + 0x4000, (PAGE + 0x5000) | PTE_P | AD);       /* another frame */
    set_pte(PAGE + 0x6000, 0);
    set_pte(PAGE + 0x8000, (PAGE + 0x8000) | PTE_P | PTE_A);    /* other rights: writes must be seen again */
    shadow_load_cr3(&s);
    ck_assert_uint_ne(host[PAGE >> 12], 0);
    ck_assert_uint_ne(host[(PAGE >> 12) + 2], 0);
    ck_assert_uint_eq(reachable(), 2);
    shadow_flush_all(&s);
    ck_assert_uint_eq(reachable(), 0);
}
END_TEST

START_TEST(neighbours_go_in_one_call)
{
    fill(PAGE, ACCESS_READ);
    poke(PAGE_DIR, 0);
    shadow_load_cr3(&s);
    ck_assert_uint_eq(reachable(), 0);
    ck_assert_uint_eq(unmaps, 1);
    ck_assert_uint_eq(pc.counters.pages_flushed, 16);
}
END_TEST

START_TEST(once_global_then_local)
{
    pc.cpu.cr4 |= CR4_PGE;
    set_pte(PAGE, PAGE | PWU | AD | PTE_G);
    fill(PAGE, ACCESS_READ);
    flush_page(PAGE, (PAGE + 0x1000) | PTE_P | AD);
    ck_assert_uint_eq(host[PAGE >> 12], 0);             /* INVLPG drops global ones */
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(s.count, 1);                      /* listed once */
    set_pte(PAGE, 0);
    shadow_load_cr3(&s);
    ck_assert_uint_eq(host[PAGE >> 12], 0);
    ck_assert_uint_eq(s.count, 0);
}
END_TEST

START_TEST(invlpg_of_a_large_page)
{
    pc.cpu.cr4 |= CR4_PSE;
    pc.mem.bytes = 4 << 20;                             /* nobody looks there */
    poke(PAGE_DIR + 4, PWU | AD | PTE_PS);
    fill(0x400000, ACCESS_READ);
    fill(0x7f0000, ACCESS_READ);
    fill(PAGE, ACCESS_READ);
    ck_assert_uint_eq(reachable(), 48);
    shadow_flush_page(&s, 0x654321);
    ck_assert_uint_eq(reachable(), 16);                 /* all but those at PAGE */
    shadow_flush_page(&s, PAGE + 0x3000);
    ck_assert_uint_eq(host[(PAGE >> 12) + 3], 0);
    ck_assert_uint_eq(reachable(), 15);
    shadow_flush_page(&s, 0x90000000);                  /* never mapped */
    ck_assert_uint_eq(reachable(), 15);
}
END_TEST

/* ---- user mode -------------------------------------------------------------------------------------- */

START_TEST(user_mode_cut)
{
    poke(PAGE_DIR + 0x2ff * 4, PAGE_TABLE | PWU);
    poke(PAGE_DIR + 0x301 * 4, PAGE_TABLE | PTE_P | PTE_W);     /* the lowest that is the kernel's alone */
    poke(PAGE_DIR + 0x302 * 4, PAGE_TABLE | PTE_P | PTE_W);
    ck_assert_uint_eq(shadow_enter_user(&s), 0xc0400000);
    poke(PAGE_DIR + 0x300 * 4, PAGE_TABLE | PTE_P);
    ck_assert_uint_eq(shadow_enter_user(&s), 0xc0400000);       /* as a TLB: until CR3 is loaded */
    shadow_load_cr3(&s);
    ck_assert_uint_eq(shadow_enter_user(&s), 0xc0000000);
    poke(PAGE_DIR + 0x300 * 4, PTE_W);                          /* not present: nobody's */
    shadow_flush_all(&s);
    ck_assert_uint_eq(shadow_enter_user(&s), 0xc0400000);
    shadow_give_up_cut(&s);
    ck_assert_uint_eq(shadow_enter_user(&s), WINDOW_END);
    shadow_load_cr3(&s);
    ck_assert_uint_eq(shadow_enter_user(&s), WINDOW_END);
}
END_TEST

START_TEST(no_cut)
{
    ck_assert_uint_eq(shadow_enter_user(&s), WINDOW_END);
    poke(PAGE_DIR + 0x300 * 4, PAGE_TABLE | PTE_P);
    shadow_flush_all(&s);
    pc.cpu.cr0 &= ~CR0_PG;
    ck_assert_uint_eq(shadow_enter_user(&s), WINDOW_END);
}
END_TEST

/* Supervisor pages below the cut are gone when user code runs, those above stay. */
START_TEST(supervisor_pages_below_the_cut)
{
    const uint32_t above = 0xc0000000 + PAGE;

    poke(PAGE_DIR + 0x300 * 4, PAGE_TABLE | PTE_P | PTE_W);
    set_pte(PAGE, PAGE | PTE_P | PTE_W | AD);
    fill(PAGE, ACCESS_READ);
    fill(PAGE + 0x1000, ACCESS_READ);
    fill(above, ACCESS_READ);
    for (int round = 0; round < 2; round++) {
        shadow_enter_user(&s);
        ck_assert_uint_eq(host[PAGE >> 12], 0);
        ck_assert_uint_ne(host[(PAGE >> 12) + 1], 0);
        ck_assert_uint_ne(host[above >> 12], 0);
        fill(PAGE, ACCESS_READ);                        /* the kernel again */
    }
    shadow_give_up_cut(&s);
    shadow_enter_user(&s);
    ck_assert_uint_eq(host[PAGE >> 12], 0);
    ck_assert_uint_eq(host[above >> 12], 0);            /* below the cut now */
    ck_assert_uint_ne(host[(PAGE >> 12) + 1], 0);
}
END_TEST

/* ---- sealed frames --------------------------------------------------------------------------------- */

static void seal(uint32_t frame)
{
    pc.mem.sealed = sealed;
    sealed[frame >> 12] = 1;
    shadow_seal(&s, frame);
}

static void expect_page(uint32_t gla, uint32_t flags)
{
    ck_assert_msg(host[gla >> 12] == (PAGE | flags), "0x%08x: 0x%x, expected 0x%x", gla, host[gla >> 12], PAGE | flags);
}

/* Reads may go there; a write is told, and what is mapped stays as it is. */
START_TEST(sealed_before_it_is_mapped)
{
    seal(PAGE);
    ck_assert_int_eq(shadow_fill(&s, PAGE, ACCESS_WRITE), FILL_SEALED);
    ck_assert_uint_eq(reachable(), 0);
    fill(PAGE, ACCESS_READ);
    expect_page(PAGE, THERE);
    ck_assert_uint_eq(reachable(), 1);                  /* no neighbour is like it */
    fill(PAGE + 0x1000, ACCESS_READ);
    ck_assert_uint_eq(host[(PAGE >> 12) + 1], (PAGE + 0x1000) | THERE | WRITABLE);
    expect_page(PAGE, THERE);
    ck_assert_int_eq(shadow_fill(&s, PAGE + 0xfff, ACCESS_WRITE), FILL_SEALED);
    expect_page(PAGE, THERE);
    set_pte(PAGE, PAGE | PTE_P | PTE_U);                /* not the guest's to write: its fault comes first */
    ck_assert_int_eq(shadow_fill(&s, PAGE, ACCESS_WRITE), FILL_FAULT);
}
END_TEST

/* Every mapping of the frame, and no other. */
START_TEST(sealed_while_it_is_mapped)
{
    const uint32_t alias = PAGE + 0x20000;

    set_pte(alias, PAGE | PWU | AD);
    fill(PAGE, ACCESS_READ);
    fill(alias, ACCESS_READ);
    seal(PAGE);
    expect_page(PAGE, THERE);
    expect_page(alias, THERE);
    ck_assert_uint_eq(host[(PAGE >> 12) + 1], (PAGE + 0x1000) | THERE | WRITABLE);
    sealed[PAGE >> 12] = 0;
    expect_page(PAGE, THERE);                           /* the next write brings the right back */
    fill(PAGE, ACCESS_WRITE);
    expect_page(PAGE, THERE | WRITABLE);
    expect_page(alias, THERE);
    flush_page(PAGE, 0);
    seal(PAGE);                                         /* fake_mprotect() would see what is unmapped */
    seal(0);                                            /* not the frame of what is unmapped */
    expect_page(alias, THERE);
}
END_TEST

START_TEST(opened_and_closed)
{
    seal(PAGE);
    shadow_open(&s, PAGE);                              /* not mapped: nothing to do */
    shadow_close(&s, PAGE);
    fill(PAGE, ACCESS_READ);
    shadow_open(&s, PAGE + 0x123);
    expect_page(PAGE, THERE | WRITABLE);
    shadow_close(&s, PAGE + 0x123);
    expect_page(PAGE, THERE);
    shadow_open(&s, PAGE);
    sealed[PAGE >> 12] = 0;
    shadow_close(&s, PAGE);                             /* sealed no longer: it stays open */
    expect_page(PAGE, THERE | WRITABLE);
}
END_TEST

START_TEST(sealed_without_paging)
{
    pc.cpu.cr0 &= ~CR0_PG;
    seal(PAGE);
    seal(0x3000);
    fill(PAGE + 0x1000, ACCESS_READ);
    expect_page(PAGE, THERE);
    ck_assert_uint_eq(host[(PAGE >> 12) + 1], (PAGE + 0x1000) | THERE | WRITABLE);
    ck_assert_int_eq(shadow_fill(&s, PAGE, ACCESS_WRITE), FILL_SEALED);
    shadow_open(&s, PAGE + 5);
    expect_page(PAGE, THERE | WRITABLE);
    shadow_close(&s, PAGE + 5);
    expect_page(PAGE, THERE);
    sealed[PAGE >> 12] = 0;
    fill(PAGE, ACCESS_WRITE);
    expect_page(PAGE, THERE | WRITABLE);
    ck_assert_uint_eq(maps, 1);
    fill(0x3000, ACCESS_READ);                          /* a low page */
    ck_assert_uint_eq(host[3], 0x3000 | THERE);
    fill(0x4000, ACCESS_READ);
    seal(0x4000);
    ck_assert_uint_eq(host[4], 0x4000 | THERE);
    seal(RAM_BYTES - PAGE_BYTES);
    ck_assert_uint_eq(host[(RAM_BYTES >> 12) - 1], (RAM_BYTES - PAGE_BYTES) | THERE);
}
END_TEST

START_TEST(window_that_has_moved)
{
    refusal = EPERM;
    refused_below = WINDOW_MOVED;
    fill(0x3000, ACCESS_READ);
    fill(PAGE, ACCESS_READ);
    seal(PAGE);
    expect_page(PAGE + WINDOW_MOVED, THERE);
    shadow_open(&s, PAGE);
    expect_page(PAGE + WINDOW_MOVED, THERE | WRITABLE);
}
END_TEST

/* Only what has been looked at may be executed where it is. */
START_TEST(not_executable)
{
    s.executable = executable;
    memset(executable + (PAGE >> 12) + 2, 1, 2);
    fill(PAGE, ACCESS_READ);
    expect_page(PAGE, THERE | WRITABLE | NO_EXEC);
    ck_assert_uint_eq(host[(PAGE >> 12) + 2], 0);       /* not like its neighbours */
    fill(PAGE + 0x2000, ACCESS_READ);
    ck_assert_uint_eq(host[(PAGE >> 12) + 2], (PAGE + 0x2000) | THERE | WRITABLE);
    ck_assert_uint_eq(host[(PAGE >> 12) + 3], (PAGE + 0x3000) | THERE | WRITABLE);
    ck_assert_uint_eq(host[(PAGE >> 12) + 4], 0);
    executable[PAGE >> 12] = 1;
    shadow_seal(&s, PAGE);
    expect_page(PAGE, THERE);
    fill(PAGE, ACCESS_WRITE);
    expect_page(PAGE, THERE | WRITABLE);
    executable[PAGE >> 12] = 0;
    shadow_seal(&s, PAGE);
    expect_page(PAGE, THERE | NO_EXEC);
    shadow_open(&s, PAGE);
    expect_page(PAGE, THERE | WRITABLE | NO_EXEC);
}
END_TEST

static TCase *shadow_case(Suite *suite, const char *name)
{
    TCase *t = fixture_case(suite, name);

    tcase_add_checked_fixture(t, start, NULL);
    return t;
}

Suite *suite_shadow(void)
{
    Suite *suite = suite_create("shadow");
    TCase *t = shadow_case(suite, "bringing in");

    tcase_add_test(t, neighbours_merge);
    tcase_add_test(t, stops_when_a_page_cannot_be_taken_out);
    tcase_add_test(t, neighbours_within_the_window);
    tcase_add_loop_test(t, neighbours_unlike, 0, COUNT_OF(unlike));
    tcase_add_test(t, read_only_until_dirty);
    tcase_add_test(t, second_fill_replaces_the_first);
    tcase_add_test(t, paging_off_is_one_mapping);
    tcase_add_loop_test(t, low_page_moves_the_window, 0, 2);
    tcase_add_test(t, stops_with_a_sentence);
    tcase_add_test(t, page_fault_is_the_guests);
    tcase_add_test(t, room_is_made);
    t = shadow_case(suite, "taking out");
    tcase_add_test(t, cr3_load);
    tcase_add_test(t, neighbours_go_in_one_call);
    tcase_add_test(t, once_global_then_local);
    tcase_add_test(t, invlpg_of_a_large_page);
    t = shadow_case(suite, "user mode");
    tcase_add_test(t, user_mode_cut);
    tcase_add_test(t, no_cut);
    tcase_add_test(t, supervisor_pages_below_the_cut);
    t = shadow_case(suite, "sealed frames");
    tcase_add_test(t, sealed_before_it_is_mapped);
    tcase_add_test(t, sealed_while_it_is_mapped);
    tcase_add_test(t, opened_and_closed);
    tcase_add_test(t, sealed_without_paging);
    tcase_add_test(t, window_that_has_moved);
    tcase_add_test(t, not_executable);
    return suite;
}
