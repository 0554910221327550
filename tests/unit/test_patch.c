/* Patching in place (patch.c): which stretch of a page becomes a jump, what becomes INT3, and how the guest's own bytes
 * come back. In place of the translator and the cache are the functions below, which do nothing but keep what they
 * were asked. Read next: test_look.c, which needs them too. */
#include "test_patch.h"

#include <string.h>

#include "../../binary-translation/patch.h"
#include "../../binary-translation/sweep.h"
#include "../../binary-translation/translate.h"

enum { HOST = 0xfd000000, BLOCK_BYTES = 0x100 };

struct cache cache;
bool checked;
unsigned seals;

static struct patches p;
static struct shadow shadow;
static struct block block[64];
static struct point point[8];
static uint8_t sealed[RAM_BYTES >> 12], clean[RAM_BYTES >> 12], sensitive[RAM_BYTES >> 12];
static struct { uint32_t eip; unsigned bytes; } asked;          /* of translate_stretch() */
static bool refuses, full;
static unsigned flushes;

struct block *translate_stretch(struct cache *c, int context, uint32_t eip, unsigned bytes)
{
    struct block *b = &c->block[c->blocks];

    (void)context;
    asked.eip = eip, asked.bytes = bytes;
    if (refuses)
        return NULL;
    *b = (struct block){ .eip = eip, .landing = HOST + (uint32_t)c->blocks * BLOCK_BYTES };
    b->entry = b->landing + 4;
    c->blocks++;
    return b;
}

bool translate_has_room(const struct cache *c)
{
    (void)c;
    return !full;
}

void cache_flush(struct cache *c)
{
    flushes++;
    c->flushing(c);
    c->blocks = 0;
    full = false;
}

bool cache_is_checked(const struct cache *c, uint32_t gla)
{
    (void)c, (void)gla;
    return checked;
}

void cache_seal(struct cache *c, uint32_t frame, unsigned why)
{
    c->m->mem.sealed[frame >> 12] |= (uint8_t)why;
    seals++;
}

static void undo_all(struct cache *c)
{
    (void)c;
    patch_undo_all(&p);
}

void cache_stand_in(void)
{
    memset(sealed, 0, sizeof sealed);
    memset(clean, 0, sizeof clean);
    memset(sensitive, 0, sizeof sensitive);
    pc.mem.sealed = sealed;
    shadow = (struct shadow){ .m = &pc };
    cache.m = &pc, cache.shadow = &shadow, cache.block = block, cache.point = point, cache.clean = clean;
    cache.sensitive = sensitive, cache.flushing = undo_all, cache.blocks = 0;
    checked = refuses = full = false;
    seals = flushes = 0;
}

void put_code(uint32_t gpa, const void *bytes, size_t n) { memcpy(pc.mem.ram + gpa, bytes, n); }

static void start(void)
{
    cache_stand_in();
    memset(pc.mem.ram + CODE_AT, 0xff, PAGE_BYTES);     /* no instructions */
    memset(&p, 0, sizeof p);
    patch_init(&p, &cache);
}

static void patch_page(const void *bytes, size_t n)
{
    put_code(CODE_AT, bytes, n);
    patch_look_at(&p, CODE_AT, 0);
}

/* What stands at CODE_AT + `at`; of a jump: to the block's entry, and INT3 behind it. */
static void expect_jump(int number, unsigned at, unsigned length)
{
    const uint8_t *ram = pc.mem.ram + CODE_AT + at;
    uint32_t relative;

    ck_assert_int_lt(number, p.count);
    ck_assert(!p.patch[number].trap);
    ck_assert_uint_eq(p.patch[number].eip, CODE_AT + at);
    ck_assert_uint_eq(p.patch[number].length, length);
    ck_assert_uint_eq(ram[0], 0xe9);
    memcpy(&relative, ram + 1, 4);
    ck_assert_uint_eq(CODE_AT + at + 5 + relative, cache.block[p.patch[number].block].entry);
    ck_assert_uint_eq(cache.block[p.patch[number].block].eip, CODE_AT + at);
    for (unsigned i = 5; i < length; i++)
        ck_assert_uint_eq(ram[i], 0xcc);
}

static void expect_trap(int number, unsigned at, enum isa isa)
{
    ck_assert_int_lt(number, p.count);
    ck_assert(p.patch[number].trap);
    ck_assert_uint_eq(p.patch[number].eip, CODE_AT + at);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT + at], 0xcc);
    ck_assert_int_eq(p.patch[number].insn.isa, isa);
    ck_assert_uint_eq(p.patch[number].length, p.patch[number].insn.length);
}

/* ---- which stretch ------------------------------------------------------------------------------- */

/* One sensitive instruction in each; `length` 0: INT3 at `at`. */
static const struct { const char *what, *code; size_t n; unsigned at, length; } stretches[] = {
    { "cli; mov eax, [x]: with what follows", BYTES("\xfa\xa1\x00\x00\x02\x00\x40\xc3"), 0, 6 },
    { "cli; 2 mov; inc: no more than needed", BYTES("\xfa\x89\xd8\x89\xd8\x40\xc3"), 0, 5 },
    { "2 mov; cli; ret: with what is before", BYTES("\x89\xd8\x89\xd8\xfa\xc3"), 0, 5 },
    { "inc; 2 mov; cli; ret: no more than needed", BYTES("\x40\x89\xd8\x89\xd8\xfa\xc3"), 1, 5 },
    { "mov; cli; mov; ret: with both", BYTES("\x89\xd8\xfa\x89\xd8\xc3"), 0, 5 },
    { "lgdt [x]: long enough itself", BYTES("\x0f\x01\x15\x00\x00\x02\x00\xc3"), 0, 7 },
    { "mov eax, gs:[x]: not sensitive, but not with our GS", BYTES("\x65\xa1\x00\x00\x02\x00\xc3"), 0, 6 },
    { "mov fs:[x], ecx", BYTES("\x64\x89\x0d\x00\x00\x02\x00\xc3"), 0, 7 },
    { "cli; ret: no room", BYTES("\xfa\xc3"), 0, 0 },
    { "inc; cli; ret: no room", BYTES("\x40\xfa\xc3"), 1, 0 },
    { "cli; mov; je: branches do not join", BYTES("\xfa\x89\xd8\x74\x00\xc3"), 0, 0 },
    { "cli; nop: padding does not join", BYTES("\xfa\x90\x90\x90\x90\x90\xc3"), 0, 0 },
    { "nop; cli; ret: nor before", BYTES("\x90\x90\x90\x90\x90\xfa\xc3"), 5, 0 },
    { "ret 4; cli; ret: what is before a return does not lead here", BYTES("\x89\xd8\xc2\x04\x00\xfa\xc3"), 5, 0 },
    { "cli; popcnt: not known, does not join", BYTES("\xfa\xf3\x0f\xb8\xc1\x89\xd8\xc3"), 0, 0 },
    { "cli; ud2; mov; mov: what follows is another's", BYTES("\xfa\x0f\x0b\x89\xd8\x89\xd8\xc3"), 0, 0 },
    { "iret; mov; mov: what follows is another's", BYTES("\xcf\x89\xd8\x89\xd8\xc3"), 0, 0 },
    { "cli, a loop's begin: the branch leads to the stretch's", BYTES("\xfa\x89\xd8\x89\xd8\x75\xf9\xc3"), 0, 5 },
    { "a branch leads to the mov after cli", BYTES("\xfa\x89\xd8\x89\xd8\x75\xfa\xc3"), 0, 0 },
    { "a branch leads to the second mov after cli", BYTES("\xfa\x89\xd8\x89\xd8\x75\xfc\xc3"), 0, 0 },
    { "a branch leads to cli, after two mov", BYTES("\x89\xd8\x89\xd8\xfa\x75\xfd\xc3"), 4, 0 },
    { "a branch leads to the mov before cli", BYTES("\x89\xd8\x89\xd8\xfa\x75\xfb\xc3"), 4, 0 },
    { "a branch from before leads to the mov after cli", BYTES("\x74\x01\xfa\x89\xd8\x89\xd8\xc3"), 2, 0 },
};

START_TEST(stretch)
{
    unsigned at = stretches[_i].at, length = stretches[_i].length;
    uint8_t expected[64];

    patch_page(stretches[_i].code, stretches[_i].n);
    ck_assert_msg(p.count == 1, "%s: %d patches", stretches[_i].what, p.count);
    ck_assert_msg(p.patch[0].trap == !length, "%s: trap %d", stretches[_i].what, p.patch[0].trap);
    ck_assert_msg(p.patch[0].eip == CODE_AT + at, "%s: at %u", stretches[_i].what, p.patch[0].eip - CODE_AT);
    if (length) {
        expect_jump(0, at, length);
        ck_assert_uint_eq(asked.eip, CODE_AT + at);
        ck_assert_uint_eq(asked.bytes, length);
    } else {
        expect_trap(0, at, p.patch[0].insn.isa);
        length = 1;
    }
    memcpy(expected, stretches[_i].code, stretches[_i].n);       /* all else stays */
    memcpy(expected + at, pc.mem.ram + CODE_AT + at, length);
    ck_assert_mem_eq(pc.mem.ram + CODE_AT, expected, stretches[_i].n);
}
END_TEST

/* Sensitive instructions side by side share a patch; a second patch does not reach into the first. */
START_TEST(several)
{
    patch_page(BYTES("\xfa\x0f\x00\xc0\xfb\x89\xd8\xc3"));      /* cli; sldt eax; sti */
    ck_assert_int_eq(p.count, 1);
    expect_jump(0, 0, 5);
    start();
    patch_page(BYTES("\xfa\xa1\x00\x00\x02\x00\xfb\xc3"));      /* cli; mov eax, [x]; sti; ret */
    ck_assert_int_eq(p.count, 2);
    expect_jump(0, 0, 6);
    expect_trap(1, 6, ISA_STI);
    start();
    patch_page(BYTES("\xfa\xc3\x89\xd8\x89\xd8\xfb\xc3"));
    ck_assert_int_eq(p.count, 2);
    expect_trap(0, 0, ISA_CLI);
    expect_jump(1, 2, 5);
}
END_TEST

START_TEST(end_of_page)
{
    put_code(CODE_AT + PAGE_BYTES - 3, BYTES("\x89\xd8\xfa"));
    put_code(CODE_AT + PAGE_BYTES, BYTES("\x89\xd8\xc3"));
    patch_look_at(&p, CODE_AT + PAGE_BYTES - 3, 0);
    ck_assert_int_eq(p.count, 1);
    expect_trap(0, PAGE_BYTES - 1, ISA_CLI);
    start();
    put_code(CODE_AT + PAGE_BYTES - 5, BYTES("\x89\xd8\x89\xd8\xfa"));
    patch_look_at(&p, CODE_AT + PAGE_BYTES - 5, 0);
    expect_jump(0, PAGE_BYTES - 5, 5);
}
END_TEST

START_TEST(not_translated)
{
    refuses = true;
    patch_page(BYTES("\xfa\xa1\x00\x00\x02\x00\xc3"));
    ck_assert_uint_eq(asked.bytes, 6);
    ck_assert_int_eq(p.count, 1);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT], 0xcc);
    ck_assert(p.patch[0].trap);
    ck_assert_int_eq(p.patch[0].block, NONE);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT + 1], 0xa1);
}
END_TEST

/* Often written to: it runs as it is, unsealed. Without memory: the fetch will fault. */
START_TEST(not_patched)
{
    checked = true;
    patch_page(BYTES("\xfa\xc3"));
    ck_assert_int_eq(p.count, 0);
    ck_assert_uint_eq(seals, 0);
    ck_assert(clean[CODE_AT >> 12]);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT], 0xfa);
    checked = false;
    patch_look_at(&p, RAM_BYTES + 5, 0);
    paging_on();
    set_pte(CODE_AT, 0);
    patch_look_at(&p, CODE_AT, 0);
    ck_assert_int_eq(p.count, 0);
    ck_assert_uint_eq(seals, 0);
}
END_TEST

/* ---- finding them again -------------------------------------------------------------------------- */

START_TEST(found)
{
    patch_page(BYTES("\xfa\xa1\x00\x00\x02\x00\x40\xc3"));
    ck_assert(clean[CODE_AT >> 12]);
    ck_assert_uint_eq(sealed[CODE_AT >> 12], SEALED_SEEN);
    ck_assert_ptr_null(patch_at(&p, CODE_AT - 1));
    for (uint32_t at = 0; at < 6; at++)
        ck_assert_ptr_eq(patch_at(&p, CODE_AT + at), &p.patch[0]);
    ck_assert_ptr_null(patch_at(&p, CODE_AT + 6));
}
END_TEST

/* To go on within a stretch is to go on in its block, where the guest's state is its own. */
START_TEST(entries)
{
    patch_page(BYTES("\xfa\xa1\x00\x00\x02\x00\x40\xc3\xe6\x20\xc3"));         /* ... out 0x20, al */
    block[0].points = 2, block[0].points_count = 3;
    point[2] = (struct point){ .host = 4, .eip = CODE_AT };
    point[3] = (struct point){ .host = 9, .eip = CODE_AT + 1, .state = POINT_EAX };
    point[4] = (struct point){ .host = 20, .eip = CODE_AT + 1, .state = POINT_STI };
    ck_assert_uint_eq(patch_entry(&p, CODE_AT), CODE_AT);
    ck_assert_uint_eq(patch_entry(&p, CODE_AT + 1), HOST + 20);
    ck_assert_uint_eq(patch_entry(&p, CODE_AT + 2), CODE_AT + 2);
    ck_assert_uint_eq(patch_entry(&p, CODE_AT + 6), CODE_AT + 6);
    point[4].esp = 4;
    ck_assert_uint_eq(patch_entry(&p, CODE_AT + 1), CODE_AT + 1);
    ck_assert(patch_at(&p, CODE_AT + 9)->trap);
    ck_assert_uint_eq(patch_entry(&p, CODE_AT + 9), CODE_AT + 9);
}
END_TEST

/* A jump into a stretch: the page is unpatched, and patched otherwise when it is looked at again. */
START_TEST(learns)
{
    static const uint8_t code[] = { 0xfa, 0xa1, 0, 0, 2, 0, 0x40, 0xc3 };

    patch_page(code, sizeof code);
    patch_learn(&p, CODE_AT);
    patch_learn(&p, CODE_AT + 6);
    ck_assert_int_eq(p.count, 1);
    patch_learn(&p, CODE_AT + 1);
    ck_assert_int_eq(p.count, 0);
    ck_assert_mem_eq(pc.mem.ram + CODE_AT, code, sizeof code);
    patch_look_at(&p, CODE_AT, 0);
    expect_trap(0, 0, ISA_CLI);
    for (int i = 0; i < 3; i++)
        patch_learn(&p, CODE_AT + 1);
    ck_assert_int_eq(p.targets, 3);
}
END_TEST

/* A branch in one page that leads into a stretch of another. */
START_TEST(branch_from_another_page)
{
    patch_page(BYTES("\xfa\xa1\x00\x00\x02\x00\x40\xc3"));
    put_code(CODE_AT + PAGE_BYTES, BYTES("\xe9\xfc\xef\xff\xff"));      /* jmp CODE_AT + 1 */
    patch_look_at(&p, CODE_AT + PAGE_BYTES, 0);
    ck_assert_int_eq(p.count, 0);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT], 0xfa);
    ck_assert(!clean[CODE_AT >> 12]);
}
END_TEST

/* ---- undoing them -------------------------------------------------------------------------------- */

START_TEST(undone)
{
    static const uint8_t code[] = { 0xfa, 0xa1, 0, 0, 2, 0, 0x40, 0xc3, 0xfb, 0xc3 };

    patch_page(code, sizeof code);
    put_code(CODE_AT + PAGE_BYTES, BYTES("\xf4\xc3"));
    patch_look_at(&p, CODE_AT + PAGE_BYTES, 0);
    ck_assert_int_eq(p.count, 3);
    sealed[CODE_AT >> 12] |= SEALED_CODE;
    patch_undo(&p, CODE_AT + 0x123);
    ck_assert_int_eq(p.count, 1);
    ck_assert_mem_eq(pc.mem.ram + CODE_AT, code, sizeof code);
    ck_assert(!clean[CODE_AT >> 12]);
    ck_assert_uint_eq(sealed[CODE_AT >> 12], SEALED_CODE);
    ck_assert(clean[(CODE_AT + PAGE_BYTES) >> 12]);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT + PAGE_BYTES], 0xcc);
    patch_undo_all(&p);
    ck_assert_int_eq(p.count, 0);
    ck_assert_int_eq(p.context, NONE);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT + PAGE_BYTES], 0xf4);
}
END_TEST

/* What the guest has written over a patch is not overwritten with what was there before. */
START_TEST(undone_after_a_write)
{
    patch_page(BYTES("\xfa\xa1\x00\x00\x02\x00\x40\xc3"));
    pc.mem.ram[CODE_AT + 5] = 0x12;
    patch_undo(&p, CODE_AT);
    ck_assert_mem_eq(pc.mem.ram + CODE_AT, "\xfa\xa1\x00\x00\x02\x12\x40\xc3", 8);
}
END_TEST

START_TEST(another_context)
{
    patch_page(BYTES("\xfa\xc3"));
    put_code(CODE_AT + PAGE_BYTES, BYTES("\xf4\xc3"));
    patch_look_at(&p, CODE_AT + PAGE_BYTES, 1);
    ck_assert_uint_eq(pc.mem.ram[CODE_AT], 0xfa);
    ck_assert_int_eq(p.count, 1);
    ck_assert_int_eq(p.context, 1);
}
END_TEST

/* A cache that is full of the code of patches that were undone is emptied; one that is full of others' is not. */
START_TEST(room_is_made)
{
    static const uint8_t code[] = { 0xfa, 0xa1, 0, 0, 2, 0, 0x40, 0xc3 };

    patch_page(code, sizeof code);
    full = true;
    put_code(CODE_AT + PAGE_BYTES, code, sizeof code);
    patch_look_at(&p, CODE_AT + PAGE_BYTES, 0);
    ck_assert_uint_eq(flushes, 0);
    ck_assert_int_eq(p.count, 2);
    patch_look_at(&p, CODE_AT, 0);
    ck_assert_uint_eq(flushes, 1);
    ck_assert_int_eq(p.count, 1);
    ck_assert_int_eq(p.context, 0);
    expect_jump(0, 0, 6);
    ck_assert_mem_eq(pc.mem.ram + CODE_AT + PAGE_BYTES, code, sizeof code);
}
END_TEST

Suite *suite_patch(void);
Suite *suite_patch(void)
{
    Suite *suite = suite_create("patch");
    TCase *t = fixture_case(suite, "patch");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, stretch, 0, COUNT_OF(stretches));
    tcase_add_test(t, several);
    tcase_add_test(t, end_of_page);
    tcase_add_test(t, not_translated);
    tcase_add_test(t, not_patched);
    tcase_add_test(t, found);
    tcase_add_test(t, entries);
    tcase_add_test(t, learns);
    tcase_add_test(t, branch_from_another_page);
    tcase_add_test(t, undone);
    tcase_add_test(t, undone_after_a_write);
    tcase_add_test(t, another_context);
    tcase_add_test(t, room_is_made);
    return suite;
}
