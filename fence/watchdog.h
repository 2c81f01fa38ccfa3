/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_WATCHDOG_H
#define FENCE_WATCHDOG_H 1

/* The watchdog: resets this node if nobody closes its door in time.
 *
 * Why: whatever else closes the door needs this worker, or ovn-had, to run,
 * and processes to end when they are killed.  The device needs neither.
 *
 * It is armed before the door opens and disarmed once that is proven shut; in
 * between it is fed only as far as the lease reaches (fence/feed.h), so a
 * worker that cannot close stops feeding.  One that nothing can disarm is fed
 * on while the door is shut.  A node without one serves as well: 'why' tells
 * what is missing.
 *
 * The worker says until when; a child does it (fence/watchdog-child.h),
 * because a driver may block.  Used by fence/worker only.  Never waits. */

#include <poll.h>
#include <stdbool.h>

#include "fence/helper.h"
#include "fence/watchdog-child.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct watchdog {
    struct wire_f_watchdog is; /* As it was last told by the child. */
    mono_t fed;                /* Not later; MONO_MIN: it is not armed. */

    struct helper helper;
    struct watchdog_wish wish;
    bool due;     /* 'wish' is to be sent. */
    bool busy;    /* One was sent and is not answered. */
    bool blocked; /* ... for so long that it is not waited for. */
    mono_t sent;  /* When that was. */
    mono_t until; /* What the wish that was sent last said. */
};

void watchdog_init(struct watchdog *);
void watchdog_close(struct watchdog *);

/* What the configuration says. */
void watchdog_set(struct watchdog *, const struct wire_watchdog *, mono_t now);

/* The door is shut and is to stay so: disarms it. */
void watchdog_disarm(struct watchdog *, mono_t now);

/* Arms it, and feeds it so that it bites by 'until' if nothing more is heard:
 * the end of the lease, or MONO_NEVER while the door is shut still. */
void watchdog_arm(struct watchdog *, mono_t until, mono_t now);

/* True if the door may be opened under a lease that ends at 'until': the
 * watchdog guards that, or there is none to wait for. */
bool watchdog_lets_open(const struct watchdog *, mono_t until);

/* When it bites if it is fed no more; MONO_NEVER: it is not armed. */
mono_t watchdog_bites_at(const struct watchdog *);

/* True if a feeding now would have it bite in time. */
bool watchdog_may_feed(const struct watchdog *, mono_t now);

/* For the end: lets go of it. */
void watchdog_release(struct watchdog *, mono_t now);
bool watchdog_is_released(const struct watchdog *);

#define WATCHDOG_MAX_POLL HELPER_MAX_POLL
unsigned int watchdog_poll(const struct watchdog *, struct pollfd pfds[]);
mono_t watchdog_next(const struct watchdog *);
void watchdog_run(struct watchdog *, mono_t now);

#endif /* fence/watchdog.h */
