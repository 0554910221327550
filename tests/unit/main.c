/* Runs every suite of tests/unit (build/tests/suites.h lists them: the Makefile finds the functions named
 * suite_*) and names what failed. One process per test, as Check does it; CK_FORK=no for a debugger,
 * CK_RUN_SUITE=bus for one suite. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SUITE(name) Suite *name(void);
#include "suites.h"
#undef SUITE

int main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    TestResult **failures;
    int run, failed;

    (void)argc;
#define SUITE(name) srunner_add_suite(runner, name());
#include "suites.h"
#undef SUITE
    srunner_run_all(runner, CK_SILENT);
    run = srunner_ntests_run(runner);
    failed = srunner_ntests_failed(runner);
    failures = srunner_failures(runner);
    for (int i = 0; i < failed; i++)
        printf("FAIL %s: %s:%d: %s\n", tr_tcname(failures[i]), tr_lfile(failures[i]), tr_lno(failures[i]),
               tr_msg(failures[i]));
    printf("%s: %d passed, %d failed, 0 skipped\n", argv[0], run - failed, failed);
    free(failures);
    srunner_free(runner);
    return failed != 0;
}
