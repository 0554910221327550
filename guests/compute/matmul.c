/* Product of two 64 x 64 matrices of integers, the textbook way. Mix: multiply and add, one stream of loads in
 * order and one with a stride of 256 bytes, no branch worth the name.
 * Expected: the same sums in awk's floating point, which is exact below 2^53; see expected.sh. */
#include "compute.h"

enum { N = 64 };

static uint32_t a[N][N] __attribute__((aligned(4096))), b[N][N] __attribute__((aligned(4096)));

uint32_t matmul(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++) {
            a[i][j] = i + 2 * j;
            b[i][j] = 3 * i + j;
        }
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++) {
            uint32_t cell = 0;
            for (uint32_t m = 0; m < N; m++)
                cell += a[i][m] * b[m][j];
            sum += cell * (N * i + j);
        }
    return sum;
}
