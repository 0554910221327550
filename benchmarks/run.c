/* Runs one cell: an engine's command with its output in build/bench/cells/, on one processor, with a time-out.
 * Whatever happens to it, the harness goes on and has a reason to print. Next: output.c reads what it wrote. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_WORDS = 40, ROOM = 1 << 16 };

static char *read_file(const char *name)
{
    FILE *f = fopen(name, "r");
    char *text = NULL;
    size_t size = 0;
    if (!f || getdelim(&text, &size, '\0', f) < 0) {        /* a file without zero bytes: all of it */
        free(text);
        text = strdup("");
    }
    if (f)
        fclose(f);
    return text;
}

static struct { bool known; char why[REASON]; } missing[MAX_ENGINES];     /* per engine, by what is looked up or tried once */

const char *cannot_run(const struct engine *engine)
{
    static const char *const kernels[] = { KERNEL, KERNEL_PV };
    int index = engine_index(engine->name);                 /* it may be a copy with more options */
    char program[64], look[100], *why = missing[index].why;
    if (!missing[index].known) {
        snprintf(program, sizeof program, "%.*s", (int)strcspn(engine->command, " "), engine->command);
        snprintf(look, sizeof look, "command -v %s >/dev/null", program);
        if (system(look))
            snprintf(why, REASON, "%s is missing: %s", program, engine->remedy);
        for (int i = 0; i < 2 && !*why; i++)
            if (strstr(engine->command, kernels[i]) && access(kernels[i], R_OK))
                snprintf(why, REASON, "%s is missing: make %s", kernels[i], kernels[i]);
        missing[index].known = true;
    }
    return *why ? why : NULL;
}

/* Splits the command into words and fills in the cell's own; all point into `buffer` or the arguments. */
static void fill_words(char *words[MAX_WORDS], char *buffer, char *append, char *counters, char *timeout)
{
    int n = 0;
    char *save = NULL;
    for (char *word = strtok_r(buffer, " ", &save); word && n < MAX_WORDS - 1; word = strtok_r(NULL, " ", &save))
        words[n++] = !strcmp(word, "{append}")     ? append
                     : !strcmp(word, "{counters}") ? counters
                     : !strcmp(word, "{timeout}")  ? timeout
                                                   : word;
    words[n] = NULL;
}

static void start(char **words, const char *out, const char *err, const struct request *request)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(request->cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    if (request->counting)                                  /* a nanosecond for each instruction; what is not QEMU does not look */
        setenv("QEMU_OPTIONS", "-icount shift=0", 1);
    if (!freopen("/dev/null", "r", stdin) || !freopen(out, "w", stdout) || !freopen(err, "w", stderr))
        _exit(127);
    if (strchr(words[0], '/'))
        execv(words[0], words);                             /* execvp() gives a file that Linux cannot run to the shell */
    else
        execvp(words[0], words);
    bool foreign = errno == ENOEXEC;
    dprintf(STDERR_FILENO, "%s: %s\n", words[0],            /* stderr's own buffer is lost with _exit() */
            foreign ? "this host cannot run it: its Linux runs no 32-bit programs; CONFIG_IA32_EMULATION is off" : strerror(errno));
    _exit(foreign ? 6 : 127);
}

enum { LAST_WORDS_MS = 3000 };

/* Waits at most `seconds`; true if the process ended by itself. */
static bool wait_for(pid_t pid, double seconds, int *status)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = { .fd = fd, .events = POLLIN };
    bool in_time = fd < 0 || poll(&ended, 1, (int)(seconds * 1000)) == 1;
    if (!in_time) {                                         /* a script first: it has an emulator to end, and files to remove */
        kill(pid, SIGTERM);
        poll(&ended, 1, LAST_WORDS_MS);
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    if (fd >= 0)
        close(fd);
    return in_time;
}

static void explain(char *reason, size_t size, int status, const struct engine *engine, char *errors)
{
    size_t n = strlen(errors);
    while (n && errors[n - 1] == '\n')
        errors[--n] = 0;
    const char *last = strrchr(errors, '\n'), *what = "";
    last = last ? last + 1 : errors;
    if (WIFSIGNALED(status)) {
        snprintf(reason, size, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return;
    }
    int code = WEXITSTATUS(status);
    if (code == engine->good[0] || code == engine->good[1]) {
        reason[0] = 0;
        return;
    }
    if (code == 6 && *last) {                               /* it says so itself, and would again */
        const char *told = NULL;
        snprintf(reason, size, "%s", last);
        strcpy(missing[engine_index(engine->name)].why, reason);
        what = strstr(reason, ": this host");
        what = what ? what + 2 : reason;
        for (int i = 0; i < MAX_ENGINES && !told; i++)
            if (i != engine_index(engine->name) && strstr(missing[i].why, what))
                told = engines[i].title;
        fprintf(stderr, "%sbench: %s: %s%s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", engine->title, told ? "cannot run here, as " : what, told ? told : "");
        return;
    }
    what = code == 4 ? "the guest crashed" : code == 6 ? "this host cannot" : code == 8 ? "a bug of the VMM"
           : code == 124 ? "timed out" : "failed";
    snprintf(reason, size, "%s, exit status %d%s%.300s", what, code, *last ? ": " : "", last);
}

double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- RESUME=1: what a cell came to, beside its console ---- */

/* Did an earlier run of the same plan finish this cell? Then its files are there. */
static bool recall(const char *done, int *status, double *wall_ms, bool *in_time)
{
    FILE *f = options.resume ? fopen(done, "r") : NULL;
    int ended = 0;
    bool good = f && fscanf(f, "%d %lf %d", status, wall_ms, &ended) == 3;
    if (f)
        fclose(f);
    *in_time = ended;
    return good;
}

/* An engine may not notice that what it prints is cut off on a full disk. */
static bool has_room(void)
{
    struct statvfs s;
    errno = ENOSPC;
    return statvfs(OUT, &s) != 0 || s.f_bavail * s.f_frsize >= ROOM;
}

static void remember(const char *done, int status, double wall_ms, bool in_time)
{
    FILE *f = has_room() ? fopen(done, "w") : NULL;
    if (f)
        fprintf(f, "%d %.3f %d\n", status, wall_ms, in_time);
    if (f && fclose(f) == 0)
        return;
    fprintf(stderr, "quadbench: %s cannot be written: %s; what is measured before it is kept: once there is room, RESUME=1 goes on\n",
            done, strerror(errno));
    unlink(done);
    exit(1);
}

static bool run_process(const struct request *request, char **words, const char *out, const char *err, int *status, double *wall_ms)
{
    fflush(NULL);
    double began = clock_seconds();
    pid_t pid = fork();
    if (pid == 0)
        start(words, out, err, request);
    if (pid < 0) {
        fprintf(stderr, "quadbench: no process for %s: %s\n", words[0], strerror(errno));
        exit(8);
    }
    int grace = request->engine->baseline ? 60 : 1;         /* its script ends the emulator, whose clock may be slow */
    bool in_time = wait_for(pid, request->timeout + grace, status);
    *wall_ms = 1000 * (clock_seconds() - began);
    return in_time;
}

struct outcome run_cell(const struct request *request)
{
    struct outcome o = { 0 };
    const struct engine *engine = request->engine;
    char out[200], err[200], counters[200], done[200], timeout[16], append[200], command[512], *words[MAX_WORDS];
    int status = 0;
    bool in_time;

    snprintf(out, sizeof out, OUT "cells/%s-%s.out", engine->name, request->tag);
    snprintf(err, sizeof err, OUT "cells/%s-%s.err", engine->name, request->tag);
    snprintf(counters, sizeof counters, OUT "cells/%s-%s.json", engine->name, request->tag);
    snprintf(done, sizeof done, OUT "cells/%s-%s.done", engine->name, request->tag);
    snprintf(timeout, sizeof timeout, "%d", (int)request->timeout);
    snprintf(append, sizeof append, "%s", request->append);
    snprintf(command, sizeof command, "%s", engine->command);
    fill_words(words, command, append, counters, timeout);
    if (!recall(done, &status, &o.wall_ms, &in_time)) {
        unlink(done);
        unlink(counters);
        in_time = run_process(request, words, out, err, &status, &o.wall_ms);
        remember(done, status, o.wall_ms, in_time);
    }
    o.text = read_file(out);
    o.counters = read_file(counters);
    char *errors = read_file(err);
    if (!in_time)
        snprintf(o.reason, sizeof o.reason, "timed out after %.0f s", request->timeout);
    else
        explain(o.reason, sizeof o.reason, status, engine, errors);
    o.ran = !o.reason[0];
    free(errors);
    return o;
}
