/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/version.h"

/* Both ways round. */
static void
assert_older(const char *a, const char *b)
{
    assert_true(version_cmp(a, b) < 0);
    assert_true(version_cmp(b, a) > 0);
}

static void
by_number_not_by_letter(void **state)
{
    (void) state;
    assert_older("2.7.0", "20.12.0");
    assert_older("20.27.0", "20.27.4");
    assert_older("20.9.9", "20.27.0");
    assert_older("20.41.0", "21.0.0");
    assert_int_equal(version_cmp("20.27.0", "20.27.0"), 0);
}

static void
anything_has_a_place(void **state)
{
    (void) state;
    assert_older("", "0.0.1");
    assert_older("20.27", "20.27.1");
    assert_int_equal(version_cmp("20.27", "20.27.0"), 0);
    assert_int_equal(version_cmp("", "no version"), 0);
    assert_int_equal(version_cmp("1.2.3.4", "1.2.3"), 0);
    assert_older("x.1", "1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_number_not_by_letter),
        cmocka_unit_test(anything_has_a_place),
    };

    return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
