/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/fencing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define MONITOR (60 * SECOND)
#define TIMEOUT (20 * SECOND)

/* Node 7 has the devices 0 and then, as its second level, both 1 and 2;
 * device 3 confirms in some tests. */
static struct fencing f;
static mono_t now;

static int
setup(void **state)
{
    (void) state;
    memset(&f, 0, sizeof f);
    now = (mono_t){ 1000 * SECOND };
    f.n_devices = 4;
    for (uint32_t i = 0; i < f.n_devices; i++) {
        f.devices[i].timeout_us = TIMEOUT;
        f.devices[i].monitor_us = MONITOR;
        f.devices[i].retries = 1;
    }
    f.n_targets = 1;
    f.targets[0].node = 7;
    f.targets[0].levels[0] = (struct fencing_level){ 1, { 0 } };
    f.targets[0].levels[1] = (struct fencing_level){ 2, { 1, 2 } };
    fencing_start(&f, now);
    return 0;
}

static void
pass(int64_t us)
{
    now = mono_add_us(now, us);
}

/* Asserts that the next run is this one, and ends it. */
static void
run(uint32_t device, enum fencing_action action, enum fencing_outcome outcome)
{
    struct fencing_run r = { 99, FENCING_NONE, 0 };

    assert_true(fencing_next(&f, now, &r));
    assert_int_equal(r.device, device);
    assert_string_equal(fencing_action_name(r.action),
                        fencing_action_name(action));
    assert_int_equal(r.timeout_us, TIMEOUT);
    fencing_done(&f, device, outcome, "so it is", now);
}

static void
assert_idle(void)
{
    struct fencing_run r;

    assert_false(fencing_next(&f, now, &r));
}

/* Reads the metadata of all devices, and hears them. */
static void
warm_up(void)
{
    pass(SECOND);
    for (uint32_t i = 0; i < f.n_devices; i++) {
        run(i, FENCING_METADATA, FENCING_GOOD);
        run(i, FENCING_MONITOR, FENCING_GOOD);
    }
    assert_idle();
}

static void
assert_phase(enum fencing_phase phase)
{
    assert_int_equal(f.targets[0].phase, phase);
}

static void
request(void)
{
    assert_int_equal(fencing_request(&f, 7, 42, now), 0);
    assert_phase(FENCING_WORKING);
}

static void
off_and_status(void **state)
{
    (void) state;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    assert_phase(FENCING_WORKING);
    pass(SECOND);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
    assert_int_equal(f.targets[0].fenced.us, now.us);
    assert_int_equal(f.targets[0].token, 42);
    assert_idle();
}

static void
unknown_node(void **state)
{
    (void) state;
    assert_int_equal(fencing_request(&f, 8, 1, now), -ENODEV);
    assert_true(fencing_can(&f, 7));
    assert_false(fencing_can(&f, 8));
    f.targets[0].levels[0].n = 0;
    assert_false(fencing_can(&f, 7));
    assert_int_equal(fencing_request(&f, 7, 1, now), -ENODEV);
}

/* A machine takes its time to die. */
static void
off_takes_time(void **state)
{
    (void) state;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    for (int i = 0; i < 10; i++) {
        run(0, FENCING_STATUS, FENCING_GOOD);
        assert_idle();
        assert_int_equal(fencing_due(&f).us, now.us + SECOND);
        pass(SECOND);
    }
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
}

/* "Off" did not help: then the next level, of which all have to succeed. */
static void
still_on(void **state)
{
    (void) state;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    for (int i = 0; i < 20; i++) {
        run(0, FENCING_STATUS, FENCING_GOOD);
        pass(SECOND);
    }
    run(1, FENCING_OFF, FENCING_GOOD);
    run(1, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_WORKING);
    run(2, FENCING_OFF, FENCING_GOOD);
    run(2, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
    assert_int_equal(f.targets[0].level, 1);
}

static void
retries_then_next_level(void **state)
{
    (void) state;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_BAD);
    assert_idle();
    pass(SECOND);
    run(0, FENCING_OFF, FENCING_BAD);
    pass(SECOND);
    run(1, FENCING_OFF, FENCING_GOOD);
    run(1, FENCING_STATUS, FENCING_BAD);
    pass(SECOND);
    run(1, FENCING_STATUS, FENCING_IS_OFF);
    run(2, FENCING_OFF, FENCING_BAD);
    pass(SECOND);
    run(2, FENCING_OFF, FENCING_BAD);
    /* One of two outlets is not enough. */
    assert_phase(FENCING_FAILED);
    assert_string_equal(f.targets[0].why, "so it is");
    pass(SECOND);
    assert_idle();
}

/* What has said nothing for long is heard first; what fails at that is not
 * believed, and not even asked. */
static void
silent_device(void **state)
{
    (void) state;
    warm_up();
    pass(MONITOR);
    for (uint32_t i = 0; i < f.n_devices; i++) {
        run(i, FENCING_MONITOR, i ? FENCING_GOOD : FENCING_BAD);
    }
    request();
    run(0, FENCING_OFF, FENCING_BAD); /* Heard not so long ago. */
    pass(4 * MONITOR);
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);

    assert_false(fencing_believes(&f.devices[0], now));
    request();
    run(0, FENCING_MONITOR, FENCING_BAD);
    pass(SECOND);
    run(0, FENCING_MONITOR, FENCING_BAD);
    pass(SECOND);
    run(1, FENCING_MONITOR, FENCING_GOOD);
    run(1, FENCING_OFF, FENCING_GOOD);
}

/* "Off" from an agent that was never heard may be a broken agent. */
static void
never_heard(void **state)
{
    (void) state;
    request();
    run(0, FENCING_METADATA, FENCING_GOOD);
    run(0, FENCING_MONITOR, FENCING_IS_OFF); /* That is no answer. */
    pass(SECOND);
    run(0, FENCING_MONITOR, FENCING_GOOD);
    run(0, FENCING_OFF, FENCING_GOOD);
}

static void
misfits_are_not_used(void **state)
{
    (void) state;
    request();
    run(0, FENCING_METADATA, FENCING_BAD);
    pass(SECOND);
    run(0, FENCING_METADATA, FENCING_BAD);
    pass(SECOND);
    run(1, FENCING_METADATA, FENCING_GOOD);
    assert_string_equal(f.devices[0].why, "so it is");
}

/* A second, independent proof. */
static void
confirm(void **state)
{
    (void) state;
    f.targets[0].has_confirm = true;
    f.targets[0].confirm = 3;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_WORKING);
    run(3, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
}

static void
confirm_says_no(void **state)
{
    (void) state;
    f.targets[0].has_confirm = true;
    f.targets[0].confirm = 3;
    f.targets[0].levels[1].n = 0;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    for (int i = 0; i < 20; i++) {
        assert_phase(FENCING_WORKING);
        run(3, FENCING_STATUS, FENCING_GOOD);
        pass(SECOND);
    }
    assert_phase(FENCING_FAILED);
    assert_string_equal(f.targets[0].why, "it says that the node is still on");
}

static void
confirm_is_heard_first(void **state)
{
    (void) state;
    f.targets[0].has_confirm = true;
    f.targets[0].confirm = 3;
    warm_up();
    f.devices[3].answered = MONO_MIN;
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    run(3, FENCING_MONITOR, FENCING_GOOD);
    run(3, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
}

static void
power_on_again(void **state)
{
    (void) state;
    f.targets[0].power_on = true;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
    run(0, FENCING_ON, FENCING_BAD);
    pass(SECOND);
    run(0, FENCING_ON, FENCING_BAD);
    assert_phase(FENCING_FENCED);
    pass(SECOND);
    assert_idle();
}

/* A request while the node is switched on again: that run is no hearing. */
static void
request_meets_power_on(void **state)
{
    struct fencing_run r;

    (void) state;
    f.targets[0].power_on = true;
    warm_up();
    request();
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_true(fencing_next(&f, now, &r));
    assert_int_equal(r.action, FENCING_ON);
    request();
    assert_true(f.devices[0].abort);
    assert_idle();
    fencing_done(&f, 0, FENCING_GOOD, "", now);
    assert_phase(FENCING_WORKING);
    run(0, FENCING_OFF, FENCING_GOOD);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
}

/* A monitor that hangs is ended for it, which says nothing of the device. */
static void
monitor_in_the_way(void **state)
{
    struct fencing_run r;

    (void) state;
    warm_up();
    pass(MONITOR);
    assert_true(fencing_next(&f, now, &r));
    assert_int_equal(r.device, 0);
    assert_int_equal(r.action, FENCING_MONITOR);
    request();
    assert_true(f.devices[0].abort);
    fencing_done(&f, 0, FENCING_BAD, "killed", now);
    assert_true(f.devices[0].well);
    run(0, FENCING_OFF, FENCING_GOOD);
}

/* No second `off` while the first one is under way, and no monitor. */
static void
one_at_a_time(void **state)
{
    struct fencing_run r;

    (void) state;
    warm_up();
    request();
    assert_true(fencing_next(&f, now, &r));
    assert_int_equal(r.action, FENCING_OFF);
    assert_int_equal(fencing_request(&f, 7, 43, now), 0);
    assert_false(f.devices[0].abort);
    pass(2 * MONITOR);
    run(3, FENCING_MONITOR, FENCING_GOOD); /* It has no part in this. */
    assert_idle();
    fencing_done(&f, 0, FENCING_GOOD, "", now);
    run(0, FENCING_STATUS, FENCING_IS_OFF);
    assert_phase(FENCING_FENCED);
    assert_int_equal(f.targets[0].token, 43);
}

static void
monitors(void **state)
{
    (void) state;
    assert_int_equal(fencing_due(&f).us, now.us);
    warm_up();
    assert_int_equal(fencing_due(&f).us, now.us + MONITOR);
    pass(MONITOR - 1);
    assert_idle();
    pass(1);
    run(0, FENCING_MONITOR, FENCING_BAD);
    assert_false(f.devices[0].well);
    assert_string_equal(f.devices[0].why, "so it is");
    assert_true(fencing_believes(&f.devices[0], now));
    for (uint32_t i = 1; i < f.n_devices; i++) {
        run(i, FENCING_MONITOR, FENCING_GOOD);
        assert_string_equal(f.devices[i].why, "");
    }
    assert_idle();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(off_and_status, setup),
        cmocka_unit_test_setup(unknown_node, setup),
        cmocka_unit_test_setup(off_takes_time, setup),
        cmocka_unit_test_setup(still_on, setup),
        cmocka_unit_test_setup(retries_then_next_level, setup),
        cmocka_unit_test_setup(silent_device, setup),
        cmocka_unit_test_setup(never_heard, setup),
        cmocka_unit_test_setup(misfits_are_not_used, setup),
        cmocka_unit_test_setup(confirm, setup),
        cmocka_unit_test_setup(confirm_says_no, setup),
        cmocka_unit_test_setup(confirm_is_heard_first, setup),
        cmocka_unit_test_setup(power_on_again, setup),
        cmocka_unit_test_setup(request_meets_power_on, setup),
        cmocka_unit_test_setup(monitor_in_the_way, setup),
        cmocka_unit_test_setup(one_at_a_time, setup),
        cmocka_unit_test_setup(monitors, setup),
    };

    return cmocka_run_group_tests_name("fencing", tests, NULL, NULL);
}
