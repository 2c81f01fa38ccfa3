/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_OBSERVE_H
#define HA_OBSERVE_H 1

/* Makes events for the core of what the adapters see.
 *
 * Owns the handlers of all adapters, and the one picture of this node's own
 * facts (struct ha_local), which is sent whole whenever it changed. */

struct had;

/* Creates the adapters and starts the children. */
void observe_start(struct had *);
/* Lets go of all of them. */
void observe_close(struct had *);

/* Every 50 ms: what has no event of its own. */
void observe_tick(struct had *);

#endif /* ha/observe.h */
