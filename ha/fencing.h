/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_FENCING_H
#define HA_FENCING_H 1

/* Fencing as operators meet it: the devices in status, and the command that
 * fences a node.  Called by ha/status.c and ha/control.c. */

#include <jansson.h>

struct had;
struct uctl_conn;

/* Devices and nodes, and the policy, as "fencing" in the local part of status. */
json_t *fencing_status(const struct had *);

/* Says at the start what keeps a pair from failing over. */
void fencing_log_advice(const struct had *);

/* Carries out 'fence NODE', and replies: it has begun.  How it goes on is in
 * the status. */
void fencing_run_fence(struct had *, struct uctl_conn *);

/* Carries out 'fence-ack NODE': an operator vouches that it is off. */
void fencing_run_ack(struct had *, struct uctl_conn *);

#endif /* ha/fencing.h */
