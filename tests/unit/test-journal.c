/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ha/core/trace.h"
#include "lib/durable.h"

#define MAX (17 * 1024 * 1024)

static const struct ha_config config = {
    .self = 1,
    .nodes = { 1, { 1 } },
    .lease_us = 1000000,
};

static char dir[32], path[64], old_path[64];
static struct journal *j;
static struct ha_core core;

static int
setup(void **state)
{
    (void) state;
    strcpy(dir, "/tmp/test-journal.XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/journal", dir);
    snprintf(old_path, sizeof old_path, "%s/journal.1", dir);
    ha_core_init(&core, &config);
    j = journal_open(dir, &config);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    journal_close(j);
    unlink(path);
    unlink(old_path);
    return rmdir(dir);
}

static void
tick(mono_t now, const char *text)
{
    struct ha_event ev = { .type = HA_EV_TICK, .now = now };
    static struct ha_actions actions;

    snprintf(actions.tell, sizeof actions.tell, "%s", text);
    journal_step(j, &core, &ev, &actions);
}

/* What the file 'name' holds: "L" for a life, "I" for an image, "s" for a
 * step; the last telling is in 'tell'. */
static void
read_kinds(const char *name, char *kinds, size_t size, char *tell)
{
    static struct trace_entry e;
    struct trace_state state = { 0, 0 };
    size_t n, at = 0, used, i = 0;
    char *data;

    assert_int_equal(durable_read(name, MAX, &data, &n), 0);
    tell[0] = '\0';
    while (at < n) {
        if (n - at > TRACE_MAGIC_LEN
            && !memcmp(data + at, TRACE_MAGIC, TRACE_MAGIC_LEN)) {
            at += TRACE_MAGIC_LEN;
            memset(&state, 0, sizeof state);
        }
        assert_int_equal(
            trace_get(&state, (uint8_t *) data + at, n - at, &e, &used), 0);
        at += used;
        if (i < size - 1) {
            kinds[i++] = " LIs"[e.kind];
        }
        if (e.tell[0]) {
            strcpy(tell, e.tell);
        }
    }
    kinds[i] = '\0';
    free(data);
}

static void
test_lives(void **state)
{
    char kinds[16], tell[HA_TELL_LEN];

    (void) state;
    tick((mono_t){ 1000 }, "first");
    tick((mono_t){ 2000 }, "");
    journal_close(j);
    j = journal_open(dir, &config);
    tick((mono_t){ 3000 }, "second");
    read_kinds(path, kinds, sizeof kinds, tell);
    assert_string_equal(kinds, "LssLs");
    assert_string_equal(tell, "second");
}

/* A full file gives way, and its successor can be read without it. */
static void
test_rotation(void **state)
{
    char kinds[4], tell[HA_TELL_LEN], text[HA_TELL_LEN];
    struct stat st;
    mono_t now = mono_now();

    (void) state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 50000 && stat(old_path, &st); i++) {
        /* So late that the rest after a write that was slow here is over. */
        now = mono_add_us(mono_now(), 60000000);
        tick(now, text);
    }
    assert_int_equal(stat(old_path, &st), 0);
    assert_true(st.st_size > 16 * 1024 * 1024 && st.st_size < MAX);
    tick(now, "after");
    read_kinds(path, kinds, sizeof kinds, tell);
    assert_string_equal(kinds, "Is");
    assert_string_equal(tell, "after");
}

/* A disk that takes nothing stops nobody; later the core as it is begins a
 * new segment, and nothing half written stays. */
static void
test_no_space(void **state)
{
    struct rlimit old, small;
    char kinds[16], tell[HA_TELL_LEN];
    mono_t now = mono_now();
    struct stat st;

    (void) state;
    tick(now, "before");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = old;
    small.rlim_cur = st.st_size + 3;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    tick(now, "does not fit");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    tick(now, "too soon");
    tick(mono_add_ms(mono_now(), 60000), "the image stands for it");
    tick(mono_add_ms(mono_now(), 60001), "again");
    read_kinds(path, kinds, sizeof kinds, tell);
    assert_string_equal(kinds, "LsIs");
    assert_string_equal(tell, "again");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space, setup, teardown),
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
