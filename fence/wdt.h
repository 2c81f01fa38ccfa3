/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_WDT_H
#define FENCE_WDT_H 1

/* One watchdog device of Linux (Documentation/watchdog/watchdog-api.rst).
 *
 * To open it is to arm it; so what can be known of it beforehand, from
 * /sys/class/watchdog, is looked at first.  Any call may wait for the driver.
 * Used by fence/watchdog-child only, which knows when. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire.h"

struct wdt {
    int fd; /* -1: it is not open. */
    char path[WIRE_PATH_LEN];
    char identity[WIRE_IDENTITY_LEN];
    enum wire_nowayout nowayout;
    uint32_t timeout_ms; /* As the device has it. */
    uint32_t pretimeout_ms;
};

void wdt_init(struct wdt *);

/* Finds and opens it, which arms it with the timeout that is configured.
 * Returns 0, or a negative errno with 'why'; if it is open nevertheless, it
 * is one that does not fit. */
int wdt_open(struct wdt *, const struct wire_watchdog *, char why[],
             size_t size);

/* Feeds it.  Returns 0 or a negative errno. */
int wdt_feed(struct wdt *);

/* Disarms and closes it.  Returns 0, or -EBUSY if nothing stops it; then it
 * is open still, and has to be fed. */
int wdt_disarm(struct wdt *);

/* Closes it, whether that disarms it or not. */
void wdt_close(struct wdt *);

#endif /* fence/wdt.h */
