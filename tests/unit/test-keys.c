/* SPDX-License-Identifier: Apache-2.0 */

/* The keys against a kernel that sets them when it likes to: nft_run() and
 * mono_now() are the test's own. */

#include "fence/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fence/nft.h"

#define LEASE_US 1000000
#define CALL_US 150

static struct keys keys;
static mono_t now;
static mono_t until;         /* The lease's. */
static mono_t alive[KEYS_N]; /* Until when the kernel's keys live. */
static int64_t delay_us;     /* Before the next transaction counts... */
static int64_t after_us;     /* ...and after it. */
static int n_delays;         /* How many from now on are held up so. */
static int slow_in;          /* Transactions until one is so; 0: none. */
static int fail_in;          /* ... until one fails; 0: none. */
static int n_runs;
static char why[100];

mono_t
mono_now(void)
{
    return now;
}

/* Never is a packet let out after the lease. */
static void
check(void)
{
    mono_t end = mono_min(alive[0], alive[1]);

    if (mono_before(until, end)) {
        fail_msg("out until %lld us after the lease",
                 (long long) mono_us_between(until, end));
    }
}

int
nft_run(struct nft *nft, const char *commands, char w[], size_t size)
{
    const char *timeout = strstr(commands, "timeout ");
    bool slow = n_delays > 0 || (slow_in && !--slow_in);
    int key = strstr(commands, "key1") != NULL;

    (void) nft;
    n_runs++;
    assert_non_null(strstr(commands, "flush set inet ovn_ha key"));
    now = mono_add_us(now, CALL_US + (slow ? delay_us : 0));
    if (fail_in && !--fail_in) {
        snprintf(w, size, "it failed");
        return -EIO;
    }
    /* One tick later than asked for, as timers are. */
    alive[key] = timeout ? mono_add_us(mono_add_ms(now, atoi(timeout + 8)),
                                       keys.tick_us)
                         : MONO_MIN;
    check();
    now = mono_add_us(now, slow ? after_us : 0);
    n_delays -= n_delays > 0;
    return 0;
}

static int
renew(void)
{
    return keys_renew(&keys, NULL, until, why, sizeof why);
}

/* A new lease, from now. */
static void
extend(void)
{
    until = mono_max(until, mono_add_us(now, LEASE_US));
}

static int
setup(void **state)
{
    (void) state;
    keys_init(&keys);
    now = (mono_t){ 1000000000 };
    until = alive[0] = alive[1] = MONO_MIN;
    delay_us = after_us = 0;
    n_delays = slow_in = fail_in = n_runs = 0;
    extend();
    return 0;
}

static void
both_end_just_before_the_lease(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        mono_t end;

        extend();
        assert_int_equal(renew(), 0);
        end = mono_min(alive[0], alive[1]);
        assert_true(mono_before(mono_add_us(until, -40000), end));
        assert_false(mono_before(end, keys_end(&keys)));
        now = mono_add_ms(now, 100);
    }
    assert_int_equal(n_runs, 40);
}

/* Wherever it is held up, for however long, and how often it is. */
static void
frozen_anywhere(void **state)
{
    (void) state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        n_delays = rand() % 4 ? 0 : 1 + rand() % 6;
        delay_us = rand() % 2 ? rand() % (2 * LEASE_US) : rand() % 20000;
        after_us = rand() % 2 ? rand() % (2 * LEASE_US) : 0;
        fail_in = rand() % 10 ? 0 : 1 + rand() % 3;
        if (rand() % 3) {
            extend();
        }
        renew();
        check();
        now = mono_add_us(now, rand() % 200000);
    }
}

static void
one_slow_transaction_is_done_again(void **state)
{
    (void) state;
    delay_us = 300000;
    n_delays = 1;
    assert_int_equal(renew(), 0);
    assert_int_equal(n_runs, 3);
    check();
    assert_true(mono_before(mono_add_us(until, -60000), keys_end(&keys)));
}

/* Slow, but not too slow: it works, and is quick again when the kernel is. */
static void
slow_kernel(void **state)
{
    (void) state;
    delay_us = 20000;
    for (int i = 0; i < 5; i++) {
        n_delays = 100;
        extend();
        assert_int_equal(renew(), 0);
    }
    n_delays = 0;
    for (int i = 0; i < 3; i++) {
        extend();
        assert_int_equal(renew(), 0);
    }
    assert_true(mono_before(mono_add_us(until, -40000), keys_end(&keys)));
}

static void
kernel_that_is_too_slow(void **state)
{
    (void) state;
    delay_us = 150000;
    n_delays = 100;
    assert_int_equal(renew(), -EBUSY);
    assert_int_equal(keys_end(&keys).us, MONO_MIN.us);
    assert_int_equal(alive[1].us, MONO_MIN.us); /* Not touched. */
    n_delays = 0;
    extend();
    assert_int_equal(renew(), 0);
}

static void
nothing_is_set_for_a_lease_that_is_over(void **state)
{
    (void) state;
    assert_int_equal(renew(), 0);
    n_runs = 0;
    now = until;
    assert_int_equal(renew(), -ETIME);
    now = mono_add_us(now, LEASE_US);
    assert_int_equal(renew(), -ETIME);
    assert_int_equal(n_runs, 0);
}

static void
error_is_told(void **state)
{
    (void) state;
    fail_in = 2;
    assert_int_equal(renew(), -EIO);
    assert_string_equal(why, "it failed");
    assert_int_equal(keys_end(&keys).us, MONO_MIN.us);
}

/* The second key lives too long, and could not be set again: the first one
 * may not be touched before that is mended. */
static void
key_in_doubt_comes_first(void **state)
{
    (void) state;
    assert_int_equal(renew(), 0);
    extend();
    delay_us = LEASE_US / 4;
    slow_in = 2;
    fail_in = 3;
    assert_int_equal(renew(), -EIO);
    slow_in = 1;
    assert_int_equal(renew(), 0);
    check();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_end_just_before_the_lease, setup),
        cmocka_unit_test_setup(frozen_anywhere, setup),
        cmocka_unit_test_setup(one_slow_transaction_is_done_again, setup),
        cmocka_unit_test_setup(slow_kernel, setup),
        cmocka_unit_test_setup(kernel_that_is_too_slow, setup),
        cmocka_unit_test_setup(nothing_is_set_for_a_lease_that_is_over, setup),
        cmocka_unit_test_setup(key_in_doubt_comes_first, setup),
        cmocka_unit_test_setup(error_is_told, setup),
    };

    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
