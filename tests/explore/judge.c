/* SPDX-License-Identifier: Apache-2.0 */

/* What must never be, as a god sees it who knows every disk and every door.
 * The names are those of the simulator's oracle (tests/sim/README.md). */

#include "tests/explore/model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
judge_violation(struct model *m, const char *name, const char *fmt, ...)
{
    va_list args;
    int n;

    if (m->failed) {
        return;
    }
    m->failed = true;
    n = snprintf(m->violation, sizeof m->violation, "%s: ", name);
    va_start(args, fmt);
    vsnprintf(m->violation + n, sizeof m->violation - (size_t) n, fmt, args);
    va_end(args);
}

/* ---- Steps ------------------------------------------------------------ */

static int
state_named(const char *name, size_t len)
{
    for (int i = 0; i < HA_N_STATES; i++) {
        if (strlen(ha_states[i].name) == len
            && !memcmp(ha_states[i].name, name, len)) {
            return i;
        }
    }
    return -1;
}

/* Each edge that a step took is told: "standby -> promoting". */
static void
count_edges(struct model *m, const char *tell)
{
    const char *p = tell;

    while ((p = strstr(p, " -> "))) {
        const char *from = p;
        const char *to = p + 4;
        int a, b;

        while (from > tell && from[-1] >= 'a' && from[-1] <= 'z') {
            from--;
        }
        a = state_named(from, (size_t) (p - from));
        b = state_named(to, strspn(to, "abcdefghijklmnopqrstuvwxyz"));
        if (a >= 0 && b >= 0) {
            m->edges[a][b]++;
        }
        p = to;
    }
}

static int
class_of(enum ha_action_type type)
{
    return type == HA_ACT_PERSIST ? 0 : type == HA_ACT_SEND ? 1 : 2;
}

void
judge_step(struct model *m, struct mnode *nd, enum ha_state before,
           const struct ha_actions *acts)
{
    const struct ha_core *c = &nd->core;
    uint32_t id = model_id(m, nd);

    for (size_t i = 1; i < acts->n; i++) {
        if (acts->a[0].type == HA_ACT_PERSIST
            || class_of(acts->a[i].type) < class_of(acts->a[i - 1].type)) {
            judge_violation(m, "class-order", "n%u: action %zu", id, i);
        }
    }
    if (acts->tell[0]) {
        model_say(m, id, "%s", acts->tell);
        count_edges(m, acts->tell);
    }
    if (c->state != before && c->why == HA_WHY_NONE && !c->exited
        && (c->state == HA_STARTING || c->state == HA_ISOLATED
            || c->state == HA_PROMOTING || c->state == HA_BLOCKED)) {
        judge_violation(m, "no-reason", "n%u is %s", id,
                        ha_state_name(c->state));
    }
}

/* ---- Doors and writes ------------------------------------------------- */

void
judge_doors(struct model *m)
{
    const struct mnode *open = NULL;

    FOR_EACH_MNODE(nd, m)
    {
        if (!local_lets_out(m, nd)) {
            continue;
        }
        if (open) {
            judge_violation(m, "two-doors", "n%u (%u.%u) and n%u (%u.%u)",
                            model_id(m, open), open->door_epoch.n,
                            open->door_epoch.node, model_id(m, nd),
                            nd->door_epoch.n, nd->door_epoch.node);
        }
        open = nd;
    }
}

void
judge_acked(struct model *m, struct mnode *nd, enum ha_db db, mrec_t r)
{
    struct mshared *s = &m->s;

    if (ha_epoch_cmp(nd->door_epoch, s->last_ack) < 0) {
        judge_violation(m, "late-acknowledgement", "n%u in %u.%u",
                        model_id(m, nd), nd->door_epoch.n,
                        nd->door_epoch.node);
    }
    if (ha_epoch_cmp(nd->db[db].owner, nd->door_epoch)) {
        judge_violation(m, "write-outside-log", "n%u: log of %u.%u",
                        model_id(m, nd), nd->db[db].owner.n,
                        nd->db[db].owner.node);
    }
    s->last_ack = nd->door_epoch;
    assert(s->n_acked[db] < MODEL_LOG);
    s->acked[db][s->n_acked[db]++] = r;
}

/* ---- Data ------------------------------------------------------------- */

/* 'nd' decided to take the log: what a supporter holds, that it knows of, it
 * must have. */
void
judge_takes(struct model *m, struct mnode *nd, enum ha_db db)
{
    const struct ha_core *c = &nd->core;
    struct ha_pos own = local_pos(&nd->db[db]);

    if (c->stage_since.us != m->now.us || c->stage < HA_STAGE_LOG
        || !ha_epoch_cmp(nd->db[db].owner, c->hold)) {
        return;
    }
    FOR_EACH_MNODE(other, m)
    {
        struct ha_pos pos = local_pos(&other->db[db]);
        const struct ha_peer *p = ha_core_peer(c, model_id(m, other));

        if (p->supports && ha_set_has(&c->view, p->id) && other->up
            && !other->mute && !other->server_down
            && pos.lineage == own.lineage && ha_pos_cmp(&pos, &own) > 0) {
            judge_violation(m, "lost-held-record", "%s: n%u has more than n%u",
                            ha_db_name(db), model_id(m, other),
                            model_id(m, nd));
        }
    }
}

static bool
holds(const struct mdb *d, mrec_t r)
{
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->log[i] == r) {
            return true;
        }
    }
    return false;
}

/* 'nd's log becomes the truth.  What it lacks is lost, which only a failure
 * may do. */
void
judge_log_taken(struct model *m, struct mnode *nd, enum ha_db db)
{
    struct mshared *s = &m->s;
    const struct mdb *d = &nd->db[db];
    uint8_t n = 0;

    if (ha_epoch_cmp(d->now.epoch, s->chosen.record.epoch) > 0) {
        judge_violation(m, "unchosen-epoch", "n%u takes %s for %u.%u",
                        model_id(m, nd), ha_db_name(db), d->now.epoch.n,
                        d->now.epoch.node);
    }
    if (ha_epoch_cmp(d->now.epoch, s->chosen.record.epoch)) {
        return; /* Overtaken; nobody will follow it. */
    }
    if (s->n_acked[db] && d->lineage != d->now.lineage) {
        judge_violation(m, "promoted-empty", "n%u", model_id(m, nd));
    }
    for (uint32_t i = 0; i < s->n_acked[db]; i++) {
        if (holds(d, s->acked[db][i])) {
            s->acked[db][n++] = s->acked[db][i];
        }
    }
    if (n < s->n_acked[db] && s->planned) {
        judge_violation(m, "switchover-lost-writes", "%s: %d", ha_db_name(db),
                        s->n_acked[db] - n);
    }
    if (n < s->n_acked[db]) {
        model_say(m, model_id(m, nd), "%d acknowledged writes are lost",
                  s->n_acked[db] - n);
    }
    memset(&s->acked[db][n], 0,
           (size_t) (s->n_acked[db] - n) * sizeof s->acked[db][0]);
    s->n_acked[db] = n;
}

/* 'nd's own records beyond 'keep' give way to those of 's'. */
void
judge_cut(struct model *m, struct mnode *nd, enum ha_db db,
          const struct mdb *s, uint32_t keep)
{
    const struct mdb *d = &nd->db[db];
    struct ha_pos own = local_pos(d);

    if (keep < d->n && d->lineage == s->lineage
        && ha_epoch_cmp(own.epoch, s->now.epoch) > 0) {
        judge_violation(m, "older-overwrites-newer", "%s of n%u at %u.%u",
                        ha_db_name(db), model_id(m, nd), own.epoch.n,
                        own.epoch.node);
    }
}

void
judge_accepts(struct model *m, struct mnode *nd, enum ha_db db)
{
    struct ha_epoch e = nd->db[db].now.epoch;

    if (ha_epoch_cmp(nd->promised, e) > 0) {
        judge_violation(m, "accepted-after-support",
                        "n%u applies %s in %u.%u, but supports %u.%u",
                        model_id(m, nd), ha_db_name(db), e.n, e.node,
                        nd->promised.n, nd->promised.node);
    }
}

/* ---- Agreement -------------------------------------------------------- */

static int
order_cmp(struct ha_ballot a, uint32_t a_rev, struct ha_ballot b,
          uint32_t b_rev)
{
    return a.n != b.n         ? (a.n < b.n ? -1 : 1)
           : a.node != b.node ? (a.node < b.node ? -1 : 1)
                              : (a_rev > b_rev) - (a_rev < b_rev);
}

static struct mproposal *
find_proposal(struct model *m, struct ha_ballot ballot, uint32_t rev)
{
    for (uint32_t i = 0; i < m->s.n_props; i++) {
        struct mproposal *p = &m->s.props[i];

        if (!order_cmp(p->ballot, p->rev, ballot, rev)) {
            return p;
        }
    }
    return NULL;
}

/* True if 'p's active was in sync, as the record in force says, or one that
 * its coordinator had to take for it. */
static bool
is_eligible(const struct model *m, const struct mproposal *p)
{
    const struct mproposal *c = &m->s.chosen;
    uint32_t id = p->record.active;
    bool good = p->forced || !c->record.in_sync.n || c->record.active == id
                || ha_set_has(&c->record.in_sync, id);

    for (uint32_t i = 0; i < m->s.n_props && !good; i++) {
        const struct mproposal *q = &m->s.props[i];

        good =
            q != p && order_cmp(q->ballot, q->rev, p->ballot, p->rev) < 0
            && (q->record.active == id || ha_set_has(&q->record.in_sync, id));
    }
    return good;
}

static void
check_successor(struct model *m, const struct mproposal *p)
{
    const struct ha_record *old = &m->s.chosen.record;
    const struct ha_record *new = &p->record;
    int cmp = ha_epoch_cmp(new->epoch, old->epoch);
    const char *flaw = NULL;

    if (old->lineage != new->lineage) {
        flaw = "two-lineages";
    } else if (cmp < 0) {
        flaw = "epoch-goes-back";
    } else if (!cmp && old->active != new->active) {
        flaw = "two-actives-of-an-epoch";
    } else if (cmp > 0 && new->epoch.n <= old->epoch.n) {
        flaw = "epoch-does-not-grow";
    } else if (cmp > 0 && !is_eligible(m, p)) {
        flaw = "not-in-sync";
    }
    if (flaw) {
        judge_violation(m, flaw, "%u.%u comes into force after %u.%u",
                        new->epoch.n, new->epoch.node, old->epoch.n,
                        old->epoch.node);
    }
}

/* Older proposals can be chosen no more. */
static void
forget_older(struct model *m)
{
    struct mshared *s = &m->s;
    uint8_t n = 0;

    for (uint32_t i = 0; i < s->n_props; i++) {
        struct mproposal *p = &s->props[i];

        if (order_cmp(p->ballot, p->rev, s->chosen.ballot, s->chosen.rev)
            >= 0) {
            s->props[n++] = *p;
        }
    }
    memset(&s->props[n], 0, (size_t) (s->n_props - n) * sizeof s->props[0]);
    s->n_props = n;
}

static void
readmit(struct model *m)
{
    FOR_EACH_MNODE(nd, m)
    {
        nd->wiped &=
            !(nd->durable.accepted.n && nd->db[HA_NB].lineage
              && nd->db[HA_SB].lineage
              && ha_set_has(&m->s.chosen.record.in_sync, model_id(m, nd)));
    }
}

void
judge_persisted(struct model *m, struct mnode *nd)
{
    const struct ha_durable *d = &nd->durable;
    struct mproposal *c = &m->s.chosen;
    struct mproposal *p;

    if (!d->accepted.n
        || order_cmp(d->accepted, d->rev, c->ballot, c->rev) < 0) {
        return;
    }
    p = find_proposal(m, d->accepted, d->rev);
    if (!p || memcmp(&p->record, &d->record, sizeof d->record)) {
        judge_violation(m, "record-from-nowhere", "n%u", model_id(m, nd));
        return;
    }
    p->accepted |= mbit(model_id(m, nd));
    if (((uint32_t) __builtin_popcount(p->accepted) > m->cfg->n / 2
         || d->alone)
        && order_cmp(p->ballot, p->rev, c->ballot, c->rev)) {
        if (c->ballot.n) {
            check_successor(m, p);
        }
        *c = *p;
        c->accepted = 0; /* Of no more interest. */
        forget_older(m);
    }
    readmit(m);
}

static void
sent_accept(struct model *m, struct mnode *nd, const struct ha_msg *msg)
{
    struct mshared *s = &m->s;
    struct mproposal *p = find_proposal(m, msg->ballot, msg->rev);

    if (p) {
        if (memcmp(&p->record, &msg->durable.record, sizeof p->record)) {
            judge_violation(m, "two-records", "n%u", model_id(m, nd));
        }
        return;
    }
    assert(s->n_props < MODEL_PROPOSALS);
    p = &s->props[s->n_props++];
    p->ballot = msg->ballot;
    p->rev = msg->rev;
    p->record = msg->durable.record;
    p->forced = nd->core.forced && nd->core.forced == p->record.active;
}

/* A support says: no older epoch is served here, and my log ends here. */
static void
sent_support(struct model *m, struct mnode *nd, const struct ha_msg *msg)
{
    struct ha_epoch e = nd->core.proposal.epoch;
    uint32_t id = model_id(m, nd);

    if (local_lets_out(m, nd) && ha_epoch_cmp(nd->door_epoch, e) < 0) {
        judge_violation(m, "false-stop", "n%u supports %u.%u and serves", id,
                        e.n, e.node);
    }
    if (nd->fence.up && nd->fence.supporter.epoch.n
        && ha_epoch_cmp(nd->fence.supporter.epoch, e) < 0) {
        judge_violation(m, "false-support", "n%u: %u.%u", id, e.n, e.node);
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        if (msg->pos[db].lineage && msg->pos[db].lineage == nd->db[db].lineage
            && ha_epoch_cmp(nd->promised, e) < 0
            && msg->pos[db].seq < nd->db[db].n) {
            judge_violation(m, "false-position", "n%u: %s does not end there",
                            id, ha_db_name(db));
        }
    }
    if (ha_epoch_cmp(e, nd->promised) > 0) {
        nd->promised = e;
    }
}

void
judge_sent(struct model *m, struct mnode *nd, const struct ha_msg *msg)
{
    if (msg->type == HA_MSG_ACCEPT) {
        sent_accept(m, nd, msg);
    } else if (msg->type == HA_MSG_SUPPORT) {
        sent_support(m, nd, msg);
    }
}

/* ---- Rest ------------------------------------------------------------- */

/* Where nothing is broken and nothing happens any more, somebody serves. */
void
judge_rest(struct model *m)
{
    bool served = false;

    FOR_EACH_MNODE(nd, m)
    {
        if (!model_had_runs(nd) || nd->disk_bad || nd->mute || nd->server_down
            || nd->unfit || nd->wiped || nd->stopped || nd->core.leaving
            || m->s.comp[model_id(m, nd) - 1] != (1u << m->cfg->n) - 1) {
            return;
        }
        served |= local_lets_out(m, nd) && nd->core.state == HA_ACTIVE;
    }
    if (!served) {
        judge_violation(m, "no-recovery", "nothing is broken, nobody serves");
    }
}
