/* SPDX-License-Identifier: Apache-2.0 */

/* Nodes, the messages between them, and time. */

#include "tests/explore/model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/explore/intern.h"

#define FROZEN_TICKS 12 /* Then the fence worker kills a silent ovn-had. */

void
model_config(struct mconfig *cfg, uint32_t n, bool pair_fence, bool fine)
{
    memset(cfg, 0, sizeof *cfg);
    cfg->n = n;
    cfg->pair_fence = pair_fence;
    cfg->fine = fine;
    cfg->core = (struct ha_config){
        .lease_us = 4 * MODEL_TICK_US,
        .drift_ppm = 1000,
        .mute_us = MODEL_TICK_US,
        .grace_us = 3 * MODEL_TICK_US,
        .tail_us = 3 * MODEL_TICK_US,
        .open_us = 3 * MODEL_TICK_US,
        .retry_us = 4 * MODEL_TICK_US,
        .lag_us = 2 * MODEL_TICK_US,
    };
    cfg->policy.fence = pair_fence;
    cfg->policy.delay_us = MODEL_TICK_US;
    cfg->policy.stale_us = 8 * MODEL_TICK_US;
    for (uint32_t id = 1; id <= n; id++) {
        ha_set_add(&cfg->core.nodes, id);
    }
}

uint32_t
model_id(const struct model *m, const struct mnode *nd)
{
    return (uint32_t) (nd - m->node) + 1;
}

struct ha_set
model_set(uint8_t mask)
{
    struct ha_set set;

    memset(&set, 0, sizeof set);
    for (uint32_t id = 1; id <= MODEL_NODES; id++) {
        if (mask & mbit(id)) {
            ha_set_add(&set, id);
        }
    }
    return set;
}

bool
model_had_runs(const struct mnode *nd)
{
    return nd->up && nd->had && !nd->frozen;
}

bool
model_reaches(const struct model *m, const struct mnode *a,
              const struct mnode *b)
{
    return a->up && b->up
           && (m->s.comp[model_id(m, a) - 1] & mbit(model_id(m, b)));
}

void
model_say(const struct model *m, uint32_t id, const char *fmt, ...)
{
    char text[600];
    va_list args;

    if (m->tell) {
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        m->tell(m, id, text);
    }
}

/* ---- The core's loop -------------------------------------------------- */

void
model_post(struct model *m, struct mnode *nd, struct mitem item)
{
    if (!nd->up || !nd->had) {
        return;
    }
    if (nd->n_inbox == MODEL_INBOX) {
        model_had_crash(m, nd); /* As its fence worker would have it. */
        return;
    }
    nd->inbox[nd->n_inbox++] = item;
}

/* The event that 'it' stands for, as things are now. */
static void
make_event(struct model *m, struct mnode *nd, const struct mitem *it,
           struct ha_event *ev)
{
    memset(ev, 0, sizeof *ev);
    ev->type = it->kind;
    ev->now = m->now;
    switch (ev->type) {
    case HA_EV_START:
        ev->start.has_durable = nd->has_durable;
        ev->start.durable = nd->durable;
        break;
    case HA_EV_VIEW:
        ev->view.members = model_set(it->mask);
        break;
    case HA_EV_QUORUM:
        ev->quorum.quorate = it->flag;
        ev->quorum.members = model_set(it->mask);
        break;
    case HA_EV_MSG:
        ev->msg.from = it->node;
        ev->msg.msg = *model_msg(it->what);
        break;
    case HA_EV_LOCAL:
        local_facts(nd, &ev->local);
        break;
    case HA_EV_FENCE:
        local_fence_facts(nd, &ev->fence);
        break;
    case HA_EV_SUPPORTED:
        ev->supported.epoch = nd->fence.support;
        ev->supported.old_promise_left_us =
            lease_supporter_old_left_us(&nd->fence.supporter, m->now);
        break;
    case HA_EV_PEER:
        ev->peer.node = it->node;
        ev->peer.db = it->mask;
        local_peer_facts(m, nd, it->node, it->mask, &ev->peer.facts);
        break;
    case HA_EV_PROBED:
        ev->probed.token = it->what;
        break;
    case HA_EV_SWITCH:
    case HA_EV_CONSENT:
    case HA_EV_FORCE:
        ev->ctl.to = it->node;
        ev->ctl.request = it->what;
        break;
    case HA_EV_POLICY:
        ev->policy = m->cfg->policy;
        ev->policy.devices = m->cfg->core.nodes;
        ha_set_del(&ev->policy.devices, model_id(m, nd));
        break;
    case HA_EV_FENCED:
        ev->fenced.node = it->node;
        ev->fenced.proven = it->flag & 1;
        ev->fenced.vouched = it->flag & 2;
        break;
    case HA_EV_PERSIST_FAILED:
    case HA_EV_TICK:
    case HA_EV_SHUTDOWN:
        break;
    case HA_EV_PAUSE:
    case HA_EV_RESUME:
        assert(!"nobody pauses this cluster");
        break;
    }
}

/* Of all searches: a message on its way is a number. */
static struct intern messages;

const struct ha_msg *
model_msg(uint32_t number)
{
    static struct ha_msg msg;

    intern_get(&messages, number, &msg, sizeof msg);
    return &msg;
}

static void
send_message(struct model *m, struct mnode *nd, const struct ha_msg *msg)
{
    struct mshared *s = &m->s;

    judge_sent(m, nd, msg);
    if (!nd->joined) {
        return;
    }
    assert(s->n_queue < MODEL_QUEUE);
    s->queue[s->n_queue++] = (struct mentry){
        .msg = intern_put(&messages, msg, sizeof *msg),
        .from = (uint8_t) model_id(m, nd),
        .to = nd->view & s->comp[model_id(m, nd) - 1],
    };
}

static void
end_on_purpose(struct model *m, struct mnode *nd)
{
    model_say(m, model_id(m, nd), "ovn-had ends");
    local_power_off(nd);
    nd->had = nd->joined = false;
    nd->n_inbox = 0;
    nd->stopped = true;
}

static void
carry_out(struct model *m, struct mnode *nd, const struct ha_action *a)
{
    switch (a->type) {
    case HA_ACT_PERSIST:
        break;
    case HA_ACT_SEND:
        send_message(m, nd, &a->msg);
        break;
    case HA_ACT_FENCE_MEMBERS:
    case HA_ACT_FENCE_SUPPORT:
    case HA_ACT_FENCE_SERVE:
    case HA_ACT_FENCE_CLOSE:
        local_fence_do(m, nd, a);
        break;
    case HA_ACT_REPLICA:
        local_replica_command(m, nd, a);
        break;
    case HA_ACT_NORTHD:
    case HA_ACT_CONSENT:
        break;
    case HA_ACT_PROBE:
        model_post(m, nd,
                   (struct mitem){ .kind = HA_EV_PROBED, .what = a->token });
        break;
    case HA_ACT_REFUSED:
        model_say(m, model_id(m, nd), "refused: %s", ha_why_text(a->why));
        break;
    case HA_ACT_EXIT:
        end_on_purpose(m, nd);
        break;
    case HA_ACT_FENCE_NODE:
        nd->asked = true;
        break;
    case HA_ACT_FORGET:
        assert(!"nobody comes from another one");
        break;
    case HA_ACT_FENCE_ENDLESS:
        assert(!"nobody pauses this cluster");
        break;
    }
}

/* One event and all that the loop does about it. */
static void
take(struct model *m, struct mnode *nd, const struct mitem *it)
{
    static struct ha_event ev;
    static struct ha_actions acts;
    enum ha_state before = nd->core.state;

    make_event(m, nd, it, &ev);
    for (;;) {
        bool failed = nd->disk_bad;

        ha_step(&nd->core, &ev, &acts);
        m->steps++;
        judge_step(m, nd, before, &acts);
        if (!acts.n || acts.a[0].type != HA_ACT_PERSIST) {
            break;
        }
        if (!failed) {
            nd->has_durable = true;
            nd->durable = acts.a[0].durable;
            judge_persisted(m, nd);
        }
        before = nd->core.state;
        memset(&ev, 0, sizeof ev);
        ev.type = failed ? HA_EV_PERSIST_FAILED : HA_EV_TICK;
        ev.now = m->now;
    }
    for (size_t i = 0; i < acts.n && nd->had; i++) {
        carry_out(m, nd, &acts.a[i]);
    }
}

/* Until nobody has anything to do. */
static void
settle(struct model *m)
{
    bool busy = true;

    while (busy && !m->failed) {
        busy = false;
        FOR_EACH_MNODE(nd, m)
        {
            struct mitem it;

            if (!model_had_runs(nd)) {
                continue;
            }
            local_post(m, nd);
            if (!nd->n_inbox) {
                if (mono_before(m->now, nd->core.wake)) {
                    continue;
                }
                model_post(m, nd, (struct mitem){ .kind = HA_EV_TICK });
            }
            it = nd->inbox[0];
            nd->n_inbox--;
            memmove(nd->inbox, nd->inbox + 1, nd->n_inbox * sizeof it);
            memset(&nd->inbox[nd->n_inbox], 0, sizeof it);
            take(m, nd, &it);
            busy = true;
        }
    }
}

/* ---- Messages --------------------------------------------------------- */

static uint8_t
up_mask(const struct model *m)
{
    uint8_t mask = 0;

    FOR_EACH_MNODE(nd, (struct model *) m)
    {
        mask |= nd->up ? mbit(model_id(m, nd)) : 0;
    }
    return mask;
}

bool
model_stalled(const struct model *m, const struct mnode *nd)
{
    return nd->ring != (m->s.comp[model_id(m, nd) - 1] & up_mask(m));
}

static uint32_t
next_entry(const struct model *m)
{
    uint32_t i;

    for (i = 0; i < m->s.n_queue; i++) {
        const struct mentry *e = &m->s.queue[i];
        bool stalled = false;

        FOR_EACH_MNODE(nd, (struct model *) m)
        {
            stalled |= (e->to & mbit(model_id(m, nd))) && nd->up
                       && model_stalled(m, nd);
        }
        if (!stalled) {
            break;
        }
    }
    return i;
}

bool
model_idle(const struct model *m)
{
    return next_entry(m) == m->s.n_queue;
}

/* Takes the message out and gives it to all whom it is to reach. */
static void
deliver(struct model *m, uint32_t i)
{
    struct mshared *s = &m->s;
    struct mentry e = s->queue[i];

    s->n_queue--;
    memmove(&s->queue[i], &s->queue[i + 1],
            (s->n_queue - i) * sizeof s->queue[0]);
    memset(&s->queue[s->n_queue], 0, sizeof s->queue[0]);
    FOR_EACH_MNODE(nd, m)
    {
        if ((e.to & mbit(model_id(m, nd))) && nd->joined) {
            model_post(m, nd,
                       (struct mitem){
                           .kind = HA_EV_MSG, .node = e.from, .what = e.msg });
        }
    }
    settle(m);
}

/* ---- Time ------------------------------------------------------------- */

static void
had_start(struct model *m, struct mnode *nd)
{
    struct ha_config cfg = m->cfg->core;

    cfg.self = model_id(m, nd);
    ha_core_init(&nd->core, &cfg);
    nd->had = true;
    nd->frozen = 0;
    nd->view = 0;
    nd->n_inbox = 0;
    nd->asked = false;
    local_workers_restart(nd);
    model_post(m, nd, (struct mitem){ .kind = HA_EV_START });
    if (m->cfg->pair_fence) {
        model_post(m, nd, (struct mitem){ .kind = HA_EV_POLICY });
    }
    if (nd->fence.up) { /* It lived on, and is met before the group. */
        model_post(m, nd, (struct mitem){ .kind = HA_EV_FENCE });
    }
}

void
model_had_crash(struct model *m, struct mnode *nd)
{
    (void) m;
    nd->had = nd->joined = false;
    nd->ended = true;
    nd->frozen = 0;
    nd->n_inbox = 0;
    nd->view = 0;
    nd->asked = false;
    nd->fence.had_lost = 1;
    memset(nd->inbox, 0, sizeof nd->inbox);
    memset(&nd->core, 0, sizeof nd->core);
}

static void
start_what_ended(struct model *m)
{
    FOR_EACH_MNODE(nd, m)
    {
        if (nd->frozen && nd->frozen++ > FROZEN_TICKS) {
            model_say(m, model_id(m, nd), "the fence worker kills ovn-had");
            model_had_crash(m, nd);
        }
        if (nd->ended) {
            nd->ended = false; /* The others see it go before it returns. */
        } else if (nd->up && !nd->had && !nd->stopped) {
            had_start(m, nd);
        }
        if (nd->up && nd->had && !nd->fence.up) {
            local_fence_start(m, nd);
        }
        nd->joined = nd->had;
    }
}

/* Tells 'nd' of the membership and of the group, if they changed. */
static void
tell_view(struct model *m, struct mnode *nd)
{
    uint8_t ring = m->s.comp[model_id(m, nd) - 1] & up_mask(m);
    uint8_t view = 0;
    bool fresh = !nd->view;

    FOR_EACH_MNODE(peer, m)
    {
        if (peer->joined && (ring & mbit(model_id(m, peer)))) {
            view |= mbit(model_id(m, peer));
        }
    }
    if (nd->ring != ring || fresh) {
        nd->ring = ring;
        model_post(m, nd,
                   (struct mitem){ .kind = HA_EV_QUORUM,
                                   .mask = ring,
                                   .flag = (uint32_t) __builtin_popcount(ring)
                                           > m->cfg->n / 2 });
    }
    if (nd->view != view) {
        nd->view = view;
        model_post(m, nd, (struct mitem){ .kind = HA_EV_VIEW, .mask = view });
    }
}

/* New memberships.  What was under way in an old one ends before; what was
 * sent since it broke comes after, to those that are still with the sender. */
static void
form(struct model *m)
{
    struct mshared *s = &m->s;

    for (uint32_t i = 0; i < s->n_queue && !m->failed;) {
        if (s->queue[i].old) {
            deliver(m, i);
            i = 0;
        } else {
            i++;
        }
    }
    FOR_EACH_MNODE(nd, m)
    {
        if (nd->had) {
            tell_view(m, nd);
        } else if (nd->up) {
            nd->ring = s->comp[model_id(m, nd) - 1] & up_mask(m);
        }
    }
    for (uint32_t i = 0; i < s->n_queue; i++) {
        s->queue[i].to = m->node[s->queue[i].from - 1].view;
    }
    settle(m);
}

static void
answer_fencing(struct model *m)
{
    FOR_EACH_MNODE(nd, m)
    {
        uint32_t victim = 3 - model_id(m, nd);
        struct mnode *v = &m->node[victim - 1];

        if (!nd->asked || !nd->up || !nd->had || nd->frozen) {
            continue;
        }
        nd->asked = false;
        if (!nd->device_bad && v->up) {
            model_say(m, victim, "fenced");
            events_apply(m, (struct mchoice){ .kind = MODEL_POWER,
                                              .node = (uint8_t) victim });
        }
        model_post(m, nd,
                   (struct mitem){ .kind = HA_EV_FENCED,
                                   .node = (uint8_t) victim,
                                   .flag = !nd->device_bad });
    }
}

static void
pass_time(struct model *m)
{
    m->now = mono_add_us(m->now, MODEL_TICK_US);
    start_what_ended(m);
    form(m);
    local_fence_tick(m);
    settle(m);
    local_replica_tick(m);
    answer_fencing(m);
    FOR_EACH_MNODE(nd, m)
    {
        if (model_had_runs(nd)) {
            model_post(m, nd, (struct mitem){ .kind = HA_EV_TICK });
        }
    }
    settle(m);
}

static void
run(struct model *m)
{
    if (!model_idle(m)) {
        deliver(m, next_entry(m));
    } else {
        pass_time(m);
    }
}

void
model_apply(struct model *m, struct mchoice c)
{
    m->now = (mono_t){ MODEL_NOW };
    if (c.kind == MODEL_RUN) {
        run(m);
    } else {
        m->s.events++;
        events_apply(m, c);
        settle(m);
    }
    while (!m->cfg->fine && !m->failed && !model_idle(m)) {
        deliver(m, next_entry(m));
    }
    judge_doors(m);
}

void
model_init(struct model *m, const struct mconfig *cfg)
{
    memset(m, 0, sizeof *m);
    m->cfg = cfg;
    m->now = (mono_t){ MODEL_NOW };
    m->s.planned = true;
    m->s.next_rec = 1;
    for (uint32_t i = 0; i < cfg->n; i++) {
        m->s.comp[i] = (uint8_t) ((1u << cfg->n) - 1);
        m->node[i].up = true;
    }
}
