/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/http.h"

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

#include "ha/ev.h"
#include "lib/mono.h"
#include "lib/unixpath.h"

#define CONNECTIONS 4
#define LONG_MS 60000 /* Nothing here takes that long. */
#define BIG 1000000

static char dir[32], path[48];
static char *big;
static struct ev_loop *loop;
static struct ev_timer *step;
static struct http_server *server;
static int n_requests;

/* Armed by each request where it is set; 'n_between' counts how often it came
 * before the next one. */
static struct ev_timer *between;
static int n_between;

static void
on_step(void *aux)
{
    (void) aux;
    ev_loop_stop(loop);
}

/* Lets the server work for a moment. */
static void
run(void)
{
    ev_timer_set_ms(step, 1);
    ev_loop_run(loop);
}

static void
on_request(void *aux, const struct httphead *head, struct http_reply *reply)
{
    assert_ptr_equal(aux, path);
    if (between) {
        assert_int_equal(n_between, n_requests);
        ev_timer_set_us(between, 0);
    }
    n_requests++;
    reply->code = strcmp(head->path, "/none") ? 200 : 404;
    reply->type = strcmp(head->path, "/page") ? "text/plain" : "text/html";
    reply->body = strcmp(head->path, "/big") ? head->path : big;
    reply->n = strlen(reply->body);
}

static void
start(int deadline_ms)
{
    const struct http_limits limits = { CONNECTIONS, deadline_ms };
    int fd = unixpath_listen(path, SOCK_STREAM);

    assert_true(fd >= 0);
    server = http_create(loop, &limits, on_request, path);
    http_listen(server, fd, NULL);
}

static int
setup(void **state)
{
    (void) state;
    strcpy(dir, "/tmp/test-http.XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/sock", dir);
    big = malloc(BIG + 1);
    memset(big, 'x', BIG);
    big[BIG] = '\0';
    loop = ev_loop_create();
    step = ev_timer_create(loop, on_step, NULL);
    n_requests = 0;
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    http_destroy(server);
    ev_timer_destroy(step);
    ev_loop_destroy(loop);
    free(big);
    unlink(path);
    return rmdir(dir);
}

static int
dial(void)
{
    int fd = unixpath_connect(path, SOCK_STREAM);

    assert_true(fd >= 0);
    return fd;
}

static void
put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What the server sends until 'until' is in it, or until it closes the
 * connection if that is NULL, in a static buffer. */
static const char *
get(int fd, const char *until)
{
    static char text[2 * BIG];
    mono_t end = mono_add_ms(mono_now(), LONG_MS / 2);
    size_t n = 0;

    text[0] = '\0';
    while (!until || !strstr(text, until)) {
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, MSG_DONTWAIT);

        if (got > 0) {
            n += got;
            text[n] = '\0';
        } else if (!got || errno != EAGAIN) {
            assert_null(until);
            break;
        }
        run();
        assert_true(mono_before(mono_now(), end));
    }
    return text;
}

static bool
is_closed(int fd)
{
    char c;

    return recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void
requests_on_one_connection(void **state)
{
    const char *text;
    int fd;

    (void) state;
    start(LONG_MS);
    fd = dial();
    for (int i = 0; i < 3; i++) {
        put(fd, "GET /a HTTP/1.1\r\n\r\n");
        text = get(fd, "\r\n\r\n/a");
        assert_memory_equal(text, "HTTP/1.1 200 OK\r\n", 17);
        assert_non_null(strstr(text, "\r\nContent-Length: 2\r\n"));
        assert_non_null(strstr(text, "\r\nConnection: keep-alive\r\n"));
        assert_null(strstr(text, "Content-Security-Policy"));
    }
    put(fd, "GET /page HTTP/1.1\r\n\r\n");
    assert_non_null(
        strstr(get(fd, "\r\n\r\n/page"), "Content-Security-Policy: "));
    /* Without a body, but with its length. */
    put(fd, "HEAD /none HTTP/1.1\r\nConnection: close\r\n\r\n");
    text = get(fd, NULL);
    assert_memory_equal(text, "HTTP/1.1 404 Not Found\r\n", 24);
    assert_non_null(strstr(text, "\r\nContent-Length: 5\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    close(fd);
}

static void
many_at_once(void **state)
{
    const char *text;
    int fd;

    (void) state;
    start(LONG_MS);
    fd = dial();
    put(fd, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"
            "GET /3 HTTP/1.0\r\n\r\nGET /4 HTTP/1.0\r\n\r\n");
    text = get(fd, NULL);
    assert_true(strstr(text, "/1HTTP/") < strstr(text, "/2HTTP/"));
    assert_string_equal(text + strlen(text) - 2, "/3");
    assert_int_equal(n_requests, 3); /* HTTP/1.0: one, and the end. */
    close(fd);
}

static void
wrong_requests(void **state)
{
    static const struct {
        const char *text, *reply;
    } rows[] = {
        { "nonsense\r\n\r\n", "HTTP/1.1 400 " },
        { "POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 " },
        { "GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 413 " },
    };

    (void) state;
    start(LONG_MS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = dial();
        const char *text;

        put(fd, rows[i].text);
        text = get(fd, NULL);
        assert_memory_equal(text, rows[i].reply, strlen(rows[i].reply));
        assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
        close(fd);
    }
    assert_int_equal(n_requests, 0);
}

/* It does not have to fit, and the client learns that, though it sends and
 * sends. */
static void
a_head_without_end(void **state)
{
    static char junk[4 * HTTPHEAD_MAX];
    const char *text;
    int fd;

    (void) state;
    start(LONG_MS);
    fd = dial();
    memset(junk, 'a', sizeof junk);
    put(fd, "GET / HTTP/1.1\r\nA: ");
    assert_int_equal(send(fd, junk, sizeof junk, MSG_NOSIGNAL), sizeof junk);
    text = get(fd, NULL);
    assert_memory_equal(text, "HTTP/1.1 431 ", 13);
    for (int i = 0; i < 100; i++) {
        if (send(fd, junk, sizeof junk, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            assert_int_equal(errno, EAGAIN);
        }
        run();
    }
    close(fd);
    run();
    assert_int_equal(n_requests, 0);
}

static void
half_closed_by_the_client(void **state)
{
    const char *text;
    int fd;

    (void) state;
    start(LONG_MS);
    fd = dial();
    put(fd, "GET /big HTTP/1.1\r\n\r\n");
    shutdown(fd, SHUT_WR);
    text = get(fd, NULL);
    assert_string_equal(strstr(text, "\r\n\r\n") + 4, big);
    close(fd);
}

/* A newcomer ends the connection that was quiet for longest. */
static void
no_more_than_so_many(void **state)
{
    int fds[CONNECTIONS], newcomer;

    (void) state;
    start(LONG_MS);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial();
        run();
    }
    put(fds[0], "GET /a HTTP/1.1\r\n\r\n");
    get(fds[0], "/a");
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_false(is_closed(fds[i]));
    }
    newcomer = dial();
    put(newcomer, "GET /b HTTP/1.1\r\n\r\n");
    get(newcomer, "/b");
    assert_string_equal(get(fds[1], NULL), "");
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(is_closed(fds[i]), i == 1);
        close(fds[i]);
    }
    close(newcomer);
}

/* Whatever it sends meanwhile, unless that is a request. */
static void
the_deadline_ends_a_slow_request(void **state)
{
    mono_t end = mono_add_ms(mono_now(), LONG_MS / 2);
    int fd;

    (void) state;
    start(100);
    fd = dial();
    put(fd, "GET / HTTP/1.1\r\nA: ");
    while (!is_closed(fd)) {
        send(fd, "a", 1, MSG_NOSIGNAL);
        run();
        assert_true(mono_before(mono_now(), end));
    }
    assert_int_equal(n_requests, 0);
    close(fd);
}

static bool
is_hung_up(int fd)
{
    struct pollfd pfd = { .fd = fd };

    return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLHUP;
}

static void
the_deadline_ends_a_slow_reader(void **state)
{
    mono_t end = mono_add_ms(mono_now(), LONG_MS / 2);
    int fd;

    (void) state;
    start(100);
    fd = dial();
    put(fd, "GET /big HTTP/1.1\r\n\r\n");
    while (!n_requests) {
        run();
    }
    /* Nor does it get another reply put behind the first. */
    put(fd, "GET /big HTTP/1.1\r\n\r\n");
    while (!is_hung_up(fd)) {
        run();
        assert_true(mono_before(mono_now(), end));
    }
    /* All that it gets is what the kernel held for it. */
    assert_true(strlen(get(fd, NULL)) < BIG);
    assert_int_equal(n_requests, 1);
    close(fd);
}

static void
dial_and_ask(int fds[CONNECTIONS])
{
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial();
        run();
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        put(fds[i], "GET /a HTTP/1.1\r\n\r\n");
    }
}

static void
get_and_close(int fds[CONNECTIONS])
{
    for (int i = 0; i < CONNECTIONS; i++) {
        get(fds[i], "/a");
        close(fds[i]);
    }
}

static struct ev_timer *flood;
static int n_flood;

static void
on_flood(void *aux)
{
    (void) aux;
    n_flood++;
    ev_timer_set_us(flood, 0);
}

/* While the loop has other things to do no request is answered. */
static void
decisions_come_first(void **state)
{
    int fds[CONNECTIONS];

    (void) state;
    start(LONG_MS);
    dial_and_ask(fds);
    flood = ev_timer_create(loop, on_flood, NULL);
    n_flood = 0;
    ev_timer_set_us(flood, 0);
    while (n_flood < 1000) {
        run();
    }
    assert_int_equal(n_requests, 0);
    ev_timer_destroy(flood);
    get_and_close(fds);
}

static void
on_between(void *aux)
{
    (void) aux;
    n_between++;
}

/* Requests that came together do not make anything wait for all of them. */
static void
decisions_come_between(void **state)
{
    int fds[CONNECTIONS];

    (void) state;
    start(LONG_MS);
    dial_and_ask(fds);
    between = ev_timer_create(loop, on_between, NULL);
    n_between = 0;
    get_and_close(fds);
    assert_int_equal(n_requests, CONNECTIONS);
    ev_timer_destroy(between);
    between = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_on_one_connection, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(half_closed_by_the_client, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_more_than_so_many, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deadline_ends_a_slow_request,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_deadline_ends_a_slow_reader, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(decisions_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(decisions_come_between, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
