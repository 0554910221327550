/* See machine.h. */
#include "machine.h"

bool machine_stop(struct machine *m, int status, const char *why)
{
    size_t n = 0;

    if (m->stopped)
        return false;
    m->stopped = true;
    m->status = status;
    for (; why[n] && n + 1 < sizeof m->why; n++)
        m->why[n] = why[n];
    m->why[n] = '\0';
    return false;
}
