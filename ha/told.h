/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_TOLD_H
#define HA_TOLD_H 1

/* What nodes tell each other of themselves besides what is decided on: the
 * version of their ovn-ha, their clock, the schemas that are installed there,
 * and the options that every node must have alike.
 *
 * A note of JSON, sent through the group when it changes and now and then.
 * Nothing is decided by it: it is shown in the status, where 'ovn-hactl check'
 * finds nodes that do not go together.  A node of another version may tell
 * more or less, or nothing. */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "ha/core/core.h"
#include "lib/mono.h"

struct had;

/* Of one node. */
struct told_node {
    uint32_t id;
    json_t *what;        /* As it came; NULL: nothing yet. */
    int64_t ahead_ms[2]; /* How far its clock was ahead of ours on the last
                          * two arrivals; the way only makes it less. */
    unsigned int n;      /* Notes that came. */
};

struct told {
    struct told_node nodes[HA_MAX_NODES];
    mono_t next; /* When to tell again. */
};

void told_init(struct had *);
void told_close(struct had *);

/* Now and then. */
void told_tick(struct had *);

/* The group has changed: those who are new know nothing yet. */
void told_group_changed(struct had *);

/* A note of another node, or of this one; other notes are left alone. */
void told_take_note(struct had *, uint32_t from, const void *, size_t);

/* For the status: what 'node' told, and "clock_ahead_ms"; null if it told
 * nothing. */
json_t *told_status(const struct had *, uint32_t node);

#endif /* ha/told.h */
