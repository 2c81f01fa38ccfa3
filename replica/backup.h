/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_BACKUP_H
#define HA_REPLICA_BACKUP_H 1

/* 'ovn-hactl backup': both databases at one moment, in a folder.
 *
 * A database's file is a log that only grows, and each transaction is whole in
 * it before its client is told.  So a copy of the file up to where it ends now
 * is the database as it is now, and ovsdb-server is not asked for anything.
 *
 * The moment: first the end of SB's log is taken, then, at once, that of NB's.
 * So SB never knows of anything that NB does not: at most it lacks what
 * ovn-northd had not made of NB yet, and that ovn-northd makes as with any
 * change.  The other way round it would have to delete from SB what it already
 * told compute nodes, and nb_cfg would be ahead in SB, so that whoever waits
 * for compute nodes would be told that they have what they have not.  That
 * holds on the active; on a standby the two replicas are independent, and each
 * database is as far as its own had come.
 *
 * The folder gets the two files, with the owner and the rights that the
 * databases have, and last of all backup.json, durable, which says what they
 * are.  What has none is no backup.
 *
 * A process of its own (ovn-ha-replica --backup), which may block; restore.c
 * uses the copying, too. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"

struct oplog;

struct backup_config {
    const char *folder;           /* New for a backup, one for a restore. */
    const char *state_dir;        /* With the position files. */
    const char *file[HA_N_DBS];   /* The databases. */
    const char *server[HA_N_DBS]; /* Restore: remotes, as clients have them. */
    int in_sync;                  /* Backup: for backup.json, as is the lag */
    int64_t lag[HA_N_DBS];        /* in records.  -1: not known. */
    uint32_t self;                /* Restore: own node id. */
    bool dry_run;                 /* Restore: only tells. */
    int tell_fd;                  /* Restore: where it tells what it reached;
                                   * -1: nowhere. */
    uint64_t spare_bytes;         /* Stay free where ovn-ha's data is. */
};

/* Where a database's log ended. */
struct backup_cut {
    const char *file;
    int fd;
    uint64_t bytes;
};

/* Ends the process: status 0, or 1 after a line of error. */
int backup_main(const struct backup_config *);

/* Takes both cuts.  Returns false after a line of error. */
bool backup_cut(const struct backup_config *, struct backup_cut[HA_N_DBS]);
void backup_cut_close(struct backup_cut[HA_N_DBS]);

/* Whether 'folder' has room for 'bytes' more.  Returns false after a line of
 * error, which ends in 'way_out'. */
bool backup_has_room(const struct backup_config *, const char *folder,
                     uint64_t bytes, const char *way_out);

/* Copies to the new file 'path' what the log holds up to its cut, durably.
 * Returns the copy's log, read to its end, which the caller ends with
 * backup_close(); NULL after a line of error. */
struct oplog *backup_copy(const struct backup_config *, enum ha_db,
                          const struct backup_cut *, const char *path);

/* Also removes what was made beside the copy. */
void backup_close(struct oplog *);

/* Prints a line of error that begins with our name. */
void backup_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A line of progress: on a terminal it is written over each time, elsewhere
 * nothing but the end is told. */
struct backup_progress {
    const char *what;
    uint64_t total;
    long long int began, next; /* Milliseconds. */
};

void backup_progress_begin(struct backup_progress *, const char *what,
                           uint64_t total);
void backup_progress_tell(struct backup_progress *, uint64_t done);
void backup_progress_end(struct backup_progress *);

#endif /* replica/backup.h */
