/* Exit statuses of the VMMs beside the guest's own, which is odd: (v << 1) | 1 for a value v written to
 * port 0xf4. Each kind of failure has its own, so that a script can tell a bad guest from a bad host. */
#ifndef STATUS_H
#define STATUS_H

enum {
    EXIT_USAGE = 2,             /* the command line, a file it names, or a stdout that takes no more */
    EXIT_CRASH = 4,             /* the guest: triple fault, or what this machine does not model */
    EXIT_HOST = 6,              /* this host cannot run the VMM */
    EXIT_BUG = 8,               /* the VMM itself is wrong */
    EXIT_KILLED = 10,           /* a debugger's user ended the guest */
    EXIT_WALL = 12,             /* a system call that the wall forbids: the guest got out of its segments (wall.h), or a bug */
    EXIT_TIMEOUT = 124,         /* --timeout, as timeout(1) has it */
};

/* For EXIT_HOST: `what` failed, and what errno means, in one sentence. It lasts until the next. */
const char *host_failed(const char *what);

#endif
