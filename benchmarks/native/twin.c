/* The native twin: the guest's compute objects and user-mode nanobenchmarks as a plain 32-bit Linux program, so
 * that "native" means the same instructions at the same addresses, compiled once. `build/native-twin "run=compute
 * samples=5"` takes the command line that the guest takes. Next: guests/compute/compute.c, twin.ld. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user.h"

int compute_main(const char *args);
int twin_main(const char *args);
void linux_write(const char *text, uint32_t size);

/* guests/bench/nano-user.asm: n times around a loop with one operation in it */
void nano_null(uint32_t n);
void nano_callret(uint32_t n);
void nano_callind(uint32_t n);

static char *put_number(char *to, uint32_t n, uint32_t base, int width)
{
    char digits[10];
    int count = 0;
    do
        digits[count++] = "0123456789abcdef"[n % base];
    while ((n /= base) || count < width);
    while (count)
        *to++ = digits[--count];
    return to;
}

/* As the guest's: %s %c %d %u %x %08x %%. One write per call, at most 255 characters. */
void uprintf(const char *format, ...)
{
    char line[256], *to = line;
    va_list ap;
    va_start(ap, format);
    for (const char *f = format; *f && to < line + sizeof line - 12; f++) {
        if (*f != '%') {
            *to++ = *f;
            continue;
        }
        int width = 0;
        for (f++; *f >= '0' && *f <= '9'; f++)
            width = width * 10 + *f - '0';
        int signed_value = 0;
        switch (*f) {
        case 's':
            for (const char *s = va_arg(ap, const char *); *s && to < line + sizeof line - 12; s++)
                *to++ = *s;
            break;
        case 'c': *to++ = (char)va_arg(ap, int); break;
        case 'u': to = put_number(to, va_arg(ap, uint32_t), 10, width); break;
        case 'x': to = put_number(to, va_arg(ap, uint32_t), 16, width > 8 ? 8 : width); break;
        case 'd':
            signed_value = va_arg(ap, int);
            if (signed_value < 0)
                *to++ = '-';
            to = put_number(to, signed_value < 0 ? 0u - (uint32_t)signed_value : (uint32_t)signed_value, 10, width);
            break;
        default: *to++ = *f;
        }
    }
    va_end(ap);
    linux_write(line, (uint32_t)(to - line));
}

/* Is `word` in s? whole: and does it end there? */
static bool has(const char *s, const char *word, bool whole)
{
    for (; *s; s++) {
        size_t n = 0;
        while (word[n] && s[n] == word[n])
            n++;
        if (!word[n] && (!whole || !s[n] || s[n] == ' '))
            return true;
    }
    return false;
}

static uint32_t cycles_of(void (*loop)(uint32_t), uint32_t n)
{
    uint32_t start = (uint32_t)__builtin_ia32_rdtsc();
    loop(n);
    return (uint32_t)__builtin_ia32_rdtsc() - start;
}

/* The guest's nanobenchmarks that need no kernel, each sample less the null loop measured right before it. */
static void bench(const char *args)
{
    static const struct { const char *name, *only; void (*loop)(uint32_t); } loops[] = {
        { "null", "only=null", nano_null }, { "callret", "only=callret", nano_callret },
        { "callind", "only=callind", nano_callind },
    };
    enum { N = 100000, SAMPLES = 5 };
    for (unsigned i = 0; i < sizeof loops / sizeof loops[0]; i++)
        for (int sample = -1; sample < SAMPLES; sample++) {
            if (has(args, "only=", false) && !has(args, loops[i].only, true))
                continue;
            uint32_t null = cycles_of(nano_null, N), took = cycles_of(loops[i].loop, N);
            if (i)
                took = took > null ? took - null : 0;
            if (sample >= 0)                /* the first one warms up */
                uprintf("BENCH %s %u %u\n", loops[i].name, (uint32_t)N, took);
        }
}

int twin_main(const char *args)
{
    if (has(args, "run=compute", true))
        return compute_main(args);
    if (has(args, "run=bench", true)) {
        bench(args);
        return 0;
    }
    uprintf("native-twin: says run=compute or run=bench, with only= samples= cycles= as the guest has them\n");
    return 2;
}
