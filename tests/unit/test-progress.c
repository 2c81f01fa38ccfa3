/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS 1000
#define LOOK_MS 250

static const struct progress_limits limits = {
    .stopped_us = 500 * MS,
    .idle_us = 2000 * MS,
    .busy_us = 60000 * MS,
};

static struct progress p;
static struct child_stat st;
static int64_t file_bytes;
static mono_t now;

static int
setup(void **state)
{
    (void) state;
    now = (mono_t){ 5000000 };
    st = (struct child_stat){ .state = CHILD_RUNNING };
    file_bytes = 0;
    progress_start(&p, now);
    return 0;
}

static enum progress_verdict
look(int ms)
{
    now = mono_add_ms(now, ms);
    return progress_observe(&p, &limits, &st, file_bytes, now);
}

/* Looks for 'ms', and returns how long it took until the verdict was HUNG, or
 * -1. */
static int
hung_after(int ms)
{
    for (int passed = LOOK_MS; passed <= ms; passed += LOOK_MS) {
        if (look(LOOK_MS) == PROGRESS_HUNG) {
            return passed;
        }
    }
    return -1;
}

static void
who_answers_is_fine(void **state)
{
    (void) state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(look(LOOK_MS), PROGRESS_FINE);
        progress_answer(&p, now);
    }
}

static void
silent_and_idle_is_hung(void **state)
{
    int ms;

    (void) state;
    ms = hung_after(10000);
    assert_in_range(ms, 2000, 2500);
}

static void
processor_time_is_progress(void **state)
{
    (void) state;
    for (int i = 0; i < 40; i++) {
        st.cpu_ticks++;
        assert_int_not_equal(look(LOOK_MS), PROGRESS_HUNG);
    }
    assert_int_equal(look(LOOK_MS), PROGRESS_BUSY);
    assert_in_range(hung_after(10000), 1750, 2500);
}

static void
a_growing_file_is_progress(void **state)
{
    (void) state;
    for (int i = 0; i < 40; i++) {
        file_bytes += 10;
        assert_int_not_equal(look(LOOK_MS), PROGRESS_HUNG);
    }
}

static void
work_without_answer_has_a_limit(void **state)
{
    (void) state;
    for (int ms = 0; ms < 59000; ms += LOOK_MS) {
        st.cpu_ticks++;
        assert_int_not_equal(look(LOOK_MS), PROGRESS_HUNG);
    }
    for (int i = 0; i < 8; i++) {
        st.cpu_ticks++;
        look(LOOK_MS);
    }
    assert_int_equal(look(LOOK_MS), PROGRESS_HUNG);
}

/* To kill it would not make the disk faster. */
static void
who_waits_for_the_disk_is_busy(void **state)
{
    (void) state;
    st.state = CHILD_BLOCKED;
    assert_int_equal(hung_after(10000), -1);
}

static void
a_stopped_one_gets_less_time(void **state)
{
    (void) state;
    progress_answer(&p, now);
    st.state = CHILD_STOPPED;
    assert_in_range(hung_after(10000), 500, 1000);
}

static void
a_short_stop_is_forgiven(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        st.state = i % 2 ? CHILD_RUNNING : CHILD_STOPPED;
        progress_answer(&p, now);
        assert_int_equal(look(LOOK_MS), PROGRESS_FINE);
    }
}

/* If this process slept, the other one is not to blame. */
static void
who_was_not_watched_is_not_blamed(void **state)
{
    (void) state;
    assert_int_equal(look(LOOK_MS), PROGRESS_FINE);
    assert_int_equal(look(60000), PROGRESS_FINE);
    st.state = CHILD_STOPPED;
    assert_int_equal(look(LOOK_MS), PROGRESS_FINE);
    assert_int_equal(look(60000), PROGRESS_FINE);
    assert_in_range(hung_after(10000), LOOK_MS, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_answers_is_fine, setup),
        cmocka_unit_test_setup(silent_and_idle_is_hung, setup),
        cmocka_unit_test_setup(processor_time_is_progress, setup),
        cmocka_unit_test_setup(a_growing_file_is_progress, setup),
        cmocka_unit_test_setup(work_without_answer_has_a_limit, setup),
        cmocka_unit_test_setup(who_waits_for_the_disk_is_busy, setup),
        cmocka_unit_test_setup(a_stopped_one_gets_less_time, setup),
        cmocka_unit_test_setup(a_short_stop_is_forgiven, setup),
        cmocka_unit_test_setup(who_was_not_watched_is_not_blamed, setup),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
