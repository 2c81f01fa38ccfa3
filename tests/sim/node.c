/* SPDX-License-Identifier: Apache-2.0 */

/* Machines, and on each the supervisor's loop around the core: one event at
 * a time, its actions in the order of their classes, a crash possible before
 * each of them. */

#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US (50 * MS)

static void had_run(struct world *, struct node *, uint64_t life, void *);

bool
node_runs(const struct node *nd)
{
    return nd->up && !nd->frozen;
}

bool
had_runs(const struct node *nd)
{
    return node_runs(nd) && nd->had.alive && !nd->had.frozen;
}

/* ---- Inbox ------------------------------------------------------------ */

static void
inbox_grow(struct had *h)
{
    size_t allocated = h->allocated * 2 + 16;
    struct ha_event *inbox = malloc(allocated * sizeof *inbox);

    if (!inbox) {
        abort();
    }
    for (size_t i = 0; i < h->n; i++) {
        inbox[i] = h->inbox[(h->head + i) % h->allocated];
    }
    free(h->inbox);
    h->inbox = inbox;
    h->allocated = allocated;
    h->head = 0;
}

void
had_post(struct world *w, struct node *nd, const struct ha_event *ev)
{
    struct had *h = &nd->had;

    if (!h->alive || !nd->up) {
        return;
    }
    if (h->n == h->allocated) {
        inbox_grow(h);
    }
    h->inbox[(h->head + h->n++) % h->allocated] = *ev;
    world_at(w, w->now, had_run, nd, h->life, NULL);
}

static void
tick(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct ha_event ev;

    (void) ptr;
    if (!nd->had.alive || nd->had.life != life) {
        return;
    }
    if (had_runs(nd) && w->now >= nd->had.busy_until) {
        nd->fence.heard_at = w->now;
    }
    if (had_runs(nd) && nd->fence.alive && nd->fence.frozen
        && w->now - nd->fence.frozen_at > w->cfg.lease_us / 2) {
        tell(w, nd, "kills the fence worker, which is silent");
        fence_crash(w, nd);
    }
    if (had_runs(nd) && !nd->had.tick_queued) {
        nd->had.tick_queued = true;
        memset(&ev, 0, sizeof ev);
        ev.type = HA_EV_TICK;
        had_post(w, nd, &ev);
    }
    world_in(w, TICK_US, tick, nd, life, NULL);
}

/* ---- Actions ---------------------------------------------------------- */

static void
persist_done(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct had *h = &nd->had;

    (void) ptr;
    if (!h->alive || h->life != life || !h->persisting) {
        return;
    }
    h->persist_done = true;
    if (w->now < nd->disk.fails_until) {
        h->persist_failed = true;
    } else {
        nd->disk.has_durable = true;
        nd->disk.durable = h->acts.a[h->next_act].durable;
        oracle_persisted(w, nd);
    }
    had_run(w, nd, life, NULL);
}

static void
start_persist(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    int64_t us = rnd_in(w, 200, 1500);

    if (w->now < nd->disk.slow_until) {
        us = rnd_in(w, 50, 900) * MS;
    }
    h->persisting = true;
    h->persist_done = h->persist_failed = false;
    world_in(w, us, persist_done, nd, h->life, NULL);
}

/* ovn-had ends on purpose, and takes along what it started. */
static void
leave(struct world *w, struct node *nd)
{
    tell(w, nd, "ovn-had ends; the node is stopped");
    group_leave(w, nd);
    nd->had.alive = false;
    fence_stop(w, nd);
    northd_kill(w, nd);
    replica_down(w, nd);
    nd->db[HA_NB].server_up = nd->db[HA_SB].server_up = false;
    nd->stopped = true;
}

static void
carry_out(struct world *w, struct node *nd, const struct ha_action *a)
{
    const struct ha_epoch none = { 0, 0 };

    switch (a->type) {
    case HA_ACT_PERSIST:
        break;
    case HA_ACT_SEND:
        oracle_sent(w, nd, &a->msg);
        group_send(w, nd, &a->msg);
        break;
    case HA_ACT_FENCE_MEMBERS:
        nd->had.members = a->set;
        nd->had.members_set = true;
        fence_command(w, nd, F_MEMBERS, none, &a->set);
        break;
    case HA_ACT_FENCE_SUPPORT:
        fence_command(w, nd, F_SUPPORT, a->epoch, NULL);
        break;
    case HA_ACT_FENCE_SERVE:
        fence_command(w, nd, F_SERVE, a->epoch, NULL);
        break;
    case HA_ACT_FENCE_CLOSE:
        fence_command(w, nd, F_CLOSE, none, NULL);
        break;
    case HA_ACT_REPLICA:
        replica_command(w, nd, a);
        break;
    case HA_ACT_NORTHD:
        northd_set(w, nd, a->run);
        break;
    case HA_ACT_PROBE:
        northd_probe(w, nd, a->token);
        break;
    case HA_ACT_REFUSED:
        tell(w, nd, "the operator's request is refused: %s",
             ha_why_text(a->why));
        oracle_refused(w);
        break;
    case HA_ACT_EXIT:
        leave(w, nd);
        break;
    case HA_ACT_FORGET:
        leave(w, nd);
        memset(&nd->disk.durable, 0, sizeof nd->disk.durable);
        nd->disk.has_durable = nd->disk.other_life = false;
        oracle_persisted(w, nd);
        had_restart(w, nd);
        break;
    case HA_ACT_CONSENT: /* Replicas here never ask. */
        break;
    case HA_ACT_FENCE_NODE:
        bmc_fence(w, nd, a->node);
        break;
    case HA_ACT_FENCE_ENDLESS:
        fence_order_endless(w, nd, a);
        break;
    }
}

/* The disk's answer, which the core gets ahead of all that waits. */
static void
answer_persist(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    struct ha_event ev;

    memset(&ev, 0, sizeof ev);
    ev.type = h->persist_failed ? HA_EV_PERSIST_FAILED : HA_EV_TICK;
    if (h->persist_failed) {
        tell(w, nd, "the record cannot be written");
    }
    if (h->n == h->allocated) {
        inbox_grow(h);
    }
    h->head = (h->head + h->allocated - 1) % h->allocated;
    h->inbox[h->head] = ev;
    h->n++;
}

/* Goes on with the actions in hand.  False if they are not all done. */
static bool
run_actions(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    uint64_t life = h->life;

    while (h->next_act < h->acts.n) {
        const struct ha_action *a = &h->acts.a[h->next_act];

        if (!h->persisting && h->crash_in && !--h->crash_in) {
            if (h->crash_is_power) {
                node_power_cut(w, nd);
            } else {
                had_crash(w, nd, false);
            }
            return false;
        }
        if (a->type == HA_ACT_PERSIST && !h->persisting) {
            start_persist(w, nd);
            return false;
        }
        if (a->type == HA_ACT_PERSIST && !h->persist_done) {
            return false;
        }
        if (a->type == HA_ACT_PERSIST) {
            h->persisting = false;
            h->next_act = h->acts.n;
            answer_persist(w, nd);
            return true;
        }
        carry_out(w, nd, a);
        if (!h->alive || h->life != life || w->failed) {
            return false;
        }
        h->next_act++;
    }
    return true;
}

static void
take_event(struct world *w, struct node *nd, struct ha_event *ev)
{
    struct had *h = &nd->had;

    ev->now = node_clock(w, nd);
    ev->random = rnd(w);
    if (ev->type == HA_EV_TICK) {
        h->tick_queued = false;
    }
    ha_step(&h->core, ev, &h->acts);
    h->next_act = 0;
    w->cov->steps++;
    oracle_step(w, nd, ev, &h->acts);
}

/* The core asked for a tick at a time of its own. */
static void
wake(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct ha_event ev;

    (void) ptr;
    if (!nd->had.alive || nd->had.life != life || nd->had.wake_at != w->now) {
        return;
    }
    nd->had.wake_at = INT64_MAX;
    if (!nd->had.tick_queued) {
        nd->had.tick_queued = true;
        memset(&ev, 0, sizeof ev);
        ev.type = HA_EV_TICK;
        had_post(w, nd, &ev);
    }
}

static void
plan_wake(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    int64_t at;

    if (h->core.wake.us == MONO_NEVER.us) {
        h->wake_at = INT64_MAX;
        return;
    }
    at = node_god_time(w, nd, h->core.wake);
    at = at > w->now ? at : w->now + 1;
    if (at != h->wake_at) {
        h->wake_at = at;
        world_at(w, at, wake, nd, h->life, NULL);
    }
}

static void
had_run(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct had *h = &nd->had;

    (void) ptr;
    if (!had_runs(nd) || h->life != life) {
        return;
    }
    if (w->now < h->busy_until) {
        world_at(w, h->busy_until, had_run, nd, life, NULL);
        return;
    }
    for (;;) {
        struct ha_event ev;

        if (!run_actions(w, nd) || !h->alive || w->failed) {
            return;
        }
        if (!h->n) {
            plan_wake(w, nd);
            return;
        }
        ev = h->inbox[h->head];
        h->head = (h->head + 1) % h->allocated;
        h->n--;
        take_event(w, nd, &ev);
    }
}

/* ---- Local facts ------------------------------------------------------ */

/* Posts the node's facts if they changed. */
void
node_local(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    struct ha_event ev;

    if (!h->alive || !nd->up) {
        return;
    }
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_LOCAL;
    replica_facts(w, nd, &ev.local);
    ev.local.northd_ok = nd->northd.alive;
    ev.local.nofailover = nd->nofailover;
    ev.local.witness = nd->witness;
    ev.local.priority = nd->priority;
    ev.local.unfit = nd->unfit;
    ev.local.address_unfit = nd->address_unfit;
    ev.local.low_disk = nd->low_disk;
    ev.local.record_full = w->now < nd->disk.fails_until;
    if (h->local_posted
        && !memcmp(&ev.local, &h->last_local, sizeof ev.local)) {
        return;
    }
    h->local_posted = true;
    h->last_local = ev.local;
    had_post(w, nd, &ev);
}

/* ---- ovn-had ---------------------------------------------------------- */

static void
start_services(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    (void) ptr;
    if (!nd->had.alive || nd->had.life != life || !nd->up) {
        return;
    }
    if (!nd->fence.alive) {
        fence_start(w, nd);
    } else {
        fence_connect(w, nd);
    }
    for (int db = 0; db < HA_N_DBS && !nd->witness; db++) {
        replica_start(w, nd, db);
    }
    if (!nd->witness) {
        northd_start(w, nd);
    }
}

static void
join_group(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    (void) ptr;
    if (nd->had.alive && nd->had.life == life) {
        group_join(w, nd);
    }
}

static void
post_policy(struct world *w, struct node *nd)
{
    struct ha_event ev;

    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_POLICY;
    ev.policy = w->policy;
    ha_set_del(&ev.policy.devices, nd->id);
    had_post(w, nd, &ev);
}

void
had_start(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;
    struct ha_config cfg = w->cfg;
    struct ha_event ev;

    if (h->alive || !nd->up || !nd->coro.up) {
        return; /* It waits for corosync, which knows the nodelist. */
    }
    cfg.self = nd->id;
    h->alive = true;
    h->frozen = h->leaving = false;
    h->life++;
    h->head = h->n = 0;
    h->tick_queued = h->local_posted = h->members_set = false;
    h->busy_until = 0;
    h->wake_at = INT64_MAX;
    h->persisting = false;
    h->crash_in = 0;
    nd->bmc.asked = false; /* By another life. */
    h->acts.n = h->next_act = 0;
    memset(&h->last_fence, 0, sizeof h->last_fence);
    nd->sup_epoch = (struct ha_epoch){ 0, 0 };
    nd->stopped = false;
    ha_core_init(&h->core, &cfg);
    h->last_state = h->core.state;
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_START;
    ev.start.has_durable = nd->disk.has_durable;
    ev.start.durable = nd->disk.durable;
    had_post(w, nd, &ev);
    post_policy(w, nd);
    node_local(w, nd);
    world_in(w, rnd_in(w, 1, 50) * MS, tick, nd, h->life, NULL);
    world_in(w, rnd_in(w, 500, 20000), join_group, nd, h->life, NULL);
    world_in(w, rnd_in(w, 500, 20000), start_services, nd, h->life, NULL);
}

/* A crash while the record was being written leaves the old or the new. */
static void
half_written(struct world *w, struct node *nd)
{
    struct had *h = &nd->had;

    if (h->alive && h->persisting && !h->persist_done
        && w->now >= nd->disk.fails_until && rnd_chance(w, 500)) {
        nd->disk.has_durable = true;
        nd->disk.durable = h->acts.a[h->next_act].durable;
        oracle_persisted(w, nd);
    }
}

/* 'reexec': in place; the workers live on. */
void
had_crash(struct world *w, struct node *nd, bool reexec)
{
    if (!nd->had.alive) {
        return;
    }
    tell(w, nd, reexec ? "== ovn-had re-executes" : "== ovn-had crashes");
    half_written(w, nd);
    group_leave(w, nd);
    nd->had.alive = false;
    fence_had_lost(w, nd);
    if (!reexec || rnd_chance(w, 500)) {
        replica_down(w, nd);
    }
}

static void
restart(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    (void) ptr;
    if (nd->up && nd->boot == boot) {
        had_start(w, nd);
    }
}

/* As systemd does. */
void
had_restart(struct world *w, struct node *nd)
{
    world_in(w, rnd_in(w, 50, 800) * MS, restart, nd, nd->boot, NULL);
}

void
had_freeze(struct world *w, struct node *nd)
{
    (void) w;
    nd->had.frozen = true;
}

void
had_thaw(struct world *w, struct node *nd)
{
    nd->had.frozen = false;
    had_run(w, nd, nd->had.life, NULL);
}

/* ---- Machines --------------------------------------------------------- */

static void
boot_done(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    (void) ptr;
    if (nd->up && nd->boot == boot) {
        had_start(w, nd);
    }
}

/* Corosync comes first, ovn-had after it. */
void
node_boot(struct world *w, struct node *nd)
{
    int64_t half = w->cfg.drift_ppm * 1000 / 2;

    if (nd->up) {
        if (!nd->had.alive) {
            had_start(w, nd);
        }
        return;
    }
    tell(w, nd, "== boots");
    nd->up = true;
    nd->frozen = false;
    nd->stopped = false;
    nd->boot++;
    nd->drift_ppb = rnd_in(w, -half, half);
    nd->clock_off = rnd_in(w, 0, 1000 * SEC) - w->now;
    replica_boot(w, nd);
    group_boot(w, nd);
    world_in(w, rnd_in(w, 50, 1500) * MS, boot_done, nd, nd->boot, NULL);
}

void
node_power_cut(struct world *w, struct node *nd)
{
    if (!nd->up) {
        return;
    }
    tell(w, nd, "== power cut");
    half_written(w, nd);
    nd->up = false;
    nd->frozen = false;
    nd->had.alive = false;
    nd->boot++;
    fence_crash(w, nd);
    nd->door_open = false;
    nd->kernel_until = INT64_MIN;
    nd->watchdog_ticks = false;
    watchdog_disarm(nd);
    replica_power_cut(w, nd);
    northd_kill(w, nd);
    group_down(w, nd);
}

/* An empty disk: record and databases are gone. */
void
node_wipe(struct world *w, struct node *nd)
{
    assert(!nd->up);
    tell(w, nd, "== its disk is lost");
    memset(&nd->disk, 0, sizeof nd->disk);
    replica_wipe(w, nd);
    nd->wiped = true;
    nd->promised = (struct ha_epoch){ 0, 0 };
    oracle_persisted(w, nd);
}

void
node_other_life(struct world *w, struct node *nd)
{
    struct ha_durable *d = &nd->disk.durable;

    assert(!nd->up);
    tell(w, nd, "== its record is one of another life");
    d->record.lineage ^= 1;
    d->promised.n += 1000;
    d->accepted.n += 1000;
    d->record.epoch.n += 1000;
    nd->disk.other_life = true;
}

void
node_freeze(struct world *w, struct node *nd)
{
    if (nd->up && !nd->frozen) {
        tell(w, nd, "== everything freezes");
        nd->frozen = true;
        nd->frozen_at = w->now;
        group_changed(w);
    }
}

void
node_thaw(struct world *w, struct node *nd)
{
    if (!nd->up || !nd->frozen) {
        return;
    }
    tell(w, nd, "== everything thaws");
    nd->frozen = false;
    if (w->opt.two_node && rnd_chance(w, 500)) {
        /* A virtual machine whose clock stood still, too: it takes its lease
         * to be alive.  Nobody may have been promoted but on a proof. */
        nd->clock_off -= w->now - nd->frozen_at;
    }
    if (!nd->coro.frozen) {
        group_thaw(w, nd);
    }
    fence_resume(w, nd);
    had_run(w, nd, nd->had.life, NULL);
}
