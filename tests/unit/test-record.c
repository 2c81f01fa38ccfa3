/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/digest.h"

#define SHA "0123456789abcdef0123456789abcdef01234567"

static int
parse(const char *s, struct record_header *h)
{
    return record_parse_header(s, strlen(s), h);
}

static void
test_header(void **state)
{
    static const uint8_t start[] = { 0x01, 0x23, 0x45, 0x67 };
    struct record_header h;

    (void) state;
    assert_int_equal(parse("OVSDB JSON 17 " SHA "\n{}", &h), 0);
    assert_int_equal(h.header_len, strlen("OVSDB JSON 17 " SHA "\n"));
    assert_int_equal(h.body_len, 17);
    assert_memory_equal(h.sha1, start, sizeof start);
}

static void
test_header_incomplete(void **state)
{
    static const char whole[] = "OVSDB JSON 17 " SHA "\n";
    struct record_header h;

    (void) state;
    for (size_t n = 0; n < strlen(whole); n++) {
        assert_int_equal(record_parse_header(whole, n, &h), -EAGAIN);
    }
    assert_int_equal(record_parse_header(whole, strlen(whole), &h), 0);
}

static void
test_header_bad(void **state)
{
    static const char *const bad[] = {
        "OVSDB CLUSTER 17 " SHA "\n",
        "OVSDX",
        "OVSDB JSON  17 " SHA "\n",
        "OVSDB JSON 0 " SHA "\n",
        "OVSDB JSON -1 " SHA "\n",
        "OVSDB JSON 99999999999999999999 " SHA "\n",
        "OVSDB JSON 2146435073 " SHA "\n",
        "OVSDB JSON 17 " SHA "0\n",
        "OVSDB JSON 17 0123456789ABCDEF0123456789abcdef01234567\n",
        "OVSDB JSON 17 0123\n",
        "OVSDB JSON 17\n",
        "\n",
    };
    char line[RECORD_HEADER_MAX + 1];
    struct record_header h;

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i], &h), -EBADMSG);
    }
    /* A line that never ends. */
    memset(line, '1', sizeof line);
    memcpy(line, "OVSDB JSON ", 11);
    assert_int_equal(record_parse_header(line, sizeof line, &h), -EBADMSG);
}

static const struct record_comment example = {
    .pos = {
        .lineage = 0xfedcba9876543210,
        .epoch = { .n = 4294967295, .node = 7 },
        .seq = 18446744073709551615u,
        .chain = 0x1,
    },
    .prev = 18446744073709551614u,
    .end = 18446744073709551613u,
};

static void
check_comment(enum record_kind kind, const char *before, const char *after)
{
    char text[RECORD_COMMENT_MAX], body[512];
    struct record_comment c;

    record_format_comment(kind, &example, text);
    snprintf(body, sizeof body, "{%s\"_comment\":\"%s%s}", before, text,
             after);
    assert_int_equal(record_find_comment(body, strlen(body), &c), kind);
    assert_memory_equal(&c.pos, &example.pos, sizeof c.pos);
    if (kind == RECORD_APPLIED) {
        assert_int_equal(c.prev, example.prev);
    } else if (kind == RECORD_INSTALL) {
        assert_int_equal(c.end, example.end);
    }
    /* Cut short anywhere, it is none. */
    for (size_t n = 0; n < strlen(body) - strlen(after) - 1; n++) {
        assert_int_equal(record_find_comment(body, n, &c), RECORD_PLAIN);
    }
}

static void
test_comment(void **state)
{
    (void) state;
    check_comment(RECORD_APPLIED, "", "\"");
    check_comment(RECORD_RESYNC, "", "\"");
    check_comment(RECORD_INSTALL, "", "\"");
    check_comment(RECORD_APPLIED, "\"T\":{\"u\":{\"c\":1}},", "\\nmore\"");
}

static void
test_comment_forged(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"_comment\":\"ovn-nbctl: init\"}",
        /* Data that look like a comment: their quotes are escaped. */
        "{\"T\":{\"u\":{\"c\":\"\\\"_comment\\\":\\\"ovn-ha:1 "
        "0000000000000001 1.1 5 0000000000000002 4\\\"\"}}}",
        "{\"_comment\":\"ovn-ha:1 1 1.1 5 0000000000000002 4\"}",
        "{\"_comment\":\"ovn-ha:1 0000000000000001 1 5 0000000000000002 4\"}",
        "{\"_comment\":\"ovn-ha:1 0000000000000001 1.1 5 0000000000000002\"}",
        "{\"_comment\":\"ovn-ha:1 0000000000000001 1.1 5 0000000000000002 4x"
        "\"}",
        "{\"_comment\":\"ovn-ha:1 0000000000000001 1.1 5 0000000000000002 "
        "@\"}",
        "{\"_comment\":\"ovn-ha:2 0000000000000001 1.1 5 0000000000000002 4"
        "\"}",
    };
    struct record_comment c;

    (void) state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(record_find_comment(bodies[i], strlen(bodies[i]), &c),
                         RECORD_PLAIN);
    }
}

static void
test_format_header(void **state)
{
    static const char body[] = "{\"_date\":1}";
    char line[RECORD_HEADER_MAX];
    uint8_t sha1[RECORD_SHA1_LEN];
    struct record_header h;
    size_t n;

    (void) state;
    n = record_format_header(body, strlen(body), line);
    assert_int_equal(record_parse_header(line, n, &h), 0);
    assert_int_equal(h.header_len, n);
    assert_int_equal(h.body_len, strlen(body));
    digest_sha1(body, strlen(body), sha1);
    assert_memory_equal(h.sha1, sha1, sizeof sha1);
}

/* What is written before its length is known. */
static void
test_install_comment_has_one_length(void **state)
{
    struct record_comment c = example;
    char one[RECORD_COMMENT_MAX], other[RECORD_COMMENT_MAX];

    (void) state;
    record_format_comment(RECORD_INSTALL, &c, one);
    c.end = 0;
    record_format_comment(RECORD_INSTALL, &c, other);
    assert_int_equal(strlen(one), strlen(other));
}

static void
test_date(void **state)
{
    static const char body[] = "{\"_date\":1789000000123,\"_is_diff\":true}";

    (void) state;
    assert_int_equal(record_find_date(body, strlen(body)), 1789000000123);
    assert_int_equal(record_find_date("{}", 2), 0);
    assert_int_equal(record_find_date("{\"_date\":\"x\"}", 13), 0);
}

static void
test_chain(void **state)
{
    uint8_t sha1[RECORD_SHA1_LEN] = { 1 };
    struct ha_epoch epoch = { 2, 3 };
    struct ha_pos a = { .lineage = 9, .seq = 5, .chain = 0 };
    struct ha_pos b, c;

    (void) state;
    b = record_next_pos(&a, epoch, sha1);
    assert_int_equal(b.lineage, 9);
    assert_int_equal(b.seq, 6);
    assert_int_equal(ha_epoch_cmp(b.epoch, epoch), 0);
    assert_int_equal(b.chain, record_chain(a.chain, sha1));
    /* SHA-256 of 8 zero bytes, 01 and 19 zero bytes, its first 8 bytes. */
    assert_true(b.chain == UINT64_C(0x29b5ddd23b0d1bb4));

    /* The same record again is another position. */
    c = record_next_pos(&b, epoch, sha1);
    assert_int_not_equal(c.chain, b.chain);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_incomplete),
        cmocka_unit_test(test_header_bad),
        cmocka_unit_test(test_comment),
        cmocka_unit_test(test_comment_forged),
        cmocka_unit_test(test_format_header),
        cmocka_unit_test(test_install_comment_has_one_length),
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_chain),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
