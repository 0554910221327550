/* The time of an emulator whose time-stamp counter is not one: Bochs's counts instructions. Lines pass from standard input to
 * standard output; a BENCH line gets, for the cycles that the guest saw, those that passed here since the one before of the same
 * name. The first of a name has none before, and is left out. Used by bochs-timed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

int main(void)
{
    char line[256], name[64], last[64] = "";
    unsigned iterations;
    uint64_t before = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t now = __rdtsc();

        if (sscanf(line, "BENCH %63s %u", name, &iterations) != 2) {
            fputs(line, stdout);
            continue;
        }
        if (!strcmp(name, last))
            printf("BENCH %s %u %" PRIu64 "\n", name, iterations, now - before);
        strcpy(last, name);
        before = now;
    }
    return 0;
}
