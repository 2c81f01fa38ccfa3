/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl switchover': asks for it, and waits until it is so. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "ctl/verify.h"
#include "lib/jsonget.h"
#include "lib/mono.h"

#define POLL_NS 20000000

/* The active node's name if it serves, else "". */
static void
find_active(const json_t *status, char *name, size_t size)
{
    const json_t *cluster = json_object_get(status, "cluster");
    const char *health = jsonget_text(cluster, "health");
    bool serves = *health && strcmp(health, "down");

    snprintf(name, size, "%s", serves ? jsonget_text(cluster, "active") : "");
}

/* Grows with each promotion. */
static long
epoch_number(const json_t *status)
{
    return strtol(jsonget_text(jsonget(status, "cluster"), "epoch"), NULL, 10);
}

/* Whether 'name' is the node that 'wanted', a name or an id, means. */
static bool
is_meant(const json_t *status, const char *name, const char *wanted)
{
    const json_t *nodes = json_object_get(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        char id[24];

        snprintf(id, sizeof id, "%lld",
                 (long long) json_integer_value(json_object_get(node, "id")));
        if (!strcmp(jsonget_text(node, "name"), name)) {
            return !strcmp(wanted, name) || !strcmp(wanted, id);
        }
    }
    return false;
}

/* Gets the active node's name, whether it is the one that 'wanted' means (NULL
 * means any), and the number of its epoch. */
static int
get_active(char *name, size_t size, const char *wanted, bool *ret_meant,
           long *ret_epoch)
{
    json_t *status;
    int rc = verbs_get_status(&status);

    if (!rc) {
        find_active(status, name, size);
        *ret_meant = !wanted || is_meant(status, name, wanted);
        *ret_epoch = epoch_number(status);
        json_decref(status);
    }
    return rc;
}

/* 'from' serves again, in a later epoch.  Says why, as far as this node's
 * history tells. */
static int
tell_called_off(const char *from)
{
    static const char key[] = " to call the move off: ";
    char *reply, *why = NULL;

    if (!daemon_ask("history", (const char *const[]){ "50", NULL }, &reply)) {
        for (char *p = reply; (p = strstr(p, key)); p = why) {
            why = p + strlen(key);
        }
        fprintf(stderr, "ovn-hactl: %s is active again: %.*s\n", from,
                why ? (int) strcspn(why, ";\n") : 200,
                why ? why : "the switchover failed; see ovn-hactl history");
        free(reply);
    }
    return VERB_FAILED;
}

int
verbs_wait_active(const char *from, long epoch, const struct verb_args *args,
                  mono_t begin)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    mono_t deadline = mono_add_us(begin, args->timeout_seconds * 1e6);
    char now[128] = "";
    long its;
    bool meant;

    while (mono_before(mono_now(), deadline)) {
        int rc = get_active(now, sizeof now, args->to, &meant, &its);

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
        } else if (now[0] && its > epoch + 1) {
            return tell_called_off(from);
        }
        nanosleep(&pause, NULL);
    }
    fprintf(stderr,
            "ovn-hactl: no other node became active within %g s; "
            "see ovn-hactl status and history\n",
            args->timeout_seconds);
    return VERB_FAILED;
}

/* How the heir's verification ends. */
static void
on_verified(void *rc, const char *node, const char *db, const json_t *v)
{
    const char *state = jsonget_text(v, "request_state");
    const char *why = jsonget_text(v, "why");

    if (*(int *) rc != VERB_FINE) {
        return; /* One line is enough. */
    } else if (!strcmp(state, "differs")) {
        char *text = verify_first_difference(v, node);

        fprintf(stderr,
                "ovn-hactl: %s may not become active: its %s differs from the "
                "active's: %s\n",
                node, db, text);
        free(text);
        *(int *) rc = VERB_FAILED;
    } else if (strcmp(state, "equal")) {
        fprintf(stderr,
                "ovn-hactl: %s could not be verified: %s: %s; --no-verify "
                "does without\n",
                node, db, why);
        *(int *) rc = VERB_FAILED;
    }
}

/* Before the door of the active closes, the heir proves that it holds what
 * the active holds. */
int
switchover_verify(const struct verb_args *args, char *heir, size_t size)
{
    const char *const argv[] = { args->to, NULL };
    int outcome = VERB_FINE;
    struct verify_watch watch = {
        .end = on_verified,
        .aux = &outcome,
        .plain_s = 10,
        .hint = " (before the switchover; --no-verify does without)",
    };
    char *reply;
    int rc = daemon_ask("verify/heir", argv, &reply);

    heir[0] = '\0';
    if (!rc) {
        snprintf(heir, size, "%.*s", (int) strcspn(reply, " \n"), reply);
        rc = verify_follow(reply, &watch);
        free(reply);
    }
    return outcome != VERB_FINE ? outcome : rc;
}

int
verb_switchover(struct verb_args *args)
{
    const char *argv[] = { args->to, NULL };
    char from[128], heir[128], *reply;
    mono_t begin;
    long epoch;
    bool meant;
    int rc = get_active(from, sizeof from, NULL, &meant, &epoch);

    if (!rc && !args->no_verify) {
        rc = switchover_verify(args, heir, sizeof heir);
    }
    if (rc) {
        return rc;
    }
    if (heir[0]) {
        argv[0] = heir;
    }
    begin = mono_now();
    rc = daemon_ask("switchover", argv, &reply);
    if (rc) {
        return rc;
    }
    free(reply);
    return verbs_wait_active(from, epoch, args, begin);
}
