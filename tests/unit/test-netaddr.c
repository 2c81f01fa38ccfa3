/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <unistd.h>

static struct sockaddr_storage addr;
static socklen_t n;

static void
addresses(void **state)
{
    const struct sockaddr_in *in = (struct sockaddr_in *) &addr;
    const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &addr;

    (void) state;
    assert_int_equal(netaddr_parse("192.0.2.1:6664", &addr, &n), 0);
    assert_int_equal(n, sizeof *in);
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 6664);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0xc0000201);
    assert_false(netaddr_is_loopback(&addr));
    assert_int_equal(netaddr_parse("[2001:db8::1]:65535", &addr, &n), 0);
    assert_int_equal(n, sizeof *in6);
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6->sin6_port), 65535);
    assert_false(netaddr_is_loopback(&addr));
}

static void
loopback(void **state)
{
    const char *yes[] = { "127.0.0.1:1", "127.9.9.9:1", "[::1]:1" };
    const char *no[] = { "0.0.0.0:1", "[::]:1", "128.0.0.1:1",
                         "[::ffff:127.0.0.1]:1" };

    (void) state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_int_equal(netaddr_parse(yes[i], &addr, &n), 0);
        assert_true(netaddr_is_loopback(&addr));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_int_equal(netaddr_parse(no[i], &addr, &n), 0);
        assert_false(netaddr_is_loopback(&addr));
    }
}

static void
wrong(void **state)
{
    const char *texts[] = {
        "",
        ":",
        "192.0.2.1",
        "192.0.2.1:",
        ":6664",
        "192.0.2.1:0",
        "192.0.2.1:-1",
        "192.0.2.1:65536",
        "localhost:1",
        "::1:6664",
        "[::1]",
        "[]:1",
        "[192.0.2.1]:1",
        "192.0.2.1:6664 ",
        "192.0.2.1:000006664",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
    };

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(netaddr_parse(texts[i], &addr, &n), -EINVAL);
        assert_int_equal(netaddr_listen(texts[i]), -EINVAL);
    }
}

static void
listening(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t size = sizeof in;
    char text[40];
    int free_fd, fd;

    (void) state;
    /* A port that is free: one that the kernel gives away. */
    free_fd = socket(AF_INET, SOCK_STREAM, 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(free_fd, (struct sockaddr *) &in, size), 0);
    assert_int_equal(getsockname(free_fd, (struct sockaddr *) &in, &size), 0);
    close(free_fd);
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(in.sin_port));
    fd = netaddr_listen(text);
    assert_true(fd >= 0);
    assert_int_equal(netaddr_listen(text), -EADDRINUSE);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(loopback),
        cmocka_unit_test(wrong),
        cmocka_unit_test(listening),
    };

    return cmocka_run_group_tests_name("netaddr", tests, NULL, NULL);
}
