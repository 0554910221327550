/* A host on which something fails: an LD_PRELOAD library that counts the C library's calls by which the VMMs ask Linux for things,
 * and fails one. FAULT=mmap:7:ENOMEM fails the 7th mmap(), mmap:7+:ENOMEM that and all later ones; FAULT=count:FILE fails
 * none and counts into FILE (fault.h). syscall() counts by the call's own name; set_cpuid is arch_prctl(ARCH_SET_CPUID), hwcap2 is
 * getauxval(AT_HWCAP2), both of which a host may lack without harm. Out of reach: arch_prctl in world.asm, what libc
 * calls within itself (but for the reads and writes of files that fopen() opened), clock_gettime, which cannot fail. */
#include <asm/prctl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

#define CALLS(call) \
    call(mmap, ENOMEM) call(munmap, ENOMEM) call(mprotect, ENOMEM) call(memfd_create, EMFILE) call(ftruncate, ENOSPC) \
    call(malloc, ENOMEM) call(calloc, ENOMEM) call(realloc, ENOMEM) call(modify_ldt, ENOSYS) call(arch_prctl, EPERM) \
    call(set_cpuid, ENODEV) call(hwcap2, ENOENT) \
    call(prctl, EINVAL) call(timer_create, EAGAIN) call(timer_settime, EINVAL) call(sigaction, EINVAL) \
    call(sigaltstack, ENOMEM) call(getauxval, ENOENT) call(fopen, EMFILE) call(fread, EIO) call(fwrite, ENOSPC) \
    call(open, EMFILE) call(read, EIO) call(write, ENOSPC) call(poll, ENOMEM) call(ppoll, ENOMEM) call(ioctl, EINVAL) \
    call(rename, ENOSPC) call(setrlimit, EPERM) call(close_range, ENOSYS) call(seccomp, EINVAL) call(landlock_create_ruleset, ENOSYS)

#define NUMBER(name, error) CALL_##name,
enum { CALLS(NUMBER) CALL_COUNT };
#define COUNT(name, error) [CALL_##name] = { #name, 0, error },
static struct fault_count counted_here[] = { CALLS(COUNT) }, *counts = counted_here;

static int fault_call = -1, fault_errno;
static unsigned fault_first;
static bool fault_stays;

/* "mmap:7:ENOMEM": the names of errnos are glibc's. */
static void choose_fault(const char *text)
{
    size_t name = strcspn(text, ":");
    char *end;

    for (int i = 0; i < CALL_COUNT; i++)
        if (strlen(counts[i].call) == name && !strncmp(text, counts[i].call, name))
            fault_call = i;
    fault_first = text[name] ? (unsigned)strtoul(text + name + 1, &end, 10) : 0;
    fault_stays = fault_first && *end == '+';
    end += fault_stays;
    for (int e = 1; fault_first && e < 134; e++)
        if (*end == ':' && strerrorname_np(e) && !strcmp(strerrorname_np(e), end + 1))
            fault_errno = e;
    if (fault_call < 0 || !fault_errno) {
        dprintf(2, "FAULT=%s: say CALL:N:ERRNO\n", text);
        _exit(99);
    }
}

static void count_into(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    void *shared = ftruncate(fd, sizeof counted_here) ? MAP_FAILED
                                                      : mmap(NULL, sizeof counted_here, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    if (shared != MAP_FAILED)
        counts = memcpy(shared, counted_here, sizeof counted_here);
}

__attribute__((constructor))
static void begin(void)
{
    const char *text = getenv("FAULT");

    if (text && !strncmp(text, "count:", 6))
        count_into(text + 6);
    for (int i = 0; i < CALL_COUNT; i++)
        counts[i].calls = 0;                            /* before main(): not the program's */
    if (text && *text && counts == counted_here)
        choose_fault(text);
}

static bool fails(int call)
{
    unsigned n = ++counts[call].calls;

    if (call != fault_call || n < fault_first || (n > fault_first && !fault_stays))
        return false;
    errno = fault_errno;
    return true;
}

/* `type name(parameters)`, which calls the real one with `arguments` or returns `failed`. */
#define WRAP(type, name, parameters, arguments, failed) \
    type name parameters \
    { \
        static type (*real) parameters; \
        if (fails(CALL_##name)) \
            return failed; \
        if (!real) \
            real = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
        return real arguments; \
    }

WRAP(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset), (at, n, prot, flags, fd, offset), MAP_FAILED)
WRAP(int, munmap, (void *at, size_t n), (at, n), -1)
WRAP(int, mprotect, (void *at, size_t n, int prot), (at, n, prot), -1)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), -1)
WRAP(int, timer_create, (clockid_t clock, struct sigevent *event, timer_t *timer), (clock, event, timer), -1)
WRAP(int, timer_settime, (timer_t timer, int flags, const struct itimerspec *at, struct itimerspec *old), (timer, flags, at, old), -1)
WRAP(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old), (number, action, old), -1)
WRAP(int, sigaltstack, (const stack_t *stack, stack_t *old), (stack, old), -1)
WRAP(ssize_t, read, (int fd, void *data, size_t n), (fd, data, n), -1)
WRAP(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n), -1)
WRAP(int, poll, (struct pollfd *fds, nfds_t n, int timeout), (fds, n, timeout), -1)
WRAP(int, ppoll, (struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *mask), (fds, n, t, mask), -1)
WRAP(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit), -1)
WRAP(int, rename, (const char *from, const char *to), (from, to), -1)

/* ---- memory: dlsym() would ask for some itself ---------------------------------------------------- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* libseccomp (2.5.4) does not look whether it got memory: it crashes, or leaves out a rule. Its own calls never fail here. */
static uintptr_t spared, spared_end;

static int find_spared(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; strstr(object->dlpi_name, "libseccomp") && i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_LOAD && object->dlpi_phdr[i].p_flags & PF_X) {
            spared = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
            spared_end = spared + object->dlpi_phdr[i].p_memsz;
        }
    return 0;
}

#define SPARED ((uintptr_t)__builtin_return_address(0) - spared < spared_end - spared)

void *malloc(size_t n) { return !SPARED && fails(CALL_malloc) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return !SPARED && fails(CALL_calloc) ? NULL : __libc_calloc(n, size); }
void *realloc(void *old, size_t n) { return !SPARED && fails(CALL_realloc) ? NULL : __libc_realloc(old, n); }

__attribute__((constructor))
static void spare(void) { dl_iterate_phdr(find_spared, NULL); }

unsigned long getauxval(unsigned long type)
{
    static unsigned long (*real)(unsigned long);

    if (fails(type == AT_HWCAP2 ? CALL_hwcap2 : CALL_getauxval))
        return 0;
    if (!real)
        real = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
    return real(type);
}

/* ---- with a variable number of arguments ---------------------------------------------------------- */

#define TAKE(n, last) \
    unsigned long a[n]; \
    va_list list; \
    va_start(list, last); \
    for (int i = 0; i < (n); i++) \
        a[i] = va_arg(list, unsigned long); \
    va_end(list)

long syscall(long number, ...)
{
    static long (*real)(long, ...);
    TAKE(6, number);
    int call = number == SYS_modify_ldt ? CALL_modify_ldt
               : number == SYS_arch_prctl ? (int)a[0] == ARCH_SET_CPUID ? CALL_set_cpuid : CALL_arch_prctl
               : number == SYS_seccomp ? CALL_seccomp : number == SYS_close_range ? CALL_close_range
               : number == SYS_landlock_create_ruleset ? CALL_landlock_create_ruleset : -1;

    if (call >= 0 && fails(call))
        return -1;
    if (!real)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int prctl(int option, ...)
{
    static int (*real)(int, ...);
    TAKE(4, option);

    if (fails(CALL_prctl))
        return -1;
    if (!real)
        real = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
    return real(option, a[0], a[1], a[2], a[3]);
}

int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    TAKE(1, flags);

    if (fails(CALL_open))
        return -1;
    if (!real)
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return real(path, flags, (mode_t)a[0]);
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    TAKE(1, request);

    if (fails(CALL_ioctl))
        return -1;
    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, a[0]);
}

/* ---- files: libc reads and writes by itself, so ours are streams of another kind ------------------- */

static ssize_t cookie_read(void *file, char *data, size_t n)
{
    return fails(CALL_fread) ? -1 : (ssize_t)syscall(SYS_read, (int)(intptr_t)file, data, n);
}

static ssize_t cookie_write(void *file, const char *data, size_t n)
{
    return fails(CALL_fwrite) ? 0 : (ssize_t)syscall(SYS_write, (int)(intptr_t)file, data, n);
}

static int cookie_close(void *file) { return (int)syscall(SYS_close, (int)(intptr_t)file); }

static struct { FILE *stream; int fd; } opened[16];     /* for fileno(), which knows no such streams */
static unsigned opens;

FILE *fopen(const char *path, const char *mode)
{
    static const cookie_io_functions_t functions = { .read = cookie_read, .write = cookie_write, .close = cookie_close };
    int flags = *mode == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | (*mode == 'a' ? O_APPEND : O_TRUNC);
    int fd = fails(CALL_fopen) ? -1 : (int)syscall(SYS_open, path, flags | O_CLOEXEC, 0666);

    FILE *stream = fd < 0 ? NULL : fopencookie((void *)(intptr_t)fd, mode, functions);

    opened[opens % 16].stream = stream;
    opened[opens++ % 16].fd = fd;
    return stream;
}

int fileno(FILE *stream)
{
    for (unsigned i = opens; stream && i-- > 0 && opens - i <= 16;)         /* the newest: a FILE may come again */
        if (opened[i % 16].stream == stream)
            return opened[i % 16].fd;
    return stream == stdin ? 0 : stream == stdout ? 1 : 2;
}
