/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "lib/seq.h"
#include "lib/wire.h"
#include "replica/applier.h"
#include "replica/certs.h"
#include "replica/dbserver.h"
#include "replica/finding.h"
#include "replica/oplog.h"
#include "replica/peers.h"
#include "replica/probe.h"
#include "replica/receiver.h"
#include "replica/sender.h"
#include "replica/shrink.h"
#include "replica/verify.h"

#define SCAN_SLICE (8u << 20) /* Bytes of the own log in one round. */
#define SMALL_FILE (8u << 20) /* May be loaded only to look for data. */
#define POSITION_MS 20        /* Between two reports of a position. */
#define REPORT_MS 1000
#define IDLE_MS 1000 /* A role change that takes longer is none. */
#define MAX_QUEUE 64 /* Messages that the supervisor must get. */

/* How far the numbers jump in a new epoch if the position was lost, so that no
 * position is used twice. */
#define LOST_JUMP (UINT64_C(1) << 32)

struct worker_msg {
    struct wire_hdr hdr;
    union {
        struct wire_r_role role;
        struct wire_r_peers peers;
        struct wire_r_server server;
        struct wire_r_probe probe;
        struct wire_r_consent consent;
        struct wire_r_status status;
        struct wire_r_peer peer;
        struct wire_r_role_done role_done;
        struct wire_r_probed probed;
        struct wire_r_aside aside;
        struct wire_r_verify verify;
        struct wire_r_verification verification;
        struct wire_r_difference difference;
        struct wire_r_install install;
    };
};

struct worker {
    struct worker_config cfg;
    char *points_path;
    struct frame_key key;
    struct certs *certs; /* NULL: no TLS. */
    struct peers peers;
    struct oplog *log;
    struct dbserver *server;
    struct shrink guard;
    struct applier *applier;
    struct receiver *receiver;
    struct sender *sender;
    struct probe *probe;
    struct finding *finding;

    struct wire_r_role role; /* Told last. */
    bool pending;            /* ... and not in effect yet. */
    bool following;          /* FOLLOW: the receiver is at work. */
    long long int role_since;
    bool has_data;
    bool censused; /* ... and that was looked for. */
    bool more_log; /* The own log has more to read. */

    struct worker_msg queue[MAX_QUEUE]; /* For the supervisor. */
    size_t n_queue;
    struct wire_r_status reported;
    long long int next_position, next_report;
    struct wire_r_peer reported_peers[HA_MAX_NODES];
};

/* ---- Creation ------------------------------------------------------------ */

static void
worker_create_parts(struct worker *w)
{
    const struct worker_config *cfg = &w->cfg;
    const char *name = cfg->db == HA_NB ? "nb" : "sb";
    char *differs_path = xasprintf("%s/%s.differs", cfg->state_dir, name);
    struct sender_config sender = {
        .db = cfg->db,
        .self = cfg->self,
        .listen = cfg->listen,
        .certs = w->certs,
        .key = &w->key,
        .peers = &w->peers,
    };
    struct receiver_config receiver = {
        .db = cfg->db,
        .self = cfg->self,
        .certs = w->certs,
        .key = &w->key,
        .peers = &w->peers,
        .state_dir = cfg->state_dir,
        .guard = &w->guard,
        .finding = finding_create(differs_path),
        .file = cfg->file,
        .installs = cfg->fd >= 0,
    };

    shrink_init(&w->guard, cfg->shrink_share, cfg->shrink_rows);
    free(differs_path);
    w->finding = receiver.finding;
    w->points_path = xasprintf("%s/%s.pos", cfg->state_dir, name);
    w->log = oplog_create(cfg->file, w->points_path);
    w->server = dbserver_create(cfg->db, cfg->server);
    w->applier = applier_create(w->log, w->server, &w->guard);
    w->receiver = receiver_create(&receiver, w->log, w->server, w->applier);
    w->sender = sender_create(&sender, w->log);
    w->probe = probe_create(cfg->server);
}

int
worker_create(const struct worker_config *cfg, struct worker **ret)
{
    struct worker *w = xzalloc(sizeof *w);
    int error;

    w->cfg = *cfg;
    w->role.role = WIRE_R_IDLE;
    error = peers_load_key(cfg->key_file, &w->key);
    if (error) {
        ha_log(HA_LOG_ERR, "worker", "the key %s cannot be read: %s",
               cfg->key_file, ovs_strerror(-error));
        free(w);
        return error;
    }
    if (cfg->tls.private_key) {
        w->certs = certs_create(&cfg->tls);
        certs_run(w->certs, time_msec());
    }
    worker_create_parts(w);
    *ret = w;
    return 0;
}

void
worker_destroy(struct worker *w)
{
    if (w) {
        probe_destroy(w->probe);
        sender_destroy(w->sender);
        receiver_destroy(w->receiver);
        applier_destroy(w->applier);
        dbserver_destroy(w->server);
        oplog_destroy(w->log);
        certs_destroy(w->certs);
        finding_destroy(w->finding);
        free(w->points_path);
        free(w);
    }
}

/* ---- To the supervisor --------------------------------------------------- */

static size_t
body_len(enum wire_type type)
{
    switch (type) {
    case WIRE_R_STATUS:
        return sizeof(struct wire_r_status);
    case WIRE_R_PEER:
        return sizeof(struct wire_r_peer);
    case WIRE_R_ROLE_DONE:
        return sizeof(struct wire_r_role_done);
    case WIRE_R_PROBED:
        return sizeof(struct wire_r_probed);
    case WIRE_R_ASIDE:
        return sizeof(struct wire_r_aside);
    case WIRE_R_VERIFICATION:
        return sizeof(struct wire_r_verification);
    case WIRE_R_DIFFERENCE:
        return sizeof(struct wire_r_difference);
    case WIRE_R_INSTALL:
        return sizeof(struct wire_r_install);
    default:
        OVS_NOT_REACHED();
    }
}

static int
worker_send(struct worker *w, enum wire_type type, struct worker_msg *m)
{
    m->hdr.version = WIRE_VERSION;
    m->hdr.type = type;
    m->hdr.len = body_len(type);
    return w->cfg.fd < 0 ? 0
                         : seq_send(w->cfg.fd, m, sizeof m->hdr + m->hdr.len);
}

/* Sends what must not be lost; keeps it if the socket is full. */
static void
worker_post(struct worker *w, enum wire_type type, struct worker_msg *m)
{
    if (w->n_queue || worker_send(w, type, m) == -EAGAIN) {
        if (w->n_queue < MAX_QUEUE) {
            m->hdr.type = type;
            w->queue[w->n_queue++] = *m;
        }
    }
}

static void
worker_flush(struct worker *w)
{
    while (w->n_queue
           && worker_send(w, w->queue[0].hdr.type, &w->queue[0]) != -EAGAIN) {
        w->n_queue--;
        memmove(w->queue, w->queue + 1, w->n_queue * sizeof *w->queue);
    }
}

static void
worker_role_done(struct worker *w, const struct ha_pos *pos, int error)
{
    struct worker_msg m = {
        .role_done = {
            .role = w->role.role,
            .token = w->role.token,
            .pos = *pos,
            .error = error,
        },
    };

    w->pending = false;
    worker_post(w, WIRE_R_ROLE_DONE, &m);
}

/* ---- Roles --------------------------------------------------------------- */

static const char *
role_name(uint32_t role)
{
    return role == WIRE_R_ACTIVE   ? "active"
           : role == WIRE_R_FOLLOW ? "follow"
                                   : "idle";
}

static void
worker_take_role(struct worker *w, const struct wire_r_role *role)
{
    static const struct ha_pos none;

    if (w->pending) {
        worker_role_done(w, &none, -ECANCELED);
    }
    ha_log(HA_LOG_INFO, "worker", "role %s, epoch %" PRIu32 ".%" PRIu32,
           role_name(role->role), role->epoch.n, role->epoch.node);
    if (role->role != WIRE_R_ACTIVE) {
        receiver_park(w->receiver);
        sender_set_active(w->sender, (struct ha_epoch){ .n = 0 });
    } else {
        receiver_stop(w->receiver);
    }
    w->role = *role;
    w->pending = true;
    w->following = false;
    w->role_since = time_msec();
}

/* Where an epoch that begins at 'own' has its base. */
static int
worker_base(const struct worker *w, const struct ha_pos *own,
            struct ha_pos *ret)
{
    const struct wire_r_role *role = &w->role;
    struct oplog *log = w->log;
    bool lost = log->lost.lineage == role->lineage;

    if (!role->lineage || !role->epoch.n) {
        return -EINVAL;
    }
    *ret = *own;
    if (log->damaged) {
        return -EUCLEAN;
    } else if (lost && ha_epoch_cmp(log->lost_epoch, role->epoch) >= 0) {
        return -ENODATA; /* Another file than that which the epoch is of. */
    } else if (!own->lineage) {
        ret->lineage = role->lineage;
        ret->epoch = role->epoch;
        ret->seq = log->n_records + (lost ? log->lost.seq + LOST_JUMP : 0);
        ret->chain = record_chain(role->lineage, log->last_sha1);
    } else if (own->lineage != role->lineage) {
        return -EXDEV;
    } else if (ha_epoch_cmp(own->epoch, role->epoch) > 0) {
        return -ESTALE;
    } else if (log->n_foreign) {
        /* They are part of the truth now, and make it another history. */
        ret->epoch = role->epoch;
        ret->seq += log->n_foreign;
        ret->chain = record_chain(log->foreign_chain, log->last_sha1);
    }
    return 0;
}

static int
worker_become_active(struct worker *w, struct ha_pos *pos)
{
    struct ha_pos base;
    int error = worker_base(w, pos, &base);

    if (error) {
        return error;
    }
    if (w->log->mode != POINTS_ACTIVE || !pos->lineage
        || ha_epoch_cmp(w->log->epoch, w->role.epoch)) {
        error = oplog_begin_active(w->log, &base, w->role.epoch);
        if (error) {
            return error;
        }
        ha_log(HA_LOG_INFO, "worker",
               "epoch %" PRIu32 ".%" PRIu32 " begins at "
               "record %" PRIu64,
               w->role.epoch.n, w->role.epoch.node, base.seq);
        *pos = base;
    }
    finding_clear(w->finding);
    applier_drop_shadow(w->applier);
    sender_set_active(w->sender, w->role.epoch);
    return 0;
}

/* Nothing is taken any more: once nothing is under way, the position is
 * final. */
static void
worker_settle(struct worker *w)
{
    struct ha_pos pos = { .seq = 0 };
    int error = 0;

    if (applier_is_busy(w->applier) || w->log->state == OPLOG_SCANNING
        || (w->log->state == OPLOG_READY && w->log->mode == POINTS_FOLLOW
            && !applier_is_settled(w->applier))) {
        return;
    }
    if (w->log->state == OPLOG_READY) {
        oplog_catch_up(w->log);
        error = oplog_sync(w->log);
        pos = applier_position(w->applier);
    } else if (w->role.role == WIRE_R_ACTIVE) {
        error = -ENOENT;
    }
    if (!error && w->role.role == WIRE_R_ACTIVE) {
        error = worker_become_active(w, &pos);
    }
    worker_role_done(w, &pos, error);
}

static void
worker_begin_following(struct worker *w)
{
    if (w->log->state != OPLOG_READY || applier_is_busy(w->applier)) {
        return;
    }
    oplog_catch_up(w->log);
    if (!oplog_begin_follow(w->log)) {
        receiver_follow(w->receiver, &w->role);
        w->following = true;
        poll_immediate_wake();
    }
}

static void
worker_run_role(struct worker *w)
{
    if (w->pending && w->role.role == WIRE_R_FOLLOW) {
        struct ha_pos pos = applier_position(w->applier);

        worker_role_done(w, &pos, 0);
    } else if (w->pending) {
        worker_settle(w);
    }
    if (w->role.role == WIRE_R_FOLLOW && !w->following) {
        worker_begin_following(w);
    }
}

/* True if the own file is to be loaded although no source is followed yet: to
 * look for data, and to be ready when the own server is.  Not while the role
 * moves: others wait for the rest of this node's log then. */
static bool
worker_wants_load(const struct worker *w)
{
    const struct oplog *log = w->log;

    if (w->pending || log->state != OPLOG_READY
        || applier_is_loaded(w->applier)) {
        return false;
    }
    return w->role.role == WIRE_R_FOLLOW
               ? !dbserver_is_ready(w->server)
               : w->role.role == WIRE_R_IDLE
                     && (!w->censused
                         || time_msec() >= w->role_since + IDLE_MS)
                     && (log->gen->end <= SMALL_FILE
                         || log->mode == POINTS_FOLLOW);
}

/* Looks whether the own database holds more than an empty one.  Until that is
 * known, all but a bare schema counts as data. */
static void
worker_take_census(struct worker *w)
{
    const struct oplog *log = w->log;

    if (worker_wants_load(w)) {
        applier_load(w->applier);
    }
    if (applier_is_loaded(w->applier)) {
        w->has_data = shadow_has_data(applier_shadow(w->applier));
        w->censused = true;
    } else if (!w->censused) {
        w->has_data = log->state == OPLOG_SCANNING
                      || (log->state == OPLOG_READY && log->n_records > 1);
    }
}

/* ---- From the supervisor ------------------------------------------------- */

static void
worker_take_peers(struct worker *w, const struct wire_r_peers *m)
{
    w->peers.n = MIN(m->n, HA_MAX_NODES);
    memcpy(w->peers.nodes, m->nodes, sizeof w->peers.nodes);
    memcpy(w->peers.names, m->names, sizeof w->peers.names);
    for (size_t i = 0; i < HA_MAX_NODES; i++) {
        w->peers.names[i][WIRE_NAME_LEN - 1] = '\0';
    }
    sender_check_peers(w->sender);
}

static void
worker_take_probe(struct worker *w, const struct wire_r_probe *m)
{
    struct worker_msg answer = { .probed = { .token = m->token } };

    if (w->cfg.db == HA_NB && w->role.role == WIRE_R_ACTIVE && !w->pending) {
        probe_begin(w->probe, m->token, m->timeout_ms);
    } else {
        answer.probed.error = -EPERM;
        worker_post(w, WIRE_R_PROBED, &answer);
    }
}

static void
worker_handle(struct worker *w, const struct worker_msg *m)
{
    switch (m->hdr.type) {
    case WIRE_R_ROLE:
        worker_take_role(w, &m->role);
        break;
    case WIRE_R_PEERS:
        worker_take_peers(w, &m->peers);
        break;
    case WIRE_R_SERVER:
        if (m->server.pid) {
            dbserver_hurry(w->server);
        }
        break;
    case WIRE_R_PROBE:
        worker_take_probe(w, &m->probe);
        break;
    case WIRE_R_CONSENT:
        receiver_consent(w->receiver, &m->consent);
        break;
    case WIRE_R_VERIFY:
        receiver_verify(w->receiver, m->verify.token);
        break;
    default:
        ha_log(HA_LOG_WARN, "worker", "message %d is not known", m->hdr.type);
        break;
    }
}

/* Returns false once the supervisor is gone. */
static bool
worker_receive(struct worker *w)
{
    static char buf[SEQ_MSG_MAX];

    while (w->cfg.fd >= 0) {
        ssize_t n = seq_recv(w->cfg.fd, buf, sizeof buf);
        struct worker_msg m;

        if (n == -EAGAIN) {
            break;
        } else if (n < 0) {
            return false;
        }
        memset(&m, 0, sizeof m);
        memcpy(&m, buf, MIN((size_t) n, sizeof m));
        if ((size_t) n >= sizeof m.hdr && m.hdr.version == WIRE_VERSION) {
            worker_handle(w, &m);
        }
    }
    return true;
}

/* ---- Reports ------------------------------------------------------------- */

/* True unless this is the active node and its records are not counted, because
 * its file is not what it was when the epoch began. */
static bool
worker_counts(const struct worker *w)
{
    const struct oplog *log = w->log;

    return w->role.role != WIRE_R_ACTIVE || w->pending
           || (log->mode == POINTS_ACTIVE
               && !ha_epoch_cmp(log->epoch, w->role.epoch));
}

static void
worker_get_log_status(struct worker *w, struct wire_r_status *s)
{
    const struct oplog *log = w->log;

    if (log->state == OPLOG_ABSENT) {
        s->phase = WIRE_RP_NO_FILE;
    } else if (log->state == OPLOG_SCANNING) {
        s->phase = WIRE_RP_LOADING;
    }
    if (log->state == OPLOG_READY && log->gen->end_pos.lineage
        && !log->n_foreign && !log->damaged && !w->finding->differs
        && worker_counts(w)) {
        s->flags |= WIRE_RS_COMPLETE;
    }
    if (log->n_foreign) {
        s->flags |= WIRE_RS_FOREIGN;
    }
    if (w->finding->differs) {
        s->flags |= WIRE_RS_DIFFERS;
    }
    if (log->damaged || !s->why[0]) {
        ovs_strlcpy(s->why, oplog_why(log), sizeof s->why);
    } else if (log->n_foreign && !strstr(s->why, log->foreign_why)) {
        /* Whatever keeps them from giving way, they are to be named. */
        size_t n = strlen(s->why);

        snprintf(s->why + n, sizeof s->why - n, "; %s", log->foreign_why);
    }
    if (!s->why[0]) {
        ovs_strlcpy(s->why, w->finding->why, sizeof s->why);
    }
    if (!s->why[0] && log->state == OPLOG_READY && !worker_counts(w)) {
        ovs_strlcpy(s->why,
                    "the database's file is not the one with which "
                    "this node's epoch began",
                    sizeof s->why);
    }
    s->file_bytes = log->gen ? log->gen->end : 0;
}

/* Nothing is amiss here yet, but the next session cannot be made. */
static void
worker_get_certs_status(const struct worker *w, struct wire_r_status *s)
{
    if (!s->why[0] && w->certs) {
        ovs_strlcpy(s->why, certs_why(w->certs), sizeof s->why);
    }
}

static void
worker_get_status(struct worker *w, struct wire_r_status *s)
{
    memset(s, 0, sizeof *s);
    s->role = w->role.role;
    receiver_get_status(w->receiver, s);
    if (w->role.role != WIRE_R_FOLLOW) {
        s->source = 0;
        memset(&s->head, 0, sizeof s->head);
        s->ask = w->role.role == WIRE_R_ACTIVE ? HA_ASK_NONE : s->ask;
        s->phase = !dbserver_is_ready(w->server)   ? WIRE_RP_NO_SERVER
                   : w->role.role == WIRE_R_ACTIVE ? WIRE_RP_ACTIVE
                                                   : WIRE_RP_IDLE;
    }
    worker_get_log_status(w, s);
    worker_get_certs_status(w, s);
    if (w->has_data) {
        s->flags |= WIRE_RS_HAS_DATA;
    }
    if (dbserver_is_healthy(w->server)) {
        s->flags |= WIRE_RS_SERVER_OK;
    }
    s->server_seen_us = dbserver_seen_us(w->server);
    s->pos = w->role.role == WIRE_R_FOLLOW && applier_is_prepared(w->applier)
                 ? applier_durable(w->applier)
             : w->log->state == OPLOG_READY ? w->log->durable
                                            : (struct ha_pos){ .seq = 0 };
}

/* True if 'a' and 'b' differ in what is worth a report at once. */
static bool
status_turned(const struct wire_r_status *a, const struct wire_r_status *b)
{
    return a->role != b->role || a->phase != b->phase || a->flags != b->flags
           || a->source != b->source || a->ask != b->ask
           || a->ask_seq != b->ask_seq || a->resumes != b->resumes
           || a->snapshots != b->snapshots || strcmp(a->why, b->why);
}

static bool
pos_moved(const struct ha_pos *a, const struct ha_pos *b)
{
    return a->lineage != b->lineage || a->seq != b->seq
           || a->chain != b->chain;
}

static void
worker_report_peers(struct worker *w, bool all)
{
    struct worker_msg m;

    memset(&m, 0, sizeof m);
    for (size_t i = 0;
         i < HA_MAX_NODES && sender_get_peer(w->sender, i, &m.peer); i++) {
        struct wire_r_peer *old = &w->reported_peers[i];

        if ((all || old->node != m.peer.node
             || old->connected != m.peer.connected
             || old->complete != m.peer.complete
             || pos_moved(&old->acked, &m.peer.acked))
            && !worker_send(w, WIRE_R_PEER, &m)) {
            *old = m.peer;
        }
    }
}

static void
worker_report(struct worker *w)
{
    long long int now = time_msec();
    struct worker_msg m;
    bool turned;

    memset(&m, 0, sizeof m);
    if (now >= w->next_position && w->role.role != WIRE_R_FOLLOW) {
        oplog_sync(w->log);
    }
    worker_get_status(w, &m.status);
    turned = status_turned(&m.status, &w->reported);
    if (turned || now >= w->next_report
        || (now >= w->next_position
            && (pos_moved(&m.status.pos, &w->reported.pos)
                || pos_moved(&m.status.head, &w->reported.head)))) {
        if (!worker_send(w, WIRE_R_STATUS, &m)) {
            w->reported = m.status;
        }
        worker_report_peers(w, now >= w->next_report);
        w->next_position = now + POSITION_MS;
        if (now >= w->next_report) {
            w->next_report = now + REPORT_MS;
        }
    } else if (now >= w->next_position) {
        worker_report_peers(w, false);
        w->next_position = now + POSITION_MS;
    }
}

static void
worker_report_probe(struct worker *w)
{
    struct worker_msg m;
    int error;

    memset(&m, 0, sizeof m);
    if (probe_take(w->probe, &m.probed.token, &error, &m.probed.took_ms)) {
        m.probed.error = error;
        worker_post(w, WIRE_R_PROBED, &m);
    }
}

static void
worker_report_aside(struct worker *w)
{
    struct worker_msg m;

    memset(&m, 0, sizeof m);
    if (receiver_take_aside(w->receiver, &m.aside)) {
        worker_post(w, WIRE_R_ASIDE, &m);
    }
}

static void
worker_report_verify(struct worker *w)
{
    struct verify *verify = receiver_get_verify(w->receiver);
    struct worker_msg m;
    enum wire_type type;

    memset(&m, 0, sizeof m);
    while (w->n_queue < MAX_QUEUE / 2
           && (type = verify_take_report(verify, &m.verification,
                                         &m.difference))) {
        worker_post(w, type, &m);
        memset(&m, 0, sizeof m);
    }
}

static void
worker_ask_install(struct worker *w)
{
    struct worker_msg m;

    memset(&m, 0, sizeof m);
    if (receiver_take_install(w->receiver)) {
        m.install.token = w->role.token;
        worker_post(w, WIRE_R_INSTALL, &m);
    }
}

/* ---- The loop ------------------------------------------------------------ */

bool
worker_run(struct worker *w)
{
    if (!worker_receive(w)) {
        return false;
    }
    if (w->certs) {
        certs_run(w->certs, time_msec());
    }
    w->more_log = oplog_run(w->log, SCAN_SLICE);
    dbserver_run(w->server);
    applier_run(w->applier);
    receiver_run(w->receiver);
    worker_run_role(w);
    worker_take_census(w);
    sender_run(w->sender);
    probe_run(w->probe);
    worker_report_probe(w);
    worker_report_aside(w);
    worker_ask_install(w);
    worker_report(w);
    worker_report_verify(w);
    worker_flush(w);
    return true;
}

/* True if what is known of a receiver was not told yet. */
static bool
peers_moved(struct worker *w)
{
    struct wire_r_peer peer;

    for (size_t i = 0;
         i < HA_MAX_NODES && sender_get_peer(w->sender, i, &peer); i++) {
        if (pos_moved(&peer.acked, &w->reported_peers[i].acked)
            || peer.connected != w->reported_peers[i].connected
            || peer.complete != w->reported_peers[i].complete) {
            return true;
        }
    }
    return false;
}

/* True if something is to be told before the next regular report. */
static bool
worker_has_news(struct worker *w)
{
    struct wire_r_status s;

    worker_get_status(w, &s);
    return pos_moved(&s.pos, &w->reported.pos)
           || pos_moved(&s.head, &w->reported.head) || peers_moved(w)
           || (w->log->gen && w->role.role != WIRE_R_FOLLOW
               && w->log->gen->synced != w->log->gen->end);
}

void
worker_wait(struct worker *w)
{
    oplog_wait(w->log, w->more_log);
    dbserver_wait(w->server);
    receiver_wait(w->receiver);
    sender_wait(w->sender);
    probe_wait(w->probe);
    if (w->cfg.fd >= 0) {
        poll_fd_wait(w->cfg.fd, w->n_queue ? POLLIN | POLLOUT : POLLIN);
    }
    poll_timer_wait_until(worker_has_news(w) ? w->next_position
                                             : w->next_report);
}
