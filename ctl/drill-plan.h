/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_PLAN_H
#define CTL_DRILL_PLAN_H 1

/* Whether a drill may begin, by what the cluster says of itself.  Pure: reads
 * a status, and nothing else.  Used by ctl/drill. */

#include <jansson.h>

/* Where a drill has to be run. */
enum plan_where {
    PLAN_ANYWHERE,
    PLAN_ON_ACTIVE,  /* It acts on processes of the active. */
    PLAN_OFF_ACTIVE, /* It acts on all of it, and has to outlive that. */
};

/* What is in the way of a drill, as sentences; the caller owns the list, which
 * is empty if nothing is.  'status' is of the node where it is run. */
json_t *plan_obstacles(const json_t *status, enum plan_where);

/* The remotes of a database's clients: 'port' of every node, by "tcp" or
 * "ssl", separated by commas, in memory that the caller frees. */
char *plan_remotes(const json_t *status, const char *scheme, int port);

#endif /* ctl/drill-plan.h */
