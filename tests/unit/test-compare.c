/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/compare.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "column.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "ovsdb-data.h"
#include "ovsdb.h"
#include "ovsdb/table.h"
#include "row.h"
#include "util.h"
#include "uuid.h"

#include "replica/survey.h"
#include "tests/unit/dbfile.h"

#define IDS 12
#define ROUNDS 300

static const char schema[] =
    "{\"name\":\"test\",\"version\":\"1.0.0\",\"tables\":{\"t\":{"
    "\"isRoot\":true,\"columns\":{\"name\":{\"type\":\"string\"},"
    "\"s\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":\"unlimited\"}},"
    "\"m\":{\"type\":{\"key\":\"string\",\"value\":\"string\",\"min\":0,"
    "\"max\":\"unlimited\"}},"
    "\"o\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":1}}}}}}";

/* A database: its file, and what is loaded from it. */
struct db {
    struct dbfile file;
    bool has[IDS];
    struct shadow *shadow;
};

static void
db_open(struct db *db)
{
    memset(db, 0, sizeof *db);
    dbfile_open(&db->file, schema);
}

static void
db_load(struct db *db)
{
    db->shadow = dbfile_load(&db->file);
}

static void
db_close(struct db *db)
{
    shadow_destroy(db->shadow);
    close(db->file.fd);
}

/* Rows with this many different values; as a difference, any of them is one. */
static void
put_row(struct ds *s, bool again)
{
    ds_put_cstr(s, "{");
    if (!again || rand() % 2) {
        ds_put_format(s, "\"name\":\"}\\\"{ %d\",", rand() % 2);
    }
    if (rand() % 2) {
        ds_put_format(s, "\"s\":[\"set\",[%d,%d]],", rand() % 2,
                      2 + rand() % 2);
    }
    if (rand() % 2) {
        ds_put_format(s, "\"m\":[\"map\",[[\"k%d\",\"v%d\"]]],", rand() % 2,
                      rand() % 2);
    }
    ds_put_format(s, "\"o\":%d}", rand() % 3);
}

/* Appends a record that adds, changes and deletes rows. */
static void
db_add_random(struct db *db)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    const char *comma = "";

    ds_put_format(&s, "{\"_date\":%d,%s\"t\":{", rand(),
                  rand() % 2 ? "\"_is_diff\":true," : "");
    for (int i = 0; i < IDS; i++) {
        if (rand() % 3) {
            continue;
        }
        ds_put_format(
            &s, "%s\"00000000-0000-4000-8000-0000000000%02d\":", comma, i);
        comma = ",";
        if (db->has[i] && rand() % 3 == 0) {
            ds_put_cstr(&s, "null");
            db->has[i] = false;
        } else {
            put_row(&s, db->has[i]);
            db->has[i] = true;
        }
    }
    ds_put_cstr(&s, "}}");
    dbfile_add(&db->file, ds_cstr(&s));
    ds_destroy(&s);
}

static int
run(struct compare *c, char why[SHADOW_WHY_LEN])
{
    int ret;

    do {
        ret = compare_run(c, why);
    } while (ret > 0);
    return ret;
}

static struct shadow_diff
difference(const struct db *own, const struct db *theirs)
{
    struct json *ops = json_array_create_empty();
    struct shadow_diff d;

    shadow_diff(own->shadow, theirs->shadow, ops, &d);
    json_destroy(ops);
    return d;
}

/* The value of column 'o'; -1: it has none. */
static int64_t
row_o(const struct ovsdb_row *row)
{
    const struct ovsdb_column *o =
        ovsdb_table_schema_get_column(row->table->schema, "o");
    const struct ovsdb_datum *datum = &row->fields[o->index];

    return datum->n ? datum->keys[0].integer : -1;
}

/* One by one, each row is found as it is in 'theirs', and no other is. */
static void
assert_rows(const struct compare *c, const struct db *theirs)
{
    const struct ovsdb_table *table =
        ovsdb_get_table(shadow_db(theirs->shadow), "t");

    for (int i = 0; i < IDS; i++) {
        struct uuid uuid = { { 0, 0x4000, 0x80000000, i / 10 * 16 + i % 10 } };
        const struct ovsdb_row *want = ovsdb_table_get_row(table, &uuid);
        const struct ovsdb_row *found = compare_find_row(c, "t", &uuid);

        assert_int_equal(want != NULL, theirs->has[i]);
        assert_int_equal(found != NULL, want != NULL);
        if (found) {
            assert_int_equal(row_o(found), row_o(want));
        }
    }
}

/* Makes 'own' into 'theirs' by what is found, which is told in numbers. */
static struct shadow_diff
make_equal(struct db *own, const struct db *theirs)
{
    struct json *ops = json_array_create_empty();
    char why[SHADOW_WHY_LEN] = "";
    struct shadow_diff d, rest;
    struct compare *c;
    struct json *record;
    int n;

    c = compare_create(own->shadow, theirs->file.fd, theirs->file.n);
    assert_int_equal(run(c, why), 0);
    record = compare_to_record(c, &d);
    assert_rows(c, theirs);
    compare_destroy(c);
    n = shadow_apply_json(own->shadow, record, ops, why);
    json_destroy(record);
    /* An update may be one in part, and a mutation in part. */
    assert_in_range(n, d.n_insert + d.n_update + d.n_delete,
                    d.n_insert + 2 * d.n_update + d.n_delete);
    assert_int_equal(json_array(ops)->n, n);
    rest = difference(own, theirs);
    assert_int_equal(rest.n_insert + rest.n_update + rest.n_delete, 0);
    json_destroy(ops);
    return d;
}

/* What both read of one file agrees. */
static void
assert_survey(const struct db *own, const struct db *theirs,
              const struct shadow_diff *d)
{
    struct survey *s =
        survey_create(theirs->file.fd, theirs->file.n, own->shadow);

    while (survey_run(s)) {
        continue;
    }
    assert_int_equal(survey_kept(s).rows, d->n_shared);
    assert_int_equal(shadow_count(own->shadow).rows - d->n_shared,
                     d->n_delete);
    assert_true(survey_shared(s) >= d->n_shared);
    assert_true(survey_rows(s) >= survey_shared(s));
    survey_destroy(s);
}

static void
test_random(void **state)
{
    (void) state;
    srand(1);
    for (int i = 0; i < ROUNDS; i++) {
        struct db own, theirs;
        struct shadow_diff before, d;

        db_open(&own);
        db_open(&theirs);
        for (int n = rand() % 4; n; n--) {
            db_add_random(&own);
        }
        for (int n = rand() % 4; n; n--) {
            db_add_random(&theirs);
        }
        db_load(&own);
        db_load(&theirs);
        before = difference(&own, &theirs);
        assert_survey(&own, &theirs, &before);
        d = make_equal(&own, &theirs);
        assert_memory_equal(&d, &before, sizeof d);
        db_close(&own);
        db_close(&theirs);
    }
}

/* What no source writes is refused. */
static void
test_refused(void **state)
{
    static const char *const bodies[] = {
        "{\"x\":{\"00000000-0000-4000-8000-000000000001\":{}}}",
        "{\"t\":{\"00000000-0000-4000-8000-000000000001\":null}}",
        "{\"t\":{\"00000000-0000-4000-8000-000000000001\":7}}",
        "{\"t\":{\"00000000-0000-4000-8000-000000000001\":{\"no\":1}}}",
        "{\"t\":{\"00000000-0000-4000-8000-000000000001\":{\"o\":\"a\"}}}",
        "{\"t\":{\"00000000+0000-4000-8000-000000000001\":{\"o\":1}}}",
        "{\"t\":{\"1\":{\"o\":1}}}",
        "{\"t\":{",
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        char why[SHADOW_WHY_LEN] = "";
        struct db own, theirs;
        struct compare *c;

        db_open(&own);
        db_open(&theirs);
        db_add_random(&own);
        dbfile_add(&theirs.file, bodies[i]);
        db_load(&own);
        c = compare_create(own.shadow, theirs.file.fd, theirs.file.n);
        assert_true(run(c, why) < 0);
        assert_string_not_equal(why, "");
        compare_destroy(c);
        db_close(&own);
        db_close(&theirs);
    }
}

/* A record whose SHA-1 is wrong, or that is cut short, is found first. */
static void
test_damaged(void **state)
{
    struct db own, theirs;
    struct survey *s;

    (void) state;
    db_open(&own);
    db_load(&own);
    db_open(&theirs);
    dbfile_add(&theirs.file, "{\"t\":{}}");
    assert_int_equal(pwrite(theirs.file.fd, "x", 1, theirs.file.n - 1), 1);
    s = survey_create(theirs.file.fd, theirs.file.n, own.shadow);
    assert_int_equal(survey_run(s), -EBADMSG);
    survey_destroy(s);
    assert_int_equal(ftruncate(theirs.file.fd, theirs.file.n - 1), 0);
    s = survey_create(theirs.file.fd, theirs.file.n, own.shadow);
    assert_int_equal(survey_run(s), -EBADMSG);
    survey_destroy(s);
    db_close(&own);
    db_close(&theirs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
