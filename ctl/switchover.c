/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl switchover': asks for it, and waits until it is so. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "lib/mono.h"

#define POLL_NS 20000000

/* The active node's name if it serves, else "". */
static void
find_active(const json_t *status, char *name, size_t size)
{
    const json_t *cluster = json_object_get(status, "cluster");
    const char *active = json_string_value(json_object_get(cluster, "active"));
    const char *health = json_string_value(json_object_get(cluster, "health"));

    name[0] = '\0';
    if (active && health && strcmp(health, "down")) {
        snprintf(name, size, "%s", active);
    }
}

/* Whether 'name' is the node that 'wanted', a name or an id, means. */
static bool
is_meant(const json_t *status, const char *name, const char *wanted)
{
    const json_t *nodes = json_object_get(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const char *its = json_string_value(json_object_get(node, "name"));
        char id[24];

        snprintf(id, sizeof id, "%lld",
                 (long long) json_integer_value(json_object_get(node, "id")));
        if (its && !strcmp(its, name)) {
            return !strcmp(wanted, name) || !strcmp(wanted, id);
        }
    }
    return false;
}

/* Gets the active node's name, and whether it is the one that 'wanted' means;
 * NULL means any. */
static int
get_active(char *name, size_t size, const char *wanted, bool *ret_meant)
{
    json_t *status;
    int rc = verbs_get_status(&status);

    if (!rc) {
        find_active(status, name, size);
        *ret_meant = !wanted || is_meant(status, name, wanted);
        json_decref(status);
    }
    return rc;
}

/* Waits until another node than 'from' is active.  Returns an exit status. */
static int
wait_for_other(const char *from, const struct verb_args *args, mono_t begin)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    mono_t deadline = mono_add_us(begin, args->timeout_seconds * 1e6);
    char now[128] = "";
    bool meant;

    while (mono_before(mono_now(), deadline)) {
        int rc = get_active(now, sizeof now, args->to, &meant);

        if (rc) {
            return rc;
        }
        if (now[0] && strcmp(now, from)) {
            printf("%s -> %s in %.2f s\n", from[0] ? from : "nobody", now,
                   mono_us_between(begin, mono_now()) / 1e6);
            if (!meant) {
                fprintf(stderr, "ovn-hactl: %s became active instead\n", now);
            }
            return meant ? VERB_FINE : VERB_FAILED;
        }
        nanosleep(&pause, NULL);
    }
    fprintf(stderr,
            "ovn-hactl: no other node became active within %g s; "
            "see ovn-hactl status and history\n",
            args->timeout_seconds);
    return VERB_FAILED;
}

int
verb_switchover(struct verb_args *args)
{
    const char *const argv[] = { args->to, NULL };
    mono_t begin = mono_now();
    char from[128], *reply;
    bool meant;
    int rc = get_active(from, sizeof from, NULL, &meant);

    if (rc) {
        return rc;
    }
    rc = daemon_ask("switchover", argv, &reply);
    if (rc) {
        return rc;
    }
    free(reply);
    return wait_for_other(from, args, begin);
}
