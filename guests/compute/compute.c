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
    { "sieve", sieve, 0x00002578 },
    { "sha256", sha256, 0x1ef66c0a },
    { "quicksort", quicksort, 0xc3b43e8e },
    { "matmul", matmul, 0xd05b8000 },
    { "crc32", crc32, 0x3def667c },
    { "lz-compress", lz_compress, 0x1c300939 },
    { "fib", fib, 0x00001a6d },
    { "dispatch", dispatch, 0x00610076 },
    { "strings", strings, 0x00001fc0 },
};

/* The length of `name` if the word at s begins with it and then a blank, '=' or the end follows; else 0. */
static uint32_t match(const char *s, const char *name)
{
    uint32_t n = 0;
    while (name[n] && s[n] == name[n])
        n++;
    return !name[n] && (!s[n] || s[n] == ' ' || s[n] == '=') ? n : 0;
}

/* The value of `name=value` in args, up to its end or a blank; NULL if there is none. */
static const char *value_of(const char *args, const char *name)
{
    for (const char *s = args; *s; s++) {
        uint32_t n = s == args || s[-1] == ' ' ? match(s, name) : 0;
        if (n && s[n] == '=')
            return s + n + 1;
    }
    return NULL;
}

static uint32_t number_of(const char *args, const char *name, uint32_t otherwise)
{
    const char *s = value_of(args, name);
    uint32_t n = 0;
    if (!s || *s < '0' || *s > '9')
        return otherwise;
    while (*s >= '0' && *s <= '9')
        n = 10 * n + (uint32_t)(*s++ - '0');
    return n;
}

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
    const char *only = value_of(args, "only");
    uint32_t samples = number_of(args, "samples", 5), cycles = number_of(args, "cycles", 5000000);
    uint32_t fixed = number_of(args, "iterations", 0);
    int failed = 0, ran = 0;

    for (uint32_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (only && !match(only, programs[i].name))
            continue;
        ran++;
        uint32_t got = programs[i].run();   /* touches all its pages, too */
        if (got == programs[i].expected)
            uprintf("PROBE compute-%s PASS\n", programs[i].name);
        else
            uprintf("PROBE compute-%s FAIL want=%08x got=%08x\n", programs[i].name, programs[i].expected, got);
        failed += got != programs[i].expected;

        uint32_t once = 0xffffffff;
        for (int n = 0; n < 3; n++) {
            uint32_t took = measure(programs[i].run, 1);
            once = took < once ? took : once;
        }
        uint32_t iterations = fixed ? fixed : cycles / once + 1;
        for (uint32_t sample = 0; sample < samples; sample++) {
            uint32_t took = measure(programs[i].run, iterations);
            uprintf("BENCH compute-%s %u %u\n", programs[i].name, iterations, took);
        }
    }
    if (!ran)
        uprintf("compute: no program has the name that only= gives\n");
    return failed || !ran;
}
