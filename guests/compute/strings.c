/* Strings of 1 to 127 letters, built, copied, compared and measured by the processor's string instructions.
 * Mix: rep stosb, rep movsd, repe cmpsb, repne scasb, short and long (string-moves.asm).
 * Expected: the lengths add up to 127 * 128 / 2 = 8128 (Gauss); 0 if the copy differs. */
#include "compute.h"

enum { STRINGS = 127, SIZE = STRINGS * (STRINGS + 1) / 2 + STRINGS };   /* with a zero byte after each */

uint8_t *string_fill(uint8_t *to, int byte, uint32_t count);            /* returns the end */
void string_copy(void *to, const void *from, uint32_t words);
bool string_equal(const void *a, const void *b, uint32_t bytes);
uint32_t string_length(const uint8_t *s);

static uint8_t first[(SIZE + 3) & ~3] __attribute__((aligned(64)));
static uint8_t second[(SIZE + 3) & ~3] __attribute__((aligned(64)));

uint32_t strings(void)
{
    uint8_t *p = first;
    for (uint32_t i = 1; i <= STRINGS; i++)
        p = string_fill(string_fill(p, 'a' + (int)i % 26, i), 0, 1);
    string_copy(second, first, sizeof first / 4);
    if (!string_equal(first, second, SIZE))
        return 0;
    uint32_t total = 0;
    for (uint32_t i = 0, at = 0; i < STRINGS; i++) {
        uint32_t length = string_length(second + at);
        total += length;
        at += length + 1;
    }
    return total;
}
