/* See console.h. */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

uint64_t console_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return console_now();
}

void console_flush(struct console *c)
{
    unsigned done = 0;

    while (done < c->held) {
        ssize_t n = write(STDOUT_FILENO, c->out + done, c->held - done);

        if (n < 0 && errno != EINTR)
            break;              /* the line is dead: what the guest sends is lost, as on a wire */
        done += n > 0 ? (unsigned)n : 0;
    }
    c->held = 0;
}

static void put(void *ctx, uint8_t byte)
{
    struct console *c = ctx;

    c->out[c->held++] = byte;
    if (byte == '\n' || c->held == sizeof c->out)
        console_flush(c);
}

static bool readable(int milliseconds)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

    return poll(&p, 1, milliseconds) > 0;
}

static int get(void *ctx)
{
    struct console *c = ctx;
    uint8_t byte;

    c->asked = true;
    if (c->closed || !readable(0))
        return -1;
    if (read(STDIN_FILENO, &byte, 1) == 1)
        return byte;
    c->closed = true;
    return -1;
}

struct bus_host console_host(struct console *c)
{
    return (struct bus_host){ .now = now, .put = put, .get = get, .ctx = c };
}

void console_wait(struct console *c, uint64_t deadline)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    uint64_t at = console_now(), left = deadline > at ? deadline - at : 0;
    struct timespec t = { (time_t)(left / 1000000000), (long)(left % 1000000000) };

    console_flush(c);
    ppoll(&p, !c->closed && c->asked, deadline == UINT64_MAX ? NULL : &t, NULL);
    c->asked = false;           /* input that nobody takes must not keep us awake */
}
