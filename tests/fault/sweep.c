/* sweep [--every] [--seed N] [--status N] [--whole FILE]... SHIM PROGRAM ARGUMENTS...: one run of the program for each of its calls
 * that shim.c knows and each n, in which the n-th fails, once or from then on. Each must end as the run without a fault does, whose
 * status must be N (1); or with status 6 or 2 and a sentence that tells what failed and errno's meaning, having printed no more
 * than a beginning of what is right. A FILE that it writes must be whole if it says so. Without --every, each n once only, and
 * beyond EACH a sample. Writes stdout, stderr and counts into the current directory. SLOW=3: wait three times as long.
 * Exit status 0: no run was wrong; 1: some were; 6: this host cannot run the program, and why; 2: nothing could be swept. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

enum { EACH = 4, SAMPLE = 3, FILES_MAX = 4, END = 4, TIMEOUT_MS = 10000, TEXT = 1 << 16 };
enum { STATUS_USAGE = 2, STATUS_HOST = 6, TIMED_OUT = -1000 };

struct outcome { int status; char out[TEXT], err[TEXT]; };      /* status: negative for a signal */

static const char *shim, *files[FILES_MAX];
static char **command, ends[FILES_MAX][END];
static struct outcome clean, now;
static bool every;
static int timeout_ms = TIMEOUT_MS;
static unsigned seed = 1, state, runs, survived, wrong;

/* ---- one run ------------------------------------------------------------------------------------- */

static void start(const char *fault)
{
    int in = open("/dev/null", O_RDONLY), out = open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0666);

    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    for (int fd = 3; fd < 20; fd++)
        close(fd);
    setenv("LD_PRELOAD", shim, 1);
    setenv("FAULT", fault, 1);
    execv(command[0], command);
    _exit(127);
}

/* What sweep.c itself needs is refused. */
static void give_up(const char *what)
{
    fprintf(stderr, "sweep: %s: %s\n", what, strerror(errno));
    exit(STATUS_USAGE);
}

static int ended(pid_t pid)
{
    struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    bool in_time = end.fd >= 0 && poll(&end, 1, timeout_ms) == 1;
    int status, error = errno;

    if (!in_time)
        kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    errno = error;
    if (end.fd < 0)
        give_up("pidfd_open, for which Linux 5.3 or later is needed");
    close(end.fd);
    return !in_time ? TIMED_OUT : WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void read_text(const char *path, char *text)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT - 1);

    text[n > 0 ? n : 0] = '\0';
    close(fd);
}

static void run(const char *fault, struct outcome *o)
{
    pid_t pid;

    for (int i = 0; i < FILES_MAX && files[i]; i++)
        unlink(files[i]);
    pid = fork();
    if (pid < 0)
        give_up("fork");                                /* kill(-1, ...) would be to everybody */
    if (pid == 0)
        start(fault);
    o->status = ended(pid);
    read_text("stdout", o->out);
    read_text("stderr", o->err);
}

/* ---- the verdict --------------------------------------------------------------------------------- */

/* The last bytes, in which JSON and HTML have no figures. */
static void read_end(const char *path, char end[END])
{
    int fd = open(path, O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);

    memset(end, 0, END);
    if (size >= END && pread(fd, end, END, size - END) != END)
        end[0] = '\0';
    close(fd);
}

static const char *judge_files(void)
{
    char end[END];

    for (int i = 0; i < FILES_MAX && files[i]; i++) {
        read_end(files[i], end);
        if (memcmp(end, ends[i], END))
            return "a success, but a file that it wrote is not whole";
    }
    return NULL;
}

static const char *judge_refusal(int error)
{
    if (error == EINTR)
        return "a signal on the way is no reason to give up";
    if (strncmp(clean.out, now.out, strlen(now.out)))
        return "it printed what is not right before it gave up";
    if (!strstr(now.err, strerror(error)) && !(error == ENOMEM && strstr(now.err, "memory")) &&
        !strstr(now.err, "libseccomp refuses"))         /* which does not say what refused it */
        return "its sentence does not tell what errno means";
    return NULL;
}

/* NULL: as it should be. */
static const char *judge(int error)
{
    const char *why;

    if (now.status == TIMED_OUT)
        return "it hangs";
    if (now.status < 0)
        return "a signal ended it";
    if (now.status == clean.status && !strcmp(now.out, clean.out)) {
        why = judge_files();
        survived += !why;
        return why;
    }
    if (now.status == STATUS_HOST || now.status == STATUS_USAGE)
        return judge_refusal(error);
    return now.status == clean.status ? "a success, but the transcript is wrong" : "neither the right status nor a refusal";
}

static void try_fault(const struct fault_count *c, unsigned n, bool stays, int error)
{
    char fault[100];
    const char *why;

    snprintf(fault, sizeof fault, "%s:%u%s:%s", c->call, n, stays ? "+" : "", strerrorname_np(error));
    run(fault, &now);
    runs++;
    why = judge(error);
    if (!why)
        return;
    wrong++;
    printf("FAULT=%s: %s (status %d); it says: %.*s\n", fault, why, now.status, (int)strcspn(now.err, "\n"), now.err);
}

/* ---- all of them --------------------------------------------------------------------------------- */

static unsigned random_below(unsigned n)
{
    state = state * 1664525 + 1013904223;
    return (unsigned)((unsigned long long)state * n >> 32);
}

/* A signal on the way is no fault at all: the run must go right. */
static void interrupt_call(const struct fault_count *c, unsigned n)
{
    static const char *const interruptible[] = { "read", "write", "poll", "ppoll" };

    for (unsigned i = 0; i < sizeof interruptible / sizeof *interruptible; i++)
        if (!strcmp(c->call, interruptible[i]))
            try_fault(c, n, false, EINTR);
}

static void sweep_call(const struct fault_count *c)
{
    unsigned calls = c->calls, each = every || calls <= EACH ? calls : EACH;

    for (unsigned n = 1; n <= each; n++) {
        interrupt_call(c, n);
        for (unsigned stays = 0; stays < 2; stays++)
            if (every || calls == 1 || n % 2 == stays)
                try_fault(c, n, stays, c->error);
    }
    for (unsigned i = 0; each < calls && i < SAMPLE; i++)
        try_fault(c, each + 1 + random_below(calls - each), i % 2, c->error);
}

static void sweep(void)
{
    struct fault_count c;
    FILE *f = fopen("counts", "r");

    while (f && fread(&c, sizeof c, 1, f) == 1)
        sweep_call(&c);
    if (f)
        fclose(f);
}

/* Each run is held against this one, so it must be right itself. Returns 0, or the status to exit with. */
static int run_clean(int expected)
{
    int first_line;

    run("count:counts", &clean);
    if (clean.status == expected)
        return 0;
    first_line = (int)strcspn(clean.err, "\n");
    if (clean.status == STATUS_HOST) {
        printf("%.*s\n", first_line, clean.err);
        return STATUS_HOST;
    }
    printf("without a fault it ends with status %d: %.*s\n", clean.status, first_line, clean.err);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    const char *slow = getenv("SLOW");
    int at = 1, n = 0, expected = 1, status;

    for (; at + 1 < argc && argv[at][0] == '-'; at++)
        if (!strcmp(argv[at], "--every"))
            every = true;
        else if (!strcmp(argv[at], "--seed"))
            seed = (unsigned)atoi(argv[++at]);
        else if (!strcmp(argv[at], "--status"))
            expected = atoi(argv[++at]);
        else if (!strcmp(argv[at], "--whole") && n < FILES_MAX)
            files[n++] = argv[++at];
    if (at + 2 > argc) {
        fprintf(stderr, "usage: sweep [--every] [--seed N] [--status N] [--whole FILE]... SHIM PROGRAM ARGUMENTS...\n");
        return STATUS_USAGE;
    }
    state = seed;
    shim = argv[at];
    command = argv + at + 1;
    if (slow && atof(slow) > 0)
        timeout_ms = (int)(TIMEOUT_MS * atof(slow));
    setlinebuf(stdout);
    status = run_clean(expected);
    if (status)
        return status;
    for (int i = 0; i < n; i++)
        read_end(files[i], ends[i]);
    sweep();
    printf("%u runs with a fault (seed %u): %u went right all the same, %u ended with a sentence, %u were wrong\n", runs, seed,
           survived, runs - survived - wrong, wrong);
    return wrong != 0 || !runs;
}
