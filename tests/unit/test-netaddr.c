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
#include <string.h>
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

static void
prefixes(void **state)
{
    struct netaddr_prefix p;

    (void) state;
    assert_null(netaddr_parse_prefix("192.0.2.10/24, x", 13, &p));
    assert_int_equal(p.family, AF_INET);
    assert_int_equal(p.bits, 24);
    assert_memory_equal(p.bytes, "\xc0\0\2\xa", 4);
    assert_null(netaddr_parse_prefix("2001:db8::10/128", 16, &p));
    assert_int_equal(p.family, AF_INET6);
    assert_int_equal(p.bits, 128);
    assert_memory_equal(p.bytes, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\x10",
                        16);
    assert_int_equal(netaddr_len(AF_INET), 4);
    assert_int_equal(netaddr_len(AF_INET6), 16);
}

/* Each with what is said of it. */
static void
wrong_prefixes(void **state)
{
    static const char *const texts[][2] = {
        { "", "an address in numbers" },
        { "vip/24", "an address in numbers" },
        { "192.0.2/24", "an address in numbers" },
        { "2001:db8::1::/64", "an address in numbers" },
        { "2001:0db8:0000:0000:0000:0000:0000:00000000001/64", "in numbers" },
        { "192.0.2.10", "lacks the length" },
        { "2001:db8::10", "lacks the length" },
        { "192.0.2.10/", "no valid length" },
        { "192.0.2.10/x", "no valid length" },
        { "192.0.2.10/-1", "no valid length" },
        { "192.0.2.10/0", "no valid length" },
        { "192.0.2.10/33", "no valid length" },
        { "192.0.2.10/24x", "no valid length" },
        { "2001:db8::10/129", "no valid length" },
        { "0.1.2.3/8", "one host" },
        { "127.0.0.1/8", "one host" },
        { "224.0.0.1/24", "one host" },
        { "255.255.255.255/32", "one host" },
        { "::/64", "one host" },
        { "::1/128", "one host" },
        { "ff02::1/64", "one host" },
        { "fe80::1/64", "one host" },
        { "::ffff:192.0.2.1/128", "one host" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct netaddr_prefix p = { .family = -1 };
        const char *said =
            netaddr_parse_prefix(texts[i][0], strlen(texts[i][0]), &p);

        assert_non_null(said);
        assert_non_null(strstr(said, texts[i][1]));
        assert_int_equal(p.family, -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(loopback),
        cmocka_unit_test(wrong),     cmocka_unit_test(listening),
        cmocka_unit_test(prefixes),  cmocka_unit_test(wrong_prefixes),
    };

    return cmocka_run_group_tests_name("netaddr", tests, NULL, NULL);
}
