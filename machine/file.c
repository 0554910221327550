/* See file.h. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Grows as it reads, so that it takes pipes and devices as well; those that never end stop at the limit. */
static uint8_t *read_all(FILE *in, size_t *bytes)
{
    size_t room = 1 << 16, used = 0;
    uint8_t *data = NULL;

    for (;;) {
        uint8_t *grown = realloc(data, room);

        if (!grown)
            break;
        data = grown;
        used += fread(data + used, 1, room - used, in);
        if (used < room) {
            *bytes = used;
            if (!ferror(in))
                return data;
            break;
        }
        if (room >= FILE_BYTES_MAX) {
            errno = EFBIG;
            break;
        }
        room *= 2;
    }
    free(data);
    return NULL;
}

uint8_t *file_read(const char *path, size_t *bytes, char *why, size_t why_bytes)
{
    FILE *in = fopen(path, "rb");
    uint8_t *data = in ? read_all(in, bytes) : NULL;

    if (!data)
        snprintf(why, why_bytes, "%s: cannot be read (%s)%s", path, strerror(errno),
                 errno == ENOMEM ? "" : "; give the path of a readable file");
    if (in)
        fclose(in);
    return data;
}

FILE *file_create(const char *path)
{
    FILE *f = fopen(path, "we");
    char *buffer = f ? malloc(BUFSIZ) : NULL;           /* the stream's as long as the process lives */

    if (buffer)
        setvbuf(f, buffer, _IOFBF, BUFSIZ);
    return f;
}
