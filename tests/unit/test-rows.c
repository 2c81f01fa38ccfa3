/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID_A "00000000-0000-4000-8000-00000000000a"
#define UUID_B "00000000-0000-4000-8000-00000000000b"

static int
next(struct rows *rows, const char *table, const char *uuid, const char *value)
{
    struct rows_row row;
    int ret = rows_next(rows, &row);

    if (ret == 1) {
        assert_int_equal(row.table_len, strlen(table));
        assert_memory_equal(row.table, table, row.table_len);
        assert_memory_equal(row.uuid, uuid, ROWS_UUID_LEN);
        assert_int_equal(row.value_len, strlen(value));
        assert_memory_equal(row.value, value, row.value_len);
        assert_int_equal(row.deleted, !strcmp(value, "null"));
    }
    return ret;
}

static void
test_rows(void **state)
{
    static const char one[] =
        "{\"a\":\"}\\\"{\",\"b\":[\"set\",[1,{}]],\"c\":-1}";
    char body[1024];
    struct rows rows;

    (void) state;
    snprintf(body, sizeof body,
             "{\"_date\":1,\"T\":{\"" UUID_A "\":%s,\"" UUID_B "\":null},"
             "\"_comment\":\"{\\\"T\\\"\",\"Empty\":{},\"U\":{\"" UUID_B
             "\":{}},\"_is_diff\":true}\n",
             one);
    rows_init(&rows, body, strlen(body));
    assert_int_equal(next(&rows, "T", UUID_A, one), 1);
    assert_int_equal(next(&rows, "T", UUID_B, "null"), 1);
    assert_int_equal(next(&rows, "U", UUID_B, "{}"), 1);
    assert_int_equal(next(&rows, "", "", ""), 0);
}

static void
test_empty(void **state)
{
    struct rows rows;

    (void) state;
    rows_init(&rows, "{}\n", 3);
    assert_int_equal(next(&rows, "", "", ""), 0);
    rows_init(&rows, "{\"_date\":1}", 11);
    assert_int_equal(next(&rows, "", "", ""), 0);
}

/* Reads all rows of a copy that has nothing behind its end. */
static int
read_all(const char *body, size_t n)
{
    char *copy = malloc(n ? n : 1);
    struct rows_row row;
    struct rows rows;
    int ret;

    assert_non_null(copy);
    memcpy(copy, body, n);
    rows_init(&rows, copy, n);
    while ((ret = rows_next(&rows, &row)) == 1) {
        continue;
    }
    free(copy);
    return ret;
}

static void
test_cut_short(void **state)
{
    static const char body[] =
        "{\"T\":{\"" UUID_A "\":{\"a\":[\"\\\\\",1]}},\"_date\":17}";

    (void) state;
    assert_int_equal(read_all(body, strlen(body)), 0);
    for (size_t n = 0; n < strlen(body); n++) {
        assert_int_equal(read_all(body, n), -EBADMSG);
    }
}

static void
test_no_record(void **state)
{
    static const char *const bodies[] = {
        "[]",
        "{\"T\":[]}",
        "{\"T\":{\"short\":{}}}",
        "{\"T\":{\"" UUID_A "\":}}",
        "{\"T\":{}}x",
        "{\"T\" {}}",
        "{\"_date\":}",
    };

    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(read_all(bodies[i], strlen(bodies[i])), -EBADMSG);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_no_record),
    };

    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
