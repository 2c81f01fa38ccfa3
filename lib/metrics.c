/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"

struct writer {
    FILE *f;
    bool openmetrics;
    const char *name; /* Of the family at hand... */
    bool counter;     /* ...and what it is. */
    bool begun;       /* Its head is written. */
    const char *help;
};

/* Begins the family 'name', which is written with its first sample: a family
 * without one says nothing. */
static void
family(struct writer *w, const char *name, bool counter, const char *help)
{
    w->name = name;
    w->counter = counter;
    w->help = help;
    w->begun = false;
}

static void
gauge(struct writer *w, const char *name, const char *help)
{
    family(w, name, false, help);
}

/* 'name' without "_total". */
static void
counter(struct writer *w, const char *name, const char *help)
{
    family(w, name, true, help);
}

static void
print_head(struct writer *w)
{
    /* The older format takes a counter's full name for the family's. */
    const char *suffix = w->counter && !w->openmetrics ? "_total" : "";

    fprintf(w->f, "# HELP %s%s %s\n# TYPE %s%s %s\n", w->name, suffix, w->help,
            w->name, suffix, w->counter ? "counter" : "gauge");
    w->begun = true;
}

static void
print_label(FILE *f, const char *key, const char *value)
{
    fprintf(f, "%s=\"", key);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') {
            fputc('\\', f);
        }
        if (*value == '\n') {
            fputs("\\n", f);
        } else {
            fputc(*value, f);
        }
    }
    fputc('"', f);
}

/* One sample with up to two labels, which may be NULL. */
static void
sample(struct writer *w, const char *key1, const char *value1,
       const char *key2, const char *value2, double value)
{
    if (!w->begun) {
        print_head(w);
    }
    fprintf(w->f, "%s%s", w->name, w->counter ? "_total" : "");
    if (key1) {
        fputc('{', w->f);
        print_label(w->f, key1, value1);
        if (key2) {
            fputc(',', w->f);
            print_label(w->f, key2, value2);
        }
        fputc('}', w->f);
    }
    fprintf(w->f, " %.15g\n", value);
}

/* The same for a number or a boolean, divided; nothing for what is neither. */
static void
sample_json(struct writer *w, const char *key1, const char *value1,
            const char *key2, const char *value2, const json_t *value,
            double divisor)
{
    if (json_is_boolean(value)) {
        sample(w, key1, value1, key2, value2, json_is_true(value));
    } else if (json_is_number(value)) {
        sample(w, key1, value1, key2, value2,
               json_number_value(value) / divisor);
    }
}

static void
sample_plain(struct writer *w, const json_t *value, double divisor)
{
    sample_json(w, NULL, NULL, NULL, NULL, value, divisor);
}

/* One sample of 1 and all others 0, by the label 'key'. */
static void
sample_state(struct writer *w, const char *node, const char *const states[],
             size_t n, const char *state)
{
    for (size_t i = 0; i < n; i++) {
        double is = !strcmp(state, states[i]);

        if (node) {
            sample(w, "node", node, "state", states[i], is);
        } else {
            sample(w, "state", states[i], NULL, NULL, is);
        }
    }
}

/* The cluster. */

/* The number of an epoch such as "7.2"; -1 if there is none. */
static double
epoch_number(const char *epoch)
{
    return *epoch ? strtol(epoch, NULL, 10) : -1;
}

static void
print_cluster(struct writer *w, const json_t *status)
{
    static const char *const healths[] = { "ok", "degraded", "down" };
    const json_t *c = jsonget(status, "cluster");
    const char *health = jsonget_text(c, "health");
    const char *pause = jsonget_text(jsonget(c, "pause"), "state");
    double epoch = epoch_number(jsonget_text(c, "epoch"));

    gauge(w, "ovn_ha_build_info",
          "Always 1; labelled with the version of ovn-had and its node.");
    sample(w, "version", jsonget_text(status, "version"), "node",
           jsonget_text(status, "node"), 1);
    gauge(w, "ovn_ha_health",
          "Health of the cluster as this node sees it: 1 for the state that "
          "it is in.");
    if (*health) {
        sample_state(w, NULL, healths, 3, health);
    }
    gauge(w, "ovn_ha_quorate", "Whether corosync has quorum here.");
    sample_plain(w, jsonget(c, "quorate"), 1);
    gauge(w, "ovn_ha_paused",
          "Whether roles stay because of maintenance, or a pause is about to "
          "begin or to end.");
    if (*pause) {
        sample(w, NULL, NULL, NULL, NULL, strcmp(pause, "none") != 0);
    }
    gauge(w, "ovn_ha_paused_seconds", "For how long; 0 if it is not.");
    if (*pause) {
        sample(w, NULL, NULL, NULL, NULL,
               json_number_value(jsonget(jsonget(c, "pause"), "seconds")));
    }
    gauge(w, "ovn_ha_epoch",
          "Number of the epoch, which grows with every promotion.");
    if (epoch >= 0) {
        sample(w, NULL, NULL, NULL, NULL, epoch);
    }
    gauge(w, "ovn_ha_in_sync_nodes",
          "Nodes that may take over by themselves, the active included.");
    if (json_is_array(jsonget(c, "in_sync"))) {
        sample(w, NULL, NULL, NULL, NULL,
               json_array_size(jsonget(c, "in_sync")));
    }
    gauge(w, "ovn_ha_nodes", "Control nodes in corosync's nodelist.");
    sample_plain(w, jsonget(c, "nodes"), 1);
    gauge(w, "ovn_ha_lease_seconds",
          "How long the active may serve on one acknowledged beat.");
    sample_plain(w, jsonget(c, "lease_ms"), 1000);
    gauge(w, "ovn_ha_token_seconds", "Corosync's token timeout in effect.");
    sample_plain(w, jsonget(c, "token_ms"), 1000);
}

/* Nodes, as this one sees them. */

static void
print_states(struct writer *w, const json_t *nodes)
{
    static const char *const states[] = { "starting",  "isolated", "standby",
                                          "promoting", "active",   "demoting",
                                          "blocked",   "absent",   "witness" };

    gauge(w, "ovn_ha_node_state",
          "State of each node: 1 for the state that it is in.");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        sample_state(w, jsonget_text(node, "name"), states, 9,
                     jsonget_text(node, "state"));
    }
}

static void
print_node_flag(struct writer *w, const json_t *nodes, const char *name,
                const char *key, const char *help)
{
    gauge(w, name, help);
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        sample_json(w, "node", jsonget_text(node, "name"), NULL, NULL,
                    jsonget(node, key), 1);
    }
}

static void
print_eligible(struct writer *w, const json_t *nodes)
{
    gauge(w, "ovn_ha_node_eligible",
          "Whether the node is active, or may become active by itself.");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const json_t *why = jsonget(node, "not_eligible");
        bool absent = !strcmp(jsonget_text(node, "state"), "absent");

        sample(w, "node", jsonget_text(node, "name"), NULL, NULL,
               json_is_null(why) && !absent);
    }
}

static void
print_node_dbs(struct writer *w, const json_t *nodes, bool lag)
{
    static const char *const keys[] = { "nb", "sb" };

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        for (int j = 0; j < 2; j++) {
            const json_t *db = jsonget(node, keys[j]);

            sample_json(w, "node", jsonget_text(node, "name"), "db", keys[j],
                        lag ? jsonget(db, "lag_records")
                            : jsonget(jsonget(db, "position"), "seq"),
                        1);
        }
    }
}

static void
print_nodes(struct writer *w, const json_t *status)
{
    const json_t *nodes = jsonget(status, "nodes");

    print_states(w, nodes);
    print_node_flag(w, nodes, "ovn_ha_node_in_group", "in_group",
                    "Whether the node's ovn-had is in corosync's group.");
    print_node_flag(w, nodes, "ovn_ha_node_in_sync", "in_sync",
                    "Whether the node belongs to the in-sync set.");
    print_node_flag(w, nodes, "ovn_ha_node_northd_ok", "northd_ok",
                    "Whether the node's ovn-northd does what it should.");
    print_node_flag(w, nodes, "ovn_ha_node_door_open", "door_open",
                    "Whether clients can reach the node's databases.");
    print_eligible(w, nodes);
    gauge(w, "ovn_ha_replica_lag_records",
          "Records that the node's replica is behind the active.");
    print_node_dbs(w, nodes, true);
    gauge(w, "ovn_ha_replica_position_records",
          "Records that the node's replica has, since the lineage began.");
    print_node_dbs(w, nodes, false);
}

static void
print_problems(struct writer *w, const json_t *status)
{
    const json_t *problems = jsonget(status, "problems");

    gauge(w, "ovn_ha_problems", "Number of things that are not well.");
    if (json_is_array(problems)) {
        sample(w, NULL, NULL, NULL, NULL, json_array_size(problems));
    }
    gauge(w, "ovn_ha_problem_seconds",
          "What is not well, and for how long; the whole cluster's has an "
          "empty node.");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *p = json_array_get(problems, i);

        sample_json(w, "node", jsonget_text(p, "node"), "code",
                    jsonget_text(p, "code"), jsonget(p, "seconds"), 1);
    }
}

/* What only this node knows of itself. */

static void
print_dbs(struct writer *w, const json_t *local, const char *key,
          double divisor)
{
    static const char *const keys[] = { "nb", "sb" };

    for (int j = 0; j < 2; j++) {
        sample_json(w, "db", keys[j], NULL, NULL,
                    jsonget(jsonget(local, keys[j]), key), divisor);
    }
}

static void
print_servers(struct writer *w, const json_t *local)
{
    static const char *const keys[] = { "nb", "sb" };
    static const char *const names[] = { "OVN_Northbound", "OVN_Southbound" };

    gauge(w, "ovn_ha_server_up",
          "Whether this node's ovsdb-server runs and answers.");
    for (int j = 0; j < 2; j++) {
        const char *state = jsonget_text(jsonget(local, keys[j]), "server");

        if (*state) {
            sample(w, "db", keys[j], NULL, NULL, !strcmp(state, "running"));
        }
    }
    counter(w, "ovn_ha_server_starts",
            "Starts of this node's ovsdb-server by this ovn-had.");
    print_dbs(w, local, "server_starts", 1);
    counter(w, "ovn_ha_replica_resumes",
            "Times that the replica went on where it was.");
    print_dbs(w, local, "resumes", 1);
    counter(w, "ovn_ha_replica_snapshots",
            "Times that the replica needed a snapshot.");
    print_dbs(w, local, "snapshots", 1);
    gauge(w, "ovn_db_db_size_bytes",
          "The size of the database file associated with the OVN DB "
          "component.");
    for (int j = 0; j < 2; j++) {
        sample_json(w, "db_name", names[j], NULL, NULL,
                    jsonget(jsonget(local, keys[j]), "file_bytes"), 1);
    }
}

static void
print_northd(struct writer *w, const json_t *northd)
{
    static const char *const states[] = { "standby", "active", "paused" };
    const char *state = jsonget_text(northd, "state");
    int status = -1;

    for (int i = 0; i < 3; i++) {
        if (!strcmp(state, states[i])) {
            status = i;
        }
    }
    gauge(
        w, "ovn_northd_status",
        "Whether this node's ovn-northd is standby (0), active (1) or paused "
        "(2); -1 if it is none of these.");
    if (*state) {
        sample(w, NULL, NULL, NULL, NULL, status);
    }
    counter(w, "ovn_ha_northd_starts",
            "Starts of this node's ovn-northd by this ovn-had.");
    sample_plain(w, jsonget(northd, "starts"), 1);
}

/* Nothing where no program is to be told. */
static void
print_events(struct writer *w, const json_t *events)
{
    static const char *const ends[] = { "told", "failed", "dropped" };

    counter(w, "ovn_ha_events",
            "Events for the program that is told of them, by what became of "
            "them.");
    for (int i = 0; i < 3; i++) {
        sample_json(w, "outcome", ends[i], NULL, NULL,
                    jsonget(events, ends[i]), 1);
    }
}

/* Nothing where none is configured. */
static void
print_watchdog(struct writer *w, const json_t *watchdog)
{
    const char *state = jsonget_text(watchdog, "state");

    if (!*state || !strcmp(state, "none")) {
        return;
    }
    gauge(w, "ovn_ha_watchdog_armed",
          "Whether the watchdog resets this node unless it is fed; no sample "
          "if none is configured.");
    sample(w, NULL, NULL, NULL, NULL, !strcmp(state, "armed"));
    gauge(w, "ovn_ha_watchdog_timeout_seconds",
          "After how long without being fed; 0 if not known.");
    sample_plain(w, jsonget(watchdog, "timeout_ms"), 1000);
}

static void
print_disk(struct writer *w, const json_t *disk)
{
    const json_t *folders = jsonget(disk, "folders");

    gauge(w, "ovn_ha_disk_free_bytes",
          "Room where the databases and the record are.");
    for (size_t i = 0; i < json_array_size(folders); i++) {
        const json_t *o = json_array_get(folders, i);

        sample_json(w, "folder", jsonget_text(o, "folder"), NULL, NULL,
                    jsonget(o, "free_bytes"), 1);
    }
    gauge(w, "ovn_ha_disk_low",
          "Whether that is so little that this node hands over.");
    sample_plain(w, jsonget(disk, "low"), 1);
}

static void
print_local(struct writer *w, const json_t *status)
{
    const json_t *local = jsonget(status, "local");
    const json_t *fence = jsonget(local, "fence");

    gauge(w, "ovn_ha_state_seconds",
          "How long this node has been in its state.");
    sample_plain(w, jsonget(local, "state_ms"), 1000);
    gauge(w, "ovn_ha_corosync_up", "Whether corosync runs here.");
    sample_plain(w, jsonget(local, "corosync"), 1);
    gauge(w, "ovn_ha_fence_up", "Whether the fence worker runs here.");
    sample_plain(w, jsonget(fence, "connected"), 1);
    gauge(w, "ovn_ha_lease_left_seconds",
          "What is left of this node's lease; 0 without one.");
    sample_plain(w, jsonget(fence, "lease_left_ms"), 1000);
    gauge(w, "ovn_ha_beat_acks",
          "Nodes that acknowledged this node's last beat.");
    sample_plain(w, jsonget(fence, "acks"), 1);
    counter(w, "ovn_ha_lease_losses",
            "Leases that ran out on this node since its fence worker "
            "started.");
    sample_plain(w, jsonget(fence, "lease_losses"), 1);
    gauge(w, "ovn_ha_virtual_ip_held",
          "Whether this node has the virtual IP; no sample if none is "
          "configured.");
    sample_plain(w, jsonget(jsonget(fence, "virtual_ip"), "held"), 1);
    print_watchdog(w, jsonget(fence, "watchdog"));
    print_servers(w, local);
    print_northd(w, jsonget(local, "northd"));
    print_events(w, jsonget(local, "events"));
    print_disk(w, jsonget(local, "disk"));
}

char *
metrics_render(const json_t *status, bool openmetrics)
{
    struct writer w = { .openmetrics = openmetrics };
    char *text = NULL;
    size_t n;

    w.f = open_memstream(&text, &n);
    print_cluster(&w, status);
    print_nodes(&w, status);
    print_problems(&w, status);
    print_local(&w, status);
    if (openmetrics) {
        fputs("# EOF\n", w.f);
    }
    fclose(w.f);
    return text;
}
