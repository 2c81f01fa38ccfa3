/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/httphead.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static ssize_t
parse(const char *text, struct httphead *head)
{
    memset(head, 0xff, sizeof *head);
    return httphead_parse(text, strlen(text), head);
}

static void
a_request(void **state)
{
    const char text[] = "GET /standby?max_lag=5 HTTP/1.1\r\nHost: x\r\n"
                        "Accept: text/plain\r\n\r\nGET /next";
    struct httphead head;

    (void) state;
    assert_int_equal(parse(text, &head), strlen(text) - 9);
    assert_int_equal(head.method, HTTPHEAD_GET);
    assert_string_equal(head.path, "/standby");
    assert_string_equal(head.query, "max_lag=5");
    assert_true(head.keep_alive);
    assert_false(head.openmetrics);
}

static void
every_beginning_of_it_is_incomplete(void **state)
{
    const char text[] = "HEAD / HTTP/1.0\r\nA: b\r\nConnection: x\r\n\r\n";
    struct httphead head;

    (void) state;
    for (size_t n = 0; n < strlen(text); n++) {
        char *exact = malloc(n ? n : 1);

        /* For the address sanitizer, a buffer without slack. */
        memcpy(exact, text, n);
        assert_int_equal(httphead_parse(exact, n, &head), 0);
        free(exact);
    }
    assert_int_equal(parse(text, &head), strlen(text));
    assert_int_equal(head.method, HTTPHEAD_HEAD);
    assert_string_equal(head.query, "");
    assert_false(head.keep_alive);
    assert_int_equal(parse("OPTIONS /a HTTP/1.1\n\n", &head), 21);
    assert_int_equal(head.method, HTTPHEAD_OPTIONS);
    assert_int_equal(parse("POST / HTTP/1.1\n\n", &head), 17);
    assert_int_equal(head.method, HTTPHEAD_OTHER);
}

static void
what_headers_say(void **state)
{
    struct httphead head;

    (void) state;
    parse("GET / HTTP/1.1\r\nCONNECTION: foo, Close\r\n\r\n", &head);
    assert_false(head.keep_alive);
    parse("GET / HTTP/1.0\r\nConnection:keep-alive\r\n\r\n", &head);
    assert_true(head.keep_alive);
    parse("GET / HTTP/1.1\r\nAccept: text/html, "
          "application/openmetrics-text ;version=1.0.0;q=0.5\r\n\r\n",
          &head);
    assert_true(head.openmetrics);
    assert_true(parse("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", &head)
                > 0);
}

static void
what_is_refused(void **state)
{
    static const struct {
        const char *text;
        int error;
    } rows[] = {
        { "\r\n\r\n", -EPROTO },
        { "GET\r\n\r\n", -EPROTO },
        { "GET /\r\n\r\n", -EPROTO },
        { "GET / HTTP/2.0\r\n\r\n", -EPROTO },
        { "GET / HTTP/1.12\r\n\r\n", -EPROTO },
        { "GET / HTTP/1.2\r\n\r\n", -EPROTO },
        { " / HTTP/1.1\r\n\r\n", -EPROTO },
        { "GET  HTTP/1.1\r\n\r\n", -EPROTO },
        { "GET http://x/ HTTP/1.1\r\n\r\n", -EPROTO },
        { "GET * HTTP/1.1\r\n\r\n", -EPROTO },
        { "GET / / HTTP/1.1\r\n\r\n", -EPROTO },
        { "GET / HTTP/1.1\r\nno colon\r\n\r\n", -EPROTO },
        { "GET / HTTP/1.1\r\n: no name\r\n\r\n", -EPROTO },
        { "GET / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n", -EPROTO },
        { "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", -EOPNOTSUPP },
        { "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", -EOPNOTSUPP },
        { "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", -EOPNOTSUPP },
        { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
          -EOPNOTSUPP },
    };
    struct httphead head;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(parse(rows[i].text, &head), rows[i].error);
    }
    assert_int_equal(httphead_parse("GET /\0 HTTP/1.1\r\n\r\n", 19, &head),
                     -EPROTO);
}

static void
too_long(void **state)
{
    static char text[HTTPHEAD_MAX + 100];
    struct httphead head;

    (void) state;
    /* The target. */
    memset(text, 'a', 300);
    memcpy(text, "GET /", 5);
    strcpy(text + 300, " HTTP/1.1\r\n\r\n");
    assert_int_equal(parse(text, &head), -EMSGSIZE);
    memcpy(text, "GET /?", 6);
    assert_int_equal(parse(text, &head), -EMSGSIZE);
    /* All of it, finished or not. */
    strcpy(text, "GET / HTTP/1.1\r\nA: ");
    memset(text + strlen(text), 'b', sizeof text - strlen(text));
    assert_int_equal(httphead_parse(text, HTTPHEAD_MAX - 1, &head), 0);
    assert_int_equal(httphead_parse(text, HTTPHEAD_MAX, &head), -EMSGSIZE);
    memcpy(text + HTTPHEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(httphead_parse(text, HTTPHEAD_MAX, &head), HTTPHEAD_MAX);
    memset(text + HTTPHEAD_MAX - 4, 'b', 4);
    memcpy(text + HTTPHEAD_MAX, "\r\n\r\n", 4);
    assert_int_equal(httphead_parse(text, HTTPHEAD_MAX + 4, &head), -EMSGSIZE);
}

static int
number(const char *query, long long *value)
{
    struct httphead head = { .method = HTTPHEAD_GET };

    strcpy(head.query, query);
    return httphead_number(&head, "max_lag", value);
}

static void
numbers(void **state)
{
    long long value = 77;

    (void) state;
    assert_int_equal(number("", &value), -ENOENT);
    assert_int_equal(number("lag=3&max_lagx=2", &value), -ENOENT);
    assert_int_equal(value, 77);
    assert_int_equal(number("a=b&max_lag=0&c", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(number("max_lag=999999999999999999", &value), 0);
    assert_true(value == 999999999999999999);
    assert_int_equal(number("max_lag=1000000000000000000", &value), -EINVAL);
    assert_int_equal(number("max_lag", &value), -EINVAL);
    assert_int_equal(number("max_lag=", &value), -EINVAL);
    assert_int_equal(number("max_lag=-1", &value), -EINVAL);
    assert_int_equal(number("max_lag=1MB", &value), -EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request),
        cmocka_unit_test(every_beginning_of_it_is_incomplete),
        cmocka_unit_test(what_headers_say),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(too_long),
        cmocka_unit_test(numbers),
    };

    return cmocka_run_group_tests_name("httphead", tests, NULL, NULL);
}
