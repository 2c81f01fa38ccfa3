/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/ovnunits.h"
#include "lib/xalloc.h"

void
check_units(const json_t *facts, json_t *findings)
{
    const json_t *list = jsonget(facts, "unmasked");
    char *names = NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        char *longer =
            ha_asprintf("%s%s%s", names ? names : "", names ? ", " : "",
                        json_string_value(json_array_get(list, i)));

        free(names);
        names = longer;
    }
    if (names) {
        check_add(findings, CHECK_WARNING, "units-unmasked",
                  ha_asprintf("systemd may start %s", names),
                  "at boot, or by an upgrade of the package, it would run the "
                  "databases beside ovn-ha, with whatever the files hold",
                  "on a member of the cluster: " OVNUNITS_MASK);
    }
    free(names);
}

void
check_pacemaker(const json_t *facts, json_t *findings)
{
    if (jsonget_true(jsonget(facts, "pacemaker"), "runs_databases")) {
        bool runs = jsonget_true(jsonget(facts, "pacemaker"), "runs");

        check_add(findings, runs ? CHECK_CRITICAL : CHECK_WARNING, "pacemaker",
                  ha_asprintf("pacemaker, which %s, is configured to run "
                              "OVN's databases (ocf:ovn:ovndb-servers)",
                              runs ? "runs" : "does not run now"),
                  "two managers promote and demote the same servers, each "
                  "against the other",
                  "remove that resource: pcs resource delete NAME, or crm "
                  "configure delete NAME");
    }
}

/* Somebody else's server on our files. */
void
check_files(const json_t *facts, json_t *findings)
{
    const json_t *list = jsonget(facts, "holders");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *holder = json_array_get(list, i);

        check_add(findings, CHECK_CRITICAL, "foreign-server",
                  ha_asprintf("%s is in use by process %d, which is not "
                              "ovn-ha's: %.120s",
                              jsonget_text(holder, "file"),
                              (int) json_integer_value(jsonget(holder, "pid")),
                              jsonget_text(holder, "command")),
                  "a member ends it; a node that is none yet refuses to "
                  "start, since its data may be in use",
                  "end it: systemctl disable --now ovn-central, or unmanage "
                  "the pacemaker resource");
    }
}

/* Somebody else's listener on a port of ours. */
void
check_ports(const json_t *facts, json_t *findings)
{
    const json_t *list = jsonget(facts, "listeners");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *l = json_array_get(list, i);

        if (jsonget_true(l, "ours")) {
            continue;
        }
        check_add(findings, CHECK_CRITICAL, "port-taken",
                  ha_asprintf("port %d, %s, is taken by process %d (%s)",
                              (int) json_integer_value(jsonget(l, "port")),
                              jsonget_text(l, "what"),
                              (int) json_integer_value(jsonget(l, "pid")),
                              jsonget_text(l, "comm")),
                  "ovn-ha cannot listen there: clients reach somebody else, "
                  "or this node cannot follow or support the others",
                  "end that process, or choose another port in ovn-ha.conf, "
                  "on every node");
    }
}
