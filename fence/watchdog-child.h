/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_WATCHDOG_CHILD_H
#define FENCE_WATCHDOG_CHILD_H 1

/* The process that has the watchdog open, on behalf of its parent, the
 * worker, which must not wait for a driver.
 *
 * It feeds only when it is told to, and not if that came too late.  When it
 * or the worker dies, the kernel closes the device without the word that
 * disarms it: the device bites, unless another life opens it before.  Started
 * by fence/watchdog. */

#include <stdint.h>

#include "lib/wire.h"

enum watchdog_use {
    WATCHDOG_OFF,   /* Let go of it. */
    WATCHDOG_READY, /* Known to work, disarmed if that is possible. */
    WATCHDOG_ARMED, /* Armed and fed. */
};

/* What the worker wants.  Each is answered. */
struct watchdog_wish {
    uint32_t use; /* enum watchdog_use. */
    uint32_t reserved;
    int64_t until_us; /* ARMED: it has to bite by then, by CLOCK_BOOTTIME;
                       * it is neither armed nor fed otherwise. */
    struct wire_watchdog conf;
};

/* What is so. */
struct watchdog_answer {
    struct wire_f_watchdog is; /* PENDING: it was not the time to arm it. */
    int64_t fed_us;            /* ARMED: it was not fed later. */
};

/* The timeout with which a device is opened. */
static inline int64_t
watchdog_wanted_us(const struct wire_watchdog *conf)
{
    return (int64_t) conf->timeout_s * 1000000;
}

/* The child's life: until the worker's end of 'fd' is closed. */
void watchdog_child_run(int fd, const void *aux);

#endif /* fence/watchdog-child.h */
