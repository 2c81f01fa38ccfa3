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
#include "lib/uctl-stream.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

/* The first answer of a monitor may have many rows. */
#define MESSAGE_MAX (256 * 1024 * 1024)

struct ovsdb {
    struct uctl_stream stream;
    bool up;
};

/* What stands behind 'scheme' in 'remote'; or NULL. */
static const char *
behind(const char *remote, const char *scheme)
{
    size_t n = strlen(scheme);

    return strncmp(remote, scheme, n) ? NULL : remote + n;
}

bool
ovsdb_is_remote(const char *remote)
{
    const char *tcp = behind(remote, "tcp:");
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

int
ovsdb_open(const char *remote, struct ovsdb **ret_session)
{
    const char *tcp = behind(remote, "tcp:");
    const char *path = behind(remote, "unix:");
    int fd = tcp    ? connect_tcp(tcp)
             : path ? unixpath_connect(path, SOCK_STREAM)
                    : -EINVAL;
    struct ovsdb *o;

    if (fd < 0) {
        return fd;
    }
    o = ha_calloc(1, sizeof *o);
    uctl_stream_init(&o->stream, fd, MESSAGE_MAX);
    *ret_session = o;
    return 0;
}

void
ovsdb_close(struct ovsdb *o)
{
    if (o) {
        uctl_stream_close(&o->stream);
        free(o);
    }
}

static int
finish_connect(struct ovsdb *o)
{
    struct pollfd pfd = { .fd = o->stream.fd, .events = POLLOUT };
    socklen_t n = sizeof(int);
    int error = 0;

    if (poll(&pfd, 1, 0) <= 0) {
        return -EAGAIN;
    }
    getsockopt(o->stream.fd, SOL_SOCKET, SO_ERROR, &error, &n);
    o->up = !error;
    return -error;
}

int
ovsdb_step(struct ovsdb *o)
{
    int error = o->up ? 0 : finish_connect(o);

    if (!error) {
        error = uctl_stream_flush(&o->stream);
        /* It stands, even if not all that is queued fits. */
        error = error == -EAGAIN ? 0 : error;
    }
    return error;
}

struct pollfd
ovsdb_pollfd(const struct ovsdb *o)
{
    short out = !o->up || !uctl_stream_is_flushed(&o->stream) ? POLLOUT : 0;

    return (struct pollfd){ .fd = o->stream.fd, .events = POLLIN | out };
}

void
ovsdb_send(struct ovsdb *o, const char *method, json_t *params, int id)
{
    uctl_stream_put(&o->stream, json_pack("{s:s, s:o, s:i}", "method", method,
                                          "params", params, "id", id));
    uctl_stream_flush(&o->stream);
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
        error = uctl_stream_flush(&o->stream);
        if (error && error != -EAGAIN) {
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
