/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/failover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ha/cluster.h"
#include "ha/events.h"
#include "ha/had.h"
#include "ha/loop.h"
#include "lib/log.h"
#include "lib/uctl.h"
#include "lib/xalloc.h"

/* Whose records are lost: the last active's, or those of a pair's other node
 * that may have gone on alone. */
static uint32_t
loser(const struct had *h, uint32_t to)
{
    const struct ha_set *nodes = &h->core.cfg.nodes;

    return h->core.record.active != to || nodes->n != 2
               ? h->core.record.active
               : nodes->id[nodes->id[0] == to];
}

/* The node meant by the first argument, or the best one; NULL, and the request
 * is answered, if it may not be. */
static const struct cluster_node *
find_target(struct had *h, struct uctl_conn *conn)
{
    const char *name = uctl_conn_n_args(conn) ? uctl_conn_arg(conn, 0) : NULL;
    const struct cluster_node *node =
        name ? cluster_find(&h->cluster, name)
             : cluster_node(&h->cluster, ha_core_force_best(&h->core));
    enum ha_why why;
    char text[512];

    if (name && !node) {
        snprintf(text, sizeof text, "there is no node %.100s", name);
        uctl_conn_reply_error(conn, text);
        return NULL;
    }
    why = ha_core_force_why_not(&h->core, node ? node->id : 0);
    if (why != HA_WHY_NONE) {
        snprintf(text, sizeof text,
                 "%.100s may not become active by force: %s",
                 node ? node->name : "no node", ha_why_text(why));
        uctl_conn_reply_error(conn, text);
        return NULL;
    }
    return node;
}

/* Whether two nodes could serve.  In a pair that is apart quorum tells nothing:
 * there a node serves without a lease.  The caller frees it. */
static char *
proof_of(const struct had *h, const struct cluster_node *to)
{
    const struct ha_peer *old = ha_core_peer(&h->core, loser(h, to->id));
    const char *name = cluster_name(&h->cluster, loser(h, to->id));

    if (old && old->proof != HA_PROOF_NONE) {
        return ha_asprintf("%s is known to be off.", name);
    } else if (h->core.quorate
               && (h->core.cfg.nodes.n > 2
                   || ha_set_has(&h->core.view, loser(h, to->id)))) {
        return ha_asprintf("%s cannot serve at the same time: %s waits until "
                           "its lease is over.",
                           name, to->name);
    }
    return ha_asprintf("Nothing proves that %s is off.  If it still runs, two "
                       "nodes will serve clients at\nonce, and what one of "
                       "them acknowledges will be lost.  Go and look first.",
                       name);
}

/* What must not be done afterwards.  The caller frees it. */
static char *
if_apart(const struct had *h, const struct cluster_node *to)
{
    const char *name = cluster_name(&h->cluster, loser(h, to->id));

    if (h->core.cfg.nodes.n != 2) {
        return ha_asprintf("%s", "");
    }
    return ha_asprintf("Do not start %s where it does not reach %s: if it "
                       "went on alone, it\nhas %s fenced, and serves what it "
                       "has.\n",
                       name, to->name, to->name);
}

/* What 'to' lacks of a database, as far as this node knows.  The caller frees
 * it. */
static char *
loss_of(const struct had *h, const struct cluster_node *to, enum ha_db db)
{
    const struct ha_core *c = &h->core;
    const struct ha_peer *target = ha_core_peer(c, to->id);
    const struct ha_peer *old = ha_core_peer(c, loser(h, to->id));
    const char *old_name = cluster_name(&h->cluster, loser(h, to->id));
    const struct ha_pos *has = &target->status.local.db[db].pos, *had;
    char *ends = ha_asprintf(
        "%s: %s ends at record %" PRIu64 " of epoch %" PRIu32 ".%" PRIu32,
        ha_db_name(db), to->name, has->seq, has->epoch.n, has->epoch.node);
    char *text;

    had = old ? &old->status.local.db[db].pos : NULL;
    if (!had || !had->lineage || had->lineage != has->lineage) {
        text = ha_asprintf("%s; how far %s went is not known here", ends,
                           old_name);
    } else {
        text = ha_asprintf(
            "%s, %s was at record %" PRIu64 " when last heard: at least "
            "%" PRIu64 " records of %s are lost",
            ends, old_name, had->seq,
            had->seq > has->seq ? had->seq - has->seq : 0, old_name);
    }
    free(ends);
    return text;
}

/* How much may be lost beyond the records that are known of: since when this
 * node knows nothing of the loser.  The caller frees it. */
static char *
contact_of(const struct had *h, uint32_t node)
{
    const struct ha_peer *peer = ha_core_peer(&h->core, node);

    if (!peer || !peer->met) {
        return ha_strdup("it was not heard here since ovn-had was started");
    }
    return ha_asprintf("it was heard here last %" PRId64 " s ago",
                       mono_us_between(peer->contact_at, mono_now())
                           / 1000000);
}

void
failover_run_preview(struct had *h, struct uctl_conn *conn)
{
    const struct cluster_node *to = find_target(h, conn);
    char *loss[HA_N_DBS], *apart, *contact, *proof, *text;
    const char *old;

    if (!to) {
        return;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        loss[db] = loss_of(h, to, db);
    }
    old = cluster_name(&h->cluster, loser(h, to->id));
    apart = if_apart(h, to);
    contact = contact_of(h, loser(h, to->id));
    proof = proof_of(h, to);
    text = ha_asprintf(
        "%s\n"
        "This makes %s the active node with the data that it has.\n"
        "  %s.\n  %s.\n"
        "All that %s acknowledged since is lost, too; %s.\n"
        "When %s returns, it sets these records aside (diverged/ in its state "
        "folder)\nand follows %s.\n%s%s",
        to->name, to->name, loss[HA_NB], loss[HA_SB], old, contact, old,
        to->name, apart, proof);
    uctl_conn_reply(conn, text);
    free(text);
    free(apart);
    free(contact);
    free(proof);
    free(loss[HA_NB]);
    free(loss[HA_SB]);
}

void
failover_run(struct had *h, struct uctl_conn *conn)
{
    struct ha_event ev = { .type = HA_EV_FORCE };
    const struct cluster_node *to = find_target(h, conn);
    char *nb, *sb, *text;

    if (!to) {
        return;
    }
    nb = loss_of(h, to, HA_NB);
    sb = loss_of(h, to, HA_SB);
    text = ha_asprintf("failover: %s accepts the loss: %s; %s",
                       uctl_conn_arg(conn, 1), nb, sb);
    events_tell(h, HA_LOG_WARN, "failover", text);
    free(text);
    free(nb);
    free(sb);
    ev.ctl.to = to->id;
    ev.ctl.ms = (uint64_t) time(NULL) * 1000;
    h->was_refused = false;
    loop_post(h, &ev);
    if (h->was_refused) {
        uctl_conn_reply_error(conn, ha_why_text(h->refused));
    } else {
        uctl_conn_reply(conn, "asked for\n");
    }
}
