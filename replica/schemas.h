/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SCHEMAS_H
#define HA_REPLICA_SCHEMAS_H 1

/* Compares two schemas of a database, each given as JSON text: may a standby
 * with the one follow a source with the other?
 *
 * OVN adds tables, columns and values from release to release, and counts its
 * schemas' versions.  So a standby may be newer than its source; if it is
 * older, its database can be converted to the source's schema without losing
 * anything.  Where one side has what the other does not know, and no conversion
 * helps, there is a sentence that names it.
 *
 * Used by the receiver, and by the log follower for its own file.  Knows
 * nothing of rows. */

#include <stdbool.h>

#include "lib/wire.h"

enum schemas_fit {
    SCHEMAS_FIT,     /* Whatever the source has, there is a place for it. */
    SCHEMAS_CONVERT, /* ... once the own database has the source's schema. */
    SCHEMAS_REFUSE,
};

/* Says in 'why' what does not fit, or from which version to which the own
 * database is to be converted. */
enum schemas_fit schemas_fit(const char *ours, const char *theirs,
                             char why[WIRE_WHY_LEN]);

/* True if 'one' has every table and column of 'other'. */
bool schemas_has_all(const char *one, const char *other);

/* True if both are the same schema, however they are written. */
bool schemas_are_equal(const char *one, const char *other);

#endif /* replica/schemas.h */
