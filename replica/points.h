/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_POINTS_H
#define HA_REPLICA_POINTS_H 1

/* The position file: which position holds at which place of the database's
 * file.
 *
 * Records of an active node, and the first two of a compacted file, carry no
 * position of their own, so the worker notes durably where counting begins:
 * when it becomes active, when it begins to follow, after each compaction.
 * From a point on the log itself says the rest.  A point is believed only if
 * the file still holds the record with that SHA-1 right before it.
 *
 * Used by the log follower alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/types.h"
#include "replica/record.h"

#define POINTS_MAX 32 /* Of one file; older ones are dropped. */

/* Who writes the records that follow. */
enum points_mode {
    POINTS_FOLLOW, /* This worker: each carries its position. */
    POINTS_ACTIVE, /* Clients: they are counted. */
};

struct point {
    uint64_t off;                  /* End of the record before. */
    uint64_t record_off;           /* Start of the record before. */
    uint8_t sha1[RECORD_SHA1_LEN]; /* Of the record before. */
    enum points_mode mode;         /* Of what follows. */
    struct ha_epoch epoch;         /* POINTS_ACTIVE: of what follows. */
    struct ha_pos pos;             /* At 'off'. */
};

struct points {
    uint64_t dev, ino; /* The file that is meant. */
    size_t n;
    struct point a[POINTS_MAX]; /* By rising offset. */
};

/* Appends 'p'; a last point at the same offset is replaced, and of too many
 * the oldest goes. */
void points_add(struct points *, const struct point *p);

/* Reads the file at 'path'.  Returns 0, -ENOENT, -EBADMSG or another negative
 * errno. */
int points_load(const char *path, struct points *ret_points);

/* Replaces the file at 'path' durably.  Returns 0 or a negative errno. */
int points_save(const char *path, const struct points *);

#endif /* replica/points.h */
