/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct ha_pos pos = {
    .lineage = 0x0102030405060708,
    .epoch = { .n = 9, .node = 10 },
    .seq = 11,
    .chain = 0xfffefdfcfbfaf9f8,
};

static uint8_t buf[FRAME_FIXED_MAX + FRAME_TEXT_MAX];

static void
test_head(void **state)
{
    struct frame_head h = { .len = FRAME_BODY_MAX, .type = FRAME_ACK };
    uint8_t bytes[FRAME_HEAD_LEN];
    struct frame_head got;

    (void) state;
    frame_put_head(bytes, &h);
    assert_int_equal(frame_get_head(bytes, &got), 0);
    assert_int_equal(got.len, h.len);
    assert_int_equal(got.type, h.type);

    h.len = FRAME_BODY_MAX + 1;
    frame_put_head(bytes, &h);
    assert_int_equal(frame_get_head(bytes, &got), -EBADMSG);
}

static void
test_pos(void **state)
{
    static const uint8_t bytes[FRAME_POS_LEN] = {
        1, 2,  3,    4,    5,    6,    7,    8,    0,    0,    0,
        9, 0,  0,    0,    10,   0,    0,    0,    0,    0,    0,
        0, 11, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8,
    };
    struct ha_pos got;

    (void) state;
    assert_int_equal(frame_put_pos(buf, &pos), FRAME_POS_LEN);
    assert_memory_equal(buf, bytes, sizeof bytes);
    assert_int_equal(frame_get_pos(buf, sizeof bytes, &got), 0);
    assert_memory_equal(&got, &pos, sizeof pos);
    assert_int_equal(frame_get_pos(buf, sizeof bytes - 1, &got), -EBADMSG);
}

/* Puts and gets one message; a body that is too short is refused, one that is
 * longer is accepted. */
#define CHECK_MESSAGE(NAME, LEN, MESSAGE)                               \
    do {                                                                \
        struct frame_##NAME in = MESSAGE, out;                          \
        size_t n;                                                       \
                                                                        \
        memset(buf, 0, sizeof buf);                                     \
        memset(&out, 0, sizeof out);                                    \
        n = frame_put_##NAME(buf, &in);                                 \
        assert_int_equal(n, LEN);                                       \
        assert_int_equal(frame_get_##NAME(buf, n + 8, &out), 0);        \
        assert_memory_equal(&in, &out, sizeof in);                      \
        assert_int_equal(frame_get_##NAME(buf, n - 1, &out), -EBADMSG); \
    } while (0)

static void
test_messages(void **state)
{
    struct frame_challenge challenge = { .version = 1, .caps = 2 };
    struct frame_hello hello;
    struct frame_welcome welcome;
    struct frame_snapshot snapshot;

    (void) state;
    memset(challenge.nonce, 0xaa, sizeof challenge.nonce);
    CHECK_MESSAGE(challenge, FRAME_CHALLENGE_LEN, challenge);

    memset(&hello, 0, sizeof hello);
    hello.version = 1;
    hello.caps = FRAME_CAP_KEY;
    hello.db = HA_SB;
    hello.node = 3;
    hello.flags = FRAME_HELLO_SNAPSHOT;
    hello.epoch.n = 4;
    hello.epoch.node = 5;
    hello.pos = pos;
    memset(hello.nonce, 0xbb, sizeof hello.nonce);
    memset(hello.mac, 0xcc, sizeof hello.mac);
    CHECK_MESSAGE(hello, FRAME_HELLO_LEN, hello);

    memset(&welcome, 0, sizeof welcome);
    welcome.node = 1;
    welcome.found = 2;
    welcome.head = pos;
    memset(welcome.mac, 0xdd, sizeof welcome.mac);
    CHECK_MESSAGE(welcome, FRAME_WELCOME_LEN, welcome);

    memset(&snapshot, 0, sizeof snapshot);
    snapshot.pos = pos;
    snapshot.bytes = UINT64_C(1) << 40;
    CHECK_MESSAGE(snapshot, FRAME_SNAPSHOT_LEN, snapshot);
}

static void
test_verify(void **state)
{
    struct frame_verify verify, out;
    struct frame_verify_text text = { .id = 7, .code = FRAME_VERIFY_BUSY };

    (void) state;
    memset(&verify, 0, sizeof verify);
    verify.id = 7;
    verify.pos = pos;
    CHECK_MESSAGE(verify, FRAME_VERIFY_LEN, verify);
    CHECK_MESSAGE(verify_text, FRAME_VERIFY_TEXT_LEN, text);
    verify.id = 0; /* That would be none. */
    frame_put_verify(buf, &verify);
    assert_int_equal(frame_get_verify(buf, FRAME_VERIFY_LEN, &out), -EBADMSG);
    /* Who does not know them skips them. */
    assert_true(FRAME_VERIFY & FRAME_OPTIONAL);
    assert_true(FRAME_VERIFY_TEXT & FRAME_OPTIONAL);
}

static void
test_record(void **state)
{
    struct frame_record in = { .pos = pos, .bytes = 100 }, out;
    size_t n;

    (void) state;
    memset(buf, 0, sizeof buf);
    memset(in.sha1, 0x11, sizeof in.sha1);
    in.flags = FRAME_RECORD_RELAYED;
    n = frame_put_record(buf, &in);
    assert_int_equal(n, FRAME_RECORD_LEN);
    assert_int_equal(frame_get_record(buf, n + 100, &out), 0);
    assert_memory_equal(&out.pos, &pos, sizeof pos);
    assert_int_equal(out.bytes, 100);
    assert_int_equal(out.flags, FRAME_RECORD_RELAYED);
    assert_memory_equal(out.sha1, in.sha1, sizeof in.sha1);

    /* More data than it announces, none at all, or more than any has. */
    assert_int_equal(frame_get_record(buf, n + 101, &out), -EBADMSG);
    in.bytes = 0;
    frame_put_record(buf, &in);
    assert_int_equal(frame_get_record(buf, n, &out), -EBADMSG);
    in.bytes = UINT64_C(1) << 40;
    frame_put_record(buf, &in);
    assert_int_equal(frame_get_record(buf, n, &out), -EBADMSG);
}

static void
test_refuse(void **state)
{
    struct frame_refuse in = { .code = FRAME_BAD_KEY, .text = "no" }, out;
    uint8_t longer[1000];
    size_t n;

    (void) state;
    n = frame_put_refuse(buf, &in);
    assert_int_equal(n, 6);
    assert_int_equal(frame_get_refuse(buf, n, &out), 0);
    assert_int_equal(out.code, FRAME_BAD_KEY);
    assert_string_equal(out.text, "no");
    assert_int_equal(frame_get_refuse(buf, 3, &out), -EBADMSG);

    /* A text of any length ends within its place. */
    memset(longer, 'x', sizeof longer);
    assert_int_equal(frame_get_refuse(longer, sizeof longer, &out), 0);
    assert_int_equal(strlen(out.text), FRAME_TEXT_MAX - 1);
}

static void
test_mac(void **state)
{
    uint8_t theirs[40] = { 1 }, ours[60] = { 2 };
    struct frame_key key = { .present = true };
    struct frame_key none = { .present = false };
    uint8_t mac[HMAC_BYTES], zero[HMAC_BYTES] = { 0 };

    (void) state;
    hmac_key_derive(&key.key, "secret", 6, "test");
    frame_mac(&key, "a", theirs, sizeof theirs, ours, sizeof ours, mac);
    assert_true(frame_mac_is(&key, "a", theirs, sizeof theirs, ours,
                             sizeof ours, mac));
    assert_false(frame_mac_is(&key, "b", theirs, sizeof theirs, ours,
                              sizeof ours, mac));
    theirs[39] ^= 1;
    assert_false(frame_mac_is(&key, "a", theirs, sizeof theirs, ours,
                              sizeof ours, mac));
    theirs[39] ^= 1;
    ours[27] ^= 1;
    assert_false(frame_mac_is(&key, "a", theirs, sizeof theirs, ours,
                              sizeof ours, mac));
    ours[27] ^= 1;
    /* The place of the MAC itself does not count. */
    memset(ours + 28, 0xff, HMAC_BYTES);
    assert_true(frame_mac_is(&key, "a", theirs, sizeof theirs, ours,
                             sizeof ours, mac));
    frame_mac(&none, "a", theirs, sizeof theirs, ours, sizeof ours, mac);
    assert_memory_equal(mac, zero, sizeof mac);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),     cmocka_unit_test(test_pos),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_record),
        cmocka_unit_test(test_verify),   cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_mac),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
