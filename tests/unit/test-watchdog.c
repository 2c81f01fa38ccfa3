/* SPDX-License-Identifier: Apache-2.0 */

/* The watchdog with its child, on a device whose driver is linked in:
 * tests/cluster/watchdog.c. */

#include "fence/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/cluster/watchdog.h"

#define DEADLINE_MS 20000

static volatile struct registers *dev;
static struct watchdog dog;
static struct wire_watchdog conf;

static int
set_up(void **state)
{
    char path[] = "/tmp/test-watchdog-XXXXXX";
    int fd = mkstemp(path);

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof *dev), 0);
    dev = mmap(NULL, sizeof *dev, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(dev != MAP_FAILED);
    close(fd);
    setenv("WATCHDOG_STATE", path, 1);
    setenv("WATCHDOG_SYSFS", "/nonexistent", 1);
    strcpy((char *) dev->identity, "Lab dog");
    conf = (struct wire_watchdog){
        .device = "/dev/watchdog0",
        .timeout_s = 1,
        .max_ms = 1400,
    };
    watchdog_init(&dog);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    dev->blocked = 0;
    watchdog_close(&dog);
    munmap((void *) dev, sizeof *dev);
    unlink(getenv("WATCHDOG_STATE"));
    return 0;
}

/* One turn of a loop, as the worker's. */
static void
turn(void)
{
    struct pollfd pfds[WATCHDOG_MAX_POLL];
    unsigned int n = watchdog_poll(&dog, pfds);

    poll(pfds, n, 2);
    watchdog_run(&dog, mono_now());
}

#define WAIT(CONDITION)                                            \
    do {                                                           \
        mono_t end = mono_add_ms(mono_now(), DEADLINE_MS);         \
        while (!(CONDITION)) {                                     \
            turn();                                                \
            if (!mono_before(mono_now(), end)) {                   \
                fail_msg("never: %s; %s", #CONDITION, dog.is.why); \
            }                                                      \
        }                                                          \
    } while (0)

static void
make_ready(void)
{
    mono_t now = mono_now();

    watchdog_set(&dog, &conf, now);
    assert_false(watchdog_lets_open(&dog, MONO_NEVER));
    watchdog_disarm(&dog, now);
    WAIT(dog.is.state != WIRE_WATCHDOG_PENDING && !dog.busy);
}

static void
arm(mono_t until)
{
    watchdog_arm(&dog, until, mono_now());
}

static void
it_is_tried_armed_fed_and_disarmed(void **state)
{
    int64_t n;

    (void) state;
    make_ready();
    assert_int_equal(dog.is.state, WIRE_WATCHDOG_READY);
    assert_string_equal(dog.is.identity, "Lab dog");
    assert_int_equal(dog.is.timeout_ms, 1000);
    assert_false(dev->armed);
    assert_int_equal(dev->n_disarmed, 1);
    assert_true(watchdog_bites_at(&dog).us == MONO_NEVER.us);

    arm(MONO_NEVER);
    assert_false(watchdog_lets_open(&dog, MONO_NEVER));
    WAIT(dog.is.state == WIRE_WATCHDOG_ARMED);
    assert_true(dev->armed && watchdog_lets_open(&dog, MONO_NEVER));
    /* A lease that ends before it would bite is not guarded. */
    assert_false(watchdog_lets_open(&dog, mono_now()));
    n = dev->n_fed;
    WAIT(dev->n_fed >= n + 3);

    watchdog_disarm(&dog, mono_now());
    WAIT(dog.is.state == WIRE_WATCHDOG_READY);
    assert_false(dev->armed);
    assert_int_equal(dev->n_disarmed, 2);
    watchdog_release(&dog, mono_now());
    WAIT(watchdog_is_released(&dog));
}

/* Whatever is asked for, it bites within the lease. */
static void
it_is_not_fed_beyond_the_lease(void **state)
{
    mono_t until;

    (void) state;
    make_ready();
    arm(MONO_NEVER);
    WAIT(dog.is.state == WIRE_WATCHDOG_ARMED && !dog.busy);
    until = mono_add_ms(mono_now(), 1500);
    arm(until);
    WAIT(!mono_before(mono_now(), until) && !dog.busy);
    assert_true(dev->armed);
    assert_true(dev->fed_us + 1000000 <= until.us);
    assert_true(watchdog_bites_at(&dog).us <= until.us);
    /* Nor by a child that is told of it too late. */
    dog.due = true;
    until = (mono_t){ dev->fed_us };
    WAIT(!dog.due && !dog.busy);
    assert_true(dev->fed_us == until.us);
}

static void
what_cannot_be_disarmed_is_fed_on(void **state)
{
    int64_t n;

    (void) state;
    dev->nowayout = 1;
    make_ready();
    assert_int_equal(dog.is.state, WIRE_WATCHDOG_ARMED);
    assert_int_equal(dog.is.nowayout, WIRE_NOWAYOUT_YES);
    n = dev->n_fed;
    WAIT(dev->n_fed >= n + 3);
    /* At the end it is let go of all the same. */
    watchdog_release(&dog, mono_now());
    WAIT(watchdog_is_released(&dog));
    assert_true(dev->armed);
}

/* Also if it is of no use, or it would reset a node that is well. */
static void
what_is_unfit_and_cannot_be_disarmed_is_fed_on(void **state)
{
    int64_t n;

    (void) state;
    dev->nowayout = 1;
    dev->shortest_s = 3;
    make_ready();
    assert_int_equal(dog.is.state, WIRE_WATCHDOG_MISSING);
    assert_true(dev->armed);
    n = dev->n_fed;
    WAIT(dev->n_fed >= n + 3);
    assert_true(mono_us_between((mono_t){ dev->fed_us }, mono_now())
                < 3000000);
}

static void
assert_unfit(const char *why)
{
    make_ready();
    assert_int_equal(dog.is.state, WIRE_WATCHDOG_MISSING);
    assert_non_null(strstr(dog.is.why, why));
    assert_false(dev->armed);
    assert_true(watchdog_lets_open(&dog, MONO_MIN));
}

static void
another_one_is_refused(void **state)
{
    (void) state;
    strcpy(conf.identity, "other dog");
    assert_unfit("it is \"Lab dog\", and not \"other dog\"");
}

static void
a_slow_one_is_refused(void **state)
{
    (void) state;
    dev->shortest_s = 2;
    assert_unfit("its timeout is 2000 ms, but must not be longer");
}

static void
what_is_no_watchdog_is_not_written_to(void **state)
{
    char c = '\0';
    char *path = getenv("WATCHDOG_STATE");
    int fd;

    (void) state;
    snprintf(conf.device, sizeof conf.device, "%s.file", path);
    fd = open(conf.device, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_unfit("it is no watchdog");
    assert_int_equal(read(fd, &c, 1), 0);
    close(fd);
    unlink(conf.device);
}

/* The worker neither waits for a driver nor believes in it. */
static void
a_driver_may_block(void **state)
{
    (void) state;
    make_ready();
    dev->blocked = 1;
    arm(MONO_NEVER);
    WAIT(dog.is.state == WIRE_WATCHDOG_MISSING);
    assert_string_equal(dog.is.why, "its driver does not answer");
    assert_true(watchdog_lets_open(&dog, MONO_MIN));
    dev->blocked = 0;
    WAIT(dog.is.state == WIRE_WATCHDOG_ARMED);
    assert_string_equal(dog.is.why, "");
}

/* A child that dies leaves it armed, and another one takes it. */
static void
a_child_may_die(void **state)
{
    (void) state;
    make_ready();
    arm(MONO_NEVER);
    WAIT(dog.is.state == WIRE_WATCHDOG_ARMED);
    kill(dog.helper.child.pid, SIGKILL);
    WAIT(dev->n_opened == 3);
    WAIT(!dog.busy);
    assert_true(dev->armed);
    assert_int_equal(dev->n_disarmed, 1);
    assert_int_equal(dog.is.state, WIRE_WATCHDOG_ARMED);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_tried_armed_fed_and_disarmed),
        TEST(it_is_not_fed_beyond_the_lease),
        TEST(what_cannot_be_disarmed_is_fed_on),
        TEST(what_is_unfit_and_cannot_be_disarmed_is_fed_on),
        TEST(another_one_is_refused),
        TEST(a_slow_one_is_refused),
        TEST(what_is_no_watchdog_is_not_written_to),
        TEST(a_driver_may_block),
        TEST(a_child_may_die),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
