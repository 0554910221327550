/* The compute programs: work in ring 3 that asks the kernel for nothing. Each one stresses another mix of
 * instructions; one call is one iteration (10,000 to 1,000,000 cycles) and returns a checksum that a tool which
 * is not ours also computes: `sh guests/compute/expected.sh` reprints them all. The same objects run under every
 * VMM and in build/native-twin. Next: compute.c, the runner. */
#ifndef COMPUTE_H
#define COMPUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t sieve(void);
uint32_t sha256(void);
uint32_t quicksort(void);
uint32_t matmul(void);
uint32_t crc32(void);
uint32_t lz_compress(void);
uint32_t fib(void);
uint32_t dispatch(void);
uint32_t strings(void);

uint32_t crc32_of(const uint8_t *data, uint32_t size);      /* the CRC of gzip and Ethernet */
uint32_t fill_abc(uint8_t *data, uint32_t size);            /* "abc\n" over and over, as `yes abc`; returns size */

#endif
