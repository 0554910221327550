/* Streams as a table for guest.asm, which runs them on QEMU and under the VMMs. Only such streams are written
 * as mean the same on both: what QEMU leaves out (segment limits and types, null selectors, bits 19:16 of LAR, the
 * upper half of a pushed selector, #AC) and what the manual leaves undefined is not in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

/* The table, in 32-bit words, little-endian; guest.asm has the same numbers.
 *
 *   number of streams; the tables' pages, HANDLERS included; data and stack; then, for each stream:
 *   bytes of this record, EIP, EFLAGS, 1 if user, CR0, eight registers, RAM_BYTES / 4096 entries of the page table,
 *   offset of the code in its pages, bytes of it, the stream's number, when the timer comes, the code */
enum { TIMER_CLOCKS = 250 };                /* of the 8254, at most: 0.2 ms */
enum {
    TABLES_BYTES = HANDLERS + PAGE_BYTES - GDT, MEMORY_BYTES = STACK + STACK_BYTES - DATA,
    PAGES = RAM_BYTES / PAGE_BYTES,
};

struct record {
    uint32_t bytes, eip, eflags, user, cr0, gpr[8], page[PAGES], offset, length, number, timer;
};

/* `trapping`: it is for trap-emulate. */
static bool is_wanted(const struct stream *s, bool trapping)
{
    const struct piece *last = &s->piece[s->pieces - 1];

    return ways_kept_to(s->piece[0].offset, last->offset + last->length) && ways_ends_alike() &&
           (!trapping || ways_traps());
}

static void write_stream(FILE *f, const struct stream *s, const struct image *i)
{
    const struct piece *last = &s->piece[s->pieces - 1];
    struct record r = {
        .eip = i->cpu.eip, .eflags = i->cpu.eflags, .user = s->user, .cr0 = i->cpu.cr0, .offset = s->begin,
        .length = (last->offset + last->length - s->piece[0].offset + 3) & ~3u, .number = s->number,
        .timer = 1 + (uint32_t)(s->seed + s->number * 7) % TIMER_CLOCKS,
    };

    r.bytes = (uint32_t)sizeof r + r.length;
    memcpy(r.gpr, i->cpu.gpr, sizeof r.gpr);
    memcpy(r.page, i->ram + PAGE_TABLE, sizeof r.page);
    fwrite(&r, sizeof r, 1, f);
    fwrite(i->ram + CODE + s->begin, 1, r.length, f);
}

/* The pieces that are dropped, "3,17,18". */
static void drop(struct stream *s, const char *list)
{
    for (char *next; *list; list = *next ? next + 1 : next) {
        unsigned long k = strtoul(list, &next, 10);

        if (next == list)
            return;
        if (k < (unsigned long)s->pieces)
            s->piece[k].dropped = true;
    }
}

/* Is k in "7,0x2a"? Without a list it is. */
static bool is_listed(const char *list, unsigned k)
{
    for (char *next; list && *list; list = *next ? next + 1 : next)
        if (strtoul(list, &next, 0) == k)
            return true;
    return !list;
}

/* The last of the list; without one there is no end to streams. */
static unsigned last_listed(const char *list)
{
    const char *comma = list ? strrchr(list, ',') : NULL;

    return list ? (unsigned)strtoul(comma ? comma + 1 : list, NULL, 0) : UINT32_MAX;
}

bool write_streams(const char *path, const struct selection *which, struct stream *s)
{
    static struct image image;
    FILE *f = fopen(path, "wb");
    uint32_t written = 0;
    unsigned last = which->drop ? which->first : last_listed(which->only);

    if (!f)
        return false;
    fwrite(&written, sizeof written, 1, f);
    for (unsigned k = which->first; written < which->streams && k <= last; k++) {
        struct rng r = { k };

        stream_generate(s, which->seed, k, true);
        drop(s, which->drop ? which->drop : "");
        image_make(&image, s);
        if (k == which->first) {
            fwrite(image.ram + GDT, 1, TABLES_BYTES, f);
            fwrite(image.ram + DATA, 1, MEMORY_BYTES, f);
        }
        if (is_listed(which->only, k) && ways_reference(&image, &r) && is_wanted(s, which->trapping)) {
            write_stream(f, s, &image);
            written++;
        }
    }
    rewind(f);
    fwrite(&written, sizeof written, 1, f);
    return fclose(f) == 0;
}
