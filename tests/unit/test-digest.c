/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* FIPS 180's examples. */
static const uint8_t sha1_abc[DIGEST_SHA1_LEN] = {
    0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
    0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d,
};
static const uint8_t sha256_abc[DIGEST_SHA256_LEN] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
    0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
    0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

static void
test_known_answers(void **state)
{
    uint8_t sha1[DIGEST_SHA1_LEN], sha256[DIGEST_SHA256_LEN];

    (void) state;
    digest_sha1("abc", 3, sha1);
    assert_memory_equal(sha1, sha1_abc, sizeof sha1);
    digest_sha256("abc", 3, sha256);
    assert_memory_equal(sha256, sha256_abc, sizeof sha256);
}

static void
test_pieces(void **state)
{
    struct digest *d = digest_create();
    uint8_t sha1[DIGEST_SHA1_LEN];

    (void) state;
    for (int round = 0; round < 2; round++) {
        digest_start(d);
        digest_add(d, "a", 1);
        digest_add(d, "", 0);
        digest_add(d, "bc", 2);
        digest_finish(d, sha1);
        assert_memory_equal(sha1, sha1_abc, sizeof sha1);
    }
    digest_destroy(d);
    digest_destroy(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
