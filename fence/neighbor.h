/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_NEIGHBOR_H
#define FENCE_NEIGHBOR_H 1

/* Ethernet frames by which hosts tell who has an address: ARP (RFC 826, 5227)
 * and IPv6 neighbor discovery (RFC 4861).
 *
 * Writes those that ask and that tell, and reads what others say.  Used by
 * fence/address-child.  Pure: sends and receives nothing itself. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire.h"

#define NEIGHBOR_MAC_LEN 6
#define NEIGHBOR_FRAME_MAX 128 /* Of those written here. */

struct neighbor_mac {
    uint8_t bytes[NEIGHBOR_MAC_LEN];
};

/* Writes a frame that asks who has the address, without using it: an ARP
 * probe, or what duplicate address detection sends.  Returns its length. */
size_t neighbor_make_probe(const struct wire_address *,
                           const struct neighbor_mac *self,
                           uint8_t frame[NEIGHBOR_FRAME_MAX]);

/* Writes a frame that tells all that 'self' has the address: a gratuitous ARP
 * request or, if 'reply', reply; or an unsolicited neighbor advertisement.
 * Returns its length. */
size_t neighbor_make_announcement(const struct wire_address *,
                                  const struct neighbor_mac *self, bool reply,
                                  uint8_t frame[NEIGHBOR_FRAME_MAX]);

enum neighbor_claim {
    NEIGHBOR_NONE, /* The frame says nothing of the address. */
    NEIGHBOR_HAS,  /* Its sender has the address. */
    NEIGHBOR_ASKS, /* It probes, too, to take it. */
};

/* What a frame of 'n' bytes says of an address, and who says so. */
enum neighbor_claim neighbor_read(const uint8_t *frame, size_t n,
                                  const struct wire_address *,
                                  struct neighbor_mac *ret_mac);

#endif /* fence/neighbor.h */
