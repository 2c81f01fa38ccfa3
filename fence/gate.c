/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

#define LOOK_MS 1000      /* Between looks at a shut gate. */
#define RETRY_MS 10       /* A server that is just starting. */
#define RETRY_OPEN_MS 500 /* After it refused a remote. */
#define ROUNDS_AT_ONCE 5  /* Then someone opens as fast as we shut. */

void
gate_init(struct gate *g, enum ha_db db)
{
    memset(g, 0, sizeof *g);
    g->db = db;
    g->kill_at = MONO_NEVER;
    g->next = MONO_NEVER;
    target_init(&g->server, "ovsdb-server");
}

static void
drop_calls(struct gate *g)
{
    for (unsigned int i = 0; i < g->n_calls; i++) {
        uctl_call_destroy(g->calls[i]);
    }
    g->n_calls = 0;
    g->n_removes = 0;
}

void
gate_close(struct gate *g)
{
    drop_calls(g);
    target_close(&g->server);
}

static bool
has_remote(const struct wire_f_db *conf, const char *remote)
{
    for (uint32_t i = 0; i < conf->n_remotes; i++) {
        if (!strcmp(remote, conf->remotes[i])) {
            return true;
        }
    }
    return false;
}

/* ---- Goals ---------------------------------------------------------- */

/* There is no server any more, so nothing of it can be open. */
static void
forget_server(struct gate *g)
{
    drop_calls(g);
    g->state = GATE_NONE;
    g->maybe_open = false;
    g->kill_at = MONO_NEVER;
    g->next = MONO_NEVER;
    g->why[0] = '\0';
}

/* What the supervisor sent is checked here once. */
static void
terminate_strings(struct wire_f_db *conf)
{
    conf->ctl[sizeof conf->ctl - 1] = '\0';
    conf->private_remote[sizeof conf->private_remote - 1] = '\0';
    if (conf->n_remotes > WIRE_MAX_REMOTES) {
        conf->n_remotes = WIRE_MAX_REMOTES;
    }
    for (uint32_t i = 0; i < conf->n_remotes; i++) {
        conf->remotes[i][WIRE_REMOTE_LEN - 1] = '\0';
    }
}

/* A new server: whatever it has open is looked at first. */
static void
set_server(struct gate *g, bool maybe_open, mono_t now)
{
    if (g->maybe_open && !target_is_dead(&g->server)) {
        target_kill(&g->server, "another server takes its place", now);
    }
    forget_server(g);
    target_set(&g->server, g->conf.pid);
    if (!target_is_dead(&g->server)) {
        g->maybe_open = maybe_open;
        g->state = GATE_UNPROVEN;
        g->next = now;
    }
}

/* The server that is open has other remotes from now on. */
static void
change_remotes(struct gate *g, const struct wire_f_db *old, mono_t now)
{
    drop_calls(g);
    g->state = GATE_OPENING;
    g->n_stale = 0;
    for (uint32_t i = 0; i < old->n_remotes; i++) {
        if (!has_remote(&g->conf, old->remotes[i])) {
            memcpy(g->stale[g->n_stale++], old->remotes[i], WIRE_REMOTE_LEN);
        }
    }
    g->next = now;
}

void
gate_set_db(struct gate *g, const struct wire_f_db *conf, bool maybe_open,
            mono_t now)
{
    struct wire_f_db old = g->conf;
    bool same = g->server.child.pidfd >= 0
                && (uint32_t) g->server.child.pid == conf->pid
                && !target_is_dead(&g->server);

    g->told = true;
    if (!conf->pid && !target_is_dead(&g->server)) {
        return; /* A new supervisor has not found it yet. */
    }
    g->conf = *conf;
    terminate_strings(&g->conf);
    if (!same) {
        set_server(g, maybe_open, now);
    } else if (g->state != GATE_OPENING && g->state != GATE_OPEN) {
        drop_calls(g);
        g->state = GATE_UNPROVEN;
        g->next = now;
    } else if (memcmp(old.remotes, g->conf.remotes, sizeof old.remotes)
               || old.n_remotes != g->conf.n_remotes) {
        change_remotes(g, &old, now);
    }
    /* Otherwise a new supervisor tells what is so already, and no client may
     * notice that. */
}

void
gate_open(struct gate *g, mono_t now)
{
    if (!g->want_open) {
        g->want_open = true;
        if (g->state != GATE_NONE) {
            g->next = mono_min(g->next, now);
        }
    }
}

void
gate_shut(struct gate *g, mono_t kill_at, mono_t now)
{
    g->want_open = false;
    if (g->state == GATE_NONE || g->state == GATE_SHUT) {
        return;
    }
    if (g->state != GATE_UNPROVEN) {
        drop_calls(g);
        g->state = GATE_UNPROVEN;
        g->rounds = 0;
        g->next = now;
    }
    if (g->maybe_open) {
        g->kill_at = mono_min(g->kill_at, kill_at);
    }
}

bool
gate_is_safe(const struct gate *g)
{
    return !g->maybe_open;
}

/* ---- Calls ---------------------------------------------------------- */

/* Starts one call.  Returns false if the server cannot be reached. */
static bool
start_call(struct gate *g, const char *method, const char *arg)
{
    const char *const argv[] = { arg, NULL };
    struct uctl_call *call;
    int error;

    error = uctl_call_start(g->conf.ctl, method, argv, &call);
    if (!error) {
        error = uctl_call_step(call); /* Sends; seldom answered at once. */
        if (error == -EAGAIN || !error) {
            g->calls[g->n_calls++] = call;
            return true;
        }
        uctl_call_destroy(call);
    }
    snprintf(g->why, sizeof g->why, "%s: %s: %s", ha_db_name(g->db), method,
             strerror(-error));
    return false;
}

static void
set_open(struct gate *g)
{
    ha_log(HA_LOG_INFO, "door", "%s: open", ha_db_name(g->db));
    g->state = GATE_OPEN;
    g->n_stale = 0;
    g->why[0] = '\0';
    g->next = MONO_NEVER;
}

/* Adds all public remotes, which is harmless for those that are open. */
static void
start_open(struct gate *g, mono_t now)
{
    bool ok = true;

    g->opening = true;
    g->added = false;
    for (uint32_t i = 0; i < g->n_stale && ok; i++) {
        ha_log(HA_LOG_INFO, "door", "%s: closing %s", ha_db_name(g->db),
               g->stale[i]);
        ok = start_call(g, "ovsdb-server/remove-remote", g->stale[i]);
    }
    g->n_removes = g->n_calls;
    for (uint32_t i = 0; i < g->conf.n_remotes && ok; i++) {
        if (g->state != GATE_OPENING) {
            ha_log(HA_LOG_INFO, "door", "%s: opening %s", ha_db_name(g->db),
                   g->conf.remotes[i]);
        }
        g->maybe_open = true;
        ok = start_call(g, "ovsdb-server/add-remote", g->conf.remotes[i]);
    }
    g->state = GATE_OPENING;
    if (!ok) {
        drop_calls(g);
        g->next = mono_add_ms(now, RETRY_MS);
    } else if (!g->n_calls) {
        set_open(g);
    } else {
        g->next = MONO_NEVER;
    }
}

/* Removes the 'n' remotes and lists what is left, all at once. */
static void
start_shut(struct gate *g, char *const remotes[], unsigned int n, mono_t now)
{
    bool ok = true;

    drop_calls(g);
    g->opening = false;
    for (unsigned int i = 0; i < n && i < GATE_MAX_CALLS - 1 && ok; i++) {
        ok = start_call(g, "ovsdb-server/remove-remote", remotes[i]);
    }
    g->n_removes = g->n_calls;
    ok = ok && start_call(g, "ovsdb-server/list-remotes", NULL);
    if (!ok) {
        drop_calls(g);
    }
    g->next = ok ? MONO_NEVER : mono_add_ms(now, RETRY_MS);
}

/* Begins what is to be done next. */
static void
start_calls(struct gate *g, mono_t now)
{
    char *remotes[WIRE_MAX_REMOTES];
    unsigned int n = 0;

    if (!g->conf.ctl[0]) {
        g->next = MONO_NEVER; /* Known by pid only, so far. */
        return;
    }
    if (g->want_open && (g->state == GATE_SHUT || g->state == GATE_OPENING)) {
        start_open(g, now);
        return;
    }
    if (g->state == GATE_UNPROVEN && g->maybe_open && !g->rounds) {
        for (; n < g->conf.n_remotes; n++) {
            ha_log(HA_LOG_INFO, "door", "%s: closing %s", ha_db_name(g->db),
                   g->conf.remotes[n]);
            remotes[n] = g->conf.remotes[n];
        }
        g->rounds = 1;
    }
    start_shut(g, remotes, n, now);
}

/* ---- Answers -------------------------------------------------------- */

static void
set_shut(struct gate *g, mono_t now)
{
    if (g->maybe_open) {
        ha_log(HA_LOG_INFO, "door", "%s: closed", ha_db_name(g->db));
    }
    g->state = GATE_SHUT;
    g->maybe_open = false;
    g->kill_at = MONO_NEVER;
    g->rounds = 0;
    g->why[0] = '\0';
    g->next = g->want_open ? now : mono_add_ms(now, LOOK_MS);
}

/* Takes the answer to list-remotes: one remote a line. */
static void
on_list(struct gate *g, const char *list, mono_t now)
{
    char text[GATE_MAX_CALLS * WIRE_REMOTE_LEN];
    char *remotes[GATE_MAX_CALLS - 1];
    unsigned int n = 0;
    char *save = NULL;

    /* What does not fit in is cut, and seen in the next round. */
    snprintf(text, sizeof text, "%s", list);
    for (char *r = strtok_r(text, "\n", &save); r && n < GATE_MAX_CALLS - 1;
         r = strtok_r(NULL, "\n", &save)) {
        if (strcmp(r, g->conf.private_remote)) {
            ha_log(
                HA_LOG_WARN, "door", "%s: closing %s%s", ha_db_name(g->db), r,
                has_remote(&g->conf, r) ? "" : ", which someone else opened");
            remotes[n++] = r;
        }
    }
    if (!n) {
        set_shut(g, now);
        return;
    }
    g->state = GATE_UNPROVEN;
    g->maybe_open = true;
    if (++g->rounds <= ROUNDS_AT_ONCE) {
        start_shut(g, remotes, n, now);
    } else {
        g->rounds = 1;
        g->next = mono_add_ms(now, LOOK_MS);
    }
}

/* All is answered; 'refused' is an error of add-remote or NULL. */
static void
on_opened(struct gate *g, const char *refused, mono_t now)
{
    if (!refused && g->added) {
        set_open(g);
        return;
    } else if (!refused) {
        g->added = start_call(g, "ovsdb-server/list-remotes", NULL);
        g->next = g->added ? MONO_NEVER : mono_add_ms(now, RETRY_MS);
        return;
    }
    if (!strstr(g->why, refused)) {
        ha_log(HA_LOG_WARN, "door", "%s: cannot open all: %s",
               ha_db_name(g->db), refused);
    }
    snprintf(g->why, sizeof g->why, "%s: %s", ha_db_name(g->db), refused);
    g->next = mono_add_ms(now, RETRY_OPEN_MS);
}

/* The same for list-remotes. */
static void
on_listed(struct gate *g, const char *refused, const char *list, mono_t now)
{
    if (!list) {
        snprintf(g->why, sizeof g->why, "%s: list-remotes: %s",
                 ha_db_name(g->db), refused);
        g->next = mono_add_ms(now, LOOK_MS);
    } else {
        on_list(g, list, now);
    }
}

/* All calls have been answered. */
static void
finish_calls(struct gate *g, mono_t now)
{
    char list[GATE_MAX_CALLS * WIRE_REMOTE_LEN];
    char refused[WIRE_WHY_LEN / 2];
    const char *error = NULL, *result;
    bool opening = g->opening;

    /* A remote that could not be removed was not there, or is in the list. */
    for (unsigned int i = g->n_removes; i < g->n_calls && !error; i++) {
        error = uctl_call_error(g->calls[i]);
    }
    snprintf(refused, sizeof refused, "%s", error ? error : "");
    result = uctl_call_result(g->calls[g->n_calls - 1]);
    snprintf(list, sizeof list, "%s", result ? result : "");
    drop_calls(g);
    if (opening) {
        on_opened(g, error ? refused : NULL, now);
    } else {
        on_listed(g, refused, error ? NULL : list, now);
    }
}

static bool
is_answered(const struct uctl_call *call)
{
    return uctl_call_result(call) || uctl_call_error(call);
}

/* Collects answers. */
static void
run_calls(struct gate *g, mono_t now)
{
    unsigned int n_done = 0;

    for (unsigned int i = 0; i < g->n_calls; i++) {
        int error = uctl_call_step(g->calls[i]);

        if (error && error != -EAGAIN) {
            snprintf(g->why, sizeof g->why, "%s: control socket: %s",
                     ha_db_name(g->db), strerror(-error));
            drop_calls(g);
            g->next = mono_add_ms(now, RETRY_MS);
            return;
        }
        n_done += !error;
    }
    if (n_done == g->n_calls) {
        finish_calls(g, now);
    }
}

/* ---- Loop ----------------------------------------------------------- */

unsigned int
gate_poll(const struct gate *g, struct pollfd pfds[])
{
    unsigned int n = 0;

    if (g->server.child.pidfd >= 0) {
        pfds[n++] = (struct pollfd){ g->server.child.pidfd, POLLIN, 0 };
    }
    for (unsigned int i = 0; i < g->n_calls; i++) {
        if (is_answered(g->calls[i])) {
            continue;
        }
        pfds[n].fd = uctl_call_fd(g->calls[i]);
        pfds[n].events = uctl_call_events(g->calls[i]);
        pfds[n++].revents = 0;
    }
    return n;
}

mono_t
gate_next(const struct gate *g)
{
    /* While calls are under way their answers are what it waits for. */
    mono_t next =
        g->n_calls ? g->server.next : mono_min(g->next, g->server.next);

    return g->server.killing ? next : mono_min(next, g->kill_at);
}

void
gate_run(struct gate *g, mono_t now)
{
    target_run(&g->server, now);
    if (g->server.child.pidfd < 0) {
        if (g->state != GATE_NONE) {
            forget_server(g);
        }
        return;
    }
    if (!mono_before(now, g->kill_at)) {
        target_kill(&g->server, "it has not closed in time", now);
    }
    if (g->n_calls) {
        run_calls(g, now);
    }
    if (!g->n_calls && !mono_before(now, g->next)) {
        start_calls(g, now);
    }
}
