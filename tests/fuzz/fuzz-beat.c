/* SPDX-License-Identifier: Apache-2.0 */

/* A beat: what is understood is the same when it is written again, and without
 * the key nothing is. */

#include "fence/beat.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct hmac_key key;
    struct beat_msg m, again;
    uint8_t buf[BEAT_LEN];

    hmac_key_derive(&key, "secret", 6, BEAT_KEY_PURPOSE);
    assert(beat_decode(data, n, &key, &m));
    if (beat_decode(data, n, NULL, &m)) {
        return 0;
    }
    assert(n >= BEAT_LEN && n <= BEAT_MAX);
    beat_encode(&m, &key, buf);
    assert(!beat_decode(buf, sizeof buf, &key, &again));
    assert(m.type == again.type && m.from == again.from && m.to == again.to);
    assert(!ha_epoch_cmp(m.beat.epoch, again.beat.epoch));
    assert(m.beat.life == again.beat.life && m.beat.seq == again.beat.seq);
    assert(m.beat.sent.us == again.beat.sent.us);
    assert(m.beat.lease_us == again.beat.lease_us);
    return 0;
}
