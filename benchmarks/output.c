/* Reads what a guest prints (design.md 3) and what a VMM counts. A line that does not follow the contract to its
 * last character is for people and is passed over; so is a last line without its end, from a guest that was
 * stopped. Unit tests: tests/unit/test_bench_output.c. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* `rest`: nothing after PASS, " want=... got=..." after FAIL. */
static void parse_probe(const char *name, const char *word, const char *rest, struct output *out)
{
    struct probe p = { .right = !strcmp(word, "PASS") };

    if ((p.right ? *rest : strcmp(word, "FAIL")) || out->probe_count == MAX_PROBES)
        return;
    strcpy(p.name, name);
    sscanf(rest, " want=%39s got=%39s", p.want, p.got);
    out->probes[out->probe_count++] = p;
}

static void parse_line(const char *line, struct output *out)
{
    struct sample s;
    char name[40], word[8], iterations[21], cycles[21];
    int end = -1;

    if (sscanf(line, "BENCH %39s %20[0-9] %20[0-9]%n", s.name, iterations, cycles, &end) == 3 && !line[end]) {
        s.iterations = strtoull(iterations, NULL, 10);
        s.cycles = strtoull(cycles, NULL, 10);
        if (s.iterations && out->count < MAX_SAMPLES)
            out->samples[out->count++] = s;
    } else if (sscanf(line, "PROBE %39s %7s%n", name, word, &end) == 2) {
        parse_probe(name, word, line + end, out);
    } else if (sscanf(line, "SKIP %39s %n", name, &end) == 1 && end > 0 && out->skips < 16) {
        strcpy(out->skipped[out->skips].name, name);
        snprintf(out->skipped[out->skips].why, sizeof out->skipped[0].why, "%s", line + end);
        out->skips++;
    } else if (!strncmp(line, "DONE ", 5) && isdigit((unsigned char)line[5])) {
        out->done = true;
    }
}

void parse_output(const char *text, struct output *out)
{
    memset(out, 0, sizeof *out);
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        char line[256];
        size_t n = (size_t)(end - text);
        if (n >= sizeof line)
            continue;
        memcpy(line, text, n);
        while (n && isspace((unsigned char)line[n - 1]))    /* the console may send a return before each new line */
            n--;
        line[n] = 0;
        parse_line(line, out);
    }
}

bool parse_counters(const char *text, json_t **exits, double *total)
{
    json_t *root = json_loads(text, 0, NULL), *object = json_object_get(root, "exits");
    const char *reason;
    json_t *count;

    *total = 0;
    *exits = NULL;
    if (json_is_object(object)) {
        *exits = json_incref(object);
        json_object_del(object, "total");                   /* their sum; made here, so that it need not be there */
        json_object_foreach(object, reason, count)
            *total += json_number_value(count);
    }
    json_decref(root);
    return *exits != NULL;
}

json_t *parse_ticks(const char *text)
{
    json_t *root = json_loads(text, 0, NULL), *ticks = json_object_get(root, "ticks");
    ticks = json_object_size(ticks) ? json_incref(ticks) : NULL;
    json_decref(root);
    return ticks;
}

json_t *per_operation(const json_t *few, const json_t *many, double more)
{
    json_t *each = json_object(), *count;
    const char *reason;

    json_object_foreach((json_t *)many, reason, count) {
        double extra = json_number_value(count) - json_number_value(json_object_get(few, reason));
        if (extra > more / 20 || extra < -more / 20)
            json_object_set_new(each, reason, json_real(extra / more));
    }
    return each;
}

/* In and out of the cache: as often as it was left, at least as long as the shortest stay that ended the same way. */
static double crossings(const json_t *left)
{
    double sum = 0;
    const char *way;
    json_t *it;

    json_object_foreach((json_t *)left, way, it)
        sum += json_number_value(json_object_get(it, "count")) * json_number_value(json_object_get(it, "least"));
    return sum;
}

bool parse_profile(const json_t *root, struct profile *p)
{
    static const struct { const char *name; enum share share; } kinds[] = {
        { "cache", SHARE_CACHE }, { "direct", SHARE_DIRECT }, { "decode", SHARE_DECODE }, { "emit", SHARE_EMIT },
        { "enter", SHARE_ENTER }, { "link", SHARE_LINK }, { "monitor", SHARE_MONITOR }, { "start", SHARE_OUTSIDE },
        { "idle", SHARE_OUTSIDE },
    };
    const json_t *cycles = json_object_get(root, "cycles");

    memset(p, 0, sizeof *p);
    p->instructions = json_number_value(json_object_get(root, "instructions"));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const json_t *value = json_object_get(cycles, kinds[i].name);
        if (!json_is_integer(value))
            return false;
        p->cycles[kinds[i].share] += json_number_value(value);
    }
    p->cycles[SHARE_CROSS] = crossings(json_object_get(root, "left"));
    p->cycles[SHARE_CACHE] -= p->cycles[SHARE_CROSS];
    return p->instructions > 0 && p->cycles[SHARE_CACHE] >= 0;
}
