/* See paging.h. Four levels, as in 64-bit mode; present and writable are where EPT has read and write, user is where it has
 * execute. RAM is mapped by pages of 2 MiB; all that lies beyond shares three pages: a table of 512 times the same page, and
 * a directory of 512 times that table. */
#include <string.h>

#include "host.h"
#include "machine.h"
#include "paging.h"

enum { READ = 1, WRITE = 2, EXECUTE = 4, ALL = 7, LARGE = 1 << 7, ENTRIES = 512, LARGE_BYTES = 0x200000, GIBS = 4 };

static struct nested_bits bits_of;
static uint8_t *nowhere;                /* the page of ones */
static uint64_t *nowhere_table, *last_table;
static unsigned last_ram;               /* pages of RAM in last_table */
static bool is_open, second;            /* open at all; at more than one place */
static uint32_t opened;                 /* for writes to this address */

static uint64_t *new_table(void)
{
    return host_memory(PAGE_BYTES, PAGE_BYTES);
}

static void fill(uint64_t *table, unsigned first, uint64_t entry)
{
    for (unsigned i = first; i < ENTRIES; i++)
        table[i] = entry;
}

static uint64_t entry_of(const void *target, unsigned bits)
{
    return (uintptr_t)target | bits;
}

static uint64_t table_at(const void *table)
{
    return entry_of(table, ALL | bits_of.table);
}

/* The directory of one GiB that has RAM in it. */
static uint64_t *directory_of(const struct memory *mem, uint32_t gpa)
{
    /* LAB 7.7: a directory for the GiB of guest-physical addresses from `gpa` on: RAM by large pages of 2 MiB, all rights; what is left
     * of RAM, less than one of those, by last_table; beyond it nowhere_table. */
    uint64_t *directory = new_table();
    unsigned i = 0;

    if (!directory)
        return NULL;
    for (; i < ENTRIES && mem->bytes - gpa >= LARGE_BYTES && mem->bytes > gpa; i++, gpa += LARGE_BYTES)
        directory[i] = entry_of(mem->ram + gpa, ALL | LARGE | bits_of.page);
    fill(directory, i, table_at(nowhere_table));
    if (i < ENTRIES && gpa < mem->bytes) {              /* the rest is not a whole large page */
        last_ram = (mem->bytes - gpa) / PAGE_BYTES;
        for (unsigned k = 0; k < last_ram; k++)
            last_table[k] = entry_of(mem->ram + gpa + k * PAGE_BYTES, ALL | bits_of.page);
        directory[i] = table_at(last_table);
    }
    return directory;
    /* END 7.7: mem, gpa, new_table, entry_of, fill, table_at */
}

uint64_t nested_init(const struct machine *m, struct nested_bits bits)
{
    /* LAB 7.7: the four levels: a root, its only entry a table of four GiB, each of which is a directory with RAM in it or one that leads
     * nowhere. Beyond RAM everything may be read, as ones, but not written. 0 without memory. APM vol. 2, 15.25. */
    uint64_t *root = new_table(), *gibs = new_table(), *beyond = new_table();

    bits_of = bits;
    nowhere_table = new_table();
    last_table = new_table();
    if (!last_table)                                    /* it was the last to be asked for */
        return 0;
    fill(nowhere_table, 0, entry_of(nowhere, READ | EXECUTE | bits_of.page));
    fill(last_table, 0, entry_of(nowhere, READ | EXECUTE | bits_of.page));
    fill(beyond, 0, table_at(nowhere_table));
    for (unsigned i = 0; i < GIBS; i++) {
        uint64_t gpa = (uint64_t)i << 30, *directory = beyond;

        if (gpa < m->mem.bytes && !(directory = directory_of(&m->mem, (uint32_t)gpa)))
            return 0;
        gibs[i] = table_at(directory);
    }
    root[0] = table_at(gibs);
    return (uintptr_t)root;
    /* END 7.7: m, bits, new_table, entry_of, fill, table_at, directory_of */
}

/* ---- nowhere ------------------------------------------------------------------------------------- */

bool nowhere_init(void)
{
    nowhere = host_memory(PAGE_BYTES, PAGE_BYTES);
    if (nowhere)
        memset(nowhere, 0xff, PAGE_BYTES);
    return nowhere;
}

uint32_t nowhere_page(void)
{
    return (uint32_t)(uintptr_t)nowhere;
}

/* The table is everywhere: an address stands for all that differ from it by a multiple of 2 MiB. */
static void set_writable(unsigned i, bool writable)
{
    nowhere_table[i] = (nowhere_table[i] & ~(uint64_t)WRITE) | (writable ? WRITE : 0);
    if (i >= last_ram)
        last_table[i] = nowhere_table[i];
}

void nowhere_open(uint32_t gpa)
{
    if (nowhere_table)
        set_writable(gpa / PAGE_BYTES % ENTRIES, true);
    second |= is_open;
    is_open = true;
    opened = gpa;
}

bool nowhere_is_open(void)
{
    return is_open;
}

void nowhere_close(struct machine *m)
{
    if (!is_open)
        return;
    if (nowhere_table && !second)
        set_writable(opened / PAGE_BYTES % ENTRIES, false);
    for (unsigned i = 0; nowhere_table && second && i < ENTRIES; i++)
        set_writable(i, false);
    memset(nowhere, 0xff, PAGE_BYTES);
    is_open = second = false;
    m->hooks.flush_all(m);
}
