/* Are translated code, the real processor and the emulator of one mind? Streams from a seed are generated, run in each
 * of the ways of ways.c, and compared. One that differs is printed, cut down to the instructions that matter.
 *
 *     build/tests/streams [--seed N] [--streams N] [--first N] [--verbose]     run them
 *     build/tests/streams --write FILE [--seed N] [--first N] [--streams N] [--trapping] [--drop LIST] [--only LIST]
 *                                                                              a table of them for guest.asm, on any host
 *
 * See stream.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"
#include "stream.h"

static struct stream stream;
static struct image image;
static unsigned passed, wrong, thrown_away;
static bool verbose;

/* ---- one stream ---------------------------------------------------------------------------------- */

static bool make(void)
{
    struct rng r = { stream.seed + stream.number };

    image_make(&image, &stream);
    return ways_reference(&image, &r);
}

static bool differs(enum way way, char *why, size_t size)
{
    return make() && !ways_run(way, &image, why, size);
}

/* Drop instructions one by one while it still differs. */
static void cut_down(enum way way, char *why, size_t size)
{
    for (int k = 0; k < stream.pieces; k++) {
        stream.piece[k].dropped = true;
        if (!differs(way, why, size))
            stream.piece[k].dropped = false;
    }
    if (!differs(way, why, size))
        snprintf(why, size, "it does not differ any more");
}

static void print_stream(void)
{
    static const char *const names[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
    const struct vcpu *cpu = &image.cpu;
    char text[128];

    printf("  %s, %s, %s\n ", stream.user ? "user" : "kernel", stream.paging ? "paging" : "no paging",
           stream.wide ? "32-bit code" : "16-bit code");
    for (int k = 0; k < 8; k++)
        printf(" %s %08x", names[k], cpu->gpr[k]);
    printf("\n  eip %08x eflags %08x cr0 %08x\n", cpu->eip, cpu->eflags, cpu->cr0);
    for (int k = 0; k < stream.pieces; k++) {
        const struct piece *p = &stream.piece[k];

        if (p->dropped)
            continue;
        decode_text(p->bytes, p->length, stream.wide, p->offset, text, sizeof text);
        printf("  %08x ", p->offset);
        for (int i = 0; i < INSN_MAX; i++)
            printf(i < p->length ? "%02x" : "  ", p->bytes[i]);
        printf(" %s\n", text);
    }
}

static void report(enum way way, bool shortly, char *why, size_t size)
{
    printf("FAIL seed %llu, stream %u, %s: %s\n", (unsigned long long)stream.seed, stream.number, way_names[way], why);
    if (shortly)
        return;
    cut_down(way, why, size);
    printf("  cut down: %s\n", why);
    print_stream();
    for (int k = 0; k < stream.pieces; k++)
        stream.piece[k].dropped = false;
    make();
}

static void test(uint64_t seed, unsigned number)
{
    char why[800];
    bool told = false;

    stream_generate(&stream, seed, number, false);
    if (!make()) {
        thrown_away++;
        return;
    }
    if (verbose)
        printf("stream %u: %d pieces, %u steps, %s\n", number, stream.pieces, ways_steps(), ways_end());
    for (enum way way = 0; way < WAYS; way++) {
        if (way == WAY_EMULATED && !stream.defined)
            continue;
        bool right = ways_run(way, &image, why, sizeof why);

        passed += right;
        wrong += !right;
        if (!right)
            report(way, told, why, sizeof why);
        told |= !right;
    }
}

/* ---- many ---------------------------------------------------------------------------------------- */

static const char *text_after(int argc, char **argv, const char *option)
{
    for (int k = 1; k < argc - 1; k++)
        if (!strcmp(argv[k], option))
            return argv[k + 1];
    return NULL;
}

static uint64_t number_after(int argc, char **argv, const char *option, uint64_t otherwise)
{
    const char *text = text_after(argc, argv, option);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

/* A table; of a stream that is cut down, what is left of it as well. */
static int write_table(const char *path, const struct selection *which)
{
    if (!write_streams(path, which, &stream)) {
        fprintf(stderr, "streams: cannot write %s: %s\n", path, strerror(errno));
        return EXIT_USAGE;
    }
    if (which->drop) {
        make();
        printf("%d pieces\n", stream.pieces);
        print_stream();
    }
    return 0;
}

static int run_streams(const struct selection *which)
{
    for (unsigned k = 0; k < which->streams && wrong < 60; k++)
        test(which->seed, which->first + k);
    printf("seed %llu: %u streams, %u thrown away; %llu blocks translated, %llu host instructions looked at\n",
           (unsigned long long)which->seed, which->streams, thrown_away, (unsigned long long)ways_blocks(),
           (unsigned long long)ways_stops());
    printf("streams: %u passed, %u failed, 0 skipped\n", passed, wrong);
    return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *why = ways_init(), *table = text_after(argc, argv, "--write");
    struct selection which = {
        .seed = number_after(argc, argv, "--seed", 1), .first = (unsigned)number_after(argc, argv, "--first", 0),
        .streams = (unsigned)number_after(argc, argv, "--streams", 500), .drop = text_after(argc, argv, "--drop"),
        .only = text_after(argc, argv, "--only"),
    };

    for (int k = 1; k < argc; k++) {
        verbose |= !strcmp(argv[k], "--verbose");
        which.trapping |= !strcmp(argv[k], "--trapping");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (table)
        return write_table(table, &which);
    if (why) {
        printf("skip streams: this host cannot run binary-translation: %s\n", why);
        printf("streams: 0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    return run_streams(&which);
}
