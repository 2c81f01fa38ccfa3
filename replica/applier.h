/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_APPLIER_H
#define HA_REPLICA_APPLIER_H 1

/* Applies the source's records to the own ovsdb-server.
 *
 * Keeps the shadow of the own database, makes each record one transaction with
 * its position in the comment, sends them in order without waiting for each
 * reply, and knows what is durable.  Whatever goes wrong, it stops, and begins
 * again from what the file really holds.
 *
 * Used by the receiver and, when the role changes, by the worker. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/types.h"
#include "replica/shadow.h"

struct applier;
struct dbserver;
struct oplog;
struct shrink;

/* What 'guard' does not let pass is not applied. */
struct applier *applier_create(struct oplog *, struct dbserver *,
                               struct shrink *guard);
void applier_destroy(struct applier *);

/* Takes replies. */
void applier_run(struct applier *);

/* Loads the shadow on, up to the end of the own file.  Returns true once it is
 * there. */
bool applier_load(struct applier *);

/* Makes ready to apply: server connected, nothing under way, the shadow equal
 * to the file.  Returns true once it is so. */
bool applier_prepare(struct applier *);

/* True while a transaction is unanswered. */
bool applier_is_busy(const struct applier *);

/* True if nothing that this worker, or one before it, has sent to the own
 * server can still happen. */
bool applier_is_settled(const struct applier *);

/* True if records can be added now. */
bool applier_has_room(const struct applier *);

/* What failed since the last preparation; NULL: nothing. */
const char *applier_failure(const struct applier *);

/* Gives up what it knows: the shadow will be loaded again. */
void applier_forget(struct applier *);

/* Frees the shadow; for an active node, which needs none. */
void applier_drop_shadow(struct applier *);

/* Applies one record, after which the source was at 'pos'.  With 'last' it is
 * the last of a batch, and made durable.  Returns 0, -EDQUOT if the guard stops
 * it, when all is as it was, or another negative errno, and then
 * applier_failure() says why; -EPROTO: the own database cannot hold it. */
int applier_add(struct applier *, const char *body, const struct ha_pos *pos,
                bool last);

/* Applies the difference 'record' (compare.h) in one transaction, after which
 * the own database is the source's at 'pos'.  Returns 0 or a negative errno,
 * and then applier_failure() says why. */
int applier_resync(struct applier *, const struct json *record,
                   const struct ha_pos *pos);

/* Position of the last record that was sent, and of the last one that is
 * durable here.  Meaningful once it is prepared. */
struct ha_pos applier_sent(const struct applier *);
struct ha_pos applier_durable(const struct applier *);

/* Position of the own database when nothing is under way: the end of the file,
 * or beyond it by records without effect. */
struct ha_pos applier_position(const struct applier *);

/* The shadow, or NULL. */
const struct shadow *applier_shadow(const struct applier *);
bool applier_is_prepared(const struct applier *);
bool applier_is_loaded(const struct applier *);

#endif /* replica/applier.h */
