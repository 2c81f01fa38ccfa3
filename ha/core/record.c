/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/core/core-private.h"

int
ha_ballot_cmp(struct ha_ballot a, struct ha_ballot b)
{
    return (a.n != b.n         ? (a.n < b.n ? -1 : 1)
            : a.node != b.node ? (a.node < b.node ? -1 : 1)
                               : 0);
}
