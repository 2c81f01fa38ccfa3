/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_OPS_H
#define HA_REPLICA_OPS_H 1

/* Operations of an OVSDB transaction (RFC 7047) that do to a server's database
 * what was done to a row of a shadow, its _uuid kept.
 *
 * Used by the shadow, for what is applied, and by the report of what was lost;
 * the replies are judged for whoever sent them.
 * Never sends anything. */

#include <stdbool.h>

struct json;
struct jsonrpc_msg;
struct ovsdb_column;
struct ovsdb_datum;
struct ovsdb_row;
struct ovsdb_table;
struct uuid;

/* True if 'column' is in the log, and so is to be copied. */
bool ops_has_column(const struct ovsdb_column *);

/* An operation 'op' on 'table', to which the caller adds the rest. */
struct json *ops_create(const char *op, const struct ovsdb_table *);

/* Has 'op' mean the row 'uuid'. */
void ops_put_where(struct json *op, const struct uuid *);

struct json *ops_delete(const struct ovsdb_row *);

/* An operation that makes the whole transaction fail unless the columns in the
 * bitmap 'changed' (NULL: all that are copied) are what they are in 'row'.
 * NULL: none of these is copied. */
struct json *ops_wait(const struct ovsdb_row *row,
                      const unsigned long int *changed);

struct json *ops_insert(const struct ovsdb_row *);

/* Appends to 'mutations' one that takes 'datum' into a set or map, or out of
 * it, unless it is empty. */
void ops_put_mutation(struct json *mutations, const struct ovsdb_column *,
                      const char *mutator, const struct ovsdb_datum *datum);

/* Appends what makes 'new' of the columns in the bitmap 'changed'; returns how
 * many operations that were.  'old' is what they were, or NULL: of a large set
 * or map then only what changed is said, or each new port of a group of 10,000
 * would cost as much as all of them. */
int ops_put_update(struct json *ops, const struct ovsdb_row *old,
                   const struct ovsdb_row *new,
                   const unsigned long int *changed);

/* Why the server's reply to a transaction of such operations is no success: one
 * of them failed, or a row was not there.  NULL: it is one. */
const char *ops_reply_error(const struct jsonrpc_msg *);

/* Whether that is what others who wrote meanwhile can cause, so that it helps
 * to compute the transaction anew. */
bool ops_reply_is_overtaken(const struct jsonrpc_msg *);

#endif /* replica/ops.h */
