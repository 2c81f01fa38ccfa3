/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_SINCE_H
#define HA_SINCE_H 1

/* Since when each problem exists, as this node has seen it.
 *
 * The list of problems (lib/problems.h) is found anew each time; this
 * remembers when a pair of node and code first appeared.  Called by
 * ha/status.c.  In memory only: after a reload all begins anew. */

#include <jansson.h>
#include <time.h>

#include "lib/mono.h"

struct since;

struct since *since_create(void);
void since_destroy(struct since *);

/* Adds "since" (a date, UTC) and "seconds" to each object of 'problems', and
 * forgets those that are not in it any more.  'date' is what the clock on the
 * wall shows at 'now'. */
void since_mark(struct since *, json_t *problems, mono_t now, time_t date);

#endif /* ha/since.h */
