/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

/* Takes over 'text'. */
static void
add(json_t *list, char *text)
{
    json_array_append_new(list, json_string(text));
    free(text);
}

static void
check_health(const json_t *status, json_t *list)
{
    const json_t *cluster = jsonget(status, "cluster");
    const char *health = jsonget_text(cluster, "health");
    const json_t *problem = json_array_get(jsonget(status, "problems"), 0);

    if (!jsonget_true(cluster, "quorate")) {
        add(list, ha_strdup("this node has no quorum"));
    }
    if (strcmp(health, "ok")) {
        add(list, ha_asprintf("the cluster is %s: %s", health,
                              problem ? jsonget_text(problem, "text")
                                      : "see ovn-hactl status"));
    }
}

/* At least one node has to be able to take over, whatever the drill does. */
static void
check_heir(const json_t *status, json_t *list)
{
    const char *active = jsonget_text(jsonget(status, "cluster"), "active");
    const json_t *nodes = jsonget(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        if (strcmp(jsonget_text(node, "name"), active)
            && jsonget_true(node, "in_sync")
            && json_is_null(jsonget(node, "not_eligible"))) {
            return;
        }
    }
    add(list, ha_strdup("no standby is in sync and may take over"));
}

static void
check_fencing(const json_t *status, json_t *list)
{
    const json_t *devices =
        jsonget(jsonget(jsonget(status, "local"), "fencing"), "devices");

    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i);

        if (!jsonget_true(device, "well")) {
            add(list, ha_asprintf("fence device %s does not work: %s",
                                  jsonget_text(device, "name"),
                                  jsonget_text(device, "why")));
        }
    }
}

static void
check_others(const json_t *status, json_t *list)
{
    const json_t *drill = jsonget(jsonget(status, "cluster"), "drill");

    if (json_is_object(drill)) {
        add(list, ha_asprintf("another drill is running: %s, begun on %s",
                              jsonget_text(drill, "kind"),
                              jsonget_text(drill, "node")));
    }
}

json_t *
plan_obstacles(const json_t *status, enum plan_where where)
{
    const char *active = jsonget_text(jsonget(status, "cluster"), "active");
    bool here = !strcmp(active, jsonget_text(status, "node"));
    json_t *list = json_array();

    check_others(status, list); /* First, as the others may come of it. */
    check_health(status, list);
    check_heir(status, list);
    check_fencing(status, list);
    if (where == PLAN_ON_ACTIVE && !here) {
        add(list, ha_asprintf("it acts on processes of the active: run it "
                              "there%s%s",
                              *active ? ", on " : "", active));
    } else if (where == PLAN_OFF_ACTIVE && here) {
        add(list, ha_strdup("it acts on the whole active, which is this node: "
                            "run it on another one"));
    }
    return list;
}

char *
plan_remotes(const json_t *status, const char *scheme, int port)
{
    const json_t *nodes = jsonget(status, "nodes");
    char *remotes = ha_strdup("");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const char *address = jsonget_text(node, "address");
        const char *fmt =
            strchr(address, ':') ? "%s%s%s:[%s]:%d" : "%s%s%s:%s:%d";
        char *longer;

        if (jsonget_true(node, "witness")) {
            continue;
        }
        longer = ha_asprintf(fmt, remotes, *remotes ? "," : "", scheme,
                             address, port);
        free(remotes);
        remotes = longer;
    }
    return remotes;
}
