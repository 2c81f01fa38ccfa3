/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_CONTROL_H
#define HA_CONTROL_H 1

/* The supervisor's control socket, in OVS's protocol, so that both ovn-hactl
 * and 'ovn-appctl -t ovn-had' work.  Reads the state; what changes something
 * goes through the loop as an event. */

struct had;

/* Returns 0, or a negative errno after a line in the log. */
int control_create(struct had *);
void control_destroy(struct had *);

#endif /* ha/control.h */
