/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/lost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bitmap.h"
#include "column.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovsdb-data.h"
#include "ovsdb.h"
#include "row.h"
#include "ovsdb/table.h"
#include "util.h"
#include "uuid.h"

#include "lib/log.h"
#include "replica/compare.h"
#include "replica/oplog.h"
#include "replica/ops.h"
#include "replica/shadow.h"

#define SLICE (1u << 20)     /* Bytes of the own file in one round. */
#define ARG_MAX_BYTES 131072 /* Linux takes no longer argument. */

/* A row that was changed here. */
struct touched {
    struct hmap_node node; /* In 'touched', by uuid. */
    struct uuid uuid;
    const struct ovsdb_table *table; /* Of 'mine'. */
    struct ovsdb_row *before;        /* Where the logs parted; NULL: none. */
};

enum stage {
    LOST_LOAD,    /* By record: what was here where the logs parted, */
    LOST_RECORDS, /* and what came after it. */
    LOST_ROWS,    /* By content. */
    LOST_REQUEST,
    LOST_DONE,
};

struct lost {
    struct lost_config cfg;
    struct oplog_gen *gen;
    struct oplog_cursor cursor; /* gen NULL: by content. */
    struct shadow *past;        /* By record: own content so far. */
    const struct shadow *mine;  /* Own content: that, or the live one. */
    enum stage stage;
    struct hmap touched;
    struct lost_counts counts;
    bool nothing; /* No record had an effect so far. */
};

/* ---- Creation ------------------------------------------------------------ */

static void
print_pos(FILE *out, const struct ha_pos *pos)
{
    fprintf(out, "record %" PRIu64 " of epoch %" PRIu32 ".%" PRIu32, pos->seq,
            pos->epoch.n, pos->epoch.node);
}

static void
lost_begin_text(struct lost *l)
{
    const struct lost_config *cfg = &l->cfg;
    FILE *out = cfg->text;

    fprintf(out, "What the %s database of node %" PRIu32 " held and ",
            ha_db_name(cfg->db), cfg->self);
    if (cfg->backup) {
        fprintf(out, "the backup %s has not\n\n", cfg->backup);
    } else {
        fprintf(out, "node %" PRIu32 " never had\n\n", cfg->source);
    }
    fprintf(out,
            "copy of the file     %s.db\n"
            "to bring it back     %s.json\n"
            "own log ended at     ",
            cfg->name, cfg->name);
    print_pos(out, &l->gen->end_pos);
    fputs("\nboth logs hold       ", out);
    if (l->counts.by_record) {
        print_pos(out, &cfg->fork);
        fputs("; what came after it here is below\n", out);
    } else {
        fputs("not known: the place where they parted is not in the own file "
              "any more,\n                     or they never were one.  "
              "Compared are the contents, so some of\n"
              "                     it may be what was deleted since.\n",
              out);
    }
    if (cfg->log->damaged) {
        fputs("the file is damaged  what is behind the damage is in the copy "
              "only\n",
              out);
    }
}

struct lost *
lost_create(const struct lost_config *cfg)
{
    struct lost *l = xzalloc(sizeof *l);

    l->cfg = *cfg;
    l->gen = oplog_gen_ref(cfg->log->gen);
    l->nothing = true;
    hmap_init(&l->touched);
    if (cfg->fork.seq
        && oplog_find(cfg->log, &cfg->fork, &l->cursor) == OPLOG_FOUND
        && l->cursor.gen != l->gen) {
        oplog_cursor_close(&l->cursor);
    }
    l->counts.by_record = l->cursor.gen != NULL;
    if (l->counts.by_record) {
        l->past = shadow_create(l->gen->fd, l->cursor.off, NULL);
    }
    l->stage = l->past ? LOST_LOAD : LOST_ROWS;
    l->mine = l->past ? l->past : cfg->own;
    lost_begin_text(l);
    return l;
}

void
lost_destroy(struct lost *l)
{
    if (l) {
        struct touched *t;

        HMAP_FOR_EACH_POP(t, node, &l->touched)
        {
            ovsdb_row_destroy(t->before);
            free(t);
        }
        hmap_destroy(&l->touched);
        shadow_destroy(l->past);
        oplog_cursor_close(&l->cursor);
        oplog_gen_unref(l->gen);
        free(l);
    }
}

const struct lost_counts *
lost_counts(const struct lost *l)
{
    return &l->counts;
}

/* ---- Rows ---------------------------------------------------------------- */

static struct touched *
lost_find(const struct lost *l, const struct uuid *uuid)
{
    struct touched *t;

    HMAP_FOR_EACH_WITH_HASH (t, node, uuid_hash(uuid), &l->touched) {
        if (uuid_equals(&t->uuid, uuid)) {
            return t;
        }
    }
    return NULL;
}

/* Notes that the row was changed here, and what it was before, if this is the
 * first time. */
static void
lost_touch(struct lost *l, const struct ovsdb_table *table,
           const struct uuid *uuid, const struct ovsdb_row *before)
{
    struct touched *t;

    if (!lost_find(l, uuid)) {
        t = xzalloc(sizeof *t);
        t->uuid = *uuid;
        t->table = table;
        t->before = before ? ovsdb_row_datum_clone(before) : NULL;
        hmap_insert(&l->touched, &t->node, uuid_hash(uuid));
    }
}

/* The value of 'row' in the column that is called as 'column'; NULL if there
 * is none.  Column numbers differ between two databases. */
static const struct ovsdb_datum *
row_datum(const struct ovsdb_row *row, const struct ovsdb_column *column)
{
    const struct ovsdb_column *own =
        row ? ovsdb_table_schema_get_column(row->table->schema, column->name)
            : NULL;

    return own ? &row->fields[own->index] : NULL;
}

/* True if 'a' and 'b' have the same in all columns that both know. */
static bool
rows_equal(const struct ovsdb_row *a, const struct ovsdb_row *b)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &a->table->schema->columns) {
        const struct ovsdb_column *column = node->data;
        const struct ovsdb_datum *x = row_datum(a, column);
        const struct ovsdb_datum *y = row_datum(b, column);

        if (ops_has_column(column) && y
            && !ovsdb_datum_equals(x, y, &column->type)) {
            return false;
        }
    }
    return true;
}

static void
print_datum(FILE *out, const struct ovsdb_datum *datum,
            const struct ovsdb_type *type)
{
    struct ds text = DS_EMPTY_INITIALIZER;

    ovsdb_datum_to_string(datum, type, &text);
    fputs(text.length ? ds_cstr(&text) : "\"\"", out);
    ds_destroy(&text);
}

/* One line a column: all that are set, or with 'old' those that differ. */
static void
print_columns(FILE *out, const struct ovsdb_row *row,
              const struct ovsdb_row *old)
{
    const struct shash_node **nodes = shash_sort(&row->table->schema->columns);
    size_t n = shash_count(&row->table->schema->columns);

    for (size_t i = 0; i < n; i++) {
        const struct ovsdb_column *column = nodes[i]->data;
        const struct ovsdb_datum *datum = &row->fields[column->index];
        const struct ovsdb_datum *was = row_datum(old, column);

        if (!ops_has_column(column) || (old && !was)
            || (was ? ovsdb_datum_equals(was, datum, &column->type)
                    : ovsdb_datum_is_default(datum, &column->type))) {
            continue;
        }
        fprintf(out, "      %s: ", column->name);
        if (was) {
            print_datum(out, was, &column->type);
            fputs(" -> ", out);
        }
        print_datum(out, datum, &column->type);
        putc('\n', out);
    }
    free(nodes);
}

static void
print_row(FILE *out, const char *what, const struct ovsdb_row *row)
{
    fprintf(out, "  %s %s " UUID_FMT "\n", what, row->table->schema->name,
            UUID_ARGS(ovsdb_row_get_uuid(row)));
}

/* Tells what became of a row; 'old' or 'new' may be NULL. */
static void
print_change(FILE *out, const struct ovsdb_row *old,
             const struct ovsdb_row *new)
{
    print_row(out,
              !old  ? "insert"
              : new ? "modify"
                    : "delete",
              new ? new : old);
    print_columns(out, new ? new : old, new ? old : NULL);
}

/* ---- By record ----------------------------------------------------------- */

static bool
lost_change(const struct ovsdb_row *old, const struct ovsdb_row *new,
            const unsigned long int *changed OVS_UNUSED, void *l_)
{
    const struct ovsdb_row *row = new ? new : old;
    struct lost *l = l_;

    print_change(l->cfg.text, old, new);
    lost_touch(l, row->table, ovsdb_row_get_uuid(row), old);
    l->nothing = false;
    return true;
}

/* The comment and the date of a record, as people write them. */
static void
print_record_head(FILE *out, const struct oplog_record *r)
{
    struct json *json = json_from_string(r->body);
    const struct json *comment = NULL;
    int64_t date = record_find_date(r->body, r->n);
    time_t seconds = date / 1000;
    char when[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    fputc('\n', out);
    if (r->counted) {
        print_pos(out, &r->pos);
    } else {
        fputs("record of another writer", out);
    }
    if (date) {
        fprintf(out, ", %s.%03dZ", when, (int) (date % 1000));
    }
    if (json->type == JSON_OBJECT) {
        comment = shash_find_data(json_object(json), "_comment");
    }
    if (comment && comment->type == JSON_STRING) {
        fprintf(out, "\n  comment: %s", json_string(comment));
    }
    fputc('\n', out);
    json_destroy(json);
}

/* Tells one record.  Returns 1, 0 at the end, or a negative errno. */
static int
lost_record(struct lost *l)
{
    char why[SHADOW_WHY_LEN];
    struct oplog_record r;
    int error = oplog_cursor_next(&l->cursor, l->gen->end, &r);

    if (error != 1) {
        return error;
    }
    print_record_head(l->cfg.text, &r);
    error = shadow_visit(l->past, r.body, lost_change, NULL, l, why);
    free(r.body);
    l->counts.n_records++;
    if (error) {
        ha_log(HA_LOG_WARN, "lost", "record %" PRIu64 " does not load: %s",
               r.pos.seq, why);
        return error;
    }
    return 1;
}

static int
lost_records(struct lost *l)
{
    uint64_t stop = l->cursor.off + SLICE;
    int ret;

    do {
        ret = lost_record(l);
    } while (ret > 0 && l->cursor.off < stop);
    return ret;
}

/* ---- By content ---------------------------------------------------------- */

/* The row as the source has it; NULL: it does not. */
static const struct ovsdb_row *
lost_there(const struct lost *l, const struct ovsdb_table *table,
           const struct uuid *uuid)
{
    return compare_find_row(l->cfg.theirs, table->schema->name, uuid);
}

static void
lost_compare_row(struct lost *l, const struct ovsdb_row *mine,
                 const struct ovsdb_row *theirs)
{
    if (theirs == mine) {
        return;
    } else if (theirs) {
        print_row(l->cfg.text, "differs (there -> here):", mine);
        print_columns(l->cfg.text, mine, theirs);
    } else {
        print_row(l->cfg.text, "only here:", mine);
        print_columns(l->cfg.text, mine, NULL);
    }
    lost_touch(l, mine->table, ovsdb_row_get_uuid(mine), NULL);
    l->nothing = false;
}

static void
lost_compare(struct lost *l)
{
    struct shash_node *node;

    putc('\n', l->cfg.text);
    SHASH_FOR_EACH (node, &shadow_db(l->mine)->tables) {
        const struct ovsdb_table *mine = node->data;
        const struct ovsdb_row *row;

        HMAP_FOR_EACH (row, hmap_node, &mine->rows) {
            lost_compare_row(l, row,
                             lost_there(l, mine, ovsdb_row_get_uuid(row)));
        }
    }
}

/* ---- The transaction ----------------------------------------------------- */

static void
lost_put_op(struct lost *l, struct json *op)
{
    char *text = json_to_string(op, JSSF_SORT);

    fprintf(l->cfg.request, ",\n%s", text);
    free(text);
    json_destroy(op);
    l->counts.n_ops++;
}

/* Says why a change is not in the transaction. */
static void
lost_leave_out(struct lost *l, const struct touched *t, const char *column,
               const char *why)
{
    fprintf(l->cfg.text, "  %s " UUID_FMT "%s%s: %s\n", t->table->schema->name,
            UUID_ARGS(&t->uuid), column ? " " : "", column ? column : "", why);
    l->counts.n_left_out++;
}

/* True if a reference to the row will hold: the source has it, or the
 * transaction brings it. */
static bool
lost_will_exist(const struct lost *l, const struct ovsdb_table *table,
                const struct uuid *uuid)
{
    const struct touched *t = lost_find(l, uuid);

    return lost_there(l, table, uuid)
           || (t && !t->before && ovsdb_table_get_row(table, uuid));
}

static bool
atom_holds(const struct lost *l, const struct ovsdb_base_type *base,
           const union ovsdb_atom *atom)
{
    return base->type != OVSDB_TYPE_UUID || !base->uuid.refTable
           || lost_will_exist(l, base->uuid.refTable, &atom->uuid);
}

/* Takes references to what is no more out of 'datum'.  Returns false if there
 * were any. */
static bool
lost_prune(const struct lost *l, struct ovsdb_datum *datum,
           const struct ovsdb_type *type)
{
    struct ovsdb_datum dead;
    bool whole;

    ovsdb_datum_init_empty(&dead);
    for (unsigned int i = 0; i < datum->n; i++) {
        if (!atom_holds(l, &type->key, &datum->keys[i])
            || (datum->values
                && !atom_holds(l, &type->value, &datum->values[i]))) {
            ovsdb_datum_add_unsafe(&dead, &datum->keys[i],
                                   datum->values ? &datum->values[i] : NULL,
                                   type, NULL);
        }
    }
    whole = !dead.n;
    ovsdb_datum_subtract(datum, type, &dead, type);
    ovsdb_datum_destroy(&dead, type);
    return whole;
}

/* Adds 'column' of a row to be inserted to 'columns'.  Returns false if the
 * row cannot be without what is no more. */
static bool
lost_put_column(struct lost *l, const struct touched *t,
                const struct ovsdb_datum *from,
                const struct ovsdb_column *column, struct json *columns)
{
    struct ovsdb_datum datum;
    bool fits = true;

    ovsdb_datum_clone(&datum, from);
    if (!lost_prune(l, &datum, &column->type)) {
        lost_leave_out(l, t, column->name,
                       "refers to what the active does not have any more");
        fits = datum.n >= column->type.n_min;
    }
    if (fits && !ovsdb_datum_is_default(&datum, &column->type)) {
        json_object_put(columns, column->name,
                        ovsdb_datum_to_json(&datum, &column->type));
    }
    ovsdb_datum_destroy(&datum, &column->type);
    return fits;
}

static void
lost_insert(struct lost *l, const struct touched *t,
            const struct ovsdb_row *mine)
{
    struct json *columns = json_object_create();
    struct shash_node *node;
    bool fits = true;

    SHASH_FOR_EACH (node, &t->table->schema->columns) {
        const struct ovsdb_column *column = node->data;

        if (ops_has_column(column)) {
            fits &= lost_put_column(l, t, &mine->fields[column->index], column,
                                    columns);
        }
    }
    if (fits) {
        struct json *op = ops_create("insert", t->table);

        json_object_put_format(op, "uuid", UUID_FMT, UUID_ARGS(&t->uuid));
        json_object_put(op, "row", columns);
        lost_put_op(l, op);
    } else {
        lost_leave_out(l, t, NULL, "cannot be without it, so all of the row");
        json_destroy(columns);
    }
}

/* Appends the mutation of a set or map, from 'was' to 'is', to 'mutations'. */
static void
lost_mutate(struct lost *l, const struct touched *t,
            const struct ovsdb_column *column, const struct ovsdb_datum *was,
            const struct ovsdb_datum *is, struct json *mutations)
{
    const struct ovsdb_type *type = &column->type;
    struct ovsdb_datum added, removed;

    ovsdb_datum_added_removed(&added, &removed, was, is, type);
    if (!lost_prune(l, &added, type)) {
        lost_leave_out(l, t, column->name,
                       "refers to what the active does not have any more");
    }
    if (l->counts.by_record) {
        ops_put_mutation(mutations, column, "delete", &removed);
    }
    ops_put_mutation(mutations, column, "insert", &added);
    ovsdb_datum_destroy(&added, type);
    ovsdb_datum_destroy(&removed, type);
}

/* A change of one row, being put together. */
struct modification {
    struct json *row;       /* Columns of one value, as they become... */
    struct json *was;       /* ...and conditions: as they are. */
    struct json *mutations; /* Of sets and maps. */
};

/* The same for a column of one value: only if the source's is still what it
 * was. */
static void
lost_replace(struct lost *l, const struct touched *t,
             const struct ovsdb_column *column, const struct ovsdb_datum *was,
             const struct ovsdb_datum *is, const struct ovsdb_datum *there,
             struct modification *m)
{
    const struct ovsdb_type *type = &column->type;
    struct ovsdb_datum datum;

    if (!ovsdb_datum_equals(there, was, type)) {
        lost_leave_out(l, t, column->name, "was changed by the active since");
        return;
    }
    ovsdb_datum_clone(&datum, is);
    if (!lost_prune(l, &datum, type)) {
        lost_leave_out(l, t, column->name,
                       "refers to what the active does not have any more");
    } else {
        json_array_add(m->was,
                       json_array_create_3(json_string_create(column->name),
                                           json_string_create("=="),
                                           ovsdb_datum_to_json(was, type)));
        json_object_put(m->row, column->name, ovsdb_datum_to_json(is, type));
    }
    ovsdb_datum_destroy(&datum, type);
}

static void
lost_modify_column(struct lost *l, const struct touched *t,
                   const struct ovsdb_column *column,
                   const struct ovsdb_row *mine, const struct ovsdb_row *there,
                   struct modification *m)
{
    const struct ovsdb_row *before = l->counts.by_record ? t->before : there;
    const struct ovsdb_datum *is = &mine->fields[column->index];
    const struct ovsdb_datum *was = row_datum(before, column);
    const struct ovsdb_datum *now = row_datum(there, column);

    if (!now || !was || ovsdb_datum_equals(is, was, &column->type)
        || ovsdb_datum_equals(is, now, &column->type)) {
        return;
    }
    if (column->type.n_max == 1) {
        lost_replace(l, t, column, was, is, now, m);
    } else {
        lost_mutate(l, t, column, was, is, m->mutations);
    }
}

static void
lost_modify(struct lost *l, const struct touched *t,
            const struct ovsdb_row *mine, const struct ovsdb_row *there)
{
    struct modification m = { json_object_create(), json_array_create_empty(),
                              json_array_create_empty() };
    struct shash_node *node;
    struct json *op;

    SHASH_FOR_EACH (node, &t->table->schema->columns) {
        if (ops_has_column(node->data)) {
            lost_modify_column(l, t, node->data, mine, there, &m);
        }
    }
    if (!shash_is_empty(json_object(m.row))) {
        op = ops_create("update", t->table);
        ops_put_where(op, &t->uuid);
        for (size_t i = 0; i < json_array(m.was)->n; i++) {
            json_array_add(
                CONST_CAST(struct json *,
                           shash_find_data(json_object(op), "where")),
                json_clone(json_array(m.was)->elems[i]));
        }
        json_object_put(op, "row", json_clone(m.row));
        lost_put_op(l, op);
    }
    if (json_array(m.mutations)->n) {
        op = ops_create("mutate", t->table);
        ops_put_where(op, &t->uuid);
        json_object_put(op, "mutations", json_clone(m.mutations));
        lost_put_op(l, op);
    }
    json_destroy(m.row);
    json_destroy(m.was);
    json_destroy(m.mutations);
}

/* What all that was done to a row comes to. */
static void
lost_put_row(struct lost *l, const struct touched *t)
{
    const struct ovsdb_row *mine = ovsdb_table_get_row(t->table, &t->uuid);
    const struct ovsdb_row *there = lost_there(l, t->table, &t->uuid);

    if (mine && there) {
        lost_modify(l, t, mine, there);
    } else if (mine && t->before) {
        lost_leave_out(l, t, NULL, "was deleted by the active since");
    } else if (mine) {
        lost_insert(l, t, mine);
    } else if (!t->table->schema->is_root) {
        return; /* Goes by itself when nothing refers to it any more. */
    } else if (there && t->before && rows_equal(t->before, there)) {
        lost_put_op(l, ops_delete(t->before));
    } else if (there) {
        lost_leave_out(l, t, NULL,
                       "was deleted here, but changed by the active since");
    }
}

static void
lost_end_text(struct lost *l)
{
    const struct lost_counts *c = &l->counts;
    FILE *out = l->cfg.text;

    if (!c->n_left_out) {
        fputs("  nothing\n", out);
    }
    fprintf(out,
            "\nThe transaction in %s.json has %" PRIu64
            " operations.\nOnce it is found to be right, replay it "
            "where the active node serves:\n\n"
            "  ovsdb-client transact unix:/run/ovn/ovn%s_db.sock \\\n"
            "      \"$(cat %s.json)\"\n\n"
            "An operation that answers \"count\": 0 found another value "
            "than was expected and\nchanged nothing; an error means that "
            "nothing at all was changed.\n",
            l->cfg.name, c->n_ops, l->cfg.db == HA_NB ? "nb" : "sb",
            l->cfg.name);
    if (ftell(l->cfg.request) >= ARG_MAX_BYTES) {
        fprintf(out,
                "It has %ld bytes, and a command line takes %d: send it "
                "as the parameters of\na JSON-RPC request "
                "\"transact\".\n",
                ftell(l->cfg.request), ARG_MAX_BYTES);
    }
    if (l->cfg.db == HA_SB) {
        fputs("ovn-northd makes most of this database out of NB by itself; "
              "what it makes needs\nno replay.\n",
              out);
    }
}

static int
by_place(const void *a_, const void *b_)
{
    const struct touched *const *a = a_, *const *b = b_;
    int c = strcmp((*a)->table->schema->name, (*b)->table->schema->name);

    return c ? c : uuid_compare_3way(&(*a)->uuid, &(*b)->uuid);
}

static void
lost_write_request(struct lost *l)
{
    size_t n = hmap_count(&l->touched), i = 0;
    struct touched **all = xcalloc(n + 1, sizeof *all);
    struct touched *t;

    HMAP_FOR_EACH (t, node, &l->touched) {
        all[i++] = t;
    }
    qsort(all, n, sizeof *all, by_place);
    if (l->nothing) {
        fputs("\n  nothing\n", l->cfg.text);
    }
    fputs("\nNot in the transaction, because it does not fit any more:\n",
          l->cfg.text);
    fprintf(l->cfg.request,
            "[\"%s\",\n{\"comment\":\"replay of %s\",\"op\":\"comment\"}",
            shadow_db(l->mine)->schema->name, l->cfg.name);
    for (i = 0; i < n; i++) {
        lost_put_row(l, all[i]);
    }
    fputs("\n]\n", l->cfg.request);
    free(all);
    lost_end_text(l);
}

/* ---- Work ---------------------------------------------------------------- */

static int
lost_load(struct lost *l)
{
    char why[SHADOW_WHY_LEN];
    int ret = shadow_load(l->past, SLICE, why);

    if (ret < 0) {
        ha_log(HA_LOG_WARN, "lost", "the own file does not load: %s", why);
    }
    return ret;
}

int
lost_run(struct lost *l)
{
    int ret = 0;

    switch (l->stage) {
    case LOST_LOAD:
        ret = lost_load(l);
        l->stage = ret ? LOST_LOAD : LOST_RECORDS;
        break;
    case LOST_RECORDS:
        ret = lost_records(l);
        l->stage = ret ? LOST_RECORDS : LOST_REQUEST;
        break;
    case LOST_ROWS:
        lost_compare(l);
        l->stage = LOST_REQUEST;
        break;
    case LOST_REQUEST:
        lost_write_request(l);
        l->stage = LOST_DONE;
        break;
    case LOST_DONE:
        break;
    }
    return ret < 0 ? ret : l->stage != LOST_DONE;
}
