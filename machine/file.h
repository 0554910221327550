/* A whole file in memory; a file for what is said at the end. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { FILE_BYTES_MAX = 1 << 30 };

/* Read the file at `path`; the caller frees the result. NULL: `why` holds one sentence that names the file,
 * the reason and the remedy. */
uint8_t *file_read(const char *path, size_t *bytes, char *why, size_t why_bytes);

/* Create the file at `path` for output at the end of a run, when the wall (wall.h) lets nobody ask how to buffer it. NULL: errno
 * tells why. */
FILE *file_create(const char *path);

#endif
