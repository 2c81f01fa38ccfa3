/* SPDX-License-Identifier: Apache-2.0 */

/* Steps as bytes: nothing is forgotten, and what is read back decides as it
 * did. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "ha/core/trace.h"

static const struct ha_config config = {
    .self = 7,
    .nodes = { 1, { 7 } },
    .lease_us = 1000000,
    .drift_ppm = 500,
    .mute_us = 1000001,
    .grace_us = 1000002,
    .tail_us = 1000003,
    .open_us = 1000004,
    .retry_us = 1000005,
    .lag_records = 10,
    .lag_us = 1000006,
};

static void
full_set(struct ha_set *set)
{
    set->n = HA_MAX_NODES;
}

/* Writes 'ev' and reads it back.  Returns how many bytes the entry had. */
static size_t
there_and_back(const struct ha_event *ev, struct ha_event *ret_event)
{
    struct trace_state out = { 0, 0 }, in = { 0, 0 };
    struct ha_actions actions = { .n = 1, .tell = "told" };
    struct trace_entry e;
    uint8_t buf[TRACE_ENTRY_MAX];
    size_t n, used;

    actions.a[0].type = HA_ACT_EXIT;
    n = trace_put_step(&out, ev, &actions, buf);
    assert_int_equal(trace_get(&in, buf, n, &e, &used), 0);
    assert_int_equal(used, n);
    assert_int_equal(e.kind, TRACE_STEP);
    assert_int_equal(e.event.type, ev->type);
    assert_int_equal(e.event.now.us, ev->now.us);
    assert_int_equal(e.event.random, ev->random);
    assert_int_equal(e.n_actions, 1);
    assert_int_equal(e.digest, trace_digest(&actions));
    assert_string_equal(e.tell, "told");
    *ret_event = e.event;
    return n;
}

/* Bytes of 'a' that differ from those of 'b'. */
static size_t
n_differ(const void *a_, const void *b_, size_t size)
{
    const uint8_t *a = a_, *b = b_;
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        n += a[i] != b[i];
    }
    return n;
}

/* All members are set; what does not come back is padding, or forgotten. */
static void
test_every_member(void **state)
{
    struct ha_event ev, back;

    (void) state;
    memset(&ev, 1, sizeof ev);
    ev.type = HA_EV_MSG;
    full_set(&ev.msg.msg.set);
    full_set(&ev.msg.msg.durable.record.in_sync);
    full_set(&ev.msg.msg.durable.record.suspects);
    there_and_back(&ev, &back);
    assert_int_equal(back.msg.from, 0x01010101);
    assert_int_equal(n_differ(&ev.msg.msg, &back.msg.msg, sizeof ev.msg.msg),
                     2 + 4 + 3 + 2 * 4 + 1);

    memset(&ev, 1, sizeof ev);
    ev.type = HA_EV_START;
    full_set(&ev.start.durable.record.in_sync);
    full_set(&ev.start.durable.record.suspects);
    there_and_back(&ev, &back);
    assert_true(back.start.has_durable);
    assert_int_equal(n_differ(&ev.start.durable, &back.start.durable,
                              sizeof ev.start.durable),
                     0);

    memset(&ev, 1, sizeof ev);
    ev.type = HA_EV_PEER;
    ev.peer.db = HA_SB;
    there_and_back(&ev, &back);
    assert_int_equal(back.peer.node, 0x01010101);
    assert_int_equal(back.peer.db, HA_SB);
    assert_int_equal(
        n_differ(&ev.peer.facts, &back.peer.facts, sizeof ev.peer.facts), 6);

    memset(&ev, 1, sizeof ev);
    ev.type = HA_EV_FENCE;
    there_and_back(&ev, &back);
    assert_int_equal(n_differ(&ev.fence, &back.fence, sizeof ev.fence), 4);
}

static void
fill(struct ha_action *a, enum ha_action_type type)
{
    memset(a, 1, sizeof *a);
    a->type = type;
    switch (type) {
    case HA_ACT_PERSIST:
        full_set(&a->durable.record.in_sync);
        full_set(&a->durable.record.suspects);
        break;
    case HA_ACT_SEND:
        full_set(&a->msg.set);
        full_set(&a->msg.durable.record.in_sync);
        full_set(&a->msg.durable.record.suspects);
        break;
    case HA_ACT_FENCE_MEMBERS:
        full_set(&a->set);
        break;
    default:
        break;
    }
}

/* A replay notices whatever else a step asks for. */
static void
test_every_action(void **state)
{
    (void) state;
    for (int type = HA_ACT_PERSIST; type <= HA_ACT_FORGET; type++) {
        struct ha_actions none = { .n = 1 }, other = { .n = 1 };

        none.a[0].type = (enum ha_action_type) type;
        fill(&other.a[0], (enum ha_action_type) type);
        assert_int_equal(trace_digest(&none) == trace_digest(&other),
                         type == HA_ACT_EXIT || type == HA_ACT_FORGET);
    }
}

static void
test_small_events(void **state)
{
    struct ha_event ev, back;

    (void) state;
    memset(&ev, 1, sizeof ev);
    ev.type = HA_EV_VIEW;
    ev.view.members = (struct ha_set){ 2, { 3, 9 } };
    there_and_back(&ev, &back);
    assert_true(ha_set_equal(&ev.view.members, &back.view.members));

    ev.type = HA_EV_QUORUM;
    ev.quorum.quorate = true;
    ev.quorum.members = (struct ha_set){ 1, { 5 } };
    there_and_back(&ev, &back);
    assert_true(back.quorum.quorate);
    assert_true(ha_set_equal(&ev.quorum.members, &back.quorum.members));

    ev.type = HA_EV_SUPPORTED;
    ev.supported.epoch = (struct ha_epoch){ 4, 2 };
    ev.supported.old_promise_left_us = -17;
    there_and_back(&ev, &back);
    assert_int_equal(ha_epoch_cmp(back.supported.epoch, ev.supported.epoch),
                     0);
    assert_int_equal(back.supported.old_promise_left_us, -17);

    ev.type = HA_EV_PROBED;
    ev.probed.token = 99;
    ev.probed.error = -ETIMEDOUT;
    there_and_back(&ev, &back);
    assert_int_equal(back.probed.token, 99);
    assert_int_equal(back.probed.error, -ETIMEDOUT);

    ev.type = HA_EV_CONSENT;
    ev.ctl.to = 2;
    ev.ctl.request = HA_REQ_REINIT;
    there_and_back(&ev, &back);
    assert_int_equal(back.ctl.to, 2);
    assert_int_equal(back.ctl.request, HA_REQ_REINIT);

    ev.type = HA_EV_SWITCH;
    ev.ctl.to = 3;
    there_and_back(&ev, &back);
    assert_int_equal(back.ctl.to, 3);
    ev.type = HA_EV_FORCE;
    ev.ctl.to = 2;
    ev.ctl.ms = 1700000000123;
    there_and_back(&ev, &back);
    assert_int_equal(back.ctl.to, 2);
    assert_int_equal(back.ctl.ms, 1700000000123);
    ev.type = HA_EV_SHUTDOWN;
    there_and_back(&ev, &back);

    ev.type = HA_EV_POLICY;
    ev.policy = (struct ha_policy){
        .fence = true,
        .quorum = true,
        .devices = { 1, { 2 } },
        .delay_us = 2000000,
        .stale_us = 60000000,
    };
    there_and_back(&ev, &back);
    assert_true(back.policy.fence);
    assert_true(back.policy.quorum);
    assert_true(ha_set_equal(&ev.policy.devices, &back.policy.devices));
    assert_int_equal(back.policy.delay_us, 2000000);
    assert_int_equal(back.policy.stale_us, 60000000);

    ev.type = HA_EV_FENCED;
    memset(&ev.fenced, 0, sizeof ev.fenced);
    ev.fenced.node = 2;
    ev.fenced.proven = ev.fenced.vouched = true;
    there_and_back(&ev, &back);
    assert_int_equal(back.fenced.node, 2);
    assert_true(back.fenced.proven);
    assert_true(back.fenced.vouched);
}

/* What happens twenty times a second must cost next to nothing. */
static void
test_idle_tick(void **state)
{
    struct trace_state out = { 0, 0 };
    struct ha_actions none = { .n = 0 };
    struct ha_event ev = { .type = HA_EV_TICK, .now = { 1LL << 50 } };
    uint8_t buf[TRACE_ENTRY_MAX];

    (void) state;
    trace_put_step(&out, &ev, &none, buf);
    ev.now = mono_add_us(ev.now, 51234);
    assert_int_equal(trace_put_step(&out, &ev, &none, buf), 4);
}

/* A life of a lone node, written down, decides the same once more. */
static void
test_replay(void **state)
{
    static const enum ha_event_type order[] = {
        HA_EV_START, HA_EV_LOCAL, HA_EV_VIEW,   HA_EV_QUORUM,
        HA_EV_FENCE, HA_EV_TICK,  HA_EV_SWITCH, HA_EV_TICK,
    };
    static uint8_t buf[sizeof order / sizeof order[0] + 1][TRACE_ENTRY_MAX];
    size_t len[sizeof order / sizeof order[0] + 1];
    static struct ha_core was, is;
    struct trace_state out = { 0, 0 }, in = { 0, 0 };
    static struct ha_actions actions;
    static struct trace_entry e;
    size_t used, told = 0;

    (void) state;
    ha_core_init(&was, &config);
    len[0] = trace_put_life(&out, &config, buf[0]);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct ha_event ev = { .type = order[i],
                               .now = { 1000000 * (int64_t) (i + 1) },
                               .random = 0x123456789abcdef + i };

        if (ev.type == HA_EV_VIEW) {
            ev.view.members = config.nodes;
        } else if (ev.type == HA_EV_QUORUM) {
            ev.quorum.quorate = true;
            ev.quorum.members = config.nodes;
        } else if (ev.type == HA_EV_FENCE) {
            ev.fence.connected = true;
        }
        ha_step(&was, &ev, &actions);
        len[i + 1] = trace_put_step(&out, &ev, &actions, buf[i + 1]);
    }

    assert_int_equal(trace_get(&in, buf[0], len[0], &e, &used), 0);
    assert_int_equal(e.kind, TRACE_LIFE);
    ha_core_init(&is, &e.config);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        assert_int_equal(trace_get(&in, buf[i + 1], len[i + 1], &e, &used), 0);
        ha_step(&is, &e.event, &actions);
        assert_string_equal(actions.tell, e.tell);
        assert_int_equal(actions.n, e.n_actions);
        if (actions.n) {
            assert_int_equal(trace_digest(&actions), e.digest);
        }
        told += actions.tell[0] != '\0';
    }
    assert_true(told >= 4);
    assert_int_equal(is.state, was.state);
}

/* A core amid its life; other software's is not taken for one. */
static void
test_image(void **state)
{
    static uint8_t buf[TRACE_ENTRY_MAX + sizeof(struct ha_core)];
    static struct ha_core core;
    struct trace_state out = { 0, 0 }, in = { 0, 0 };
    static struct trace_entry e;
    size_t n = trace_put_image(&out, buf), used;

    (void) state;
    ha_core_init(&core, &config);
    memcpy(buf + n, &core, sizeof core);
    assert_int_equal(trace_get(&in, buf, n + sizeof core, &e, &used), 0);
    assert_int_equal(e.kind, TRACE_IMAGE);
    assert_int_equal(used, n + sizeof core);
    assert_memory_equal(e.image, &core, sizeof core);
    assert_int_equal(trace_get(&in, buf, n + sizeof core - 1, &e, &used),
                     -EBADMSG);
    buf[1]--; /* The size's lowest bits. */
    assert_int_equal(trace_get(&in, buf, sizeof buf, &e, &used),
                     -EPROTONOSUPPORT);
}

/* What was cut off anywhere is no entry, and harmless. */
static void
test_cut(void **state)
{
    struct trace_state out = { 0, 0 };
    struct ha_actions actions = { .tell = "told" };
    static struct trace_entry e;
    struct ha_event ev;
    uint8_t buf[TRACE_ENTRY_MAX];
    size_t n, used;

    (void) state;
    memset(&ev, 1, sizeof ev);
    ev.type = HA_EV_MSG;
    full_set(&ev.msg.msg.set);
    full_set(&ev.msg.msg.durable.record.in_sync);
    full_set(&ev.msg.msg.durable.record.suspects);
    n = trace_put_step(&out, &ev, &actions, buf);
    for (size_t i = 0; i < n; i++) {
        struct trace_state in = { 0, 0 };

        assert_int_equal(trace_get(&in, buf, i, &e, &used), -EBADMSG);
    }
    /* Nor is noise: no set may be larger than it can be. */
    for (unsigned i = 0; i < 5000; i++) {
        struct trace_state in = { 0, 0 };

        for (size_t j = 0; j < sizeof buf; j++) {
            buf[j] = (i * 2654435761u + j * 40503u * (i + 7)) >> 13;
        }
        if (!trace_get(&in, buf, sizeof buf, &e, &used)) {
            assert_true(used <= sizeof buf);
            assert_true(e.config.nodes.n <= HA_MAX_NODES);
        }
    }
}

/* The digest sees what is to be done, and in which order. */
static void
test_digest(void **state)
{
    struct ha_actions a = { .n = 2 }, b;

    (void) state;
    a.a[0].type = HA_ACT_FENCE_SERVE;
    a.a[0].epoch = (struct ha_epoch){ 2, 1 };
    a.a[1].type = HA_ACT_NORTHD;
    b = a;
    assert_int_equal(trace_digest(&a), trace_digest(&b));
    b.a[0].epoch.n++;
    assert_int_not_equal(trace_digest(&a), trace_digest(&b));
    b = a;
    b.a[1].run = true;
    assert_int_not_equal(trace_digest(&a), trace_digest(&b));
    b.a[0] = a.a[1];
    b.a[1] = a.a[0];
    assert_int_not_equal(trace_digest(&a), trace_digest(&b));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member),
        cmocka_unit_test(test_every_action),
        cmocka_unit_test(test_small_events),
        cmocka_unit_test(test_idle_tick),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_digest),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
