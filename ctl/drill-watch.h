/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_WATCH_H
#define CTL_DRILL_WATCH_H 1

/* What the cluster says of itself while a drill runs: this node's ovn-had is
 * asked 20 times a second, without waiting for it, as it may be the victim.
 * Each change is told.  Used by ctl/drill. */

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>

#include "lib/mono.h"

/* Something happened at 'when'. */
typedef void watch_tell_func(void *aux, mono_t when, const char *text);

struct watch;

struct watch *watch_create(watch_tell_func *, void *aux);
void watch_destroy(struct watch *);

/* What to wait for, 1 at most; and to do then. */
size_t watch_poll(const struct watch *, struct pollfd *);
void watch_step(struct watch *, mono_t now);

/* When the question was asked that was answered last; MONO_MIN: none was. */
mono_t watch_asked(const struct watch *);

/* The last answer; NULL if there was none. */
const json_t *watch_status(const struct watch *);

/* From a status: the active node's name, or ""; "ok", "degraded", "down". */
const char *watch_active(const json_t *status);
const char *watch_health(const json_t *status);

#endif /* ctl/drill-watch.h */
