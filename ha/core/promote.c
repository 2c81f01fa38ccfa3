/* SPDX-License-Identifier: Apache-2.0 */

/* The stages between being named active and serving.
 *
 * Two questions are asked apart: is the old active dead (verdict), and is the
 * data here fresh (tail).  Only then do the workers take over the log, the
 * fence worker opens the door under a live lease, and northd is resumed;
 * success is an NB change that reached SB. */

#include "ha/core/core-private.h"

static void
enter(struct ha_core *c, enum ha_stage stage)
{
    c->stage = stage;
    c->stage_since = c->now;
    c->tail_at = c->now;
}

static void
wait_for(struct ha_core *c, struct ha_actions *out, enum ha_why why)
{
    role_set(c, out, HA_PROMOTING, why);
}

/* True once no set of members that could have renewed an older lease is
 * without a member that has stopped supporting it and whose promise is over.
 * Holds for majorities of three or more members, never for a pair. */
static bool
old_leases_over(struct ha_core *c)
{
    uint32_t over = 0;
    mono_t last = MONO_MIN;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];

        if (!p->supports) {
            continue;
        }
        if (core_past(c, p->promise_end, 0)) {
            over++;
        } else {
            last = mono_max(last, p->promise_end);
        }
    }
    if (last.us != MONO_MIN.us) {
        c->wake = mono_min(c->wake, last);
    }
    return c->cfg.nodes.n >= 3 && over >= ha_majority(&c->cfg);
}

#define CLOSE_US 10000000 /* Patience with a door that closes slowly. */

/* True while 'p', which is here and may still serve, will say that it has
 * stopped, and where its log ends: others may lack what is in it.  Closing
 * takes its time where a server that was killed does not end, and its
 * replica workers are asked only then. */
static bool
will_say(const struct ha_core *c, const struct ha_peer *p)
{
    int64_t us = c->cfg.lease_us + 4 * c->cfg.mute_us;

    return !core_past(c, c->support_since, us)
           || (!core_past(c, p->closing_at, 2 * c->cfg.mute_us)
               && !core_past(c, c->support_since, us + CLOSE_US));
}

/* Asks for the verdict on every node that may still serve an older epoch.
 * Returns HA_WHY_NONE once there is one on each. */
static enum ha_why
verdict(struct ha_core *c)
{
    const struct ha_set *s = &c->record.suspects;

    for (uint32_t i = 0; i < s->n; i++) {
        const struct ha_peer *p = ha_core_peer(c, s->id[i]);
        bool here = ha_set_has(&c->view, s->id[i]);

        if ((p && p->stopped) || verdict_proven(c, s->id[i])) {
            continue; /* It said so in this view, or it is dead. */
        }
        if (here && will_say(c, p)) {
            return HA_WHY_VERDICT;
        }
        if (c->record.paused != HA_PAUSE_NONE) {
            return HA_WHY_ENDLESS; /* Its lease may never run out. */
        }
        if (!old_leases_over(c)) {
            return c->cfg.nodes.n >= 3 ? HA_WHY_LEASE : HA_WHY_VERDICT;
        }
    }
    return HA_WHY_NONE;
}

/* True if 'p' may have records that this node has not.  One that is not in
 * sync may all the same: the set follows the facts, and lags behind them. */
static bool
may_be_fresher(const struct ha_core *c, const struct ha_peer *p)
{
    const struct ha_local_db *db = p->status.local.db;

    return ha_set_has(&c->record.in_sync, p->id)
           || (p->heard
               && (db[HA_NB].pos.lineage == c->record.lineage
                   || db[HA_SB].pos.lineage == c->record.lineage));
}

/* True once every member here that may be fresher has said where it stopped,
 * or had its time. */
static bool
tails_known(const struct ha_core *c)
{
    for (uint32_t i = 0; i < c->view.n; i++) {
        const struct ha_peer *p = ha_core_peer(c, c->view.id[i]);

        if (member_owes(c, p->id)
            || (!p->stopped && may_be_fresher(c, p)
                && !core_past(c, c->support_since, c->cfg.mute_us))) {
            return false;
        }
    }
    return true;
}

static bool
tail_pulled(const struct ha_core *c)
{
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];

        for (int db = 0; db < HA_N_DBS; db++) {
            if (p->final_pos[db].lineage == c->record.lineage
                && ha_pos_cmp(&p->final_pos[db], &c->local.db[db].pos) > 0) {
                return false;
            }
        }
    }
    return true;
}

/* True if this node's own data may be served.  A new lineage begins with
 * whatever its first active has. */
static bool
data_good(const struct ha_core *c)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct ha_local_db *l = &c->local.db[db];
        bool begins = !c->record.in_sync.n && !l->pos.lineage;
        bool ours = l->pos.lineage == c->record.lineage && l->complete;

        if (!l->server_ok || !(ours || begins)) {
            return false;
        }
    }
    return true;
}

static bool
is_owed(const struct ha_core *c)
{
    bool owed = false;

    for (uint32_t i = 0; i < c->view.n; i++) {
        owed |= member_owes(c, c->view.id[i]);
    }
    return owed;
}

/* True if another node's log is of a later epoch than that of this node: then
 * it is this one that gives way, and until it is followed for good nothing is
 * pulled if they differ. */
static bool
is_overtaken(const struct ha_core *c)
{
    bool overtaken = false;

    for (uint32_t i = 0; i < c->view.n; i++) {
        const struct ha_peer *p = ha_core_peer(c, c->view.id[i]);

        for (int db = 0; db < HA_N_DBS; db++) {
            overtaken |= p->final_pos[db].lineage == c->record.lineage
                         && ha_epoch_cmp(p->final_pos[db].epoch,
                                         c->local.db[db].pos.epoch)
                                > 0;
        }
    }
    return overtaken;
}

static void
stage_tail(struct ha_core *c, struct ha_actions *out)
{
    uint64_t seen = c->local.db[HA_NB].pos.seq + c->local.db[HA_SB].pos.seq;

    enum ha_why why = is_owed(c) ? HA_WHY_OWES : HA_WHY_TAIL;

    if (seen != c->tail_seen || why == HA_WHY_OWES
        || (member_keeps_log(c) && !is_overtaken(c))) {
        c->tail_seen = seen;
        c->tail_at = c->now;
    }
    if (c->in_force && tails_known(c) && tail_pulled(c) && data_good(c)) {
        c->cleared = c->hold;
        enter(c, HA_STAGE_LOG);
    } else if (core_past(c, c->tail_at, c->cfg.tail_us)) {
        core_tell(out, "promotion: no progress in pulling the tail");
        role_demote(c, out, HA_WHY_TAIL);
    } else {
        wait_for(c, out, why);
    }
}

static void
stage_log(struct ha_core *c, struct ha_actions *out)
{
    if (replica_in_role(c, HA_NB, ROLE_ACTIVE, c->hold)
        && replica_in_role(c, HA_SB, ROLE_ACTIVE, c->hold)) {
        c->handed = false;
        enter(c, HA_STAGE_DOOR);
    } else if (core_past(c, c->stage_since, c->cfg.open_us)
               && !member_keeps_log(c)) {
        core_tell(out, "promotion: the replica workers do not take over");
        role_demote(c, out, HA_WHY_LOG);
    } else {
        wait_for(c, out, HA_WHY_LOG);
    }
}

static void
resume_northd(struct ha_core *c, struct ha_actions *out)
{
    if (!c->northd_sent || !c->northd_run) {
        c->northd_sent = c->northd_run = true;
        core_act(out, HA_ACT_NORTHD)->run = true;
    }
}

static void
stage_door(struct ha_core *c, struct ha_actions *out)
{
    if (ha_epoch_cmp(c->serve_sent, c->hold) && c->fence.connected) {
        c->serve_sent = c->hold;
        core_act(out, HA_ACT_FENCE_SERVE)->epoch = c->hold;
    }
    resume_northd(c, out);
    if (c->fence.open && !ha_epoch_cmp(c->fence.serve, c->hold)) {
        core_tell(out, "promotion: listening");
        enter(c, HA_STAGE_NORTHD);
    } else if (core_past(c, c->stage_since, c->cfg.open_us)) {
        core_tell(out, "promotion: the door did not open");
        role_demote(c, out, HA_WHY_DOOR);
    } else {
        wait_for(c, out, HA_WHY_DOOR);
    }
}

static void
stage_northd(struct ha_core *c, struct ha_actions *out)
{
    resume_northd(c, out);
    if (!c->fence.open) {
        enter(c, HA_STAGE_DOOR);
        c->northd_sent = false;
    } else if (!c->probe_token) {
        c->probe_token = c->next_token++;
        core_act(out, HA_ACT_PROBE)->token = c->probe_token;
    }
    wait_for(c, out, HA_WHY_NORTHD);
}

/* What is waited for while no record is in force. */
static enum ha_why
agreeing_why(struct ha_core *c)
{
    return !c->in_force && verdict_apart(c) ? verdict_missing(c)
                                            : HA_WHY_AGREEING;
}

/* HA_PROMOTING.  Stages that are done follow one another in one step. */
void
promote_run(struct ha_core *c, struct ha_actions *out)
{
    bool cleared = verdict_cleared(c);

    if (c->stage <= HA_STAGE_AGREE) {
        wait_for(c, out, agreeing_why(c));
        if ((!c->in_force || !c->supported
             || ha_epoch_cmp(c->record.epoch, c->hold))
            && !(cleared && (verdict_apart(c) || ha_core_goes_on(c)))) {
            return;
        }
        enter(c, cleared ? HA_STAGE_LOG : HA_STAGE_VERDICT);
    }
    if (c->stage == HA_STAGE_VERDICT) {
        enum ha_why why = c->in_force ? verdict(c) : agreeing_why(c);

        if (why != HA_WHY_NONE) {
            wait_for(c, out, why);
            return;
        }
        enter(c, HA_STAGE_TAIL);
    }
    if (c->stage == HA_STAGE_TAIL) {
        stage_tail(c, out);
    }
    if (c->hold.n && c->stage == HA_STAGE_LOG) {
        stage_log(c, out);
    }
    if (c->hold.n && c->stage == HA_STAGE_DOOR) {
        stage_door(c, out);
    }
    if (c->hold.n && c->stage == HA_STAGE_NORTHD) {
        stage_northd(c, out);
    }
}

/* The nodes that are complete, connected and close behind. */
static void
find_in_sync(const struct ha_core *c, struct ha_set *set)
{
    ha_set_add(set, c->cfg.self);
    for (uint32_t i = 0; i < c->view.n; i++) {
        const struct ha_peer *p = ha_core_peer(c, c->view.id[i]);
        bool good = p->id != c->cfg.self;

        for (int db = 0; db < HA_N_DBS; db++) {
            const struct ha_peer_db *r = &p->recv[db];

            good &= r->connected && r->complete
                    && r->acked.lineage == c->record.lineage
                    && r->acked.seq + c->cfg.lag_records >= r->head.seq
                    && r->lag_us <= c->cfg.lag_us;
        }
        if (good) {
            ha_set_add(set, p->id);
        }
    }
}

/* Asks the coordinator to keep the record true. */
static void
keep_record(struct ha_core *c, struct ha_actions *out)
{
    struct ha_set set = { 0 };

    if (!c->in_force || ha_epoch_cmp(c->record.epoch, c->hold)
        || !core_past(c, c->asked_at, c->cfg.mute_us)) {
        return;
    }
    find_in_sync(c, &set);
    if (!ha_set_equal(&set, &c->record.in_sync)) {
        struct ha_msg *m = core_send(c, out, HA_MSG_REQUEST);

        m->request = HA_REQ_IN_SYNC;
        m->set = set;
        c->asked_at = c->now;
    }
    if (c->record.suspects.n) {
        core_send(c, out, HA_MSG_REQUEST)->request = HA_REQ_SETTLED;
        c->asked_at = c->now;
    }
}

/* To whom the active role is to go from here, and why; 0: it stays.  A full
 * disk only refuses writes, so it goes to none that has no more room, and not
 * from one that has it for a moment: two that fill in turn would do nothing
 * else. */
static uint32_t
find_heir(const struct ha_core *c, const char **ret_because)
{
    uint32_t heir = coord_heir(c);
    const struct ha_peer *p = ha_core_peer(c, heir);

    if (c->leaving) {
        *ret_because = "this node is being shut down";
    } else if (c->local.unfit) {
        *ret_because = "a database here cannot be mended soon";
    } else if (c->local.address_unfit) {
        *ret_because = "the virtual IP cannot be had here";
    } else if (c->local.low_disk && p && !p->status.local.low_disk
               && core_past(c, c->state_since, c->cfg.retry_us)) {
        *ret_because = "the disk here is about to be full";
    } else {
        heir = 0;
    }
    return heir;
}

/* HA_ACTIVE, and the serving stages of HA_PROMOTING. */
void
promote_active(struct ha_core *c, struct ha_actions *out)
{
    const char *because;
    uint32_t heir;

    keep_record(c, out);
    if (c->state != HA_ACTIVE) {
        return;
    }
    if (!c->fence.open) {
        enter(c, HA_STAGE_DOOR);
        c->northd_sent = false;
        role_set(c, out, HA_PROMOTING, HA_WHY_DOOR);
        return;
    }
    heir = find_heir(c, &because);
    if (heir && c->in_force && core_past(c, c->asked_at, c->cfg.mute_us)) {
        struct ha_msg *m = core_send(c, out, HA_MSG_REQUEST);

        core_tell(out, "handover: to node %u, because %s", heir, because);
        m->request = HA_REQ_SWITCH;
        m->node = heir;
        c->asked_at = c->now;
    }
}
