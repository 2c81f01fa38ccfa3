/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/hmac.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "lib/durable.h"

#define CODE_BYTES_MIN 16

static void
sha256_hmac(const void *key, size_t key_n, const void *data, size_t n,
            uint8_t ret_code[HMAC_BYTES])
{
    unsigned int code_n = 0;
    unsigned char *code =
        HMAC(EVP_sha256(), key, (int) key_n, data, n, ret_code, &code_n);

    /* Fails for nothing but memory. */
    assert(code && code_n == HMAC_BYTES);
}

void
hmac_key_derive(struct hmac_key *key, const void *secret, size_t n,
                const char *purpose)
{
    sha256_hmac(secret, n, purpose, strlen(purpose), key->bytes);
}

int
hmac_key_load(struct hmac_key *key, const char *file, const char *purpose)
{
    char *secret;
    size_t n;
    int error = durable_read(file, HMAC_KEY_MAX, &secret, &n);

    if (error) {
        return error == -EFBIG ? -EKEYREJECTED : error;
    }
    if (n < HMAC_KEY_MIN) {
        error = -EKEYREJECTED;
    } else {
        hmac_key_derive(key, secret, n, purpose);
    }
    OPENSSL_cleanse(secret, n);
    free(secret);
    return error;
}

void
hmac_key_clear(struct hmac_key *key)
{
    OPENSSL_cleanse(key, sizeof *key);
}

void
hmac_sign(const struct hmac_key *key, const void *data, size_t n,
          uint8_t ret_code[HMAC_BYTES])
{
    sha256_hmac(key->bytes, sizeof key->bytes, data, n, ret_code);
}

bool
hmac_verify(const struct hmac_key *key, const void *data, size_t n,
            const void *code, size_t code_n)
{
    uint8_t want[HMAC_BYTES];

    assert(code_n >= CODE_BYTES_MIN && code_n <= HMAC_BYTES);
    hmac_sign(key, data, n, want);
    return !CRYPTO_memcmp(want, code, code_n);
}

void
ha_random_bytes(void *bytes, size_t n)
{
    int ok = RAND_bytes(bytes, (int) n);

    /* A node that cannot make a unique id must not take part. */
    if (ok != 1) {
        abort();
    }
}

uint64_t
ha_random_id(void)
{
    uint64_t id;

    do {
        ha_random_bytes(&id, sizeof id);
    } while (!id);
    return id;
}
