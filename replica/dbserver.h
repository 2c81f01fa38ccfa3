/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_DBSERVER_H
#define HA_REPLICA_DBSERVER_H 1

/* The connection to the own ovsdb-server, over its private socket.
 *
 * Reconnects by itself, asks for the schema, and steals an OVSDB lock, so that
 * what an earlier connection left behind in the server's buffer can land no
 * more: each transaction asserts the lock.  An echo every 200 ms tells whether
 * the server answers.  One user (the applier) sends transactions and takes
 * their replies in order. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"

struct dbserver;
struct json;
struct jsonrpc_msg;

/* 'remote' is such as "unix:/run/ovn-ha/private/nb.sock". */
struct dbserver *dbserver_create(enum ha_db, const char *remote);
void dbserver_destroy(struct dbserver *);

void dbserver_run(struct dbserver *);
void dbserver_wait(struct dbserver *);

/* Tries to connect at once: the server was just started. */
void dbserver_hurry(struct dbserver *);

/* Drops the connection; transactions under way may or may not happen. */
void dbserver_reset(struct dbserver *);

bool dbserver_is_ready(const struct dbserver *);

/* True if no one listened at the last attempt to connect: nothing that was
 * sent earlier can happen any more. */
bool dbserver_is_absent(const struct dbserver *);

/* Counts connections, so that a user notices that its one is gone. */
uint64_t dbserver_connection(const struct dbserver *);

/* True if it answered within the last second. */
bool dbserver_is_healthy(const struct dbserver *);

/* CLOCK_BOOTTIME microseconds of its last answer; 0: none yet. */
int64_t dbserver_seen_us(const struct dbserver *);

/* Its schema as sorted JSON text; NULL until the first connection. */
const char *dbserver_schema(const struct dbserver *);

/* Lets the server convert its database to 'schema', JSON text.  It is not
 * ready until that is done, and is connected anew then. */
void dbserver_convert(struct dbserver *, const char *schema);

/* Why the server refused to convert, or NULL; told once.  The caller frees
 * it. */
char *dbserver_take_refusal(struct dbserver *);

/* The name of the database, such as "OVN_Northbound". */
const char *dbserver_db_name(const struct dbserver *);

/* An array with the parameters of a transaction so far: the database's name
 * and the assertion of the lock. */
struct json *dbserver_begin(const struct dbserver *);

/* Sends the transaction 'params', which is consumed.  Returns its id, or 0 if
 * the connection is gone. */
uint64_t dbserver_transact(struct dbserver *, struct json *params);

/* The next reply to a transaction, which the caller destroys, or NULL. */
struct jsonrpc_msg *dbserver_recv(struct dbserver *);

#endif /* replica/dbserver.h */
