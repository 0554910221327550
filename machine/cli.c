/* See cli.h. */
#include "cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "status.h"

#define VERSION "1.0"

enum { MIB_MAX = 1024, MIB_DEFAULT = 64, TIMEOUT_MAX = 1000000, GDB_DEFAULT = 1234 };
enum { OPT_KERNEL = 256, OPT_APPEND, OPT_INITRD, OPT_TRACE, OPT_COUNTERS, OPT_TIMEOUT, OPT_GDB, OPT_NO_SANDBOX, OPT_HELP, OPT_VERSION,
       OPT_OWN = 512, OWN_MAX = 8 };

static const struct option long_options[] = {
    { "kernel", required_argument, NULL, OPT_KERNEL },
    { "append", required_argument, NULL, OPT_APPEND },
    { "initrd", required_argument, NULL, OPT_INITRD },
    { "trace", optional_argument, NULL, OPT_TRACE },
    { "counters", required_argument, NULL, OPT_COUNTERS },
    { "timeout", required_argument, NULL, OPT_TIMEOUT },
    { "gdb", optional_argument, NULL, OPT_GDB },
    { "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static void help(const char *vmm, const char *summary, const char *traces, const struct cli_option *own)
{
    static const char timeline[] =
        "                    (timeline: at the end, when the guest was left and entered; `make timeline` draws it)\n";

    printf("%s: %s\n\n"
           "usage: %s -kernel FILE [options]\n"
           "  -kernel FILE      the guest: a multiboot 1 kernel, ELF32\n"
           "  -append STRING    its command line\n"
           "  -initrd FILE      one boot module\n"
           "  -m MIB            its RAM, 1 to %d MiB (default %d)\n"
           "  --trace[=WHAT]    show on stderr what happens: %s; without WHAT exits\n%s"
           "  --counters FILE   write what was counted, as JSON\n"
           "  --timeout SECONDS end the guest after this time, with status %d\n"
           "  --gdb[=PORT]      wait for the GNU debugger at this port of this host (default %d)\n"
           "  --no-sandbox      leave out the wall around this process: for debugging it, never for a guest that is not yours\n"
           "  --help, --version\n",
           vmm, summary, vmm, MIB_MAX, MIB_DEFAULT, traces, strstr(traces, "timeline") ? timeline : "", EXIT_TIMEOUT, GDB_DEFAULT);
    for (; own && own->name; own++)
        printf("  --%-15s %s\n", own->usage, own->help);
    printf("\n"
           "The guest's serial port is stdin and stdout. Exit status: (v << 1) | 1 for a value v that the guest\n"
           "writes to port 0xf4; %d bad usage, or a file or output that fails; %d the guest crashed; %d this host\n"
           "cannot; %d a bug here; %d gdb ended it; %d it made a forbidden system call; %d timed out.\n",
           EXIT_USAGE, EXIT_CRASH, EXIT_HOST, EXIT_BUG, EXIT_KILLED, EXIT_WALL, EXIT_TIMEOUT);
}

int cli_error(const char *vmm, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", vmm);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; --help shows the usage\n");
    return EXIT_USAGE;
}

/* A whole decimal number from 1 to `most`, possibly followed by `suffix`; 0 if `text` is anything else. */
static uint32_t number(const char *text, uint32_t most, char suffix)
{
    uint32_t value = 0;

    for (; *text >= '0' && *text <= '9' && value <= most; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    if (suffix && *text == suffix)
        text++;
    return *text || value > most ? 0 : value;
}

static int set_trace(struct options *options, const char *what, const char *vmm)
{
    static const char *const names[] = { "exits", "insns", "blocks", "timeline" };

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!what || !strcmp(what, names[i])) {
            options->trace = TRACE_EXITS + i;
            return -1;
        }
    return cli_error(vmm, "--trace=%s: there are only %s", what, options->traces);
}

static int set_option(struct options *options, int option, char **argv, const char *vmm)
{
    switch (option) {
    case OPT_KERNEL:
        options->kernel = optarg;
        return -1;
    case OPT_APPEND:
        options->append = optarg;
        return -1;
    case OPT_INITRD:
        options->initrd = optarg;
        return -1;
    case OPT_COUNTERS:
        options->counters = optarg;
        return -1;
    case OPT_TRACE:
        return set_trace(options, optarg, vmm);
    case 'm':
        options->mib = number(optarg, MIB_MAX, 'M');
        return options->mib ? -1 : cli_error(vmm, "-m %s: give a number of MiB from 1 to %d", optarg, MIB_MAX);
    case OPT_TIMEOUT:
        options->timeout = number(optarg, TIMEOUT_MAX, 's');
        return options->timeout ? -1 : cli_error(vmm, "--timeout %s: give a number of seconds from 1 to %d",
                                                   optarg, TIMEOUT_MAX);
    case OPT_GDB:
        options->gdb = optarg ? (uint16_t)number(optarg, 65535, '\0') : GDB_DEFAULT;
        return options->gdb ? -1 : cli_error(vmm, "--gdb=%s: give a port from 1 to 65535", optarg);
    case OPT_NO_SANDBOX:
        options->no_sandbox = true;
        return -1;
    case ':':
        return cli_error(vmm, "%s needs a value", argv[optind - 1]);
    default:
        return cli_error(vmm, "there is no option %s", argv[optind - 1]);
    }
}

/* The common options and the VMM's own ones, which come after them in number too. */
static void join_options(struct option *all, const struct cli_option *own)
{
    int n = 0;

    for (; long_options[n].name; n++)
        all[n] = long_options[n];
    for (int i = 0; own && own[i].name && i < OWN_MAX; i++)
        all[n++] = (struct option){ own[i].name, required_argument, NULL, OPT_OWN + i };
    all[n] = (struct option){ 0 };
}

int cli_parse(struct options *options, int argc, char **argv, const char *vmm, const char *summary,
              const struct cli_option *own)
{
    struct option all[sizeof long_options / sizeof *long_options + OWN_MAX];
    int option, status = -1;

    console_init();
    join_options(all, own);
    *options = (struct options){ .mib = MIB_DEFAULT, .traces = options->traces ? options->traces : "exits, insns, blocks or timeline" };
    optind = 0;                                 /* start over: the tests call this more than once */
    opterr = 0;
    while (status < 0 && (option = getopt_long_only(argc, argv, ":m:", all, NULL)) != -1) {
        if (option == OPT_HELP) {
            help(vmm, summary, options->traces, own);
            return 0;
        }
        if (option == OPT_VERSION) {
            printf("%s (Quadvisor) %s\n", vmm, VERSION);
            return 0;
        }
        if (option >= OPT_OWN)
            *own[option - OPT_OWN].value = optarg;
        else
            status = set_option(options, option, argv, vmm);
    }
    if (status < 0 && optind < argc)
        status = cli_error(vmm, "%s is no option; the guest is named by -kernel", argv[optind]);
    if (status < 0 && !options->kernel)
        status = cli_error(vmm, "no guest: -kernel FILE is needed");
    return status;
}
