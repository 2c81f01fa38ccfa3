/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CHECK_COROSYNC_H
#define CTL_CHECK_COROSYNC_H 1

/* What corosync goes by: its map of keys, read from what corosync-cmapctl
 * prints, as a JSON object of strings.  For 'ovn-hactl check'.  Pure, and
 * NULL for a map is one without keys. */

#include <jansson.h>

#define COROSYNC_MAX_POS 64 /* Positions in a nodelist, with its holes. */

/* Parses "KEY (TYPE) = VALUE" lines.  The caller owns the result. */
json_t *corosync_parse(const char *text);

/* "" if there is no such key. */
const char *corosync_text(const json_t *cmap, const char *key);

/* 'missing' if there is none, or no number; "yes" and "on" are 1. */
long corosync_number(const json_t *cmap, const char *key, long missing);

/* The same of nodelist.node.POS.KEY. */
long corosync_node_number(const json_t *cmap, int pos, const char *key,
                          long missing);

/* How many nodes the nodelist has. */
long corosync_n_nodes(const json_t *cmap);

#endif /* ctl/check-corosync.h */
