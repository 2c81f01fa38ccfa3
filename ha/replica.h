/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_H
#define HA_REPLICA_H 1

/* The supervisor's end of one replica worker.
 *
 * Starts ovn-ha-replica for one database, starts it again if it dies or
 * hangs, and keeps what it said last.  Called by the loop; decides nothing. */

#include <stdbool.h>
#include <sys/types.h>

#include "ha/cluster.h"
#include "ha/core/core.h"
#include "ha/settings.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct ev_loop;
struct replica;

/* Whom to tell.  No handler may destroy the replica. */
struct replica_handler {
    void *aux;
    /* Something of replica_facts() or replica_status() changed. */
    void (*changed)(void *aux, enum ha_db);
    void (*peer)(void *aux, enum ha_db, const struct wire_r_peer *);
    void (*probed)(void *aux, const struct wire_r_probed *);
    void (*aside)(void *aux, enum ha_db, const struct wire_r_aside *);
    /* A whole file is to take the place of the database's. */
    void (*install)(void *aux, enum ha_db);
    void (*verification)(void *aux, enum ha_db,
                         const struct wire_r_verification *);
    void (*difference)(void *aux, enum ha_db,
                       const struct wire_r_difference *);
};

struct replica *replica_create(struct ev_loop *, enum ha_db,
                               const struct settings *, const struct cluster *,
                               const struct replica_handler *);
/* Ends the worker, too. */
void replica_destroy(struct replica *);

/* Starts the worker, now that there is a database. */
void replica_start(struct replica *);
/* Ends it for good. */
void replica_stop(struct replica *);

/* Ends the worker as a power cut would. */
void replica_kill(struct replica *);

/* 0: the ovsdb-server is down.  Kept, and repeated to a new worker. */
void replica_set_server(struct replica *, pid_t);

/* The core's HA_ACT_REPLICA; a new worker is not told, as the core repeats
 * it. */
void replica_send_role(struct replica *, const struct ha_action *);

/* Takes the place of one under way.  Answered by 'probed', by the next worker
 * if this one dies with it. */
void replica_send_probe(struct replica *, uint32_t token, uint32_t timeout_ms);
/* True until it is answered, or the worker is no active any more. */
bool replica_is_probing(const struct replica *);

/* An operator lets happen what the worker asks for. */
void replica_send_consent(struct replica *, enum ha_ask, uint64_t until);
/* Answered by the handlers 'verification' and 'difference'. */
void replica_send_verify(struct replica *, uint32_t token);

/* The worker's share of the local facts: all but 'server_ok'. */
void replica_facts(const struct replica *, struct ha_local_db *);

/* What it said last; NULL while there is none.  'ret_at': when. */
const struct wire_r_status *replica_status(const struct replica *,
                                           mono_t *ret_at);

#endif /* ha/replica.h */
