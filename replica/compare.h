/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_COMPARE_H
#define HA_REPLICA_COMPARE_H 1

/* What differs between the own database and a snapshot, without a second
 * database in memory.
 *
 * The snapshot's records are taken row by row.  A row that is as the own one
 * is only noted as seen; what is kept is the rest.  For a database of which
 * one row in a hundred differs that takes a third of the time that loading the
 * snapshot takes, and next to no memory.
 *
 * Used by resync.c, and by lost.c to look rows up.  Never changes the own
 * database, nor writes anything. */

#include <stdint.h>

#include "replica/shadow.h"

struct compare;
struct uuid;

/* Begins with the first 'bytes' of 'fd', which has the schema as its first
 * record.  The file and 'own' must stay as they are. */
struct compare *compare_create(const struct shadow *own, int fd,
                               uint64_t bytes);
void compare_destroy(struct compare *);

/* Goes on.  Returns 1 if there is more, 0 at the end, or a negative errno with
 * a reason. */
int compare_run(struct compare *, char why[SHADOW_WHY_LEN]);

/* At the end: the record that makes the own database into the snapshot's, as
 * JSON for shadow_apply_json(), which the caller destroys. */
struct json *compare_to_record(const struct compare *,
                               struct shadow_diff *ret);

/* At the end: the snapshot's row of that table and '_uuid', with the columns of
 * the own schema; NULL: it has none.  Where both have the same, it is the own
 * row itself. */
const struct ovsdb_row *compare_find_row(const struct compare *,
                                         const char *table,
                                         const struct uuid *);

#endif /* replica/compare.h */
