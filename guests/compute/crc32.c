/* CRC-32 of 16 KiB, one table look-up a byte. Mix: a chain of dependent loads, each address made from the value
 * before: the latency of a load is all that counts (segment bases other than 0 show up here first).
 * Expected: yes abc | head -c 16384 | gzip -c, the CRC in its last eight bytes. */
#include "compute.h"

enum { SIZE = 16384 };

static uint32_t table[256] __attribute__((aligned(64)));
static uint8_t text[SIZE] __attribute__((aligned(4096)));

uint32_t fill_abc(uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        data[i] = (uint8_t)((i & 3) == 3 ? '\n' : 'a' + (i & 3));
    return size;
}

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
        table[i] = c;
    }
}

uint32_t crc32_of(const uint8_t *data, uint32_t size)
{
    if (!table[1])
        make_table();
    uint32_t c = 0xffffffff;
    for (uint32_t i = 0; i < size; i++)
        c = c >> 8 ^ table[(c ^ data[i]) & 0xff];
    return ~c;
}

uint32_t crc32(void)
{
    return crc32_of(text, fill_abc(text, SIZE));
}
