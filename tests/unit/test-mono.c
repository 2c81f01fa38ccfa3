/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/mono.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

static void
clock_does_not_go_back(void **state)
{
    mono_t a = mono_now();

    (void) state;
    assert_true(a.us > 0);
    for (int i = 0; i < 1000; i++) {
        mono_t b = mono_now();

        assert_false(mono_before(b, a));
        a = b;
    }
}

static void
clock_is_boottime(void **state)
{
    struct timespec ts;
    int64_t us;

    (void) state;
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
    us = (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    assert_in_range(mono_us_between((mono_t){ us }, mono_now()), 0, 1000000);
}

static void
sums_saturate(void **state)
{
    mono_t t = { 5000 };

    (void) state;
    assert_int_equal(mono_add_ms(t, 2).us, 7000);
    assert_int_equal(mono_add_ms(t, -10).us, -5000);
    assert_int_equal(mono_add_us(t, 1).us, 5001);
    assert_int_equal(mono_add_ms(t, INT64_MAX).us, INT64_MAX);
    assert_int_equal(mono_add_ms(t, INT64_MIN).us, INT64_MIN + 5000);
    assert_int_equal(mono_add_ms((mono_t){ -5 }, INT64_MIN).us, INT64_MIN);
    assert_int_equal(mono_add_ms(MONO_NEVER, -1).us, INT64_MAX);
    assert_int_equal(mono_add_ms(MONO_MIN, 1).us, INT64_MIN);
}

static void
order(void **state)
{
    mono_t a = { 1 }, b = { 2 };

    (void) state;
    assert_true(mono_before(a, b));
    assert_false(mono_before(a, a));
    assert_false(mono_before(b, a));
    assert_true(mono_before(b, MONO_NEVER));
    assert_true(mono_before(MONO_MIN, a));
    assert_int_equal(mono_min(a, b).us, 1);
    assert_int_equal(mono_max(a, b).us, 2);
}

static void
waits_round_up(void **state)
{
    mono_t now = { 1000000 };

    (void) state;
    assert_int_equal(mono_ms_until(now, now), 0);
    assert_int_equal(mono_ms_until(now, (mono_t){ 999000 }), 0);
    assert_int_equal(mono_ms_until(now, (mono_t){ 1000001 }), 1);
    assert_int_equal(mono_ms_until(now, (mono_t){ 1001000 }), 1);
    assert_int_equal(mono_ms_until(now, (mono_t){ 1001001 }), 2);
    assert_int_equal(mono_ms_until(now, MONO_NEVER), -1);
    assert_int_equal(mono_ms_until(now, (mono_t){ INT64_MAX - 1 }), INT32_MAX);
    assert_int_equal(mono_us_between(MONO_MIN, MONO_NEVER), INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_does_not_go_back),
        cmocka_unit_test(clock_is_boottime),
        cmocka_unit_test(sums_saturate),
        cmocka_unit_test(order),
        cmocka_unit_test(waits_round_up),
    };

    return cmocka_run_group_tests_name("mono", tests, NULL, NULL);
}
