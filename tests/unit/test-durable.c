/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/durable.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test-durable.XXXXXX";
static char path[64];

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(dir); /* No file may be left behind. */
}

static void
assert_content(const char *want)
{
    char *data;
    size_t n;

    assert_int_equal(durable_read(path, 1000, &data, &n), 0);
    assert_int_equal(n, strlen(want));
    assert_string_equal(data, want);
    free(data);
}

static void
write_replace_remove(void **state)
{
    struct stat st;
    char *data;
    size_t n;

    (void) state;
    assert_int_equal(durable_read(path, 1000, &data, &n), -ENOENT);
    assert_int_equal(durable_write(path, "first", 5, 0640), 0);
    assert_content("first");
    assert_int_equal(durable_write(path, "2", 1, 0600), 0);
    assert_content("2");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(durable_write(path, "", 0, 0600), 0);
    assert_content("");
    assert_int_equal(durable_remove(path), 0);
    assert_int_equal(durable_remove(path), 0);
    assert_int_equal(durable_read(path, 1000, &data, &n), -ENOENT);
}

static void
read_is_bounded(void **state)
{
    char *data;
    size_t n;

    (void) state;
    assert_int_equal(durable_write(path, "0123456789", 10, 0600), 0);
    assert_int_equal(durable_read(path, 9, &data, &n), -EFBIG);
    assert_int_equal(durable_read(path, 10, &data, &n), 0);
    assert_int_equal(n, 10);
    free(data);
}

static void
full_disk_keeps_the_old_content(void **state)
{
    struct rlimit old, small = { 1000, 1000 };
    char data[4000] = "new";

    (void) state;
    assert_int_equal(durable_write(path, "old", 3, 0600), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(durable_write(path, data, sizeof data, 0600), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_content("old");
}

static void
leftover_does_no_harm(void **state)
{
    char tmp[80];
    FILE *f;

    (void) state;
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    f = fopen(tmp, "w");
    assert_non_null(f);
    fputs("half a write, and longer than the next", f);
    fclose(f);
    assert_int_equal(durable_write(path, "whole", 5, 0600), 0);
    assert_content("whole");
    assert_int_equal(access(tmp, F_OK), -1);
}

static void
missing_folder(void **state)
{
    (void) state;
    assert_int_equal(durable_write("/nonexistent/x", "x", 1, 0600), -ENOENT);
    assert_int_equal(durable_sync_folder_of("/nonexistent/x"), -ENOENT);
    assert_int_equal(durable_sync_folder_of("/x"), 0);
    assert_int_equal(durable_sync_folder_of("x"), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_replace_remove),
        cmocka_unit_test(read_is_bounded),
        cmocka_unit_test(full_disk_keeps_the_old_content),
        cmocka_unit_test(leftover_does_no_harm),
        cmocka_unit_test(missing_folder),
    };

    return cmocka_run_group_tests_name("durable", tests, setup, teardown);
}
