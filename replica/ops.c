/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/ops.h"

#include "bitmap.h"
#include "column.h"
#include "openvswitch/json.h"
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
