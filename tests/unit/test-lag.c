/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/lag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Adds lags of n1 at second 's'; below 0: not known. */
static void
add(struct lag *lag, int s, int nb, int sb)
{
    json_t *status =
        json_pack("{s:[{s:s, s:{s:o}, s:{s:o}}]}", "nodes", "name", "n1", "nb",
                  "lag_records", nb < 0 ? json_null() : json_integer(nb), "sb",
                  "lag_records", sb < 0 ? json_null() : json_integer(sb));

    lag_add(lag, status, (mono_t){ s * 1000000LL });
    json_decref(status);
}

static json_t *
printed(const struct lag *lag)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    json_t *json;

    lag_print(lag, f);
    fclose(f);
    json = json_loads(text, 0, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static void
assert_printed(const struct lag *lag, const char *want)
{
    json_t *json = printed(lag);
    char *text = json_dumps(json_object_get(json, "nodes"), JSON_COMPACT);

    assert_string_equal(text, want);
    free(text);
    json_decref(json);
}

static void
the_largest_of_each_step(void **state)
{
    struct lag *lag = lag_create();

    (void) state;
    assert_printed(lag, "{}");
    add(lag, 1000, 3, -1);
    add(lag, 1002, 9, -1);
    add(lag, 1004, 1, 0);
    add(lag, 1005, 2, -1);
    assert_printed(lag, "{\"n1\":{\"nb\":[9,2],\"sb\":[0,null]}}");
    lag_destroy(lag);
    lag_destroy(NULL);
}

/* A frozen process, say. */
static void
what_was_slept_through_is_unknown(void **state)
{
    struct lag *lag = lag_create();

    (void) state;
    add(lag, 1000, 1, 1);
    add(lag, 1015, 2, 2);
    assert_printed(lag, "{\"n1\":{\"nb\":[1,null,null,2],"
                        "\"sb\":[1,null,null,2]}}");
    add(lag, 1015 + 3600, 3, 3);
    assert_printed(lag, "{\"n1\":{\"nb\":[3],\"sb\":[3]}}");
    lag_destroy(lag);
}

static void
an_hour_and_no_more(void **state)
{
    struct lag *lag = lag_create();
    json_t *json;
    const json_t *nb;

    (void) state;
    for (int i = 0; i < 2 * LAG_STEPS; i++) {
        add(lag, 1000 + i * LAG_STEP_S, i, 0);
    }
    json = printed(lag);
    nb = json_object_get(json_object_get(json_object_get(json, "nodes"), "n1"),
                         "nb");
    assert_int_equal(json_array_size(nb), LAG_STEPS);
    for (int i = 0; i < LAG_STEPS; i++) {
        assert_int_equal(json_integer_value(json_array_get(nb, i)),
                         LAG_STEPS + i);
    }
    json_decref(json);
    lag_destroy(lag);
}

/* Names come from corosync's configuration. */
static void
any_name_any_number(void **state)
{
    struct lag *lag = lag_create();
    json_t *json;

    (void) state;
    for (int i = 0; i < 40; i++) {
        json_t *status =
            json_pack("{s:[{s:s+}, {s:i}]}", "nodes", "name", "a\"\\\n",
                      (char[]){ 'a' + i / 10, 'a' + i % 10, 0 }, "name", i);

        lag_add(lag, status, (mono_t){ 1000 * 1000000LL });
        json_decref(status);
    }
    json = printed(lag);
    assert_int_equal(json_object_size(json_object_get(json, "nodes")), 16);
    json_decref(json);
    lag_destroy(lag);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_of_each_step),
        cmocka_unit_test(what_was_slept_through_is_unknown),
        cmocka_unit_test(an_hour_and_no_more),
        cmocka_unit_test(any_name_any_number),
    };

    return cmocka_run_group_tests_name("lag", tests, NULL, NULL);
}
