/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_GIVEWAY_H
#define HA_REPLICA_GIVEWAY_H 1

/* All that must be durable before the own database gives way to the source's:
 * the copy of its file, the report of what is lost, and the transaction that
 * brings it back.
 *
 * If anything ends it before that, the own database is still what it was, and
 * all is done again.  Used by the receiver. */

#include <stdint.h>

#include "lib/types.h"

struct compare;
struct giveway;
struct lost_counts;
struct oplog;
struct shadow;

struct giveway_config {
    const char *state_dir;
    enum ha_db db;
    uint32_t self, source;    /* Node ids... */
    const char *backup;       /* ...but with this it gives way to a file. */
    struct oplog *log;        /* Own. */
    struct ha_pos fork;       /* The last common position; seq 0: unknown. */
    const struct shadow *own; /* Own content... */
    const struct compare *theirs; /* ... and the source's. */
};

/* Returns NULL, with errno, if no copy can be made. */
struct giveway *giveway_create(const struct giveway_config *);
void giveway_destroy(struct giveway *);

/* Works on.  Returns 1 if there is more to do, 0 when all is durable, or a
 * negative errno. */
int giveway_run(struct giveway *);

/* Of the copy. */
const char *giveway_path(const struct giveway *);
const char *giveway_name(const struct giveway *);

/* What was lost, once all is durable. */
const struct lost_counts *giveway_counts(const struct giveway *);

#endif /* replica/giveway.h */
