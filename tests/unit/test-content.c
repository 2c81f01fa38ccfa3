/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/content.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "openvswitch/json.h"
#include "util.h"

#include "tests/unit/dbfile.h"

#define ID(N) "00000000-0000-4000-8000-00000000000" #N
#define STRING_MAP \
    "{'key': 'string', 'value': 'string', 'min': 0, 'max': 'unlimited'}"
#define SCHEMA(MORE)                                                        \
    "{'name': 'test', 'version': '1.0.0', 'tables': {'t': {'isRoot': true," \
    " 'columns': {'name': {'type': 'string'}, 'n': {'type': 'integer'},"    \
    " 'm': {'type': " STRING_MAP "}, 'eph': {'type': 'string',"             \
    " 'ephemeral': true}" MORE "}}, 'u': {'isRoot': true, 'columns':"       \
    " {'x': {'type': 'integer'}}}}}"

/* A database: its file, and what is loaded from it. */
struct db {
    struct dbfile file;
    struct shadow *shadow;
    struct content *content;
};

/* Appends a record, in which ' stands for ". */
static void
db_add(struct db *db, const char *text)
{
    char *body = xstrdup(text);

    for (char *p = body; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    if (db->file.n) {
        dbfile_add(&db->file, body);
    } else {
        dbfile_open(&db->file, body);
    }
    free(body);
}

static void
db_open(struct db *db, const char *schema)
{
    memset(db, 0, sizeof *db);
    db_add(db, schema);
}

static void
db_load(struct db *db)
{
    db->shadow = dbfile_load(&db->file);
    db->content = content_create(db->shadow);
}

static void
db_close(struct db *db)
{
    content_destroy(db->content);
    shadow_destroy(db->shadow);
    close(db->file.fd);
}

/* Through text, as between two processes. */
static struct json *
ask(void *there_, struct json *question)
{
    struct db *there = there_;
    struct json *heard, *answer;
    char *text = json_to_string(question, 0);

    json_destroy(question);
    heard = json_from_string(text);
    free(text);
    answer = content_answer(there->content, heard);
    json_destroy(heard);
    assert_non_null(answer);
    text = json_to_string(answer, 0);
    json_destroy(answer);
    answer = json_from_string(text);
    free(text);
    return answer;
}

static void
compare(struct db *here, struct db *there, struct content_result *r)
{
    db_load(here);
    db_load(there);
    assert_int_equal(content_compare(here->content, ask, there, r), 0);
    db_close(here);
    db_close(there);
}

static void
assert_difference(const struct wire_r_difference *d, const char *row,
                  const char *column, const char *there, const char *here)
{
    assert_string_equal(d->table, "t");
    assert_string_equal(d->row, row);
    assert_string_equal(d->column, column);
    assert_string_equal(d->there, there);
    assert_string_equal(d->here, here);
}

/* Neither the order of records nor the way counts, nor what is ephemeral. */
static void
test_equal(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    db_open(&a, SCHEMA(""));
    db_add(&a, "{'t': {'" ID(1) "': {'name': 'one', 'm': ['map', [['a', '1'],"
                                " ['b', '2']]]}}}");
    db_add(&a, "{'t': {'" ID(2) "': {'name': 'two', 'eph': 'here'}}}");
    db_open(&b, SCHEMA(""));
    db_add(&b, "{'t': {'" ID(2) "': {'name': 'two', 'n': 7},"
                                " '" ID(3) "': {'name': 'three'}}}");
    db_add(&b, "{'t': {'" ID(1) "': {'name': 'one', 'm': ['map', [['b',"
                                " '2']]]}, '" ID(3) "': null}}");
    db_add(&b, "{'_is_diff': true, 't': {'" ID(1) "': {'m': ['map', [['a',"
                                                  " '1']]]}, '" ID(
                                                      2) "': {'n': 0}}}");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 0);
    assert_int_equal(r.n_found, 0);
    assert_int_equal(r.rows, 2);
    assert_int_equal(r.tables, 2);
    assert_int_equal(r.skipped, 0);
}

static void
test_value(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    db_open(&a, SCHEMA(""));
    db_add(&a, "{'t': {'" ID(1) "': {'name': 'one', 'n': 1},"
                                " '" ID(2) "': {'name': 'two', 'n': 3}}}");
    db_open(&b, SCHEMA(""));
    db_add(&b, "{'t': {'" ID(1) "': {'name': 'One', 'n': 2},"
                                " '" ID(2) "': {'name': 'two', 'n': 3}}}");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 1);
    assert_int_equal(r.n_found, 2);
    assert_difference(&r.found[0], ID(1), "n", "2", "1");
    assert_difference(&r.found[1], ID(1), "name", "\"One\"", "\"one\"");
}

static void
test_rows_on_one_side(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    db_open(&a, SCHEMA(""));
    db_add(&a, "{'t': {'" ID(1) "': {}, '" ID(2) "': {}, '" ID(
                   4) "': {},"
                      " '" ID(5) "': {}}}");
    db_open(&b, SCHEMA(""));
    db_add(&b, "{'t': {'" ID(2) "': {}, '" ID(3) "': {}}}");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 4);
    assert_int_equal(r.n_found, 4);
    assert_difference(&r.found[0], ID(1), "", "no such row", "a row");
    assert_difference(&r.found[1], ID(3), "", "a row", "no such row");
    assert_difference(&r.found[2], ID(4), "", "no such row", "a row");
    assert_difference(&r.found[3], ID(5), "", "no such row", "a row");
}

/* Many rows, and one at the very end that differs in a long value: what is
 * shown is where it differs, and no character is cut in two. */
static void
add_many(struct db *db, int rows, int bad, const char *tail)
{
    for (int i = 0; i < rows; i++) {
        char *text = xasprintf(
            "{'t': {'%08x-0000-4000-8000-000000000000': {'n': %d, 'name': "
            "'%s%s'}}}",
            i, i >= bad ? -i : i,
            "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
            "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
            "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
            "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4",
            i == rows - 1 ? tail : "");

        db_add(db, text);
        free(text);
    }
}

static void
test_many(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    db_open(&a, SCHEMA(""));
    add_many(&a, 700, 1000, "-here");
    db_open(&b, SCHEMA(""));
    add_many(&b, 700, 1000, "-there");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 1);
    assert_int_equal(r.n_found, 1);
    assert_difference(&r.found[0], "000002bb-0000-4000-8000-000000000000",
                      "name",
                      "...\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                      "\u00e4\u00e4\u00e4\u00e4-there\"",
                      "...\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                      "\u00e4\u00e4\u00e4\u00e4-here\"");
}

/* Opens a database of one row, whose name is 'fill' and then 'tail'. */
static void
open_named(struct db *db, const char *fill, const char *tail)
{
    char *text =
        xasprintf("{'t': {'" ID(1) "': {'name': '%s%s'}}}", fill, tail);

    db_open(db, SCHEMA(""));
    db_add(db, text);
    free(text);
}

/* The same with a long name that ends with 'tail'. */
static void
open_long(struct db *db, const char *tail)
{
    const size_t n = 41003;
    char *fill = xmalloc(n + 1);

    for (size_t i = 0; i < n; i++) {
        fill[i] = i % 2 ? '\xa4' : '\xc3';
    }
    fill[n - 1] = 'x';
    fill[n] = '\0';
    open_named(db, fill, tail);
    free(fill);
}

/* What differs far behind the beginning of a long value is shown, and what
 * is ahead of it and behind it as well. */
static void
test_long_value(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    open_long(&a, "-here");
    open_long(&b, "-there");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 1);
    assert_int_equal(r.n_found, 1);
    assert_difference(&r.found[0], ID(1), "name",
                      "...\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                      "\u00e4\u00e4\u00e4x-there\"",
                      "...\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"
                      "\u00e4\u00e4\u00e4x-here\"");
}

/* Wherever in a value it is that they differ, or one ends. */
static void
test_difference_at_any_place(void **state)
{
    static const size_t places[] = {
        0,     40,    16000, 16127, 16128, 16250,
        16319, 16383, 16384, 16385, 32500, 32767
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct content_result r;
        struct db a, b;
        char *fill = xmalloc(places[i] + 1);

        memset(fill, 'x', places[i]);
        fill[places[i]] = '\0';
        open_named(&a, fill, "-here");
        open_named(&b, fill, "");
        free(fill);
        compare(&a, &b, &r);
        assert_int_equal(r.n_found, 1);
        assert_non_null(strstr(r.found[0].here, "-here\""));
        assert_null(strstr(r.found[0].there, "-here\""));
        assert_int_equal(r.found[0].there[strlen(r.found[0].there) - 1], '"');
    }
}

/* As a verifier does that knows no pieces. */
static struct json *
ask_older(void *there, struct json *question)
{
    struct json *answer;
    bool is_value;

    is_value = !strcmp(json_string(json_array(question)->elems[0]), "value");
    if (is_value && json_array(question)->n == 5) {
        json_destroy(json_array(question)->elems[4]);
        question->array.n = 4;
    }
    answer = ask(there, question);
    if (is_value) {
        json_destroy(json_array(answer)->elems[1]);
        answer->array.n = 1;
    }
    return answer;
}

static void
test_long_value_of_an_older_version(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    open_long(&a, "-here");
    open_long(&b, "-there");
    db_load(&a);
    db_load(&b);
    assert_int_equal(content_compare(a.content, ask_older, &b, &r), 0);
    db_close(&a);
    db_close(&b);
    assert_int_equal(r.n_found, 1);
    assert_difference(&r.found[0], ID(1), "name",
                      "something else after 16383 bytes that are the same",
                      "16383 bytes that are the same, and more");
}

static void
test_all_are_counted(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    db_open(&a, SCHEMA(""));
    add_many(&a, 600, 10, "");
    db_open(&b, SCHEMA(""));
    add_many(&b, 600, 1000, "");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 590);
    assert_int_equal(r.n_found, WIRE_R_DIFFERENCES);
}

/* In a rolling upgrade the standby has more columns, and tables. */
static void
test_newer_schema(void **state)
{
    struct content_result r;
    struct db a, b;

    (void) state;
    db_open(&a, SCHEMA(", 'new': {'type': 'string'}"));
    db_add(&a, "{'t': {'" ID(1) "': {'name': 'one', 'new': 'x'}}}");
    db_open(&b,
            "{'name': 'test', 'version': '0.9.0', 'tables': {'t':"
            " {'isRoot': true, 'columns': {'name': {'type': 'string'},"
            " 'n': {'type': 'integer'}, 'm': {'type': " STRING_MAP "}}}}}");
    db_add(&b, "{'t': {'" ID(1) "': {'name': 'one'}}}");
    compare(&a, &b, &r);
    assert_int_equal(r.n_differ, 0);
    assert_int_equal(r.tables, 1);
    assert_int_equal(r.rows, 1);
    assert_int_equal(r.skipped, 2);
}

/* What makes no sense. */

static struct json *
ask_nobody(void *aux, struct json *question)
{
    (void) aux;
    json_destroy(question);
    return NULL;
}

/* Answers with the texts that 'aux' points to. */
static struct json *
ask_liar(void *aux, struct json *question)
{
    const char *const **next = aux;
    char *text = xstrdup(*(*next)++);
    struct json *json;

    json_destroy(question);
    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json = json_from_string(text);
    free(text);
    return json;
}

static void
assert_bad(struct db *db, const char *const *answers)
{
    struct content_result r;

    content_destroy(db->content);
    db->content = content_create(db->shadow);
    assert_int_equal(content_compare(db->content, ask_liar, &answers, &r),
                     -EBADMSG);
}

#define BAD_TABLE "{'t': {'columns': ['name'], 'rows': 1, 'digest': 'ff'}}"

static void
test_bad_answers(void **state)
{
    struct content_result r;
    struct db db;

    (void) state;
    db_open(&db, SCHEMA(""));
    db_add(&db, "{'t': {'" ID(1) "': {'name': 'one'}}}");
    db_load(&db);
    assert_int_equal(content_compare(db.content, ask_nobody, NULL, &r),
                     -EPIPE);
    assert_bad(&db, (const char *const[]){ "[]" });
    assert_bad(&db, (const char *const[]){ "{'t': ['name']}" });
    assert_bad(&db, (const char *const[]){ BAD_TABLE, "{}" });
    assert_bad(&db, (const char *const[]){ BAD_TABLE, "[7]" });
    assert_bad(&db, (const char *const[]){ BAD_TABLE, "[['x', 'y']]" });
    assert_bad(&db, (const char *const[]){ BAD_TABLE, "[['" ID(1) "', 'y']]",
                                           "{}", "[7]" });
    /* Not in order: that would never end. */
    assert_bad(&db,
               (const char *const[]){
                   BAD_TABLE, "[['" ID(3) "', 'y'], ['" ID(2) "', 'y']]" });
    db_close(&db);
}

/* Has the other side's digests altered. */
static struct json *
ask_altered(void *there, struct json *question)
{
    struct json *answer = ask(there, question);
    char *text = json_to_string(answer, 0);

    json_destroy(answer);
    for (char *p = text; (p = strstr(p, "\"digest\":\"")); p++) {
        p[10] = p[10] == '0' ? '1' : '0';
    }
    answer = json_from_string(text);
    free(text);
    return answer;
}

/* A table's digest that its rows do not give is no equality. */
static void
test_digest_without_rows(void **state)
{
    struct content_result r;
    struct db db;

    (void) state;
    db_open(&db, SCHEMA(""));
    db_add(&db, "{'t': {'" ID(1) "': {'name': 'one'}}}");
    db_load(&db);
    assert_int_equal(content_compare(db.content, ask_altered, &db, &r),
                     -EBADMSG);
    db_close(&db);
}

static void
test_bad_questions(void **state)
{
    static const char *const questions[] = {
        "{}",
        "[]",
        "[\"rows\"]",
        "[\"tables\", 1]",
        "[\"rows\", \"t\", 1]",
        "[\"rows\", \"t\", \"x\"]",
        "[\"rows\", \"v\", \"\"]",
        "[\"row\", \"t\"]",
        "[\"value\", \"t\", \"x\"]",
        "[\"value\", \"t\", \"x\", \"n\", \"-\"]",
        "[\"else\", \"t\", \"x\", \"y\"]",
    };
    struct db db;

    (void) state;
    db_open(&db, SCHEMA(""));
    db_load(&db);
    for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
        struct json *question = json_from_string(questions[i]);

        assert_null(content_answer(db.content, question));
        json_destroy(question);
    }
    db_close(&db);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_rows_on_one_side),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_difference_at_any_place),
        cmocka_unit_test(test_long_value_of_an_older_version),
        cmocka_unit_test(test_all_are_counted),
        cmocka_unit_test(test_newer_schema),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_digest_without_rows),
        cmocka_unit_test(test_bad_questions),
    };

    return cmocka_run_group_tests_name("content", tests, NULL, NULL);
}
