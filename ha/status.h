/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_STATUS_H
#define HA_STATUS_H 1

/* What 'ovn-hactl status --json' shows: the cluster as this node sees it.
 *
 * The format is documented in ovn-hactl(8) and has a version: members are
 * added, never changed.  lib/table.c makes the table for people of it. */

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct had;

/* The name of a node's state.  A witness that does its part is in the core's
 * HA_STANDBY, but is no standby. */
const char *status_state(uint32_t state, bool witness);

/* The caller owns it. */
json_t *status_make(const struct had *);

#endif /* ha/status.h */
