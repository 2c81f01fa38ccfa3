/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/control.h"

#include "ha-config.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ha/drill.h"
#include "ha/ev.h"
#include "ha/failover.h"
#include "ha/group.h"
#include "ha/fencing.h"
#include "ha/had.h"
#include "ha/history.h"
#include "ha/loop.h"
#include "ha/pause.h"
#include "ha/status.h"
#include "ha/stop.h"
#include "ha/verify.h"
#include "lib/log.h"
#include "lib/table.h"
#include "lib/uctl.h"
#include "lib/xalloc.h"

#define HISTORY_LINES 50
#define HISTORY_MAX 100000

struct connection {
    struct connection *next;
    struct control *control;
    struct uctl_conn *conn;
    struct ev_fd *io;
};

struct control {
    struct had *had;
    char *path;
    struct uctl_server *server;
    struct ev_fd *io;
    struct connection *connections;
};

struct command {
    const char *name;
    const char *usage;
    size_t min_args, max_args;
    bool changes; /* Only for root. */
    void (*run)(struct had *, struct uctl_conn *);
};

static void run_list(struct had *, struct uctl_conn *);

/* Reading. */

static void
run_version(struct had *h, struct uctl_conn *conn)
{
    (void) h;
    uctl_conn_reply(conn, "ovn-had (ovn-ha) " PACKAGE_VERSION "\n");
}

static bool
wants_json(const struct uctl_conn *conn)
{
    for (size_t i = 0; i < uctl_conn_n_args(conn); i++) {
        const char *arg = uctl_conn_arg(conn, i);

        if (!strcmp(arg, "--json") || !strcmp(arg, "json")) {
            return true;
        }
    }
    return false;
}

static void
run_status(struct had *h, struct uctl_conn *conn)
{
    json_t *status = status_make(h);
    char *text = wants_json(conn) ? json_dumps(status, JSON_INDENT(2))
                                  : table_render(status);

    json_decref(status);
    uctl_conn_reply(conn, text ? text : "");
    free(text);
}

/* One line for each thing that is known of this node's replica. */
static char *
render_replica(const json_t *replica)
{
    const char *db, *key;
    const json_t *members, *value;
    char *text = ha_strdup("");

    json_object_foreach ((json_t *) replica, db, members) {
        json_object_foreach ((json_t *) members, key, value) {
            char *one = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            const char *word =
                json_is_string(value) ? json_string_value(value) : one;
            char *longer = ha_asprintf("%s%s %s: %s\n", text, db, key, word);

            free(one);
            free(text);
            text = longer;
        }
    }
    return text;
}

static void
run_replica_status(struct had *h, struct uctl_conn *conn)
{
    json_t *status = status_make(h), *replica = json_object();
    const json_t *local = json_object_get(status, "local");
    char *text;

    json_object_set(replica, "nb", json_object_get(local, "nb"));
    json_object_set(replica, "sb", json_object_get(local, "sb"));
    text = wants_json(conn) ? json_dumps(replica, JSON_INDENT(2))
                            : render_replica(replica);
    json_decref(replica);
    json_decref(status);
    uctl_conn_reply(conn, text ? text : "");
    free(text);
}

static void
run_history(struct had *h, struct uctl_conn *conn)
{
    long n = HISTORY_LINES;
    char *text, *end;

    if (uctl_conn_n_args(conn)) {
        n = strtol(uctl_conn_arg(conn, 0), &end, 10);
        if (*end || n < 1 || n > HISTORY_MAX) {
            uctl_conn_reply_error(conn, "history: not a number of lines");
            return;
        }
    }
    text = history_tail(h->history, n);
    uctl_conn_reply(conn, text);
    free(text);
}

static void
run_config(struct had *h, struct uctl_conn *conn)
{
    char *text = NULL;
    size_t n;
    FILE *file = open_memstream(&text, &n);

    settings_print(h->settings, &h->cluster, file);
    fclose(file);
    uctl_conn_reply(conn, text);
    free(text);
}

/* Changing. */

/* The node that the first argument names; NULL, and the request is answered,
 * if there is none of that name. */
static const struct cluster_node *
find_node(struct had *h, struct uctl_conn *conn)
{
    const char *name = uctl_conn_arg(conn, 0);
    const struct cluster_node *node = cluster_find(&h->cluster, name);
    char text[160];

    if (!node) {
        snprintf(text, sizeof text, "there is no node %.100s", name);
        uctl_conn_reply_error(conn, text);
    }
    return node;
}

static void
run_switchover(struct had *h, struct uctl_conn *conn)
{
    struct ha_event ev = { .type = HA_EV_SWITCH };
    const struct cluster_node *node = NULL;
    char text[512];

    if (uctl_conn_n_args(conn)) {
        node = find_node(h, conn);
        if (!node) {
            return;
        }
        ev.ctl.to = node->id;
        if (node->id == h->core.record.active) {
            snprintf(text, sizeof text, "%s is the active already",
                     node->name);
            uctl_conn_reply_error(conn, text);
            return;
        }
    }
    h->was_refused = false;
    loop_post(h, &ev);
    if (h->was_refused) {
        snprintf(text, sizeof text, "%s may not become active: %s",
                 node ? node->name : "no other node", ha_why_text(h->refused));
        uctl_conn_reply_error(conn, text);
    } else {
        uctl_conn_reply(conn, "switchover asked for\n");
    }
}

/* True if 'id' says that it waits for an answer of kind 'ask'. */
static bool
node_asks(const struct had *h, uint32_t id, enum ha_ask ask)
{
    for (uint32_t i = 0; i < h->core.cfg.nodes.n; i++) {
        const struct ha_peer *p = &h->core.peers[i];
        const struct ha_local_db *db = p->status.local.db;

        if (p->id == id) {
            return p->heard
                   && (db[HA_NB].ask == (uint32_t) ask
                       || db[HA_SB].ask == (uint32_t) ask);
        }
    }
    return false;
}

/* Lets 'only', or with NULL all who ask for it, go on. */
static void
run_consent(struct had *h, struct uctl_conn *conn, enum ha_ask ask,
            const struct cluster_node *only)
{
    struct ha_event ev = {
        .type = HA_EV_CONSENT,
        .ctl.request =
            ask == HA_ASK_REINIT ? HA_REQ_REINIT : HA_REQ_ACCEPT_SHRINK,
    };
    char text[512] = "";
    size_t n = 0;

    h->was_refused = false;
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        const struct cluster_node *node = &h->cluster.nodes[i];

        if ((!only || only->id == node->id) && node_asks(h, node->id, ask)) {
            ev.ctl.to = node->id;
            loop_post(h, &ev);
            n += snprintf(text + n, n < sizeof text ? sizeof text - n : 0,
                          "%.64s may go on\n", node->name);
            n = n < sizeof text ? n : sizeof text - 1;
        }
    }
    if (h->was_refused) {
        uctl_conn_reply_error(conn, ha_why_text(h->refused));
    } else if (!n) {
        snprintf(text, sizeof text, "%.64s does not ask for it",
                 only ? only->name : "no node");
        uctl_conn_reply_error(conn, text);
    } else {
        uctl_conn_reply(conn, text);
    }
}

static void
run_reinit(struct had *h, struct uctl_conn *conn)
{
    const struct cluster_node *node = find_node(h, conn);

    if (node) {
        run_consent(h, conn, HA_ASK_REINIT, node);
    }
}

/* Replies with nothing if the node's record is no obstacle. */
static void
run_reinit_record(struct had *h, struct uctl_conn *conn)
{
    const struct cluster_node *node = find_node(h, conn);
    struct ha_event ev = { .type = HA_EV_CONSENT,
                           .ctl.request = HA_REQ_REINIT };
    char text[256] = "";

    if (!node) {
        return;
    }
    if (ha_core_may_forget(&h->core, node->id)) {
        ev.ctl.to = node->id;
        loop_post(h, &ev);
        snprintf(text, sizeof text, "%.64s sets its record aside\n",
                 node->name);
    }
    uctl_conn_reply(conn, text);
}

static void
run_accept_shrink(struct had *h, struct uctl_conn *conn)
{
    const struct cluster_node *node =
        uctl_conn_n_args(conn) ? find_node(h, conn) : NULL;

    if (node || !uctl_conn_n_args(conn)) {
        run_consent(h, conn, HA_ASK_SHRINK, node);
    }
}

/* Appends a node that is asked to 'reply', which becomes another text. */
static void
ask_node(struct had *h, uint32_t node, uint32_t recent_s, char **reply)
{
    char *longer = ha_asprintf("%s%s %" PRIu32 "\n", *reply,
                               cluster_name(&h->cluster, node),
                               verify_ask(h, node, recent_s));

    free(*reply);
    *reply = longer;
}

/* Why 'node' cannot be verified; NULL if it may be. */
static const char *
verify_refusal(const struct had *h, const struct cluster_node *node)
{
    const struct ha_core *c = &h->core;

    return !node                          ? "there is no such node"
           : !group_connected(h->group)   ? "corosync is not running here"
           : !c->in_force                 ? "there is no active now"
           : node->id == c->record.active ? "it is the active, with which the "
                                            "others are compared"
           : !ha_set_has(&c->view, node->id) ? "it is not in the group"
           : ha_core_why_not(c, node->id) == HA_WHY_WITNESS
               ? ha_why_text(HA_WHY_WITNESS)
               : NULL;
}

/* Replies with lines "NODE REQUEST". */
static void
run_verify(struct had *h, struct uctl_conn *conn)
{
    const char *name = uctl_conn_n_args(conn) ? uctl_conn_arg(conn, 0) : NULL;
    char *reply = ha_strdup(""), text[512];
    const char *why = NULL;

    for (uint32_t i = 0; !name && i < h->cluster.n_nodes; i++) {
        if (!verify_refusal(h, &h->cluster.nodes[i])) {
            ask_node(h, h->cluster.nodes[i].id, 0, &reply);
        }
    }
    if (name) {
        const struct cluster_node *node = cluster_find(&h->cluster, name);

        why = verify_refusal(h, node);
        if (!why) {
            ask_node(h, node->id, 0, &reply);
        }
    }
    if (!*reply) {
        snprintf(text, sizeof text, "%.100s cannot be verified: %s",
                 name ? name : "no node",
                 why ? why : "there is no active, or no standby");
        uctl_conn_reply_error(conn, text);
    } else {
        uctl_conn_reply(conn, reply);
    }
    free(reply);
}

/* Who would take over in a switchover is verified, unless it was lately.
 * Replies "NODE REQUEST", or with nothing if the switchover is going to be
 * refused anyway. */
static void
run_verify_heir(struct had *h, struct uctl_conn *conn)
{
    const struct cluster_node *node = NULL;
    char *reply = ha_strdup("");

    if (uctl_conn_n_args(conn)) {
        node = cluster_find(&h->cluster, uctl_conn_arg(conn, 0));
    } else if (ha_core_heir(&h->core)) {
        node = cluster_node(&h->cluster, ha_core_heir(&h->core));
    }
    if (!verify_refusal(h, node)
        && ha_core_why_not(&h->core, node->id) == HA_WHY_NONE) {
        ask_node(h, node->id, h->settings->conf->verify_recent_s, &reply);
    }
    uctl_conn_reply(conn, reply);
    free(reply);
}

static void
run_stop(struct had *h, struct uctl_conn *conn)
{
    uctl_conn_reply(conn, pause_keeps_role(h)
                              ? "the cluster is paused: nobody takes over; "
                                "stopping\n"
                              : "handing over, then stopping\n");
    stop_request(h);
}

static void
run_reload(struct had *h, struct uctl_conn *conn)
{
    char error[512];

    if (stop_reexec(h, error, sizeof error)) {
        uctl_conn_reply(conn, "executing the program anew\n");
        uctl_conn_step(conn); /* The loop ends: now or never. */
    } else {
        uctl_conn_reply_error(conn, error);
    }
}

/* OVS's daemons have levels by module and facility, this one has one: a word,
 * or "ANY:ANY:" before it. */
static void
run_vlog_set(struct had *h, struct uctl_conn *conn)
{
    const char *word = uctl_conn_arg(conn, 0);
    enum ha_log_level level;

    (void) h;
    while (!strncasecmp(word, "any:", 4)) {
        word += 4;
    }
    if (ha_log_level_from_name(word, &level)) {
        uctl_conn_reply_error(conn, "levels are err, warn, info, dbg, for all "
                                    "modules and destinations alike");
        return;
    }
    ha_log_set_level(level);
    uctl_conn_reply(conn, "");
}

static const struct command commands[] = {
    { "accept-shrink", "[NODE]", 0, 1, true, run_accept_shrink },
    { "cluster/status", "[--json]", 0, 2, false, run_status },
    { "config", "", 0, 0, false, run_config },
    { "drill/act", "TOKEN CUT-MS", 2, 2, true, drill_run_act },
    { "drill/begin", "KIND", 1, 1, true, drill_run_begin },
    { "drill/end", "TOKEN", 1, 1, true, drill_run_end },
    { "exit", "", 0, 0, true, run_stop },
    { "failover", "NODE WHO", 2, 2, true, failover_run },
    { "failover/preview", "[NODE]", 0, 1, false, failover_run_preview },
    { "fence", "NODE", 1, 1, true, fencing_run_fence },
    { "fence-ack", "NODE", 1, 1, true, fencing_run_ack },
    { "history", "[LINES]", 0, 1, false, run_history },
    { "history/note", "TEXT", 1, 1, true, drill_run_note },
    { "leave", "", 0, 0, true, run_stop },
    { "list-commands", "", 0, 0, false, run_list },
    { "pause", "WHO", 1, 1, true, pause_run_pause },
    { "reinit", "NODE", 1, 1, true, run_reinit },
    { "reinit/record", "NODE", 1, 1, true, run_reinit_record },
    { "reload", "", 0, 0, true, run_reload },
    { "replica/status", "[--json]", 0, 2, false, run_replica_status },
    { "resume", "WHO", 1, 1, true, pause_run_resume },
    { "status", "[--json]", 0, 2, false, run_status },
    { "stop", "", 0, 0, true, run_stop },
    { "switchover", "[NODE]", 0, 1, true, run_switchover },
    { "verify", "[NODE]", 0, 1, true, run_verify },
    { "verify/heir", "[NODE]", 0, 1, true, run_verify_heir },
    { "version", "", 0, 0, false, run_version },
    { "vlog/set", "[ANY:ANY:]LEVEL", 1, 1, true, run_vlog_set },
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void
run_list(struct had *h, struct uctl_conn *conn)
{
    char *text = ha_strdup("The available commands are:\n");

    (void) h;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        char *longer = ha_asprintf("%s  %-23s %s\n", text, commands[i].name,
                                   commands[i].usage);

        free(text);
        text = longer;
    }
    uctl_conn_reply(conn, text);
    free(text);
}

static void
dispatch(struct had *h, struct uctl_conn *conn)
{
    const char *method = uctl_conn_method(conn);
    size_t n_args = uctl_conn_n_args(conn);
    char text[256];

    for (size_t i = 0; i < N_COMMANDS; i++) {
        const struct command *c = &commands[i];

        if (strcmp(c->name, method)) {
            continue;
        }
        if (n_args < c->min_args || n_args > c->max_args) {
            snprintf(text, sizeof text, "usage: %s %s", c->name, c->usage);
            uctl_conn_reply_error(conn, text);
        } else if (c->changes && uctl_conn_uid(conn)
                   && uctl_conn_uid(conn) != geteuid()) {
            uctl_conn_reply_error(conn, "only root may do that");
        } else {
            c->run(h, conn);
        }
        return;
    }
    snprintf(text, sizeof text,
             "\"%.100s\" is not a valid command (use "
             "\"list-commands\" to see a list of valid commands)",
             method);
    uctl_conn_reply_error(conn, text);
}

/* Connections. */

static void
close_connection(struct connection *c)
{
    struct connection **p = &c->control->connections;

    while (*p != c) {
        p = &(*p)->next;
    }
    *p = c->next;
    ev_fd_destroy(c->io);
    uctl_conn_destroy(c->conn);
    free(c);
}

static void on_connection(void *c_);

static void
serve(struct connection *c)
{
    int error;

    while (!(error = uctl_conn_step(c->conn))) {
        dispatch(c->control->had, c->conn);
    }
    if (error != -EAGAIN) {
        close_connection(c);
        return;
    }
    ev_fd_destroy(c->io);
    c->io = ev_fd_create(c->control->had->loop, uctl_conn_fd(c->conn),
                         uctl_conn_events(c->conn), on_connection, c);
}

static void
on_connection(void *c)
{
    serve(c);
}

/* Makes room for one more: the oldest goes, root's last. */
static void
make_room(struct control *control)
{
    struct connection *oldest = NULL, *of_others = NULL;
    int n = 0;

    for (struct connection *c = control->connections; c; c = c->next) {
        n++;
        oldest = c;
        of_others = uctl_conn_uid(c->conn) ? c : of_others;
    }
    if (n >= UCTL_CONNS_MAX) {
        close_connection(of_others ? of_others : oldest);
    }
}

static void
on_listener(void *control_)
{
    struct control *control = control_;
    struct uctl_conn *conn;
    int error;

    while (make_room(control),
           !(error = uctl_server_accept(control->server, &conn))) {
        struct connection *c = ha_calloc(1, sizeof *c);

        c->control = control;
        c->conn = conn;
        c->next = control->connections;
        control->connections = c;
        serve(c);
    }
    if (error != -EAGAIN) {
        ha_log(HA_LOG_WARN, "control", "a connection was refused: %s",
               strerror(-error));
    }
}

/* Its members may ask, as dispatch() lets only root change anything. */
static void
open_to_group(const struct had *h, const char *path)
{
    const char *name = h->settings->conf->status_group;
    const struct group *group = *name ? getgrnam(name) : NULL;

    if (group && (chown(path, -1, group->gr_gid) || chmod(path, 0660))) {
        ha_log(HA_LOG_ERR, "control",
               "%s cannot be opened to the group %s: %s", path, name,
               strerror(errno));
    }
}

int
control_create(struct had *h)
{
    struct control *control = ha_calloc(1, sizeof *control);
    int error;

    control->had = h;
    control->path = ha_asprintf(
        "%s/ovn-had.%d.ctl", h->settings->conf->ovn_run_dir, (int) getpid());
    error = uctl_server_create(control->path, &control->server);
    if (error) {
        ha_log(HA_LOG_ERR, "control", "%s: %s", control->path,
               strerror(-error));
        free(control->path);
        free(control);
        return error;
    }
    open_to_group(h, control->path);
    control->io = ev_fd_create(h->loop, uctl_server_fd(control->server),
                               POLLIN, on_listener, control);
    h->control = control;
    return 0;
}

void
control_destroy(struct had *h)
{
    struct control *control = h->control;

    while (control->connections) {
        close_connection(control->connections);
    }
    ev_fd_destroy(control->io);
    uctl_server_destroy(control->server);
    free(control->path);
    free(control);
}
