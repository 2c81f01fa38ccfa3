/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_WIRES_H
#define FENCE_WIRES_H 1

/* Packet sockets on one interface: neighbors' claims to the virtual IP come
 * in, probes and announcements go out.
 *
 * Used by fence/address-child.  Never waits; knows nothing of what a claim
 * means. */

#include <poll.h>

#include "fence/neighbor.h"

struct wires {
    int arp_fd; /* -1: closed. */
    int nd_fd;
    int index;
    struct neighbor_mac self;
};

void wires_init(struct wires *);
void wires_close(struct wires *);

/* Opens them on an interface, unless they are open on the same.  Returns 0 or
 * a negative errno. */
int wires_open(struct wires *, int index, const struct neighbor_mac *self);

/* Asks.  Returns 0 or a negative errno: then nobody heard it. */
int wires_probe(const struct wires *, const struct wire_address *);

/* Tells; what cannot be sent is lost, as on any wire. */
void wires_announce(const struct wires *, const struct wire_address *);

/* Takes frames that are here, until one makes a claim of another host to one
 * of the 'n' addresses.  Returns that, with the address and who says so;
 * NEIGHBOR_NONE if there is none. */
enum neighbor_claim wires_read(const struct wires *,
                               const struct wire_address list[], uint32_t n,
                               const struct wire_address **ret_address,
                               struct neighbor_mac *ret_mac);

#define WIRES_MAX_POLL 2
unsigned int wires_poll(const struct wires *, struct pollfd pfds[]);

#endif /* fence/wires.h */
