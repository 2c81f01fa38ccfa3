/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_PLACE_H
#define FENCE_PLACE_H 1

/* What this machine has of the virtual IP: the interface that it belongs on,
 * and the addresses, wherever they are.
 *
 * Looks, takes and leaves; used by fence/address-child, which knows when.
 * Waits for the kernel with each call. */

#include <stdbool.h>
#include <stdint.h>

#include "fence/rtnl.h"
#include "lib/mono.h"
#include "lib/wire.h"

#define PLACE_MAX_FOUND 16

struct place_found {
    int index; /* Of the interface. */
    struct wire_address address;
};

struct place {
    struct rtnl *rtnl;
    struct wire_addresses want;

    /* What was seen last, and when. */
    mono_t looked;
    int link_error;
    struct rtnl_link link;
    struct place_found found[PLACE_MAX_FOUND]; /* Of ours, anywhere, with a
                                                * lifetime: put there by us. */
    unsigned int n_found;
    bool given[WIRE_MAX_ADDRESSES];   /* Where it should be, without end: from
                                      * who had it before us. */
    int strange[WIRE_MAX_ADDRESSES];  /* Where else it is without end: not for
                                      * us to remove.  0: nowhere. */
    bool held[WIRE_MAX_ADDRESSES];    /* Where and as it should be. */
    bool covered[WIRE_MAX_ADDRESSES]; /* Another one of its network is on that
                                       * interface. */

    bool unfit;       /* It could not have them, for more than a moment. */
    bool was_fit;     /* Once, with these addresses. */
    mono_t bad_since; /* MONO_NEVER: it is not bad. */
};

void place_init(struct place *);

/* From now on it is about these; n is at most WIRE_MAX_ADDRESSES. */
void place_set(struct place *, const struct wire_addresses *);

/* Looks.  Returns 0 or a negative errno. */
int place_look(struct place *, mono_t now);

/* Judges what was seen: 'why' gets what is wrong, or "". */
void place_judge(struct place *, char why[WIRE_WHY_LEN], mono_t now);

/* Puts all on the interface, or renews them, for 'valid_s' seconds.  Returns 0
 * or a negative errno. */
int place_take(struct place *, uint32_t valid_s);

/* Removes all that were found with a lifetime.  Returns 0 or a negative errno. */
int place_leave(struct place *);

#endif /* fence/place.h */
