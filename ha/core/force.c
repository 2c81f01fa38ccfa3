/* SPDX-License-Identifier: Apache-2.0 */

/* The last resort: an operator lets a node become active that lacks records,
 * because whoever has them does not come back.
 *
 * It waives one question, whether the data are fresh, and only where nothing
 * else would end the wait.  All else stays as it is: the request goes to
 * everybody in the agreed order, the coordinator proposes an epoch, the
 * members support it, and older leases run out first; so two nodes of one
 * partition never serve.  In a pair that lives on proof the operator's word is
 * the proof, too.  Data of another lineage, or without a whole state, are never
 * promoted.  Whoever saw the request lets such an epoch pass, in this view and
 * until the next epoch is in force. */

#include "ha/core/core-private.h"

uint32_t
force_node(const struct ha_core *c)
{
    return c->forced;
}

uint32_t
force_ahead(const struct ha_core *c, uint32_t n)
{
    return n + 1000 > c->forced_at ? n + 1000 : c->forced_at;
}

/* The one that lacks the least, of those that may be let in; 0: none. */
uint32_t
ha_core_force_best(const struct ha_core *c)
{
    const struct ha_peer *best = NULL;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];

        if (coord_why_not_forced(c, p->id) == HA_WHY_NONE
            && (!best || coord_better(c, p, best))) {
            best = p;
        }
    }
    return best ? best->id : 0;
}

/* Why the wait of a pair's node that is apart from the other one ends without
 * an operator; HA_WHY_NONE if it does not. */
static enum ha_why
apart_why_not(struct ha_core *c)
{
    switch (c->hold.n ? HA_WHY_SERVED : verdict_missing(c)) {
    case HA_WHY_SERVED:
        return HA_WHY_SERVED;
    case HA_WHY_AGREEING:
    case HA_WHY_FENCE_DELAY:
    case HA_WHY_FENCING:
    case HA_WHY_LEASE:
        return HA_WHY_UNDER_WAY;
    default:
        return HA_WHY_NONE;
    }
}

/* The same with a record in force. */
static enum ha_why
agreed_why_not(const struct ha_core *c)
{
    const struct ha_peer *here = core_heard(c, c->record.active);
    enum ha_why bars = pause_bars(c, &c->record);

    if (here && here->status.open && core_holds(&here->status, &c->record)) {
        return HA_WHY_SERVED;
    }
    if (pause_holds(&c->record)) {
        return HA_WHY_PAUSED; /* To resume may be all that it takes. */
    } else if (bars != HA_WHY_NONE) {
        /* A loss may be accepted, but a proof has to be there. */
        return bars == HA_WHY_PAUSE_STALE ? HA_WHY_NONE : bars;
    }
    if (here && core_holds(&here->status, &c->record)) {
        /* Its stages end by themselves, but for what is owed. */
        return core_past(c, c->support_since, c->cfg.tail_us + c->cfg.open_us)
                   ? HA_WHY_NONE
                   : HA_WHY_UNDER_WAY;
    }
    return coord_best(c, &c->record, 0) ? HA_WHY_UNDER_WAY : HA_WHY_NONE;
}

enum ha_why
ha_core_force_why_not(struct ha_core *c, uint32_t to)
{
    bool apart = !c->in_force && verdict_apart(c);
    enum ha_why why;

    if (!ha_core_may_act(c) || !c->in_group) {
        return c->in_group ? HA_WHY_NO_QUORUM : HA_WHY_NO_GROUP;
    } else if (c->dirty) {
        return HA_WHY_DISK;
    } else if (!c->in_force && !apart) {
        return c->coord_why == HA_WHY_NONE ? HA_WHY_AGREEING : c->coord_why;
    }
    why = apart ? apart_why_not(c) : agreed_why_not(c);
    if (why == HA_WHY_NONE) {
        why = to ? coord_why_not_forced(c, to) : HA_WHY_NOT_ELIGIBLE;
    }
    return why;
}

void
force_event(struct ha_core *c, const struct ha_event *ev,
            struct ha_actions *out)
{
    uint32_t to = ev->ctl.to ? ev->ctl.to : ha_core_force_best(c);
    enum ha_why why = ha_core_force_why_not(c, to);
    struct ha_msg *m;

    if (why != HA_WHY_NONE) {
        core_act(out, HA_ACT_REFUSED)->why = why;
        core_tell(out, "failover: refused: node %u: %s", to, ha_why_text(why));
        return;
    }
    c->forced_at = ev->ctl.ms / 1000;
    m = core_send(c, out, HA_MSG_REQUEST);
    m->request = HA_REQ_FORCE;
    m->node = to;
}

void
force_message(struct ha_core *c, uint32_t from, const struct ha_msg *m,
              struct ha_actions *out)
{
    enum ha_why why = coord_why_not(c, &c->record, m->node);

    if (ha_epoch_cmp(m->epoch, c->record.epoch)
        || coord_why_not_forced(c, m->node) != HA_WHY_NONE) {
        return; /* It was about another one, or things have changed. */
    }
    core_tell(out,
              "failover: an operator on node %u lets node %u become active, "
              "whatever records it lacks%s%s",
              from, m->node, why ? ": " : "", ha_why_text(why));
    c->forced = m->node;
    /* What a planned move owes is part of it. */
    c->handed = false;
    if (verdict_apart(c)) {
        verdict_vouched(c, out);
        c->top_ballot = force_ahead(c, c->top_ballot);
        coord_view(c); /* An exchange of records, above all of them. */
    }
}
