/* The serial line on stdin and stdout: nothing that the guest prints is lost while somebody reads, and input that
 * has ended does not keep the VMM awake. Each test puts a pipe of its own at descriptor 0 or 1. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"

enum { BYTES = 200000, MILLISECOND = 1000000 };

static struct console console;
static struct bus_host line;
static int saved, end;                  /* what the descriptor was; the pipe's other end */

/* `descriptor` 0: we write to `end`; 1: we read from it. */
static void connect_pipe(int descriptor)
{
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    saved = dup(descriptor);
    dup2(fd[descriptor], descriptor);
    close(fd[descriptor]);
    end = fd[!descriptor];
    memset(&console, 0, sizeof console);
    line = console_host(&console);
}

static void disconnect(int descriptor)
{
    dup2(saved, descriptor);
    close(saved);
}

static void ignore(int signal) { (void)signal; }

/* A timer that interrupts write() all the time, as the guest's does. */
static void tick_every(suseconds_t microseconds)
{
    struct itimerval often = { { 0, microseconds }, { 0, microseconds } };
    struct sigaction action = { .sa_handler = ignore };

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

/* The reader: starts late, goes on in small pieces, and says whether all came, in order. */
static void read_slowly(void)
{
    char bytes[4096];
    unsigned count = 0, wrong = 0;
    ssize_t n;

    usleep(100000);
    while ((n = read(end, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < n; i++)
            wrong += bytes[i] != (char)('a' + count++ % 26);
    _exit(count != BYTES || wrong);
}

/* The second time, write() does not wait for the reader. */
START_TEST(slow_reader_gets_all)
{
    pid_t reader;
    int status;

    connect_pipe(STDOUT_FILENO);
    reader = fork();
    if (reader == 0) {
        close(STDOUT_FILENO);
        read_slowly();
    }
    if (_i)
        fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    tick_every(1000);
    for (int i = 0; i < BYTES; i++)
        line.put(line.ctx, (uint8_t)('a' + i % 26));
    console_flush(&console);
    tick_every(0);
    disconnect(STDOUT_FILENO);
    ck_assert_int_eq(waitpid(reader, &status, 0), reader);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(lines_go_out_at_once)
{
    char bytes[16] = "";

    connect_pipe(STDOUT_FILENO);
    fcntl(end, F_SETFL, O_NONBLOCK);
    line.put(line.ctx, 'a');
    ck_assert_int_eq(read(end, bytes, sizeof bytes), -1);
    line.put(line.ctx, '\n');
    ck_assert_int_eq(read(end, bytes, sizeof bytes), 2);
    line.put(line.ctx, 'b');
    console_wait(&console, 0);                          /* so does what the guest waits after */
    ck_assert_int_eq(read(end, bytes, sizeof bytes), 1);
    disconnect(STDOUT_FILENO);
}
END_TEST

START_TEST(nobody_reads)
{
    signal(SIGPIPE, SIG_IGN);
    connect_pipe(STDOUT_FILENO);
    close(end);
    for (int i = 0; i < BYTES; i++)
        line.put(line.ctx, 'x');
    console_flush(&console);
    disconnect(STDOUT_FILENO);
    ck_assert_uint_eq(console.held, 0);
    ck_assert_int_eq(console.lost, EPIPE);
}
END_TEST

/* Whatever is opened next must not become the guest's line. */
START_TEST(closed_descriptors_are_taken)
{
    int next;

    memset(&console, 0, sizeof console);
    line = console_host(&console);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    console_init();
    next = dup(0);
    ck_assert_int_gt(next, STDERR_FILENO);
    line.put(line.ctx, '\n');
    ck_assert_int_eq(console.lost, EBADF);
    ck_assert_int_eq(line.get(line.ctx), -1);
    ck_assert(console.closed);
}
END_TEST

START_TEST(input)
{
    connect_pipe(STDIN_FILENO);
    ck_assert_int_eq(line.get(line.ctx), -1);
    ck_assert(!console.closed);
    ck_assert_int_eq(write(end, "\xff", 1), 1);
    console_wait(&console, UINT64_MAX);                 /* returns: something has come */
    ck_assert_int_eq(line.get(line.ctx), 0xff);
    close(end);
    ck_assert_int_eq(line.get(line.ctx), -1);
    ck_assert(console.closed);
    disconnect(STDIN_FILENO);
}
END_TEST

/* Input that has ended, or that nobody takes, is readable for ever; waiting must last nonetheless. */
START_TEST(waits_until_the_deadline)
{
    uint64_t deadline;

    connect_pipe(STDIN_FILENO);
    if (_i)
        ck_assert_int_eq(write(end, "x", 1), 1);
    else
        close(end), line.get(line.ctx);
    deadline = console_now() + 20 * MILLISECOND;
    console_wait(&console, deadline);
    ck_assert_uint_ge(console_now(), deadline);
    console_wait(&console, 0);                          /* long past: returns */
    disconnect(STDIN_FILENO);
}
END_TEST

Suite *suite_console(void)
{
    Suite *s = suite_create("console");
    TCase *t = tcase_create("console");

    tcase_add_loop_test(t, slow_reader_gets_all, 0, 2);
    tcase_add_test(t, lines_go_out_at_once);
    tcase_add_test(t, nobody_reads);
    tcase_add_test(t, closed_descriptors_are_taken);
    tcase_add_test(t, input);
    tcase_add_loop_test(t, waits_until_the_deadline, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
