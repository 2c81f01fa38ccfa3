/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/fence.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ha/ev.h"
#include "ha/worker.h"
#include "lib/child.h"
#include "lib/log.h"
#include "lib/netaddr.h"
#include "lib/xalloc.h"

#define PROGRAM "ovn-ha-fence"
#define CONNECT_EVERY_MS 5     /* While a worker starts. */
#define START_PATIENCE_MS 1000 /* Until it listens, and if it did not... */
#define START_PATIENCE_MAX_MS 16000 /* ...twice as long, up to this. */
#define BACKOFF_MAX_MS 1000

struct fence {
    struct ev_loop *loop;
    const struct settings *settings;
    const struct cluster *cluster;
    struct fence_handler handler;

    int fd; /* -1: not connected. */
    struct ev_fd *io;
    struct ev_timer *timer; /* Connects, or pings. */
    struct child child;     /* The worker, started or adopted. */
    struct ev_fd *death;
    mono_t started_at;
    int patience_ms; /* With one that starts. */
    int backoff_ms;
    bool exiting;
    bool exited;

    struct wire_f_db db[HA_N_DBS];
    bool have_db[HA_N_DBS];
    pid_t northd;

    bool have_state;
    struct wire_f_state state;
    mono_t state_at;     /* When it came. */
    mono_t silent_since; /* First ping that was not answered. */
    mono_t pinged_at;
};

static int
ping_ms(const struct fence *f)
{
    return f->settings->lease_ms / 5;
}

/* Forgets the connection.  The worker may live on. */
static void
drop_connection(struct fence *f)
{
    if (f->fd < 0) {
        return;
    }
    ev_fd_destroy(f->io);
    f->io = NULL;
    close(f->fd);
    f->fd = -1;
    f->have_state = false;
    f->handler.state(f->handler.aux, NULL);
}

static void
forget_child(struct fence *f)
{
    ev_fd_destroy(f->death);
    f->death = NULL;
    child_close(&f->child);
}

static void
lost(struct fence *f, const char *how)
{
    if (f->exiting) {
        f->exited = true;
    } else {
        ha_log(HA_LOG_ERR, "fence", "the fence worker %s", how);
    }
    drop_connection(f);
    if (!f->exiting) {
        ev_timer_set_ms(f->timer, f->backoff_ms);
    }
}

static void
on_death(void *f_)
{
    struct fence *f = f_;
    int status;

    if (child_reap(&f->child, &status) == -EAGAIN) {
        return;
    }
    forget_child(f);
    lost(f, "died");
}

static void
watch_child(struct fence *f)
{
    f->death = ev_fd_create(f->loop, f->child.pidfd, POLLIN, on_death, f);
}

static void
spawn(struct fence *f)
{
    char *program = child_program(PROGRAM);
    const char *argv[] = { program, "--socket", f->settings->fence_sock,
                           NULL };
    struct child_spec spec = {
        .argv = argv,
        .log_path = f->settings->worker_log,
    };
    int error = child_spawn(&spec, &f->child);

    f->started_at = mono_now();
    if (error) {
        ha_log(HA_LOG_ERR, "fence", "%s cannot be started: %s", program,
               strerror(-error));
    } else {
        ha_log(HA_LOG_INFO, "fence", "started %s as process %d", PROGRAM,
               f->child.pid);
        watch_child(f);
    }
    free(program);
}

/* Sending. */

static void
send_msg(struct fence *f, enum wire_type type, const void *body, size_t n)
{
    int error;

    if (f->fd < 0 || (f->exiting && type != WIRE_F_EXIT)) {
        return;
    }
    error = worker_send(f->fd, type, body, n);
    if (error && error != -EAGAIN) {
        /* Its death is told by the socket's end. */
        ha_log(HA_LOG_WARN, "fence", "a message to the worker is lost: %s",
               strerror(-error));
    } else if (error) {
        /* It does not read.  A new connection starts from a known state, and
         * the watch on silence does the rest. */
        shutdown(f->fd, SHUT_RDWR);
    }
}

static enum wire_kernel_lease
kernel_lease(enum conf_tristate option)
{
    switch (option) {
    case CONF_OFF:
        return WIRE_KERNEL_LEASE_OFF;
    case CONF_AUTO:
        return WIRE_KERNEL_LEASE_AUTO;
    case CONF_ON:
        return WIRE_KERNEL_LEASE_ON;
    }
    return WIRE_KERNEL_LEASE_UNTOLD;
}

/* The file was checked when it was read. */
static void
make_addresses(const struct conf *conf, struct wire_addresses *ret)
{
    const char *text = conf->vip_address;
    struct netaddr_prefix p;
    size_t n;

    memset(ret, 0, sizeof *ret);
    for (; (n = conf_word(&text)) && ret->n < WIRE_MAX_ADDRESSES; text += n) {
        struct wire_address *a = &ret->address[ret->n];

        if (!netaddr_parse_prefix(text, n, &p)) {
            a->family = p.family;
            a->prefix = p.bits;
            memcpy(a->bytes, p.bytes, sizeof a->bytes);
            ret->n++;
        }
    }
    if (ret->n) {
        ret->detect_ms = conf->vip_detect_ms;
        strncpy(ret->interface, conf->vip_interface,
                sizeof ret->interface - 1);
    }
}

/* What resets this node if its door is not closed in time. */
static void
make_watchdog(const struct conf *conf, struct wire_watchdog *ret)
{
    if (conf_has_watchdog(conf)) {
        snprintf(ret->device, sizeof ret->device, "%s", conf->watchdog_device);
        snprintf(ret->identity, sizeof ret->identity, "%s",
                 conf->watchdog_identity);
        ret->timeout_s = conf_watchdog_timeout_s(conf);
        ret->pretimeout_s = conf->watchdog_pretimeout_s;
        ret->max_ms = conf_watchdog_max_ms(conf);
    }
    snprintf(ret->reset_program, sizeof ret->reset_program, "%s",
             conf->reset_program);
    ret->reset_after_ms = conf->reset_after_ms;
}

static void
send_config(struct fence *f)
{
    const struct settings *s = f->settings;
    struct wire_f_config config = {
        .self = f->cluster->self,
        .n_nodes = f->cluster->n_nodes,
        .port = s->conf->beat_port,
        .drift_ppm = s->conf->drift_ppm,
        .lease_us = (uint64_t) s->lease_ms * 1000,
        .beat_us = (uint64_t) s->beat_ms * 1000,
        /* A pair that lives on proof serves without a lease. */
        .supporters = settings_lives_on_proof(s, f->cluster)
                          ? 0
                          : f->cluster->n_nodes / 2,
    };

    for (uint32_t i = 0; i < f->cluster->n_nodes; i++) {
        cluster_to_wire(&f->cluster->nodes[i], &config.nodes[i]);
    }
    memcpy(config.key_file, f->cluster->key_file, sizeof config.key_file);
    config.kernel_lease = s->conf->witness
                              ? WIRE_KERNEL_LEASE_OFF
                              : kernel_lease(s->conf->kernel_lease);
    if (!s->conf->witness) {
        make_addresses(s->conf, &config.addresses);
        make_watchdog(s->conf, &config.watchdog);
    }
    send_msg(f, WIRE_F_CONFIG, &config, sizeof config);
}

static void
send_northd(struct fence *f)
{
    struct wire_f_pid northd = { .pid = f->northd };

    send_msg(f, WIRE_F_NORTHD, &northd, sizeof northd);
}

void
fence_set_db(struct fence *f, const struct wire_f_db *db)
{
    if (f->have_db[db->db] && !memcmp(&f->db[db->db], db, sizeof *db)) {
        return; /* To the worker it would be a new server. */
    }
    f->db[db->db] = *db;
    f->have_db[db->db] = true;
    send_msg(f, WIRE_F_DB, db, sizeof *db);
}

void
fence_set_northd(struct fence *f, pid_t pid)
{
    f->northd = pid;
    send_northd(f);
}

void
fence_send_members(struct fence *f, const struct ha_set *set)
{
    struct wire_f_members members = { .n = set->n };

    memcpy(members.ids, set->id, set->n * sizeof set->id[0]);
    send_msg(f, WIRE_F_MEMBERS, &members, sizeof members);
}

void
fence_send_epoch(struct fence *f, enum wire_type type, struct ha_epoch epoch)
{
    struct wire_f_epoch body = { .epoch = epoch };

    send_msg(f, type, &body, sizeof body);
}

void
fence_send_endless(struct fence *f, struct ha_epoch epoch, bool on,
                   uint32_t token)
{
    struct wire_f_endless body = { .epoch = epoch, .on = on, .token = token };

    send_msg(f, WIRE_F_ENDLESS, &body, sizeof body);
}

/* Receiving. */

static void
terminate_watchdog(struct wire_f_watchdog *w)
{
    w->path[sizeof w->path - 1] = '\0';
    w->identity[sizeof w->identity - 1] = '\0';
    w->why[sizeof w->why - 1] = '\0';
}

static void
on_message(struct fence *f, const struct worker_msg *msg)
{
    struct wire_f_supported supported;

    switch (msg->hdr.type) {
    case WIRE_F_STATE:
        worker_body(msg, &f->state, sizeof f->state);
        f->state.why[sizeof f->state.why - 1] = '\0';
        f->state.kernel_why[sizeof f->state.kernel_why - 1] = '\0';
        f->state.address_why[sizeof f->state.address_why - 1] = '\0';
        terminate_watchdog(&f->state.watchdog);
        f->have_state = true;
        f->state_at = mono_now();
        f->silent_since = MONO_NEVER;
        f->backoff_ms = 0;
        f->handler.state(f->handler.aux, &f->state);
        break;
    case WIRE_F_SUPPORTED:
        worker_body(msg, &supported, sizeof supported);
        f->handler.supported(f->handler.aux, &supported);
        break;
    default:
        ha_log(HA_LOG_DBG, "fence", "message %u is of a newer worker",
               msg->hdr.type);
        break;
    }
}

static void
on_readable(void *f_)
{
    static struct worker_msg msg; /* Too large for the stack. */
    struct fence *f = f_;
    int error;

    while (!(error = worker_recv(f->fd, &msg))) {
        on_message(f, &msg);
    }
    if (error != -EAGAIN) {
        lost(f, error == -EPIPE || error == -ECONNRESET ? "closed its socket"
                                                        : strerror(-error));
    }
}

/* Connecting. */

static void
connected(struct fence *f, int fd)
{
    pid_t pid;
    uid_t uid;
    gid_t gid;

    f->fd = fd;
    f->patience_ms = START_PATIENCE_MS;
    f->io = ev_fd_create(f->loop, fd, POLLIN, on_readable, f);
    if (f->child.pid <= 0 && !seq_peer(fd, &pid, &uid, &gid)
        && !child_adopt(pid, PROGRAM, 0, &f->child)) {
        ha_log(HA_LOG_INFO, "fence", "adopted %s, process %d", PROGRAM, pid);
        watch_child(f);
    }
    f->silent_since = MONO_NEVER;
    f->pinged_at = mono_now();
    send_config(f);
    for (int db = 0; db < HA_N_DBS; db++) {
        if (f->have_db[db]) {
            send_msg(f, WIRE_F_DB, &f->db[db], sizeof f->db[db]);
        }
    }
    send_northd(f);
}

/* The next one gets more time: a slow machine would never have one. */
static void
lose_patience(struct fence *f, const char *why)
{
    ha_log(HA_LOG_ERR, "fence",
           "process %d does not listen on %s (%s) within %d ms; killed",
           f->child.pid, f->settings->fence_sock, why, f->patience_ms);
    child_signal(&f->child, SIGKILL);
    f->started_at = mono_now();
    if (f->patience_ms < START_PATIENCE_MAX_MS) {
        f->patience_ms *= 2;
    }
}

static void
try_connect(struct fence *f)
{
    int64_t waited_us = mono_us_between(f->started_at, mono_now());
    int fd = seq_connect(f->settings->fence_sock);

    if (fd >= 0) {
        connected(f, fd);
        ev_timer_set_ms(f->timer, ping_ms(f));
        return;
    }
    if (f->child.pid > 0 && waited_us > (int64_t) f->patience_ms * 1000) {
        lose_patience(f, strerror(-fd));
    } else if (f->child.pid <= 0) {
        f->backoff_ms = f->backoff_ms ? f->backoff_ms * 2 : 20;
        f->backoff_ms =
            f->backoff_ms < BACKOFF_MAX_MS ? f->backoff_ms : BACKOFF_MAX_MS;
        spawn(f);
        if (f->child.pid <= 0) {
            ev_timer_set_ms(f->timer, f->backoff_ms);
            return;
        }
    }
    ev_timer_set_ms(f->timer, CONNECT_EVERY_MS);
}

/* A worker that is stopped holds the door open beyond the lease, so silence
 * has to be noticed within half of it.  If it was this process that slept,
 * the worker gets its full time. */
static void
watch_silence(struct fence *f, mono_t now)
{
    int64_t patience_us = (int64_t) f->settings->lease_ms * 500;

    if (mono_us_between(f->pinged_at, now) > patience_us / 2
        || f->silent_since.us == MONO_NEVER.us) {
        f->silent_since = now;
    } else if (mono_us_between(f->silent_since, now) > patience_us) {
        ha_log(HA_LOG_ERR, "fence",
               "the fence worker has been silent for "
               "%lld ms; killed, a new one closes the door",
               (long long) mono_us_between(f->silent_since, now) / 1000);
        f->silent_since = now;
        child_signal(&f->child, SIGKILL);
    }
}

static void
on_timer(void *f_)
{
    struct fence *f = f_;
    mono_t now = mono_now();

    if (f->exited) {
        return;
    }
    if (f->fd < 0) {
        if (!f->exiting) {
            try_connect(f);
        }
        return;
    }
    if (!f->exiting) {
        /* One that ends is waited for a while: killed, it would leave the
         * client ports mute to whoever serves next. */
        watch_silence(f, now);
    }
    f->pinged_at = now;
    send_msg(f, WIRE_F_PING, NULL, 0);
    ev_timer_set_ms(f->timer, ping_ms(f));
}

struct fence *
fence_create(struct ev_loop *loop, const struct settings *settings,
             const struct cluster *cluster,
             const struct fence_handler *handler)
{
    struct fence *f = ha_calloc(1, sizeof *f);

    f->loop = loop;
    f->settings = settings;
    f->cluster = cluster;
    f->handler = *handler;
    f->fd = -1;
    f->child = CHILD_NONE;
    f->patience_ms = START_PATIENCE_MS;
    f->timer = ev_timer_create(loop, on_timer, f);
    ev_timer_set_ms(f->timer, 0);
    return f;
}

void
fence_destroy(struct fence *f)
{
    if (!f) {
        return;
    }
    if (f->io) {
        ev_fd_destroy(f->io);
        close(f->fd);
    }
    forget_child(f);
    ev_timer_destroy(f->timer);
    free(f);
}

void
fence_exit(struct fence *f)
{
    f->exiting = true;
    if (f->fd < 0) {
        f->exited = true;
        if (f->child.pid > 0) {
            child_signal(&f->child, SIGTERM);
        }
    } else {
        send_msg(f, WIRE_F_EXIT, NULL, 0);
    }
}

bool
fence_exited(const struct fence *f)
{
    return f->exited;
}

const struct wire_f_state *
fence_state(const struct fence *f, mono_t *ret_at)
{
    if (!f->have_state) {
        return NULL;
    }
    *ret_at = f->state_at;
    return &f->state;
}

void
fence_kill(struct fence *f)
{
    child_signal(&f->child, SIGKILL);
}
