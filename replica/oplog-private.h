/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_OPLOG_PRIVATE_H
#define HA_REPLICA_OPLOG_PRIVATE_H 1

/* What oplog.c and oplog-cursor.c share, and no one else sees. */

#include "replica/oplog.h"

/* Appends a mark; one at the same offset is replaced. */
void oplog_gen_add_mark(struct oplog_gen *, const struct oplog_mark *);

#endif /* replica/oplog-private.h */
