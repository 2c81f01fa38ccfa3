/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SNAPSHOT_H
#define HA_REPLICA_SNAPSHOT_H 1

/* A snapshot of the source as a file beside the database's own.
 *
 * What the source sends is its log.  It is kept as a database file of its own:
 * the schema, one record that says at which place which position holds
 * (RECORD_INSTALL), and the source's records as they came.  The receiver
 * compares it with what it has and applies the difference; where little is
 * shared, it offers the file, and ovn-had ends the server, renames the file to
 * the database's name and starts the server on it.
 *
 * While it comes in it is FILE.snapshot; FILE.install (WIRE_INSTALL_SUFFIX) is
 * always whole and durable.  So whoever dies when, the database's name belongs
 * to the old file or to the new one.  To withdraw an offer is to remove that
 * name: either that or the rename happens.
 *
 * Used by the receiver alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/types.h"

struct snapshot;

struct snapshot_spec {
    const char *file;   /* The database's. */
    int like;           /* A descriptor of it: mode and owner. */
    const char *schema; /* As JSON text. */
    struct ha_pos pos;  /* Where the source stood. */
    uint64_t bytes;     /* That will come. */
};

/* Removes what an earlier worker left beside 'file'. */
void snapshot_clean(const char *file);

/* Makes the file, with room for all that is to come.  Returns 0 or a negative
 * errno; -ENOSPC if there is not so much room. */
int snapshot_create(const struct snapshot_spec *, struct snapshot **ret);

/* Removes the file, offered or not, unless it was installed. */
void snapshot_destroy(struct snapshot *);

/* Takes the next bytes of the source.  Returns 0 or a negative errno; -EBADMSG
 * if they do not begin with a record or are too many. */
int snapshot_write(struct snapshot *, const void *data, size_t n);

/* Bytes that came. */
uint64_t snapshot_have(const struct snapshot *);
bool snapshot_is_complete(const struct snapshot *);

/* The file, of 'snapshot_bytes' once it is complete. */
int snapshot_fd(const struct snapshot *);
uint64_t snapshot_bytes(const struct snapshot *);

/* Makes the complete file durable under the name under which ovn-had will look
 * for it.  Returns 0 or a negative errno. */
int snapshot_offer(struct snapshot *);

/* Which file it is. */
void snapshot_get_id(const struct snapshot *, uint64_t *dev, uint64_t *ino);

#endif /* replica/snapshot.h */
