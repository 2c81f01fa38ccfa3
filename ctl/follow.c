/* SPDX-License-Identifier: Apache-2.0 */

#include "ctl/follow.h"

#include <stdio.h>
#include <string.h>

#include "lib/jsonget.h"

static const char *const keys[] = { "nb", "sb" };

const char *
follow_asks(const json_t *node)
{
    for (int db = 0; db < 2; db++) {
        const json_t *asks = jsonget(jsonget(node, keys[db]), "asks");
        const char *command = jsonget_text(asks, "command");

        if (*command) {
            return command;
        }
    }
    return "";
}

static bool
is_connected(const json_t *node)
{
    return jsonget_true(jsonget(node, "nb"), "connected")
           && jsonget_true(jsonget(node, "sb"), "connected");
}

static bool
has(const json_t *node, const struct follow_goal *goal)
{
    for (int db = 0; db < 2; db++) {
        const json_t *pos = jsonget(jsonget(node, keys[db]), "position");
        json_int_t seq = json_integer_value(jsonget(pos, "seq"));

        if (!goal->db[db].known || seq < 0 || (uint64_t) seq < goal->db[db].seq
            || strcmp(jsonget_text(pos, "lineage"), goal->db[db].lineage)) {
            return false;
        }
    }
    return true;
}

enum follow_state
follow_judge(const json_t *status, const json_t *node,
             const struct follow_goal *goal)
{
    const char *name = jsonget_text(node, "name");

    if (jsonget_true(node, "witness")
        || !strcmp(name, jsonget_text(jsonget(status, "cluster"), "active"))) {
        return FOLLOW_NO_STANDBY;
    } else if (!strcmp(jsonget_text(node, "state"), "absent")) {
        return FOLLOW_ABSENT;
    } else if (*follow_asks(node)) {
        return FOLLOW_ASKS;
    } else if (!is_connected(node)) {
        return FOLLOW_AWAY;
    }
    return has(node, goal) ? FOLLOW_HAS : FOLLOW_BEHIND;
}

void
follow_count(const json_t *status, const struct follow_goal *goal,
             int ret_n[FOLLOW_N])
{
    const json_t *nodes = jsonget(status, "nodes");

    memset(ret_n, 0, FOLLOW_N * sizeof *ret_n);
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        ret_n[follow_judge(status, json_array_get(nodes, i), goal)]++;
    }
}

static const json_t *
own_node(const json_t *status)
{
    const json_t *nodes = jsonget(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        if (!strcmp(jsonget_text(node, "name"),
                    jsonget_text(status, "node"))) {
            return node;
        }
    }
    return NULL;
}

bool
follow_is_stale(const json_t *status, char *ret_why, size_t size)
{
    const json_t *node = own_node(status);
    const char *state = jsonget_text(node, "state");
    const char *why = jsonget_text(jsonget(node, "why"), "text");
    const char *asks = follow_asks(node);

    *ret_why = '\0';
    if (!strcmp(state, "active")) {
        return false;
    } else if (*asks) {
        snprintf(ret_why, size, "waits for ovn-hactl %s", asks);
    } else if (strcmp(state, "standby")) {
        snprintf(ret_why, size, "is %s%s%s", *state ? state : "unknown",
                 *why ? ": " : "", why);
    } else if (!is_connected(node)) {
        snprintf(ret_why, size, "is not connected to the active");
    } else if (!jsonget_true(node, "in_sync")) {
        snprintf(ret_why, size, "is not in sync");
    }
    return *ret_why;
}

json_int_t
follow_own_lag(const json_t *status, int db)
{
    const json_t *lag =
        jsonget(jsonget(own_node(status), keys[db]), "lag_records");

    return json_is_integer(lag) ? json_integer_value(lag) : -1;
}
