/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_ASIDE_H
#define HA_REPLICA_ASIDE_H 1

/* Sets a database file aside, before its data gives way to the source's.
 *
 * The copy goes to STATE_DIR/diverged/ovnnb-EPOCH.NODE-SEQ-TIME.db, in slices;
 * what else is to be kept about it goes into files of the same name with
 * another ending.  All of them appear, durable, when the whole is finished;
 * until then their names end in ".part", and what a crash leaves of these is
 * begun anew.  Nothing that was finished is ever deleted.
 *
 * Used by giveway.c. */

#include <stdint.h>
#include <stdio.h>

#include "lib/types.h"

struct aside;

/* Begins to copy the first 'bytes' of 'fd', which stays the caller's.  Returns
 * NULL, with errno, if the copy cannot be made. */
struct aside *aside_create(const char *state_dir, enum ha_db,
                           const struct ha_pos *, int fd, uint64_t bytes);

/* Copies on.  Returns 1 if there is more, 0 when all is copied, or a negative
 * errno. */
int aside_run(struct aside *);

/* A file beside the copy whose name ends in 'ending' (a literal, such as
 * "txt").  Returns NULL, with errno, if it cannot be made.  It belongs to 'a',
 * which closes it. */
FILE *aside_add(struct aside *a, const char *ending);

/* Makes all files durable, and gives them their names.  Returns 0 or a
 * negative errno. */
int aside_finish(struct aside *);

/* Path of the copy, once it is finished. */
const char *aside_path(const struct aside *);

/* Its name, without folder and ending. */
const char *aside_name(const struct aside *);

/* Ends it; what is not finished is removed. */
void aside_destroy(struct aside *);

#endif /* replica/aside.h */
