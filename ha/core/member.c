/* SPDX-License-Identifier: Apache-2.0 */

/* The member's half of agreement: promise, accept, support.
 *
 * A promise or an acceptance is told only after it is on disk.  Support for
 * a record with a new epoch is told only after this node has stopped the
 * older one: the fence worker refuses its beats (and, if this node served
 * it, the door is proven closed), and the replica workers take no more of its
 * records, so that the position in the message is final. */

#include "ha/core/core-private.h"

#include <string.h>

#define DISK_RETRY_US 1000000

static void
forget_supports(struct ha_core *c)
{
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        c->peers[i].supports = c->peers[i].stopped = false;
        c->peers[i].owes = false;
        memset(c->peers[i].final_pos, 0, sizeof c->peers[i].final_pos);
    }
}

/* A new view: what was proposed in the one before counts no more. */
void
member_view(struct ha_core *c, struct ha_actions *out)
{
    (void) out;
    c->proposed = c->supported = c->in_force = c->owe_state = false;
    c->forced = 0;
    forget_supports(c);
}

bool
member_persist(struct ha_core *c, struct ha_actions *out)
{
    if (!c->dirty
        || (c->disk_bad && !core_past(c, c->disk_at, DISK_RETRY_US))) {
        return false;
    }
    c->disk_bad = false;
    c->disk_at = c->now;
    core_act(out, HA_ACT_PERSIST)->durable = c->durable;
    return true;
}

void
member_prepare(struct ha_core *c, uint32_t from, const struct ha_msg *m,
               struct ha_actions *out)
{
    if (m->ballot.node != from) {
        return;
    }
    if (m->ballot.n > c->top_ballot) {
        c->top_ballot = m->ballot.n;
    }
    c->owe_state = true;
    c->owe_ballot = m->ballot;
    /* Nobody prepares a ballot twice, unless it has lost its disk and does
     * not know that it used this one before. */
    c->owe_refused = ha_ballot_cmp(m->ballot, c->durable.promised) <= 0;
    if (ha_ballot_cmp(m->ballot, c->durable.promised) > 0) {
        c->durable.promised = m->ballot;
        c->dirty = true;
        /* Another coordinator: what the last one proposed here is void, and
         * if that was this node, it collects no more.  With the lowest id
         * it begins anew at once: the other one spoke for an older view. */
        c->collecting = c->collecting && from == c->cfg.self;
        c->proposed = c->supported = c->in_force = false;
        forget_supports(c);
        for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
            c->peers[i].answered = false;
        }
        core_tell(out, "record: promised ballot %u.%u", m->ballot.n,
                  m->ballot.node);
    }
}

/* A coordinator that errs, or runs other software, must not be followed into
 * a record that breaks the rules. */
static const char *
record_flaw(const struct ha_core *c, const struct ha_record *new)
{
    const struct ha_record *old = &c->durable.record;

    if (!new->lineage || !new->epoch.n || new->epoch.node != new->active
        || new->paused >= HA_N_PAUSES) {
        return "it is malformed";
    } else if (!ha_set_has(&c->cfg.nodes, new->active)) {
        return "its active is not in the nodelist";
    } else if (c->durable.accepted.n && old->lineage != new->lineage) {
        return "it is of another lineage";
    } else if (c->in_force && ha_epoch_cmp(new->epoch, c->record.epoch) < 0) {
        return "its epoch is older than the one in force";
    } else if (c->in_force && ha_epoch_cmp(new->epoch, c->record.epoch) > 0
               && new->active != c->record.active && c->record.in_sync.n
               && !ha_set_has(&c->record.in_sync, new->active)
               && force_node(c) != new->active) {
        return "its active was not in sync";
    }
    return NULL;
}

void
member_accept(struct ha_core *c, uint32_t from, const struct ha_msg *m,
              struct ha_actions *out)
{
    const struct ha_record *rec = &m->durable.record;
    const char *flaw;

    if (m->ballot.node != from || ha_ballot_cmp(m->ballot, c->durable.promised)
        || (!ha_ballot_cmp(m->ballot, c->durable.accepted)
            && m->rev <= c->durable.rev)) {
        return;
    }
    flaw = record_flaw(c, rec);
    c->foreign =
        c->durable.accepted.n && c->durable.record.lineage != rec->lineage;
    if (flaw) {
        core_tell(out, "record: refused epoch %u.%u of node %u: %s",
                  rec->epoch.n, rec->epoch.node, from, flaw);
        return;
    }
    if (ha_epoch_cmp(rec->epoch, c->durable.record.epoch)) {
        core_tell(out, "record: epoch %u.%u proposed by node %u%s%s",
                  rec->epoch.n, rec->epoch.node, from,
                  m->why ? " to call the move off: " : "",
                  ha_why_text(m->why));
    }
    if (m->planned && verdict_cleared(c)) {
        c->handed = true;
    }
    if (rec->active == c->cfg.self && m->elected) {
        /* An old record told anew names nobody: this node may have served
         * that epoch already and have lost all that it knew of it. */
        c->named = rec->epoch;
    }
    c->durable.accepted = m->ballot;
    c->durable.rev = m->rev;
    c->durable.record = *rec;
    c->durable.alone = verdict_alone(c);
    c->dirty = true;
    c->proposal = *rec;
    c->prop_ballot = m->ballot;
    c->prop_rev = m->rev;
    c->proposed = true;
    c->supported = c->spoken = false;
    c->support_since = c->now;
    forget_supports(c);
}

void
member_support(struct ha_core *c, uint32_t from, const struct ha_msg *m,
               struct ha_actions *out)
{
    struct ha_peer *p = core_peer(c, from);
    uint32_t votes = 0;

    if (!c->proposed || ha_ballot_cmp(m->ballot, c->prop_ballot)
        || m->rev != c->prop_rev) {
        return;
    }
    p->supports = !m->unsaved;
    p->stopped = m->stopped;
    p->owes = m->owes;
    memcpy(p->final_pos, m->pos, sizeof p->final_pos);
    p->promise_end = mono_add_us(c->now, core_drifted(c, m->promise_left_us));
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        votes += c->peers[i].supports;
    }
    if (votes == verdict_votes(c)) {
        if (!c->in_force || ha_epoch_cmp(c->record.epoch, c->proposal.epoch)) {
            char set[HA_MAX_NODES * 11];

            core_tell(out, "record: epoch %u.%u in force, in sync: %s",
                      c->proposal.epoch.n, c->proposal.epoch.node,
                      ha_set_print(&c->proposal.in_sync, set, sizeof set));
        }
        if (ha_epoch_cmp(c->record.epoch, c->proposal.epoch)) {
            c->forced = 0;
        }
        pause_tell(&c->record, &c->proposal, out);
        c->record = c->proposal;
        c->in_force = true;
        c->n_turns = 0;
        /* Who supports the one before once more says nothing of the newest. */
        if (c->prop_ballot.node == c->cfg.self
            && c->prop_rev == c->coord_rev) {
            c->in_flight = false;
        }
    }
}

/* ---- A planned move's old active ------------------------------------- */

/* In a planned move the old active serves until the door is closed, so that
 * its last acknowledged writes are nowhere but in its log.  If its replica
 * workers do not say where that ends, the move must not go on without them:
 * there is another way, which an unplanned one has not.  The epoch cannot
 * be taken back, since others support it.  So its SUPPORT tells the truth: the
 * door is closed (this counts as a vote, without which a pair could agree on
 * nothing more), the end of the log is owed.  While that is so, and the node
 * is here and speaks, whoever was named waits with its tail, and the
 * coordinator calls the move off: another epoch, for the old active.  It waits
 * for its workers, which its supervisor replaces if they hang, as long as it
 * could serve at all.  Should they answer meanwhile, it says so, and whichever
 * epoch is the newest goes on.
 *
 * If the node leaves the group, is mute, or has lost a database, it has failed
 * in the midst of a move, and what holds for any failure holds again. */

#define OWE_BROKEN_US 10000000 /* Patience where it could not serve. */

bool
member_could_serve(const struct ha_local *l)
{
    return l->db[HA_NB].server_ok && l->db[HA_SB].server_ok && !l->unfit;
}

static bool
own_log_stopped(const struct ha_core *c)
{
    bool stopped = true;

    for (int db = 0; db < HA_N_DBS && !c->local.witness; db++) {
        stopped &= ha_epoch_cmp(c->stopped_epoch[db], c->proposal.epoch) >= 0;
    }
    return stopped;
}

/* True if this node has to say in its SUPPORT that it owes. */
static bool
own_log_owed(const struct ha_core *c)
{
    return c->handed && c->proposal.active != c->cfg.self
           && !own_log_stopped(c)
           && (member_could_serve(&c->local)
               || !core_past(c, c->support_since, OWE_BROKEN_US));
}

bool
member_keeps_log(const struct ha_core *c)
{
    return c->handed && member_could_serve(&c->local);
}

bool
member_owes(const struct ha_core *c, uint32_t id)
{
    const struct ha_peer *p = ha_core_peer(c, id);

    return p && p->owes
           && !core_past(c, p->status_at,
                         core_drifted(c, c->cfg.lease_us)
                             + 4 * c->cfg.mute_us);
}

/* ---- Support ---------------------------------------------------------- */

/* Patience with the own replica workers, which are to say where they stopped.
 * Longer where this node was active: it may hold what nobody else has, and a
 * busy machine takes its time; but before others take the exchange over, which
 * begins it anew. */
static int64_t
stop_us(const struct ha_core *c)
{
    int64_t us = c->cfg.mute_us;

    return ha_set_has(&c->proposal.suspects, c->cfg.self) ? us + us / 4 * 3
                                                          : us;
}

/* Has the older epochs stopped here.  Returns true once they are. */
static bool
stop_older(struct ha_core *c, struct ha_actions *out)
{
    struct ha_epoch epoch = c->proposal.epoch;

    if (ha_epoch_cmp(c->support_sent, epoch) < 0 && c->fence.connected) {
        c->support_sent = epoch;
        core_act(out, HA_ACT_FENCE_SUPPORT)->epoch = epoch;
    }
    if (ha_epoch_cmp(c->fence_epoch, epoch) < 0) {
        return false;
    }
    /* A worker that does not answer applies nothing either, but what it
     * holds is not known: its position is then stated as none, and what it
     * alone has is lost to whoever is promoted, unless it is owed.  It can
     * answer once the door is closed, which takes its own time. */
    return own_log_stopped(c)
           || core_past(c, mono_max(c->support_since, c->fence_epoch_at),
                        stop_us(c));
}

/* With the proposal on disk it is a vote.  Without, this node could forget it;
 * but that it has stopped is true, and so is where its log ends, which may hold
 * the last writes of an active whose disk is full. */
static void
send_support(struct ha_core *c, struct ha_actions *out)
{
    struct ha_msg *m = core_send(c, out, HA_MSG_SUPPORT);

    m->ballot = c->prop_ballot;
    m->rev = c->prop_rev;
    m->stopped = true;
    m->unsaved = c->dirty;
    if (mono_before(c->now, c->own_promise_end)) {
        m->promise_left_us = mono_us_between(c->now, c->own_promise_end);
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        if (ha_epoch_cmp(c->stopped_epoch[db], c->proposal.epoch) >= 0) {
            m->pos[db] = c->local.db[db].pos;
        }
    }
    if (own_log_owed(c)) {
        m->owes = true;
        core_tell(out, "record: the replica workers do not say where the log "
                       "ends here, which may hold acknowledged writes");
    }
    c->supported = !m->unsaved;
    c->spoken = true;
    c->support_at = c->now;
    c->owed = m->owes;
}

/* True if the own SUPPORT is to be sent: for the first time, since what it owed
 * is known now, or since it did not come back: a corosync that stood still may
 * have lost it, and nobody else would ask for it. */
static bool
support_due(const struct ha_core *c)
{
    return !c->spoken || (!c->supported && !c->dirty)
           || (c->owed && !own_log_owed(c))
           || (!ha_core_peer(c, c->cfg.self)->stopped
               && core_past(c, c->support_at, c->cfg.mute_us));
}

/* Keeps the fence worker's list of members as corosync's. */
static void
run_members(struct ha_core *c, struct ha_actions *out)
{
    if (c->fence.connected
        && (!c->fence_members_sent
            || !ha_set_equal(&c->fence_members, &c->members))) {
        c->fence_members = c->members;
        c->fence_members_sent = true;
        core_act(out, HA_ACT_FENCE_MEMBERS)->set = c->members;
    }
}

void
member_run(struct ha_core *c, struct ha_actions *out)
{
    run_members(c, out);
    if (c->owe_state && !c->dirty) {
        struct ha_msg *m = core_send(c, out, HA_MSG_STATE);

        m->ballot = c->owe_ballot;
        m->refused = c->owe_refused
                     || ha_ballot_cmp(c->owe_ballot, c->durable.promised);
        m->durable = c->durable;
        c->owe_state = false;
    }
    if (c->proposed && support_due(c) && stop_older(c, out)) {
        send_support(c, out);
    }
    if (c->fence.connected && c->durable.accepted.n
        && ha_epoch_cmp(c->support_sent, c->durable.record.epoch) < 0) {
        /* A worker started anew has to support what this node accepted. */
        c->support_sent = c->durable.record.epoch;
        core_act(out, HA_ACT_FENCE_SUPPORT)->epoch = c->support_sent;
    }
}
