/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/applier.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "replica/dbserver.h"
#include "replica/oplog.h"
#include "replica/ops.h"
#include "replica/shrink.h"

#define MAX_FLIGHT 64               /* Transactions unanswered. */
#define MAX_FLIGHT_BYTES (8u << 20) /* ... and their records' bytes. */
#define AMPLE_BYTES (64u << 20)     /* Free where the own file is. */
#define DISCARD_ROWS 1000           /* Freed in one round ... */
#define DISCARD_MS 1000             /* ... and not while a role moves. */
#define LOAD_SLICE (64u << 10) /* Some 10 ms, in which nobody is served. */

/* A transaction without its reply. */
struct flight {
    uint64_t id;
    struct ha_pos pos; /* After it. */
    size_t bytes;
    bool durable;
    bool sync; /* Ends a batch, but is not durable itself. */
};

struct applier {
    struct oplog *log;
    struct dbserver *server;
    struct shrink *guard;

    struct shadow *shadow;
    struct oplog_gen *gen;  /* Whose file the shadow was loaded from. */
    bool prepared;          /* The shadow is ahead of the file only by what
                                 * is in flight. */
    bool misfit;            /* A record did not fit it: load it again. */
    uint64_t connection;    /* Of 'server', when it was prepared. */
    uint64_t unsettled;     /* Connection from which on nothing older can
                             * happen. */
    unsigned int n_foreign; /* Foreign records in the shadow. */

    struct flight flights[MAX_FLIGHT];
    size_t first, n;
    size_t flight_bytes;
    bool gathering; /* A durable one is under way: what comes waits. */
    bool loose;     /* What landed last need not be on the disk. */

    struct ha_pos sent, durable;
    uint64_t logged;          /* 'seq' of the last one with a record. */
    bool resyncing;           /* The difference is under way. */
    struct shadow *dying;     /* To be freed ... */
    long long int discard_at; /* ... from then on. */
    char why[SHADOW_WHY_LEN]; /* Failure, or "". */
};

struct applier *
applier_create(struct oplog *log, struct dbserver *server,
               struct shrink *guard)
{
    struct applier *a = xzalloc(sizeof *a);

    a->log = log;
    a->server = server;
    a->guard = guard;
    a->unsettled = 1; /* What an earlier worker has sent. */
    return a;
}

/* Gives up 's', in slices: freeing a large one takes a second. */
static void
applier_discard(struct applier *a, struct shadow *s)
{
    if (s) {
        shadow_destroy(a->dying);
        a->dying = s;
        a->discard_at = time_msec() + DISCARD_MS;
    }
}

static void
applier_run_discard(struct applier *a)
{
    if (!a->dying || time_msec() < a->discard_at) {
        return;
    } else if (shadow_discard(a->dying, DISCARD_ROWS)) {
        a->dying = NULL;
        malloc_trim(0);
    } else {
        poll_immediate_wake();
    }
}

void
applier_drop_shadow(struct applier *a)
{
    applier_discard(a, a->shadow);
    oplog_gen_unref(a->gen);
    a->shadow = NULL;
    a->gen = NULL;
    a->prepared = a->misfit = false;
}

void
applier_forget(struct applier *a)
{
    if (a->n) {
        /* The replies are of no interest any more, and what has not happened
         * yet shall not; until the lock is taken anew it still may. */
        a->unsettled = dbserver_connection(a->server) + 1;
        dbserver_reset(a->server);
    }
    applier_drop_shadow(a);
    a->resyncing = false;
    a->n = 0;
    a->flight_bytes = 0;
    a->gathering = false;
    a->loose = false;
}

void
applier_destroy(struct applier *a)
{
    if (a) {
        applier_forget(a);
        shadow_destroy(a->dying);
        free(a);
    }
}

static int
applier_fail(struct applier *a, const char *why)
{
    if (!a->why[0]) {
        ovs_strlcpy(a->why, why, sizeof a->why);
        ha_log(HA_LOG_WARN, "applier", "%s", a->why);
    }
    applier_forget(a);
    return -EIO;
}

bool
applier_is_settled(const struct applier *a)
{
    return !a->n
           && (dbserver_connection(a->server) >= a->unsettled
               || dbserver_is_absent(a->server));
}

const char *
applier_failure(const struct applier *a)
{
    return a->why[0] ? a->why : NULL;
}

bool
applier_is_busy(const struct applier *a)
{
    return a->n > 0;
}

/* Where the disk may be full each record is durable before the next one is
 * sent: if there is no room for one, the next one, which is smaller, would get
 * in, and the own database had a hole. */
static bool
applier_disk_is_ample(const struct applier *a)
{
    struct statvfs fs;

    return !fstatvfs(a->log->gen->fd, &fs)
           && (uint64_t) fs.f_bavail * fs.f_frsize >= AMPLE_BYTES;
}

bool
applier_has_room(const struct applier *a)
{
    /* While the server syncs a batch, the next one gathers: a batch for each
     * record would make it sync all the time, and what is behind would stay
     * behind. */
    return a->prepared && !a->resyncing
           && (!a->n || (!a->gathering && applier_disk_is_ample(a)));
}

struct ha_pos
applier_position(const struct applier *a)
{
    const struct oplog_gen *gen = a->log->gen;
    struct ha_pos none = { .seq = 0 };

    if (!gen) {
        return none;
    }
    return a->prepared && !a->n && !a->log->n_foreign
                   && gen->end_pos.seq == a->logged
               ? a->sent
               : gen->end_pos;
}

struct ha_pos
applier_sent(const struct applier *a)
{
    return a->sent;
}

struct ha_pos
applier_durable(const struct applier *a)
{
    return a->durable;
}

const struct shadow *
applier_shadow(const struct applier *a)
{
    return a->shadow;
}

bool
applier_is_prepared(const struct applier *a)
{
    return a->prepared;
}

bool
applier_is_loaded(const struct applier *a)
{
    return a->shadow
           && (a->prepared
               || (a->gen == a->log->gen
                   && shadow_offset(a->shadow) == a->log->gen->end));
}

/* ---- Preparation --------------------------------------------------------- */

bool
applier_load(struct applier *a)
{
    struct oplog_gen *gen = a->log->gen;
    int ret;

    if (a->log->state != OPLOG_READY) {
        return false;
    }
    if (a->shadow && a->gen != gen) {
        applier_drop_shadow(a);
    }
    if (!a->shadow) {
        a->gen = oplog_gen_ref(gen);
        a->shadow = shadow_create(gen->fd, gen->end, NULL);
    }
    shadow_extend(a->shadow, gen->end);
    ret = shadow_load(a->shadow, LOAD_SLICE, a->why);
    if (ret < 0) {
        applier_fail(a, "the own file cannot be loaded");
    } else if (ret > 0) {
        poll_immediate_wake();
    }
    return !ret;
}

/* True if the shadow still is what the file holds. */
static bool
applier_is_current(const struct applier *a)
{
    const struct oplog *log = a->log;

    return log->n_foreign == a->n_foreign && log->gen->end_pos.seq == a->logged
           && !memcmp(log->gen->schema, a->gen->schema, sizeof a->gen->schema);
}

bool
applier_prepare(struct applier *a)
{
    if (a->prepared && a->connection != dbserver_connection(a->server)
        && a->n) {
        applier_forget(a);
    }
    if (!dbserver_is_ready(a->server) || a->n || a->resyncing) {
        return false;
    }
    /* Whatever an earlier connection did is in the file by now, but nobody
     * need have synced it. */
    if (oplog_catch_up(a->log) || oplog_sync(a->log)) {
        return false;
    }
    if (a->prepared && (a->misfit || !applier_is_current(a))) {
        applier_forget(a);
    }
    a->connection = dbserver_connection(a->server);
    a->why[0] = '\0';
    if (!a->prepared) {
        if (!applier_load(a)) {
            return false;
        }
        a->prepared = true;
        a->sent = a->durable = a->log->gen->end_pos;
        a->logged = a->sent.seq;
        a->n_foreign = a->log->n_foreign;
    }
    return true;
}

/* ---- Replies ------------------------------------------------------------- */

/* The difference is in. */
static void
applier_resynced(struct applier *a)
{
    a->resyncing = false;
    a->n_foreign = 0;
}

static bool
applier_sync(struct applier *a)
{
    if (oplog_catch_up(a->log) || oplog_sync(a->log)) {
        applier_fail(a, "the own file cannot be synced");
        return false;
    }
    return true;
}

static void
applier_landed(struct applier *a, const struct flight *f)
{
    if (f->sync && !f->durable && !applier_sync(a)) {
        return;
    }
    a->loose = !f->durable && !f->sync;
    if (!a->loose) {
        a->durable = f->pos;
    }
    if (a->resyncing) {
        applier_resynced(a);
    }
    if (f->durable) {
        a->gathering = false;
    }
}

static void
applier_reply(struct applier *a, const struct jsonrpc_msg *msg)
{
    struct flight f = a->flights[a->first];
    const char *error = NULL;
    char why[SHADOW_WHY_LEN];

    if (!a->n || !msg->id || msg->id->type != JSON_INTEGER
        || (uint64_t) json_integer(msg->id) + 1 != f.id) {
        error = "a reply out of order";
    } else {
        error = ops_reply_error(msg);
    }
    if (error) {
        snprintf(why, sizeof why,
                 "record %" PRIu64 " was not applied by the "
                 "own server: %.90s",
                 f.pos.seq, error);
        applier_fail(a, why);
        return;
    }
    a->first = (a->first + 1) % MAX_FLIGHT;
    a->n--;
    a->flight_bytes -= f.bytes;
    applier_landed(a, &f);
}

void
applier_run(struct applier *a)
{
    struct jsonrpc_msg *msg;

    applier_run_discard(a);
    if (a->n && a->connection != dbserver_connection(a->server)) {
        applier_fail(a, "the own server's connection was lost");
    } else if (a->n && !dbserver_is_ready(a->server)) {
        applier_fail(a, "the own server is gone");
    }
    while ((msg = dbserver_recv(a->server))) {
        applier_reply(a, msg);
        jsonrpc_msg_destroy(msg);
    }
}

/* ---- Applying ------------------------------------------------------------ */

static void
add_comment(struct json *params, enum record_kind kind,
            const struct record_comment *comment)
{
    struct json *op = json_object_create();
    char text[RECORD_COMMENT_MAX];

    record_format_comment(kind, comment, text);
    json_object_put_string(op, "op", "comment");
    json_object_put_string(op, "comment", text);
    json_array_add(params, op);
}

static void
add_commit(struct json *params)
{
    struct json *op = json_object_create();

    json_object_put_string(op, "op", "commit");
    json_object_put(op, "durable", json_boolean_create(true));
    json_array_add(params, op);
}

/* Sends 'params', which is consumed. */
static int
applier_send(struct applier *a, struct json *params, const struct ha_pos *pos,
             size_t bytes, bool durable)
{
    struct flight *f = &a->flights[(a->first + a->n) % MAX_FLIGHT];

    if (durable) {
        add_commit(params);
    }
    f->id = dbserver_transact(a->server, params);
    if (!f->id) {
        return applier_fail(a, "the own server is gone");
    }
    f->pos = *pos;
    f->bytes = bytes;
    f->durable = durable;
    f->sync = false;
    a->n++;
    a->flight_bytes += bytes;
    a->gathering = durable;
    a->logged = pos->seq;
    return 0;
}

/* A record without effect leaves no record here: its position holds as soon
 * as all before it is durable. */
static void
applier_skip(struct applier *a, const struct ha_pos *pos, bool last)
{
    if (!a->n) {
        if (!a->loose || applier_sync(a)) {
            a->loose = false;
            a->durable = *pos;
        }
    } else {
        struct flight *f = &a->flights[(a->first + a->n - 1) % MAX_FLIGHT];

        f->pos = *pos;
        f->sync = f->sync || last;
    }
}

struct judge_aux {
    struct applier *applier;
    const struct ha_pos *pos;
    int64_t date_ms;
};

static bool
judge_record(const struct shadow_effect *e, void *aux_)
{
    struct judge_aux *aux = aux_;

    return shrink_may_apply(aux->applier->guard, aux->pos, aux->date_ms,
                            e->rows, e->inserted, e->deleted);
}

/* The record that leads to 'pos' is none for the shadow, which has to prove
 * itself before the next try. */
static int
applier_misfit(struct applier *a, const struct ha_pos *pos, const char *why)
{
    a->misfit = true;
    snprintf(a->why, sizeof a->why,
             "record %" PRIu64 " does not fit the own database: %.110s",
             pos->seq, why);
    return -EPROTO;
}

int
applier_add(struct applier *a, const char *body, const struct ha_pos *pos,
            bool last)
{
    struct record_comment comment = { .pos = *pos, .prev = a->logged };
    struct judge_aux judge = { a, pos, record_find_date(body, strlen(body)) };
    struct json *params = dbserver_begin(a->server);
    char why[SHADOW_WHY_LEN];
    int error = 0;
    int n;

    ovs_assert(applier_has_room(a));
    last = last || a->n + 1 == MAX_FLIGHT || !applier_disk_is_ample(a)
           || a->flight_bytes + strlen(body) >= MAX_FLIGHT_BYTES;
    n = shadow_apply(a->shadow, body, params, judge_record, &judge, why);
    if (n < 0) {
        json_destroy(params);
        /* Ends the batch: what came before is to be durable. */
        applier_skip(a, &a->sent, true);
        return n == -EDQUOT ? n : applier_misfit(a, pos, why);
    }
    a->sent = *pos;
    if (!n) {
        json_destroy(params);
        applier_skip(a, pos, last);
    } else {
        add_comment(params, RECORD_APPLIED, &comment);
        error = applier_send(a, params, pos, strlen(body), last);
    }
    return error;
}

/* Nothing differs, so no record is written, and the position file must say
 * where this is. */
static int
applier_resync_empty(struct applier *a, const struct ha_pos *pos)
{
    if (oplog_set_pos(a->log, pos)) {
        return applier_fail(a, "the position file cannot be written");
    }
    a->logged = pos->seq;
    a->durable = *pos;
    applier_resynced(a);
    return 0;
}

int
applier_resync(struct applier *a, const struct json *record,
               const struct ha_pos *pos)
{
    struct record_comment comment = { .pos = *pos };
    struct json *ops = dbserver_begin(a->server);
    char why[SHADOW_WHY_LEN];
    int n;

    ovs_assert(!a->n && !a->resyncing && a->prepared);
    a->sent = *pos;
    n = shadow_apply_json(a->shadow, record, ops, why);
    if (n <= 0) {
        json_destroy(ops);
        return n ? applier_fail(a, why) : applier_resync_empty(a, pos);
    }
    a->resyncing = true;
    add_comment(ops, RECORD_RESYNC, &comment);
    return applier_send(a, ops, pos, 0, true);
}
