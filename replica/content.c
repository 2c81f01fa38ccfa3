/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovsdb-data.h"
#include "ovsdb.h"
#include "row.h"
#include "ovsdb/table.h"
#include "sset.h"
#include "util.h"
#include "uuid.h"

#include "lib/digest.h"
#include "replica/ops.h"
#include "replica/shadow.h"

#define ROW_DIGEST_LEN 16 /* Of a SHA-256. */
#define ROWS_PAGE 256     /* Rows in one answer. */
#define PROGRESS_ROWS 1024
#define VALUE_MAX 16384 /* Bytes of a value in an answer. */
#define VALUE_BEFORE 24 /* Shown in front of what differs. */
#define VALUE_BACK 64   /* More than that: of a piece in the next one too. */
#define VALUE_PIECES 1024

struct content_row {
    const struct ovsdb_row *row;
    uint8_t digest[ROW_DIGEST_LEN];
};

struct content_table {
    const struct ovsdb_table *table;
    const struct ovsdb_column **columns; /* By name. */
    size_t n_columns;
    struct content_row *rows; /* By uuid. */
    size_t n_rows;
    uint8_t digest[DIGEST_SHA256_LEN];
};

struct content {
    struct shash tables; /* Of struct content_table. */
    uint32_t skipped;    /* Tables and columns that were taken away. */
    content_progress_func *progress; /* Or NULL. */
    void *aux;
    uint64_t rows, digested;

    /* The value that was last asked for: a long one is, piece by piece. */
    const struct ovsdb_row *row; /* NULL: none. */
    const struct ovsdb_column *column;
    struct ds value;
};

static int
compare_columns(const void *a_, const void *b_)
{
    const struct ovsdb_column *const *a = a_, *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

static int
compare_rows(const void *a_, const void *b_)
{
    const struct content_row *a = a_, *b = b_;

    return uuid_compare_3way(ovsdb_row_get_uuid(a->row),
                             ovsdb_row_get_uuid(b->row));
}

static struct content_table *
table_create(const struct ovsdb_table *table)
{
    struct content_table *t = xzalloc(sizeof *t);
    const struct ovsdb_row *row;
    struct shash_node *node;

    t->table = table;
    t->columns =
        xcalloc(shash_count(&table->schema->columns), sizeof *t->columns);
    SHASH_FOR_EACH (node, &table->schema->columns) {
        if (ops_has_column(node->data)) {
            t->columns[t->n_columns++] = node->data;
        }
    }
    qsort(t->columns, t->n_columns, sizeof *t->columns, compare_columns);
    t->rows = xcalloc(MAX(hmap_count(&table->rows), 1), sizeof *t->rows);
    HMAP_FOR_EACH (row, hmap_node, &table->rows) {
        t->rows[t->n_rows++].row = row;
    }
    qsort(t->rows, t->n_rows, sizeof *t->rows, compare_rows);
    return t;
}

static void
table_destroy(struct content_table *t)
{
    free(t->columns);
    free(t->rows);
    free(t);
}

struct content *
content_create(const struct shadow *shadow)
{
    struct content *c = xzalloc(sizeof *c);
    struct shash_node *node;

    ds_init(&c->value);
    shash_init(&c->tables);
    SHASH_FOR_EACH (node, &shadow_db(shadow)->tables) {
        struct content_table *t = table_create(node->data);

        shash_add(&c->tables, node->name, t);
        c->rows += t->n_rows;
    }
    return c;
}

void
content_set_progress(struct content *c, content_progress_func *progress,
                     void *aux)
{
    c->progress = progress;
    c->aux = aux;
}

void
content_destroy(struct content *c)
{
    struct shash_node *node;

    if (c) {
        SHASH_FOR_EACH (node, &c->tables) {
            table_destroy(node->data);
        }
        shash_destroy(&c->tables);
        ds_destroy(&c->value);
        free(c);
    }
}

/* ---- Digests ------------------------------------------------------------- */

/* The value as it is written everywhere: a database keeps sets and maps
 * sorted. */
static void
put_value(const struct ovsdb_row *row, const struct ovsdb_column *column,
          struct ds *ds)
{
    struct json *json =
        ovsdb_datum_to_json(&row->fields[column->index], &column->type);

    json_to_ds(json, JSSF_SORT, ds);
    json_destroy(json);
}

static void
digest_row(const struct content_table *t, struct content_row *r, struct ds *ds)
{
    uint8_t sha256[DIGEST_SHA256_LEN];

    ds_clear(ds);
    for (size_t i = 0; i < t->n_columns; i++) {
        ds_put_format(ds, "%s=", t->columns[i]->name);
        put_value(r->row, t->columns[i], ds);
        ds_put_char(ds, '\n');
    }
    digest_sha256(ds_cstr(ds), ds->length, sha256);
    memcpy(r->digest, sha256, sizeof r->digest);
}

/* Computes the digests of all rows, and that of the table over them. */
static void
digest_table(struct content *c, struct content_table *t)
{
    const size_t step = sizeof(struct uuid) + ROW_DIGEST_LEN;
    uint8_t *all = xmalloc(t->n_rows * step + 1), *p = all;
    struct ds ds = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < t->n_rows; i++) {
        struct content_row *r = &t->rows[i];
        const struct uuid *uuid = ovsdb_row_get_uuid(r->row);

        digest_row(t, r, &ds);
        for (int j = 0; j < 16; j++) {
            *p++ = uuid->parts[j / 4] >> (24 - 8 * (j % 4));
        }
        memcpy(p, r->digest, ROW_DIGEST_LEN);
        p += ROW_DIGEST_LEN;
        if (!(++c->digested % PROGRESS_ROWS) && c->progress) {
            c->progress(c->aux, c->digested, c->rows);
        }
    }
    digest_sha256(all, p - all, t->digest);
    ds_destroy(&ds);
    free(all);
}

static struct json *
hex_to_json(const uint8_t *digest, size_t n)
{
    char text[2 * DIGEST_SHA256_LEN + 1];

    for (size_t i = 0; i < n; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return json_string_create(text);
}

static struct json *
value_digest(const struct ovsdb_row *row, const struct ovsdb_column *column)
{
    uint8_t sha256[DIGEST_SHA256_LEN];
    struct ds ds = DS_EMPTY_INITIALIZER;

    put_value(row, column, &ds);
    digest_sha256(ds_cstr(&ds), ds.length, sha256);
    ds_destroy(&ds);
    return hex_to_json(sha256, ROW_DIGEST_LEN);
}

/* ---- Which columns ------------------------------------------------------- */

static struct json *
columns_to_json(const struct content_table *t)
{
    struct json *json = json_array_create_empty();

    for (size_t i = 0; i < t->n_columns; i++) {
        json_array_add(json, json_string_create(t->columns[i]->name));
    }
    return json;
}

static struct json *
content_schema(const struct content *c)
{
    struct json *json = json_object_create();
    struct shash_node *node;

    SHASH_FOR_EACH (node, &c->tables) {
        json_object_put(json, node->name, columns_to_json(node->data));
    }
    return json;
}

static const char *
string_of(const struct json *json)
{
    return json && json->type == JSON_STRING ? json_string(json) : NULL;
}

/* Takes all columns away that 'names', an array, does not have.  Returns how
 * many. */
static size_t
table_restrict(struct content_table *t, const struct json *names)
{
    struct sset set = SSET_INITIALIZER(&set);
    size_t kept = 0, gone;

    for (size_t i = 0; i < json_array(names)->n; i++) {
        const char *name = string_of(json_array(names)->elems[i]);

        if (name) {
            sset_add(&set, name);
        }
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        if (sset_contains(&set, t->columns[i]->name)) {
            t->columns[kept++] = t->columns[i];
        }
    }
    gone = t->n_columns - kept + sset_count(&set) - kept;
    t->n_columns = kept;
    sset_destroy(&set);
    return gone;
}

/* Takes all tables and columns away that the other side has not.  'theirs' is
 * an object of arrays, or of objects with a member "columns". */
static bool
content_restrict(struct content *c, const struct json *theirs)
{
    struct shash_node *node;

    if (theirs->type != JSON_OBJECT) {
        return false;
    }
    c->skipped = 0;
    SHASH_FOR_EACH_SAFE (node, &c->tables) {
        const struct json *names =
            shash_find_data(json_object(theirs), node->name);

        if (names && names->type == JSON_OBJECT) {
            names = shash_find_data(json_object(names), "columns");
        }
        if (!names || names->type != JSON_ARRAY) {
            table_destroy(node->data);
            shash_delete(&c->tables, node);
            c->skipped++;
        } else {
            c->skipped += table_restrict(node->data, names);
        }
    }
    return true;
}

/* ---- Answers ------------------------------------------------------------- */

static struct json *
answer_tables(struct content *c, const struct json *theirs)
{
    struct json *answer;
    struct shash_node *node;

    if (!content_restrict(c, theirs)) {
        return NULL;
    }
    answer = json_object_create();
    SHASH_FOR_EACH (node, &c->tables) {
        struct content_table *t = node->data;
        struct json *json = json_object_create();

        digest_table(c, t);
        json_object_put(json, "columns", columns_to_json(t));
        json_object_put(json, "rows", json_integer_create(t->n_rows));
        json_object_put(json, "digest",
                        hex_to_json(t->digest, sizeof t->digest));
        json_object_put(answer, node->name, json);
    }
    return answer;
}

/* Index of the first row whose uuid is not below 'uuid'. */
static size_t
find_row(const struct content_table *t, const struct uuid *uuid)
{
    size_t lo = 0, hi = t->n_rows;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (uuid_compare_3way(ovsdb_row_get_uuid(t->rows[mid].row), uuid)
            < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static const struct ovsdb_row *
get_row(const struct content_table *t, const char *text)
{
    struct uuid uuid;

    return uuid_from_string(&uuid, text) ? ovsdb_table_get_row(t->table, &uuid)
                                         : NULL;
}

static struct json *
answer_rows(const struct content_table *t, const char *after)
{
    struct json *answer;
    struct uuid uuid;
    size_t i = 0;

    if (after[0] && !uuid_from_string(&uuid, after)) {
        return NULL;
    }
    if (after[0]) {
        i = find_row(t, &uuid);
        i += i < t->n_rows
             && uuid_equals(ovsdb_row_get_uuid(t->rows[i].row), &uuid);
    }
    answer = json_array_create_empty();
    for (size_t n = 0; n < ROWS_PAGE && i < t->n_rows; n++, i++) {
        const struct content_row *r = &t->rows[i];
        char *text =
            xasprintf(UUID_FMT, UUID_ARGS(ovsdb_row_get_uuid(r->row)));

        json_array_add(answer, json_array_create_2(
                                   json_string_create_nocopy(text),
                                   hex_to_json(r->digest, ROW_DIGEST_LEN)));
    }
    return answer;
}

static struct json *
answer_row(const struct content_table *t, const char *uuid)
{
    const struct ovsdb_row *row = get_row(t, uuid);
    struct json *answer = json_object_create();

    for (size_t i = 0; row && i < t->n_columns; i++) {
        json_object_put(answer, t->columns[i]->name,
                        value_digest(row, t->columns[i]));
    }
    return answer;
}

/* Where the character begins to which byte 'n' of 'text' belongs. */
static size_t
character_begin(const char *text, size_t n)
{
    while (n && (text[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

/* Cuts 'text' to at most 'n' bytes, and not inside of a character. */
static void
cut_text(char *text, size_t n)
{
    if (strlen(text) > n) {
        text[character_begin(text, n)] = '\0';
    }
}

/* The piece of a value that begins at '*off', or before, where a character
 * begins. */
static char *
value_piece(struct content *c, const struct content_table *t, const char *uuid,
            const char *name, size_t *off)
{
    const struct ovsdb_row *row = get_row(t, uuid);
    const struct ovsdb_column *column =
        ovsdb_table_schema_get_column(t->table->schema, name);
    const char *text;
    char *piece;

    if (!row || !column) {
        *off = 0;
        return xstrdup("");
    }
    if (c->row != row || c->column != column) {
        c->row = row;
        c->column = column;
        ds_clear(&c->value);
        put_value(row, column, &c->value);
    }
    text = ds_cstr(&c->value);
    *off = character_begin(text, MIN(*off, c->value.length));
    /* One byte more, by which a character is known that goes on. */
    piece = xmemdup0(text + *off, MIN(c->value.length - *off, VALUE_MAX + 1));
    cut_text(piece, VALUE_MAX);
    return piece;
}

static struct json *
offset_to_json(size_t off)
{
    return json_string_create_nocopy(xasprintf("%" PRIuSIZE, off));
}

/* 'from' is NULL if the asker knows of no pieces. */
static struct json *
answer_value(struct content *c, const struct content_table *t,
             const char *uuid, const char *column, const char *from)
{
    unsigned long long int n = 0;
    size_t off;
    char *text;

    if (from && !str_to_ullong(from, 10, &n)) {
        return NULL;
    }
    off = MIN(n, SIZE_MAX);
    text = value_piece(c, t, uuid, column, &off);
    return json_array_create_2(json_string_create_nocopy(text),
                               offset_to_json(off));
}

struct json *
content_answer(struct content *c, const struct json *question)
{
    const char *words[5] = { NULL };
    const struct content_table *t;
    size_t n;

    if (question->type != JSON_ARRAY || json_array(question)->n < 2) {
        return NULL;
    }
    n = MIN(json_array(question)->n, ARRAY_SIZE(words));
    for (size_t i = 0; i < n; i++) {
        words[i] = string_of(json_array(question)->elems[i]);
    }
    if (words[0] && !strcmp(words[0], "tables")) {
        return answer_tables(c, json_array(question)->elems[1]);
    }
    t = words[1] ? shash_find_data(&c->tables, words[1]) : NULL;
    if (!t || !words[0] || !words[2]) {
        return NULL;
    }
    return !strcmp(words[0], "rows")  ? answer_rows(t, words[2])
           : !strcmp(words[0], "row") ? answer_row(t, words[2])
           : !strcmp(words[0], "value") && words[3]
               ? answer_value(c, t, words[2], words[3], words[4])
               : NULL;
}

/* ---- Comparing ----------------------------------------------------------- */

struct comparison {
    struct content *content;
    content_ask_func *ask;
    void *aux;
    struct content_result *result;
};

/* Asks; the answer has to be of 'type'.  On failure returns NULL with an
 * error in '*error'. */
static struct json *
ask(struct comparison *cmp, struct json *question, enum json_type type,
    int *error)
{
    struct json *answer = cmp->ask(cmp->aux, question);

    if (answer && answer->type == type) {
        return answer;
    }
    *error = answer ? -EBADMSG : -EPIPE;
    json_destroy(answer);
    return NULL;
}

static struct json *
question_create(const char *what, const char *table, const char *arg)
{
    return json_array_create_3(json_string_create(what),
                               json_string_create(table),
                               json_string_create(arg));
}

/* Copies what of 'text' begins a little before 'from' to 'buf'. */
static void
copy_window(char *buf, size_t size, const char *text, size_t from)
{
    size_t n = strlen(text);
    size_t begin = from > 2 * VALUE_BEFORE ? from - VALUE_BEFORE : 0;
    char *copy;

    begin = character_begin(text, MIN(begin, n));
    copy = xasprintf("%s%s", begin ? "..." : "", text + begin);
    n = strlen(copy);
    cut_text(copy, n < size ? n : size - 4);
    snprintf(buf, size, "%s%s", copy, n < size ? "" : "...");
    free(copy);
}

static struct wire_r_difference *
add_difference(struct comparison *cmp, const struct content_table *t,
               const char *uuid, const char *column)
{
    struct content_result *r = cmp->result;
    struct wire_r_difference *d = &r->found[r->n_found++];

    memset(d, 0, sizeof *d);
    ovs_strlcpy(d->table, t->table->schema->name, sizeof d->table);
    ovs_strlcpy(d->row, uuid, sizeof d->row);
    ovs_strlcpy(d->column, column, sizeof d->column);
    return d;
}

static bool
has_room(const struct comparison *cmp)
{
    return cmp->result->n_found < WIRE_R_DIFFERENCES;
}

/* Asks for the piece at 'off'.  Returns 0 and the answer, whose first member
 * is a string; -ENODATA if the other side knows of no pieces. */
static int
ask_piece(struct comparison *cmp, const struct content_table *t,
          const char *uuid, const char *column, size_t off, struct json **ret)
{
    struct json *question =
        question_create("value", t->table->schema->name, uuid);
    struct json *own = offset_to_json(off), *answer;
    const struct json_array *array;
    const char *at;
    int error = 0;

    json_array_add(question, json_string_create(column));
    json_array_add(question, json_clone(own));
    answer = ask(cmp, question, JSON_ARRAY, &error);
    if (answer) {
        array = json_array(answer);
        at = array->n > 1 ? string_of(array->elems[1]) : NULL;
        error = !array->n || !string_of(array->elems[0])       ? -EBADMSG
                : off && (!at || strcmp(at, json_string(own))) ? -ENODATA
                                                               : 0;
    }
    json_destroy(own);
    if (error) {
        json_destroy(answer);
        return error;
    }
    *ret = answer;
    return 0;
}

/* The values differ somewhere, but what was looked at does not. */
static void
note_equal_beginning(struct wire_r_difference *d, size_t n)
{
    snprintf(d->there, sizeof d->there,
             "something else after %zu bytes that are the same", n);
    snprintf(d->here, sizeof d->here, "%zu bytes that are the same, and more",
             n);
}

/* Compares the pieces at '*off'.  Returns 0 and adds what differs, -EAGAIN if
 * it may lie in the next piece, which begins at '*off' then, or an error. */
static int
compare_piece(struct comparison *cmp, const struct content_table *t,
              const char *uuid, const char *column, size_t *off)
{
    struct wire_r_difference *d;
    struct json *theirs;
    const char *text;
    size_t same = 0;
    char *ours;
    int error = ask_piece(cmp, t, uuid, column, *off, &theirs);

    if (error) {
        return error;
    }
    text = string_of(json_array(theirs)->elems[0]);
    ours = value_piece(cmp->content, t, uuid, column, off);
    while (ours[same] && ours[same] == text[same]) {
        same++;
    }
    /* What differs is shown with some of what follows. */
    if (same + sizeof d->here > VALUE_MAX) {
        *off += character_begin(ours, same - VALUE_BACK);
        error = -EAGAIN;
    } else {
        d = add_difference(cmp, t, uuid, column);
        copy_window(d->there, sizeof d->there, text, same);
        copy_window(d->here, sizeof d->here, ours, same);
    }
    free(ours);
    json_destroy(theirs);
    return error;
}

/* One column differs: finds out where. */
static int
compare_value(struct comparison *cmp, const struct content_table *t,
              const char *uuid, const char *column)
{
    int error = -EAGAIN;
    size_t off = 0;

    for (int i = 0; i < VALUE_PIECES && error == -EAGAIN; i++) {
        error = compare_piece(cmp, t, uuid, column, &off);
    }
    if (error == -EAGAIN || error == -ENODATA) {
        note_equal_beginning(add_difference(cmp, t, uuid, column),
                             off + VALUE_BACK);
        return 0;
    }
    return error;
}

/* A row that both have differs. */
static int
compare_row(struct comparison *cmp, const struct content_table *t,
            const struct content_row *r, const char *uuid)
{
    struct json *theirs;
    int error = 0;

    cmp->result->n_differ++;
    if (!has_room(cmp)) {
        return 0;
    }
    theirs = ask(cmp, question_create("row", t->table->schema->name, uuid),
                 JSON_OBJECT, &error);
    for (size_t i = 0; theirs && !error && i < t->n_columns && has_room(cmp);
         i++) {
        const char *name = t->columns[i]->name;
        const char *digest =
            string_of(shash_find_data(json_object(theirs), name));
        struct json *own = value_digest(r->row, t->columns[i]);

        if (!digest || strcmp(digest, json_string(own))) {
            error = compare_value(cmp, t, uuid, name);
        }
        json_destroy(own);
    }
    json_destroy(theirs);
    return error;
}

/* A row that one side has alone. */
static void
note_missing(struct comparison *cmp, const struct content_table *t,
             const struct uuid *uuid, bool here)
{
    struct wire_r_difference *d;
    char text[UUID_LEN + 1];

    cmp->result->n_differ++;
    if (has_room(cmp)) {
        snprintf(text, sizeof text, UUID_FMT, UUID_ARGS(uuid));
        d = add_difference(cmp, t, text, "");
        ovs_strlcpy(d->there, here ? "no such row" : "a row", sizeof d->there);
        ovs_strlcpy(d->here, here ? "a row" : "no such row", sizeof d->here);
    }
}

/* True if 'r' has the digest that 'hex' says. */
static bool
has_digest(const struct content_row *r, const char *hex)
{
    struct json *own = hex_to_json(r->digest, ROW_DIGEST_LEN);
    bool same = !strcmp(json_string(own), hex);

    json_destroy(own);
    return same;
}

/* Goes on to their row 'json'; '*i' is the next of the own ones. */
static int
compare_next(struct comparison *cmp, const struct content_table *t,
             const struct json *json, size_t *i, const char **ret_uuid)
{
    bool pair = json->type == JSON_ARRAY && json_array(json)->n == 2;
    const char *text = pair ? string_of(json_array(json)->elems[0]) : NULL;
    const char *hex = pair ? string_of(json_array(json)->elems[1]) : NULL;
    const struct content_row *r = &t->rows[*i];
    struct uuid uuid;

    if (!text || !hex || !uuid_from_string(&uuid, text)
        || (**ret_uuid && strcmp(text, *ret_uuid) <= 0)) {
        return -EBADMSG;
    }
    *ret_uuid = text;
    for (; *i < t->n_rows
           && uuid_compare_3way(ovsdb_row_get_uuid(r->row), &uuid) < 0;
         ++*i, r++) {
        note_missing(cmp, t, ovsdb_row_get_uuid(r->row), true);
    }
    if (*i == t->n_rows || !uuid_equals(ovsdb_row_get_uuid(r->row), &uuid)) {
        note_missing(cmp, t, &uuid, false);
        return 0;
    }
    ++*i;
    return has_digest(r, hex) ? 0 : compare_row(cmp, t, r, text);
}

/* The digests of a table differ: looks at row after row. */
static int
compare_table(struct comparison *cmp, const struct content_table *t)
{
    const char *name = t->table->schema->name;
    char after[UUID_LEN + 1] = "";
    bool more = true;
    int error = 0;
    size_t i = 0;

    while (more && !error) {
        struct json *page =
            ask(cmp, question_create("rows", name, after), JSON_ARRAY, &error);
        const char *uuid = after;

        if (!page) {
            return error;
        }
        more = json_array(page)->n > 0;
        for (size_t j = 0; j < json_array(page)->n && !error; j++) {
            error =
                compare_next(cmp, t, json_array(page)->elems[j], &i, &uuid);
        }
        if (uuid != after) {
            ovs_strlcpy(after, uuid, sizeof after);
        }
        json_destroy(page);
    }
    for (; i < t->n_rows && !error; i++) {
        note_missing(cmp, t, ovsdb_row_get_uuid(t->rows[i].row), true);
    }
    return error;
}

static int
compare_tables(struct comparison *cmp, const struct json *theirs)
{
    struct content_result *r = cmp->result;
    struct shash_node *node;
    int error = 0;

    SHASH_FOR_EACH (node, &cmp->content->tables) {
        struct content_table *t = node->data;
        const struct json *json =
            shash_find_data(json_object(theirs), node->name);
        const char *digest =
            json->type == JSON_OBJECT
                ? string_of(shash_find_data(json_object(json), "digest"))
                : NULL;
        struct json *own;

        if (!digest) {
            return -EBADMSG;
        }
        digest_table(cmp->content, t);
        r->tables++;
        r->rows += t->n_rows;
        own = hex_to_json(t->digest, sizeof t->digest);
        if (strcmp(json_string(own), digest)) {
            uint64_t before = r->n_differ;

            error = compare_table(cmp, t);
            if (!error && r->n_differ == before) {
                error = -EBADMSG; /* Its rows do not give its digest. */
            }
        }
        json_destroy(own);
        if (error) {
            break;
        }
    }
    return error;
}

int
content_compare(struct content *c, content_ask_func *ask_, void *aux,
                struct content_result *ret)
{
    struct comparison cmp = {
        .content = c, .ask = ask_, .aux = aux, .result = ret
    };
    struct json *theirs;
    int error = 0;

    memset(ret, 0, sizeof *ret);
    theirs = ask(
        &cmp,
        json_array_create_2(json_string_create("tables"), content_schema(c)),
        JSON_OBJECT, &error);
    if (!theirs) {
        return error;
    }
    content_restrict(c, theirs);
    ret->skipped = c->skipped;
    error = compare_tables(&cmp, theirs);
    json_destroy(theirs);
    return error;
}
