/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/survey.h"

#include <errno.h>
#include <stdlib.h>

#include "openvswitch/hmap.h"
#include "ovsdb.h"
#include "ovsdb/table.h"
#include "row.h"
#include "util.h"
#include "uuid.h"

#include "replica/oplog.h"
#include "replica/rows.h"
#include "replica/shrink.h"

#define SLICE_BYTES (1u << 20) /* In one round, and at least one record. */

/* A row of the own database that the snapshot has, as far as it was read. */
struct kept {
    struct hmap_node node;
    const struct ovsdb_row *row;
};

struct survey {
    int fd;
    uint64_t off, bytes;
    const struct shadow *own;
    uint64_t n_rows, n_shared;
    struct hmap kept;
};

struct survey *
survey_create(int fd, uint64_t bytes, const struct shadow *own)
{
    struct survey *s = xzalloc(sizeof *s);

    s->fd = fd;
    s->bytes = bytes;
    s->own = own;
    hmap_init(&s->kept);
    return s;
}

void
survey_destroy(struct survey *s)
{
    if (s) {
        struct kept *k;

        HMAP_FOR_EACH_POP(k, node, &s->kept)
        {
            free(k);
        }
        hmap_destroy(&s->kept);
        free(s);
    }
}

static struct kept *
survey_find(const struct survey *s, const struct ovsdb_row *row)
{
    struct kept *k;

    HMAP_FOR_EACH_WITH_HASH (k, node, uuid_hash(ovsdb_row_get_uuid(row)),
                             &s->kept) {
        if (k->row == row) {
            return k;
        }
    }
    return NULL;
}

/* Notes that the snapshot has the own 'row', or with 'deleted' no more. */
static void
survey_note(struct survey *s, const struct ovsdb_row *row, bool deleted)
{
    struct kept *k = survey_find(s, row);

    if (k && deleted) {
        hmap_remove(&s->kept, &k->node);
        free(k);
    } else if (!k && !deleted) {
        k = xmalloc(sizeof *k);
        k->row = row;
        hmap_insert(&s->kept, &k->node, uuid_hash(ovsdb_row_get_uuid(row)));
    }
}

static int
survey_take(struct survey *s, const char *body, size_t n)
{
    struct rows_row row;
    struct rows rows;
    int ret;

    rows_init(&rows, body, n);
    while ((ret = rows_next(&rows, &row)) == 1) {
        const struct ovsdb_row *own = shadow_find_row(s->own, &row);

        if (!row.deleted) {
            s->n_rows++;
            s->n_shared += own != NULL;
        }
        if (own) {
            survey_note(s, own, row.deleted);
        }
    }
    return ret;
}

int
survey_run(struct survey *s)
{
    uint64_t stop = s->off + SLICE_BYTES;
    int ret = 0;

    while (!ret && s->off < s->bytes && s->off < stop) {
        struct record_header h;
        char *body;

        if (oplog_read_record(s->fd, s->off, &h, &body) != 1) {
            return -EBADMSG;
        }
        /* The first one is the schema. */
        ret = s->off ? survey_take(s, body, h.body_len) : 0;
        free(body);
        s->off += h.header_len + h.body_len;
    }
    return ret ? ret : s->off < s->bytes;
}

uint64_t
survey_rows(const struct survey *s)
{
    return s->n_rows;
}

uint64_t
survey_shared(const struct survey *s)
{
    return s->n_shared;
}

struct shadow_count
survey_kept(const struct survey *s)
{
    struct shadow_count c = { .rows = hmap_count(&s->kept) };
    const struct kept *k;

    HMAP_FOR_EACH (k, node, &s->kept) {
        c.counted += shrink_counts(k->row->table->schema->name);
    }
    return c;
}
