/* See profile.h. benchmarks/profile.c reads what is written here. */
#include "profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <x86intrin.h>

bool profile_on;

static struct {
    enum profile_kind doing;
    uint64_t since;
    uint64_t cycles[PROFILE_KINDS];
    uint64_t count[PROFILE_WAYS], least[PROFILE_WAYS];
} profile;

void profile_begin(void)
{
    profile_on = true;
    profile.since = __rdtsc();
}

/* How long the last one took. */
static uint64_t switch_to(enum profile_kind to)
{
    uint64_t now = __rdtsc(), took = now - profile.since;

    profile.cycles[profile.doing] += took;
    profile.doing = to;
    profile.since = now;
    return took;
}

void profile_switch(enum profile_kind to) { switch_to(to); }

void profile_count(enum profile_way way)
{
    uint64_t took = switch_to(PROFILE_MONITOR);

    if (profile.count[way]++ == 0 || took < profile.least[way])
        profile.least[way] = took;
}

bool profile_write(FILE *f, uint64_t instructions)
{
    static const char *const kinds[] = {
        [PROFILE_START] = "start", [PROFILE_IDLE] = "idle", [PROFILE_CACHE] = "cache", [PROFILE_DIRECT] = "direct",
        [PROFILE_DECODE] = "decode", [PROFILE_EMIT] = "emit", [PROFILE_ENTER] = "enter", [PROFILE_LINK] = "link",
        [PROFILE_MONITOR] = "monitor",
    };
    static const char *const ways[] = { [PROFILE_GATE] = "gate", [PROFILE_SIGNAL] = "signal" };

    profile_switch(PROFILE_START);
    fprintf(f, "{ \"instructions\": %" PRIu64 ",\n  \"cycles\": {", instructions);
    for (int i = 0; i < PROFILE_KINDS; i++)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "", kinds[i], profile.cycles[i]);
    fputs("},\n  \"left\": {", f);
    for (int i = 0; i < PROFILE_WAYS; i++)
        fprintf(f, "%s\"%s\": {\"count\": %" PRIu64 ", \"least\": %" PRIu64 "}", i ? ", " : "", ways[i],
                profile.count[i], profile.least[i]);
    fputs("} }\n", f);
    return fclose(f) == 0;
}
