/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/agent.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/durable.h"

#define LONG_US INT64_C(60000000)

static char dir[] = "/tmp/test-agent.XXXXXX";
static char script[64], secret[64], note[64];
static struct agent agent;
static char why[160];

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(script, sizeof script, "%s/agent", dir);
    snprintf(secret, sizeof secret, "%s/secret", dir);
    snprintf(note, sizeof note, "%s/note", dir);
    agent_init(&agent);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    agent_close(&agent);
    unlink(script);
    unlink(secret);
    unlink(note);
    return rmdir(dir);
}

static void
write_script(const char *body)
{
    char text[1024];

    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
    assert_int_equal(durable_write(script, text, strlen(text), 0700), 0);
}

static int
start(const char *body, const char *params, int64_t timeout_us)
{
    write_script(body);
    return agent_start(&agent, script, FENCING_OFF, params, timeout_us,
                       mono_now(), why, sizeof why);
}

/* Polls until it ends. */
static int
finish(void)
{
    mono_t deadline = mono_add_ms(mono_now(), 60000);
    int result;

    while ((result = agent_run(&agent, mono_now())) == -EAGAIN) {
        struct pollfd pfds[2];

        assert_true(mono_before(mono_now(), deadline));
        poll(pfds, agent_poll(&agent, pfds),
             mono_ms_until(mono_now(), mono_min(agent_due(&agent), deadline)));
    }
    assert_false(agent_runs(&agent));
    return result;
}

static void
options_on_standard_input(void **state)
{
    char params[160];

    (void) state;
    assert_int_equal(durable_write(secret, "s3cr=et\nmore\n", 13, 0600), 0);
    snprintf(params, sizeof params, "ip=1.2.3.4\n@password=%s\nlanplus=1\n",
             secret);
    assert_int_equal(
        start("cat; echo \"args $#\" >&2; exit 2", params, LONG_US), 0);
    assert_int_equal(finish(), 2);
    assert_string_equal(agent.text, "action=off\nip=1.2.3.4\n"
                                    "password=s3cr=et\nlanplus=1\nargs 0\n");
    agent_last_line(&agent, why, sizeof why);
    assert_string_equal(why, "args 0");
}

static void
secrets_are_guarded(void **state)
{
    char params[128], want[160];

    (void) state;
    snprintf(params, sizeof params, "@password=%s\n", secret);
    assert_int_equal(durable_write(secret, "x\n", 2, 0600), 0);
    assert_int_equal(chmod(secret, 0640), 0);
    assert_int_equal(start("exit 0", params, LONG_US), -EACCES);
    snprintf(want, sizeof want,
             "%s: not a file that only its owner can read: chmod 0600",
             secret);
    assert_string_equal(why, want);
    assert_false(agent_runs(&agent));

    unlink(secret);
    assert_int_equal(start("exit 0", params, LONG_US), -EACCES);
    snprintf(want, sizeof want, "%s: No such file or directory", secret);
    assert_string_equal(why, want);
}

static void
output_is_bounded(void **state)
{
    (void) state;
    assert_int_equal(
        start("head -c 1000000 /dev/zero | tr '\\0' x", "", LONG_US), 0);
    assert_int_equal(finish(), 0);
    assert_int_equal(agent.n, AGENT_OUTPUT_MAX);
    assert_int_equal(strlen(agent.text), AGENT_OUTPUT_MAX);
}

/* One that talks for ever is ended like one that hangs. */
static void
talker(void **state)
{
    (void) state;
    assert_int_equal(start("yes", "", 300000), 0);
    assert_int_equal(finish(), -ETIMEDOUT);
}

static pid_t
noted_pid(void)
{
    char *text;
    size_t n;
    pid_t pid;

    assert_int_equal(durable_read(note, 64, &text, &n), 0);
    pid = atoi(text);
    free(text);
    assert_true(pid > 1);
    return pid;
}

static void
assert_dies(pid_t pid)
{
    mono_t deadline = mono_add_ms(mono_now(), 30000);
    struct child_stat st;

    while (!child_read_stat(pid, &st) && st.state != CHILD_DEAD) {
        assert_true(mono_before(mono_now(), deadline));
        usleep(2000);
    }
}

static void
killed_with_its_children(void **state)
{
    char body[256];

    (void) state;
    snprintf(body, sizeof body,
             "trap '' TERM\nsleep 1000 &\necho $! >%s\nwait", note);
    assert_int_equal(start(body, "", 1000000), 0);
    assert_int_equal(finish(), -ETIMEDOUT);
    assert_dies(noted_pid());
}

/* Children that it leaves behind end with it, and their hold on the pipe
 * keeps nobody waiting. */
static void
leaves_nobody_behind(void **state)
{
    char body[256];

    (void) state;
    snprintf(body, sizeof body, "sleep 1000 &\necho $! >%s\nexit 0", note);
    assert_int_equal(start(body, "", LONG_US), 0);
    assert_int_equal(finish(), 0);
    assert_dies(noted_pid());
}

/* Nor do those stay that left its session, nor what these had begun. */
static void
leaves_its_session(void **state)
{
    mono_t deadline = mono_add_ms(mono_now(), 30000);
    char body[256];

    (void) state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(body, sizeof body,
             "setsid sh -c 'setsid sleep 1000 & echo $! >%s; wait' &\n"
             "until [ -s %s ]; do sleep 0.01; done; wait",
             note, note);
    unlink(note);
    assert_int_equal(start(body, "", 1000000), 0);
    assert_int_equal(finish(), -ETIMEDOUT);
    while (agent_end_orphans()) {
        assert_true(mono_before(mono_now(), deadline));
        usleep(2000);
    }
    assert_dies(noted_pid());
}

static void
no_such_agent(void **state)
{
    (void) state;
    assert_int_equal(agent_start(&agent, "/nonexistent/fence_x", FENCING_OFF,
                                 "", LONG_US, mono_now(), why, sizeof why),
                     0);
    assert_int_equal(finish(), CHILD_EXEC_FAILED);
    agent_last_line(&agent, why, sizeof why);
    assert_string_equal(why, "child: cannot run /nonexistent/fence_x: No such "
                             "file or directory");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_on_standard_input),
        cmocka_unit_test(secrets_are_guarded),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(talker),
        cmocka_unit_test(killed_with_its_children),
        cmocka_unit_test(leaves_nobody_behind),
        cmocka_unit_test(leaves_its_session),
        cmocka_unit_test(no_such_agent),
    };

    return cmocka_run_group_tests_name("agent", tests, setup, teardown);
}
