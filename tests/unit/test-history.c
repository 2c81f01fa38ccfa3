/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test-history.XXXXXX";
static char path[64], old_path[64];
static struct history *h;

static int
setup(void **state)
{
    (void) state;
    strcpy(dir, "/tmp/test-history.XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/history.log", dir);
    snprintf(old_path, sizeof old_path, "%s/history.log.1", dir);
    return history_open(dir, &h);
}

static int
teardown(void **state)
{
    (void) state;
    history_close(h);
    unlink(path);
    unlink(old_path);
    return rmdir(dir);
}

static void
add(int i)
{
    char text[32];

    snprintf(text, sizeof text, "step %d", i);
    history_add(h, (struct ha_epoch){ 3, 1 }, HA_STANDBY, text);
}

static size_t
count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

static void
empty(void **state)
{
    char *tail = history_tail(h, 10);

    (void) state;
    assert_string_equal(tail, "");
    free(tail);
}

static void
the_last_lines_oldest_first(void **state)
{
    char *tail;

    (void) state;
    for (int i = 0; i < 20; i++) {
        add(i);
    }
    tail = history_tail(h, 2);
    assert_int_equal(count_lines(tail), 2);
    assert_non_null(strstr(tail, "Z|3.1|standby|step 18\n"));
    assert_true(strstr(tail, "step 18") < strstr(tail, "step 19"));
    free(tail);
    tail = history_tail(h, 100);
    assert_int_equal(count_lines(tail), 20);
    free(tail);
}

static void
survives_a_new_life(void **state)
{
    char *tail;

    (void) state;
    add(1);
    history_close(h);
    assert_int_equal(history_open(dir, &h), 0);
    add(2);
    tail = history_tail(h, 10);
    assert_int_equal(count_lines(tail), 2);
    free(tail);
}

static void
the_file_is_bounded(void **state)
{
    struct stat st;
    char *tail;

    (void) state;
    for (int i = 0; i < 60000; i++) {
        add(i);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, 1100000);
    assert_int_equal(stat(old_path, &st), 0);
    assert_in_range(st.st_size, 1, 1100000);
    /* The tail reaches back into the old file. */
    tail = history_tail(h, 25000);
    assert_int_equal(count_lines(tail), 25000);
    assert_non_null(strstr(tail, "|step 59999\n"));
    assert_non_null(strstr(tail, "|step 35000\n"));
    free(tail);
}

static const char *
text_at(const json_t *events, size_t i)
{
    return json_string_value(
        json_object_get(json_array_get(events, i), "text"));
}

/* Those from before the file became history.log.1, and from before the start,
 * are among them. */
static void
recent_events(void **state)
{
    const json_t *event;
    json_t *events = history_recent(h);

    (void) state;
    assert_int_equal(json_array_size(events), 0);
    json_decref(events);
    for (int i = 0; i < HISTORY_RECENT + 5; i++) {
        add(i);
    }
    for (int life = 0; life < 2; life++) {
        events = history_recent(h);
        assert_int_equal(json_array_size(events), HISTORY_RECENT);
        assert_string_equal(text_at(events, 0), "step 5");
        assert_string_equal(text_at(events, HISTORY_RECENT - 1), "step 204");
        event = json_array_get(events, 0);
        assert_string_equal(json_string_value(json_object_get(event, "epoch")),
                            "3.1");
        assert_string_equal(json_string_value(json_object_get(event, "state")),
                            "standby");
        json_decref(events);
        history_close(h);
        assert_int_equal(history_open(dir, &h), 0);
    }
    history_add(h, (struct ha_epoch){ 3, 1 }, HA_STANDBY, "a|b");
    events = history_recent(h);
    assert_string_equal(text_at(events, HISTORY_RECENT - 1), "a|b");
    json_decref(events);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_lines_oldest_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(survives_a_new_life, setup, teardown),
        cmocka_unit_test_setup_teardown(the_file_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(recent_events, setup, teardown),
    };

    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
