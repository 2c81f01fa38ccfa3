/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/beat.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define BEAT_MAGIC 0x4f484142 /* "OHAB" */
#define BEAT_VERSION 1
#define BODY_LEN (BEAT_LEN - HMAC_BYTES)

struct beat_wire {
    uint32_t magic;
    uint8_t version;
    uint8_t type;
    uint16_t reserved;
    uint32_t from;
    uint32_t to;
    uint32_t epoch_n;
    uint32_t epoch_node;
    uint64_t life;
    uint64_t seq;
    uint64_t sent_us;
    uint64_t lease_us;
    uint64_t reserved2;
};

_Static_assert(sizeof(struct beat_wire) == BODY_LEN, "layout of a beat");

void
beat_encode(const struct beat_msg *msg, const struct hmac_key *key,
            uint8_t ret[])
{
    const struct lease_beat *b = &msg->beat;
    struct beat_wire wire = {
        .magic = htobe32(BEAT_MAGIC),
        .version = BEAT_VERSION,
        .type = msg->type,
        .from = htobe32(msg->from),
        .to = htobe32(msg->to),
        .epoch_n = htobe32(b->epoch.n),
        .epoch_node = htobe32(b->epoch.node),
        .life = htobe64(b->life),
        .seq = htobe64(b->seq),
        .sent_us = htobe64((uint64_t) b->sent.us),
        .lease_us = htobe64((uint64_t) b->lease_us),
    };

    memcpy(ret, &wire, sizeof wire);
    if (key) {
        hmac_sign(key, ret, BODY_LEN, ret + BODY_LEN);
    } else {
        memset(ret + BODY_LEN, 0, HMAC_BYTES);
    }
}

int
beat_decode(const uint8_t *bytes, size_t n, const struct hmac_key *key,
            struct beat_msg *ret_msg)
{
    struct beat_wire wire;

    if (n < BEAT_LEN || n > BEAT_MAX) {
        return -EBADMSG;
    }
    memcpy(&wire, bytes, sizeof wire);
    if (wire.magic != htobe32(BEAT_MAGIC) || wire.version < BEAT_VERSION
        || (wire.type != BEAT_BEAT && wire.type != BEAT_ACK)) {
        return -EBADMSG;
    }
    n -= HMAC_BYTES;
    if (key && !hmac_verify(key, bytes, n, bytes + n, HMAC_BYTES)) {
        return -EACCES;
    }
    *ret_msg = (struct beat_msg){
        .type = wire.type,
        .from = be32toh(wire.from),
        .to = be32toh(wire.to),
        .beat = {
            .epoch = { be32toh(wire.epoch_n), be32toh(wire.epoch_node) },
            .life = be64toh(wire.life),
            .seq = be64toh(wire.seq),
            .sent = { (int64_t) be64toh(wire.sent_us) },
            .lease_us = (int64_t) be64toh(wire.lease_us),
        },
    };
    return 0;
}
