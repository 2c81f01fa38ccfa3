/* SPDX-License-Identifier: Apache-2.0 */

/* What this node is, and which way it goes: one function per state. */

#include "ha/core/core-private.h"

#include <assert.h>
#include <string.h>

#define LEAVE_US 10000000 /* Patience of a shutdown with a heir. */

void
role_set(struct ha_core *c, struct ha_actions *out, enum ha_state state,
         enum ha_why why)
{
    if (c->state != state) {
        assert(ha_states[c->state].next & (1u << state));
        core_tell(out, "%s -> %s%s%s", ha_state_name(c->state),
                  ha_state_name(state), why ? ": " : "",
                  why ? ha_why_text(why) : "");
        c->state = state;
        c->state_since = c->why_since = c->now;
    } else if (c->why != why) {
        if (why) {
            core_tell(out, "%s: %s", ha_state_name(state), ha_why_text(why));
        }
        c->why_since = c->now;
    }
    c->why = why;
    c->ever_active |= state == HA_ACTIVE;
}

/* Gives up the epoch that this node holds; nothing is served in it again. */
void
role_demote(struct ha_core *c, struct ha_actions *out, enum ha_why why)
{
    core_act(out, HA_ACT_FENCE_CLOSE)->epoch = c->hold;
    core_act(out, HA_ACT_NORTHD)->run = false;
    c->northd_sent = true;
    c->northd_run = false;
    c->ended = c->hold;
    memset(&c->hold, 0, sizeof c->hold);
    memset(&c->serve_sent, 0, sizeof c->serve_sent);
    memset(&c->endless, 0, sizeof c->endless); /* The door closes with it. */
    c->endless_left = false;
    c->stage = HA_STAGE_NONE;
    c->probe_token = 0;
    c->ended_at = c->now;
    c->fence.closed = false; /* Until the worker proves it anew. */
    role_set(c, out, HA_DEMOTING, why);
}

/* Why nobody is active although there is quorum. */
static enum ha_why
no_active_why(const struct ha_core *c)
{
    if (c->dirty) {
        return HA_WHY_DISK;
    }
    if (pause_bars(c, &c->record) != HA_WHY_NONE) {
        return pause_bars(c, &c->record);
    }
    return c->coord_why != HA_WHY_NONE ? c->coord_why : HA_WHY_NOT_ELIGIBLE;
}

/* True if what this node holds has been taken from it.  Stopping does not
 * wait for the disk. */
static bool
overruled(const struct ha_core *c)
{
    return c->proposed && ha_epoch_cmp(c->proposal.epoch, c->hold) > 0;
}

/* True if a record that this node supports names it active in an epoch that
 * it may still begin. */
static bool
is_named(const struct ha_core *c)
{
    return c->proposed && !c->dirty
           && !ha_epoch_cmp(c->proposal.epoch, c->named)
           && ha_epoch_cmp(c->named, c->ended) > 0;
}

/* True while a proposal is on its way: what the others are is not told yet,
 * so nothing is concluded from it. */
static bool
in_transition(const struct ha_core *c)
{
    const struct ha_peer *p = ha_core_peer(c, c->proposal.active);

    return c->proposed && !core_past(c, c->support_since, 4 * c->cfg.mute_us)
           && (!c->supported || !c->in_force
               || ha_epoch_cmp(c->proposal.epoch, c->record.epoch)
               || (ha_set_has(&c->view, c->proposal.active) && !p->supports));
}

/* Why no record is in force in this view. */
static enum ha_why
no_record_why(const struct ha_core *c)
{
    if (c->dirty) {
        return HA_WHY_DISK;
    } else if (c->foreign) {
        return HA_WHY_LINEAGES;
    }
    return c->coord_why != HA_WHY_NONE ? c->coord_why : HA_WHY_AGREEING;
}

/* Where a node belongs that serves nothing. */
static void
route(struct ha_core *c, struct ha_actions *out)
{
    const struct ha_peer *active = core_heard(c, c->record.active);

    if ((!ha_core_may_act(c) || !c->in_group) && !ha_core_goes_on(c)) {
        if (c->state != HA_STARTING || c->in_group) {
            role_set(c, out, HA_ISOLATED,
                     c->in_group ? HA_WHY_NO_QUORUM : HA_WHY_NO_GROUP);
        }
    } else if (c->hold.n
                   ? c->proposed && !ha_epoch_cmp(c->proposal.epoch, c->hold)
                   : is_named(c)) {
        if (!c->hold.n) {
            c->hold = c->named;
            c->stage = HA_STAGE_AGREE;
            c->stage_since = c->now;
        }
        role_set(c, out, HA_PROMOTING, HA_WHY_AGREEING);
    } else if (!c->in_force && (verdict_apart(c) || ha_core_goes_on(c))) {
        if (c->hold.n) {
            /* Adopted: it serves on, whatever the others are. */
            role_set(c, out, HA_PROMOTING, HA_WHY_AGREEING);
        } else if (c->durable.accepted.n && c->fence.connected) {
            /* Not before: what it serves may be this node's to go on with. */
            role_set(c, out, HA_BLOCKED, verdict_missing(c));
        } else {
            role_set(c, out, c->state, no_record_why(c));
        }
    } else if (!c->in_force || in_transition(c)) {
        if (c->state == HA_STARTING) {
            role_set(c, out, HA_STARTING, no_record_why(c));
        }
    } else if (c->record.active != c->cfg.self && active
               && core_holds(&active->status, &c->record)) {
        c->handed &= !active->status.log_ready; /* It has all there is. */
        role_set(c, out, HA_STANDBY,
                 active->status.log_ready ? HA_WHY_NONE : HA_WHY_AGREEING);
    } else {
        role_set(c, out, HA_BLOCKED, no_active_why(c));
    }
}

/* True if this ovn-had was restarted, and its fence worker and its databases
 * served on: then the epoch goes on, too. */
static bool
serves_still(const struct ha_core *c)
{
    struct ha_epoch e = c->durable.record.epoch;

    return !c->hold.n && e.n && e.node == c->cfg.self && c->fence.connected
           && !ha_epoch_cmp(c->fence.serve, e) && ha_epoch_cmp(c->ended, e);
}

static void
in_starting(struct ha_core *c, struct ha_actions *out)
{
    if (serves_still(c)) {
        struct ha_epoch e = c->fence.serve;

        core_tell(out, "start: goes on serving epoch %u.%u", e.n, e.node);
        c->hold = c->cleared = c->serve_sent = e;
        c->endless = c->fence.endless ? e : c->endless;
        c->endless_left = c->durable.record.paused != HA_PAUSE_NONE;
        /* It stopped every older one before it opened the door. */
        for (int db = 0; db < HA_N_DBS; db++) {
            c->stopped_epoch[db] = e;
        }
        c->stage = HA_STAGE_AGREE;
        c->stage_since = c->now;
        c->ever_active = true;
    }
    if (c->hold.n
        && (overruled(c)
            || (!ha_core_may_act(c) && !ha_core_goes_on(c)
                && core_past(c, c->started_at, c->cfg.lease_us)))) {
        role_demote(c, out,
                    ha_core_may_act(c) ? HA_WHY_NONE : HA_WHY_NO_QUORUM);
    } else if (ha_core_may_act(c) || !c->hold.n || ha_core_goes_on(c)) {
        route(c, out);
    }
}

static void
in_isolated(struct ha_core *c, struct ha_actions *out)
{
    if ((ha_core_may_act(c) && c->in_group) || serves_still(c)) {
        role_set(c, out, HA_STARTING, HA_WHY_AGREEING);
        in_starting(c, out);
    } else {
        route(c, out);
    }
}

static void
in_demoting(struct ha_core *c, struct ha_actions *out)
{
    if (!c->fence.closed) {
        return;
    }
    if (ha_core_may_act(c) && c->in_group
        && (!c->in_force || in_transition(c))) {
        role_set(c, out, HA_STARTING, HA_WHY_AGREEING);
    }
    route(c, out);
}

static void
in_promoting(struct ha_core *c, struct ha_actions *out)
{
    if ((!ha_core_may_act(c) || !c->in_group) && !ha_core_goes_on(c)) {
        role_demote(c, out, HA_WHY_NO_QUORUM);
    } else if (overruled(c)) {
        role_demote(c, out, HA_WHY_NONE);
    } else {
        if (c->state == HA_PROMOTING) {
            promote_run(c, out);
        }
        if (c->hold.n && c->stage >= HA_STAGE_NORTHD) {
            promote_active(c, out);
        }
    }
}

/* Ends this life once another node serves, or nobody can take over. */
static void
leave(struct ha_core *c, struct ha_actions *out)
{
    const struct ha_peer *active = core_heard(c, c->record.active);
    bool late = core_past(c, c->leaving_since, LEAVE_US);
    bool served =
        active && active->status.open
        && (!c->proposed || !ha_epoch_cmp(c->proposal.epoch, c->record.epoch));

    switch (c->state) {
    case HA_ACTIVE:
    case HA_PROMOTING:
        if (late || ha_core_goes_on(c) || c->view.n < 2
            || (c->in_force && !coord_heir(c))) {
            core_tell(out, "shutdown: %s",
                      pause_holds(&c->durable.record)
                          ? "the cluster is paused, so nobody takes over"
                          : "this node cannot hand over to anybody");
            role_demote(c, out, HA_WHY_LEAVING);
        }
        return;
    case HA_DEMOTING:
        if (!late) {
            return;
        }
        break;
    case HA_STARTING:
    case HA_BLOCKED:
        if (!late && !served
            && (in_transition(c) || coord_best(c, &c->record, c->cfg.self))) {
            return; /* A vote, or a tail, is wanted from here. */
        }
        break;
    case HA_STANDBY:
        if (!late && !served) {
            return;
        }
        break;
    default:
        break;
    }
    core_tell(out, "shutdown: done");
    core_act(out, HA_ACT_EXIT);
    c->exited = true;
}

void
role_run(struct ha_core *c, struct ha_actions *out)
{
    switch (c->state) {
    case HA_STARTING:
        in_starting(c, out);
        break;
    case HA_ISOLATED:
        in_isolated(c, out);
        break;
    case HA_STANDBY:
    case HA_BLOCKED:
    case HA_N_STATES: /* Is none. */
        route(c, out);
        break;
    case HA_PROMOTING:
    case HA_ACTIVE:
        in_promoting(c, out);
        break;
    case HA_DEMOTING:
        in_demoting(c, out);
        break;
    }
    if (!c->hold.n && !c->northd_sent && c->fence.connected) {
        /* One that outlived an earlier ovn-had may be running. */
        c->northd_sent = true;
        core_act(out, HA_ACT_NORTHD)->run = false;
    }
    if (c->leaving) {
        leave(c, out);
    }
}
