/* What a handful of samples say: the median and the spread around it, because a mean follows every interrupt that
 * hits a sample. Quartiles are interpolated linearly (R's type 7), MAD is the median distance from the median. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t low = (size_t)at;
    return low + 1 < n ? sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]) : sorted[n - 1];
}

struct summary summarize(const double *values, size_t n)
{
    struct summary s = { .n = n };
    if (n == 0)
        return s;
    double *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        abort();
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    s.low = sorted[0];
    s.median = quantile(sorted, n, 0.5);
    s.q1 = quantile(sorted, n, 0.25);
    s.q3 = quantile(sorted, n, 0.75);
    s.iqr = s.q3 - s.q1;
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(values[i] - s.median);
    qsort(sorted, n, sizeof *sorted, ascending);
    s.mad = quantile(sorted, n, 0.5);
    free(sorted);
    return s;
}

double geometric_mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += log(values[i]);
    return n ? exp(sum / (double)n) : 0;
}

uint32_t random_next(uint32_t *state)                       /* xorshift32, Marsaglia 2003; the state is never 0 */
{
    uint32_t x = *state ? *state : 1;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

void shuffle(size_t *order, size_t n, uint32_t *state)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = random_next(state) % i, t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
