/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_HOOK_H
#define HA_HOOK_H 1

/* The operator's program that is told of each event: [events] program.
 *
 * One process at a time, an event each, as a line of JSON on its standard
 * input.  Never in the way: an event waits in a bounded queue, whose oldest
 * ones give way, a program that takes too long is killed with all of its
 * process group, and nothing waits for it.  ha/events puts the events in. */

#include <jansson.h>

#include "ha/settings.h"

#define HOOK_QUEUE 64

struct ev_loop;
struct hook;

/* NULL if no program is configured, which is fine for all below. */
struct hook *hook_create(struct ev_loop *, const struct settings *);
/* Kills it, if it runs, and forgets what waits. */
void hook_destroy(struct hook *);

/* Takes over 'event'. */
void hook_add(struct hook *, json_t *event);

/* For the status: "program", "waiting", "told", "failed", "dropped", and
 * "error", what is wrong, or null.  null without a program. */
json_t *hook_status(const struct hook *);

#endif /* ha/hook.h */
