/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/receiver.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "lib/tls.h"
#include "replica/applier.h"
#include "replica/certs.h"
#include "replica/dbserver.h"
#include "replica/finding.h"
#include "replica/link.h"
#include "replica/oplog.h"
#include "replica/resync.h"
#include "replica/schemas.h"
#include "replica/shrink.h"
#include "replica/verify.h"

#define CONNECT_MS 3000 /* For connecting and the handshake. */
#define SILENCE_MS 5000 /* The source has a heartbeat each second. */
#define ROUND_MS 500    /* Counted of a round at most: it wakes more often. */
#define ACK_MS 1000
#define QUEUE_BYTES (16u << 20) /* Records that wait for the applier. */
#define FRAMES 1024             /* Taken in one round. */
#define PROOF_MS 10000          /* Until a repair is verified again. */
#define PARK_MS 1000            /* A session is kept for the next role. */

enum receiver_state {
    RECEIVER_OFF,
    RECEIVER_PARKED,  /* Off, but the session is there. */
    RECEIVER_PREPARE, /* Own server and shadow.  With a session: parked. */
    RECEIVER_CONNECT,
    RECEIVER_CHALLENGE, /* Waits for it. */
    RECEIVER_WELCOME,   /* Said hello. */
    RECEIVER_SCHEMA,
    RECEIVER_ANNOUNCE, /* Waits for the snapshot's begin. */
    RECEIVER_RESYNC,   /* Takes it over. */
    RECEIVER_STREAM,
};

struct queued {
    struct ovs_list node;
    struct ha_pos pos;
    char *body;
    size_t bytes;
};

struct receiver {
    struct receiver_config cfg;
    struct oplog *log;
    struct dbserver *server;
    struct applier *applier;

    enum receiver_state state;
    struct wire_node source;
    uint16_t port;
    uint64_t lineage;
    struct ha_epoch epoch; /* That was told with the role. */
    struct link *link;
    long long int next_try, began, next_ack;
    long long int round; /* When it last looked whether something came... */
    int silent_ms;       /* ...and for how long nothing had. */
    struct frame_hello hello;
    uint8_t hello_body[FRAME_FIXED_MAX];
    enum oplog_found found; /* What the source says of our position. */

    char *schema;       /* The source's. */
    struct ha_pos fork; /* The source's and the own log share; seq 0: not
                         * known. */
    struct resync *resync;

    struct frame_record record; /* Being taken in. */
    char *body;
    size_t body_have;
    struct ha_pos taken;  /* After the last record taken in. */
    struct ha_pos parked; /* After the last one handed to the applier. */
    struct ovs_list queue;
    size_t queue_bytes;

    struct ha_pos head, acked;
    struct verify *verify;
    bool source_verifies;     /* It can. */
    bool repaired;            /* A difference came since the finding. */
    long long int next_proof; /* Of that. */

    uint32_t resumes, snapshots;
    bool failed;      /* 'why' is for good. */
    bool chain;       /* ...: other records than the source's were found. */
    bool asks_reinit; /* Own data are of another lineage. */
    bool reinit;      /* ...and an operator lets them give way. */
    char why[WIRE_WHY_LEN];
};

struct receiver *
receiver_create(const struct receiver_config *cfg, struct oplog *log,
                struct dbserver *server, struct applier *applier)
{
    struct resync_config resync = {
        .db = cfg->db,
        .self = cfg->self,
        .file = cfg->file,
        .state_dir = cfg->state_dir,
        .installs = cfg->installs,
        .guard = cfg->guard,
        .log = log,
        .server = server,
        .applier = applier,
    };
    struct receiver *r = xzalloc(sizeof *r);

    r->cfg = *cfg;
    r->log = log;
    r->server = server;
    r->applier = applier;
    r->verify = verify_create();
    ovs_list_init(&r->queue);
    r->resync = resync_create(&resync);
    return r;
}

/* ---- Ending -------------------------------------------------------------- */

static void
receiver_drop_records(struct receiver *r)
{
    struct queued *q;

    LIST_FOR_EACH_POP(q, node, &r->queue)
    {
        free(q->body);
        free(q);
    }
    r->queue_bytes = 0;
    free(r->body);
    r->body = NULL;
}

static void
receiver_disconnect(struct receiver *r)
{
    link_finish(r->link);
    r->link = NULL;
    resync_stop(r->resync);
    receiver_drop_records(r);
    verify_fail(r->verify, "the connection to the source is lost");
}

/* Ends the session and comes again after 'ms'. */
static void
receiver_again(struct receiver *r, int ms, const char *why)
{
    if (strcmp(r->why, why)) {
        ha_log(HA_LOG_WARN, "receiver", "node %" PRIu32 ": %s", r->source.id,
               why);
    }
    ovs_strlcpy(r->why, why, sizeof r->why);
    receiver_disconnect(r);
    r->state = RECEIVER_PREPARE;
    r->next_try = time_msec() + ms;
}

/* Ends the session for a reason that will not go away by itself. */
static void
receiver_fail(struct receiver *r, const char *why)
{
    receiver_again(r, RETRY_FAILED_MS, why);
    r->failed = true;
}

void
receiver_stop(struct receiver *r)
{
    receiver_disconnect(r);
    r->state = RECEIVER_OFF;
    r->failed = false;
    r->why[0] = '\0';
}

void
receiver_park(struct receiver *r)
{
    if (r->state == RECEIVER_STREAM) {
        verify_fail(r->verify, "this node's role changes");
        r->parked = applier_sent(r->applier);
        r->began = time_msec();
        r->state = RECEIVER_PARKED;
    } else if (r->state != RECEIVER_PARKED) {
        receiver_stop(r);
    }
}

void
receiver_destroy(struct receiver *r)
{
    if (r) {
        receiver_stop(r);
        verify_destroy(r->verify);
        resync_destroy(r->resync);
        free(r->schema);
        free(r);
    }
}

void
receiver_follow(struct receiver *r, const struct wire_r_role *role)
{
    if (r->state != RECEIVER_PARKED || r->lineage != role->lineage
        || r->port != role->source_port
        || memcmp(&r->source, &role->source, sizeof r->source)) {
        receiver_stop(r);
    }
    r->source = role->source;
    r->port = role->source_port;
    r->lineage = role->lineage;
    r->epoch = role->epoch;
    r->state = RECEIVER_PREPARE;
    r->next_try = 0;
    memset(&r->head, 0, sizeof r->head);
    r->asks_reinit = r->reinit = r->chain = false;
    shrink_begin(r->cfg.guard, role->epoch);
}

/* The guard has stopped what the source sent.  No more is taken before an
 * operator says so, or another epoch begins: to connect again would make the
 * active count on this node. */
static void
receiver_hold(struct receiver *r)
{
    const struct shrink_event *e = shrink_asks(r->cfg.guard);
    char why[WIRE_WHY_LEN];

    snprintf(why, sizeof why,
             "stopped before record %" PRIu64 " of the source: %" PRIu64
             " of %" PRIu64 " rows would be gone",
             e->pos.seq, e->lost, e->rows);
    if (!r->failed || strcmp(r->why, why)) {
        ha_log(HA_LOG_ERR, "receiver", "node %" PRIu32 ": %s", r->source.id,
               why);
        ovs_strlcpy(r->why, why, sizeof r->why);
    }
    receiver_fail(r, why);
}

void
receiver_consent(struct receiver *r, const struct wire_r_consent *m)
{
    bool taken = m->ask == HA_ASK_SHRINK
                     ? shrink_accept(r->cfg.guard, m->until)
                     : m->ask == HA_ASK_REINIT && r->asks_reinit;

    if (!taken) {
        ha_log(HA_LOG_WARN, "receiver",
               "an operator lets pass what is not asked for (any more)");
        return;
    }
    r->reinit = r->reinit || m->ask == HA_ASK_REINIT;
    r->asks_reinit = false;
    ha_log(HA_LOG_WARN, "receiver",
           "node %" PRIu32 ": %s, as an operator says", r->source.id,
           r->reinit ? "own data of another lineage give way"
                     : "what removes most of the rows may pass");
    r->failed = false;
    r->why[0] = '\0';
    r->next_try = 0;
}

/* True if what the own file holds is to be replaced, wherever it stands. */
static bool
receiver_needs_repair(const struct receiver *r)
{
    return r->log->n_foreign || r->log->damaged
           || (r->cfg.finding->differs && !r->repaired);
}

/* From now on the source's records are taken. */
static void
receiver_begin_stream(struct receiver *r)
{
    r->acked = (struct ha_pos){ .seq = 0 };
    r->next_ack = 0;
    r->failed = false;
    r->why[0] = '\0';
    r->state = RECEIVER_STREAM;
}

/* ---- Handshake ----------------------------------------------------------- */

static void
receiver_connect(struct receiver *r)
{
    struct stream *stream;
    char *name;
    int error;

    if (r->cfg.certs && !certs_tls(r->cfg.certs)) {
        receiver_again(r, RETRY_OWN_MS, certs_why(r->cfg.certs));
        return;
    }
    name = peers_stream_name(&r->source, r->port);
    error = stream_open(name, &stream, DSCP_DEFAULT);
    free(name);
    if (error) {
        receiver_again(r, RETRY_MS, "the source cannot be reached");
        return;
    }
    r->link = link_create(stream, r->cfg.certs ? tls_session_create(
                                      certs_tls(r->cfg.certs), false)
                                               : NULL);
    r->began = time_msec();
    r->state = RECEIVER_CONNECT;
}

static bool
receiver_parked_too_long(const struct receiver *r)
{
    return time_msec() >= r->began + PARK_MS;
}

/* A session was parked.  Goes on with it if nothing has happened since. */
static void
receiver_unpark(struct receiver *r)
{
    struct ha_pos own = applier_sent(r->applier);

    if (receiver_needs_repair(r) || memcmp(&own, &r->parked, sizeof own)) {
        receiver_disconnect(r);
        receiver_connect(r);
        return;
    }
    ha_log(HA_LOG_INFO, "receiver",
           "goes on with node %" PRIu32 " at record %" PRIu64, r->source.id,
           own.seq);
    receiver_begin_stream(r);
}

static void
receiver_prepare(struct receiver *r)
{
    const struct ha_pos *own;

    if (r->link && receiver_parked_too_long(r)) {
        receiver_disconnect(r);
    }
    if (time_msec() < r->next_try || !applier_prepare(r->applier)) {
        return;
    }
    if (shrink_asks(r->cfg.guard)) {
        receiver_hold(r);
        return;
    }
    own = &r->log->gen->end_pos;
    if (own->lineage && r->lineage && own->lineage != r->lineage && !r->reinit
        && shadow_has_data(applier_shadow(r->applier))) {
        r->asks_reinit = true;
        receiver_fail(r, "the own database is of another lineage and has "
                         "data; it does not give way by itself");
        return;
    }
    if (r->link) {
        receiver_unpark(r);
    } else {
        receiver_connect(r);
    }
}

/* The connection stands: with TLS, makes sure that it is the source's. */
static void
receiver_begin(struct receiver *r)
{
    const struct tls_session *tls = link_tls(r->link);
    char why[WIRE_WHY_LEN];

    r->state = RECEIVER_CHALLENGE;
    if (!tls) {
        link_send(r->link, FRAME_KNOCK, NULL, 0, NULL, 0);
    } else if (!peers_allow(r->cfg.peers, link_name(r->link), r->source.id,
                            tls)) {
        snprintf(why, sizeof why,
                 "the source's certificate is of \"%.40s\", and neither of "
                 "its name nor of its address",
                 tls_session_name(tls));
        receiver_fail(r, why);
    }
}

/* The connection is lost. */
static void
receiver_lost(struct receiver *r)
{
    char why[WIRE_WHY_LEN];

    if (*link_why(r->link)) {
        snprintf(why, sizeof why, "no TLS with the source: %.130s",
                 link_why(r->link));
        receiver_fail(r, why);
    } else {
        receiver_again(r, RETRY_MS, "the connection to the source is lost");
    }
}

static void
receiver_say_hello(struct receiver *r, const struct link_frame *f)
{
    struct frame_hello *h = &r->hello;
    struct frame_challenge m;
    size_t n;

    if (frame_get_challenge(f->body, f->n, &m) || m.version != FRAME_VERSION) {
        receiver_fail(r, "the source speaks another version of the protocol");
        return;
    }
    memset(h, 0, sizeof *h);
    h->version = FRAME_VERSION;
    h->caps = FRAME_CAP_VERIFY | (r->cfg.key->present ? FRAME_CAP_KEY : 0);
    h->db = r->cfg.db;
    h->node = r->cfg.self;
    h->epoch = r->epoch;
    h->pos = applier_sent(r->applier);
    h->flags = receiver_needs_repair(r) ? FRAME_HELLO_SNAPSHOT : 0;
    memset(&r->fork, 0, sizeof r->fork);
    r->source_verifies = m.caps & FRAME_CAP_VERIFY;
    ha_random_bytes(h->nonce, sizeof h->nonce);
    n = frame_put_hello(r->hello_body, h);
    frame_mac(r->cfg.key, "ovn-ha replica hello 1", f->body,
              FRAME_CHALLENGE_LEN, r->hello_body, n, h->mac);
    n = frame_put_hello(r->hello_body, h);
    link_send(r->link, FRAME_HELLO, r->hello_body, n, NULL, 0);
    r->state = RECEIVER_WELCOME;
}

static void
receiver_welcome(struct receiver *r, const struct link_frame *f)
{
    struct frame_welcome m;

    if (frame_get_welcome(f->body, f->n, &m)) {
        receiver_again(r, RETRY_MS, "the source's welcome is garbled");
        return;
    }
    if (!frame_mac_is(r->cfg.key, "ovn-ha replica welcome 1", r->hello_body,
                      FRAME_HELLO_LEN, f->body, FRAME_WELCOME_LEN, m.mac)) {
        receiver_fail(r, "the source does not have our key");
    } else if (m.node != r->source.id) {
        receiver_fail(r, "the source is another node than it should be");
    } else if (r->lineage && m.head.lineage != r->lineage) {
        receiver_fail(r, "the source is of another lineage");
    } else {
        r->found = m.found;
        r->head = m.head;
        r->state = RECEIVER_SCHEMA;
    }
}

/* The own database gets the source's schema, which has all that is here; then
 * the own file is another, and all begins anew. */
static void
receiver_convert(struct receiver *r, const char *intent)
{
    char *refusal = dbserver_take_refusal(r->server);
    char why[WIRE_WHY_LEN];

    if (refusal) {
        snprintf(why, sizeof why,
                 "the own database does not convert to the source's schema: "
                 "%.95s",
                 refusal);
        free(refusal);
        receiver_fail(r, why);
        return;
    }
    dbserver_convert(r->server, r->schema);
    ovs_strlcpy(why, r->failed ? r->why : intent, sizeof why);
    receiver_again(r, RETRY_MS, why);
}

static void
receiver_schema(struct receiver *r, const struct link_frame *f)
{
    char why[WIRE_WHY_LEN];
    enum schemas_fit fit;

    free(r->schema);
    r->schema = xmemdup0((const char *) f->body, f->n);
    fit = schemas_fit(dbserver_schema(r->server), r->schema, why);
    if (fit == SCHEMAS_REFUSE) {
        receiver_fail(r, why);
    } else if (fit == SCHEMAS_CONVERT) {
        receiver_convert(r, why);
    } else if (r->found == OPLOG_FOUND) {
        r->resumes++;
        ha_log(HA_LOG_INFO, "receiver",
               "resumed from node %" PRIu32 " at "
               "record %" PRIu64,
               r->source.id, r->hello.pos.seq);
        r->taken = r->hello.pos;
        receiver_begin_stream(r);
    } else {
        r->state = RECEIVER_ANNOUNCE;
    }
}

/* ---- Snapshot ------------------------------------------------------------ */

/* The snapshot is the own database now. */
static void
receiver_resynced(struct receiver *r, bool installed)
{
    resync_stop(r->resync);
    r->repaired = true;
    r->chain = false;
    r->next_proof = 0;
    if (!installed) {
        r->taken = applier_sent(r->applier);
        receiver_begin_stream(r);
        return;
    }
    r->why[0] = '\0';
    r->state = RECEIVER_PREPARE;
    r->next_try = 0;
}

static void
receiver_heed(struct receiver *r, enum resync_outcome outcome)
{
    switch (outcome) {
    case RESYNC_GOES_ON:
        break;
    case RESYNC_OFFERED:
        link_finish(r->link);
        r->link = NULL;
        break;
    case RESYNC_APPLIED:
    case RESYNC_INSTALLED:
        receiver_resynced(r, outcome == RESYNC_INSTALLED);
        break;
    case RESYNC_AGAIN:
        receiver_again(r, resync_retry_ms(r->resync), resync_why(r->resync));
        break;
    case RESYNC_REFUSED:
        receiver_fail(r, resync_why(r->resync));
        break;
    case RESYNC_HELD:
        receiver_hold(r);
        break;
    }
}

/* The own position is the source's, and the records that led to it are not: an
 * epoch has but one writer, so that a disk, a person or an error of ours has
 * changed one of them.  Nothing that was made of them is to be believed, here
 * or after a restart, before all of it was compared with the source's. */
static void
receiver_found_other_records(struct receiver *r, const char *why)
{
    finding_set(r->cfg.finding, why);
    r->repaired = false;
    applier_forget(r->applier);
    ha_log(HA_LOG_ERR, "receiver", "node %" PRIu32 ": %s", r->source.id, why);
    ovs_strlcpy(r->why, why, sizeof r->why);
    receiver_fail(r, why);
    r->chain = true;
}

/* True if the source has the own position, but by other records. */
static bool
receiver_has_other_records(const struct receiver *r)
{
    return r->found == OPLOG_DIFFERS && r->fork.lineage
           && !ha_pos_cmp(&r->fork, &r->hello.pos);
}

static void
receiver_begin_resync(struct receiver *r, const struct link_frame *f)
{
    struct resync_source source = {
        .node = r->source.id,
        .schema = r->schema,
        .found = r->found,
        .fork = r->fork,
        .reinit = r->reinit,
        .differs = r->cfg.finding->differs && !r->repaired,
    };
    enum resync_outcome outcome;
    char why[WIRE_WHY_LEN];

    if (receiver_has_other_records(r)) {
        snprintf(why, sizeof why,
                 "own record %" PRIu64 ", or one before it, is another than "
                 "the source's",
                 r->hello.pos.seq);
        receiver_found_other_records(r, why);
    } else if (r->hello.pos.lineage == r->lineage
               && ha_epoch_cmp(r->hello.pos.epoch, r->epoch) > 0) {
        receiver_fail(r, "the own data is of a later epoch than the source's; "
                         "it does not give way");
    } else if (frame_get_snapshot(f->body, f->n, &source.snapshot)
               || !source.snapshot.pos.lineage || !source.snapshot.bytes) {
        receiver_again(r, RETRY_MS, "the source's snapshot is garbled");
    } else {
        r->state = RECEIVER_RESYNC;
        outcome = resync_begin(r->resync, &source);
        r->snapshots += outcome == RESYNC_GOES_ON;
        receiver_heed(r, outcome);
    }
}

bool
receiver_take_install(struct receiver *r)
{
    return resync_take_install(r->resync);
}

bool
receiver_take_aside(struct receiver *r, struct wire_r_aside *ret)
{
    return resync_take_aside(r->resync, ret);
}

/* ---- Records ------------------------------------------------------------- */

/* A record is complete. */
static void
receiver_take_record(struct receiver *r)
{
    const struct frame_record *m = &r->record;
    uint8_t sha1[DIGEST_SHA1_LEN];
    struct queued *q;

    digest_sha1(r->body, m->bytes, sha1);
    if (memcmp(sha1, m->sha1, sizeof sha1)) {
        receiver_again(r, RETRY_MS, "a record of the source is damaged");
        return;
    }
    q = xmalloc(sizeof *q);
    q->pos = m->pos;
    q->bytes = m->bytes;
    q->body = r->body;
    q->body[q->bytes] = '\0';
    r->body = NULL;
    r->taken = m->pos;
    r->queue_bytes += q->bytes;
    ovs_list_push_back(&r->queue, &q->node);
}

/* True if a record with 'm' can follow what was taken last. */
static bool
record_follows(const struct receiver *r, const struct frame_record *m)
{
    struct ha_pos next;

    if (m->pos.lineage != r->taken.lineage) {
        return false;
    }
    if (m->flags & FRAME_RECORD_RELAYED) {
        return m->pos.seq > r->taken.seq;
    }
    next = record_next_pos(&r->taken, m->pos.epoch, m->sha1);
    return m->pos.seq == next.seq && m->pos.chain == next.chain;
}

static void
receiver_record(struct receiver *r, const struct link_frame *f)
{
    struct frame_record *m = &r->record;
    size_t n = f->n - FRAME_RECORD_LEN;

    if (r->body || frame_get_record(f->body, f->n, m)) {
        receiver_again(r, RETRY_MS, "a record of the source is garbled");
        return;
    }
    if (!record_follows(r, m)) {
        receiver_again(r, RETRY_MS,
                       "the source's records do not continue "
                       "what is here");
        return;
    }
    r->body = xmalloc(m->bytes + 1);
    memcpy(r->body, f->body + FRAME_RECORD_LEN, n);
    r->body_have = n;
    if (n == m->bytes) {
        receiver_take_record(r);
    }
}

static void
receiver_more(struct receiver *r, const struct link_frame *f)
{
    if (!r->body || f->n > r->record.bytes - r->body_have) {
        receiver_again(r, RETRY_MS, "a record of the source is garbled");
        return;
    }
    memcpy(r->body + r->body_have, f->body, f->n);
    r->body_have += f->n;
    if (r->body_have == r->record.bytes) {
        receiver_take_record(r);
    }
}

/* Hands over what the applier takes. */
static void
receiver_feed(struct receiver *r)
{
    while (!ovs_list_is_empty(&r->queue) && applier_has_room(r->applier)) {
        struct queued *q =
            CONTAINER_OF(ovs_list_pop_front(&r->queue), struct queued, node);
        bool last = ovs_list_is_empty(&r->queue);
        int error = applier_add(r->applier, q->body, &q->pos, last);

        r->queue_bytes -= q->bytes;
        free(q->body);
        free(q);
        if (error == -EDQUOT) {
            receiver_hold(r);
        } else if (error == -EPROTO) {
            receiver_fail(r, applier_failure(r->applier));
        }
        if (error) {
            return;
        }
    }
}

/* Says what is durable here; before the records flow, no more than that this
 * node lives. */
static void
receiver_ack(struct receiver *r)
{
    struct ha_pos pos = { .seq = 0 };
    uint8_t body[FRAME_FIXED_MAX];

    if (r->state == RECEIVER_STREAM) {
        pos = applier_durable(r->applier);
    }
    if (pos.seq != r->acked.seq || time_msec() >= r->next_ack) {
        link_send(r->link, FRAME_ACK, body, frame_put_pos(body, &pos), NULL,
                  0);
        r->acked = pos;
        r->next_ack = time_msec() + ACK_MS;
    }
}

/* ---- Verification -------------------------------------------------------- */

/* The own file is not what the log says.  So nothing that was made of it is to
 * be believed, and the source's whole content is compared with what the file
 * really holds. */
static void
receiver_found_difference(struct receiver *r)
{
    bool again = r->cfg.finding->differs && !verify_token(r->verify);
    char why[WIRE_WHY_LEN];

    verify_describe(r->verify, why);
    finding_set(r->cfg.finding, why);
    if (again) {
        ha_log(HA_LOG_ERR, "receiver",
               "the repair did not help; the own server has to be started "
               "anew, or the next verification tries once more");
        r->next_proof = LLONG_MAX;
        return;
    }
    r->repaired = false;
    applier_forget(r->applier);
    receiver_again(r, 0, why);
}

/* What was repaired is verified, too. */
static void
receiver_want_proof(struct receiver *r)
{
    if (!r->source_verifies) {
        finding_clear(r->cfg.finding);
    } else if (!verify_is_wanted(r->verify) && time_msec() >= r->next_proof) {
        r->next_proof = time_msec() + PROOF_MS;
        verify_want(r->verify, 0);
    }
}

static void
receiver_run_verify(struct receiver *r)
{
    if (r->cfg.finding->differs && r->repaired) {
        receiver_want_proof(r);
    }
    switch (verify_run(r->verify, r->log, r->link, r->source.id)) {
    case WIRE_RV_DIFFERS:
        receiver_found_difference(r);
        break;
    case WIRE_RV_EQUAL:
        finding_clear(r->cfg.finding);
        break;
    default:
        break;
    }
}

void
receiver_verify(struct receiver *r, uint32_t token)
{
    verify_want(r->verify, token);
    if (r->state != RECEIVER_STREAM) {
        verify_fail(r->verify, "this node does not follow the active now");
    } else if (!r->source_verifies) {
        verify_fail(r->verify, "the active's ovn-ha cannot do that yet");
    }
}

struct verify *
receiver_get_verify(struct receiver *r)
{
    return r->verify;
}

/* ---- Streaming ----------------------------------------------------------- */

static void
receiver_stream(struct receiver *r)
{
    receiver_feed(r);
    if (r->state != RECEIVER_STREAM) {
        return;
    } else if (applier_failure(r->applier)) {
        receiver_again(r, RETRY_OWN_MS, applier_failure(r->applier));
    } else if (!dbserver_is_ready(r->server)) {
        receiver_again(r, 0, "the own server is gone");
    } else if (r->log->n_foreign || r->log->damaged) {
        receiver_again(r, 0, oplog_why(r->log));
    } else if (r->log->state == OPLOG_READY && !r->log->gen->end_pos.lineage) {
        receiver_again(r, 0, "the own file was replaced");
    } else if (receiver_needs_repair(r)) {
        receiver_again(r, 0, r->cfg.finding->why);
    } else {
        receiver_ack(r);
        receiver_run_verify(r);
    }
}

/* ---- Frames -------------------------------------------------------------- */

static void
receiver_heartbeat(struct receiver *r, const struct link_frame *f)
{
    struct ha_pos head;

    if (!frame_get_pos(f->body, f->n, &head)) {
        r->head = head;
    }
}

static void
receiver_fork(struct receiver *r, const struct link_frame *f)
{
    struct ha_pos fork;

    if (!frame_get_pos(f->body, f->n, &fork)) {
        r->fork = fork;
    }
}

static void
receiver_refused(struct receiver *r, const struct link_frame *f)
{
    char why[WIRE_WHY_LEN] = "the source refuses";
    struct frame_refuse m = { .code = 0 };

    if (!frame_get_refuse(f->body, f->n, &m)) {
        snprintf(why, sizeof why, "the source refuses: %.130s", m.text);
    }
    switch (m.code) {
    case FRAME_NOT_READY:
    case FRAME_CHANGED:
    case FRAME_NO_MEMBER:
        receiver_again(r, RETRY_MS, why);
        break;
    case FRAME_BAD_CHAIN:
        receiver_found_other_records(r, why);
        break;
    default:
        receiver_fail(r, why);
        break;
    }
}

/* The type of frame that is awaited in each state of the handshake; 0: any. */
static enum frame_type
receiver_awaits(const struct receiver *r)
{
    switch (r->state) {
    case RECEIVER_CHALLENGE:
        return FRAME_CHALLENGE;
    case RECEIVER_WELCOME:
        return FRAME_WELCOME;
    case RECEIVER_SCHEMA:
        return FRAME_SCHEMA;
    case RECEIVER_ANNOUNCE:
        return FRAME_SNAPSHOT;
    case RECEIVER_RESYNC:
        return FRAME_DATA;
    default:
        return 0;
    }
}

static void
receiver_take(struct receiver *r, const struct link_frame *f)
{
    bool awaited = f->type == receiver_awaits(r);

    if (f->type == FRAME_REFUSE) {
        receiver_refused(r, f);
    } else if (f->type == FRAME_HEARTBEAT) {
        receiver_heartbeat(r, f);
    } else if (f->type == FRAME_FORK) {
        receiver_fork(r, f);
    } else if (f->type == FRAME_CHALLENGE && awaited) {
        receiver_say_hello(r, f);
    } else if (f->type == FRAME_WELCOME && awaited) {
        receiver_welcome(r, f);
    } else if (f->type == FRAME_SCHEMA && awaited) {
        receiver_schema(r, f);
    } else if (f->type == FRAME_SNAPSHOT && awaited) {
        receiver_begin_resync(r, f);
    } else if (f->type == FRAME_DATA && awaited) {
        receiver_heed(r, resync_take(r->resync, f->body, f->n));
    } else if (f->type == FRAME_RECORD && r->state == RECEIVER_STREAM) {
        receiver_record(r, f);
    } else if (f->type == FRAME_MORE && r->state == RECEIVER_STREAM) {
        receiver_more(r, f);
    } else if (f->type == FRAME_VERIFY_TEXT) {
        verify_take(r->verify, f);
    } else if (!(f->type & FRAME_OPTIONAL)) {
        receiver_fail(r, "the source sends what is not understood");
    }
}

/* True while frames can be taken: not while the session is parked, nor while
 * the difference is made, when what comes must wait, nor with too much in the
 * queue. */
static bool
receiver_is_open(const struct receiver *r)
{
    return r->link && r->state > RECEIVER_PREPARE
           && (r->state != RECEIVER_RESYNC || resync_is_open(r->resync))
           && r->queue_bytes < QUEUE_BYTES;
}

/* Notes for how long the source has been silent.  If this process stood still
 * itself, that was no silence: what the source says, or TCP repeats, arrives
 * only now. */
static void
receiver_note_silence(struct receiver *r)
{
    long long int now = time_msec();

    if (!receiver_is_open(r) || link_heard(r->link) >= r->round) {
        r->silent_ms = 0;
    } else {
        r->silent_ms += MIN(now - r->round, ROUND_MS);
    }
    r->round = now;
}

static bool
receiver_is_late(const struct receiver *r)
{
    return r->state < RECEIVER_ANNOUNCE ? time_msec() - r->began > CONNECT_MS
                                        : r->silent_ms > SILENCE_MS;
}

static void
receiver_run_link(struct receiver *r)
{
    struct link_frame f;
    int ret = 0;

    if (link_run(r->link)) {
        receiver_lost(r);
        return;
    }
    if (r->state == RECEIVER_CONNECT && link_is_connected(r->link)) {
        receiver_begin(r);
    }
    for (int i = 0; i < FRAMES && receiver_is_open(r); i++) {
        ret = link_recv(r->link, &f);
        if (ret <= 0) {
            break;
        }
        receiver_take(r, &f);
    }
    if (!r->link) {
        return;
    }
    receiver_note_silence(r);
    if (ret < 0) {
        receiver_lost(r);
    } else if (receiver_is_late(r)) {
        receiver_again(r, RETRY_MS, "the source is silent");
    }
}

void
receiver_run(struct receiver *r)
{
    if (r->state == RECEIVER_PARKED) {
        if (link_run(r->link) || receiver_parked_too_long(r)) {
            receiver_stop(r);
        }
        return;
    }
    if (r->state == RECEIVER_PREPARE) {
        receiver_prepare(r);
    }
    if (r->link && r->state > RECEIVER_PREPARE) {
        receiver_run_link(r);
    }
    switch (r->state) {
    case RECEIVER_RESYNC:
        receiver_heed(r, resync_run(r->resync));
        break;
    case RECEIVER_STREAM:
        receiver_stream(r);
        break;
    default:
        break;
    }
    if (r->link && r->state > RECEIVER_SCHEMA && r->state < RECEIVER_STREAM) {
        receiver_ack(r);
    }
    if (r->link) {
        link_run(r->link);
    }
}

void
receiver_wait(struct receiver *r)
{
    if (r->state == RECEIVER_PREPARE) {
        poll_timer_wait_until(MAX(r->next_try, time_msec() + 20));
    } else if (r->state == RECEIVER_RESYNC) {
        resync_wait(r->resync);
    }
    if (r->link) {
        link_wait(r->link, receiver_is_open(r));
        poll_timer_wait(200); /* Enough for PARK_MS, too. */
        if (r->state == RECEIVER_STREAM) {
            verify_wait(r->verify);
        }
    }
}

static enum wire_r_phase
receiver_phase(const struct receiver *r)
{
    if (r->failed) {
        return WIRE_RP_FAILED;
    }
    switch (r->state) {
    case RECEIVER_STREAM:
        return WIRE_RP_FOLLOWING;
    case RECEIVER_ANNOUNCE:
    case RECEIVER_RESYNC:
        return WIRE_RP_SNAPSHOT;
    case RECEIVER_PREPARE:
        return !dbserver_is_ready(r->server)    ? WIRE_RP_NO_SERVER
               : !applier_is_loaded(r->applier) ? WIRE_RP_LOADING
                                                : WIRE_RP_CONNECTING;
    default:
        return WIRE_RP_CONNECTING;
    }
}

static void
receiver_get_ask(const struct receiver *r, struct wire_r_status *s)
{
    const struct shrink_event *e = shrink_asks(r->cfg.guard);

    if (e) {
        s->ask = HA_ASK_SHRINK;
        s->ask_seq = e->pos.seq;
        s->ask_rows = e->rows;
        s->ask_lost = e->lost;
    } else if (r->asks_reinit) {
        s->ask = HA_ASK_REINIT;
    }
}

void
receiver_get_status(const struct receiver *r, struct wire_r_status *s)
{
    s->phase = receiver_phase(r);
    s->source = r->source.id;
    s->head = r->head;
    if (r->state == RECEIVER_STREAM && ha_pos_cmp(&r->taken, &s->head) > 0) {
        s->head = r->taken;
    }
    s->resumes = r->resumes;
    s->snapshots = r->snapshots;
    resync_get_status(r->resync, s);
    if (r->link && r->state > RECEIVER_WELCOME) {
        s->flags |= WIRE_RS_CONNECTED;
    }
    if (r->chain) {
        s->flags |= WIRE_RS_CHAIN;
    }
    ovs_strlcpy(s->why, r->why, sizeof s->why);
    receiver_get_ask(r, s);
}
