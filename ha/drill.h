/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_DRILL_H
#define HA_DRILL_H 1

/* The supervisor's part in drills (ovn-hactl drill): sees to it that there is
 * one at a time in the cluster, carries what it does to the active there, and
 * has all nodes' histories tell of it.
 *
 * 'ovn-hactl' registers its drill with its own node's ovn-had, which tells the
 * group and keeps an eye on that process: when it ends, however it does, the
 * drill is over.  Called by the group, the control socket and status. */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "ha/core/core.h"

struct had;
struct uctl_conn;

void drill_init(struct had *);
void drill_close(struct had *);

/* A note of another node, or of this one. */
void drill_take_note(struct had *, uint32_t from, const void *, size_t);

/* The group has other members now. */
void drill_group_changed(struct had *, const struct ha_set *view);

/* Carries out 'drill/begin KIND', which replies with its token; it is
 * registered once status shows that.  'drill/end TOKEN'. */
void drill_run_begin(struct had *, struct uctl_conn *);
void drill_run_end(struct had *, struct uctl_conn *);

/* Carries out 'drill/act TOKEN CUT-MS': does to the active, which is another
 * node, what the drill's kind says. */
void drill_run_act(struct had *, struct uctl_conn *);

/* Carries out 'history/note TEXT': one line, on every node of the group. */
void drill_run_note(struct had *, struct uctl_conn *);

/* The drill that runs, for status; null if there is none. */
json_t *drill_status(const struct had *);

#endif /* ha/drill.h */
