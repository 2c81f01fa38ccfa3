/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/hook.h"

#include <fcntl.h>
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

#include "ha/ev.h"
#include "lib/child.h"
#include "lib/durable.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define LONG_MS 60000 /* Nothing here takes that long. */

static char dir[] = "/tmp/test-hook.XXXXXX";
static char program[64], log_file[64], out[64];
static struct ev_loop *loop;
static struct ev_timer *step;
static struct settings settings;
static struct hook *hook;

static void
on_step(void *aux)
{
    (void) aux;
    ev_loop_stop(loop);
}

/* Has the program run 'script', whose output goes into 'out'. */
static void
begin(const char *script, int timeout_ms)
{
    FILE *f = fopen(program, "w");

    fprintf(f, "#!/bin/sh\nexec >> %s\n%s\n", out, script);
    fclose(f);
    chmod(program, 0755);
    unlink(out);
    settings.conf->events_timeout_ms = timeout_ms;
    hook = hook_create(loop, &settings);
}

static void
add(int n)
{
    hook_add(hook, json_pack("{s:i}", "n", n));
}

static int
count(const char *name)
{
    json_t *status = hook_status(hook);
    int n = (int) json_integer_value(json_object_get(status, name));

    json_decref(status);
    return n;
}

/* Whether the error has 'text' in it; NULL: there is none. */
static bool
error_has(const char *text)
{
    json_t *status = hook_status(hook);
    const char *error = json_string_value(json_object_get(status, "error"));
    bool has = text ? error && strstr(error, text) : !error;

    json_decref(status);
    return has;
}

/* Lets the loop run until the counters add up to 'n'. */
static void
run_until(int n)
{
    mono_t deadline = mono_add_ms(mono_now(), LONG_MS);

    while (count("told") + count("failed") < n) {
        assert_true(mono_before(mono_now(), deadline));
        ev_timer_set_ms(step, 5);
        ev_loop_run(loop);
    }
}

/* What the program wrote; waits for something. */
static char *
written(void)
{
    mono_t deadline = mono_add_ms(mono_now(), LONG_MS);
    char *text = NULL;
    size_t n = 0;

    while (durable_read(out, 1 << 20, &text, &n) || !n) {
        assert_true(mono_before(mono_now(), deadline));
        free(text);
        text = NULL;
        ev_timer_set_ms(step, 5);
        ev_loop_run(loop);
    }
    return text;
}

/* Waits until the process that the program named is dead. */
static void
assert_dies(void)
{
    mono_t deadline = mono_add_ms(mono_now(), LONG_MS);
    char *text = written();
    struct child_stat st;
    pid_t pid = atoi(text);

    assert_true(pid > 1);
    while (!child_read_stat(pid, &st) && st.state != CHILD_DEAD) {
        assert_true(mono_before(mono_now(), deadline));
        usleep(1000);
    }
    free(text);
}

static int
setup(void **state)
{
    char *error;

    (void) state;
    if (!mkdtemp(dir) || conf_load(NULL, false, &settings.conf, &error)) {
        return -1;
    }
    ha_log_to_stderr(false);
    snprintf(program, sizeof program, "%s/hook", dir);
    snprintf(log_file, sizeof log_file, "%s/log", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    free(settings.conf->events_program);
    settings.conf->events_program = ha_strdup(program);
    settings.worker_log = log_file;
    loop = ev_loop_create();
    step = ev_timer_create(loop, on_step, NULL);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    ev_timer_destroy(step);
    ev_loop_destroy(loop);
    conf_destroy(settings.conf);
    unlink(program);
    unlink(log_file);
    unlink(out);
    return rmdir(dir);
}

static int
end(void **state)
{
    (void) state;
    hook_destroy(hook);
    hook = NULL;
    return 0;
}

/* One event each, in order, and one process at a time. */
static void
each_event_is_told(void **state)
{
    char *text;

    (void) state;
    begin("printf '<'; cat; sleep 0.05; printf '>'", LONG_MS);
    for (int i = 1; i <= 3; i++) {
        add(i);
    }
    run_until(3);
    text = written();
    assert_string_equal(text, "<{\"n\":1,\"dropped\":0}\n>"
                              "<{\"n\":2,\"dropped\":0}\n>"
                              "<{\"n\":3,\"dropped\":0}\n>");
    assert_int_equal(count("told"), 3);
    assert_true(error_has(NULL));
    free(text);
}

static void
what_hangs_is_killed_with_its_children(void **state)
{
    (void) state;
    begin("sleep 1000 & echo $!; wait", 500);
    add(1);
    run_until(1);
    assert_int_equal(count("failed"), 1);
    assert_true(error_has("longer than 500 ms"));
    assert_dies();
}

static void
what_stays_behind_is_killed(void **state)
{
    (void) state;
    begin("sleep 1000 & echo $!", LONG_MS);
    add(1);
    run_until(1);
    assert_int_equal(count("told"), 1);
    assert_dies();
}

static void
failure_is_said_until_one_succeeds(void **state)
{
    (void) state;
    begin("grep -q 1, && exit 3; true", LONG_MS);
    add(1);
    run_until(1);
    assert_true(error_has("exit status 3"));
    add(2);
    run_until(2);
    assert_int_equal(count("told"), 1);
    assert_true(error_has(NULL));
}

static void
a_missing_program_is_said(void **state)
{
    (void) state;
    begin("", LONG_MS);
    unlink(program);
    add(1);
    run_until(1);
    assert_int_equal(count("failed"), 1);
    assert_true(error_has("it is missing"));
}

/* The newest stay; how many did not is counted, and told with each. */
static void
a_flood_is_bounded(void **state)
{
    char *text, last[64], go[80];

    (void) state;
    snprintf(go, sizeof go, "%s.go", program);
    /* The first one lasts until all others wait. */
    begin("read line; case $line in *:0,*) echo 0; until [ -e $0.go ]; do "
          "sleep 0.01; done;; *) echo $line;; esac",
          LONG_MS);
    add(0);
    free(written());
    for (int i = 1; i <= 1000; i++) {
        add(i);
    }
    assert_int_equal(count("waiting"), HOOK_QUEUE);
    assert_int_equal(count("dropped"), 1000 - HOOK_QUEUE);
    assert_true(error_has("936 events were dropped"));
    close(creat(go, 0600));
    run_until(HOOK_QUEUE + 1);
    unlink(go);
    assert_true(error_has(NULL));
    text = written();
    snprintf(last, sizeof last, "{\"n\":1000,\"dropped\":%d}\n",
             1000 - HOOK_QUEUE);
    assert_string_equal(text + strlen(text) - strlen(last), last);
    free(text);
}

static void
the_end_waits_for_nobody(void **state)
{
    (void) state;
    begin("echo $$; sleep 1000", LONG_MS);
    add(1);
    add(2);
    free(written());
    hook_destroy(hook);
    hook = NULL;
    assert_dies();
}

static void
without_a_program(void **state)
{
    struct settings none = { .conf = settings.conf };
    char *was = settings.conf->events_program;
    json_t *status;

    (void) state;
    settings.conf->events_program = (char *) "";
    hook = hook_create(loop, &none);
    settings.conf->events_program = was;
    assert_null(hook);
    add(1);
    status = hook_status(hook);
    assert_true(json_is_null(status));
    json_decref(status);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_event_is_told, end),
        cmocka_unit_test_teardown(what_hangs_is_killed_with_its_children, end),
        cmocka_unit_test_teardown(what_stays_behind_is_killed, end),
        cmocka_unit_test_teardown(failure_is_said_until_one_succeeds, end),
        cmocka_unit_test_teardown(a_missing_program_is_said, end),
        cmocka_unit_test_teardown(a_flood_is_bounded, end),
        cmocka_unit_test_teardown(the_end_waits_for_nobody, end),
        cmocka_unit_test_teardown(without_a_program, end),
    };

    return cmocka_run_group_tests_name("hook", tests, setup, teardown);
}
