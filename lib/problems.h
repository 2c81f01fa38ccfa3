/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_PROBLEMS_H
#define HA_LIB_PROBLEMS_H 1

/* What is not well: the one list that the table for people, the status page,
 * the JSON and the metrics all show.
 *
 * Found in the JSON that ovn-had makes of its state; ovn-had puts the list
 * into it, with the time since when each problem exists.  Pure: no clock, no
 * input or output. */

#include <jansson.h>

/* A list of objects: "node", the node's name, or null where it is the whole
 * cluster; "code", a word for programs; "text", a sentence for people that
 * names the node; "ends", what would end it.  A pair of node and code occurs
 * once.  The caller owns the list, which is empty if all is well. */
json_t *problems_find(const json_t *status);

#endif /* HA_LIB_PROBLEMS_H */
