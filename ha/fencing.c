/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/fencing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ha/agents.h"
#include "ha/had.h"
#include "ha/loop.h"
#include "lib/log.h"
#include "lib/uctl.h"

/* ---- Status --------------------------------------------------------- */

/* Milliseconds since 'us' of our clock; null for never. */
static json_t *
age(int64_t us)
{
    if (!us) {
        return json_null();
    }
    return json_integer(mono_us_between((mono_t){ us }, mono_now()) / 1000);
}

/* As enum fencing_action, of which the supervisor knows no more. */
static const char *
action_name(uint32_t action)
{
    static const char *const names[] = { "",       "metadata", "monitor",
                                         "status", "off",      "on" };

    return action < sizeof names / sizeof names[0] ? names[action] : "unknown";
}

static json_t *
device(const struct wire_a_device_state *d)
{
    return json_pack("{s:s, s:b, s:b, s:s, s:o, s:o, s:s}", "name", d->name,
                     "fits", d->fits, "well", d->well, "running",
                     action_name(d->running), "answered_ms",
                     age(d->answered_us), "tried_ms", age(d->tried_us), "why",
                     d->why);
}

static const char *
device_name(const struct wire_a_state *st, uint32_t i)
{
    return st && i < st->n_devices && i < WIRE_A_MAX_DEVICES
               ? st->devices[i].name
               : "";
}

static json_t *
levels(const struct wire_a_state *st, const struct wire_a_target *t)
{
    json_t *list = json_array();

    for (int l = 0; l < WIRE_A_MAX_LEVELS && t->n[l]; l++) {
        json_t *names = json_array();

        for (uint32_t i = 0; i < t->n[l]; i++) {
            json_array_append_new(
                names, json_string(device_name(st, t->devices[l][i])));
        }
        json_array_append_new(list, names);
    }
    return list;
}

static json_t *
target(const struct wire_a_state *st, const struct wire_a_target *t,
       const struct wire_a_target_state *s)
{
    static const char *const phases[] = { "idle", "working", "fenced",
                                          "failed" };
    json_t *o =
        json_pack("{s:s, s:o, s:s, s:s, s:i, s:s, s:s, s:o, s:o, s:s}", "node",
                  t->name, "levels", levels(st, t), "confirm",
                  t->has_confirm ? device_name(st, t->confirm) : "", "phase",
                  s->phase < 4 ? phases[s->phase] : "unknown", "level",
                  (int) s->level + 1, "device",
                  s->action ? device_name(st, s->device) : "", "action",
                  action_name(s->action), "since_ms", age(s->since_us),
                  "fenced_ms", age(s->fenced_us), "why", s->why);

    json_object_set_new(o, "request", json_integer(s->token));
    return o;
}

/* How to mend a pair that nothing can save; "". */
static void
make_advice(const struct had *h, char *text, size_t size)
{
    text[0] = '\0';
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        const struct cluster_node *node = &h->cluster.nodes[i];

        if (settings_lives_on_proof(h->settings, &h->cluster)
            && node->id != h->cluster.self
            && !agents_can_fence(h->agents, node->id)) {
            snprintf(text, size,
                     "failover will block: no fence device for %s; configure "
                     "[fence %s], or add a third node or a witness",
                     node->name, node->name);
        }
    }
}

void
fencing_log_advice(const struct had *h)
{
    char text[256];

    make_advice(h, text, sizeof text);
    if (text[0]) {
        ha_log(HA_LOG_WARN, "fencing", "%s", text);
    }
}

json_t *
fencing_status(const struct had *h)
{
    const struct wire_a_state *st = agents_state(h->agents);
    json_t *devices = json_array(), *nodes = json_array();
    const struct wire_a_target *targets;
    char advice[256];
    size_t n;

    targets = agents_targets(h->agents, &n);
    for (uint32_t i = 0; st && i < st->n_devices && i < WIRE_A_MAX_DEVICES;
         i++) {
        json_array_append_new(devices, device(&st->devices[i]));
    }
    for (size_t i = 0; st && i < n && i < st->n_targets; i++) {
        json_array_append_new(nodes, target(st, &targets[i], &st->targets[i]));
    }
    make_advice(h, advice, sizeof advice);
    return json_pack(
        "{s:b, s:i, s:i, s:o, s:o, s:s, s:b, s:s}", "connected", st != NULL,
        "pid", st ? (int) st->pid : 0, "configured", (int) n, "devices",
        devices, "nodes", nodes, "no_quorum_policy",
        settings_policy_is_fence(h->settings, &h->cluster) ? "fence" : "stop",
        "on_proof", settings_lives_on_proof(h->settings, &h->cluster),
        "advice", advice);
}

/* ---- Command -------------------------------------------------------- */

void
fencing_run_fence(struct had *h, struct uctl_conn *conn)
{
    const struct cluster_node *node =
        cluster_find(&h->cluster, uctl_conn_arg(conn, 0));
    char text[256] = "";
    int error;

    if (!node) {
        snprintf(text, sizeof text, "there is no node %.100s",
                 uctl_conn_arg(conn, 0));
    } else if (node->id == h->cluster.self) {
        snprintf(text, sizeof text,
                 "a node does not fence itself, whose end it could not tell: "
                 "ask another node");
    } else if (!agents_can_fence(h->agents, node->id)) {
        snprintf(text, sizeof text,
                 "no fence device is configured for %s: see [fence NODE] in "
                 "ovn-ha.conf(5)",
                 node->name);
    }
    if (text[0]) {
        uctl_conn_reply_error(conn, text);
        return;
    }
    error = agents_fence(h->agents, node->id);
    if (error) {
        snprintf(text, sizeof text,
                 "the process that runs fence agents is not there: %s",
                 strerror(-error));
        uctl_conn_reply_error(conn, text);
        return;
    }
    ha_log(HA_LOG_WARN, "fencing", "%s: asked for by an operator", node->name);
    uctl_conn_reply(conn, "fencing has begun\n");
}

void
fencing_run_ack(struct had *h, struct uctl_conn *conn)
{
    struct ha_event ev = { .type = HA_EV_FENCED };
    const struct cluster_node *node =
        cluster_find(&h->cluster, uctl_conn_arg(conn, 0));
    char text[256];

    if (!node || node->id == h->cluster.self) {
        snprintf(text, sizeof text,
                 node ? "%.100s is this node itself"
                      : "there is no node %.100s",
                 uctl_conn_arg(conn, 0));
        uctl_conn_reply_error(conn, text);
        return;
    }
    ha_log(HA_LOG_WARN, "fencing", "an operator vouches that %s is off",
           node->name);
    ev.fenced.node = node->id;
    ev.fenced.proven = ev.fenced.vouched = true;
    h->was_refused = false;
    loop_post(h, &ev);
    if (h->was_refused) {
        snprintf(text, sizeof text, "%s: %s", node->name,
                 ha_why_text(h->refused));
        uctl_conn_reply_error(conn, text);
    } else {
        uctl_conn_reply(conn, "taken for a proof\n");
    }
}
