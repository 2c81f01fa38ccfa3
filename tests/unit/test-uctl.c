/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/uctl.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unixpath.h"

static char dir[] = "/tmp/test-uctl.XXXXXX";
static char path[64];
static struct uctl_server *server;

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/ctl", dir);
    return uctl_server_create(path, &server);
}

static int
teardown(void **state)
{
    (void) state;
    uctl_server_destroy(server);
    return rmdir(dir); /* The socket must be gone. */
}

static struct uctl_conn *
accept_conn(void)
{
    struct uctl_conn *conn = NULL;

    assert_int_equal(uctl_server_accept(server, &conn), 0);
    return conn;
}

/* Steps both sides in turns until the server has a request. */
static void
pump_request(struct uctl_call *call, struct uctl_conn *conn)
{
    int error;

    do {
        assert_int_equal(uctl_call_step(call), -EAGAIN);
        error = uctl_conn_step(conn);
    } while (error == -EAGAIN);
    assert_int_equal(error, 0);
}

/* The same until the client has its reply. */
static void
pump_reply(struct uctl_call *call, struct uctl_conn *conn)
{
    int error;

    do {
        assert_int_equal(uctl_conn_step(conn), -EAGAIN);
        error = uctl_call_step(call);
    } while (error == -EAGAIN);
    assert_int_equal(error, 0);
}

static void
call_and_reply(void **state)
{
    const char *const argv[] = { "a \"b\"", "", "\xc3\xa4", NULL };
    struct uctl_call *call;
    struct uctl_conn *conn;

    (void) state;
    assert_int_equal(uctl_call_start(path, "do/it", argv, &call), 0);
    conn = accept_conn();
    assert_int_equal(uctl_conn_pid(conn), getpid());
    assert_int_equal(uctl_conn_uid(conn), getuid());
    assert_int_equal(uctl_conn_gid(conn), getgid());
    assert_int_equal(uctl_conn_events(conn), POLLIN);
    assert_int_equal(uctl_call_events(call), POLLOUT);

    pump_request(call, conn);
    assert_int_equal(uctl_call_events(call), POLLIN);
    assert_string_equal(uctl_conn_method(conn), "do/it");
    assert_int_equal(uctl_conn_n_args(conn), 3);
    assert_string_equal(uctl_conn_arg(conn, 0), "a \"b\"");
    assert_string_equal(uctl_conn_arg(conn, 1), "");
    assert_string_equal(uctl_conn_arg(conn, 2), "\xc3\xa4");
    assert_null(uctl_conn_arg(conn, 3));

    /* The reply may come later. */
    assert_int_equal(uctl_conn_events(conn), 0);
    assert_int_equal(uctl_call_step(call), -EAGAIN);
    uctl_conn_reply(conn, "fine\n");
    pump_reply(call, conn);
    assert_string_equal(uctl_call_result(call), "fine\n");
    assert_null(uctl_call_error(call));

    uctl_call_destroy(call);
    assert_int_equal(uctl_conn_step(conn), -EPIPE);
    uctl_conn_destroy(conn);
}

static void
error_reply(void **state)
{
    struct uctl_call *call;
    struct uctl_conn *conn;

    (void) state;
    assert_int_equal(uctl_call_start(path, "x", NULL, &call), 0);
    conn = accept_conn();
    pump_request(call, conn);
    assert_int_equal(uctl_conn_n_args(conn), 0);
    uctl_conn_reply_error(conn, "no \xff such");
    pump_reply(call, conn);
    assert_null(uctl_call_result(call));
    assert_string_equal(uctl_call_error(call), "no ? such");
    uctl_call_destroy(call);
    uctl_conn_destroy(conn);
}

static void
large_reply(void **state)
{
    size_t n = 3 * 1000 * 1000;
    struct uctl_call *call;
    struct uctl_conn *conn;
    char *text = malloc(n + 1);

    (void) state;
    memset(text, '"', n);
    text[n] = '\0';
    assert_int_equal(uctl_call_start(path, "x", NULL, &call), 0);
    conn = accept_conn();
    pump_request(call, conn);
    uctl_conn_reply(conn, text);
    assert_int_equal(uctl_conn_step(conn), -EAGAIN);
    assert_int_equal(uctl_conn_events(conn), POLLOUT);
    pump_reply(call, conn);
    assert_string_equal(uctl_call_result(call), text);
    assert_int_equal(uctl_conn_events(conn), POLLIN);
    uctl_call_destroy(call);
    uctl_conn_destroy(conn);
    free(text);
}

/* Connects and sends raw bytes, as anyone could. */
static int
raw_client(const void *data, size_t n)
{
    int fd = unixpath_connect(path, SOCK_STREAM);

    assert_true(fd >= 0);
    assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
    return fd;
}

/* What OVS's own client sends, in two pieces, with a second request close
 * behind. */
static void
pieces_and_pipelines(void **state)
{
    static const char first[] = "{\"id\":0,\"method\":\"on";
    static const char rest[] = "e\",\"params\":[\"}{\"]}  {\"method\":"
                               "\"two\",\"params\":[],\"id\":\"q\"}";
    static const char want[] =
        "{\"id\":0,\"result\":\"1\",\"error\":null}"
        "{\"id\":\"q\",\"result\":\"2\",\"error\":null}";
    struct uctl_conn *conn;
    char buf[200];
    int fd;

    (void) state;
    fd = raw_client(first, strlen(first));
    conn = accept_conn();
    assert_int_equal(uctl_conn_step(conn), -EAGAIN);
    assert_int_equal(send(fd, rest, strlen(rest), 0), strlen(rest));
    assert_int_equal(uctl_conn_step(conn), 0);
    assert_string_equal(uctl_conn_method(conn), "one");
    assert_string_equal(uctl_conn_arg(conn, 0), "}{");
    uctl_conn_reply(conn, "1");
    assert_int_equal(uctl_conn_step(conn), 0);
    assert_string_equal(uctl_conn_method(conn), "two");
    uctl_conn_reply(conn, "2");
    assert_int_equal(uctl_conn_step(conn), -EAGAIN);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), strlen(want));
    assert_memory_equal(buf, want, strlen(want));
    close(fd);
    assert_int_equal(uctl_conn_step(conn), -EPIPE);
    uctl_conn_destroy(conn);
}

static int
step_raw(const void *data, size_t n)
{
    int fd = raw_client(data, n);
    struct uctl_conn *conn = accept_conn();
    int error = uctl_conn_step(conn);

    uctl_conn_destroy(conn);
    close(fd);
    return error;
}

static void
hostile_requests(void **state)
{
    static const char *const bad[] = {
        "x",
        "}",
        "[]",
        "{]",
        "{}",
        "null",
        "{\"id\":0}",
        "{\"id\":0,\"method\":\"x\"}",
        "{\"method\":\"x\",\"params\":[]}",
        "{\"id\":0,\"method\":1,\"params\":[]}",
        "{\"id\":0,\"method\":\"x\",\"params\":{}}",
        "{\"id\":0,\"method\":\"x\",\"params\":[1]}",
        "{\"id\":0,\"method\":\"\xff\",\"params\":[]}",
        "{\"id\":0,\"method\":\"\\u0000\",\"params\":[]}",
    };
    char deep[5000], *big = malloc(UCTL_REQUEST_MAX + 1);

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(step_raw(bad[i], strlen(bad[i])), -EPROTO);
    }
    assert_int_equal(step_raw("\0", 1), -EPROTO);
    assert_int_equal(step_raw("{\0}", 3), -EPROTO);

    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    assert_int_equal(step_raw(deep, sizeof deep), -EAGAIN);
    memset(deep + 5 + 2497, ']', 2497);
    deep[sizeof deep - 1] = '}';
    assert_int_equal(step_raw(deep, sizeof deep), -EPROTO);

    memset(big, ' ', UCTL_REQUEST_MAX + 1);
    assert_int_equal(step_raw(big, UCTL_REQUEST_MAX), -EAGAIN);
    assert_int_equal(step_raw(big, UCTL_REQUEST_MAX + 1), -EMSGSIZE);
    memcpy(big, "{\"", 2);
    assert_int_equal(step_raw(big, UCTL_REQUEST_MAX + 1), -EMSGSIZE);
    free(big);
}

/* Takes requests until the connection wants more bytes or is over; a damaged
 * request may still be a valid one. */
static int
drain_raw(const void *data, size_t n)
{
    int fd = raw_client(data, n);
    struct uctl_conn *conn = accept_conn();
    int error;

    while (!(error = uctl_conn_step(conn))) {
        uctl_conn_reply(conn, uctl_conn_method(conn));
    }
    uctl_conn_destroy(conn);
    close(fd);
    return error;
}

static void
damaged_requests(void **state)
{
    static const char good[] =
        "{\"id\":0,\"method\":\"m\",\"params\":[\"a\"]}";
    static const char bytes[] = "{}[]\"\\,:0a\x80\n";
    unsigned int seed = 1;
    int n_over = 0;

    (void) state;
    for (int i = 0; i < 5000; i++) {
        char buf[sizeof good];
        int error;

        memcpy(buf, good, sizeof good);
        for (int j = rand_r(&seed) % 4; j >= 0; j--) {
            buf[rand_r(&seed) % strlen(good)] =
                bytes[rand_r(&seed) % strlen(bytes)];
        }
        error = drain_raw(buf, strlen(good));
        assert_true(error == -EAGAIN || error == -EPROTO);
        n_over += error == -EPROTO;
    }
    assert_in_range(n_over, 100, 4999);
}

static void
connections_are_bounded(void **state)
{
    struct uctl_conn *conns[UCTL_CONNS_MAX], *extra;
    int fds[UCTL_CONNS_MAX + 1];
    char c;

    (void) state;
    assert_int_equal(uctl_server_accept(server, &extra), -EAGAIN);
    for (int i = 0; i < UCTL_CONNS_MAX; i++) {
        fds[i] = raw_client("{", 1);
        conns[i] = accept_conn();
    }
    fds[UCTL_CONNS_MAX] = raw_client("{", 1);
    assert_int_equal(uctl_server_accept(server, &extra), -EUSERS);
    assert_true(recv(fds[UCTL_CONNS_MAX], &c, 1, 0) <= 0);
    uctl_conn_destroy(conns[0]);
    close(fds[UCTL_CONNS_MAX]);
    fds[UCTL_CONNS_MAX] = raw_client("{", 1);
    conns[0] = accept_conn();
    for (int i = 0; i < UCTL_CONNS_MAX; i++) {
        uctl_conn_destroy(conns[i]);
        close(fds[i]);
    }
    close(fds[UCTL_CONNS_MAX]);
}

static void
client_meets_nonsense(void **state)
{
    static const char *const bad[] = { "x", "{}", "{\"id\":0,\"result\":1}" };
    char other[80];
    int listener;

    (void) state;
    snprintf(other, sizeof other, "%s/other", dir);
    listener = unixpath_listen(other, SOCK_STREAM);
    assert_true(listener >= 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct uctl_call *call;
        int fd;

        assert_int_equal(uctl_call_start(other, "x", NULL, &call), 0);
        fd = unixpath_accept(listener);
        assert_true(fd >= 0);
        assert_int_equal(send(fd, bad[i], strlen(bad[i]), 0), strlen(bad[i]));
        assert_int_equal(uctl_call_step(call), -EPROTO);
        uctl_call_destroy(call);

        assert_int_equal(uctl_call_start(other, "x", NULL, &call), 0);
        close(fd);
        fd = unixpath_accept(listener);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_int_equal(uctl_call_step(call), -EPIPE);
        uctl_call_destroy(call);
        close(fd);
    }
    close(listener);
    unlink(other);
}

static void
waiting_call(void **state)
{
    const char *const argv[] = { "\xff", NULL };
    char *result = NULL, *error = NULL;
    struct uctl_conn *conn;
    mono_t start = mono_now();

    (void) state;
    assert_int_equal(
        uctl_call_wait("/nonexistent", "x", NULL, MONO_NEVER, &result, &error),
        -ENOENT);
    assert_int_equal(
        uctl_call_wait(path, "x", argv, MONO_NEVER, &result, &error), -EINVAL);
    assert_int_equal(uctl_call_wait(path, "x", NULL, mono_add_ms(start, 50),
                                    &result, &error),
                     -ETIMEDOUT);
    assert_true(mono_us_between(start, mono_now()) >= 50000);
    assert_null(result);
    assert_null(error);
    conn = accept_conn();
    uctl_conn_destroy(conn);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_and_reply),
        cmocka_unit_test(error_reply),
        cmocka_unit_test(large_reply),
        cmocka_unit_test(pieces_and_pipelines),
        cmocka_unit_test(hostile_requests),
        cmocka_unit_test(damaged_requests),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(client_meets_nonsense),
        cmocka_unit_test(waiting_call),
    };

    return cmocka_run_group_tests_name("uctl", tests, setup, teardown);
}
