/* SPDX-License-Identifier: Apache-2.0 */

/* The worker's half of the virtual IP; the test is the child. */

#include "fence/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/seq.h"

static struct address address;
static struct address_wish wish; /* The last one. */
static int child;                /* Its end. */
static mono_t now;

static mono_t
in_ms(int64_t ms)
{
    return mono_add_ms(now, ms);
}

/* One turn; returns true if the child was sent something. */
static bool
turn(bool shut)
{
    bool sent = false;

    address_run(&address, shut, now);
    while (seq_recv(child, &wish, sizeof wish) == sizeof wish) {
        sent = true;
    }
    return sent;
}

/* The child says what is so, of the wish with this serial. */
static void
say(uint32_t serial, enum wire_address_state state)
{
    struct address_answer a = { .serial = serial, .state = state };

    assert_int_equal(seq_send(child, &a, sizeof a), 0);
    turn(true);
}

static int
setup(void **state)
{
    static const struct wire_addresses conf = {
        .n = 1,
        .detect_ms = 100,
        .interface = "eth0",
        .address = { { AF_INET, 24, { 192, 0, 2, 9 } } },
    };
    int fds[2];

    (void) state;
    assert_int_equal(seq_pair(fds), 0);
    child = fds[1];
    now = (mono_t){ 1000000000 };
    memset(&wish, 0, sizeof wish);
    address_init(&address, "/nonexistent");
    address.helper.fd = fds[0];
    assert_true(address_is_held(&address) && address_is_left(&address));
    address_set(&address, &conf, now);
    assert_true(turn(true));
    assert_int_equal(wish.addresses.n, 1);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    address_close(&address);
    close(child);
    return 0;
}

/* Has them, as the door opens. */
static void
be_held(mono_t until)
{
    say(wish.serial, WIRE_ADDRESS_LEFT);
    address_hold(&address, until);
    assert_true(turn(true));
    assert_true(wish.hold);
    say(wish.serial, WIRE_ADDRESS_HELD);
    assert_true(address_is_held(&address));
}

static void
nothing_is_believed_before_it_is_said(void **state)
{
    (void) state;
    assert_false(wish.hold);
    assert_false(address_is_left(&address));
    say(wish.serial - 1, WIRE_ADDRESS_LEFT);
    assert_false(address_is_left(&address));
    say(wish.serial, WIRE_ADDRESS_LEFT);
    assert_true(address_is_left(&address));
    assert_false(address_is_held(&address));

    address_hold(&address, in_ms(1000));
    assert_false(address_is_left(&address));
    assert_true(turn(true));
    say(wish.serial, WIRE_ADDRESS_PROBING);
    assert_false(address_is_held(&address));
    say(wish.serial, WIRE_ADDRESS_HELD);
    assert_true(address_is_held(&address));
}

static void
a_longer_lease_is_told_in_steps(void **state)
{
    mono_t until = in_ms(1000);

    (void) state;
    be_held(until);
    assert_int_equal(wish.until_us, until.us);
    address_hold(&address, mono_add_ms(until, 100));
    assert_false(turn(false));
    address_hold(&address, mono_add_ms(until, 300));
    assert_true(turn(false));
    assert_int_equal(wish.until_us, until.us + 300000);
    assert_true(address_is_held(&address));
}

/* As after a pause: what was promised without an end has one again. */
static void
a_shorter_lease_is_told_at_once(void **state)
{
    (void) state;
    be_held(in_ms(1000));
    address_hold(&address, MONO_NEVER);
    assert_true(turn(false));
    assert_int_equal(wish.until_us, MONO_NEVER.us);
    address_hold(&address, in_ms(1000));
    assert_true(turn(false));
    assert_int_equal(wish.until_us, in_ms(1000).us);
    assert_true(wish.hold && address_is_held(&address));
}

static void
left_once_the_door_is_shut(void **state)
{
    (void) state;
    be_held(in_ms(1000));
    address_announce(&address);
    assert_true(turn(false));
    assert_true(wish.announce);

    address_leave(&address, in_ms(100));
    assert_int_equal(address_next(&address).us, in_ms(100).us);
    assert_false(address_is_held(&address));
    assert_false(turn(false));
    assert_true(turn(true));
    assert_false(wish.hold || wish.announce);
    assert_false(address_is_left(&address));
    say(wish.serial, WIRE_ADDRESS_LEFT);
    assert_true(address_is_left(&address));
}

static void
left_in_time_however_far_the_door_is(void **state)
{
    (void) state;
    be_held(in_ms(1000));
    address_leave(&address, in_ms(100));
    now = in_ms(99);
    assert_false(turn(false));
    now = in_ms(1);
    assert_true(turn(false));
    assert_false(wish.hold);
}

static void
not_taken_again_before_it_is_left(void **state)
{
    (void) state;
    be_held(in_ms(1000));
    address_leave(&address, in_ms(100));
    assert_true(turn(true));
    address_hold(&address, in_ms(2000));
    assert_false(turn(true));
    say(wish.serial, WIRE_ADDRESS_LEAVING);
    address_hold(&address, in_ms(2000));
    assert_false(turn(true));
    say(wish.serial, WIRE_ADDRESS_LEFT);
    address_hold(&address, in_ms(2000));
    assert_true(turn(true));
    assert_true(wish.hold);
}

/* Whoever comes next finds out anew. */
static void
a_child_that_died_is_not_believed(void **state)
{
    (void) state;
    be_held(in_ms(1000));
    close(child);
    address_run(&address, false, now);
    assert_false(address_is_held(&address));
    assert_int_equal(address_state(&address), WIRE_ADDRESS_PROBING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
        T(nothing_is_believed_before_it_is_said),
        T(a_longer_lease_is_told_in_steps),
        T(a_shorter_lease_is_told_at_once),
        T(left_once_the_door_is_shut),
        T(left_in_time_however_far_the_door_is),
        T(not_taken_again_before_it_is_left),
        T(a_child_that_died_is_not_believed),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
