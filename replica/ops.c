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

struct json *
ops_update(const struct ovsdb_row *new, const unsigned long int *changed)
{
    struct json *columns = NULL;
    struct shash_node *node;
    struct json *op;

    SHASH_FOR_EACH (node, &new->table->schema->columns) {
        const struct ovsdb_column *column = node->data;

        if (ops_has_column(column) && bitmap_is_set(changed, column->index)) {
            columns = columns ? columns : json_object_create();
            json_object_put(columns, column->name,
                            ovsdb_datum_to_json(&new->fields[column->index],
                                                &column->type));
        }
    }
    if (!columns) {
        return NULL;
    }
    op = ops_create("update", new->table);
    ops_put_where(op, ovsdb_row_get_uuid(new));
    json_object_put(op, "row", columns);
    return op;
}
