/* Whole files: of any size, from a pipe, and a sentence where there is none. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static char path[] = "/tmp/quadvisor-test-XXXXXX";
static char why[200];

/* Sizes around the steps in which it reads. */
static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 1000000 };

START_TEST(reads_all)
{
    size_t bytes = 99, size = sizes[_i];
    int fd = mkstemp(path);
    uint8_t *want = malloc(size + 1), *got;

    for (size_t i = 0; i < size; i++)
        want[i] = (uint8_t)(i * 7 + (i >> 12));
    ck_assert_int_eq(write(fd, want, size), (ssize_t)size);
    close(fd);
    got = file_read(path, &bytes, why, sizeof why);
    unlink(path);
    ck_assert_msg(got != NULL, "%s", why);
    ck_assert_uint_eq(bytes, size);
    ck_assert_mem_eq(got, want, size);
    free(got);
    free(want);
}
END_TEST

START_TEST(reads_a_pipe)
{
    size_t bytes;
    int fd[2];
    uint8_t *got;

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(write(fd[1], "guest", 5), 5);
    close(fd[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", fd[0]);
    got = file_read(path, &bytes, why, sizeof why);
    ck_assert_msg(got != NULL, "%s", why);
    ck_assert_uint_eq(bytes, 5);
    ck_assert_mem_eq(got, "guest", 5);
    free(got);
}
END_TEST

START_TEST(says_why_not)
{
    size_t bytes;

    ck_assert_ptr_null(file_read("/no-such-file", &bytes, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "/no-such-file: cannot be read (No such file"));
    ck_assert_ptr_null(file_read("/", &bytes, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "/: cannot be read (Is a directory)"));
}
END_TEST

Suite *suite_file(void)
{
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");

    tcase_add_loop_test(t, reads_all, 0, (int)(sizeof sizes / sizeof sizes[0]));
    tcase_add_test(t, reads_a_pipe);
    tcase_add_test(t, says_why_not);
    suite_add_tcase(s, t);
    return s;
}
