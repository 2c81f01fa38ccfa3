/* SPDX-License-Identifier: Apache-2.0 */

/* The core in small clusters where the rest of the world behaves: an ordered
 * bus, a disk, fence and replica workers that do at once as told.  tests/sim
 * has the worlds that misbehave. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ha/core/core.h"

#define MAX_QUEUE 4096
#define LEASE_US 1000000

struct node {
    uint32_t id;
    bool up;
    bool disk_full;
    struct ha_core core;
    struct ha_durable disk;
    bool on_disk;
    struct ha_local local;
    struct ha_fence fence;
    mono_t promise_end;
    bool exited;
    unsigned serves; /* FENCE_SERVE seen. */
};

struct world {
    mono_t now;
    uint32_t n;
    struct node nodes[HA_MAX_NODES];
    struct {
        uint32_t from;
        struct ha_msg msg;
    } queue[MAX_QUEUE];
    size_t head, tail;
};

static struct world *w;

static void feed(struct node *, struct ha_event *);

static void
feed_type(struct node *n, enum ha_event_type type)
{
    struct ha_event ev = { .type = type };

    if (type == HA_EV_LOCAL) {
        ev.local = n->local;
    } else if (type == HA_EV_FENCE) {
        ev.fence = n->fence;
    }
    feed(n, &ev);
}

static void
do_support(struct node *n, struct ha_epoch epoch)
{
    struct ha_event ev = { .type = HA_EV_SUPPORTED };

    if (ha_epoch_cmp(n->fence.serve, epoch) < 0) {
        memset(&n->fence.serve, 0, sizeof n->fence.serve);
        n->fence.open = false;
        n->fence.closed = true;
    }
    n->fence.support = epoch;
    ev.supported.epoch = epoch;
    if (mono_before(w->now, n->promise_end)) {
        ev.supported.old_promise_left_us =
            mono_us_between(w->now, n->promise_end);
    }
    feed(n, &ev);
    feed_type(n, HA_EV_FENCE);
}

static void
do_action(struct node *n, const struct ha_action *a)
{
    struct ha_event ev = { .type = HA_EV_PROBED };

    switch (a->type) {
    case HA_ACT_FENCE_SUPPORT:
        do_support(n, a->epoch);
        break;
    case HA_ACT_FENCE_SERVE:
        n->fence.serve = a->epoch;
        n->fence.open = true;
        n->fence.closed = false;
        n->serves++;
        feed_type(n, HA_EV_FENCE);
        break;
    case HA_ACT_FENCE_CLOSE:
        memset(&n->fence.serve, 0, sizeof n->fence.serve);
        n->fence.open = false;
        n->fence.closed = true;
        feed_type(n, HA_EV_FENCE);
        break;
    case HA_ACT_REPLICA:
        n->local.db[a->replica.db].role = a->replica.role;
        n->local.db[a->replica.db].role_token = a->replica.token;
        n->local.db[a->replica.db].role_epoch = a->replica.epoch;
        if (a->replica.role == 2) {
            n->local.db[a->replica.db].pos.lineage = a->replica.lineage;
            n->local.db[a->replica.db].pos.epoch = a->replica.epoch;
            n->local.db[a->replica.db].complete = true;
        }
        feed_type(n, HA_EV_LOCAL);
        break;
    case HA_ACT_PROBE:
        ev.probed.token = a->token;
        feed(n, &ev);
        break;
    case HA_ACT_EXIT:
        n->exited = true;
        break;
    default:
        break;
    }
}

static void
feed(struct node *n, struct ha_event *ev)
{
    struct ha_actions out;

    ev->now = w->now;
    ev->random = 12345;
    ha_step(&n->core, ev, &out);
    if (getenv("TELL") && out.tell[0]) { /* To look at a failure. */
        printf("%lld n%u: %s\n", (long long) w->now.us / 1000, n->id,
               out.tell);
    }
    for (size_t i = 0; i < out.n; i++) {
        if (out.a[i].type == HA_ACT_PERSIST) {
            assert_int_equal(out.n, 1);
            if (!n->disk_full) {
                n->disk = out.a[i].durable;
                n->on_disk = true;
            }
            feed_type(n, n->disk_full ? HA_EV_PERSIST_FAILED : HA_EV_TICK);
        } else if (out.a[i].type == HA_ACT_SEND) {
            assert_true(w->tail < MAX_QUEUE);
            w->queue[w->tail].from = n->id;
            w->queue[w->tail++].msg = out.a[i].msg;
        } else {
            do_action(n, &out.a[i]);
        }
    }
}

/* Delivers what is queued, then lets time pass in steps of 10 ms. */
static void
run(int64_t ms)
{
    mono_t end = mono_add_ms(w->now, ms);

    while (mono_before(w->now, end)) {
        for (; w->head < w->tail; w->head++) {
            for (uint32_t i = 0; i < w->n; i++) {
                struct ha_event ev = { .type = HA_EV_MSG };

                ev.msg.from = w->queue[w->head].from;
                ev.msg.msg = w->queue[w->head].msg;
                if (w->nodes[i].up) {
                    feed(&w->nodes[i], &ev);
                }
            }
        }
        w->head = w->tail = 0;
        w->now = mono_add_ms(w->now, 10);
        for (uint32_t i = 0; i < w->n; i++) {
            if (w->nodes[i].up) {
                feed_type(&w->nodes[i], HA_EV_TICK);
            }
        }
    }
}

/* Replication that takes no time: whoever follows has what its source has. */
static void
replicate(void)
{
    struct node *active = NULL;

    for (uint32_t i = 0; i < w->n; i++) {
        if (w->nodes[i].up && w->nodes[i].local.db[0].role == 2) {
            active = &w->nodes[i];
        }
    }
    for (uint32_t i = 0; active && i < w->n; i++) {
        struct node *n = &w->nodes[i];

        for (int db = 0; db < HA_N_DBS && n != active && n->up; db++) {
            struct ha_event ev = { .type = HA_EV_PEER };

            if (n->local.db[db].role != 1) {
                continue;
            }
            n->local.db[db].pos = active->local.db[db].pos;
            n->local.db[db].complete = n->local.db[db].connected = true;
            feed_type(n, HA_EV_LOCAL);
            ev.peer.node = n->id;
            ev.peer.db = db;
            ev.peer.facts.connected = ev.peer.facts.complete = true;
            ev.peer.facts.acked = ev.peer.facts.head = n->local.db[db].pos;
            feed(active, &ev);
        }
    }
}

static void
settle(int64_t ms)
{
    for (int64_t i = 0; i < ms; i += 50) {
        run(50);
        replicate();
    }
}

/* 'alive' counts as a member of corosync though its ovn-had is not there. */
static void
tell_group_with(uint32_t alive)
{
    struct ha_event view = { .type = HA_EV_VIEW };
    struct ha_event quorum = { .type = HA_EV_QUORUM };

    for (uint32_t i = 0; i < w->n; i++) {
        if (w->nodes[i].up) {
            ha_set_add(&view.view.members, w->nodes[i].id);
        }
    }
    quorum.quorum.members = view.view.members;
    if (alive) {
        ha_set_add(&quorum.quorum.members, alive);
    }
    quorum.quorum.quorate = view.view.members.n > w->n / 2;
    for (uint32_t i = 0; i < w->n; i++) {
        if (w->nodes[i].up) {
            struct ha_event q = quorum, v = view;

            feed(&w->nodes[i], &q);
            feed(&w->nodes[i], &v);
        }
    }
}

static void
tell_group(void)
{
    tell_group_with(0);
}

static void
start(struct node *n)
{
    struct ha_config cfg = {
        .self = n->id,
        .lease_us = LEASE_US,
        .drift_ppm = 10000,
        .mute_us = 300000,
        .grace_us = 5000000,
        .tail_us = 3000000,
        .open_us = 5000000,
        .retry_us = 10000000,
        .lag_records = 1000,
        .lag_us = 1000000,
    };
    struct ha_event ev = { .type = HA_EV_START };

    for (uint32_t i = 0; i < w->n; i++) {
        ha_set_add(&cfg.nodes, w->nodes[i].id);
    }
    ha_core_init(&n->core, &cfg);
    n->up = true;
    n->exited = false;
    n->fence.connected = n->fence.closed = true;
    for (int db = 0; db < HA_N_DBS; db++) {
        n->local.db[db].server_ok = true;
        n->local.db[db].life++;
        n->local.db[db].role = n->local.db[db].role_token = 0;
    }
    ev.start.has_durable = n->on_disk;
    ev.start.durable = n->disk;
    feed(n, &ev);
    feed_type(n, HA_EV_FENCE);
    feed_type(n, HA_EV_LOCAL);
}

static struct node *
active(void)
{
    struct node *found = NULL;

    for (uint32_t i = 0; i < w->n; i++) {
        if (w->nodes[i].up && w->nodes[i].core.state == HA_ACTIVE) {
            assert_null(found);
            found = &w->nodes[i];
        }
    }
    return found;
}

static void
world(uint32_t n)
{
    static struct world world;

    memset(&world, 0, sizeof world);
    w = &world;
    w->n = n;
    w->now.us = 1000000;
    for (uint32_t i = 0; i < n; i++) {
        w->nodes[i].id = i + 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        start(&w->nodes[i]);
    }
    tell_group();
    settle(2000);
}

/* Powers 'n' off and tells the others. */
static void
power_off(struct node *n)
{
    n->up = false;
    memset(&n->fence, 0, sizeof n->fence);
    for (uint32_t i = 0; i < w->n; i++) {
        w->nodes[i].promise_end = mono_add_us(w->now, LEASE_US);
    }
    tell_group();
}

static void
test_bootstrap(void **state)
{
    (void) state;
    world(3);
    assert_ptr_equal(active(), &w->nodes[0]);
    assert_int_equal(w->nodes[1].core.state, HA_STANDBY);
    assert_int_equal(w->nodes[2].core.state, HA_STANDBY);
    assert_int_equal(w->nodes[2].core.record.in_sync.n, 3);
    assert_int_equal(w->nodes[2].core.record.suspects.n, 0);
}

static void
test_bootstrap_needs_all(void **state)
{
    (void) state;
    world(3);
    for (int i = 0; i < 3; i++) {
        memset(&w->nodes[i].disk, 0, sizeof w->nodes[i].disk);
        w->nodes[i].on_disk = false;
        memset(&w->nodes[i].local, 0, sizeof w->nodes[i].local);
        memset(&w->nodes[i].fence, 0, sizeof w->nodes[i].fence);
        w->nodes[i].up = false;
    }
    start(&w->nodes[0]);
    start(&w->nodes[1]);
    tell_group();
    settle(10000);
    assert_null(active());
    assert_int_equal(w->nodes[0].core.why, HA_WHY_BOOTSTRAP_MEMBERS);
    start(&w->nodes[2]);
    tell_group();
    settle(3000);
    assert_non_null(active());
}

static void
test_power_cut_waits_for_lease(void **state)
{
    (void) state;
    world(3);
    power_off(&w->nodes[0]);
    settle(900);
    assert_null(active());
    assert_int_equal(w->nodes[1].core.why, HA_WHY_LEASE);
    assert_int_equal(w->nodes[1].serves, 0);
    settle(400);
    assert_ptr_equal(active(), &w->nodes[1]);
    assert_int_equal(w->nodes[1].core.record.epoch.n, 2);
    settle(500);
    assert_int_equal(w->nodes[1].core.record.in_sync.n, 2);

    /* It comes back as a standby. */
    start(&w->nodes[0]);
    tell_group();
    settle(3000);
    assert_ptr_equal(active(), &w->nodes[1]);
    assert_int_equal(w->nodes[0].core.state, HA_STANDBY);
    assert_int_equal(w->nodes[1].core.record.in_sync.n, 3);
    assert_int_equal(w->nodes[1].serves, 1);
}

/* As many nodes as there can be: nothing looks for one beyond the last. */
static void
test_largest_cluster(void **state)
{
    struct ha_event ev = { .type = HA_EV_SWITCH };
    struct node *last;

    (void) state;
    world(HA_MAX_NODES);
    last = &w->nodes[HA_MAX_NODES - 1];
    assert_ptr_equal(active(), &w->nodes[0]);
    assert_int_equal(last->core.state, HA_STANDBY);
    assert_null(ha_core_peer(&last->core, HA_MAX_NODES + 1));
    power_off(&w->nodes[0]);
    settle(2000);
    assert_ptr_equal(active(), &w->nodes[1]);
    ev.ctl.to = last->id;
    feed(last, &ev);
    settle(1000);
    assert_ptr_equal(active(), last);
    start(&w->nodes[0]);
    tell_group();
    settle(3000);
    assert_int_equal(w->nodes[0].core.state, HA_STANDBY);
    assert_int_equal(last->core.record.in_sync.n, HA_MAX_NODES);
}

static void
test_death_of_standby_changes_nothing(void **state)
{
    (void) state;
    world(3);
    power_off(&w->nodes[2]);
    settle(2000);
    assert_ptr_equal(active(), &w->nodes[0]);
    assert_int_equal(w->nodes[0].serves, 1);
    assert_int_equal(w->nodes[0].core.record.epoch.n, 1);
}

static void
test_quorum_lost(void **state)
{
    (void) state;
    world(3);
    w->nodes[1].up = w->nodes[2].up = false;
    tell_group();
    run(50);
    assert_int_equal(w->nodes[0].core.state, HA_ISOLATED);
    assert_false(w->nodes[0].fence.open);
}

static void
test_switchover(void **state)
{
    struct ha_event ev = { .type = HA_EV_SWITCH };

    (void) state;
    world(3);
    ev.ctl.to = 3;
    feed(&w->nodes[1], &ev);
    settle(1000);
    assert_ptr_equal(active(), &w->nodes[2]);
    assert_int_equal(w->nodes[0].core.state, HA_STANDBY);
    assert_false(w->nodes[0].fence.open);
    ev.ctl.to = 1;
    feed(&w->nodes[1], &ev);
    settle(1000);
    assert_ptr_equal(active(), &w->nodes[0]);
}

static void
test_shutdown_hands_over(void **state)
{
    (void) state;
    world(3);
    feed_type(&w->nodes[0], HA_EV_SHUTDOWN);
    settle(1500);
    assert_true(w->nodes[0].exited);
    assert_non_null(active());
    assert_ptr_not_equal(active(), &w->nodes[0]);
}

/* The fresher replica wins, whatever its id. */
static void
test_fresher_wins(void **state)
{
    (void) state;
    world(3);
    w->nodes[2].local.db[HA_NB].pos.seq += 5;
    feed_type(&w->nodes[2], HA_EV_LOCAL);
    power_off(&w->nodes[0]);
    settle(2000);
    assert_ptr_equal(active(), &w->nodes[2]);
}

/* A replica that is not complete is never promoted. */
static void
test_incomplete_never(void **state)
{
    (void) state;
    world(3);
    for (int i = 1; i < 3; i++) {
        w->nodes[i].local.db[HA_SB].complete = false;
        w->nodes[i].local.db[HA_SB].role = 7; /* Replication is stuck. */
        feed_type(&w->nodes[i], HA_EV_LOCAL);
    }
    power_off(&w->nodes[0]);
    settle(8000);
    assert_null(active());
    assert_int_equal(w->nodes[1].core.state, HA_BLOCKED);
    assert_int_equal(ha_core_why_not(&w->nodes[1].core, 2), HA_WHY_INCOMPLETE);
}

/* ovn-had of the active was restarted; its fence worker served on. */
static void
test_adoption(void **state)
{
    struct node *n;
    struct ha_fence fence;
    unsigned serves;

    (void) state;
    world(3);
    n = &w->nodes[0];
    fence = n->fence;
    serves = n->serves;
    n->up = false;
    tell_group_with(n->id);
    settle(200);
    n->fence = fence;
    start(n);
    n->fence = fence;
    feed_type(n, HA_EV_FENCE);
    tell_group();
    settle(3000);
    assert_ptr_equal(active(), n);
    assert_int_equal(n->core.record.epoch.n, 1);
    assert_int_equal(n->serves, serves);
}

static void
test_disk_full_gives_no_vote(void **state)
{
    (void) state;
    world(3);
    w->nodes[1].disk_full = w->nodes[2].disk_full = true;
    power_off(&w->nodes[0]);
    settle(5000);
    assert_null(active());
    w->nodes[1].disk_full = w->nodes[2].disk_full = false;
    settle(4000);
    assert_non_null(active());
}

static void
test_cold_start(void **state)
{
    (void) state;
    world(3);
    for (int i = 0; i < 3; i++) {
        w->nodes[i].up = false;
        memset(&w->nodes[i].fence, 0, sizeof w->nodes[i].fence);
        w->nodes[i].promise_end = mono_add_us(w->now, LEASE_US);
    }
    start(&w->nodes[1]);
    start(&w->nodes[2]);
    tell_group();
    settle(2000);
    assert_null(active());
    start(&w->nodes[0]);
    tell_group();
    settle(3000);
    assert_non_null(active());
    assert_int_equal(w->nodes[0].core.record.epoch.n, 2);
}

/* What the old active asked for, and comes late, does not touch the record of
 * the next: its suspects stay until there is a verdict on them. */
static void
test_late_request_of_the_old_active(void **state)
{
    struct ha_event ev = { .type = HA_EV_MSG };

    (void) state;
    world(3);
    power_off(&w->nodes[0]);
    run(10);
    assert_int_equal(w->nodes[1].core.durable.record.epoch.n, 2);
    ev.msg.from = 2;
    ev.msg.msg.type = HA_MSG_REQUEST;
    ev.msg.msg.request = HA_REQ_SETTLED;
    ev.msg.msg.epoch = (struct ha_epoch){ 1, 1 };
    feed(&w->nodes[1], &ev);
    run(400);
    assert_int_equal(w->nodes[1].core.record.suspects.n, 1);
    assert_int_equal(w->nodes[1].serves, 0);
}

static void
test_one_node(void **state)
{
    (void) state;
    world(1);
    assert_non_null(active());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_bootstrap_needs_all),
        cmocka_unit_test(test_power_cut_waits_for_lease),
        cmocka_unit_test(test_largest_cluster),
        cmocka_unit_test(test_death_of_standby_changes_nothing),
        cmocka_unit_test(test_quorum_lost),
        cmocka_unit_test(test_switchover),
        cmocka_unit_test(test_shutdown_hands_over),
        cmocka_unit_test(test_fresher_wins),
        cmocka_unit_test(test_incomplete_never),
        cmocka_unit_test(test_adoption),
        cmocka_unit_test(test_disk_full_gives_no_vote),
        cmocka_unit_test(test_cold_start),
        cmocka_unit_test(test_late_request_of_the_old_active),
        cmocka_unit_test(test_one_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
