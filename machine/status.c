/* See status.h. */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *host_failed(const char *what)
{
    static char why[320];

    snprintf(why, sizeof why, "%s: %s", what, strerror(errno));
    return why;
}
