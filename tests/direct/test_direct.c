/* Direct execution, from the outside: small pieces of guest code, run on the real processor, and what the vcpu
 * holds afterwards. Every test runs in a process of its own, as Check does, for there is one guest per process.
 * Where the host has no modify_ldt, all are skipped, and the runner says so. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "direct/direct.h"
#include "emulate.h"
#include "event.h"
#include "machine.h"
#include "status.h"

enum { RAM = 16 << 20, CODE = 0x100000, GDT = 0x8000 + 0x10000, IDT = 0x19000, TSS = 0x1a000, STACK = 0x300000 };
enum { PGDIR = 0x20000, USER_TABLE = 0x21000, KERNEL_TABLE = 0x22000, HIGH_TABLE = 0x23000 };
enum { KERNEL_BASE = 0xc0000000u };

#define SNIPPET(name) extern const uint8_t snippet_##name[], snippet_##name##_end[]
#define RUN(name) run_guest(snippet_##name, snippet_##name##_end)
SNIPPET(registers); SNIPPET(int80); SNIPPET(spin); SNIPPET(nowhere); SNIPPET(beyond_ram); SNIPPET(escape);
SNIPPET(sysenter); SNIPPET(low_page); SNIPPET(unaligned); SNIPPET(stepped_pushf);
SNIPPET(user_reads_kernel); SNIPPET(user_calls_kernel); SNIPPET(user_reads_low_kernel); SNIPPET(user_page_above);
SNIPPET(user_bts);

static struct machine m;
static struct direct d;
static struct console console;

static void put32(uint32_t gpa, uint32_t value) { memory_write(&m.mem, gpa, 4, value); }

static void put_descriptor(uint32_t at, uint32_t base, uint32_t limit, uint32_t attr)
{
    put32(at, base << 16 | (limit & 0xffff));
    put32(at + 4, (base & 0xff000000) | (limit & 0xf0000) | (attr & 0xff) << 8 | (attr & 0xf00) << 12 |
                  (base >> 16 & 0xff));
}

static void put_gate(unsigned vector, uint32_t handler, unsigned dpl)
{
    put32(IDT + vector * 8, 0x08 << 16 | (handler & 0xffff));
    put32(IDT + vector * 8 + 4, (handler & 0xffff0000) | 0x8e00 | dpl << 13);
}

/* GDT as the tiny kernel's: 0x08 and 0x10 the kernel's, 0x1b and 0x3b the user's, 0x40 the TSS. */
static void setup(void)
{
    ck_assert_ptr_null(direct_init(&d, &m, RAM));
    bus_init(&m.bus, console_host(&console));
    vcpu_reset(&m.cpu, CODE, 0);
    put_descriptor(GDT + 0x08, 0, 0xfffff, 0xc9a);
    put_descriptor(GDT + 0x10, 0, 0xfffff, 0xc92);
    put_descriptor(GDT + 0x18, 0, 0xfffff, 0xcfa);
    put_descriptor(GDT + 0x38, 0, 0xfffff, 0xcf2);
    put_descriptor(GDT + 0x40, TSS, 103, 0x89);
    put32(TSS + 4, STACK);
    put32(TSS + 8, 0x10);
    m.cpu.gdtr = (struct table_register){ GDT, 0x47 };
    m.cpu.idtr = (struct table_register){ IDT, 0x7ff };
    m.cpu.tr = (struct segment){ .selector = 0x40, .attr = 0x8b, .base = TSS, .limit = 103 };
    m.cpu.gpr[ESP] = STACK;
}

/* The visible loop of a VMM, until the guest ends. The first exception delivered ends it too, if `stop_at` is set
 * to its vector. */
static int stop_at = -1;

static void run_guest(const uint8_t *from, const uint8_t *to)
{
    memcpy(m.mem.ram + CODE, from, (size_t)(to - from));
    while (!m.stopped && m.bus.exit_status < 0) {
        enum direct_exit exit;

        event_interrupts(&m);
        exit = direct_run(&d, console_now() + 50000000);
        if (exit == DIRECT_EXCEPTION && m.cpu.fault.vector == stop_at)
            return;
        if (exit == DIRECT_EXCEPTION || (exit == DIRECT_SENSITIVE && !emulate(&m, d.insn)))
            event_exception(&m);
        if (exit == DIRECT_INTERRUPTED && m.counters.exits[COUNT_TIMER] > 2)
            machine_stop(&m, EXIT_TIMEOUT, "the timer");
    }
}

/* Paging: 0x400000.. is CODE for the user, 0x402000 a supervisor page of the same frame, KERNEL_BASE.. physical 0
 * for the supervisor, 0xd0000000 a user page; identity below 4 MiB for the supervisor, but for page 0. */
static void user_mode(void)
{
    for (uint32_t i = 16; i < 1024; i++)
        put32(HIGH_TABLE + 0x1000 + i * 4, i << 12 | PTE_P | PTE_W | PTE_A | PTE_D);
    put32(PGDIR, (HIGH_TABLE + 0x1000) | PTE_P | PTE_W);
    put32(PGDIR + 4, USER_TABLE | PTE_P | PTE_W | PTE_U);
    put32(PGDIR + (KERNEL_BASE >> 22) * 4, KERNEL_TABLE | PTE_P | PTE_W);
    put32(PGDIR + (0xd0000000u >> 22) * 4, HIGH_TABLE | PTE_P | PTE_W | PTE_U);
    put32(USER_TABLE, CODE | PTE_P | PTE_U);
    put32(USER_TABLE + 4, 0x500000 | PTE_P | PTE_W | PTE_U);
    put32(USER_TABLE + 8, 0x500000 | PTE_P | PTE_W);
    put32(KERNEL_TABLE, 0x500000 | PTE_P | PTE_W);
    put32(HIGH_TABLE, 0x501000 | PTE_P | PTE_W | PTE_U);
    put32(0x500000, 0x0badc0de);
    put32(0x501000, 0x600df00d);
    m.cpu.cr3 = PGDIR;
    m.cpu.cr0 |= CR0_PG | CR0_WP;
    m.cpu.seg[CS] = (struct segment){ 0x1b, 0xcfb, 0, 0xffffffff };
    for (int i = 0; i < SEGREGS; i++)
        if (i != CS)
            m.cpu.seg[i] = (struct segment){ 0x3b, 0xcf3, 0, 0xffffffff };
    m.cpu.eip = 0x400000;
    m.cpu.gpr[ESP] = 0x402000;
    m.cpu.eflags |= FLAG_IOPL;          /* so that the exit port works */
}

START_TEST(registers_survive)
{
    RUN(registers);
    ck_assert_uint_eq(m.cpu.gpr[EAX], 0x11111111);
    ck_assert_uint_eq(m.cpu.gpr[EBX], 0x22222222);
    ck_assert_uint_eq(m.cpu.gpr[ECX], 0x33333333);
    ck_assert_uint_eq(m.cpu.gpr[EDX], 0x44444444);
    ck_assert_uint_eq(m.cpu.gpr[ESI], 0x55555555);
    ck_assert_uint_eq(m.cpu.gpr[EDI], 0x66666666);
    ck_assert_uint_eq(m.cpu.gpr[EBP], 0x77777777);
    ck_assert_uint_eq(m.cpu.eflags & (FLAG_CF | FLAG_DF | FLAG_IF), FLAG_CF | FLAG_DF);
    ck_assert_uint_eq(memory_read(&m.mem, 0x200000, 4), 4);     /* 1 + pi, rounded */
    ck_assert_uint_eq(m.counters.emulated[ISA_CLI], 2);
}
END_TEST

START_TEST(int80_goes_to_the_guests_idt)
{
    put_gate(0x80, CODE + 0x40, 0);
    RUN(int80);
    ck_assert_uint_eq(m.cpu.gpr[EAX], 0x80);
    ck_assert_uint_eq(m.counters.events[0x80], 1);
    ck_assert_uint_eq(memory_read(&m.mem, STACK - 12, 4), CODE + 2);
}
END_TEST

START_TEST(timer_interrupts_a_loop)
{
    RUN(spin);
    ck_assert_int_eq(m.status, EXIT_TIMEOUT);
    ck_assert_uint_eq(m.cpu.eip, CODE);
}
END_TEST

/* SYSENTER leads into Linux on Intel's processors; on AMD's it is no instruction under a 64-bit system (APM vol. 3, SYSENTER). */
START_TEST(bad_guests_are_stopped)
{
    const struct { const uint8_t *from, *to; const char *why; } bad[] = {
        { snippet_nowhere, snippet_nowhere_end, "where the monitor lives" },
        { snippet_beyond_ram, snippet_beyond_ram_end, "beyond its 16 MiB" },
        { snippet_escape, snippet_escape_end, "segment of Linux" },
        { snippet_sysenter, snippet_sysenter_end, __builtin_cpu_is("amd") ? "triple fault" : "SYSENTER" },
    };

    run_guest(bad[_i].from, bad[_i].to);
    ck_assert_int_eq(m.status, EXIT_CRASH);
    ck_assert_msg(strstr(m.why, bad[_i].why) != NULL, "it says: %s", m.why);
}
END_TEST

START_TEST(low_pages_work)
{
    put32(0x200000, 77);
    RUN(low_page);
    ck_assert_uint_eq(m.cpu.gpr[EAX], 0x5a5a5a5a);
    ck_assert_uint_eq(m.cpu.gpr[EBX], 77);
    ck_assert_uint_eq(memory_read(&m.mem, 0x123, 4), 0x5a5a5a5a);
}
END_TEST

START_TEST(no_alignment_check_in_the_guests_kernel)
{
    put32(0x200000, 0x44332211);
    put32(0x200004, 0x55);
    m.cpu.cr0 |= CR0_AM;
    RUN(unaligned);
    ck_assert_uint_eq(m.cpu.gpr[EAX], 0x55443322);
    ck_assert_uint_ne(m.cpu.gpr[EBX] & FLAG_AC, 0);
    ck_assert_uint_eq(m.counters.events[VEC_AC], 0);
}
END_TEST

START_TEST(our_trap_flag_is_not_seen)
{
    static const uint8_t setup_pic[][2] = {
        { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 }, { 0x21, 0xef },
    };

    for (size_t i = 0; i < sizeof setup_pic / sizeof *setup_pic; i++)
        bus_out(&m.bus, setup_pic[i][0], 1, setup_pic[i][1]);
    bus_out(&m.bus, 0x3fc, 1, 8);
    bus_out(&m.bus, 0x3f9, 1, 2);               /* the transmitter is empty: IRQ 4 is pending */
    put_gate(0x24, CODE + 3, 0);                /* the handler is the code behind PUSHF: POP would give EIP */
    RUN(stepped_pushf);
    ck_assert_uint_eq(m.counters.events[0x24], 1);
    ck_assert_uint_eq(memory_read(&m.mem, STACK - 16, 4), CODE + 2);
    ck_assert_uint_eq(memory_read(&m.mem, STACK - 4, 4) & FLAG_TF, 0);
}
END_TEST

START_TEST(user_cannot_reach_the_kernel)
{
    static const struct { const uint8_t *from, *to; uint32_t eip, cr2; } reach[] = {
        { snippet_user_reads_kernel, snippet_user_reads_kernel_end, 0x400000, 0xc0000010 },
        { snippet_user_calls_kernel, snippet_user_calls_kernel_end, 0xc0000020, 0xc0000020 },
        { snippet_user_bts, snippet_user_bts_end, 0x400005, 0xc0000000 },
    };

    user_mode();
    stop_at = VEC_PF;
    run_guest(reach[_i].from, reach[_i].to);
    ck_assert_uint_eq(m.cpu.fault.vector, VEC_PF);
    ck_assert_uint_eq(m.cpu.fault.error, PF_PROTECTION | PF_USER);
    ck_assert_uint_eq(m.cpu.fault.cr2, reach[_i].cr2);
    ck_assert_uint_eq(m.cpu.eip, reach[_i].eip);
}
END_TEST

START_TEST(supervisor_page_between_user_pages)
{
    user_mode();
    ck_assert_int_eq(shadow_fill(&d.shadow, 0x402000, ACCESS_READ), FILL_DONE);     /* the kernel was there */
    stop_at = VEC_PF;
    RUN(user_reads_low_kernel);
    ck_assert_uint_eq(m.cpu.fault.error, PF_PROTECTION | PF_USER);
    ck_assert_uint_eq(m.cpu.fault.cr2, 0x402000);
}
END_TEST

START_TEST(user_page_above_the_kernel)
{
    user_mode();
    RUN(user_page_above);
    ck_assert_uint_eq(m.cpu.gpr[EAX], 0x600df00d);
}
END_TEST

/* Into ES, in a child, the slot that was asked for: else #GP. */
static bool loads(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        __asm__ volatile ("mov %0, %%es" :: "r" (SEGMENT_FIRST << 3 | 7));
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

int main(void)
{
    Suite *suite = suite_create("direct");
    TCase *tc = tcase_create("direct");
    SRunner *runner;
    int failed;

    if (segments_missing() && loads()) {
        puts("FAIL direct: segments_missing() says that there are none, and one has been loaded");
        puts("direct: 0 passed, 1 failed, 0 skipped");
        return EXIT_FAILURE;
    }
    if (segments_missing()) {
        printf("skip direct: %s\n", segments_missing());
        puts("direct: 0 passed, 0 failed, 1 skipped");
        return EXIT_SUCCESS;
    }
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, registers_survive);
    tcase_add_test(tc, int80_goes_to_the_guests_idt);
    tcase_add_test(tc, timer_interrupts_a_loop);
    tcase_add_loop_test(tc, bad_guests_are_stopped, 0, 4);
    tcase_add_test(tc, low_pages_work);
    tcase_add_test(tc, no_alignment_check_in_the_guests_kernel);
    tcase_add_test(tc, our_trap_flag_is_not_seen);
    tcase_add_loop_test(tc, user_cannot_reach_the_kernel, 0, 3);
    tcase_add_test(tc, supervisor_page_between_user_pages);
    tcase_add_test(tc, user_page_above_the_kernel);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
