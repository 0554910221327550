/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): it makes a situation out of the input's bytes,
 * asks one part of the kit about it, and holds the answer to what the part's header and the manual promise. `make fuzz` runs
 * them under libFuzzer; replay.c runs the corpus without it. Read next: box.h, then the target you care for. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A promise. Broken, it ends the process with a sentence, which is what libFuzzer calls a crash. */
#define must(condition, ...) ((condition) ? (void)0 : broken(__FILE__, __LINE__, __VA_ARGS__))
_Noreturn void broken(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The input, read from its beginning. At its end come zeros: whatever is cut short is still a situation. */
struct input { const uint8_t *at; size_t left; };

uint32_t take(struct input *in, unsigned bytes);                        /* 1 to 4, little-endian */
static inline uint32_t take_below(struct input *in, uint32_t n) { return take(in, n > 256 ? 2 : 1) % n; }
#define TAKE_ONE_OF(in, list) (list)[take_below(in, sizeof (list) / sizeof (list)[0])]

#endif
