/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SUCCESSOR_H
#define HA_REPLICA_SUCCESSOR_H 1

/* Finds out whether a compacted or converted file holds what the file before
 * it held at its end, by loading both.
 *
 * The log follower asks when the dates of the files do not tell: after a
 * compaction and a conversion in one absence of the worker, or a clock that
 * was set.  Takes long for a large database, so it works in slices.  Never
 * writes anything. */

#include <stdint.h>

struct successor;

/* Compares the first 'old_end' bytes of 'old_fd' with the first 'new_end' of
 * 'new_fd', whose schema is 'schema'.  Both files must stay open. */
struct successor *successor_create(int old_fd, uint64_t old_end, int new_fd,
                                   uint64_t new_end, const char *schema);
void successor_destroy(struct successor *);

/* Goes on.  Returns 1 if there is more to do, 0 if the content is the same,
 * -EXDEV if it differs, or another negative errno. */
int successor_run(struct successor *);

#endif /* replica/successor.h */
