/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ha/call.h"
#include "ha/ev.h"
#include "ha/foreign.h"
#include "ha/prepare.h"
#include "ha/progress.h"
#include "lib/child.h"
#include "lib/durable.h"
#include "lib/log.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

#define COMM "ovsdb-server"
#define READY_MS 2 /* Between looks for its socket. */
#define WATCH_MS 250
#define CALL_MS 1000
#define STOPPED_MS 500     /* Patience with a stopped process. */
#define FOREIGN_MS 300     /* Between SIGTERM and SIGKILL... */
#define FOREIGN_LOOK_MS 10 /* ... with looks whether it has gone. */
#define MISSING_MS 500     /* Between looks for a file that is gone. */
#define BACKOFF_MAX_MS 5000
#define SETTLED_MS 10000 /* Up for so long: no quick death. */
#define QUICK_DEATHS 3
#define EXIT_MS 2000 /* Stop: patience with each step. */

/* Restart compared with handing over: figures of the design. */
#define HANDOVER_MS 200
#define RESTART_MS 50
#define RESTART_MS_PER_MB 75

enum server_phase {
    PHASE_DOWN,      /* Waits for its next start. */
    PHASE_PREPARING, /* ovsdb-tool works on the file. */
    PHASE_STARTING,  /* Not listening yet. */
    PHASE_RUNNING,
    PHASE_STOPPED, /* For good. */
};

struct server {
    struct ev_loop *loop;
    const struct settings *settings;
    const struct settings_db *conf;
    enum ha_db db;
    struct server_handler handler;

    enum server_phase phase;
    bool stopping;
    bool install; /* Another file is to take the place of its own. */
    struct prepare *prepare;
    bool prepared;
    char error[512];

    struct child child;
    struct ev_fd *death;
    struct ev_timer *timer; /* Next start, socket, or steps of stop. */
    struct ev_timer *watch;
    struct call *call;
    struct progress progress;
    bool hung;
    mono_t started_at;
    unsigned int starts;
    unsigned int quick_deaths;
    int backoff_ms;
    pid_t evicted;     /* A foreign server was asked to go, */
    mono_t evicted_at; /* then. */
    int guard;         /* Keeps others out of the file while no server of
                    * ours does; or -1. */
    int exit_step;
};

static void
tell(struct server *s)
{
    s->handler.changed(s->handler.aux, s->db);
}

static int64_t
file_bytes(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : st.st_size;
}

static const char *
name(const struct server *s)
{
    return ha_db_name(s->db);
}

/* Death and birth. */

/* Until the next start of ours nobody else shall start on the file.  Returns
 * false if somebody was faster. */
static bool
keep_out(struct server *s)
{
    if (s->guard < 0) {
        s->guard = foreign_keep_out(s->conf);
    }
    return s->guard != -EAGAIN;
}

static void
let_in(struct server *s)
{
    if (s->guard >= 0) {
        close(s->guard);
    }
    s->guard = -1;
}

/* Starts it after a while, unless there is somebody to be ended first. */
static void
start_later(struct server *s, int ms)
{
    s->phase = PHASE_DOWN;
    ev_timer_set_ms(s->timer, keep_out(s) ? ms : 0);
}

static void
forget_child(struct server *s)
{
    ev_fd_destroy(s->death);
    s->death = NULL;
    ev_timer_stop(s->watch);
    call_cancel(s->call);
    child_close(&s->child);
}

static void
on_death(void *s_)
{
    struct server *s = s_;
    bool quick;
    int status;

    if (child_reap(&s->child, &status) == -EAGAIN) {
        return;
    }
    forget_child(s);
    if (s->stopping) {
        s->phase = PHASE_STOPPED;
        ev_timer_stop(s->timer);
        tell(s);
        return;
    }
    if (s->install) {
        start_later(s, 0);
        tell(s);
        return;
    }
    quick = mono_us_between(s->started_at, mono_now()) < SETTLED_MS * 1000;
    s->quick_deaths = quick ? s->quick_deaths + 1 : 0;
    s->backoff_ms = s->quick_deaths < 2 ? 0
                    : s->backoff_ms     ? s->backoff_ms * 2
                                        : 100;
    if (s->backoff_ms > BACKOFF_MAX_MS) {
        s->backoff_ms = BACKOFF_MAX_MS;
    }
    ha_log(HA_LOG_ERR, "server",
           "%s: ovsdb-server died; started again in "
           "%d ms",
           name(s), s->backoff_ms);
    start_later(s, s->backoff_ms);
    tell(s);
}

static void
watch_child(struct server *s)
{
    s->started_at = mono_now();
    s->hung = false;
    progress_start(&s->progress, s->started_at);
    s->death = ev_fd_create(s->loop, s->child.pidfd, POLLIN, on_death, s);
    ev_timer_set_ms(s->watch, WATCH_MS);
    s->phase = PHASE_STARTING;
    ev_timer_set_ms(s->timer, 0);
}

static int
spawn(struct server *s)
{
    const struct settings_db *c = s->conf;
    const char *schema = c->schema_name;
    char *args[] = {
        ha_strdup(s->settings->conf->ovsdb_server),
        ha_strdup("-vconsole:off"),
        ha_strdup("-vfile:info"),
        ha_asprintf("--log-file=%s", c->log),
        ha_asprintf("--remote=punix:%s", c->private_sock),
        ha_asprintf("--pidfile=%s", c->pidfile),
        ha_asprintf("--unixctl=%s", c->ctl),
        ha_asprintf("--private-key=db:%s,SSL,private_key", schema),
        ha_asprintf("--certificate=db:%s,SSL,certificate", schema),
        ha_asprintf("--ca-cert=db:%s,SSL,ca_cert", schema),
        ha_asprintf("--ssl-protocols=db:%s,SSL,ssl_protocols", schema),
        ha_asprintf("--ssl-ciphers=db:%s,SSL,ssl_ciphers", schema),
        ha_strdup(c->file),
        NULL,
    };
    struct child_spec spec = {
        .argv = (const char *const *) args,
        .log_path = c->log,
        .lock_fd = s->guard > 0 ? s->guard : 0,
    };
    int error;

    unlink(c->private_sock);
    error = child_spawn(&spec, &s->child);
    for (size_t i = 0; args[i]; i++) {
        free(args[i]);
    }
    return error;
}

/* Takes over a server of an earlier life. */
static bool
adopt(struct server *s)
{
    if (child_adopt(foreign_own_server(s->conf), COMM, 0, &s->child)) {
        return false;
    }
    ha_log(HA_LOG_INFO, "server", "%s: adopted ovsdb-server, process %d",
           name(s), s->child.pid);
    s->prepared = true;
    watch_child(s);
    return true;
}

/* A foreign server on our file: first politely, as a kill would make systemd
 * start it again. */
static bool
evict_foreign(struct server *s)
{
    char text[FOREIGN_TEXT_LEN];
    pid_t pid;

    if (!foreign_server(s->conf, &pid, text)) {
        s->evicted = 0;
        s->error[0] = '\0';
        return false;
    }
    if (s->evicted != pid || !pid) {
        ha_log(HA_LOG_ERR, "server", "%s: %s; %s", name(s), text,
               pid ? "ended" : "waiting for it to go");
        snprintf(s->error, sizeof s->error, "%s", text);
    }
    if (pid && s->evicted != pid) {
        kill(pid, SIGTERM);
        s->evicted_at = mono_now();
    } else if (pid
               && mono_us_between(s->evicted_at, mono_now())
                      > FOREIGN_MS * 1000) {
        kill(pid, SIGKILL);
    }
    s->evicted = pid;
    ev_timer_set_ms(s->timer, pid ? FOREIGN_LOOK_MS : BACKOFF_MAX_MS);
    return true;
}

static void
on_prepared(void *s_, const char *error)
{
    struct server *s = s_;

    s->prepared = !error;
    s->phase = PHASE_DOWN;
    if (error) {
        ha_log(HA_LOG_ERR, "server", "%s: %s", name(s), error);
        snprintf(s->error, sizeof s->error, "%s", error);
    }
    start_later(s, error ? BACKOFF_MAX_MS : 0);
    prepare_destroy(s->prepare);
    s->prepare = NULL;
    tell(s);
}

/* Nobody has the file open now.  If the worker has withdrawn the other one,
 * the server goes on with its own. */
static void
install(struct server *s)
{
    const char *file = s->conf->file;
    char *other = ha_asprintf("%s%s", file, WIRE_INSTALL_SUFFIX);
    int error = rename(other, file) ? -errno : durable_sync_folder_of(file);

    s->install = false;
    ha_log(error ? HA_LOG_WARN : HA_LOG_INFO, "server", "%s: %s %s %s%s%s",
           name(s), other, error ? "cannot be" : "is now", file,
           error ? ": " : "", error ? strerror(-error) : "");
    free(other);
}

static void
start(struct server *s)
{
    int error;

    if (s->guard < 0 && (adopt(s) || evict_foreign(s))) {
        return;
    }
    if (access(s->conf->file, F_OK)
        && !s->handler.may_create(s->handler.aux)) {
        if (!s->error[0]) {
            snprintf(s->error, sizeof s->error,
                     "%s is gone, and this node was active last: put the "
                     "file back; an empty one is not served in its place",
                     s->conf->file);
            ha_log(HA_LOG_ERR, "server", "%s: %s", name(s), s->error);
        }
        s->prepared = false;
        ev_timer_set_ms(s->timer, MISSING_MS);
        tell(s);
        return;
    }
    if (!s->prepared || access(s->conf->file, F_OK)) {
        let_in(s);
        s->phase = PHASE_PREPARING;
        s->prepare =
            prepare_start(s->loop, s->settings, s->db, on_prepared, s);
        return;
    }
    if (!keep_out(s)) {
        ev_timer_set_ms(s->timer, FOREIGN_LOOK_MS);
        return;
    }
    if (s->install) {
        install(s);
    }
    error = spawn(s);
    if (error) {
        ha_log(HA_LOG_ERR, "server", "%s: %s cannot be started: %s", name(s),
               s->settings->conf->ovsdb_server, strerror(-error));
        start_later(s, BACKOFF_MAX_MS);
        return;
    }
    let_in(s);
    s->error[0] = '\0';
    s->starts++;
    ha_log(HA_LOG_INFO, "server", "%s: started ovsdb-server, process %d",
           name(s), s->child.pid);
    watch_child(s);
}

/* It listens once it has read its file. */
static void
look_for_socket(struct server *s)
{
    int fd = unixpath_connect(s->conf->private_sock, SOCK_STREAM);

    if (fd < 0) {
        ev_timer_set_ms(s->timer, READY_MS);
        return;
    }
    close(fd);
    progress_answer(&s->progress, mono_now());
    s->phase = PHASE_RUNNING;
    ha_log(HA_LOG_INFO, "server", "%s: ovsdb-server is ready after %lld ms",
           name(s),
           (long long) mono_us_between(s->started_at, mono_now()) / 1000);
    tell(s);
}

/* Stopping: ask, then SIGTERM, then SIGKILL. */
static void
stop_step(struct server *s)
{
    switch (s->exit_step++) {
    case 0:
        call_start(s->call, s->conf->ctl, "exit", NULL, EXIT_MS);
        break;
    case 1:
        child_signal(&s->child, SIGTERM);
        child_signal(&s->child, SIGCONT);
        break;
    default:
        child_signal(&s->child, SIGKILL);
        break;
    }
    ev_timer_set_ms(s->timer, EXIT_MS);
}

static void
on_timer(void *s_)
{
    struct server *s = s_;

    if (s->stopping) {
        if (s->child.pid > 0) {
            stop_step(s);
        }
    } else if (s->phase == PHASE_DOWN) {
        start(s);
    } else if (s->phase == PHASE_STARTING) {
        look_for_socket(s);
    }
}

/* Health. */

static void
on_answer(void *s_, const char *result, const char *error, int code)
{
    struct server *s = s_;

    (void) result;
    (void) error;
    if (!code) {
        progress_answer(&s->progress, mono_now());
    }
}

static void
on_watch(void *s_)
{
    struct server *s = s_;
    struct progress_limits limits = {
        .stopped_us = STOPPED_MS * 1000,
        .idle_us = (int64_t) s->settings->hang_ms * 1000,
        /* To read a large file takes as long as it takes. */
        .busy_us = s->phase == PHASE_STARTING
                       ? INT64_MAX
                       : (int64_t) s->settings->busy_ms * 1000,
    };
    struct child_stat st;
    int64_t bytes = file_bytes(s->conf->log) + file_bytes(s->conf->file);

    ev_timer_set_ms(s->watch, WATCH_MS);
    if (s->stopping || child_read_stat(s->child.pid, &st)) {
        return;
    }
    if (!s->hung
        && progress_observe(&s->progress, &limits, &st, bytes, mono_now())
               == PROGRESS_HUNG) {
        ha_log(HA_LOG_ERR, "server",
               "%s: ovsdb-server hangs (%s, last answer "
               "%lld ms ago); killed",
               name(s), child_state_name(st.state),
               (long long) mono_us_between(s->progress.answered_at, mono_now())
                   / 1000);
        s->hung = true;
        child_signal(&s->child, SIGKILL);
        tell(s);
    }
    if (s->phase == PHASE_RUNNING && !call_is_busy(s->call)) {
        call_start(s->call, s->conf->ctl, "version", NULL, CALL_MS);
    }
}

/* Interface. */

struct server *
server_create(struct ev_loop *loop, const struct settings *settings,
              enum ha_db db, const struct server_handler *handler)
{
    struct server *s = ha_calloc(1, sizeof *s);

    s->loop = loop;
    s->settings = settings;
    s->conf = &settings->db[db];
    s->db = db;
    s->handler = *handler;
    s->child = CHILD_NONE;
    s->guard = -1;
    s->timer = ev_timer_create(loop, on_timer, s);
    s->watch = ev_timer_create(loop, on_watch, s);
    s->call = call_create(loop, on_answer, s);
    return s;
}

void
server_destroy(struct server *s)
{
    if (s) {
        prepare_destroy(s->prepare);
        forget_child(s);
        let_in(s);
        call_destroy(s->call);
        ev_timer_destroy(s->timer);
        ev_timer_destroy(s->watch);
        free(s);
    }
}

void
server_start(struct server *s)
{
    ev_timer_set_ms(s->timer, 0);
}

void
server_stop(struct server *s)
{
    if (s->stopping) {
        return;
    }
    s->stopping = true;
    prepare_destroy(s->prepare);
    s->prepare = NULL;
    ev_timer_stop(s->timer);
    let_in(s);
    if (s->child.pid > 0) {
        stop_step(s);
    } else {
        s->phase = PHASE_STOPPED;
    }
}

bool
server_stopped(const struct server *s)
{
    return s->phase == PHASE_STOPPED;
}

void
server_install(struct server *s)
{
    if (s->stopping || s->phase != PHASE_RUNNING) {
        return; /* The worker asks again. */
    }
    ha_log(HA_LOG_INFO, "server",
           "%s: ovsdb-server, process %d, is ended to be started on another "
           "file",
           name(s), s->child.pid);
    s->install = true;
    child_signal(&s->child, SIGKILL);
}

void
server_kill(struct server *s)
{
    child_signal(&s->child, SIGKILL);
}

bool
server_has_file(const struct server *s)
{
    return s->prepared;
}

pid_t
server_pid(const struct server *s)
{
    return s->phase == PHASE_RUNNING ? s->child.pid : 0;
}

bool
server_ok(const struct server *s)
{
    return s->phase == PHASE_RUNNING && !s->hung && !s->stopping;
}

bool
server_unfit(const struct server *s)
{
    int64_t mb = file_bytes(s->conf->file) >> 20;

    return !server_ok(s)
           && (!s->prepared || s->quick_deaths >= QUICK_DEATHS || s->hung
               || RESTART_MS + RESTART_MS_PER_MB * mb > HANDOVER_MS);
}

const char *
server_state(const struct server *s)
{
    static const char *const names[] = {
        [PHASE_DOWN] = "down",         [PHASE_PREPARING] = "preparing",
        [PHASE_STARTING] = "starting", [PHASE_RUNNING] = "running",
        [PHASE_STOPPED] = "stopped",
    };

    return s->hung ? "hung" : names[s->phase];
}

unsigned int
server_starts(const struct server *s)
{
    return s->starts;
}

const char *
server_error(const struct server *s)
{
    return s->error;
}

static void
add_remote(struct wire_f_db *db, const char *text, size_t n)
{
    if (n && n < WIRE_REMOTE_LEN && db->n_remotes < WIRE_MAX_REMOTES) {
        snprintf(db->remotes[db->n_remotes++], WIRE_REMOTE_LEN, "%.*s",
                 (int) n, text);
    }
}

void
server_describe(const struct server *s, struct wire_f_db *db)
{
    const struct settings_db *c = s->conf;
    char remote[WIRE_REMOTE_LEN];

    memset(db, 0, sizeof *db);
    db->db = s->db;
    db->pid = server_pid(s);
    snprintf(db->ctl, sizeof db->ctl, "%s", c->ctl);
    snprintf(db->private_remote, sizeof db->private_remote, "punix:%s",
             c->private_sock);
    snprintf(remote, sizeof remote, "punix:%s", c->public_sock);
    add_remote(db, remote, strlen(remote));
    snprintf(remote, sizeof remote, "db:%s,%s,connections", c->schema_name,
             c->global_table);
    add_remote(db, remote, strlen(remote));
    for (const char *p = c->listen; *p;) {
        size_t n = strcspn(p, ", ");

        add_remote(db, p, n);
        p += n + strspn(p + n, ", ");
    }
}
