/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/feed.h"

#define FEEDINGS 5    /* Within one timeout. */
#define LEAD_US 10000 /* The last one is not to come too late. */

mono_t
feed_next(mono_t fed, int64_t timeout_us, mono_t until)
{
    mono_t last = mono_add_us(until, -timeout_us - FEED_SLACK_US);
    mono_t regular = mono_add_us(fed, timeout_us / FEEDINGS);
    mono_t next = mono_min(regular, mono_add_us(last, -LEAD_US));

    if (!mono_before(fed, next)) {
        next = regular;
    }
    return mono_before(last, next) ? MONO_NEVER : next;
}
