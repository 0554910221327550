/* Counters as JSON: one table per kind of count, names from the VMM's exit reasons, isa.def, vectors. Zeros are left out
 * of the tables that are open-ended (emulated, events, hypercalls). */
#include "counters.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* "MOV_TO_CR" -> "mov-to-cr" */
static void print_name(FILE *f, const char *name)
{
    for (; *name; name++)
        fputc(*name == '_' ? '-' : tolower((unsigned char)*name), f);
}

static void print_exits(FILE *f, const struct counters *c)
{
    uint64_t total = 0;

    fputs("  \"exits\": {", f);
    for (int i = 0; c->exit_names[i]; i++) {
        fprintf(f, "\"%s\": %" PRIu64 ", ", c->exit_names[i], c->exits[i]);
        total += c->exits[i];
    }
    fprintf(f, "\"total\": %" PRIu64 "},\n", total);
}

static void print_ticks(FILE *f, const struct counters *c)
{
    const char *separator = "";

    fputs("  \"ticks\": {", f);
    for (int i = 0; c->exit_names[i]; i++) {
        if (!c->ticks[i])
            continue;
        fprintf(f, "%s\"%s\": %" PRIu64, separator, c->exit_names[i], c->ticks[i]);
        separator = ", ";
    }
    fputs("},\n", f);
}

static void print_emulated(FILE *f, const struct counters *c)
{
    const char *separator = "";

    fputs("  \"emulated\": {", f);
    for (int i = 0; i < ISA_COUNT; i++) {
        if (!c->emulated[i])
            continue;
        fprintf(f, "%s\"", separator);
        print_name(f, isa_rows[i].name);
        fprintf(f, "\": %" PRIu64, c->emulated[i]);
        separator = ", ";
    }
    fputs("},\n", f);
}

/* `names` may be NULL: numbers are all they have. */
static void print_numbered(FILE *f, const char *table, const uint64_t *count, int n, const char *const *names)
{
    const char *separator = "";

    fprintf(f, "  \"%s\": {", table);
    for (int i = 0; i < n; i++) {
        if (!count[i])
            continue;
        if (names)
            fprintf(f, "%s\"%s\": %" PRIu64, separator, names[i], count[i]);
        else
            fprintf(f, "%s\"%d\": %" PRIu64, separator, i, count[i]);
        separator = ", ";
    }
    fputs("},\n", f);
}

static void print_blocks(FILE *f, const struct counters *c)
{
    const struct { const char *name; uint64_t count; } field[] = {
        { "translated", c->blocks_translated }, { "chained", c->blocks_chained },
        { "invalidated", c->blocks_invalidated }, { "evicted", c->blocks_evicted },
        { "guest_bytes", c->guest_bytes }, { "host_bytes", c->host_bytes }, { "instructions", c->instructions },
        { "looked_up", c->looked_up }, { "missed", c->missed }, { "predicted", c->predicted },
    };

    fputs("  \"blocks\": {", f);
    for (unsigned i = 0; i < sizeof field / sizeof *field; i++)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "", field[i].name, field[i].count);
    fputs("} }\n", f);
}

bool counters_write(const struct counters *c, const char *vmm, FILE *f)
{
    fprintf(f, "{ \"vmm\": \"%s\",\n", vmm);
    print_exits(f, c);
    print_ticks(f, c);
    print_emulated(f, c);
    print_numbered(f, "events", c->events, 256, NULL);
    print_numbered(f, "hypercalls", c->hypercalls, HYPERCALLS_MAX, c->hypercall_names);
    fprintf(f, "  \"timer\": {\"lost\": %" PRIu64 "},\n", c->timer_ticks_lost);
    fprintf(f, "  \"shadow\": {\"mapped\": %" PRIu64 ", \"flushed\": %" PRIu64 "},\n", c->pages_shadowed,
            c->pages_flushed);
    print_blocks(f, c);
    return fclose(f) == 0;
}
