/* What is asked of the host's processor itself, in the parts of machine/ that run no guest code on it: so that they, and the
 * emulation, work on other processors than x86. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>
#include <x86intrin.h>

static inline uint64_t host_tsc(void) { return __rdtsc(); }
static inline void host_cpuid(uint32_t leaf, uint32_t r[4]) { __cpuid(leaf, r[0], r[1], r[2], r[3]); }

#else

#include <time.h>

/* A time-stamp counter of 1 GHz, and the Pentium III that emulate.c shows, with all that it may show. */
static inline uint64_t host_tsc(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void host_cpuid(uint32_t leaf, uint32_t r[4])
{
    static const uint32_t leaves[2][4] = { { 1, 0x756e6547, 0x6c65746e, 0x49656e69 },   /* "GenuineIntel" */
                                           { 0x6b1, 0, 0, 0xffffffff } };

    for (unsigned i = 0; i < 4; i++)
        r[i] = leaves[leaf & 1][i];
}

#endif
#endif
