/* Text, for kernel and user programs alike: the few functions that a C library would bring. */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* in string.asm */
void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);

int strcmp(const char *a, const char *b);
size_t strlen(const char *s);

/* %s %c %d %u %x %%, %x with a width as in %08x. Cuts what does not fit; returns the length. */
size_t format_text(char *to, size_t room, const char *format, va_list args);

/* In a line of words `name=value`: copy the value to `to`. Returns `to`, or NULL if the word is not there. */
char *option_text(const char *line, const char *name, char *to, size_t room);
uint32_t option_value(const char *line, const char *name, uint32_t otherwise);

/* A verdict line: "PROBE name PASS", or FAIL with both values. With seed=N in the command line `line` a PASS is sealed: it ends with a
 * number made of seed, name and value, for graders that want to know that a guest has run. True: it passed. */
bool verdict_text(char *to, size_t room, const char *line, const char *name, uint32_t want, uint32_t got);

#endif
