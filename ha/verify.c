/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ha/events.h"
#include "ha/group.h"
#include "ha/had.h"
#include "ha/replica.h"
#include "ha/server.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define PUBLISH_US 500000 /* Between two notes of progress. */
#define NOBODY (-1)

enum note_kind {
    NOTE_ASK = 1, /* 'node' is to verify. */
    NOTE_VIEW,    /* 'view' of 'db' of the sender. */
};

/* Sent as it is, like struct ha_msg. */
struct note {
    uint32_t kind; /* enum note_kind. */
    uint32_t node;
    uint32_t request;
    uint32_t recent_s;
    uint32_t db;
    uint32_t reserved;
    struct verify_view view;
};

/* This node's, by database. */
struct own {
    bool wanted;
    struct wire_r_difference found[WIRE_R_DIFFERENCES]; /* As they come. */
    uint32_t n_found;
    bool differs;        /* And was not found equal since. */
    unsigned int starts; /* Of the server, when the verification began. */
    mono_t ended_at;
    mono_t published_at;
};

struct verify {
    struct verify_view views[HA_MAX_NODES][HA_N_DBS]; /* As in the nodelist. */
    struct own own[HA_N_DBS];
    int running;    /* enum ha_db, or NOBODY. */
    uint32_t token; /* Of that. */
    bool scheduled;
    mono_t due; /* If 'scheduled'. */
};

static uint32_t
random_number(void)
{
    uint32_t n = 0;

    while (getrandom(&n, sizeof n, 0) != sizeof n || !n) {
        continue;
    }
    return n;
}

static struct verify_view *
find_view(const struct had *h, uint32_t node, enum ha_db db)
{
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        if (h->cluster.nodes[i].id == node) {
            return &h->verify->views[i][db];
        }
    }
    return NULL;
}

static struct verify_view *
own_view(const struct had *h, enum ha_db db)
{
    return find_view(h, h->cluster.self, db);
}

const struct verify_view *
verify_view(const struct had *h, uint32_t node, enum ha_db db)
{
    return find_view(h, node, db);
}

void
verify_init(struct had *h)
{
    h->verify = ha_calloc(1, sizeof *h->verify);
    h->verify->running = NOBODY;
}

void
verify_close(struct had *h)
{
    free(h->verify);
    h->verify = NULL;
}

/* ---- Telling ------------------------------------------------------------- */

static void
publish(struct had *h, enum ha_db db)
{
    struct note note = { .kind = NOTE_VIEW, .db = db };

    note.view = *own_view(h, db);
    h->verify->own[db].published_at = mono_now();
    group_send_note(h->group, &note, sizeof note);
}

void
verify_group_changed(struct had *h)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        if (own_view(h, db)->last.state != WIRE_RV_NONE) {
            publish(h, db);
        }
    }
}

/* Says that the database differs, and where. */
static void
tell_differs(struct had *h, enum ha_db db, const struct verify_view *v)
{
    char text[512];

    snprintf(text, sizeof text,
             "verify: %" PRIu64 " of %" PRIu64 " rows of %s differ from %s's "
             "at record %" PRIu64 "; this replica may not become active until "
             "they are replaced",
             v->last.n_differ, v->last.rows, ha_db_name(db),
             cluster_name(&h->cluster, v->last.source), v->last.pos.seq);
    events_tell(h, HA_LOG_ERR, "verify", text);
    for (uint32_t i = 0; i < v->n_found; i++) {
        const struct wire_r_difference *d = &v->found[i];

        snprintf(text, sizeof text,
                 "verify: %s, table %s, row %s%s%s: %s on %s, %s here",
                 ha_db_name(db), d->table, d->row,
                 d->column[0] ? ", column " : "", d->column, d->there,
                 cluster_name(&h->cluster, v->last.source), d->here);
        events_tell(h, HA_LOG_ERR, "verify", text);
    }
}

static void
tell_equal(struct had *h, enum ha_db db, const struct wire_r_verification *m)
{
    char text[256];

    snprintf(text, sizeof text,
             "verify: %" PRIu64 " rows of %s in %" PRIu32 " tables equal %s's "
             "at record %" PRIu64,
             m->rows, ha_db_name(db), m->tables,
             cluster_name(&h->cluster, m->source), m->pos.seq);
    if (h->verify->own[db].differs) {
        events_tell(h, HA_LOG_INFO, "verify", text);
    } else {
        ha_log(HA_LOG_INFO, "verify", "%s, in %.2f s",
               text + strlen("verify: "), m->took_ms / 1e3);
    }
}

/* ---- From the worker ----------------------------------------------------- */

void
verify_take_difference(struct had *h, enum ha_db db,
                       const struct wire_r_difference *d)
{
    struct own *own = &h->verify->own[db];
    struct wire_r_difference *to;

    if (own->n_found < WIRE_R_DIFFERENCES) {
        to = &own->found[own->n_found++];
        *to = *d;
        to->table[sizeof to->table - 1] = '\0';
        to->row[sizeof to->row - 1] = '\0';
        to->column[sizeof to->column - 1] = '\0';
        to->there[sizeof to->there - 1] = '\0';
        to->here[sizeof to->here - 1] = '\0';
    }
}

/* The last one of 'db' has ended. */
static void
note_end(struct had *h, enum ha_db db)
{
    struct own *own = &h->verify->own[db];
    struct verify_view *v = own_view(h, db);

    own->ended_at = mono_now();
    if (v->last.state == WIRE_RV_DIFFERS) {
        v->found_ms = v->last.ended_ms;
        v->found_rows = v->last.n_differ;
        v->n_found = own->n_found;
        memcpy(v->found, own->found, sizeof v->found);
        tell_differs(h, db, v);
        own->differs = true;
    } else if (v->last.state == WIRE_RV_EQUAL) {
        tell_equal(h, db, &v->last);
        own->differs = false;
    } else {
        ha_log(HA_LOG_WARN, "verify", "%s could not be verified: %s",
               ha_db_name(db), v->last.why);
    }
    own->n_found = 0;
}

void
verify_take(struct had *h, enum ha_db db, const struct wire_r_verification *m)
{
    struct verify *verify = h->verify;
    struct verify_view *v = own_view(h, db);
    bool ours = verify->running == (int) db && m->token == verify->token;
    bool turned = m->state != v->last.state;

    if (m->token && !ours) {
        return; /* Given up. */
    }
    v->last = *m;
    v->last.why[sizeof v->last.why - 1] = '\0';
    if (m->state >= WIRE_RV_EQUAL) {
        note_end(h, db);
        if (ours) {
            verify->running = NOBODY;
            if (v->request_state == WIRE_RV_RUNNING) {
                v->request_state = m->state;
            }
        }
    }
    if (turned || m->state >= WIRE_RV_EQUAL
        || mono_us_between(verify->own[db].published_at, mono_now())
               > PUBLISH_US) {
        publish(h, db);
    }
}

/* ---- Beginning ----------------------------------------------------------- */

/* Ends what is running, or could not begin. */
static void
give_up(struct had *h, enum ha_db db, const char *why)
{
    struct timespec ts;
    struct wire_r_verification m = { .token = h->verify->token,
                                     .state = WIRE_RV_FAILED };

    clock_gettime(CLOCK_REALTIME, &ts);
    m.ended_ms = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
    snprintf(m.why, sizeof m.why, "%s", why);
    verify_take(h, db, &m);
}

static void
begin(struct had *h, enum ha_db db)
{
    struct verify *verify = h->verify;
    struct verify_view *v = own_view(h, db);
    mono_t at;

    verify->own[db].wanted = false;
    verify->own[db].n_found = 0;
    verify->own[db].starts = server_starts(h->server[db]);
    verify->running = db;
    verify->token = random_number();
    if (v->request_state == WIRE_RV_WAITING) {
        v->request_state = WIRE_RV_RUNNING;
    }
    if (replica_status(h->replica[db], &at)) {
        replica_send_verify(h->replica[db], verify->token);
    } else {
        give_up(h, db, "there is no replica worker");
    }
}

static bool
follows(const struct had *h)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        mono_t at;
        const struct wire_r_status *st = replica_status(h->replica[db], &at);

        if (!st || st->phase != WIRE_RP_FOLLOWING) {
            return false;
        }
    }
    return h->core.state == HA_STANDBY;
}

/* A part of the interval, at random, so that no two nodes go on at the same
 * time for ever. */
static void
schedule(struct verify *verify, double from, double to, int interval_s)
{
    double part = from + (to - from) * random_number() / UINT32_MAX;

    verify->scheduled = true;
    verify->due = mono_add_us(mono_now(), part * interval_s * 1e6);
}

static void
run_schedule(struct had *h)
{
    struct verify *verify = h->verify;
    int interval_s = h->settings->conf->verify_interval_s;

    if (!interval_s || !follows(h)) {
        verify->scheduled = false;
    } else if (!verify->scheduled) {
        schedule(verify, 0, 1, interval_s);
    } else if (!mono_before(mono_now(), verify->due)) {
        schedule(verify, 0.9, 1.1, interval_s);
        for (int db = 0; db < HA_N_DBS; db++) {
            verify->own[db].wanted = true;
        }
    }
}

void
verify_replica_changed(struct had *h, enum ha_db db)
{
    mono_t at;

    if (h->verify->running == (int) db
        && !replica_status(h->replica[db], &at)) {
        give_up(h, db, "the replica worker has ended");
    }
}

void
verify_tick(struct had *h)
{
    struct verify *verify = h->verify;

    run_schedule(h);
    for (int db = 0; db < HA_N_DBS && verify->running == NOBODY; db++) {
        if (verify->own[db].wanted) {
            begin(h, db);
        }
    }
}

/* ---- Between nodes ------------------------------------------------------- */

static bool
is_recent(const struct had *h, enum ha_db db, uint32_t recent_s)
{
    const struct own *own = &h->verify->own[db];

    return own_view(h, db)->last.state == WIRE_RV_EQUAL
           && own->starts == server_starts(h->server[db])
           && mono_us_between(own->ended_at, mono_now())
                  < (int64_t) recent_s * 1000000;
}

/* This node is asked. */
static void
take_ask(struct had *h, const struct note *note)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        struct verify_view *v = own_view(h, db);

        v->request = note->request;
        if (h->verify->running == db) {
            v->request_state = WIRE_RV_RUNNING;
        } else if (is_recent(h, db, note->recent_s)) {
            v->request_state = WIRE_RV_EQUAL;
        } else {
            v->request_state = WIRE_RV_WAITING;
            h->verify->own[db].wanted = true;
        }
        publish(h, db);
    }
}

void
verify_take_note(struct had *h, uint32_t from, const void *data, size_t n)
{
    struct verify_view *v;
    struct note note;

    if (n != sizeof note) {
        return; /* Of other software. */
    }
    memcpy(&note, data, sizeof note);
    if (note.kind == NOTE_ASK && note.node == h->cluster.self) {
        take_ask(h, &note);
    } else if (note.kind == NOTE_VIEW && from != h->cluster.self
               && note.db < HA_N_DBS && note.view.n_found <= WIRE_R_DIFFERENCES
               && (v = find_view(h, from, note.db))) {
        *v = note.view;
    }
}

uint32_t
verify_ask(struct had *h, uint32_t node, uint32_t recent_s)
{
    struct note note = {
        .kind = NOTE_ASK,
        .node = node,
        .request = random_number(),
        .recent_s = recent_s,
    };

    group_send_note(h->group, &note, sizeof note);
    return note.request;
}
