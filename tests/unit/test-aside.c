/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/durable.h"
#include "replica/aside.h"

#define CONTENT "OVSDB JSON: what is lost\n"

static const struct ha_pos pos = { .lineage = 1,
                                   .epoch = { 3, 2 },
                                   .seq = 42 };
static char folder[64], diverged[80];
static int fd;

static int
setup(void **state)
{
    (void) state;
    strcpy(folder, "/tmp/test-aside.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(diverged, sizeof diverged, "%s/diverged", folder);
    fd = open(folder, O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, CONTENT, strlen(CONTENT)), strlen(CONTENT));
    return 0;
}

static int
teardown(void **state)
{
    char command[128];

    (void) state;
    close(fd);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* Counts the files whose names end in 'ending'. */
static int
count(const char *ending)
{
    DIR *dir = opendir(diverged);
    struct dirent *e;
    int n = 0;

    assert_non_null(dir);
    while ((e = readdir(dir))) {
        size_t len = strlen(e->d_name);

        n += len > strlen(ending)
             && !strcmp(e->d_name + len - strlen(ending), ending);
    }
    closedir(dir);
    return n;
}

static struct aside *
begin(void)
{
    struct aside *a = aside_create(folder, HA_NB, &pos, fd, strlen(CONTENT));

    assert_non_null(a);
    while (aside_run(a) > 0) {
        continue;
    }
    return a;
}

/* All files appear at the end, under one name. */
static void
test_finished(void **state)
{
    char *text, path[256];
    struct aside *a = begin();
    size_t n;

    (void) state;
    fputs("report", aside_add(a, "txt"));
    assert_non_null(aside_add(a, "json"));
    assert_int_equal(count(".part"), 3);
    assert_int_equal(count(".db"), 0);
    assert_int_equal(aside_finish(a), 0);
    assert_int_equal(count(".part"), 0);
    assert_memory_equal(aside_name(a), "ovnnb-3.2-42-", 13);
    assert_int_equal(durable_read(aside_path(a), 1000, &text, &n), 0);
    assert_string_equal(text, CONTENT);
    free(text);
    snprintf(path, sizeof path, "%s/%s.txt", diverged, aside_name(a));
    assert_int_equal(durable_read(path, 1000, &text, &n), 0);
    assert_string_equal(text, "report");
    free(text);
    aside_destroy(a);
    assert_int_equal(count(".db") + count(".txt") + count(".json"), 3);
}

/* What is given up is removed; what was finished never is, nor written over
 * by another of the same position. */
static void
test_given_up(void **state)
{
    struct aside *a;

    (void) state;
    for (int i = 0; i < 3; i++) {
        a = begin();
        assert_int_equal(aside_finish(a), 0);
        aside_destroy(a);
    }
    a = begin();
    assert_non_null(aside_add(a, "txt"));
    aside_destroy(a);
    assert_int_equal(count(".db"), 3);
    assert_int_equal(count(".part"), 0);
    assert_int_equal(count(".txt"), 0);
}

static void
make(const char *name)
{
    char path[256];
    int file;

    snprintf(path, sizeof path, "%s/%s", diverged, name);
    file = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
}

/* What a crash left is begun anew; the other database's, which may be at it,
 * stays. */
static void
test_after_a_crash(void **state)
{
    struct aside *a;

    (void) state;
    assert_int_equal(mkdir(diverged, 0700), 0);
    make("ovnnb-3.2-42-20260101T000000Z.db.part");
    make("ovnnb-3.2-42-20260101T000000Z.txt.part");
    make("ovnnb-3.2-41-20250101T000000Z.db");
    make("ovnsb-3.2-42-20260101T000000Z.db.part");
    a = begin();
    assert_int_equal(count(".part"), 2);
    assert_int_equal(aside_finish(a), 0);
    aside_destroy(a);
    assert_int_equal(count(".part"), 1);
    assert_int_equal(count(".db"), 2);
}

/* A file that cannot be made is an error, and leaves nothing. */
static void
test_no_folder(void **state)
{
    (void) state;
    assert_null(aside_create("/proc/no/such", HA_SB, &pos, fd, 1));
    assert_int_equal(errno, ENOENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
    };

    return cmocka_run_group_tests_name("aside", tests, NULL, NULL);
}
