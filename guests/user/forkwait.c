/* fork, exit, wait: n= times (default 100). Every page must come back. */
#include "user.h"

int forkwait_main(const char *args)
{
    uint32_t n = option_value(args, "n", 100), before = sys_freepages(), good = 0;

    for (uint32_t i = 0; i < n; i++) {
        int status = -1, child = sys_fork();

        if (child == 0)
            sys_exit((int)(i & 0x7f));
        good += sys_wait(&status) == child && status == (int)(i & 0x7f);
    }
    verdict("forkwait-children", n, good);
    verdict("forkwait-pages", 0, before - sys_freepages());
    return 0;
}
