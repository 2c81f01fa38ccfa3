/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_TABLE_H
#define HA_LIB_TABLE_H 1

/* The status for people: at most 100 columns, what is not well last, with its
 * reason.
 *
 * Made of the JSON that ovn-had hands out, by ovn-had itself for ovn-appctl
 * and by ovn-hactl.  What is missing in the JSON shows as '-'. */

#include <jansson.h>

/* In memory that the caller frees. */
char *table_render(const json_t *status);

#endif /* HA_LIB_TABLE_H */
