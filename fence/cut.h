/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_CUT_H
#define FENCE_CUT_H 1

/* 'ovn-ha-fence --cut=MS PORT...': cuts this node off from corosync, for a
 * drill, and ends that.
 *
 * What drops the packets is an element of a set in nftables (table 'inet
 * ovn_ha_drill') that the kernel removes after 'MS' milliseconds.  So the node
 * comes back however much of it dies meanwhile, this process included, which
 * only takes the empty table away then.  Started by ha/drill. */

/* The longest cut. */
#define CUT_MAX_MS 300000

/* Drops what goes to the UDP ports 'ports', in and out.  Waits until that is
 * over, or a signal asks for its end.  Returns an exit status. */
int cut_run(const char *ms, char *const ports[], int n_ports);

#endif /* fence/cut.h */
