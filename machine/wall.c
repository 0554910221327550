/* See wall.h. Each step returns NULL, or the sentence why not; libseccomp writes the filter. */
#include "wall.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "direct/shadow.h"
#include "gdb.h"
#include "status.h"
#include "vm.h"

#define GIB (UINT64_C(1) << 30)
#define PAGE UINT64_C(4096)
#define KIND ((uint64_t)(MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED))

/* ---- files and limits ---------------------------------------------------------------------------- */

/* Guest pages are not mapped yet, so this is the VMM's own memory. */
static const char *writable_or_executable(uint64_t *mapped)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    uint64_t begin, end;
    char line[512], rights[5];
    bool both = false, whole;

    if (!maps)
        return host_failed("the wall: /proc/self/maps cannot be read, which wants /proc mounted");
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end, rights) == 3) {
            *mapped += end - begin;
            both |= rights[1] == 'w' && rights[2] == 'x';
        }
    whole = !ferror(maps);
    fclose(maps);
    if (!whole)
        return host_failed("the wall: /proc/self/maps cannot be read to its end");
    return both ? "the wall: memory of the VMM's own is both writable and executable" : NULL;
}

static void lower(int *lowest, int from, int fd) { *lowest = fd >= from && fd < *lowest ? fd : *lowest; }

/* The lowest descriptor from `from` on that is in use; INT_MAX: none. */
static int next_kept(const struct wall *w, int from)
{
    int lowest = INT_MAX;

    lower(&lowest, from, w->ram);
    for (int i = 0; i < WALL_FILES; i++)
        lower(&lowest, from, w->file[i]);
    for (const struct wall_ioctl *c = w->ioctls; c && c->fd; c++)
        lower(&lowest, from, c->fd);
    return lowest;
}

static const char *close_others(const struct wall *w)
{
    int from = STDERR_FILENO + 1, next;

    do {
        next = next_kept(w, from);
        if (next > from && syscall(SYS_close_range, from, next - 1, 0))
            return host_failed("the wall: close_range, which wants Linux 5.9 or later");
        from = next + (next < INT_MAX);
    } while (next < INT_MAX);
    return NULL;
}

/* Not the size of files: standard output may be one, of any length. NOFILE is what poll() may ask for as well: one. */
static const char *limit(uint64_t mapped)
{
    const struct { int what; rlim_t most; } limits[] = {
        { RLIMIT_CORE, 0 }, { RLIMIT_NPROC, 0 }, { RLIMIT_NOFILE, 1 }, { RLIMIT_MEMLOCK, 0 }, { RLIMIT_MSGQUEUE, 0 },
        { RLIMIT_AS, mapped + 4 * GIB + GIB / 4 },      /* the guest's window, and what the VMM may yet allocate */
    };

    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit now;
        rlim_t most = limits[i].most;

        if (getrlimit(limits[i].what, &now))
            return host_failed("the wall: getrlimit");
        most = now.rlim_max < most ? now.rlim_max : most;       /* whoever started us may be stricter */
        if (setrlimit(limits[i].what, &(struct rlimit){ most, most }))
            return host_failed("the wall: setrlimit");
    }
    return NULL;
}

/* ---- Landlock ------------------------------------------------------------------------------------ */

int wall_landlock(void) { return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1); }

/* All that this version can forbid, and no rule that allows any of it. glibc has no functions for it, older headers lack the
 * newer fields: struct landlock_ruleset_attr is three words, files, network, scope. */
static const char *forbid_files(void)
{
    int abi = wall_landlock(), ruleset;
    uint64_t files = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    const uint64_t attr[3] = { (UINT64_C(1) << files) - 1, 3, 3 };
    size_t bytes = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;

    if (abi <= 0)
        return NULL;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, attr, bytes, 0);
    if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0))
        return host_failed("the wall: Landlock is there, but refuses to forbid all");
    close(ruleset);
    return NULL;
}

/* ---- system calls -------------------------------------------------------------------------------- */

static scmp_filter_ctx filter;
static int filter_error;                /* errno's value, of the first function of libseccomp that failed */

static void check(int result)
{
    if (result < 0 && !filter_error)
        filter_error = -result;
}

static void allow(int call, unsigned count, const struct scmp_arg_cmp *arguments)
{
    check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, count, arguments));
}

/* ALLOW(read, EQUALS32(0, STDIN_FILENO)): if all that is said of its arguments, by number, holds. An int is 32 bits wide: what is
 * above them in the register means nothing. */
#define ALLOW(call, ...) allow(SCMP_SYS(call), sizeof((const struct scmp_arg_cmp[]){ __VA_ARGS__ }) / sizeof(struct scmp_arg_cmp), \
                               (const struct scmp_arg_cmp[]){ __VA_ARGS__ })
#define EQUALS(n, value) ((struct scmp_arg_cmp){ n, SCMP_CMP_EQ, (value), 0 })
#define MASKED(n, mask, value) ((struct scmp_arg_cmp){ n, SCMP_CMP_MASKED_EQ, (mask), (value) })
#define EQUALS32(n, value) MASKED(n, 0xffffffff, (uint32_t)(value))
#define BELOW(n, end) ((struct scmp_arg_cmp){ n, SCMP_CMP_LT, (end), 0 })

static void allow_descriptor(int fd)
{
    ALLOW(read, EQUALS32(0, fd));
    ALLOW(write, EQUALS32(0, fd));
}

static void allow_files(const struct wall *w)
{
    ALLOW(read, EQUALS32(0, STDIN_FILENO));
    ALLOW(write, EQUALS32(0, STDOUT_FILENO));
    ALLOW(write, EQUALS32(0, STDERR_FILENO));
    for (int i = 0; i < WALL_FILES; i++)
        if (w->file[i]) {
            allow_descriptor(w->file[i]);
            ALLOW(sendto, EQUALS32(0, w->file[i]), EQUALS(4, 0));      /* to nobody else */
        }
    for (const struct wall_ioctl *c = w->ioctls; c && c->fd; c++)
        ALLOW(ioctl, EQUALS32(0, c->fd), EQUALS(1, c->request));
    ALLOW(poll);
    ALLOW(ppoll);
    ALLOW(close);
}

static void allow_time(void)
{
    ALLOW(clock_gettime);               /* where the vDSO cannot */
    ALLOW(timer_settime);               /* of the one timer: timer_create is forbidden */
    ALLOW(rt_sigreturn);
    ALLOW(restart_syscall);             /* after ^Z and fg */
}

static void allow_guest_pages(const struct wall *w, struct scmp_arg_cmp begin, uint64_t most)
{
    ALLOW(mmap, begin, BELOW(1, most + 1), MASKED(3, KIND, MAP_SHARED | MAP_FIXED), EQUALS32(4, w->ram));
}

/* No mapping may go beyond the window's end, and a filter cannot add. Hence one rule for the shadow's runs that begin further from
 * there than any is long, one for each place nearer by, and one for all of RAM, without paging, which begins low. Of each
 * kind one only: rules that have BELOW for the same two arguments libseccomp 2.5.4 mixes up, so that each length may begin
 * where another may (tests/unit/test_wall.c would see it). */
static void allow_window(const struct wall *w)
{
    assert(w->window_end >= 2 * GIB && w->window_end % PAGE == 0);
    allow_guest_pages(w, BELOW(0, w->window_end - SHADOW_RUN_MAX * PAGE + 1), SHADOW_RUN_MAX * PAGE);
    for (unsigned pages = 1; pages < SHADOW_RUN_MAX; pages++)
        allow_guest_pages(w, EQUALS(0, w->window_end - pages * PAGE), pages * PAGE);
    allow_guest_pages(w, MASKED(0, ~(GIB - 1), 0), GIB);
    ALLOW(mprotect, BELOW(0, w->window_end), BELOW(1, PAGE + 1));
}

/* The VMM's own memory is for malloc(): never executable. Guest pages are what the guest's page tables say, which know no NX. */
static void allow_memory(const struct wall *w)
{
    ALLOW(brk);
    ALLOW(munmap);
    ALLOW(mmap, EQUALS(0, 0), MASKED(2, ~(uint64_t)(PROT_READ | PROT_WRITE), 0),
          MASKED(3, KIND, MAP_PRIVATE | MAP_ANONYMOUS));
    if (w->ram)
        allow_window(w);
}

/* What direct execution needs besides: descriptors, and the host's FS base where FSGSBASE is missing. By number, for wherever
 * else the emulation runs has no <asm/ldt.h>. */
static void allow_segments(void)
{
    enum { LDT_WRITE = 0x11, SET_FS = 0x1002 };         /* modify_ldt(2), arch_prctl(2) */

    ALLOW(modify_ldt, EQUALS32(0, LDT_WRITE), EQUALS(2, 16));
    ALLOW(arch_prctl, EQUALS32(0, SET_FS));
}

/* exit(), and abort() after an assertion of ours. */
static void allow_end(void)
{
    ALLOW(exit_group);
    ALLOW(rt_sigprocmask);
    ALLOW(getpid);
    ALLOW(gettid);
    ALLOW(tgkill, EQUALS32(0, getpid()), EQUALS32(2, SIGABRT));
}

/* The filter is a list: what a page fault of the guest's costs a call of stands first. Without CTL_SSB, Linux before 5.16 would
 * slow loads behind stores for as long as the filter is there, against a leak between guest and VMM, which share the process all
 * the same. */
static const char *forbid_system_calls(const struct wall *w)
{
    const char *why = NULL;

    filter = seccomp_init(SCMP_ACT_TRAP);
    if (!filter)
        return host_failed("the wall: no filter from libseccomp");
    check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP));
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);     /* where Linux knows it */
    check(seccomp_syscall_priority(filter, SCMP_SYS(mmap), 255));
    check(seccomp_syscall_priority(filter, SCMP_SYS(mprotect), 254));
    allow_files(w);
    allow_time();
    allow_memory(w);
    if (w->ram)
        allow_segments();
    allow_end();
    errno = filter_error;
    if (filter_error)
        why = host_failed("the wall: libseccomp, which must be 2.5 or later, refuses a rule");
    else if (seccomp_load(filter))                      /* errno is Linux's, what is returned says nothing */
        why = host_failed("the wall: Linux takes no seccomp filter (CONFIG_SECCOMP_FILTER must be set, an outer sandbox must allow "
                          "the call; --no-sandbox goes on without, for debugging only)");
    seccomp_release(filter);
    return why;
}

void wall_hit(int signal, siginfo_t *info, void *context)
{
    bool guests = (uint64_t)(uintptr_t)info->si_call_addr >> 32 == 0;
    char text[240];
    int n = snprintf(text, sizeof text, "quadvisor: the wall: system call %d at rip %p is forbidden to this process: %s\n",
                     info->si_syscall, info->si_call_addr,
                     guests ? "the guest made it, by code in a segment of Linux's own"
                            : "the guest has found the VMM's code, or this is a bug here (--no-sandbox, for debugging, lets it pass)");

    (void)signal;
    (void)context;
    (void)!write(STDERR_FILENO, text, (size_t)n);       /* stdio may be what the guest has spoilt */
    _exit(EXIT_WALL);
}

static const char *catch_hits(void)
{
    const struct sigaction hit = { .sa_sigaction = wall_hit, .sa_flags = SA_SIGINFO | SA_NODEFER };
    struct sigaction now;

    if (sigaction(SIGSYS, NULL, &now))
        return host_failed("the wall: sigaction");
    /* Who started us may have had it ignored (trap '' SYS): Linux would then kill without a sentence. */
    if ((now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) && sigaction(SIGSYS, &hit, NULL))
        return host_failed("the wall: sigaction");
    return NULL;
}

/* ---- all together -------------------------------------------------------------------------------- */

const char *wall_build(const struct wall *w)
{
    uint64_t mapped = 0;
    const char *why = writable_or_executable(&mapped);

    if (!why)
        why = close_others(w);
    if (!why && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))             /* no core, nobody may look in by ptrace or /proc */
        why = host_failed("the wall: PR_SET_DUMPABLE");
    if (!why && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        why = host_failed("the wall: PR_SET_NO_NEW_PRIVS");
    if (!why)
        why = forbid_files();
    if (!why)
        why = limit(mapped);                            /* behind what takes a descriptor more */
    if (!why)
        why = catch_hits();
    return why ? why : forbid_system_calls(w);
}

static void keep(struct wall *w, int fd)
{
    int n = 0;

    while (n < WALL_FILES - 1 && w->file[n])
        n++;
    assert(!w->file[n]);
    w->file[n] = fd;
}

void wall_keep(struct wall *w, FILE *f)
{
    if (f)
        keep(w, fileno(f));
}

const char *vm_confine(struct vm *vm, struct wall w)
{
    if (vm->options.no_sandbox) {
        fprintf(stderr, "%s: --no-sandbox: there is no wall around this process; for debugging only\n", vm->name);
        return NULL;
    }
    wall_keep(&w, vm->counters);
    if (gdb_connection())
        keep(&w, gdb_connection());
    return wall_build(&w);
}
