/* SPDX-License-Identifier: Apache-2.0 */

/* What breaks, at random: each fault strikes and is mended some time later.
 * Which classes a run knows, and how long they last, comes from its seed. */

#include "tests/sim/sim.h"

#include <string.h>

enum fault {
    FAULT_POWER,
    FAULT_WIPE,
    FAULT_HAD_CRASH,
    FAULT_REEXEC,
    FAULT_CRASH_AT_ACTION,
    FAULT_FENCE_CRASH,
    FAULT_REPLICA_CRASH,
    FAULT_REPLICA_MUTE,
    FAULT_SERVER_CRASH,
    FAULT_NORTHD,
    FAULT_UNFIT,
    FAULT_DOOR,
    FAULT_FREEZE_HAD,
    FAULT_FREEZE_FENCE,
    FAULT_FREEZE_NODE,
    FAULT_FREEZE_CORO,
    FAULT_SLOW,
    FAULT_PERSIST,
    FAULT_SLOW_DISK,
    FAULT_ISOLATE,
    FAULT_SPLIT,
    FAULT_PAIR,
    FAULT_ONE_WAY,
    FAULT_ONE_WAY_BEATS,
    FAULT_BEAT_LOSS,
    FAULT_FLAP,
    FAULT_SWITCH,
    FAULT_SHUTDOWN,
    FAULT_FORCE,
    FAULT_PAUSE,
    FAULT_RESUME,
    FAULT_CORO_STOP,
    FAULT_CORO_STOP_ALL,
    N_FAULTS,
    FAULT_BMC = N_FAULTS, /* Only where there are fence devices. */
    FAULT_VOUCH,          /* Only where a proof is wanted. */
    FAULT_QNETD,          /* Only where there is a quorum device. */
};

/* One fault in force. */
struct trouble {
    enum fault fault;
    struct node *node;
    struct node *other;
    mask_t side;
    unsigned flaps;
    enum ha_db db;
    uint64_t life;
};

static struct node *
any_node(struct world *w)
{
    return &w->nodes[rnd(w) % w->n];
}

/* Faults like to hit whoever serves. */
static struct node *
victim(struct world *w)
{
    if (rnd_chance(w, 400)) {
        FOR_EACH_NODE(nd, w)
        {
            if (nd->door_open) {
                return nd;
            }
        }
    }
    return any_node(w);
}

/* ---- Mending ---------------------------------------------------------- */

static void
mend_node(struct world *w, const struct trouble *t)
{
    struct node *nd = t->node;

    switch (t->fault) {
    case FAULT_POWER:
    case FAULT_WIPE:
    case FAULT_HAD_CRASH:
    case FAULT_REEXEC:
    case FAULT_CRASH_AT_ACTION:
    case FAULT_SHUTDOWN:
        nd->had.crash_in = 0;
        if (!nd->up || !nd->had.alive) {
            node_boot(w, nd);
        }
        break;
    case FAULT_UNFIT:
        nd->unfit = nd->address_unfit = nd->low_disk = false;
        node_local(w, nd);
        break;
    case FAULT_REPLICA_MUTE:
        /* It goes on, or its supervisor has lost its patience. */
        if (t->flaps) {
            replica_crash(w, nd, t->db);
        }
        replica_mute(w, nd, t->db, false);
        break;
    case FAULT_FREEZE_HAD:
        had_thaw(w, nd);
        break;
    case FAULT_FREEZE_FENCE:
        fence_thaw(w, nd);
        break;
    case FAULT_FREEZE_NODE:
        node_thaw(w, nd);
        break;
    case FAULT_FREEZE_CORO:
        if (nd->coro.frozen) {
            group_thaw(w, nd);
        }
        break;
    case FAULT_CORO_STOP:
        group_start(w, nd);
        break;
    case FAULT_BMC:
        bmc_set_mode(w, nd, BMC_WORKS);
        break;
    case FAULT_QNETD:
        group_qnetd(w, true);
        break;
    default:
        break;
    }
}

/* A worker that hangs, a door that closes slowly, or a virtual IP that cannot
 * be had, is no excuse for a planned move that loses. */
static void
count_fault(struct world *w, const struct trouble *t, int by)
{
    if (t->fault != FAULT_REPLICA_MUTE && t->fault != FAULT_DOOR
        && !(t->fault == FAULT_UNFIT && t->flaps)) {
        w->n_broken += by;
        oracle_fault(w);
    }
}

static void
mend(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    const struct trouble *t = ptr;
    mask_t all = ((mask_t) 1 << w->n) - 1;

    (void) nd;
    (void) arg;
    if (w->faults_over) {
        return;
    }
    count_fault(w, t, -1);
    switch (t->fault) {
    case FAULT_ISOLATE:
    case FAULT_SPLIT:
        tell(w, NULL, "the network is whole again between %#x and the rest",
             t->side);
        net_cut(w, t->side, all & ~t->side, false);
        break;
    case FAULT_PAIR:
    case FAULT_FLAP:
        net_cut(w, bit_of(t->node->id), bit_of(t->other->id), false);
        break;
    case FAULT_ONE_WAY:
        w->cut[t->node->id - 1][t->other->id - 1] = false;
        group_changed(w);
        break;
    case FAULT_ONE_WAY_BEATS:
        w->beat_cut[t->node->id - 1][t->other->id - 1] = false;
        break;
    case FAULT_BEAT_LOSS:
        w->beat_loss = 0;
        break;
    case FAULT_CORO_STOP_ALL:
        FOR_EACH_NODE(all_nd, w)
        {
            group_start(w, all_nd);
        }
        break;
    default:
        mend_node(w, t);
        break;
    }
}

/* ---- Striking --------------------------------------------------------- */

static int64_t
some_time(struct world *w, int64_t most_ms)
{
    /* Short ones are as likely as long ones. */
    int64_t most = rnd_in(w, 0, 1) ? most_ms : most_ms / 10;

    return rnd_in(w, 1, most) * MS;
}

static void
flap(struct world *w, struct node *nd, uint64_t cut, void *ptr)
{
    struct trouble *t = ptr;

    if (w->faults_over || !t->flaps--) {
        return;
    }
    oracle_fault(w); /* It may go on when it counts as mended. */
    net_cut(w, bit_of(t->node->id), bit_of(t->other->id), cut);
    world_in(w, rnd_in(w, 50, 1800) * MS, flap, nd, !cut, t);
}

/* At most one disk is lost at a time, and never the last good copy. */
static bool
may_wipe(const struct world *w, const struct node *victim)
{
    const struct ha_record *rec = &w->oracle.chosen.record;
    bool another = false;

    if (!rec->lineage) {
        return false;
    }
    FOR_EACH_NODE(nd, (struct world *) w)
    {
        if (nd->wiped || !nd->disk.has_durable
            || !nd->disk.durable.accepted.n) {
            return false;
        }
        another |= nd != victim && !nd->nofailover && !nd->witness
                   && ha_set_has(&rec->in_sync, nd->id)
                   && nd->db[0].lineage == rec->lineage
                   && nd->db[1].lineage == rec->lineage;
    }
    return another && w->n >= 3;
}

static int64_t
strike_process(struct world *w, struct trouble *t)
{
    struct node *nd = t->node;

    switch (t->fault) {
    case FAULT_POWER:
        node_power_cut(w, nd);
        return some_time(w, 8000);
    case FAULT_WIPE:
        if (!may_wipe(w, nd)) {
            return 0;
        }
        node_power_cut(w, nd);
        node_wipe(w, nd);
        return some_time(w, 8000);
    case FAULT_HAD_CRASH:
        had_crash(w, nd, false);
        return some_time(w, 3000);
    case FAULT_REEXEC:
        had_crash(w, nd, true);
        return rnd_in(w, 3, 60) * MS;
    case FAULT_CRASH_AT_ACTION:
        nd->had.crash_in = (unsigned) rnd_in(w, 1, 12);
        nd->had.crash_is_power = rnd_chance(w, 500);
        return some_time(w, 6000);
    case FAULT_FENCE_CRASH:
        fence_crash(w, nd);
        return MS;
    case FAULT_REPLICA_CRASH:
        replica_crash(w, nd, rnd(w) % HA_N_DBS);
        return MS;
    case FAULT_REPLICA_MUTE:
        t->db = rnd(w) % HA_N_DBS;
        t->flaps = rnd_chance(w, 500);
        tell(w, nd, "== the replica worker of %s hangs", ha_db_name(t->db));
        replica_mute(w, nd, t->db, true);
        return some_time(w, 12000);
    case FAULT_SERVER_CRASH:
        server_crash(w, nd, rnd(w) % HA_N_DBS);
        return 1500 * MS;
    case FAULT_UNFIT:
        t->flaps = rnd_chance(w, 666);
        if (!t->flaps) {
            tell(w, nd, "== cannot mend a database soon");
            nd->unfit = true;
        } else if (rnd_chance(w, 500)) {
            tell(w, nd, "== cannot have the virtual IP");
            nd->address_unfit = true;
        } else {
            tell(w, nd, "== the disk is nearly full");
            nd->low_disk = true;
        }
        node_local(w, nd);
        return some_time(w, t->flaps ? 20000 : 8000);
    case FAULT_DOOR:
        tell(w, nd, "== its door would close slowly");
        nd->door_stuck_until = w->now + some_time(w, 14000);
        return nd->door_stuck_until - w->now;
    case FAULT_NORTHD:
        tell(w, nd, "== northd dies");
        northd_kill(w, nd);
        return MS;
    case FAULT_BMC:
        /* A liar without a second proof is believed: DESIGN.md. */
        bmc_set_mode(w, nd,
                     (enum bmc_mode) rnd_in(
                         w, BMC_FAILS, w->confirm ? BMC_LIES : BMC_HANGS));
        return some_time(w, 12000);
    default:
        return 0;
    }
}

static int64_t
strike_slowness(struct world *w, struct trouble *t)
{
    struct node *nd = t->node;

    switch (t->fault) {
    case FAULT_FREEZE_HAD:
        tell(w, nd, "== ovn-had freezes");
        had_freeze(w, nd);
        return some_time(w, 5000);
    case FAULT_FREEZE_FENCE:
        tell(w, nd, "== the fence worker freezes");
        fence_freeze(w, nd);
        return some_time(w, 5000);
    case FAULT_FREEZE_NODE:
        node_freeze(w, nd);
        return some_time(w, 8000);
    case FAULT_FREEZE_CORO:
        tell(w, nd, "== corosync freezes");
        group_freeze(w, nd);
        return some_time(w, 8000);
    case FAULT_CORO_STOP:
        group_stop(w, nd);
        return some_time(w, 12000);
    case FAULT_CORO_STOP_ALL:
        FOR_EACH_NODE(each, w)
        {
            group_stop(w, each);
        }
        return some_time(w, 12000);
    case FAULT_QNETD:
        group_qnetd(w, false);
        return some_time(w, 12000);
    case FAULT_SLOW:
        nd->had.busy_until = w->now + some_time(w, 3000);
        tell(w, nd, "== ovn-had's loop is slow");
        return nd->had.busy_until - w->now;
    case FAULT_PERSIST:
        nd->disk.fails_until = w->now + some_time(w, 5000);
        tell(w, nd, "== the disk is full");
        node_local(w, nd);
        return nd->disk.fails_until - w->now;
    case FAULT_SLOW_DISK:
        nd->disk.slow_until = w->now + some_time(w, 5000);
        tell(w, nd, "== the disk is slow");
        return nd->disk.slow_until - w->now;
    default:
        return 0;
    }
}

static int64_t
strike_network(struct world *w, struct trouble *t)
{
    mask_t all = ((mask_t) 1 << w->n) - 1;

    switch (t->fault) {
    case FAULT_ISOLATE:
        t->side = bit_of(t->node->id);
        break;
    case FAULT_SPLIT:
        t->side = (mask_t) rnd(w) & all;
        break;
    case FAULT_PAIR:
        tell(w, t->node, "== cut off from n%u", t->other->id);
        net_cut(w, bit_of(t->node->id), bit_of(t->other->id), true);
        return some_time(w, 8000);
    case FAULT_FLAP:
        tell(w, t->node, "== link to n%u flaps", t->other->id);
        t->flaps = (unsigned) rnd_in(w, 2, 12);
        flap(w, NULL, true, t);
        return some_time(w, 12000);
    case FAULT_ONE_WAY:
        tell(w, t->node, "== is not heard by n%u", t->other->id);
        w->cut[t->node->id - 1][t->other->id - 1] = true;
        group_changed(w);
        return some_time(w, 8000);
    case FAULT_ONE_WAY_BEATS:
        tell(w, t->node, "== no beat of it reaches n%u", t->other->id);
        w->beat_cut[t->node->id - 1][t->other->id - 1] = true;
        return some_time(w, 8000);
    case FAULT_BEAT_LOSS:
        w->beat_loss = (unsigned) rnd_in(w, 50, 700);
        tell(w, NULL, "== beats are lost, %u of 1000", w->beat_loss);
        return some_time(w, 6000);
    default:
        return 0;
    }
    tell(w, NULL, "== the network splits %#x from the rest", t->side);
    net_cut(w, t->side, all & ~t->side, true);
    return some_time(w, 8000);
}

static void
ask_switch(struct world *w, struct node *nd)
{
    struct ha_event ev = { .type = HA_EV_SWITCH };

    ev.ctl.to = rnd_chance(w, 300) ? 0 : any_node(w)->id;
    tell(w, nd, "== an operator asks for a switchover to %u", ev.ctl.to);
    if (nd->up && nd->had.alive) {
        oracle_wish(w);
    }
    had_post(w, nd, &ev);
}

/* An operator in need; where there is none, it is refused. */
static void
ask_force(struct world *w, struct node *nd)
{
    struct ha_event ev = { .type = HA_EV_FORCE, .ctl.ms = w->now };
    struct node *other = &w->nodes[nd->id == 1 ? 1 : 0];

    if (w->policy.fence && other->up) {
        return; /* In a pair, it vouches, too. */
    }
    tell(w, nd, "== an operator accepts that records are lost");
    had_post(w, nd, &ev);
}

/* Maintenance begins, or ends. */
static void
ask_pause(struct world *w, struct node *nd, bool pause)
{
    struct ha_event ev = { .type = pause ? HA_EV_PAUSE : HA_EV_RESUME };

    ev.ctl.ms = (uint64_t) w->now / MS + 1;
    tell(w, nd, "== an operator asks to %s", pause ? "pause" : "resume");
    had_post(w, nd, &ev);
}

/* An operator who has looked. */
static void
vouch(struct world *w, struct node *nd)
{
    struct node *last = world_node(w, w->oracle.chosen.record.active);
    struct node *other =
        w->n > 2 && last ? last : &w->nodes[nd->id == 1 ? 1 : 0];
    struct ha_event ev = { .type = HA_EV_FENCED };

    if (!other->up && other != nd) {
        ev.fenced.node = other->id;
        ev.fenced.proven = ev.fenced.vouched = true;
        tell(w, nd, "== an operator vouches that n%u is off", other->id);
        had_post(w, nd, &ev);
    }
}

static int64_t
strike(struct world *w, struct trouble *t)
{
    int64_t us = strike_process(w, t);

    if (!us) {
        us = strike_slowness(w, t);
    }
    if (!us && t->fault < FAULT_SWITCH && t->fault >= FAULT_ISOLATE
        && t->node != t->other) {
        us = strike_network(w, t);
    }
    if (t->fault == FAULT_SHUTDOWN && t->node->had.alive) {
        struct ha_event ev = { .type = HA_EV_SHUTDOWN };

        tell(w, t->node, "== an operator shuts it down");
        had_post(w, t->node, &ev);
        us = rnd_in(w, 100, 20000) * MS;
    }
    return us;
}

static void
strike_any(struct world *w, struct node *nd, uint64_t classes, void *ptr)
{
    struct trouble *t;
    int64_t us;

    (void) nd;
    (void) ptr;
    if (w->faults_over) {
        return;
    }
    t = world_alloc(w, sizeof *t);
    do {
        t->fault = rnd(w) % N_FAULTS;
    } while (!(classes >> t->fault & 1));
    if (w->opt.qdevice && rnd_chance(w, 100)) {
        t->fault = FAULT_QNETD;
    } else if (w->policy.devices.n && rnd_chance(w, 150)) {
        t->fault = FAULT_BMC;
    } else if ((w->policy.fence || w->oracle.chosen.record.paused)
               && rnd_chance(w, 200)) {
        t->fault = FAULT_VOUCH;
    } else if ((classes >> FAULT_PAUSE & 1) && rnd_chance(w, 250)) {
        t->fault = w->oracle.chosen.record.paused ? FAULT_RESUME : FAULT_PAUSE;
    }
    t->node = victim(w);
    t->other = any_node(w);
    if (t->fault == FAULT_VOUCH) {
        vouch(w, any_node(w));
        return;
    }
    if (t->fault == FAULT_FORCE) {
        ask_force(w, any_node(w));
        return;
    }
    if (t->fault == FAULT_SWITCH) {
        ask_switch(w, any_node(w));
        return;
    }
    if (t->fault == FAULT_PAUSE || t->fault == FAULT_RESUME) {
        ask_pause(w, any_node(w), t->fault == FAULT_PAUSE);
        /* Each of its steps is a bad moment for something else. */
        world_in(w, rnd_in(w, 0, 300) * MS, strike_any, NULL, classes, NULL);
        return;
    }
    us = strike(w, t);
    if (us) {
        count_fault(w, t, 1);
        world_in(w, us, mend, NULL, 0, t);
    }
    if (rnd_chance(w, 150)) {
        /* Misfortunes seldom come singly. */
        world_in(w, rnd_in(w, 0, 1500) * MS, strike_any, NULL, classes, NULL);
    }
}

/* Spreads 'n' faults over the time given; in some runs in bursts. */
void
faults_plan(struct world *w, int64_t from, int64_t until, unsigned n)
{
    /* From nearly all of them at once to a few that meet often. */
    uint64_t classes = rnd_chance(w, 400)   ? rnd(w) | rnd(w)
                       : rnd_chance(w, 500) ? rnd(w) & rnd(w)
                                            : rnd(w) & rnd(w) & rnd(w);
    bool bursts = rnd_chance(w, 300);
    int64_t at = from;

    classes &= (UINT64_C(1) << N_FAULTS) - 1;
    if (rnd_chance(w, 150)) {
        /* Only what an operator does: nothing may be lost. */
        classes = 0;
    }
    classes |= UINT64_C(1) << FAULT_SWITCH;
    if (rnd_chance(w, 200)) {
        classes |= UINT64_C(1) << FAULT_PAUSE | UINT64_C(1) << FAULT_CORO_STOP
                   | UINT64_C(1) << FAULT_CORO_STOP_ALL
                   | UINT64_C(1) << FAULT_POWER;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!bursts || rnd_chance(w, 250)) {
            at = rnd_in(w, from, until);
        } else {
            at += rnd_in(w, 0, 300) * MS;
        }
        world_at(w, at < until ? at : until, strike_any, NULL, classes, NULL);
    }
}

/* Does what status says where it takes a person, after all is mended: the disk
 * of an active that had served alone may be lost for good. */
static void
do_as_told(struct world *w, struct node *unused, uint64_t arg, void *aux)
{
    struct ha_event ev = { .type = HA_EV_FORCE, .ctl.ms = w->now };

    (void) unused;
    (void) arg;
    (void) aux;
    FOR_EACH_NODE(nd, w)
    {
        if (nd->had.alive && nd->had.core.why == HA_WHY_PAUSE_STALE) {
            tell(w, nd, "== an operator accepts that records are lost");
            had_post(w, nd, &ev);
            break;
        }
    }
    world_in(w, 2 * SEC, do_as_told, NULL, 0, NULL);
}

/* Mends all there is to mend. */
void
faults_end(struct world *w)
{
    w->faults_over = true;
    w->n_broken = 0;
    oracle_fault(w);
    tell(w, NULL, "== all is mended");
    group_qnetd(w, true);
    FOR_EACH_NODE(nd, w)
    {
        nd->disk.fails_until = nd->disk.slow_until = 0;
        nd->had.busy_until = 0;
        nd->had.crash_in = 0;
        nd->unfit = nd->address_unfit = nd->low_disk = false;
        nd->door_stuck_until = 0;
        replica_mute(w, nd, HA_NB, false);
        replica_mute(w, nd, HA_SB, false);
        node_local(w, nd);
        nd->bmc.mode = BMC_WORKS;
        nd->bmc.lied = false;
        if (nd->frozen) {
            node_thaw(w, nd);
        }
        if (nd->coro.frozen) {
            group_thaw(w, nd);
        }
        group_start(w, nd);
        if (nd->had.frozen) {
            had_thaw(w, nd);
        }
        if (nd->fence.frozen) {
            fence_thaw(w, nd);
        }
        if (!nd->up || !nd->had.alive) {
            node_boot(w, nd);
        }
    }
    net_heal(w);
    world_in(w, 2 * SEC, do_as_told, NULL, 0, NULL);
}
