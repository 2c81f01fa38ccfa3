/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_TARGET_H
#define FENCE_TARGET_H 1

/* A process that the worker may have to kill: a database server, northd.
 *
 * Held by pidfd from the moment that the supervisor names it, so that a later
 * process with the same pid cannot be hit.  It may not have called exec() by
 * then, so its program is looked at when it is about to be killed.  Used by
 * the door only.  Never waits for a death; it polls for it. */

#include <stdbool.h>
#include <sys/types.h>

#include "lib/child.h"
#include "lib/mono.h"

struct target {
    const char *comm;   /* Program, such as "ovn-northd". */
    struct child child; /* CHILD_NONE: no process. */
    bool killing;       /* To be killed, not known to be dead. */
    mono_t killed;      /* Since when; MONO_NEVER: not. */
    mono_t kill_until;  /* Then it is another program: give up. */
    mono_t next;        /* When to try again; or MONO_NEVER. */
};

/* 'comm' must stay valid. */
void target_init(struct target *, const char *comm);
void target_close(struct target *);

/* Holds 'pid' from now on; 0 or a dead process: none. */
void target_set(struct target *, pid_t pid);

/* True if there is no process, or it is dead. */
bool target_is_dead(const struct target *);

/* Kills it; 'why' is for the log.  The death shows in target_is_dead() and on
 * the pidfd, child.pidfd, which polls readable. */
void target_kill(struct target *, const char *why, mono_t now);

/* Goes on killing, and forgets a dead process. */
void target_run(struct target *, mono_t now);

#endif /* fence/target.h */
