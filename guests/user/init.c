/* Process 1. There is no shell: it runs what the command line names (run=a,b), each in a process of its own and
 * one after the other, and adds up their verdicts. */
#include "user.h"

static const struct { const char *name; int (*main)(const char *args); } programs[] = {
    { "demo", demo_main },              /* two processes print in turn */
    { "selftest", selftest_main },      /* every system call, and what a process must not do */
    { "forkwait", forkwait_main },      /* fork, exit, wait, again and again */
    { "soak", soak_main },              /* all of that under a fast timer */
    { "compute", compute_main },        /* nine programs that need no kernel */
    { "bench-user", bench_user_main },  /* what system calls and switches cost */
    { "timeline", timeline_main },      /* when control passed where, in three events */
};

#define KERNELS "probes race bench panic"       /* of guests/kernel/programs.c, which nobody can see from here */

static unsigned passed, failed;
static char args[256];                  /* the guest's command line */

int verdicts(void) { return (int)(passed << 8 | failed); }

void add_verdicts(int status)
{
    passed += status < 0 ? 0 : (unsigned)status >> 8;
    failed += status < 0 ? 1 : (unsigned)status & 0xff;
}

void verdict(const char *name, uint32_t want, uint32_t got)
{
    char text[128];
    bool right = verdict_text(text, sizeof text, args, name, want, got);

    uprintf("%s", text);
    passed += right;
    failed += !right;
}

void uprintf(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    sys_write(line, format_text(line, sizeof line, format, args));
    va_end(args);
}

static void run(const char *name)
{
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++) {
        int status = 0, pid;

        if (strcmp(programs[i].name, name) != 0)
            continue;
        pid = sys_fork();
        if (pid == 0) {
            passed = failed = 0;        /* those of the programs before are counted already */
            failed += programs[i].main(args) != 0;
            sys_exit(verdicts());
        }
        while (sys_wait(&status) != pid)
            ;                           /* an orphan: what it printed is printed */
        add_verdicts(status);
        return;
    }
    uprintf("there is no program \"%s\"; there are, alone: " KERNELS "; and, with commas between:", name);
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++)
        uprintf(" %s", programs[i].name);
    uprintf("\n");
    sys_exit(NO_SUCH_PROGRAM);
}

void init(void);
void init(void)
{
    char names[128], *name = names;

    syscall2(SYS_OPTIONS, (uint32_t)args, sizeof args);
    option_text(args, "run", names, sizeof names);
    for (char *p = names;; p++) {
        bool last = *p == '\0';

        if (*p != ',' && !last)
            continue;
        *p = '\0';
        run(name);
        name = p + 1;
        if (last)
            break;
    }
    sys_exit(verdicts());
}
