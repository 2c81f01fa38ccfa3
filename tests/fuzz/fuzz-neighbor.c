/* SPDX-License-Identifier: Apache-2.0 */

/* A frame from the network: whatever it is, it names a claim only to an
 * address that stands in it, and a host that is no more than its sender. */

#include <string.h>
#include <sys/socket.h>

#include "fence/neighbor.h"
#include "tests/fuzz/fuzz.h"

static void
look(const uint8_t *data, size_t n, const struct wire_address *a, size_t len)
{
    struct neighbor_mac mac;

    if (neighbor_read(data, n, a, &mac) != NEIGHBOR_NONE) {
        assert(memmem(data, n, a->bytes, len));
        assert(memmem(data, n, &mac, sizeof mac));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct wire_address v4 = { AF_INET, 24, { 192, 0, 2, 10 } };
    static const struct wire_address v6 = { AF_INET6,
                                            64,
                                            { 0x20, 1, 0xd, 0xb8 } };

    look(data, n, &v4, 4);
    look(data, n, &v6, 16);
    return 0;
}
