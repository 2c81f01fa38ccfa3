/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_HTTP_H
#define HA_HTTP_H 1

/* A small HTTP/1.1 server in the supervisor's loop, for ha/web.c.
 *
 * The adapter of libevent's buffered connections.  Not of its evhttp, which
 * bounds neither the number of connections nor the time that a client may
 * take for one request.  Whatever clients do: there are at most so many
 * connections, a new one ends the one that was quiet for longest; each has to
 * bring a whole request, and take the whole reply, within one deadline; and
 * all of it waits until the loop has nothing else to do.  Bodies are refused,
 * and nothing is ever changed by a request. */

#include <stddef.h>

#include "lib/httphead.h"

struct ev_loop;
struct http_server;
struct servertls;

struct http_reply {
    int code;         /* 200, 400, 404 or 503. */
    const char *type; /* Content-Type. */
    const char *body; /* Copied when the function returns. */
    size_t n;
};

/* Answers 'head'.  Must not wait, and must not destroy the server. */
typedef void http_func(void *aux, const struct httphead *head,
                       struct http_reply *reply);

struct http_limits {
    int connections; /* At most, over all listeners. */
    int deadline_ms; /* For a request and its reply, silence included. */
};

struct http_server *http_create(struct ev_loop *, const struct http_limits *,
                                http_func *, void *aux);
/* Closes the listeners and all connections. */
void http_destroy(struct http_server *);

/* Takes over 'fd', a nonblocking stream socket that listens, and, unless it is
 * NULL for no TLS, 'tls'. */
void http_listen(struct http_server *, int fd, struct servertls *tls);

#endif /* ha/http.h */
