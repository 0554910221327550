/* See fuzz.h. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void end(const char *file, int line, const char *expression, const char *format, va_list args)
{
    fprintf(stderr, "%s:%d: %s", file, line, expression);
    if (format)
        vfprintf(stderr, format, args);
    fputc('\n', stderr);
    abort();
}

_Noreturn void broken(const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    end(file, line, "", format, args);
}

uint32_t take(struct input *in, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes && in->left; i++, in->at++, in->left--)
        value |= (uint32_t)*in->at << 8 * i;
    return value;
}

/* Check's own two, for the set-up that tests/unit lends us: outside a test an assertion is a promise like any other. */
void _mark_point(const char *file, int line);
void _mark_point(const char *file, int line) { (void)file, (void)line; }

_Noreturn void _ck_assert_failed(const char *file, int line, const char *expression, const char *format, ...);
_Noreturn void _ck_assert_failed(const char *file, int line, const char *expression, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    end(file, line, expression, format, args);
}

/* What makes runs slow and finds nothing here: long stacks for each block, filling it, keeping it after it was freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "malloc_context_size=5:max_malloc_fill_size=0:quarantine_size_mb=4"; }
