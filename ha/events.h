/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_EVENTS_H
#define HA_EVENTS_H 1

/* Events, and who is told of them: the log, the node's history, the system's
 * log with structured fields, and the operator's program (ha/hook).
 *
 * There are three: something was decided or done, a problem of lib/problems
 * began, a problem is over.  Called by whoever has something to tell, and by
 * ha/since.  Nothing is decided by an event, and nobody waits until it was
 * told. */

#include <jansson.h>

#include "lib/log.h"

struct had;

void events_create(struct had *);
void events_destroy(struct had *);

/* Tells what was decided or done: a line for the history.  'subsystem' is for
 * the log, where the line does not say it twice. */
void events_tell(struct had *, enum ha_log_level, const char *subsystem,
                 const char *text);

#endif /* ha/events.h */
