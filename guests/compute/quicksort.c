/* Quicksort of 4,096 pseudo-random numbers. Mix: compares and swaps with branches that no predictor guesses
 * (about half are missed), recursion.
 * Expected: the same numbers through sort(1) and a position-weighted sum in awk; see expected.sh. */
#include "compute.h"

enum { COUNT = 4096 };

static uint32_t numbers[COUNT] __attribute__((aligned(4096)));

static void sort(uint32_t *a, int low, int high)
{
    uint32_t pivot = a[(low + high) / 2];
    int i = low, j = high;
    while (i <= j) {
        while (a[i] < pivot)
            i++;
        while (a[j] > pivot)
            j--;
        if (i <= j) {
            uint32_t t = a[i];
            a[i++] = a[j];
            a[j--] = t;
        }
    }
    if (low < j)
        sort(a, low, j);
    if (i < high)
        sort(a, i, high);
}

uint32_t quicksort(void)
{
    uint32_t x = 1, sum = 0;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = x = (x * 25173 + 13849) & 0xffff;
    sort(numbers, 0, COUNT - 1);
    for (uint32_t i = 0; i < COUNT; i++)
        sum += (i + 1) * numbers[i];
    return sum;
}
