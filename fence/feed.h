/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_FEED_H
#define FENCE_FEED_H 1

/* When a watchdog may be fed: the arithmetic of fence/watchdog.
 *
 * An open door is guarded by this: each feeding puts the bite off by the
 * device's timeout, so it is fed only while that ends within the lease.  Then
 * a node on which nobody closes the door is reset before another node may
 * serve, whatever hinders it.
 *
 * Used by the worker, which knows the lease, and by the child that feeds,
 * which may run late.  Pure. */

#include "lib/mono.h"
#include "lib/wire.h"

#define FEED_SLACK_US (WATCHDOG_SLACK_MS * 1000)

/* True if a feeding at 'now' makes the device bite at 'until' at the
 * latest. */
static inline bool
feed_may(mono_t now, int64_t timeout_us, mono_t until)
{
    return !mono_before(until, mono_add_us(now, timeout_us + FEED_SLACK_US));
}

/* When the device that was fed at 'fed' is due again: several times within
 * its timeout, and once more when 'until' lets it for the last time.
 * MONO_NEVER: not before 'until' is later. */
mono_t feed_next(mono_t fed, int64_t timeout_us, mono_t until);

#endif /* fence/feed.h */
