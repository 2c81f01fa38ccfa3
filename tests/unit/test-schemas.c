/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "replica/schemas.h"

#define COLUMN(NAME) "\"" NAME "\":{\"type\":\"string\"}"
#define TABLE(NAME, COLUMNS) "\"" NAME "\":{\"columns\":{" COLUMNS "}}"
#define SCHEMA(NAME, VERSION, TABLES)                                        \
    "{\"name\":\"" NAME "\",\"version\":\"" VERSION "\",\"tables\":{" TABLES \
    "}}"

#define OLD SCHEMA("DB", "1.9.0", TABLE("T", COLUMN("a")))
#define NEW SCHEMA("DB", "1.10.0", TABLE("T", COLUMN("a") "," COLUMN("b")))
#define WIDE \
    SCHEMA("DB", "2.0.0", TABLE("T", COLUMN("a")) "," TABLE("U", COLUMN("c")))

static void
assert_fit(enum schemas_fit fit, const char *ours, const char *theirs,
           const char *say)
{
    char why[WIRE_WHY_LEN] = "";

    assert_int_equal(schemas_fit(ours, theirs, why), fit);
    assert_string_equal(why, say);
}

static void
the_newer_one_follows_or_is_followed(void **state)
{
    (void) state;
    assert_fit(SCHEMAS_FIT, OLD, OLD, "");
    assert_fit(SCHEMAS_FIT, NEW, OLD, "");
    assert_fit(SCHEMAS_CONVERT, OLD, NEW,
               "the own database is converted from schema 1.9.0 to the "
               "source's 1.10.0");
    assert_fit(SCHEMAS_CONVERT, OLD, WIDE,
               "the own database is converted from schema 1.9.0 to the "
               "source's 2.0.0");
}

/* A newer one of the same columns may have more values for them; an older one
 * has not. */
static void
the_version_counts_too(void **state)
{
    static const char later[] = SCHEMA("DB", "1.9.1", TABLE("T", COLUMN("a")));

    (void) state;
    assert_fit(SCHEMAS_CONVERT, OLD, later,
               "the own database is converted from schema 1.9.0 to the "
               "source's 1.9.1");
    assert_fit(SCHEMAS_FIT, later, OLD, "");
}

static void
nothing_is_converted_away(void **state)
{
    (void) state;
    assert_fit(SCHEMAS_REFUSE, NEW, WIDE,
               "schemas do not fit: the source's 2.0.0 has table U, which the "
               "own 1.10.0 lacks, and lacks column b of T");
    assert_fit(SCHEMAS_REFUSE, WIDE, NEW,
               "schemas do not fit: the source's 1.10.0 has column b of T, "
               "which the own 2.0.0 lacks, and lacks table U");
    assert_fit(SCHEMAS_REFUSE, OLD,
               SCHEMA("Other", "1.0.0", TABLE("T", COLUMN("a"))),
               "own database is DB, the source's Other");
    assert_fit(SCHEMAS_REFUSE, OLD, "{\"name\":1}",
               "the source's schema cannot be understood");
    assert_fit(SCHEMAS_REFUSE, OLD, "{",
               "the source's schema cannot be understood");
}

static void
what_one_has_of_the_other(void **state)
{
    (void) state;
    assert_true(schemas_has_all(NEW, OLD));
    assert_true(schemas_has_all(OLD, OLD));
    assert_false(schemas_has_all(OLD, NEW));
    assert_false(schemas_has_all(WIDE, NEW));
    assert_false(schemas_has_all(OLD, ""));
    assert_true(schemas_are_equal(OLD, OLD));
    assert_false(schemas_are_equal(OLD, NEW));
    assert_false(schemas_are_equal("", ""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newer_one_follows_or_is_followed),
        cmocka_unit_test(the_version_counts_too),
        cmocka_unit_test(nothing_is_converted_away),
        cmocka_unit_test(what_one_has_of_the_other),
    };

    return cmocka_run_group_tests_name("schemas", tests, NULL, NULL);
}
