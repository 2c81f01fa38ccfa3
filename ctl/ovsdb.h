/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_OVSDB_H
#define CTL_OVSDB_H 1

/* One session with a database server, as a client of OVN has it: JSON-RPC
 * (RFC 7047) over TCP, TLS or a unix socket, without a word of policy.
 *
 * A drill measures the cluster, not its client: a library that reconnects,
 * backs off and repeats behind one's back would be part of what is measured.
 * Used by ctl/drill-clients and ctl/ovsdb-ask.  Nothing here waits. */

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

struct ovsdb;

struct tls;

/* Whether 'remote' is "tcp:ADDRESS:PORT" or "ssl:ADDRESS:PORT", with an IPv6
 * address in brackets, or "unix:PATH". */
bool ovsdb_is_remote(const char *remote);
bool ovsdb_needs_tls(const char *remote);

/* Begins to connect.  Returns 0 or a negative errno.  'tls', which may be NULL
 * if the remote does not need it, has to outlive the session. */
int ovsdb_open(const char *remote, const struct tls *tls,
               struct ovsdb **ret_session);
void ovsdb_close(struct ovsdb *);

/* Goes as far as it can.  Returns 0 if the session stands, -EAGAIN if it is
 * still on its way, or another negative errno: it is to be closed. */
int ovsdb_step(struct ovsdb *);

/* What to wait for before the next step. */
struct pollfd ovsdb_pollfd(const struct ovsdb *);

/* Queues a request, once the session stands, and takes over 'params'. */
void ovsdb_send(struct ovsdb *, const char *method, json_t *params, int id);

/* Gets the next message, which the caller owns; the server's probes are
 * answered here.  Returns 0, -EAGAIN if there is none, or another negative
 * errno: the session is over. */
int ovsdb_get(struct ovsdb *, json_t **ret_message);

/* Why a reply to "transact" is no acknowledgement, in memory that the caller
 * frees; NULL if it is one. */
char *ovsdb_refusal(const json_t *reply);

#endif /* ctl/ovsdb.h */
