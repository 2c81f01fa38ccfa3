/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_FENCE_H
#define HA_FENCE_H 1

/* The supervisor's end of the fence worker, the one hand on the door.
 *
 * Starts ovn-ha-fence, or adopts the one that outlived an earlier ovn-had,
 * and keeps it informed of the databases and northd.  A worker that does not
 * answer is killed well before the lease runs out: a new one closes the door
 * first of all.  Called by the loop; decides nothing. */

#include <stdbool.h>
#include <sys/types.h>

#include "ha/cluster.h"
#include "ha/settings.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct ev_loop;
struct fence;

/* Whom to tell.  No handler may destroy the fence. */
struct fence_handler {
    void *aux;
    /* NULL: the worker is gone. */
    void (*state)(void *aux, const struct wire_f_state *);
    void (*supported)(void *aux, const struct wire_f_supported *);
};

struct fence *fence_create(struct ev_loop *, const struct settings *,
                           const struct cluster *,
                           const struct fence_handler *);

/* Lets go of the worker, which lives on. */
void fence_destroy(struct fence *);

/* Kept, and repeated to a worker that started anew. */
void fence_set_db(struct fence *, const struct wire_f_db *);
void fence_set_northd(struct fence *, pid_t);

/* Not repeated: the core does that when it sees a new worker. */
void fence_send_members(struct fence *, const struct ha_set *);
void fence_send_epoch(struct fence *, enum wire_type, struct ha_epoch);
void fence_send_endless(struct fence *, struct ha_epoch, bool on,
                        uint32_t token);

/* Has the worker close the door and exit.  From then on it is not started
 * again. */
void fence_exit(struct fence *);

/* True once fence_exit() is done. */
bool fence_exited(const struct fence *);

/* Ends it as a power cut would. */
void fence_kill(struct fence *);

/* What the worker said last; NULL while it is gone.  'ret_at': when. */
const struct wire_f_state *fence_state(const struct fence *, mono_t *ret_at);

#endif /* ha/fence.h */
