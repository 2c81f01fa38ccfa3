/* SPDX-License-Identifier: Apache-2.0 */

/* The fence worker: the door, and beats with the real lease. */

#include "tests/explore/model.h"

#include <assert.h>
#include <string.h>

static const struct ha_epoch no_epoch;

static bool
epoch_same(struct ha_epoch a, struct ha_epoch b)
{
    return !ha_epoch_cmp(a, b);
}

/* ---- The door --------------------------------------------------------- */

bool
local_lets_out(const struct model *m, const struct mnode *nd)
{
    return nd->up && nd->door_open && mono_before(m->now, nd->kernel_until);
}

static bool
fence_runs(const struct mnode *nd)
{
    return nd->up && nd->fence.up && !nd->fence.slow;
}

static void
answer_support(struct model *m, struct mnode *nd)
{
    nd->fence.pending = false;
    nd->fence.answer = true;
    model_post(m, nd, (struct mitem){ .kind = HA_EV_SUPPORTED });
}

static void
door_closed(struct model *m, struct mnode *nd)
{
    struct mfence *f = &nd->fence;

    if (nd->door_open) {
        model_say(m, model_id(m, nd), "door: closed");
    }
    nd->door_open = false;
    nd->door_epoch = no_epoch;
    nd->kernel_until = (mono_t){ 0 };
    f->closing = false;
    f->proven = f->answer = true;
    if (f->pending) {
        answer_support(m, nd);
    }
}

/* Takes no time, unless an event has it so. */
static void
close_door(struct model *m, struct mnode *nd)
{
    struct mfence *f = &nd->fence;

    f->serve = no_epoch;
    f->answer = true;
    lease_holder_stop(&f->holder);
    if (nd->door_open && f->sticky) {
        f->closing = true;
    } else {
        door_closed(m, nd);
    }
}

static void
open_door(struct model *m, struct mnode *nd)
{
    struct mfence *f = &nd->fence;

    if (!f->serve.n || nd->server_down || f->closing
        || !lease_holder_alive(&f->holder, m->now)) {
        return;
    }
    if (!nd->door_open) {
        model_say(m, model_id(m, nd), "door: open (epoch %u.%u)", f->serve.n,
                  f->serve.node);
        f->answer = true;
    }
    nd->door_open = true;
    nd->door_epoch = f->serve;
    f->proven = false;
    nd->kernel_until = lease_holder_until(&f->holder);
    judge_doors(m);
}

/* ---- Beats ------------------------------------------------------------ */

/* Beats are answered at once or never, so nobody has to remember their
 * numbers. */
static void
forget_beats(struct model *m, struct lease_holder *h)
{
    memset(h->ring, 0, sizeof h->ring);
    h->seq = 0;
    h->first_seq = 1;
    for (uint32_t i = 0; i < h->n_peers; i++) {
        h->peers[i].seq = 0;
    }
    FOR_EACH_MNODE(peer, m)
    {
        peer->fence.supporter.seq = 0;
    }
}

static void
beat(struct model *m, struct mnode *nd)
{
    struct mfence *f = &nd->fence;
    struct lease_beat b = lease_holder_beat(&f->holder, m->now);

    FOR_EACH_MNODE(peer, m)
    {
        if (peer != nd && model_reaches(m, nd, peer) && fence_runs(peer)
            && lease_supporter_beat(&peer->fence.supporter, model_id(m, nd),
                                    &b, m->now)
                   == LEASE_ACK) {
            lease_holder_ack(&f->holder, model_id(m, peer), &b);
        }
    }
    forget_beats(m, &f->holder);
    open_door(m, nd);
}

/* A worker that hangs is soon well again, or killed by its supervisor. */
static void
fence_wait(struct model *m, struct mnode *nd)
{
    struct mfence *f = &nd->fence;

    if (!f->slow || --f->slow) {
        return;
    }
    if (f->dies) {
        local_fence_crash(nd);
        return;
    }
    model_say(m, model_id(m, nd), "the fence worker goes on");
    for (uint32_t i = 0; i < f->n_asked; i++) {
        struct ha_action a = { .type = f->asked[i].type };

        if (a.type == HA_ACT_FENCE_MEMBERS) {
            a.set = model_set((uint8_t) f->asked[i].mask);
        } else {
            a.epoch = f->asked[i].epoch;
        }
        local_fence_do(m, nd, &a);
    }
    f->n_asked = 0;
    memset(f->asked, 0, sizeof f->asked);
}

void
local_fence_tick(struct model *m)
{
    FOR_EACH_MNODE(nd, m)
    {
        fence_wait(m, nd);
        if (!fence_runs(nd)) {
            continue;
        }
        if (nd->fence.sticky && !--nd->fence.sticky && nd->fence.closing) {
            door_closed(m, nd);
        }
        if (nd->door_open && !nd->fence.closing
            && !lease_holder_alive(&nd->fence.holder, m->now)) {
            model_say(m, model_id(m, nd), "the lease ran out");
            close_door(m, nd);
        }
        if (nd->had) {
            nd->fence.had_lost = 0;
        } else if (nd->fence.serve.n
                   && nd->fence.had_lost++ * MODEL_TICK_US
                          > m->cfg->core.lease_us) {
            model_say(m, model_id(m, nd), "ovn-had did not come back");
            close_door(m, nd);
        }
    }
    FOR_EACH_MNODE(nd, m)
    {
        if (fence_runs(nd) && nd->fence.serve.n) {
            beat(m, nd);
        }
    }
}

/* ---- Commands to the fence worker -------------------------------------- */

static void
do_support(struct model *m, struct mnode *nd, struct ha_epoch epoch)
{
    struct mfence *f = &nd->fence;

    f->answer = true;
    if (lease_supporter_support(&f->supporter, epoch)) {
        return;
    }
    f->support = epoch;
    if (!epoch_same(f->serve, epoch)) {
        close_door(m, nd);
    }
    f->pending = true;
    if (!f->closing) {
        answer_support(m, nd);
    }
}

static void
do_serve(struct model *m, struct mnode *nd, struct ha_epoch epoch)
{
    struct mfence *f = &nd->fence;

    f->answer = true;
    if (epoch.node != model_id(m, nd) || epoch_same(epoch, f->serve)
        || lease_supporter_support(&f->supporter, epoch)) {
        return;
    }
    if (f->serve.n) {
        close_door(m, nd);
    }
    f->serve = epoch;
    lease_holder_start(&f->holder, epoch);
    beat(m, nd);
}

static uint8_t
mask_of(const struct ha_set *set)
{
    uint8_t mask = 0;

    for (uint32_t i = 0; i < set->n; i++) {
        mask |= mbit(set->id[i]);
    }
    return mask;
}

void
local_fence_do(struct model *m, struct mnode *nd, const struct ha_action *a)
{
    struct mfence *f = &nd->fence;

    if (!f->up) {
        return;
    }
    if (f->slow) {
        assert(f->n_asked < MODEL_ASKED);
        f->asked[f->n_asked].type = a->type;
        if (a->type == HA_ACT_FENCE_MEMBERS) {
            f->asked[f->n_asked].mask = mask_of(&a->set);
        } else {
            f->asked[f->n_asked].epoch = a->epoch;
        }
        f->n_asked++;
    } else if (a->type == HA_ACT_FENCE_MEMBERS) {
        lease_supporter_set_members(&f->supporter, a->set.id, a->set.n);
    } else if (a->type == HA_ACT_FENCE_SUPPORT) {
        do_support(m, nd, a->epoch);
    } else if (a->type == HA_ACT_FENCE_SERVE) {
        do_serve(m, nd, a->epoch);
    } else {
        close_door(m, nd);
    }
}

void
local_fence_start(struct model *m, struct mnode *nd)
{
    const struct ha_config *cfg = &m->cfg->core;
    struct mfence *f = &nd->fence;
    uint32_t peers[MODEL_NODES];
    uint32_t n = 0;
    uint64_t life = f->life + 1;

    memset(f, 0, sizeof *f);
    f->up = true;
    f->life = life;
    for (uint32_t id = 1; id <= m->cfg->n; id++) {
        if (id != model_id(m, nd)) {
            peers[n++] = id;
        }
    }
    lease_holder_init(&f->holder, life);
    lease_holder_set(&f->holder, cfg->lease_us,
                     m->cfg->pair_fence ? 0 : m->cfg->n / 2, peers, n);
    lease_supporter_init(&f->supporter, cfg->lease_us,
                         (uint32_t) cfg->drift_ppm, m->now);
    close_door(m, nd);
}

/* The door stays as it is. */
void
local_fence_crash(struct mnode *nd)
{
    uint64_t life = nd->fence.life;

    memset(&nd->fence, 0, sizeof nd->fence);
    nd->fence.life = life;
}

void
local_fence_facts(const struct mnode *nd, struct ha_fence *ret)
{
    const struct mfence *f = &nd->fence;

    memset(ret, 0, sizeof *ret);
    if (!f->up) {
        return;
    }
    ret->connected = true;
    ret->serve = f->serve;
    ret->support = f->supporter.epoch;
    ret->open = nd->door_open;
    ret->closed = f->proven && !nd->door_open;
}
