/* SPDX-License-Identifier: Apache-2.0 */

/* Proof that a node's last life serves no more, where neither its support nor
 * a lease tells: it left on purpose, a fence device confirmed that it is off,
 * or an operator vouches.  And what a pair does that lives on such proof
 * (no-quorum-policy = fence): asks for fencing, counts one vote as enough
 * while the other node is proven to be dead, and knows when its own data may
 * be too old to follow what the other one served.
 *
 * A pair with a quorum device lives on proof as well, because the node that
 * lost the device's vote learns that seconds after the other one got it, or,
 * if its corosync stands still, never.  But without quorum a node of it does
 * nothing at all; so the device says which of the two has the other fenced.
 *
 * Why one vote is safe: a node that was dead can do nothing by itself before
 * it has met the other one again, because it has no proof, and may not even
 * ask for one (no fence loops).  Only who accepted a record alone, on such
 * proof ('alone' in struct ha_durable), knows after a restart that nobody
 * went on without it.  Unless the last resort was used against it meanwhile:
 * then there are two such nodes, and neither knows of the other's time.  So
 * who was forced to go on alone asks for no fencing after a restart, or they
 * would have one another fenced in turn, each with its own data; an operator
 * has to vouch again. */

#include "ha/core/core-private.h"

#include <string.h>

#define FENCE_WINDOW_US INT64_C(600000000)

/* The other node of a pair; NULL unless this is one that may live on proof. */
static struct ha_peer *
other_node(const struct ha_core *c)
{
    const struct ha_config *cfg = &c->cfg;

    if (!c->policy.fence || cfg->nodes.n != 2) {
        return NULL;
    }
    return core_peer((struct ha_core *) c, cfg->nodes.id[0] == cfg->self
                                               ? cfg->nodes.id[1]
                                               : cfg->nodes.id[0]);
}

bool
ha_core_may_act(const struct ha_core *c)
{
    return c->quorate || (other_node(c) && !c->policy.quorum);
}

bool
verdict_apart(const struct ha_core *c)
{
    const struct ha_peer *p = other_node(c);

    return p && c->in_group && !ha_set_has(&c->view, p->id);
}

bool
verdict_proven(const struct ha_core *c, uint32_t id)
{
    const struct ha_peer *p = ha_core_peer(c, id);

    return p && p->proof != HA_PROOF_NONE;
}

bool
verdict_cleared(const struct ha_core *c)
{
    return c->hold.n && !ha_epoch_cmp(c->cleared, c->hold);
}

bool
verdict_stale(const struct ha_core *c)
{
    const struct ha_peer *p = other_node(c);
    mono_t until;

    if (!verdict_apart(c) || c->durable.alone || verdict_cleared(c)
        || force_node(c) == c->cfg.self) {
        return false;
    }
    until = p->proof != HA_PROOF_NONE ? p->proof_at : c->now;
    return !p->met
           || mono_us_between(p->contact_at, until) > c->policy.stale_us;
}

/* One whose data may be too old must not speak for both: its old record would
 * stand above what the other one agreed on alone. */
uint32_t
verdict_votes(const struct ha_core *c)
{
    const struct ha_peer *p = other_node(c);

    return p && p->proof != HA_PROOF_NONE && verdict_apart(c)
                   && !verdict_stale(c)
               ? 1
               : ha_majority(&c->cfg);
}

enum ha_alone
verdict_alone(const struct ha_core *c)
{
    if (c->cfg.nodes.n == 1 || verdict_votes(c) != 1) {
        return HA_ALONE_NO;
    }
    /* An operator's word holds until both are together again. */
    if (force_node(c) || c->durable.alone == HA_ALONE_FORCED) {
        return HA_ALONE_FORCED;
    }
    return other_node(c)->proof == HA_PROOF_WORD ? HA_ALONE_LEFT
                                                 : HA_ALONE_PROVEN;
}

/* ---- Proof ---------------------------------------------------------- */

static void
set_proof(struct ha_core *c, struct ha_peer *p, enum ha_proof proof)
{
    if (ha_set_has(&c->view, p->id) || p->id == c->cfg.self) {
        return; /* It lives. */
    }
    if (p->proof == HA_PROOF_NONE) {
        p->proof_at = c->now;
        p->proof = proof;
    }
}

/* True if the last that 'p' said is that it ends, and serves nothing. */
static bool
has_given_its_word(const struct ha_peer *p)
{
    return p->heard && p->status.leaving && !p->status.hold.n
           && !p->status.open && p->status.state != HA_DEMOTING;
}

/* Others need the proof as well: whoever is promoted asks for it. */
static void
share(struct ha_core *c, uint32_t node, struct ha_actions *out)
{
    struct ha_msg *m;

    if (c->in_group && c->cfg.nodes.n > 2) {
        m = core_send(c, out, HA_MSG_REQUEST);
        m->request = HA_REQ_FENCED;
        m->node = node;
    }
}

static void
believe(struct ha_core *c, struct ha_peer *p, enum ha_proof proof,
        struct ha_actions *out)
{
    set_proof(c, p, proof);
    core_tell(out, "verdict: node %u serves no more: %s", p->id,
              proof == HA_PROOF_FENCED
                  ? "a fence device has proven that it is off"
                  : "an operator vouches for it");
    share(c, p->id, out);
}

void
verdict_view(struct ha_core *c, const struct ha_set *old,
             struct ha_actions *out)
{
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        struct ha_peer *p = &c->peers[i];

        if (ha_set_has(&c->view, p->id)) {
            p->proof = HA_PROOF_NONE;
            p->asked = false;
            p->off &= ha_set_has(old, p->id);
        } else if (p->off) {
            p->off = false;
            believe(c, p, HA_PROOF_FENCED, out);
        } else if ((p == other_node(c)
                    || c->durable.record.paused != HA_PAUSE_NONE)
                   && ha_set_has(old, p->id) && has_given_its_word(p)) {
            set_proof(c, p, HA_PROOF_WORD);
            core_tell(out, "verdict: node %u has ended on purpose", p->id);
        }
    }
}

void
verdict_heard(struct ha_core *c, struct ha_peer *p)
{
    if (c->in_force && p->id != c->cfg.self && !pause_lost(&c->record, p)) {
        p->met = true;
        p->contact_at = c->now;
    }
}

void
verdict_told(struct ha_core *c, uint32_t node)
{
    struct ha_peer *p = core_peer(c, node);

    if (p) {
        set_proof(c, p, HA_PROOF_FENCED);
    }
}

void
verdict_vouched(struct ha_core *c, struct ha_actions *out)
{
    believe(c, other_node(c), HA_PROOF_OPERATOR, out);
}

/* While the quorum device's vote is not here, the other node may be switched on
 * and go on, and this one does not learn of it: what proved that it is dead
 * proves nothing any more.  Nor is a record in force by that; what is agreed
 * on next begins with an exchange, which waits for another proof. */
void
verdict_quorum(struct ha_core *c, struct ha_actions *out)
{
    struct ha_peer *p = other_node(c);

    if (!p || !c->policy.quorum) {
        return;
    }
    p->off = false;
    if (p->proof != HA_PROOF_NONE) {
        core_tell(out,
                  "fencing: the proof that node %u is dead is too "
                  "old, after a time without quorum",
                  p->id);
        p->proof = HA_PROOF_NONE;
        p->asked = false;
        c->in_force = false;
        coord_view(c);
    }
}

void
verdict_fenced(struct ha_core *c, const struct ha_event *ev,
               struct ha_actions *out)
{
    struct ha_peer *p = core_peer(c, ev->fenced.node);
    bool vouched = ev->fenced.vouched;

    if (!p) {
        return;
    }
    if (!vouched) {
        p->asked = false;
    }
    if (!ev->fenced.proven) {
        core_tell(out, "fencing: no proof that node %u is off", p->id);
        return;
    }
    if (ha_set_has(&c->view, p->id) || p->id == c->cfg.self) {
        if (vouched) {
            core_act(out, HA_ACT_REFUSED)->why = HA_WHY_ALIVE;
        }
        p->off = !vouched && p->id != c->cfg.self;
        core_tell(out, "fencing: node %u is %s", p->id,
                  vouched ? "in the group; not believed"
                          : "off, which the group has yet to notice");
    } else {
        believe(c, p, vouched ? HA_PROOF_OPERATOR : HA_PROOF_FENCED, out);
    }
}

/* ---- Asking --------------------------------------------------------- */

/* Tries within the window that slides with time. */
static uint32_t
recent_tries(const struct ha_core *c, const struct ha_peer *p)
{
    uint32_t n = 0;

    for (int i = 0; i < HA_FENCE_TRIES; i++) {
        n += p->tries[i].us && !core_past(c, p->tries[i], FENCE_WINDOW_US);
    }
    return n;
}

/* True if its ovn-had may be back within its time: its node is not gone. */
static bool
may_be_restarting(const struct ha_core *c, const struct ha_peer *p)
{
    return ha_set_has(&c->members, p->id)
           && !core_past(c, p->left_at,
                         core_drifted(c, c->cfg.lease_us) + c->cfg.mute_us);
}

/* Why this node may not follow the other one.  In a new view it has not heard
 * itself yet. */
static enum ha_why
own_why_not(const struct ha_core *c)
{
    enum ha_why why = coord_why_not(c, &c->durable.record, c->cfg.self);

    return why == HA_WHY_ABSENT ? HA_WHY_AGREEING : why;
}

/* Why the other node, from which this one is apart and of which there is no
 * proof, is not being fenced; HA_WHY_NONE if it is to be, now. */
static enum ha_why
why_not_fence(struct ha_core *c, const struct ha_peer *p)
{
    bool active = verdict_cleared(c);
    mono_t due = mono_add_us(p->left_at, active ? 0 : c->policy.delay_us);
    mono_t again = mono_add_us(p->tried_at, c->cfg.retry_us);
    enum ha_why why = active ? HA_WHY_NONE : own_why_not(c);

    if (pause_holds(&c->durable.record)) {
        return HA_WHY_PAUSED; /* Nobody is to be switched off by itself. */
    } else if (!p->met && c->durable.alone != HA_ALONE_PROVEN) {
        return HA_WHY_UNMET;
    } else if (why != HA_WHY_NONE) {
        return why;
    } else if (!ha_set_has(&c->policy.devices, p->id)) {
        return HA_WHY_NO_DEVICE;
    } else if (p->asked) {
        return HA_WHY_FENCING;
    } else if (!ha_set_has(&c->members, c->cfg.self)) {
        /* Corosync has not told yet who is a member: cpg may be faster. */
        return HA_WHY_AGREEING;
    } else if (active ? ha_set_has(&c->members, p->id)
                      : may_be_restarting(c, p)) {
        return HA_WHY_LEASE;
    } else if (recent_tries(c, p) == HA_FENCE_TRIES) {
        return HA_WHY_FENCE_LIMIT;
    } else if (mono_before(c->now, due)) {
        c->wake = mono_min(c->wake, due);
        return HA_WHY_FENCE_DELAY;
    }
    return p->tried_at.us && mono_before(c->now, again) ? HA_WHY_FENCE_FAILED
                                                        : HA_WHY_NONE;
}

enum ha_why
verdict_missing(struct ha_core *c)
{
    const struct ha_peer *p = other_node(c);
    enum ha_why why;

    if (p->proof != HA_PROOF_NONE) {
        why = own_why_not(c);
        return c->dirty             ? HA_WHY_DISK
               : why != HA_WHY_NONE ? why
                                    : HA_WHY_AGREEING;
    }
    why = why_not_fence(c, p);
    return why == HA_WHY_NONE ? HA_WHY_FENCING : why;
}

void
verdict_run(struct ha_core *c, struct ha_actions *out)
{
    struct ha_peer *p = other_node(c);

    if (!verdict_apart(c) || !ha_core_may_act(c) || c->leaving
        || !c->durable.accepted.n || p->proof != HA_PROOF_NONE
        || why_not_fence(c, p) != HA_WHY_NONE) {
        return;
    }
    p->asked = true;
    p->tried_at = c->now;
    memmove(p->tries + 1, p->tries, (HA_FENCE_TRIES - 1) * sizeof p->tries[0]);
    p->tries[0] = c->now;
    core_act(out, HA_ACT_FENCE_NODE)->node = p->id;
    core_tell(out,
              "fencing: node %u, because it left the group and %s (%u "
              "of %d in 10 minutes)",
              p->id,
              verdict_cleared(c) ? "may want to take over" : "may still serve",
              recent_tries(c, p), HA_FENCE_TRIES);
}
