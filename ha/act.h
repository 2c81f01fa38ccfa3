/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_ACT_H
#define HA_ACT_H 1

/* Carries out what the core decided.  Called by the loop only. */

#include <stdbool.h>

#include "ha/core/core.h"

struct had;

/* HA_ACT_PERSIST.  Returns false if the record may not be on disk. */
bool act_persist(struct had *, const struct ha_durable *);

/* All other actions, in their order. */
void act_run(struct had *, const struct ha_actions *);

/* northd is at work only while the core wants it and the door is open: what it
 * writes to this node's databases without a lease would be a write of a second
 * active.  Called whenever one of the two changes. */
void act_northd(struct had *);

#endif /* ha/act.h */
