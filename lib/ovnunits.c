/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/ovnunits.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMD_RUNS "/run/systemd/system" /* As sd_booted(3) asks. */
#define UNIT_DIR "/etc/systemd/system"

const char *const ovnunits[OVNUNITS_N] = {
    "ovn-central.service",
    "ovn-ovsdb-server-nb.service",
    "ovn-ovsdb-server-sb.service",
    "ovn-northd.service",
};

bool
ovnunits_systemd_runs(void)
{
    return !access(SYSTEMD_RUNS, F_OK);
}

bool
ovnunits_is_masked(const char *unit)
{
    static const char nowhere[] = "/dev/null";
    char path[128], target[sizeof nowhere];
    ssize_t n;

    snprintf(path, sizeof path, UNIT_DIR "/%s", unit);
    n = readlink(path, target, sizeof target);
    return n == (ssize_t) strlen(nowhere) && !memcmp(target, nowhere, n);
}
