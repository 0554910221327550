/* The tiny kernel. main() is its table of contents. */
#include "kernel.h"
#include "ops.h"
#include "process.h"

extern const uint8_t user_start[];         /* the user address of process 1's first instruction */

static char line[256];

const char *command_line(void) { return line; }

const char *option(const char *name)
{
    static char values[8][64];
    static unsigned next;

    return option_text(line, name, values[next++ % 8], sizeof values[0]);
}

uint32_t option_number(const char *name, uint32_t otherwise) { return option_value(line, name, otherwise); }

bool verdict(const char *name, uint32_t want, uint32_t got)
{
    char text[128];
    bool passed = verdict_text(text, sizeof text, line, name, want, got);

    kprintf("%s", text);
    return passed;
}

static void options_init(const struct boot *boot)
{
    for (size_t i = 0; boot->command_line[i] && i + 1 < sizeof line; i++)
        line[i] = boot->command_line[i];
}

/* A program of the kernel's own, or process 1, which finds the user program itself. */
static void run(void)
{
    const char *name = option("run");

    if (!name) {
        kprintf("The tiny kernel is up, %u pages are free; run= names a program.\n", pages_free());
        report(0, 0);
    }
    for (const struct program *p = programs; p->name; p++)
        if (strcmp(p->name, name) == 0)
            p->main();
    timer_init(option_number("hz", 100));
    process_start((uint32_t)user_start);
}

void report(unsigned passed, unsigned failed)
{
    kprintf("DONE %u %u\n", passed, failed);
    machine_off(failed != 0);
}

void give_up(void)
{
    kprintf("DONE 0 1\n");
    machine_off(2);
}

void main(const struct boot *boot)
{
    console_init();                     /* a voice first */
    gdt_init();                         /* segments, TSS */
    idt_init();                         /* traps */
    memory_init(boot);                  /* pages to give away */
    options_init(boot);                 /* the command line */
    irq_init();                         /* interrupts: all masked */
    run();                              /* what the command line names; timer and processes if it is a process */
    __builtin_unreachable();            /* it ends by report() or give_up() */
}
