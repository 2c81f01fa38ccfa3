/* SPDX-License-Identifier: Apache-2.0 */

/* The invariants, as a god sees them who knows every disk and every door.
 * Each violation has a name; README and the seeds file refer to it. */

#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALM_BEFORE_WISH (6 * SEC)

static void *
grow(void *p, size_t n, size_t *allocated, size_t size)
{
    if (n < *allocated) {
        return p;
    }
    *allocated = *allocated * 2 + 64;
    p = realloc(p, *allocated * size);
    if (!p) {
        abort();
    }
    return p;
}

static bool
set_same(const struct ha_set *a, const struct ha_set *b)
{
    return a->n == b->n && !memcmp(a->id, b->id, a->n * sizeof a->id[0]);
}

static bool
record_same(const struct ha_record *a, const struct ha_record *b)
{
    return a->lineage == b->lineage && epoch_same(a->epoch, b->epoch)
           && a->active == b->active && a->lease_us == b->lease_us
           && a->paused == b->paused && a->paused_ms == b->paused_ms
           && set_same(&a->in_sync, &b->in_sync)
           && set_same(&a->suspects, &b->suspects);
}

static int
order_cmp(struct ha_ballot a, uint32_t a_rev, struct ha_ballot b,
          uint32_t b_rev)
{
    return a.n != b.n         ? (a.n < b.n ? -1 : 1)
           : a.node != b.node ? (a.node < b.node ? -1 : 1)
           : a_rev != b_rev   ? (a_rev < b_rev ? -1 : 1)
                              : 0;
}

/* ---- Agreement -------------------------------------------------------- */

static struct proposal *
find_proposal(struct world *w, struct ha_ballot ballot, uint32_t rev)
{
    struct oracle *o = &w->oracle;

    for (size_t i = o->n_props; i-- > 0;) {
        if (!order_cmp(o->props[i].ballot, o->props[i].rev, ballot, rev)) {
            return &o->props[i];
        }
    }
    return NULL;
}

/* True if the active that 'p' names may be promoted, as the last record in
 * force says, or one that a coordinator had to take for it. */
static bool
is_eligible(struct world *w, const struct proposal *p)
{
    const struct oracle *o = &w->oracle;
    const struct proposal *c = &o->chosen;
    uint32_t id = p->record.active;

    if (!c->ballot.n || !c->record.in_sync.n || c->record.active == id
        || ha_set_has(&c->record.in_sync, id)) {
        return true;
    }
    for (size_t i = 0; i < o->n_props; i++) {
        const struct proposal *q = &o->props[i];

        if (q != p && q->eligible
            && order_cmp(q->ballot, q->rev, c->ballot, c->rev) > 0
            && order_cmp(q->ballot, q->rev, p->ballot, p->rev) < 0
            && ha_epoch_cmp(q->record.epoch, p->record.epoch) <= 0
            && (q->record.active == id
                || ha_set_has(&q->record.in_sync, id))) {
            return true;
        }
    }
    return false;
}

/* True if 'p' goes on from a record that an operator's word to resume, or
 * whoever called the pause off, had changed, though that did not come in force
 * by itself. */
static bool
was_resumed(struct world *w, const struct proposal *p)
{
    const struct oracle *o = &w->oracle;
    const struct proposal *c = &o->chosen;

    for (size_t i = 0; i < o->n_props; i++) {
        const struct proposal *q = &o->props[i];

        if (q != p
            && (q->record.paused == HA_PAUSE_ENDING
                || (c->record.paused == HA_PAUSE_ASKED
                    && q->record.paused == HA_PAUSE_NONE))
            && epoch_same(q->record.epoch, c->record.epoch)
            && order_cmp(q->ballot, q->rev, c->ballot, c->rev) > 0
            && order_cmp(q->ballot, q->rev, p->ballot, p->rev) < 0) {
            return true;
        }
    }
    return false;
}

/* True if 'p' is in force by one node of a pair and a proof. */
static bool
is_chosen_alone(const struct world *w, const struct proposal *p)
{
    return (unsigned) __builtin_popcount(p->accepted) < w->n / 2 + 1;
}

/* True if 'p' and the epoch in force are the last resorts of two operators, of
 * whom each had one node of a pair and knew nothing of the other. */
static bool
are_two_last_resorts(const struct world *w, const struct proposal *p)
{
    const struct oracle *o = &w->oracle;

    for (size_t i = 0; i < o->n_props && p->forced && is_chosen_alone(w, p);
         i++) {
        const struct proposal *q = &o->props[i];

        if (q->forced && is_chosen_alone(w, q)
            && q->record.active != p->record.active
            && epoch_same(q->record.epoch, o->chosen.record.epoch)) {
            return true;
        }
    }
    return false;
}

/* True if 'p' is in force by a node of a pair that had gone on alone, and whose
 * disk never heard of the last resort by which the other one serves: see
 * is_given_up(). */
static bool
is_of_one_given_up(const struct world *w, const struct proposal *p)
{
    const struct oracle *o = &w->oracle;

    if (!o->resort.n || p->forced || !is_chosen_alone(w, p)
        || ha_epoch_cmp(o->chosen.record.epoch, o->resort) < 0) {
        return false;
    }
    for (size_t i = 0; i < o->n_props; i++) {
        const struct proposal *q = &o->props[i];

        if ((q->accepted & p->accepted)
            && ha_epoch_cmp(q->record.epoch, o->resort) >= 0) {
            return false;
        }
    }
    return true;
}

static void
check_successor(struct world *w, const struct proposal *p)
{
    const struct proposal *c = &w->oracle.chosen;
    const struct ha_record *old = &c->record;
    const struct ha_record *new = &p->record;
    int cmp = ha_epoch_cmp(new->epoch, old->epoch);

    if (!c->ballot.n || are_two_last_resorts(w, p) || w->oracle.two_lines) {
        return;
    }
    if (old->lineage != new->lineage) {
        violation(w, "two-lineages", "ballot %u.%u rev %u changes lineage",
                  p->ballot.n, p->ballot.node, p->rev);
    } else if (cmp < 0) {
        violation(w, "epoch-goes-back", "%u.%u is in force after %u.%u",
                  new->epoch.n, new->epoch.node, old->epoch.n,
                  old->epoch.node);
    } else if (!cmp && old->active != new->active) {
        violation(w, "two-actives-of-an-epoch", "%u and %u of epoch %u",
                  old->active, new->active, new->epoch.n);
    } else if (cmp > 0 && new->epoch.n <= old->epoch.n) {
        violation(w, "epoch-does-not-grow", "%u.%u after %u.%u", new->epoch.n,
                  new->epoch.node, old->epoch.n, old->epoch.node);
    } else if (new->active != old->active && !p->forced
               && (old->paused == HA_PAUSE_ASKED || old->paused == HA_PAUSE_ON)
               && !was_resumed(w, p)) {
        violation(w, "moved-while-paused", "n%u is named for epoch %u.%u",
                  new->active, new->epoch.n, new->epoch.node);
    } else if (cmp > 0 && !p->eligible) {
        violation(w, "not-in-sync", "n%u is named for epoch %u.%u",
                  new->active, new->epoch.n, new->epoch.node);
    }
}

/* Nobody may have an endless lease, or get one, of which the record in force
 * does not tell: the next active would not know. */
static void
check_endless(struct world *w)
{
    FOR_EACH_NODE(nd, w)
    {
        if (nd->up && nd->fence.alive && nd->fence.holder.end != LEASE_ORDINARY
            && (w->oracle.chosen.record.paused == HA_PAUSE_NONE
                || w->oracle.chosen.record.paused == HA_PAUSE_ASKED)) {
            violation(w, "endless-unrecorded", "n%u in epoch %u.%u", nd->id,
                      nd->fence.serve.n, nd->fence.serve.node);
        }
    }
}

static void
set_chosen(struct world *w, const struct proposal *p)
{
    struct oracle *o = &w->oracle;

    o->two_lines |= is_of_one_given_up(w, p);
    if (o->chosen.ballot.n
        && order_cmp(p->ballot, p->rev, o->chosen.ballot, o->chosen.rev) < 0) {
        if (!o->two_lines
            && ha_epoch_cmp(p->record.epoch, o->chosen.record.epoch) > 0) {
            violation(w, "older-ballot-newer-epoch", "%u.%u rev %u",
                      p->ballot.n, p->ballot.node, p->rev);
        }
        return;
    }
    check_successor(w, p);
    o->two_lines &= is_chosen_alone(w, p);
    if (!epoch_same(p->record.epoch, o->chosen.record.epoch)) {
        o->n_moves += o->chosen.ballot.n != 0
                      && o->chosen.record.active != p->record.active;
        o->before = o->chosen.record;
        o->chosen_at = w->now;
        o->failed_at = p->planned ? o->failed_at : w->now;
    }
    o->chosen = *p;
    if (p->forced && is_chosen_alone(w, p)) {
        o->resort = p->record.epoch;
    }
    check_endless(w);
}

/* A node that lost its disk counts again once it is in sync. */
static void
readmit(struct world *w)
{
    const struct ha_set *in_sync = &w->oracle.chosen.record.in_sync;

    FOR_EACH_NODE(nd, w)
    {
        if (nd->wiped && ha_set_has(in_sync, nd->id) && nd->disk.has_durable
            && nd->disk.durable.accepted.n && !nd->db[0].wiped
            && !nd->db[1].wiped) {
            nd->wiped = false;
        }
    }
}

/* 'nd's record on disk changed. */
void
oracle_persisted(struct world *w, struct node *nd)
{
    const struct ha_durable *d = &nd->disk.durable;
    struct proposal *p;
    unsigned n = 0;

    if (!nd->disk.has_durable || !d->accepted.n || nd->disk.other_life) {
        return;
    }
    p = find_proposal(w, d->accepted, d->rev);
    if (!p || !record_same(&p->record, &d->record)) {
        violation(w, "record-from-nowhere", "n%u holds what nobody proposed",
                  nd->id);
        return;
    }
    p->accepted |= bit_of(nd->id);
    for (mask_t m = p->accepted; m; m &= m - 1) {
        n++;
    }
    if ((n >= w->n / 2 + 1 || d->alone)
        && order_cmp(p->ballot, p->rev, w->oracle.chosen.ballot,
                     w->oracle.chosen.rev)) {
        set_chosen(w, p);
    }
    readmit(w);
}

static void
sent_accept(struct world *w, struct node *nd, const struct ha_msg *m)
{
    struct oracle *o = &w->oracle;
    struct proposal *p = find_proposal(w, m->ballot, m->rev);

    if (p) {
        if (!record_same(&p->record, &m->durable.record)) {
            violation(w, "two-records", "n%u, ballot %u.%u rev %u", nd->id,
                      m->ballot.n, m->ballot.node, m->rev);
        }
        return;
    }
    o->props =
        grow(o->props, o->n_props, &o->props_allocated, sizeof *o->props);
    o->props[o->n_props++] = (struct proposal){
        .ballot = m->ballot,
        .rev = m->rev,
        .record = m->durable.record,
        .planned = m->planned,
    };
    p = &o->props[o->n_props - 1];
    if (world_node(w, p->record.active)
        && world_node(w, p->record.active)->witness) {
        violation(w, "witness-named", "n%u, epoch %u.%u", nd->id,
                  p->record.epoch.n, p->record.epoch.node);
    }
    p->forced = nd->had.core.forced == p->record.active;
    p->eligible = p->forced || is_eligible(w, p);
}

/* A support says: no older epoch is served here, and my log ends here. */
static void
sent_support(struct world *w, struct node *nd, const struct ha_msg *m)
{
    const struct proposal *p = find_proposal(w, m->ballot, m->rev);

    if (!p || m->refused) {
        return;
    }
    if (m->stopped && door_lets_out(w, nd)
        && ha_epoch_cmp(nd->door_epoch, p->record.epoch) < 0) {
        violation(w, "false-stop", "n%u supports epoch %u.%u, serves %u.%u",
                  nd->id, p->record.epoch.n, p->record.epoch.node,
                  nd->door_epoch.n, nd->door_epoch.node);
    }
    /* A worker just started supports nobody at all. */
    if (m->stopped && nd->fence.alive && !epoch_none(nd->fence.supporter.epoch)
        && ha_epoch_cmp(nd->fence.supporter.epoch, p->record.epoch) < 0) {
        violation(w, "false-support", "n%u's fence worker is at %u.%u", nd->id,
                  nd->fence.supporter.epoch.n, nd->fence.supporter.epoch.node);
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct db *d = &nd->db[db];

        if (m->pos[db].lineage && m->pos[db].lineage == d->lineage
            && ha_epoch_cmp(nd->promised, p->record.epoch) < 0
            && m->pos[db].seq < d->n) {
            violation(w, "false-position", "n%u: %s ends at %zu, not %llu",
                      nd->id, ha_db_name(db), d->n,
                      (unsigned long long) m->pos[db].seq);
        }
    }
    /* What is not on its disk it may forget, and does not bind it. */
    if (!m->unsaved && ha_epoch_cmp(p->record.epoch, nd->promised) > 0) {
        nd->promised = p->record.epoch;
    }
}

void
oracle_sent(struct world *w, struct node *nd, const struct ha_msg *m)
{
    if (m->type == HA_MSG_ACCEPT) {
        sent_accept(w, nd, m);
    } else if (m->type == HA_MSG_SUPPORT) {
        sent_support(w, nd, m);
    }
}

/* ---- Steps ------------------------------------------------------------ */

static int
class_of(enum ha_action_type type)
{
    return type == HA_ACT_PERSIST ? 0 : type == HA_ACT_SEND ? 1 : 2;
}

/* A step may take two edges; the core asserts each. */
static bool
is_legal(enum ha_state from, enum ha_state to)
{
    for (int via = 0; via < HA_N_STATES; via++) {
        if ((ha_states[from].next & (1u << via))
            && (via == (int) to || (ha_states[via].next & (1u << to)))) {
            return true;
        }
    }
    return false;
}

static void
check_state(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    const struct ha_core *c = &h->core;
    bool needs_why = c->state == HA_STARTING || c->state == HA_ISOLATED
                     || c->state == HA_PROMOTING || c->state == HA_BLOCKED;

    w->cov->why[c->why]++;
    if (c->state != h->last_state) {
        w->cov->edge[h->last_state][c->state]++;
        if (!is_legal(h->last_state, c->state)) {
            violation(w, "illegal-edge", "n%u: %s -> %s", nd->id,
                      ha_state_name(h->last_state), ha_state_name(c->state));
        }
        h->last_state = c->state;
    }
    if (needs_why && c->why == HA_WHY_NONE && !c->exited) {
        violation(w, "no-reason", "n%u is %s and does not say why", nd->id,
                  ha_state_name(c->state));
    }
}

/* What this node's core heard of others' ends of log. */
static void
note_support(struct world *w, struct node *nd, const struct ha_event *ev)
{
    const struct ha_msg *m = &ev->msg.msg;
    const struct proposal *p;

    if (ev->type == HA_EV_VIEW) {
        nd->sup_from = 0;
        return;
    }
    if (ev->type != HA_EV_MSG || m->type != HA_MSG_SUPPORT || m->refused) {
        return;
    }
    p = find_proposal(w, m->ballot, m->rev);
    if (nd->had.core.stage > HA_STAGE_TAIL
        && mono_before(nd->had.core.stage_since, ev->now)) {
        return; /* Its worker is late, and so is this. */
    }
    if (!p || ha_epoch_cmp(p->record.epoch, nd->sup_epoch) < 0
        || !ha_set_has(&nd->had.core.view, ev->msg.from)) {
        return;
    }
    if (!epoch_same(p->record.epoch, nd->sup_epoch)) {
        nd->sup_epoch = p->record.epoch;
        nd->sup_from = 0;
    }
    nd->sup_from |= bit_of(ev->msg.from);
    memcpy(nd->sup_pos[ev->msg.from - 1], m->pos, sizeof m->pos);
}

void
oracle_step(struct world *w, struct node *nd, const struct ha_event *ev,
            const struct ha_actions *acts)
{
    for (size_t i = 1; i < acts->n; i++) {
        if (class_of(acts->a[i].type) < class_of(acts->a[i - 1].type)) {
            violation(w, "class-order", "n%u: action %zu", nd->id, i);
        }
    }
    if (acts->n > 1 && acts->a[0].type == HA_ACT_PERSIST) {
        violation(w, "class-order", "n%u: a PERSIST is not alone", nd->id);
    }
    if (acts->tell[0]) {
        tell(w, nd, "%s", acts->tell);
    }
    note_support(w, nd, ev);
    check_state(w, nd);
}

/* ---- Data ------------------------------------------------------------- */

static bool
holds_entry(const struct db *d, const struct ledger_entry *e)
{
    return e->seq <= d->n && d->log[e->seq - 1].id == e->id;
}

static bool
was_planned(const struct world *w)
{
    const struct oracle *o = &w->oracle;

    return !w->n_broken && !o->chosen.forced && o->wish_at
           && w->now - o->wish_at < 20 * SEC
           && o->fault_at + CALM_BEFORE_WISH < o->wish_at;
}

/* The last resort is for a pair whose other node does not come back.  If it
 * does all the same, had gone on alone, and does not reach the one that an
 * operator let take over, then it knows of nothing and goes on where it was:
 * it has to, since a survivor that reboots could never serve again otherwise.
 * It has the other one fenced first, so that two never serve at once; what was
 * written since the last resort gives way until they meet, and then what was
 * written here does.  'ovn-hactl failover' warns of it.  True if 'nd' does
 * this. */
static bool
is_given_up(const struct world *w, const struct node *nd)
{
    return nd->disk.durable.alone == HA_ALONE_PROVEN
           && ha_epoch_cmp(nd->door_epoch, w->oracle.resort) < 0;
}

/* Longest that acknowledged writes may stay unshipped while the record still
 * calls the standby in sync. */
static int64_t
loss_bound_us(const struct world *w)
{
    return w->cfg.lag_us + 3 * w->cfg.mute_us + 2 * w->detect_us
           + 2 * w->cfg.lease_us + 10 * SEC + w->policy.stale_us;
}

/* True if whoever takes the log now loses 'e': if a failure before did, none that
 * runs holds it any more. */
static bool
is_lost_now(const struct world *w, const struct node *nd, enum ha_db db,
            const struct ledger_entry *e)
{
    bool now = e->at > w->oracle.failed_at;

    for (unsigned i = 0; i < w->n; i++) {
        const struct node *each = &w->nodes[i];

        now |= each != nd && each->up && holds_entry(&each->db[db], e);
    }
    return now;
}

static void
count_lost(struct world *w, struct node *nd, enum ha_db db)
{
    struct ledger *l = &w->oracle.ledger[db];
    const struct db *d = &nd->db[db];
    size_t lost = 0, now = 0;

    for (size_t i = l->n; i-- > 0;) {
        struct ledger_entry *e = &l->e[i];

        if (e->lost) {
            continue;
        }
        if (holds_entry(d, e)) {
            break; /* And then all before it: one history. */
        }
        e->lost = true;
        lost++;
        now += is_lost_now(w, nd, db, e);
        if (l->e[l->n - 1].at - e->at > loss_bound_us(w)
            && !w->oracle.chosen.forced && !e->given_up) {
            violation(w, "loss-bound", "%s: lost a write %lld ms old",
                      ha_db_name(db),
                      (long long) (l->e[l->n - 1].at - e->at) / 1000);
        }
    }
    if (!lost) {
        return;
    }
    w->oracle.lost += lost;
    tell(w, NULL, "%zu acknowledged writes of %s are lost", lost,
         ha_db_name(db));
    if (now && was_planned(w)) {
        violation(w, "switchover-lost-writes", "%s: %zu", ha_db_name(db), now);
    }
}

/* 'nd' decided to take the log for 'epoch': whatever a supporter that it has
 * heard of holds, it must have. */
void
oracle_takes(struct world *w, struct node *nd, enum ha_db db,
             struct ha_epoch epoch)
{
    struct ha_pos own = db_pos(&nd->db[db], nd->db[db].n);

    if (!epoch_same(nd->sup_epoch, epoch)
        || epoch_same(nd->db[db].owner, epoch)) {
        return;
    }
    for (unsigned i = 0; i < w->n; i++) {
        const struct ha_pos *pos = &nd->sup_pos[i][db];

        if ((nd->sup_from & bit_of(i + 1)) && pos->lineage == own.lineage
            && ha_pos_cmp(pos, &own) > 0) {
            violation(w, "lost-held-record",
                      "n%u takes %s at %u.%u/%llu, n%u has %u.%u/%llu", nd->id,
                      ha_db_name(db), own.epoch.n, own.epoch.node,
                      (unsigned long long) own.seq, i + 1, pos->epoch.n,
                      pos->epoch.node, (unsigned long long) pos->seq);
        }
    }
}

/* 'nd's worker makes its log the truth of a new epoch. */
void
oracle_log_taken(struct world *w, struct node *nd, enum ha_db db)
{
    struct oracle *o = &w->oracle;
    const struct db *d = &nd->db[db];
    struct ha_epoch e = d->role_epoch;
    bool first = !o->begun[db];

    if (ha_epoch_cmp(e, o->chosen.record.epoch) > 0) {
        violation(w, "unchosen-epoch", "n%u takes %s for %u.%u", nd->id,
                  ha_db_name(db), e.n, e.node);
        return;
    }
    if (!epoch_same(e, o->chosen.record.epoch)) {
        return; /* Overtaken; nobody will follow it. */
    }
    if (!first && d->lineage != d->role_lineage) {
        violation(w, "wrong-lineage", "n%u is promoted in epoch %u.%u", nd->id,
                  e.n, e.node);
    }
    if (!first && d->wiped) {
        violation(w, "promoted-empty", "n%u in epoch %u.%u", nd->id, e.n,
                  e.node);
    }
    o->begun[db] = true;
    count_lost(w, nd, db);
}

/* 'who' writes to 'nd's database. */
void
oracle_write(struct world *w, struct node *nd, enum ha_db db, const char *who)
{
    const struct db *d = &nd->db[db];

    if (epoch_none(d->owner)
        || (nd->door_open && !epoch_same(d->owner, nd->door_epoch))) {
        violation(w, "write-outside-log",
                  "%s writes %s of n%u, whose log is of %u.%u, door %u.%u",
                  who, ha_db_name(db), nd->id, d->owner.n, d->owner.node,
                  nd->door_epoch.n, nd->door_epoch.node);
    }
}

void
oracle_ack(struct world *w, struct node *nd, enum ha_db db)
{
    struct ledger *l = &w->oracle.ledger[db];
    const struct db *d = &nd->db[db];
    bool given_up = is_given_up(w, nd);

    w->cov->acked++;
    if (!given_up && ha_epoch_cmp(nd->door_epoch, w->oracle.last_ack) < 0) {
        violation(w, "late-acknowledgement",
                  "n%u acknowledges in %u.%u, after %u.%u did", nd->id,
                  nd->door_epoch.n, nd->door_epoch.node, w->oracle.last_ack.n,
                  w->oracle.last_ack.node);
    }
    w->oracle.last_ack = nd->door_epoch;
    oracle_doors(w);
    l->e = grow(l->e, l->n, &l->allocated, sizeof *l->e);
    l->e[l->n++] = (struct ledger_entry){
        .seq = d->n,
        .id = d->log[d->n - 1].id,
        .at = w->now,
        .given_up = given_up,
    };
}

void
oracle_doors(struct world *w)
{
    const struct node *open = NULL;

    FOR_EACH_NODE(nd, w)
    {
        if (!door_lets_out(w, nd)) {
            continue;
        }
        if (open) {
            violation(w, "two-doors", "n%u (%u.%u) and n%u (%u.%u)", open->id,
                      open->door_epoch.n, open->door_epoch.node, nd->id,
                      nd->door_epoch.n, nd->door_epoch.node);
        }
        open = nd;
    }
}

/* 'nd's own records beyond 'keep' give way to those of 'source'. */
void
oracle_cut(struct world *w, struct node *nd, enum ha_db db,
           const struct node *source, size_t keep)
{
    const struct db *d = &nd->db[db];
    const struct db *s = &source->db[db];
    struct ha_pos own = db_pos(d, d->n);
    struct ha_pos other = db_pos(s, s->synced);

    if (s->role == WIRE_R_ACTIVE) {
        other.epoch = s->role_epoch;
    }
    if (keep < d->n && d->lineage == s->lineage
        && ha_epoch_cmp(own.epoch, other.epoch) > 0) {
        violation(w, "older-overwrites-newer",
                  "%s of n%u at %u.%u/%zu by n%u at %u.%u/%zu", ha_db_name(db),
                  nd->id, own.epoch.n, own.epoch.node, d->n, source->id,
                  other.epoch.n, other.epoch.node, s->synced);
    }
}

/* 'nd' applied records in its role as follower. */
void
oracle_accepts(struct world *w, struct node *nd, enum ha_db db)
{
    if (ha_epoch_cmp(nd->promised, nd->db[db].role_epoch) > 0) {
        violation(w, "accepted-after-support",
                  "n%u applies %s in %u.%u, but supports %u.%u", nd->id,
                  ha_db_name(db), nd->db[db].role_epoch.n,
                  nd->db[db].role_epoch.node, nd->promised.n,
                  nd->promised.node);
    }
}

static void
check_pair(struct world *w, const struct node *a, const struct node *b,
           enum ha_db db)
{
    const struct db *x = &a->db[db];
    const struct db *y = &b->db[db];
    size_t n = x->n < y->n ? x->n : y->n;

    if (!x->lineage || x->lineage != y->lineage) {
        return;
    }
    for (size_t i = n; i-- > 0;) {
        if (x->log[i].chain == y->log[i].chain) {
            return; /* And so is all before it. */
        }
        if (epoch_same(x->log[i].epoch, y->log[i].epoch) && i < x->synced
            && i < y->synced) {
            violation(w, "logs-differ", "%s of n%u and n%u at %u.%u/%zu",
                      ha_db_name(db), a->id, b->id, x->log[i].epoch.n,
                      x->log[i].epoch.node, i + 1);
            return;
        }
    }
}

/* One (epoch, seq) is one history, on whatever node. */
void
oracle_logs(struct world *w)
{
    FOR_EACH_NODE(a, w)
    {
        for (struct node *b = a + 1; b < w->nodes + w->n; b++) {
            check_pair(w, a, b, HA_NB);
            check_pair(w, a, b, HA_SB);
        }
    }
}

/* ---- Liveness --------------------------------------------------------- */

void
oracle_wish(struct world *w)
{
    w->oracle.last_wish_at = w->oracle.wish_at;
    w->oracle.wish_at = w->now;
}

/* What was refused moves nothing. */
void
oracle_refused(struct world *w)
{
    w->oracle.wish_at = w->oracle.last_wish_at;
}

void
oracle_fault(struct world *w)
{
    w->oracle.fault_at = w->now;
}

/* What was asked of a device that hung meanwhile may still be under way. */
static int64_t
fencing_bound_us(const struct world *w)
{
    return w->policy.fence ? w->policy.delay_us + w->cfg.retry_us + 20 * SEC
                           : 0;
}

/* Once nothing is broken any more: boot and load, two changes of membership,
 * an exchange past a mute member, leases and their fresh starts, one failed
 * attempt, the stages of a promotion, and the in-sync set.  No grace: nobody
 * is missing. */
int64_t
oracle_bound_us(const struct world *w)
{
    const struct ha_config *c = &w->cfg;

    return 4 * SEC + 2 * (w->detect_us + w->detect_jitter_us) + 3 * SEC
           + 6 * c->mute_us + 3 * c->lease_us + c->retry_us + c->tail_us
           + c->open_us + fencing_bound_us(w);
}

/* The same where corosync's membership stands already and nothing boots. */
int64_t
oracle_outage_us(const struct world *w)
{
    const struct ha_config *c = &w->cfg;

    return c->grace_us + 2 * c->lease_us + c->retry_us + 4 * c->mute_us
           + c->tail_us + 2 * c->open_us + 2 * SEC;
}

static unsigned
n_witnesses(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n; i++) {
        n += w->nodes[i].witness;
    }
    return n;
}

static const char *
node_unsettled(const struct world *w, const struct node *nd,
               const struct node **active)
{
    const struct ha_core *c = &nd->had.core;

    if (!had_runs(nd)) {
        return "is not running";
    }
    if (c->state != HA_ACTIVE && c->state != HA_STANDBY) {
        return "is neither active nor standby";
    }
    if (!c->in_force || c->record.in_sync.n != w->n - n_witnesses(w)) {
        return "does not see all in sync";
    }
    if (!epoch_same(nd->fence.supporter.epoch, c->record.epoch)) {
        return "does not support the epoch";
    }
    if (c->record.paused != HA_PAUSE_NONE) {
        return "sees the cluster paused";
    }
    if (c->state == HA_ACTIVE) {
        if (*active) {
            return "is a second active";
        }
        *active = nd;
        if (!door_lets_out(w, nd)) {
            return "is active and its door is closed";
        }
        if (!nd->northd.running) {
            return "is active and its northd does not run";
        }
    } else if (nd->door_open) {
        return "is a standby with an open door";
    } else if (!nd->witness
               && (!nd->db[0].connected || !nd->db[1].connected)) {
        return "does not follow";
    }
    return NULL;
}

const char *
oracle_settled(struct world *w, char *buf, size_t size)
{
    const struct node *active = NULL;

    FOR_EACH_NODE(nd, w)
    {
        const char *what = node_unsettled(w, nd, &active);

        if (what) {
            snprintf(buf, size, "n%u (%s: %s) %s", nd->id,
                     ha_state_name(nd->had.core.state),
                     ha_why_code(nd->had.core.why), what);
            return buf;
        }
    }
    if (!active) {
        snprintf(buf, size, "nobody is active");
        return buf;
    }
    return NULL;
}

static const char *
why_not(const struct world *w, const struct ha_core *c, char *buf, size_t size)
{
    int n = 0;

    buf[0] = '\0';
    for (uint32_t id = 1; id <= w->n && n < (int) size; id++) {
        n += snprintf(buf + n, size - (size_t) n, "%u:%s ", id,
                      ha_why_code(ha_core_why_not(c, id)));
    }
    return buf;
}

/* What each node believes, for a report. */
void
oracle_dump(struct world *w)
{
    const struct ha_record *rec = &w->oracle.chosen.record;
    char set[HA_MAX_NODES * 11], view[HA_MAX_NODES * 11];

    tell(w, NULL, "in force: epoch %u.%u, in sync %s, ballot %u.%u rev %u",
         rec->epoch.n, rec->epoch.node,
         ha_set_print(&rec->in_sync, set, sizeof set),
         w->oracle.chosen.ballot.n, w->oracle.chosen.ballot.node,
         w->oracle.chosen.rev);
    FOR_EACH_NODE(nd, w)
    {
        const struct ha_core *c = &nd->had.core;
        char why[160];

        tell(w, nd,
             "up %d had %d fence %d; %s/%s hold %u.%u in force %d "
             "%u.%u in sync %s; view %s; coordinator %u.%u; supports %u.%u "
             "serves %u.%u door %d; NB %zu role %u.%u/%d SB %zu %u.%u/%d; "
             "wiped %d disk bad %d; why not: %s",
             nd->up, nd->had.alive, nd->fence.alive, ha_state_name(c->state),
             ha_why_code(c->why), c->hold.n, c->hold.node, c->in_force,
             c->record.epoch.n, c->record.epoch.node,
             ha_set_print(&c->record.in_sync, set, sizeof set),
             ha_set_print(&c->view, view, sizeof view), c->durable.promised.n,
             c->durable.promised.node, nd->fence.supporter.epoch.n,
             nd->fence.supporter.epoch.node, nd->fence.serve.n,
             nd->fence.serve.node, nd->fence.door, nd->db[0].n,
             nd->db[0].role_epoch.n, nd->db[0].role_epoch.node, nd->db[0].role,
             nd->db[1].n, nd->db[1].role_epoch.n, nd->db[1].role_epoch.node,
             nd->db[1].role, nd->wiped, c->disk_bad,
             why_not(w, c, why, sizeof why));
    }
}

/* True if 'q' has records that 'd' lacks and cannot pull: of a later epoch, and
 * 'd' took a turn before them; or they follow on what was compacted away. */
static bool
is_out_of_reach(const struct db *d, const struct db *q)
{
    size_t common = db_common_prefix(d, q);

    if (!d->n || !q->n || d->lineage != q->lineage) {
        return false;
    }
    return common < d->n
               ? ha_epoch_cmp(q->log[q->n - 1].epoch, d->log[d->n - 1].epoch)
                     > 0
               : common < q->base;
}

/* True if 'nd' is never to be active, or may not be now. */
static bool
is_barred(const struct world *w, const struct node *nd)
{
    const struct ha_record *rec = &w->oracle.chosen.record;

    return nd->nofailover || nd->witness
           || !(ha_set_has(&rec->in_sync, nd->id) || rec->active == nd->id);
}

/* True if 'nd' may serve, with the newest data there is.  What only a node has
 * that is barred, another has to follow first. */
static bool
may_serve(const struct world *w, const struct node *nd)
{
    const struct ha_record *rec = &w->oracle.chosen.record;

    for (unsigned i = 0; i < w->n; i++) {
        const struct node *q = &w->nodes[i];

        if (is_barred(w, q)
            && (is_out_of_reach(&nd->db[HA_NB], &q->db[HA_NB])
                || is_out_of_reach(&nd->db[HA_SB], &q->db[HA_SB]))) {
            return false;
        }
    }
    return !is_barred(w, nd) && nd->db[HA_NB].lineage == rec->lineage
           && nd->db[HA_SB].lineage == rec->lineage;
}

/* True if a lost disk took the only data that may be served. */
bool
oracle_hopeless(struct world *w)
{
    const struct ha_record *rec = &w->oracle.chosen.record;

    if (!rec->lineage) {
        return false;
    }
    FOR_EACH_NODE(nd, w)
    {
        if (may_serve(w, nd)) {
            return false;
        }
    }
    return true;
}

/* True if nothing is wrong with 'nd' now. */
static bool
is_sound(const struct world *w, const struct node *nd)
{
    return had_runs(nd) && fence_runs(nd) && !nd->coro.frozen
           && !nd->had.core.leaving && !nd->had.crash_in && !nd->unfit
           && !nd->address_unfit && w->now >= nd->door_stuck_until
           && w->now >= nd->had.busy_until && w->now >= nd->disk.fails_until
           && w->now >= nd->disk.slow_until
           && (nd->witness
               || (nd->db[HA_NB].server_up && nd->db[HA_NB].worker_up
                   && nd->db[HA_SB].server_up && nd->db[HA_SB].worker_up
                   && !nd->db[HA_NB].mute && !nd->db[HA_SB].mute));
}

static bool
beats_pass(const struct world *w, mask_t members)
{
    for (uint32_t i = 0; i < w->n; i++) {
        for (uint32_t j = 0; j < w->n; j++) {
            if ((members & bit_of(i + 1)) && (members & bit_of(j + 1))
                && w->beat_cut[i][j]) {
                return false;
            }
        }
    }
    return !w->beat_loss;
}

/* A configuration of corosync that can go on by itself: a majority, nobody
 * unsound, enough holders of the record, somebody to promote. */
static const struct ring *
sound_ring(const struct world *w)
{
    const struct ha_record *rec = &w->oracle.chosen.record;
    const struct ring *r = NULL;
    unsigned n = 0, holders = 0, eligible = 0;

    for (unsigned i = 0; i < w->n && !r; i++) {
        const struct ring *x = w->nodes[i].coro.ring;

        if (x && (unsigned) __builtin_popcount(x->members) > w->n / 2) {
            r = x;
        }
    }
    if (!r || r->stalled || !rec->lineage || !beats_pass(w, r->members)) {
        return NULL;
    }
    for (unsigned i = 0; i < w->n; i++) {
        const struct node *nd = &w->nodes[i];

        if (!(r->members & bit_of(i + 1))) {
            continue;
        }
        if (nd->coro.ring != r || !is_sound(w, nd)) {
            return NULL;
        }
        n++;
        holders +=
            !nd->wiped && nd->disk.has_durable && nd->disk.durable.accepted.n;
        eligible += may_serve(w, nd);
    }
    return holders > w->n / 2 && eligible ? r : NULL;
}

/* Faults that leave a sound majority must not keep it from serving. */
static void
check_service(struct world *w, bool served)
{
    struct oracle *o = &w->oracle;
    const struct ring *r = sound_ring(w);
    int64_t us;

    if (served || !r || r != o->sound
        || o->chosen.record.paused != HA_PAUSE_NONE) {
        o->sound = r;
        o->sound_at = w->now;
        return;
    }
    us = w->now - o->sound_at;
    if (us / MS > w->cov->max_outage_ms) {
        w->cov->max_outage_ms = (unsigned) (us / MS);
        w->cov->max_outage_seed = w->opt.seed;
    }
    if (us > oracle_outage_us(w)) {
        oracle_dump(w);
        violation(w, "no-service", "for %lld ms in a sound majority",
                  (long long) us / 1000);
    }
}

/* Whatever becomes of corosync and the others: a paused active that nothing
 * hit goes on. */
static void
check_paused(struct world *w, bool served)
{
    struct oracle *o = &w->oracle;
    const struct ha_record *rec = &o->chosen.record;
    const struct node *nd = world_node(w, rec->active);

    if (served || rec->paused != HA_PAUSE_ON || !nd || !is_sound(w, nd)
        || nd->fence.holder.end != LEASE_ENDLESS
        || !epoch_same(nd->fence.serve, rec->epoch)) {
        o->paused_ok_at = w->now;
    } else if (w->now - o->paused_ok_at > w->cfg.open_us) {
        oracle_dump(w);
        violation(w, "paused-outage", "n%u does not serve for %lld ms", nd->id,
                  (long long) (w->now - o->paused_ok_at) / 1000);
    }
}

/* ---- Life ------------------------------------------------------------- */

static void
look(struct world *w, struct node *nd, uint64_t n, void *ptr)
{
    bool served = false;

    oracle_doors(w);
    check_endless(w);
    FOR_EACH_NODE(a, w)
    {
        served |= door_lets_out(w, a);
    }
    w->cov->served_us += served ? 100 * MS : 0;
    check_service(w, served);
    check_paused(w, served);
    if (n % 10 == 0) {
        oracle_logs(w);
    }
    world_in(w, 100 * MS, look, nd, n + 1, ptr);
}

void
oracle_init(struct world *w)
{
    world_in(w, 100 * MS, look, NULL, 0, NULL);
}

void
oracle_close(struct world *w)
{
    struct oracle *o = &w->oracle;

    w->cov->lost += o->lost;
    for (int db = 0; db < HA_N_DBS; db++) {
        free(o->ledger[db].e);
    }
    free(o->props);
}
