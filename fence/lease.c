/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/lease.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static bool
is_none(struct ha_epoch epoch)
{
    return !epoch.n && !epoch.node;
}

/* ---- Holder --------------------------------------------------------- */

void
lease_holder_init(struct lease_holder *h, uint64_t life)
{
    memset(h, 0, sizeof *h);
    h->life = life;
}

static void
holder_peer_clear(struct lease_holder_peer *p)
{
    p->acked = MONO_MIN;
    p->until = MONO_MIN;
    p->seq = 0;
}

static struct lease_holder_peer *
holder_peer_find(struct lease_holder *h, uint32_t id)
{
    for (uint32_t i = 0; i < h->n_peers; i++) {
        if (h->peers[i].id == id) {
            return &h->peers[i];
        }
    }
    return NULL;
}

void
lease_holder_set(struct lease_holder *h, int64_t lease_us, uint32_t supporters,
                 const uint32_t ids[], uint32_t n)
{
    struct lease_holder_peer peers[HA_MAX_NODES];

    assert(lease_us > 0 && lease_us <= LEASE_MAX_US);
    assert(n <= HA_MAX_NODES);
    memset(peers, 0, sizeof peers);
    for (uint32_t i = 0; i < n; i++) {
        const struct lease_holder_peer *old = holder_peer_find(h, ids[i]);

        if (old) {
            peers[i] = *old;
        } else {
            peers[i].id = ids[i];
            holder_peer_clear(&peers[i]);
        }
    }
    memcpy(h->peers, peers, sizeof peers);
    h->n_peers = n;
    h->lease_us = lease_us;
    h->supporters = supporters;
}

void
lease_holder_start(struct lease_holder *h, struct ha_epoch epoch)
{
    lease_holder_stop(h);
    h->epoch = epoch;
}

void
lease_holder_stop(struct lease_holder *h)
{
    for (uint32_t i = 0; i < h->n_peers; i++) {
        holder_peer_clear(&h->peers[i]);
    }
    h->epoch = (struct ha_epoch){ 0, 0 };
    h->end = LEASE_ORDINARY;
    h->first_seq = h->seq + 1;
}

struct lease_beat
lease_holder_beat(struct lease_holder *h, mono_t now)
{
    uint64_t seq = ++h->seq;

    assert(!is_none(h->epoch));
    assert(h->lease_us > 0);
    h->ring[seq % LEASE_RING].sent = now;
    h->ring[seq % LEASE_RING].lease_us = h->lease_us;
    return (struct lease_beat){
        .epoch = h->epoch,
        .life = h->life,
        .seq = seq,
        .sent = now,
        .lease_us = h->lease_us,
    };
}

/* True if 'b' is a beat that 'h' itself sent since it started, and not too
 * long ago to be remembered. */
static bool
holder_sent(const struct lease_holder *h, const struct lease_beat *b)
{
    uint64_t slot = b->seq % LEASE_RING;

    /* The unsigned difference refuses beats of the future too. */
    return !is_none(h->epoch) && !ha_epoch_cmp(b->epoch, h->epoch)
           && b->life == h->life && b->seq >= h->first_seq
           && h->seq - b->seq < LEASE_RING
           && h->ring[slot].sent.us == b->sent.us
           && h->ring[slot].lease_us == b->lease_us;
}

bool
lease_holder_ack(struct lease_holder *h, uint32_t peer,
                 const struct lease_beat *b)
{
    struct lease_holder_peer *p = holder_peer_find(h, peer);

    if (!p || !holder_sent(h, b) || b->seq <= p->seq) {
        return false;
    }
    p->seq = b->seq;
    p->acked = b->sent;
    /* Never backwards: an earlier, longer promise of this peer still holds
     * when the lease was made shorter meanwhile. */
    p->until = mono_max(p->until, mono_add_us(b->sent, b->lease_us));
    return true;
}

/* How many peers have promised at least until 'until'. */
static uint32_t
holder_n_until(const struct lease_holder *h, mono_t until)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->n_peers; i++) {
        n += !mono_before(h->peers[i].until, until);
    }
    return n;
}

/* When the lease ends by what was acknowledged. */
static mono_t
ordinary_until(const struct lease_holder *h)
{
    mono_t best = MONO_MIN;

    if (!h->supporters) {
        return MONO_NEVER;
    }
    /* The latest time until which enough peers are bound. */
    for (uint32_t i = 0; i < h->n_peers; i++) {
        mono_t until = h->peers[i].until;

        if (mono_before(best, until)
            && holder_n_until(h, until) >= h->supporters) {
            best = until;
        }
    }
    return best;
}

mono_t
lease_holder_until(const struct lease_holder *h)
{
    return is_none(h->epoch)          ? MONO_MIN
           : h->end != LEASE_ORDINARY ? MONO_NEVER
                                      : ordinary_until(h);
}

void
lease_holder_set_endless(struct lease_holder *h, bool endless)
{
    if (is_none(h->epoch)) {
        return;
    }
    if (endless) {
        h->end = LEASE_ENDLESS;
    } else if (h->end == LEASE_ENDLESS) {
        h->end = LEASE_RETURNED;
    }
}

bool
lease_holder_settle(struct lease_holder *h, mono_t then)
{
    if (h->end != LEASE_RETURNED || !mono_before(then, ordinary_until(h))) {
        return false;
    }
    h->end = LEASE_ORDINARY;
    return true;
}

bool
lease_holder_alive(const struct lease_holder *h, mono_t now)
{
    return mono_before(now, lease_holder_until(h));
}

uint32_t
lease_holder_n_bound(const struct lease_holder *h, mono_t now)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->n_peers; i++) {
        n += mono_before(now, h->peers[i].until);
    }
    return n;
}

/* ---- Supporter ------------------------------------------------------ */

/* The length of a promise for a lease of 'lease_us', rounded up. */
static int64_t
promise_us(const struct lease_supporter *s, int64_t lease_us)
{
    return lease_us + (lease_us * (int64_t) s->drift_ppm + 999999) / 1000000;
}

void
lease_supporter_init(struct lease_supporter *s, int64_t lease_us,
                     uint32_t drift_ppm, mono_t started)
{
    memset(s, 0, sizeof *s);
    s->started = started;
    s->fresh_until = started;
    s->promise = MONO_MIN;
    s->old_promise = MONO_MIN;
    lease_supporter_set(s, lease_us, drift_ppm, started);
    s->fresh_until = mono_add_us(started, promise_us(s, lease_us));
    s->old_promise = s->fresh_until;
}

void
lease_supporter_set(struct lease_supporter *s, int64_t lease_us,
                    uint32_t drift_ppm, mono_t now)
{
    assert(lease_us > 0 && lease_us <= LEASE_MAX_US);
    assert(drift_ppm <= 1000000);
    s->lease_us = lease_us;
    s->drift_ppm = drift_ppm;
    if (mono_before(now, s->fresh_until)) {
        mono_t until = mono_add_us(s->started, promise_us(s, lease_us));

        s->fresh_until = mono_max(s->fresh_until, until);
        s->old_promise = mono_max(s->old_promise, s->fresh_until);
    }
}

void
lease_supporter_set_members(struct lease_supporter *s, const uint32_t ids[],
                            uint32_t n)
{
    assert(n <= HA_MAX_NODES);
    memset(s->members, 0, sizeof s->members);
    if (n) {
        memcpy(s->members, ids, n * sizeof *ids);
    }
    s->n_members = n;
}

int
lease_supporter_support(struct lease_supporter *s, struct ha_epoch epoch)
{
    int cmp = ha_epoch_cmp(epoch, s->epoch);

    if (cmp < 0) {
        return -ESTALE;
    }
    if (cmp > 0) {
        s->old_promise = mono_max(s->old_promise, s->promise);
        s->promise = MONO_MIN;
        s->epoch = epoch;
        s->life = 0;
        s->seq = 0;
    }
    return 0;
}

static bool
supporter_is_member(const struct lease_supporter *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->n_members; i++) {
        if (s->members[i] == id) {
            return true;
        }
    }
    return false;
}

enum lease_answer
lease_supporter_beat(struct lease_supporter *s, uint32_t from,
                     const struct lease_beat *b, mono_t now)
{
    int64_t lease_us;

    if (is_none(b->epoch) || b->epoch.node != from || b->lease_us <= 0
        || b->lease_us > LEASE_MAX_US) {
        return LEASE_BAD_BEAT;
    }
    if (!supporter_is_member(s, from)) {
        return LEASE_NOT_MEMBER;
    }
    if (ha_epoch_cmp(b->epoch, s->epoch)) {
        return LEASE_OTHER_EPOCH;
    }
    if (b->life < s->life || (b->life == s->life && b->seq <= s->seq)) {
        return LEASE_REPLAY;
    }
    if (mono_before(now, s->fresh_until)) {
        return LEASE_FRESH;
    }
    s->life = b->life;
    s->seq = b->seq;
    /* The sender relies on its own length of the lease, so never promise
     * less than that, whatever is configured here. */
    lease_us = b->lease_us > s->lease_us ? b->lease_us : s->lease_us;
    s->promise =
        mono_max(s->promise, mono_add_us(now, promise_us(s, lease_us)));
    return LEASE_ACK;
}

static int64_t
left_us(mono_t until, mono_t now)
{
    return mono_before(now, until) ? mono_us_between(now, until) : 0;
}

int64_t
lease_supporter_old_left_us(const struct lease_supporter *s, mono_t now)
{
    return left_us(s->old_promise, now);
}

int64_t
lease_supporter_left_us(const struct lease_supporter *s, mono_t now)
{
    return left_us(s->promise, now);
}
