/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/agents.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ha/ev.h"
#include "ha/worker.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define CONNECT_EVERY_MS 200
#define PING_MS 1000
#define AGENTS_FOLDER "/usr/sbin"

_Static_assert(CONF_PARAMS_LEN == WIRE_A_PARAMS_LEN
                   && CONF_MAX_DEVICES == WIRE_A_MAX_DEVICES
                   && CONF_MAX_LEVELS == WIRE_A_MAX_LEVELS
                   && CONF_MAX_IN_LEVEL == WIRE_A_MAX_IN_LEVEL
                   && CONF_NAME_LEN == WIRE_A_NAME_LEN
                   && CLUSTER_NAME_LEN == WIRE_A_NAME_LEN,
               "what is configured fits into messages");

/* A request that has not ended. */
struct request {
    bool open;
    uint32_t token;
};

struct agents {
    struct ev_loop *loop;
    const struct settings *settings;
    const struct cluster *cluster;
    struct agents_handler handler;

    struct wire_a_device devices[WIRE_A_MAX_DEVICES];
    size_t n_devices;
    struct wire_a_target targets[HA_MAX_NODES];
    size_t n_targets;

    int fd; /* -1: not connected. */
    struct ev_fd *io;
    struct ev_timer *timer; /* Connects, or pings. */
    bool have_state;
    struct wire_a_state state;
    struct request requests[HA_MAX_NODES]; /* By target. */
    uint32_t next_token;
};

/* ---- What is configured --------------------------------------------- */

bool
agents_check(const struct conf *conf, const struct cluster *cluster,
             char *error, size_t size)
{
    for (size_t i = 0; i < conf->n_fences; i++) {
        if (!cluster_find(cluster, conf->fences[i].node)) {
            snprintf(error, size,
                     "%s:%d: [fence %s]: corosync's nodelist has no such node",
                     conf->file, conf->fences[i].line, conf->fences[i].node);
            return false;
        }
    }
    return true;
}

static void
make_params(const struct conf_device *d, char params[WIRE_A_PARAMS_LEN])
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_params; i++) {
        const struct conf_param *p = &d->params[i];
        size_t name = strlen(p->name);

        if (conf_param_is_file(p)) {
            params[n++] = '@';
            name -= strlen("-file");
        }
        n += snprintf(params + n, WIRE_A_PARAMS_LEN - n, "%.*s=%s\n",
                      (int) name, p->name, p->value);
    }
}

/* Index of the device named by the first 'n' characters of 'name', which is
 * in the configuration. */
static uint32_t
take_device(struct agents *a, const char *name, size_t n)
{
    const struct conf_device *d = conf_device_find(a->settings->conf, name, n);
    struct wire_a_device *w;

    for (size_t i = 0; i < a->n_devices; i++) {
        if (!strcmp(a->devices[i].name, d->name)) {
            return i;
        }
    }
    w = &a->devices[a->n_devices];
    snprintf(w->name, sizeof w->name, "%s", d->name);
    snprintf(w->agent, sizeof w->agent, "%s%s",
             *d->agent == '/' ? "" : AGENTS_FOLDER "/", d->agent);
    w->timeout_ms = d->timeout_ms;
    w->retries = d->retries;
    w->monitor_ms = (uint32_t) d->monitor_s * 1000;
    make_params(d, w->params);
    return a->n_devices++;
}

static void
take_target(struct agents *a, const struct conf_fence *f)
{
    const struct cluster_node *node = cluster_find(a->cluster, f->node);
    struct wire_a_target *t = &a->targets[a->n_targets];
    const char *text;
    size_t n;

    if (!node || node->id == a->cluster->self) {
        return;
    }
    a->n_targets++;
    t->node = node->id;
    snprintf(t->name, sizeof t->name, "%s", node->name);
    for (size_t l = 0; l < CONF_MAX_LEVELS; l++) {
        for (text = f->levels[l]; (n = conf_word(&text)); text += n) {
            t->devices[l][t->n[l]++] = take_device(a, text, n);
        }
    }
    text = f->confirm;
    n = conf_word(&text);
    if (n) {
        t->has_confirm = true;
        t->confirm = take_device(a, text, n);
    }
    t->power_on = f->power_on;
}

static int
find_target(const struct agents *a, uint32_t node)
{
    for (size_t i = 0; i < a->n_targets; i++) {
        if (a->targets[i].node == node) {
            return (int) i;
        }
    }
    return -1;
}

bool
agents_can_fence(const struct agents *a, uint32_t node)
{
    return find_target(a, node) >= 0;
}

/* ---- Connection ----------------------------------------------------- */

static void
end_request(struct agents *a, size_t i, bool proven, const char *why)
{
    a->requests[i].open = false;
    if (proven) {
        ha_log(HA_LOG_WARN, "fencing", "%s is off: proven",
               a->targets[i].name);
    }
    a->handler.fenced(a->handler.aux, a->targets[i].node, proven, why);
}

static void
lost(struct agents *a)
{
    ha_log(HA_LOG_WARN, "fencing", "the process that runs agents is gone");
    ev_fd_destroy(a->io);
    a->io = NULL;
    close(a->fd);
    a->fd = -1;
    a->have_state = false;
    ev_timer_set_ms(a->timer, CONNECT_EVERY_MS);
    for (size_t i = 0; i < a->n_targets; i++) {
        if (a->requests[i].open) {
            end_request(a, i, false, "the process that ran the agent died");
        }
    }
}

/* Ends what the new state says has ended. */
static void
take_state(struct agents *a)
{
    for (size_t i = 0; i < a->n_targets && i < a->state.n_targets; i++) {
        struct wire_a_target_state *s = &a->state.targets[i];

        s->why[sizeof s->why - 1] = '\0';
        if (!a->requests[i].open || s->node != a->targets[i].node
            || s->token != a->requests[i].token) {
            continue;
        }
        if (s->phase == WIRE_A_FENCED) {
            end_request(a, i, true, "");
        } else if (s->phase == WIRE_A_FAILED) {
            end_request(a, i, false, s->why);
        }
    }
}

static void
on_readable(void *a_)
{
    static struct worker_msg msg; /* Too large for the stack. */
    struct agents *a = a_;
    int error;

    while (!(error = worker_recv(a->fd, &msg))) {
        if (msg.hdr.type == WIRE_A_STATE) {
            worker_body(&msg, &a->state, sizeof a->state);
            for (size_t i = 0; i < WIRE_A_MAX_DEVICES; i++) {
                struct wire_a_device_state *d = &a->state.devices[i];

                d->name[sizeof d->name - 1] = '\0';
                d->why[sizeof d->why - 1] = '\0';
            }
            a->have_state = true;
            take_state(a);
        }
    }
    if (error != -EAGAIN) {
        lost(a);
    }
}

/* A message that does not fit tells of a process that does not read; the
 * next connection begins anew. */
static int
send_msg(struct agents *a, enum wire_type type, const void *body, size_t n)
{
    int error = worker_send(a->fd, type, body, n);

    if (error) {
        shutdown(a->fd, SHUT_RDWR);
    }
    return error;
}

static void
connected(struct agents *a, int fd)
{
    struct wire_a_commit commit = { a->n_devices, a->n_targets };

    a->fd = fd;
    a->io = ev_fd_create(a->loop, fd, POLLIN, on_readable, a);
    for (size_t i = 0; i < a->n_devices; i++) {
        send_msg(a, WIRE_A_DEVICE, &a->devices[i], sizeof a->devices[i]);
    }
    for (size_t i = 0; i < a->n_targets; i++) {
        send_msg(a, WIRE_A_TARGET, &a->targets[i], sizeof a->targets[i]);
    }
    send_msg(a, WIRE_A_COMMIT, &commit, sizeof commit);
}

static void
on_timer(void *a_)
{
    struct agents *a = a_;
    int fd;

    if (a->fd >= 0) {
        send_msg(a, WIRE_A_PING, NULL, 0);
        ev_timer_set_ms(a->timer, PING_MS);
        return;
    }
    fd = seq_connect(a->settings->agents_sock);
    if (fd >= 0) {
        connected(a, fd);
    }
    ev_timer_set_ms(a->timer, fd >= 0 ? PING_MS : CONNECT_EVERY_MS);
}

struct agents *
agents_create(struct ev_loop *loop, const struct settings *settings,
              const struct cluster *cluster,
              const struct agents_handler *handler)
{
    struct agents *a = ha_calloc(1, sizeof *a);
    const struct conf *conf = settings->conf;

    a->loop = loop;
    a->settings = settings;
    a->cluster = cluster;
    a->handler = *handler;
    a->fd = -1;
    a->timer = ev_timer_create(loop, on_timer, a);
    for (size_t i = 0; i < conf->n_fences; i++) {
        take_target(a, &conf->fences[i]);
    }
    /* Tokens of an ovn-had before must not be taken for its own. */
    if (getrandom(&a->next_token, sizeof a->next_token, 0)
        != sizeof a->next_token) {
        a->next_token = (uint32_t) mono_now().us;
    }
    ev_timer_set_ms(a->timer, 0);
    return a;
}

void
agents_destroy(struct agents *a)
{
    if (!a) {
        return;
    }
    if (a->io) {
        ev_fd_destroy(a->io);
        close(a->fd);
    }
    ev_timer_destroy(a->timer);
    explicit_bzero(a->devices, sizeof a->devices);
    free(a);
}

int
agents_fence(struct agents *a, uint32_t node)
{
    struct wire_a_fence m = { .node = node, .token = a->next_token };
    int i = find_target(a, node), error;

    if (i < 0) {
        return -ENODEV;
    } else if (a->fd < 0) {
        return -ENOTCONN;
    }
    error = send_msg(a, WIRE_A_FENCE, &m, sizeof m);
    if (!error) {
        a->requests[i] = (struct request){ true, a->next_token++ };
    }
    return error;
}

const struct wire_a_state *
agents_state(const struct agents *a)
{
    return a->have_state ? &a->state : NULL;
}

const struct wire_a_target *
agents_targets(const struct agents *a, size_t *ret_n)
{
    *ret_n = a->n_targets;
    return a->targets;
}
