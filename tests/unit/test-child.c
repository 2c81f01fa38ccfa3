/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/durable.h"

#define DEADLINE_MS 10000

static char dir[] = "/tmp/test-child.XXXXXX";
static char log_path[64], pidfile[64];

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(log_path, sizeof log_path, "%s/log", dir);
    snprintf(pidfile, sizeof pidfile, "%s/pid", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    unlink(log_path);
    unlink(pidfile);
    return rmdir(dir);
}

static mono_t
deadline(void)
{
    return mono_add_ms(mono_now(), DEADLINE_MS);
}

/* Higher than it may be: everybody may do that. */
static void
oom_score(int score)
{
    FILE *f = fopen("/proc/self/oom_score_adj", "w");

    assert_non_null(f);
    fprintf(f, "%d", score);
    assert_int_equal(fclose(f), 0);
}

static struct child
spawn_shell(const char *script, const struct child_fd *fds, size_t n_fds)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    const char *const env[] = { "GREETING=hello", NULL };
    struct child_spec spec = {
        .argv = argv,
        .env = env,
        .fds = fds,
        .n_fds = n_fds,
        .log_path = log_path,
        .reset_priority = true,
    };
    struct child child = CHILD_NONE;

    unlink(log_path);
    assert_int_equal(child_spawn(&spec, &child), 0);
    assert_true(child.pid > 0);
    assert_true(child.pidfd >= 0);
    assert_true(fcntl(child.pidfd, F_GETFD) & FD_CLOEXEC);
    return child;
}

static void
assert_ends(struct child *child, int want_status)
{
    int status;

    assert_int_equal(child_wait(child, deadline(), &status), 0);
    assert_int_equal(status, want_status);
    child_close(child);
    assert_int_equal(child->pidfd, -1);
}

static void
assert_log(const char *want)
{
    char *text;
    size_t n;

    assert_int_equal(durable_read(log_path, 10000, &text, &n), 0);
    assert_string_equal(text, want);
    free(text);
}

static void
wait_for_state(pid_t pid, enum child_state want)
{
    mono_t end = deadline();
    struct child_stat st;

    do {
        assert_true(mono_before(mono_now(), end));
        sched_yield();
        assert_int_equal(child_read_stat(pid, &st), 0);
    } while (st.state != want);
}

static void
environment_output_and_status(void **state)
{
    struct child child;

    (void) state;
    child = spawn_shell("echo $GREETING; echo err >&2; cat; exit 3", NULL, 0);
    assert_ends(&child, W_EXITCODE(3, 0));
    assert_log("hello\nerr\n");
}

/* A lock goes over to the child and stays with what it executes. */
static void
lock(void **state)
{
    const char *const argv[] = { "/bin/sleep", "1000", NULL };
    struct flock query = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct flock hold = query, want;
    struct child_spec spec = { .argv = argv, .log_path = log_path };
    int fd = open(pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    mono_t end = deadline();
    struct child_stat st;
    struct child child;
    int status;

    (void) state;
    assert_true(fd > 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &hold), 0);
    spec.lock_fd = fd;
    assert_int_equal(child_spawn(&spec, &child), 0);
    close(fd);

    fd = open(pidfile, O_RDWR | O_CLOEXEC);
    do { /* Until exec() has happened. */
        assert_true(mono_before(mono_now(), end));
        assert_int_equal(child_read_stat(child.pid, &st), 0);
        want = query;
        assert_int_equal(fcntl(fd, F_GETLK, &want), 0);
    } while (strcmp(st.comm, "sleep") || want.l_type == F_UNLCK);
    assert_int_equal(want.l_pid, child.pid);

    assert_int_equal(child_signal(&child, SIGKILL), 0);
    assert_int_equal(child_wait(&child, deadline(), &status), 0);
    child_close(&child);
    assert_int_equal(fcntl(fd, F_SETLK, &query), 0);
    close(fd);
}

/* A child that waits for a disk, here for a reader of its log, holds nothing of
 * ours: neither before it executes its program nor after. */
static void
waiting_for_the_disk(void **state)
{
    const char *const argv[] = { "/bin/true", NULL };
    struct child_spec spec = { .argv = argv, .log_path = log_path };
    struct pollfd pfd = { .events = POLLIN };
    struct child child;
    int fds[2], reader, closed;
    char byte;

    (void) state;
    unlink(log_path);
    assert_int_equal(mkfifo(log_path, 0600), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(child_spawn(&spec, &child), 0);
    close(fds[1]);
    pfd.fd = fds[0];
    closed = poll(&pfd, 1, DEADLINE_MS);
    assert_int_equal(child_signal(&child, 0), 0);
    reader = open(log_path, O_RDONLY | O_CLOEXEC);
    assert_ends(&child, W_EXITCODE(0, 0));
    close(reader);
    assert_int_equal(closed, 1);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    unlink(log_path);
}

/* What systemd tells a service is for the service alone. */
static void
systemd_and_memory(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c",
                                 "echo ${NOTIFY_SOCKET-unset} $HOME;"
                                 "cat /proc/self/oom_score_adj",
                                 NULL };
    struct child_spec spec = { .argv = argv, .log_path = log_path };
    struct child child;

    (void) state;
    setenv("NOTIFY_SOCKET", "/run/x", 1);
    setenv("HOME", "/home", 1);
    oom_score(5);
    for (int i = 0; i < 2; i++) {
        spec.reset_oom = i;
        unlink(log_path);
        assert_int_equal(child_spawn(&spec, &child), 0);
        assert_ends(&child, W_EXITCODE(0, 0));
        assert_log(i ? "unset /home\n0\n" : "unset /home\n5\n");
    }
}

static void
missing_program(void **state)
{
    const char *const argv[] = { "/nonexistent/program", NULL };
    struct child_spec spec = { .argv = argv, .log_path = log_path };
    struct child child;

    (void) state;
    unlink(log_path);
    assert_int_equal(child_spawn(&spec, &child), 0);
    assert_ends(&child, W_EXITCODE(CHILD_EXEC_FAILED, 0));
    assert_log("child: cannot run /nonexistent/program: "
               "No such file or directory\n");
}

/* Descriptors are inherited only if named, even those without CLOEXEC, and
 * may swap numbers. */
static void
descriptors(void **state)
{
    struct child_fd fds[2];
    int a[2], b[2], stray;
    struct child child;
    char script[200];
    char buf[10];

    (void) state;
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    stray = dup(a[1]);
    assert_true(stray >= 3);
    fds[0] = (struct child_fd){ a[1], b[1] };
    fds[1] = (struct child_fd){ b[1], a[1] };
    snprintf(script, sizeof script,
             "echo A >/dev/fd/%d; echo B >/dev/fd/%d; test ! -e /dev/fd/%d",
             b[1], a[1], stray);
    child = spawn_shell(script, fds, 2);
    assert_ends(&child, 0);
    assert_log("");
    assert_int_equal(read(a[0], buf, sizeof buf), 2);
    assert_memory_equal(buf, "A\n", 2);
    assert_int_equal(read(b[0], buf, sizeof buf), 2);
    assert_memory_equal(buf, "B\n", 2);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
    close(stray);
}

static void
signals_are_default_in_the_child(void **state)
{
    struct child child;
    sigset_t set, old;

    (void) state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &old);
    signal(SIGPIPE, SIG_IGN);
    child = spawn_shell("kill -PIPE $$; kill -TERM $$; exit 9", NULL, 0);
    assert_ends(&child, W_EXITCODE(0, SIGPIPE));
    child = spawn_shell("kill -TERM $$; exit 9", NULL, 0);
    assert_ends(&child, W_EXITCODE(0, SIGTERM));
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, SIG_DFL);
}

static void
states(void **state)
{
    struct child child = spawn_shell("while :; do :; done", NULL, 0);
    mono_t end = deadline();
    struct child_stat st;
    int status;

    (void) state;
    assert_int_equal(child_reap(&child, &status), -EAGAIN);
    do { /* It consumes CPU. */
        assert_true(mono_before(mono_now(), end));
        assert_int_equal(child_read_stat(child.pid, &st), 0);
    } while (st.cpu_ticks < 2);
    assert_int_equal(st.ppid, getpid());
    assert_int_equal(st.start_ticks, child.start_ticks);
    assert_string_equal(st.comm, "sh");
    assert_int_equal(child_signal(&child, SIGSTOP), 0);
    wait_for_state(child.pid, CHILD_STOPPED);
    assert_int_equal(child_signal(&child, SIGCONT), 0);
    wait_for_state(child.pid, CHILD_RUNNING);
    assert_int_equal(child_wait(&child, mono_now(), &status), -EAGAIN);
    assert_int_equal(child_signal(&child, SIGKILL), 0);
    wait_for_state(child.pid, CHILD_DEAD);
    assert_int_equal(child_reap(&child, &status), 0);
    assert_int_equal(status, W_EXITCODE(0, SIGKILL));
    assert_int_equal(child_signal(&child, SIGTERM), -ESRCH);
    assert_int_equal(child_read_stat(child.pid, &st), -ESRCH);
    child_close(&child);
}

static void
write_pidfile(const char *text)
{
    assert_int_equal(durable_write(pidfile, text, strlen(text), 0600), 0);
}

static void
adopt(void **state)
{
    struct child child = spawn_shell("read x </dev/zero", NULL, 0);
    struct child again = CHILD_NONE, other = CHILD_NONE;
    struct child_stat st;
    mono_t end = deadline();
    char text[20];
    int status;

    (void) state;
    do { /* Until exec() has happened. */
        assert_true(mono_before(mono_now(), end));
        assert_int_equal(child_read_stat(child.pid, &st), 0);
    } while (strcmp(st.comm, "sh"));
    snprintf(text, sizeof text, "%d\n", (int) child.pid);
    write_pidfile(text);
    assert_int_equal(child_adopt_pidfile(pidfile, "sh", &again), 0);
    assert_int_equal(again.pid, child.pid);
    assert_int_equal(again.start_ticks, child.start_ticks);
    assert_int_equal(child_adopt_pidfile(pidfile, "bash", &other), -ESRCH);
    assert_int_equal(
        child_adopt(child.pid, "sh", child.start_ticks + 1, &other), -ESRCH);
    assert_int_equal(child_adopt(child.pid, "sh", child.start_ticks, &other),
                     0);
    child_close(&other);
    assert_int_equal(child_signal(&again, SIGKILL), 0);
    wait_for_state(child.pid, CHILD_DEAD);
    assert_int_equal(child_adopt_pidfile(pidfile, "sh", &other), -ESRCH);
    assert_int_equal(child_wait(&child, deadline(), &status), 0);
    assert_int_equal(child_adopt_pidfile(pidfile, "sh", &other), -ESRCH);
    assert_int_equal(other.pidfd, -1);
    child_close(&again);
    child_close(&child);
}

static void
bad_pidfiles(void **state)
{
    static const char *const bad[] = {
        "", "x", "-1", "0", "12x", "99999999999999999999", "4294967297"
    };
    struct child child;

    (void) state;
    unlink(pidfile);
    assert_int_equal(child_adopt_pidfile(pidfile, "sh", &child), -ENOENT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_pidfile(bad[i]);
        assert_int_equal(child_adopt_pidfile(pidfile, "sh", &child), -EINVAL);
    }
    assert_int_equal(child_adopt(0, "sh", 0, &child), -ESRCH);
    assert_int_equal(child_adopt(-1, "sh", 0, &child), -ESRCH);
}

/* The death of a process that is not our child is seen too. */
static void
adopted_from_elsewhere(void **state)
{
    struct child shell = spawn_shell("sleep 1000 & echo $!", NULL, 0);
    struct child orphan = CHILD_NONE;
    mono_t end = deadline();
    char *text;
    int status, error;
    size_t n;

    (void) state;
    assert_ends(&shell, 0);
    assert_int_equal(durable_read(log_path, 100, &text, &n), 0);
    do { /* Until exec() has happened. */
        assert_true(mono_before(mono_now(), end));
        error = child_adopt(atoi(text), "sleep", 0, &orphan);
    } while (error == -ESRCH);
    assert_int_equal(error, 0);
    free(text);
    assert_int_equal(child_reap(&orphan, &status), -EAGAIN);
    assert_int_equal(child_signal(&orphan, SIGTERM), 0);
    assert_int_equal(child_wait(&orphan, deadline(), &status), 0);
    assert_int_equal(status, -1);
    child_close(&orphan);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_output_and_status),
        cmocka_unit_test(lock),
        cmocka_unit_test(waiting_for_the_disk),
        cmocka_unit_test(systemd_and_memory),
        cmocka_unit_test(missing_program),
        cmocka_unit_test(descriptors),
        cmocka_unit_test(signals_are_default_in_the_child),
        cmocka_unit_test(states),
        cmocka_unit_test(adopt),
        cmocka_unit_test(bad_pidfiles),
        cmocka_unit_test(adopted_from_elsewhere),
    };

    return cmocka_run_group_tests_name("child", tests, setup, teardown);
}
