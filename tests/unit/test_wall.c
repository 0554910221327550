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
#define WINDOW 0x10000000ul             /* for the test's child: nothing lies below it */
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

static long forbidden(int number)
{
    static char *const arguments[] = { "/bin/true", NULL };
    struct rlimit limit = { 0, 0 };
    uint64_t scratch[64] = { 0 };
    int fds[2];
    void *page = (void *)0x100000;

    switch (number) {
    case 0: return open("/etc/passwd", O_RDONLY);
    case 1: return syscall(SYS_open, "/etc/passwd", O_RDONLY);
    case 2: return syscall(SYS_openat2, AT_FDCWD, "/", scratch, 24);
    case 3: return syscall(SYS_socket, 2, 1, 0);
    case 4: return execv(arguments[0], arguments);
    case 5: return fork();
    case 6: return syscall(SYS_vfork);
    case 7: return syscall(SYS_clone3, scratch, 64);
    case 8: return kill(getppid(), 0);
    case 9: return kill(getpid(), SIGKILL);
    case 10: return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    case 11: return syscall(SYS_ptrace, 0, 0, 0, 0);
    case 12: return syscall(SYS_process_vm_writev, 1, scratch, 1, scratch, 1, 0);
    case 13: return syscall(SYS_memfd_create, "x", 0);
    case 14: return syscall(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
    case 15: return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    case 16: return syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit);
    case 17: return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    case 18: return ioctl(STDIN_FILENO, FIONREAD, fds);
    case 19: return ioctl(device, FIONBIO, fds);
    case 20: return write(device, "x", 1);
    case 21: return read(STDOUT_FILENO, scratch, 0);
    case 22: return write(STDIN_FILENO, scratch, 0);
    case 23: return dup(STDIN_FILENO);
    case 24: return pipe(fds);
    case 25: return (long)map(NULL, RWX, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    case 26: return (long)map(NULL, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    case 27: return (long)map(NULL, RWX, MAP_SHARED, ram);
    case 28: return (long)map(own, RWX, MAP_SHARED | MAP_FIXED, ram);
    case 29: return (long)map(page, PROT_READ, MAP_SHARED | MAP_FIXED, device);
    case 30: return (long)map((void *)WINDOW, PROT_READ, MAP_SHARED | MAP_FIXED, ram);
    case 31: return mprotect(own, 4096, RWX);
    case 32: return mprotect(own, 4096, PROT_READ | PROT_EXEC);
    case 33: return mprotect(page, 2 * 4096, RWX);
    case 34: return (long)mremap(own, 4096, 8192, MREMAP_MAYMOVE);
    case 35: return syscall(SYS_modify_ldt, 0, scratch, 8);
    case 36: return syscall(SYS_arch_prctl, ARCH_GET_FS, scratch);
    case 37: return (long)signal(SIGSYS, SIG_IGN);
    case 38: return syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, scratch);
    case 39: return syscall(SYS_io_uring_setup, 1, scratch);
    case 40: return syscall(SYS_bpf, 0, scratch, 8);
    case 41: return syscall(SYS_seccomp, 1, 0, NULL);
    case 42: return syscall(SYS_unshare, CLONE_NEWUSER);
    case 43: return syscall(SYS_mount, "a", "/", "b", 0, NULL);
    case 44: return syscall(SYS_getpid | 0x40000000);           /* x32 */
    case 45: return syscall(-1);
    }
    return 0;
}
enum { FORBIDDEN = 46 };

/* By the 32-bit way in: other numbers, and all of them forbidden. This is getpid. */
static void by_int80(int number)
{
    long result = 20;

    (void)number;
    build();
    __asm__ volatile ("int $0x80" : "+a" (result) :: "memory", "r8", "r9", "r10", "r11");
    _exit((int)result & 1);
}

static void try_forbidden(int number)
{
    build();
    forbidden(number);
    _exit(0);
}

/* ---- what is allowed ----------------------------------------------------------------------------- */

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
    default: return false;
    }
}
enum { ALLOWED = 9 };

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

START_TEST(forbids)
{
    char said[1000];
    int status = child(_i < FORBIDDEN ? try_forbidden : by_int80, _i, said, sizeof said);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WALL, "call %d: status %#x, %s", _i, status, said);
    ck_assert_ptr_nonnull(strstr(said, "the wall: system call"));
}
END_TEST

START_TEST(allows)
{
    char said[1000];
    int status = child(try_allowed, _i, said, sizeof said);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "call %d: status %#x, %s", _i, status, said);
}
END_TEST

START_TEST(an_assertion_ends_as_ever)
{
    char said[1000];
    int status = child(try_assertion, 0, said, sizeof said);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x, %s", status, said);
}
END_TEST

START_TEST(wants_no_writable_code)
{
    char said[1000];
    int status = child(try_with_writable_code, 0, said, sizeof said);

    ck_assert_int_eq(WEXITSTATUS(status), EXIT_HOST);
    ck_assert_ptr_nonnull(strstr(said, "both writable and executable"));
}
END_TEST

START_TEST(does_without_landlock)
{
    char said[1000];

    ck_assert_msg(child(try_without, SCMP_SYS(landlock_create_ruleset), said, sizeof said) == 0, "%s", said);
}
END_TEST

START_TEST(wants_seccomp_and_close_range)
{
    static const struct { int call; const char *says; } needed[] = {
        { SCMP_SYS(seccomp), "CONFIG_SECCOMP_FILTER" }, { SCMP_SYS(close_range), "Linux 5.9" },
    };
    char said[1000];
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
    tcase_add_loop_test(tests, allows, 0, ALLOWED);
    tcase_add_test(tests, an_assertion_ends_as_ever);
    tcase_add_test(tests, wants_no_writable_code);
    tcase_add_test(tests, does_without_landlock);
    tcase_add_loop_test(tests, wants_seccomp_and_close_range, 0, 2);
    if (!SANITIZED)
        suite_add_tcase(suite, tests);
    return suite;
}
