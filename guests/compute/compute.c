/* The runner of the compute programs: `run=compute only=NAME samples=N cycles=N iterations=N`.
 * It checks each checksum once (PROBE), finds how many iterations fill `cycles` time-stamp cycles, and prints that
 * many samples (BENCH, contract in design.md 3). `iterations` fixes the count instead, for comparing counters.
 * Runs in ring 3 of the guest and, from the same object file, as build/native-twin. Next: sieve.c. */
#include "compute.h"
#include "user.h"

static const struct {
    const char *name;
    uint32_t (*run)(void);
    uint32_t expected;                      /* as expected.sh prints it; a test compares */
} programs[] = {
    { "compute-sieve", sieve, 0x00002578 },
    { "compute-sha256", sha256, 0x1ef66c0a },
    { "compute-quicksort", quicksort, 0xc3b43e8e },
    { "compute-matmul", matmul, 0xd05b8000 },
    { "compute-crc32", crc32, 0x3def667c },
    { "compute-lz-compress", lz_compress, 0x1c300939 },
    { "compute-fib", fib, 0x00001a6d },
    { "compute-dispatch", dispatch, 0x00610076 },
    { "compute-strings", strings, 0x00001fc0 },
};

/* Cycles for so many iterations; 32 bits of the time stamp hold more than a second. */
static uint32_t measure(uint32_t (*run)(void), uint32_t iterations)
{
    uint32_t start = (uint32_t)__builtin_ia32_rdtsc();
    while (iterations--)
        run();
    return (uint32_t)__builtin_ia32_rdtsc() - start;
}

int compute_main(const char *args)
{
    char only[32] = "";
    uint32_t samples = option_value(args, "samples", 5), cycles = option_value(args, "cycles", 5000000);
    uint32_t fixed = option_value(args, "iterations", 0);
    int ran = 0;

    option_text(args, "only", only, sizeof only);
    for (uint32_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (*only && strcmp(only, programs[i].name + sizeof "compute-" - 1) != 0)
            continue;
        ran++;
        verdict(programs[i].name, programs[i].expected, programs[i].run());     /* touches all its pages, too */
        uint32_t once = 0xffffffff;
        for (int n = 0; n < 3; n++) {
            uint32_t took = measure(programs[i].run, 1);
            once = took < once ? took : once;
        }
        uint32_t iterations = fixed ? fixed : cycles / once + 1;
        for (uint32_t sample = 0; sample < samples; sample++)
            uprintf("BENCH %s %u %u\n", programs[i].name, iterations, measure(programs[i].run, iterations));
    }
    if (!ran)
        uprintf("compute: there is no program \"%s\"\n", only);
    return ran == 0;
}
