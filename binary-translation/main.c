/* VMM 2: binary translation. The guest's kernel never runs as it is: a translator copies it into a code cache, block by
 * block, and on the way replaces what ring 3 would get wrong. User code runs directly, or is translated as well with
 * --translate=all. The same unmodified image that trap-emulate gets wrong is right here, and most sensitive
 * instructions do not even leave the cache. Read next: translate.c, cache.h, translator.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "emulate.h"
#include "event.h"
#include "file.h"
#include "gdb.h"
#include "hole.h"
#include "profile.h"
#include "status.h"
#include "timeline.h"
#include "trace.h"
#include "translator.h"
#include "vm.h"
#include "wall.h"

static void run(struct vm *vm, struct translator *t)
{
    struct machine *m = &vm->machine;
    uint64_t deadline;

    while (vm_continues(vm)) {
        event_interrupts(m);
        if (m->cpu.halted) {
            profile_to(PROFILE_IDLE);
            vm_idle(vm);
            profile_to(PROFILE_MONITOR);
            continue;
        }
        deadline = vm_deadline(vm);
        switch (translator_runs_directly(t) ? translator_run_directly(t, deadline) : translator_run(t, deadline)) {
        case DIRECT_SENSITIVE:
            vm_trace(vm, "emulate", true);
            if (!emulate(m, t->direct->insn))
                event_exception(m);
            break;
        case DIRECT_EXCEPTION:
            vm_trace(vm, "exception", false);
            event_exception(m);
            break;
        case DIRECT_INTERRUPTED:
            vm_tick(vm);
            break;
        case DIRECT_SEALED:
            translator_write(t);
            break;
        case DIRECT_UNSEEN:
            translator_look(t);
            break;
        case DIRECT_GATE: case DIRECT_STOPPED:          /* the cache has gates of its own */
            break;
        }
    }
}

/* Our own options: cli_parse() leaves their words here. */
static const char *word_translate, *word_strategy, *word_cache, *word_dump, *word_profile;
static const struct cli_option own_options[] = {
    { "translate", "translate=WHAT", "kernel: user code runs directly (default); all: nothing does", &word_translate },
    { "strategy", "strategy=WHICH", "translate: kernel code runs from the cache (default); patch: where it is, patched",
      &word_strategy },
    { "cache", "cache=SIZE", "of translated code: a number of bytes, K or M (default 4M)", &word_cache },
    { "dump-cache", "dump-cache=FILE", "write the blocks that ran most, with their translations, as HTML", &word_dump },
    { "profile", "profile=FILE", "write where the time went, as JSON", &word_profile },
    { 0 },
};

/* A size in bytes, 0 if it is none that the cache can have. */
static uint32_t cache_size(const char *text)
{
    char *end;
    unsigned long size = strtoul(text, &end, 10);
    unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' ? 20 : 0;

    if (*text < '0' || *text > '9' || end[shift != 0] || size > (unsigned long)CACHE_BYTES_MAX >> shift ||
        size << shift < CACHE_BYTES_MIN)
        return 0;
    return (uint32_t)(size << shift) & ~4095u;
}

/* The words of our own options; -1 or an exit status. */
static int choose(struct translator *t, uint32_t *cache, const char *name)
{
    static struct patches patches;

    t->user_too = word_translate && !strcmp(word_translate, "all");
    if (word_translate && !t->user_too && strcmp(word_translate, "kernel"))
        return cli_error(name, "--translate=%s: there are only kernel and all", word_translate);
    if (word_strategy && !strcmp(word_strategy, "patch"))
        t->patches = &patches;
    else if (word_strategy && strcmp(word_strategy, "translate"))
        return cli_error(name, "--strategy=%s: there are only translate and patch", word_strategy);
    if (t->patches && t->user_too)
        return cli_error(name, "--strategy=patch leaves code where it is: --translate=all makes no sense with it");
    if (t->patches && word_dump)
        return cli_error(name, "--dump-cache counts runs of blocks: with --strategy=patch there are hardly any");
    *cache = word_cache ? cache_size(word_cache) : CACHE_BYTES_DEFAULT;
    if (!*cache)
        return cli_error(name, "--cache=%s: give a size from %dK to %dM", word_cache, CACHE_BYTES_MIN >> 10,
                         CACHE_BYTES_MAX >> 20);
    return -1;
}

static FILE *dump_file, *profile_file;

/* Before the wall. False: a sentence has been printed. */
static bool open_files(const struct vm *vm)
{
    if (word_dump && !(dump_file = file_create(word_dump)))
        return vm_cannot_write(vm, word_dump);
    if (word_profile && !(profile_file = file_create(word_profile)))
        return vm_cannot_write(vm, word_profile);
    return true;
}

static const char *confine(struct vm *vm, const struct direct *direct)
{
    struct wall w = { .ram = direct->shadow.memfd, .window_end = WINDOW_END };

    wall_keep(&w, dump_file);
    wall_keep(&w, profile_file);
    return vm_confine(vm, w);
}

/* What --dump-cache and --profile ask for, at the end. Returns `status`, or EXIT_USAGE. */
static int write_files(struct translator *t, const struct vm *vm, int status)
{
    const char *failed = dump_file && !trace_page(&t->cache, dump_file) ? word_dump : NULL;

    if (profile_file && !profile_write(profile_file, vm->machine.counters.instructions))
        failed = word_profile;
    return failed && !vm_cannot_write(vm, failed) ? EXIT_USAGE : status;
}

/* The virtual PC lies where translated code reaches it. */
static struct vm *map_hole(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

    return mmap(HOLE, sizeof *HOLE, PROT_READ | PROT_WRITE, flags, -1, 0) == HOLE ? &HOLE->vm : NULL;
}

int main(int argc, char **argv)
{
    static struct vm none = { .name = "binary-translation" };
    static struct direct direct;
    static struct translator translator;
    struct vm *vm = map_hole();
    const char *why;
    uint32_t cache;
    int status;

    if (!vm)
        return vm_fail(&none, EXIT_HOST, errno == EEXIST ? "the top of the process's first 4 GiB is in use"
                                                         : host_failed("no memory at the top of the process's first 4 GiB: mmap"));
    vm->name = none.name;
    status = cli_parse(&vm->options, argc, argv, vm->name, "a VMM that translates the guest's kernel", own_options);
    if (status < 0)
        status = choose(&translator, &cache, vm->name);
    if (status >= 0)
        return status;
    if (word_profile)
        profile_begin();
    translator.cache.count_runs = word_dump;
    why = direct_init(&direct, &vm->machine, vm->options.mib << 20);
    if (!why)
        why = translator_init(&translator, &direct, cache);
    if (why)
        return vm_fail(vm, EXIT_HOST, why);
    if (!vm_load(vm) || !open_files(vm) || !gdb_attach(vm))
        return EXIT_USAGE;
    if (vm->options.trace == TRACE_TIMELINE)
        timeline_begin();
    trace_begin();
    why = confine(vm, &direct);
    if (why)
        return vm_fail(vm, EXIT_HOST, why);
    profile_to(PROFILE_MONITOR);
    run(vm, &translator);
    profile_to(PROFILE_START);
    if (translator.patches)
        patch_undo_all(translator.patches);             /* a register dump shows the guest's own code */
    return timeline_print(write_files(&translator, vm, vm_finish(vm)));
}
