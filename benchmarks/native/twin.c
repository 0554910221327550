/* The native twin: the guest's compute objects and user-mode nanobenchmarks as a plain 32-bit Linux program, so
 * that "native" means the same instructions at the same addresses, compiled once. `build/native-twin "run=compute
 * samples=5"` takes the command line that the guest takes. Next: guests/compute/compute.c, twin.ld. */
#include <stdarg.h>

#include "user.h"

int twin_main(const char *args);
void linux_write(const char *text, uint32_t size);

/* guests/bench/nano-user.asm: n times around a loop with one operation in it */
void nano_null(uint32_t n);
void nano_callret(uint32_t n);
void nano_callind(uint32_t n);

static int failed;

/* The guest's, from guests/user/init.c, with Linux's system call under them. */
void uprintf(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    linux_write(line, format_text(line, sizeof line, format, args));
    va_end(args);
}

void verdict(const char *name, uint32_t want, uint32_t got)
{
    if (want == got)
        uprintf("PROBE %s PASS\n", name);
    else
        uprintf("PROBE %s FAIL want=%08x got=%08x\n", name, want, got);
    failed += want != got;
}

static uint32_t cycles_of(void (*loop)(uint32_t), uint32_t n)
{
    uint32_t start = (uint32_t)__builtin_ia32_rdtsc();
    loop(n);
    return (uint32_t)__builtin_ia32_rdtsc() - start;
}

/* The guest's nanobenchmarks that need no kernel. */
static void bench(const char *args, const char *suffix)
{
    static const struct { const char *name; void (*loop)(uint32_t); } loops[] = {
        { "null", nano_null }, { "callret", nano_callret }, { "callind", nano_callind },
    };
    char only[32] = "";
    size_t length;
    enum { N = 100000, SAMPLES = 5 };

    option_text(args, "only", only, sizeof only);
    length = strlen(only) > strlen(suffix) ? strlen(only) - strlen(suffix) : 0;
    only[length] = '\0';
    for (unsigned i = 0; i < sizeof loops / sizeof *loops; i++)
        for (int sample = -1; sample < SAMPLES && (!*only || strcmp(only, loops[i].name) == 0); sample++) {
            uint32_t took = cycles_of(loops[i].loop, N);

            if (sample >= 0)                /* the first one warms up */
                uprintf("BENCH %s%s %u %u\n", loops[i].name, suffix, (uint32_t)N, took);
        }
}

int twin_main(const char *args)
{
    char run[16] = "";

    option_text(args, "run", run, sizeof run);
    if (strcmp(run, "compute") == 0)
        return compute_main(args) || failed;
    if (strcmp(run, "bench") == 0 || strcmp(run, "bench-user") == 0) {
        bench(args, run + 5);
        return 0;
    }
    uprintf("native-twin: takes run=compute, bench or bench-user, with only= samples= cycles= as the guest has them\n");
    return 2;
}
