/* Segments in the LDT, against a modify_ldt that only records: machine/direct/segments.c is compiled once more
 * with syscall replaced by the one below (the Makefile's FAKED_OBJ). `ldt` holds what the processor would see; no
 * byte at or above the ceiling may be within it. Limits: Intel SDM vol. 3A 5.3. */
#include <asm/ldt.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "direct/segments.h"
#include "direct/shadow.h"
#include "fixture.h"

enum { CODE32 = A_CODE | A_FLAT, DATA32 = A_DATA | A_FLAT, DATA16 = A_DATA, DOWN = ATTR_EXPAND_DOWN };

static struct user_desc ldt[512];
static unsigned calls;
static bool refuses, ignores;
static struct segments s;

long fake_syscall(long number, ...)
{
    const struct user_desc *d;
    va_list list;

    va_start(list, number);
    ck_assert_int_eq(number, SYS_modify_ldt);
    ck_assert_int_eq(va_arg(list, int), 0x11);          /* write, in the new format */
    d = va_arg(list, const struct user_desc *);
    ck_assert_uint_eq(va_arg(list, size_t), sizeof *d);
    va_end(list);
    ck_assert_uint_ge(d->entry_number, SEGMENT_FIRST - 2);        /* the monitor's own two are before the slots */
    ck_assert_uint_lt(d->entry_number, 512);
    ck_assert_uint_le(d->limit, 0xfffff);                /* Linux drops the rest */
    calls++;
    if (refuses) {
        errno = EINVAL;
        return -1;
    }
    ldt[d->entry_number] = *d;
    return 0;
}

/* Where Linux itself runs under PVM, modify_ldt succeeds, and no processor loads the table. */
bool fake_world_sees(uint16_t selector) { return !ignores && ldt[selector >> 3].useable; }

static struct segment segment(uint32_t base, uint32_t limit, unsigned attr)
{
    return (struct segment){ .selector = SPARE, .attr = (uint16_t)attr, .base = base, .limit = limit };
}

static uint16_t select_it(struct segment seg, uint32_t ceiling) { return segments_select(&s, &seg, ceiling); }

/* The last valid offset of a segment that grows up, as the processor reads its descriptor. */
static uint32_t limit_of(const struct user_desc *d)
{
    return d->limit_in_pages ? d->limit << 12 | 0xfff : d->limit;
}

/* What becomes of each: `last` 0 means that nothing is reachable. `limit` is the descriptor's. */
static const struct {
    uint32_t base, limit;
    unsigned attr;
    uint32_t ceiling, last, limit_written;
} cut[] = {
    { 0, 0xffffffff, DATA32, WINDOW_END, WINDOW_END - 1, WINDOW_END - 1 },
    { 0, 0xffffffff, CODE32, 0xc0000000, 0xbfffffff, 0xbfffffff },
    { 0x1000, 0x5fff, DATA32, 0xc0000000, 0x5fff, 0x5fff },
    { 0x1000, 0xfffff, A_DATA, 0xc0000000, 0xfffff, 0xfffff },
    { 0xbffff000, 0xfff, DATA32, 0xc0000000, 0xfff, 0xfff },            /* ends just there */
    { 0xbffff000, 0x1000, DATA32, 0xc0000000, 0xfff, 0xfff },
    { 0xbfffffff, 0xffff, DATA16, 0xc0000000, 0, 0 },                   /* one byte */
    { 0x123, 0xffffffff, DATA32, 0xc0000000, 0xbfffefff, 0xbfffefff },  /* rounded down to whole pages */
    { 0xbff00000, 0xffffffff, DATA32, 0xc0000000, 0xfffff, 0xfffff },   /* the byte limit's largest */
    { 0xbfeff000, 0xffffffff, DATA32, 0xc0000000, 0x100fff, 0x100fff },
    { 0xbfeff801, 0xffffffff, DATA32, 0xc0000000, 0xfffff, 0xfffff },
    { 0x100000, 0xfff, DATA16 | DOWN, 0xc0000000, 0xffff, 0xfff },
    { 0xbfff0000, 0xfff, DATA16 | DOWN, 0xc0000000, 0xffff, 0xfff },     /* ends just there */
};

START_TEST(limits)
{
    struct segment seg = segment(cut[_i].base, cut[_i].limit, cut[_i].attr);
    uint16_t selector = select_it(seg, cut[_i].ceiling);
    const struct user_desc *d = &ldt[selector >> 3];

    ck_assert_uint_eq(selector & 7, 7);
    ck_assert_uint_eq(segments_last(&s, selector), cut[_i].last);
    ck_assert_uint_eq(limit_of(d), cut[_i].limit_written);
    ck_assert_uint_eq(d->base_addr, cut[_i].base);
    ck_assert_uint_eq(d->seg_32bit, (cut[_i].attr & ATTR_BIG) != 0);
    ck_assert_uint_eq(d->contents, cut[_i].attr & ATTR_CODE ? 2 : cut[_i].attr & DOWN ? 1 : 0);
    ck_assert_uint_eq(d->read_exec_only, 0);
    ck_assert_uint_eq(d->seg_not_present, 0);
    ck_assert_uint_eq(d->useable, 1);
    ck_assert(!s.refused);
}
END_TEST

/* Segments that cannot be cut: a byte in the page below the hole, which is never mapped. */
static const struct { uint32_t base, limit; unsigned attr; } unreachable[] = {
    { 0xc0000000, 0xffffffff, DATA32 }, { 0xff000000, 0xff, DATA32 }, { 0xc0000000, 0xffff, CODE32 },
    { 0, 0xfff, DATA32 | DOWN },                            /* up to 4 GiB */
    { 0xbfff0001, 0xfff, DATA16 | DOWN }, { 0xc0000000, 0xfff, DATA16 | DOWN },
    { 0xc0010000, 0xfff, DATA16 | DOWN },
};

START_TEST(nothing_is_reachable)
{
    struct segment seg = segment(unreachable[_i].base, unreachable[_i].limit, unreachable[_i].attr);
    uint16_t selector = select_it(seg, 0xc0000000);
    const struct user_desc *d = &ldt[selector >> 3];

    ck_assert_uint_eq(segments_last(&s, selector), 0);
    ck_assert_uint_eq(d->base_addr, WINDOW_END);
    ck_assert_uint_eq(limit_of(d), 0);
    ck_assert_uint_eq(d->contents, unreachable[_i].attr & ATTR_CODE ? 2 : 0);
}
END_TEST

START_TEST(read_only)
{
    uint16_t selector = select_it(segment(0, 0xfff, DATA32 & ~ATTR_WRITABLE), WINDOW_END);

    ck_assert_uint_eq(ldt[selector >> 3].read_exec_only, 1);
}
END_TEST

START_TEST(null_and_absent)
{
    ck_assert_uint_eq(select_it((struct segment){ .selector = 3 }, WINDOW_END), 3);
    ck_assert_uint_eq(select_it((struct segment){ .selector = 0 }, WINDOW_END), 0);
    ck_assert_uint_eq(select_it(segment(0, 0xfff, DATA32 - A_ABSENT), WINDOW_END), 0);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

/* A descriptor is written once for each segment and each ceiling. */
START_TEST(slots_are_used_again)
{
    struct segment data = segment(0, 0xffffffff, DATA32), other;
    uint16_t kernel = select_it(data, WINDOW_END), user = select_it(data, 0xc0000000);

    ck_assert_uint_ne(kernel, user);
    ck_assert_uint_eq(select_it(data, WINDOW_END), kernel);
    ck_assert_uint_eq(select_it(data, 0xc0000000), user);
    ck_assert_uint_eq(calls, 2);
    other = data, other.selector++;
    select_it(other, WINDOW_END);
    other = data, other.base++;
    select_it(other, WINDOW_END);
    other = data, other.limit--;
    select_it(other, WINDOW_END);
    other = data, other.attr ^= ATTR_WRITABLE;
    select_it(other, WINDOW_END);
    ck_assert_uint_eq(calls, 6);
}
END_TEST

START_TEST(longest_unused_goes)
{
    uint16_t first = select_it(segment(0, 0xfff, DATA32), WINDOW_END);
    uint16_t second = select_it(segment(0x1000, 0xfff, DATA32), WINDOW_END), last = 0;

    for (uint32_t i = 2; i < SEGMENT_SLOTS; i++)
        last = select_it(segment(i << 12, 0xfff, DATA32), WINDOW_END);
    ck_assert_uint_eq(select_it(segment(0, 0xfff, DATA32), WINDOW_END), first);
    ck_assert_uint_eq(calls, SEGMENT_SLOTS);
    ck_assert_uint_eq(select_it(segment(0x900000, 0xfff, DATA32), WINDOW_END), second);
    ck_assert_uint_eq(select_it(segment(0, 0xfff, DATA32), WINDOW_END), first);
    ck_assert_uint_eq(select_it(segment((SEGMENT_SLOTS - 1) << 12, 0xfff, DATA32), WINDOW_END), last);
    ck_assert_uint_eq(calls, SEGMENT_SLOTS + 1);
    ck_assert_uint_eq(ldt[second >> 3].base_addr, 0x900000);
}
END_TEST

/* What the guest has in a register that it loaded without a trap. */
START_TEST(found)
{
    uint16_t selector = select_it(segment(0x5000, 0xffffffff, DATA32), 0xc0000000);
    struct segment seg = segments_found(&s, selector);

    ck_assert_uint_eq(seg.selector, SPARE);
    ck_assert_uint_eq(seg.base, 0x5000);
    ck_assert_uint_eq(seg.limit, 0xffffffff);                   /* the guest's, not the truncated one */
    seg = segments_found(&s, 2);
    ck_assert_uint_eq(seg.selector, 2);
    ck_assert_uint_eq(seg.attr & ATTR_PRESENT, 0);
    seg = segments_found(&s, 0x2b);                             /* Linux's user data */
    ck_assert_uint_eq(seg.selector, 0x2b);
    ck_assert_uint_eq(seg.base, 0);
    ck_assert_uint_eq(seg.limit, 0xffffffff);
    ck_assert_uint_eq(seg.attr & (ATTR_PRESENT | ATTR_CODE | ATTR_WRITABLE), ATTR_PRESENT | ATTR_WRITABLE);
    seg = segments_found(&s, selector + 8);                     /* a free slot */
    ck_assert_uint_eq(seg.selector, selector + 8);
    seg = segments_found(&s, selector & ~4);                    /* the same place in Linux's GDT */
    ck_assert_uint_eq(seg.base, 0);
    seg = segments_found(&s, 0x0f);                             /* below all slots */
    ck_assert_uint_eq(seg.selector, 0x0f);
    ck_assert_uint_eq(segments_last(&s, selector), 0xbfffffff - 0x5000);
    ck_assert_uint_eq(segments_last(&s, selector & ~4), 0xffffffff);
    ck_assert_uint_eq(segments_last(&s, 0x2b), 0xffffffff);
    ck_assert_uint_eq(segments_last(&s, 0x0f), 0xffffffff);
}
END_TEST

START_TEST(window_moves)
{
    struct segment data = segment(0x1000, 0xffffffff, DATA32);
    uint16_t selector = select_it(data, WINDOW_END);

    segments_reset(&s, WINDOW_MOVED);
    selector = select_it(data, WINDOW_END);
    ck_assert_uint_eq(calls, 2);
    ck_assert_uint_eq(ldt[selector >> 3].base_addr, WINDOW_MOVED + 0x1000);
    ck_assert_uint_eq(segments_last(&s, selector), WINDOW_END - WINDOW_MOVED - 0x1000 - 1);
}
END_TEST

START_TEST(refusal)
{
    ck_assert_ptr_null(segments_missing());
    ck_assert_uint_eq(ldt[SEGMENT_FIRST].contents, 2);
    ignores = true;
    ck_assert(strstr(segments_missing(), "the processor does not see its segments"));
    ignores = false;
    refuses = true;
    ck_assert(strstr(segments_missing(), "modify_ldt gives no 32-bit code segment"));
    select_it(segment(0, 0xffff, DATA16), WINDOW_END);
    ck_assert(s.refused);
    refuses = false;
    select_it(segment(0, 0xfff, DATA32), WINDOW_END);
    ck_assert(s.refused);                                       /* stays until somebody looks */
}
END_TEST

/* What is found without looking at every slot is as much in use, and is what was asked for. */
START_TEST(hints)
{
    const struct segment one = segment(0, 0xfff, DATA32), code = segment(0, 0xfff, CODE32);
    struct segment other = one;
    uint16_t first = select_it(one, WINDOW_END), second = select_it(code, WINDOW_END), last;

    other.base = 0x1000;                                /* like `one` but for the base */
    for (int i = 0; i < 3; i++) {
        uint16_t selector = select_it(other, WINDOW_END);

        ck_assert_uint_eq(ldt[selector >> 3].base_addr, 0x1000);
        ck_assert_uint_eq(select_it(one, WINDOW_END), first);
    }
    ck_assert_uint_eq(calls, 3);
    for (uint32_t i = 3; i < SEGMENT_SLOTS; i++)        /* of other attributes: the hint of `one` stays */
        select_it(segment(i << 12, 0xfff, CODE32), WINDOW_END);
    ck_assert_uint_eq(select_it(one, WINDOW_END), first);
    last = select_it(segment(0x900000, 0xfff, DATA16), WINDOW_END);
    ck_assert_uint_eq(last, second);
    ck_assert_uint_eq(select_it(one, WINDOW_END), first);
    ck_assert_uint_eq(calls, SEGMENT_SLOTS + 1);
    for (uint32_t i = 0; i < SEGMENT_SLOTS; i++)        /* all others go, and the hint of `one` is wrong */
        select_it(segment(i << 12, 0xfff, CODE32), 0xc0000000);
    last = select_it(one, WINDOW_END);
    ck_assert_uint_eq(calls, 2 * SEGMENT_SLOTS + 2);
    ck_assert_uint_eq(ldt[last >> 3].contents, 0);
    ck_assert_uint_eq(ldt[last >> 3].base_addr, 0);
}
END_TEST

/* Who keeps selectors must hear of it when one gets another meaning. */
START_TEST(rewritten)
{
    const struct segment data = segment(0, 0xffffffff, DATA32);
    unsigned before;

    ck_assert_uint_eq(s.rewritten, 0);
    select_it(data, WINDOW_END);
    ck_assert_uint_eq(s.rewritten, 1);
    select_it(data, WINDOW_END);
    select_it((struct segment){ .selector = 3 }, WINDOW_END);
    ck_assert_uint_eq(s.rewritten, 1);
    select_it(data, 0xc0000000);
    ck_assert_uint_eq(s.rewritten, 2);
    before = s.rewritten;
    segments_reset(&s, WINDOW_MOVED);
    ck_assert_uint_ne(s.rewritten, before);
}
END_TEST

START_TEST(monitor)
{
    const struct user_desc *code = &ldt[SEGMENT_MONITOR_CODE >> 3], *data = &ldt[SEGMENT_MONITOR_DATA >> 3];

    ck_assert(segments_monitor());
    ck_assert_uint_eq(calls, 2);
    for (int i = 0; i < 2; i++) {
        const struct user_desc *d = i ? data : code;

        ck_assert_uint_eq(d->base_addr, 0);
        ck_assert_uint_eq(limit_of(d), 0xffffffff);
        ck_assert(d->seg_32bit && d->useable && !d->seg_not_present && !d->read_exec_only);
    }
    ck_assert_uint_eq(code->contents, 2);
    ck_assert_uint_eq(data->contents, 0);
    ck_assert_uint_eq(SEGMENT_MONITOR_CODE & 7, 7);
    ck_assert_uint_eq(SEGMENT_MONITOR_DATA & 7, 7);
    for (uint32_t i = 0; i <= SEGMENT_SLOTS; i++)       /* no slot is theirs */
        select_it(segment(i << 12, 0xfff, DATA32), WINDOW_END);
    ck_assert_uint_eq(limit_of(code), 0xffffffff);
    ck_assert_uint_eq(limit_of(data), 0xffffffff);
    ck_assert_uint_eq(segments_found(&s, SEGMENT_MONITOR_DATA).selector, SEGMENT_MONITOR_DATA);
    ck_assert_uint_eq(segments_last(&s, SEGMENT_MONITOR_DATA), 0xffffffff);
    refuses = true;
    ck_assert(!segments_monitor());
}
END_TEST

Suite *suite_segments(void)
{
    Suite *suite = suite_create("segments");
    TCase *t = fixture_case(suite, "truncation");

    tcase_add_loop_test(t, limits, 0, COUNT_OF(cut));
    tcase_add_loop_test(t, nothing_is_reachable, 0, COUNT_OF(unreachable));
    tcase_add_test(t, read_only);
    tcase_add_test(t, null_and_absent);
    t = fixture_case(suite, "slots");
    tcase_add_test(t, slots_are_used_again);
    tcase_add_test(t, longest_unused_goes);
    tcase_add_test(t, hints);
    tcase_add_test(t, rewritten);
    tcase_add_test(t, found);
    tcase_add_test(t, window_moves);
    tcase_add_test(t, refusal);
    tcase_add_test(t, monitor);
    return suite;
}
