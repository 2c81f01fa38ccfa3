/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_RECEIVER_H
#define HA_REPLICA_RECEIVER_H 1

/* Follows a source: connects, says where the own file stands, takes a snapshot
 * or resumes, and hands record after record to the applier.
 *
 * Whatever fails, it goes back to the start and says the true state of the own
 * file again; so there is one way in, and it is well trodden. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"
#include "lib/wire.h"
#include "replica/peers.h"

struct applier;
struct certs;
struct dbserver;
struct finding;
struct oplog;
struct receiver;
struct shrink;
struct verify;

struct receiver_config {
    enum ha_db db;
    uint32_t self;
    const struct certs *certs; /* NULL: no TLS. */
    const struct frame_key *key;
    const struct peers *peers; /* May change at any time. */
    const char *state_dir;
    struct shrink *guard;
    struct finding *finding;
    const char *file; /* The database's. */
    bool installs;    /* Somebody can put a whole file in its place. */
};

struct receiver *receiver_create(const struct receiver_config *,
                                 struct oplog *, struct dbserver *,
                                 struct applier *);
void receiver_destroy(struct receiver *);

/* Follows the source that 'role' names from now on; at once, if it was parked
 * with that. */
void receiver_follow(struct receiver *, const struct wire_r_role *role);

/* Takes nothing more from the source.  What is with the own server already
 * is the applier's. */
void receiver_stop(struct receiver *);

/* The same for now: keeps the session for a second, and does not read from it.
 * In a planned move the rest of the old active's log follows at once. */
void receiver_park(struct receiver *);

/* An operator lets happen what the receiver asks for. */
void receiver_consent(struct receiver *, const struct wire_r_consent *);

void receiver_run(struct receiver *);
void receiver_wait(struct receiver *);

/* Verifies the own content against the source's; 'token' as in struct
 * wire_r_verify. */
void receiver_verify(struct receiver *, uint32_t token);
struct verify *receiver_get_verify(struct receiver *);
/* True, once, if the file that the receiver offers is to be installed. */
bool receiver_take_install(struct receiver *);

/* Fills in what the receiver knows: phase, source, head, counts, progress,
 * reason. */
void receiver_get_status(const struct receiver *, struct wire_r_status *);

/* Takes what was set aside since it was last asked.  Returns false if nothing
 * was. */
bool receiver_take_aside(struct receiver *, struct wire_r_aside *);

#endif /* replica/receiver.h */
