/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_BEAT_H
#define FENCE_BEAT_H 1

/* Beats and acknowledgements as datagrams.
 *
 * Fixed size, big-endian, authenticated by HMAC-SHA256 with a key made from
 * corosync's authkey, so that exactly those are trusted whom corosync trusts.
 * A later version may add fields between the known ones and the code, which
 * is always last.  Used by fence/link; knows no sockets and no time. */

#include <stddef.h>
#include <stdint.h>

#include "fence/lease.h"
#include "lib/hmac.h"

enum beat_type {
    BEAT_BEAT = 1, /* Holder to supporter. */
    BEAT_ACK = 2,  /* The same beat back. */
};

struct beat_msg {
    enum beat_type type;
    uint32_t from; /* Corosync ids. */
    uint32_t to;
    struct lease_beat beat;
};

#define BEAT_KEY_PURPOSE "beat"
#define BEAT_LEN 96
#define BEAT_MAX 1024 /* Of any later version. */

/* Writes BEAT_LEN bytes.  Without a key (NULL) the code is zero. */
void beat_encode(const struct beat_msg *, const struct hmac_key *,
                 uint8_t ret[]);

/* Reads a datagram.  Returns 0; -EBADMSG if it is not one of ours; -EACCES if
 * its code is wrong. */
int beat_decode(const uint8_t *, size_t n, const struct hmac_key *,
                struct beat_msg *ret_msg);

#endif /* fence/beat.h */
