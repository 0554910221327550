/* See console.h. */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

void console_init(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);       /* for reading: output must fail, not vanish */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

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

/* Somebody may have made the terminal's description non-blocking. */
static bool may_write_again(void)
{
    struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

    return errno == EINTR || (errno == EAGAIN && (poll(&p, 1, -1) > 0 || errno == EINTR));
}

void console_flush(struct console *c)
{
    unsigned done = 0;

    while (done < c->held && !c->lost) {
        ssize_t n = write(STDOUT_FILENO, c->out + done, c->held - done);

        if (n < 0 && !may_write_again())
            c->lost = errno;
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
    ssize_t n;

    c->asked = true;
    if (c->closed || !readable(0))
        return -1;
    n = read(STDIN_FILENO, &byte, 1);
    c->closed = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
    return n == 1 ? byte : -1;
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
