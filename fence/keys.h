/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_KEYS_H
#define FENCE_KEYS_H 1

/* The two keys of the kernel: set elements with a timeout, both of which have
 * to live for a packet to leave a client port.
 *
 * The kernel knows timeouts only, which begin when it sets them, and a lease
 * has an end.  A process that works out the one from the other and is frozen
 * before it has told the kernel would set a key that lives too long.  So there
 * are two keys, each is set in a transaction of its own, and one that was not
 * quick is done again before the other key is touched: at any time one of the
 * two ends no later than the lease, wherever the process is frozen.
 *
 * Used by fence/kernel-child, which makes the sets.  Knows nothing of ports
 * and of what is to be guarded.
 *
 * Timeouts stand still while a machine is suspended, as a paused one is: of
 * that, only fencing takes care. */

#include <stddef.h>

#include "lib/mono.h"

#define KEYS_TABLE "inet ovn_ha"
#define KEYS_N 2 /* Sets "key0" and "key1" of that table, of inet_proto. */

struct nft;

struct keys {
    int64_t tick_us;    /* Of the kernel's timeouts. */
    int64_t quick_us;   /* What a transaction may take at present. */
    int doubt;          /* The key that was touched last. */
    mono_t end[KEYS_N]; /* When each runs out, as far as it is known; one
                         * in doubt may live longer. */
};

void keys_init(struct keys *);

/* Has both run out just before 'until', and never after it.  Returns 0; -ETIME
 * if that is too soon; -EBUSY if the kernel is too slow; or an error of
 * nft_run(), with a reason in 'why'. */
int keys_renew(struct keys *, struct nft *, mono_t until, char why[],
               size_t size);

/* Until when packets leave. */
mono_t keys_end(const struct keys *);

#endif /* fence/keys.h */
