/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/since.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What was told: "begins NODE/CODE, ends NODE/CODE after SECONDS, ". */
static char told[200];

static void
tell(const char *what, const json_t *problem, bool seconds)
{
    const char *node = json_string_value(json_object_get(problem, "node"));
    size_t n = strlen(told);

    n +=
        snprintf(told + n, sizeof told - n, "%s %s/%s", what, node ? node : "",
                 json_string_value(json_object_get(problem, "code")));
    if (seconds) {
        n += snprintf(told + n, sizeof told - n, " after %lld",
                      (long long) json_integer_value(
                          json_object_get(problem, "seconds")));
    }
    snprintf(told + n, sizeof told - n, ", ");
}

static void
begins(void *aux, const json_t *problem)
{
    assert_ptr_equal(aux, told);
    tell("begins", problem, false);
}

static void
ends(void *aux, const json_t *problem)
{
    assert_ptr_equal(aux, told);
    tell("ends", problem, true);
}

static const struct since_handler handler = { told, begins, ends };

#define NOON 1795694400 /* 2026-11-26T12:00:00Z. */

/* Marks a list of problems, "NODE/CODE ...", 's' seconds after noon, and
 * returns it. */
static json_t *
mark(struct since *since, const char *names, int s)
{
    json_t *list = json_array();
    char copy[100], *rest = copy, *name;

    strcpy(copy, names);
    while ((name = strsep(&rest, " "))) {
        char *code = strchr(name, '/');

        if (code) {
            *code = '\0';
            json_array_append_new(
                list, json_pack("{s:o, s:s}", "node",
                                *name ? json_string(name) : json_null(),
                                "code", code + 1));
        }
    }
    since_mark(since, list, (mono_t){ (5000 + s) * 1000000LL }, NOON + s);
    return list;
}

static void
assert_since(json_t *list, size_t i, int seconds, const char *date)
{
    const json_t *p = json_array_get(list, i);

    assert_int_equal(json_integer_value(json_object_get(p, "seconds")),
                     seconds);
    assert_string_equal(json_string_value(json_object_get(p, "since")), date);
}

static void
each_has_its_own_time(void **state)
{
    struct since *since = since_create(&handler);

    (void) state;
    json_decref(mark(since, "n1/a /b", 0));
    json_t *list = mark(since, "n2/a /b n1/a", 70);
    assert_since(list, 0, 0, "2026-11-26T12:01:10Z");
    assert_since(list, 1, 70, "2026-11-26T12:00:00Z");
    assert_since(list, 2, 70, "2026-11-26T12:00:00Z");
    json_decref(list);
    since_destroy(since);
}

static void
what_ended_begins_anew(void **state)
{
    struct since *since = since_create(&handler);
    json_t *list;

    (void) state;
    json_decref(mark(since, "n1/a", 0));
    json_decref(mark(since, "", 5));
    list = mark(since, "n1/a", 10);
    assert_since(list, 0, 0, "2026-11-26T12:00:10Z");
    json_decref(list);
    since_destroy(since);
    since_destroy(NULL);
}

/* The begin and end of what lasts are told once, however often it is looked
 * at. */
static void
begin_and_end_are_told(void **state)
{
    struct since *since = since_create(&handler);

    (void) state;
    told[0] = '\0';
    json_decref(mark(since, "n1/a /b", 0));
    json_decref(mark(since, "n1/a /b", 2));
    assert_string_equal(told, "");
    json_decref(mark(since, "n1/a /b", 3));
    assert_string_equal(told, "begins n1/a, begins /b, ");
    json_decref(mark(since, "/b n1/a", 5));
    json_decref(mark(since, "n2/a /b", 70));
    assert_string_equal(told, "begins n1/a, begins /b, "
                              "ends n1/a after 70, ");
    told[0] = '\0';
    json_decref(mark(since, "", 72));
    assert_string_equal(told, "ends /b after 72, ");
    since_destroy(since);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_own_time),
        cmocka_unit_test(what_ended_begins_anew),
        cmocka_unit_test(begin_and_end_are_told),
    };

    return cmocka_run_group_tests_name("since", tests, NULL, NULL);
}
