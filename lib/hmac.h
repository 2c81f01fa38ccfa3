/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_HMAC_H
#define HA_LIB_HMAC_H 1

/* HMAC-SHA256 with a key from a file, and random bytes.
 *
 * Beats and acknowledgements travel in plain UDP.  Their code is keyed from
 * corosync's authkey, so they deserve exactly the trust that corosync itself
 * gets.  The fence worker uses it; the supervisor takes random ids from it.
 * It hides nothing and stops no replay: what is signed must say when and for
 * whom it was made. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HMAC_BYTES 32     /* A whole code. */
#define HMAC_KEY_MAX 4096 /* Largest key file, as corosync's. */
#define HMAC_KEY_MIN 16   /* A shorter file is no key. */

struct hmac_key {
    uint8_t bytes[HMAC_BYTES];
};

/* Derives a key for 'purpose' from the content of 'file', so that codes that
 * are made for one purpose mean nothing for another.  Returns 0 or a negative
 * errno: -ENOENT, -EKEYREJECTED if the file is too short or too long. */
int hmac_key_load(struct hmac_key *, const char *file, const char *purpose);

/* The same from memory. */
void hmac_key_derive(struct hmac_key *, const void *secret, size_t n,
                     const char *purpose);

/* Overwrites the key. */
void hmac_key_clear(struct hmac_key *);

/* Writes the code of the 'n' bytes at 'data'. */
void hmac_sign(const struct hmac_key *, const void *data, size_t n,
               uint8_t ret_code[HMAC_BYTES]);

/* True if 'code' is the first 'code_n' bytes, at least 16 and at most
 * HMAC_BYTES, of the code of 'data'.  Takes the same time either way. */
bool hmac_verify(const struct hmac_key *, const void *data, size_t n,
                 const void *code, size_t code_n);

/* Fills in 'n' bytes that no one can guess. */
void ha_random_bytes(void *, size_t n);
/* A random number other than 0. */
uint64_t ha_random_id(void);

#endif /* HA_LIB_HMAC_H */
