/* A whole file in memory. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>

enum { FILE_BYTES_MAX = 1 << 30 };

/* Read the file at `path`; the caller frees the result. NULL: `why` holds one sentence that names the file,
 * the reason and the remedy. */
uint8_t *file_read(const char *path, size_t *bytes, char *why, size_t why_bytes);

#endif
