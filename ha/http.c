/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include "ha/ev.h"
#include "lib/log.h"
#include "lib/servertls.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

/* A page is one file, and asks nobody but this server. */
#define PAGE_POLICY                                                          \
    "Content-Security-Policy: default-src 'none'; connect-src 'self'; "      \
    "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " \
    "frame-ancestors 'none'\r\n"

#define PAUSE_S 1 /* When no descriptor is left for a new connection. */

struct conn {
    TAILQ_ENTRY(conn) link;
    struct http_server *server;
    struct bufferevent *bev;
    struct event *deadline;
    bool ending; /* The last reply is on its way, or out. */
    bool eof;    /* The client will send nothing more. */
};

struct listener {
    struct listener *next;
    struct http_server *server;
    int fd;
    struct servertls *tls; /* NULL: none. */
    struct event *event;
    struct event *resume; /* Ends a pause. */
};

struct http_server {
    struct event_base *base;
    struct http_limits limits;
    http_func *func;
    void *aux;
    struct listener *listeners;
    TAILQ_HEAD(, conn) conns; /* The one that was quiet for longest first. */
    int n_conns;
};

/* Connections. */

static void
close_conn(struct conn *c)
{
    TAILQ_REMOVE(&c->server->conns, c, link);
    c->server->n_conns--;
    event_free(c->deadline);
    bufferevent_free(c->bev);
    free(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *conn)
{
    (void) fd;
    (void) what;
    close_conn(conn);
}

static void
set_deadline(struct conn *c)
{
    int ms = c->server->limits.deadline_ms;
    struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

    event_add(c->deadline, &tv);
    TAILQ_REMOVE(&c->server->conns, c, link);
    TAILQ_INSERT_TAIL(&c->server->conns, c, link);
}

/* Replies. */

static const char *
reason_of(int code)
{
    switch (code) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    default:
        return "Service Unavailable";
    }
}

static void
send_reply(struct conn *c, const struct http_reply *reply, bool with_body)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);

    evbuffer_add_printf(
        out,
        "HTTP/1.1 %d %s\r\n"
        "Content-Type: %s\r\n"
        "Content-Length: %zu\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "%s%s"
        "Connection: %s\r\n\r\n",
        reply->code, reason_of(reply->code), reply->type, reply->n,
        strncmp(reply->type, "text/html", 9) ? "" : PAGE_POLICY,
        reply->code == 405 ? "Allow: GET, HEAD, OPTIONS\r\n" : "",
        c->ending ? "close" : "keep-alive");
    if (with_body) {
        evbuffer_add(out, reply->body, reply->n);
    }
}

static void
send_error(struct conn *c, int code)
{
    const char *text = reason_of(code);
    struct http_reply reply = { code, "text/plain", text, strlen(text) };

    c->ending = true;
    send_reply(c, &reply, true);
}

static void
answer(struct conn *c, const struct httphead *head)
{
    struct http_server *server = c->server;
    struct http_reply reply = { .code = 503, .type = "text/plain" };

    c->ending = !head->keep_alive;
    if (head->method == HTTPHEAD_OTHER) {
        send_error(c, 405);
        return;
    }
    server->func(server->aux, head, &reply);
    send_reply(c, &reply, head->method == HTTPHEAD_GET);
}

/* Answers the next request if there is a whole one.  One at a time: the next
 * is looked at when the reply is out, so that replies do not pile up. */
static void
serve(struct conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in);
    struct httphead head;
    ssize_t length;

    if (c->ending) {
        evbuffer_drain(in, n);
        return;
    }
    if (!n || evbuffer_get_length(bufferevent_get_output(c->bev))) {
        return;
    }
    length = httphead_parse((char *) evbuffer_pullup(in, n), n, &head);
    if (length > 0) {
        evbuffer_drain(in, length);
        answer(c, &head);
    } else if (length < 0) {
        send_error(c, length == -EMSGSIZE     ? 431
                      : length == -EOPNOTSUPP ? 413
                                              : 400);
    }
}

static void
on_read(struct bufferevent *bev, void *conn)
{
    (void) bev;
    serve(conn);
}

/* The reply is out. */
static void
on_written(struct bufferevent *bev, void *conn)
{
    struct conn *c = conn;

    (void) bev;
    if (c->eof) {
        close_conn(c);
        return;
    }
    if (c->ending) {
        /* Whoever still sends would lose the reply if this side closed at
         * once: the end is the client's, or the deadline's. */
        shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    } else {
        set_deadline(c);
    }
    serve(c);
}

static void
on_event(struct bufferevent *bev, short what, void *conn)
{
    struct conn *c = conn;

    if (what & BEV_EVENT_EOF
        && evbuffer_get_length(bufferevent_get_output(bev))) {
        c->eof = c->ending = true; /* It may read on. */
    } else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        close_conn(c);
    }
}

/* Listeners. */

static struct bufferevent *
make_bufferevent(const struct listener *l, int fd)
{
    struct event_base *base = l->server->base;
    struct ssl_st *session;
    struct bufferevent *bev;

    if (!l->tls) {
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    session = servertls_session(l->tls);
    bev = session ? bufferevent_openssl_socket_new(base, fd, session,
                                                   BUFFEREVENT_SSL_ACCEPTING,
                                                   BEV_OPT_CLOSE_ON_FREE)
                  : NULL;
    if (bev) {
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    }
    return bev;
}

static void
open_conn(const struct listener *l, int fd)
{
    struct http_server *server = l->server;
    struct bufferevent *bev = make_bufferevent(l, fd);
    struct conn *c;

    if (!bev) {
        close(fd);
        return;
    }
    if (server->n_conns >= server->limits.connections) {
        close_conn(TAILQ_FIRST(&server->conns));
    }
    c = ha_calloc(1, sizeof *c);
    c->server = server;
    c->bev = bev;
    c->deadline = evtimer_new(server->base, on_deadline, c);
    event_priority_set(c->deadline, EV_PRIORITY_LOW);
    TAILQ_INSERT_TAIL(&server->conns, c, link);
    server->n_conns++;
    set_deadline(c);
    bufferevent_priority_set(bev, EV_PRIORITY_LOW);
    bufferevent_setwatermark(bev, EV_READ, 0, HTTPHEAD_MAX);
    bufferevent_setcb(bev, on_read, on_written, on_event, c);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void
on_resume(evutil_socket_t fd, short what, void *listener)
{
    struct listener *l = listener;

    (void) fd;
    (void) what;
    event_add(l->event, NULL);
}

static void
on_listener(evutil_socket_t fd, short what, void *listener)
{
    struct timeval pause = { PAUSE_S, 0 };
    struct listener *l = listener;
    int conn = unixpath_accept(fd);

    (void) what;
    if (conn >= 0) {
        open_conn(l, conn);
    } else if (conn == -EMFILE || conn == -ENFILE || conn == -ENOMEM) {
        ha_log(HA_LOG_WARN, "http", "a connection has to wait: %s",
               strerror(-conn));
        event_del(l->event);
        event_add(l->resume, &pause);
    }
}

void
http_listen(struct http_server *server, int fd, struct servertls *tls)
{
    struct listener *l = ha_calloc(1, sizeof *l);

    l->server = server;
    l->fd = fd;
    l->tls = tls;
    l->event =
        event_new(server->base, fd, EV_READ | EV_PERSIST, on_listener, l);
    l->resume = evtimer_new(server->base, on_resume, l);
    event_priority_set(l->event, EV_PRIORITY_LOW);
    event_add(l->event, NULL);
    l->next = server->listeners;
    server->listeners = l;
}

struct http_server *
http_create(struct ev_loop *loop, const struct http_limits *limits,
            http_func *func, void *aux)
{
    struct http_server *server = ha_calloc(1, sizeof *server);

    server->base = ev_loop_base(loop);
    server->limits = *limits;
    server->func = func;
    server->aux = aux;
    TAILQ_INIT(&server->conns);
    return server;
}

void
http_destroy(struct http_server *server)
{
    struct conn *c;

    if (!server) {
        return;
    }
    while ((c = TAILQ_FIRST(&server->conns))) {
        close_conn(c);
    }
    while (server->listeners) {
        struct listener *l = server->listeners;

        server->listeners = l->next;
        event_free(l->event);
        event_free(l->resume);
        close(l->fd);
        servertls_destroy(l->tls);
        free(l);
    }
    free(server);
}
