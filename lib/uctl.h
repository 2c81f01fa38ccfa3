/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_UCTL_H
#define HA_LIB_UCTL_H 1

/* Control sockets: OVS's unixctl protocol, both sides.
 *
 * ovn-had drives ovsdb-server and ovn-northd through their control sockets
 * and serves one of its own, for ovn-hactl and ovs-appctl.  A fork of
 * ovs-appctl costs 16 to 86 ms; this costs a fraction of one.  The protocol
 * is JSON-RPC over a local stream:
 *
 *     {"id":0,"method":"pause","params":["a"]}
 *     {"id":0,"result":"text","error":null}
 *
 * Nothing here waits, but uctl_call_wait(), which is for ovn-hactl.  It knows
 * no event loop: each side tells its descriptor and the poll events it wants,
 * and has a step function to call when one of them comes.  Input may be
 * hostile: it is bounded, and at worst ends its own connection. */

#include <stddef.h>
#include <sys/types.h>

#include "lib/mono.h"

/* Limits in bytes. */
#define UCTL_REQUEST_MAX 65536
#define UCTL_REPLY_MAX (16 * 1024 * 1024)
/* Connections that one server has open at a time. */
#define UCTL_CONNS_MAX 32

/* Client: one call. */

struct uctl_call;

/* Connects to 'path' and begins to call 'method' with the strings of 'argv',
 * which ends in NULL and may itself be NULL.  Returns 0 or a negative errno:
 * -ENOENT, -ECONNREFUSED if nobody listens, -EAGAIN if the server's queue is
 * full, -EINVAL if a string is not UTF-8. */
int uctl_call_start(const char *path, const char *method,
                    const char *const argv[], struct uctl_call **ret_call);
void uctl_call_destroy(struct uctl_call *);

int uctl_call_fd(const struct uctl_call *);
/* POLLIN or POLLOUT. */
short uctl_call_events(const struct uctl_call *);

/* Goes as far as it can.  Returns 0 if the reply is here, -EAGAIN if not yet,
 * or another negative errno: -EPIPE if the server closed, -EPROTO if it does
 * not speak the protocol, -EMSGSIZE if its reply is too large. */
int uctl_call_step(struct uctl_call *);

/* The reply, owned by the call.  One of the two is NULL. */
const char *uctl_call_result(const struct uctl_call *);
const char *uctl_call_error(const struct uctl_call *);

/* A whole call that waits, at most until 'deadline'.  Returns 0 and the reply
 * in one of 'ret_result' and 'ret_error', which the caller frees, the other
 * NULL; or a negative errno, -ETIMEDOUT among them. */
int uctl_call_wait(const char *path, const char *method,
                   const char *const argv[], mono_t deadline,
                   char **ret_result, char **ret_error);

/* Server. */

struct uctl_server;
struct uctl_conn;

/* Listens on 'path' with mode 0600.  Returns 0 or a negative errno. */
int uctl_server_create(const char *path, struct uctl_server **ret_server);
/* Closes and removes the socket.  All connections must be destroyed. */
void uctl_server_destroy(struct uctl_server *);

/* Poll it for POLLIN. */
int uctl_server_fd(const struct uctl_server *);

/* Accepts a connection.  Returns 0 or a negative errno: -EAGAIN if there is
 * none, -EUSERS if there was one too many, which was closed. */
int uctl_server_accept(struct uctl_server *, struct uctl_conn **ret_conn);

void uctl_conn_destroy(struct uctl_conn *);
int uctl_conn_fd(const struct uctl_conn *);
/* POLLIN or POLLOUT, or 0 while a request waits for its reply. */
short uctl_conn_events(const struct uctl_conn *);
/* Who connected. */
pid_t uctl_conn_pid(const struct uctl_conn *);
uid_t uctl_conn_uid(const struct uctl_conn *);
gid_t uctl_conn_gid(const struct uctl_conn *);

/* Goes as far as it can.  Returns 0 if there is a request to answer, -EAGAIN
 * if there is none yet, or another negative errno if the connection is over
 * and is to be destroyed: -EPIPE if the client closed, -EPROTO, -EMSGSIZE.
 * Call it on an event, and once after each reply. */
int uctl_conn_step(struct uctl_conn *);

/* The request, valid until it is answered. */
const char *uctl_conn_method(const struct uctl_conn *);
size_t uctl_conn_n_args(const struct uctl_conn *);
const char *uctl_conn_arg(const struct uctl_conn *, size_t i);

/* Answers the request, now or any time later.  Bytes that are not UTF-8
 * arrive as '?'. */
void uctl_conn_reply(struct uctl_conn *, const char *text);
void uctl_conn_reply_error(struct uctl_conn *, const char *text);

#endif /* HA_LIB_UCTL_H */
