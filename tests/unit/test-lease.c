/* SPDX-License-Identifier: Apache-2.0 */

/* Tests of fence/lease: each rule by itself, then random schedules of whole
 * clusters in which no two nodes may ever hold a lease at once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "fence/lease.h"

#define LEASE_US 500000
#define DRIFT_PPM 1000
#define PROMISE_US 500500

#define AT(US) ((mono_t){ US })
#define EPOCH(N, NODE) ((struct ha_epoch){ N, NODE })

static const uint32_t nodes[] = { 1, 2, 3, 4, 5 };

static void
holder_setup(struct lease_holder *h, uint32_t supporters, uint32_t n_peers)
{
    lease_holder_init(h, 7);
    lease_holder_set(h, LEASE_US, supporters, &nodes[1], n_peers);
    lease_holder_start(h, EPOCH(3, 1));
}

/* ---- Holder --------------------------------------------------------- */

static void
test_no_lease_before_enough_acks(void **state)
{
    struct lease_holder h;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 2, 4);
    assert_false(lease_holder_alive(&h, AT(0)));
    b = lease_holder_beat(&h, AT(1000));
    assert_false(lease_holder_alive(&h, AT(1000)));
    assert_true(lease_holder_ack(&h, 2, &b));
    assert_false(lease_holder_alive(&h, AT(1000)));
    assert_int_equal(lease_holder_until(&h).us, MONO_MIN.us);
    assert_true(lease_holder_ack(&h, 5, &b));
    assert_true(lease_holder_alive(&h, AT(1000)));
    assert_int_equal(lease_holder_n_bound(&h, AT(1000)), 2);
    assert_int_equal(lease_holder_n_bound(&h, AT(1000 + LEASE_US - 1)), 2);
    assert_int_equal(lease_holder_n_bound(&h, AT(1000 + LEASE_US)), 0);
}

static void
test_lease_counts_from_send_time(void **state)
{
    struct lease_holder h;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 1, 2);
    b = lease_holder_beat(&h, AT(1000));
    /* However late the acknowledgement is read. */
    assert_true(lease_holder_ack(&h, 2, &b));
    assert_int_equal(lease_holder_until(&h).us, 1000 + LEASE_US);
    assert_true(lease_holder_alive(&h, AT(1000 + LEASE_US - 1)));
    assert_false(lease_holder_alive(&h, AT(1000 + LEASE_US)));
}

static void
test_lease_ends_with_the_weakest_needed_peer(void **state)
{
    struct lease_holder h;
    struct lease_beat b[3];

    (void) state;
    holder_setup(&h, 2, 4);
    for (int i = 0; i < 3; i++) {
        b[i] = lease_holder_beat(&h, AT(1000 * (i + 1)));
    }
    lease_holder_ack(&h, 2, &b[2]);
    lease_holder_ack(&h, 3, &b[0]);
    assert_int_equal(lease_holder_until(&h).us, 1000 + LEASE_US);
    lease_holder_ack(&h, 4, &b[1]);
    assert_int_equal(lease_holder_until(&h).us, 2000 + LEASE_US);
    /* An older acknowledgement that was overtaken changes nothing. */
    assert_false(lease_holder_ack(&h, 2, &b[1]));
    assert_int_equal(lease_holder_until(&h).us, 2000 + LEASE_US);
    lease_holder_ack(&h, 5, &b[2]);
    assert_int_equal(lease_holder_until(&h).us, 3000 + LEASE_US);
    assert_int_equal(lease_holder_n_bound(&h, AT(LEASE_US + 2500)), 2);
}

static void
test_one_peer_counts_once(void **state)
{
    struct lease_holder h;

    (void) state;
    holder_setup(&h, 2, 4);
    for (int i = 0; i < 10; i++) {
        struct lease_beat b = lease_holder_beat(&h, AT(1000 + i));

        lease_holder_ack(&h, 2, &b);
        lease_holder_ack(&h, 2, &b);
    }
    assert_false(lease_holder_alive(&h, AT(1000)));
}

/* As many peers, and members, as there can be: nothing looks for one beyond
 * the last. */
static void
test_largest_cluster(void **state)
{
    uint32_t ids[HA_MAX_NODES];
    struct lease_holder h;
    struct lease_supporter s;
    struct lease_beat b;

    (void) state;
    for (uint32_t i = 0; i < HA_MAX_NODES; i++) {
        ids[i] = i + 2;
    }
    lease_holder_init(&h, 7);
    lease_holder_set(&h, LEASE_US, 1, ids, HA_MAX_NODES);
    lease_holder_start(&h, EPOCH(3, 1));
    b = lease_holder_beat(&h, AT(1000));
    assert_false(lease_holder_ack(&h, HA_MAX_NODES + 2, &b));
    assert_true(lease_holder_ack(&h, HA_MAX_NODES + 1, &b));
    assert_int_equal(lease_holder_until(&h).us, 1000 + LEASE_US);
    assert_int_equal(lease_holder_n_bound(&h, AT(1000)), 1);
    lease_holder_stop(&h);
    assert_int_equal(lease_holder_n_bound(&h, AT(1000)), 0);

    lease_supporter_init(&s, LEASE_US, DRIFT_PPM, AT(0));
    lease_supporter_set_members(&s, ids, HA_MAX_NODES);
    b.epoch = EPOCH(3, 1);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(10 * LEASE_US)),
                     LEASE_NOT_MEMBER);
}

static void
test_forged_and_foreign_acks_are_ignored(void **state)
{
    struct lease_holder h;
    struct lease_beat good, b;

    (void) state;
    holder_setup(&h, 1, 2);
    good = lease_holder_beat(&h, AT(1000));

    b = good, b.epoch.n--;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.epoch.n++;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.epoch.node = 2;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.life--;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.seq++;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.seq += LEASE_RING;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.seq = 0;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.sent.us++;
    assert_false(lease_holder_ack(&h, 2, &b));
    b = good, b.lease_us++;
    assert_false(lease_holder_ack(&h, 2, &b));
    assert_false(lease_holder_ack(&h, 1, &good)); /* Self. */
    assert_false(lease_holder_ack(&h, 4, &good)); /* Not a peer. */
    assert_false(lease_holder_alive(&h, AT(1000)));
    assert_true(lease_holder_ack(&h, 2, &good));
    assert_true(lease_holder_alive(&h, AT(1000)));
}

static void
test_a_forgotten_beat_cannot_be_acknowledged(void **state)
{
    struct lease_holder h;
    struct lease_beat first, b;

    (void) state;
    holder_setup(&h, 1, 2);
    first = b = lease_holder_beat(&h, AT(1000));
    for (int i = 1; i < LEASE_RING; i++) {
        b = lease_holder_beat(&h, AT(1000 + i));
    }
    assert_true(lease_holder_ack(&h, 2, &first));
    lease_holder_beat(&h, AT(9000));
    assert_false(lease_holder_ack(&h, 3, &first));
    first.sent = AT(9000); /* As in the slot that it shared. */
    assert_false(lease_holder_ack(&h, 3, &first));
    assert_true(lease_holder_ack(&h, 3, &b));
}

static void
test_restart_forgets(void **state)
{
    struct lease_holder h;
    struct lease_beat old, b;

    (void) state;
    for (int same = 0; same < 2; same++) {
        holder_setup(&h, 1, 2);
        old = lease_holder_beat(&h, AT(1000));
        assert_true(lease_holder_ack(&h, 2, &old));
        lease_holder_start(&h, same ? EPOCH(3, 1) : EPOCH(4, 1));
        assert_false(lease_holder_alive(&h, AT(1000)));
        assert_int_equal(lease_holder_n_bound(&h, AT(1000)), 0);
        assert_false(lease_holder_ack(&h, 3, &old));
        b = lease_holder_beat(&h, AT(1000));
        assert_true(b.seq > old.seq);
        assert_false(lease_holder_ack(&h, 3, &old));
        assert_true(lease_holder_ack(&h, 3, &b));
    }
}

static void
test_stop_is_final(void **state)
{
    struct lease_holder h;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 1, 2);
    b = lease_holder_beat(&h, AT(1000));
    assert_true(lease_holder_ack(&h, 2, &b));
    lease_holder_stop(&h);
    assert_false(lease_holder_alive(&h, AT(1000)));
    assert_false(lease_holder_ack(&h, 3, &b));
    assert_false(lease_holder_alive(&h, AT(1000)));
    b.epoch = EPOCH(0, 0);
    assert_false(lease_holder_ack(&h, 3, &b));
}

/* The end is gone at once, and comes back only when it lies ahead. */
static void
test_endless_while_paused(void **state)
{
    struct lease_holder h;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 1, 2);
    assert_false(lease_holder_settle(&h, AT(0)));
    lease_holder_set_endless(&h, false); /* It is ordinary. */
    assert_false(lease_holder_alive(&h, AT(0)));
    lease_holder_set_endless(&h, true);
    assert_int_equal(lease_holder_until(&h).us, MONO_NEVER.us);
    b = lease_holder_beat(&h, AT(1000));
    lease_holder_ack(&h, 2, &b);
    assert_false(lease_holder_settle(&h, AT(1000))); /* Not asked for. */
    lease_holder_set_endless(&h, false);
    lease_holder_set_endless(&h, false);
    assert_false(lease_holder_settle(&h, AT(1000 + LEASE_US)));
    assert_true(lease_holder_alive(&h, AT(99 * LEASE_US)));
    b = lease_holder_beat(&h, AT(99 * LEASE_US));
    lease_holder_ack(&h, 3, &b);
    assert_true(lease_holder_settle(&h, AT(99 * LEASE_US + 1)));
    assert_false(lease_holder_settle(&h, AT(99 * LEASE_US + 1)));
    assert_int_equal(lease_holder_until(&h).us, 100 * LEASE_US);
    assert_false(lease_holder_alive(&h, AT(100 * LEASE_US)));
    /* Asked for twice in between, it stays endless. */
    lease_holder_set_endless(&h, true);
    lease_holder_set_endless(&h, false);
    lease_holder_set_endless(&h, true);
    assert_false(lease_holder_settle(&h, AT(99 * LEASE_US + 1)));
}

static void
test_endless_ends_with_the_epoch(void **state)
{
    struct lease_holder h;

    (void) state;
    holder_setup(&h, 1, 2);
    lease_holder_set_endless(&h, true);
    lease_holder_start(&h, EPOCH(4, 1));
    assert_int_equal(lease_holder_until(&h).us, MONO_MIN.us);
    lease_holder_set_endless(&h, true);
    lease_holder_stop(&h);
    assert_int_equal(lease_holder_until(&h).us, MONO_MIN.us);
    lease_holder_set_endless(&h, true); /* Of nothing. */
    assert_int_equal(h.end, LEASE_ORDINARY);
    lease_holder_start(&h, EPOCH(5, 1));
    assert_false(lease_holder_alive(&h, AT(0)));
}

static void
test_no_supporters_needed_is_endless(void **state)
{
    struct lease_holder h;

    (void) state;
    lease_holder_init(&h, 7);
    lease_holder_set(&h, LEASE_US, 0, NULL, 0);
    assert_false(lease_holder_alive(&h, AT(0)));
    lease_holder_start(&h, EPOCH(1, 1));
    assert_true(lease_holder_alive(&h, AT(INT64_MAX - 1)));
    assert_int_equal(lease_holder_until(&h).us, MONO_NEVER.us);
    lease_holder_stop(&h);
    assert_false(lease_holder_alive(&h, AT(0)));
}

static void
test_holder_set_keeps_who_stays(void **state)
{
    struct lease_holder h;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 1, 2); /* Peers 2 and 3. */
    b = lease_holder_beat(&h, AT(1000));
    lease_holder_ack(&h, 2, &b);
    lease_holder_set(&h, LEASE_US, 1, (uint32_t[]){ 4, 2 }, 2);
    assert_true(lease_holder_alive(&h, AT(1000)));
    lease_holder_set(&h, LEASE_US, 1, (uint32_t[]){ 4, 3 }, 2);
    assert_false(lease_holder_alive(&h, AT(1000)));
    lease_holder_set(&h, LEASE_US, 1, (uint32_t[]){ 4, 2 }, 2);
    assert_false(lease_holder_alive(&h, AT(1000)));
}

static void
test_longer_lease_applies_to_later_beats_only(void **state)
{
    struct lease_holder h;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 1, 1);
    b = lease_holder_beat(&h, AT(1000));
    lease_holder_set(&h, 10 * LEASE_US, 1, &nodes[1], 1);
    assert_true(lease_holder_ack(&h, 2, &b));
    assert_int_equal(lease_holder_until(&h).us, 1000 + LEASE_US);
    b = lease_holder_beat(&h, AT(2000));
    assert_int_equal(b.lease_us, 10 * LEASE_US);
    assert_true(lease_holder_ack(&h, 2, &b));
    assert_int_equal(lease_holder_until(&h).us, 2000 + 10 * LEASE_US);
}

/* ---- Supporter ------------------------------------------------------ */

/* Not fresh any more from AT(0) on; supports {3, 1}; members 1, 2, 3. */
static void
supporter_setup(struct lease_supporter *s)
{
    lease_supporter_init(s, LEASE_US, DRIFT_PPM, AT(-PROMISE_US));
    lease_supporter_set_members(s, nodes, 3);
    assert_int_equal(lease_supporter_support(s, EPOCH(3, 1)), 0);
}

static struct lease_beat
beat(uint32_t n, uint32_t node, uint64_t seq)
{
    return (struct lease_beat){
        .epoch = EPOCH(n, node),
        .life = 7,
        .seq = seq,
        .sent = AT(123456789), /* Another node's clock. */
        .lease_us = LEASE_US,
    };
}

static void
test_promise_runs_from_the_ack_with_drift(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    supporter_setup(&s);
    assert_int_equal(lease_supporter_left_us(&s, AT(1000)), 0);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(1000)), LEASE_ACK);
    assert_int_equal(lease_supporter_left_us(&s, AT(1000)), PROMISE_US);
    assert_int_equal(lease_supporter_left_us(&s, AT(1001)), PROMISE_US - 1);
    assert_int_equal(lease_supporter_left_us(&s, AT(1000 + PROMISE_US)), 0);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(1000)), 0);
}

static void
test_exact_epoch_only(void **state)
{
    struct lease_supporter s;
    struct lease_beat b;

    (void) state;
    supporter_setup(&s);
    b = beat(2, 1, 1);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)),
                     LEASE_OTHER_EPOCH);
    b = beat(4, 1, 1);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)),
                     LEASE_OTHER_EPOCH);
    b = beat(3, 2, 1);
    assert_int_equal(lease_supporter_beat(&s, 2, &b, AT(0)),
                     LEASE_OTHER_EPOCH);
    assert_int_equal(lease_supporter_left_us(&s, AT(0)), 0);
}

static void
test_beat_is_of_its_sender(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    supporter_setup(&s);
    assert_int_equal(lease_supporter_beat(&s, 2, &b, AT(0)), LEASE_BAD_BEAT);
    b.lease_us = 0;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_BAD_BEAT);
    b.lease_us = -1;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_BAD_BEAT);
    b.lease_us = LEASE_MAX_US + 1;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_BAD_BEAT);
    b.lease_us = INT64_MAX;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_BAD_BEAT);
    b = beat(0, 0, 1);
    assert_int_equal(lease_supporter_beat(&s, 0, &b, AT(0)), LEASE_BAD_BEAT);
}

static void
test_members_only(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    supporter_setup(&s);
    lease_supporter_set_members(&s, &nodes[1], 2);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_NOT_MEMBER);
    lease_supporter_set_members(&s, NULL, 0);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_NOT_MEMBER);
    lease_supporter_set_members(&s, nodes, 3);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_ACK);
}

static void
test_replays_are_refused(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 5);

    (void) state;
    supporter_setup(&s);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_ACK);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(10)), LEASE_REPLAY);
    b.seq = 4;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(10)), LEASE_REPLAY);
    assert_int_equal(lease_supporter_left_us(&s, AT(0)), PROMISE_US);
    /* A newer life of the holder counts anew; the older is over for good. */
    b.life = 8, b.seq = 1;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(10)), LEASE_ACK);
    b.life = 7, b.seq = 6;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(10)), LEASE_REPLAY);
}

static void
test_lower_epochs_are_refused_for_ever(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    supporter_setup(&s);
    assert_int_equal(lease_supporter_support(&s, EPOCH(4, 2)), 0);
    assert_int_equal(lease_supporter_support(&s, EPOCH(3, 1)), -ESTALE);
    assert_int_equal(lease_supporter_support(&s, EPOCH(4, 1)), -ESTALE);
    assert_int_equal(lease_supporter_support(&s, EPOCH(0, 0)), -ESTALE);
    assert_int_equal(s.epoch.n, 4);
    assert_int_equal(s.epoch.node, 2);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(1000LL * LEASE_US)),
                     LEASE_OTHER_EPOCH);
}

static void
test_old_promise_lives_on(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    supporter_setup(&s);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_ACK);
    /* The same epoch again keeps the promise where it is. */
    assert_int_equal(lease_supporter_support(&s, EPOCH(3, 1)), 0);
    assert_int_equal(lease_supporter_left_us(&s, AT(0)), PROMISE_US);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(0)), 0);

    assert_int_equal(lease_supporter_support(&s, EPOCH(4, 2)), 0);
    assert_int_equal(lease_supporter_left_us(&s, AT(0)), 0);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(0)), PROMISE_US);
    /* Two changes in a row: the longest counts. */
    assert_int_equal(lease_supporter_support(&s, EPOCH(5, 3)), 0);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(100)),
                     PROMISE_US - 100);
    /* The new holder is supported meanwhile: opening is not ours to judge. */
    b = beat(5, 3, 1);
    assert_int_equal(lease_supporter_beat(&s, 3, &b, AT(100)), LEASE_ACK);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(PROMISE_US)), 0);
}

static void
test_fresh_start_is_a_promise(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    lease_supporter_init(&s, LEASE_US, DRIFT_PPM, AT(50));
    lease_supporter_set_members(&s, nodes, 3);
    assert_int_equal(lease_supporter_support(&s, EPOCH(3, 1)), 0);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(50)), PROMISE_US);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(50)), LEASE_FRESH);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(50 + PROMISE_US - 1)),
                     LEASE_FRESH);
    assert_int_equal(lease_supporter_left_us(&s, AT(50)), 0);
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(50 + PROMISE_US)),
                     LEASE_ACK);
    assert_int_equal(lease_supporter_old_left_us(&s, AT(50 + PROMISE_US)), 0);
}

static void
test_longer_lease_lengthens_only_a_fresh_start(void **state)
{
    struct lease_supporter s;

    (void) state;
    lease_supporter_init(&s, LEASE_US, DRIFT_PPM, AT(0));
    lease_supporter_set(&s, 2 * LEASE_US, DRIFT_PPM, AT(10));
    assert_int_equal(lease_supporter_old_left_us(&s, AT(0)), 2 * PROMISE_US);
    lease_supporter_set(&s, LEASE_US, DRIFT_PPM, AT(20));
    assert_int_equal(lease_supporter_old_left_us(&s, AT(0)), 2 * PROMISE_US);
    lease_supporter_set(&s, 9 * LEASE_US, DRIFT_PPM, AT(2 * PROMISE_US));
    assert_int_equal(lease_supporter_old_left_us(&s, AT(2 * PROMISE_US)), 0);
}

static void
test_promise_is_never_shorter_than_the_senders_lease(void **state)
{
    struct lease_supporter s;
    struct lease_beat b = beat(3, 1, 1);

    (void) state;
    supporter_setup(&s);
    b.lease_us = 3 * LEASE_US;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(0)), LEASE_ACK);
    assert_int_equal(lease_supporter_left_us(&s, AT(0)), 3 * PROMISE_US);
    /* Nor does a later, shorter one take that back. */
    b.lease_us = 1, b.seq = 2;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(1)), LEASE_ACK);
    assert_int_equal(lease_supporter_left_us(&s, AT(1)), 3 * PROMISE_US - 1);
}

/* ---- Random schedules ----------------------------------------------- */

/* A cluster whose members have clocks of their own, wrong by up to the drift
 * in either direction, and a network that delays, loses, repeats and reorders.
 * Elections are as hostile as the rules allow: anyone may claim a higher epoch
 * at any time, but gets it only from a majority, each of whose members says
 * how long its old promises last; the claimant waits for that long on its own
 * clock, longer by the drift, before it trusts its lease. */

#define SIM_NODES 3
#define SIM_MAJORITY 2
#define SIM_MSGS 256
#define SIM_TICK_US 5000
#define SIM_DRIFT_PPM 50000 /* 5 %, so that mistakes show. */

struct sim_node {
    int64_t rate_ppm; /* Clock's error. */
    int64_t offset_us;
    struct lease_holder h;
    struct lease_supporter s;
    uint64_t lives;
    mono_t serve_after; /* Old promises of the voters. */
    uint32_t votes;     /* Bit set, for 'claim'. */
    struct ha_epoch claim;
    bool down;
};

struct sim_msg {
    bool used, ack;
    uint32_t from, to;
    int64_t due_us;
    struct lease_beat beat;
};

struct sim {
    uint64_t rng;
    int64_t now_us; /* True time. */
    uint32_t top;   /* Highest epoch number claimed. */
    struct sim_node nodes[SIM_NODES];
    struct sim_msg msgs[SIM_MSGS];
    bool cut[SIM_NODES][SIM_NODES];
    int holding; /* Turns with a holder: not vacuous. */
    int changes;
};

static uint32_t
rnd(struct sim *sim, uint32_t n)
{
    sim->rng = sim->rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) (sim->rng >> 33) % n;
}

static mono_t
sim_clock(const struct sim *sim, int i)
{
    const struct sim_node *n = &sim->nodes[i];

    return AT(n->offset_us + sim->now_us
              + sim->now_us * n->rate_ppm / 1000000);
}

static void
sim_start(struct sim *sim, int i)
{
    struct sim_node *n = &sim->nodes[i];
    uint32_t peers[SIM_NODES - 1];
    int n_peers = 0;

    for (int j = 0; j < SIM_NODES; j++) {
        if (j != i) {
            peers[n_peers++] = nodes[j];
        }
    }
    lease_holder_init(&n->h, ++n->lives);
    lease_holder_set(&n->h, LEASE_US, SIM_MAJORITY - 1, peers, n_peers);
    lease_supporter_init(&n->s, LEASE_US, SIM_DRIFT_PPM, sim_clock(sim, i));
    lease_supporter_set_members(&n->s, nodes, SIM_NODES);
    n->claim = EPOCH(0, 0);
    n->votes = 0;
    n->serve_after = MONO_NEVER;
    n->down = false;
}

static void
sim_send(struct sim *sim, int from, int to, bool ack,
         const struct lease_beat *b)
{
    int copies = rnd(sim, 10) ? 1 : 2;

    for (int i = 0; i < SIM_MSGS && copies; i++) {
        struct sim_msg *m = &sim->msgs[i];

        if (!m->used && rnd(sim, 8)) {
            int64_t delay_us =
                rnd(sim, 10) ? rnd(sim, 3000) : rnd(sim, 3 * LEASE_US);

            *m = (struct sim_msg){ true, ack, from, to, sim->now_us + delay_us,
                                   *b };
            copies--;
        }
    }
}

static void
sim_deliver(struct sim *sim, struct sim_msg *m)
{
    struct sim_node *n = &sim->nodes[m->to];

    m->used = false;
    if (n->down || sim->cut[m->from][m->to]) {
        return;
    }
    if (m->ack) {
        lease_holder_ack(&n->h, nodes[m->from], &m->beat);
    } else if (lease_supporter_beat(&n->s, nodes[m->from], &m->beat,
                                    sim_clock(sim, m->to))
               == LEASE_ACK) {
        sim_send(sim, m->to, m->from, true, &m->beat);
    }
}

/* Node 'voter' supports the claim of 'i', as the worker does it: its own
 * door is closed first, then the old promises are told. */
static void
sim_vote(struct sim *sim, int i, int voter)
{
    struct sim_node *n = &sim->nodes[i];
    struct sim_node *v = &sim->nodes[voter];
    int64_t left_us;

    if (v->down || sim->cut[i][voter] || sim->cut[voter][i]
        || (n->votes & 1u << voter)
        || lease_supporter_support(&v->s, n->claim)) {
        return;
    }
    if (ha_epoch_cmp(v->h.epoch, n->claim) < 0) {
        lease_holder_stop(&v->h);
    }
    left_us = lease_supporter_old_left_us(&v->s, sim_clock(sim, voter));
    /* Both clocks may be wrong, in opposite directions. */
    left_us += left_us * 3 * SIM_DRIFT_PPM / 1000000;
    n->serve_after =
        mono_max(n->serve_after, mono_add_us(sim_clock(sim, i), left_us));
    n->votes |= 1u << voter;
}

static void
sim_claim(struct sim *sim, int i)
{
    struct sim_node *n = &sim->nodes[i];

    lease_holder_stop(&n->h);
    n->claim = EPOCH(++sim->top, nodes[i]);
    n->votes = 0;
    n->serve_after = MONO_MIN;
    sim->changes++;
}

static void
sim_faults(struct sim *sim)
{
    int i = rnd(sim, SIM_NODES);
    int j = rnd(sim, SIM_NODES);

    switch (rnd(sim, 500)) {
    case 0:
        sim_claim(sim, i);
        break;
    case 1:
        sim->cut[i][j] = i != j;
        break;
    case 2:
    case 3:
        memset(sim->cut, 0, sizeof sim->cut);
        break;
    case 4:
        /* Loses all its memory. */
        sim_start(sim, i);
        break;
    case 5:
        sim->nodes[i].down = true;
        break;
    case 6:
        if (sim->nodes[i].down) {
            sim_start(sim, i);
        }
        break;
    default:
        break;
    }
}

static void
sim_node_turn(struct sim *sim, int i)
{
    struct sim_node *n = &sim->nodes[i];

    if (n->down) {
        return;
    }
    for (int j = 0; n->claim.n && j < SIM_NODES; j++) {
        sim_vote(sim, i, j);
    }
    if (n->claim.n && ha_epoch_cmp(n->claim, n->s.epoch) < 0) {
        n->claim = EPOCH(0, 0); /* Outbid. */
        lease_holder_stop(&n->h);
    } else if (n->claim.n && !n->h.epoch.n
               && __builtin_popcount(n->votes) >= SIM_MAJORITY) {
        lease_holder_start(&n->h, n->claim);
    }
    if (n->h.epoch.n && rnd(sim, 4)) {
        struct lease_beat b = lease_holder_beat(&n->h, sim_clock(sim, i));

        for (int j = 0; j < SIM_NODES; j++) {
            if (j != i) {
                sim_send(sim, i, j, false, &b);
            }
        }
    }
}

static int
sim_n_serving(const struct sim *sim)
{
    int serving = 0;

    for (int i = 0; i < SIM_NODES; i++) {
        const struct sim_node *n = &sim->nodes[i];
        mono_t now = sim_clock(sim, i);

        serving += !n->down && lease_holder_alive(&n->h, now)
                   && !mono_before(now, n->serve_after);
    }
    return serving;
}

/* Runs 'turns' and returns the largest number of nodes that served at once. */
static int
sim_run(struct sim *sim, uint64_t seed, int turns)
{
    int worst = 0;

    memset(sim, 0, sizeof *sim);
    sim->rng = seed * 2654435761u + 1;
    for (int i = 0; i < SIM_NODES; i++) {
        /* Half each way: two nodes differ by the drift at most. */
        sim->nodes[i].rate_ppm =
            (int64_t) rnd(sim, SIM_DRIFT_PPM / 2) - SIM_DRIFT_PPM / 4;
        sim->nodes[i].offset_us = (int64_t) rnd(sim, 1000000000);
        sim_start(sim, i);
    }
    for (int t = 0; t < turns; t++) {
        int serving;

        sim->now_us += 1 + rnd(sim, 2 * SIM_TICK_US);
        sim_faults(sim);
        for (int m = 0; m < SIM_MSGS; m++) {
            if (sim->msgs[m].used && sim->msgs[m].due_us <= sim->now_us) {
                sim_deliver(sim, &sim->msgs[m]);
            }
        }
        for (int i = 0; i < SIM_NODES; i++) {
            sim_node_turn(sim, i);
        }
        serving = sim_n_serving(sim);
        sim->holding += serving > 0;
        worst = serving > worst ? serving : worst;
    }
    return worst;
}

static void
test_never_two_holders(void **state)
{
    static struct sim sim;
    int64_t holding = 0, changes = 0;

    (void) state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        int worst = sim_run(&sim, seed, 3000);

        if (worst > 1) {
            fail_msg("seed %llu: %d nodes served at once",
                     (unsigned long long) seed, worst);
        }
        holding += sim.holding;
        changes += sim.changes;
    }
    /* Where no one ever serves the rule above is worth nothing. */
    assert_true(holding > 400 * 3000 / 10);
    assert_true(changes > 400);
}

/* At the edges: one acknowledgement counts once, the longest lease is still
 * one, and a shorter one than our own is promised for as long as our own. */
static void
test_edges(void **state)
{
    struct lease_holder h;
    struct lease_supporter s;
    struct lease_beat b;

    (void) state;
    holder_setup(&h, 1, 2);
    b = lease_holder_beat(&h, AT(1000));
    assert_true(lease_holder_ack(&h, 2, &b));
    assert_false(lease_holder_ack(&h, 2, &b));

    lease_supporter_init(&s, LEASE_US, 0, AT(0));
    lease_supporter_set_members(&s, (uint32_t[]){ 1, 2 }, 2);
    assert_int_equal(lease_supporter_support(&s, EPOCH(3, 1)), 0);
    b.lease_us = LEASE_US / 2;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(LEASE_US)), LEASE_ACK);
    assert_int_equal(lease_supporter_left_us(&s, AT(LEASE_US)), LEASE_US);
    b.seq++;
    b.lease_us = LEASE_MAX_US;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(LEASE_US)), LEASE_ACK);
    b.seq++;
    b.lease_us = LEASE_MAX_US + 1;
    assert_int_equal(lease_supporter_beat(&s, 1, &b, AT(LEASE_US)),
                     LEASE_BAD_BEAT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_lease_before_enough_acks),
        cmocka_unit_test(test_lease_counts_from_send_time),
        cmocka_unit_test(test_lease_ends_with_the_weakest_needed_peer),
        cmocka_unit_test(test_one_peer_counts_once),
        cmocka_unit_test(test_largest_cluster),
        cmocka_unit_test(test_forged_and_foreign_acks_are_ignored),
        cmocka_unit_test(test_a_forgotten_beat_cannot_be_acknowledged),
        cmocka_unit_test(test_restart_forgets),
        cmocka_unit_test(test_stop_is_final),
        cmocka_unit_test(test_no_supporters_needed_is_endless),
        cmocka_unit_test(test_endless_while_paused),
        cmocka_unit_test(test_endless_ends_with_the_epoch),
        cmocka_unit_test(test_holder_set_keeps_who_stays),
        cmocka_unit_test(test_longer_lease_applies_to_later_beats_only),
        cmocka_unit_test(test_promise_runs_from_the_ack_with_drift),
        cmocka_unit_test(test_exact_epoch_only),
        cmocka_unit_test(test_beat_is_of_its_sender),
        cmocka_unit_test(test_members_only),
        cmocka_unit_test(test_replays_are_refused),
        cmocka_unit_test(test_lower_epochs_are_refused_for_ever),
        cmocka_unit_test(test_old_promise_lives_on),
        cmocka_unit_test(test_fresh_start_is_a_promise),
        cmocka_unit_test(test_longer_lease_lengthens_only_a_fresh_start),
        cmocka_unit_test(test_promise_is_never_shorter_than_the_senders_lease),
        cmocka_unit_test(test_never_two_holders),
        cmocka_unit_test(test_edges),
    };

    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
