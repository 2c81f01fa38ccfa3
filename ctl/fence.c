/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl fence': switches a node off, and waits for the proof.
 * 'ovn-hactl fence-ack': an operator is the proof. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/mono.h"

#define POLL_NS 50000000

/* What the status says of fencing 'node'; NULL if nothing. */
static const json_t *
find_node(const json_t *status, const char *node)
{
    const json_t *nodes = json_object_get(
        json_object_get(json_object_get(status, "local"), "fencing"), "nodes");

    return jsonget_row(nodes, "node", node);
}

/* Makes 'node', a name or an id, the name. */
static void
make_name(const json_t *status, const char **node, char *name, size_t size)
{
    const json_t *nodes = json_object_get(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *it = json_array_get(nodes, i);
        char id[24];

        snprintf(id, sizeof id, "%lld",
                 (long long) json_integer_value(json_object_get(it, "id")));
        if (!strcmp(*node, id) && *jsonget_text(it, "name")) {
            snprintf(name, size, "%s", jsonget_text(it, "name"));
            *node = name;
            return;
        }
    }
}

/* Tells a step if it is another one than before. */
static void
tell_step(const json_t *node, char *told, size_t size)
{
    const char *action = jsonget_text(node, "action");
    char now[256];

    if (!*action) {
        return;
    }
    snprintf(now, sizeof now, "level %lld: %s: %s",
             (long long) json_integer_value(json_object_get(node, "level")),
             jsonget_text(node, "device"), action);
    if (strcmp(now, told)) {
        puts(now);
        fflush(stdout);
        snprintf(told, size, "%s", now);
    }
}

/* Follows the request that is not 'before' to its end. */
static int
follow(const struct verb_args *args, json_int_t before, mono_t begin)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    mono_t deadline = mono_add_us(begin, args->timeout_seconds * 1e6);
    char told[256] = "";

    while (mono_before(mono_now(), deadline)) {
        json_t *status;
        const json_t *node;
        const char *phase = "";
        int rc = verbs_get_status(&status);

        if (rc) {
            return rc;
        }
        node = find_node(status, args->operand);
        if (node
            && json_integer_value(json_object_get(node, "request"))
                   != before) {
            phase = jsonget_text(node, "phase");
            tell_step(node, told, sizeof told);
        }
        if (!strcmp(phase, "fenced")) {
            printf("%s is off: proven after %.1f s\n", args->operand,
                   mono_us_between(begin, mono_now()) / 1e6);
            json_decref(status);
            return VERB_FINE;
        } else if (!strcmp(phase, "failed")) {
            fprintf(stderr, "ovn-hactl: %s could not be fenced: %s\n",
                    args->operand, jsonget_text(node, "why"));
            json_decref(status);
            return VERB_FAILED;
        }
        json_decref(status);
        nanosleep(&pause, NULL);
    }
    fprintf(stderr,
            "ovn-hactl: there is no proof yet after %g s that %s is off; see "
            "ovn-hactl status\n",
            args->timeout_seconds, args->operand);
    return VERB_FAILED;
}

int
verb_fence(struct verb_args *args)
{
    const char *argv[] = { NULL, NULL };
    const json_t *node;
    json_int_t before;
    json_t *status;
    mono_t begin;
    char *reply, name[128];
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    make_name(status, &args->operand, name, sizeof name);
    argv[0] = args->operand;
    node = find_node(status, args->operand);
    before = node ? json_integer_value(json_object_get(node, "request")) : 0;
    json_decref(status);
    if (!args->yes
        && !confirm_typed("This switches the node off, whatever it does at "
                          "present, as if its plug were pulled.",
                          args->operand)) {
        return VERB_FAILED;
    }
    begin = mono_now();
    rc = daemon_ask("fence", argv, &reply);
    if (rc) {
        return rc;
    }
    free(reply);
    return follow(args, before, begin);
}

int
verb_fence_ack(struct verb_args *args)
{
    const char *argv[] = { NULL, NULL };
    json_t *status;
    char *reply, meaning[512], name[128];
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    make_name(status, &args->operand, name, sizeof name);
    argv[0] = args->operand;
    json_decref(status);
    snprintf(meaning, sizeof meaning,
             "This tells the cluster that %s is switched off, or was "
             "restarted since.\nNothing checks it.  If %s still runs, two "
             "nodes will serve clients at once, and\nwhat one of them "
             "acknowledges will be lost.  Go and look, or use a fence device.",
             args->operand, args->operand);
    if (!args->yes && !confirm_typed(meaning, args->operand)) {
        return VERB_FAILED;
    }
    rc = daemon_ask("fence-ack", argv, &reply);
    if (!rc) {
        printf("%s counts as dead\n", args->operand);
        free(reply);
    }
    return rc;
}
