/* LZ77 with a hash table, there and back, of 8 KiB of decimal numbers. Mix: hashing, unaligned byte loads, table
 * look-ups, copies of short runs, branches that depend on the data.
 * Expected: the CRC of the text after the round trip, seq 1000001 1002000 | head -c 8192 | gzip -c; 0 if it did
 * not shrink by a quarter. */
#include "compute.h"

enum { SIZE = 8192, HASH = 1024, SHORTEST = 4, LONGEST = 127 + SHORTEST };

static uint8_t text[SIZE], back[SIZE], packed[2 * SIZE];
static uint16_t seen[HASH];

static void make_text(void)                 /* as `seq 1000001 1002000` prints it, cut */
{
    for (uint32_t at = 0, n = 1000001; at < SIZE; n++) {
        for (uint32_t unit = 1000000; unit; unit /= 10)
            text[at++] = (uint8_t)('0' + n / unit % 10);
        text[at++] = '\n';
    }
}

/* A token is a length 1..127 of literals that follow, or 128 + (length - 4) and a 16-bit distance. */
static uint32_t pack(void)
{
    uint32_t out = 0, literals = 0;         /* literals: how many the open token has */
    for (uint32_t at = 0; at < SIZE;) {
        const uint8_t *p = text + at;
        uint32_t length = 0, from = 0;
        if (at + SHORTEST <= SIZE) {
            uint32_t slot = ((uint32_t)(p[0] | p[1] << 8 | p[2] << 16) * 2654435761u) >> 22;
            from = seen[slot];
            seen[slot] = (uint16_t)at;
            while (from < at && length < LONGEST && at + length < SIZE && text[from + length] == p[length])
                length++;
        }
        if (length >= SHORTEST) {
            packed[out++] = (uint8_t)(128 + length - SHORTEST);
            packed[out++] = (uint8_t)(at - from);
            packed[out++] = (uint8_t)((at - from) >> 8);
            at += length;
            literals = 0;
            continue;
        }
        if (literals == 0 || literals == 127)
            packed[out++] = (uint8_t)(literals = 0);
        literals++;
        packed[out++] = text[at++];
        packed[out - 1 - literals] = (uint8_t)literals;
    }
    return out;
}

static void unpack(uint32_t size)
{
    for (uint32_t in = 0, out = 0; in < size;) {
        uint32_t token = packed[in++], distance;
        if (token < 128) {
            while (token--)
                back[out++] = packed[in++];
            continue;
        }
        distance = packed[in] | (uint32_t)packed[in + 1] << 8;
        in += 2;
        for (token = token - 128 + SHORTEST; token--; out++)
            back[out] = back[out - distance];
    }
}

uint32_t lz_compress(void)
{
    make_text();
    for (uint32_t i = 0; i < HASH; i++)
        seen[i] = 0;
    uint32_t size = pack();
    unpack(size);
    return size < SIZE * 3 / 4 ? crc32_of(back, SIZE) : 0;
}
