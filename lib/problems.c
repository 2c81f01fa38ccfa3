/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/problems.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/xalloc.h"

static const json_t *
member(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

/* "" if there is none. */
static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(member(object, key));

    return text ? text : "";
}

static bool
is_true(const json_t *object, const char *key)
{
    return json_is_true(member(object, key));
}

static bool
is_known(const json_t *list, const char *node, const char *code)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *p = json_array_get(list, i);

        if (!strcmp(text_of(p, "node"), node)
            && !strcmp(text_of(p, "code"), code)) {
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
    add(list, node, text_of(why, "code"),
        ha_asprintf("%s %s: %s", node, verb, text_of(why, "text")),
        text_of(why, "ends"));
}

static void
find_in_cluster(json_t *list, const json_t *status)
{
    if (!strcmp(text_of(member(status, "cluster"), "health"), "down")) {
        add(list, "", "no-active",
            ha_strdup("no node serves, as far as this one knows"),
            "a node becomes active");
    }
}

static void
find_in_node(json_t *list, const json_t *node)
{
    const char *name = text_of(node, "name");
    const json_t *why = member(node, "why");
    const json_t *not_eligible = member(node, "not_eligible");

    if (json_is_object(why)) {
        char *is = ha_asprintf("is %s", text_of(node, "state"));

        add_why(list, name, why, is);
        free(is);
    }
    if (json_is_object(not_eligible)) {
        add_why(list, name, not_eligible, "may not become active");
    }
    if (json_is_false(member(node, "northd_ok"))) {
        add(list, name, "northd-bad",
            ha_asprintf("%s: ovn-northd does not do what it should", name),
            "ovn-northd answers and has the role that it should have");
    }
    if (is_true(node, "leaving")) {
        add(list, name, "leaving", ha_asprintf("%s is being stopped", name),
            "ovn-had is started there again");
    }
}

/* What only the node itself knows. */

static void
find_in_db(json_t *list, const char *node, const json_t *local, bool nb)
{
    const json_t *db = member(local, nb ? "nb" : "sb");
    const char *name = nb ? "NB" : "SB";
    const char *server = text_of(db, "server");

    if (strcmp(server, "running")) {
        add(list, node, nb ? "nb-server" : "sb-server",
            ha_asprintf("%s: ovsdb-server is %s", name,
                        *server ? server : "-"),
            "it runs and answers; see the log folder");
    }
    if (*text_of(db, "server_error")) {
        add(list, node, nb ? "nb-server-error" : "sb-server-error",
            ha_asprintf("%s: %s", name, text_of(db, "server_error")),
            "what it names is mended");
    }
    if (*text_of(db, "replica_why")) {
        add(list, node, nb ? "nb-replica" : "sb-replica",
            ha_asprintf("%s: replica %s: %s", name, text_of(db, "replica"),
                        text_of(db, "replica_why")),
            "the replica worker follows, or has the log");
    }
}

static void
find_in_northd(json_t *list, const char *node, const json_t *local)
{
    const json_t *northd = member(local, "northd");
    const char *wanted = is_true(northd, "wanted") ? "active" : "paused";
    const char *state = text_of(northd, "state");

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
    const char *state = text_of(kernel, "state");
    const char *why = text_of(kernel, "why");

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

static void
find_here(json_t *list, const json_t *status)
{
    const char *node = text_of(status, "node");
    const json_t *local = member(status, "local");
    const json_t *fence = member(local, "fence");

    if (!is_true(local, "corosync")) {
        add(list, node, "corosync-down",
            ha_strdup("corosync is not running here"),
            "it runs again: systemctl start corosync");
    }
    if (!is_true(fence, "connected")) {
        add(list, node, "fence-down",
            ha_strdup("the fence worker is not running here"),
            "it has started, which ovn-had sees to");
    } else if (*text_of(fence, "serve") && *text_of(fence, "why")) {
        add(list, node, "door-shut",
            ha_asprintf("door: %s", text_of(fence, "why")),
            "the lease lives, and both databases answer");
    }
    find_in_kernel(list, node, member(fence, "kernel_lease"));
    find_in_db(list, node, local, true);
    find_in_db(list, node, local, false);
    find_in_northd(list, node, local);
}

json_t *
problems_find(const json_t *status)
{
    const json_t *nodes = member(status, "nodes");
    json_t *list = json_array();

    find_in_cluster(list, status);
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        find_in_node(list, json_array_get(nodes, i));
    }
    find_here(list, status);
    return list;
}
