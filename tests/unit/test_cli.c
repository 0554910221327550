/* The command line that the VMMs share. What it prints goes to a file, so that it can be read back. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "status.h"

static struct options options;
static const char *colour, *shape;
static const struct cli_option both[] = {
    { "colour", "colour=NAME", "what it looks like", &colour },
    { "shape", "shape NAME", "what form it has", &shape },
    { 0 },
};
static const struct cli_option *own = both;
static char said[4096];

/* Parse `line`, split at blanks; `said` gets what came on either stream. */
static int parse(const char *line)
{
    char words[512], *argv[32] = { "vmm" };
    int argc = 1, status;
    FILE *out = tmpfile(), *was[2] = { stdout, stderr };
    size_t bytes;

    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = strdup(word);
    stdout = stderr = out;
    status = cli_parse(&options, argc, argv, "vmm", "a test", own);
    stdout = was[0];
    stderr = was[1];
    rewind(out);
    bytes = fread(said, 1, sizeof said - 1, out);
    said[bytes] = '\0';
    fclose(out);
    return status;
}

static void refused(const char *line, const char *reason)
{
    ck_assert_int_eq(parse(line), EXIT_USAGE);
    ck_assert_msg(strstr(said, reason) != NULL, "expected \"%s\" in: %s", reason, said);
    ck_assert_msg(strchr(said, '\n') == said + strlen(said) - 1, "not one line: %s", said);
}

START_TEST(defaults)
{
    ck_assert_int_eq(parse("-kernel k.elf"), -1);
    ck_assert_str_eq(options.kernel, "k.elf");
    ck_assert_ptr_null(options.append);
    ck_assert_ptr_null(options.initrd);
    ck_assert_ptr_null(options.counters);
    ck_assert_uint_eq(options.mib, 64);
    ck_assert_uint_eq(options.timeout, 0);
    ck_assert_int_eq(options.trace, TRACE_NONE);
    ck_assert(!options.no_sandbox);
}
END_TEST

START_TEST(everything)
{
    ck_assert_int_eq(parse("-kernel k -append run=demo -m 128 -initrd i --trace=blocks --counters c --timeout 3 --no-sandbox"),
                     -1);
    ck_assert_str_eq(options.append, "run=demo");
    ck_assert_str_eq(options.initrd, "i");
    ck_assert_uint_eq(options.mib, 128);
    ck_assert_int_eq(options.trace, TRACE_BLOCKS);
    ck_assert_str_eq(options.counters, "c");
    ck_assert_uint_eq(options.timeout, 3);
    ck_assert(options.no_sandbox);
}
END_TEST

START_TEST(one_dash_or_two)
{
    ck_assert_int_eq(parse("--kernel=k -m64M -timeout=2 -trace"), -1);
    ck_assert_uint_eq(options.timeout, 2);
    ck_assert_int_eq(options.trace, TRACE_EXITS);
    ck_assert_int_eq(parse("-kernel k --trace=timeline"), -1);
    ck_assert_int_eq(options.trace, TRACE_TIMELINE);
}
END_TEST

START_TEST(refusals)
{
    refused("", "-kernel FILE is needed");
    refused("-kernel", "-kernel needs a value");
    refused("k.elf", "k.elf is no option");
    refused("-kernel k disk.img", "disk.img is no option");
    refused("-kernel k -smp 2", "no option -smp");
    refused("-kernel k --trace=all", "there are only exits, insns, blocks and timeline");
    refused("-kernel k -m 0", "-m 0: give");
    refused("-kernel k -m 1025", "-m 1025: give");
    refused("-kernel k -m -5", "-m -5: give");
    refused("-kernel k -m 64G", "-m 64G: give");
    refused("-kernel k -m 99999999999999999999", "give");
    refused("-kernel k --timeout never", "--timeout never: give");
    refused("-kernel k -x", "no option -x");
}
END_TEST

START_TEST(help_and_version)
{
    ck_assert_int_eq(parse("--help"), 0);
    ck_assert_ptr_nonnull(strstr(said, "-kernel FILE"));
    ck_assert_ptr_nonnull(strstr(said, "vmm: a test"));
    ck_assert_int_eq(parse("-kernel k --version"), 0);
    ck_assert_ptr_nonnull(strstr(said, "vmm (Quadvisor)"));
}
END_TEST

/* Options of one VMM beside the common ones: their values are stored where it says. */
START_TEST(own_options)
{
    colour = "grey";
    ck_assert_int_eq(parse("-kernel k -m 3"), -1);
    ck_assert_str_eq(colour, "grey");
    ck_assert_ptr_null(shape);
    ck_assert_int_eq(parse("--colour=red -kernel k --timeout 3 -shape round -m 128"), -1);
    ck_assert_str_eq(colour, "red");
    ck_assert_str_eq(shape, "round");
    ck_assert_str_eq(options.kernel, "k");
    ck_assert_uint_eq(options.timeout, 3);
    ck_assert_uint_eq(options.mib, 128);
    ck_assert_int_eq(parse("-kernel k --shape=flat"), -1);
    ck_assert_str_eq(shape, "flat");
    ck_assert_str_eq(colour, "red");
}
END_TEST

START_TEST(own_options_in_help)
{
    ck_assert_int_eq(parse("--help"), 0);
    ck_assert_ptr_nonnull(strstr(said, "\n  --colour=NAME     what it looks like\n"));
    ck_assert_ptr_nonnull(strstr(said, "\n  --shape NAME      what form it has\n"));
}
END_TEST

START_TEST(own_options_refused)
{
    refused("-kernel k --colour", "--colour needs a value");
    refused("-kernel k --shape", "--shape needs a value");
    refused("-kernel k --taste=sweet", "no option --taste=sweet");
    own = NULL;
    refused("-kernel k --colour=red", "no option --colour=red");
    ck_assert_int_eq(parse("--help"), 0);
    ck_assert_ptr_null(strstr(said, "colour"));
    ck_assert_ptr_null(colour);
}
END_TEST

Suite *suite_cli(void);
Suite *suite_cli(void)
{
    Suite *suite = suite_create("cli");
    TCase *tests = tcase_create("cli");

    tcase_add_test(tests, defaults);
    tcase_add_test(tests, everything);
    tcase_add_test(tests, one_dash_or_two);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, help_and_version);
    tcase_add_test(tests, own_options);
    tcase_add_test(tests, own_options_in_help);
    tcase_add_test(tests, own_options_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
