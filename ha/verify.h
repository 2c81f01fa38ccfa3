/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_VERIFY_H
#define HA_VERIFY_H 1

/* When replicas are verified, and what came out of it, here and elsewhere.
 *
 * Each standby has its own workers compare its databases with the active's,
 * NB and SB one after the other: on a schedule, and when some node asks for it
 * through the group, which is how all nodes learn the outcome, too.  Nothing
 * is decided here: a replica that differs is not complete in the worker's own
 * facts, and that is what the core goes by.
 *
 * Called by the loop, the group, the workers' ends and the control socket. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ha/core/core.h"
#include "lib/wire.h"

struct had;
struct verify;

/* Of one database of one node. */
struct verify_view {
    struct wire_r_verification last; /* The last, or that which is under way;
                                      * NONE: there was none. */
    uint32_t request;                /* Asked for last. */
    uint32_t request_state; /* enum wire_r_verify_state: how that ended;
                             * before, WAITING or RUNNING. */
    /* What was found last that differed; all zero if nothing ever was. */
    int64_t found_ms; /* Since 1970. */
    uint64_t found_rows;
    uint32_t n_found;
    uint32_t reserved;
    struct wire_r_difference found[WIRE_R_DIFFERENCES];
};

void verify_init(struct had *);
void verify_close(struct had *);

/* Now and then: begins what is due. */
void verify_tick(struct had *);

/* A worker that has ended takes with it what it was at. */
void verify_replica_changed(struct had *, enum ha_db);

/* The group has changed: those who are new know nothing yet. */
void verify_group_changed(struct had *);

/* A note of another node, or of this one. */
void verify_take_note(struct had *, uint32_t from, const void *, size_t);

/* A worker says so. */
void verify_take(struct had *, enum ha_db, const struct wire_r_verification *);
void verify_take_difference(struct had *, enum ha_db,
                            const struct wire_r_difference *);

/* Asks 'node', which may be this one, through the group.  One that was found
 * equal within the last 'recent_s' seconds counts, unless its database server
 * was started since: what it read then is not known.  Returns the number of
 * the request. */
uint32_t verify_ask(struct had *, uint32_t node, uint32_t recent_s);

/* What is known of 'node'; NULL for none. */
const struct verify_view *verify_view(const struct had *, uint32_t node,
                                      enum ha_db);

#endif /* ha/verify.h */
