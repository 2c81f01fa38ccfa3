/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl reinit' and 'accept-shrink': an operator lets a replica do what
 * it asks for. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define POLL_NS 100000000

/* How far the node of that name has come, as this one sees it. */
enum progress { STARTS, ASKS, FOLLOWS };

static enum progress
get_progress(const char *name)
{
    static const char *const argv[] = { "--json", NULL };
    enum progress progress = STARTS;
    json_t *status = NULL;
    const json_t *nodes, *cluster;
    char *reply;

    /* An ovn-had that starts anew does not answer for a while. */
    if (!daemon_call("cluster/status", argv, &reply)) {
        status = json_loads(reply, 0, NULL);
    }
    free(reply);
    nodes = jsonget(status, "nodes");
    cluster = jsonget(status, "cluster");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        if (strcmp(jsonget_text(node, "name"), name)) {
            continue;
        }
        for (int db = 0; db < 2; db++) {
            const json_t *asks =
                jsonget(jsonget(node, db ? "sb" : "nb"), "asks");

            if (!strcmp(jsonget_text(asks, "command"), "reinit")) {
                progress = ASKS;
            }
        }
        if (progress == STARTS && jsonget_true(node, "in_sync")
            && strcmp(jsonget_text(cluster, "health"), "down")) {
            progress = FOLLOWS;
        }
    }
    json_decref(status);
    return progress;
}

/* The record is set aside by now or soon, and the node starts anew.  Its data
 * may have to give way then, too. */
static int
wait_for_node(const struct verb_args *args)
{
    const struct timespec nap = { .tv_nsec = POLL_NS };
    const char *const argv[] = { args->to, NULL };
    mono_t deadline = mono_add_us(mono_now(), args->timeout_seconds * 1e6);

    while (mono_before(mono_now(), deadline)) {
        switch (get_progress(args->to)) {
        case ASKS:
            return verbs_show("reinit", argv);
        case FOLLOWS:
            printf("%s is in sync\n", args->to);
            return VERB_FINE;
        case STARTS:
            break;
        }
        nanosleep(&nap, NULL);
    }
    fprintf(stderr,
            "ovn-hactl: %s does not follow the active after %g s; see "
            "ovn-hactl status, and if that asks for it run reinit again\n",
            args->to, args->timeout_seconds);
    return VERB_FAILED;
}

int
verb_reinit(struct verb_args *args)
{
    const char *const argv[] = { args->to, NULL };
    char *meaning, *reply;
    bool sure, record;
    int rc;

    if (!args->to) {
        fputs("ovn-hactl: reinit takes the name of a node\n", stderr);
        return VERB_USAGE;
    }
    meaning = ha_asprintf("The databases of %s that are of another lineage, "
                          "and its record if that is,\nwill be set aside "
                          "there, in diverged/ of its state folder, and then "
                          "give way to\nthe active node's.",
                          args->to);
    sure = args->yes || confirm_typed(meaning, args->to);
    free(meaning);
    if (!sure) {
        return VERB_FAILED;
    }
    rc = daemon_ask("reinit/record", argv, &reply);
    if (rc) {
        return rc;
    }
    record = *reply;
    fputs(reply, stdout);
    fflush(stdout);
    free(reply);
    return record ? wait_for_node(args) : verbs_show("reinit", argv);
}

int
verb_accept_shrink(struct verb_args *args)
{
    const char *const argv[] = { args->to, NULL };

    return verbs_show("accept-shrink", argv);
}
