/* SPDX-License-Identifier: Apache-2.0 */

/* Maintenance: the cluster watches and replicates, and changes no role, so
 * that corosync itself can be stopped, on all nodes, and no client notices.
 *
 * The active then serves under a lease without end, which no time proves to be
 * over.  So nobody may ever reason about its lease who does not know that.
 * The record says it, in steps of which each is in force before the next:
 *
 *   none    -> asked    An operator wants it, and all members are here.
 *   asked   -> on       All members, not only a majority, have it on disk.
 *                       Now the active may ask its fence worker for the endless
 *                       lease.  If one does not record it in time, back to
 *                       none: nobody can have an endless lease yet.
 *   on      -> ending   An operator wants it.  The active, once it has this on
 *                       disk, gives the endless lease back; the fence worker
 *                       drops it only when the ordinary one is live, for which
 *                       beats went on all the time.
 *   ending  -> none     The active has said, since it supports this step, that
 *                       its lease is the ordinary one.
 *
 * While it is asked or on, nobody but the active of the record is elected, and
 * nothing is fenced by itself.  The active may be elected anew: after a restart
 * of its node it begins another epoch, as ever.  If it is not here, the others
 * wait.  Once it ends, a promotion rests on proof alone (promote.c takes no
 * lease for run out while the record is not "none"): the old active is here and
 * stopped, or gave its word when it left, or a device confirmed that it is off,
 * or an operator vouches.  And since it may have served until then without
 * anybody here, its time from the last contact to the proof is what may be
 * lost; if that is longer than eligible-ms, an operator has to accept it.
 *
 * Where the members disagree because a view ended in between, an exchange of
 * records takes the newest step that a majority may have, which is the same or
 * a more careful one: whoever serves endlessly has seen "on" in force, so every
 * majority knows.  A fence worker that was started anew gets no endless lease
 * unless its ovn-had has that from a record in force, or was serving so. */

#include "ha/core/core-private.h"

#include <string.h>

bool
pause_holds(const struct ha_record *rec)
{
    return rec->paused == HA_PAUSE_ASKED || rec->paused == HA_PAUSE_ON;
}

bool
ha_core_goes_on(const struct ha_core *c)
{
    return c->hold.n && !ha_epoch_cmp(c->endless, c->hold);
}

void
pause_tell(const struct ha_record *old, const struct ha_record *new,
           struct ha_actions *out)
{
    static const char *const steps[HA_N_PAUSES] = {
        [HA_PAUSE_NONE] = "over: roles move again",
        [HA_PAUSE_ASKED] = "all members are to record it",
        [HA_PAUSE_ON] = "all members have recorded it: roles stay",
        [HA_PAUSE_ENDING] = "ends once it is proven that no lease is endless",
    };

    if (old->paused != new->paused) {
        core_tell(out, "pause: %s", steps[new->paused]);
    }
}

/* ---- Others ----------------------------------------------------------- */

/* True if too much time passed between the last contact with 'p', the active
 * of a pause, and 'until', when it was known that it serves no more. */
static bool
is_stale(const struct ha_core *c, const struct ha_peer *p, mono_t until)
{
    return !p->met
           || mono_us_between(p->contact_at, until) > c->policy.stale_us;
}

bool
pause_lost(const struct ha_record *rec, const struct ha_peer *p)
{
    bool lost = false;

    for (int db = 0; db < HA_N_DBS; db++) {
        lost |= p->status.local.db[db].pos.lineage != rec->lineage;
    }
    return lost && rec->paused != HA_PAUSE_NONE && p->id == rec->active
           && p->heard;
}

enum ha_why
pause_bars(const struct ha_core *c, const struct ha_record *rec)
{
    const struct ha_peer *p = ha_core_peer(c, rec->active);
    bool here = p && ha_set_has(&c->view, p->id);

    if (rec->paused == HA_PAUSE_NONE || !p || (here && !pause_lost(rec, p))) {
        return HA_WHY_NONE;
    } else if (!here && pause_holds(rec)) {
        return HA_WHY_PAUSED;
    } else if (!here && p->proof == HA_PROOF_NONE) {
        return HA_WHY_ENDLESS;
    }
    return is_stale(c, p, here ? c->now : p->proof_at) && force_node(c) == 0
               ? HA_WHY_PAUSE_STALE
               : HA_WHY_NONE;
}

enum ha_why
ha_core_pause_waits(const struct ha_core *c)
{
    return pause_holds(&c->record) ? HA_WHY_PAUSED : pause_bars(c, &c->record);
}

/* ---- Operator --------------------------------------------------------- */

/* True if the active of 'rec' is here and serves. */
static bool
is_served(const struct ha_core *c, const struct ha_record *rec)
{
    const struct ha_peer *p = core_heard(c, rec->active);

    return p && p->status.state == HA_ACTIVE && p->status.open
           && core_holds(&p->status, rec);
}

/* The first member that is not here, or does not support what is in force; 0:
 * all do. */
static uint32_t
missing_member(const struct ha_core *c)
{
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];

        if (!p->supports) {
            return p->id;
        }
    }
    return 0;
}

enum ha_why
ha_core_pause_why_not(const struct ha_core *c, uint32_t *ret_node)
{
    const struct ha_record *rec = &c->record;

    *ret_node = 0;
    if (!ha_core_may_act(c) || !c->in_group) {
        return c->in_group ? HA_WHY_NO_QUORUM : HA_WHY_NO_GROUP;
    } else if (!c->in_force) {
        return HA_WHY_AGREEING;
    } else if (rec->paused != HA_PAUSE_NONE) {
        return pause_holds(rec) ? HA_WHY_PAUSED : HA_WHY_RESUMING;
    } else if (!is_served(c, rec) || rec->suspects.n) {
        return HA_WHY_UNSERVED;
    }
    *ret_node = missing_member(c);
    return *ret_node ? HA_WHY_ABSENT : HA_WHY_NONE;
}

static enum ha_why
resume_why_not(const struct ha_core *c)
{
    if (!ha_core_may_act(c) || !c->in_group) {
        return c->in_group ? HA_WHY_NO_QUORUM : HA_WHY_NO_GROUP;
    } else if (!c->in_force) {
        return HA_WHY_AGREEING;
    } else if (c->record.paused == HA_PAUSE_NONE) {
        return HA_WHY_NOT_PAUSED;
    }
    return c->record.paused == HA_PAUSE_ENDING ? HA_WHY_RESUMING : HA_WHY_NONE;
}

void
pause_event(struct ha_core *c, const struct ha_event *ev,
            struct ha_actions *out)
{
    bool pause = ev->type == HA_EV_PAUSE;
    uint32_t node = 0;
    enum ha_why why =
        pause ? ha_core_pause_why_not(c, &node) : resume_why_not(c);
    struct ha_msg *m;

    if (why != HA_WHY_NONE) {
        core_act(out, HA_ACT_REFUSED)->why = why;
        core_tell(out, "%s: refused: %s", pause ? "pause" : "resume",
                  ha_why_text(why));
        return;
    }
    m = core_send(c, out, HA_MSG_REQUEST);
    m->request = pause ? HA_REQ_PAUSE : HA_REQ_RESUME;
    m->paused_ms = ev->ctl.ms;
}

void
pause_message(struct ha_core *c, uint32_t from, const struct ha_msg *m,
              struct ha_actions *out)
{
    bool pause = m->request == HA_REQ_PAUSE;

    core_tell(out, "%s: asked for on node %u", pause ? "pause" : "resume",
              from);
    c->req_pause = pause;
    c->req_resume = !pause;
    c->pause_ms = m->paused_ms;
}

/* ---- Coordinator ------------------------------------------------------ */

static void
step_to(struct ha_record *new, enum ha_pause pause)
{
    new->paused = pause;
    if (pause == HA_PAUSE_NONE) {
        new->paused_ms = 0;
    }
}

static bool
begin(struct ha_core *c, struct ha_record *new, struct ha_actions *out)
{
    uint32_t node;
    enum ha_why why = ha_core_pause_why_not(c, &node);

    if (why != HA_WHY_NONE) {
        core_tell(out, "pause: refused: %s", ha_why_text(why));
        return false;
    }
    step_to(new, HA_PAUSE_ASKED);
    new->paused_ms = c->pause_ms;
    return true;
}

/* All have to record that it is asked for. */
static bool
complete(const struct ha_core *c, const struct ha_record *rec,
         struct ha_record *new, struct ha_actions *out)
{
    uint32_t node = missing_member(c);

    if (!node && is_served(c, rec) && !c->req_resume) {
        step_to(new, HA_PAUSE_ON);
        return true;
    }
    if (node && ha_set_has(&c->view, node) && !c->req_resume
        && !core_past(c, c->proposed_at, 4 * c->cfg.mute_us)) {
        return false;
    }
    if (node) {
        core_tell(out, "pause: called off: node %u has not recorded it", node);
    } else {
        core_tell(out, "pause: called off: %s",
                  c->req_resume ? "an operator says so"
                                : ha_why_text(HA_WHY_UNSERVED));
    }
    step_to(new, HA_PAUSE_NONE);
    return true;
}

/* True once nobody has an endless lease, or could have one. */
static bool
is_over(const struct ha_core *c, const struct ha_record *rec)
{
    const struct ha_peer *p = ha_core_peer(c, rec->active);

    return !rec->suspects.n && p && p->supports && core_holds(&p->status, rec)
           && !p->status.endless;
}

bool
pause_next(struct ha_core *c, const struct ha_record *rec,
           struct ha_record *new, struct ha_actions *out)
{
    bool moves = false;

    *new = *rec;
    switch ((enum ha_pause) rec->paused) {
    case HA_PAUSE_NONE:
    case HA_N_PAUSES: /* Is none. */
        moves = c->req_pause && begin(c, new, out);
        break;
    case HA_PAUSE_ASKED:
        moves = complete(c, rec, new, out);
        if (!moves) {
            return false; /* The wish stands. */
        }
        break;
    case HA_PAUSE_ON:
        moves = c->req_resume;
        step_to(new, moves ? HA_PAUSE_ENDING : HA_PAUSE_ON);
        break;
    case HA_PAUSE_ENDING:
        moves = is_over(c, rec);
        step_to(new, moves ? HA_PAUSE_NONE : HA_PAUSE_ENDING);
        break;
    }
    c->req_pause = c->req_resume = false;
    return moves;
}

/* ---- Active ----------------------------------------------------------- */

bool
pause_endless(const struct ha_core *c)
{
    return c->endless.n || c->endless_left;
}

void
pause_fence(struct ha_core *c, struct ha_actions *out)
{
    const struct ha_fence *f = &c->fence;

    if (ha_epoch_cmp(c->serve_sent, c->hold)) {
        /* It is another worker, or it gave up. */
        c->endless_order.sent = false;
    }
    if (pause_endless(c) && c->endless_order.sent && !c->endless_order.on
        && f->connected && !f->endless && (f->open || f->closed)
        && f->endless_token == c->endless_order.token) {
        memset(&c->endless, 0, sizeof c->endless);
        c->endless_left = false;
        core_tell(out, "pause: the lease of this node is the ordinary one "
                       "again");
    }
}

/* True if the lease under the epoch that is held ought to be endless. */
static bool
is_wanted(const struct ha_core *c)
{
    const struct ha_record *rec = &c->durable.record;

    if (rec->paused != HA_PAUSE_ON || ha_epoch_cmp(rec->epoch, c->hold)) {
        return false;
    }
    return ha_core_goes_on(c)
           || (c->in_force && c->supported && c->record.paused == HA_PAUSE_ON
               && !ha_epoch_cmp(c->record.epoch, c->hold));
}

void
pause_run(struct ha_core *c, struct ha_actions *out)
{
    bool wanted;
    struct ha_action *a;

    if (!c->hold.n || !c->fence.connected
        || ha_epoch_cmp(c->serve_sent, c->hold)) {
        return;
    }
    wanted = is_wanted(c);
    if ((c->endless_order.sent && c->endless_order.on == wanted
         && !ha_epoch_cmp(c->endless_order.epoch, c->hold))
        || (!wanted && !pause_endless(c))) {
        return;
    }
    if (wanted && !c->endless.n) {
        core_tell(out, "pause: this node serves without an end of its lease");
    }
    c->endless_order.sent = true;
    c->endless_order.on = wanted;
    c->endless_order.token = c->next_token++;
    c->endless_order.epoch = c->hold;
    if (wanted) {
        c->endless = c->hold;
        c->endless_left = false;
    }
    a = core_act(out, HA_ACT_FENCE_ENDLESS);
    a->endless.epoch = c->hold;
    a->endless.on = wanted;
    a->endless.token = c->endless_order.token;
}
