/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/uctl.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/seq.h"
#include "lib/uctl-stream.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

struct uctl_server {
    int fd;
    char *path;
    int n_conns;
};

struct uctl_conn {
    struct uctl_server *server;
    struct uctl_stream stream;
    json_t *request; /* Waits for its reply, or NULL. */
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

int
uctl_server_create(const char *path, struct uctl_server **ret_server)
{
    struct uctl_server *server;
    int fd = unixpath_listen(path, SOCK_STREAM);

    if (fd < 0) {
        return fd;
    }
    server = ha_calloc(1, sizeof *server);
    server->fd = fd;
    server->path = ha_strdup(path);
    *ret_server = server;
    return 0;
}

void
uctl_server_destroy(struct uctl_server *server)
{
    if (server) {
        assert(!server->n_conns);
        close(server->fd);
        unlink(server->path);
        free(server->path);
        free(server);
    }
}

int
uctl_server_fd(const struct uctl_server *server)
{
    return server->fd;
}

int
uctl_server_accept(struct uctl_server *server, struct uctl_conn **ret_conn)
{
    struct uctl_conn *conn;
    int fd, error;

    fd = unixpath_accept(server->fd);
    if (fd < 0) {
        return fd;
    }
    if (server->n_conns >= UCTL_CONNS_MAX) {
        close(fd);
        return -EUSERS;
    }
    conn = ha_calloc(1, sizeof *conn);
    error = seq_peer(fd, &conn->pid, &conn->uid, &conn->gid);
    if (error) {
        close(fd);
        free(conn);
        return error;
    }
    conn->server = server;
    server->n_conns++;
    uctl_stream_init(&conn->stream, fd, UCTL_REQUEST_MAX);
    *ret_conn = conn;
    return 0;
}

void
uctl_conn_destroy(struct uctl_conn *conn)
{
    if (conn) {
        conn->server->n_conns--;
        uctl_stream_close(&conn->stream);
        json_decref(conn->request);
        free(conn);
    }
}

int
uctl_conn_fd(const struct uctl_conn *conn)
{
    return conn->stream.fd;
}

short
uctl_conn_events(const struct uctl_conn *conn)
{
    if (conn->request) {
        return 0;
    }
    return uctl_stream_is_flushed(&conn->stream) ? POLLIN : POLLOUT;
}

pid_t
uctl_conn_pid(const struct uctl_conn *conn)
{
    return conn->pid;
}

uid_t
uctl_conn_uid(const struct uctl_conn *conn)
{
    return conn->uid;
}

gid_t
uctl_conn_gid(const struct uctl_conn *conn)
{
    return conn->gid;
}

static bool
request_is_valid(const json_t *request)
{
    const json_t *params = json_object_get(request, "params");

    if (!json_is_string(json_object_get(request, "method"))
        || !json_object_get(request, "id") || !json_is_array(params)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(params); i++) {
        if (!json_is_string(json_array_get(params, i))) {
            return false;
        }
    }
    return true;
}

int
uctl_conn_step(struct uctl_conn *conn)
{
    json_t *request;
    int error;

    if (conn->request) {
        return 0;
    }
    error = uctl_stream_flush(&conn->stream);
    if (!error) {
        error = uctl_stream_get(&conn->stream, &request);
    }
    if (error) {
        return error;
    }
    if (!request_is_valid(request)) {
        json_decref(request);
        return -EPROTO;
    }
    conn->request = request;
    return 0;
}

const char *
uctl_conn_method(const struct uctl_conn *conn)
{
    return json_string_value(json_object_get(conn->request, "method"));
}

size_t
uctl_conn_n_args(const struct uctl_conn *conn)
{
    return json_array_size(json_object_get(conn->request, "params"));
}

const char *
uctl_conn_arg(const struct uctl_conn *conn, size_t i)
{
    const json_t *params = json_object_get(conn->request, "params");

    return json_string_value(json_array_get(params, i));
}

static json_t *
string_from_text(const char *text)
{
    json_t *string = json_string(text);

    if (!string) {
        char *copy = ha_strdup(text);

        for (char *p = copy; *p; p++) {
            if (*p & 0x80) {
                *p = '?';
            }
        }
        string = json_string(copy);
        free(copy);
    }
    return string;
}

static void
reply(struct uctl_conn *conn, json_t *result, json_t *error)
{
    assert(conn->request);
    uctl_stream_put(&conn->stream,
                    json_pack("{s:O, s:o, s:o}", "id",
                              json_object_get(conn->request, "id"), "result",
                              result, "error", error));
    json_decref(conn->request);
    conn->request = NULL;
}

void
uctl_conn_reply(struct uctl_conn *conn, const char *text)
{
    reply(conn, string_from_text(text), json_null());
}

void
uctl_conn_reply_error(struct uctl_conn *conn, const char *text)
{
    reply(conn, json_null(), string_from_text(text));
}
