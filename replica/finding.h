/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_FINDING_H
#define HA_REPLICA_FINDING_H 1

/* That the own content differs from the source's: a verification has found it
 * so, or the hash over the records that led to it is another.
 *
 * Durable (STATE_DIR/nb.differs), because a worker or a node that is started
 * anew must not take such a replica for a good one.  The receiver notes it,
 * and takes it back when a later verification finds both sides equal; what an
 * active node holds is the truth, so becoming active ends it too. */

#include <stdbool.h>

#include "lib/wire.h"

struct finding {
    char *path;
    bool differs;
    char why[WIRE_WHY_LEN]; /* What was found; "". */
};

/* Reads 'path'.  One that cannot be read counts as a finding. */
struct finding *finding_create(const char *path);
void finding_destroy(struct finding *);

void finding_set(struct finding *, const char *why);
void finding_clear(struct finding *);

#endif /* replica/finding.h */
