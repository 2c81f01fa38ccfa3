/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "lib/mono.h"
#include "lib/tls.h"
#include "replica/answer.h"
#include "replica/certs.h"
#include "replica/link.h"
#include "replica/oplog.h"

#define MAX_STRANGERS 4 /* Sessions of one address before their hello. */
#define BACKLOG_MAX (1u << 20) /* Bytes that wait in one link. */
#define CHUNK (64u << 10)      /* Of a snapshot. */
#define WINDOW_RECORDS 8192    /* Shipped, not acknowledged. */
#define WINDOW_BYTES (16u << 20)
#define BATCH 512     /* Records of one session in one round. */
#define HELLO_MS 5000 /* For the handshake. */
#define SILENCE_MS \
    120000 /* A receiver that loads a large record says
                                 * nothing meanwhile. */
#define HEARTBEAT_MS 1000
#define LISTEN_MS 100   /* Until the next attempt to listen. */
#define CUT_LOG_MS 5000 /* Between two complaints about strangers. */

/* What is large goes out in slices of a millisecond each, and between two of
 * them others have the processor, the own ovsdb-server first of all: its
 * clients wait for it, and nobody for a snapshot. */
#define SLICE (256u << 10)
#define PAUSE_MS 2

enum session_state {
    SESSION_HELLO, /* Sent the challenge. */
    SESSION_SNAPSHOT,
    SESSION_STREAM,
    SESSION_DEAD,
};

/* A record that was shipped and is not acknowledged. */
struct shipped {
    uint64_t seq, chain;
    size_t bytes;
    int64_t at_us;
};

struct session {
    struct ovs_list node;
    struct link *link;
    enum session_state state;
    uint32_t peer; /* Node id, 0: not known yet. */
    bool checked;  /* Its certificate, if there is TLS, is a member's. */
    long long int began, next_heartbeat;
    uint8_t challenge[FRAME_CHALLENGE_LEN];
    uint8_t schema[DIGEST_SHA256_LEN]; /* Of that which was announced. */

    struct oplog_cursor cursor;          /* Next record to ship. */
    uint64_t snapshot_off, snapshot_end; /* In the cursor's generation. */
    struct oplog_record record; /* Being shipped in pieces; body NULL: none. */
    size_t record_off;
    long long int next_slice; /* Of either. */

    struct shipped window[WINDOW_RECORDS];
    size_t first, n;
    size_t window_bytes;

    struct ha_pos acked;
    bool complete; /* Past its snapshot. */

    struct answer *answer; /* Its verification; NULL: none. */
};

struct sender {
    struct sender_config cfg;
    struct oplog *log;
    struct ha_epoch active; /* {0, 0}: this node is not active. */
    struct pstream *listener;
    int listen_error; /* Of the last attempt. */
    long long int next_listen, next_cut_log;
    struct ovs_list sessions;
    struct wire_r_peer known[HA_MAX_NODES]; /* By node, for the supervisor. */
    size_t n_known;
};

struct sender *
sender_create(const struct sender_config *cfg, struct oplog *log)
{
    struct sender *s = xzalloc(sizeof *s);

    s->cfg = *cfg;
    s->log = log;
    ovs_list_init(&s->sessions);
    return s;
}

static void
session_destroy(struct session *session)
{
    ovs_list_remove(&session->node);
    answer_destroy(session->answer);
    link_finish(session->link);
    oplog_cursor_close(&session->cursor);
    free(session->record.body);
    free(session);
}

void
sender_destroy(struct sender *s)
{
    struct session *session;

    if (s) {
        LIST_FOR_EACH_SAFE (session, node, &s->sessions) {
            session_destroy(session);
        }
        pstream_close(s->listener);
        free(s);
    }
}

/* ---- What the supervisor sees -------------------------------------------- */

static struct wire_r_peer *
sender_known(struct sender *s, uint32_t node)
{
    for (size_t i = 0; i < s->n_known; i++) {
        if (s->known[i].node == node) {
            return &s->known[i];
        }
    }
    if (s->n_known == HA_MAX_NODES) {
        memmove(s->known, s->known + 1, (HA_MAX_NODES - 1) * sizeof *s->known);
        s->n_known--;
    }
    s->known[s->n_known] = (struct wire_r_peer){ .node = node };
    return &s->known[s->n_known++];
}

static void
session_report(struct sender *s, const struct session *session)
{
    struct wire_r_peer *k = sender_known(s, session->peer);

    k->connected = session->state != SESSION_DEAD;
    k->complete = session->complete;
    k->acked = session->acked;
    k->lag_us =
        session->n ? mono_now().us - session->window[session->first].at_us : 0;
}

bool
sender_get_peer(struct sender *s, size_t i, struct wire_r_peer *ret)
{
    const struct session *session;

    LIST_FOR_EACH (session, node, &s->sessions) {
        if (session->peer) {
            session_report(s, session);
        }
    }
    if (i >= s->n_known) {
        return false;
    }
    *ret = s->known[i];
    if (s->log->gen) {
        ret->head = s->log->gen->end_pos;
    }
    return true;
}

/* ---- Ending -------------------------------------------------------------- */

static void
session_end(struct sender *s, struct session *session)
{
    if (session->state != SESSION_DEAD) {
        bool shipped = session->state != SESSION_HELLO;

        session->state = SESSION_DEAD;
        if (session->peer && shipped) {
            session->complete = false;
            session_report(s, session);
            ha_log(HA_LOG_INFO, "sender", "node %" PRIu32 " is disconnected",
                   session->peer);
        }
    }
}

/* Tells of a stranger, without letting it fill the log. */
static void
sender_complain(struct sender *s, const char *name, const char *why)
{
    if (time_msec() >= s->next_cut_log) {
        s->next_cut_log = time_msec() + CUT_LOG_MS;
        ha_log(HA_LOG_WARN, "sender", "a connection from %s is cut: %s", name,
               why);
    }
}

/* The connection is gone. */
static void
session_lost(struct sender *s, struct session *session)
{
    const char *why = link_why(session->link);

    if (*why) {
        sender_complain(s, link_name(session->link), why);
    }
    session_end(s, session);
}

static void
session_refuse(struct sender *s, struct session *session,
               enum frame_refusal code, const char *text)
{
    ha_log(code == FRAME_BAD_CHAIN ? HA_LOG_ERR : HA_LOG_WARN, "sender",
           "%s is refused: %s", link_name(session->link), text);
    link_refuse(session->link, code, text);
    session_end(s, session);
}

void
sender_check_peers(struct sender *s)
{
    struct session *session;

    LIST_FOR_EACH (session, node, &s->sessions) {
        if (session->state != SESSION_DEAD
            && !peers_allow(
                s->cfg.peers, link_name(session->link), session->peer,
                session->checked ? link_tls(session->link) : NULL)) {
            session_refuse(s, session, FRAME_NO_MEMBER,
                           "no member of the cluster any more");
        }
    }
}

void
sender_set_active(struct sender *s, struct ha_epoch epoch)
{
    struct session *session;

    if (!ha_epoch_cmp(s->active, epoch)) {
        return;
    }
    s->active = epoch;
    LIST_FOR_EACH (session, node, &s->sessions) {
        if (session->state != SESSION_HELLO && session->state != SESSION_DEAD
            && !session->complete) {
            session_refuse(s, session, FRAME_CHANGED,
                           "not active any more; the snapshot ends");
        }
    }
}

/* ---- Beginning ----------------------------------------------------------- */

static void
session_challenge(struct sender *s, struct session *session)
{
    struct frame_challenge m = {
        .version = FRAME_VERSION,
        .caps = FRAME_CAP_VERIFY | (s->cfg.key->present ? FRAME_CAP_KEY : 0),
    };

    ha_random_bytes(m.nonce, sizeof m.nonce);
    frame_put_challenge(session->challenge, &m);
    link_send(session->link, FRAME_CHALLENGE, session->challenge,
              sizeof session->challenge, NULL, 0);
}

/* Says no to a stranger. */
static void
sender_cut(struct sender *s, struct stream *stream, const char *why)
{
    sender_complain(s, stream_get_name(stream), why);
    stream_close(stream);
}

/* Length of the part of 'name' that is before the port. */
static int
address_len(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? colon - name : (int) strlen(name);
}

/* Counts the sessions from the address of 'name' that have not said who they
 * are.  Those that have are one a node, and need no limit. */
static int
sender_count_strangers(const struct sender *s, const char *name)
{
    const struct session *session;
    int len = address_len(name);
    int n = 0;

    LIST_FOR_EACH (session, node, &s->sessions) {
        const char *other = link_name(session->link);

        n += !session->peer && address_len(other) == len
             && !strncmp(other, name, len);
    }
    return n;
}

static void
sender_accept_one(struct sender *s, struct stream *stream)
{
    struct session *session;

    if (sender_count_strangers(s, stream_get_name(stream)) >= MAX_STRANGERS) {
        sender_cut(s, stream, "too many connections that say nothing");
        return;
    }
    if (!peers_allow(s->cfg.peers, stream_get_name(stream), 0, NULL)) {
        sender_cut(s, stream, "no member of the cluster");
        return;
    }
    if (s->cfg.certs && !certs_tls(s->cfg.certs)) {
        sender_cut(s, stream, certs_why(s->cfg.certs));
        return;
    }
    session = xzalloc(sizeof *session);
    session->link = link_create(stream, s->cfg.certs ? tls_session_create(
                                            certs_tls(s->cfg.certs), true)
                                                     : NULL);
    session->checked = !s->cfg.certs;
    session->began = time_msec();
    ovs_list_push_back(&s->sessions, &session->node);
    session_challenge(s, session);
}

/* In plaintext only where corosync talks, too.  Waits until the supervisor has
 * said where that is. */
static bool
sender_may_listen(struct sender *s)
{
    char *name = xasprintf("tcp:%s", s->cfg.listen);
    bool ok =
        s->cfg.certs || peers_allow(s->cfg.peers, name, s->cfg.self, NULL);

    free(name);
    if (!ok && s->cfg.peers->n && !s->listen_error) {
        s->listen_error = EADDRNOTAVAIL;
        ha_log(HA_LOG_ERR, "sender",
               "not listening on %s: without TLS only on this node's own "
               "address in corosync's nodelist",
               s->cfg.listen);
    }
    return ok;
}

static void
sender_listen(struct sender *s)
{
    const char *colon = strrchr(s->cfg.listen, ':');
    char *name;
    int error;

    s->next_listen = time_msec() + LISTEN_MS;
    if (!sender_may_listen(s)) {
        return;
    }
    name = xasprintf("ptcp:%s:%.*s", colon + 1, (int) (colon - s->cfg.listen),
                     s->cfg.listen);
    error = pstream_open(name, &s->listener, DSCP_DEFAULT);
    if (error) {
        if (error != s->listen_error) {
            ha_log(HA_LOG_ERR, "sender", "cannot listen on %s: %s",
                   s->cfg.listen, ovs_strerror(error));
        }
        s->listener = NULL;
    }
    s->listen_error = error;
    free(name);
}

static void
sender_accept(struct sender *s)
{
    if (!s->listener && time_msec() >= s->next_listen) {
        sender_listen(s);
    }
    for (int i = 0; s->listener && i < 8; i++) {
        struct stream *stream;

        if (pstream_accept(s->listener, &stream)) {
            break;
        }
        sender_accept_one(s, stream);
    }
}

/* Checks who it is that says 'm'.  Returns true if all is well. */
static bool
session_check_hello(struct sender *s, struct session *session,
                    const struct frame_hello *m, const struct link_frame *f)
{
    if (m->version != FRAME_VERSION) {
        session_refuse(s, session, FRAME_BAD_VERSION,
                       "speaks another version of the protocol");
    } else if (!(m->caps & FRAME_CAP_KEY) != !s->cfg.key->present) {
        session_refuse(s, session, FRAME_BAD_KEY,
                       "one side has a key, the other has not");
    } else if (!frame_mac_is(s->cfg.key, "ovn-ha replica hello 1",
                             session->challenge, sizeof session->challenge,
                             f->body, FRAME_HELLO_LEN, m->mac)) {
        session_refuse(s, session, FRAME_BAD_KEY, "the key differs");
    } else if (m->db != s->cfg.db) {
        session_refuse(s, session, FRAME_BAD_DB,
                       "asks for the other database");
    } else if (!m->node
               || !peers_allow(s->cfg.peers, link_name(session->link), m->node,
                               link_tls(session->link))) {
        session_refuse(s, session, FRAME_NO_MEMBER,
                       link_tls(session->link)
                           ? "no member of the cluster has this id, address "
                             "and certificate"
                           : "no member of the cluster has this id and "
                             "address");
    } else {
        return true;
    }
    return false;
}

/* A node has one session: a new one takes the place of the old one. */
static void
sender_drop_others(struct sender *s, const struct session *keep)
{
    struct session *session;

    LIST_FOR_EACH (session, node, &s->sessions) {
        if (session != keep && session->peer == keep->peer) {
            session_end(s, session);
        }
    }
}

static void
session_welcome(struct sender *s, struct session *session,
                const struct link_frame *hello, enum oplog_found found)
{
    struct frame_welcome m = {
        .node = s->cfg.self,
        .found = found,
        .head = s->log->gen->end_pos,
    };
    const char *schema = s->log->gen->schema_text;
    uint8_t body[FRAME_FIXED_MAX];
    size_t n = frame_put_welcome(body, &m);

    frame_mac(s->cfg.key, "ovn-ha replica welcome 1", hello->body,
              FRAME_HELLO_LEN, body, n, m.mac);
    n = frame_put_welcome(body, &m);
    link_send(session->link, FRAME_WELCOME, body, n, NULL, 0);
    link_send(session->link, FRAME_SCHEMA, schema, strlen(schema), NULL, 0);
    memcpy(session->schema, s->log->gen->schema, sizeof session->schema);
}

/* The whole file up to its end. */
static void
session_begin_snapshot(struct sender *s, struct session *session)
{
    struct frame_snapshot m = { .pos = s->log->gen->end_pos };
    uint8_t body[FRAME_FIXED_MAX];

    oplog_cursor_end(s->log, &session->cursor);
    session->snapshot_off = 0;
    session->snapshot_end = m.bytes = session->cursor.off;
    session->state = SESSION_SNAPSHOT;
    link_send(session->link, FRAME_SNAPSHOT, body,
              frame_put_snapshot(body, &m), NULL, 0);
}

/* Tells the receiver after which position its own log went another way, so
 * that it can say what it had alone. */
static void
session_tell_fork(struct sender *s, struct session *session,
                  const struct ha_pos *theirs, enum oplog_found found)
{
    uint8_t body[FRAME_FIXED_MAX];
    struct ha_pos fork;

    if (oplog_find_fork(s->log, theirs, &fork)) {
        if (found == OPLOG_DIFFERS && !ha_pos_cmp(&fork, theirs)) {
            ha_log(HA_LOG_ERR, "sender",
                   "node %" PRIu32 " holds another record %" PRIu64
                   ", or one before it, than is here",
                   session->peer, theirs->seq);
        }
        link_send(session->link, FRAME_FORK, body, frame_put_pos(body, &fork),
                  NULL, 0);
    }
}

/* True if this node's log can be shipped at all. */
static bool
sender_is_ready(struct sender *s)
{
    const struct oplog *log = s->log;

    return log->state == OPLOG_READY && log->gen->end_pos.lineage
           && !log->n_foreign && !log->damaged && log->gen->schema_text
           && strlen(log->gen->schema_text) <= FRAME_BODY_MAX
           && !oplog_sync(s->log);
}

/* True if the end of the log is what the epoch that 'm' names has come to. */
static bool
sender_has_truth(const struct sender *s, const struct frame_hello *m)
{
    return s->active.n && !ha_epoch_cmp(s->active, m->epoch)
           && s->log->mode == POINTS_ACTIVE
           && !ha_epoch_cmp(s->log->epoch, s->active);
}

/* Looks for the receiver's position, and begins to ship. */
static void
session_begin(struct sender *s, struct session *session,
              const struct frame_hello *m, const struct link_frame *f)
{
    enum oplog_found found =
        m->flags & FRAME_HELLO_SNAPSHOT
            ? OPLOG_NONE
            : oplog_find(s->log, &m->pos, &session->cursor);

    if (found == OPLOG_FOUND) {
        session_welcome(s, session, f, found);
        session->state = SESSION_STREAM;
        session->complete = true;
        session->acked = m->pos;
    } else if (sender_has_truth(s, m)) {
        session_welcome(s, session, f, found);
        session_tell_fork(s, session, &m->pos, found);
        session_begin_snapshot(s, session);
    } else {
        link_refuse(session->link, FRAME_NOT_READY,
                    "its position is not in the log here, and this node is "
                    "not the active one of its epoch");
        session_end(s, session);
        return;
    }
    ha_log(HA_LOG_INFO, "sender",
           "node %" PRIu32 " at record %" PRIu64 " %s record %" PRIu64,
           m->node, m->pos.seq,
           found == OPLOG_FOUND ? "resumes; the log is at"
                                : "needs a snapshot; it is of",
           s->log->gen->end_pos.seq);
}

static void
session_hello(struct sender *s, struct session *session,
              const struct link_frame *f)
{
    struct frame_hello m;

    if (f->type != FRAME_HELLO || frame_get_hello(f->body, f->n, &m)) {
        session_refuse(s, session, FRAME_BAD_FRAME, "says no hello");
        return;
    }
    if (!session_check_hello(s, session, &m, f)) {
        return;
    }
    session->peer = m.node;
    sender_drop_others(s, session);
    if (!sender_is_ready(s)) {
        link_refuse(session->link, FRAME_NOT_READY,
                    "this node has no complete log");
        session_end(s, session);
        return;
    }
    session_begin(s, session, &m, f);
}

/* ---- Shipping ------------------------------------------------------------ */

static bool
session_has_room(const struct session *session)
{
    return link_backlog(session->link) < BACKLOG_MAX
           && session->n < WINDOW_RECORDS
           && session->window_bytes < WINDOW_BYTES;
}

static void
session_note_shipped(struct session *session, const struct ha_pos *pos,
                     size_t bytes)
{
    struct shipped *w =
        &session->window[(session->first + session->n) % WINDOW_RECORDS];

    w->seq = pos->seq;
    w->chain = pos->chain;
    w->bytes = bytes;
    w->at_us = mono_now().us;
    session->n++;
    session->window_bytes += bytes;
}

/* True while a slice of what is large may go out, of which 'left' is left. */
static bool
session_has_slice(struct session *session, size_t *left)
{
    if (link_backlog(session->link) >= BACKLOG_MAX
        || time_msec() < session->next_slice) {
        return false;
    } else if (*left < CHUNK) {
        session->next_slice = time_msec() + PAUSE_MS;
        return false;
    }
    *left -= CHUNK;
    return true;
}

static void
session_ship_snapshot(struct sender *s, struct session *session)
{
    static char buf[CHUNK];
    size_t left = SLICE;

    while (session->snapshot_off < session->snapshot_end
           && session_has_slice(session, &left)) {
        size_t want =
            MIN(sizeof buf, session->snapshot_end - session->snapshot_off);
        ssize_t n = pread(session->cursor.gen->fd, buf, want,
                          (off_t) session->snapshot_off);

        if (n <= 0) {
            session_refuse(s, session, FRAME_CHANGED,
                           "the file cannot be "
                           "read");
            return;
        }
        link_send(session->link, FRAME_DATA, buf, n, NULL, 0);
        session->snapshot_off += n;
    }
    if (session->snapshot_off == session->snapshot_end) {
        session_note_shipped(session, &session->cursor.pos, 0);
        session->state = SESSION_STREAM;
    }
}

/* Ships the rest of a record that is too large for one frame. */
static void
session_ship_more(struct session *session)
{
    struct oplog_record *r = &session->record;
    size_t left = SLICE;

    while (r->body && session_has_slice(session, &left)) {
        size_t n = MIN(CHUNK, r->n - session->record_off);

        link_send(session->link, FRAME_MORE, r->body + session->record_off, n,
                  NULL, 0);
        session->record_off += n;
        if (session->record_off == r->n) {
            free(r->body);
            r->body = NULL;
        }
    }
}

static void
session_ship_record(struct session *session, struct oplog_record *r)
{
    struct frame_record m = {
        .pos = r->pos,
        .flags = r->relayed ? FRAME_RECORD_RELAYED : 0,
        .bytes = r->n,
    };
    uint8_t head[FRAME_FIXED_MAX];
    size_t n = MIN(CHUNK, r->n);

    memcpy(m.sha1, r->sha1, sizeof m.sha1);
    link_send(session->link, FRAME_RECORD, head, frame_put_record(head, &m),
              r->body, n);
    session_note_shipped(session, &r->pos, r->n);
    if (n < r->n) {
        session->record = *r;
        session->record_off = n;
        session_ship_more(session);
    } else {
        free(r->body);
    }
}

/* Steps to the next generation, if the schema is that which was announced. */
static bool
session_step(struct sender *s, struct session *session)
{
    if (!oplog_cursor_step(&session->cursor)) {
        if (s->log->state == OPLOG_READY && s->log->gen != session->cursor.gen
            && !session->cursor.gen->next
            && session->cursor.off >= session->cursor.gen->end) {
            session_refuse(s, session, FRAME_CHANGED,
                           "the log does not go on; come again");
        }
        return false;
    }
    if (memcmp(session->schema, s->log->gen->schema, sizeof session->schema)) {
        session_refuse(s, session, FRAME_CHANGED,
                       "the schema has changed; come again");
        return false;
    }
    return true;
}

/* Takes the next record that may be shipped.  Returns 1 if there is one. */
static int
session_next(struct sender *s, struct session *session, struct oplog_record *r)
{
    int ret;

    do {
        ret = oplog_cursor_next(&session->cursor, session->cursor.gen->synced,
                                r);
    } while (!ret && session->state == SESSION_STREAM
             && session_step(s, session));
    if (ret < 0 || (ret && !r->counted)) {
        if (ret > 0) {
            free(r->body);
        }
        session_refuse(s, session, FRAME_CHANGED,
                       "the log cannot be followed further");
        return 0;
    }
    return ret;
}

static void
session_ship(struct sender *s, struct session *session)
{
    struct oplog_record r;

    session_ship_more(session);
    for (int i = 0;
         i < BATCH && !session->record.body && session->state == SESSION_STREAM
         && session_has_room(session);
         i++) {
        if (session_next(s, session, &r) != 1) {
            break;
        }
        session_ship_record(session, &r);
        if (i + 1 == BATCH) {
            poll_immediate_wake();
        }
    }
}

static void
session_heartbeat(struct sender *s, struct session *session)
{
    uint8_t body[FRAME_FIXED_MAX];

    if (time_msec() >= session->next_heartbeat && s->log->gen
        && !session->record.body && session->state != SESSION_HELLO) {
        session->next_heartbeat = time_msec() + HEARTBEAT_MS;
        link_send(session->link, FRAME_HEARTBEAT, body,
                  frame_put_pos(body, &s->log->gen->end_pos), NULL, 0);
    }
}

/* ---- Acknowledgements ---------------------------------------------------- */

/* Records that became durable at once are acknowledged at once, with one hash:
 * any of them may be the first that differs. */
static void
session_refuse_chain(struct sender *s, struct session *session, uint64_t seq)
{
    uint64_t first = session->acked.seq + 1;
    char text[FRAME_TEXT_MAX];

    if (first < seq) {
        snprintf(text, sizeof text,
                 "holds other records than are here from one of %" PRIu64
                 " to %" PRIu64 " on",
                 first, seq);
    } else {
        snprintf(text, sizeof text,
                 "holds another record %" PRIu64 " than is here", seq);
    }
    session_refuse(s, session, FRAME_BAD_CHAIN, text);
}

static void
session_ack(struct sender *s, struct session *session,
            const struct ha_pos *pos)
{
    if (!pos->lineage) {
        return; /* It is still busy with its snapshot. */
    }
    while (session->n && session->window[session->first].seq <= pos->seq) {
        const struct shipped *w = &session->window[session->first];

        if (w->seq == pos->seq && w->chain != pos->chain) {
            session_refuse_chain(s, session, w->seq);
            return;
        }
        session->window_bytes -= w->bytes;
        session->first = (session->first + 1) % WINDOW_RECORDS;
        session->n--;
        session->complete = true;
    }
    if (session->complete) {
        session->acked = *pos;
    }
}

/* ---- Verification -------------------------------------------------------- */

static bool
sender_is_answering(const struct sender *s)
{
    const struct session *session;

    LIST_FOR_EACH (session, node, &s->sessions) {
        if (session->answer) {
            return true;
        }
    }
    return false;
}

static void
session_verify(struct sender *s, struct session *session,
               const struct link_frame *f)
{
    answer_destroy(session->answer);
    session->answer = NULL;
    session->answer =
        answer_create(s->log, session->link, f, sender_is_answering(s));
}

/* Between two records. */
static void
session_run_answer(struct session *session)
{
    if (session->answer && !session->record.body
        && !answer_run(session->answer, session->link)) {
        answer_destroy(session->answer);
        session->answer = NULL;
    }
}

/* ---- Frames -------------------------------------------------------------- */

static void
session_take(struct sender *s, struct session *session,
             const struct link_frame *f)
{
    struct frame_refuse refuse;
    struct ha_pos pos;

    if (f->type == FRAME_REFUSE && !frame_get_refuse(f->body, f->n, &refuse)) {
        ha_log(HA_LOG_WARN, "sender", "%s refuses: %s",
               link_name(session->link), refuse.text);
        session_end(s, session);
    } else if (session->state == SESSION_HELLO
               && !(f->type & FRAME_OPTIONAL)) {
        session_hello(s, session, f);
    } else if (f->type == FRAME_ACK && !frame_get_pos(f->body, f->n, &pos)) {
        session_ack(s, session, &pos);
    } else if (f->type == FRAME_VERIFY && session->state == SESSION_STREAM) {
        session_verify(s, session, f);
    } else if (f->type == FRAME_VERIFY_TEXT && session->answer) {
        answer_take(session->answer, f);
    } else if (!(f->type & FRAME_OPTIONAL)) {
        session_refuse(s, session, FRAME_BAD_FRAME,
                       "sends what is not understood");
    }
}

/* ---- The loop ------------------------------------------------------------ */

static bool
session_is_late(const struct session *session)
{
    long long int now = time_msec();

    return session->state == SESSION_HELLO
               ? now - session->began > HELLO_MS
               : now - link_heard(session->link) > SILENCE_MS;
}

/* A certificate of our authority is enough for the handshake; it must also be
 * that of the node which has this address. */
static void
session_check_cert(struct sender *s, struct session *session)
{
    const struct tls_session *tls = link_tls(session->link);
    char text[FRAME_TEXT_MAX];

    if (session->checked || !link_is_connected(session->link)) {
        return;
    }
    session->checked = true;
    if (!peers_allow(s->cfg.peers, link_name(session->link), 0, tls)) {
        snprintf(text, sizeof text,
                 "its certificate is of \"%.40s\", and of no member of the "
                 "cluster with this address",
                 tls_session_name(tls));
        session_refuse(s, session, FRAME_NO_MEMBER, text);
    }
}

static void
session_run(struct sender *s, struct session *session)
{
    struct link_frame f;
    int ret = 1;
    bool full;

    if (link_run(session->link)) {
        session_lost(s, session);
        return;
    }
    session_check_cert(s, session);
    for (int i = 0; i < BATCH && session->state != SESSION_DEAD; i++) {
        ret = link_recv(session->link, &f);
        if (ret <= 0) {
            break;
        }
        session_take(s, session, &f);
    }
    if (ret < 0 || session_is_late(session)) {
        session_lost(s, session);
    }
    if (session->state == SESSION_SNAPSHOT) {
        session_ship_snapshot(s, session);
    }
    if (session->state == SESSION_STREAM) {
        session_ship(s, session);
    }
    if (session->state != SESSION_DEAD) {
        session_run_answer(session);
        session_heartbeat(s, session);
        full = link_backlog(session->link) >= BACKLOG_MAX;
        link_run(session->link);
        if (full && link_backlog(session->link) < BACKLOG_MAX) {
            /* What stopped for it goes on: nobody else would wake it. */
            poll_immediate_wake();
        }
    }
}

/* True if someone waits for what is not durable yet. */
static bool
sender_wants_sync(const struct sender *s)
{
    const struct session *session;

    LIST_FOR_EACH (session, node, &s->sessions) {
        if (session->state == SESSION_STREAM) {
            return true;
        }
    }
    return false;
}

void
sender_run(struct sender *s)
{
    struct session *session;

    sender_accept(s);
    if (sender_wants_sync(s)) {
        oplog_sync(s->log);
    }
    LIST_FOR_EACH_SAFE (session, node, &s->sessions) {
        session_run(s, session);
        if (session->state == SESSION_DEAD) {
            session_destroy(session);
        }
    }
}

void
sender_wait(struct sender *s)
{
    struct session *session;

    if (s->listener) {
        pstream_wait(s->listener);
    } else {
        poll_timer_wait_until(s->next_listen);
    }
    LIST_FOR_EACH (session, node, &s->sessions) {
        link_wait(session->link, true);
        if ((session->state == SESSION_SNAPSHOT || session->record.body)
            && link_backlog(session->link) < BACKLOG_MAX) {
            poll_timer_wait_until(session->next_slice);
        }
        if (session->answer && !session->record.body) {
            answer_wait(session->answer, session->link);
        }
        poll_timer_wait_until(session->state == SESSION_HELLO
                                  ? session->began + HELLO_MS + 1
                                  : session->next_heartbeat);
    }
}
