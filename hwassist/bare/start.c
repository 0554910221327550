/* From boot.asm to the first entry, and from the last exit to the end: options, memory, the guest's kernel, which processor this is.
 * The kernel and its command line come as the first multiboot module.
 *   words of the monitor's own command line:  -m=MIB  --no-npt  --no-unrestricted  --timeout=S  --trace=exits
 * Read next: main.c, which runs the guest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulate.h"
#include "host.h"
#include "hv.h"
#include "paging.h"
#include "status.h"
#include "vm.h"

enum { GUEST_ALIGNMENT = 2 << 20 };

static const struct hv *hv;
static bool no_npt, no_unrestricted;

static _Noreturn void give_up(const struct vm *vm, int status, const char *why)
{
    host_exit(vm_fail(vm, status, why));
}

/* ---- options ------------------------------------------------------------------------------------- */

/* The argument of `word` if it is the option `name`, which ends with "="; else NULL. */
static const char *argument(const char *word, const char *name)
{
    size_t n = strlen(name);

    return strlen(word) >= n && !memcmp(word, name, n) ? word + n : NULL;
}

static void read_word(struct vm *vm, char *word)
{
    const char *value;
    char why[120];

    if (!strcmp(word, "--no-npt"))
        no_npt = true;
    else if (!strcmp(word, "--no-unrestricted"))
        no_unrestricted = true;
    else if (!strcmp(word, "--trace=exits"))
        vm->options.trace = TRACE_EXITS;
    else if ((value = argument(word, "-m=")))
        vm->options.mib = (uint32_t)strtoul(value, NULL, 10);
    else if ((value = argument(word, "--timeout=")))
        vm->options.timeout = (unsigned)strtoul(value, NULL, 10);
    else if (*word == '-') {
        snprintf(why, sizeof why, "there is no option %s; there are -m=MIB --no-npt --no-unrestricted --timeout=S --trace=exits", word);
        give_up(vm, EXIT_USAGE, why);
    }
}

/* Cut `line` at its first blank; returns what follows, which may be empty. */
static char *cut_word(char *line)
{
    while (*line && *line != ' ')
        line++;
    if (*line)
        *line++ = '\0';
    return line;
}

static void read_options(struct vm *vm)
{
    char *word = host_command_line, *rest;

    for (; *word; word = rest) {
        rest = cut_word(word);
        read_word(vm, word);
    }
    vm->options.kernel = host_guest_line;
    vm->options.append = cut_word(host_guest_line);
    cut_word(host_module_line);
    vm->options.initrd = *host_module_line ? host_module_line : NULL;
    if (vm->options.mib < 1 || vm->options.mib > 1024)
        give_up(vm, EXIT_USAGE, "-m= takes 1 to 1024");
    if (!*vm->options.kernel)
        give_up(vm, EXIT_USAGE, "no guest: its kernel must be the first multiboot module");
}

/* ---- the machine --------------------------------------------------------------------------------- */

static const char *find_processor(struct machine *m)
{
    uint64_t root = 0;

    hv = svm.present() ? &svm : vmx.present() ? &vmx : NULL;
    if (!hv)
        return "this processor has neither AMD-V nor VT-x";
    shadow_init(m, hv->flush);
    if (!nowhere_init() || (!no_npt && !(root = nested_init(m, hv->bits))))
        return "no memory for page tables";
    return hv->init(m, root, no_unrestricted);
}

void bare_main(uint32_t info)
{
    static struct vm vm = { .name = "hwassist-bare", .options = { .mib = 64, .counters = "the debug console" } };
    struct machine *m = &vm.machine;
    const char *why;
    uint64_t sum;
    int status;

    host_init(info);
    read_options(&vm);
    m->counters.exit_names = hv_exit_names;
    emulate_init_cpuid(m);
    m->mem.bytes = vm.options.mib << 20;
    m->mem.ram = host_memory(m->mem.bytes, GUEST_ALIGNMENT);
    if (!m->mem.ram)
        give_up(&vm, EXIT_USAGE, "the machine has too little memory for the guest's; give it more, or less by -m=");
    if (!vm_load(&vm))
        host_exit(EXIT_USAGE);
    if ((why = find_processor(m)))
        give_up(&vm, EXIT_HOST, why);
    sum = host_checksum(m->mem.ram, m->mem.bytes);
    fprintf(stderr, "%s: on %s, %s paging\n", vm.name, hv->name, no_npt ? "shadow" : "nested");
    hv_run(&vm, hv);
    status = vm_finish(&vm);
    fprintf(stderr, "%s: memory that is not the guest's: checksum %016" PRIx64 " at the start, %016" PRIx64 " at the end\n",
            vm.name, sum, host_checksum(m->mem.ram, m->mem.bytes));
    host_exit(status);
}
