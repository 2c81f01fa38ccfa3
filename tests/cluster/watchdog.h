/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WATCHDOG_H
#define TESTS_WATCHDOG_H 1

/* The registers of the device that tests/cluster/watchdog.c plays, as
 * tests/cluster/dog.py unpacks them, too.  Test code only. */

#include <stdint.h>

struct registers {
    int64_t armed;
    int64_t fed_us; /* CLOCK_BOOTTIME. */
    int64_t timeout_s;
    int64_t pretimeout_s;
    int64_t n_opened, n_fed, n_disarmed;
    /* Set by the test. */
    int64_t nowayout;
    int64_t shortest_s; /* It takes none that is shorter. */
    int64_t blocked;    /* The driver answers nothing. */
    int64_t faulty;     /* It says of each feeding that it failed. */
    char identity[32];
};

#endif /* tests/cluster/watchdog.h */
