/* See text.h. */
#include "text.h"

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

struct output { char *to; size_t room, used; };

static void put(struct output *o, char c)
{
    if (o->used < o->room)
        o->to[o->used++] = c;
}

static void put_number(struct output *o, uint32_t value, uint32_t base, unsigned width)
{
    char digits[11];
    unsigned n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while ((value /= base) && n < sizeof digits);
    for (unsigned i = n; i < width; i++)
        put(o, '0');
    while (n)
        put(o, digits[--n]);
}

static void put_argument(struct output *o, char kind, unsigned width, va_list *args)
{
    int32_t number;

    switch (kind) {
    case 's':
        for (const char *s = va_arg(*args, const char *); *s; s++)
            put(o, *s);
        break;
    case 'c': put(o, (char)va_arg(*args, int)); break;
    case 'd':
        number = va_arg(*args, int32_t);
        if (number < 0)
            put(o, '-');
        put_number(o, number < 0 ? -(uint32_t)number : (uint32_t)number, 10, width);
        break;
    case 'u': put_number(o, va_arg(*args, uint32_t), 10, width); break;
    case 'x': put_number(o, va_arg(*args, uint32_t), 16, width); break;
    default: put(o, kind); break;
    }
}

size_t format_text(char *to, size_t room, const char *format, va_list given)
{
    struct output o = { to, room, 0 };
    va_list args;

    va_copy(args, given);
    for (; *format; format++) {
        unsigned width = 0;

        if (*format != '%') {
            put(&o, *format);
            continue;
        }
        for (format++; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + (unsigned)(*format - '0');
        put_argument(&o, *format, width, &args);
    }
    va_end(args);
    return o.used;
}

char *option_text(const char *line, const char *name, char *to, size_t room)
{
    size_t length = strlen(name), n = 0;

    for (const char *word = line; *word; word++) {
        size_t i = 0;

        while (i < length && word[i] == name[i])
            i++;
        if (i == length && word[i] == '=' && (word == line || word[-1] == ' ')) {
            for (const char *v = word + i + 1; *v && *v != ' ' && n + 1 < room; v++)
                to[n++] = *v;
            to[n] = '\0';
            return to;
        }
    }
    return NULL;
}

uint32_t option_value(const char *line, const char *name, uint32_t otherwise)
{
    char digits[12];
    uint32_t value = 0;

    if (!option_text(line, name, digits, sizeof digits))
        return otherwise;
    for (const char *d = digits; *d >= '0' && *d <= '9'; d++)
        value = value * 10 + (uint32_t)(*d - '0');
    return value;
}

/* With a zero byte at the end. */
static void print_to(char *to, size_t room, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    to[format_text(to, room - 1, format, args)] = '\0';
    va_end(args);
}

/* FNV-1a (Fowler, Noll, Vo) over the name, from the seed on, and then over what the guest saw. */
static uint32_t seal(uint32_t seed, const char *name, uint32_t got)
{
    uint32_t hash = seed ^ 0x811c9dc5;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x01000193;
    for (int i = 0; i < 32; i += 8)
        hash = (hash ^ (got >> i & 0xff)) * 0x01000193;
    return hash;
}

bool verdict_text(char *to, size_t room, const char *line, const char *name, uint32_t want, uint32_t got)
{
    uint32_t seed = option_value(line, "seed", 0);

    if (got != want)
        print_to(to, room, "PROBE %s FAIL want=%08x got=%08x\n", name, want, got);
    else if (seed)
        print_to(to, room, "PROBE %s PASS %08x\n", name, seal(seed, name, got));
    else
        print_to(to, room, "PROBE %s PASS\n", name);
    return got == want;
}
