/* The wall: a child builds it, then tries one thing. What is on the list works as before, and everything else ends the child, with
 * EXIT_WALL and a sentence. A sanitizer makes system calls of its own, so this is for the plain program only. */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "status.h"
#include "vm.h"
#include "wall.h"

#ifndef SANITIZED
#define SANITIZED 0
#endif
#define WINDOW 0xfbfff000l              /* for the test's child: nothing lies below it */
#define GIB 0x40000000l
enum { RWX = PROT_READ | PROT_WRITE | PROT_EXEC, BYTES = 1 << 20 };

/* What the child has: guest RAM, a file, a device of which only one ioctl is allowed, a descriptor that nobody mentions, two pages. */
static int ram, file, device, forgotten;
static timer_t timer;
static uint8_t *own;

static void build(void)
{
    static struct wall_ioctl ioctls[2];
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    const char *why;

    ram = memfd_create("ram", 0);
    file = open("/dev/null", O_RDWR);
    forgotten = open("/dev/null", O_RDWR);
    device = open("/dev/zero", O_RDWR);
    own = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ram < 0 || file < 0 || forgotten < 0 || device < 0 || own == MAP_FAILED || ftruncate(ram, BYTES) ||
        timer_create(CLOCK_MONOTONIC, &event, &timer))
        _exit(99);
    ioctls[0] = (struct wall_ioctl){ device, FIONREAD };
    why = wall_build(&(struct wall){ .file = { file }, .ram = ram, .window_end = WINDOW, .ioctls = ioctls });
    if (why) {
        fprintf(stderr, "%s\n", why);
        _exit(EXIT_HOST);
    }
}

static void *map(void *at, int rights, int flags, int fd) { return mmap(at, 4096, rights, flags, fd, 0); }

/* ---- what is forbidden --------------------------------------------------------------------------- */

struct call { long number, argument[6]; };
#define AT(pointer) ((long)(intptr_t)(pointer))
enum { OUTSIDE = 27, INSIDE = 17, PAGES = 18, FORBIDDEN = OUTSIDE + INSIDE + PAGES };
static uint64_t scratch[64];

/* Files, others' processes, descriptors. */
static struct call outside(int n)
{
    static char *const arguments[] = { "/bin/true", NULL };
    const struct call calls[] = {
        { SYS_openat, { AT_FDCWD, AT("/etc/passwd"), O_RDONLY } },
        { SYS_open, { AT("/etc/passwd"), O_RDONLY } },
        { SYS_openat2, { AT_FDCWD, AT("/"), AT(scratch), 24 } },
        { SYS_socket, { 2, 1, 0 } },
        { SYS_execve, { AT(arguments[0]), AT(arguments), 0 } },
        { SYS_fork, { 0 } },
        { SYS_vfork, { 0 } },
        { SYS_clone, { SIGCHLD } },
        { SYS_clone3, { AT(scratch), 64 } },
        { SYS_kill, { 1, 0 } },
        { SYS_kill, { getpid(), SIGKILL } },
        { SYS_tgkill, { getpid(), getpid(), SIGUSR1 } },
        { SYS_ptrace, { 0 } },
        { SYS_process_vm_writev, { 1, AT(scratch), 1, AT(scratch), 1, 0 } },
        { SYS_memfd_create, { AT("x"), 0 } },
        { SYS_ioctl, { STDIN_FILENO, FIONREAD, AT(scratch) } },
        { SYS_ioctl, { device, FIONBIO, AT(scratch) } },
        { SYS_write, { device, AT("x"), 1 } },
        { SYS_read, { STDOUT_FILENO, AT(scratch), 0 } },
        { SYS_write, { STDIN_FILENO, AT(scratch), 0 } },
        { SYS_dup, { STDIN_FILENO } },
        { SYS_pipe, { AT(scratch) } },
        { SYS_pipe2, { AT(scratch), 0 } },
        { SYS_io_uring_setup, { 1, AT(scratch) } },
        { SYS_bpf, { 0, AT(scratch), 8 } },
        { SYS_unshare, { CLONE_NEWUSER } },
        { SYS_mount, { AT("a"), AT("/"), AT("b"), 0, 0 } },
    };

    _Static_assert(sizeof calls / sizeof calls[0] == OUTSIDE, "");
    return calls[n];
}

/* What Linux keeps for this process, and the wall itself. */
static struct call inside(int n)
{
    const struct call calls[] = {
        { SYS_prctl, { PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0 } },
        { SYS_prctl, { PR_SET_DUMPABLE, 1, 0, 0, 0 } },
        { SYS_setrlimit, { RLIMIT_NOFILE, AT(scratch) } },
        { SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, AT(scratch) } },
        { SYS_modify_ldt, { 0, AT(scratch), 8 } },
        { SYS_modify_ldt, { 0x11, AT(scratch), 8 } },
        { SYS_arch_prctl, { ARCH_GET_FS, AT(scratch) } },
        { SYS_rt_sigaction, { SIGSYS, AT(scratch), 0, 8 } },
        { SYS_sigaltstack, { AT(scratch), 0 } },
        { SYS_timer_create, { CLOCK_MONOTONIC, 0, AT(scratch) } },
        { SYS_timer_delete, { AT(timer) } },
        { SYS_seccomp, { 1, 0, 0 } },
        { SYS_chdir, { AT("/") } },
        { SYS_setpriority, { 0, 0, 5 } },
        { SYS_exit, { 0 } },                            /* of a thread: the VMM has one */
        { SYS_getpid | 0x40000000, { 0 } },             /* x32 */
        { -1, { 0 } },
    };

    _Static_assert(sizeof calls / sizeof calls[0] == INSIDE, "");
    return calls[n];
}

/* Memory: no code but the guest's, no page of the guest's from the window's end on. */
static struct call pages(int n)
{
    enum { GUESTS = MAP_SHARED | MAP_FIXED, OWN = MAP_PRIVATE | MAP_ANONYMOUS };
    const long page = 0x100000;
    const struct call calls[] = {
        { SYS_mmap, { 0, 4096, RWX, OWN, -1 } },
        { SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, OWN, -1 } },
        { SYS_mmap, { 0, 4096, RWX, MAP_SHARED, ram } },
        { SYS_mmap, { AT(own), 4096, RWX, GUESTS, ram } },
        { SYS_mmap, { page, 4096, PROT_READ, GUESTS, device } },
        { SYS_mmap, { WINDOW, 4096, PROT_READ, GUESTS, ram } },
        { SYS_mmap, { WINDOW - 4096, GIB, RWX, GUESTS, ram } },
        { SYS_mmap, { WINDOW - 4096, 2 * 4096, RWX, GUESTS, ram } },
        { SYS_mmap, { WINDOW - 15 * 4096, 16 * 4096, RWX, GUESTS, ram } },
        { SYS_mmap, { WINDOW - 17 * 4096, 17 * 4096, RWX, GUESTS, ram } },
        { SYS_mmap, { WINDOW - GIB, GIB, RWX, GUESTS, ram } },
        { SYS_mmap, { GIB, 17 * 4096, RWX, GUESTS, ram } },
        { SYS_mmap, { page, GIB + 4096, RWX, GUESTS, ram } },
        { SYS_mmap, { page, -4096, RWX, GUESTS, ram } },
        { SYS_mprotect, { AT(own), 4096, RWX } },
        { SYS_mprotect, { AT(own), 4096, PROT_READ | PROT_EXEC } },
        { SYS_mprotect, { page, 2 * 4096, RWX } },
        { SYS_mremap, { AT(own), 4096, 8192, MREMAP_MAYMOVE } },
    };

    _Static_assert(sizeof calls / sizeof calls[0] == PAGES, "");
    return calls[n];
}

static struct call forbidden(int n)
{
    return n < OUTSIDE ? outside(n) : n < OUTSIDE + INSIDE ? inside(n - OUTSIDE) : pages(n - OUTSIDE - INSIDE);
}

enum { NO_WALL = -1 };

/* By the 32-bit way in: other numbers, and all of them forbidden. This is getpid. */
static void by_int80(int number)
{
    long result = 20;

    if (number != NO_WALL)
        build();
    __asm__ volatile ("int $0x80" : "+a" (result) :: "memory", "r8", "r9", "r10", "r11");
    _exit((int)result & 1);
}

static void try_forbidden(int number)
{
    struct call c;

    build();
    c = forbidden(number);
    syscall(c.number, c.argument[0], c.argument[1], c.argument[2], c.argument[3], c.argument[4], c.argument[5]);
    _exit(0);
}

/* Whoever started us does not want to hear of SIGSYS; Linux does not ask. */
static void try_ignoring(int number)
{
    signal(SIGSYS, SIG_IGN);
    try_forbidden(number);
}

/* ---- what is allowed ----------------------------------------------------------------------------- */

static bool maps(void *at, long bytes)
{
    return mmap(at, (size_t)bytes, RWX, MAP_SHARED | MAP_FIXED, ram, 0) == at;
}

static bool allowed(int number)
{
    struct timespec none = { 0, 0 };
    struct itimerspec at = { .it_value = { 1000000000, 0 } };
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN }, q = { .fd = forgotten, .events = POLLIN };
    uint8_t *page = (uint8_t *)0x100000;
    struct user_desc descriptor = { .seg_32bit = 1, .useable = 1 };
    uint64_t fs;
    char *big;
    int bytes;

    switch (number) {
    case 0: return write(STDERR_FILENO, "", 0) == 0 && fprintf(stderr, "%s %d\n", "said", 1) > 0;
    case 1: return poll(&p, 1, 0) >= 0 && ppoll(&p, 1, &none, NULL) >= 0;
    case 2: return timer_settime(timer, TIMER_ABSTIME, &at, NULL) == 0;
    case 3: return (big = malloc(8 << 20)) && memset(big, 1, 8 << 20) && (free(big), true) && malloc(100);
    case 4:             /* guest pages: writable and executable as the guest's page tables say */
        return map(page, RWX, MAP_SHARED | MAP_FIXED, ram) == page && (*page = 1, true) &&
               mprotect(page, 4096, PROT_READ) == 0 && mprotect(page, 4096, RWX) == 0 && munmap(page, 4096) == 0;
    case 5: return ioctl(device, FIONREAD, &bytes) == 0 || errno == ENOTTY;
    case 6: return write(file, "x", 1) == 1 && close(file) == 0;
    case 7: return poll(&q, 1, 0) == 1 && q.revents == POLLNVAL;        /* it is closed */
    case 8:             /* descriptors, and FS where FSGSBASE is missing */
        __asm__ ("mov %%fs:0, %0" : "=r" (fs));
        return syscall(SYS_modify_ldt, 0x11, &descriptor, sizeof descriptor) == 0 && syscall(SYS_arch_prctl, ARCH_SET_FS, fs) == 0;
    case 9:             /* the shadow's runs, up to the last page of the window; all of RAM */
        for (bytes = 4096; bytes <= 16 * 4096 && maps((void *)(WINDOW - bytes), bytes); bytes += 4096)
            ;
        return bytes > 16 * 4096 && maps(page, GIB) && maps((void *)(GIB - 4096), GIB);
    default: return false;
    }
}
enum { ALLOWED = 10 };

static void try_allowed(int number)
{
    build();
    _exit(allowed(number) ? 0 : 1);
}

static void try_assertion(int number)
{
    (void)number;
    build();
    abort();
}

static void try_with_writable_code(int number)
{
    (void)number;
    mmap(NULL, 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    build();
    _exit(0);
}

/* A kernel that lacks one of these. */
static void try_without(int call)
{
    scmp_filter_ctx older = seccomp_init(SCMP_ACT_ALLOW);
    struct scmp_arg_cmp set_seccomp = { 0, SCMP_CMP_EQ, PR_SET_SECCOMP, 0 };

    if (seccomp_rule_add(older, SCMP_ACT_ERRNO(ENOSYS), call, 0) ||
        (call == SCMP_SYS(seccomp) && seccomp_rule_add_array(older, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1, &set_seccomp)) ||
        seccomp_load(older))
        _exit(99);
    build();
    _exit(0);
}

/* ---- the tests ------------------------------------------------------------------------------------ */

/* The status of a child that does `what`; what it said on stderr is in `said`. */
static int child(void (*what)(int), int number, char *said, size_t bytes)
{
    int status, out[2];
    size_t got = 0;
    ssize_t n;
    pid_t pid;

    ck_assert_int_eq(pipe(out), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        signal(SIGSYS, SIG_DFL);
        dup2(out[1], STDERR_FILENO);
        what(number);
    }
    close(out[1]);
    while (got < bytes - 1 && (n = read(out[0], said + got, bytes - 1 - got)) > 0)
        got += (size_t)n;
    said[got] = '\0';
    close(out[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static char said[1000];

/* It is this call that ended the child, none before it. */
static void hits_the_wall(int status, long number)
{
    const char *sentence = strstr(said, "the wall: system call ");
    int named = 0;

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WALL, "call %ld: status %#x, %s", number, status, said);
    ck_assert_msg(sentence && sscanf(sentence, "the wall: system call %d ", &named) == 1 && named == number,
                  "call %ld: %s", number, said);
}

START_TEST(forbids)
{
    bool ours = _i < FORBIDDEN;

    if (!ours && child(by_int80, NO_WALL, said, sizeof said) == SIGSEGV)
        return;                         /* a Linux without 32-bit system calls: there is no such way */
    hits_the_wall(child(ours ? try_forbidden : by_int80, _i, said, sizeof said), ours ? forbidden(_i).number : 20);
}
END_TEST

START_TEST(says_so_where_sigsys_was_ignored)
{
    hits_the_wall(child(try_ignoring, 0, said, sizeof said), forbidden(0).number);
}
END_TEST

START_TEST(allows)
{
    int status = child(try_allowed, _i, said, sizeof said);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "call %d: status %#x, %s", _i, status, said);
}
END_TEST

START_TEST(an_assertion_ends_as_ever)
{
    int status = child(try_assertion, 0, said, sizeof said);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x, %s", status, said);
}
END_TEST

START_TEST(wants_no_writable_code)
{
    int status = child(try_with_writable_code, 0, said, sizeof said);

    ck_assert_int_eq(WEXITSTATUS(status), EXIT_HOST);
    ck_assert_ptr_nonnull(strstr(said, "both writable and executable"));
}
END_TEST

START_TEST(does_without_landlock)
{
    ck_assert_msg(child(try_without, SCMP_SYS(landlock_create_ruleset), said, sizeof said) == 0, "%s", said);
}
END_TEST

START_TEST(wants_seccomp_and_close_range)
{
    static const struct { int call; const char *says; } needed[] = {
        { SCMP_SYS(seccomp), "CONFIG_SECCOMP_FILTER" }, { SCMP_SYS(close_range), "Linux 5.9" },
    };
    int status = child(try_without, needed[_i].call, said, sizeof said);

    ck_assert_msg(WEXITSTATUS(status) == EXIT_HOST, "status %#x, %s", status, said);
    ck_assert_ptr_nonnull(strstr(said, needed[_i].says));
}
END_TEST

Suite *suite_wall(void);
Suite *suite_wall(void)
{
    Suite *suite = suite_create("wall");
    TCase *tests = tcase_create("wall");

    tcase_add_loop_test(tests, forbids, 0, FORBIDDEN + 1);
    tcase_add_test(tests, says_so_where_sigsys_was_ignored);
    tcase_add_loop_test(tests, allows, 0, ALLOWED);
    tcase_add_test(tests, an_assertion_ends_as_ever);
    tcase_add_test(tests, wants_no_writable_code);
    tcase_add_test(tests, does_without_landlock);
    tcase_add_loop_test(tests, wants_seccomp_and_close_range, 0, 2);
    if (!SANITIZED)
        suite_add_tcase(suite, tests);
    return suite;
}
