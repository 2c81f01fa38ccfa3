/* SPDX-License-Identifier: Apache-2.0 */

/* What a compute node's own Open vSwitch tells of its way to the cluster.  On
 * a control node nobody can see it: a client that knows one node only looks
 * like all others as long as that node is active. */

#include "ctl/check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

static const char *
external_id(const json_t *facts, const char *key)
{
    return jsonget_text(jsonget(facts, "external_ids"), key);
}

void
check_remote(const json_t *facts, json_t *findings)
{
    const char *remote = external_id(facts, "ovn-remote");

    if (!json_is_object(jsonget(facts, "external_ids"))) {
        return;
    }
    if (!*remote) {
        check_add(findings, CHECK_CRITICAL, "no-remote",
                  ha_strdup("external_ids:ovn-remote is not set"),
                  "ovn-controller connects to nothing",
                  "ovs-vsctl set open_vswitch . "
                  "external_ids:ovn-remote=ssl:A:6642,ssl:B:6642");
    } else if (!strchr(remote, ',')) {
        check_add(findings, CHECK_WARNING, "one-remote",
                  ha_asprintf("external_ids:ovn-remote has one address only: "
                              "%s",
                              remote),
                  "unless that is the cluster's virtual IP, this node is "
                  "without a Southbound database once another node is active",
                  "list all control nodes: ovs-vsctl set open_vswitch . "
                  "external_ids:ovn-remote=ssl:A:6642,ssl:B:6642");
    }
}

void
check_remote_probe(const json_t *facts, json_t *findings)
{
    const char *probe = external_id(facts, "ovn-remote-probe-interval");

    if (*probe && !atol(probe)) {
        check_add(findings, CHECK_CRITICAL, "remote-probe-off",
                  ha_strdup("external_ids:ovn-remote-probe-interval is 0"),
                  "when the active loses its power ovn-controller does not "
                  "notice, and stays with a dead connection",
                  "ovs-vsctl remove open_vswitch . external_ids "
                  "ovn-remote-probe-interval, or set 1000 to 5000");
    }
}

void
check_system_id(const json_t *facts, json_t *findings)
{
    const char *now = external_id(facts, "system-id");
    const char *file = jsonget_text(facts, "system_id_file");

    if (*now && *file && strcmp(now, file)) {
        check_add(findings, CHECK_CRITICAL, "system-id-changes",
                  ha_asprintf("external_ids:system-id is %s, and "
                              "/etc/openvswitch/system-id.conf has %s",
                              now, file),
                  "at the next start of Open vSwitch this host becomes "
                  "another chassis, and its ports stay bound to the old one",
                  "write the id that is right into the file");
    }
}
