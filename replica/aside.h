/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_ASIDE_H
#define HA_REPLICA_ASIDE_H 1

/* Sets a database file aside, before its data gives way to the source's.
 *
 * The copy goes to STATE_DIR/diverged/ovnnb-EPOCH.NODE-SEQ-TIME.db, in slices,
 * and is durable when it is done.  Nothing there is ever deleted. */

#include <stdint.h>

#include "lib/types.h"

struct aside;

/* Begins to copy the first 'bytes' of 'fd', which stays the caller's.  Returns
 * NULL, with errno, if the copy cannot be made. */
struct aside *aside_create(const char *state_dir, enum ha_db,
                           const struct ha_pos *, int fd, uint64_t bytes);

/* Copies on.  Returns 1 if there is more, 0 when it is durable, or a negative
 * errno. */
int aside_run(struct aside *);
const char *aside_path(const struct aside *);

/* Ends it; a copy that is not complete is removed. */
void aside_destroy(struct aside *);

#endif /* replica/aside.h */
