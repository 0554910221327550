/* Hypercalls: the hostile guest of tests/unit, whose every choice is the input's. It gets an error that hypercalls.def lists or the
 * effect, and what mmu.h promises is counted anew (pv_audit): no frame has two types, no count of uses is wrong. */
#include <stdlib.h>

#include "../unit/hostile.h"
#include "fuzz.h"

enum { CALLS_MAX = 250, AUDIT_EVERY = 25 };

static struct input in;

static uint32_t word(void) { return take(&in, 4); }
static uint32_t below(uint32_t n) { return take_below(&in, n); }

/* What a VMM keeps until its process ends, and a test too. */
static void tear_down(void)
{
    free(pv.mmu.frame);
    free(pv.direct->shadow.spte);
    free(pv.direct->shadow.brought);
    free(pv.direct->shadow.listed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    in = (struct input){ data, bytes };
    fixture_setup();
    paravirt_setup();
    hostile_start((struct hostile){ word, below });
    for (int i = 1; i <= CALLS_MAX && in.left; i++) {
        hostile_step();
        if (i % AUDIT_EVERY == 0)
            pv_audit("after so many calls");
    }
    pv_audit("at the end");
    tear_down();
    return 0;
}
