/* What a handful of samples say: the median and the spread around it, because a mean follows every interrupt that
 * hits a sample. Quartiles are interpolated linearly (R's type 7), MAD is the median distance from the median; an outlier is ten standard
 * deviations of a normal distribution with that MAD away (hyperfine's rule), and stays in. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { RESAMPLES = 1000, MAX_RUNS = 1024 };
#define OUTLIER 14.826

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
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(values[i] - s.median);
    qsort(sorted, n, sizeof *sorted, ascending);
    s.mad = quantile(sorted, n, 0.5);
    for (size_t i = 0; i < n; i++)
        s.outliers += is_outlier(values[i], &s);
    free(sorted);
    return s;
}

bool is_outlier(double value, const struct summary *s)
{
    return s->mad > 0 && fabs(value - s->median) > OUTLIER * s->mad;
}

struct ranked { double value; int run; };

static int by_value(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;
    return (x > y) - (x < y);
}

/* The median of a resample, in which each sample stands as often as its run was drawn. */
static double resampled_median(const struct ranked *sorted, size_t n, const unsigned *drawn, size_t total)
{
    size_t below = 0;
    for (size_t i = 0; i < n; i++) {
        below += drawn[sorted[i].run];
        if (2 * below > total)
            return sorted[i].value;
        if (2 * below == total)                             /* between this one and the next that was drawn */
            for (size_t k = i + 1; k < n; k++)
                if (drawn[sorted[k].run])
                    return (sorted[i].value + sorted[k].value) / 2;
    }
    return sorted[n - 1].value;
}

/* Samples of one process have much in common (where its pages lie, what the host did then), so that what is drawn are runs. With fewer
 * than three there is nothing to draw from: each sample counts as its own. */
void bootstrap_median(const double *values, const int *run, size_t n, double *low, double *high)
{
    struct ranked *sorted = malloc(n * sizeof *sorted);
    unsigned *drawn = calloc(n, sizeof *drawn), *size = calloc(n, sizeof *size);
    double medians[RESAMPLES];
    int number[MAX_RUNS] = { 0 }, runs = 0;
    uint32_t state = 1;

    if (!sorted || !drawn || !size)
        abort();
    for (size_t i = 0; i < n; i++)                          /* runs are numbered anew, from 0 without gaps */
        if (!number[run[i] % MAX_RUNS])
            number[run[i] % MAX_RUNS] = ++runs;
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (struct ranked){ values[i], runs < 3 ? (int)i : number[run[i] % MAX_RUNS] - 1 };
        size[sorted[i].run]++;
    }
    runs = runs < 3 ? (int)n : runs;
    qsort(sorted, n, sizeof *sorted, by_value);
    for (int k = 0; k < RESAMPLES; k++) {
        size_t total = 0;
        memset(drawn, 0, n * sizeof *drawn);
        for (int i = 0; i < runs; i++) {
            uint32_t one = random_next(&state) % (uint32_t)runs;
            drawn[one]++;
            total += size[one];
        }
        medians[k] = resampled_median(sorted, n, drawn, total);
    }
    qsort(medians, RESAMPLES, sizeof medians[0], ascending);
    *low = quantile(medians, RESAMPLES, 0.025);
    *high = quantile(medians, RESAMPLES, 0.975);
    free(sorted);
    free(drawn);
    free(size);
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
