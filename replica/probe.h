/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_PROBE_H
#define HA_REPLICA_PROBE_H 1

/* Proves that a change of NB reaches SB: bumps nb_cfg, and waits until northd
 * has brought sb_cfg there.
 *
 * It writes to the database and makes every chassis write to SB, so it is for
 * a promotion and for suspicion only.  Has a connection of its own. */

#include <stdbool.h>
#include <stdint.h>

struct probe;

struct probe *probe_create(const char *remote);
void probe_destroy(struct probe *);

/* Begins one; one that is under way is dropped. */
void probe_begin(struct probe *, uint32_t token, uint32_t timeout_ms);

void probe_run(struct probe *);
void probe_wait(struct probe *);

/* True once for each probe that has ended, with its result. */
bool probe_take(struct probe *, uint32_t *ret_token, int *ret_error,
                uint32_t *ret_took_ms);

#endif /* replica/probe.h */
