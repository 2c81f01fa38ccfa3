/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_ASIDES_H
#define HA_ASIDES_H 1

/* What was set aside on this node: how much there is of it.
 *
 * Looked for when the workers make more of it, and now and then, as an
 * operator may move it away.  Used by observe.c.  Removes nothing. */

#include <stdint.h>

/* Counts the copies of databases in STATE_DIR/diverged, and the bytes of all
 * that is there.  No folder: there are none. */
void asides_count(const char *state_dir, uint32_t *ret_files,
                  uint64_t *ret_bytes);

#endif /* ha/asides.h */
