/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_FAILOVER_H
#define HA_FAILOVER_H 1

/* 'ovn-hactl failover': the last resort, as an operator meets it.
 *
 * Exists so that nobody accepts a loss without having been told which, and so
 * that log and history keep who did, and how much it was.  Called by the
 * control socket (ha/control.c); what may be is decided by ha/core/force.c. */

struct had;
struct uctl_conn;

/* "failover/preview [NODE]": replies with the node's name in one line and what
 * would be lost, or with the reason why not. */
void failover_run_preview(struct had *, struct uctl_conn *);

/* "failover NODE WHO": does it, as WHO wishes. */
void failover_run(struct had *, struct uctl_conn *);

#endif /* ha/failover.h */
