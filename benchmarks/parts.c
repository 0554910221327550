/* What the VMM's own work on one trap costs, apart from the trap: to fetch and decode the instruction, the first time and again, and to
 * carry it out. For calibrate.c, which has the rest of a trap. */
#include <string.h>
#include <x86intrin.h>

#include "decode.h"
#include "emulate.h"
#include "machine.h"
#include "parts.h"

enum { RAM_BYTES = 1 << 20, AT = 0x1000 };

static struct machine m;
static uint8_t ram[RAM_BYTES];
static struct insn insn;

/* A guest that stands before a CLI. */
static void reset(void)
{
    m.mem.ram = ram;
    m.mem.bytes = RAM_BYTES;
    memset(ram + AT, 0xfa, 16);
    vcpu_reset(&m.cpu, AT, 0);
    decode_at_eip(&m, &insn);
}

uint64_t decode_new(uint32_t n)
{
    reset();
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < n; i++) {
        m.decoded[AT % DECODE_CACHE].length = 0;
        decode_at_eip(&m, &insn);
    }
    return __rdtsc() - start;
}

uint64_t decode_again(uint32_t n)
{
    reset();
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < n; i++)
        decode_at_eip(&m, &insn);
    return __rdtsc() - start;
}

uint64_t emulate_cli(uint32_t n)
{
    reset();
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < n; i++) {
        m.cpu.eip = AT;
        emulate(&m, &insn);
    }
    return __rdtsc() - start;
}
