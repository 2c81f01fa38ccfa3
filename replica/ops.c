/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/ops.h"

#include <string.h>

#include "bitmap.h"
#include "column.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovsdb-data.h"
#include "row.h"
#include "ovsdb/table.h"
#include "util.h"
#include "uuid.h"

struct json *
ops_create(const char *op, const struct ovsdb_table *table)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "op", op);
    json_object_put_string(json, "table", table->schema->name);
    return json;
}

static struct json *
uuid_to_json(const struct uuid *uuid)
{
    return json_array_create_2(
        json_string_create("uuid"),
        json_string_create_nocopy(xasprintf(UUID_FMT, UUID_ARGS(uuid))));
}

void
ops_put_where(struct json *op, const struct uuid *uuid)
{
    json_object_put(op, "where",
                    json_array_create_1(json_array_create_3(
                        json_string_create("_uuid"), json_string_create("=="),
                        uuid_to_json(uuid))));
}

struct json *
ops_delete(const struct ovsdb_row *row)
{
    struct json *op = ops_create("delete", row->table);

    ops_put_where(op, ovsdb_row_get_uuid(row));
    return op;
}

bool
ops_has_column(const struct ovsdb_column *column)
{
    return column->index >= OVSDB_N_STD_COLUMNS && column->persistent;
}

struct json *
ops_insert(const struct ovsdb_row *row)
{
    struct json *op = ops_create("insert", row->table);
    struct json *columns = json_object_create();
    struct shash_node *node;

    SHASH_FOR_EACH (node, &row->table->schema->columns) {
        const struct ovsdb_column *column = node->data;
        const struct ovsdb_datum *datum = &row->fields[column->index];

        if (ops_has_column(column)
            && !ovsdb_datum_is_default(datum, &column->type)) {
            json_object_put(columns, column->name,
                            ovsdb_datum_to_json(datum, &column->type));
        }
    }
    json_object_put_format(op, "uuid", UUID_FMT,
                           UUID_ARGS(ovsdb_row_get_uuid(row)));
    json_object_put(op, "row", columns);
    return op;
}

struct json *
ops_wait(const struct ovsdb_row *row, const unsigned long int *changed)
{
    struct json *op = ops_create("wait", row->table);
    struct json *names = json_array_create_empty();
    struct json *columns = json_object_create();
    struct shash_node *node;

    SHASH_FOR_EACH (node, &row->table->schema->columns) {
        const struct ovsdb_column *column = node->data;

        if (ops_has_column(column)
            && (!changed || bitmap_is_set(changed, column->index))) {
            json_array_add(names, json_string_create(column->name));
            json_object_put(columns, column->name,
                            ovsdb_datum_to_json(&row->fields[column->index],
                                                &column->type));
        }
    }
    if (changed && !json_array(names)->n) {
        json_destroy(names);
        json_destroy(columns);
        json_destroy(op);
        return NULL;
    }
    json_object_put(op, "timeout", json_integer_create(0));
    ops_put_where(op, ovsdb_row_get_uuid(row));
    json_object_put(op, "columns", names);
    json_object_put_string(op, "until", "==");
    json_object_put(op, "rows", json_array_create_1(columns));
    return op;
}

/* ---- Changes ------------------------------------------------------------- */

/* Appends an operation 'op' on 'row', with 'what' as its 'member', unless that
 * is 'empty'.  Consumes 'what'.  Returns how many operations that were. */
static int
put_change(struct json *ops, const struct ovsdb_row *row, const char *op,
           const char *member, struct json *what, bool empty)
{
    struct json *json;

    if (empty) {
        json_destroy(what);
        return 0;
    }
    json = ops_create(op, row->table);
    ops_put_where(json, ovsdb_row_get_uuid(row));
    json_object_put(json, member, what);
    json_array_add(ops, json);
    return 1;
}

/* Appends to 'mutations' what makes 'was' into 'is', if that is less than to
 * say all of it.  Returns false otherwise. */
static bool
put_mutations(struct json *mutations, const struct ovsdb_column *column,
              const struct ovsdb_datum *was, const struct ovsdb_datum *is)
{
    const struct ovsdb_type *type = &column->type;
    struct ovsdb_datum added, removed;
    bool less;

    if (!ovsdb_type_is_composite(type)) {
        return false;
    }
    ovsdb_datum_added_removed(&added, &removed, was, is, type);
    less = 2 * (added.n + removed.n) < is->n;
    if (less) {
        ops_put_mutation(mutations, column, "delete", &removed);
        ops_put_mutation(mutations, column, "insert", &added);
    }
    ovsdb_datum_destroy(&added, type);
    ovsdb_datum_destroy(&removed, type);
    return less;
}

void
ops_put_mutation(struct json *mutations, const struct ovsdb_column *column,
                 const char *mutator, const struct ovsdb_datum *datum)
{
    if (datum->n) {
        json_array_add(
            mutations,
            json_array_create_3(json_string_create(column->name),
                                json_string_create(mutator),
                                ovsdb_datum_to_json(datum, &column->type)));
    }
}

int
ops_put_update(struct json *ops, const struct ovsdb_row *old,
               const struct ovsdb_row *new, const unsigned long int *changed)
{
    struct json *mutations = json_array_create_empty();
    struct json *columns = json_object_create();
    struct shash_node *node;
    int n = 0;

    SHASH_FOR_EACH (node, &new->table->schema->columns) {
        const struct ovsdb_column *column = node->data;
        unsigned int i = column->index;

        if (ops_has_column(column) && bitmap_is_set(changed, i)
            && !(old
                 && put_mutations(mutations, column, &old->fields[i],
                                  &new->fields[i]))) {
            json_object_put(
                columns, column->name,
                ovsdb_datum_to_json(&new->fields[i], &column->type));
        }
    }
    n += put_change(ops, new, "update", "row", columns,
                    shash_is_empty(json_object(columns)));
    n += put_change(ops, new, "mutate", "mutations", mutations,
                    !json_array(mutations)->n);
    return n;
}

/* ---- Replies ------------------------------------------------------------- */

/* What is wrong with the result 'json' of one operation; NULL: nothing. */
static const char *
result_error(const struct json *json)
{
    const struct json *member;

    if (json->type != JSON_OBJECT) {
        return json->type == JSON_NULL ? NULL : "a result of unknown form";
    }
    /* The system's own word, such as "No space left on device". */
    member = shash_find_data(json_object(json), "io-error");
    if (member && member->type == JSON_STRING) {
        return json_string(member);
    }
    member = shash_find_data(json_object(json), "error");
    if (member) {
        const struct json *details =
            shash_find_data(json_object(json), "details");

        return details && details->type == JSON_STRING ? json_string(details)
               : member->type == JSON_STRING           ? json_string(member)
                                                       : "an error";
    }
    member = shash_find_data(json_object(json), "count");
    if (member
        && (member->type != JSON_INTEGER || json_integer(member) != 1)) {
        return "a row is missing";
    }
    return NULL;
}

static bool
has_results(const struct jsonrpc_msg *msg)
{
    return msg->type == JSONRPC_REPLY && msg->result->type == JSON_ARRAY;
}

/* The first result that is no success; NULL: all are. */
static const struct json *
first_bad(const struct jsonrpc_msg *msg)
{
    for (size_t i = 0; i < json_array(msg->result)->n; i++) {
        if (result_error(json_array(msg->result)->elems[i])) {
            return json_array(msg->result)->elems[i];
        }
    }
    return NULL;
}

const char *
ops_reply_error(const struct jsonrpc_msg *msg)
{
    const struct json *bad;

    if (!has_results(msg)) {
        return "the request was refused";
    }
    bad = first_bad(msg);
    return bad ? result_error(bad) : NULL;
}

bool
ops_reply_is_overtaken(const struct jsonrpc_msg *msg)
{
    static const char *const theirs[] = {
        "timed out", /* A "wait" of ours. */
        "constraint violation",
        "referential integrity violation",
        "duplicate uuid",
    };
    const struct json *bad, *error;

    bad = has_results(msg) ? first_bad(msg) : NULL;
    if (!bad || bad->type != JSON_OBJECT) {
        return false;
    }
    error = shash_find_data(json_object(bad), "error");
    for (size_t i = 0; error && i < ARRAY_SIZE(theirs); i++) {
        if (error->type == JSON_STRING
            && !strcmp(json_string(error), theirs[i])) {
            return true;
        }
    }
    return !error; /* Then a row was not there. */
}
