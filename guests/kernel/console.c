/* Formatted output to the console that the binding has (ops.h). */
#include <stdarg.h>

#include "kernel.h"
#include "ops.h"

void kprintf(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    console_write(line, format_text(line, sizeof line, format, args));
    va_end(args);
}
