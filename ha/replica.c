/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/replica.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ha/ev.h"
#include "ha/progress.h"
#include "ha/worker.h"
#include "lib/child.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define PROGRAM "ovn-ha-replica"
#define WORKER_FD 3 /* The socket's number in the worker. */
#define WATCH_MS 500
#define END_MS 100 /* Patience with SIGTERM, and with SIGKILL. */
#define BACKOFF_MAX_MS 5000
#define ROLE_RETRY_MS 1000
#define SETTLED_MS 10000 /* Up for so long: no quick death. */

struct replica {
    struct ev_loop *loop;
    enum ha_db db;
    const struct settings *settings;
    const struct cluster *cluster;
    struct replica_handler handler;
    bool wanted;
    bool stopped; /* For good. */

    struct child child;
    struct ev_fd *death;
    int fd;
    struct ev_fd *io;
    struct ev_timer *start; /* Backoff. */
    struct ev_timer *watch;
    struct ev_timer *again; /* A role that failed is to be sent again. */
    struct ev_timer *mute;  /* An active whose worker has no log... */
    bool muted;             /* ...for too long. */
    struct progress progress;
    mono_t started_at;
    int backoff_ms;
    uint32_t life;

    pid_t server;
    bool have_status;
    struct wire_r_status status;
    mono_t status_at;

    /* Role sent last, and carried out last. */
    uint32_t sent_token;
    uint32_t sent_role;
    struct ha_epoch sent_epoch;
    uint32_t done_token;
    uint32_t done_role;
    struct ha_epoch done_epoch;

    struct wire_r_probe probe; /* The last one... */
    bool probing;              /* ...is not answered. */
};

static void
send_msg(struct replica *r, enum wire_type type, const void *body, size_t n)
{
    int error = r->fd < 0 ? 0 : worker_send(r->fd, type, body, n);

    if (error) {
        /* It does not read, or is dead: a new one starts from a known state. */
        ha_log(HA_LOG_WARN, "replica",
               "%s: the worker takes no message (%s); "
               "killed",
               ha_db_name(r->db), strerror(-error));
        child_signal(&r->child, SIGKILL);
    }
}

static void
send_peers(struct replica *r)
{
    struct wire_r_peers peers = { .n = 0 };

    for (uint32_t i = 0; i < r->cluster->n_nodes; i++) {
        const struct cluster_node *node = &r->cluster->nodes[i];

        cluster_to_wire(node, &peers.nodes[i]);
        snprintf(peers.names[i], sizeof peers.names[i], "%s", node->name);
        peers.n++;
    }
    send_msg(r, WIRE_R_PEERS, &peers, sizeof peers);
}

void
replica_set_server(struct replica *r, pid_t pid)
{
    struct wire_r_server server = { .pid = pid };

    r->server = pid;
    send_msg(r, WIRE_R_SERVER, &server, sizeof server);
}

/* What is known of receivers was told by a worker that had the log. */
static void
on_mute(void *r_)
{
    struct replica *r = r_;

    r->muted = true;
    ha_log(HA_LOG_ERR, "replica",
           "%s: no worker has the log of what is written here: no standby is "
           "in sync",
           ha_db_name(r->db));
    for (uint32_t i = 0; i < r->cluster->n_nodes; i++) {
        struct wire_r_peer peer = { .node = r->cluster->nodes[i].id };

        if (peer.node != r->cluster->self) {
            r->handler.peer(r->handler.aux, r->db, &peer);
        }
    }
}

/* An active whose worker is gone, or cannot read the log, is heard by no
 * standby; for as long as one may lag behind that counts as lag. */
static void
watch_log(struct replica *r)
{
    struct ha_local_db is;

    replica_facts(r, &is);
    if (!r->wanted || r->sent_role != WIRE_R_ACTIVE
        || (is.role == WIRE_R_ACTIVE && is.complete)) {
        ev_timer_stop(r->mute);
        r->muted = false;
    } else if (!r->muted && !ev_timer_is_set(r->mute)) {
        ev_timer_set_ms(r->mute, r->settings->conf->lag_ms);
    }
}

void
replica_send_role(struct replica *r, const struct ha_action *a)
{
    const struct cluster_node *source =
        cluster_node(r->cluster, a->replica.source);
    struct wire_r_role role = {
        .role = a->replica.role,
        .token = a->replica.token,
        .lineage = a->replica.lineage,
        .epoch = a->replica.epoch,
    };

    if (source) {
        cluster_to_wire(source, &role.source);
        role.source_port = r->settings->db[r->db].repl_port;
    }
    r->sent_token = role.token;
    r->sent_role = role.role;
    r->sent_epoch = role.epoch;
    r->probing &= role.role == WIRE_R_ACTIVE;
    send_msg(r, WIRE_R_ROLE, &role, sizeof role);
    watch_log(r);
}

void
replica_kill(struct replica *r)
{
    child_signal(&r->child, SIGKILL);
}

/* Only an active may write, so it waits for a worker that is one.  One that
 * dies with it leaves it to the next. */
static void
send_probe(struct replica *r)
{
    if (r->probing && r->done_token == r->sent_token
        && r->done_role == WIRE_R_ACTIVE) {
        send_msg(r, WIRE_R_PROBE, &r->probe, sizeof r->probe);
    }
}

void
replica_send_probe(struct replica *r, uint32_t token, uint32_t timeout_ms)
{
    r->probe.token = token;
    r->probe.timeout_ms = timeout_ms;
    r->probing = true;
    send_probe(r);
}

bool
replica_is_probing(const struct replica *r)
{
    return r->probing;
}

void
replica_send_consent(struct replica *r, enum ha_ask ask, uint64_t until)
{
    struct wire_r_consent consent = { .ask = ask, .until = until };

    send_msg(r, WIRE_R_CONSENT, &consent, sizeof consent);
}

void
replica_send_verify(struct replica *r, uint32_t token)
{
    struct wire_r_verify verify = { .token = token };

    send_msg(r, WIRE_R_VERIFY, &verify, sizeof verify);
}

/* Receiving. */

/* A full disk may have room by now.  To the core it is a new worker, whose
 * role it sends again. */
static void
on_again(void *r_)
{
    struct replica *r = r_;

    r->life++;
    r->done_token = 0;
    r->handler.changed(r->handler.aux, r->db);
}

static void
on_role_done(struct replica *r, const struct wire_r_role_done *done)
{
    if (done->token != r->sent_token) {
        return;
    }
    if (done->error) {
        ha_log(HA_LOG_ERR, "replica",
               "%s: the worker cannot take its role: "
               "%s",
               ha_db_name(r->db), strerror(-done->error));
        ev_timer_set_ms(r->again, ROLE_RETRY_MS);
        return;
    }
    r->done_token = done->token;
    r->done_role = done->role;
    r->done_epoch = r->sent_epoch;
    r->status.pos = done->pos;
    watch_log(r);
    send_probe(r);
    r->handler.changed(r->handler.aux, r->db);
}

static void
on_status(struct replica *r, const struct worker_msg *msg)
{
    char old[WIRE_WHY_LEN];
    uint32_t asked = r->status.ask;

    memcpy(old, r->status.why, sizeof old);
    worker_body(msg, &r->status, sizeof r->status);
    r->status.why[sizeof r->status.why - 1] = '\0';
    r->status.resync[sizeof r->status.resync - 1] = '\0';
    r->status.snapshot_why[sizeof r->status.snapshot_why - 1] = '\0';
    r->have_status = true;
    r->status_at = mono_now();
    progress_answer(&r->progress, r->status_at);
    if (r->status.why[0] && strcmp(old, r->status.why)) {
        ha_log(r->status.ask && r->status.ask != asked ? HA_LOG_ERR
                                                       : HA_LOG_INFO,
               "replica", "%s: %s", ha_db_name(r->db), r->status.why);
    }
    watch_log(r);
    r->handler.changed(r->handler.aux, r->db);
}

static void
on_message(struct replica *r, const struct worker_msg *msg)
{
    struct wire_r_role_done done;
    struct wire_r_install install;
    struct wire_r_probed probed;
    struct wire_r_aside aside;
    struct wire_r_verification verification;
    struct wire_r_difference difference;
    struct wire_r_peer peer;

    switch (msg->hdr.type) {
    case WIRE_R_STATUS:
        on_status(r, msg);
        break;
    case WIRE_R_PEER:
        worker_body(msg, &peer, sizeof peer);
        r->handler.peer(r->handler.aux, r->db, &peer);
        break;
    case WIRE_R_ROLE_DONE:
        worker_body(msg, &done, sizeof done);
        on_role_done(r, &done);
        break;
    case WIRE_R_PROBED:
        worker_body(msg, &probed, sizeof probed);
        r->probing &= probed.token != r->probe.token;
        r->handler.probed(r->handler.aux, &probed);
        break;
    case WIRE_R_ASIDE:
        worker_body(msg, &aside, sizeof aside);
        aside.name[sizeof aside.name - 1] = '\0';
        r->handler.aside(r->handler.aux, r->db, &aside);
        break;
    case WIRE_R_VERIFICATION:
        worker_body(msg, &verification, sizeof verification);
        r->handler.verification(r->handler.aux, r->db, &verification);
        break;
    case WIRE_R_DIFFERENCE:
        worker_body(msg, &difference, sizeof difference);
        r->handler.difference(r->handler.aux, r->db, &difference);
        break;
    case WIRE_R_INSTALL:
        worker_body(msg, &install, sizeof install);
        if (install.token == r->sent_token) {
            r->handler.install(r->handler.aux, r->db);
        }
        break;
    default:
        break;
    }
}

static void
on_readable(void *r_)
{
    static struct worker_msg msg; /* Too large for the stack. */
    struct replica *r = r_;
    int error;

    while (!(error = worker_recv(r->fd, &msg))) {
        on_message(r, &msg);
    }
    if (error != -EAGAIN) {
        /* What comes next is its death. */
        ev_fd_destroy(r->io);
        r->io = NULL;
        child_signal(&r->child, SIGKILL);
    }
}

/* The process. */

/* Lets go of a worker that is dead, or that dies of it. */
static void
forget_worker(struct replica *r)
{
    ev_fd_destroy(r->death);
    r->death = NULL;
    ev_fd_destroy(r->io);
    r->io = NULL;
    if (r->fd >= 0) {
        close(r->fd);
        r->fd = -1;
    }
    ev_timer_stop(r->watch);
    ev_timer_stop(r->again);
    child_close(&r->child);
    r->have_status = false;
    r->done_token = 0;
    r->done_role = WIRE_R_IDLE;
    watch_log(r);
}

static void
on_death(void *r_)
{
    struct replica *r = r_;
    int status;

    if (child_reap(&r->child, &status) == -EAGAIN) {
        return;
    }
    if (!r->wanted) {
        forget_worker(r);
        return;
    }
    if (mono_us_between(r->started_at, mono_now()) > SETTLED_MS * 1000) {
        r->backoff_ms = 0;
    }
    ha_log(HA_LOG_ERR, "replica",
           "%s: the worker died; started again in "
           "%d ms",
           ha_db_name(r->db), r->backoff_ms);
    forget_worker(r);
    ev_timer_set_ms(r->start, r->backoff_ms);
    r->backoff_ms = r->backoff_ms ? r->backoff_ms * 2 : 100;
    if (r->backoff_ms > BACKOFF_MAX_MS) {
        r->backoff_ms = BACKOFF_MAX_MS;
    }
    r->handler.changed(r->handler.aux, r->db);
}

/* The worker's arguments, which the caller frees. */
static char **
make_argv(const struct replica *r)
{
    const struct settings_db *db = &r->settings->db[r->db];
    const struct conf *conf = r->settings->conf;
    const struct cluster_node *self =
        cluster_node(r->cluster, r->cluster->self);
    bool v6 = strchr(self->address, ':') != NULL;
    char **argv = ha_calloc(20, sizeof *argv);
    size_t n = 0;

    argv[n++] = child_program(PROGRAM);
    argv[n++] = ha_asprintf("--db=%s", db->short_name);
    argv[n++] = ha_asprintf("--fd=%d", WORKER_FD);
    argv[n++] = ha_asprintf("--file=%s", db->file);
    argv[n++] = ha_asprintf("--server=unix:%s", db->private_sock);
    argv[n++] = ha_asprintf("--listen=%s%s%s:%u", v6 ? "[" : "", self->address,
                            v6 ? "]" : "", db->repl_port);
    argv[n++] = ha_asprintf("--self=%u", self->id);
    argv[n++] = ha_asprintf("--state-dir=%s", conf->state_dir);
    argv[n++] = ha_asprintf("--shrink-guard=%d", conf->shrink_guard);
    argv[n++] = ha_asprintf("--shrink-rows=%d", conf->shrink_rows);
    if (r->cluster->key_file[0]) {
        argv[n++] = ha_asprintf("--key-file=%s", r->cluster->key_file);
    }
    if (conf->private_key[0]) {
        argv[n++] = ha_asprintf("--private-key=%s", conf->private_key);
        argv[n++] = ha_asprintf("--certificate=%s", conf->certificate);
        argv[n++] = ha_asprintf("--ca-cert=%s", conf->ca_cert);
    }
    return argv;
}

static int
spawn(struct replica *r, int their_fd)
{
    char **argv = make_argv(r);
    struct child_fd inherit = { .fd = their_fd, .as = WORKER_FD };
    struct child_spec spec = {
        .argv = (const char *const *) argv,
        .fds = &inherit,
        .n_fds = 1,
        .log_path = r->settings->worker_log,
    };
    int error = child_spawn(&spec, &r->child);

    if (error) {
        ha_log(HA_LOG_ERR, "replica", "%s cannot be started: %s", argv[0],
               strerror(-error));
    }
    for (size_t i = 0; argv[i]; i++) {
        free(argv[i]);
    }
    free(argv);
    return error;
}

static void
on_start(void *r_)
{
    struct replica *r = r_;
    int fds[2], error;

    error = seq_pair(fds);
    if (!error) {
        error = spawn(r, fds[1]);
        close(fds[1]);
        if (error) {
            close(fds[0]);
        }
    }
    if (error) {
        ev_timer_set_ms(r->start, BACKOFF_MAX_MS);
        return;
    }
    r->life++;
    r->started_at = mono_now();
    progress_start(&r->progress, r->started_at);
    r->fd = fds[0];
    r->io = ev_fd_create(r->loop, r->fd, POLLIN, on_readable, r);
    r->death = ev_fd_create(r->loop, r->child.pidfd, POLLIN, on_death, r);
    ev_timer_set_ms(r->watch, WATCH_MS);
    send_peers(r);
    replica_set_server(r, r->server);
    r->handler.changed(r->handler.aux, r->db);
}

/* A worker that loads a large file is silent, but works. */
static void
on_watch(void *r_)
{
    struct replica *r = r_;
    struct progress_limits limits = {
        .stopped_us = (int64_t) r->settings->hang_ms * 500,
        .idle_us = (int64_t) r->settings->hang_ms * 2000,
        .busy_us = (int64_t) r->settings->busy_ms * 10000,
    };
    struct child_stat st;

    if (!child_read_stat(r->child.pid, &st)
        && progress_observe(&r->progress, &limits, &st, 0, mono_now())
               == PROGRESS_HUNG) {
        ha_log(HA_LOG_ERR, "replica", "%s: the worker hangs (%s); killed",
               ha_db_name(r->db), child_state_name(st.state));
        child_signal(&r->child, SIGKILL);
    }
    ev_timer_set_ms(r->watch, WATCH_MS);
}

struct replica *
replica_create(struct ev_loop *loop, enum ha_db db,
               const struct settings *settings, const struct cluster *cluster,
               const struct replica_handler *handler)
{
    struct replica *r = ha_calloc(1, sizeof *r);

    r->loop = loop;
    r->db = db;
    r->settings = settings;
    r->cluster = cluster;
    r->handler = *handler;
    r->child = CHILD_NONE;
    r->fd = -1;
    r->start = ev_timer_create(loop, on_start, r);
    r->watch = ev_timer_create(loop, on_watch, r);
    r->again = ev_timer_create(loop, on_again, r);
    r->mute = ev_timer_create(loop, on_mute, r);
    return r;
}

/* The worker ends with its socket, but nobody would reap it after an exec in
 * this process; so this waits, which takes milliseconds. */
static void
end_worker(struct replica *r)
{
    static const int signals[] = { SIGTERM, SIGKILL };
    int status;

    for (int i = 0; i < 2; i++) {
        child_signal(&r->child, signals[i]);
        if (child_wait(&r->child, mono_add_ms(mono_now(), END_MS), &status)
            != -EAGAIN) {
            break;
        }
    }
}

void
replica_destroy(struct replica *r)
{
    if (r) {
        if (r->child.pid > 0) {
            end_worker(r);
        }
        forget_worker(r);
        ev_timer_destroy(r->start);
        ev_timer_destroy(r->watch);
        ev_timer_destroy(r->again);
        ev_timer_destroy(r->mute);
        free(r);
    }
}

void
replica_start(struct replica *r)
{
    if (!r->wanted && !r->stopped) {
        r->wanted = true;
        ev_timer_set_ms(r->start, 0);
    }
}

void
replica_stop(struct replica *r)
{
    r->wanted = false;
    r->stopped = true;
    ev_timer_stop(r->start);
    if (r->child.pid > 0) {
        child_signal(&r->child, SIGTERM);
    }
}

void
replica_facts(const struct replica *r, struct ha_local_db *db)
{
    memset(db, 0, sizeof *db);
    if (!r->have_status) {
        return; /* Nothing is known; not even that there are no data. */
    }
    db->life = r->life;
    db->pos = r->status.pos;
    db->role = r->done_role;
    db->role_token = r->done_token;
    db->role_epoch = r->done_epoch;
    db->complete = r->status.flags & WIRE_RS_COMPLETE
                   && !(r->status.flags & WIRE_RS_FOREIGN);
    db->has_data = r->status.flags & WIRE_RS_HAS_DATA;
    db->server_ok = r->status.flags & WIRE_RS_SERVER_OK;
    db->connected = r->status.flags & WIRE_RS_CONNECTED;
    db->ask = r->status.ask;
    db->ask_seq = r->status.ask_seq;
    db->ask_rows = r->status.ask_rows;
    db->ask_lost = r->status.ask_lost;
}

const struct wire_r_status *
replica_status(const struct replica *r, mono_t *ret_at)
{
    if (!r->have_status) {
        return NULL;
    }
    *ret_at = r->status_at;
    return &r->status;
}
