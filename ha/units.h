/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_UNITS_H
#define HA_UNITS_H 1

/* Keeps systemd from running the databases beside us.
 *
 * Debian's ovn-central comes first at boot, would serve what its files held
 * when this node was last up, and starts again what was killed.  So a node
 * that joins masks its units; `systemctl unmask` brings them back when the
 * node leaves for good.  main.c asks for it once the node is about to join.
 * Without systemd it does nothing. */

/* Masks OVN's units, unless they are.  Waits some seconds at most, and that
 * only if there is something to do.  If it fails the log says so with the way
 * out: what a unit starts all the same is ended as any foreign server. */
void units_mask(void);

#endif /* ha/units.h */
