/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/northd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ha/call.h"
#include "ha/ev.h"
#include "ha/foreign.h"
#include "ha/progress.h"
#include "lib/child.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define COMM "ovn-northd"
#define WATCH_MS 250
#define EARLY_MS 10 /* The same, until its first answer. */
#define CALL_MS 1000
#define STOPPED_MS 500  /* Patience with a stopped process, */
#define SUSPECT_MS 5000 /* Works, but answers nothing for so long. */
#define BUSY_MS 1000    /* Shorter silences mean nothing. */
#define STANDBY_MS 5000 /* with one that gets no lock. */
#define BACKOFF_MAX_MS 2000
#define SETTLED_MS 10000
#define EXIT_MS 1000

enum said { SAID_NOTHING, SAID_PAUSED, SAID_STANDBY, SAID_ACTIVE };

struct northd {
    struct ev_loop *loop;
    const struct settings *settings;
    struct northd_handler handler;

    bool servers_up;
    bool has_orders; /* Until then an adopted one goes on as it is. */
    bool run;
    bool stopping;
    bool stopped;

    struct child child;
    struct ev_fd *death;
    struct ev_timer *timer; /* Next start, or steps of stop. */
    struct ev_timer *watch;
    struct call *status;
    struct call *resume;
    char *ctl;
    struct progress progress;
    enum said said;
    bool may_work; /* Started unpaused, or resumed. */
    bool killed;
    mono_t standby_since;
    int standby_ms; /* Patience; grows with each replacement. */
    mono_t started_at;
    unsigned int starts;
    int backoff_ms;
    int exit_step;
};

static void
tell(struct northd *n)
{
    n->handler.changed(n->handler.aux);
}

/* The process. */

static void
forget_child(struct northd *n)
{
    ev_fd_destroy(n->death);
    n->death = NULL;
    ev_timer_stop(n->watch);
    call_cancel(n->status);
    call_cancel(n->resume);
    child_close(&n->child);
    n->said = SAID_NOTHING;
}

static void
on_death(void *n_)
{
    struct northd *n = n_;
    bool expected = n->killed || n->stopping;
    bool quick;
    int status;

    if (child_reap(&n->child, &status) == -EAGAIN) {
        return;
    }
    quick = mono_us_between(n->started_at, mono_now()) < SETTLED_MS * 1000;
    unlink(n->ctl); /* A killed one leaves it. */
    forget_child(n);
    if (n->stopping) {
        unlink(n->settings->northd_pidfile);
        n->stopped = true;
        ev_timer_stop(n->timer);
        tell(n);
        return;
    }
    n->backoff_ms = !quick || expected ? 0
                    : n->backoff_ms    ? n->backoff_ms * 2
                                       : 50;
    if (n->backoff_ms > BACKOFF_MAX_MS) {
        n->backoff_ms = BACKOFF_MAX_MS;
    }
    ha_log(expected ? HA_LOG_INFO : HA_LOG_WARN, "northd",
           "ovn-northd died; started again in %d ms", n->backoff_ms);
    ev_timer_set_ms(n->timer, n->backoff_ms);
    tell(n);
}

static void
watch_child(struct northd *n)
{
    free(n->ctl);
    n->ctl = ha_asprintf("%s/ovn-northd.%d.ctl",
                         n->settings->conf->ovn_run_dir, n->child.pid);
    n->started_at = mono_now();
    n->killed = false;
    progress_start(&n->progress, n->started_at);
    n->standby_since = n->started_at;
    n->death = ev_fd_create(n->loop, n->child.pidfd, POLLIN, on_death, n);
    ev_timer_set_ms(n->watch, EARLY_MS);
    tell(n);
}

/* Takes over one of an earlier life; ends a foreign one. */
static bool
adopt(struct northd *n)
{
    char text[FOREIGN_TEXT_LEN];
    pid_t pid;

    if (foreign_northd(n->settings, &pid, text)) {
        ha_log(HA_LOG_ERR, "northd", "%s; ended", text);
        kill(pid, SIGTERM);
        ev_timer_set_ms(n->timer, 100);
        return true;
    }
    if (child_adopt_pidfile(n->settings->northd_pidfile, COMM, &n->child)) {
        return false;
    }
    ha_log(HA_LOG_INFO, "northd", "adopted ovn-northd, process %d",
           n->child.pid);
    n->may_work = false; /* Its first answer will tell. */
    watch_child(n);
    return true;
}

static int
spawn(struct northd *n)
{
    const struct settings *s = n->settings;
    char *args[] = {
        ha_strdup(s->conf->ovn_northd),
        ha_strdup("-vconsole:emer"),
        ha_strdup("-vsyslog:err"),
        ha_strdup("-vfile:info"),
        ha_asprintf("--ovnnb-db=unix:%s", s->db[HA_NB].private_sock),
        ha_asprintf("--ovnsb-db=unix:%s", s->db[HA_SB].private_sock),
        ha_asprintf("--pidfile=%s", s->northd_pidfile),
        ha_asprintf("--log-file=%s", s->northd_log),
        n->run ? NULL : ha_strdup("--dry-run"), /* Paused. */
        NULL,
    };
    char *rundir = ha_asprintf("OVN_RUNDIR=%s", s->conf->ovn_run_dir);
    const char *env[] = { rundir, NULL };
    struct child_spec spec = {
        .argv = (const char *const *) args,
        .env = env,
        .log_path = s->northd_log,
    };
    int error = child_spawn(&spec, &n->child);

    for (size_t i = 0; args[i]; i++) {
        free(args[i]);
    }
    free(rundir);
    return error;
}

static void
start(struct northd *n)
{
    int error;

    if (!n->servers_up || n->child.pid > 0 || adopt(n)) {
        return;
    }
    error = spawn(n);
    if (error) {
        ha_log(HA_LOG_ERR, "northd", "%s cannot be started: %s",
               n->settings->conf->ovn_northd, strerror(-error));
        ev_timer_set_ms(n->timer, BACKOFF_MAX_MS);
        return;
    }
    n->starts++;
    n->may_work = n->run;
    ha_log(HA_LOG_INFO, "northd", "started ovn-northd, process %d%s",
           n->child.pid, n->run ? "" : ", paused");
    watch_child(n);
}

static void
kill_child(struct northd *n)
{
    if (n->child.pid > 0) {
        n->killed = true;
        child_signal(&n->child, SIGKILL);
    }
}

static void
stop_step(struct northd *n)
{
    switch (n->exit_step++) {
    case 0:
        child_signal(&n->child, SIGTERM);
        child_signal(&n->child, SIGCONT);
        break;
    default:
        child_signal(&n->child, SIGKILL);
        break;
    }
    ev_timer_set_ms(n->timer, EXIT_MS);
}

static void
on_timer(void *n_)
{
    struct northd *n = n_;

    if (!n->stopping) {
        start(n);
    } else if (n->child.pid > 0) {
        stop_step(n);
    }
}

/* What it says, and what it ought to do. */

static void
enforce(struct northd *n)
{
    if (n->child.pid <= 0 || n->killed || n->stopping || !n->has_orders) {
        return;
    }
    if (!n->run && n->may_work && n->said != SAID_PAUSED) {
        kill_child(n);
    } else if (n->run && n->said == SAID_PAUSED && !call_is_busy(n->resume)) {
        n->may_work = true;
        call_start(n->resume, n->ctl, "resume", NULL, CALL_MS);
    }
}

static void
on_resumed(void *n_, const char *result, const char *error, int code)
{
    struct northd *n = n_;

    (void) result;
    if (code || error) {
        ha_log(HA_LOG_WARN, "northd", "ovn-northd cannot be resumed: %s",
               error ? error : strerror(-code));
    } else {
        ha_log(HA_LOG_INFO, "northd", "resumed ovn-northd");
        n->said = SAID_NOTHING; /* It computes, and answers after that. */
        call_start(n->status, n->ctl, "status", NULL, CALL_MS);
    }
}

static enum said
parse_status(const char *text)
{
    return (strstr(text, "active")    ? SAID_ACTIVE
            : strstr(text, "standby") ? SAID_STANDBY
            : strstr(text, "paused")  ? SAID_PAUSED
                                      : SAID_NOTHING);
}

static void
on_status(void *n_, const char *result, const char *error, int code)
{
    struct northd *n = n_;
    enum said old = n->said;
    mono_t now = mono_now();

    (void) error;
    if (code || !result) {
        return;
    }
    progress_answer(&n->progress, now);
    n->said = parse_status(result);
    if (n->said != SAID_PAUSED) {
        n->may_work = true;
    } else if (!call_is_busy(n->resume)) {
        n->may_work = false;
    }
    if (n->said != SAID_STANDBY || old != SAID_STANDBY) {
        n->standby_since = now;
    }
    if (n->said == SAID_ACTIVE) {
        n->standby_ms = STANDBY_MS;
    } else if (n->run && n->said == SAID_STANDBY
               && mono_us_between(n->standby_since, now)
                      > (int64_t) n->standby_ms * 1000) {
        n->standby_ms *= 2;
        northd_replace(n, "does not get its lock");
    }
    enforce(n);
    if (n->said != old) {
        tell(n);
    }
}

static int64_t
log_bytes(const struct northd *n)
{
    struct stat st;

    return stat(n->settings->northd_log, &st) ? 0 : st.st_size;
}

static void
on_watch(void *n_)
{
    struct northd *n = n_;
    struct progress_limits limits = {
        .stopped_us = STOPPED_MS * 1000,
        .idle_us = (int64_t) n->settings->hang_ms * 1000,
        .busy_us = (int64_t) n->settings->busy_ms * 10000,
    };
    struct child_stat st;

    ev_timer_set_ms(n->watch, n->said == SAID_NOTHING ? EARLY_MS : WATCH_MS);
    if (n->killed || n->stopping || child_read_stat(n->child.pid, &st)) {
        return;
    }
    if (progress_observe(&n->progress, &limits, &st, log_bytes(n), mono_now())
        == PROGRESS_HUNG) {
        northd_replace(n, child_state_name(st.state));
        return;
    }
    enforce(n);
    if (!call_is_busy(n->status)) {
        call_start(n->status, n->ctl, "status", NULL, CALL_MS);
    }
}

/* Interface. */

struct northd *
northd_create(struct ev_loop *loop, const struct settings *settings,
              const struct northd_handler *handler)
{
    struct northd *n = ha_calloc(1, sizeof *n);

    n->loop = loop;
    n->settings = settings;
    n->handler = *handler;
    n->child = CHILD_NONE;
    n->standby_ms = STANDBY_MS;
    n->timer = ev_timer_create(loop, on_timer, n);
    n->watch = ev_timer_create(loop, on_watch, n);
    n->status = call_create(loop, on_status, n);
    n->resume = call_create(loop, on_resumed, n);
    return n;
}

void
northd_destroy(struct northd *n)
{
    if (n) {
        forget_child(n);
        call_destroy(n->status);
        call_destroy(n->resume);
        ev_timer_destroy(n->timer);
        ev_timer_destroy(n->watch);
        free(n->ctl);
        free(n);
    }
}

void
northd_set_servers(struct northd *n, bool up)
{
    n->servers_up = up;
    if (up && n->child.pid <= 0 && !n->stopping
        && !ev_timer_is_set(n->timer)) {
        ev_timer_set_ms(n->timer, 0);
    }
}

void
northd_set_run(struct northd *n, bool run)
{
    if (n->has_orders && n->run == run) {
        return;
    }
    n->has_orders = true;
    n->run = run;
    enforce(n);
    if (run && n->child.pid > 0 && n->said == SAID_NOTHING) {
        /* Whether it is paused is not known yet; the answer comes soon. */
        ev_timer_set_ms(n->watch, 0);
    }
}

void
northd_replace(struct northd *n, const char *why)
{
    if (n->child.pid > 0 && !n->killed && !n->stopping) {
        ha_log(HA_LOG_ERR, "northd",
               "ovn-northd, process %d, is stuck (%s); "
               "replaced",
               n->child.pid, why);
        kill_child(n);
        tell(n);
    }
}

void
northd_stop(struct northd *n)
{
    if (n->stopping) {
        return;
    }
    n->stopping = true;
    if (n->child.pid > 0) {
        stop_step(n);
    } else {
        n->stopped = true;
    }
}

bool
northd_stopped(const struct northd *n)
{
    return n->stopped;
}

void
northd_kill(struct northd *n)
{
    child_signal(&n->child, SIGKILL);
}

pid_t
northd_pid(const struct northd *n)
{
    return n->child.pid > 0 ? n->child.pid : 0;
}

bool
northd_ok(const struct northd *n)
{
    return n->child.pid > 0 && !n->killed && !n->stopping
           && n->said == (n->run ? SAID_ACTIVE : SAID_PAUSED);
}

bool
northd_suspect(const struct northd *n)
{
    return n->child.pid > 0 && !n->killed && n->run
           && mono_us_between(n->progress.answered_at, mono_now())
                  > SUSPECT_MS * 1000;
}

bool
northd_busy(const struct northd *n)
{
    mono_t now = mono_now();

    return n->child.pid > 0 && !n->killed
           && mono_us_between(n->progress.answered_at, now) > BUSY_MS * 1000
           && mono_us_between(n->progress.moved_at, now) < BUSY_MS * 1000;
}

const char *
northd_state(const struct northd *n)
{
    static const char *const names[] = {
        [SAID_NOTHING] = "starting",
        [SAID_PAUSED] = "paused",
        [SAID_STANDBY] = "standby",
        [SAID_ACTIVE] = "active",
    };

    return n->child.pid <= 0 ? "down" : names[n->said];
}

unsigned int
northd_starts(const struct northd *n)
{
    return n->starts;
}
