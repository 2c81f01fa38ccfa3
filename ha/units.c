/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/log.h"

#define SYSTEMD_RUNS "/run/systemd/system" /* As sd_booted(3) asks. */
#define UNIT_DIR "/etc/systemd/system"
#define MASK_MS 5000
#define BY_HAND                                                    \
    "run by hand: systemctl mask ovn-central ovn-ovsdb-server-nb " \
    "ovn-ovsdb-server-sb ovn-northd"

static const char *const mask_argv[] = {
    "/usr/bin/systemctl",
    "mask",
    "ovn-central.service",
    "ovn-ovsdb-server-nb.service",
    "ovn-ovsdb-server-sb.service",
    "ovn-northd.service",
    NULL,
};

static bool
is_masked(const char *unit)
{
    static const char nowhere[] = "/dev/null";
    char path[128], target[sizeof nowhere];
    ssize_t n;

    snprintf(path, sizeof path, UNIT_DIR "/%s", unit);
    n = readlink(path, target, sizeof target);
    return n == (ssize_t) strlen(nowhere) && !memcmp(target, nowhere, n);
}

static bool
all_masked(void)
{
    for (const char *const *unit = mask_argv + 2; *unit; unit++) {
        if (!is_masked(*unit)) {
            return false;
        }
    }
    return true;
}

void
units_mask(void)
{
    struct child_spec spec = { .argv = mask_argv, .reset_priority = true };
    struct child child;
    int status = -1;

    if (access(SYSTEMD_RUNS, F_OK) || all_masked()) {
        return;
    }
    if (!child_spawn(&spec, &child)) {
        if (child_wait(&child, mono_add_ms(mono_now(), MASK_MS), &status)) {
            status = -1;
        }
        child_close(&child);
    }
    if (status || !all_masked()) {
        ha_log(HA_LOG_WARN, "units",
               "systemctl cannot mask the units of ovn-central, which would "
               "start at boot; " BY_HAND);
    } else {
        ha_log(HA_LOG_INFO, "units",
               "this node joins a cluster: masked the units of ovn-central");
    }
}
