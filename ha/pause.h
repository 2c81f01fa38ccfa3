/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_PAUSE_H
#define HA_PAUSE_H 1

/* 'pause' and 'resume' of the control socket, and what status says of a pause.
 *
 * Names the node or the command that something waits for; what a pause is, and
 * when it may begin and end, is decided in ha/core/pause.c. */

#include <jansson.h>
#include <stdbool.h>

struct had;
struct uctl_conn;

/* Both take the operator's name, for log and history. */
void pause_run_pause(struct had *, struct uctl_conn *);
void pause_run_resume(struct had *, struct uctl_conn *);

/* True if this node serves and nobody takes over from it. */
bool pause_keeps_role(const struct had *);

/* "state", and unless that is "none" also "since", and "waits": what it waits
 * for and what to do about it, or null. */
json_t *pause_status(const struct had *);

#endif /* ha/pause.h */
