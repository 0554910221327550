/* The end of a run, and what a crash says: the dump of a known state, time-outs, a halt that nothing can end,
 * counters that cannot be written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "fixture.h"
#include "status.h"
#include "vm.h"

static struct vm vm;

static void set_up(void)
{
    memset(&vm, 0, sizeof vm);
    vm.name = "test";
    vm.machine = pc;
    vm.timeout_at = vm.wake_at = vm.look_at = UINT64_MAX;
    bus_init(&vm.machine.bus, console_host(&vm.console));
}

static int output_of_vm(void) { return vm_output(&vm); }
static int finish_vm(void) { return vm_finish(&vm); }

/* One of these, with what it says in `said`. */
static int hear(int (*one)(void), char *said, size_t bytes)
{
    FILE *f = tmpfile();
    int saved = dup(STDERR_FILENO), status;

    fflush(stderr);
    dup2(fileno(f), STDERR_FILENO);
    status = one();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(f);
    said[fread(said, 1, bytes - 1, f)] = '\0';
    fclose(f);
    return status;
}

static int finish(char *said, size_t bytes) { return hear(finish_vm, said, bytes); }

START_TEST(dump_of_a_known_state)
{
    static const char *const lines[] = {
        "  eip 0008:00006000 (no symbol)   cpl 0   eflags 00003246 (IF 1, IOPL 3)\n",
        "  at eip: 89 d8 f4 00 00 00 00 00 00 00 00 00 00 00 00 00   mov eax, ebx\n",
        "  eax 00000001  ecx 00000002  edx 00000003  ebx 00000004\n",
        "  esp 0000b000  ebp 00000005  esi 00000006  edi 00000007\n",
        "  gs 0010 base 00012340 limit 0000ffff attr 093\n",
        "  cr0 00000011  cr2 deadbeef  cr3 00010000  cr4 00000010\n",
        "  gdtr 00001000/01ff  idtr 00002000/07ff  tr 0028  ldtr 0030\n",
    };
    struct vcpu *cpu = &pc.cpu;
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);

    poke(CODE_AT, 0x00f4d889);
    cpu->eflags = FLAG_ONE | FLAG_IF | FLAG_IOPL | FLAG_PF | FLAG_ZF;
    cpu->gpr[EAX] = 1, cpu->gpr[ECX] = 2, cpu->gpr[EDX] = 3, cpu->gpr[EBX] = 4;
    cpu->gpr[EBP] = 5, cpu->gpr[ESI] = 6, cpu->gpr[EDI] = 7;
    cpu->seg[GS] = (struct segment){ KDATA, 0x093, 0x12340, 0xffff };
    cpu->idtr = (struct table_register){ IDT_AT, 256 * 8 - 1 };
    cpu->cr0 = CR0_PE | CR0_ET, cpu->cr2 = 0xdeadbeef, cpu->cr3 = PAGE_DIR, cpu->cr4 = CR4_PSE;
    dump_machine(f, &pc, NULL);
    fclose(f);
    for (int i = 0; i < COUNT_OF(lines); i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "no %s in:\n%s", lines[i], text);
    free(text);
}
END_TEST

START_TEST(dump_where_nothing_is)
{
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);

    pc.cpu.eip = 0xfffffff8;
    dump_machine(f, &pc, NULL);
    dump_place(f, &pc, NULL);
    pc.cpu.eip = RAM_BYTES - 2;                 /* two bytes, and no more */
    dump_machine(f, &pc, NULL);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "  at eip: nothing is mapped there\n"));
    ck_assert_ptr_nonnull(strstr(text, "fffffff8 (no symbol): (nothing mapped)\n"));
    ck_assert_ptr_nonnull(strstr(text, "  at eip: 00 00   "));
    free(text);
}
END_TEST

START_TEST(halted_for_ever)
{
    char said[4096];

    vm.machine.cpu.eflags &= ~(uint32_t)FLAG_IF;
    vm_idle(&vm);
    ck_assert(!vm_continues(&vm));
    ck_assert_int_eq(finish(said, sizeof said), EXIT_CRASH);
    ck_assert_ptr_nonnull(strstr(said, "test: the guest halted with interrupts off"));
    ck_assert_ptr_nonnull(strstr(said, "eip 0008:00006000"));
}
END_TEST

START_TEST(time_is_up)
{
    char said[4096];

    vm.machine.cpu.eflags |= FLAG_IF;
    vm.options.timeout = 7;
    vm.timeout_at = console_now() + 200000000;
    ck_assert_uint_eq(vm_deadline(&vm), vm.timeout_at);
    vm.wake_at = vm.timeout_at - 1;                     /* a VMM's own device */
    ck_assert_uint_eq(vm_deadline(&vm), vm.wake_at);
    vm.wake_at = vm.look_at = UINT64_MAX;
    vm_tick(&vm);
    ck_assert(vm_continues(&vm));               /* not yet */
    vm_idle(&vm);
    ck_assert_uint_ge(console_now(), vm.timeout_at);
    ck_assert(!vm_continues(&vm));
    ck_assert_int_eq(finish(said, sizeof said), EXIT_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(said, "within 7 s"));
}
END_TEST

START_TEST(counters_cannot_be_written)
{
    char said[4096];

    vm.machine.bus.exit_status = 11;
    vm.machine.counters.exit_names = (const char *const[]){ "sensitive", NULL };
    vm.options.counters = "/no-such-directory/counters.json";
    ck_assert(!hear(output_of_vm, said, sizeof said));
    ck_assert_ptr_nonnull(strstr(said, "cannot write /no-such-directory/counters.json: No such file"));
    vm.options.counters = "/dev/full";
    ck_assert(vm_output(&vm));
    ck_assert(!vm_continues(&vm));
    ck_assert_int_eq(finish(said, sizeof said), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(said, "cannot write /dev/full: No space left"));
    vm.options.counters = NULL;
    vm.counters = NULL;
    ck_assert_int_eq(finish(said, sizeof said), 11);
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(last_exits)
{
    char said[4096];

    for (vm.machine.cpu.eip = 1; vm.machine.cpu.eip <= VM_LAST_EXITS + 2; vm.machine.cpu.eip++)
        vm_trace(&vm, "exception", false);
    machine_stop(&vm.machine, EXIT_CRASH, "first");
    machine_stop(&vm.machine, EXIT_HOST, "second");
    ck_assert_int_eq(finish(said, sizeof said), EXIT_CRASH);
    ck_assert_ptr_nonnull(strstr(said, "test: first\n"));
    ck_assert_ptr_nonnull(strstr(said, "last exits: exception@00000003 "));
    ck_assert_ptr_nonnull(strstr(said, " exception@0000000a\n"));
}
END_TEST

Suite *suite_vm(void)
{
    Suite *s = suite_create("vm");
    TCase *t = fixture_case(s, "dump");

    tcase_add_test(t, dump_of_a_known_state);
    tcase_add_test(t, dump_where_nothing_is);
    t = fixture_case(s, "end of a run");
    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, halted_for_ever);
    tcase_add_test(t, time_is_up);
    tcase_add_test(t, counters_cannot_be_written);
    tcase_add_test(t, last_exits);
    return s;
}
