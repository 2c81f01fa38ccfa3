/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_RESTORE_H
#define HA_REPLICA_RESTORE_H 1

/* 'ovn-hactl restore': a deliberate step back, to the content of a backup.
 *
 * The step is a step forward: one transaction for each database, on the active,
 * as any client's, which makes the rows what they were.  So its history goes
 * on, with the same lineage and the same epoch: standbys follow record by
 * record, no replica can take the old state for a newer one, and what a failure
 * in the midst of it leaves is one of two whole states of each database.  It
 * goes through the socket that clients have, which the fence worker closes with
 * the lease: a node that is active no more takes no restore either.
 *
 * NB comes first.  ovn-northd makes SB fit to it at once, with new rows for
 * what is back; these then give way to the rows of the backup, so that tunnel
 * keys are as they were.  Each row that is changed or deleted has to be what was
 * read before: what clients write meanwhile and is in the way makes the
 * transaction fail as a whole; then it is computed anew, and what they wrote is
 * set aside, too.  What they write elsewhere stays.
 *
 * Before a database is touched, what it has and the backup has not is set aside
 * (giveway.h).  A process of its own (ovn-ha-replica --restore), which may
 * block. */

#include "replica/backup.h"

/* Ends the process: status 0; 1 after a line of error.  For each database that
 * is as in the backup it tells a line: "nb" or "sb", the number of the last
 * record and its lineage; a standby that has that record has what was
 * restored. */
int restore_main(const struct backup_config *);

#endif /* replica/restore.h */
