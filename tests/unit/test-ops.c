/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "jsonrpc.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

#include "replica/shadow.h"
#include "tests/unit/dbfile.h"

#define ROW "00000000-0000-4000-8000-000000000001"
#define WHERE "\"where\":[[\"_uuid\",\"==\",[\"uuid\",\"" ROW "\"]]]"

static const char schema[] =
    "{\"name\":\"test\",\"version\":\"1.0.0\",\"tables\":{\"t\":{"
    "\"isRoot\":true,\"columns\":{\"name\":{\"type\":\"string\"},"
    "\"s\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":\"unlimited\"}},"
    "\"m\":{\"type\":{\"key\":\"string\",\"value\":\"string\",\"min\":0,"
    "\"max\":\"unlimited\"}}}}}}";

/* A database with a row whose set has 0 to 5, and its map k0 to k5. */
static int
setup(void **state)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct dbfile file;

    dbfile_open(&file, schema);
    ds_put_cstr(&s, "{\"t\":{\"" ROW
                    "\":{\"s\":[\"set\",[0,1,2,3,4,5]],\"m\":[\"map\",[");
    for (int i = 0; i < 6; i++) {
        ds_put_format(&s, "%s[\"k%d\",\"a\"]", i ? "," : "", i);
    }
    ds_put_cstr(&s, "]]}}}");
    dbfile_add(&file, ds_cstr(&s));
    ds_destroy(&s);
    *state = dbfile_load(&file);
    close(file.fd);
    return 0;
}

static int
teardown(void **state)
{
    shadow_destroy(*state);
    return 0;
}

static bool
let(const struct shadow_effect *effect, void *aux)
{
    (void) effect;
    (void) aux;
    return true;
}

/* What the difference 'row' becomes. */
static void
assert_ops(struct shadow *shadow, const char *row, int n, const char *want)
{
    struct json *ops = json_array_create_empty();
    struct ds record = DS_EMPTY_INITIALIZER;
    char why[SHADOW_WHY_LEN] = "";
    char *text;

    ds_put_format(&record, "{\"_is_diff\":true,\"t\":{\"" ROW "\":{%s}}}",
                  row);
    assert_int_equal(
        shadow_apply(shadow, ds_cstr(&record), ops, let, NULL, why), n);
    text = json_to_string(ops, JSSF_SORT);
    assert_string_equal(text, want);
    free(text);
    json_destroy(ops);
    ds_destroy(&record);
}

/* A change of a large set or map is told, not all of it. */
static void
test_large(void **state)
{
    assert_ops(*state, "\"s\":6", 1,
               "[{\"mutations\":[[\"s\",\"insert\",6]],\"op\":\"mutate\","
               "\"table\":\"t\"," WHERE "}]");
    assert_ops(*state, "\"name\":\"x\",\"s\":[\"set\",[0,7]]", 2,
               "[{\"op\":\"update\",\"row\":{\"name\":\"x\"},"
               "\"table\":\"t\"," WHERE "},"
               "{\"mutations\":[[\"s\",\"delete\",0],[\"s\",\"insert\",7]],"
               "\"op\":\"mutate\",\"table\":\"t\"," WHERE "}]");
    assert_ops(*state, "\"m\":[\"map\",[[\"k1\",\"b\"]]]", 1,
               "[{\"mutations\":["
               "[\"m\",\"delete\",[\"map\",[[\"k1\",\"a\"]]]],"
               "[\"m\",\"insert\",[\"map\",[[\"k1\",\"b\"]]]]],"
               "\"op\":\"mutate\",\"table\":\"t\"," WHERE "}]");
}

/* All of it is told where that is no more. */
static void
test_small(void **state)
{
    assert_ops(*state, "\"s\":[\"set\",[0,1,2,3]]", 1,
               "[{\"op\":\"update\",\"row\":{\"s\":[\"set\",[4,5]]},"
               "\"table\":\"t\"," WHERE "}]");
    assert_ops(*state, "\"s\":[\"set\",[4,5]]", 1,
               "[{\"op\":\"update\",\"row\":{\"s\":[\"set\",[]]},"
               "\"table\":\"t\"," WHERE "}]");
}

/* Where others write, too, what is changed is compared before, and of what is
 * deleted all. */
static void
test_guarded(void **state)
{
    static const struct {
        const char *record;
        const char *want; /* Part of it: columns have no order. */
    } t[] = {
        { "{\"t\":{\"" ROW "\":{\"name\":\"x\"}}}",
          "[{\"columns\":[\"name\"],\"op\":\"wait\",\"rows\":[{\"name\":\"\"}]"
          ","
          "\"table\":\"t\",\"timeout\":0,\"until\":\"==\"," WHERE "},"
          "{\"op\":\"update\",\"row\":{\"name\":\"x\"},\"table\":\"t\"," WHERE
          "}]" },
        { "{\"t\":{\"" ROW "\":{\"m\":[\"map\",[]],\"s\":7}}}",
          "\"rows\":[{\"m\":[\"map\",[[\"k0\",\"a\"]," },
        { "{\"t\":{\"" ROW "\":null}}",
          "\"op\":\"wait\",\"rows\":[{"
          "\"m\":[\"map\",[]],\"name\":\"x\",\"s\":7}],"
          "\"table\":\"t\",\"timeout\":0,\"until\":\"==\"," WHERE "},"
          "{\"op\":\"delete\",\"table\":\"t\"," WHERE "}]" },
        { "{\"t\":{\"" ROW "\":{\"name\":\"y\"}}}",
          "[{\"op\":\"insert\",\"row\":{\"name\":\"y\"},\"table\":\"t\","
          "\"uuid\":\"" ROW "\"}]" },
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct json *record = json_from_string(t[i].record);
        struct json *ops = json_array_create_empty();
        char why[SHADOW_WHY_LEN] = "";
        char *text;

        assert_true(shadow_apply_guarded(*state, record, ops, why) > 0);
        text = json_to_string(ops, JSSF_SORT);
        assert_non_null(strstr(text, t[i].want));
        free(text);
        json_destroy(ops);
        json_destroy(record);
    }
}

static struct jsonrpc_msg *
reply(const char *results)
{
    return jsonrpc_create_reply(json_from_string(results),
                                json_integer_create(1));
}

/* What others can cause is told from what they cannot. */
static void
test_overtaken(void **state)
{
    static const struct {
        const char *results, *error;
        bool overtaken;
    } t[] = {
        { "[{},{\"count\":1},{\"uuid\":[\"uuid\",\"" ROW "\"]}]", NULL,
          false },
        { "[{},{\"count\":0}]", "a row is missing", true },
        { "[{\"error\":\"timed out\",\"details\":\"test failed\"},null]",
          "test failed", true },
        { "[{},{\"error\":\"constraint violation\"}]", "constraint violation",
          true },
        { "[{\"error\":\"referential integrity violation\"}]",
          "referential integrity violation", true },
        { "[{\"error\":\"duplicate uuid\"}]", "duplicate uuid", true },
        { "[{\"error\":\"I/O error\",\"io-error\":\"No space left\"}]",
          "No space left", false },
        { "[{\"error\":\"not allowed\",\"details\":\"read only\"}]",
          "read only", false },
        { "{}", "the request was refused", false },
    };

    (void) state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct jsonrpc_msg *msg = reply(t[i].results);
        const char *error = ops_reply_error(msg);

        assert_true(!error == !t[i].error);
        if (error) {
            assert_string_equal(error, t[i].error);
        }
        assert_int_equal(ops_reply_is_overtaken(msg), t[i].overtaken);
        jsonrpc_msg_destroy(msg);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guarded, setup, teardown),
        cmocka_unit_test(test_overtaken),
    };

    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
