/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/units.h"

#include <stdbool.h>
#include <string.h>

#include "lib/child.h"
#include "lib/log.h"
#include "lib/ovnunits.h"

#define MASK_MS 5000
#define BY_HAND "run by hand: " OVNUNITS_MASK

static bool
all_masked(void)
{
    for (size_t i = 0; i < OVNUNITS_N; i++) {
        if (!ovnunits_is_masked(ovnunits[i])) {
            return false;
        }
    }
    return true;
}

void
units_mask(void)
{
    const char *mask_argv[2 + OVNUNITS_N + 1] = { "/usr/bin/systemctl",
                                                  "mask" };
    struct child_spec spec = { .argv = mask_argv, .reset_priority = true };
    struct child child;
    int status = -1;

    if (!ovnunits_systemd_runs() || all_masked()) {
        return;
    }
    memcpy(mask_argv + 2, ovnunits, sizeof ovnunits);
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
