/* SPDX-License-Identifier: Apache-2.0 */

/* The coordinator's half of agreement: one member proposes.
 *
 * Normally the lowest id of the group; the next one steps in when it stays
 * mute.  Whose ballot the members promised is the coordinator, so two that
 * try at once do no harm.  It collects what the holders know, settles who is
 * active, and then serves the active's requests. */

#include "ha/core/core-private.h"

#include <string.h>

/* Where all wait for somebody who is not here, taking over the coordination
 * again and again would only fill the log. */
#define TURNS_DOUBLED 5

void
coord_view(struct ha_core *c)
{
    c->collecting = c->settled = c->in_flight = false;
    c->coord_why = HA_WHY_AGREEING;
    c->switching = c->req_in_sync = c->req_settled = false;
    c->req_pause = c->req_resume = false;
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        c->peers[i].answered = false;
    }
}

static bool
is_coordinator(const struct ha_core *c)
{
    return c->durable.promised.n && c->durable.promised.node == c->cfg.self;
}

/* How many members of the view come before this one. */
static int64_t
own_rank(const struct ha_core *c)
{
    int64_t rank = 0;

    while (rank < c->view.n && c->view.id[rank] != c->cfg.self) {
        rank++;
    }
    return rank;
}

static void
prepare(struct ha_core *c, struct ha_actions *out)
{
    coord_view(c);
    c->collecting = true;
    c->collect_at = c->now;
    c->n_turns++;
    c->top_ballot++;
    core_send(c, out, HA_MSG_PREPARE)->ballot =
        (struct ha_ballot){ c->top_ballot, c->cfg.self };
}

void
coord_state(struct ha_core *c, uint32_t from, const struct ha_msg *m)
{
    struct ha_peer *p = core_peer(c, from);

    if (m->durable.promised.n > c->top_ballot) {
        c->top_ballot = m->durable.promised.n;
    }
    if (!is_coordinator(c) || ha_ballot_cmp(m->ballot, c->durable.promised)) {
        return;
    }
    if (m->refused) {
        /* Somebody promised higher: start over above it. */
        c->collecting = false;
        return;
    }
    p->answered = true;
    p->held = m->durable;
}

/* 'forced': by an operator's word, who waives that the data are fresh. */
static enum ha_why
why_not(const struct ha_core *c, const struct ha_record *rec, uint32_t id,
        bool forced)
{
    const struct ha_peer *p = core_heard(c, id);
    const struct ha_local *l;

    if (!p) {
        return HA_WHY_ABSENT;
    }
    l = &p->status.local;
    if (p->status.leaving) {
        return HA_WHY_LEAVING;
    } else if (pause_holds(rec) && id != rec->active && !forced) {
        return HA_WHY_PAUSED;
    } else if (l->witness) {
        return HA_WHY_WITNESS;
    } else if (l->nofailover) {
        return HA_WHY_NOFAILOVER;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        if (l->db[db].ask == HA_ASK_REINIT) {
            return HA_WHY_REINIT;
        } else if (l->db[db].ask == HA_ASK_SHRINK && !forced) {
            return HA_WHY_SHRINK;
        }
    }
    if (id != rec->active && !ha_set_has(&rec->in_sync, id) && !forced) {
        return HA_WHY_NOT_IN_SYNC;
    } else if (id == c->cfg.self && verdict_stale(c) && !forced) {
        return HA_WHY_STALE;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        if (l->db[db].pos.lineage != rec->lineage) {
            return HA_WHY_LINEAGE;
        } else if (!l->db[db].complete) {
            return HA_WHY_INCOMPLETE;
        } else if (!l->db[db].server_ok || l->unfit || l->address_unfit) {
            return HA_WHY_DATABASE;
        }
    }
    return HA_WHY_NONE;
}

enum ha_why
coord_why_not(const struct ha_core *c, const struct ha_record *rec,
              uint32_t id)
{
    return why_not(c, rec, id, false);
}

enum ha_why
coord_why_not_forced(const struct ha_core *c, uint32_t id)
{
    return why_not(c, &c->record, id, true);
}

/* Both write a move into their records: who takes over could not begin without
 * that, and who hands over would give no vote, which a pair needs.  Where it
 * serves no more than a part of its clients, to serve them all again is worth
 * that. */
enum ha_why
coord_why_not_move(const struct ha_core *c, const struct ha_record *rec,
                   uint32_t id)
{
    const struct ha_peer *to = core_heard(c, id);
    const struct ha_peer *p = core_heard(c, rec->active);
    const struct ha_local *l = p ? &p->status.local : NULL;
    enum ha_why bars = pause_bars(c, rec);

    if (bars != HA_WHY_NONE) {
        return bars;
    } else if ((to && to->status.local.record_full)
               || (l && l->record_full && !l->unfit && !l->address_unfit)) {
        return HA_WHY_RECORD_FULL;
    }
    return coord_why_not(c, rec, id);
}

uint32_t
coord_heir(const struct ha_core *c)
{
    uint32_t heir = coord_best(c, &c->record, c->cfg.self);

    return coord_why_not_move(c, &c->record, heir) == HA_WHY_NONE ? heir : 0;
}

enum ha_why
ha_core_why_not(const struct ha_core *c, uint32_t id)
{
    return coord_why_not(c, &c->record, id);
}

/* True if 'a' is to be preferred to 'b': one that cannot write its record would
 * never begin; one whose disk is about to fill would hand over at once, and
 * pulls what it lacks sooner than that; then position, then priority, then the
 * lower id. */
bool
coord_better(const struct ha_core *c, const struct ha_peer *a,
             const struct ha_peer *b)
{
    const struct ha_local *x = &a->status.local;
    const struct ha_local *y = &b->status.local;
    bool a_failed = a->failed && !core_past(c, a->failed_at, c->cfg.retry_us);
    bool b_failed = b->failed && !core_past(c, b->failed_at, c->cfg.retry_us);

    if (a_failed != b_failed) {
        return b_failed;
    } else if (x->record_full != y->record_full) {
        return y->record_full;
    } else if (x->low_disk != y->low_disk) {
        return y->low_disk;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        int cmp = ha_pos_cmp(&x->db[db].pos, &y->db[db].pos);
        if (cmp) {
            return cmp > 0;
        }
    }
    return x->priority != y->priority ? x->priority > y->priority
                                      : a->id < b->id;
}

uint32_t
coord_best(const struct ha_core *c, const struct ha_record *rec,
           uint32_t not_id)
{
    const struct ha_peer *best = NULL;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];

        if (p->id != not_id && coord_why_not(c, rec, p->id) == HA_WHY_NONE
            && (!best || coord_better(c, p, best))) {
            best = p;
        }
    }
    return best ? best->id : 0;
}

uint32_t
ha_core_heir(const struct ha_core *c)
{
    return c->in_force ? coord_best(c, &c->record, c->record.active) : 0;
}

static struct ha_msg *
propose(struct ha_core *c, const struct ha_record *rec, bool elected,
        struct ha_actions *out)
{
    struct ha_msg *m = core_send(c, out, HA_MSG_ACCEPT);

    m->elected = elected;
    m->ballot = c->durable.promised;
    m->rev = ++c->coord_rev;
    m->durable.record = *rec;
    c->in_flight = true;
    c->proposed_at = c->now;
    return m;
}

/* Highest epoch of its lineage that anyone here knows of, so that a new one is
 * above. */
static struct ha_epoch
top_epoch(const struct ha_core *c, const struct ha_record *base)
{
    struct ha_epoch top = base->epoch;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];
        const struct ha_epoch none = { 0, 0 };
        const struct ha_epoch known[] = {
            p->answered && p->held.record.lineage == base->lineage
                ? p->held.record.epoch
                : none,
            p->heard ? p->status.hold : none,
            p->heard ? p->status.ended : none,
            p->heard ? p->status.supports : none,
        };
        for (size_t j = 0; j < sizeof known / sizeof known[0]; j++) {
            if (ha_epoch_cmp(known[j], top) > 0) {
                top = known[j];
            }
        }
    }
    return top;
}

/* 'fresh': the lineage has no data yet, so nobody is in sync with it. */
static struct ha_msg *
elect(struct ha_core *c, const struct ha_record *base, uint32_t winner,
      bool fresh, const char *because, struct ha_actions *out)
{
    struct ha_record rec = *base;

    rec.epoch.n = top_epoch(c, base).n + 1;
    if (force_node(c) && verdict_apart(c)) {
        rec.epoch.n = force_ahead(c, rec.epoch.n);
    }
    rec.epoch.node = winner;
    rec.active = winner;
    if (pause_holds(&rec) && force_node(c)) {
        rec.paused = HA_PAUSE_ENDING; /* The last resort ends a pause. */
    }
    rec.lease_us = c->cfg.lease_us;
    if (base->active) {
        ha_set_add(&rec.suspects, base->active);
    }
    ha_set_del(&rec.suspects, winner);
    if (!fresh) {
        ha_set_add(&rec.in_sync, base->active);
        ha_set_add(&rec.in_sync, winner);
    }
    c->req_in_sync = c->req_settled = false;
    core_tell(out, "election: node %u for epoch %u, because %s", winner,
              rec.epoch.n, because);
    return propose(c, &rec, true, out);
}

/* The first log of a lineage: everybody is here, and at most one has data.
 * 'base' has no lineage if nobody holds a record; otherwise it is of a first
 * active that did not come to begin its log. */
static void
bootstrap(struct ha_core *c, const struct ha_record *base,
          struct ha_actions *out)
{
    struct ha_record rec = *base;
    uint32_t with_data = 0, first = 0, n_data = 0;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];
        const struct ha_local *l = &p->status.local;

        if (!p->heard
            || (!l->witness
                && (!l->db[HA_NB].server_ok || !l->db[HA_SB].server_ok
                    || !l->db[HA_NB].life || !l->db[HA_SB].life))) {
            c->coord_why = HA_WHY_BOOTSTRAP_MEMBERS;
            return;
        }
        if (l->db[HA_NB].has_data || l->db[HA_SB].has_data) {
            with_data = p->id;
            n_data++;
        }
        if (!l->witness && !l->nofailover && !p->status.leaving
            && (!first
                || l->priority
                       > ha_core_peer(c, first)->status.local.priority)) {
            first = p->id;
        }
    }
    if (n_data > 1 || !(n_data || first)) {
        c->coord_why =
            n_data > 1 ? HA_WHY_BOOTSTRAP_DATA : HA_WHY_NOT_ELIGIBLE;
        return;
    }
    if (!rec.lineage) {
        rec.lineage = c->random | 1;
    }
    elect(c, &rec, n_data ? with_data : first, true, "a lineage begins", out);
}

static bool
is_holder(const struct ha_peer *p)
{
    return p->answered && p->held.accepted.n;
}

/* True if the active of 'rec' never came to tell that it began the log, and
 * is here, with its disk, and without data that it would serve. */
static bool
is_unbegun(const struct ha_core *c, const struct ha_record *rec)
{
    const struct ha_peer *p = ha_core_peer(c, rec->active);

    return !rec->in_sync.n && p && is_holder(p);
}

/* True if somebody's data is of a later epoch than 'top' knows of: then a
 * record was lost that these data belong to. */
static bool
newer_data(const struct ha_core *c, const struct ha_durable *top)
{
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_local_db *db = c->peers[i].status.local.db;

        if (ha_epoch_cmp(db[HA_NB].pos.epoch, top->record.epoch) > 0
            || ha_epoch_cmp(db[HA_SB].pos.epoch, top->record.epoch) > 0) {
            return true;
        }
    }
    return false;
}

/* Members whose records are of one lineage. */
struct holders {
    const struct ha_durable *top; /* The newest of their records. */
    uint32_t n;
};

static struct holders
holders_of(const struct ha_core *c, uint64_t lineage)
{
    struct holders h = { .n = 0 };

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];
        int newer;

        if (!is_holder(p) || p->held.record.lineage != lineage) {
            continue;
        }
        h.n++;
        newer = h.top ? ha_ballot_cmp(p->held.accepted, h.top->accepted) : 1;
        if (newer > 0 || (!newer && p->held.rev > h.top->rev)) {
            h.top = &p->held;
        }
    }
    return h;
}

/* Of the lineage that has the most holders; 'ret_all' is set to how many there
 * are of any.  A node that comes from another cluster, or from an earlier life
 * of this one, may have a higher ballot, but nobody would follow it. */
static struct holders
main_holders(const struct ha_core *c, uint32_t *ret_all)
{
    struct holders best = { .n = 0 };

    *ret_all = 0;
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        if (is_holder(&c->peers[i])) {
            uint64_t lineage = c->peers[i].held.record.lineage;
            struct holders h = holders_of(c, lineage);

            best = h.n > best.n ? h : best;
            ++*ret_all;
        }
    }
    return best;
}

/* The holders know 'top'. */
static void
settle_on(struct ha_core *c, const struct ha_durable *top,
          struct ha_actions *out)
{
    c->collecting = false;
    c->foreign = c->durable.accepted.n
                 && c->durable.record.lineage != top->record.lineage;
    if (c->foreign) {
        core_tell(out, "record: the own one is of another lineage than that "
                       "of most members; another node has to coordinate");
        return;
    }
    c->base = top->record;
    c->settled = true;
}

/* Decides from the STATE answers which record the holders know. */
static void
settle(struct ha_core *c, struct ha_actions *out)
{
    uint32_t answered = 0, all;
    struct holders h = main_holders(c, &all);

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        answered += c->peers[i].answered;
    }
    if (answered < c->view.n && !core_past(c, c->collect_at, c->cfg.mute_us)) {
        return;
    }
    if (h.n >= verdict_votes(c)
        || (h.n && h.n == all && answered == c->cfg.nodes.n
            && !newer_data(c, h.top))) {
        settle_on(c, h.top, out);
    } else if (all == 0 && answered == c->cfg.nodes.n) {
        static const struct ha_record none;

        bootstrap(c, &none, out);
        c->settled = c->in_flight;
        c->collecting = !c->in_flight;
    } else {
        c->coord_why = h.n < all ? HA_WHY_LINEAGES
                       : all     ? HA_WHY_HOLDERS
                                 : HA_WHY_BOOTSTRAP_MEMBERS;
    }
}

/* True if nobody here has seen an active since its own start. */
static bool
is_cold(const struct ha_core *c)
{
    bool cold = !c->ever_active;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        cold &= !(c->peers[i].heard && c->peers[i].status.ever_active);
    }
    return cold;
}

/* True as long as a cluster that starts leaves time, since 'since', to the node
 * that was active last. */
static bool
in_grace(const struct ha_core *c, mono_t since)
{
    return is_cold(c) && !core_past(c, since, c->cfg.grace_us);
}

/* True if the servers of 'p' are not up yet, and nothing says that they will
 * not be. */
static bool
is_starting(const struct ha_peer *p)
{
    const struct ha_local *l = &p->status.local;

    return !(l->db[HA_NB].server_ok && l->db[HA_SB].server_ok) && !l->unfit
           && !p->status.leaving;
}

/* The old active to which a planned move goes back, since it owes the end of
 * its log and could serve; 0: none. */
static uint32_t
called_off(const struct ha_core *c, const struct ha_record *rec)
{
    const struct ha_peer *heir = ha_core_peer(c, rec->active);

    for (uint32_t i = 0; i < rec->suspects.n; i++) {
        uint32_t id = rec->suspects.id[i];
        const struct ha_peer *p = ha_core_peer(c, id);

        if (member_owes(c, id) && !p->status.leaving
            && member_could_serve(&p->status.local)
            && !p->status.local.address_unfit
            && !(heir && heir->status.log_ready)) {
            return id;
        }
    }
    return 0;
}

/* Who is to be elected; 0: nobody may. */
static uint32_t
successor(const struct ha_core *c, const struct ha_record *rec)
{
    uint32_t back = called_off(c, rec);

    return force_node(c) ? force_node(c) : back ? back : coord_best(c, rec, 0);
}

/* The same for an active that is not in the group. */
static const char *
election_due_absent(const struct ha_core *c, const struct ha_record *rec,
                    enum ha_why *ret_why)
{
    const struct ha_peer *p = ha_core_peer(c, rec->active);
    mono_t since = p && p->left_at.us ? p->left_at : c->view_at;

    *ret_why = pause_bars(c, rec);
    if (*ret_why != HA_WHY_NONE) {
        return NULL;
    }
    if (in_grace(c, c->started_at)) {
        *ret_why = HA_WHY_GRACE;
        return NULL;
    }
    if (ha_set_has(&c->members, rec->active)
        && !core_past(c, since,
                      core_drifted(c, rec->lease_us) + c->cfg.mute_us)) {
        /* Its ovn-had left, its node did not: a restart or an upgrade has
         * one lease to come back. */
        *ret_why = HA_WHY_LEASE;
        return NULL;
    }
    return "the active is gone";
}

/* Why an election is due under 'rec', or NULL if its active is well (or may
 * be, for a while yet).  Sets '*ret_why' to what is waited for. */
static const char *
election_due(const struct ha_core *c, const struct ha_record *rec,
             enum ha_why *ret_why)
{
    const struct ha_peer *p = ha_core_peer(c, rec->active);
    mono_t since = c->in_force ? c->support_since : c->view_at;

    *ret_why = HA_WHY_NONE;
    if (force_node(c) && force_node(c) != rec->active) {
        return "an operator accepts that records are lost";
    } else if (called_off(c, rec)) {
        return ha_why_text(HA_WHY_OWES);
    }
    if (!ha_set_has(&c->view, rec->active)) {
        return election_due_absent(c, rec, ret_why);
    }
    if (!p->heard || (c->in_force && !p->stopped)) {
        /* What it said before it knew of this record says nothing. */
        *ret_why = HA_WHY_AGREEING;
        return core_past(c, since,
                         core_drifted(c, rec->lease_us) + 4 * c->cfg.mute_us)
                   ? "the active stays mute"
                   : NULL;
    }
    if (!core_holds(&p->status, rec)) {
        if (is_starting(p) && in_grace(c, since)) {
            *ret_why = HA_WHY_GRACE;
            return NULL;
        }
        *ret_why = pause_bars(c, rec);
        return *ret_why == HA_WHY_NONE ? "the active has stopped serving"
                                       : NULL;
    }
    /* Of one number there may be two, begun by two coordinators; a member
     * that supports the higher one cannot go back. */
    return ha_epoch_cmp(top_epoch(c, rec), rec->epoch) > 0
               ? "a newer epoch was begun"
               : NULL;
}

/* True if 'm' is of the active of the record in force, about that record, and
 * no other epoch is on its way: what one active asks for must never change
 * the record of the next. */
static bool
is_of_active(const struct ha_core *c, uint32_t from, const struct ha_msg *m)
{
    return c->in_force && from == c->record.active
           && !ha_epoch_cmp(m->epoch, c->record.epoch)
           && !ha_epoch_cmp(c->proposal.epoch, c->record.epoch);
}

/* Carried out once nothing is in flight any more.  What is may be this node's
 * own election, which it does not hear of before the others do. */
static void
take_request(struct ha_core *c, const struct ha_msg *m)
{
    if (ha_epoch_cmp(c->req_epoch, m->epoch)) {
        c->req_in_sync = c->req_settled = false;
        c->req_epoch = m->epoch;
    }
    if (m->request == HA_REQ_SETTLED) {
        c->req_settled = true;
    } else {
        c->req_in_sync = true;
        c->req_set = m->set;
    }
}

void
coord_request(struct ha_core *c, uint32_t from, const struct ha_msg *m,
              struct ha_actions *out)
{
    if (!is_coordinator(c) || !c->settled) {
        return;
    }
    switch (m->request) {
    case HA_REQ_IN_SYNC:
    case HA_REQ_SETTLED:
        if (is_of_active(c, from, m)) {
            take_request(c, m);
        }
        break;
    case HA_REQ_SWITCH:
        c->switching = true;
        c->switch_to = m->node;
        break;
    default:
        core_tell(out, "request: node %u asks for the unknown %u", from,
                  m->request);
        break;
    }
}

/* Carries out the operator's wish, if it may be. */
static void
do_switch(struct ha_core *c, const struct ha_record *rec,
          struct ha_actions *out)
{
    uint32_t to = c->switch_to;
    enum ha_why why = coord_why_not_move(c, rec, to);

    c->switching = false;
    if (to == rec->active || why != HA_WHY_NONE) {
        core_tell(out, "switchover: refused: node %u: %s", to,
                  ha_why_text(why));
        return;
    }
    elect(c, rec, to, false, "a switchover was asked for", out)->planned =
        true;
}

/* What the active asked for.  Only names of this view are let in. */
static void
do_requests(struct ha_core *c, const struct ha_record *rec,
            struct ha_actions *out)
{
    bool same = !ha_epoch_cmp(c->req_epoch, rec->epoch);
    struct ha_record new = *rec;

    if (same && c->req_in_sync) {
        new.in_sync = c->req_set;
        ha_set_add(&new.in_sync, rec->active);
    }
    if (same && c->req_settled) {
        new.suspects.n = 0;
    }
    c->req_in_sync = c->req_settled = false;
    if (!ha_set_equal(&new.in_sync, &rec->in_sync)
        || !ha_set_equal(&new.suspects, &rec->suspects)) {
        propose(c, &new, false, out);
    }
}

static void
drive(struct ha_core *c, struct ha_actions *out)
{
    const struct ha_record *rec = c->in_force ? &c->record : &c->base;
    struct ha_record new;
    const char *because;

    if (c->in_flight) {
        return;
    }
    because = election_due(c, rec, &c->coord_why);
    if (because) {
        uint32_t back = called_off(c, rec);
        uint32_t winner = successor(c, rec);
        struct ha_peer *active = core_peer(c, rec->active);

        if (active && active->heard
            && !ha_epoch_cmp(active->status.ended, rec->epoch)
            && !(active->failed
                 && !core_past(c, active->failed_at, c->cfg.retry_us))) {
            active->failed = true;
            active->failed_at = c->now;
            winner = successor(c, rec);
        }
        c->coord_why = winner             ? HA_WHY_NONE
                       : pause_holds(rec) ? HA_WHY_PAUSED
                                          : HA_WHY_NOT_ELIGIBLE;
        if (winner) {
            elect(c, rec, winner, false, because, out)->why =
                winner == back ? HA_WHY_OWES : HA_WHY_NONE;
            return;
        }
        if (is_unbegun(c, rec)) {
            bootstrap(c, rec, out);
            if (c->in_flight) {
                return;
            }
        }
    }
    if (!c->in_force) {
        propose(c, rec, false, out);
    } else if (pause_next(c, rec, &new, out)) {
        propose(c, &new, false, out);
    } else if (c->switching) {
        do_switch(c, rec, out);
    } else if (c->req_in_sync || c->req_settled) {
        do_requests(c, rec, out);
    }
}

/* True if this member ought to begin an exchange of records now: nothing is
 * in force, and everyone before it had the time. */
static bool
must_prepare(const struct ha_core *c)
{
    mono_t since = mono_max(c->view_at, c->collect_at);
    uint32_t doubled = c->n_turns < TURNS_DOUBLED ? c->n_turns : TURNS_DOUBLED;
    int64_t turn = (own_rank(c) * 2 * c->cfg.mute_us) << doubled;

    if (c->foreign) {
        return false;
    } else if (c->collecting) {
        /* Not even its own answer came: corosync lost what it was told, and
         * nobody else here may be able to begin. */
        return !ha_core_peer(c, c->cfg.self)->answered
               && core_past(c, c->collect_at, (4 * c->cfg.mute_us) << doubled);
    } else if (is_coordinator(c) && c->settled) {
        return c->in_flight
               && core_past(c, c->proposed_at, 4 * c->cfg.mute_us);
    }
    if (c->in_force) {
        /* In force, but its coordinator left an election undone. */
        enum ha_why why;

        if (!election_due(c, &c->record, &why) || !successor(c, &c->record)) {
            return false;
        }
        since = mono_max(since, c->due_since);
        turn += 4 * c->cfg.mute_us;
    }
    return core_past(c, since, turn);
}

void
coord_run(struct ha_core *c, struct ha_actions *out)
{
    enum ha_why why;

    if (!ha_core_may_act(c) || !c->in_group || c->dirty) {
        return;
    }
    if (!c->in_force || !election_due(c, &c->record, &why)) {
        c->due_since = c->now;
    }
    if (must_prepare(c)) {
        prepare(c, out);
    } else if (is_coordinator(c) && c->collecting) {
        settle(c, out);
    }
    if (is_coordinator(c) && c->settled) {
        drive(c, out);
    }
}
