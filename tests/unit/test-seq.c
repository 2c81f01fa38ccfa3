/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/seq.h"

#include <errno.h>
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

static char dir[] = "/tmp/test-seq.XXXXXX";
static char path[64];

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/sock", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(dir);
}

static void
assert_flags(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void
messages_keep_their_bounds(void **state)
{
    int fds[2];
    char buf[16];

    (void) state;
    assert_int_equal(seq_pair(fds), 0);
    assert_flags(fds[0]);
    assert_flags(fds[1]);
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), -EAGAIN);
    assert_int_equal(seq_send(fds[0], "one", 3), 0);
    assert_int_equal(seq_send(fds[0], "second", 6), 0);
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), 3);
    assert_memory_equal(buf, "one", 3);
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), 6);
    assert_memory_equal(buf, "second", 6);
    close(fds[0]);
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), -EPIPE);
    assert_int_equal(seq_send(fds[1], "x", 1), -EPIPE);
    close(fds[1]);
}

static void
too_large_for_the_reader(void **state)
{
    int fds[2];
    char buf[4];

    (void) state;
    assert_int_equal(seq_pair(fds), 0);
    assert_int_equal(seq_send(fds[0], "too large", 9), 0);
    assert_int_equal(seq_send(fds[0], "next", 4), 0);
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), -EMSGSIZE);
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), 4);
    assert_memory_equal(buf, "next", 4);
    close(fds[0]);
    close(fds[1]);
}

static void
full_socket_sends_nothing(void **state)
{
    static uint8_t msg[SEQ_MSG_MAX], buf[SEQ_MSG_MAX];
    int fds[2], error, sent = 0;

    (void) state;
    assert_int_equal(seq_pair(fds), 0);
    while (!(error = seq_send(fds[0], msg, sizeof msg))) {
        sent++;
        assert_in_range(sent, 1, 10000);
    }
    assert_int_equal(error, -EAGAIN);
    for (int i = 0; i < sent; i++) {
        assert_int_equal(seq_recv(fds[1], buf, sizeof buf), sizeof msg);
    }
    assert_int_equal(seq_recv(fds[1], buf, sizeof buf), -EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

static void
listener_by_path(void **state)
{
    int listener, client, server;
    struct stat st;
    char buf[8];
    pid_t pid;
    uid_t uid;
    gid_t gid;

    (void) state;
    assert_int_equal(seq_connect(path), -ENOENT);
    listener = seq_listen(path);
    assert_true(listener >= 0);
    assert_flags(listener);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(seq_accept(listener), -EAGAIN);

    client = seq_connect(path);
    assert_true(client >= 0);
    assert_flags(client);
    server = seq_accept(listener);
    assert_true(server >= 0);
    assert_flags(server);
    assert_int_equal(seq_peer(server, &pid, &uid, &gid), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(uid, getuid());
    assert_int_equal(gid, getgid());
    assert_int_equal(seq_send(client, "hello", 5), 0);
    assert_int_equal(seq_recv(server, buf, sizeof buf), 5);
    close(client);
    close(server);

    close(listener);
    assert_int_equal(seq_connect(path), -ECONNREFUSED);
    listener = seq_listen(path);
    assert_true(listener >= 0);
    close(listener);
}

static void
bad_paths(void **state)
{
    char longer[200], file[80];
    int fd;

    (void) state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(seq_listen(longer), -ENAMETOOLONG);
    assert_int_equal(seq_connect(longer), -ENAMETOOLONG);
    assert_int_equal(seq_listen("/nonexistent/sock"), -ENOENT);

    /* A plain file is never removed. */
    snprintf(file, sizeof file, "%s/file", dir);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(seq_listen(file), -EEXIST);
    assert_int_equal(unlink(file), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_bounds),
        cmocka_unit_test(too_large_for_the_reader),
        cmocka_unit_test(full_socket_sends_nothing),
        cmocka_unit_test(listener_by_path),
        cmocka_unit_test(bad_paths),
    };

    return cmocka_run_group_tests_name("seq", tests, setup, teardown);
}
