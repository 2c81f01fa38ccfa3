/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_WORKER_H
#define FENCE_WORKER_H 1

/* ovn-ha-fence: the one hand on the door.
 *
 * The supervisor says what is wanted: support this epoch, serve under that
 * one.  The worker does it only while it is safe: the door opens under a live
 * lease, is closed before the lease ends, whatever has become of the
 * supervisor, and an epoch is supported only after the door is closed that
 * was open under an earlier one.  Why: this must work on a node where
 * everything else is stuck, so it lives in the smallest process that can do
 * it (DESIGN.md, Processes).
 *
 * Each turn of the loop looks at the lease first and at messages later, so
 * that a process that was frozen closes before it believes anything old. */

#include <stdbool.h>

#include "fence/address.h"
#include "fence/agents.h"
#include "fence/door.h"
#include "fence/kernel.h"
#include "fence/lease.h"
#include "fence/link.h"
#include "fence/reset.h"
#include "fence/sup.h"
#include "fence/watchdog.h"

#define NO_EPOCH ((struct ha_epoch){ 0, 0 })

static inline bool
epoch_is_none(struct ha_epoch epoch)
{
    return !ha_epoch_cmp(epoch, NO_EPOCH);
}

struct worker {
    mono_t started;
    struct sup sup;
    struct link link;
    struct door door;
    struct kernel kernel;
    struct address address;
    struct watchdog watchdog;
    struct reset reset;
    struct lease_holder holder;
    struct lease_supporter supporter;

    struct wire_f_config config;
    bool configured;      /* 'config', holder and supporter are set. */
    int64_t margin_us;    /* Time that closing may take. */
    mono_t guarded_until; /* What may be open still must be shut by then, or
                           * the watchdog bites. */
    bool last_fed_told;   /* That it will, for want of feeding. */

    struct ha_epoch serve;  /* {0, 0}: not told to serve. */
    bool has_lease;         /* Under 'serve', when last looked. */
    uint32_t endless_token; /* Of the supervisor's last word on that. */
    mono_t next_beat;       /* MONO_NEVER unless 'serve'. */
    bool northd_may_write;  /* Northd may have been resumed. */
    bool northd_told;       /* Of any, in this life. */
    uint32_t lease_losses;
    char closed_why[WIRE_WHY_LEN]; /* Of the last close. */

    struct ha_epoch supporting; /* WIRE_F_SUPPORTED is due; or {0, 0}. */
    mono_t exit_at;             /* Told to end; MONO_NEVER: not. */
    bool answer_due;            /* WIRE_F_STATE is, whatever changed. */
    struct wire_f_state told;   /* Last state that was sent. */
    mono_t last_turn;
    struct agents agents;
    char agents_path[WIRE_PATH_LEN + 16];
    int timer_fd; /* CLOCK_BOOTTIME: runs on in suspension. */
    int signal_fd;
};

/* Listens for the supervisor on 'path'.  Signals of 'signal_fd' end it.
 * Returns 0 or a negative errno. */
int worker_init(struct worker *, const char *path, int signal_fd);
void worker_destroy(struct worker *);

/* True if clients can reach nothing here: no listener, no virtual IP. */
bool worker_is_shut(const struct worker *);

/* Runs until it is told to end and the door is closed.  Returns 0, or
 * -ETIMEDOUT if the door could not be proven closed. */
int worker_run(struct worker *);

#endif /* fence/worker.h */
