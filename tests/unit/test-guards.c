/* SPDX-License-Identifier: Apache-2.0 */

/* Each guard of the core by itself: one node, whose fellow members are played
 * by the test, so that they may say what no sound one says.  test-core.c has
 * the sound ones; tests/mutate tells which guards nobody else looks after. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ha/core/core.h"

#define LEASE_US 1000000
#define MUTE_US 300000
#define TAIL_US 3000000
#define OPEN_US 5000000
#define LINEAGE 0x1234
#define RETRY_US 10000000
#define SELF 3 /* Of nodes 1 to 3: never the first to propose. */

/* The node under test, and what it asked for so far. */
static struct {
    struct ha_core core;
    struct ha_local local;
    struct ha_fence fence;
    mono_t now;
    uint64_t random;
    bool lazy_replica; /* Commands to the replica workers go unheard. */
    bool lazy_fence;   /* The same for orders to support. */
    bool disk_full;
    bool deaf; /* What it sends does not come back. */
    unsigned n_sent[8];
    struct ha_msg last[8]; /* By type. */
    unsigned n_requests[HA_REQ_RESUME + 1];
    struct ha_msg last_request[HA_REQ_RESUME + 1];
    unsigned n_acts[HA_ACT_FORGET + 1];
    struct ha_action last_act[HA_ACT_FORGET + 1];
    struct ha_action last_role[HA_N_DBS];
    char tell[HA_TELL_LEN]; /* Last one that was not empty. */
} t;

static void feed(struct ha_event *);

static void
feed_local(void)
{
    struct ha_event ev = { .type = HA_EV_LOCAL, .local = t.local };

    feed(&ev);
}

static void
feed_fence(void)
{
    struct ha_event ev = { .type = HA_EV_FENCE, .fence = t.fence };

    feed(&ev);
}

static void
feed_type(enum ha_event_type type)
{
    struct ha_event ev = { .type = type };

    feed(&ev);
}

/* The workers do as they are told, unless the test said otherwise. */
static void
act(const struct ha_action *a)
{
    struct ha_event ev = { .type = HA_EV_SUPPORTED };

    t.n_acts[a->type]++;
    t.last_act[a->type] = *a;
    switch (a->type) {
    case HA_ACT_SEND:
        t.n_sent[a->msg.type]++;
        t.last[a->msg.type] = a->msg;
        if (a->msg.type == HA_MSG_REQUEST) {
            t.n_requests[a->msg.request]++;
            t.last_request[a->msg.request] = a->msg;
        }
        ev.type = HA_EV_MSG; /* It comes back through the group. */
        ev.msg.from = t.core.cfg.self;
        ev.msg.msg = a->msg;
        if (!t.deaf) {
            feed(&ev);
        }
        break;
    case HA_ACT_FENCE_SUPPORT:
        if (!t.lazy_fence) {
            ev.supported.epoch = a->epoch;
            feed(&ev);
        }
        break;
    case HA_ACT_REPLICA:
        t.last_role[a->replica.db] = *a;
        if (!t.lazy_replica) {
            t.local.db[a->replica.db].role_token = a->replica.token;
            feed_local();
        }
        break;
    default:
        break;
    }
}

static void
feed(struct ha_event *ev)
{
    struct ha_actions out;

    ev->now = t.now;
    ev->random = ++t.random << 35;
    ha_step(&t.core, ev, &out);
    if (out.tell[0]) {
        strcpy(t.tell, out.tell);
        if (getenv("TELL")) { /* To look at a failure. */
            printf("%lld %s\n", (long long) t.now.us / 1000, out.tell);
        }
    }
    for (size_t i = 0; i < out.n; i++) {
        if (out.a[i].type == HA_ACT_PERSIST) {
            t.n_acts[HA_ACT_PERSIST]++;
            assert_int_equal(out.n, 1);
            feed_type(t.disk_full ? HA_EV_PERSIST_FAILED : HA_EV_TICK);
        } else {
            act(&out.a[i]);
        }
    }
}

/* Lets time pass in steps of 50 ms. */
static void
wait_us(int64_t us)
{
    for (; us > 0; us -= 50000) {
        t.now = mono_add_us(t.now, us < 50000 ? us : 50000);
        feed_type(HA_EV_TICK);
    }
}

static struct ha_set
set_of(uint32_t a, uint32_t b, uint32_t c)
{
    struct ha_set set = { 0 };
    uint32_t ids[] = { a, b, c };

    for (int i = 0; i < 3; i++) {
        if (ids[i]) {
            ha_set_add(&set, ids[i]);
        }
    }
    return set;
}

static struct ha_pos
pos_at(uint32_t epoch, uint32_t node, uint64_t seq)
{
    return (struct ha_pos){ LINEAGE, { epoch, node }, seq, seq * 7 };
}

static void
view(struct ha_set members)
{
    struct ha_event v = { .type = HA_EV_VIEW, .view.members = members };
    struct ha_event q = { .type = HA_EV_QUORUM };

    q.quorum.members = members;
    q.quorum.quorate = members.n > t.core.cfg.nodes.n / 2;
    feed(&q);
    feed(&v);
}

/* The record that a cluster of three has in its second epoch. */
static struct ha_record
record_of(uint32_t epoch, uint32_t active)
{
    struct ha_record rec = { .lineage = LINEAGE,
                             .epoch = { epoch, active },
                             .active = active,
                             .lease_us = LEASE_US,
                             .in_sync = set_of(1, 2, 3) };

    return rec;
}

static struct ha_status
status_of(uint32_t id, enum ha_state state)
{
    struct ha_status st = { .state = state };

    for (int db = 0; db < HA_N_DBS; db++) {
        st.local.db[db].pos = pos_at(1, 1, 50);
        st.local.db[db].complete = st.local.db[db].server_ok = true;
        st.local.db[db].has_data = true;
    }
    st.local.northd_ok = true;
    (void) id;
    return st;
}

static void
say(uint32_t from, const struct ha_msg *m)
{
    struct ha_event ev = { .type = HA_EV_MSG, .msg = { from, *m } };

    feed(&ev);
    if (m->type == HA_MSG_SUPPORT) {
        wait_us(3); /* All reckoning of leases is rounded up. */
    }
}

static void
say_status(uint32_t from, const struct ha_status *st)
{
    struct ha_msg m = { .type = HA_MSG_STATUS, .status = *st };

    say(from, &m);
}

static void
say_prepare(uint32_t from, uint32_t n)
{
    struct ha_msg m = { .type = HA_MSG_PREPARE, .ballot = { n, from } };

    say(from, &m);
}

static void
say_accept(uint32_t from, uint32_t n, uint32_t rev,
           const struct ha_record *rec)
{
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { n, from } };

    m.rev = rev;
    m.elected = true;
    m.durable.record = *rec;
    say(from, &m);
}

/* Support of 'from' for what 'coord' proposed; it stopped at 'seq' of epoch
 * 1.1. */
static struct ha_msg
support_of(uint32_t from, uint32_t coord, uint32_t n, uint32_t rev,
           uint64_t seq)
{
    struct ha_msg m = { .type = HA_MSG_SUPPORT, .ballot = { n, coord } };

    m.rev = rev;
    m.stopped = true;
    m.pos[HA_NB] = m.pos[HA_SB] = pos_at(1, 1, seq);
    m.status = status_of(from, HA_STANDBY);
    return m;
}

static void
say_support(uint32_t from, uint32_t coord, uint32_t n, uint32_t rev,
            uint64_t seq)
{
    struct ha_msg m = support_of(from, coord, n, rev, seq);

    say(from, &m);
}

/* Node 'self' of 'n_nodes' starts with a complete replica at 50 of epoch 1.1,
 * and the record of that epoch. */
static void
start_as(uint32_t self, uint32_t n_nodes)
{
    struct ha_config cfg = {
        .self = self,
        .lease_us = LEASE_US,
        .drift_ppm = 10000,
        .mute_us = MUTE_US,
        .grace_us = 5000000,
        .tail_us = TAIL_US,
        .open_us = OPEN_US,
        .retry_us = RETRY_US,
        .lag_records = 10,
        .lag_us = 500000,
    };
    struct ha_event ev = { .type = HA_EV_START };

    memset(&t, 0, sizeof t);
    t.now.us = 1000000000;
    for (uint32_t i = 1; i <= n_nodes; i++) {
        ha_set_add(&cfg.nodes, i);
    }
    ha_core_init(&t.core, &cfg);
    ev.start.has_durable = true;
    ev.start.durable.promised = ev.start.durable.accepted =
        (struct ha_ballot){ 1, 1 };
    ev.start.durable.rev = 1;
    ev.start.durable.record = record_of(1, 1);
    feed(&ev);
    t.fence.connected = t.fence.closed = true;
    feed_fence();
    t.local = status_of(self, HA_STARTING).local;
    feed_local();
}

static void
start(void)
{
    start_as(SELF, 3);
}

/* These are here, and node 2 proposes 'rec'. */
static void
propose_among(struct ha_set members, const struct ha_record *rec)
{
    view(members);
    say_prepare(2, 5);
    say_accept(2, 5, 1, rec);
}

/* Nodes 2 and 3 are left of three; node 2 proposes node 3. */
static void
name_self(const struct ha_record *rec)
{
    propose_among(set_of(0, 2, 3), rec);
}

static struct ha_record
takeover(void)
{
    struct ha_record rec = record_of(2, SELF);

    rec.suspects = set_of(1, 0, 0);
    return rec;
}

/* Node 3 is being promoted in epoch 2.3, everybody here supports it, and all
 * leases are over: only its own data, workers and door are left. */
static void
promote(void)
{
    struct ha_record rec = takeover();

    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
}

/* ... and serves. */
static void
serve(void)
{
    struct ha_event ev = { .type = HA_EV_PROBED };

    promote();
    t.fence.open = true;
    t.fence.closed = false;
    t.fence.serve = t.core.hold;
    feed_fence();
    ev.probed.token = t.core.probe_token;
    feed(&ev);
    assert_int_equal(t.core.state, HA_ACTIVE);
    wait_us(MUTE_US);
    memset(t.n_requests, 0, sizeof t.n_requests);
}

/* ---- Verdict ---------------------------------------------------------- */

static void
test_promotion_by_hand(void **state)
{
    (void) state;
    start();
    serve();
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 1);
    assert_int_equal(t.last_role[HA_NB].replica.role, 2);
    assert_int_equal(t.last_role[HA_SB].replica.role, 2);
    assert_int_equal(t.core.wake.us, MONO_NEVER.us);
}

/* A promise to the old active holds the door shut until it is over. */
static void
test_promise_is_waited_for(void **state)
{
    struct ha_record rec = takeover();
    struct ha_msg m = support_of(2, 2, 5, 1, 50);

    (void) state;
    start();
    name_self(&rec);
    m.promise_left_us = 400000;
    say(2, &m);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    /* Its clock may be slower than ours: one per cent on top. */
    assert_int_equal(mono_us_between(t.now, t.core.wake), 404001 - 3);
    wait_us(404000 - 3);
    assert_int_equal(t.core.stage, HA_STAGE_VERDICT);
    wait_us(1);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    assert_int_equal(t.core.wake.us, MONO_NEVER.us);
}

static void
say_fenced(uint32_t node, bool proven, bool vouched)
{
    struct ha_event ev = {
        .type = HA_EV_FENCED,
        .fenced = { .node = node, .proven = proven, .vouched = vouched },
    };

    feed(&ev);
}

/* A device's proof ends the wait, and the others hear of it; a device without
 * proof does not, nor does a proof about a node that is here. */
static void
test_fenced_is_a_verdict(void **state)
{
    struct ha_record rec = takeover();
    struct ha_msg m = support_of(2, 2, 5, 1, 50);

    (void) state;
    start();
    name_self(&rec);
    m.promise_left_us = 400000;
    say(2, &m);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    say_fenced(1, false, false);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    say_fenced(2, true, true);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_ALIVE);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    assert_int_equal(t.n_requests[HA_REQ_FENCED], 0);
    say_fenced(1, true, false);
    assert_int_equal(t.n_requests[HA_REQ_FENCED], 1);
    assert_int_equal(t.last_request[HA_REQ_FENCED].node, 1);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0); /* Leases are enough. */
}

/* What another node has proven counts, until the node is back. */
static void
test_fenced_is_told(void **state)
{
    struct ha_record rec = takeover();
    struct ha_msg m = support_of(2, 2, 5, 1, 50);
    struct ha_msg told = { .type = HA_MSG_REQUEST,
                           .request = HA_REQ_FENCED,
                           .node = 1 };

    (void) state;
    start();
    view(set_of(1, 2, 3));
    say(2, &told); /* It is here. */
    name_self(&rec);
    m.promise_left_us = 400000;
    say(2, &m);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    say(2, &told);
    wait_us(1000);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    view(set_of(1, 2, 3));
    assert_int_equal(t.core.peers[0].proof, HA_PROOF_NONE);
}

/* A suspect that is here, and supports without having stopped, may serve. */
static void
test_suspect_not_stopped(void **state)
{
    struct ha_record rec = takeover();
    struct ha_msg m = support_of(1, 2, 5, 1, 50);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    m.stopped = false;
    m.promise_left_us = 100000000;
    say(1, &m);
    assert_int_equal(t.core.why, HA_WHY_VERDICT);
    wait_us(LEASE_US);
    assert_int_equal(t.core.why, HA_WHY_VERDICT);
    wait_us(LEASE_US + 4 * MUTE_US);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    say_support(2, 2, 5, 1, 50);
    wait_us(50000);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* A suspect that is here, but mute, is waited for: its tail matters.  Not for
 * ever. */
static void
test_mute_suspect(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    say_support(2, 2, 5, 1, 50);
    wait_us(LEASE_US + 4 * MUTE_US - 50000);
    assert_int_equal(t.core.why, HA_WHY_VERDICT);
    wait_us(100000);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* A suspect that is in the nodelist no more cannot be here: leases decide. */
static void
test_suspect_of_another_nodelist(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    rec.suspects = set_of(9, 0, 0);
    name_self(&rec);
    assert_int_equal(t.core.stage, HA_STAGE_AGREE);
    say_support(2, 2, 5, 1, 50);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* In a pair silence proves nothing, however long it lasts, and though both
 * support: the suspect did not say that it has stopped. */
static void
test_pair_needs_proof(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_msg m = support_of(1, 1, 5, 1, 50);

    (void) state;
    start_as(2, 2);
    rec.suspects = set_of(1, 0, 0);
    rec.in_sync = set_of(1, 2, 0);
    view(set_of(1, 2, 0));
    say_prepare(1, 5);
    say_accept(1, 5, 1, &rec);
    m.stopped = false;
    say(1, &m);
    wait_us(20 * LEASE_US);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.why, HA_WHY_VERDICT);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 0);
    assert_int_equal(t.core.wake.us, MONO_NEVER.us); /* Nothing runs out. */
}

/* ---- Tail ------------------------------------------------------------- */

/* Waits for the end of node 1's log unless it cannot be fresher. */
static bool
waits_for_node_1(bool in_sync, uint64_t nb_lineage, uint64_t sb_lineage)
{
    struct ha_record rec = record_of(2, SELF);
    struct ha_status st = status_of(1, HA_STANDBY);

    start();
    rec.in_sync = in_sync ? set_of(1, 2, 3) : set_of(0, 2, 3);
    rec.suspects.n = 0;
    view(set_of(1, 2, 3));
    st.local.db[HA_NB].pos.lineage = nb_lineage;
    st.local.db[HA_SB].pos.lineage = sb_lineage;
    say_status(1, &st);
    say_prepare(2, 5);
    say_accept(2, 5, 1, &rec);
    say_support(2, 2, 5, 1, 50);
    if (t.core.stage != HA_STAGE_TAIL) {
        assert_int_equal(t.core.stage, HA_STAGE_DOOR);
        return false;
    }
    wait_us(MUTE_US); /* It had its time. */
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    return true;
}

static void
test_who_may_be_fresher(void **state)
{
    (void) state;
    assert_true(waits_for_node_1(true, 0, 0));
    assert_true(waits_for_node_1(false, LINEAGE, 0));
    assert_true(waits_for_node_1(false, 0, LINEAGE));
    assert_false(waits_for_node_1(false, 0, 0));
}

/* What a member said before this view says nothing. */
static void
test_not_heard_in_this_view(void **state)
{
    struct ha_record rec = record_of(2, SELF);
    struct ha_status st = status_of(1, HA_STANDBY);

    (void) state;
    start();
    view(set_of(1, 2, 3));
    say_status(1, &st);
    view(set_of(0, 2, 3));
    view(set_of(1, 2, 3));
    rec.in_sync = set_of(0, 2, 3);
    say_prepare(2, 5);
    say_accept(2, 5, 1, &rec);
    say_support(2, 2, 5, 1, 50);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* A fresher member is followed until all that it has is here. */
static void
test_tail_is_pulled(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    for (int db = 0; db < HA_N_DBS; db++) {
        struct ha_msg m = support_of(2, 2, 5, 1, 50);

        start();
        name_self(&rec);
        m.pos[db].seq = 60;
        say(2, &m);
        assert_int_equal(t.core.stage, HA_STAGE_TAIL);
        assert_int_equal(t.last_role[db].replica.role, 1);
        assert_int_equal(t.last_role[db].replica.source, 2);
        assert_int_equal(t.last_role[!db].replica.role, 0);
        t.local.db[db].pos.seq = 59;
        feed_local();
        assert_int_equal(t.core.stage, HA_STAGE_TAIL);
        t.local.db[db].pos.seq = 60;
        feed_local();
        assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    }
}

/* Who has served waits with its own log for the end of another, however long;
 * but not for one of a later epoch, before which its own gives way. */
static void
test_tail_of_a_later_epoch(void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        bool later = i == 1, foreign = i == 2;
        struct ha_record rec = takeover();
        struct ha_msg m;

        start();
        t.core.handed = true;
        name_self(&rec);
        m = support_of(2, 2, 5, 1, 60);
        m.pos[HA_SB].epoch.n += later || foreign;
        m.pos[HA_SB].lineage += foreign; /* Of which no epoch counts here. */
        say(2, &m);
        assert_int_equal(t.core.stage, HA_STAGE_TAIL);
        wait_us(TAIL_US + 100000);
        assert_int_equal(t.core.state, later ? HA_DEMOTING : HA_PROMOTING);
    }
}

/* Slow is not stuck: patience begins anew with each record. */
static void
test_tail_patience(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    name_self(&rec);
    say_support(2, 2, 5, 1, 60);
    for (int i = 0; i < 5; i++) {
        wait_us(TAIL_US - 100000);
        t.local.db[HA_SB].pos.seq++;
        feed_local();
        assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    }
    wait_us(TAIL_US - 100000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    wait_us(200000);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.core.why, HA_WHY_TAIL);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 0);
}

/* Another history is nobody's tail. */
static void
test_tail_of_another_lineage(void **state)
{
    struct ha_record rec = takeover();
    struct ha_msg m = support_of(2, 2, 5, 1, 50);

    (void) state;
    start();
    name_self(&rec);
    m.pos[HA_NB] = m.pos[HA_SB] = pos_at(9, 9, 900);
    m.pos[HA_NB].lineage = m.pos[HA_SB].lineage = LINEAGE + 1;
    say(2, &m);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* Own data that must not be served are not, whatever the record says. */
static void
test_own_data(void **state)
{
    (void) state;
    for (int i = 0; i < 2 * 4; i++) {
        struct ha_local_db *db;

        start();
        db = &t.local.db[i / 4];
        switch (i % 4) {
        case 0:
            db->complete = false;
            break;
        case 1:
            db->server_ok = false;
            break;
        case 2:
            db->pos.lineage = LINEAGE + 1;
            break;
        case 3:
            db->pos.lineage = 0;
            break;
        }
        feed_local();
        promote();
        assert_int_equal(t.core.stage, HA_STAGE_TAIL);
        wait_us(TAIL_US + 50000);
        assert_int_equal(t.core.why, HA_WHY_TAIL);
        assert_int_equal(t.core.state, HA_DEMOTING);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 0);
    }
}

/* ---- Log, door, northd ------------------------------------------------ */

/* Both workers have to take over the log. */
static void
test_log_stage(void **state)
{
    (void) state;
    for (int db = 0; db < HA_N_DBS; db++) {
        struct ha_record rec = takeover();

        start();
        name_self(&rec);
        t.lazy_replica = true;
        say_support(2, 2, 5, 1, 50);
        assert_int_equal(t.core.stage, HA_STAGE_LOG);
        t.local.db[db].role_token = t.last_role[db].replica.token;
        feed_local();
        wait_us(OPEN_US - 50000);
        assert_int_equal(t.core.stage, HA_STAGE_LOG);
        wait_us(50000);
        assert_int_equal(t.core.state, HA_DEMOTING);
        assert_int_equal(t.core.why, HA_WHY_LOG);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 0);
    }
}

/* A door that is open for another epoch is no door of ours. */
static void
test_door_stage(void **state)
{
    (void) state;
    start();
    promote();
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 1);
    t.fence.open = true;
    t.fence.serve = (struct ha_epoch){ 1, 1 };
    feed_fence();
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    wait_us(OPEN_US - 50000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    wait_us(50000);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.core.why, HA_WHY_DOOR);
}

/* Orders are for a worker that hears them. */
static void
test_door_without_worker(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    name_self(&rec);
    t.fence.connected = false;
    feed_fence();
    say_support(2, 2, 5, 1, 50);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 0);
    t.fence.connected = true;
    feed_fence();
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 1);
}

/* The order to serve is given once; anew when the worker gave up, as it does
 * when a lease runs out. */
static void
test_order_to_serve(void **state)
{
    (void) state;
    start();
    promote();
    feed_fence(); /* It has not heard it yet. */
    wait_us(100000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 1);
    t.fence.serve = t.core.hold;
    feed_fence();
    wait_us(100000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 1);
    memset(&t.fence.serve, 0, sizeof t.fence.serve);
    feed_fence();
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 2);
}

/* What a worker that is gone said last of its door is nothing to go by. */
static void
test_door_of_a_lost_worker(void **state)
{
    (void) state;
    start();
    serve();
    t.fence.closed = true;
    t.fence.connected = false;
    feed_fence();
    assert_false(t.core.fence.open);
    assert_false(t.core.fence.closed);
    assert_int_equal(t.core.state, HA_PROMOTING);
}

/* northd is resumed once, not with each tick, and again after a door that
 * closed and opened. */
static void
test_northd_stage(void **state)
{
    struct ha_event ev = { .type = HA_EV_PROBED };
    unsigned resumed, probes;

    (void) state;
    start();
    promote();
    t.fence.open = true;
    t.fence.closed = false;
    t.fence.serve = t.core.hold;
    feed_fence();
    assert_int_equal(t.core.stage, HA_STAGE_NORTHD);
    assert_true(t.last_act[HA_ACT_NORTHD].run);
    resumed = t.n_acts[HA_ACT_NORTHD];
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_NORTHD], resumed);
    assert_int_equal(t.n_acts[HA_ACT_PROBE], 1);

    /* The probe failed: resumed and probed anew. */
    ev.probed.token = t.core.probe_token + 1;
    feed(&ev); /* Of somebody else. */
    assert_int_equal(t.core.stage, HA_STAGE_NORTHD);
    assert_int_equal(t.core.state, HA_PROMOTING);
    ev.probed.token = t.core.probe_token;
    ev.probed.error = -1;
    feed(&ev);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.n_acts[HA_ACT_NORTHD], resumed + 1);
    assert_int_equal(t.n_acts[HA_ACT_PROBE], 2);

    t.fence.open = false;
    feed_fence();
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    probes = t.n_acts[HA_ACT_PROBE];
    wait_us(200000);
    assert_int_equal(t.n_acts[HA_ACT_PROBE], probes);
    assert_int_equal(t.n_acts[HA_ACT_NORTHD], resumed + 2);

    /* Its answer comes late: behind a closed door nobody is active. */
    ev.probed.token = t.core.probe_token;
    ev.probed.error = 0;
    feed(&ev);
    assert_int_equal(t.core.state, HA_PROMOTING);
    t.fence.open = true;
    feed_fence();
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.n_acts[HA_ACT_PROBE], probes + 1);

    ev.probed.token = t.core.probe_token;
    feed(&ev);
    assert_int_equal(t.core.state, HA_ACTIVE);
    resumed = t.n_acts[HA_ACT_NORTHD];
    ev.probed.token = 0; /* Nobody's. */
    ev.probed.error = -1;
    feed(&ev);
    assert_int_equal(t.n_acts[HA_ACT_NORTHD], resumed);
    assert_null(strstr(t.tell, "no NB change"));
}

/* ---- The active ------------------------------------------------------- */

static void
test_active_without_door(void **state)
{
    (void) state;
    start();
    serve();
    t.fence.open = false;
    feed_fence();
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.why, HA_WHY_DOOR);
    t.fence.open = true;
    feed_fence();
    assert_int_equal(t.core.stage, HA_STAGE_NORTHD);
}

static void
receiver(uint32_t node, int db, const struct ha_peer_db *facts)
{
    struct ha_event ev = { .type = HA_EV_PEER };

    ev.peer.node = node;
    ev.peer.db = db;
    ev.peer.facts = *facts;
    feed(&ev);
}

/* Whether the active asks for node 2 in the in-sync set when its receiver of
 * database 'db' is like this, and the other one fine. */
static bool
counts_as_in_sync(int db, const struct ha_peer_db *facts)
{
    const struct ha_peer_db fine = { .connected = true,
                                     .complete = true,
                                     .acked = pos_at(2, 3, 100),
                                     .head = pos_at(2, 3, 100) };

    start();
    serve();
    receiver(2, !db, &fine);
    receiver(2, db, facts);
    t.n_requests[HA_REQ_IN_SYNC] = 0;
    wait_us(2 * MUTE_US + 50000);
    assert_true(t.n_requests[HA_REQ_IN_SYNC] > 0);
    return ha_set_has(&t.last_request[HA_REQ_IN_SYNC].set, 2);
}

static void
test_in_sync(void **state)
{
    const struct ha_peer_db fine = { .connected = true,
                                     .complete = true,
                                     .acked = pos_at(2, 3, 90),
                                     .head = pos_at(2, 3, 100),
                                     .lag_us = 500000 };

    (void) state;
    for (int db = 0; db < HA_N_DBS; db++) {
        struct ha_peer_db facts = fine;

        assert_true(counts_as_in_sync(db, &facts)); /* At the limits. */
        facts.connected = false;
        assert_false(counts_as_in_sync(db, &facts));
        facts = fine;
        facts.complete = false;
        assert_false(counts_as_in_sync(db, &facts));
        facts = fine;
        facts.acked.lineage++;
        assert_false(counts_as_in_sync(db, &facts));
        facts = fine;
        facts.acked.seq--;
        assert_false(counts_as_in_sync(db, &facts));
        facts = fine;
        facts.lag_us++;
        assert_false(counts_as_in_sync(db, &facts));
    }
}

/* ... and the record says so: there is nothing to ask for. */
static void
serve_settled(void)
{
    const struct ha_peer_db fine = { .connected = true,
                                     .complete = true,
                                     .acked = pos_at(2, 3, 100),
                                     .head = pos_at(2, 3, 100) };
    struct ha_record rec = record_of(2, SELF);
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { 5, 2 }, .rev = 2 };

    serve();
    receiver(2, HA_NB, &fine);
    receiver(2, HA_SB, &fine);
    rec.in_sync = set_of(0, 2, 3);
    m.durable.record = rec;
    say(2, &m);
    say_support(2, 2, 5, 2, 100);
    wait_us(2 * MUTE_US);
    memset(t.n_requests, 0, sizeof t.n_requests);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_requests[HA_REQ_IN_SYNC], 0);
    assert_int_equal(t.n_requests[HA_REQ_SETTLED], 0);
    assert_int_equal(t.core.state, HA_ACTIVE);
}

/* A database beyond repair is handed over with its role, to somebody. */
static void
test_unfit_hands_over(void **state)
{
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    start();
    serve_settled();
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
    t.local.unfit = true;
    feed_local();
    wait_us(2 * MUTE_US);
    assert_true(t.n_requests[HA_REQ_SWITCH] > 0);
    assert_int_equal(t.last_request[HA_REQ_SWITCH].node, 2);

    start();
    serve_settled();
    t.local.address_unfit = true;
    feed_local();
    wait_us(2 * MUTE_US);
    assert_true(t.n_requests[HA_REQ_SWITCH] > 0);

    start();
    serve_settled();
    st.leaving = true;
    say_status(2, &st);
    t.local.unfit = true;
    feed_local();
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
    assert_int_equal(t.core.state, HA_ACTIVE);
}

/* A disk that fills has the role go to a node with more room, to no other, and
 * not at once after it came here. */
static void
test_low_disk_hands_over(void **state)
{
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    start();
    serve_settled();
    t.local.low_disk = true;
    feed_local();
    wait_us(RETRY_US - MUTE_US
            - mono_us_between(t.core.state_since, t.core.now));
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
    wait_us(3 * MUTE_US);
    assert_true(t.n_requests[HA_REQ_SWITCH] > 0);
    assert_int_equal(t.last_request[HA_REQ_SWITCH].node, 2);

    start();
    serve_settled();
    t.local.low_disk = st.local.low_disk = true;
    say_status(2, &st);
    feed_local();
    wait_us(2 * RETRY_US);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
    assert_int_equal(t.core.state, HA_ACTIVE);
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_NONE);

    /* Of two that are alike the one with room takes over. */
    t.local.low_disk = false;
    feed_local();
    st = status_of(1, HA_STANDBY);
    ha_set_add(&t.core.view, 1);
    ha_set_add(&t.core.record.in_sync, 1);
    say_status(1, &st);
    assert_int_equal(ha_core_heir(&t.core), 1);
    st.local.low_disk = true;
    say_status(1, &st);
    st = status_of(2, HA_STANDBY);
    say_status(2, &st);
    assert_int_equal(ha_core_heir(&t.core), 2);

    /* One that cannot write its record is worse than one with little room. */
    st.local.record_full = true;
    say_status(2, &st);
    assert_int_equal(ha_core_heir(&t.core), 1);
    say_status(1, &st);
    st.local.record_full = false;
    st.local.low_disk = true;
    say_status(2, &st);
    assert_int_equal(ha_core_heir(&t.core), 2);
}

/* Nothing is handed over to a node that could not begin. */
static void
test_heir_with_a_full_record(void **state)
{
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    start();
    serve_settled();
    st.local.record_full = t.local.unfit = true;
    say_status(2, &st);
    feed_local();
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
    st.local.record_full = false;
    say_status(2, &st);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.last_request[HA_REQ_SWITCH].node, 2);
}

/* One whose record does not fit on its disk could not agree to a move: none is
 * begun, unless no client reaches it anyway. */
static void
test_full_record_hands_nothing_over(void **state)
{
    bool *const reasons[] = { &t.local.unfit, &t.local.address_unfit };

    (void) state;
    for (int i = 0; i < 2; i++) {
        start();
        serve_settled();
        t.local.low_disk = t.local.record_full = true;
        feed_local();
        wait_us(2 * RETRY_US);
        assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
        *reasons[i] = true;
        feed_local();
        wait_us(3 * MUTE_US);
        assert_true(t.n_requests[HA_REQ_SWITCH] > 0);
        *reasons[i] = false;
    }
}

/* ... and when it is shut down it closes its door at once. */
static void
test_full_record_shuts_down(void **state)
{
    (void) state;
    start();
    serve_settled();
    t.local.record_full = true;
    feed_local();
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
}

static void
consent(uint32_t node, enum ha_request request)
{
    struct ha_event ev = { .type = HA_EV_CONSENT };

    ev.ctl.to = node;
    ev.ctl.request = request;
    feed(&ev);
}

/* Node 2, as it asks for 'ask' in SB. */
static struct ha_status
asking(enum ha_ask ask)
{
    struct ha_status st = status_of(2, HA_STANDBY);

    st.local.db[HA_SB].ask = ask;
    st.local.db[HA_SB].ask_seq = ask == HA_ASK_SHRINK ? 60 : 0;
    return st;
}

/* Who asks may not become active by itself, in sync or not. */
static void
test_asking_is_not_eligible(void **state)
{
    struct ha_status st = asking(HA_ASK_SHRINK);

    (void) state;
    start();
    serve_settled();
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_NONE);
    assert_int_equal(ha_core_heir(&t.core), 2);
    say_status(2, &st);
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_SHRINK);
    assert_int_equal(ha_core_heir(&t.core), 0);
    st = asking(HA_ASK_REINIT);
    say_status(2, &st);
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_REINIT);
}

/* The operator's answer goes to the node, says how far the active's log goes,
 * and nothing of the database that does not ask. */
static void
test_consent_is_sent(void **state)
{
    struct ha_status st = asking(HA_ASK_SHRINK);
    const struct ha_msg *m = &t.last_request[HA_REQ_ACCEPT_SHRINK];

    (void) state;
    start();
    serve_settled();
    t.local.db[HA_SB].pos.seq = 70;
    feed_local();
    wait_us(1000000); /* Its status is told. */
    say_status(2, &st);
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.n_requests[HA_REQ_ACCEPT_SHRINK], 1);
    assert_int_equal(m->node, 2);
    assert_int_equal(m->pos[HA_SB].lineage, LINEAGE);
    assert_int_equal(m->pos[HA_SB].seq, 70);
    assert_int_equal(m->pos[HA_NB].lineage, 0);
    /* Not every status is as new as what it answers. */
    st.local.db[HA_SB].ask_seq = 90;
    say_status(2, &st);
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(m->pos[HA_SB].seq, 90);
    consent(9, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_ABSENT);
    assert_int_equal(t.n_requests[HA_REQ_ACCEPT_SHRINK], 2);
    assert_int_equal(t.n_acts[HA_ACT_CONSENT], 0);
}

/* The answer as it arrives from node 2. */
static void
say_consent(enum ha_request request, uint32_t node, uint64_t lineage,
            uint64_t seq)
{
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = request };

    m.node = node;
    m.pos[HA_SB] = (struct ha_pos){ .lineage = lineage, .seq = seq };
    say(2, &m);
}

/* Only what is asked for is let through, of this node, in this lineage, and
 * for what had happened by then. */
static void
test_consent_arrives(void **state)
{
    (void) state;
    start();
    serve_settled();
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, LINEAGE, 100);
    t.local.db[HA_SB].ask = HA_ASK_SHRINK;
    t.local.db[HA_SB].ask_seq = 60;
    t.local.db[HA_SB].ask_lost = 900;
    t.local.db[HA_SB].ask_rows = 1000;
    feed_local();
    assert_non_null(strstr(t.tell, "SB is not followed beyond record 59: 900 "
                                   "of 1000 rows would be gone"));
    say_consent(HA_REQ_REINIT, SELF, LINEAGE, 100);
    say_consent(HA_REQ_ACCEPT_SHRINK, 2, LINEAGE, 100);
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, LINEAGE + 1, 100);
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, 0, 100);
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, LINEAGE, 59);
    assert_int_equal(t.n_acts[HA_ACT_CONSENT], 0);
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, LINEAGE, 60);
    assert_int_equal(t.n_acts[HA_ACT_CONSENT], 1);
    assert_int_equal(t.last_act[HA_ACT_CONSENT].consent.db, HA_SB);
    assert_int_equal(t.last_act[HA_ACT_CONSENT].consent.ask, HA_ASK_SHRINK);
    assert_int_equal(t.last_act[HA_ACT_CONSENT].consent.until, 60);
    assert_non_null(strstr(t.tell, "accept-shrink: SB may lose rows"));
    t.local.db[HA_SB].ask = HA_ASK_NONE;
    t.local.db[HA_SB].ask_seq = 0;
    feed_local();
    t.local.db[HA_SB].ask = HA_ASK_REINIT;
    feed_local();
    assert_non_null(strstr(t.tell, "own SB is of another lineage"));
    say_consent(HA_REQ_REINIT, SELF, LINEAGE, 0);
    assert_non_null(strstr(t.tell, "reinit: own SB gives way"));
    assert_int_equal(t.n_acts[HA_ACT_CONSENT], 2);
    assert_int_equal(t.last_act[HA_ACT_CONSENT].consent.ask, HA_ASK_REINIT);

    /* Without a record there is no lineage to let go on. */
    t.core.record.lineage = 0;
    t.local.db[HA_SB].ask = HA_ASK_SHRINK;
    feed_local();
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, 0, 100);
    assert_int_equal(t.n_acts[HA_ACT_CONSENT], 2);
}

/* Only the record of a node that takes no part is set aside: of one that finds
 * it foreign, or, while none is in force, of any that serves nothing. */
static void
test_record_is_forgotten(void **state)
{
    struct ha_status st = status_of(2, HA_STARTING);
    const struct ha_msg *m = &t.last_request[HA_REQ_REINIT];

    (void) state;
    start();
    serve_settled();
    st.why = HA_WHY_AGREEING;
    say_status(2, &st);
    assert_false(ha_core_may_forget(&t.core, 2));
    st.why = HA_WHY_LINEAGES;
    say_status(2, &st);
    assert_true(ha_core_may_forget(&t.core, 2));
    assert_false(ha_core_may_forget(&t.core, 3));
    assert_false(ha_core_may_forget(&t.core, SELF));
    consent(2, HA_REQ_REINIT);
    assert_int_equal(t.n_requests[HA_REQ_REINIT], 1);
    assert_int_equal(m->node, 2);
    assert_int_equal(m->pos[HA_NB].lineage | m->pos[HA_SB].lineage, 0);
    /* It serves after all, or is on its way to. */
    st.hold = t.core.record.epoch;
    say_status(2, &st);
    assert_false(ha_core_may_forget(&t.core, 2));
    /* Nobody can have the record of the active set aside. */
    say_consent(HA_REQ_REINIT, SELF, 0, 0);
    assert_int_equal(t.n_acts[HA_ACT_FORGET], 0);
    t.core.in_force = false;
    say_consent(HA_REQ_REINIT, SELF, 0, 0);
    assert_int_equal(t.n_acts[HA_ACT_FORGET], 0);
}

/* Nobody's record is set aside for another reason, or by another word. */
static void
test_what_is_not_forgotten(void **state)
{
    struct ha_status st = status_of(2, HA_STARTING);
    struct ha_status well = status_of(2, HA_STARTING);
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = HA_REQ_REINIT };

    (void) state;
    start();
    serve_settled();
    assert_false(ha_core_may_forget(&t.core, 9));
    st.why = HA_WHY_LINEAGES;
    say_status(2, &st);
    t.core.peers[1].heard = false; /* So it was in another view. */
    assert_false(ha_core_may_forget(&t.core, 2));
    st.state = HA_BLOCKED;
    say_status(2, &st);
    assert_false(ha_core_may_forget(&t.core, 2));

    start();
    view(set_of(1, 2, 3));
    say_prepare(2, 5);
    say_status(1, &well);
    t.core.peers[1].status.why = HA_WHY_LINEAGES; /* In another view. */
    assert_false(ha_core_may_forget(&t.core, 1));
    t.core.foreign = true;
    assert_true(ha_core_may_forget(&t.core, 1));
    assert_false(ha_core_may_forget(&t.core, 2));
    t.core.foreign = false;
    say_status(2, &well);
    assert_false(ha_core_may_forget(&t.core, 2)); /* All is of one. */
    say_consent(HA_REQ_REINIT, SELF, 0, 0);
    t.core.foreign = true; /* Or this node's is not. */
    assert_true(ha_core_may_forget(&t.core, 2));
    t.core.in_force = true;
    assert_false(ha_core_may_forget(&t.core, 2));
    say_consent(HA_REQ_REINIT, SELF, 0, 0);
    t.core.in_force = false;
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.n_requests[HA_REQ_REINIT], 0);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_AGREEING);
    say_consent(HA_REQ_ACCEPT_SHRINK, SELF, 0, 0);
    m.node = SELF;
    m.pos[HA_NB].lineage = LINEAGE; /* About data. */
    say(2, &m);
    t.core.durable.accepted.n = 0; /* There is none. */
    say_consent(HA_REQ_REINIT, SELF, 0, 0);
    assert_int_equal(t.n_acts[HA_ACT_FORGET], 0);
    t.core.durable.accepted.n = 1;
    say_consent(HA_REQ_REINIT, SELF, 0, 0);
    assert_int_equal(t.n_acts[HA_ACT_FORGET], 1);
}

/* An answer reaches no further than what was asked, while the active has not
 * told where its own log is. */
static void
test_consent_without_active(void **state)
{
    struct ha_status st = asking(HA_ASK_SHRINK);

    (void) state;
    start();
    serve_settled();
    t.core.peers[SELF - 1].heard = false;
    say_status(2, &st);
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.last_request[HA_REQ_ACCEPT_SHRINK].pos[HA_SB].seq, 60);
    assert_non_null(strstr(t.tell, "accept-shrink: an operator"));
    t.core.peers[1].heard = false;
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_ABSENT);
    say_status(2, &st);
    t.core.peers[SELF - 1].heard = true; /* Its log is of another lineage. */
    t.core.peers[SELF - 1].status.local.db[HA_SB].pos = pos_at(2, 3, 99);
    t.core.peers[SELF - 1].status.local.db[HA_SB].pos.lineage++;
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.last_request[HA_REQ_ACCEPT_SHRINK].pos[HA_SB].seq, 60);
    t.n_requests[HA_REQ_ACCEPT_SHRINK] = 1;
    consent(2, HA_REQ_SWITCH); /* Nothing that is consented to. */
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_NOT_ELIGIBLE);
    t.core.in_force = false;
    consent(2, HA_REQ_ACCEPT_SHRINK);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_AGREEING);
    assert_int_equal(t.n_requests[HA_REQ_ACCEPT_SHRINK], 1);
}

/* What is asked for is told when it changes, and that it is over is not. */
static void
test_guard_is_told_once(void **state)
{
    (void) state;
    start();
    t.local.db[HA_SB].ask = HA_ASK_SHRINK;
    t.local.db[HA_SB].ask_seq = 60;
    feed_local();
    assert_non_null(strstr(t.tell, "beyond record 59"));
    t.local.db[HA_SB].ask_seq = 70;
    feed_local();
    assert_non_null(strstr(t.tell, "beyond record 69"));
    t.tell[0] = '\0';
    feed_local();
    assert_string_equal(t.tell, "");
    t.local.db[HA_SB].ask = HA_ASK_NONE;
    feed_local();
    assert_string_equal(t.tell, "");
}

/* ---- Others ----------------------------------------------------------- */

/* Who is not in the nodelist, or not in the group, is neither counted nor
 * believed. */
static void
test_strangers(void **state)
{
    struct ha_event v = { .type = HA_EV_VIEW };
    struct ha_event p = { .type = HA_EV_PEER };
    struct ha_event f = { .type = HA_EV_FENCED };
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = HA_REQ_FENCED };
    struct ha_status st = status_of(1, HA_ACTIVE);

    (void) state;
    start();
    say_status(1, &st); /* Not in the group yet. */
    assert_false(t.core.peers[0].heard);
    v.view.members = set_of(2, 3, 9);
    feed(&v);
    assert_int_equal(t.core.view.n, 2);
    say_status(9, &st);
    say_status(1, &st);
    assert_false(t.core.peers[0].heard);
    assert_false(t.core.ever_active);
    p.peer.node = 9;
    feed(&p);
    f.fenced.node = m.node = 9;
    f.fenced.proven = true;
    feed(&f);
    say(2, &m);
    assert_int_equal(t.n_requests[HA_REQ_FENCED], 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t.core.peers[i].proof, HA_PROOF_NONE);
    }
}

/* A view is of those that it counts.  Without this node in it, it is one in
 * which others are not heard. */
static void
test_view_of_others(void **state)
{
    struct ha_event v = { .type = HA_EV_VIEW };
    struct ha_status st = status_of(1, HA_STANDBY);

    (void) state;
    start();
    v.view.members = set_of(1, 2, 0);
    v.view.members.id[2] = SELF; /* Left over. */
    feed(&v);
    assert_int_equal(t.core.view.n, 2);
    say_status(1, &st);
    assert_false(t.core.peers[0].heard);
    view(set_of(1, 2, 3));
    say_status(1, &st);
    assert_true(t.core.peers[0].heard);
    view(set_of(0, 2, 3));
    assert_int_equal(t.core.peers[0].left_at.us, t.now.us);
    assert_int_equal(t.core.peers[1].left_at.us, 0);
}

/* What others act upon is told at once; how far the log went, by the clock. */
static void
test_what_is_told_at_once(void **state)
{
    struct ha_local *l = &t.local;
    struct ha_local_db *db = &t.local.db[HA_SB];
    unsigned n;

    (void) state;
    start();
    serve_settled();
    wait_us(1000000);
    n = t.n_sent[HA_MSG_STATUS];
    db->pos.seq++;
    feed_local();
    assert_int_equal(t.n_sent[HA_MSG_STATUS], n);

#define ASSERT_TOLD(CHANGE)                               \
    do {                                                  \
        n = t.n_sent[HA_MSG_STATUS];                      \
        CHANGE;                                           \
        feed_local();                                     \
        assert_int_equal(t.n_sent[HA_MSG_STATUS], n + 1); \
    } while (0)
    ASSERT_TOLD(l->nofailover = !l->nofailover);
    ASSERT_TOLD(l->witness = !l->witness);
    ASSERT_TOLD(l->unfit = !l->unfit);
    ASSERT_TOLD(l->address_unfit = !l->address_unfit);
    ASSERT_TOLD(l->low_disk = !l->low_disk);
    ASSERT_TOLD(l->record_full = !l->record_full);
    ASSERT_TOLD(l->northd_ok = !l->northd_ok);
    ASSERT_TOLD(l->priority++);
    ASSERT_TOLD(db->complete = !db->complete);
    ASSERT_TOLD(db->has_data = !db->has_data);
    ASSERT_TOLD(db->server_ok = !db->server_ok);
    ASSERT_TOLD(db->connected = !db->connected);
    ASSERT_TOLD(db->ask = HA_ASK_SHRINK);
    ASSERT_TOLD(db->ask_seq++);
    ASSERT_TOLD(db->pos.lineage++);
    /* Or as if the others had been told something else. */
    ASSERT_TOLD(t.core.told.hold.n++);
    ASSERT_TOLD(t.core.told.ended.n++);
    ASSERT_TOLD(t.core.told.log_ready = !t.core.told.log_ready);
    ASSERT_TOLD(t.core.told.open = !t.core.told.open);
#undef ASSERT_TOLD
}

/* What other software may say has a name, too. */
static void
test_unknown_names(void **state)
{
    (void) state;
    assert_string_equal(ha_state_name(HA_N_STATES), "unknown");
    assert_string_equal(ha_why_code(HA_N_WHYS), "unknown");
    assert_string_equal(ha_why_text(HA_N_WHYS), "for an unknown reason");
    assert_string_equal(ha_why_ends(HA_N_WHYS), "");
    assert_string_equal(ha_why_ends(HA_WHY_NONE), "");
    for (uint32_t why = HA_WHY_NONE + 1; why < HA_N_WHYS; why++) {
        assert_true(*ha_why_code(why) && *ha_why_text(why));
    }
    assert_non_null(strstr(ha_why_ends(HA_WHY_UNMET), "together"));
}

/* ---- Member ----------------------------------------------------------- */

/* A ballot is of whoever prepares it, and none is promised twice. */
static void
test_prepare(void **state)
{
    struct ha_msg m = { .type = HA_MSG_PREPARE, .ballot = { 9, 2 } };

    (void) state;
    start();
    view(set_of(1, 2, 3));
    say(1, &m);
    assert_int_equal(t.n_sent[HA_MSG_STATE], 0);
    assert_int_equal(t.core.top_ballot, 1);
    say(2, &m);
    assert_int_equal(t.n_sent[HA_MSG_STATE], 1);
    assert_false(t.last[HA_MSG_STATE].refused);
    assert_int_equal(t.core.durable.promised.n, 9);
    assert_int_equal(t.core.top_ballot, 9);
    say(2, &m);
    assert_int_equal(t.n_sent[HA_MSG_STATE], 2);
    assert_true(t.last[HA_MSG_STATE].refused);
    say_prepare(1, 9);
    assert_true(t.last[HA_MSG_STATE].refused);
    say_prepare(2, 8);
    assert_true(t.last[HA_MSG_STATE].refused);
    assert_int_equal(t.core.durable.promised.n, 9);
    assert_int_equal(t.core.top_ballot, 9);
}

/* Nothing is answered before it is on disk. */
static void
test_prepare_waits_for_disk(void **state)
{
    (void) state;
    start();
    view(set_of(1, 2, 3));
    t.disk_full = true;
    say_prepare(2, 5);
    wait_us(900000);
    assert_int_equal(t.n_sent[HA_MSG_STATE], 0);
    assert_int_equal(t.n_acts[HA_ACT_PERSIST], 1);
    t.disk_full = false;
    wait_us(200000);
    assert_int_equal(t.n_acts[HA_ACT_PERSIST], 2);
    assert_int_equal(t.n_sent[HA_MSG_STATE], 1);
}

/* Whether this node accepts 'rec' from node 2 with ballot 5.2. */
static bool
accepts(const struct ha_record *rec)
{
    struct ha_ballot none = { 0, 0 };

    say_prepare(2, 5);
    say_accept(2, 5, 1, rec);
    return !ha_ballot_cmp(t.core.durable.accepted, (struct ha_ballot){ 5, 2 })
           && ha_ballot_cmp(t.core.durable.accepted, none);
}

/* A record that breaks the rules has no vote of ours. */
static void
test_malformed_records(void **state)
{
    (void) state;
    for (int i = 0; i <= 5; i++) {
        struct ha_record rec = takeover();

        start();
        view(set_of(0, 2, 3));
        switch (i) {
        case 0:
            break; /* This one is fine. */
        case 1:
            rec.lineage = 0;
            break;
        case 2:
            rec.epoch.n = 0;
            break;
        case 3:
            rec.epoch.node = 2;
            break;
        case 4:
            rec.active = rec.epoch.node = 7;
            break;
        case 5:
            rec.lineage++;
            break;
        }
        assert_int_equal(accepts(&rec), i == 0);
        if (i) {
            assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);
            assert_non_null(strstr(t.tell, "refused"));
        }
    }
}

/* A node that never held a record takes any lineage. */
static void
test_first_record(void **state)
{
    struct ha_event ev = { .type = HA_EV_START };
    struct ha_record rec = takeover();
    struct ha_config cfg;

    (void) state;
    start();
    cfg = t.core.cfg;
    ha_core_init(&t.core, &cfg);
    feed(&ev);
    feed_fence();
    feed_local();
    view(set_of(0, 2, 3));
    rec.lineage = 0;
    assert_false(accepts(&rec));
    rec.lineage = LINEAGE + 1;
    assert_true(accepts(&rec));
}

/* What follows a record in force is bound by it. */
static void
test_successor_records(void **state)
{
    static const struct {
        uint32_t epoch, active;
        bool in_sync; /* Was node 1, in the record in force? */
        bool none;    /* Was the set empty, as in a new lineage? */
        bool accepted;
    } cases[] = {
        { 3, 1, true, false, true },   /* A failover. */
        { 3, 1, false, false, false }, /* To a node that was not in sync. */
        { 3, 1, false, true, true },   /* Nobody is, yet. */
        { 3, 2, false, false, true },  /* The active again, in sync or not. */
        { 2, 2, false, false, true },  /* The same epoch: a new set. */
        { 1, 1, true, false, false },  /* Back to an older one. */
        { 2, 1, true, false, false },  /* Older of two of one number. */
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ha_record rec = record_of(2, 2);

        start();
        view(set_of(1, 2, 3));
        rec.in_sync = cases[i].none      ? set_of(0, 0, 0)
                      : cases[i].in_sync ? set_of(1, 0, 3)
                                         : set_of(0, 0, 3);
        say_prepare(2, 5);
        say_accept(2, 5, 1, &rec);
        say_support(1, 2, 5, 1, 50);
        assert_true(t.core.in_force);
        rec = record_of(cases[i].epoch, cases[i].active);
        say_accept(2, 5, 2, &rec);
        assert_int_equal(t.core.durable.rev, cases[i].accepted ? 2 : 1);
    }
}

/* Only the coordinator that was promised proposes, and each once. */
static void
test_accept(void **state)
{
    struct ha_record rec = takeover();
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { 5, 2 }, .rev = 1 };

    (void) state;
    start();
    view(set_of(1, 2, 3));
    m.durable.record = rec;
    say_prepare(2, 5);
    say(1, &m); /* Not its ballot. */
    assert_int_equal(t.core.durable.accepted.n, 1);
    m.ballot = (struct ha_ballot){ 4, 2 };
    say(2, &m); /* Older than what was promised. */
    assert_int_equal(t.core.durable.accepted.n, 1);
    m.ballot.n = 6;
    say(2, &m); /* Never promised. */
    assert_int_equal(t.core.durable.accepted.n, 1);
    m.ballot.n = 5;
    m.rev = 3;
    say(2, &m);
    assert_int_equal(t.core.durable.accepted.n, 5);
    wait_us(1);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    say(2, &m); /* Twice. */
    m.rev = 2;
    say(2, &m); /* Overtaken. */
    assert_int_equal(t.core.durable.rev, 3);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    m.rev = 4;
    say(2, &m);
    wait_us(1);
    assert_int_equal(t.core.durable.rev, 4);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
    /* A new ballot counts its revisions anew. */
    say_prepare(2, 7);
    m.ballot.n = 7;
    m.rev = 1;
    say(2, &m);
    assert_int_equal(t.core.durable.accepted.n, 7);
}

/* Votes count for one proposal only. */
static void
test_support_is_for_one_proposal(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    view(set_of(1, 2, 3));
    say_support(1, 2, 5, 1, 50); /* For nothing. */
    say_prepare(2, 5);
    say_accept(2, 5, 1, &rec);
    say_support(1, 2, 4, 1, 50);
    say_support(1, 2, 5, 0, 50);
    assert_false(t.core.in_force);
    say_accept(2, 5, 2, &rec); /* Forgets who supported the one before. */
    say_support(1, 2, 5, 1, 50);
    assert_false(t.core.in_force);
    say_support(1, 2, 5, 2, 50);
    assert_true(t.core.in_force);
    view(set_of(0, 2, 3));
    assert_false(t.core.in_force);
    say_support(2, 2, 5, 2, 50);
    say_support(3, 2, 5, 2, 50);
    assert_false(t.core.in_force);
}

/* No support before the fence worker refuses the older epochs; none before
 * the log here has stopped, or cannot be asked. */
static void
test_support_waits(void **state)
{
    struct ha_record rec = takeover();
    struct ha_event ev = { .type = HA_EV_SUPPORTED };

    (void) state;
    start();
    t.lazy_fence = true;
    t.lazy_replica = true;
    name_self(&rec);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT] > 0, true);
    wait_us(10 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);
    assert_int_equal(t.n_acts[HA_ACT_REPLICA], 0);
    ev.supported.epoch = (struct ha_epoch){ 1, 1 };
    feed(&ev); /* Not for this one. */
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);

    start();
    t.lazy_replica = true;
    name_self(&rec);
    assert_int_equal(t.last_role[HA_NB].replica.role, 0);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);
    t.local.db[HA_NB].role_token = t.last_role[HA_NB].replica.token;
    feed_local();
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);
    wait_us(MUTE_US - 50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);
    wait_us(50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    /* What it does not know it does not state. */
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_NB].seq, 50);
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_SB].lineage, 0);
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_SB].seq, 0);
}

/* A witness supports as soon as its fence worker does: it has no log that
 * could stop, and no worker to be told of a role. */
static void
test_witness_supports(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    t.lazy_replica = true;
    t.local = (struct ha_local){ .witness = true };
    feed_local();
    rec.active = rec.epoch.node = 2;
    name_self(&rec);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    assert_true(t.last[HA_MSG_SUPPORT].stopped);
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_NB].lineage, 0);
    assert_int_equal(t.n_acts[HA_ACT_REPLICA], 0);
}

/* A node that was active waits longer for its workers: what they do not say is
 * lost. */
static void
test_support_of_the_old_active_waits_longer(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    start();
    rec.suspects = set_of(SELF, 0, 0);
    t.lazy_replica = true;
    name_self(&rec);
    wait_us(MUTE_US / 4 * 7 - 50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 0);
    wait_us(50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
}

/* Node 2 has begun epoch 3.2. */
static void
say_begun(void)
{
    struct ha_status st = status_of(2, HA_ACTIVE);

    st.hold = (struct ha_epoch){ 3, 2 };
    st.log_ready = true;
    say_status(2, &st);
    feed_type(HA_EV_TICK);
}

/* This node, the active of 2.3, hands over to node 2 in epoch 3 while its NB
 * worker does not answer: by a plan, or not. */
static void
hand_over(bool planned)
{
    struct ha_record rec = record_of(3, 2);
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { 5, 2 } };

    start();
    serve();
    t.lazy_replica = true;
    rec.suspects = set_of(SELF, 0, 0);
    m.rev = 2;
    m.elected = true;
    m.planned = planned;
    m.durable.record = rec;
    say(2, &m);
    m = support_of(2, 2, 5, 2, 50);
    m.status.hold = rec.epoch;
    say(2, &m);
    memset(t.n_sent, 0, sizeof t.n_sent);
    t.fence.open = false;
    t.fence.closed = true;
    feed_fence();
    t.local.db[HA_SB].role_token = t.last_role[HA_SB].replica.token;
    feed_local();
    wait_us(MUTE_US / 4 * 7);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
}

/* In a planned move a silent worker's log is owed, until the worker tells where
 * it ends. */
static void
test_handed_log_is_owed(void **state)
{
    (void) state;
    hand_over(false);
    assert_false(t.last[HA_MSG_SUPPORT].owes);
    hand_over(true);
    assert_true(t.last[HA_MSG_SUPPORT].owes);
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_NB].lineage, 0);
    wait_us(4 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    t.local.db[HA_NB].role_token = t.last_role[HA_NB].replica.token;
    t.local.db[HA_NB].pos = pos_at(1, 1, 60);
    feed_local();
    feed_type(HA_EV_TICK);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
    assert_false(t.last[HA_MSG_SUPPORT].owes);
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_NB].seq, 60);
}

/* One that has lost a database could not serve again: it has failed. */
static void
test_broken_owes_for_a_while(void **state)
{
    (void) state;
    for (int db = 0; db < HA_N_DBS; db++) {
        hand_over(true);
        t.local.db[db].server_ok = false;
        feed_local();
        wait_us(8000000);
        assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
        wait_us(2000000);
        assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
        assert_false(t.last[HA_MSG_SUPPORT].owes);
    }
}

/* What a standby holds came from the active, which tells of it. */
static void
test_standby_owes_nothing(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { 5, 2 }, .rev = 1 };

    (void) state;
    start();
    t.lazy_replica = true;
    view(set_of(1, 2, 3));
    say_prepare(2, 5);
    m.planned = m.elected = true;
    m.durable.record = rec;
    say(2, &m);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    assert_false(t.last[HA_MSG_SUPPORT].owes);
}

/* An end of log counts for the proposal with which it was told: if this is
 * told anew, and the node is mute, it had its time. */
static void
test_tail_of_an_earlier_support(void **state)
{
    struct ha_record rec = record_of(2, SELF);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    say_support(1, 2, 5, 1, 60);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    say_accept(2, 5, 2, &rec);
    say_support(2, 2, 5, 2, 50);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    wait_us(MUTE_US + 50000);
    assert_true(t.core.stage > HA_STAGE_TAIL);
}

/* A vote waits for the disk.  That it has stopped, and where, does not. */
static void
test_vote_waits_for_disk(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    start();
    view(set_of(1, 2, 3));
    say_prepare(2, 5);
    t.disk_full = true;
    say_accept(2, 5, 1, &rec);
    wait_us(MUTE_US);
    assert_int_equal(t.core.fence_epoch.n, 2);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    assert_true(t.last[HA_MSG_SUPPORT].unsaved);
    assert_true(t.last[HA_MSG_SUPPORT].stopped);
    assert_int_equal(t.last[HA_MSG_SUPPORT].pos[HA_SB].seq, 50);
    t.disk_full = false;
    wait_us(2000000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
    assert_false(t.last[HA_MSG_SUPPORT].unsaved);
}

/* It is told at once, also just after a vote for what was proposed before. */
static void
test_disk_fills_between_two_proposals(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    wait_us(50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    t.disk_full = true;
    say_accept(2, 5, 2, &rec);
    wait_us(50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
    assert_true(t.last[HA_MSG_SUPPORT].unsaved);
}

/* Who cannot keep its word is no vote, but what it holds is waited for. */
static void
test_unsaved_is_no_vote(void **state)
{
    struct ha_record rec = record_of(2, SELF);
    struct ha_msg m = support_of(1, 2, 5, 1, 60);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    m.unsaved = true;
    say(1, &m);
    assert_false(t.core.in_force);
    say_support(2, 2, 5, 1, 50);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    wait_us(MUTE_US + 50000);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
}

/* A SUPPORT that corosync has lost is told again, until it comes back. */
static void
test_lost_support_is_told_again(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    wait_us(1);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    t.core.peers[SELF - 1].stopped = false; /* As if it were gone. */
    t.core.support_at = t.now;
    wait_us(MUTE_US - 50000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
}

/* Nobody begins an epoch that is not on the disk, that was proposed in an
 * earlier view, or that was overtaken meanwhile. */
static void
test_named_waits_for_disk(void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        struct ha_record mine = record_of(2, SELF);
        struct ha_record other = record_of(3, 2);
        struct ha_status st;

        start();
        view(set_of(1, 2, 3));
        ha_core_status(&t.core, &st);
        assert_int_equal(st.hold.n, 0);
        say_prepare(2, 5);
        t.disk_full = true;
        say_accept(2, 5, 1, &mine);
        wait_us(MUTE_US / 2);
        assert_int_equal(t.core.hold.n, 0);
        assert_int_equal(t.core.named.n, 2);
        /* It may begin it, so nobody takes it for one that does not. */
        ha_core_status(&t.core, &st);
        assert_int_equal(st.hold.n, 2);
        if (i == 0) {
            view(set_of(0, 2, 3));
        } else {
            say_accept(2, 5, 2, &other);
        }
        ha_core_status(&t.core, &st);
        assert_int_equal(st.hold.n, i == 0 ? 2 : 0);
        t.n_acts[HA_ACT_FENCE_CLOSE] = 0;
        t.disk_full = false;
        wait_us(1050000);
        assert_int_equal(t.core.hold.n, 0);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 0);
    }
}

/* A retry of the disk takes nothing from a step that has something to say, and
 * a failure that nobody waits for is none of this node's. */
static void
test_disk_and_answer(void **state)
{
    struct ha_event ev = { .type = HA_EV_SWITCH };
    struct ha_actions out;
    bool refused = false;

    (void) state;
    start();
    feed_type(HA_EV_PERSIST_FAILED);
    assert_int_equal(t.n_acts[HA_ACT_PERSIST], 0);
    view(set_of(1, 2, 3));
    t.disk_full = true;
    say_prepare(2, 5);
    assert_true(t.core.disk_bad);
    t.disk_full = false;
    t.now = mono_add_us(t.now, 1100000);
    ev.now = t.now;
    ha_step(&t.core, &ev, &out);
    for (size_t i = 0; i < out.n; i++) {
        refused |= out.a[i].type == HA_ACT_REFUSED;
        assert_int_not_equal(out.a[i].type, HA_ACT_PERSIST);
    }
    assert_true(refused);
    t.n_acts[HA_ACT_PERSIST] = 0;
    feed_type(HA_EV_TICK);
    assert_int_equal(t.n_acts[HA_ACT_PERSIST], 1);
    assert_false(t.core.dirty);
}

/* Data of another lineage are no tail, however long they are. */
static void
test_no_tail_of_another_lineage(void **state)
{
    struct ha_record rec = record_of(2, SELF);
    struct ha_msg m = support_of(1, 2, 5, 1, 900);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    m.pos[HA_NB].lineage++;
    say(1, &m);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    assert_int_equal(t.last_role[HA_NB].replica.source, 0);
    assert_int_equal(t.last_role[HA_SB].replica.source, 1);
}

/* A node of a pair without a record cannot go on alone, and waits for the
 * other one as any first start does. */
static void
test_apart_without_record(void **state)
{
    struct ha_event ev = { .type = HA_EV_START };
    struct ha_event policy = { .type = HA_EV_POLICY };
    struct ha_config cfg;

    (void) state;
    start_as(2, 2);
    cfg = t.core.cfg;
    ha_core_init(&t.core, &cfg);
    feed(&ev);
    policy.policy.fence = true;
    policy.policy.devices = set_of(1, 0, 0);
    feed(&policy);
    feed_fence();
    feed_local();
    view(set_of(0, 2, 0));
    wait_us(10 * MUTE_US);
    assert_int_equal(t.core.state, HA_STARTING);
    assert_int_equal(t.core.why, HA_WHY_BOOTSTRAP_MEMBERS);
}

/* A door that has closed while nothing is in force leaves a node that starts
 * anew with the others. */
static void
test_closed_while_agreeing(void **state)
{
    (void) state;
    start();
    serve_settled();
    t.core.quorate = false;
    feed_type(HA_EV_TICK);
    assert_int_equal(t.core.state, HA_DEMOTING);
    t.core.quorate = true;
    view(set_of(0, 2, 3));
    t.fence.open = false;
    t.fence.closed = true;
    feed_fence();
    assert_int_equal(t.core.state, HA_STARTING);
}

/* An operator's word holds until another epoch is in force. */
static void
test_forced_until_another_epoch(void **state)
{
    struct ha_record rec = record_of(1, 1);

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    say_support(2, 2, 5, 1, 50);
    assert_true(t.core.in_force);
    t.core.forced = 2;
    say_accept(2, 5, 2, &rec);
    say_support(2, 2, 5, 2, 50);
    assert_int_equal(t.core.forced, 2);
    rec = record_of(2, 2);
    say_accept(2, 5, 3, &rec);
    say_support(2, 2, 5, 3, 50);
    assert_int_equal(t.core.forced, 0);
}

/* One that only lacks the virtual IP has all its data. */
static void
test_without_address_owes_all_the_same(void **state)
{
    (void) state;
    hand_over(true);
    t.local.address_unfit = true;
    feed_local();
    wait_us(30000000);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    assert_true(t.last[HA_MSG_SUPPORT].owes);
}

/* Once the new active has begun, nothing is owed any more.  Its log is not
 * followed before this node has said where the old one ended. */
static void
test_owes_nothing_once_begun(void **state)
{
    (void) state;
    hand_over(true);
    assert_true(t.core.handed);
    say_begun();
    assert_int_equal(t.core.state, HA_STANDBY);
    assert_false(t.core.handed);

    hand_over(true);
    t.core.supported = false;
    t.core.support_since = t.now;
    say_begun();
    assert_int_equal(t.core.state, HA_STANDBY);
    assert_int_equal(t.last_role[HA_SB].replica.role, 0);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.last_role[HA_SB].replica.role, 1);
}

/* The role comes back to it, and it waits for its workers, however long.  What
 * others have of its log it has, too: it only does not say so yet. */
static void
called_off_waits_for_workers(uint64_t others)
{
    struct ha_record rec = record_of(4, SELF);
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { 5, 2 } };

    hand_over(true);
    rec.suspects = set_of(2, 0, 0);
    m.rev = 3;
    m.elected = true;
    m.why = HA_WHY_OWES;
    m.durable.record = rec;
    say(2, &m);
    say_support(2, 2, 5, 3, others);
    wait_us(10 * OPEN_US);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.why, others > 50 ? HA_WHY_TAIL : HA_WHY_LOG);
    t.lazy_replica = false;
    for (int db = 0; db < HA_N_DBS; db++) {
        t.local.db[db].role_token = t.last_role[db].replica.token;
        t.local.db[db].pos.seq = others;
        t.local.db[db].pos.chain = others * 7;
    }
    feed_local();
    feed_type(HA_EV_TICK);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
    assert_false(t.core.handed);
}

static void
test_called_off_waits_for_workers(void **state)
{
    (void) state;
    called_off_waits_for_workers(50);
    called_off_waits_for_workers(55);
}

/* Without its databases it would wait for ever. */
static void
test_called_off_without_database(void **state)
{
    struct ha_record rec = record_of(4, SELF);

    (void) state;
    hand_over(true);
    rec.suspects = set_of(2, 0, 0);
    say_accept(2, 5, 3, &rec);
    say_support(2, 2, 5, 3, 50);
    t.local.unfit = true;
    feed_local();
    wait_us(MUTE_US + OPEN_US + 50000);
    assert_int_equal(t.core.state, HA_DEMOTING);
}

/* Named by a plan, it does not go on without what the old active owes; nor
 * does it wait for one that says nothing more. */
static void
test_heir_waits_for_what_is_owed(void **state)
{
    struct ha_record rec = record_of(2, SELF);
    struct ha_status st = status_of(1, HA_STANDBY);
    struct ha_msg m;

    (void) state;
    start();
    st.leaving = true; /* The move is not called off, then. */
    rec.suspects = set_of(1, 0, 0);
    propose_among(set_of(1, 2, 3), &rec);
    m = support_of(1, 2, 5, 1, 0);
    m.owes = true;
    m.status = st;
    m.pos[HA_NB].lineage = m.pos[HA_SB].lineage = 0;
    say(1, &m);
    say_support(2, 2, 5, 1, 50);
    for (int i = 0; i < 20; i++) {
        wait_us(TAIL_US / 4);
        say_status(1, &st);
    }
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    assert_int_equal(t.core.why, HA_WHY_OWES);
    wait_us(LEASE_US + LEASE_US / 100 + 4 * MUTE_US - 50000);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    wait_us(100000);
    assert_int_equal(t.core.stage > HA_STAGE_TAIL, true);
}

/* SELF is named in the place of node 1, which is here and supports nothing
 * yet.  Others have let the promises of node 1 run out by then. */
static void
name_self_beside_the_old_active(void)
{
    struct ha_record rec = record_of(2, SELF);

    start();
    rec.suspects = set_of(1, 0, 0);
    propose_among(set_of(1, 2, 3), &rec);
    say_support(2, 2, 5, 1, 50);
}

/* One that was named, and has not come to have all there is, has nothing to
 * hand over: it owes nothing, and waits for nothing longer than others. */
static void
test_never_cleared_owes_nothing(void **state)
{
    struct ha_record rec = record_of(3, 2);
    struct ha_msg m = { .type = HA_MSG_ACCEPT, .ballot = { 5, 2 }, .rev = 2 };

    (void) state;
    name_self_beside_the_old_active();
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.stage, HA_STAGE_VERDICT);
    m.planned = m.elected = true;
    m.durable.record = rec;
    say(2, &m);
    assert_int_equal(t.core.durable.record.epoch.n, 3);
    assert_false(t.core.handed);
}

/* An old active that says that it still closes its door is waited for, within
 * reason: it may hold what nobody else has. */
static void
test_heir_waits_for_a_slow_door(void **state)
{
    const struct ha_status closing = status_of(1, HA_DEMOTING);
    const struct ha_status closed = status_of(1, HA_STANDBY);
    const int64_t first_us = LEASE_US + 4 * MUTE_US;

    (void) state;
    /* It says nothing of the kind. */
    name_self_beside_the_old_active();
    say_status(1, &closed);
    wait_us(first_us - 100000);
    assert_int_equal(t.core.stage, HA_STAGE_VERDICT);
    wait_us(150000);
    assert_true(t.core.stage > HA_STAGE_VERDICT);

    /* It says so, and then nothing more: its workers have their time. */
    name_self_beside_the_old_active();
    wait_us(first_us - 100000);
    say_status(1, &closing);
    wait_us(2 * MUTE_US - 50000);
    say_status(1, &closed);
    assert_int_equal(t.core.stage, HA_STAGE_VERDICT);
    wait_us(100000);
    assert_true(t.core.stage > HA_STAGE_VERDICT);

    /* It goes on saying so. */
    name_self_beside_the_old_active();
    for (int64_t us = 0; us < first_us + 9900000; us += 100000) {
        assert_int_equal(t.core.stage, HA_STAGE_VERDICT);
        say_status(1, &closing);
        wait_us(100000);
    }
    say_status(1, &closing);
    wait_us(150000);
    assert_true(t.core.stage > HA_STAGE_VERDICT);
}

/* SELF coordinates a view in which 'rec' is in force. */
static void
settle(struct ha_set members, const struct ha_record *rec)
{
    view(members);
    wait_us(50000);
    t.core.settled = true;
    t.core.proposal = t.core.record = t.core.durable.record = *rec;
    t.core.proposed = t.core.in_force = t.core.supported = true;
    t.core.in_flight = t.core.collecting = false;
    t.core.prop_ballot = t.core.durable.promised;
    t.core.prop_rev = 1;
}

/* The coordinator calls the move off, unless the old active could not serve
 * again, ends, or the new one has begun. */
static void
test_move_is_called_off(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_status st;
    struct ha_msg m;

    (void) state;
    for (int i = 0; i < 7; i++) {
        start_as(1, 3);
        rec.suspects = set_of(SELF, 9, 0); /* 9 is a member no more. */
        if (i == 6) {
            rec.suspects.n = 0; /* It is settled. */
        }
        settle(set_of(1, 2, 3), &rec);
        t.core.support_since = t.now;
        st = status_of(2, HA_PROMOTING);
        st.hold = rec.epoch;
        st.log_ready = i == 1;
        m = support_of(2, 1, t.core.prop_ballot.n, 1, 50);
        m.status = st;
        say(2, &m);
        t.n_sent[HA_MSG_ACCEPT] = 0;
        m = support_of(SELF, 1, t.core.prop_ballot.n, 1, 0);
        m.owes = i != 2;
        m.status.leaving = i == 3;
        m.status.local.unfit = i == 4;
        m.status.local.address_unfit = i == 5;
        say(SELF, &m);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], i == 0);
        if (i == 0) {
            assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.active,
                             SELF);
            assert_int_equal(t.last[HA_MSG_ACCEPT].why, HA_WHY_OWES);
            assert_false(t.last[HA_MSG_ACCEPT].planned);
        }
    }
}

/* ---- The last resort -------------------------------------------------- */

/* Nodes 2 and 3 are left; the record of epoch 1 is in force, whose active, node
 * 1, is gone, and neither is in sync.  Node 2 is the coordinator. */
static void
block(void)
{
    struct ha_record rec = record_of(1, 1);

    start();
    rec.in_sync = set_of(1, 0, 0);
    propose_among(set_of(2, 3, 0), &rec);
    say_support(2, 2, 5, 1, 50);
    assert_true(t.core.in_force);
    memset(t.n_sent, 0, sizeof t.n_sent);
    memset(t.n_requests, 0, sizeof t.n_requests);
    memset(t.n_acts, 0, sizeof t.n_acts);
}

static void
force(uint32_t to)
{
    struct ha_event ev = { .type = HA_EV_FORCE, .ctl.to = to };

    feed(&ev);
}

static void
assert_force_refused(uint32_t to, enum ha_why why)
{
    t.n_acts[HA_ACT_REFUSED] = 0;
    force(to);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, why);
    assert_int_equal(t.n_requests[HA_REQ_FORCE], 0);
    assert_int_equal(t.core.forced, 0);
}

/* It waives freshness, and nothing else. */
static void
test_force(void **state)
{
    struct ha_record rec = record_of(2, SELF);
    struct ha_status st;

    (void) state;
    block();
    assert_int_equal(ha_core_force_best(&t.core), 2);
    st = status_of(2, HA_BLOCKED);
    st.local.db[HA_NB].pos.seq = 49;
    say_status(2, &st);
    assert_int_equal(ha_core_force_best(&t.core), SELF);
    st.local.db[HA_NB].ask = HA_ASK_SHRINK;
    st.local.db[HA_NB].pos.seq = 51;
    say_status(2, &st);
    assert_int_equal(ha_core_force_best(&t.core), 2);
    st.local.db[HA_NB].complete = false;
    say_status(2, &st);
    assert_force_refused(2, HA_WHY_INCOMPLETE);
    st = status_of(2, HA_BLOCKED);
    st.local.nofailover = true;
    say_status(2, &st);
    assert_force_refused(2, HA_WHY_NOFAILOVER);
    assert_force_refused(1, HA_WHY_ABSENT);
    t.core.dirty = true;
    t.core.disk_bad = true;
    t.core.disk_at = t.now;
    assert_force_refused(SELF, HA_WHY_DISK);
    t.core.dirty = t.core.disk_bad = false;
    t.core.in_force = false;
    t.core.coord_why = HA_WHY_HOLDERS;
    assert_force_refused(SELF, HA_WHY_HOLDERS);
    t.core.in_force = true;

    /* Without it such an epoch is none. */
    rec.in_sync = set_of(1, SELF, 0);
    say_accept(2, 5, 2, &rec);
    assert_int_equal(t.core.durable.record.epoch.n, 1);
    force(0);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1); /* The one before. */
    assert_int_equal(t.n_requests[HA_REQ_FORCE], 1);
    assert_int_equal(t.core.forced, SELF);
    say_accept(2, 5, 3, &rec);
    assert_int_equal(t.core.durable.record.epoch.n, 2);
    assert_int_equal(t.core.forced, SELF);
    say_support(2, 2, 5, 3, 50);
    assert_int_equal(t.core.forced, 0); /* For one epoch. */
}

/* Not where somebody serves, or is about to. */
static void
test_force_is_not_needed(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_status st = status_of(2, HA_ACTIVE);

    (void) state;
    start();
    propose_among(set_of(2, 3, 0), &rec);
    say_support(2, 2, 5, 1, 50);
    assert_force_refused(SELF, HA_WHY_UNDER_WAY); /* Both are in sync. */

    start();
    rec = record_of(2, 2);
    rec.in_sync = set_of(2, 0, 0);
    propose_among(set_of(2, 3, 0), &rec);
    say_support(2, 2, 5, 1, 50);
    st.hold = rec.epoch;
    st.open = true;
    say_status(2, &st);
    assert_force_refused(SELF, HA_WHY_SERVED);
    st.open = false;
    say_status(2, &st);
    assert_force_refused(SELF, HA_WHY_UNDER_WAY);
    wait_us(TAIL_US + OPEN_US);
    force(SELF);
    assert_int_equal(t.n_requests[HA_REQ_FORCE], 1);
}

/* The word is about one epoch, in one view. */
static void
test_force_is_void(void **state)
{
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = HA_REQ_FORCE };

    (void) state;
    block();
    m.node = SELF;
    m.epoch = (struct ha_epoch){ 2, 2 };
    say(2, &m);
    assert_int_equal(t.core.forced, 0);
    m.epoch = (struct ha_epoch){ 1, 1 };
    m.node = 1;
    say(2, &m);
    assert_int_equal(t.core.forced, 0);
    m.node = SELF;
    say(2, &m);
    assert_int_equal(t.core.forced, SELF);
    view(set_of(1, 2, 3));
    assert_int_equal(t.core.forced, 0);
}

/* The coordinator elects who was named, and a planned move's debt is off. */
static void
test_force_elects(void **state)
{
    struct ha_record rec = record_of(1, 3);
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = HA_REQ_FORCE };

    (void) state;
    start_as(1, 3);
    rec.in_sync = set_of(3, 0, 0);
    settle(set_of(1, 2, 0), &rec);
    t.core.ever_active = true;
    say_support(2, 1, t.core.prop_ballot.n, 1, 50);
    wait_us(3000000);
    t.n_sent[HA_MSG_ACCEPT] = 0;
    t.core.handed = true;
    m.node = 2;
    m.epoch = rec.epoch;
    say(2, &m);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.active, 2);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
    assert_false(t.core.handed);
}

/* Node 2 of a pair that lives on proof starts apart from the other one; its
 * record says 'alone'. */
static void
start_apart(enum ha_alone alone)
{
    struct ha_event ev = { .type = HA_EV_POLICY };

    start_as(2, 2);
    ev.policy.fence = true;
    ev.policy.devices = set_of(1, 2, 0);
    ev.policy.stale_us = 60000000;
    feed(&ev);
    t.core.durable.alone = alone;
    t.core.durable.record.in_sync = set_of(1, 2, 0);
    t.core.record = t.core.durable.record;
    view(set_of(2, 0, 0));
    wait_us(5 * LEASE_US);
}

/* Nor where it would change nothing yet. */
static void
test_force_is_refused(void **state)
{
    struct ha_event off = { .type = HA_EV_FENCED };
    struct ha_record rec = record_of(2, 2);
    struct ha_status st = status_of(2, HA_BLOCKED);

    (void) state;
    block();
    st.local.nofailover = t.local.nofailover = true;
    say_status(2, &st);
    feed_local();
    assert_force_refused(0, HA_WHY_NOT_ELIGIBLE);
    t.core.in_force = false;
    t.core.coord_why = HA_WHY_NONE;
    assert_force_refused(SELF, HA_WHY_AGREEING);
    t.core.quorate = false;
    assert_force_refused(SELF, HA_WHY_NO_QUORUM);

    /* A door that is open for another epoch serves nobody. */
    start();
    rec.in_sync = set_of(2, 0, 0);
    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
    st.open = true;
    say_status(2, &st);
    force(SELF);
    assert_int_equal(t.n_requests[HA_REQ_FORCE], 1);

    /* Apart, and in force by a proof: it is about to serve. */
    start_apart(HA_ALONE_PROVEN);
    off.fenced.node = 1;
    off.fenced.proven = true;
    feed(&off);
    wait_us(50000);
    assert_true(t.core.in_force);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_force_refused(2, HA_WHY_UNDER_WAY);
}

/* Who went on alone has the other one fenced, also after a restart; not so who
 * did it by an operator's word, since the other one may have been alone, too:
 * they would have one another fenced in turn; nor who did it since the other
 * one had ended on purpose.  A proof is enough for each. */
static void
test_alone(void **state)
{
    struct ha_event off = { .type = HA_EV_FENCED };

    (void) state;
    off.fenced.node = 1;
    off.fenced.proven = off.fenced.vouched = true;
    start_apart(HA_ALONE_NO);
    assert_int_equal(t.core.why, HA_WHY_UNMET);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);
    feed(&off);
    wait_us(5 * LEASE_US);
    assert_int_equal(t.core.why, HA_WHY_STALE);

    start_apart(HA_ALONE_PROVEN);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 1);
    feed(&off);
    wait_us(50000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.durable.alone, HA_ALONE_PROVEN);

    start_apart(HA_ALONE_FORCED);
    assert_int_equal(t.core.why, HA_WHY_UNMET);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);
    feed(&off);
    wait_us(50000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.durable.alone, HA_ALONE_FORCED);

    start_apart(HA_ALONE_LEFT);
    assert_int_equal(t.core.why, HA_WHY_UNMET);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);
    feed(&off);
    wait_us(50000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.durable.alone, HA_ALONE_PROVEN);

    /* There is no other one, yet. */
    start_as(1, 1);
    view(set_of(1, 0, 0));
    wait_us(5 * LEASE_US);
    assert_int_equal(t.core.durable.accepted.n, 2);
    assert_int_equal(t.core.durable.alone, HA_ALONE_NO);
}

/* The same, but it was with node 1, which said 'st' before it left the group;
 * 'members' are corosync's. */
static void
start_left_by(const struct ha_status *st, struct ha_set members)
{
    struct ha_event ev = { .type = HA_EV_POLICY };

    start_as(2, 2);
    ev.policy.fence = true;
    ev.policy.devices = set_of(1, 2, 0);
    ev.policy.stale_us = 60000000;
    feed(&ev);
    t.core.durable.record.in_sync = set_of(1, 2, 0);
    t.core.record = t.core.durable.record;
    view(set_of(1, 2, 0));
    t.core.in_force = true;
    say_status(1, st);
    ev = (struct ha_event){ .type = HA_EV_QUORUM, .quorum.members = members };
    feed(&ev);
    ev = (struct ha_event){ .type = HA_EV_VIEW };
    ev.view.members = set_of(2, 0, 0);
    feed(&ev);
}

/* Nobody is fenced whose ovn-had may only be restarting, and nobody by who
 * cannot do it or is about to end. */
static void
test_when_to_fence(void **state)
{
    const struct ha_status st = status_of(1, HA_ACTIVE);

    (void) state;
    start_left_by(&st, set_of(1, 2, 0));
    wait_us(LEASE_US);
    assert_int_equal(t.core.why, HA_WHY_LEASE);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);
    wait_us(LEASE_US / 50 + MUTE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 1);

    start_left_by(&st, set_of(2, 0, 0));
    wait_us(50000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 1);

    /* An active waits for as long as the other node is a member. */
    start_left_by(&st, set_of(1, 2, 0));
    t.core.hold = t.core.cleared = (struct ha_epoch){ 1, 2 };
    wait_us(3 * LEASE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);

    /* Nobody at all is, before corosync has told: it may be one. */
    start_left_by(&st, (struct ha_set){ 0 });
    t.core.hold = t.core.cleared = (struct ha_epoch){ 1, 2 };
    wait_us(3 * LEASE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);
    t.core.members = set_of(2, 0, 0);
    wait_us(50000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 1);

    start_left_by(&st, set_of(1, 2, 0));
    t.core.policy.devices.n = 0;
    wait_us(5 * LEASE_US);
    assert_int_equal(t.core.why, HA_WHY_NO_DEVICE);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);

    start_left_by(&st, set_of(1, 2, 0));
    feed_type(HA_EV_SHUTDOWN);
    t.core.exited = false;
    wait_us(5 * LEASE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);

    start_left_by(&st, set_of(1, 2, 0));
    t.core.durable.accepted.n = 0;
    wait_us(5 * LEASE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);

    /* Nor by who is in no group itself, or is about to end. */
    start_left_by(&st, set_of(1, 2, 0));
    t.core.hold = t.core.cleared = (struct ha_epoch){ 1, 2 };
    view((struct ha_set){ 0 });
    t.core.members = set_of(2, 0, 0);
    wait_us(5 * LEASE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);

    start_left_by(&st, (struct ha_set){ 0 });
    t.core.hold = t.core.cleared = (struct ha_epoch){ 1, 2 };
    t.core.members = set_of(2, 0, 0);
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);

    /* Who was named, and not cleared, is no active yet. */
    start_left_by(&st, set_of(1, 2, 0));
    t.core.hold = (struct ha_epoch){ 1, 2 };
    wait_us(3 * LEASE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 1);

    /* A contact counts with a record in force only. */
    start_left_by(&st, set_of(1, 2, 0));
    t.core.peers[0].met = false;
    view(set_of(1, 2, 0));
    assert_false(t.core.in_force);
    say_status(1, &st);
    view(set_of(2, 0, 0));
    wait_us(5 * LEASE_US);
    assert_int_equal(t.core.why, HA_WHY_UNMET);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 0);
}

/* What a proof is called, and what of it is refused. */
static void
test_who_is_believed(void **state)
{
    struct ha_event ev = { .type = HA_EV_POLICY };
    struct ha_event quorum = { .type = HA_EV_QUORUM };

    (void) state;
    start();
    say_fenced(1, true, false); /* Nobody is here to be told. */
    assert_int_equal(t.n_requests[HA_REQ_FENCED], 0);
    assert_int_equal(t.core.peers[0].proof, HA_PROOF_FENCED);
    assert_non_null(strstr(t.tell, "a fence device has proven"));
    say_fenced(SELF, true, true);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1);
    assert_non_null(strstr(t.tell, "not believed"));

    start();
    say_fenced(1, true, true);
    assert_int_equal(t.core.peers[0].proof, HA_PROOF_OPERATOR);
    assert_non_null(strstr(t.tell, "an operator vouches"));
    view(set_of(1, 2, 3));
    say_fenced(2, true, false);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 0);
    assert_non_null(strstr(t.tell, "yet to notice"));
    assert_int_equal(t.core.peers[1].proof, HA_PROOF_NONE);

    /* The proof counts once the group notices, unless it came back before. */
    view(set_of(1, 3, 0));
    assert_int_equal(t.core.peers[1].proof, HA_PROOF_FENCED);
    assert_int_equal(t.n_requests[HA_REQ_FENCED], 1);
    view(set_of(1, 2, 3));
    view(set_of(1, 3, 0));
    assert_int_equal(t.core.peers[1].proof, HA_PROOF_NONE);
    view(set_of(2, 3, 0));
    say_fenced(2, true, false);
    t.core.view = set_of(3, 0, 0); /* The group is another one. */
    view(set_of(2, 3, 0));
    view(set_of(3, 0, 0));
    assert_int_equal(t.core.peers[1].proof, HA_PROOF_NONE);
    view(set_of(1, 2, 3));
    say_fenced(2, true, false);
    view(set_of(2, 3, 0));
    view(set_of(3, 0, 0));
    assert_int_equal(t.core.peers[1].proof, HA_PROOF_FENCED);
    say_fenced(SELF, true, false);
    assert_false(ha_core_peer(&t.core, SELF)->off);

    /* A policy for pairs means nothing to three. */
    ev.policy.fence = ev.policy.quorum = true;
    feed(&ev);
    feed(&quorum);
    assert_false(t.core.quorate);
}

/* The word of a node that ends is a proof only if it served nothing by then,
 * and was heard in the very group that it left. */
static void
test_word_of_the_other(void **state)
{
    struct ha_status st = status_of(1, HA_STANDBY);
    const struct ha_peer *p = &t.core.peers[0];

    (void) state;
    start_left_by(&st, set_of(1, 2, 0));
    assert_int_equal(p->proof, HA_PROOF_NONE);
    st.leaving = true;
    start_left_by(&st, set_of(1, 2, 0));
    assert_int_equal(p->proof, HA_PROOF_WORD);
    wait_us(50000);
    assert_int_equal(t.core.durable.alone, HA_ALONE_LEFT);
    st.state = HA_DEMOTING;
    start_left_by(&st, set_of(1, 2, 0));
    assert_int_equal(p->proof, HA_PROOF_NONE);
    st.state = HA_BLOCKED;
    st.open = true;
    start_left_by(&st, set_of(1, 2, 0));
    assert_int_equal(p->proof, HA_PROOF_NONE);
    st.open = false;
    st.hold = (struct ha_epoch){ 1, 1 };
    start_left_by(&st, set_of(1, 2, 0));
    assert_int_equal(p->proof, HA_PROOF_NONE);

    /* It came back, was not heard, and left again. */
    st.hold = (struct ha_epoch){ 0, 0 };
    start_left_by(&st, set_of(1, 2, 0));
    view(set_of(1, 2, 0));
    assert_int_equal(p->proof, HA_PROOF_NONE);
    view(set_of(2, 0, 0));
    assert_int_equal(p->proof, HA_PROOF_NONE);
}

/* A door is still closing when ovn-had, started anew, is asked to end: its word
 * is none before that is over. */
static void
test_word_of_a_closing_door(void **state)
{
    struct ha_status st;

    (void) state;
    for (int closed = 0; closed < 2; closed++) {
        start();
        view(set_of(1, 2, 3));
        t.fence.connected = true;
        t.fence.closed = closed;
        feed_fence();
        ha_core_status(&t.core, &st);
        assert_false(st.open || st.leaving);
        feed_type(HA_EV_SHUTDOWN);
        ha_core_status(&t.core, &st);
        assert_true(st.leaving);
        assert_int_equal(st.open, !closed);
    }
}

/* Three nodes have a majority to live on, whatever the policy says. */
static void
test_proof_is_for_pairs(void **state)
{
    struct ha_event ev = { .type = HA_EV_POLICY, .policy.fence = true };

    (void) state;
    start();
    feed(&ev);
    view(set_of(SELF, 0, 0));
    wait_us(5 * LEASE_US);
    assert_false(ha_core_may_act(&t.core));
    assert_int_equal(t.core.state, HA_ISOLATED);
    assert_int_equal(t.core.why, HA_WHY_NO_QUORUM);
}

/* How old the data may be counts from the last contact to the first proof. */
static void
test_stale(void **state)
{
    const struct ha_status st = status_of(1, HA_ACTIVE);
    struct ha_event off = { .type = HA_EV_FENCED };

    (void) state;
    off.fenced.node = 1;
    off.fenced.proven = off.fenced.vouched = true;
    start_left_by(&st, set_of(2, 0, 0));
    t.core.disk_bad = t.core.dirty = true; /* Nobody is promoted yet. */
    t.core.disk_at = mono_add_us(t.now, 900000000);
    wait_us(60000000);
    feed(&off);
    wait_us(10000000);
    assert_int_equal(t.core.why, HA_WHY_DISK);
    feed(&off); /* Says nothing new. */
    t.core.disk_bad = t.core.dirty = false;
    wait_us(50000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.n_requests[HA_REQ_FENCED], 0); /* To whom? */

    start_left_by(&st, set_of(2, 0, 0));
    wait_us(60000000 + 50000);
    feed(&off);
    wait_us(50000);
    assert_int_equal(t.core.why, HA_WHY_STALE);

    /* Who serves has the newest data, whatever was heard last. */
    start_left_by(&st, set_of(2, 0, 0));
    wait_us(60000000 + 50000);
    t.core.hold = t.core.cleared = (struct ha_epoch){ 1, 2 };
    feed(&off);
    wait_us(50000);
    assert_int_equal(t.core.durable.alone, HA_ALONE_PROVEN);
}

/* What ends by itself needs no last resort. */
static void
test_apart_is_not_forced(void **state)
{
    struct ha_event ev = { .type = HA_EV_FENCED, .fenced.node = 1 };

    (void) state;
    start_apart(HA_ALONE_PROVEN);
    assert_int_equal(t.core.why, HA_WHY_FENCING);
    assert_force_refused(2, HA_WHY_UNDER_WAY);
    feed(&ev); /* No proof. */
    force(2);
    assert_int_equal(t.n_requests[HA_REQ_FORCE], 1);
    assert_int_equal(t.core.durable.record.active, 2);
    view((struct ha_set){ 0 });
    t.n_requests[HA_REQ_FORCE] = 0;
    t.core.forced = 0;
    assert_force_refused(2, HA_WHY_NO_GROUP);

    /* Adopted: it serves on, whatever the others are. */
    start_apart(HA_ALONE_NO);
    t.core.hold = t.core.cleared = (struct ha_epoch){ 1, 2 };
    assert_force_refused(2, HA_WHY_SERVED);
}

/* The last resort says so in the record, for as long as the two are apart. */
static void
test_forced_alone(void **state)
{
    struct ha_record rec;
    uint32_t ballot;

    (void) state;
    start_apart(HA_ALONE_NO);
    force(2);
    wait_us(50000);
    assert_int_equal(t.core.durable.record.active, 2);
    assert_int_equal(t.core.durable.alone, HA_ALONE_FORCED);
    rec = t.core.record;
    ballot = t.core.durable.promised.n;
    say_accept(2, ballot, 9, &rec);
    assert_int_equal(t.core.durable.rev, 9);
    assert_int_equal(t.core.durable.alone, HA_ALONE_FORCED);
    view(set_of(1, 2, 0));
    say_prepare(1, ballot + 1);
    say_accept(1, ballot + 1, 1, &rec);
    assert_int_equal(t.core.durable.promised.n, ballot + 1);
    assert_int_equal(t.core.durable.alone, HA_ALONE_NO);
}

/* It goes on far above all that is known here, and above what an operator let
 * the other node begin before; but never below, if the clock is wrong. */
static void
test_later_word_counts(void **state)
{
    (void) state;
    for (uint32_t s = 0; s <= 5000; s += 5000) {
        struct ha_event ev = { .type = HA_EV_FORCE, .ctl.to = 2 };

        ev.ctl.ms = s * 1000ULL + 999;
        start_apart(HA_ALONE_NO);
        feed(&ev);
        wait_us(50000);
        assert_int_equal(t.core.record.epoch.n, s ? s : 1002);
        assert_true(t.core.durable.promised.n > (s ? s : 1000));
        assert_true(t.core.durable.promised.n < s + 1010);
    }
}

/* An active whose workers took the log without having told where they stopped
 * goes on with it when its epoch is proposed anew. */
static void
test_log_taken_without_a_stop(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    t.lazy_replica = true;
    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
    wait_us(MUTE_US + 100000);
    assert_int_equal(t.core.stage, HA_STAGE_LOG);
    say_prepare(2, 6);
    assert_int_equal(t.last_role[HA_NB].replica.role, 2);
    for (int db = 0; db < HA_N_DBS; db++) {
        t.local.db[db].role_token = t.last_role[db].replica.token;
    }
    feed_local();
    say_accept(2, 6, 1, &rec);
    wait_us(50000);
    assert_int_equal(t.last_role[HA_NB].replica.role, 2);
    assert_int_equal(t.last_role[HA_SB].replica.role, 2);
}

/* Own promises are told with the support. */
static void
test_support_tells_promises(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_event ev = { .type = HA_EV_SUPPORTED };

    (void) state;
    start();
    t.lazy_fence = true;
    name_self(&rec);
    ev.supported.epoch = rec.epoch;
    ev.supported.old_promise_left_us = 700000;
    feed(&ev);
    feed_type(HA_EV_TICK);
    assert_int_equal(t.last[HA_MSG_SUPPORT].promise_left_us, 707001);
}

/* A fence worker that is not there is told nothing, and all when it is. */
static void
test_fence_worker_anew(void **state)
{
    struct ha_record rec = record_of(2, 2);
    unsigned members, supports;

    (void) state;
    start();
    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
    wait_us(100000);
    members = t.n_acts[HA_ACT_FENCE_MEMBERS];
    supports = t.n_acts[HA_ACT_FENCE_SUPPORT];
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_MEMBERS], members);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], supports);
    t.fence.connected = false;
    feed_fence();
    view(set_of(0, 0, 3));
    assert_int_equal(t.n_acts[HA_ACT_FENCE_MEMBERS], members);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], supports);
    t.fence.connected = true;
    feed_fence();
    assert_int_equal(t.n_acts[HA_ACT_FENCE_MEMBERS], members + 1);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], supports + 1);
    assert_int_equal(t.last_act[HA_ACT_FENCE_SUPPORT].epoch.n, 2);
    assert_int_equal(t.last_act[HA_ACT_FENCE_MEMBERS].set.n, 1);
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_MEMBERS], members + 1);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], supports + 1);
}

/* ---- Second thoughts: what a view, a disk or a worker takes back ------- */

/* A view says nothing of itself that was agreed on in another one. */
static void
test_same_ballot_again(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    start();
    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
    assert_true(t.core.in_force);
    say_prepare(2, 5);
    assert_true(t.core.in_force); /* Nothing new was promised. */
    say_prepare(2, 6);
    assert_false(t.core.in_force);
}

/* What was in force in another view binds nobody: it may have been undone. */
static void
test_older_epoch_in_new_view(void **state)
{
    struct ha_record rec = record_of(2, 2), old = record_of(1, 1);

    (void) state;
    start();
    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
    view(set_of(1, 2, 3));
    say_prepare(2, 6);
    say_accept(2, 6, 1, &old);
    assert_int_equal(t.core.durable.accepted.n, 6);
}

static void
test_fence_worker_late(void **state)
{
    struct ha_record rec = record_of(2, 2);
    unsigned members;

    (void) state;
    start();
    t.fence.connected = false;
    feed_fence();
    memset(t.n_acts, 0, sizeof t.n_acts);
    name_self(&rec);
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], 0);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_MEMBERS], 0);
    view(set_of(1, 2, 3)); /* What was accepted counts, proposed or not. */
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], 0);
    t.fence.connected = true;
    feed_fence();
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SUPPORT], 1);
    members = t.n_acts[HA_ACT_FENCE_MEMBERS];
    assert_int_equal(members, 1);
    t.fence.connected = false;
    feed_fence();
    t.fence.connected = true;
    feed_fence();
    /* Nothing has changed, but the worker is another one. */
    assert_int_equal(t.n_acts[HA_ACT_FENCE_MEMBERS], members + 1);
}

/* Where a member stopped once says nothing of now. */
static void
test_tail_of_another_view(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    say_support(1, 2, 5, 1, 100);
    wait_us(MUTE_US);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    view(set_of(0, 2, 3)); /* Without node 1 its tail is out of reach. */
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    say_prepare(2, 6);
    say_accept(2, 6, 1, &rec);
    say_support(2, 2, 6, 1, 50);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* Amid a promotion the view changes: nothing goes on before all agree. */
static void
test_tail_waits_for_record(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    name_self(&rec);
    say_support(2, 2, 5, 1, 60);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    say_prepare(2, 6);
    t.local.db[HA_NB].pos.seq = t.local.db[HA_SB].pos.seq = 60;
    feed_local();
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    say_accept(2, 6, 1, &rec);
    say_support(2, 2, 6, 1, 60);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* A second source in the same epoch is another order. */
static void
test_tail_of_two(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    rec.suspects.n = 0;
    start();
    propose_among(set_of(1, 2, 3), &rec);
    say_support(2, 2, 5, 1, 60);
    feed_type(HA_EV_TICK);
    assert_int_equal(t.last_role[HA_NB].replica.source, 2);
    say_support(1, 2, 5, 1, 70);
    feed_type(HA_EV_TICK);
    assert_int_equal(t.core.stage, HA_STAGE_TAIL);
    assert_int_equal(t.last_role[HA_NB].replica.source, 1);
    t.local.db[HA_NB].pos.seq = t.local.db[HA_SB].pos.seq = 70;
    feed_local();
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* A new lineage begins with what its first active has: never with what
 * belongs to another one. */
static void
test_new_lineage(void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        struct ha_record rec = takeover();

        start();
        rec.in_sync.n = rec.suspects.n = 0;
        for (int db = 0; db < HA_N_DBS; db++) {
            t.local.db[db].complete = false;
            t.local.db[db].pos.lineage = 0;
        }
        if (i < 2) {
            t.local.db[i].pos.lineage = LINEAGE + 1;
        }
        feed_local();
        name_self(&rec);
        say_support(2, 2, 5, 1, 0);
        assert_int_equal(t.core.stage, i < 2 ? HA_STAGE_TAIL : HA_STAGE_DOOR);
    }
}

/* The others agreed, but this node has not stopped the older epochs yet. */
static void
test_named_before_own_support(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    t.lazy_fence = true;
    propose_among(set_of(1, 2, 3), &rec);
    say_support(1, 2, 5, 1, 50);
    say_support(2, 2, 5, 1, 50);
    assert_true(t.core.in_force);
    assert_int_equal(t.core.stage, HA_STAGE_AGREE);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 0);
}

/* A worker that was started anew has forgotten its role. */
static void
test_replica_worker_anew(void **state)
{
    struct ha_status st;
    unsigned orders;

    (void) state;
    start();
    serve();
    ha_core_status(&t.core, &st);
    assert_true(st.log_ready);
    orders = t.n_acts[HA_ACT_REPLICA];
    t.lazy_replica = true;
    t.local.db[HA_SB].life++;
    feed_local();
    assert_int_equal(t.n_acts[HA_ACT_REPLICA], orders + 1);
    assert_int_equal(t.last_role[HA_SB].replica.role, 2);
    ha_core_status(&t.core, &st);
    assert_false(st.log_ready);
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_REPLICA], orders + 1);
}

/* Requests are for the coordinator of a record in force. */
static void
test_no_requests_without_record(void **state)
{
    struct ha_peer_db gone = { .connected = false };

    (void) state;
    start();
    serve_settled();
    say_prepare(2, 6);
    receiver(2, HA_NB, &gone);
    t.local.unfit = true;
    feed_local();
    wait_us(2 * MUTE_US);
    assert_int_equal(t.core.state, HA_ACTIVE);
    assert_int_equal(t.n_requests[HA_REQ_IN_SYNC], 0);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
}

/* A node that does not serve yet hands nothing over. */
static void
test_unfit_before_active(void **state)
{
    (void) state;
    start();
    promote();
    t.fence.open = true;
    t.fence.serve = t.core.hold;
    feed_fence();
    assert_int_equal(t.core.stage, HA_STAGE_NORTHD);
    wait_us(4 * MUTE_US);
    t.local.unfit = true;
    feed_local();
    wait_us(100 * MUTE_US);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);

    /* Nor while its door opens again. */
    start();
    serve_settled();
    t.fence.open = false;
    feed_fence();
    t.fence.open = true;
    feed_fence();
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.stage, HA_STAGE_NORTHD);
    t.local.unfit = true;
    feed_local();
    wait_us(4 * MUTE_US);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
}

/* ---- Role ------------------------------------------------------------- */

/* An ovn-had that was restarted, while its fence worker served on as node
 * 'serving' of epoch 1. */
static void
restart(uint32_t serving, bool connected)
{
    struct ha_event ev = { .type = HA_EV_START };
    struct ha_config cfg;

    start();
    cfg = t.core.cfg;
    ha_core_init(&t.core, &cfg);
    memset(t.n_acts, 0, sizeof t.n_acts);
    ev.start.has_durable = true;
    ev.start.durable.promised = ev.start.durable.accepted =
        (struct ha_ballot){ 1, 1 };
    ev.start.durable.rev = 1;
    ev.start.durable.record = record_of(1, SELF);
    feed(&ev);
    t.fence.connected = connected;
    t.fence.open = true;
    t.fence.closed = false;
    t.fence.serve = (struct ha_epoch){ 1, serving };
    feed_fence();
    feed_local();
}

/* It goes on, without the door closing, but not further than it was before
 * all agree. */
static void
test_adoption_waits_for_record(void **state)
{
    struct ha_record rec = record_of(1, SELF);

    (void) state;
    restart(SELF, true);
    assert_int_equal(t.core.hold.n, 1);
    view(set_of(0, 2, 3));
    wait_us(100000);
    assert_int_equal(t.n_acts[HA_ACT_REPLICA], 0);
    assert_int_equal(t.core.state, HA_STARTING);
    say_prepare(2, 5);
    say_accept(2, 5, 1, &rec);
    wait_us(1);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    assert_int_equal(t.core.stage, HA_STAGE_AGREE);
    say_support(2, 2, 5, 1, 50);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.core.stage, HA_STAGE_NORTHD);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 0);
}

/* The same of a cluster that is paused; the fence worker may know. */
static void
restart_paused(bool endless)
{
    restart(SELF, false);
    t.core.durable.record.paused = HA_PAUSE_ON;
    t.core.record.paused = HA_PAUSE_ON;
    t.fence.connected = true;
    t.fence.endless = endless;
    feed_fence();
}

/* The group may be known before the fence worker is, and quorum after it: what
 * it serves goes on all the same, or ends after one lease. */
static void
test_adoption_while_isolated(void **state)
{
    (void) state;
    for (int quorate = 0; quorate < 2; quorate++) {
        struct ha_event q = { .type = HA_EV_QUORUM };

        restart(SELF, false);
        q.quorum.members = set_of(0, 2, 3);
        feed(&q);
        view(set_of(0, 2, 3));
        t.core.quorate = false;
        t.core.state = HA_ISOLATED;
        feed_type(HA_EV_TICK);
        assert_int_equal(t.core.state, HA_ISOLATED);
        t.fence.connected = true;
        feed_fence();
        assert_int_equal(t.core.hold.n, 1);
        assert_int_equal(t.core.state, HA_STARTING);
        t.core.quorate = quorate;
        wait_us(LEASE_US + 50000);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], !quorate);
    }
}

/* Nothing else is adopted. */
static void
test_no_adoption(void **state)
{
    struct ha_status st;

    (void) state;
    restart(2, true); /* Another epoch than the record's. */
    assert_int_equal(t.core.hold.n, 0);
    restart(SELF, false); /* A worker that does not answer. */
    assert_int_equal(t.core.hold.n, 0);
    assert_int_equal(t.n_acts[HA_ACT_NORTHD], 0);
    t.fence.serve = (struct ha_epoch){ 0, 0 };
    t.fence.connected = true;
    feed_fence();
    wait_us(200000);
    assert_int_equal(t.n_acts[HA_ACT_NORTHD], 1); /* It may be running. */
    assert_false(t.last_act[HA_ACT_NORTHD].run);
    ha_core_status(&t.core, &st);
    assert_int_equal(st.hold.n, 0);
}

/* Without quorum an adopted epoch ends after one lease, but not before: that
 * long it may take until corosync speaks. */
static void
test_adoption_without_quorum(void **state)
{
    (void) state;
    restart(SELF, true);
    wait_us(LEASE_US - 50000);
    assert_int_equal(t.core.hold.n, 1);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 0);
    wait_us(100000);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.core.why, HA_WHY_NO_QUORUM);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 1);
    /* And is not taken up again, though the worker has not closed yet. */
    t.fence.closed = true;
    feed_fence();
    view(set_of(0, 2, 3));
    wait_us(1000000);
    assert_int_equal(t.core.hold.n, 0);
}

/* An adopted epoch that was superseded ends at once. */
static void
test_adoption_overruled(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    restart(SELF, true);
    propose_among(set_of(0, 2, 3), &rec);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.core.why, HA_WHY_NONE);
    assert_int_equal(t.core.hold.n, 0);
}

/* Losing the group or quorum ends a promotion, and a demotion ends only with
 * proof. */
static void
test_quorum_and_group(void **state)
{
    struct ha_event ev = { .type = HA_EV_VIEW };

    (void) state;
    start();
    serve();
    feed(&ev); /* Out of the group, though quorate. */
    assert_int_equal(t.core.state, HA_DEMOTING);
    wait_us(1000000);
    assert_int_equal(t.core.state, HA_DEMOTING);
    t.fence.open = false;
    t.fence.closed = true;
    feed_fence();
    assert_int_equal(t.core.state, HA_ISOLATED);
    assert_int_equal(t.core.why, HA_WHY_NO_GROUP);
    wait_us(100000);
    assert_int_equal(t.core.state, HA_ISOLATED);
    view(set_of(0, 2, 3));
    assert_int_equal(t.core.state, HA_STARTING);

    start();
    serve();
    view(set_of(0, 0, 3));
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.core.why, HA_WHY_NO_QUORUM);
}

/* A node that starts says where it stands. */
static void
test_starting(void **state)
{
    struct ha_event ev = { .type = HA_EV_QUORUM };

    (void) state;
    start();
    assert_int_equal(t.core.state, HA_STARTING);
    assert_int_equal(t.core.why, HA_WHY_NO_GROUP);
    ev.quorum.quorate = true;
    ev.quorum.members = set_of(0, 2, 3);
    feed(&ev);
    assert_int_equal(t.core.state, HA_STARTING);
    view(set_of(0, 2, 3));
    assert_int_equal(t.core.why, HA_WHY_AGREEING);
    t.disk_full = true;
    say_prepare(2, 5);
    assert_int_equal(t.core.why, HA_WHY_DISK);
}

/* The active is who the record names, is here, and says that it serves. */
static void
test_standby_needs_active(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_status st = status_of(2, HA_ACTIVE);
    struct ha_msg m = support_of(2, 2, 5, 1, 50);

    (void) state;
    start();
    name_self(&rec);
    say(2, &m);
    assert_int_equal(t.core.state, HA_BLOCKED); /* It holds nothing. */
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 1);
    st.hold = rec.epoch;
    say_status(2, &st);
    assert_int_equal(t.core.state, HA_STANDBY);
    assert_int_equal(t.core.why, HA_WHY_AGREEING);
    assert_int_equal(t.last_role[HA_NB].replica.role, 0);
    st.log_ready = true;
    say_status(2, &st);
    assert_int_equal(t.core.why, HA_WHY_NONE);
    assert_int_equal(t.last_role[HA_NB].replica.role, 1);
    assert_int_equal(t.last_role[HA_SB].replica.source, 2);
    st.hold.n = 1;
    say_status(2, &st);
    assert_int_equal(t.core.state, HA_BLOCKED);
}

/* ---- Switchover ------------------------------------------------------- */

static void
ask_switch(uint32_t to)
{
    struct ha_event ev = { .type = HA_EV_SWITCH, .ctl.to = to };

    t.n_requests[HA_REQ_SWITCH] = t.n_acts[HA_ACT_REFUSED] = 0;
    feed(&ev);
}

static void
assert_refused(enum ha_why why, const char *text)
{
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, why);
    assert_non_null(strstr(t.tell, text));
}

/* To whom, or to whoever is best; a refusal says what is in the way. */
static void
test_switchover_is_asked_for(void **state)
{
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    start();
    ask_switch(0); /* Before anything is agreed on. */
    assert_refused(HA_WHY_AGREEING, ha_why_text(HA_WHY_AGREEING));
    memset(&t.core.record, 0, sizeof t.core.record); /* Or ever was. */
    ask_switch(0);
    assert_refused(HA_WHY_AGREEING, ha_why_text(HA_WHY_AGREEING));

    start();
    serve_settled();
    ask_switch(0);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 1);
    assert_int_equal(t.last_request[HA_REQ_SWITCH].node, 2);
    ask_switch(2);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 1);
    ask_switch(SELF);
    assert_refused(HA_WHY_NONE, "it is the active already");
    st.leaving = true;
    say_status(2, &st);
    ask_switch(2);
    assert_refused(HA_WHY_LEAVING, ha_why_text(HA_WHY_LEAVING));
    ask_switch(0);
    assert_refused(HA_WHY_NOT_ELIGIBLE, ha_why_text(HA_WHY_NOT_ELIGIBLE));
}

/* Nor does one whose fence worker supports another epoch of that number, which
 * was begun and never in force, and which this ovn-had may know nothing of. */
static void
test_standby_of_a_higher_epoch(void **state)
{
    (void) state;
    for (uint32_t node = 2; node <= 3; node++) {
        struct ha_record rec = record_of(2, 2);
        struct ha_status st = status_of(2, HA_ACTIVE);
        struct ha_event ev = { .type = HA_EV_SUPPORTED };

        start();
        t.lazy_fence = true;
        name_self(&rec);
        ev.supported.epoch = (struct ha_epoch){ 2, node };
        feed(&ev);
        st.hold = rec.epoch;
        st.log_ready = true;
        say_status(2, &st);
        say_support(2, 2, 5, 1, 50);
        say_status(2, &st);
        assert_int_equal(t.core.state, HA_STANDBY);
        assert_int_equal(t.last_role[HA_NB].replica.role, node == 2);
        assert_int_equal(t.last_role[HA_SB].replica.role, node == 2);
    }
}

/* A standby that supports another epoch goes not back to the old one, though
 * that is still in force; nor does it follow who has not spoken yet. */
static void
test_standby_goes_not_back(void **state)
{
    struct ha_record rec = record_of(2, 2), next = record_of(3, 1);
    struct ha_status st = status_of(2, HA_ACTIVE);
    unsigned orders;

    (void) state;
    start();
    name_self(&rec);
    st.hold = rec.epoch;
    st.log_ready = true;
    say_status(2, &st);
    say_support(2, 2, 5, 1, 50);
    say_status(2, &st);
    assert_int_equal(t.core.state, HA_STANDBY);
    assert_int_equal(t.last_role[HA_NB].replica.role, 1);
    say_accept(2, 5, 2, &next);
    wait_us(MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_SUPPORT], 2);
    assert_int_equal(t.core.record.epoch.n, 2);
    assert_int_equal(t.core.state, HA_STANDBY);
    assert_int_equal(t.last_role[HA_NB].replica.role, 0);
    assert_int_equal(t.last_role[HA_SB].replica.role, 0);
    t.lazy_fence = true; /* Of one started anew that is not known yet. */
    t.fence.connected = false;
    feed_fence();
    t.fence.connected = true;
    feed_fence();
    assert_int_equal(t.core.fence_epoch.n, 0);
    assert_int_equal(t.last_role[HA_NB].replica.role, 0);
    assert_int_equal(t.last_role[HA_SB].replica.role, 0);

    start();
    name_self(&rec);
    say_status(2, &st);
    say_support(2, 2, 5, 1, 50);
    say_status(2, &st);
    assert_int_equal(t.core.state, HA_STANDBY);
    orders = t.n_acts[HA_ACT_REPLICA];
    view(set_of(1, 2, 3));
    say_prepare(1, 6);
    say_accept(1, 6, 1, &rec);
    say_support(1, 1, 6, 1, 50);
    wait_us(MUTE_US);
    assert_true(t.core.in_force);
    assert_false(t.core.peers[1].heard);
    assert_int_equal(t.core.state, HA_STANDBY);
    assert_int_equal(t.n_acts[HA_ACT_REPLICA], orders);
}

/* Who waits for its disk says so, and not that nobody can be promoted. */
static void
test_blocked_by_the_disk(void **state)
{
    struct ha_record rec = record_of(1, 1);

    (void) state;
    block();
    assert_int_equal(t.core.state, HA_BLOCKED);
    t.disk_full = true;
    rec.in_sync = set_of(1, 0, 0);
    say_accept(2, 5, 2, &rec);
    wait_us(6 * MUTE_US);
    assert_true(t.core.in_force);
    assert_int_equal(t.core.state, HA_BLOCKED);
    assert_int_equal(t.core.why, HA_WHY_DISK);
}

/* ---- Leaving ---------------------------------------------------------- */

/* An active hands over, saying why; with nobody to take over, it ends. */
static void
test_leave_active(void **state)
{
    struct ha_status st = status_of(2, HA_STANDBY);
    struct ha_event left = { .type = HA_EV_VIEW };

    (void) state;
    start();
    serve_settled();
    feed_type(HA_EV_SHUTDOWN);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH] > 0, true);
    assert_non_null(strstr(t.tell, "being shut down"));
    assert_int_equal(t.core.state, HA_ACTIVE);
    wait_us(8000000);
    assert_int_equal(t.core.state, HA_ACTIVE);
    feed_type(HA_EV_SHUTDOWN); /* To ask again lengthens nothing. */
    wait_us(2000000);          /* Patience has an end. */
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.n_acts[HA_ACT_EXIT], 1);

    start();
    serve_settled();
    st.leaving = true;
    say_status(2, &st);
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.core.state, HA_DEMOTING);
    wait_us(1000000);
    assert_int_equal(t.n_acts[HA_ACT_EXIT], 0); /* The door is not closed. */
    wait_us(9000000);
    assert_int_equal(t.n_acts[HA_ACT_EXIT], 1);

    /* The last one of a group waits for nobody. */
    start();
    serve_settled();
    left.view.members = set_of(SELF, 0, 0);
    feed(&left);
    assert_int_equal(t.core.state, HA_ACTIVE);
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.core.state, HA_DEMOTING);

    /* While nothing is in force, nobody is known not to take over. */
    start();
    serve_settled();
    say_status(2, &st);
    say_prepare(2, 6);
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.core.state, HA_ACTIVE);
    wait_us(10000000);
    assert_int_equal(t.n_acts[HA_ACT_EXIT], 1);
}

/* A standby leaves once the active's door is open, or after a while. */
static void
test_leave_standby(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_status st = status_of(2, HA_ACTIVE);
    struct ha_msg m = support_of(2, 2, 5, 1, 50);

    (void) state;
    for (int open = 0; open < 2; open++) {
        start();
        name_self(&rec);
        m.status.hold = st.hold = rec.epoch;
        say(2, &m);
        st.log_ready = true;
        st.open = open;
        say_status(2, &st);
        assert_int_equal(t.core.state, HA_STANDBY);
        feed_type(HA_EV_SHUTDOWN);
        assert_int_equal(t.n_acts[HA_ACT_EXIT], open);
        wait_us(9900000);
        assert_int_equal(t.n_acts[HA_ACT_EXIT], open);
        wait_us(200000);
        assert_int_equal(t.n_acts[HA_ACT_EXIT], 1);
    }
}

/* One that has only just begun leaves at once where another node serves. */
static void
test_leave_starting(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_status st = status_of(1, HA_ACTIVE);

    (void) state;
    for (int open = 0; open < 2; open++) {
        start();
        t.core.record = rec;
        view(set_of(1, 2, 3));
        st.open = open;
        say_status(1, &st);
        assert_int_equal(t.core.state, HA_STARTING);
        feed_type(HA_EV_SHUTDOWN);
        assert_int_equal(t.n_acts[HA_ACT_EXIT], open);
    }
}

/* A vote or a tail of a node that is about to leave may be wanted: it waits
 * while somebody could take over. */
static void
test_leave_blocked(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_msg m = support_of(2, 2, 5, 1, 50);
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    for (int i = 0; i < 3; i++) {
        start();
        name_self(&rec);
        if (i < 2) {
            say(2, &m);
            wait_us(8 * MUTE_US);
            assert_int_equal(t.core.state, HA_BLOCKED);
        } /* Else: amid an exchange of records. */
        st.leaving = i == 1;
        say_status(2, &st);
        feed_type(HA_EV_SHUTDOWN);
        wait_us(500000);
        assert_int_equal(t.n_acts[HA_ACT_EXIT], i == 1);
        wait_us(10000000);
        assert_int_equal(t.n_acts[HA_ACT_EXIT], 1);
    }
    start();
    feed_type(HA_EV_SHUTDOWN); /* Alone and at its beginning. */
    assert_int_equal(t.n_acts[HA_ACT_EXIT], 1);
}

/* ---- Coordinator ------------------------------------------------------ */

/* What a member holds that accepted 'rec' with a ballot. */
static struct ha_durable
held(uint32_t n, uint32_t rev, const struct ha_record *rec)
{
    struct ha_durable d = { .promised = { n, 1 }, .accepted = { n, 1 } };

    d.rev = rev;
    if (rec) {
        d.record = *rec;
    } else {
        d.accepted.n = d.accepted.node = 0;
    }
    return d;
}

static void
say_state(uint32_t from, const struct ha_durable *d,
          const struct ha_status *st)
{
    struct ha_msg m = { .type = HA_MSG_STATE };

    m.ballot = t.core.durable.promised;
    m.durable = *d;
    m.status = *st;
    say(from, &m);
}

/* Node 1 of three, with the record of epoch 1.1, coordinates. */
static void
coordinate(void)
{
    start_as(1, 3);
    view(set_of(1, 2, 3));
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    assert_int_equal(t.core.durable.promised.node, 1);
}

static const struct ha_record *
proposed(void)
{
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    return &t.last[HA_MSG_ACCEPT].durable.record;
}

/* The newest record that any holder accepted is the one. */
static void
test_settle_newest(void **state)
{
    const struct ha_record a = record_of(4, 2), b = record_of(5, 3);
    static const struct {
        uint32_t n[2], rev[2], winner;
    } cases[] = {
        { { 7, 6 }, { 1, 9 }, 4 }, /* The ballot counts first, */
        { { 6, 7 }, { 9, 1 }, 5 },
        { { 6, 6 }, { 2, 1 }, 4 }, /* then the revision. */
        { { 6, 6 }, { 1, 2 }, 5 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ha_durable x = held(cases[i].n[0], cases[i].rev[0], &a);
        struct ha_durable y = held(cases[i].n[1], cases[i].rev[1], &b);
        struct ha_status st = status_of(2, HA_ACTIVE);

        coordinate();
        st.hold = a.epoch;
        say_state(2, &x, &st);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0); /* One is missing. */
        st.hold = b.epoch;
        say_state(3, &y, &st);
        assert_int_equal(t.core.base.epoch.n, cases[i].winner);
    }
}

/* Two of three lost their disks: the third alone may know, if all are here
 * and nobody's data are of later. */
static void
test_settle_few_holders(void **state)
{
    (void) state;
    for (int i = 0; i < 4; i++) {
        struct ha_durable none = held(0, 0, NULL);
        struct ha_status st = status_of(2, HA_STANDBY);

        coordinate();
        if (i >= 2) {
            st.local.db[i - 2].pos.epoch.n = 2;
        }
        say_state(2, &none, &st);
        if (i >= 1) {
            say_state(3, &none, &st);
        }
        wait_us(MUTE_US + 50000);
        assert_int_equal(t.core.settled, i == 1);
        if (i != 1) {
            assert_int_equal(t.core.coord_why, HA_WHY_HOLDERS);
            assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
        }
    }
}

/* A mute member is waited for, but not for ever. */
static void
test_settle_mute(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    coordinate();
    say_state(2, &d, &st);
    wait_us(MUTE_US - 50000);
    assert_false(t.core.settled);
    wait_us(50000);
    assert_true(t.core.settled);
}

/* Node 1 of three that have no record yet collects their answers. */
static void
collect_none(bool nofailover)
{
    struct ha_event ev = { .type = HA_EV_START };
    struct ha_config cfg;

    start_as(1, 3);
    cfg = t.core.cfg;
    ha_core_init(&t.core, &cfg);
    feed(&ev);
    feed_fence();
    for (int db = 0; db < HA_N_DBS; db++) {
        t.local.db[db].has_data = false;
        t.local.db[db].life = 1;
    }
    t.local.nofailover = nofailover;
    feed_local();
    view(set_of(1, 2, 3));
}

/* The first record: all are here, and at most one has data. */
static void
bootstrap_with(struct ha_status st[2])
{
    struct ha_durable none = held(0, 0, NULL);

    collect_none(false);
    say_state(2, &none, &st[0]);
    say_state(3, &none, &st[1]);
    wait_us(100000);
}

static void
empty(struct ha_status st[2])
{
    for (int i = 0; i < 2; i++) {
        st[i] = status_of(i + 2, HA_STARTING);
        for (int db = 0; db < HA_N_DBS; db++) {
            st[i].local.db[db].has_data = false;
            st[i].local.db[db].life = 1;
        }
    }
}

static void
test_bootstrap(void **state)
{
    struct ha_status st[2];

    (void) state;
    empty(st);
    bootstrap_with(st);
    assert_int_equal(proposed()->active, 1);
    assert_true(proposed()->lineage != 0);
    for (int db = 0; db < HA_N_DBS; db++) {
        empty(st);
        st[1].local.db[db].has_data = true; /* It has the data. */
        bootstrap_with(st);
        assert_int_equal(proposed()->active, 3);
        st[0].local.db[!db].has_data = true; /* Whose, now? */
        bootstrap_with(st);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
        assert_int_equal(t.core.coord_why, HA_WHY_BOOTSTRAP_DATA);
        empty(st);
        st[0].local.db[db].server_ok = false;
        bootstrap_with(st);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
        assert_int_equal(t.core.coord_why, HA_WHY_BOOTSTRAP_MEMBERS);
    }
    empty(st);
    st[0].local.priority = 5;
    st[1].local.priority = 4;
    bootstrap_with(st);
    assert_int_equal(proposed()->active, 2);
    st[0].local.nofailover = true;
    bootstrap_with(st);
    assert_int_equal(proposed()->active, 3);
    st[1].leaving = true;
    bootstrap_with(st);
    assert_int_equal(proposed()->active, 1);
    /* A witness is waited for, and no more. */
    st[0].local = (struct ha_local){ .witness = true, .priority = 5 };
    bootstrap_with(st);
    assert_int_equal(proposed()->active, 1);
}

/* Node 1 is the active of epoch 1.1, in force, with the others in sync and
 * well; their status can be changed. */
static void
coordinate_in_force(void)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);

    coordinate();
    say_state(2, &d, &st);
    say_state(3, &d, &st);
    say_support(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    say_support(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
}

static void
test_why_not(void **state)
{
    struct ha_status well;

    (void) state;
    for (int i = 0; i < 13; i++) {
        struct ha_status st = status_of(2, HA_STANDBY);
        enum ha_why want = HA_WHY_NONE;
        uint32_t id = 2;

        start();
        view(set_of(1, 2, 3));
        t.core.record = record_of(1, 1);
        switch (i) {
        case 1:
            st.leaving = true;
            want = HA_WHY_LEAVING;
            break;
        case 2:
            st.local.nofailover = true;
            want = HA_WHY_NOFAILOVER;
            break;
        case 3:
            ha_set_del(&t.core.record.in_sync, 2);
            want = HA_WHY_NOT_IN_SYNC;
            break;
        case 4:
        case 5:
            st.local.db[i - 4].pos.lineage++;
            want = HA_WHY_LINEAGE;
            break;
        case 6:
        case 7:
            st.local.db[i - 6].complete = false;
            want = HA_WHY_INCOMPLETE;
            break;
        case 8:
        case 9:
            st.local.db[i - 8].server_ok = false;
            want = HA_WHY_DATABASE;
            break;
        case 10:
            st.local.unfit = true;
            want = HA_WHY_DATABASE;
            break;
        case 11:
            st.local.address_unfit = true;
            want = HA_WHY_DATABASE;
            break;
        case 12:
            st.local.witness = true;
            want = HA_WHY_WITNESS;
            break;
        }
        assert_int_equal(ha_core_why_not(&t.core, id), HA_WHY_ABSENT);
        say_status(2, &st);
        assert_int_equal(ha_core_why_not(&t.core, id), want);
    }
    /* The active needs not be in its own set. */
    well = status_of(2, HA_STANDBY);
    say_status(2, &well);
    ha_set_del(&t.core.record.in_sync, 2);
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_NOT_IN_SYNC);
    t.core.record.active = 2;
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_NONE);
    assert_int_equal(ha_core_why_not(&t.core, 9), HA_WHY_ABSENT);
    view(set_of(1, 0, 3));
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_ABSENT);
}

/* The old active 1 is gone; 2 and 3 would do.  Returns whom node 2, as the
 * coordinator, elects when 3 is like 'st'. */
static uint32_t
elected(const struct ha_status *st, int32_t own_priority)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);

    start_as(2, 3);
    t.local.priority = own_priority;
    feed_local();
    t.core.ever_active = true;
    view(set_of(0, 2, 3));
    say_state(3, &d, st);
    wait_us(MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_true(t.last[HA_MSG_ACCEPT].elected);
    return t.last[HA_MSG_ACCEPT].durable.record.active;
}

static void
test_election(void **state)
{
    struct ha_status st = status_of(3, HA_STANDBY);

    (void) state;
    assert_int_equal(elected(&st, 0), 2); /* The lower id, */
    st.local.priority = 1;
    assert_int_equal(elected(&st, 0), 3); /* unless told otherwise, */
    assert_int_equal(elected(&st, 1), 2);
    assert_int_equal(elected(&st, 2), 2);
    st.local.db[HA_SB].pos.seq--; /* but never an older one. */
    assert_int_equal(elected(&st, 0), 2);
    st = status_of(3, HA_STANDBY);
    st.local.db[HA_NB].pos.seq++;
    assert_int_equal(elected(&st, 9), 3);
    st.local.db[HA_SB].pos.seq--; /* NB counts first. */
    assert_int_equal(elected(&st, 9), 3);
}

/* A new epoch is above all that anyone here has seen. */
static void
test_new_epoch_is_highest(void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        struct ha_status st = status_of(3, HA_STANDBY);

        if (i == 0) {
            st.hold = (struct ha_epoch){ 8, 3 };
        } else {
            st.ended = (struct ha_epoch){ 8, 3 };
        }
        elected(&st, 0);
        assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 9);
        assert_true(
            ha_set_has(&t.last[HA_MSG_ACCEPT].durable.record.suspects, 1));
    }
}

/* At a cold start the last active is waited for. */
static void
test_grace(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(3, HA_STANDBY);

    (void) state;
    for (int seen = 0; seen < 2; seen++) {
        start_as(2, 3);
        view(set_of(0, 2, 3));
        st.ever_active = seen;
        say_state(3, &d, &st);
        wait_us(MUTE_US);
        say_support(3, 2, t.core.prop_ballot.n, t.core.prop_rev, 50);
        if (seen) {
            assert_int_equal(t.core.record.epoch.n, 2);
            continue;
        }
        assert_true(t.core.in_force);
        wait_us(4000000);
        assert_int_equal(t.core.record.epoch.n, 1);
        assert_int_equal(t.core.coord_why, HA_WHY_GRACE);
        wait_us(1000000);
        assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
    }
}

/* So it is while its servers start; but not if they do not, if it goes again,
 * or if somebody saw an active since. */
static void
test_grace_of_its_servers(void **state)
{
    static const struct {
        bool nb_ok, sb_ok, unfit, leaving, seen, waits;
    } cases[] = {
        { .sb_ok = true, .waits = true },   { .nb_ok = true, .waits = true },
        { .nb_ok = true, .sb_ok = true },   { .sb_ok = true, .unfit = true },
        { .sb_ok = true, .leaving = true }, { .sb_ok = true, .seen = true },
    };
    struct ha_record rec = record_of(2, 3);
    struct ha_durable d = held(2, 1, &rec);

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ha_status st = status_of(3, HA_STANDBY);
        struct ha_msg m;

        st.local.db[HA_NB].server_ok = cases[i].nb_ok;
        st.local.db[HA_SB].server_ok = cases[i].sb_ok;
        st.local.unfit = cases[i].unfit;
        st.leaving = cases[i].leaving;
        st.ever_active = cases[i].seen;
        start_as(2, 3);
        view(set_of(0, 2, 3));
        say_state(3, &d, &st);
        wait_us(MUTE_US);
        m = support_of(3, 2, t.core.prop_ballot.n, t.core.prop_rev, 50);
        m.status = st;
        say(3, &m);
        if (!cases[i].waits) {
            assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 3);
            continue;
        }
        wait_us(t.core.cfg.grace_us - 2 * MUTE_US);
        assert_int_equal(t.core.coord_why, HA_WHY_GRACE);
        assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
        wait_us(MUTE_US);
        assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 3);
    }
}

/* Only the active keeps the record, and only the coordinator listens. */
static void
test_requests(void **state)
{
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = HA_REQ_IN_SYNC };

    (void) state;
    coordinate_in_force();
    assert_true(t.core.in_force);
    m.set = set_of(1, 2, 0);
    say(2, &m);
    assert_false(t.core.req_in_sync);
    assert_int_equal(t.core.record.in_sync.n, 3);
    m.request = HA_REQ_SETTLED;
    say(2, &m);
    assert_false(t.core.req_settled);
    m.request = 77;
    say(2, &m);
    assert_non_null(strstr(t.tell, "unknown 77"));

    start();
    view(set_of(1, 2, 3)); /* Not the coordinator. */
    m.request = HA_REQ_SWITCH;
    m.node = 2;
    say(1, &m);
    assert_false(t.core.switching);
}

/* ---- Coordinator, guard by guard -------------------------------------- */

static void
say_request(uint32_t from, enum ha_request request, uint32_t node)
{
    struct ha_msg m = { .type = HA_MSG_REQUEST, .request = request };

    m.epoch = t.core.record.epoch;
    m.node = node;
    say(from, &m);
}

/* The active of 'rec', which is in force, as it serves under it. */
static struct ha_status
serving(const struct ha_record *rec)
{
    struct ha_status st = status_of(rec->active, HA_ACTIVE);

    st.hold = rec->epoch;
    st.open = st.log_ready = st.ever_active = true;
    return st;
}

/* Node 1 coordinates three that are well; 'rec', of another active than node
 * 1, is in force. */
static void
lead(const struct ha_record *rec)
{
    struct ha_durable d = held(1, 1, rec);
    struct ha_status st = serving(rec);

    start_as(1, 3);
    t.core.durable.record = t.core.record = *rec;
    view(set_of(1, 2, 3));
    for (uint32_t id = 2; id <= 3; id++) {
        struct ha_status other = status_of(id, HA_STANDBY);

        say_state(id, &d, id == rec->active ? &st : &other);
    }
    for (uint32_t id = 2; id <= 3; id++) {
        struct ha_msg m =
            support_of(id, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);

        m.status = id == rec->active ? st : m.status;
        say(id, &m);
    }
    wait_us(50000);
    assert_true(t.core.in_force);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    t.n_sent[HA_MSG_ACCEPT] = 0;
}

/* Whose ballot was promised last leads, and nobody else does. */
static void
test_overtaken_coordinator(void **state)
{
    struct ha_record rec = record_of(1, 2);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(3, HA_STANDBY);

    (void) state;
    start_as(2, 3);
    t.core.durable.record = t.core.record = rec;
    view(set_of(1, 2, 3));
    wait_us(2 * MUTE_US); /* Node 1 stays mute... */
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    say_state(3, &d, &st);
    wait_us(MUTE_US);
    assert_true(t.core.settled);
    say_support(3, 2, t.core.prop_ballot.n, t.core.prop_rev, 50);
    assert_true(t.core.in_force);
    t.n_sent[HA_MSG_ACCEPT] = 0;
    say_prepare(1, 50); /* ... and is not mute any more. */
    say_request(3, HA_REQ_SWITCH, 3);
    assert_false(t.core.switching);
    wait_us(2 * MUTE_US - 350000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    wait_us(MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 2);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);

    /* Answers to the ballot of another one are not for this node. */
    start();
    view(set_of(1, 2, 3));
    say_prepare(2, 5);
    say_state(1, &d, &st);
    assert_false(t.core.peers[0].answered);
}

/* An exchange has begun when the own PREPARE is back, and not before; what is
 * asked for meanwhile is not kept. */
static void
test_before_settled(void **state)
{
    (void) state;
    start_as(1, 3);
    t.core.durable.promised = (struct ha_ballot){ 2, 2 };
    t.deaf = true;
    view(set_of(1, 2, 3));
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    assert_int_equal(t.core.coord_why, HA_WHY_AGREEING);

    coordinate();
    say_request(2, HA_REQ_SWITCH, 2);
    assert_false(t.core.switching);
}

/* An answer to the exchange before, which came while the next one was on its way,
 * is none to this one. */
static void
test_answer_to_the_exchange_before(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);
    struct ha_msg prepare;

    (void) state;
    coordinate();
    t.deaf = true;
    view(set_of(1, 2, 0));
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 2);
    prepare = t.last[HA_MSG_PREPARE];
    say_state(2, &d, &st);
    assert_true(t.core.peers[1].answered);
    t.deaf = false;
    say(1, &prepare);
    assert_false(t.core.peers[1].answered);
}

/* What corosync was told and lost is said again: nobody else may be here who
 * would begin.  Each time twice as late as before. */
static void
test_own_answer_is_lost(void **state)
{
    (void) state;
    start_as(1, 3);
    t.deaf = true;
    view(set_of(1, 2, 3));
    wait_us(8 * MUTE_US - 100000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    wait_us(200000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 2);
    wait_us(16 * MUTE_US - 200000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 2);
    wait_us(200000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 3);
    wait_us((32 + 64) * MUTE_US + 200000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 5);
    for (unsigned n = 6; n < 9; n++) { /* But no later than that. */
        wait_us(128 * MUTE_US + 100000);
        assert_int_equal(t.n_sent[HA_MSG_PREPARE], n);
    }

    /* Others are given their time, and are heard later, too. */
    coordinate();
    wait_us(40 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
}

/* A coordinator whose proposal is not followed begins anew, after a while. */
static void
test_proposal_is_not_followed(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    coordinate();
    say_state(2, &d, &st);
    say_state(3, &d, &st);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    wait_us(4 * MUTE_US - 50000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    wait_us(100000);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 2);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
}

/* Who cannot write down what it promises does not lead. */
static void
test_no_leader_without_disk(void **state)
{
    (void) state;
    start_as(1, 3);
    t.disk_full = true;
    view(set_of(0, 1, 2));
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    wait_us(10 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    say_prepare(2, 50);
    wait_us(10 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_PREPARE], 1);
    t.disk_full = false;
    wait_us(1000000);
    assert_true(t.n_sent[HA_MSG_PREPARE] > 1);
}

/* One whose promotion failed is named again only if nobody else can be, for a
 * while. */
static void
test_failed_is_not_preferred(void **state)
{
    struct ha_status st = status_of(3, HA_STANDBY);
    struct ha_peer *p;

    (void) state;
    coordinate_in_force();
    p = t.core.peers;
    assert_int_equal(ha_core_heir(&t.core), 2);
    p[1].failed = true;
    p[1].failed_at = t.now;
    assert_int_equal(ha_core_heir(&t.core), 3);
    p[2].failed = true;
    p[2].failed_at = t.now;
    assert_int_equal(ha_core_heir(&t.core), 2);
    p[1].failed = false;
    assert_int_equal(ha_core_heir(&t.core), 2);
    st.local.db[HA_NB].pos.seq++;
    say_status(3, &st);
    assert_int_equal(ha_core_heir(&t.core), 2); /* Though it is fresher. */
    p[2].failed_at = mono_add_us(t.now, -RETRY_US);
    assert_int_equal(ha_core_heir(&t.core), 3);
    p[1].failed = true;
    p[1].failed_at = mono_add_us(t.now, -RETRY_US);
    p[2].failed = false;
    st.local.db[HA_NB].pos.seq--;
    say_status(3, &st);
    assert_int_equal(ha_core_heir(&t.core), 2);
    t.core.in_force = false;
    assert_int_equal(ha_core_heir(&t.core), 0);
}

/* A promotion has failed if the active of the record has given up its epoch,
 * here; it is remembered from the first time on. */
static void
test_when_a_promotion_failed(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    for (int i = 0; i < 5; i++) {
        struct ha_status st = status_of(2, HA_BLOCKED);
        struct ha_peer *p;
        mono_t old;

        lead(&rec);
        p = &t.core.peers[1];
        old = mono_add_us(t.now, i == 3 ? -RETRY_US : -RETRY_US / 2);
        if (i >= 2) {
            p->failed = true;
            p->failed_at = old;
        }
        st.local.priority = 5;
        if (i >= 1) {
            st.ended = rec.epoch;
        }
        if (i == 4) { /* What it said in another view. */
            p->failed = false;
            p->status.ended = rec.epoch;
            view(set_of(1, 0, 3));
            assert_false(t.core.settled);
            rec = t.core.durable.record;
            st = status_of(3, HA_STANDBY);
            say_state(3, &t.core.durable, &st);
            say_support(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
            wait_us(3000000);
            assert_int_equal(proposed()->active, 1);
            assert_false(p->failed);
            continue;
        }
        say_status(2, &st);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
        assert_int_equal(proposed()->epoch.n, 3);
        assert_int_equal(proposed()->active, i == 0 ? 2 : 1);
        assert_int_equal(p->failed, i > 0);
        if (i > 0) {
            assert_int_equal(p->failed_at.us, i == 2 ? old.us : t.now.us);
        }
    }
}

/* A new epoch is above those in records that did not win. */
static void
test_new_epoch_is_above_held(void **state)
{
    struct ha_record newest = record_of(4, 2), higher = record_of(5, 3);
    struct ha_status st = status_of(2, HA_STANDBY);
    struct ha_durable a, b;

    (void) state;
    for (int other = 0; other < 2; other++) {
        higher.lineage = LINEAGE + other;
        a = held(7, 1, &newest);
        b = held(6, 1, &higher);
        coordinate();
        say_state(3, &b, &st);
        say_state(2, &a, &st);
        if (other) {
            wait_us(MUTE_US);
        }
        assert_int_equal(proposed()->epoch.n, other ? 5 : 6);
    }
}

/* What somebody said who is not here now, or has not answered, is no newer
 * epoch; what one says who is here, is one. */
static void
test_newer_epoch(void **state)
{
    struct ha_record rec = record_of(2, 2), newer = record_of(3, 3);
    struct ha_status st = status_of(3, HA_STANDBY);
    struct ha_status active = serving(&rec);

    (void) state;
    for (int i = 0; i < 4; i++) {
        struct ha_durable d = held(1, 1, &rec), n = held(0, 1, &newer);
        struct ha_msg m;

        start_as(1, 3);
        t.core.durable.record = t.core.record = rec;
        view(set_of(1, 2, 3));
        st = status_of(3, HA_STANDBY);
        st.hold = i == 1 ? newer.epoch : (struct ha_epoch){ 0, 0 };
        st.ended = i == 2 ? newer.epoch : (struct ha_epoch){ 0, 0 };
        st.supports = i == 3 ? newer.epoch : (struct ha_epoch){ 0, 0 };
        n.accepted = (struct ha_ballot){ 1, 1 };
        say_state(3, i == 0 ? &n : &d, &st);
        view(set_of(1, 2, 0));
        say_state(2, &d, &active);
        m = support_of(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
        m.status = active;
        say(2, &m);
        wait_us(2000000);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
        assert_int_equal(proposed()->epoch.n, 2);
    }
    for (int i = 0; i < 2; i++) {
        lead(&rec);
        st = status_of(3, HA_STANDBY);
        *(i ? &st.supports : &st.ended) = (struct ha_epoch){ 2, 3 };
        say_status(3, &st); /* Of the same number. */
        assert_int_equal(proposed()->epoch.n, 3);
    }
}

/* What the fence worker supports above the own record is told at once, whoever
 * asked it to, unless that record is of another lineage, or none. */
static void
test_supports_above_its_record(void **state)
{
    struct ha_event ev = { .type = HA_EV_FENCE };
    struct ha_record rec = record_of(2, 2);

    (void) state;
    for (int i = 0; i < 4; i++) {
        struct ha_status st;

        lead(&rec);
        t.deaf = true;
        t.n_sent[HA_MSG_STATUS] = 0;
        t.core.foreign = i == 1;
        t.core.durable.accepted.n = i != 2;
        ev.fence = t.core.fence;
        ev.fence.support = record_of(i == 3 ? 2 : 3, 2).epoch;
        feed(&ev);
        ha_core_status(&t.core, &st);
        assert_int_equal(st.supports.n, i == 0 ? 3 : 0);
        assert_int_equal(t.n_sent[HA_MSG_STATUS], i == 0);
    }
}

/* All have to be known, and somebody has to be able to begin. */
static void
test_bootstrap_needs(void **state)
{
    struct ha_durable none = held(0, 0, NULL);
    struct ha_status st[2];

    (void) state;
    for (int db = 0; db < HA_N_DBS; db++) {
        empty(st);
        st[0].local.db[db].life = 0; /* Its worker has not looked yet. */
        bootstrap_with(st);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
        assert_int_equal(t.core.coord_why, HA_WHY_BOOTSTRAP_MEMBERS);
    }
    empty(st);
    st[0].local.nofailover = st[1].local.nofailover = true;
    collect_none(true);
    say_state(2, &none, &st[0]);
    say_state(3, &none, &st[1]);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_int_equal(t.core.coord_why, HA_WHY_NOT_ELIGIBLE);
    collect_none(true);
    st[1].local.db[HA_SB].has_data = true; /* Data come before wishes. */
    say_state(2, &none, &st[0]);
    say_state(3, &none, &st[1]);
    assert_int_equal(proposed()->active, 3);

    /* Here, and well, but it may hold a record. */
    collect_none(false);
    empty(st);
    say_state(2, &none, &st[0]);
    say_status(3, &st[1]);
    wait_us(2 * MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_int_equal(t.core.coord_why, HA_WHY_BOOTSTRAP_MEMBERS);
}

/* A first active that never began is replaced by whoever can, unless it may
 * have begun and has lost its disk since.  Where not all is known yet its record
 * is put in force, for what else rests on that. */
static void
test_unbegun(void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) {
        bool lost = i == 1, unknown = i == 2;
        struct ha_record rec = record_of(1, 2);
        struct ha_durable d, none = held(0, 0, NULL);
        struct ha_status st[2];

        rec.in_sync.n = 0;
        d = held(1, 1, &rec);
        start_as(1, 3);
        t.core.durable.record = t.core.record = rec;
        empty(st);
        for (int db = 0; db < HA_N_DBS; db++) {
            memset(&t.local.db[db].pos, 0, sizeof t.local.db[db].pos);
            memset(&st[0].local.db[db].pos, 0, sizeof t.local.db[db].pos);
            memset(&st[1].local.db[db].pos, 0, sizeof t.local.db[db].pos);
            t.local.db[db].has_data = false;
            t.local.db[db].life = 1;
        }
        st[1].local.db[HA_SB].life = !unknown;
        feed_local();
        view(set_of(1, 2, 3));
        say_state(3, &d, &st[1]);
        say_state(2, lost ? &none : &d, &st[0]);
        wait_us(50000);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
        assert_int_equal(t.last[HA_MSG_ACCEPT].elected, !lost && !unknown);
        assert_int_equal(proposed()->epoch.n, i ? 1 : 2);
        assert_int_equal(proposed()->active, i ? 2 : 1);
    }
}

/* Of several lineages the one with a majority counts, wherever the others
 * stand; without one nothing is settled. */
static void
test_settle_lineages(void **state)
{
    struct ha_record rec = record_of(1, 1), other = record_of(3, 3);
    struct ha_durable d = held(1, 1, &rec), none = held(0, 0, NULL), o;
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    other.lineage++;
    o = held(9, 1, &other);
    coordinate();
    say_state(2, &d, &st);
    say_state(3, &o, &st);
    assert_true(t.core.settled);
    assert_int_equal(t.core.base.lineage, LINEAGE);

    coordinate();
    say_state(2, &o, &st);
    say_state(3, &none, &st);
    wait_us(2 * MUTE_US);
    assert_false(t.core.settled);
    assert_int_equal(t.core.coord_why, HA_WHY_LINEAGES);
}

/* An active that a node saw, before this one started and before it went away,
 * does not make the start a warm one. */
static void
test_cold_without_witness(void **state)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(3, HA_STANDBY);

    (void) state;
    start_as(2, 3);
    view(set_of(1, 2, 3));
    st.ever_active = true;
    say_status(1, &st);
    view(set_of(0, 2, 3));
    st.ever_active = false;
    say_state(3, &d, &st);
    say_support(3, 2, t.core.prop_ballot.n, t.core.prop_rev, 50);
    wait_us(4000000);
    assert_int_equal(t.core.coord_why, HA_WHY_GRACE);
    assert_int_equal(proposed()->epoch.n, 1);
}

/* An active whose node is still here has one lease to come back, from when it
 * left on; if it was never here, from when this view began. */
static void
test_restart_is_waited_for(void **state)
{
    const int64_t patience_us = LEASE_US + LEASE_US / 100 + MUTE_US;
    struct ha_record rec = record_of(1, 3);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    for (int was_here = 0; was_here < 2; was_here++) {
        struct ha_event v = { .type = HA_EV_VIEW };
        struct ha_event q = { .type = HA_EV_QUORUM };

        start_as(1, 3);
        t.core.durable.record = t.core.record = rec;
        t.core.ever_active = true;
        if (was_here) {
            view(set_of(1, 2, 3));
        }
        q.quorum.quorate = true;
        q.quorum.members = set_of(1, 2, 3);
        feed(&q);
        v.view.members = set_of(1, 2, 0);
        feed(&v);
        if (was_here) {
            wait_us(1000000);
            feed(&v); /* For another reason. */
        }
        t.n_sent[HA_MSG_ACCEPT] = 0;
        say_state(2, &d, &st);
        say_support(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
        assert_true(t.core.in_force);
        assert_int_equal(t.core.record.epoch.n, 1);
        wait_us(patience_us - (was_here ? 1000000 : 0) - 50000);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
        assert_int_equal(t.core.coord_why, HA_WHY_LEASE);
        wait_us(100000);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 2);
        assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
    }
}

/* An active that is here and says nothing is given time, and no more. */
static void
test_mute_active(void **state)
{
    const int64_t patience_us = LEASE_US + LEASE_US / 100 + 4 * MUTE_US;
    struct ha_record rec = record_of(1, 3);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    start_as(1, 3);
    t.core.durable.record = t.core.record = rec;
    t.core.ever_active = true;
    view(set_of(1, 2, 3));
    say_state(2, &d, &st);
    wait_us(MUTE_US);
    assert_true(t.core.settled);
    assert_false(t.last[HA_MSG_ACCEPT].elected);
    assert_int_equal(proposed()->epoch.n, 1);
    say_support(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    assert_true(t.core.in_force);
    wait_us(patience_us - 50000);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_int_equal(t.core.coord_why, HA_WHY_AGREEING);
    wait_us(100000);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 2);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.active, 1);
}

/* The last resort for who is being promoted already begins no epoch. */
static void
test_force_for_the_active(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_status st = serving(&rec);

    (void) state;
    lead(&rec);
    st.state = HA_PROMOTING;
    st.open = st.log_ready = false;
    say_status(2, &st);
    wait_us(TAIL_US + OPEN_US);
    say_request(3, HA_REQ_FORCE, 2);
    assert_int_equal(t.core.forced, 2);
    wait_us(MUTE_US);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
}

/* An active may change its own record, while it is in force and no other epoch
 * is on its way. */
static void
test_requests_of_the_active(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_msg m = { .type = HA_MSG_REQUEST, .epoch = rec.epoch };

    (void) state;
    rec.suspects = set_of(3, 0, 0);
    for (int i = 0; i < 4; i++) {
        lead(&rec);
        switch (i) {
        case 0:
            m.request = HA_REQ_SETTLED;
            say(3, &m);
            m.request = HA_REQ_IN_SYNC;
            m.set = set_of(2, 0, 0);
            say(3, &m);
            break;
        case 1: /* Not in force yet. */
            t.core.in_force = false;
            t.core.in_flight = true;
            break;
        case 2: /* Another epoch is on its way. */
            say_request(3, HA_REQ_SWITCH, 3);
            assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
            assert_true(t.last[HA_MSG_ACCEPT].planned);
            t.n_sent[HA_MSG_ACCEPT] = 0;
            break;
        case 3: /* It is about an earlier time of the same node. */
            m.epoch.n = 1;
            break;
        }
        if (i > 0) {
            m.request = HA_REQ_SETTLED;
            say(2, &m);
            m.request = HA_REQ_IN_SYNC;
            say(2, &m);
        }
        assert_false(t.core.req_settled);
        assert_false(t.core.req_in_sync);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    }
    m.epoch = rec.epoch;

    /* Each changes its own part of the record only. */
    lead(&rec);
    m.request = HA_REQ_SETTLED;
    say(2, &m);
    assert_int_equal(proposed()->suspects.n, 0);
    assert_int_equal(proposed()->in_sync.n, 3);
    lead(&rec);
    m.request = HA_REQ_IN_SYNC;
    m.set = set_of(1, 0, 0); /* The active always is. */
    say(2, &m);
    assert_int_equal(proposed()->suspects.n, 1);
    assert_int_equal(proposed()->in_sync.n, 2);
    assert_true(ha_set_has(&proposed()->in_sync, 2));

    /* One waits for the other's proposal, or both for another one. */
    lead(&rec);
    t.core.in_flight = true;
    m.request = HA_REQ_SETTLED;
    say(2, &m);
    m.request = HA_REQ_IN_SYNC;
    say(2, &m);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    t.core.in_flight = false;
    feed_type(HA_EV_TICK);
    assert_int_equal(proposed()->suspects.n, 0);
    assert_int_equal(proposed()->in_sync.n, 2);

    /* What is so already needs no proposal. */
    lead(&rec);
    m.set = rec.in_sync;
    say(2, &m);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_false(t.core.req_in_sync);
    rec.suspects.n = 0;
    lead(&rec);
    m.request = HA_REQ_SETTLED;
    say(2, &m);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_false(t.core.req_settled);
}

/* What the active asks for between an election and its coming back through the
 * group is about a record that is no more. */
static void
test_request_meets_an_election(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_msg m = { .type = HA_MSG_REQUEST, .epoch = rec.epoch };
    struct ha_msg election;

    (void) state;
    rec.suspects = set_of(1, 0, 0);
    lead(&rec);
    t.deaf = true;
    say_request(3, HA_REQ_SWITCH, 3);
    election = t.last[HA_MSG_ACCEPT];
    assert_int_equal(election.durable.record.epoch.n, 3);
    m.request = HA_REQ_SETTLED;
    say(2, &m);
    m.request = HA_REQ_IN_SYNC;
    m.set = set_of(2, 0, 0);
    say(2, &m);
    t.deaf = false;
    t.n_sent[HA_MSG_ACCEPT] = 0;
    say(1, &election);
    say_support(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    assert_true(t.core.in_force);
    assert_int_equal(t.core.record.epoch.n, 3);
    assert_true(ha_set_has(&t.core.record.suspects, 2));
    assert_int_equal(t.core.record.in_sync.n, 3);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
}

/* Things may have changed since an operator was told that it can be. */
static void
test_switch_is_refused(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_status st = status_of(3, HA_STANDBY);

    (void) state;
    lead(&rec);
    say_request(2, HA_REQ_SWITCH, 2);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_non_null(strstr(t.tell, "switchover: refused"));
    assert_false(t.core.switching);
    st.leaving = true;
    say_status(3, &st);
    say_request(2, HA_REQ_SWITCH, 3);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_non_null(strstr(t.tell, ha_why_text(HA_WHY_LEAVING)));
    assert_false(t.core.switching);
}

/* An election that its coordinator leaves undone is taken up by another member,
 * when it has been due for long enough with a record in force. */
static void
test_undone_election(void **state)
{
    const int64_t turn_us = 2 * MUTE_US + 4 * MUTE_US;
    struct ha_record rec = record_of(1, 1);
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    for (int eligible = 0; eligible < 2; eligible++) {
        start();
        t.core.ever_active = true;
        rec.in_sync = eligible ? set_of(1, 2, 3) : set_of(1, 0, 0);
        view(set_of(0, 2, 3));
        say_status(2, &st);
        say_prepare(2, 5);
        wait_us(2 * MUTE_US - 50000); /* Due, but not in force. */
        say_accept(2, 5, 1, &rec);
        say_support(2, 2, 5, 1, 50);
        assert_true(t.core.in_force);
        wait_us(turn_us - 50000);
        assert_int_equal(t.n_sent[HA_MSG_PREPARE], 0);
        wait_us(100000);
        assert_int_equal(t.n_sent[HA_MSG_PREPARE], eligible);
    }
}

/* ---- Pause ------------------------------------------------------------ */

/* Node 1 coordinates, and is active and serves. */
static void
coordinate_and_serve(void)
{
    struct ha_record rec = record_of(1, 1);
    struct ha_durable d = held(1, 1, &rec);
    struct ha_status st = status_of(2, HA_STANDBY);
    const struct ha_peer_db fine = { .connected = true,
                                     .complete = true,
                                     .acked = pos_at(1, 1, 50),
                                     .head = pos_at(1, 1, 50) };

    start_as(1, 3);
    t.fence.serve = rec.epoch;
    t.fence.open = true;
    t.fence.closed = false;
    feed_fence();
    for (int i = 0; i < 4; i++) {
        receiver(2 + i / 2, i % 2, &fine);
    }
    view(set_of(1, 2, 3));
    say_state(2, &d, &st);
    say_state(3, &d, &st);
    say_support(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    say_support(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    t.core.state = HA_ACTIVE;
    t.core.stage = HA_STAGE_NORTHD;
    t.core.cleared = rec.epoch;
    wait_us(500000);
    assert_int_equal(t.core.state, HA_ACTIVE);
    assert_true(t.core.in_force);
    t.n_acts[HA_ACT_REFUSED] = 0;
}

/* The others record what is proposed now, 'from' 2 on. */
static void
others_support(uint32_t last)
{
    for (uint32_t id = 2; id <= last; id++) {
        say_support(id, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    }
}

static enum ha_pause
proposed_pause(void)
{
    return (enum ha_pause) t.last[HA_MSG_ACCEPT].durable.record.paused;
}

static void
ask_pause(bool pause)
{
    struct ha_event ev = { .type = pause ? HA_EV_PAUSE : HA_EV_RESUME,
                           .ctl.ms = 1234567 };

    feed(&ev);
}

/* ... and the cluster is paused. */
static void
pause_all(void)
{
    coordinate_and_serve();
    ask_pause(true);
    others_support(3);
    others_support(3);
    assert_int_equal(t.core.record.paused, HA_PAUSE_ON);
}

/* All have to record it before a lease is endless. */
static void
test_pause_is_recorded_by_all(void **state)
{
    uint32_t node;

    (void) state;
    coordinate_and_serve();
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_NONE);
    ask_pause(false);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_NOT_PAUSED);
    ask_pause(true);
    assert_int_equal(proposed_pause(), HA_PAUSE_ASKED);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.paused_ms, 1234567);
    others_support(2); /* A majority. */
    wait_us(MUTE_US);
    assert_true(t.core.in_force);
    assert_int_equal(t.core.record.paused, HA_PAUSE_ASKED);
    assert_int_equal(proposed_pause(), HA_PAUSE_ASKED);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 0);
    say_support(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    assert_int_equal(proposed_pause(), HA_PAUSE_ON);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.paused_ms, 1234567);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 0);
    others_support(2); /* In force, and others know. */
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 1);
    assert_true(t.last_act[HA_ACT_FENCE_ENDLESS].endless.on);
    assert_int_equal(t.last_act[HA_ACT_FENCE_ENDLESS].endless.epoch.n, 1);
    ask_pause(true);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_PAUSED);
}

/* One that does not record it in time, or leaves, calls it off. */
static void
test_pause_is_called_off(void **state)
{
    (void) state;
    coordinate_and_serve();
    ask_pause(true);
    others_support(2);
    wait_us(4 * MUTE_US - 100000);
    assert_int_equal(proposed_pause(), HA_PAUSE_ASKED);
    wait_us(200000);
    assert_int_equal(proposed_pause(), HA_PAUSE_NONE);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.paused_ms, 0);

    /* Nobody serves any more. */
    coordinate_and_serve();
    ask_pause(true);
    others_support(2);
    t.core.state = HA_PROMOTING;
    wait_us(50000);
    say_support(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    assert_int_equal(proposed_pause(), HA_PAUSE_NONE);
    assert_non_null(strstr(t.tell, ha_why_text(HA_WHY_UNSERVED)));

    /* An operator has thought better of it. */
    coordinate_and_serve();
    ask_pause(true);
    others_support(2);
    ask_pause(false);
    assert_int_equal(proposed_pause(), HA_PAUSE_NONE);
    assert_non_null(strstr(t.tell, "node 3 has not recorded it"));

    /* Just when all have recorded it. */
    coordinate_and_serve();
    ask_pause(true);
    others_support(2);
    t.core.in_flight = true;
    say_support(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    say_request(2, HA_REQ_RESUME, 0);
    assert_int_equal(proposed_pause(), HA_PAUSE_ASKED);
    t.core.in_flight = false;
    feed_type(HA_EV_TICK);
    assert_int_equal(proposed_pause(), HA_PAUSE_NONE);
    assert_non_null(strstr(t.tell, "an operator says so"));
}

/* Who supports a proposal once more says nothing of the coordinator's next one,
 * which is still on its way. */
static void
test_support_of_the_one_before(void **state)
{
    (void) state;
    for (int newer = 0; newer < 2; newer++) {
        coordinate_and_serve();
        t.core.in_flight = true;
        t.core.coord_rev += newer;
        t.core.peers[2].supports = false;
        say_support(2, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
        assert_int_equal(t.core.in_flight, newer);
    }
}

/* What was not refused when it was asked for may have to be when it comes, and
 * asks for one thing. */
static void
test_pause_comes_late(void **state)
{
    (void) state;
    coordinate_and_serve();
    t.n_sent[HA_MSG_ACCEPT] = 0;
    say_request(2, HA_REQ_RESUME, 0);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    t.core.peers[2].supports = false;
    say_request(2, HA_REQ_PAUSE, 0);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_non_null(strstr(t.tell, "pause: asked for on node 2"));
    assert_non_null(strstr(t.tell, "pause: refused"));

    pause_all();
    t.n_sent[HA_MSG_ACCEPT] = 0;
    say_request(2, HA_REQ_PAUSE, 0);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    say_request(2, HA_REQ_RESUME, 0);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_non_null(strstr(t.tell, "resume: asked for on node 2"));
}

/* While it is asked for, roles stay already. */
static void
test_pause_holds(void **state)
{
    (void) state;
    coordinate_and_serve();
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_NONE);
    t.core.record.paused = HA_PAUSE_ASKED;
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_PAUSED);
    assert_int_equal(ha_core_pause_waits(&t.core), HA_WHY_PAUSED);
    t.core.record.paused = HA_PAUSE_ENDING;
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_NONE);
}

static void
test_pause_is_refused(void **state)
{
    uint32_t node = 0;

    (void) state;
    coordinate_and_serve();
    t.core.quorate = false;
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_NO_QUORUM);
    coordinate_and_serve();
    t.core.peers[2].supports = false;
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_ABSENT);
    assert_int_equal(node, 3);
    ask_pause(true);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1);
    assert_int_equal(t.n_requests[HA_REQ_PAUSE], 0);

    coordinate_and_serve();
    ha_set_add(&t.core.record.suspects, 2);
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_UNSERVED);
    coordinate_and_serve();
    t.core.fence.open = false;
    t.core.state = HA_PROMOTING;
    wait_us(600000);
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_UNSERVED);
    coordinate_and_serve();
    t.core.in_force = false;
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_AGREEING);
    t.core.in_force = true;
    t.core.record.paused = HA_PAUSE_ENDING;
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_RESUMING);
    coordinate_and_serve();
    t.core.in_group = false;
    assert_int_equal(ha_core_pause_why_not(&t.core, &node), HA_WHY_NO_GROUP);
}

/* The active that is to be paused has to be one that serves the very epoch. */
static void
test_pause_needs_a_sound_active(void **state)
{
    struct ha_record rec = record_of(2, 2);

    (void) state;
    for (int i = 0; i < 4; i++) {
        struct ha_status st = serving(&rec);
        uint32_t node;

        start();
        name_self(&rec);
        st.open = i != 1;
        st.hold.n = i != 2 ? 2 : 1;
        say_support(2, 2, 5, 1, 50);
        say_status(2, &st);
        t.core.peers[1].heard = i != 3;
        assert_true(t.core.in_force);
        assert_int_equal(ha_core_pause_why_not(&t.core, &node),
                         i == 0 ? HA_WHY_ABSENT : HA_WHY_UNSERVED);
        assert_int_equal(node, i == 0);
    }
}

static void
assert_resume_refused(enum ha_why why)
{
    t.n_acts[HA_ACT_REFUSED] = 0;
    ask_pause(false);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 1);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, why);
    assert_int_equal(t.n_requests[HA_REQ_RESUME], 0);
    assert_non_null(strstr(t.tell, "resume: refused"));
}

static void
test_resume_is_refused(void **state)
{
    (void) state;
    pause_all();
    t.core.in_force = false;
    assert_resume_refused(HA_WHY_AGREEING);
    t.core.in_force = true;
    t.core.quorate = false;
    assert_resume_refused(HA_WHY_NO_QUORUM);
    t.core.in_group = false;
    assert_resume_refused(HA_WHY_NO_GROUP);
    t.core.quorate = true;
    assert_resume_refused(HA_WHY_NO_GROUP);
    pause_all();
    t.core.record.paused = HA_PAUSE_ENDING;
    t.core.in_flight = true;
    assert_resume_refused(HA_WHY_RESUMING);
}

/* Once it is in force, the active needs neither quorum nor group nor a
 * fence worker that lived through it. */
static void
test_paused_goes_on(void **state)
{
    struct ha_event q = { .type = HA_EV_QUORUM };
    struct ha_event v = { .type = HA_EV_VIEW };

    (void) state;
    pause_all();
    feed(&q);
    feed(&v);
    wait_us(10 * LEASE_US);
    assert_int_equal(t.core.state, HA_ACTIVE);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 0);

    t.fence = (struct ha_fence){ .connected = false };
    feed_fence();
    t.n_acts[HA_ACT_FENCE_SERVE] = t.n_acts[HA_ACT_FENCE_ENDLESS] = 0;
    t.fence.connected = t.fence.closed = true;
    feed_fence();
    wait_us(100000);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_SERVE], 1);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 1);
    assert_true(t.last_act[HA_ACT_FENCE_ENDLESS].endless.on);

    /* The same without a pause. */
    coordinate_and_serve();
    feed(&q);
    feed(&v);
    assert_int_equal(t.core.state, HA_DEMOTING);
}

/* A record that is not in force makes no lease endless, whoever accepted it;
 * nor does one that was found at the start. */
static void
test_endless_needs_a_record_in_force(void **state)
{
    struct ha_event q = { .type = HA_EV_QUORUM };

    (void) state;
    coordinate_and_serve();
    ask_pause(true);
    others_support(3);
    assert_int_equal(t.core.durable.record.paused, HA_PAUSE_ON);
    wait_us(MUTE_US);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 0);
    feed(&q);
    assert_int_equal(t.core.state, HA_DEMOTING);

    restart_paused(false);
    wait_us(LEASE_US + 100000);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_false(t.last_act[HA_ACT_FENCE_ENDLESS].endless.on);

    /* But its fence worker, which lived on, may have it already. */
    restart_paused(true);
    wait_us(LEASE_US + 100000);
    assert_int_equal(t.core.hold.n, 1);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 0);

    /* However late it is heard. */
    restart(SELF, false);
    t.core.durable.record.paused = t.core.record.paused = HA_PAUSE_ON;
    wait_us(2 * LEASE_US);
    t.fence.connected = t.fence.endless = true;
    feed_fence();
    assert_int_equal(t.core.hold.n, 1);
    assert_int_equal(t.core.state, HA_PROMOTING);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_CLOSE], 0);
}

/* What the ovn-had before ordered may reach the fence worker late: as long as it
 * has not said that it is not endless after an order of this one, it may be. */
static void
test_endless_order_of_the_life_before(void **state)
{
    (void) state;
    restart_paused(false);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 1);
    assert_false(t.last_act[HA_ACT_FENCE_ENDLESS].endless.on);
    assert_true(t.core.endless_left);
    feed_fence();
    assert_true(t.core.endless_left);
    t.fence.endless_token = t.last_act[HA_ACT_FENCE_ENDLESS].endless.token;
    feed_fence();
    assert_false(t.core.endless_left);

    restart(SELF, false);
    t.fence.connected = true;
    feed_fence();
    assert_int_equal(t.core.hold.n, 1);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 0);
    assert_false(t.core.endless_left);
}

/* An order for an endless lease rests on a record of the epoch that is held,
 * in force and supported here, goes to a worker that hears it, and is given
 * anew in another epoch. */
static void
test_endless_order(void **state)
{
    (void) state;
    for (int i = 0; i < 7; i++) {
        pause_all();
        t.core.endless_order.sent = false;
        t.n_acts[HA_ACT_FENCE_ENDLESS] = 0;
        memset(&t.core.endless, 0, sizeof t.core.endless);
        t.deaf = true;
        switch (i) {
        case 1:
            t.core.in_force = false;
            break;
        case 2:
            t.core.supported = false;
            break;
        case 3: /* The one in force is of an older epoch. */
            t.core.durable.record.epoch.n = t.core.hold.n = 2;
            t.core.serve_sent.n = 2;
            break;
        case 4:
            t.core.fence.connected = false;
            break;
        case 5: /* One was given for an older epoch. */
            t.core.endless_order.sent = t.core.endless_order.on = true;
            t.core.durable.record.epoch.n = t.core.hold.n = 2;
            t.core.record.epoch.n = t.core.proposal.epoch.n = 2;
            t.core.serve_sent.n = 2;
            break;
        case 6: /* The record on the disk is of a newer epoch. */
            t.core.durable.record.epoch.n = 2;
            break;
        }
        feed_type(HA_EV_TICK);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], i == 0 || i == 5);
    }
}

/* What the fence worker says of another order, or of none, ends nothing. */
static void
test_endless_is_given_back_once(void **state)
{
    (void) state;
    pause_all();
    t.fence.endless = false; /* An order to be endless. */
    t.fence.endless_token = t.last_act[HA_ACT_FENCE_ENDLESS].endless.token;
    feed_fence();
    assert_int_equal(t.core.endless.n, 1);

    /* It gave up by itself just then: it is asked anew. */
    ask_pause(false);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 2);
    t.fence.endless_token = t.last_act[HA_ACT_FENCE_ENDLESS].endless.token;
    t.fence.open = false;
    t.fence.closed = true;
    t.fence.serve.n = 0;
    feed_fence();
    wait_us(50000);
    assert_int_equal(t.core.endless.n, 1);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 3);
    assert_false(t.last_act[HA_ACT_FENCE_ENDLESS].endless.on);

    /* A door that is closed proves it as well, and it is told once. */
    t.fence.serve.n = 1;
    t.fence.endless_token = t.last_act[HA_ACT_FENCE_ENDLESS].endless.token;
    feed_fence();
    assert_int_equal(t.core.endless.n, 0);
    assert_non_null(strstr(t.tell, "the ordinary one again"));
    strcpy(t.tell, "");
    feed_fence();
    assert_string_equal(t.tell, "");
}

/* To resume is over only when the active says, after the fence worker has done
 * as it was told, that its lease is the ordinary one. */
static void
test_resume_waits_for_the_lease(void **state)
{
    struct ha_status st;
    uint32_t on;

    (void) state;
    pause_all();
    on = t.last_act[HA_ACT_FENCE_ENDLESS].endless.token;
    t.fence.endless = true;
    t.fence.endless_token = on;
    feed_fence();
    ask_pause(false);
    assert_int_equal(proposed_pause(), HA_PAUSE_ENDING);
    assert_int_equal(t.n_acts[HA_ACT_FENCE_ENDLESS], 2);
    assert_false(t.last_act[HA_ACT_FENCE_ENDLESS].endless.on);
    others_support(3);
    t.fence.endless = false; /* An old answer. */
    feed_fence();
    wait_us(600000);
    ha_core_status(&t.core, &st);
    assert_true(st.endless);
    t.fence.endless = true; /* Heard, and not done. */
    t.fence.endless_token = t.last_act[HA_ACT_FENCE_ENDLESS].endless.token;
    feed_fence();
    wait_us(600000);
    assert_int_equal(proposed_pause(), HA_PAUSE_ENDING);
    ask_pause(true);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_RESUMING);
    t.fence.endless = false; /* Of one started anew, with the old door. */
    t.fence.open = false;
    feed_fence();
    ha_core_status(&t.core, &st);
    assert_true(st.endless);
    t.fence.open = true;
    feed_fence();
    ha_core_status(&t.core, &st);
    assert_false(st.endless);
    assert_int_equal(proposed_pause(), HA_PAUSE_NONE);
    others_support(3);
    assert_int_equal(t.core.record.paused, HA_PAUSE_NONE);
}

/* Node 1 coordinates; node 3, the active, went away while it was paused. */
static void
lose_paused_active(enum ha_pause pause, int64_t stale_us)
{
    struct ha_event ev = { .type = HA_EV_POLICY, .policy.stale_us = stale_us };
    struct ha_record rec = record_of(1, 3);
    struct ha_durable d;
    struct ha_status st = status_of(2, HA_STANDBY);

    rec.paused = pause;
    d = held(1, 1, &rec);
    start_as(1, 3);
    t.core.durable.record = t.core.record = rec;
    feed(&ev);
    view(set_of(1, 2, 3));
    say_state(2, &d, &st);
    st.state = HA_ACTIVE;
    st.hold = rec.epoch;
    st.open = st.log_ready = st.ever_active = true;
    say_state(3, &d, &st);
    others_support(2);
    say_status(3, &st);
    assert_true(t.core.in_force);
    view(set_of(1, 2, 0));
    st = status_of(2, HA_STANDBY);
    say_state(2, &d, &st);
    others_support(2);
    assert_true(t.core.in_force);
    t.n_sent[HA_MSG_ACCEPT] = 0;
    wait_us(20000000);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_int_equal(t.core.state, HA_BLOCKED);
}

static void
test_paused_active_is_not_replaced(void **state)
{
    struct ha_event force = { .type = HA_EV_FORCE, .ctl.to = 2 };
    struct ha_event move = { .type = HA_EV_SWITCH, .ctl.to = 2 };

    (void) state;
    lose_paused_active(HA_PAUSE_ON, 60000000);
    assert_int_equal(t.core.why, HA_WHY_PAUSED);
    assert_int_equal(ha_core_why_not(&t.core, 2), HA_WHY_PAUSED);
    say_fenced(3, true, true);
    wait_us(1000000);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    feed(&force);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_PAUSED);
    feed(&move);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_PAUSED);
    assert_int_equal(t.n_acts[HA_ACT_REFUSED], 2);
    /* The proof counts once roles may move, of the time when it was given. */
    wait_us(60000000);
    ask_pause(false);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_int_equal(proposed_pause(), HA_PAUSE_ENDING);
    others_support(2);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 2);
    assert_int_equal(proposed_pause(), HA_PAUSE_ENDING);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
}

/* One that is here and cannot serve is waited for, too. */
static void
test_paused_active_is_not_forced(void **state)
{
    struct ha_event force = { .type = HA_EV_FORCE, .ctl.to = 2 };
    struct ha_record rec = record_of(1, 3);
    struct ha_status st = status_of(2, HA_STANDBY);
    struct ha_durable d;
    struct ha_msg m;

    (void) state;
    lose_paused_active(HA_PAUSE_ON, 60000000);
    view(set_of(1, 2, 3));
    rec.paused = HA_PAUSE_ON;
    d = held(1, 1, &rec);
    say_state(2, &d, &st);
    st.local.db[HA_NB].server_ok = false;
    say_state(3, &d, &st);
    others_support(2);
    m = support_of(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
    m.status = st;
    say(3, &m);
    wait_us(1000000);
    assert_true(t.core.in_force);
    assert_int_equal(t.core.coord_why, HA_WHY_PAUSED);
    feed(&force);
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_PAUSED);
    assert_int_equal(t.n_requests[HA_REQ_FORCE], 0);
}

/* One that comes back without a database may have served long after the others
 * heard it last, and nobody has that: an operator has to accept it.  With its
 * data, or soon enough, the best takes over. */
static void
test_paused_active_lost_its_data(void **state)
{
    static const struct {
        int lost; /* Which database; -1: none. */
        int64_t stale_us;
        bool waits;
        enum ha_pause pause;
    } cases[] = {
        { HA_NB, 10000000, true, HA_PAUSE_ENDING },
        { HA_SB, 10000000, true, HA_PAUSE_ENDING },
        { HA_NB, 60000000, false, HA_PAUSE_ENDING },
        { -1, 10000000, false, HA_PAUSE_ENDING },
        { HA_NB, 10000000, true, HA_PAUSE_ON },
    };
    struct ha_event force = { .type = HA_EV_FORCE, .ctl.to = 2 };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ha_record rec = record_of(1, 3);
        struct ha_status st = status_of(2, HA_STANDBY);
        struct ha_durable d;
        struct ha_msg m;

        lose_paused_active(cases[i].pause, cases[i].stale_us);
        view(set_of(1, 2, 3));
        rec.paused = cases[i].pause;
        d = held(1, 1, &rec);
        say_state(2, &d, &st);
        if (cases[i].lost >= 0) {
            st.local.db[cases[i].lost].pos.lineage = 0;
        }
        say_state(3, &d, &st);
        if (!cases[i].waits) {
            assert_true(t.last[HA_MSG_ACCEPT].elected);
            continue;
        }
        others_support(2);
        m = support_of(3, 1, t.core.prop_ballot.n, t.core.prop_rev, 50);
        m.status = st;
        say(3, &m);
        say_status(3, &st);
        wait_us(1000000);
        assert_true(t.core.in_force);
        assert_int_equal(t.core.record.epoch.n, 1);
        assert_int_equal(t.core.coord_why, HA_WHY_PAUSE_STALE);
        say_request(2, HA_REQ_SWITCH, 2);
        assert_false(t.core.switching);
        assert_false(t.last[HA_MSG_ACCEPT].elected);
        if (cases[i].pause == HA_PAUSE_ON) {
            continue;
        }
        assert_int_equal(ha_core_pause_waits(&t.core), HA_WHY_PAUSE_STALE);
        feed(&force);
        assert_true(t.last[HA_MSG_ACCEPT].elected);
        assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.active, 2);
        /* In a new view it may have them: it has yet to say. */
        view(set_of(1, 2, 3));
        assert_int_equal(ha_core_pause_waits(&t.core), HA_WHY_NONE);
    }
}

/* Who has lost its data tells nothing of what it served in a pause; of any
 * other node, and without a pause, each word is a contact. */
static void
test_contact_without_data(void **state)
{
    static const struct {
        uint32_t active;
        enum ha_pause pause;
        bool met;
    } cases[] = {
        { 2, HA_PAUSE_ON, false },
        { 2, HA_PAUSE_NONE, true },
        { 1, HA_PAUSE_ON, true },
    };
    struct ha_status st = status_of(2, HA_STANDBY);

    (void) state;
    st.local.db[HA_NB].pos.lineage = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ha_record rec = record_of(2, cases[i].active);

        start();
        rec.paused = cases[i].pause;
        propose_among(set_of(1, 2, 3), &rec);
        say_support(2, 2, 5, 1, 50);
        assert_true(t.core.in_force);
        t.core.peers[1].met = false;
        say_status(2, &st);
        assert_int_equal(t.core.peers[1].met, cases[i].met);
    }
}

static void
test_resumed_needs_a_proof(void **state)
{
    struct ha_event force = { .type = HA_EV_FORCE, .ctl.to = 2 };

    (void) state;
    lose_paused_active(HA_PAUSE_ENDING, 60000000);
    assert_int_equal(t.core.why, HA_WHY_ENDLESS);
    assert_int_equal(ha_core_pause_waits(&t.core), HA_WHY_ENDLESS);
    feed(&force); /* A loss is accepted, but it may still serve. */
    assert_int_equal(t.last_act[HA_ACT_REFUSED].why, HA_WHY_ENDLESS);
    say_fenced(3, true, false);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.epoch.n, 2);
    assert_true(ha_set_has(&t.last[HA_MSG_ACCEPT].durable.record.suspects, 3));

    /* A proof that comes too late tells nothing about the data. */
    lose_paused_active(HA_PAUSE_ENDING, 10000000);
    say_fenced(3, true, false);
    wait_us(1000000);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
    assert_int_equal(t.core.why, HA_WHY_PAUSE_STALE);
    feed(&force);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 1);
    assert_int_equal(t.last[HA_MSG_ACCEPT].durable.record.active, 2);

    /* Up to the last moment, if there was a contact at all. */
    for (int met = 0; met < 2; met++) {
        lose_paused_active(HA_PAUSE_ENDING, 10000000);
        t.core.peers[2].contact_at = mono_add_us(t.now, -10000000);
        t.core.peers[2].met = met;
        say_fenced(3, true, false);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT], met);
    }
}

/* An active that serves no more says nothing about its lease by that. */
static void
test_pause_ends_with_the_epoch(void **state)
{
    struct ha_record rec = record_of(2, 2);
    struct ha_status st = status_of(2, HA_BLOCKED);

    (void) state;
    rec.in_sync = set_of(2, 0, 0);
    rec.suspects = set_of(3, 0, 0);
    rec.paused = HA_PAUSE_ENDING;
    lead(&rec);
    t.core.record.suspects.n = 0;
    st.local.db[HA_NB].complete = false;
    say_status(2, &st);
    wait_us(100000);
    assert_true(t.core.in_force);
    assert_int_equal(t.n_sent[HA_MSG_ACCEPT], 0);
}

/* What it said when it left is a proof, too. */
static void
test_word_of_a_paused_active(void **state)
{
    struct ha_status st = status_of(3, HA_BLOCKED);

    (void) state;
    lose_paused_active(HA_PAUSE_ON, 60000000);
    view(set_of(1, 2, 3));
    st.leaving = true;
    say_status(3, &st);
    view(set_of(1, 2, 0));
    assert_int_equal(ha_core_peer(&t.core, 3)->proof, HA_PROOF_WORD);
    view(set_of(1, 2, 3));
    assert_int_equal(ha_core_peer(&t.core, 3)->proof, HA_PROOF_NONE);
    st.open = true;
    say_status(3, &st);
    view(set_of(1, 2, 0));
    assert_int_equal(ha_core_peer(&t.core, 3)->proof, HA_PROOF_NONE);
}

/* Whoever is named takes no lease for over, where one may be endless. */
static void
test_endless_is_never_over(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    rec.paused = HA_PAUSE_ENDING;
    name_self(&rec);
    say_support(2, 2, 5, 1, 50);
    wait_us(10 * LEASE_US);
    assert_int_equal(t.core.stage, HA_STAGE_VERDICT);
    assert_int_equal(t.core.why, HA_WHY_ENDLESS);
    say_fenced(1, true, true);
    assert_int_equal(t.core.stage, HA_STAGE_DOOR);
}

/* Nobody switches off the other node of a pair that is paused. */
static void
test_paused_pair_is_not_fenced(void **state)
{
    (void) state;
    for (int paused = 0; paused < 2; paused++) {
        struct ha_event ev = { .type = HA_EV_POLICY };
        struct ha_status st = status_of(1, HA_ACTIVE);

        start_as(2, 2);
        ev.policy.fence = true;
        ev.policy.devices = set_of(1, 0, 0);
        ev.policy.stale_us = 60000000;
        feed(&ev);
        t.core.durable.record.paused = paused ? HA_PAUSE_ON : HA_PAUSE_NONE;
        view(set_of(1, 2, 0));
        t.core.in_force = true;
        say_status(1, &st);
        view(set_of(0, 2, 0));
        wait_us(5 * LEASE_US);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], !paused);
        assert_int_equal(t.core.why, paused ? HA_WHY_PAUSED : HA_WHY_FENCING);
    }
}

/* With a quorum device only who has its vote has the other one fenced, and a
 * proof without the vote is not enough. */
static void
test_pair_with_a_device(void **state)
{
    (void) state;
    for (int quorate = 0; quorate < 2; quorate++) {
        struct ha_event ev = { .type = HA_EV_POLICY };
        struct ha_event quorum = { .type = HA_EV_QUORUM };
        struct ha_status st = status_of(1, HA_ACTIVE);

        start_as(2, 2);
        ev.policy.fence = ev.policy.quorum = true;
        ev.policy.devices = set_of(1, 0, 0);
        ev.policy.stale_us = 60000000;
        feed(&ev);
        view(set_of(1, 2, 0));
        t.core.in_force = true;
        say_status(1, &st);
        view(set_of(0, 2, 0));
        quorum.quorum.quorate = quorate;
        quorum.quorum.members = set_of(2, 0, 0);
        feed(&quorum);
        wait_us(5 * LEASE_US);
        assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], quorate);
        say_fenced(1, true, false);
        wait_us(2 * MUTE_US);
        assert_int_equal(t.n_sent[HA_MSG_ACCEPT] > 0, quorate);
        assert_int_equal(t.core.state == HA_ISOLATED, !quorate);
        assert_int_not_equal(ha_core_peer(&t.core, 1)->proof, HA_PROOF_NONE);

        /* When the vote was elsewhere meanwhile, a proof is old, and what is in
         * force by it is not any more. */
        assert_int_equal(t.core.in_force, quorate);
        for (int again = 0; quorate && again < 2; again++) {
            quorum.quorum.quorate = again;
            feed(&quorum);
            assert_false(t.core.in_force);
            assert_int_equal(ha_core_peer(&t.core, 1)->proof, HA_PROOF_NONE);
            wait_us(5 * LEASE_US);
            assert_int_equal(t.n_acts[HA_ACT_FENCE_NODE], 1 + again);
        }

        /* So is one of before the group noticed. */
        view(set_of(1, 2, 0));
        say_fenced(1, true, false);
        quorum.quorum.quorate = !t.core.quorate;
        feed(&quorum);
        view(set_of(0, 2, 0));
        assert_int_equal(ha_core_peer(&t.core, 1)->proof, HA_PROOF_NONE);
    }
}

/* A record with an unknown step is of other software. */
static void
test_unknown_pause(void **state)
{
    struct ha_record rec = takeover();

    (void) state;
    start();
    rec.paused = HA_N_PAUSES;
    name_self(&rec);
    assert_non_null(strstr(t.tell, "it is malformed"));
    assert_int_equal(t.core.durable.record.epoch.n, 1);
}

/* Told to stop, the paused active does not wait for an heir. */
static void
test_paused_active_leaves(void **state)
{
    (void) state;
    pause_all();
    ask_switch(0);
    assert_refused(HA_WHY_PAUSED, ha_why_text(HA_WHY_PAUSED));
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.core.state, HA_DEMOTING);
    assert_int_equal(t.core.why, HA_WHY_LEAVING);
    assert_non_null(strstr(t.tell, "the cluster is paused"));
    assert_int_equal(t.core.endless.n, 0);
    assert_int_equal(t.n_requests[HA_REQ_SWITCH], 0);

    /* Nor where corosync does not run. */
    pause_all();
    view((struct ha_set){ 0 });
    feed_type(HA_EV_SHUTDOWN);
    assert_int_equal(t.core.why, HA_WHY_LEAVING);
}

/* ---- Sets and ballots ------------------------------------------------- */

static void
test_sets(void **state)
{
    struct ha_set a = set_of(1, 2, 30), b = set_of(1, 2, 31);
    char text[16];

    (void) state;
    assert_false(ha_set_equal(&a, &b));
    ha_set_del(&a, 30);
    ha_set_del(&b, 31);
    assert_true(ha_set_equal(&a, &b));
    a.n = 1; /* What stands behind the end is in no set. */
    ha_set_del(&a, 2);
    assert_int_equal(a.n, 1);
    assert_false(ha_set_equal(&a, &b));

    /* A text that is too long is cut. */
    a = set_of(1, 22, 333);
    ha_set_add(&a, 4444);
    memset(text, '#', sizeof text);
    assert_string_equal(ha_set_print(&a, text, 4), "1 2");
    assert_memory_equal(text + 4, "############", 12);
}

static void
test_ballots(void **state)
{
    (void) state;
    for (uint32_t n = 1; n <= 2; n++) {
        const struct ha_ballot low = { n, 1 }, high = { n, 2 };
        const struct ha_ballot next = { n + 1, 1 };

        assert_true(ha_ballot_cmp(low, high) < 0);
        assert_true(ha_ballot_cmp(high, low) > 0);
        assert_true(ha_ballot_cmp(high, next) < 0);
        assert_true(ha_ballot_cmp(next, high) > 0);
        assert_int_equal(ha_ballot_cmp(low, low), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_ballots),
        cmocka_unit_test(test_promotion_by_hand),
        cmocka_unit_test(test_promise_is_waited_for),
        cmocka_unit_test(test_fenced_is_a_verdict),
        cmocka_unit_test(test_fenced_is_told),
        cmocka_unit_test(test_suspect_not_stopped),
        cmocka_unit_test(test_mute_suspect),
        cmocka_unit_test(test_suspect_of_another_nodelist),
        cmocka_unit_test(test_pair_needs_proof),
        cmocka_unit_test(test_who_may_be_fresher),
        cmocka_unit_test(test_not_heard_in_this_view),
        cmocka_unit_test(test_tail_is_pulled),
        cmocka_unit_test(test_tail_of_a_later_epoch),
        cmocka_unit_test(test_tail_patience),
        cmocka_unit_test(test_tail_of_another_lineage),
        cmocka_unit_test(test_own_data),
        cmocka_unit_test(test_log_stage),
        cmocka_unit_test(test_door_stage),
        cmocka_unit_test(test_door_without_worker),
        cmocka_unit_test(test_order_to_serve),
        cmocka_unit_test(test_door_of_a_lost_worker),
        cmocka_unit_test(test_northd_stage),
        cmocka_unit_test(test_active_without_door),
        cmocka_unit_test(test_in_sync),
        cmocka_unit_test(test_unfit_hands_over),
        cmocka_unit_test(test_low_disk_hands_over),
        cmocka_unit_test(test_heir_with_a_full_record),
        cmocka_unit_test(test_full_record_hands_nothing_over),
        cmocka_unit_test(test_full_record_shuts_down),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_prepare_waits_for_disk),
        cmocka_unit_test(test_malformed_records),
        cmocka_unit_test(test_first_record),
        cmocka_unit_test(test_successor_records),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_support_is_for_one_proposal),
        cmocka_unit_test(test_support_waits),
        cmocka_unit_test(test_witness_supports),
        cmocka_unit_test(test_support_of_the_old_active_waits_longer),
        cmocka_unit_test(test_handed_log_is_owed),
        cmocka_unit_test(test_broken_owes_for_a_while),
        cmocka_unit_test(test_adoption_while_isolated),
        cmocka_unit_test(test_vote_waits_for_disk),
        cmocka_unit_test(test_disk_fills_between_two_proposals),
        cmocka_unit_test(test_unsaved_is_no_vote),
        cmocka_unit_test(test_lost_support_is_told_again),
        cmocka_unit_test(test_named_waits_for_disk),
        cmocka_unit_test(test_disk_and_answer),
        cmocka_unit_test(test_no_tail_of_another_lineage),
        cmocka_unit_test(test_apart_without_record),
        cmocka_unit_test(test_closed_while_agreeing),
        cmocka_unit_test(test_standby_owes_nothing),
        cmocka_unit_test(test_never_cleared_owes_nothing),
        cmocka_unit_test(test_tail_of_an_earlier_support),
        cmocka_unit_test(test_forced_until_another_epoch),
        cmocka_unit_test(test_without_address_owes_all_the_same),
        cmocka_unit_test(test_heir_waits_for_a_slow_door),
        cmocka_unit_test(test_owes_nothing_once_begun),
        cmocka_unit_test(test_called_off_waits_for_workers),
        cmocka_unit_test(test_called_off_without_database),
        cmocka_unit_test(test_heir_waits_for_what_is_owed),
        cmocka_unit_test(test_move_is_called_off),
        cmocka_unit_test(test_support_of_the_one_before),
        cmocka_unit_test(test_force),
        cmocka_unit_test(test_force_is_not_needed),
        cmocka_unit_test(test_force_is_refused),
        cmocka_unit_test(test_force_is_void),
        cmocka_unit_test(test_force_elects),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_when_to_fence),
        cmocka_unit_test(test_who_is_believed),
        cmocka_unit_test(test_word_of_the_other),
        cmocka_unit_test(test_word_of_a_closing_door),
        cmocka_unit_test(test_proof_is_for_pairs),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_apart_is_not_forced),
        cmocka_unit_test(test_forced_alone),
        cmocka_unit_test(test_later_word_counts),
        cmocka_unit_test(test_log_taken_without_a_stop),
        cmocka_unit_test(test_support_tells_promises),
        cmocka_unit_test(test_fence_worker_anew),
        cmocka_unit_test(test_same_ballot_again),
        cmocka_unit_test(test_older_epoch_in_new_view),
        cmocka_unit_test(test_fence_worker_late),
        cmocka_unit_test(test_tail_of_another_view),
        cmocka_unit_test(test_tail_waits_for_record),
        cmocka_unit_test(test_tail_of_two),
        cmocka_unit_test(test_new_lineage),
        cmocka_unit_test(test_named_before_own_support),
        cmocka_unit_test(test_replica_worker_anew),
        cmocka_unit_test(test_no_requests_without_record),
        cmocka_unit_test(test_unfit_before_active),
        cmocka_unit_test(test_adoption_waits_for_record),
        cmocka_unit_test(test_no_adoption),
        cmocka_unit_test(test_adoption_without_quorum),
        cmocka_unit_test(test_adoption_overruled),
        cmocka_unit_test(test_quorum_and_group),
        cmocka_unit_test(test_starting),
        cmocka_unit_test(test_standby_needs_active),
        cmocka_unit_test(test_standby_goes_not_back),
        cmocka_unit_test(test_standby_of_a_higher_epoch),
        cmocka_unit_test(test_blocked_by_the_disk),
        cmocka_unit_test(test_switchover_is_asked_for),
        cmocka_unit_test(test_leave_active),
        cmocka_unit_test(test_leave_standby),
        cmocka_unit_test(test_leave_starting),
        cmocka_unit_test(test_leave_blocked),
        cmocka_unit_test(test_settle_newest),
        cmocka_unit_test(test_settle_few_holders),
        cmocka_unit_test(test_settle_mute),
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_why_not),
        cmocka_unit_test(test_asking_is_not_eligible),
        cmocka_unit_test(test_consent_is_sent),
        cmocka_unit_test(test_consent_arrives),
        cmocka_unit_test(test_record_is_forgotten),
        cmocka_unit_test(test_what_is_not_forgotten),
        cmocka_unit_test(test_consent_without_active),
        cmocka_unit_test(test_guard_is_told_once),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_view_of_others),
        cmocka_unit_test(test_what_is_told_at_once),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_election),
        cmocka_unit_test(test_new_epoch_is_highest),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_grace_of_its_servers),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_overtaken_coordinator),
        cmocka_unit_test(test_before_settled),
        cmocka_unit_test(test_answer_to_the_exchange_before),
        cmocka_unit_test(test_own_answer_is_lost),
        cmocka_unit_test(test_proposal_is_not_followed),
        cmocka_unit_test(test_no_leader_without_disk),
        cmocka_unit_test(test_failed_is_not_preferred),
        cmocka_unit_test(test_when_a_promotion_failed),
        cmocka_unit_test(test_new_epoch_is_above_held),
        cmocka_unit_test(test_newer_epoch),
        cmocka_unit_test(test_supports_above_its_record),
        cmocka_unit_test(test_bootstrap_needs),
        cmocka_unit_test(test_unbegun),
        cmocka_unit_test(test_settle_lineages),
        cmocka_unit_test(test_cold_without_witness),
        cmocka_unit_test(test_restart_is_waited_for),
        cmocka_unit_test(test_mute_active),
        cmocka_unit_test(test_force_for_the_active),
        cmocka_unit_test(test_requests_of_the_active),
        cmocka_unit_test(test_request_meets_an_election),
        cmocka_unit_test(test_switch_is_refused),
        cmocka_unit_test(test_undone_election),
        cmocka_unit_test(test_pause_is_recorded_by_all),
        cmocka_unit_test(test_pause_is_called_off),
        cmocka_unit_test(test_pause_comes_late),
        cmocka_unit_test(test_pause_holds),
        cmocka_unit_test(test_pause_is_refused),
        cmocka_unit_test(test_pause_needs_a_sound_active),
        cmocka_unit_test(test_resume_is_refused),
        cmocka_unit_test(test_paused_goes_on),
        cmocka_unit_test(test_endless_needs_a_record_in_force),
        cmocka_unit_test(test_endless_order_of_the_life_before),
        cmocka_unit_test(test_endless_order),
        cmocka_unit_test(test_endless_is_given_back_once),
        cmocka_unit_test(test_resume_waits_for_the_lease),
        cmocka_unit_test(test_paused_active_is_not_replaced),
        cmocka_unit_test(test_paused_active_is_not_forced),
        cmocka_unit_test(test_paused_active_lost_its_data),
        cmocka_unit_test(test_contact_without_data),
        cmocka_unit_test(test_resumed_needs_a_proof),
        cmocka_unit_test(test_pause_ends_with_the_epoch),
        cmocka_unit_test(test_word_of_a_paused_active),
        cmocka_unit_test(test_endless_is_never_over),
        cmocka_unit_test(test_paused_pair_is_not_fenced),
        cmocka_unit_test(test_pair_with_a_device),
        cmocka_unit_test(test_unknown_pause),
        cmocka_unit_test(test_paused_active_leaves),
    };

    return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}
