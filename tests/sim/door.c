/* SPDX-License-Identifier: Apache-2.0 */

/* The fence worker: beats, promises and the door, around fence/lease.
 *
 * The door is the node's, not the process's: it stays open when the worker
 * dies or freezes, and then only the kernel-held lease (DESIGN.md) stops
 * replies from leaving, or a watchdog. */

#include "tests/sim/sim.h"

#include <string.h>

static void take_item(struct world *, struct node *,
                      const struct fence_item *);

bool
fence_runs(const struct node *nd)
{
    return node_runs(nd) && nd->fence.alive && !nd->fence.frozen;
}

bool
door_lets_out(const struct world *w, const struct node *nd)
{
    return nd->up && !nd->frozen && nd->door_open
           && (w->opt.watchdog || node_clock(w, nd).us < nd->kernel_until);
}

#define MARGIN_MAX_US (250 * MS)
#define SILENT_LEASES 3

/* The door begins to close that long before the lease ends. */
static int64_t
margin_us(const struct world *w)
{
    int64_t quarter = w->cfg.lease_us / 4;

    return quarter < MARGIN_MAX_US ? quarter : MARGIN_MAX_US;
}

static bool
lease_lives(const struct world *w, const struct node *nd)
{
    return lease_holder_alive(&nd->fence.holder,
                              mono_add_us(node_clock(w, nd), margin_us(w)));
}

/* ---- To ovn-had ------------------------------------------------------- */

static void
fence_answer(struct world *w, struct node *nd, uint64_t had_life, void *ptr)
{
    if (nd->had.alive && nd->had.life == had_life) {
        had_post(w, nd, ptr);
    }
}

static void
send_up(struct world *w, struct node *nd, const struct ha_event *ev)
{
    struct ha_event *copy = world_alloc(w, sizeof *copy);

    *copy = *ev;
    world_in(w, 100, fence_answer, nd, nd->had.life, copy);
}

static void
post_state(struct world *w, struct node *nd)
{
    const struct fence *f = &nd->fence;
    struct ha_event ev;

    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_FENCE;
    if (f->alive && f->had_connected) {
        ev.fence.connected = true;
        ev.fence.serve = f->serve;
        ev.fence.support = f->supporter.epoch;
        ev.fence.open = f->door == WIRE_DOOR_OPEN;
        ev.fence.closed =
            f->proven
            && (f->door == WIRE_DOOR_CLOSED || f->door == WIRE_DOOR_WAITING);
        ev.fence.endless = f->holder.end != LEASE_ORDINARY;
        ev.fence.endless_token = f->endless_token;
    }
    if (!nd->had.alive
        || (!f->answer_due
            && !memcmp(&ev.fence, &nd->had.last_fence, sizeof ev.fence))) {
        return;
    }
    nd->fence.answer_due = false;
    nd->had.last_fence = ev.fence;
    send_up(w, nd, &ev);
}

static void
answer_support(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;
    struct ha_event ev;

    f->support_pending = false;
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_SUPPORTED;
    ev.supported.epoch = f->support_epoch;
    ev.supported.old_promise_left_us =
        lease_supporter_old_left_us(&f->supporter, node_clock(w, nd));
    post_state(w, nd);
    send_up(w, nd, &ev);
}

/* ---- The door --------------------------------------------------------- */

static void
door_closed(struct world *w, struct node *nd, uint64_t seq, void *ptr)
{
    struct fence *f = &nd->fence;

    (void) ptr;
    if (!fence_runs(nd) || f->door != WIRE_DOOR_CLOSING
        || f->door_seq != seq) {
        return;
    }
    if (w->now < nd->door_stuck_until) {
        world_in(w, 50 * MS, door_closed, nd, seq, NULL);
        return;
    }
    if (nd->door_open) {
        tell(w, nd, "door: closed (epoch %u.%u)", nd->door_epoch.n,
             nd->door_epoch.node);
    }
    nd->door_open = false;
    nd->kernel_until = INT64_MIN;
    watchdog_disarm(nd);
    f->proven = true;
    f->door = epoch_none(f->serve) ? WIRE_DOOR_CLOSED : WIRE_DOOR_WAITING;
    if (f->support_pending) {
        answer_support(w, nd);
    }
    post_state(w, nd);
}

/* Stops serving: ends every session and kills northd; done after a few
 * milliseconds. */
static void
close_door(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;

    f->serve = (struct ha_epoch){ 0, 0 };
    lease_holder_stop(&f->holder);
    northd_kill(w, nd);
    if (f->door == WIRE_DOOR_CLOSING
        || (f->proven
            && (f->door == WIRE_DOOR_CLOSED
                || f->door == WIRE_DOOR_WAITING))) {
        if (f->door == WIRE_DOOR_WAITING) {
            f->door = WIRE_DOOR_CLOSED;
        }
        post_state(w, nd);
        return;
    }
    f->door = WIRE_DOOR_CLOSING;
    f->door_seq++;
    post_state(w, nd);
    world_in(w, rnd_in(w, 500, 8000), door_closed, nd, f->door_seq, NULL);
}

static void lease_timer(struct world *, struct node *, uint64_t, void *);

static void
watch_lease(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;
    mono_t until = lease_holder_until(&f->holder);

    if (!f->lease_timer && until.us != MONO_NEVER.us
        && until.us != MONO_MIN.us) {
        f->lease_timer = true;
        until = mono_add_us(until, -margin_us(w));
        world_at(w, node_god_time(w, nd, until), lease_timer, nd, f->life,
                 NULL);
    }
}

static void
lease_timer(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct fence *f = &nd->fence;

    (void) ptr;
    if (!f->alive || f->life != life) {
        return;
    }
    f->lease_timer = false;
    if (!fence_runs(nd)) {
        return;
    }
    if (lease_lives(w, nd)) {
        watch_lease(w, nd);
    } else if (f->door == WIRE_DOOR_OPEN || f->door == WIRE_DOOR_OPENING) {
        tell(w, nd, "fence: the lease of epoch %u.%u ran out", f->serve.n,
             f->serve.node);
        close_door(w, nd);
    }
}

/* The kernel lets packets out as long as the lease lives. */
static void
renew_kernel(struct world *w, struct node *nd)
{
    nd->kernel_until = lease_holder_until(&nd->fence.holder).us;
    watchdog_feed(w, nd);
    watch_lease(w, nd);
    oracle_doors(w);
}

static void
door_opened(struct world *w, struct node *nd, uint64_t seq, void *ptr)
{
    struct fence *f = &nd->fence;

    (void) ptr;
    if (!fence_runs(nd) || f->door != WIRE_DOOR_OPENING
        || f->door_seq != seq) {
        return;
    }
    nd->door_open = true;
    nd->door_epoch = f->serve;
    f->proven = false;
    if (!lease_lives(w, nd)) {
        close_door(w, nd);
        return;
    }
    tell(w, nd, "door: open (epoch %u.%u)", f->serve.n, f->serve.node);
    f->door = WIRE_DOOR_OPEN;
    renew_kernel(w, nd);
    post_state(w, nd);
}

static void
open_door_if_alive(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;

    if (f->door != WIRE_DOOR_WAITING || !f->proven || !nd->db[0].server_up
        || !nd->db[1].server_up || !lease_lives(w, nd)) {
        return;
    }
    f->door = WIRE_DOOR_OPENING;
    f->door_seq++;
    watch_lease(w, nd);
    world_in(w, rnd_in(w, 500, 8000), door_opened, nd, f->door_seq, NULL);
}

/* ---- Beats ------------------------------------------------------------ */

struct datagram {
    uint32_t from;
    bool ack;
    struct lease_beat beat;
};

static void
datagram_arrives(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    const struct datagram *d = ptr;
    struct fence_item item;

    (void) arg;
    if (!nd->up || !nd->fence.alive) {
        return;
    }
    memset(&item, 0, sizeof item);
    item.cmd = d->ack ? F_ACK : F_BEAT;
    item.from = d->from;
    item.beat = d->beat;
    take_item(w, nd, &item);
}

static void
send_datagram(struct world *w, struct node *from, struct node *to,
              const struct lease_beat *beat, bool ack)
{
    struct datagram *d;

    if (!net_reaches(w, from, to) || w->beat_cut[from->id - 1][to->id - 1]
        || rnd_chance(w, w->beat_loss + 1)) {
        return;
    }
    d = world_alloc(w, sizeof *d);
    *d = (struct datagram){ from->id, ack, *beat };
    world_in(w, net_delay(w), datagram_arrives, to, 0, d);
    if (rnd_chance(w, 5)) {
        world_in(w, rnd_in(w, 0, 2500) * MS, datagram_arrives, to, 0, d);
    }
}

static void
send_beat(struct world *w, struct node *nd)
{
    struct lease_beat beat;

    beat = lease_holder_beat(&nd->fence.holder, node_clock(w, nd));
    FOR_EACH_NODE(to, w)
    {
        if (to != nd) {
            send_datagram(w, nd, to, &beat, false);
        }
    }
}

/* Patience with ovn-had: a dead one has a lease to come back, a silent one is
 * killed. */
static void
watch_had(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;

    if (f->had_connected
        && w->now - f->heard_at > SILENT_LEASES * w->cfg.lease_us) {
        tell(w, nd, "fence: kills ovn-had, which is silent");
        had_crash(w, nd, false);
        had_restart(w, nd);
    } else if (!f->had_connected && !epoch_none(f->serve)
               && f->holder.end == LEASE_ORDINARY
               && w->now - f->had_lost_at > w->cfg.lease_us) {
        tell(w, nd, "fence: ovn-had did not come back within a lease");
        close_door(w, nd);
    }
}

/* The ordinary lease is taken once it is live. */
static void
settle_lease(struct world *w, struct node *nd)
{
    if (lease_holder_settle(&nd->fence.holder,
                            mono_add_us(node_clock(w, nd), margin_us(w)))) {
        tell(w, nd, "fence: the lease of epoch %u.%u has an end again",
             nd->fence.serve.n, nd->fence.serve.node);
        if (nd->fence.door == WIRE_DOOR_OPEN) {
            renew_kernel(w, nd);
        }
        post_state(w, nd);
    }
}

static void
beat_timer(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct fence *f = &nd->fence;

    (void) ptr;
    if (!f->alive || f->life != life || !nd->up) {
        return;
    }
    if (fence_runs(nd)) {
        watch_had(w, nd);
        if (!epoch_none(f->serve)) {
            send_beat(w, nd);
            settle_lease(w, nd);
            open_door_if_alive(w, nd);
        }
        if (f->door == WIRE_DOOR_OPEN && f->holder.end != LEASE_ORDINARY) {
            watchdog_feed(w, nd);
        }
    }
    world_in(w, w->beat_us, beat_timer, nd, life, NULL);
}

static void
take_beat(struct world *w, struct node *nd, const struct fence_item *item)
{
    struct node *from = world_node(w, item->from);

    if (lease_supporter_beat(&nd->fence.supporter, item->from, &item->beat,
                             node_clock(w, nd))
        == LEASE_ACK) {
        send_datagram(w, nd, from, &item->beat, true);
    }
}

static void
take_ack(struct world *w, struct node *nd, const struct fence_item *item)
{
    struct fence *f = &nd->fence;

    if (!lease_holder_ack(&f->holder, item->from, &item->beat)) {
        return;
    }
    settle_lease(w, nd);
    if (f->door == WIRE_DOOR_OPEN) {
        if (lease_lives(w, nd)) {
            renew_kernel(w, nd);
        } else {
            close_door(w, nd);
        }
    } else {
        open_door_if_alive(w, nd);
    }
}

/* ---- Commands --------------------------------------------------------- */

static void
take_support(struct world *w, struct node *nd, struct ha_epoch epoch)
{
    struct fence *f = &nd->fence;

    f->answer_due = true;
    if (lease_supporter_support(&f->supporter, epoch)) {
        post_state(w, nd);
        return;
    }
    f->support_epoch = epoch;
    f->support_pending = true;
    if (!epoch_same(f->serve, epoch)) {
        close_door(w, nd);
    }
    if (f->door == WIRE_DOOR_CLOSING
        || (!f->proven && f->door != WIRE_DOOR_OPEN)) {
        close_door(w, nd);
        return;
    }
    answer_support(w, nd);
}

static void
take_serve(struct world *w, struct node *nd, struct ha_epoch epoch)
{
    struct fence *f = &nd->fence;

    f->answer_due = true;
    if (epoch.node != nd->id || epoch_same(epoch, f->serve)
        || lease_supporter_support(&f->supporter, epoch)) {
        post_state(w, nd);
        return;
    }
    if (!epoch_none(f->serve)) {
        close_door(w, nd);
    }
    f->serve = epoch;
    lease_holder_start(&f->holder, epoch);
    if (f->door == WIRE_DOOR_CLOSED) {
        f->door = WIRE_DOOR_WAITING;
    }
    send_beat(w, nd);
    open_door_if_alive(w, nd);
    post_state(w, nd);
}

static void
take_endless(struct world *w, struct node *nd, const struct fence_item *item)
{
    struct fence *f = &nd->fence;

    f->answer_due = true;
    f->endless_token = item->token;
    if (!epoch_none(f->serve) && epoch_same(item->epoch, f->serve)) {
        lease_holder_set_endless(&f->holder, item->on);
        if (f->door == WIRE_DOOR_OPEN) {
            renew_kernel(w, nd);
        }
        settle_lease(w, nd);
    }
    post_state(w, nd);
}

static void
take_item(struct world *w, struct node *nd, const struct fence_item *item)
{
    struct fence *f = &nd->fence;

    if (!fence_runs(nd)) {
        /* A socket's buffer keeps what fits in. */
        if (item->cmd < F_BEAT || f->queue_n < 32) {
            struct fence_item *copy = world_alloc(w, sizeof *copy);

            *copy = *item;
            copy->next = NULL;
            *f->queue_tail = copy;
            f->queue_tail = &copy->next;
            f->queue_n++;
        }
        return;
    }
    switch (item->cmd) {
    case F_MEMBERS:
        lease_supporter_set_members(&f->supporter, item->set.id, item->set.n);
        break;
    case F_SUPPORT:
        take_support(w, nd, item->epoch);
        break;
    case F_SERVE:
        take_serve(w, nd, item->epoch);
        break;
    case F_CLOSE:
        f->answer_due = true;
        close_door(w, nd);
        break;
    case F_ENDLESS:
        take_endless(w, nd, item);
        break;
    case F_BEAT:
        take_beat(w, nd, item);
        break;
    case F_ACK:
        take_ack(w, nd, item);
        break;
    }
}

static void
command_arrives(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    const struct fence_item *item = ptr;

    if (nd->up && nd->fence.alive && nd->fence.life == life) {
        take_item(w, nd, item);
    }
}

static void
send_item(struct world *w, struct node *nd, struct fence_item *item)
{
    item->had_life = nd->had.life;
    world_in(w, 100, command_arrives, nd, nd->fence.life, item);
}

void
fence_order_endless(struct world *w, struct node *nd,
                    const struct ha_action *a)
{
    struct fence_item *item;

    if (nd->fence.alive && nd->fence.had_connected) {
        item = world_alloc(w, sizeof *item);
        item->cmd = F_ENDLESS;
        item->epoch = a->endless.epoch;
        item->on = a->endless.on;
        item->token = a->endless.token;
        send_item(w, nd, item);
    }
}

void
fence_command(struct world *w, struct node *nd, enum fence_cmd cmd,
              struct ha_epoch epoch, const struct ha_set *set)
{
    struct fence_item *item;

    if (!nd->fence.alive || !nd->fence.had_connected) {
        return;
    }
    item = world_alloc(w, sizeof *item);
    item->cmd = cmd;
    item->epoch = epoch;
    if (set) {
        item->set = *set;
    }
    send_item(w, nd, item);
}

/* ---- Life ------------------------------------------------------------- */

static void
begin_work(struct world *w, struct node *nd, uint64_t had_life, void *ptr)
{
    struct fence *f = &nd->fence;
    mono_t now = node_clock(w, nd);
    uint32_t peers[HA_MAX_NODES];
    uint32_t n = 0;

    (void) ptr;
    if (!nd->up || !nd->had.alive || nd->had.life != had_life || f->alive) {
        return;
    }
    f->alive = true;
    f->frozen = false;
    f->life++;
    FOR_EACH_NODE(peer, w)
    {
        if (peer != nd) {
            peers[n++] = peer->id;
        }
    }
    lease_holder_init(&f->holder, (uint64_t) now.us);
    lease_holder_set(&f->holder, w->cfg.lease_us,
                     w->policy.fence ? 0 : w->n / 2, peers, n);
    lease_supporter_init(&f->supporter, w->cfg.lease_us,
                         (uint32_t) w->cfg.drift_ppm, now);
    f->serve = (struct ha_epoch){ 0, 0 };
    f->support_pending = false;
    f->endless_token = 0;
    f->lease_timer = false;
    f->heard_at = w->now;
    f->queue = NULL;
    f->queue_tail = &f->queue;
    f->queue_n = 0;
    f->door = WIRE_DOOR_CLOSED;
    f->proven = false;
    close_door(w, nd);
    world_in(w, rnd_in(w, 1, w->beat_us), beat_timer, nd, f->life, NULL);
    fence_connect(w, nd);
    bmc_start(w, nd);
}

/* ovn-had starts it. */
void
fence_start(struct world *w, struct node *nd)
{
    world_in(w, rnd_in(w, 10, 60) * MS, begin_work, nd, nd->had.life, NULL);
}

/* A (new) ovn-had and the worker meet. */
void
fence_connect(struct world *w, struct node *nd)
{
    nd->fence.had_connected = true;
    nd->fence.heard_at = w->now;
    post_state(w, nd);
    if (nd->had.members_set) {
        const struct ha_epoch none = { 0, 0 };

        fence_command(w, nd, F_MEMBERS, none, &nd->had.members);
    }
}

void
fence_had_lost(struct world *w, struct node *nd)
{
    nd->fence.had_connected = false;
    nd->fence.had_lost_at = w->now;
}

static void
start_again(struct world *w, struct node *nd, uint64_t had_life, void *ptr)
{
    (void) ptr;
    if (nd->up && nd->had.alive && nd->had.life == had_life
        && !nd->fence.alive) {
        fence_start(w, nd);
    }
}

/* The door stays as it is. */
void
fence_crash(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;

    if (!f->alive) {
        return;
    }
    f->alive = false;
    f->frozen = false;
    f->had_connected = false;
    f->serve = (struct ha_epoch){ 0, 0 };
    f->door = WIRE_DOOR_CLOSED;
    f->door_seq++;
    bmc_crash(w, nd);
    if (nd->up && nd->had.alive) {
        tell(w, nd, "== the fence worker crashes");
        post_state(w, nd);
        world_in(w, rnd_in(w, 20, 300) * MS, start_again, nd, nd->had.life,
                 NULL);
    }
}

/* The service is stopped: it closes, and ends. */
void
fence_stop(struct world *w, struct node *nd)
{
    fence_crash(w, nd);
    nd->fence.alive = false;
    nd->door_open = false;
    nd->kernel_until = INT64_MIN;
    watchdog_disarm(nd);
}

void
fence_freeze(struct world *w, struct node *nd)
{
    nd->fence.frozen = true;
    nd->fence.frozen_at = w->now;
}

/* What waited while it could not run. */
void
fence_resume(struct world *w, struct node *nd)
{
    struct fence *f = &nd->fence;
    struct fence_item *item = f->queue;

    if (!fence_runs(nd)) {
        return;
    }
    f->queue = NULL;
    f->queue_tail = &f->queue;
    f->queue_n = 0;
    if (w->now - f->heard_at > w->cfg.lease_us) {
        /* ovn-had may not have run either. */
        f->heard_at = w->now - w->cfg.lease_us;
    }
    if ((f->door == WIRE_DOOR_OPEN || f->door == WIRE_DOOR_OPENING)
        && !lease_lives(w, nd)) {
        close_door(w, nd);
    } else if (f->door == WIRE_DOOR_CLOSING) {
        world_in(w, rnd_in(w, 500, 8000), door_closed, nd, f->door_seq, NULL);
    } else if (f->door == WIRE_DOOR_OPENING) {
        world_in(w, rnd_in(w, 500, 8000), door_opened, nd, f->door_seq, NULL);
    }
    watch_lease(w, nd);
    for (; item; item = item->next) {
        take_item(w, nd, item);
    }
}

void
fence_thaw(struct world *w, struct node *nd)
{
    nd->fence.frozen = false;
    fence_resume(w, nd);
}
