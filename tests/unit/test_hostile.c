/* A hostile guest: random hypercalls with random, wild and boundary arguments, and memory touched in between. Whatever it asks,
 * it gets an error or the effect, and what mmu.h promises holds (pv_audit). HOSTILE=N asks N times, SEED=S begins
 * elsewhere; a failure names both. */
#include <stdio.h>
#include <stdlib.h>

#include "hostile.h"

enum { CALLS = 100000, AUDIT_EVERY = 50 };

static uint64_t state;

static uint32_t random_word(void)                       /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1d) >> 32);
}

static uint32_t below(uint32_t n) { return random_word() % n; }

static uint32_t setting(const char *name, uint32_t otherwise)
{
    return getenv(name) ? (uint32_t)strtoul(getenv(name), NULL, 0) : otherwise;
}

START_TEST(hypercalls)
{
    uint32_t calls = setting("HOSTILE", CALLS), seed = setting("SEED", 1), done = 0;
    char when[80];

    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    hostile_start((struct hostile){ random_word, below });
    for (uint32_t i = 0; i < calls; i++) {
        hostile_step();
        if (i % AUDIT_EVERY)
            continue;
        snprintf(when, sizeof when, "SEED=%u HOSTILE=%u", seed, i + 1);
        pv_audit(when);
        for (uint32_t n = 0; n < HOSTILE_TABLES; n++)
            done += pv.mmu.frame[(PV_FREE >> 12) + n].uses && pv.mmu.frame[(PV_FREE >> 12) + n].type != FRAME_WRITABLE;
    }
    if (calls >= CALLS)
        hostile_saw_all_errors();
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
