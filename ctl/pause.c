/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl pause' and 'resume': ask for it, and wait until it is so. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/mono.h"

#define POLL_NS 20000000
#define SETTLE_US 3000000 /* What is missing for longer, is missing. */

/* What status says of a pause. */
struct pause {
    char state[16];
    char waits[512];
    bool endless; /* The active's lease is. */
};

static int
get_pause(struct pause *ret)
{
    json_t *status;
    const json_t *cluster, *nodes;
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    cluster = jsonget(status, "cluster");
    nodes = jsonget(status, "nodes");
    ret->endless = false;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        ret->endless |= jsonget_true(node, "lease_endless")
                        && !strcmp(jsonget_text(node, "name"),
                                   jsonget_text(cluster, "active"));
    }
    snprintf(ret->state, sizeof ret->state, "%s",
             jsonget_text(jsonget(cluster, "pause"), "state"));
    snprintf(ret->waits, sizeof ret->waits, "%s",
             jsonget_text(jsonget(cluster, "pause"), "waits"));
    json_decref(status);
    return VERB_FINE;
}

/* True if the wait is over, one way or the other: then '*rc' is the status. */
static bool
is_paused(const struct pause *p, mono_t begin, int *rc)
{
    if (!strcmp(p->state, "on") && p->endless) {
        puts("paused: roles stay until ovn-hactl resume");
        return true;
    } else if (!strcmp(p->state, "none")
               && mono_us_between(begin, mono_now()) > SETTLE_US) {
        fprintf(stderr, "ovn-hactl: the pause was called off; see ovn-hactl "
                        "history\n");
        *rc = VERB_FAILED;
        return true;
    }
    return false;
}

static bool
is_resumed(const struct pause *p, mono_t begin, int *rc)
{
    if (!strcmp(p->state, "none")) {
        puts("resumed: a node that fails is replaced again");
        return true;
    } else if (!strcmp(p->state, "ending") && *p->waits
               && mono_us_between(begin, mono_now()) > SETTLE_US) {
        fprintf(stderr, "ovn-hactl: resumed, but %s\n", p->waits);
        *rc = VERB_FAILED;
        return true;
    }
    return false;
}

static int
ask_and_wait(const char *method, const struct verb_args *args,
             bool (*is_done)(const struct pause *, mono_t begin, int *rc))
{
    const struct timespec nap = { .tv_nsec = POLL_NS };
    const char *argv[] = { verbs_operator(), NULL };
    mono_t begin = mono_now();
    mono_t deadline = mono_add_us(begin, args->timeout_seconds * 1e6);
    char *reply;
    int rc = daemon_ask(method, argv, &reply);

    if (rc) {
        return rc;
    }
    free(reply);
    while (mono_before(mono_now(), deadline)) {
        struct pause p;

        rc = get_pause(&p);
        if (rc || is_done(&p, begin, &rc)) {
            return rc;
        }
        nanosleep(&nap, NULL);
    }
    fprintf(stderr,
            "ovn-hactl: %s is not complete after %g s; see ovn-hactl status "
            "and history\n",
            method, args->timeout_seconds);
    return VERB_FAILED;
}

int
verb_pause(struct verb_args *args)
{
    return ask_and_wait("pause", args, is_paused);
}

int
verb_resume(struct verb_args *args)
{
    return ask_and_wait("resume", args, is_resumed);
}
