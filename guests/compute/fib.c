/* The recursive Fibonacci function of 20. Mix: calls and returns, pushes and pops, nothing else: what a
 * translator pays for returns shows here.
 * Expected: 6765, OEIS A000045. */
#include "compute.h"

/* noclone and noinline: gcc would unroll the recursion and take most of the calls away. */
#if defined(__clang__)
#define AS_WRITTEN __attribute__((noinline))
#else
#define AS_WRITTEN __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))
#endif

static AS_WRITTEN uint32_t fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

uint32_t fib(void)
{
    static volatile uint32_t n = 20;        /* volatile: not a constant to fold */
    return fibonacci(n);
}
