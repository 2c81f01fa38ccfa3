/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_PLAN_H
#define CTL_DRILL_PLAN_H 1

/* Whether a drill may begin, by what the cluster says of itself.  Pure: reads
 * a status, and nothing else.  Used by ctl/drill. */

#include <jansson.h>
#include <stdbool.h>

/* What is in the way of a drill, as sentences; the caller owns the list, which
 * is empty if nothing is.  'here': it acts on processes of the active, so that
 * the status has to be that node's own. */
json_t *plan_obstacles(const json_t *status, bool here);

/* The remotes of a database's clients: 'port' of every node, by "tcp" or
 * "ssl", separated by commas, in memory that the caller frees. */
char *plan_remotes(const json_t *status, const char *scheme, int port);

#endif /* ctl/drill-plan.h */
