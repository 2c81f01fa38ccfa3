/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovsdb-data.h"
#include "ovsdb-error.h"
#include "ovsdb.h"
#include "ovsdb/table.h"
#include "row.h"
#include "util.h"
#include "uuid.h"

#include "replica/oplog.h"
#include "replica/ops.h"
#include "replica/rows.h"
#include "replica/shrink.h"

#define SLICE_ROWS 2000 /* In one round. */

/* A row of the snapshot. */
struct entry {
    struct hmap_node node; /* In struct part. */
    struct uuid uuid;
    struct ovsdb_row *row; /* NULL: as in the own database. */
};

/* A table. */
struct part {
    const struct ovsdb_table *own;
    struct hmap entries;
};

struct compare {
    struct shash parts; /* By the table's name. */
    int fd;
    uint64_t off, bytes;
    char *body; /* Of the record that is being taken; NULL: none. */
    struct rows rows;
    bool is_diff; /* Its values are differences to what was before. */
};

struct compare *
compare_create(const struct shadow *own, int fd, uint64_t bytes)
{
    struct compare *c = xzalloc(sizeof *c);
    struct shash_node *node;

    c->fd = fd;
    c->bytes = bytes;
    shash_init(&c->parts);
    SHASH_FOR_EACH (node, &shadow_db(own)->tables) {
        struct part *part = xzalloc(sizeof *part);

        part->own = node->data;
        hmap_init(&part->entries);
        shash_add(&c->parts, node->name, part);
    }
    return c;
}

static void
part_destroy(struct part *part)
{
    struct entry *e;

    HMAP_FOR_EACH_POP(e, node, &part->entries)
    {
        ovsdb_row_destroy(e->row);
        free(e);
    }
    hmap_destroy(&part->entries);
    free(part);
}

void
compare_destroy(struct compare *c)
{
    if (c) {
        struct shash_node *node;

        SHASH_FOR_EACH (node, &c->parts) {
            part_destroy(node->data);
        }
        shash_destroy(&c->parts);
        free(c->body);
        free(c);
    }
}

static struct entry *
part_find(const struct part *part, const struct uuid *uuid)
{
    struct entry *e;

    HMAP_FOR_EACH_WITH_HASH (e, node, uuid_hash(uuid), &part->entries) {
        if (uuid_equals(&e->uuid, uuid)) {
            return e;
        }
    }
    return NULL;
}

/* ---- Taking in ----------------------------------------------------------- */

static bool
rows_are_equal(const struct ovsdb_row *a, const struct ovsdb_row *b)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &a->table->schema->columns) {
        const struct ovsdb_column *column = node->data;

        if (ops_has_column(column)
            && !ovsdb_datum_equals(&a->fields[column->index],
                                   &b->fields[column->index], &column->type)) {
            return false;
        }
    }
    return true;
}

/* Sets, or changes if it 'is_diff', one column of 'row'. */
static struct ovsdb_error *
row_set(struct ovsdb_row *row, const struct ovsdb_column *column, bool is_diff,
        const struct json *json)
{
    struct ovsdb_datum *field = &row->fields[column->index];
    struct ovsdb_error *error;
    struct ovsdb_datum datum;

    error = ovsdb_datum_from_json(&datum, &column->type, json, NULL);
    if (error) {
        return error;
    }
    if (is_diff && !ovsdb_datum_is_default(field, &column->type)) {
        error = ovsdb_datum_apply_diff_in_place(field, &datum, &column->type);
    } else {
        ovsdb_datum_swap(field, &datum);
    }
    ovsdb_datum_destroy(&datum, &column->type);
    return error;
}

/* Sets the columns that the row's text 'json' names. */
static int
row_update(struct ovsdb_row *row, bool is_diff, const struct json *json,
           char why[SHADOW_WHY_LEN])
{
    const struct ovsdb_table_schema *schema = row->table->schema;
    struct shash_node *node;

    if (json->type != JSON_OBJECT) {
        snprintf(why, SHADOW_WHY_LEN, "a row of table %s is none",
                 schema->name);
        return -EINVAL;
    }
    SHASH_FOR_EACH (node, json_object(json)) {
        const struct ovsdb_column *column =
            ovsdb_table_schema_get_column(schema, node->name);
        struct ovsdb_error *error;

        if (!column) {
            snprintf(why, SHADOW_WHY_LEN, "no column %.60s in table %s",
                     node->name, schema->name);
            return -EINVAL;
        }
        error = row_set(row, column, is_diff, node->data);
        if (error) {
            return shadow_explain(error, why);
        }
    }
    return 0;
}

static struct json *
json_from_slice(const char *text, size_t n)
{
    struct json_parser *parser = json_parser_create(0);

    json_parser_feed(parser, text, n);
    return json_parser_finish(parser);
}

/* Takes the text 'r' of a row that was 'e' before; NULL: it is new. */
static int
compare_take_value(struct compare *c, struct part *part, struct entry *e,
                   const struct uuid *uuid, const struct rows_row *r,
                   char why[SHADOW_WHY_LEN])
{
    const struct ovsdb_row *own = ovsdb_table_get_row(part->own, uuid);
    const struct ovsdb_row *before = !e ? NULL : e->row ? e->row : own;
    struct ovsdb_row *row =
        before ? ovsdb_row_datum_clone(before) : ovsdb_row_create(part->own);
    struct json *json = json_from_slice(r->value, r->value_len);
    int error = row_update(row, c->is_diff, json, why);

    json_destroy(json);
    if (error) {
        ovsdb_row_destroy(row);
        return error;
    }
    if (!e) {
        e = xzalloc(sizeof *e);
        e->uuid = *uuid;
        hmap_insert(&part->entries, &e->node, uuid_hash(uuid));
    }
    ovsdb_row_destroy(e->row);
    e->row = row;
    if (own && rows_are_equal(own, row)) {
        ovsdb_row_destroy(row);
        e->row = NULL;
    }
    return 0;
}

static int
compare_take(struct compare *c, const struct rows_row *r,
             char why[SHADOW_WHY_LEN])
{
    char *name = xmemdup0(r->table, r->table_len);
    struct part *part = shash_find_data(&c->parts, name);
    struct uuid uuid;
    struct entry *e;

    free(name);
    if (!part || !uuid_from_string_prefix(&uuid, r->uuid)) {
        snprintf(why, SHADOW_WHY_LEN, "a row of an unknown table or name");
        return -EINVAL;
    }
    e = part_find(part, &uuid);
    if (!r->deleted) {
        return compare_take_value(c, part, e, &uuid, r, why);
    }
    if (!e) {
        snprintf(why, SHADOW_WHY_LEN, "a row is deleted that is not there");
        return -EINVAL;
    }
    hmap_remove(&part->entries, &e->node);
    ovsdb_row_destroy(e->row);
    free(e);
    return 0;
}

/* Reads the next record.  Returns 1, 0 at the end, or a negative errno. */
static int
compare_read(struct compare *c, char why[SHADOW_WHY_LEN])
{
    bool first = !c->off;
    struct record_header h;

    if (c->off >= c->bytes) {
        return 0;
    }
    if (oplog_read_record(c->fd, c->off, &h, &c->body) != 1) {
        snprintf(why, SHADOW_WHY_LEN, "no whole record at offset %" PRIu64,
                 c->off);
        return -EBADMSG;
    }
    c->off += h.header_len + h.body_len;
    c->is_diff = record_is_diff(c->body, h.body_len);
    rows_init(&c->rows, c->body, first ? 0 : h.body_len);
    if (first) {
        /* The schema has no rows. */
        free(c->body);
        c->body = NULL;
    }
    return 1;
}

int
compare_run(struct compare *c, char why[SHADOW_WHY_LEN])
{
    struct rows_row row;
    int ret = 1;

    for (int i = 0; ret == 1 && i < SLICE_ROWS; i++) {
        if (!c->body) {
            ret = compare_read(c, why);
            continue;
        }
        ret = rows_next(&c->rows, &row);
        if (ret == 1) {
            ret = compare_take(c, &row, why);
            ret = ret ? ret : 1;
        } else if (!ret) {
            free(c->body);
            c->body = NULL;
            ret = 1;
        } else {
            snprintf(why, SHADOW_WHY_LEN, "a record is no JSON of OVSDB");
        }
    }
    return ret;
}

/* ---- The result ---------------------------------------------------------- */

const struct ovsdb_row *
compare_find_row(const struct compare *c, const char *table,
                 const struct uuid *uuid)
{
    const struct part *part = shash_find_data(&c->parts, table);
    const struct entry *e = part ? part_find(part, uuid) : NULL;

    return !e ? NULL : e->row ? e->row : ovsdb_table_get_row(part->own, uuid);
}

/* The columns of 'row' that differ from 'own', or, if that is NULL, from the
 * default. */
static struct json *
row_to_json(const struct ovsdb_row *own, const struct ovsdb_row *row)
{
    struct json *json = json_object_create();
    struct shash_node *node;

    SHASH_FOR_EACH (node, &row->table->schema->columns) {
        const struct ovsdb_column *column = node->data;
        const struct ovsdb_datum *datum = &row->fields[column->index];
        bool same = own ? ovsdb_datum_equals(&own->fields[column->index],
                                             datum, &column->type)
                        : ovsdb_datum_is_default(datum, &column->type);

        if (ops_has_column(column) && !same) {
            json_object_put(json, column->name,
                            ovsdb_datum_to_json(datum, &column->type));
        }
    }
    return json;
}

static void
put_row(struct json *table, const struct uuid *uuid, struct json *row)
{
    char name[UUID_LEN + 1];

    snprintf(name, sizeof name, UUID_FMT, UUID_ARGS(uuid));
    json_object_put(table, name, row);
}

static struct json *
part_to_json(const struct part *part, struct shadow_diff *d)
{
    bool counts = shrink_counts(part->own->schema->name);
    struct json *table = json_object_create();
    const struct ovsdb_row *own;
    const struct entry *e;

    d->n_counted += counts ? hmap_count(&part->own->rows) : 0;
    HMAP_FOR_EACH (own, hmap_node, &part->own->rows) {
        if (part_find(part, ovsdb_row_get_uuid(own))) {
            d->n_shared++;
        } else {
            put_row(table, ovsdb_row_get_uuid(own), json_null_create());
            d->n_delete++;
            d->n_counted_delete += counts;
        }
    }
    HMAP_FOR_EACH (e, node, &part->entries) {
        own = ovsdb_table_get_row(part->own, &e->uuid);
        if (e->row) {
            put_row(table, &e->uuid, row_to_json(own, e->row));
            d->n_update += own != NULL;
        }
        d->n_insert += own == NULL;
    }
    return table;
}

struct json *
compare_to_record(const struct compare *c, struct shadow_diff *ret)
{
    struct json *record = json_object_create();
    struct shash_node *node;

    memset(ret, 0, sizeof *ret);
    SHASH_FOR_EACH (node, &c->parts) {
        struct json *table = part_to_json(node->data, ret);

        if (shash_is_empty(json_object(table))) {
            json_destroy(table);
        } else {
            json_object_put(record, node->name, table);
        }
    }
    return record;
}
