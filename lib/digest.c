/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/digest.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct digest {
    EVP_MD_CTX *ctx;
};

/* Without digests nothing here is safe, so nothing goes on. */
static void
must(int ok)
{
    if (!ok) {
        fprintf(stderr, "digest: OpenSSL refuses a basic digest\n");
        abort();
    }
}

struct digest *
digest_create(void)
{
    struct digest *d = calloc(1, sizeof *d);

    must(d != NULL);
    d->ctx = EVP_MD_CTX_new();
    must(d->ctx != NULL);
    return d;
}

void
digest_destroy(struct digest *d)
{
    if (d) {
        EVP_MD_CTX_free(d->ctx);
        free(d);
    }
}

void
digest_start(struct digest *d)
{
    must(EVP_DigestInit_ex(d->ctx, EVP_sha1(), NULL));
}

void
digest_add(struct digest *d, const void *data, size_t n)
{
    must(EVP_DigestUpdate(d->ctx, data, n));
}

void
digest_finish(struct digest *d, uint8_t sha1[DIGEST_SHA1_LEN])
{
    must(EVP_DigestFinal_ex(d->ctx, sha1, NULL));
}

void
digest_sha1(const void *data, size_t n, uint8_t sha1[DIGEST_SHA1_LEN])
{
    must(EVP_Digest(data, n, sha1, NULL, EVP_sha1(), NULL));
}

void
digest_sha256(const void *data, size_t n, uint8_t sha256[DIGEST_SHA256_LEN])
{
    must(EVP_Digest(data, n, sha256, NULL, EVP_sha256(), NULL));
}
