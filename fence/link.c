/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#define RETRY_MS 100
#define WARNING_MS 10000
#define RECV_TRIES 64 /* Bad datagrams that are passed at once. */

void
link_init(struct link *l)
{
    memset(l, 0, sizeof *l);
    l->fd = -1;
    l->next_try = MONO_NEVER;
    l->next_warning = MONO_MIN;
}

void
link_close(struct link *l)
{
    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
    hmac_key_clear(&l->key);
    l->have_key = false;
}

/* ---- Configuration -------------------------------------------------- */

static void
set_port(struct sockaddr_storage *addr, uint16_t port)
{
    if (addr->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *) addr)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *) addr)->sin_port = htons(port);
    }
}

static socklen_t
addr_len(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                       : sizeof(struct sockaddr_in);
}

/* Compares address and port. */
static bool
addr_equals(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *) a;
        const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *) b;

        return a6->sin6_port == b6->sin6_port
               && !memcmp(&a6->sin6_addr, &b6->sin6_addr,
                          sizeof a6->sin6_addr);
    } else {
        const struct sockaddr_in *a4 = (const struct sockaddr_in *) a;
        const struct sockaddr_in *b4 = (const struct sockaddr_in *) b;

        return a4->sin_port == b4->sin_port
               && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    }
}

void
link_set_config(struct link *l, const struct wire_f_config *config, mono_t now)
{
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };

    l->self = config->self;
    l->n_peers = 0;
    for (uint32_t i = 0; i < config->n_nodes; i++) {
        const struct wire_node *node = &config->nodes[i];
        struct link_peer *p = &l->peers[l->n_peers];

        if (node->id == config->self) {
            own = node->addr;
            set_port(&own, config->port);
            continue;
        }
        *p = (struct link_peer){ .id = node->id, .addr = node->addr };
        set_port(&p->addr, config->port);
        l->n_peers++;
    }
    if (l->fd >= 0 && !addr_equals(&own, &l->addr)) {
        close(l->fd);
        l->fd = -1;
    }
    l->addr = own;
    memcpy(l->key_file, config->key_file, sizeof l->key_file);
    l->key_file[sizeof l->key_file - 1] = '\0';
    l->have_key = false; /* It may have changed under the same name. */
    l->bind_error = l->key_error = 0;
    l->configured = true;
    if (!l->key_file[0]) {
        ha_log(HA_LOG_WARN, "beat",
               "no key file: beats are not authenticated");
    }
    l->next_try = now;
    link_run(l, now);
}

/* Returns a descriptor or a negative errno. */
static int
open_socket(const struct sockaddr_storage *addr)
{
    int fd =
        socket(addr->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (const struct sockaddr *) addr, addr_len(addr))) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void
link_run(struct link *l, mono_t now)
{
    if (!l->configured || mono_before(now, l->next_try)) {
        return;
    }
    if (!l->have_key && l->key_file[0]) {
        int error = hmac_key_load(&l->key, l->key_file, BEAT_KEY_PURPOSE);

        l->have_key = !error;
        if (error && error != l->key_error) {
            ha_log(HA_LOG_ERR, "beat",
                   "cannot read the key %s: %s; "
                   "no beats until then",
                   l->key_file, strerror(-error));
        }
        l->key_error = error;
    }
    if (l->fd < 0) {
        int fd = open_socket(&l->addr);

        if (fd < 0 && fd != l->bind_error) {
            ha_log(HA_LOG_WARN, "beat",
                   "cannot bind to this node's ring address: %s; trying on",
                   strerror(-fd));
        }
        l->bind_error = fd < 0 ? fd : 0;
        l->fd = fd < 0 ? -1 : fd;
    }
    l->next_try = link_is_up(l) ? MONO_NEVER : mono_add_ms(now, RETRY_MS);
}

bool
link_is_up(const struct link *l)
{
    return l->fd >= 0 && (l->have_key || !l->key_file[0]);
}

const char *
link_why(const struct link *l)
{
    return link_is_up(l)    ? ""
           : !l->configured ? "not configured"
           : l->fd < 0      ? "cannot bind to the ring address"
                            : "cannot read the key of beats";
}

/* ---- Messages ------------------------------------------------------- */

static struct link_peer *
find_peer(struct link *l, uint32_t id)
{
    for (uint32_t i = 0; i < l->n_peers; i++) {
        if (l->peers[i].id == id) {
            return &l->peers[i];
        }
    }
    return NULL;
}

void
link_send(struct link *l, uint32_t to, enum beat_type type,
          const struct lease_beat *beat)
{
    struct beat_msg msg = { type, l->self, to, *beat };
    struct link_peer *p = find_peer(l, to);
    uint8_t bytes[BEAT_LEN];
    int error = 0;

    if (!p || !link_is_up(l)) {
        return;
    }
    beat_encode(&msg, l->have_key ? &l->key : NULL, bytes);
    if (sendto(l->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *) &p->addr, addr_len(&p->addr))
        < 0) {
        error = errno;
    }
    if (error != p->error && error) {
        ha_log(HA_LOG_WARN, "beat", "cannot send to node %u: %s", to,
               strerror(error));
    }
    p->error = error;
}

static void
warn_bad(struct link *l, mono_t now, const char *what)
{
    if (!mono_before(now, l->next_warning)) {
        ha_log(HA_LOG_WARN, "beat", "dropped a datagram %s", what);
        l->next_warning = mono_add_ms(now, WARNING_MS);
    }
}

/* Judges one datagram.  Returns 0 if 'ret_msg' is good. */
static int
accept_datagram(struct link *l, mono_t now, const uint8_t *bytes, size_t n,
                const struct sockaddr_storage *source,
                struct beat_msg *ret_msg)
{
    struct beat_msg msg;
    struct link_peer *p;
    int error;

    error = beat_decode(bytes, n, l->have_key ? &l->key : NULL, &msg);
    if (error) {
        warn_bad(l, now,
                 error == -EACCES ? "with a wrong authentication code"
                                  : "that is no beat");
        return error;
    }
    p = find_peer(l, msg.from);
    if (!p || msg.to != l->self || !addr_equals(source, &p->addr)) {
        warn_bad(l, now, "of another node than its address says");
        return -EACCES;
    }
    *ret_msg = msg;
    return 0;
}

int
link_recv(struct link *l, mono_t now, struct beat_msg *ret_msg)
{
    for (int i = 0; l->fd >= 0 && i < RECV_TRIES; i++) {
        struct sockaddr_storage source;
        socklen_t len = sizeof source;
        uint8_t bytes[BEAT_MAX + 1];
        ssize_t n;

        memset(&source, 0, sizeof source);
        n = recvfrom(l->fd, bytes, sizeof bytes, MSG_DONTWAIT,
                     (struct sockaddr *) &source, &len);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        /* Other errors are echoes of what was sent: the next call goes on. */
        if (n >= 0 && link_is_up(l)
            && !accept_datagram(l, now, bytes, n, &source, ret_msg)) {
            return 0;
        }
    }
    return -EAGAIN;
}
