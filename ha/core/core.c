/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/core/core-private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STATUS_EVERY_US 500000

void
ha_core_init(struct ha_core *c, const struct ha_config *cfg)
{
    assert(cfg->nodes.n > 0 && cfg->nodes.n <= HA_MAX_NODES);
    assert(ha_set_has(&cfg->nodes, cfg->self));
    assert(cfg->lease_us > 0);
    memset(c, 0, sizeof *c);
    c->cfg = *cfg;
    c->state = HA_STARTING;
    c->why = HA_WHY_NO_GROUP;
    for (uint32_t i = 0; i < cfg->nodes.n; i++) {
        c->peers[i].id = cfg->nodes.id[i];
    }
}

uint32_t
ha_majority(const struct ha_config *cfg)
{
    return cfg->nodes.n / 2 + 1;
}

/* Adds an action of 'type', zeroed, for the caller to fill. */
struct ha_action *
core_act(struct ha_actions *out, enum ha_action_type type)
{
    struct ha_action *a = &out->a[out->n];

    assert(out->n < HA_MAX_ACTIONS);
    memset(a, 0, sizeof *a);
    a->type = type;
    out->n++;
    return a;
}

struct ha_msg *
core_send(struct ha_core *c, struct ha_actions *out, enum ha_msg_type type)
{
    struct ha_msg *m = &core_act(out, HA_ACT_SEND)->msg;

    m->type = type;
    m->epoch = type == HA_MSG_REQUEST ? c->record.epoch : m->epoch;
    if (type == HA_MSG_STATE || type == HA_MSG_STATUS
        || type == HA_MSG_SUPPORT) {
        ha_core_status(c, &m->status);
        c->told = m->status;
        c->told_at = c->now;
    }
    return m;
}

void
core_tell(struct ha_actions *out, const char *fmt, ...)
{
    size_t used = strlen(out->tell);
    va_list args;

    if (used && used + 2 < sizeof out->tell) {
        memcpy(out->tell + used, "; ", 3);
        used += 2;
    }
    va_start(args, fmt);
    vsnprintf(out->tell + used, sizeof out->tell - used, fmt, args);
    va_end(args);
}

struct ha_peer *
core_peer(struct ha_core *c, uint32_t id)
{
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        if (c->peers[i].id == id) {
            return &c->peers[i];
        }
    }
    return NULL;
}

const struct ha_peer *
ha_core_peer(const struct ha_core *c, uint32_t id)
{
    return core_peer((struct ha_core *) c, id);
}

/* A view forgets who was heard, so who is heard is here. */
const struct ha_peer *
core_heard(const struct ha_core *c, uint32_t id)
{
    const struct ha_peer *p = ha_core_peer(c, id);

    return p && p->heard ? p : NULL;
}

bool
core_past(const struct ha_core *c, mono_t t, int64_t us)
{
    return !mono_before(c->now, mono_add_us(t, us));
}

int64_t
core_drifted(const struct ha_core *c, int64_t us)
{
    return us + us / 1000000 * c->cfg.drift_ppm
           + us % 1000000 * c->cfg.drift_ppm / 1000000 + 1;
}

/* True if the node with 'st' serves, or is about to serve, under 'rec'. */
bool
core_holds(const struct ha_status *st, const struct ha_record *rec)
{
    return !ha_epoch_cmp(st->hold, rec->epoch);
}

void
ha_core_status(const struct ha_core *c, struct ha_status *st)
{
    memset(st, 0, sizeof *st);
    st->state = c->state;
    st->why = c->why;
    st->hold = c->hold;
    if (c->durable.accepted.n && ha_epoch_cmp(c->named, c->ended) > 0
        && !ha_epoch_cmp(c->named, c->durable.record.epoch)) {
        st->hold = c->named;
    }
    st->ended = c->ended;
    /* Not what this life asked it for: it may have outlived an earlier one,
     * which could not write the record, and refuses all that is less. */
    if (c->durable.accepted.n && !c->foreign
        && ha_epoch_cmp(c->fence.support, c->durable.record.epoch) > 0) {
        st->supports = c->fence.support;
    }
    st->log_ready = c->hold.n != 0;
    for (int db = 0; db < HA_N_DBS; db++) {
        st->log_ready &= replica_in_role(c, db, ROLE_ACTIVE, c->hold);
    }
    st->leaving = c->leaving;
    st->ever_active = c->ever_active;
    /* Whoever leaves gives its word that it serves nothing. */
    st->open = c->fence.open || (c->leaving && !c->fence.closed);
    st->endless = pause_endless(c);
    st->local = c->local;
}

/* True if 'a' says something that others act upon and 'b' does not.
 * Positions are told by the clock instead. */
static bool
status_differs(const struct ha_status *a, const struct ha_status *b)
{
    bool differs = a->state != b->state || a->why != b->why
                   || ha_epoch_cmp(a->hold, b->hold)
                   || ha_epoch_cmp(a->ended, b->ended)
                   || ha_epoch_cmp(a->supports, b->supports)
                   || a->log_ready != b->log_ready || a->leaving != b->leaving
                   || a->open != b->open || a->endless != b->endless
                   || a->ever_active != b->ever_active
                   || a->local.nofailover != b->local.nofailover
                   || a->local.witness != b->local.witness
                   || a->local.unfit != b->local.unfit
                   || a->local.address_unfit != b->local.address_unfit
                   || a->local.low_disk != b->local.low_disk
                   || a->local.record_full != b->local.record_full
                   || a->local.northd_ok != b->local.northd_ok
                   || a->local.priority != b->local.priority;

    for (int i = 0; i < HA_N_DBS; i++) {
        const struct ha_local_db *x = &a->local.db[i];
        const struct ha_local_db *y = &b->local.db[i];

        differs |= x->complete != y->complete || x->has_data != y->has_data
                   || x->server_ok != y->server_ok
                   || x->connected != y->connected || x->ask != y->ask
                   || x->ask_seq != y->ask_seq
                   || x->pos.lineage != y->pos.lineage;
    }
    return differs;
}

/* Tells the others how this node is: at once when it matters, and by the
 * clock for positions and against loss. */
static void
status_run(struct ha_core *c, struct ha_actions *out)
{
    struct ha_status st;

    ha_core_status(c, &st);
    if (c->in_group
        && (status_differs(&st, &c->told)
            || core_past(c, c->told_at, STATUS_EVERY_US))) {
        core_send(c, out, HA_MSG_STATUS);
    }
}

static void
on_start(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    char set[HA_MAX_NODES * 11];

    c->started_at = c->state_since = c->why_since = ev->now;
    c->view_at = c->told_at = ev->now;
    /* Workers that outlived an ovn-had remember its tokens. */
    c->next_token = (uint32_t) (ev->random >> 34) + 1;
    if (!ev->start.has_durable) {
        core_tell(out, "start: node %u of %s, without a record", c->cfg.self,
                  ha_set_print(&c->cfg.nodes, set, sizeof set));
        return;
    }
    c->durable = ev->start.durable;
    c->top_ballot = c->durable.promised.n;
    if (c->durable.accepted.n) {
        c->record = c->durable.record;
    }
    core_tell(out, "start: node %u of %s, record says epoch %u.%u",
              c->cfg.self, ha_set_print(&c->cfg.nodes, set, sizeof set),
              c->record.epoch.n, c->record.epoch.node);
}

static void
on_view(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    struct ha_set old = c->view;
    char set[HA_MAX_NODES * 11];

    c->view.n = 0;
    for (uint32_t i = 0; i < ev->view.members.n; i++) {
        if (ha_set_has(&c->cfg.nodes, ev->view.members.id[i])) {
            ha_set_add(&c->view, ev->view.members.id[i]);
        }
    }
    c->in_group = ha_set_has(&c->view, c->cfg.self);
    c->view_at = c->now;
    c->n_turns = 0;
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        struct ha_peer *p = &c->peers[i];

        if (ha_set_has(&old, p->id) && !ha_set_has(&c->view, p->id)) {
            p->left_at = c->now;
        }
    }
    core_tell(out, "group: members are %s",
              c->view.n ? ha_set_print(&c->view, set, sizeof set) : "none");
    verdict_view(c, &old, out);
    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        c->peers[i].heard = false;
    }
    member_view(c, out);
    coord_view(c);
}

static void
on_quorum(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    char set[HA_MAX_NODES * 11];

    if (c->quorate != ev->quorum.quorate) {
        core_tell(out, "quorum: %s with %s",
                  ev->quorum.quorate ? "present" : "lost",
                  ha_set_print(&ev->quorum.members, set, sizeof set));
        verdict_quorum(c, out);
    }
    c->quorate = ev->quorum.quorate;
    c->members = ev->quorum.members;
}

static void
on_msg(struct ha_core *c, uint32_t from, const struct ha_msg *m,
       struct ha_actions *out)
{
    struct ha_peer *p = core_peer(c, from);

    if (!p || !c->in_group || !ha_set_has(&c->view, from)) {
        return;
    }
    if (m->type == HA_MSG_STATE || m->type == HA_MSG_STATUS
        || m->type == HA_MSG_SUPPORT) {
        p->status = m->status;
        p->status_at = c->now;
        if (m->status.state == HA_DEMOTING) {
            p->closing_at = c->now;
        }
        p->heard = true;
        verdict_heard(c, p);
        c->ever_active |= m->status.state == HA_ACTIVE;
    }
    switch (m->type) {
    case HA_MSG_PREPARE:
        member_prepare(c, from, m, out);
        break;
    case HA_MSG_STATE:
        coord_state(c, from, m);
        break;
    case HA_MSG_ACCEPT:
        member_accept(c, from, m, out);
        break;
    case HA_MSG_SUPPORT:
        member_support(c, from, m, out);
        break;
    case HA_MSG_REQUEST:
        if (consent_is_request(m->request)) {
            consent_message(c, m, out);
        } else if (m->request == HA_REQ_FORCE) {
            force_message(c, from, m, out);
        } else if (m->request == HA_REQ_FENCED) {
            verdict_told(c, m->node);
        } else if (m->request == HA_REQ_PAUSE || m->request == HA_REQ_RESUME) {
            pause_message(c, from, m, out);
        } else {
            coord_request(c, from, m, out);
        }
        break;
    default:
        break;
    }
}

static void
on_fence(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    bool was = c->fence.connected;

    if (c->fence.open != ev->fence.open) {
        core_tell(out, "door: %s", ev->fence.open ? "open" : "not open");
    }
    if (c->serve_sent.n && !ha_epoch_cmp(c->fence.serve, c->serve_sent)
        && ha_epoch_cmp(ev->fence.serve, c->serve_sent)) {
        /* It gave up by itself, as it does when a lease runs out. */
        memset(&c->serve_sent, 0, sizeof c->serve_sent);
    }
    c->fence = ev->fence;
    if (!ev->fence.connected) {
        c->fence.open = c->fence.closed = false;
    } else if (!was) {
        /* A worker that was started anew knows nothing of what was said. */
        memset(&c->support_sent, 0, sizeof c->support_sent);
        memset(&c->serve_sent, 0, sizeof c->serve_sent);
        memset(&c->fence_epoch, 0, sizeof c->fence_epoch);
        c->fence_members_sent = false;
    }
    pause_fence(c, out);
}

static void
on_supported(struct ha_core *c, const struct ha_event *ev)
{
    c->fence_epoch = ev->supported.epoch;
    c->fence_epoch_at = c->now;
    c->own_promise_end = mono_add_us(
        c->now, core_drifted(c, ev->supported.old_promise_left_us));
}

static void
on_peer(struct ha_core *c, const struct ha_event *ev)
{
    struct ha_peer *p = core_peer(c, ev->peer.node);

    assert(ev->peer.db < HA_N_DBS);
    if (p) {
        p->recv[ev->peer.db] = ev->peer.facts;
    }
}

static void
on_probed(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    if (!c->probe_token || ev->probed.token != c->probe_token) {
        return;
    }
    c->probe_token = 0;
    if (c->stage != HA_STAGE_NORTHD) {
        return;
    }
    if (ev->probed.error) {
        core_tell(out, "northd: no NB change has reached SB yet");
        c->northd_sent = false;
    } else {
        role_set(c, out, HA_ACTIVE, HA_WHY_NONE);
    }
}

static void
on_switch(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    const struct ha_record *rec = &c->record;
    uint32_t to = ev->ctl.to ? ev->ctl.to : coord_best(c, rec, rec->active);
    enum ha_why why = !c->in_force       ? HA_WHY_AGREEING
                      : pause_holds(rec) ? HA_WHY_PAUSED
                      : !to              ? HA_WHY_NOT_ELIGIBLE
                                         : coord_why_not_move(c, rec, to);

    if (why == HA_WHY_NONE && to != rec->active) {
        struct ha_msg *m = core_send(c, out, HA_MSG_REQUEST);

        m->request = HA_REQ_SWITCH;
        m->node = to;
        core_tell(out, "switchover: asked for, to node %u", to);
        return;
    }
    core_act(out, HA_ACT_REFUSED)->why = why;
    core_tell(out, "switchover: refused: node %u: %s", to,
              to && to == rec->active ? "it is the active already"
                                      : ha_why_text(why));
}

static void
dispatch(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    switch (ev->type) {
    case HA_EV_START:
        on_start(c, ev, out);
        break;
    case HA_EV_VIEW:
        on_view(c, ev, out);
        break;
    case HA_EV_QUORUM:
        on_quorum(c, ev, out);
        break;
    case HA_EV_MSG:
        on_msg(c, ev->msg.from, &ev->msg.msg, out);
        break;
    case HA_EV_LOCAL:
        consent_tell(&c->local, &ev->local, out);
        c->local = ev->local;
        break;
    case HA_EV_FENCE:
        on_fence(c, ev, out);
        break;
    case HA_EV_SUPPORTED:
        on_supported(c, ev);
        break;
    case HA_EV_PEER:
        on_peer(c, ev);
        break;
    case HA_EV_PROBED:
        on_probed(c, ev, out);
        break;
    case HA_EV_PERSIST_FAILED:
        core_tell(out, "disk: the record cannot be written; no vote is given");
        break;
    case HA_EV_TICK:
        break;
    case HA_EV_SWITCH:
        on_switch(c, ev, out);
        break;
    case HA_EV_SHUTDOWN:
        if (!c->leaving) {
            core_tell(out, "shutdown: asked for");
            c->leaving = true;
            c->leaving_since = c->now;
        }
        break;
    case HA_EV_CONSENT:
        consent_event(c, ev, out);
        break;
    case HA_EV_POLICY:
        c->policy = ev->policy;
        break;
    case HA_EV_FENCED:
        verdict_fenced(c, ev, out);
        break;
    case HA_EV_FORCE:
        force_event(c, ev, out);
        break;
    case HA_EV_PAUSE:
    case HA_EV_RESUME:
        pause_event(c, ev, out);
        break;
    }
}

/* Moves SENDs before DOs; each class keeps its order. */
static void
sort_actions(struct ha_actions *out)
{
    for (size_t i = 1; i < out->n; i++) {
        struct ha_action a = out->a[i];
        size_t j = i;

        if (a.type != HA_ACT_SEND) {
            continue;
        }
        for (; j > 0 && out->a[j - 1].type != HA_ACT_SEND; j--) {
            out->a[j] = out->a[j - 1];
        }
        out->a[j] = a;
    }
}

/* Learns how the PERSIST of the step before ended. */
static void
settle_disk(struct ha_core *c, const struct ha_event *ev)
{
    if (c->dirty && !c->disk_bad) {
        c->disk_bad = ev->type == HA_EV_PERSIST_FAILED;
        c->dirty = c->disk_bad;
    }
}

void
ha_step(struct ha_core *c, const struct ha_event *ev, struct ha_actions *out)
{
    out->n = 0;
    out->tell[0] = '\0';
    c->now = ev->now;
    c->random = ev->random;
    if (c->exited) {
        return;
    }
    c->wake = MONO_NEVER;
    settle_disk(c, ev);
    dispatch(c, ev, out);
    /* What the event itself asked for is not to be lost. */
    if (!out->n && member_persist(c, out)) {
        return;
    }
    role_run(c, out);
    pause_run(c, out);
    member_run(c, out);
    replica_run(c, out);
    coord_run(c, out);
    verdict_run(c, out);
    status_run(c, out);
    sort_actions(out);
}
