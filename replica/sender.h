/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SENDER_H
#define HA_REPLICA_SENDER_H 1

/* Ships the own log to whoever of the peers asks for it.
 *
 * Listens in every role: a new active node pulls the missing tail from another
 * standby.  Ships only what is durable here.  Neither queries nor disturbs
 * the own ovsdb-server: everything comes from the file. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"
#include "replica/peers.h"

struct certs;
struct oplog;
struct sender;

struct sender_config {
    enum ha_db db;
    uint32_t self;             /* This node. */
    const char *listen;        /* "ADDRESS:PORT". */
    const struct certs *certs; /* NULL: no TLS. */
    const struct frame_key *key;
    const struct peers *peers; /* May change at any time. */
};

struct sender *sender_create(const struct sender_config *, struct oplog *);
void sender_destroy(struct sender *);
void sender_run(struct sender *);
void sender_wait(struct sender *);

/* This node is the active one of 'epoch'; {0, 0}: it is not.  Only then a
 * receiver gets a snapshot. */
void sender_set_active(struct sender *, struct ha_epoch epoch);

/* The peers have changed. */
void sender_check_peers(struct sender *);

/* Fills 'ret' with receiver number 'i'.  Returns false if there are not that
 * many.  A receiver that was lost stays, as not connected. */
bool sender_get_peer(struct sender *, size_t i, struct wire_r_peer *ret);

#endif /* replica/sender.h */
