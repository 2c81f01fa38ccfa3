/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_GROUP_H
#define HA_GROUP_H 1

/* Corosync: the group of supervisors, and quorum.
 *
 * Turns cpg's and libquorum's callbacks into the core's events and sends its
 * messages in order.  Called by the loop.  It never asks corosync a question
 * while it runs: a frozen corosync would answer late or wrongly.  If corosync
 * goes away it reports an empty group and no quorum, and connects again. */

#include <stdbool.h>
#include <stdint.h>

#include "ha/cluster.h"
#include "ha/core/core.h"

struct ev_loop;
struct group;

/* Whom to tell.  No handler may destroy the group. */
struct group_handler {
    void *aux;
    /* cpg's members; empty: not in the group (any more). */
    void (*view)(void *aux, const struct ha_set *members);
    void (*quorum)(void *aux, bool quorate, const struct ha_set *members);
    void (*msg)(void *aux, uint32_t from, const struct ha_msg *);
    void (*note)(void *aux, uint32_t from, const void *data, size_t n);
};

struct group *group_create(struct ev_loop *, const struct cluster *,
                           const struct group_handler *);
void group_destroy(struct group *);

/* Joins the group as soon as corosync can be reached, and again whenever it
 * was lost. */
void group_join(struct group *);

/* True while it is connected to corosync. */
bool group_connected(const struct group *);

/* Sends 'msg' after all that were sent before.  Without corosync the message
 * is lost, as is whatever was not sent when it went away. */
void group_send(struct group *, const struct ha_msg *);

/* The same for 'n' bytes, at most GROUP_NOTE_MAX, of which the core knows
 * nothing; what does not fit into the queue is dropped.  Comes back, too. */
#define GROUP_NOTE_MAX 8192
void group_send_note(struct group *, const void *data, size_t n);

#endif /* ha/group.h */
