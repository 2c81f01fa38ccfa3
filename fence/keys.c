/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/keys.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "fence/nft.h"

#define QUICK_MIN_US 5000   /* What a transaction may take, at first... */
#define QUICK_MAX_US 100000 /* ...and at most. */
#define TRIES 4             /* Then the kernel is too slow. */
#define DRIFT 500           /* Clocks differ by less than 1/DRIFT. */

/* Where commands go, and reasons. */
struct call {
    struct nft *nft;
    char *why;
    size_t size;
};

void
keys_init(struct keys *k)
{
    struct timespec tick;

    clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    *k = (struct keys){
        .tick_us = tick.tv_sec * 1000000 + tick.tv_nsec / 1000 + 1,
        .quick_us = QUICK_MIN_US,
        .end = { MONO_MIN, MONO_MIN },
    };
}

static int
set_key(struct call *c, int key, int64_t timeout_ms)
{
    char text[160];

    /* Adding alone would leave the old timeout, or make the new one, by the
     * age of the kernel. */
    snprintf(text, sizeof text,
             "flush set " KEYS_TABLE " key%d\n"
             "add element " KEYS_TABLE " key%d { 6 timeout %lldms }\n",
             key, key, (long long) timeout_ms);
    return nft_run(c->nft, text, c->why, c->size);
}

/* Sets a key to run out before 'until'.  Returns 0; -ETIME if that is too
 * soon; -EBUSY if the transaction took too long; or another negative errno. */
static int
try_key(struct keys *k, struct call *c, int key, mono_t until)
{
    mono_t now = mono_now();
    int64_t left_us = mono_us_between(now, until);
    int64_t spare_us = k->quick_us + 2 * k->tick_us + left_us / DRIFT;
    int64_t timeout_ms = (left_us - spare_us) / 1000;
    int64_t took_us;
    int error;

    if (timeout_ms <= 0) {
        return -ETIME;
    }
    error = set_key(c, key, timeout_ms);
    took_us = mono_us_between(now, mono_now());
    if (error) {
        return error;
    } else if (took_us > k->quick_us) {
        k->quick_us *= k->quick_us < QUICK_MAX_US ? 2 : 1;
        return -EBUSY;
    }
    k->end[key] = mono_add_us(now, left_us - spare_us);
    if (2 * took_us < k->quick_us) {
        k->quick_us = 2 * took_us > QUICK_MIN_US ? 2 * took_us : QUICK_MIN_US;
    }
    return 0;
}

/* The same, until it was quick enough.  If it was not, the key is in doubt. */
static int
renew_key(struct keys *k, struct call *c, int key, mono_t until)
{
    int error = -EBUSY;

    k->doubt = key;
    for (int i = 0; i < TRIES && error == -EBUSY; i++) {
        error = try_key(k, c, key, until);
    }
    return error;
}

int
keys_renew(struct keys *k, struct nft *nft, mono_t until, char why[],
           size_t size)
{
    struct call c = { nft, why, size };
    int first = k->doubt;
    int error;

    /* The one in doubt has to be right before the other is touched. */
    error = renew_key(k, &c, first, until);
    return error ? error : renew_key(k, &c, !first, until);
}

mono_t
keys_end(const struct keys *k)
{
    return mono_min(k->end[0], k->end[1]);
}
