/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_LIB_DIGEST_H
#define HA_LIB_DIGEST_H 1

/* Digests: SHA-1 of records, SHA-256 of chains and schemas.
 *
 * Replication alone uses them.  None of these calls fails but for a broken
 * OpenSSL, which is fatal. */

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHA1_LEN 20
#define DIGEST_SHA256_LEN 32

/* A SHA-1 that is computed in pieces. */
struct digest;

struct digest *digest_create(void);
void digest_destroy(struct digest *);

/* Begins afresh. */
void digest_start(struct digest *);
void digest_add(struct digest *, const void *data, size_t n);
void digest_finish(struct digest *, uint8_t sha1[DIGEST_SHA1_LEN]);

void digest_sha1(const void *data, size_t n, uint8_t sha1[DIGEST_SHA1_LEN]);
void digest_sha256(const void *data, size_t n,
                   uint8_t sha256[DIGEST_SHA256_LEN]);
#endif /* lib/digest.h */
