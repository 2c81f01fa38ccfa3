/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

static char dir[] = "/tmp/test-finding.XXXXXX";
static char path[64];

static int
setup(void **state)
{
    (void) state;
    ha_log_to_stderr(false);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/nb.differs", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    rmdir(path);
    unlink(path);
    return rmdir(dir);
}

static void
lasts_until_it_is_taken_back(void **state)
{
    struct finding *f = finding_create(path);

    (void) state;
    assert_false(f->differs);
    finding_clear(f);
    finding_set(f, "3 rows differ");
    assert_true(f->differs);
    finding_destroy(f);

    f = finding_create(path);
    assert_true(f->differs);
    assert_string_equal(f->why, "3 rows differ");
    finding_clear(f);
    assert_false(f->differs);
    assert_string_equal(f->why, "");
    finding_destroy(f);

    f = finding_create(path);
    assert_false(f->differs);
    finding_destroy(f);
}

/* When in doubt, a replica is not trusted. */
static void
what_cannot_be_read_counts(void **state)
{
    struct finding *f;

    (void) state;
    assert_int_equal(mkdir(path, 0700), 0);
    f = finding_create(path);
    assert_true(f->differs);
    assert_string_not_equal(f->why, "");
    finding_destroy(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lasts_until_it_is_taken_back),
        cmocka_unit_test(what_cannot_be_read_counts),
    };

    return cmocka_run_group_tests_name("finding", tests, setup, teardown);
}
