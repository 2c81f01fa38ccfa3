/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_SINCE_H
#define HA_SINCE_H 1

/* Since when each problem exists, as this node has seen it.
 *
 * The list of problems (lib/problems.h) is found anew each time; this
 * remembers when a pair of node and code first appeared, and tells ha/events
 * of those that last, and of their end.  Called by ha/status.c, at least once a second.  In
 * memory only: after a reload all begins anew. */

#include <jansson.h>
#include <time.h>

#include "lib/mono.h"

struct since;

/* What it calls with a problem that has lasted for SINCE_SETTLED_S, and with
 * one of those that is over, as it was seen last.  Both have "since" and
 * "seconds".  What is over sooner is a step on some way, not an event. */
#define SINCE_SETTLED_S 3
struct since_handler {
    void *aux;
    void (*begins)(void *aux, const json_t *problem);
    void (*ends)(void *aux, const json_t *problem);
};

struct since *since_create(const struct since_handler *);
void since_destroy(struct since *);

/* Adds "since" (a date, UTC) and "seconds" to each object of 'problems', and
 * forgets those that are not in it any more.  'date' is what the clock on the
 * wall shows at 'now'. */
void since_mark(struct since *, json_t *problems, mono_t now, time_t date);

#endif /* ha/since.h */
