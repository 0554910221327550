/* The functions of the C library that machine/ calls, so that its files are the same ones here as under Linux. Every
 * stream is the debug console; memory comes from host_memory() and stays. Of printf there is what machine/ uses: flags # 0 -,
 * a width, l ll z, and c d s u x %. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

FILE *stderr;                                           /* never looked at */

int *__errno_location(void)
{
    static int number;

    return &number;
}

/* ---- memory, strings ----------------------------------------------------------------------------- */

/* Eight bytes at a time: an emulated processor counts every iteration. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *start = to;
    size_t words = bytes / 8;

    bytes %= 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
    return start;
}

void *memset(void *to, int value, size_t bytes)
{
    void *start = to;
    size_t words = bytes / 8;

    bytes %= 8;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"((uint8_t)value * UINT64_C(0x0101010101010101)) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;

    for (; bytes; bytes--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

/* What clang makes of memcmp() == 0. */
int bcmp(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes);
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
    unsigned long value = 0;

    for (; *s >= '0' && *s <= '9'; s++)
        value = value * (unsigned)base + (unsigned)(*s - '0');
    if (end)
        *end = (char *)s;
    return value;
}

char *strerror(int number)
{
    (void)number;
    return "no host to ask";
}

int tolower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

void *calloc(size_t count, size_t bytes)
{
    return host_memory(count * bytes, 16);
}

void free(void *p)
{
    (void)p;
}

/* By Shell: of some hundred symbols. Records have up to 64 bytes. */
void qsort(void *base, size_t count, size_t bytes, int (*compare)(const void *, const void *))
{
    uint8_t *a = base, held[64];

    if (bytes > sizeof held)
        host_bug("qsort() of records that are too long for it");
    for (size_t gap = count / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < count; i++) {
            size_t j = i;

            memcpy(held, a + i * bytes, bytes);
            for (; j >= gap && compare(a + (j - gap) * bytes, held) > 0; j -= gap)
                memcpy(a + j * bytes, a + (j - gap) * bytes, bytes);
            memcpy(a + j * bytes, held, bytes);
        }
}

/* ---- printing ------------------------------------------------------------------------------------ */

struct sink {
    char *to;                   /* NULL: the debug console */
    size_t room, n;
};

static void put(struct sink *s, char c)
{
    if (!s->to)
        host_debug(c);
    else if (s->n + 1 < s->room)
        s->to[s->n] = c;
    s->n++;
}

struct spec {
    bool alternate, zero, left;
    unsigned width;
    unsigned longs;             /* l, ll and z: 64 bits */
};

static const char *read_spec(const char *f, struct spec *spec)
{
    *spec = (struct spec){ 0 };
    for (;; f++) {
        if (*f == '#')
            spec->alternate = true;
        else if (*f == '0' && !spec->width)
            spec->zero = true;
        else if (*f == '-')
            spec->left = true;
        else if (*f >= '0' && *f <= '9')
            spec->width = spec->width * 10 + (unsigned)(*f - '0');
        else if (*f == 'l' || *f == 'z')
            spec->longs++;
        else
            return f;
    }
}

static void put_padded(struct sink *s, const struct spec *spec, const char *text, size_t n)
{
    size_t pad = spec->width > n ? spec->width - n : 0;

    for (; pad && !spec->left; pad--)
        put(s, spec->zero ? '0' : ' ');
    while (n--)
        put(s, *text++);
    for (; pad; pad--)
        put(s, ' ');
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t value, unsigned base, bool negative)
{
    char text[24], *p = text + sizeof text;
    bool prefixed = base == 16 && spec->alternate && value;

    do
        *--p = "0123456789abcdef"[value % base];
    while (value /= base);
    if (prefixed)
        *--p = 'x', *--p = '0';
    if (negative)
        *--p = '-';
    put_padded(s, spec, p, (size_t)(text + sizeof text - p));
}

static void print(struct sink *s, const char *f, va_list args)
{
    struct spec spec;

    for (; *f; f++) {
        if (*f != '%') {
            put(s, *f);
            continue;
        }
        f = read_spec(f + 1, &spec);
        if (*f == 's') {
            const char *text = va_arg(args, const char *);

            put_padded(s, &spec, text, strlen(text));
        } else if (*f == 'c') {
            put(s, (char)va_arg(args, int));
        } else if (*f == 'd') {
            int64_t value = spec.longs ? va_arg(args, int64_t) : va_arg(args, int);

            put_number(s, &spec, (uint64_t)(value < 0 ? -value : value), 10, value < 0);
        } else if (*f == 'u' || *f == 'x') {
            put_number(s, &spec, spec.longs ? va_arg(args, uint64_t) : va_arg(args, unsigned), *f == 'u' ? 10 : 16, false);
        } else {
            put(s, *f);
        }
    }
}

int vsnprintf(char *to, size_t room, const char *format, va_list args)
{
    struct sink s = { .to = to, .room = room };

    print(&s, format, args);
    if (room)
        to[s.n < room ? s.n : room - 1] = '\0';
    return (int)s.n;
}

int snprintf(char *to, size_t room, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(to, room, format, args);
    va_end(args);
    return n;
}

int fprintf(FILE *f, const char *format, ...)
{
    struct sink s = { 0 };
    va_list args;

    (void)f;
    va_start(args, format);
    print(&s, format, args);
    va_end(args);
    return (int)s.n;
}

int fputc(int c, FILE *f)
{
    (void)f;
    host_debug((char)c);
    return c;
}

int fputs(const char *s, FILE *f)
{
    while (*s)
        fputc(*s++, f);
    return 0;
}

size_t fwrite(const void *from, size_t bytes, size_t count, FILE *f)
{
    for (size_t i = 0; i < bytes * count; i++)
        fputc(((const char *)from)[i], f);
    return count;
}

/* For the counters: here it is the debug console, whatever its name. */
FILE *file_create(const char *path)
{
    (void)path;
    return (FILE *)&stderr;
}

int fclose(FILE *f)
{
    (void)f;
    return 0;
}
