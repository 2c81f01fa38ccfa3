/* SPDX-License-Identifier: Apache-2.0 */

/* What comes before a drill: its plan, and the question. */

#include "ctl/drill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "ctl/drill-plan.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/tls.h"
#include "lib/xalloc.h"

#define SECTION "[replication] "
#define CONNECT_MS 5000

static char *
choose_remotes(const struct drill *d, const char *given, const char *variable,
               const json_t *status, int port)
{
    const char *env = getenv(variable);

    return given         ? ha_strdup(given)
           : env && *env ? ha_strdup(env)
                         : plan_remotes(status, d->tls ? "ssl" : "tcp", port);
}

/* Connects, if it is not so, and takes the lock that says that there is one
 * drill only. */
static void
connect_clients(struct drill *d, json_t *obstacles)
{
    mono_t deadline = mono_add_ms(mono_now(), CONNECT_MS);
    int error = clients_look(d->clients, deadline, &d->leftovers);

    while (mono_before(mono_now(), deadline)
           && (!clients_connected(d->clients)
               || clients_lock(d->clients) == CLIENTS_LOCK_UNKNOWN)) {
        drill_turn(d);
    }
    if (clients_lock(d->clients) == CLIENTS_LOCK_TAKEN) {
        drill_add_text(obstacles, ha_strdup("another drill is running"));
    } else if (error == -EIO) {
        drill_add_text(
            obstacles,
            ha_asprintf("the Northbound database cannot be read: %s",
                        clients_refusal(d->clients)));
    } else if (error || !clients_connected(d->clients)) {
        drill_add_text(
            obstacles,
            ha_asprintf("the databases cannot be reached at %s and %s; "
                        "--nb and --sb say where they can",
                        d->nb, d->sb));
    }
}

static void
print_limit(const char *name, int64_t us)
{
    if (us >= 0) {
        printf("%s %g s, ", name, us / 1e6);
    }
}

/* Whether this node has a fence device for the active. */
static bool
can_fence(const struct drill *d, const json_t *status)
{
    const json_t *nodes =
        jsonget(jsonget(jsonget(status, "local"), "fencing"), "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        if (!strcmp(jsonget_text(json_array_get(nodes, i), "node"),
                    d->act.from)) {
            return true;
        }
    }
    return false;
}

/* The end of the plan's first line. */
static void
print_act(const struct drill *d, const json_t *status)
{
    if (d->act.victim.pid > 0) {
        printf(", process %d on this node", (int) d->act.victim.pid);
    } else if (*d->act.to) {
        printf(" to %s", d->act.to);
    } else if (d->act.cut_us) {
        printf(" for %g s", d->act.cut_us / 1e6);
    } else if (act_is_crash(&d->act)) {
        fputs(can_fence(d, status) ? ", by its fence device"
                                   : ", by its own ovn-had",
              stdout);
    }
    putchar('\n');
}

static void
print_plan(const struct drill *d, const json_t *status,
           const json_t *obstacles)
{
    const struct drill_args *limits = &d->args->drill;

    printf("drill %s: %s", d->kind->name, d->kind->what);
    print_act(d, status);
    printf("  cluster   %s, active is %s\n", watch_health(status),
           *d->act.from ? d->act.from : "nobody");
    printf("  measures  writes to NB at %s,\n            and when they reach "
           "SB at %s\n",
           d->nb, d->sb);
    printf("  rows      %zu address sets ovn_ha_drill_*, removed in the end",
           clients_rows(d->clients));
    if (d->leftovers) {
        printf(";\n            %zu left by earlier drills go first",
               d->leftovers);
    }
    for (size_t i = 0; i < limits->n_probes; i++) {
        printf("\n  probe     %s%s", limits->probes[i].ping ? "ping " : "",
               limits->probes[i].command);
    }
    printf("\n  limits    ");
    print_limit("write outage", limits->max_outage_us);
    print_limit("NB to SB", limits->max_sb_delay_us);
    print_limit("compute nodes", limits->max_compute_us);
    if (limits->n_probes) {
        print_limit("probes", limits->max_probe_us);
    }
    printf("%" PRId64 " writes lost\n", limits->max_lost);
    for (size_t i = 0; i < json_array_size(obstacles); i++) {
        printf("  may not   %s\n",
               json_string_value(json_array_get(obstacles, i)));
    }
    fflush(stdout);
}

/* Reads the files, if they are named.  Returns false after a line of error. */
static bool
create_tls(struct drill *d)
{
    const struct drill_args *args = &d->args->drill;
    struct tls_files files = { args->private_key, args->certificate,
                               args->ca_cert };
    char why[TLS_WHY_LEN];

    if (!args->private_key && !args->certificate && !args->ca_cert) {
        return true;
    } else if (!args->private_key || !args->certificate || !args->ca_cert) {
        fputs("ovn-hactl: give all of --private-key, --certificate and "
              "--ca-cert, or none\n",
              stderr);
        return false;
    } else if (tls_create(&files, &d->tls, why)) {
        /* The options are called as in that section, but here are others. */
        fprintf(stderr, "ovn-hactl: --%s\n",
                why
                    + (strncmp(why, SECTION, strlen(SECTION))
                           ? 0
                           : strlen(SECTION)));
        return false;
    }
    return true;
}

/* As many as may go at once without looking like the loss of a database to the
 * standbys (shrink-rows), however small it is. */
static size_t
choose_rows(void)
{
    static const char name[] = "\nshrink-rows = ";
    long most = CLIENTS_ROWS_MAX;
    char *reply, *line;

    if (!daemon_call("config", NULL, &reply)) {
        line = strstr(reply, name);
        most = line ? strtol(line + strlen(name), NULL, 10) - 1 : most;
    }
    free(reply);
    return most < 1 ? 1 : most > CLIENTS_ROWS_MAX ? CLIENTS_ROWS_MAX : most;
}

static int
create_clients(struct drill *d, const json_t *status)
{
    if (!create_tls(d)) {
        return VERB_USAGE;
    }
    d->nb = choose_remotes(d, d->args->drill.nb, "OVN_NB_DB", status, 6641);
    d->sb = choose_remotes(d, d->args->drill.sb, "OVN_SB_DB", status, 6642);
    d->clients = clients_create(d->nb, d->sb, d->tls, choose_rows(),
                                &d->ledger, d->chassis);
    return d->clients ? VERB_FINE : VERB_USAGE;
}

/* What is in the way, as the caller's list. */
static json_t *
find_obstacles(struct drill *d, const json_t *status)
{
    json_t *obstacles = plan_obstacles(status, d->kind->where);
    char *trouble;

    act_close(&d->act);
    trouble = act_prepare(&d->act, d->kind, d->args->to, d->args->drill.cut_us,
                          status);
    if (trouble && !json_array_size(obstacles)) {
        json_array_append_new(obstacles, json_string(trouble));
    }
    free(trouble);
    connect_clients(d, obstacles);
    return obstacles;
}

int
drill_plan(struct drill *d, bool shows)
{
    json_t *status, *obstacles;
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    rc = d->clients ? VERB_FINE : create_clients(d, status);
    if (rc) {
        json_decref(status);
        return rc;
    }
    d->lease_us =
        json_integer_value(jsonget(jsonget(status, "cluster"), "lease_ms"))
        * 1000;
    obstacles = find_obstacles(d, status);
    if (shows) {
        print_plan(d, status, obstacles);
    }
    if (json_array_size(obstacles)) {
        fprintf(stderr, "ovn-hactl: the drill may not begin: %s\n",
                json_string_value(json_array_get(obstacles, 0)));
        rc = VERB_FAILED;
    }
    json_decref(obstacles);
    json_decref(status);
    return rc;
}

bool
drill_ask(const struct verb_args *args)
{
    if (args->yes) {
        return true;
    } else if (!isatty(STDIN_FILENO)) {
        fputs("ovn-hactl: a drill asks before it acts, and there is no "
              "terminal; --yes does without\n",
              stderr);
        return false;
    }
    return confirm_typed("Clients may not be able to write for a while.",
                         "yes");
}

/* Whether the cluster has registered it; 'ret_other' becomes true if another
 * drill came first. */
static bool
is_registered(const struct drill *d, bool *ret_other)
{
    static const char *const argv[] = { "--json", NULL };
    json_t *status = NULL;
    const char *token;
    char *reply;
    bool ours;

    if (!daemon_call("cluster/status", argv, &reply)) {
        status = json_loads(reply, 0, NULL);
    }
    free(reply);
    token =
        jsonget_text(jsonget(jsonget(status, "cluster"), "drill"), "token");
    ours = *token && !strcmp(token, d->act.token);
    *ret_other = *token && !ours;
    json_decref(status);
    return ours;
}

int
drill_register(struct drill *d)
{
    const char *const argv[] = { d->kind->name, NULL };
    mono_t deadline = mono_add_ms(mono_now(), CONNECT_MS);
    bool other = false;
    char *reply;
    int rc = daemon_ask("drill/begin", argv, &reply);

    if (rc) {
        return rc;
    }
    snprintf(d->act.token, sizeof d->act.token, "%s", reply);
    free(reply);
    while (!is_registered(d, &other)) {
        if (other || mono_before(deadline, mono_now())) {
            fprintf(stderr, "ovn-hactl: the drill may not begin: %s\n",
                    other ? "another drill is running"
                          : "corosync does not pass messages on");
            drill_unregister(d);
            return VERB_FAILED;
        }
        drill_turn(d);
    }
    return VERB_FINE;
}

void
drill_unregister(struct drill *d)
{
    const char *const argv[] = { d->act.token, NULL };
    char *reply;

    if (*d->act.token) {
        daemon_call("drill/end", argv, &reply);
        free(reply);
        d->act.token[0] = '\0';
    }
}
