/* The corpus without libFuzzer: one file a target in corpus/, one input a line, in hexadecimal; lines that begin with # say what the
 * next one found.
 *     replay                      each input of each target once: what `make check` runs
 *     replay --unpack NAME DIR    the inputs of one target as files, for libFuzzer
 *     replay --pack DIR           files as lines, shortest first
 * Run it where the Makefile is. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG "build/fuzz/replay.log"     /* what dies says there why */

enum { BYTES_MAX = 1 << 16, INPUTS_LEAST = 10, SECONDS_MAX = 60 };

typedef int target(const uint8_t *data, size_t bytes);
#define TARGET(name) target fuzz_##name;
#include "targets.h"
#undef TARGET
static const struct { const char *name; target *run; } targets[] = {
#define TARGET(name) { #name, fuzz_##name },
#include "targets.h"
#undef TARGET
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

/* ---- lines --------------------------------------------------------------------------------------- */

static FILE *corpus_of(const char *name)
{
    char path[80];
    FILE *f;

    snprintf(path, sizeof path, "tests/fuzz/corpus/%s", name);
    f = fopen(path, "r");
    if (!f)
        perror(path);
    return f;
}

/* The next input: so many bytes, its line in *line. -1: there is none. */
static long next_input(FILE *f, uint8_t *data, int *line)
{
    static char text[2 * BYTES_MAX + 2];
    long n = 0;

    do {
        if (!fgets(text, sizeof text, f))
            return -1;
        ++*line;
    } while (*text == '#');
    for (unsigned byte; sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
        data[n] = (uint8_t)byte;
    return n;
}

/* ---- every input once ---------------------------------------------------------------------------- */

struct progress { int line, done; };    /* shared with who dies of an input */

/* Exactly as many bytes as there are: one behind them is one too many. */
static void run_target(int which, struct progress *p)
{
    static uint8_t data[BYTES_MAX];
    FILE *f = corpus_of(targets[which].name);

    for (long n; f && (n = next_input(f, data, &p->line)) >= 0; p->done++) {
        uint8_t *copy = malloc(n ? (size_t)n : 1);

        alarm(SECONDS_MAX);                             /* some inputs are there because they had no end */
        memcpy(copy, data, (size_t)n);
        targets[which].run(copy, (size_t)n);
        free(copy);
    }
}

static bool passes(int which, struct progress *p)
{
    int status = -1;
    pid_t child;

    *p = (struct progress){ 0 };
    fflush(stdout);
    child = fork();
    if (child == 0) {
        run_target(which, p);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status != 0)
        printf("FAIL fuzz %s: line %d of its corpus; what is wrong stands in " LOG "\n", targets[which].name, p->line);
    else if (p->done < INPUTS_LEAST)
        printf("FAIL fuzz %s: only %d inputs in its corpus\n", targets[which].name, p->done);
    return status == 0 && p->done >= INPUTS_LEAST;
}

static int replay(void)
{
    struct progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int passed = 0, log = open(LOG, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);

    dup2(log, STDERR_FILENO);
    for (int i = 0; i < TARGETS; i++)
        passed += passes(i, p);
    printf("fuzz: %d passed, %d failed, 0 skipped\n", passed, TARGETS - passed);
    return passed != TARGETS;
}

/* ---- to and from files --------------------------------------------------------------------------- */

static int unpack(const char *name, const char *directory)
{
    static uint8_t data[BYTES_MAX];
    FILE *f = corpus_of(name), *out;
    char path[300];
    int line = 0;

    if (!f)
        return 1;
    for (long n; (n = next_input(f, data, &line)) >= 0; fclose(out)) {
        snprintf(path, sizeof path, "%s/line-%04d", directory, line);
        out = fopen(path, "w");
        if (!out || fwrite(data, 1, (size_t)n, out) != (size_t)n) {
            perror(path);
            return 1;
        }
    }
    return fclose(f);
}

static int shorter(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    size_t m = strlen(*x), n = strlen(*y);

    return m != n ? (m > n) - (m < n) : strcmp(*x, *y);
}

static char *line_of(const char *directory, const char *name)
{
    char path[600], *text = calloc(1, 2 * BYTES_MAX + 1);
    FILE *f;
    int c;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    f = fopen(path, "r");
    for (size_t n = 0; f && n < BYTES_MAX && (c = getc(f)) != EOF; n++)
        sprintf(text + 2 * n, "%02x", (unsigned)c);
    if (f)
        fclose(f);
    return realloc(text, strlen(text) + 1);
}

static int pack(const char *directory)
{
    DIR *d = opendir(directory);
    char **lines = NULL;
    size_t n = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        if (*e->d_name == '.')
            continue;
        lines = realloc(lines, (n + 1) * sizeof *lines);
        lines[n++] = line_of(directory, e->d_name);
    }
    qsort(lines, n, sizeof *lines, shorter);
    for (size_t i = 0; i < n; free(lines[i++]))
        puts(lines[i]);
    free(lines);
    return d == NULL || closedir(d);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "--unpack"))
        return unpack(argv[2], argv[3]);
    if (argc == 3 && !strcmp(argv[1], "--pack"))
        return pack(argv[2]);
    return replay();
}
