/* Control registers, debug registers, MSRs: which values are valid, what sticks. Intel SDM vol. 3A 2.5, vol. 3B
 * 17.2, vol. 2B MOV CR/DR, vol. 4 table 2-2. */
#include "control.h"
#include "fixture.h"
#include "status.h"

/* ---- CRn ----------------------------------------------------------------------------------------- */

static const struct { unsigned reg; uint32_t write; int vector; uint32_t read; } controls[] = {
    { 0, CR0_PE | CR0_ET, NO_FAULT, CR0_PE | CR0_ET },
    { 0, CR0_PE, NO_FAULT, CR0_PE | CR0_ET },                   /* ET is fixed at 1 */
    { 0, CR0_PE | 0x0007ffc0, NO_FAULT, CR0_PE | CR0_ET | CR0_WP | CR0_AM },    /* reserved bits do not stick */
    { 0, CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE, NO_FAULT, 0x3f },
    { 0, CR0_PE | CR0_PG, NO_FAULT, CR0_PE | CR0_ET | CR0_PG },
    { 0, CR0_PE | CR0_CD, NO_FAULT, CR0_PE | CR0_ET | CR0_CD },
    { 0, CR0_PE | CR0_CD | CR0_NW, NO_FAULT, CR0_PE | CR0_ET | CR0_CD | CR0_NW },
    { 0, CR0_PE | CR0_NW, VEC_GP, 0 },
    { 0, CR0_PG, VEC_GP, 0 },
    { 2, 0xdeadbeef, NO_FAULT, 0xdeadbeef },
    { 3, 0x00123000, NO_FAULT, 0x00123000 },
    { 3, 0x00123018, NO_FAULT, 0x00123018 },                    /* PWT, PCD */
    { 4, 0, NO_FAULT, 0 },
    { 4, CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE, NO_FAULT, CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE },
    { 4, CR4_OSFXSR | CR4_OSXMMEXCPT, NO_FAULT, CR4_OSFXSR | CR4_OSXMMEXCPT },
    { 4, 1 << 5, VEC_GP, 0 },                                   /* PAE: not in this processor's CPUID */
    { 4, 1 << 11, VEC_GP, 0 },                                  /* UMIP: likewise */
    { 4, 1 << 13, VEC_GP, 0 },
    { 4, 0x80000000, VEC_GP, 0 },
    { 1, 0, VEC_UD, 0 }, { 5, 0, VEC_UD, 0 }, { 7, 0, VEC_UD, 0 }, { 8, 0, VEC_UD, 0 },
};

START_TEST(control)
{
    uint32_t value = 0x5a5a5a5a, before[4] = { pc.cpu.cr0, pc.cpu.cr2, pc.cpu.cr3, pc.cpu.cr4 };
    unsigned reg = controls[_i].reg;

    if (controls[_i].vector != NO_FAULT) {
        expect_fault(control_write(&pc, reg, controls[_i].write), (unsigned)controls[_i].vector,
                     controls[_i].vector == VEC_GP ? 0 : NO_ERROR, "write");
        ck_assert_uint_eq(pc.cpu.cr0, before[0]);
        ck_assert_uint_eq(pc.cpu.cr4, before[3]);
        if (controls[_i].vector == VEC_UD)
            expect_fault(control_read(&pc, reg, &value), VEC_UD, NO_ERROR, "read");
        return;
    }
    ck_assert(control_write(&pc, reg, controls[_i].write));
    ck_assert(control_read(&pc, reg, &value));
    ck_assert_uint_eq(value, controls[_i].read);
}
END_TEST

START_TEST(real_mode)
{
    ck_assert(!control_write(&pc, 0, CR0_ET));
    ck_assert(pc.stopped);
    ck_assert_int_eq(pc.status, EXIT_CRASH);
    ck_assert_uint_eq(pc.cpu.cr0, CR0_PE | CR0_ET);
}
END_TEST

/* What must flush translations, and what need not. */
static unsigned flushed_all, loaded_cr3;
static void note_all(struct machine *m) { (void)m; flushed_all++; }
static void note_cr3(struct machine *m) { (void)m; loaded_cr3++; }

static const struct { unsigned reg; uint32_t write; unsigned all, cr3; } flushes[] = {
    { 0, CR0_PE | CR0_ET, 0, 0 }, { 0, CR0_PE | CR0_TS, 0, 0 },
    { 0, CR0_PE | CR0_PG, 1, 0 }, { 0, CR0_PE | CR0_WP, 1, 0 },
    { 2, 1, 0, 0 }, { 3, 0, 0, 1 }, { 3, 0x1000, 0, 1 },
    { 4, CR4_PGE, 1, 0 }, { 4, CR4_PSE, 1, 0 }, { 4, CR4_TSD, 0, 0 },
};

START_TEST(flushing)
{
    pc.hooks.flush_all = note_all;
    pc.hooks.load_cr3 = note_cr3;
    flushed_all = loaded_cr3 = 0;
    ck_assert(control_write(&pc, flushes[_i].reg, flushes[_i].write));
    ck_assert_uint_eq(flushed_all, flushes[_i].all);
    ck_assert_uint_eq(loaded_cr3, flushes[_i].cr3);
}
END_TEST

/* ---- DRn ----------------------------------------------------------------------------------------- */

static const struct { unsigned reg; uint32_t cr4, write; int vector; uint32_t read; } debugs[] = {
    { 0, 0, 0x12345678, NO_FAULT, 0x12345678 },
    { 3, 0, 0xffffffff, NO_FAULT, 0xffffffff },
    { 6, 0, 0, NO_FAULT, 0xffff0ff0 },
    { 6, 0, 0xffffffff, NO_FAULT, 0xffffefff },
    { 7, 0, 0, NO_FAULT, 0x400 },
    { 7, 0, 0xffffffff, NO_FAULT, 0xffff27ff },         /* bits 11, 12, 14, 15 are reserved */
    { 4, 0, 0, NO_FAULT, 0xffff0ff0 },
    { 5, 0, 0x2, NO_FAULT, 0x402 },
    { 4, CR4_DE, 0, VEC_UD, 0 },
    { 5, CR4_DE, 0, VEC_UD, 0 },
    { 6, CR4_DE, 0, NO_FAULT, 0xffff0ff0 },
};

START_TEST(debug)
{
    uint32_t value = 0x5a5a5a5a;

    pc.cpu.cr4 = debugs[_i].cr4;
    if (debugs[_i].vector != NO_FAULT) {
        expect_fault(debug_write(&pc, debugs[_i].reg, debugs[_i].write), VEC_UD, NO_ERROR, "write");
        expect_fault(debug_read(&pc, debugs[_i].reg, &value), VEC_UD, NO_ERROR, "read");
        return;
    }
    ck_assert(debug_write(&pc, debugs[_i].reg, debugs[_i].write));
    ck_assert(debug_read(&pc, debugs[_i].reg, &value));
    ck_assert_uint_eq(value, debugs[_i].read);
    if (debugs[_i].reg == 4 || debugs[_i].reg == 5) {           /* other names of DR6 and DR7 */
        ck_assert(debug_read(&pc, debugs[_i].reg + 2, &value));
        ck_assert_uint_eq(value, debugs[_i].read);
    }
}
END_TEST

/* ---- MSRs ---------------------------------------------------------------------------------------- */

static const struct { uint32_t index; uint64_t write, read; } msrs[] = {
    { 0x1b, 0xfee00900, 0xfee00900 },
    { 0x174, 0x08, 0x08 }, { 0x175, 0x12345678, 0x12345678 }, { 0x176, 0xc0001000, 0xc0001000 },
    { 0x277, 0x0007040600070406, 0x0007040600070406 },
};

START_TEST(msr)
{
    uint64_t value = 0;

    ck_assert(msr_write(&pc, msrs[_i].index, msrs[_i].write));
    ck_assert(msr_read(&pc, msrs[_i].index, &value));
    ck_assert_uint_eq(value, msrs[_i].read);
}
END_TEST

START_TEST(msr_others)
{
    static const uint32_t unknown[] = { 0, 0x11, 0x173, 0x177, 0xc0000080, 0xffffffff };
    uint64_t a = 0, b = 0;

    for (int i = 0; i < COUNT_OF(unknown); i++) {
        expect_fault(msr_read(&pc, unknown[i], &a), VEC_GP, 0, "rdmsr");
        expect_fault(msr_write(&pc, unknown[i], 0), VEC_GP, 0, "wrmsr");
    }
    ck_assert(msr_read(&pc, 0x10, &a) && msr_read(&pc, 0x10, &b));      /* the time-stamp counter runs */
    ck_assert(b > a);
}
END_TEST

Suite *suite_control(void)
{
    Suite *s = suite_create("control");
    TCase *t = fixture_case(s, "registers");

    tcase_add_loop_test(t, control, 0, COUNT_OF(controls));
    tcase_add_test(t, real_mode);
    tcase_add_loop_test(t, flushing, 0, COUNT_OF(flushes));
    tcase_add_loop_test(t, debug, 0, COUNT_OF(debugs));
    tcase_add_loop_test(t, msr, 0, COUNT_OF(msrs));
    tcase_add_test(t, msr_others);
    return s;
}
