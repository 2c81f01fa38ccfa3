/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define SKEW_MS 2000 /* The group's messages may be that late. */

/* Calls 'compare' for each other node that told something of itself. */
static void
for_each_peer(const json_t *facts, json_t *findings,
              void (*compare)(const json_t *mine, const json_t *theirs,
                              const char *name, json_t *findings))
{
    const json_t *status = jsonget(facts, "status");
    const json_t *nodes = jsonget(status, "nodes");
    const json_t *mine = NULL;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < json_array_size(nodes); i++) {
            const json_t *node = json_array_get(nodes, i);
            const json_t *told = jsonget(node, "told");
            const char *name = jsonget_text(node, "name");
            bool here = !strcmp(name, jsonget_text(status, "node"));

            if (pass == 0 && here) {
                mine = told;
            } else if (pass == 1 && !here && json_is_object(mine)
                       && json_is_object(told)) {
                compare(mine, told, name, findings);
            }
        }
    }
}

static void
compare_options(const json_t *mine, const json_t *theirs, const char *name,
                json_t *findings)
{
    const json_t *options = jsonget(mine, "options"), *value;
    const char *key;

    json_object_foreach ((json_t *) options, key, value) {
        const char *other =
            json_string_value(jsonget(jsonget(theirs, "options"), key));
        const char *here = json_string_value(value);

        if (other && here && strcmp(here, other)) {
            check_add(findings, CHECK_CRITICAL, "option-differs",
                      ha_asprintf("%s is %s here, and %s on %s", key,
                                  *here ? here : "not set",
                                  *other ? other : "not set", name),
                      "the nodes reckon with different leases, ports, "
                      "policies or addresses: they cannot hear each other, "
                      "trust in less than was promised, or clients do not "
                      "find the active",
                      "give every node the same in ovn-ha.conf, and reload");
        }
    }
}

void
check_options(const json_t *facts, json_t *findings)
{
    for_each_peer(facts, findings, compare_options);
}

static void
compare_clocks(const json_t *mine, const json_t *theirs, const char *name,
               json_t *findings)
{
    json_int_t ms = json_integer_value(jsonget(theirs, "clock_ahead_ms"));

    (void) mine;
    if (ms > SKEW_MS || ms < -SKEW_MS) {
        check_add(findings, CHECK_WARNING, "clock-skew",
                  ha_asprintf("the clock of %s is %.1f s %s this node's", name,
                              (ms < 0 ? -ms : ms) / 1000.0,
                              ms < 0 ? "behind" : "ahead of"),
                  "leases do not depend on it, but certificates do, and logs "
                  "and histories of the nodes cannot be read together",
                  "have all nodes follow the same time servers (chronyc "
                  "tracking)");
    }
}

void
check_clocks(const json_t *facts, json_t *findings)
{
    for_each_peer(facts, findings, compare_clocks);
}

static void
compare_versions(const json_t *mine, const json_t *theirs, const char *name,
                 json_t *findings)
{
    const char *here = jsonget_text(mine, "version");
    const char *there = jsonget_text(theirs, "version");

    if (strcmp(here, there)) {
        check_add(findings, CHECK_WARNING, "version-skew",
                  ha_asprintf("ovn-ha is version %s here, and %s on %s", here,
                              there, name),
                  "that is for the time of an upgrade only",
                  "bring all nodes to the same version, standbys first");
    }
}

void
check_versions(const json_t *facts, json_t *findings)
{
    for_each_peer(facts, findings, compare_versions);
}
