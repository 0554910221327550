/* See trace.h. */
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "listing.h"

enum { HEX_DIGITS = 2 * INSN_MAX };

static bool colour;

void trace_begin(void)
{
    const char *no = getenv("NO_COLOR");

    colour = isatty(STDERR_FILENO) && !(no && *no);
}

static void hex(const struct listing *l, char *text)
{
    *text = '\0';
    for (unsigned i = 0; i < l->length; i++)
        text += sprintf(text, "%02x", l->bytes[i]);
}

static void print_line(const struct listing *l)
{
    const char *mark = colour && l->sensitive ? "\033[33m" : "";
    const char *dim = colour ? "\033[2m" : "", *off = colour ? "\033[0m" : "";
    char digits[HEX_DIGITS + 1];

    hex(l, digits);
    if (l->length)
        fprintf(stderr, "%s%08" PRIx32 "  %-20s  %-36s%s", mark, l->eip, digits, l->guest_text, off);
    else
        fprintf(stderr, "%s%-68s%s", dim, l->guest_text, off);
    fprintf(stderr, " | %s%08" PRIx32 "  %s%s\n", l->ours ? dim : mark, l->host, l->host_text, off);
}

void trace_block(struct cache *c, const struct block *b)
{
    struct listing l = listing_begin(c, b);
    char place[LISTING_TEXT], context[LISTING_TEXT];

    listing_place(c, b, place, sizeof place);
    listing_context(c, b, context, sizeof context);
    fprintf(stderr, "\n%sblock %d  %s  %s  %u instruction%s, %u -> %u bytes%s\n", colour ? "\033[1m" : "",
            (int)(b - c->block), place, context, b->instructions, b->instructions == 1 ? "" : "s", b->guest_bytes,
            b->end - b->landing, colour ? "\033[0m" : "");
    while (listing_next(&l))
        print_line(&l);
}
