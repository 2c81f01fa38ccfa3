/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_ROOM_H
#define HA_ROOM_H 1

/* How much room the disks have that this node writes to.
 *
 * On a full disk ovsdb-server refuses every write, and the record cannot be
 * kept.  observe.c looks now and then, has the core hand over before it comes
 * to that, and status.c warns long before.  A limit that was passed holds until
 * there is twice as much: files grow and are compacted all the time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/conf.h"

#define ROOM_MB 1000000 /* As [disk] counts. */
#define ROOM_MAX 3      /* Folders: databases, and the record. */

struct room_folder {
    char *path;
    uint64_t free_bytes; /* To others than root. */
    uint64_t own_bytes;  /* To this process. */
    bool record;         /* The record is there. */
};

struct room {
    struct room_folder folders[ROOM_MAX]; /* Those that could be looked at. */
    size_t n;
    bool low;         /* Less than low-mb in one of them, */
    bool tight;       /* less than warn-mb, */
    bool record_full; /* less than the record needs. */
};

/* Looks at the folders that 'conf' names.  '*room' is zeroed at first, and
 * then as it was left. */
void room_look(struct room *room, const struct conf *conf);
void room_close(struct room *room);

/* Judges what was seen; for tests. */
void room_judge(struct room *room, const struct conf *conf);

/* The folder that has the least; NULL if nothing could be looked at. */
const struct room_folder *room_least(const struct room *room);

#endif /* ha/room.h */
