/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/problems.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

static bool
is_known(const json_t *list, const char *node, const char *code)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);

        if (!strcmp(jsonget_text(p, "node"), node)
            && !strcmp(jsonget_text(p, "code"), code)) {
            return true;
        }
    }
    return false;
}

/* 'node' is "" for the cluster.  Takes over 'text'. */
static void
add(json_t *list, const char *node, const char *code, char *text,
    const char *ends)
{
    if (!is_known(list, node, code)) {
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:s, s:s}", "node",
                            *node ? json_string(node) : json_null(), "code",
                            code, "text", text, "ends", ends));
    }
    free(text);
}

/* A reason as the core gives it. */
static void
add_why(json_t *list, const char *node, const json_t *why, const char *verb)
{
    add(list, node, jsonget_text(why, "code"),
        ha_asprintf("%s %s: %s", node, verb, jsonget_text(why, "text")),
        jsonget_text(why, "ends"));
}

/* Maintenance is wanted, but nobody is to forget it. */
static void
find_pause(json_t *list, const json_t *pause)
{
    const char *state = jsonget_text(pause, "state");
    const char *waits = jsonget_text(pause, "waits");
    bool ending = !strcmp(state, "ending");

    if (!*state || !strcmp(state, "none")) {
        return;
    }
    add(list, "", "paused",
        ha_asprintf("%s; asked for at %s%s%s",
                    ending ? "the cluster was paused, and is to go on"
                    : !strcmp(state, "asked")
                        ? "the cluster is about to pause"
                        : "the cluster is paused: no role moves",
                    jsonget_text(pause, "since"), *waits ? ": " : "", waits),
        ending ? "the active has its ordinary lease again"
               : "ovn-hactl resume is run");
}

static void
find_in_cluster(json_t *list, const json_t *status)
{
    if (!strcmp(jsonget_text(jsonget(status, "cluster"), "health"), "down")) {
        add(list, "", "no-active",
            ha_strdup("no node serves, as far as this one knows"),
            "a node becomes active");
    }
    find_pause(list, jsonget(jsonget(status, "cluster"), "pause"));
}

/* What a replica waits for an operator for. */
static void
find_asks(json_t *list, const json_t *node, bool nb)
{
    const json_t *asks = jsonget(jsonget(node, nb ? "nb" : "sb"), "asks");
    const json_t *lost = jsonget(asks, "lost");
    const char *name = jsonget_text(node, "name");
    char *text, *ends;

    if (!json_is_object(asks)) {
        return;
    }
    text = lost ? ha_asprintf(
               "%s: %s stopped before record %lld: %lld of %lld rows "
               "would be gone",
               name, nb ? "NB" : "SB",
               (long long) json_integer_value(jsonget(asks, "record")),
               (long long) json_integer_value(lost),
               (long long) json_integer_value(jsonget(asks, "rows")))
                : ha_asprintf("%s: %s is of another lineage", name,
                              nb ? "NB" : "SB");
    ends = ha_asprintf("ovn-hactl %s %s is run, if that may be",
                       jsonget_text(asks, "command"), name);
    add(list, name, nb ? "nb-asks" : "sb-asks", text, ends);
    free(ends);
}

/* The rows of a database that differ, until they were replaced. */
static void
find_difference(json_t *list, const json_t *node, bool nb)
{
    const json_t *v = jsonget(jsonget(node, nb ? "nb" : "sb"), "verification");
    const json_t *found = jsonget(v, "found");
    const json_t *first = json_array_get(jsonget(found, "differences"), 0);
    const char *name = jsonget_text(node, "name");
    long long rows = json_integer_value(jsonget(found, "rows"));

    if (!strcmp(jsonget_text(v, "state"), "differs")) {
        add(list, name, nb ? "nb-differs" : "sb-differs",
            ha_asprintf("%s: %s differs in %lld row%s, the first in %.30s",
                        name, nb ? "NB" : "SB", rows, rows == 1 ? "" : "s",
                        jsonget_text(first, "table")),
            "its rows are replaced by the active's, and verified");
    }
}

/* What is written on the active now is nowhere else: its worker is not there,
 * or its file is damaged, or not the one that it was. */
static void
find_log(json_t *list, const json_t *node, bool nb)
{
    const char *name = jsonget_text(node, "name");
    char *ends;

    if (strcmp(jsonget_text(node, "state"), "active")
        || !json_is_false(
            jsonget(jsonget(node, nb ? "nb" : "sb"), "complete"))) {
        return;
    }
    ends = ha_asprintf("its replica worker has the log; if status on %s says "
                       "that the file is damaged or replaced: stop ovn-had "
                       "there, then, on another node, ovn-hactl failover "
                       "--allow-data-loss. What only %s has is set aside when "
                       "it is started again",
                       name, name);
    add(list, name, nb ? "nb-log" : "sb-log",
        ha_asprintf("%s: %s: no standby gets what is written now", name,
                    nb ? "NB" : "SB"),
        ends);
    free(ends);
}

/* Which nodes have data where only one may, at the first start. */
static void
find_first_data(json_t *list, const json_t *node)
{
    const char *name = jsonget_text(node, "name");
    bool nb = jsonget_true(jsonget(node, "nb"), "has_data");
    bool sb = jsonget_true(jsonget(node, "sb"), "has_data");

    if (!strcmp(jsonget_text(jsonget(node, "why"), "code"), "bootstrap-data")
        && (nb || sb)) {
        add(list, name, "first-data",
            ha_asprintf("%s has data: %s", name,
                        nb && sb ? "NB and SB"
                        : nb     ? "NB"
                                 : "SB"),
            "ovn-had is stopped there and its database files are moved, or "
            "those of all other nodes are");
    }
}

static void
find_in_node(json_t *list, const json_t *node)
{
    const char *name = jsonget_text(node, "name");
    const json_t *why = jsonget(node, "why");
    const json_t *not_eligible = jsonget(node, "not_eligible");

    if (json_is_object(why)) {
        char *is = ha_asprintf("is %s", jsonget_text(node, "state"));

        add_why(list, name, why, is);
        free(is);
    }
    if (json_is_object(not_eligible)
        && strcmp(jsonget_text(not_eligible, "code"), "paused")
        && strcmp(jsonget_text(not_eligible, "code"), "witness")) {
        /* Of a pause the cluster's line tells; a witness is as it should. */
        add_why(list, name, not_eligible, "may not become active");
    }
    find_first_data(list, node);
    find_asks(list, node, true);
    find_asks(list, node, false);
    find_difference(list, node, true);
    find_difference(list, node, false);
    find_log(list, node, true);
    find_log(list, node, false);
    if (json_is_false(jsonget(node, "northd_ok"))) {
        add(list, name, "northd-bad",
            ha_asprintf("%s: ovn-northd does not do what it should", name),
            "ovn-northd answers and has the role that it should have");
    }
    if (jsonget_true(node, "low_disk")) {
        add(list, name, "disk-low",
            ha_asprintf("%s: its disk is about to be full", name),
            "there is room again; ovn-hactl status there says where");
    }
    if (jsonget_true(node, "record_full")) {
        add(list, name, "record-full",
            ha_asprintf("%s: its record cannot be written: it cannot hand "
                        "over or take over, and may give no vote",
                        name),
            "there is room in the folder of state-dir there; ovn-hactl status "
            "there says more");
    }
    if (jsonget_true(node, "leaving")) {
        add(list, name, "leaving", ha_asprintf("%s is being stopped", name),
            "ovn-had is started there again");
    }
}

/* What only the node itself knows. */

static void
find_in_db(json_t *list, const char *node, const json_t *local, bool nb)
{
    const json_t *db = jsonget(local, nb ? "nb" : "sb");
    const char *name = nb ? "NB" : "SB";
    const char *server = jsonget_text(db, "server");

    if (strcmp(server, "running")) {
        add(list, node, nb ? "nb-server" : "sb-server",
            ha_asprintf("%s: ovsdb-server is %s", name,
                        *server ? server : "-"),
            "it runs and answers; see the log folder");
    }
    if (*jsonget_text(db, "server_error")) {
        add(list, node, nb ? "nb-server-error" : "sb-server-error",
            ha_asprintf("%s: %s", name, jsonget_text(db, "server_error")),
            "what it names is mended");
    }
    if (*jsonget_text(db, "replica_why")) {
        add(list, node, nb ? "nb-replica" : "sb-replica",
            ha_asprintf("%s: replica %s: %s", name,
                        jsonget_text(db, "replica"),
                        jsonget_text(db, "replica_why")),
            "the replica worker follows, or has the log");
    }
}

static void
find_in_northd(json_t *list, const char *node, const json_t *local)
{
    const json_t *northd = jsonget(local, "northd");
    const char *wanted = jsonget_true(northd, "wanted") ? "active" : "paused";
    const char *state = jsonget_text(northd, "state");

    if (strcmp(state, wanted)) {
        add(list, node, "northd-role",
            ha_asprintf("northd is %s, wanted is %s", *state ? state : "-",
                        wanted),
            "it has taken that role; one that does not is started again");
    }
}

/* What this node lacks to be safe even when all of it stands still. */
static void
find_in_kernel(json_t *list, const char *node, const json_t *kernel)
{
    const char *state = jsonget_text(kernel, "state");
    const char *why = jsonget_text(kernel, "why");

    if (!strcmp(state, "missing")) {
        add(list, node, "kernel-lease-missing",
            ha_asprintf("no lease in the kernel: %s", why),
            "nftables can be used here, or kernel-lease is off");
    } else if (!strcmp(state, "used") && *why) {
        add(list, node, "kernel-lease",
            ha_asprintf("lease in the kernel: %s", why),
            "what it names is mended");
    }
}

/* The folder with the least room is where something is to be done. */
static void
find_in_disk(json_t *list, const char *node, const json_t *disk)
{
    bool low = jsonget_true(disk, "low");
    const json_t *folders = jsonget(disk, "folders"), *least = NULL;
    json_int_t mb =
        json_integer_value(jsonget(disk, low ? "low_mb" : "warn_mb"));
    char *ends;

    for (size_t i = 0; i < json_array_size(folders); i++) {
        const json_t *o = json_array_get(folders, i);

        if (!least
            || json_integer_value(jsonget(o, "free_bytes"))
                   < json_integer_value(jsonget(least, "free_bytes"))) {
            least = o;
        }
    }
    if (!least || !(low || jsonget_true(disk, "tight"))) {
        return;
    }
    ends = ha_asprintf("%lld MB are free there", (long long) 2 * mb);
    add(list, node, low ? "disk-low" : "disk-tight",
        ha_asprintf("%.0f MB are free in %s%s",
                    json_number_value(jsonget(least, "free_bytes")) / 1e6,
                    jsonget_text(least, "folder"),
                    low ? "; on a full disk every write is refused" : ""),
        ends);
    free(ends);
}

/* What the reason was, if it was not that there is no room. */
static void
find_in_record(json_t *list, const char *node, const json_t *disk)
{
    const char *error = jsonget_text(disk, "record_error");

    if (*error) {
        add(list, node, "record-error",
            ha_asprintf("%s cannot be written: %s",
                        jsonget_text(disk, "record"), error),
            "it can be, which is tried each second");
    }
}

/* The same for one that does not stand still in the kernel alone. */
static void
find_in_watchdog(json_t *list, const char *node, const json_t *watchdog)
{
    const char *state = jsonget_text(watchdog, "state");
    const char *why = jsonget_text(watchdog, "why");
    const char *device = jsonget_text(watchdog, "device");

    if (!strcmp(state, "missing")) {
        add(list, node, "watchdog-missing",
            ha_asprintf("no watchdog guards this node: %s%s%s", device,
                        *device ? ": " : "", why),
            "it can be used, which is tried each 10 s, or [watchdog] is "
            "emptied");
    } else if (*why && strcmp(state, "none")) {
        add(list, node, "watchdog",
            ha_asprintf("watchdog %s: %s", device, why),
            "what it names is mended");
    } else if (jsonget_true(watchdog, "nowayout")) {
        add(list, node, "watchdog-nowayout",
            ha_asprintf("watchdog %s cannot be disarmed: this node is reset "
                        "when ovn-had is stopped",
                        device),
            "its driver is loaded with nowayout=0");
    }
}

static void
find_in_address(json_t *list, const char *node, const json_t *address)
{
    const char *why = jsonget_text(address, "why");

    if (*why) {
        add(list, node, "virtual-ip", ha_asprintf("virtual IP: %s", why),
            "what it names is mended; what others said is told for a minute");
    }
}

/* One that was tried and failed, while nobody needs it yet.  One that has not
 * been tried has no reason either; the first that is bad stands for all. */
static void
find_in_devices(json_t *list, const char *node, const json_t *devices)
{
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *d = json_array_get(devices, i);
        const char *why = jsonget_text(d, "why");

        if (!jsonget_true(d, "well") && *why) {
            add(list, node, "fence-device",
                ha_asprintf("fence device %s does not work: %s",
                            jsonget_text(d, "name"), why),
                "it answers its monitor; until then no node can be proven to "
                "be off by it");
        }
    }
}

static void
find_here(json_t *list, const json_t *status)
{
    const char *node = jsonget_text(status, "node");
    const json_t *local = jsonget(status, "local");
    const json_t *fence = jsonget(local, "fence");
    const json_t *fencing = jsonget(local, "fencing");
    const json_t *events = jsonget(local, "events");

    if (!jsonget_true(local, "corosync")) {
        add(list, node, "corosync-down",
            ha_strdup("corosync is not running here"),
            "it runs again: systemctl start corosync");
    }
    if (!jsonget_true(fence, "connected")) {
        add(list, node, "fence-down",
            ha_strdup("the fence worker is not running here"),
            "it has started, which ovn-had sees to");
    } else if (*jsonget_text(fence, "serve") && *jsonget_text(fence, "why")) {
        add(list, node, "door-shut",
            ha_asprintf("door: %s", jsonget_text(fence, "why")),
            "the lease lives, and both databases answer");
    }
    find_in_record(list, node, jsonget(local, "disk"));
    find_in_kernel(list, node, jsonget(fence, "kernel_lease"));
    find_in_address(list, node, jsonget(fence, "virtual_ip"));
    find_in_watchdog(list, node, jsonget(fence, "watchdog"));
    if (*jsonget_text(events, "error")) {
        add(list, node, "events",
            ha_asprintf("events are not told: %s: %s",
                        jsonget_text(events, "program"),
                        jsonget_text(events, "error")),
            "the program takes the next event, and none waits");
    }
    if (*jsonget_text(fencing, "advice")) {
        add(list, node, "no-failover",
            ha_strdup(jsonget_text(fencing, "advice")),
            "what it names is configured");
    }
    find_in_devices(list, node, jsonget(fencing, "devices"));
    if (strcmp(jsonget_text(local, "state"), "witness")) {
        find_in_db(list, node, local, true);
        find_in_db(list, node, local, false);
        find_in_northd(list, node, local);
    }
}

json_t *
problems_find(const json_t *status)
{
    const json_t *nodes = jsonget(status, "nodes");
    json_t *list = json_array();

    find_in_cluster(list, status);
    /* The node itself knows more of it than what it tells the others. */
    find_in_disk(list, jsonget_text(status, "node"),
                 jsonget(jsonget(status, "local"), "disk"));
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        find_in_node(list, json_array_get(nodes, i));
    }
    find_here(list, status);
    return list;
}
