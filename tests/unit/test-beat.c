/* SPDX-License-Identifier: Apache-2.0 */

/* Tests of fence/beat: what is sent arrives, and nothing else does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "fence/beat.h"

static const struct beat_msg msg = {
    .type = BEAT_ACK,
    .from = 0x01020304,
    .to = 3,
    .beat = {
        .epoch = { 0xfffffffe, 0x01020304 },
        .life = 0x8877665544332211,
        .seq = 42,
        .sent = { -5 },
        .lease_us = 500000,
    },
};

static struct hmac_key
key(const char *secret)
{
    struct hmac_key k;

    hmac_key_derive(&k, secret, strlen(secret), BEAT_KEY_PURPOSE);
    return k;
}

static void
test_round_trip(void **state)
{
    struct hmac_key k = key("a secret of some length");
    const struct hmac_key *keys[] = { &k, NULL };
    uint8_t bytes[BEAT_LEN];

    (void) state;
    for (int i = 0; i < 2; i++) {
        struct beat_msg got;

        memset(&got, 0, sizeof got);
        beat_encode(&msg, keys[i], bytes);
        assert_int_equal(beat_decode(bytes, sizeof bytes, keys[i], &got), 0);
        assert_int_equal(got.type, msg.type);
        assert_int_equal(got.from, msg.from);
        assert_int_equal(got.to, msg.to);
        assert_int_equal(ha_epoch_cmp(got.beat.epoch, msg.beat.epoch), 0);
        assert_true(got.beat.life == msg.beat.life);
        assert_int_equal(got.beat.seq, msg.beat.seq);
        assert_int_equal(got.beat.sent.us, msg.beat.sent.us);
        assert_int_equal(got.beat.lease_us, msg.beat.lease_us);
    }
}

static void
test_any_changed_bit_is_refused(void **state)
{
    struct hmac_key k = key("a secret of some length");
    uint8_t bytes[BEAT_LEN];
    struct beat_msg got;

    (void) state;
    beat_encode(&msg, &k, bytes);
    for (int bit = 0; bit < BEAT_LEN * 8; bit++) {
        bytes[bit / 8] ^= 1 << bit % 8;
        assert_int_not_equal(beat_decode(bytes, sizeof bytes, &k, &got), 0);
        bytes[bit / 8] ^= 1 << bit % 8;
    }
    assert_int_equal(beat_decode(bytes, sizeof bytes, &k, &got), 0);
}

static void
test_other_keys_are_refused(void **state)
{
    struct hmac_key k = key("a secret of some length");
    struct hmac_key other = key("another secret, just as long");
    uint8_t bytes[BEAT_LEN];
    struct beat_msg got;

    (void) state;
    beat_encode(&msg, &other, bytes);
    assert_int_equal(beat_decode(bytes, sizeof bytes, &k, &got), -EACCES);
    beat_encode(&msg, NULL, bytes);
    assert_int_equal(beat_decode(bytes, sizeof bytes, &k, &got), -EACCES);
}

static void
test_wrong_lengths_are_refused(void **state)
{
    struct hmac_key k = key("a secret of some length");
    uint8_t bytes[BEAT_MAX + 1] = { 0 };
    struct beat_msg got;

    (void) state;
    beat_encode(&msg, NULL, bytes);
    for (size_t n = 0; n < BEAT_LEN; n++) {
        assert_int_equal(beat_decode(bytes, n, NULL, &got), -EBADMSG);
    }
    assert_int_equal(beat_decode(bytes, BEAT_MAX + 1, NULL, &got), -EBADMSG);
    assert_int_equal(beat_decode(bytes, BEAT_MAX, &k, &got), -EACCES);
}

static void
test_later_versions_are_read(void **state)
{
    struct hmac_key k = key("a secret of some length");
    uint8_t bytes[BEAT_LEN + 40];
    struct beat_msg got;

    (void) state;
    memset(bytes, 0x5a, sizeof bytes);
    beat_encode(&msg, NULL, bytes);
    bytes[4] = 2; /* The version. */
    hmac_sign(&k, bytes, sizeof bytes - HMAC_BYTES,
              bytes + sizeof bytes - HMAC_BYTES);
    assert_int_equal(beat_decode(bytes, sizeof bytes, &k, &got), 0);
    assert_int_equal(got.beat.seq, msg.beat.seq);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_any_changed_bit_is_refused),
        cmocka_unit_test(test_other_keys_are_refused),
        cmocka_unit_test(test_wrong_lengths_are_refused),
        cmocka_unit_test(test_later_versions_are_read),
    };

    return cmocka_run_group_tests_name("beat", tests, NULL, NULL);
}
