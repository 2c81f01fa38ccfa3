/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/drill.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ha/agents.h"
#include "ha/drillbook.h"
#include "ha/ev.h"
#include "ha/events.h"
#include "ha/fence.h"
#include "ha/group.h"
#include "ha/had.h"
#include "ha/northd.h"
#include "ha/replica.h"
#include "ha/server.h"
#include "ha/worker.h"
#include "lib/child.h"
#include "lib/log.h"
#include "lib/uctl.h"
#include "lib/xalloc.h"

#define COROSYNC_PIDFILE "/run/corosync.pid"
#define CUTTER "ovn-ha-fence"
#define CUT_MAX_MS 300000 /* As in fence/cut.h. */

struct drill {
    struct drillbook book;

    /* Of one that was begun on this node; 0: none was. */
    uint64_t token;
    char name[DRILLBOOK_NAME_LEN];
    struct child client; /* The ovn-hactl that runs it. */
    struct ev_fd *client_end;

    struct child cutter; /* Cuts this node off; CHILD_NONE. */
    struct ev_fd *cutter_end;
};

void
drill_init(struct had *h)
{
    h->drill = ha_calloc(1, sizeof *h->drill);
    h->drill->client = h->drill->cutter = CHILD_NONE;
}

/* A cut ends by itself. */
void
drill_close(struct had *h)
{
    if (h->drill) {
        ev_fd_destroy(h->drill->client_end);
        ev_fd_destroy(h->drill->cutter_end);
        child_close(&h->drill->client);
        child_close(&h->drill->cutter);
        free(h->drill);
        h->drill = NULL;
    }
}

static void
send_note(struct had *h, enum drillbook_note_kind kind, uint64_t token,
          const char *name, const char *text)
{
    struct drillbook_note note = { .kind = kind, .token = token };

    snprintf(note.name, sizeof note.name, "%s", name);
    snprintf(note.text, sizeof note.text, "%s", text);
    group_send_note(h->group, &note, sizeof note);
}

/* ---- History ------------------------------------------------------------- */

static void
remember(struct had *h, const char *text)
{
    events_tell(h, HA_LOG_INFO, "history", text);
}

/* Here at once, even without corosync, and on the others when they get it. */
static void
remember_everywhere(struct had *h, const char *text)
{
    remember(h, text);
    send_note(h, DRILLBOOK_TELL, 0, "", text);
}

/* As one line that fits. */
static void
make_line(char line[DRILLBOOK_TEXT_LEN], const char *text)
{
    snprintf(line, DRILLBOOK_TEXT_LEN, "%s", text);
    for (char *p = line; *p; p++) {
        if ((unsigned char) *p < ' ') {
            *p = ' ';
        }
    }
}

void
drill_run_note(struct had *h, struct uctl_conn *conn)
{
    char line[DRILLBOOK_TEXT_LEN];

    make_line(line, uctl_conn_arg(conn, 0));
    remember_everywhere(h, line);
    uctl_conn_reply(conn, "");
}

/* ---- Registering --------------------------------------------------------- */

static void
end_own(struct had *h)
{
    struct drill *d = h->drill;

    if (d->token) {
        send_note(h, DRILLBOOK_END, d->token, d->name, "");
        ev_fd_destroy(d->client_end);
        d->client_end = NULL;
        child_close(&d->client);
        d->client = CHILD_NONE;
        d->token = 0;
    }
}

static void
on_client_end(void *h_)
{
    end_own(h_);
}

void
drill_run_begin(struct had *h, struct uctl_conn *conn)
{
    struct drill *d = h->drill;
    char text[256];

    if (d->book.token || d->token) {
        snprintf(text, sizeof text,
                 "another drill is running: %s, begun on %.100s",
                 d->book.token ? d->book.name : d->name,
                 cluster_name(&h->cluster, d->book.token ? d->book.owner
                                                         : h->cluster.self));
        uctl_conn_reply_error(conn, text);
        return;
    } else if (!group_connected(h->group)) {
        uctl_conn_reply_error(conn, "corosync is not running here");
        return;
    } else if (child_adopt(uctl_conn_pid(conn), "ovn-hactl", 0, &d->client)) {
        d->client = CHILD_NONE;
        uctl_conn_reply_error(conn, "only ovn-hactl drill begins a drill");
        return;
    }
    while (getrandom(&d->token, sizeof d->token, 0) != sizeof d->token
           || !d->token) {
        continue;
    }
    snprintf(d->name, sizeof d->name, "%s", uctl_conn_arg(conn, 0));
    d->client_end =
        ev_fd_create(h->loop, d->client.pidfd, POLLIN, on_client_end, h);
    send_note(h, DRILLBOOK_BEGIN, d->token, d->name, "");
    snprintf(text, sizeof text, "%016" PRIx64, d->token);
    uctl_conn_reply(conn, text);
}

/* Whether the first argument is the token of this node's drill; answers if
 * not. */
static bool
is_own(struct had *h, struct uctl_conn *conn)
{
    uint64_t token = strtoull(uctl_conn_arg(conn, 0), NULL, 16);

    if (!token || token != h->drill->token) {
        uctl_conn_reply_error(conn, "no such drill was begun on this node");
        return false;
    }
    return true;
}

void
drill_run_end(struct had *h, struct uctl_conn *conn)
{
    if (is_own(h, conn)) {
        end_own(h);
        uctl_conn_reply(conn, "");
    }
}

void
drill_group_changed(struct had *h, const struct ha_set *view)
{
    struct drill *d = h->drill;

    drillbook_set_view(&d->book, view);
    if (d->token) {
        /* Who is new does not know of it. */
        send_note(h, DRILLBOOK_BEGIN, d->token, d->name, "");
    }
}

json_t *
drill_status(const struct had *h)
{
    const struct drillbook *b = &h->drill->book;
    char token[20];

    if (!b->token) {
        return json_null();
    }
    snprintf(token, sizeof token, "%016" PRIx64, b->token);
    return json_pack("{s:s, s:s, s:s}", "kind", b->name, "node",
                     cluster_name(&h->cluster, b->owner), "token", token);
}

/* ---- Acting -------------------------------------------------------------- */

void
drill_run_act(struct had *h, struct uctl_conn *conn)
{
    struct drillbook_note note = { .kind = DRILLBOOK_ACT };
    uint32_t victim = h->core.record.active;
    struct drill *d = h->drill;
    int error = 0;

    if (!is_own(h, conn)) {
        return;
    } else if (d->book.token != d->token) {
        uctl_conn_reply_error(conn, "the drill is not registered in the "
                                    "cluster any more");
        return;
    } else if (!h->core.in_force || victim == h->cluster.self) {
        uctl_conn_reply_error(conn, victim == h->cluster.self
                                        ? "this node is the active"
                                        : "there is no active now");
        return;
    }
    note.node = victim;
    note.token = d->token;
    note.cut_ms = strtoul(uctl_conn_arg(conn, 1), NULL, 10);
    snprintf(note.name, sizeof note.name, "%s", d->name);
    if (!strcmp(d->name, "crash") && agents_can_fence(h->agents, victim)) {
        error = agents_fence(h->agents, victim);
    } else {
        group_send_note(h->group, &note, sizeof note);
    }
    if (error) {
        uctl_conn_reply_error(conn,
                              "the process that runs fence agents is not "
                              "there");
    } else {
        uctl_conn_reply(conn, "");
    }
}

/* All at once, as far as that can be, this process last.  Whoever keeps it
 * starts it again; it waits for corosync then, which nobody starts by itself.
 * Returns if it cannot be done, with the reason. */
static const char *
crash(struct had *h)
{
    struct child corosync;

    if (child_adopt_pidfile(COROSYNC_PIDFILE, "corosync", &corosync)) {
        return "corosync's process cannot be found by " COROSYNC_PIDFILE;
    }
    child_signal(&corosync, SIGKILL);
    fence_kill(h->fence);
    northd_kill(h->northd);
    for (int db = 0; db < HA_N_DBS; db++) {
        server_kill(h->server[db]);
        replica_kill(h->replica[db]);
    }
    kill(getpid(), SIGKILL);
    return "this process outlived SIGKILL";
}

static void
on_cutter_end(void *h_)
{
    struct had *h = h_;
    struct drill *d = h->drill;
    int status;

    if (!child_reap(&d->cutter, &status)) {
        ev_fd_destroy(d->cutter_end);
        d->cutter_end = NULL;
        child_close(&d->cutter);
        d->cutter = CHILD_NONE;
        remember_everywhere(
            h, status ? "drill: this node could not be cut off, see its log"
                      : "drill: this node is not cut off any more");
    }
}

/* The kernel ends it after 'cut_ms', whatever happens to whom (fence/cut.h).
 * Returns NULL, or why it could not begin. */
static const char *
cut(struct had *h, uint32_t cut_ms)
{
    const struct cluster *c = &h->cluster;
    char *program = child_program(CUTTER), *option, *beats;
    const char *argv[CLUSTER_MAX_PORTS + 4] = { program };
    char ports[CLUSTER_MAX_PORTS][8];
    struct child_spec spec = { .argv = argv,
                               .log_path = h->settings->worker_log };
    size_t n = 1;
    int error;

    option = ha_asprintf("--cut=%" PRIu32, cut_ms);
    beats = ha_asprintf("%d", h->settings->conf->beat_port);
    argv[n++] = option;
    argv[n++] = beats;
    for (uint32_t i = 0; i < c->n_ports; i++) {
        snprintf(ports[i], sizeof ports[i], "%u", c->ports[i]);
        argv[n++] = ports[i];
    }
    error = child_spawn(&spec, &h->drill->cutter);
    if (error) {
        h->drill->cutter = CHILD_NONE;
    } else {
        h->drill->cutter_end = ev_fd_create(h->loop, h->drill->cutter.pidfd,
                                            POLLIN, on_cutter_end, h);
    }
    free(program);
    free(option);
    free(beats);
    return error ? strerror(-error) : NULL;
}

/* This node is to harm itself. */
static void
act(struct had *h, uint32_t from, const struct drillbook_note *note)
{
    const char *why = drillbook_refusal(
        &h->drill->book, from, note,
        h->core.in_force && h->core.record.active == h->cluster.self);
    char text[256];

    if (!why && !strcmp(note->name, "crash")) {
        ha_log(HA_LOG_WARN, "drill",
               "crash: all processes end, as %s asked for",
               cluster_name(&h->cluster, from));
        why = crash(h);
    } else if (!why && !strcmp(note->name, "isolate")) {
        ha_log(HA_LOG_WARN, "drill",
               "isolate: corosync is cut off for %" PRIu32 " ms, as %s asked "
               "for",
               note->cut_ms, cluster_name(&h->cluster, from));
        why = h->drill->cutter.pid > 0 ? "it is cut off already"
              : !note->cut_ms || note->cut_ms > CUT_MAX_MS
                  ? "that is no time to be cut off"
                  : cut(h, note->cut_ms);
    } else if (!why) {
        why = "this version of ovn-had knows no such drill";
    }
    if (why) {
        snprintf(text, sizeof text, "drill: %s on %s was refused: %s",
                 note->name, cluster_name(&h->cluster, h->cluster.self), why);
        remember_everywhere(h, text);
    }
}

void
drill_take_note(struct had *h, uint32_t from, const void *data, size_t n)
{
    struct drillbook_note note;
    char line[DRILLBOOK_TEXT_LEN];

    if (!drillbook_parse(data, n, &note)) {
        return;
    }
    drillbook_take(&h->drill->book, from, &note);
    if (note.kind == DRILLBOOK_ACT && note.node == h->cluster.self) {
        act(h, from, &note);
    } else if (note.kind == DRILLBOOK_TELL && from != h->cluster.self) {
        make_line(line, note.text);
        remember(h, line);
    }
}
