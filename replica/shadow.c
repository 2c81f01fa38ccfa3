/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/shadow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "column.h"
#include "file.h"
#include "openvswitch/json.h"
#include "ovsdb-data.h"
#include "ovsdb-error.h"
#include "ovsdb.h"
#include "row.h"
#include "storage.h"
#include "ovsdb/table.h"
#include "transaction.h"
#include "util.h"
#include "uuid.h"

#include "replica/oplog.h"
#include "replica/ops.h"
#include "replica/shrink.h"
#include "replica/rows.h"

struct shadow {
    struct ovsdb *db; /* NULL until the schema is read. */
    int fd;
    uint64_t off; /* Loaded up to here. */
    uint64_t upto;
    char *schema_text; /* In place of the file's own, or NULL. */
    bool converting;   /* What the schema does not know is left out. */
};

struct shadow *
shadow_create(int fd, uint64_t upto, const char *schema_text)
{
    struct shadow *s = xzalloc(sizeof *s);

    s->fd = fd;
    s->upto = upto;
    s->schema_text = nullable_xstrdup(schema_text);
    return s;
}

void
shadow_convert(struct shadow *s)
{
    s->converting = true;
}

void
shadow_destroy(struct shadow *s)
{
    if (s) {
        ovsdb_destroy(s->db);
        free(s->schema_text);
        free(s);
    }
}

/* Frees up to 'n' rows of 'table'.  Returns how many. */
static size_t
table_discard(struct ovsdb_table *table, size_t n)
{
    struct ovsdb_row *row;
    size_t done = 0;

    HMAP_FOR_EACH_SAFE (row, hmap_node, &table->rows) {
        if (done == n) {
            break;
        }
        hmap_remove(&table->rows, &row->hmap_node);
        ovsdb_row_destroy(row);
        done++;
    }
    return done;
}

bool
shadow_discard(struct shadow *s, size_t n)
{
    struct shash_node *node;

    if (s && s->db) {
        SHASH_FOR_EACH (node, &s->db->tables) {
            n -= table_discard(node->data, n);
            if (!n) {
                return false;
            }
        }
    }
    shadow_destroy(s);
    return true;
}

void
shadow_extend(struct shadow *s, uint64_t upto)
{
    s->upto = upto;
}

uint64_t
shadow_offset(const struct shadow *s)
{
    return s->off;
}

int
shadow_explain(struct ovsdb_error *error, char why[SHADOW_WHY_LEN])
{
    if (error) {
        char *text = ovsdb_error_to_string_free(error);

        ovs_strlcpy(why, text, SHADOW_WHY_LEN);
        free(text);
        return -EINVAL;
    }
    return 0;
}

static int
shadow_load_schema(struct shadow *s, const char *body,
                   char why[SHADOW_WHY_LEN])
{
    struct json *json =
        json_from_string(s->schema_text ? s->schema_text : body);
    struct ovsdb_schema *schema;
    int error;

    error = shadow_explain(ovsdb_schema_from_json(json, &schema), why);
    json_destroy(json);
    if (!error) {
        s->db = ovsdb_create(schema, ovsdb_storage_create_unbacked(NULL));
    }
    return error;
}

static int
shadow_replay(struct shadow *s, const char *body, char why[SHADOW_WHY_LEN])
{
    struct json *json = json_from_string(body);
    struct ovsdb_txn *txn;
    int error;

    error = shadow_explain(
        ovsdb_file_txn_from_json(s->db, json, s->converting, &txn), why);
    json_destroy(json);
    return error ? error : shadow_explain(ovsdb_txn_replay_commit(txn), why);
}

/* Loads one record.  Returns 1, 0 at the end, or a negative errno. */
static int
shadow_load_one(struct shadow *s, char why[SHADOW_WHY_LEN])
{
    struct record_header h;
    char *body;
    int error;

    if (s->off >= s->upto) {
        return 0;
    }
    error = oplog_read_record(s->fd, s->off, &h, &body);
    if (error != 1) {
        snprintf(why, SHADOW_WHY_LEN, "no whole record at offset %" PRIu64,
                 s->off);
        return error ? error : -EBADMSG;
    }
    error =
        s->db ? shadow_replay(s, body, why) : shadow_load_schema(s, body, why);
    free(body);
    s->off += h.header_len + h.body_len;
    return error ? error : 1;
}

int
shadow_load(struct shadow *s, size_t budget, char why[SHADOW_WHY_LEN])
{
    uint64_t stop = s->off + budget;
    int ret;

    do {
        ret = shadow_load_one(s, why);
    } while (ret > 0 && s->off < stop);
    return ret > 0 && s->off >= s->upto ? 0 : ret;
}

const struct ovsdb *
shadow_db(const struct shadow *s)
{
    return s->db;
}

/* In the middle of a transaction, as after it. */
struct shadow_count
shadow_count(const struct shadow *s)
{
    struct shadow_count c = { .rows = 0 };
    struct shash_node *node;

    SHASH_FOR_EACH (node, &s->db->tables) {
        const struct ovsdb_table *table = node->data;
        size_t n = hmap_count(&table->rows);

        c.rows += n;
        c.counted += shrink_counts(node->name) ? n : 0;
    }
    return c;
}

static struct ovsdb_table *
shadow_find_table(const struct shadow *s, const struct rows_row *r)
{
    char name[128];

    if (r->table_len >= sizeof name) {
        return NULL;
    }
    memcpy(name, r->table, r->table_len);
    name[r->table_len] = '\0';
    return ovsdb_get_table(s->db, name);
}

const struct ovsdb_row *
shadow_find_row(const struct shadow *s, const struct rows_row *r)
{
    const struct ovsdb_table *table = shadow_find_table(s, r);
    struct uuid uuid;

    return table && uuid_from_string_prefix(&uuid, r->uuid)
               ? ovsdb_table_get_row(table, &uuid)
               : NULL;
}

/* True if 'row', of Address_Set, is what northd makes by itself. */
static bool
is_own_address_set(const struct ovsdb_row *row)
{
    const struct ovsdb_column *name =
        ovsdb_table_schema_get_column(row->table->schema, "name");
    const struct ovsdb_datum *datum = name ? &row->fields[name->index] : NULL;

    return datum && datum->n == 1 && name->type.key.type == OVSDB_TYPE_STRING
           && !strcmp(json_string(datum->keys[0].s), "svc_monitor_mac");
}

/* True if 'table' holds what neither packages nor an idle northd (23.03)
 * write by themselves. */
static bool
table_has_data(const struct ovsdb_table *table, bool sb)
{
    static const char *const both[] = { "NB_Global", "SB_Global", "Connection",
                                        "SSL" };
    static const char *const sb_only[] = { "RBAC_Role", "RBAC_Permission",
                                           "DHCP_Options", "DHCPv6_Options" };
    const char *name = table->schema->name;
    const struct ovsdb_row *row;

    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        if (!strcmp(name, both[i]) || (sb && !strcmp(name, sb_only[i]))) {
            return false;
        }
    }
    HMAP_FOR_EACH (row, hmap_node, &table->rows) {
        if (!sb || strcmp(name, "Address_Set") || !is_own_address_set(row)) {
            return true;
        }
    }
    return false;
}

bool
shadow_has_data(const struct shadow *s)
{
    bool sb = !strcmp(s->db->schema->name, "OVN_Southbound");
    struct shash_node *node;

    SHASH_FOR_EACH (node, &s->db->tables) {
        if (table_has_data(node->data, sb)) {
            return true;
        }
    }
    return false;
}

/* ---- Records ------------------------------------------------------------- */

struct apply_aux {
    const struct shadow *shadow;
    struct json *ops;
    bool guarded; /* Others write, too. */
    int n;
    struct shadow_effect effect;
    shadow_judge_cb *judge;
    void *judge_aux;
};

static void
put_guard(struct json *ops, const struct ovsdb_row *old,
          const unsigned long int *changed)
{
    struct json *wait = ops_wait(old, changed);

    if (wait) {
        json_array_add(ops, wait);
    }
}

static bool
apply_change(const struct ovsdb_row *old, const struct ovsdb_row *new,
             const unsigned long int *changed, void *aux_)
{
    const struct ovsdb_row *row = new ? new : old;
    struct apply_aux *aux = aux_;

    if (!(old && new) && shrink_counts(row->table->schema->name)) {
        aux->effect.inserted += !old;
        aux->effect.deleted += !new;
    }
    if (old && aux->guarded) {
        put_guard(aux->ops, old, new ? changed : NULL);
    }
    if (old && new) {
        aux->n += ops_put_update(aux->ops, old, new, changed);
    } else {
        json_array_add(aux->ops, new ? ops_insert(new) : ops_delete(old));
        aux->n++;
    }
    return true;
}

static int
shadow_visit_json(struct shadow *s, const struct json *record,
                  shadow_change_cb *each, bool (*may_commit)(void *aux),
                  void *aux, char why[SHADOW_WHY_LEN])
{
    struct ovsdb_txn_progress *progress;
    struct ovsdb_txn *txn;
    int error;

    error = shadow_explain(
        ovsdb_file_txn_from_json(s->db, record, false, &txn), why);
    if (error) {
        return error;
    }
    /* The precommit in it finds out what changes. */
    progress = ovsdb_txn_propose_commit(txn, false);
    error = shadow_explain(
        ovsdb_error_clone(ovsdb_txn_progress_get_error(progress)), why);
    ovsdb_txn_progress_destroy(progress);
    if (!error) {
        ovsdb_txn_for_each_change(txn, each, aux);
        error = may_commit && !may_commit(aux) ? -EDQUOT : 0;
    }
    if (error) {
        ovsdb_txn_abort(txn);
        return error;
    }
    ovsdb_txn_complete(txn);
    return 0;
}

int
shadow_visit(struct shadow *s, const char *body, shadow_change_cb *each,
             bool (*may_commit)(void *aux), void *aux,
             char why[SHADOW_WHY_LEN])
{
    struct json *json = json_from_string(body);
    int error = shadow_visit_json(s, json, each, may_commit, aux, why);

    json_destroy(json);
    return error;
}

static bool
apply_judge(void *aux_)
{
    struct apply_aux *aux = aux_;
    struct shadow_effect *e = &aux->effect;

    e->rows = shadow_count(aux->shadow).counted + e->deleted - e->inserted;
    return aux->judge(e, aux->judge_aux);
}

int
shadow_apply(struct shadow *s, const char *body, struct json *ops,
             shadow_judge_cb *judge, void *judge_aux, char why[SHADOW_WHY_LEN])
{
    struct apply_aux aux = {
        .shadow = s, .ops = ops, .judge = judge, .judge_aux = judge_aux
    };
    int error = shadow_visit(s, body, apply_change, apply_judge, &aux, why);

    return error ? error : aux.n;
}

int
shadow_apply_json(struct shadow *s, const struct json *record,
                  struct json *ops, char why[SHADOW_WHY_LEN])
{
    struct apply_aux aux = { .ops = ops };
    int error = shadow_visit_json(s, record, apply_change, NULL, &aux, why);

    return error ? error : aux.n;
}

int
shadow_apply_guarded(struct shadow *s, const struct json *record,
                     struct json *ops, char why[SHADOW_WHY_LEN])
{
    struct apply_aux aux = { .ops = ops, .guarded = true };
    int error = shadow_visit_json(s, record, apply_change, NULL, &aux, why);

    return error ? error : aux.n;
}

/* ---- Difference ---------------------------------------------------------- */

/* Column indexes differ between two databases of one schema, so columns are
 * matched by name.  Returns how many operations it takes. */
static int
diff_row(const struct ovsdb_row *have, const struct ovsdb_row *want,
         struct json *ops)
{
    unsigned long int *changed;
    struct shash_node *node;
    int n;

    changed = bitmap_allocate(shash_count(&want->table->schema->columns));
    SHASH_FOR_EACH (node, &want->table->schema->columns) {
        const struct ovsdb_column *w = node->data;
        const struct ovsdb_column *h =
            ovsdb_table_schema_get_column(have->table->schema, w->name);

        if (h && ops_has_column(w)
            && !ovsdb_datum_equals(&have->fields[h->index],
                                   &want->fields[w->index], &w->type)) {
            bitmap_set1(changed, w->index);
        }
    }
    n = ops_put_update(ops, NULL, want, changed);
    bitmap_free(changed);
    return n;
}

static void
diff_table(const struct ovsdb_table *have, const struct ovsdb_table *want,
           struct json *ops, struct shadow_diff *d)
{
    bool counts = shrink_counts(have->schema->name);
    const struct ovsdb_row *row, *other;

    d->n_counted += counts ? hmap_count(&have->rows) : 0;
    HMAP_FOR_EACH (row, hmap_node, &have->rows) {
        if (!ovsdb_table_get_row(want, ovsdb_row_get_uuid(row))) {
            json_array_add(ops, ops_delete(row));
            d->n_delete++;
            d->n_counted_delete += counts;
        }
    }
    HMAP_FOR_EACH (row, hmap_node, &want->rows) {
        other = ovsdb_table_get_row(have, ovsdb_row_get_uuid(row));
        if (!other) {
            json_array_add(ops, ops_insert(row));
            d->n_insert++;
        } else {
            d->n_shared++;
            d->n_update += diff_row(other, row, ops);
        }
    }
}

void
shadow_diff(const struct shadow *have, const struct shadow *want,
            struct json *ops, struct shadow_diff *ret)
{
    struct shash_node *node;

    memset(ret, 0, sizeof *ret);
    SHASH_FOR_EACH (node, &want->db->tables) {
        const struct ovsdb_table *h = ovsdb_get_table(have->db, node->name);

        if (h) {
            diff_table(h, node->data, ops, ret);
        }
    }
}
