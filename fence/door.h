/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_DOOR_H
#define FENCE_DOOR_H 1

/* The door: all that clients of this node can reach.
 *
 * At present the public remotes of both databases, and northd, whose writes
 * come from inside.  (The virtual IP is fence/address's.)
 * The door obeys: fence/worker decides when it is open, under a live lease.
 *
 * While the door may be open a file beside the worker's socket says so and
 * names the servers, so that a worker that follows a crashed one knows which
 * processes it has to close or to kill.  Never waits. */

#include <poll.h>
#include <stdbool.h>

#include "fence/gate.h"
#include "fence/target.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct door {
    struct gate gates[HA_N_DBS];
    struct target northd;
    bool want_open;
    bool settled;  /* State when last looked: safe. */
    mono_t opened; /* When it last became open; or MONO_MIN. */
    mono_t closed; /* ... closed, proven. */
    char marker[WIRE_PATH_LEN + 16]; /* Path of the file. */
    bool marked;                     /* It exists. */
    pid_t inherited[HA_N_DBS]; /* Servers that a predecessor left open. */
};

/* 'marker' is the path of the file.  A server that it names and that still
 * lives is killed at 'kill_at', unless it is proven closed before. */
void door_init(struct door *, const char *marker, mono_t kill_at, mono_t now);
void door_destroy(struct door *);

void door_set_db(struct door *, const struct wire_f_db *, mono_t now);
void door_set_northd(struct door *, pid_t);

/* Opens it, or keeps it open.  Call it only under a live lease, and only
 * while door_is_shut() or it was called before. */
void door_open(struct door *, mono_t now);

/* Closes it: kills northd, removes the remotes, kills a server that has not
 * proven to be closed at 'kill_at'.  'why' is for the log. */
void door_close(struct door *, const char *why, mono_t kill_at, mono_t now);

/* True if nothing can be reached: proven, not assumed. */
bool door_is_shut(const struct door *);

/* True if all that is to be open is. */
bool door_is_open(const struct door *);

/* Since when a process of it has been killed and does not end; MONO_NEVER:
 * there is none. */
mono_t door_stuck_since(const struct door *);

/* Why it is neither; "". */
const char *door_why(const struct door *);

#define DOOR_MAX_POLL (HA_N_DBS * GATE_MAX_POLL + 1)
unsigned int door_poll(const struct door *, struct pollfd pfds[]);
mono_t door_next(const struct door *);
void door_run(struct door *, mono_t now);

#endif /* fence/door.h */
