/* SPDX-License-Identifier: Apache-2.0 */

/* When a watchdog may be fed: pure, times are given. */

#include "fence/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMEOUT_US INT64_C(1000000)
#define AT(US) ((mono_t){ US })

static void
it_bites_within_the_lease(void **state)
{
    mono_t until = AT(5000000);
    mono_t last = AT(5000000 - TIMEOUT_US - FEED_SLACK_US);

    (void) state;
    assert_true(feed_may(last, TIMEOUT_US, until));
    assert_false(feed_may(mono_add_us(last, 1), TIMEOUT_US, until));
    /* A lease that is over, or never was, and one without an end. */
    assert_false(feed_may(AT(5000000), TIMEOUT_US, AT(4000000)));
    assert_false(feed_may(AT(1), TIMEOUT_US, MONO_MIN));
    assert_true(feed_may(AT(1), TIMEOUT_US, MONO_NEVER));
}

/* Fed whenever that is due, from a lease that is not renewed any more: it is
 * never fed too late, bites not much before the lease ends, and is asked
 * about a bounded number of times. */
static void
an_ending_lease_is_used_up(void **state)
{
    (void) state;
    for (int i = 0; i < 1000; i++) {
        mono_t fed = AT(10000000 + rand() % 3000000);
        mono_t until =
            mono_add_us(fed, TIMEOUT_US + FEED_SLACK_US + rand() % 3000000);
        mono_t next;
        int n = 0;

        while ((next = feed_next(fed, TIMEOUT_US, until)).us
               != MONO_NEVER.us) {
            assert_true(mono_before(fed, next));
            assert_true(feed_may(next, TIMEOUT_US, until));
            assert_true(mono_us_between(fed, next) <= TIMEOUT_US / 4);
            fed = next;
            assert_true(++n < 25);
        }
        next = mono_add_us(fed, TIMEOUT_US);
        assert_false(mono_before(until, next));
        assert_true(mono_us_between(next, until) <= 2 * FEED_SLACK_US);
    }
}

/* Asked late, as by a worker that had no processor: what may not be fed any
 * more is not due. */
static void
what_came_too_late_is_never_due(void **state)
{
    mono_t until = AT(5000000);
    mono_t fed = AT(5000000 - TIMEOUT_US);

    (void) state;
    assert_int_equal(feed_next(fed, TIMEOUT_US, until).us, MONO_NEVER.us);
    assert_int_equal(feed_next(fed, TIMEOUT_US, MONO_MIN).us, MONO_NEVER.us);
}

static void
without_an_end_it_is_fed_for_ever(void **state)
{
    mono_t next = feed_next(AT(7), TIMEOUT_US, MONO_NEVER);

    (void) state;
    assert_true(next.us > 7 && next.us <= 7 + TIMEOUT_US / 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_bites_within_the_lease),
        cmocka_unit_test(an_ending_lease_is_used_up),
        cmocka_unit_test(what_came_too_late_is_never_due),
        cmocka_unit_test(without_an_end_it_is_fed_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
