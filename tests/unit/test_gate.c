/* The way out of the code cache (gate.c), byte by byte: its 32-bit half read back by machine/decode.c, its 64-bit half,
 * a jump through a pointer, by hand. Addresses of the hole are computed here and never touched. */
#include "../../binary-translation/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../binary-translation/cache.h"
#include "../../binary-translation/emit.h"
#include "direct/world.h"
#include "fixture.h"

static uint8_t page[PAGE_BYTES];

/* For its address. */
void direct_gate(void) { }

/* A stub at `at`: tells `number`, then jumps to the gate, whose address it returns. */
static uint32_t check_stub(const uint8_t *at, uint32_t number)
{
    struct insn store, jump;
    char text[80], expected[80];

    ck_assert_int_eq(decode(at, STUB_BYTES, true, &store), DECODED);
    ck_assert_int_eq(decode(at + store.length, STUB_BYTES - store.length, true, &jump), DECODED);
    decode_text(at, STUB_BYTES, true, 0, text, sizeof text);
    snprintf(expected, sizeof expected, "mov dword ptr gs:[0x%08" PRIX32 "], 0x%" PRIX32,
             ADDRESS(HOLE->slots.exit), number);
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(jump.isa, ISA_JMP_FAR);
    ck_assert_uint_eq(jump.op[0].selector, 0x33);               /* Linux's 64-bit code segment */
    return jump.op[0].value;
}

START_TEST(stub)
{
    uint8_t bytes[2 * STUB_BYTES] = { 0 };
    struct emitter e = { bytes, 0xfd000000 };

    gate_emit_stub(&e, 0x12345678);
    ck_assert_int_le(e.at - bytes, STUB_BYTES);
    ck_assert_uint_eq(e.address - 0xfd000000, e.at - bytes);
    ck_assert(gate_contains(check_stub(bytes, 0x12345678)));
}
END_TEST

START_TEST(gate_page)
{
    uint32_t miss = gate_miss() - ADDRESS(HOLE->code), gate, relative, pointer;
    uint64_t to;

    memset(page, 0, sizeof page);
    gate_write(page);
    gate = check_stub(page + miss, (uint32_t)EXIT_MISS) - ADDRESS(HOLE->code);
    ck_assert_uint_ge(gate, miss + STUB_BYTES - 1);             /* not into each other */
    ck_assert_uint_eq(page[gate], 0xff);
    ck_assert_uint_eq(page[gate + 1], 0x25);                    /* jmp [rip + relative] */
    memcpy(&relative, page + gate + 2, 4);
    pointer = gate + 6 + relative;
    ck_assert_uint_eq(pointer % 8, 0);
    memcpy(&to, page + pointer, 8);
    ck_assert_uint_eq(to, (uintptr_t)direct_gate);
}
END_TEST

/* A signal in the gate's page: the exit is the one that was told, but not before it has been. */
START_TEST(stopped_within)
{
    uint32_t first = ADDRESS(HOLE->code), gate;

    gate_write(page);
    gate = check_stub(page, (uint32_t)EXIT_MISS);
    ck_assert(!gate_contains(first - 1));
    ck_assert(gate_contains(first));
    ck_assert(gate_contains(first + 4095));
    ck_assert(!gate_contains(first + 4096));
    ck_assert_int_eq(gate_exit(first, 5), EXIT_MISS);
    ck_assert_int_eq(gate_exit(gate - 1, 5), EXIT_MISS);
    ck_assert_int_eq(gate_exit(gate, 5), 5);
    ck_assert_int_eq(gate_exit(gate + 6, (uint32_t)EXIT_MISS), EXIT_MISS);
}
END_TEST

Suite *suite_gate(void);
Suite *suite_gate(void)
{
    Suite *suite = suite_create("gate");
    TCase *t = tcase_create("gate");

    tcase_add_test(t, stub);
    tcase_add_test(t, gate_page);
    tcase_add_test(t, stopped_within);
    suite_add_tcase(suite, t);
    return suite;
}
