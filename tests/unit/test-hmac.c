/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/hmac.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/durable.h"

static char dir[] = "/tmp/test-hmac.XXXXXX";
static char path[64];

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/key", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(dir);
}

/* RFC 4231, test case 2, through the derivation of a key. */
static void
known_answer(void **state)
{
    static const uint8_t want[HMAC_BYTES] = {
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
    };
    struct hmac_key key;

    (void) state;
    hmac_key_derive(&key, "Jefe", 4, "what do ya want for nothing?");
    assert_memory_equal(key.bytes, want, sizeof want);
    hmac_key_clear(&key);
    assert_memory_not_equal(key.bytes, want, sizeof want);
}

static void
every_damaged_bit_is_seen(void **state)
{
    uint8_t data[40] = "a beat", code[HMAC_BYTES];
    struct hmac_key key;

    (void) state;
    hmac_key_derive(&key, "0123456789abcdef", 16, "beat");
    hmac_sign(&key, data, sizeof data, code);
    assert_true(hmac_verify(&key, data, sizeof data, code, HMAC_BYTES));
    assert_true(hmac_verify(&key, data, sizeof data, code, 16));
    assert_false(hmac_verify(&key, data, sizeof data - 1, code, 16));
    for (size_t bit = 0; bit < sizeof data * 8; bit++) {
        data[bit / 8] ^= 1 << bit % 8;
        assert_false(hmac_verify(&key, data, sizeof data, code, 16));
        data[bit / 8] ^= 1 << bit % 8;
    }
    for (size_t bit = 0; bit < sizeof code * 8; bit++) {
        code[bit / 8] ^= 1 << bit % 8;
        assert_false(hmac_verify(&key, data, sizeof data, code, HMAC_BYTES));
        assert_int_equal(hmac_verify(&key, data, sizeof data, code, 16),
                         bit >= 16 * 8);
        code[bit / 8] ^= 1 << bit % 8;
    }
}

static void
keys_and_purposes_differ(void **state)
{
    struct hmac_key a, b, c;
    uint8_t code[HMAC_BYTES];

    (void) state;
    hmac_key_derive(&a, "0123456789abcdef", 16, "beat");
    hmac_key_derive(&b, "0123456789abcdef", 16, "other");
    hmac_key_derive(&c, "0123456789abcdeg", 16, "beat");
    hmac_sign(&a, "x", 1, code);
    assert_true(hmac_verify(&a, "x", 1, code, sizeof code));
    assert_false(hmac_verify(&b, "x", 1, code, sizeof code));
    assert_false(hmac_verify(&c, "x", 1, code, sizeof code));
}

static void
key_files(void **state)
{
    struct hmac_key a, b;
    char data[HMAC_KEY_MAX + 1];

    (void) state;
    assert_int_equal(hmac_key_load(&a, path, "beat"), -ENOENT);
    memset(data, 'k', sizeof data);
    assert_int_equal(durable_write(path, data, 15, 0600), 0);
    assert_int_equal(hmac_key_load(&a, path, "beat"), -EKEYREJECTED);
    assert_int_equal(durable_write(path, data, HMAC_KEY_MAX + 1, 0600), 0);
    assert_int_equal(hmac_key_load(&a, path, "beat"), -EKEYREJECTED);
    assert_int_equal(durable_write(path, data, 256, 0600), 0);
    assert_int_equal(hmac_key_load(&a, path, "beat"), 0);
    hmac_key_derive(&b, data, 256, "beat");
    assert_memory_equal(a.bytes, b.bytes, sizeof a.bytes);
}

static void
random_ids_differ(void **state)
{
    uint64_t ids[100];

    (void) state;
    for (int i = 0; i < 100; i++) {
        ids[i] = ha_random_id();
        assert_true(ids[i] != 0);
        for (int j = 0; j < i; j++) {
            assert_true(ids[i] != ids[j]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),
        cmocka_unit_test(every_damaged_bit_is_seen),
        cmocka_unit_test(keys_and_purposes_differ),
        cmocka_unit_test(key_files),
        cmocka_unit_test(random_ids_differ),
    };

    return cmocka_run_group_tests_name("hmac", tests, setup, teardown);
}
