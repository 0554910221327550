// The first process of the nested Linux that tests/nested boots: carries out /nested/plan, sends what came of it to the
// second serial port, switches off. The plan is text, a fact a line, in this order:
//   module PATH     a kernel module to load
//   run NAME        a run: what it prints and its exit status come into /out/NAME, where it may write as well
//   arg WORD        its program, then the program's arguments, one a line
//   go              the run takes place
// The results travel as a tar archive (POSIX.1-1988 ustar), a run at a time: those of the runs before a hang still arrive.
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 256, BLOCK = 512 };

static int serial; // where the archive goes

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// A line on the console, for whoever must find out why something failed.
#define say(...) (printf("nested: %7.2f s  ", seconds()), printf(__VA_ARGS__), puts(""))

// `ok` is false: say why, with errno's reason, and go on: the runs themselves will tell what they miss.
static void expect(int ok, const char *what)
{
    if (!ok)
        say("%s: %s", what, strerror(errno));
}

static void mount_all(void)
{
    static const char *const table[][2] = {{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        mkdir(table[i][1], 0755);
        expect(mount(table[i][0], table[i][1], table[i][0], 0, NULL) == 0 || errno == EBUSY, table[i][1]);
    }
    mkdir("/out", 0755);
}

static void loopback_up(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    expect(any >= 0 && ioctl(any, SIOCSIFFLAGS, &lo) == 0, "lo");
    close(any);
}

static void open_serial(void)
{
    struct termios t;

    serial = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    expect(serial >= 0 && tcgetattr(serial, &t) == 0, "/dev/ttyS1");
    cfmakeraw(&t); // a tar archive is no text: no byte may be changed or added
    cfsetspeed(&t, B115200);
    t.c_cflag |= CLOCAL;
    expect(tcsetattr(serial, TCSANOW, &t) == 0, "/dev/ttyS1: raw");
}

static void load(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);

    expect(file >= 0 && syscall(SYS_finit_module, file, "", 0) == 0, path);
    close(file);
    say("loaded %s", path);
}

static void send_bytes(const void *data, size_t size)
{
    for (const char *p = data; size > 0;) {
        ssize_t n = write(serial, p, size);

        if (n < 0 && errno != EINTR) {
            say("/dev/ttyS1: %s", strerror(errno));
            return;
        }
        p += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

// One file or directory below /out becomes a member of the archive, named from there. nftw() calls this.
static int send_member(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    union {
        struct {
            char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], kind, link[100], magic[6], version[2];
        };
        unsigned char bytes[BLOCK];
    } h = {0};
    char block[BLOCK];
    const char *name = path + strlen("/out/");
    unsigned long size = type == FTW_F && S_ISREG(st->st_mode) ? (unsigned long)st->st_size : 0;
    unsigned sum = 0;
    int file;

    (void)walk;
    if ((type != FTW_D && !S_ISREG(st->st_mode)) || strlen(name) >= sizeof h.name) {
        say("%s stays here: no file, or too long a name", path);
        return 0;
    }
    strcpy(h.name, name);
    snprintf(h.mode, sizeof h.mode, "%07o", type == FTW_D ? 0755 : 0644);
    snprintf(h.uid, sizeof h.uid, "%07o", 0);
    snprintf(h.gid, sizeof h.gid, "%07o", 0);
    snprintf(h.size, sizeof h.size, "%011lo", size);
    snprintf(h.mtime, sizeof h.mtime, "%011lo", (unsigned long)st->st_mtime);
    h.kind = type == FTW_D ? '5' : '0';
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    memset(h.sum, ' ', sizeof h.sum); // the sum counts its own field as blanks
    for (int i = 0; i < BLOCK; i++)
        sum += h.bytes[i];
    snprintf(h.sum, sizeof h.sum, "%06o", sum);
    send_bytes(&h, sizeof h);

    file = size ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    for (unsigned long at = 0; at < size; at += BLOCK) { // the last block is filled up with zeros
        memset(block, 0, sizeof block);
        expect(read(file, block, sizeof block) >= 0, path);
        send_bytes(block, sizeof block);
    }
    close(file);
    return 0;
}

// The child becomes the program. What cannot be started has the shell's status 127.
static void become(char *const words[])
{
    const int output = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

    if (dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0) == 0 && dup2(open("stdout", output, 0644), 1) == 1 &&
        dup2(open("stderr", output, 0644), 2) == 2 && chdir("/") == 0 && setsid() >= 0)
        execv(words[0], words);
    dprintf(2, "tests/nested-init: %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static void run(const char *name, char *const words[])
{
    char path[256];
    struct stat st;
    int state = 0, status;
    pid_t child;

    snprintf(path, sizeof path, "/out/%s", name);
    expect(mkdir(path, 0755) == 0 && chdir(path) == 0, path);
    say("run %s: %s", name, words[0]);
    child = fork();
    if (child == 0)
        become(words);
    while (wait(&state) != child) // orphans come to the first process too
        ;
    kill(-1, SIGKILL); // and none may disturb the next run
    chdir("/");
    status = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
    say("run %s: status %d", name, status);
    nftw(path, send_member, 16, FTW_PHYS);

    // The status goes last: where it has arrived, all has.
    strncat(path, "/status", sizeof path - strlen(path) - 1);
    FILE *file = fopen(path, "w");
    expect(file && fprintf(file, "%d\n", status) > 0 && fclose(file) == 0 && stat(path, &st) == 0, path);
    send_member(path, &st, FTW_F, NULL);
}

int main(void)
{
    static const char end[2 * BLOCK]; // two blocks of zeros end an archive
    char *line = NULL, *name = NULL, *words[MAX_WORDS + 1] = {NULL};
    size_t room = 0;
    int n = 0;
    FILE *plan = fopen("/nested/plan", "re");

    expect(plan != NULL, "/nested/plan");
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    mount_all();
    loopback_up();
    open_serial();
    while (plan && getline(&line, &room, plan) > 0) {
        char *what = line, *word = line + strcspn(line, " ");

        line[strcspn(line, "\n")] = '\0';
        if (*word)
            *word++ = '\0';
        if (strcmp(what, "module") == 0) {
            load(word);
        } else if (strcmp(what, "run") == 0) {
            name = strdup(word);
            n = 0;
        } else if (strcmp(what, "arg") == 0 && n < MAX_WORDS) {
            words[n++] = strdup(word);
            words[n] = NULL;
        } else if (strcmp(what, "go") == 0) {
            run(name, words);
        }
    }
    send_bytes(end, sizeof end);
    expect(tcdrain(serial) == 0, "/dev/ttyS1");
    say("the end");
    tcdrain(1);
    reboot(RB_AUTOBOOT); // a triple fault (the kernel's argument reboot=t), at which the emulator ends
}
