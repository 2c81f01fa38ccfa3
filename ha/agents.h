/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_AGENTS_H
#define HA_AGENTS_H 1

/* The supervisor's end of the process that runs fence agents.
 *
 * That process is a child of the fence worker (fence/agents.h), so nothing is
 * started here: it is connected to whenever it is there, told what is
 * configured, asked to fence, and its answers are kept for status.  Devices
 * that only fence this very node are left out: it could not tell the end of
 * it.  Called by the loop; decides nothing. */

#include <stdbool.h>
#include <stddef.h>

#include "ha/cluster.h"
#include "ha/settings.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct ev_loop;
struct agents;

/* Whom to tell.  No handler may destroy the agents. */
struct agents_handler {
    void *aux;
    /* A request ended: the node is proven to be off, or not.  'why' is a
     * sentence for the latter. */
    void (*fenced)(void *aux, uint32_t node, bool proven, const char *why);
};

/* Checks that what [fence NODE] names is in the nodelist.  Returns true, or
 * false and a sentence. */
bool agents_check(const struct conf *, const struct cluster *, char *error,
                  size_t size);

struct agents *agents_create(struct ev_loop *, const struct settings *,
                             const struct cluster *,
                             const struct agents_handler *);
void agents_destroy(struct agents *);

/* True if a device is configured that can fence 'node' from here. */
bool agents_can_fence(const struct agents *, uint32_t node);

/* Asks for it; the end of it comes by the handler.  Returns 0; -ENODEV if no
 * device can; -ENOTCONN if the process is not there at present; or another
 * negative errno. */
int agents_fence(struct agents *, uint32_t node);

/* What it said last; NULL while it is not there. */
const struct wire_a_state *agents_state(const struct agents *);

/* The configuration as it was told, for names.  '*ret_n': how many. */
const struct wire_a_target *agents_targets(const struct agents *,
                                           size_t *ret_n);

#endif /* ha/agents.h */
