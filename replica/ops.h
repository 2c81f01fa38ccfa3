/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_OPS_H
#define HA_REPLICA_OPS_H 1

/* Operations of an OVSDB transaction (RFC 7047) that do to a server's database
 * what was done to a row of a shadow, its _uuid kept.
 *
 * Used by the shadow, for what is applied, and by the report of what was lost.
 * Never sends anything. */

#include <stdbool.h>

struct json;
struct ovsdb_column;
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
struct json *ops_insert(const struct ovsdb_row *);

/* An update to 'new' of the columns in the bitmap 'changed', or NULL if none
 * of them counts. */
struct json *ops_update(const struct ovsdb_row *new,
                        const unsigned long int *changed);

#endif /* replica/ops.h */
