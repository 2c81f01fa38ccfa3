/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ovsdb.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/jsonget.h"
#include "lib/netaddr.h"
#include "lib/tls.h"
#include "lib/uctl-stream.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

/* The first answer of a monitor may have many rows. */
#define MESSAGE_MAX (256 * 1024 * 1024)

#define BUF_BYTES 16384

struct ovsdb {
    struct uctl_stream stream;
    int fd; /* To the server. */
    bool up;

    /* With TLS the stream talks to the one end of a pair of sockets, and what
     * comes out at the other is moved to and from the server; else NULL. */
    struct tls_session *tls;
    int inner;
    bool secure;
    char plain[BUF_BYTES], secret[BUF_BYTES]; /* On their way in, out. */
    size_t n_plain, n_secret;
};

/* What stands behind 'scheme' in 'remote'; or NULL. */
static const char *
behind(const char *remote, const char *scheme)
{
    size_t n = strlen(scheme);

    return strncmp(remote, scheme, n) ? NULL : remote + n;
}

bool
ovsdb_needs_tls(const char *remote)
{
    return behind(remote, "ssl:") != NULL;
}

/* Address and port in 'remote'; or NULL. */
static const char *
behind_net(const char *remote)
{
    const char *ssl = behind(remote, "ssl:");

    return ssl ? ssl : behind(remote, "tcp:");
}

bool
ovsdb_is_remote(const char *remote)
{
    const char *tcp = behind_net(remote);
    const char *path = behind(remote, "unix:");
    struct sockaddr_storage addr;
    socklen_t n;

    return tcp ? !netaddr_parse(tcp, &addr, &n) : path && *path;
}

static int
connect_tcp(const char *text)
{
    struct sockaddr_storage addr;
    socklen_t n;
    int error = netaddr_parse(text, &addr, &n), fd, one = 1;

    if (error) {
        return error;
    }
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *) &addr, n) && errno != EINPROGRESS) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Puts TLS between the stream and 'fd'.  Returns 0 or a negative errno. */
static int
add_tls(struct ovsdb *o, const struct tls *tls)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   pair)) {
        return -errno;
    }
    o->tls = tls_session_create(tls, false);
    o->inner = pair[1];
    uctl_stream_init(&o->stream, pair[0], MESSAGE_MAX);
    return 0;
}

int
ovsdb_open(const char *remote, const struct tls *tls,
           struct ovsdb **ret_session)
{
    const char *net = behind_net(remote);
    const char *path = behind(remote, "unix:");
    int fd = net    ? connect_tcp(net)
             : path ? unixpath_connect(path, SOCK_STREAM)
                    : -EINVAL;
    struct ovsdb *o;
    int error;

    if (fd < 0) {
        return fd;
    }
    o = ha_calloc(1, sizeof *o);
    o->fd = fd;
    uctl_stream_init(&o->stream, fd, MESSAGE_MAX);
    error = ovsdb_needs_tls(remote) ? add_tls(o, tls) : 0;
    if (error) {
        ovsdb_close(o);
        return error;
    }
    *ret_session = o;
    return 0;
}

void
ovsdb_close(struct ovsdb *o)
{
    if (o) {
        if (o->tls) {
            tls_session_destroy(o->tls);
            close(o->inner);
            close(o->fd);
        }
        uctl_stream_close(&o->stream);
        free(o);
    }
}

/* ---- TLS ----------------------------------------------------------------- */

/* Sends the first '*n' bytes of 'buf', or a part of them, and adds how many to
 * '*ret_moved'.  Returns 0 or a negative errno. */
static int
send_some(int fd, char *buf, size_t *n, size_t *ret_moved)
{
    ssize_t sent = *n ? send(fd, buf, *n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    if (sent < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    *n -= sent;
    memmove(buf, buf + sent, *n);
    *ret_moved += sent;
    return 0;
}

/* From the server to TLS. */
static int
receive(struct ovsdb *o, size_t *ret_moved)
{
    char buf[BUF_BYTES];
    ssize_t n = recv(o->fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n <= 0) {
        return !n ? -EPIPE : errno == EAGAIN ? 0 : -errno;
    }
    tls_session_feed(o->tls, buf, n);
    *ret_moved += n;
    return 0;
}

/* Between TLS and the stream. */
static int
exchange(struct ovsdb *o, size_t *ret_moved)
{
    char buf[BUF_BYTES];
    ssize_t n;

    if (!o->n_plain) {
        n = tls_session_read(o->tls, o->plain, sizeof o->plain);
        if (n <= 0 && n != -EAGAIN) {
            return n ? n : -EPIPE;
        }
        o->n_plain = n > 0 ? n : 0;
    }
    n = recv(o->inner, buf, sizeof buf, MSG_DONTWAIT);
    if (n > 0) {
        *ret_moved += n;
        if (tls_session_write(o->tls, buf, n)) {
            return -EPROTO;
        }
    }
    return send_some(o->inner, o->plain, &o->n_plain, ret_moved);
}

/* Moves what there is, in both directions. */
static int
pump(struct ovsdb *o)
{
    size_t moved;
    int error;

    do {
        moved = 0;
        error = receive(o, &moved);
        if (!error && !o->secure) {
            error = tls_session_handshake(o->tls);
            o->secure = !error;
            error = error == -EAGAIN ? 0 : error;
        }
        if (!error && o->secure) {
            error = exchange(o, &moved);
        }
        if (!o->n_secret) {
            o->n_secret =
                tls_session_drain(o->tls, o->secret, sizeof o->secret);
        }
        if (!error) {
            error = send_some(o->fd, o->secret, &o->n_secret, &moved);
        }
    } while (!error && moved);
    return error;
}

/* ---- Messages ------------------------------------------------------------ */

/* Sends what is queued, as far as that is possible now. */
static int
flush(struct ovsdb *o)
{
    int error = uctl_stream_flush(&o->stream);

    if (error && error != -EAGAIN) {
        return error;
    }
    return o->tls ? pump(o) : 0;
}

static int
finish_connect(struct ovsdb *o)
{
    struct pollfd pfd = { .fd = o->fd, .events = POLLOUT };
    socklen_t n = sizeof(int);
    int error = 0;

    if (poll(&pfd, 1, 0) <= 0) {
        return -EAGAIN;
    }
    getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    o->up = !error;
    return -error;
}

int
ovsdb_step(struct ovsdb *o)
{
    int error = o->up ? 0 : finish_connect(o);

    if (!error) {
        error = flush(o);
    }
    return !error && o->tls && !o->secure ? -EAGAIN : error;
}

struct pollfd
ovsdb_pollfd(const struct ovsdb *o)
{
    bool waits = !o->up || o->n_secret || !uctl_stream_is_flushed(&o->stream);

    return (struct pollfd){ .fd = o->fd,
                            .events = POLLIN | (waits ? POLLOUT : 0) };
}

void
ovsdb_send(struct ovsdb *o, const char *method, json_t *params, int id)
{
    uctl_stream_put(&o->stream, json_pack("{s:s, s:o, s:i}", "method", method,
                                          "params", params, "id", id));
    flush(o); /* What goes wrong, the next step tells. */
}

int
ovsdb_get(struct ovsdb *o, json_t **ret_message)
{
    json_t *m;
    int error;

    while (!(error = uctl_stream_get(&o->stream, &m))) {
        if (strcmp(jsonget_text(m, "method"), "echo")) {
            *ret_message = m;
            return 0;
        }
        uctl_stream_put(&o->stream,
                        json_pack("{s:O, s:n, s:O}", "result",
                                  json_object_get(m, "params"), "error", "id",
                                  json_object_get(m, "id")));
        json_decref(m);
        error = flush(o);
        if (error) {
            return error;
        }
    }
    return error;
}

char *
ovsdb_refusal(const json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");
    const json_t *results = json_object_get(reply, "result");

    if (error && !json_is_null(error)) {
        return json_dumps(error, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);

        if (json_object_get(result, "error")) {
            return ha_asprintf("%s: %s", jsonget_text(result, "error"),
                               jsonget_text(result, "details"));
        }
    }
    return json_is_array(results) ? NULL : ha_strdup("no result");
}
