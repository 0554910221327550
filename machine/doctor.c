/* build/doctor: one line for each thing the kit leans on: found, or what to do. With --conditions it prints the
 * words that tests/expected/ may use instead. */
#include <stdio.h>
#include <string.h>

#include "host.h"

static void line(const char *name, bool found, bool needed, const char *what)
{
    printf("%-8s %-18s %s\n", found ? "ok" : needed ? "MISSING" : "absent", name, what);
}

/* The first line that `command` prints, without its newline. False if it prints nothing. */
static bool first_line(const char *command, char *text, int bytes)
{
    FILE *in = popen(command, "r");
    bool got = in && fgets(text, bytes, in);

    if (in)
        pclose(in);
    if (got)
        text[strcspn(text, "\n")] = '\0';
    return got;
}

static bool look_at_tools(void)
{
    char text[200];
    bool qemu = first_line("qemu-system-i386 --version 2>/dev/null", text, sizeof text), packages;

    line("qemu", qemu, true, qemu ? text : "not found; make packages");
    packages = !first_line("sh .ci/install --missing 2>&1", text, sizeof text);
    line("packages", packages, true, packages ? "all of .ci/packages are here" : text);
    return qemu && packages;
}

int main(int argc, char **argv)
{
    struct host_report reports[HOST_FACTS];
    const struct host_report *lacks;
    bool tools;

    host_look(reports);
    if (argc > 1 && !strcmp(argv[1], "--conditions")) {
        printf("%s%s%s%s%s\n", host_cpu_maker(), reports[HOST_UMIP].found ? " umip" : "",
               reports[HOST_CPUID_FAULTING].found ? " cpuid-faulting" : "",
               reports[HOST_FSGSBASE].found ? " fsgsbase" : "", reports[HOST_NOT_TCG].found ? "" : " tcg");
        return 0;
    }
    line("processor", true, false, host_cpu_maker());
    for (unsigned i = 0; i < HOST_FACTS; i++)
        line(reports[i].name, reports[i].found, reports[i].needed, reports[i].what);
    tools = look_at_tools();
    lacks = host_missing(reports);
    printf("\ntrap-emulate %s%s\n", lacks ? "does not run here: " : "runs here.", lacks ? lacks->what : "");
    return lacks || !tools;
}
