/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_LOOP_H
#define HA_LOOP_H 1

/* The loop around the core: events in, actions out, one step at a time.
 *
 * Whoever observes something posts an event; it is decided upon at once, or
 * after those that came before it.  Each step that decided something is told
 * in the log and in the history. */

#include "ha/core/core.h"

struct had;

/* Sets up the core, and feeds its first event: the record that is on disk.
 * Returns 0 or a negative errno. */
int loop_init(struct had *);
void loop_close(struct had *);

/* Runs until loop_stop(). */
void loop_run(struct had *);
void loop_stop(struct had *);

/* 'now' and 'random' are filled in. */
void loop_post(struct had *, const struct ha_event *);

#endif /* ha/loop.h */
