/* See timeline.h. */
#include "timeline.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAMPS = 1 << 17 };

struct timeline timeline;
static struct timeline_stamp *first;

/* Touched now: a page that Linux finds later would show as the VMM's time. The first is nobody's: next[-1] is always there. */
void timeline_begin(void)
{
    first = malloc(STAMPS * sizeof *first);
    if (!first) {
        fputs("timeline: there is no memory for its stamps, so none follow\n", stderr);
        return;
    }
    memset(first, 0, STAMPS * sizeof *first);
    timeline = (struct timeline){ first + 1, first + STAMPS };
}

/* "MOV_TO_CR" -> "mov-to-cr" */
static void print_name(const char *name)
{
    for (; *name; name++)
        fputc(*name == '_' ? '-' : tolower((unsigned char)*name), stderr);
}

int timeline_print(int status)
{
    static const char *const ways[] = { [TIMELINE_GATE] = "gate", [TIMELINE_SIGNAL] = "signal", [TIMELINE_KVM] = "kvm" };

    for (const struct timeline_stamp *s = first + 1; first && s < timeline.next; s++) {
        fprintf(stderr, "TIME %016" PRIx64 " %s", s->tsc, s->way == TIMELINE_ENTER ? "enter\n" : "leave ");
        if (s->way == TIMELINE_ENTER)
            continue;
        print_name(s->reason ? s->reason : "unknown");
        fprintf(stderr, " %s\n", ways[s->way]);
    }
    if (first && timeline.next == timeline.end)
        fprintf(stderr, "timeline: these are the first %d stamps; there was no room for more\n", STAMPS - 1);
    return status;
}
