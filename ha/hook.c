/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/hook.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ha/ev.h"
#include "lib/child.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define RETRY_MS 1000 /* When the system lets no process start. */
#define KILL_MS 200   /* For the end; a dead disk may need for ever. */

struct hook {
    struct ev_loop *loop;
    const struct settings *settings;
    json_t *queue; /* Events, oldest first. */

    struct child child;
    struct ev_fd *death;
    struct ev_timer *limit; /* Of the one that runs; or, if none does, when
                             * the next one starts. */
    bool killed;

    unsigned int told, failed, dropped;
    char error[128]; /* "" if the last one was told, and none dropped. */
};

static bool
runs(const struct hook *h)
{
    return h->child.pid > 0;
}

static void __attribute__((format(printf, 2, 3)))
fail(struct hook *h, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(h->error, sizeof h->error, fmt, args);
    va_end(args);
    h->failed++;
    ha_log(HA_LOG_WARN, "events", "%s: %s", h->settings->conf->events_program,
           h->error);
}

static void
judge(struct hook *h, int status)
{
    if (h->killed) {
        fail(h, "killed, because it ran for longer than %d ms",
             h->settings->conf->events_timeout_ms);
    } else if (WIFSIGNALED(status)) {
        fail(h, "ended by signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) == CHILD_EXEC_FAILED) {
        fail(h, "exit status %d: it is missing, or what it calls is; see %s",
             CHILD_EXEC_FAILED, h->settings->worker_log);
    } else if (status) {
        fail(h, "exit status %d; see %s", WEXITSTATUS(status),
             h->settings->worker_log);
    } else {
        h->told++;
        if (!json_array_size(h->queue)) {
            h->error[0] = '\0';
        }
    }
}

static void
forget_child(struct hook *h)
{
    ev_timer_stop(h->limit);
    ev_fd_destroy(h->death);
    h->death = NULL;
    child_close(&h->child);
}

static void
on_death(void *h_)
{
    struct hook *h = h_;
    int status;

    /* What it left behind; once it is reaped its group is nobody's. */
    child_signal_group(&h->child, SIGKILL);
    if (child_reap(&h->child, &status) == -EAGAIN) {
        return;
    }
    forget_child(h);
    judge(h, status);
    ev_timer_set_ms(h->limit, 0);
}

/* The event as a file without a name: nobody has to write while the program
 * reads.  Returns a descriptor or a negative errno. */
static int
make_input(const json_t *event)
{
    char *text = json_dumps(event, JSON_COMPACT);
    int fd = memfd_create("event", MFD_CLOEXEC);

    if (fd >= 0 && (dprintf(fd, "%s\n", text) < 0 || lseek(fd, 0, SEEK_SET))) {
        close(fd);
        fd = -1;
    }
    free(text);
    return fd < 0 ? -errno : fd;
}

static int
spawn(struct hook *h, const json_t *event)
{
    const char *const argv[] = { h->settings->conf->events_program, NULL };
    struct child_spec spec = {
        .argv = argv,
        .reset_priority = true,
        .reset_oom = true,
        .log_path = h->settings->worker_log,
        .in_fd = make_input(event),
    };
    int error;

    if (spec.in_fd < 0) {
        return spec.in_fd;
    }
    error = child_spawn(&spec, &h->child);
    close(spec.in_fd);
    return error;
}

static void
start(struct hook *h)
{
    int error = spawn(h, json_array_get(h->queue, 0));

    json_array_remove(h->queue, 0);
    if (error) {
        h->child = CHILD_NONE;
        fail(h, "cannot be started: %s", strerror(-error));
        ev_timer_set_ms(h->limit, RETRY_MS);
        return;
    }
    h->killed = false;
    h->death = ev_fd_create(h->loop, h->child.pidfd, POLLIN, on_death, h);
    ev_timer_set_ms(h->limit, h->settings->conf->events_timeout_ms);
}

static void
on_limit(void *h_)
{
    struct hook *h = h_;

    if (runs(h)) {
        h->killed = true;
        child_signal_group(&h->child, SIGKILL);
    } else if (json_array_size(h->queue)) {
        start(h);
    }
}

struct hook *
hook_create(struct ev_loop *loop, const struct settings *settings)
{
    struct hook *h;

    if (!*settings->conf->events_program) {
        return NULL;
    }
    h = ha_calloc(1, sizeof *h);
    h->loop = loop;
    h->settings = settings;
    h->queue = json_array();
    h->child = CHILD_NONE;
    h->limit = ev_timer_create(loop, on_limit, h);
    return h;
}

void
hook_destroy(struct hook *h)
{
    size_t lost;
    int status;

    if (!h) {
        return;
    }
    lost = json_array_size(h->queue) + runs(h);
    if (runs(h)) {
        child_signal_group(&h->child, SIGKILL);
        child_wait(&h->child, mono_add_ms(mono_now(), KILL_MS), &status);
        forget_child(h);
    }
    if (lost) {
        ha_log(HA_LOG_WARN, "events",
               "%zu events are not told any more, because ovn-had ends here",
               lost);
    }
    ev_timer_destroy(h->limit);
    json_decref(h->queue);
    free(h);
}

void
hook_add(struct hook *h, json_t *event)
{
    if (!h) {
        json_decref(event);
        return;
    }
    if (json_array_size(h->queue) == HOOK_QUEUE) {
        /* The newest say how things are. */
        json_array_remove(h->queue, 0);
        h->dropped++;
        snprintf(h->error, sizeof h->error,
                 "too slow: %u events were dropped so far", h->dropped);
        ha_log(HA_LOG_WARN, "events", "%s: %s",
               h->settings->conf->events_program, h->error);
    }
    json_object_set_new(event, "dropped", json_integer(h->dropped));
    json_array_append_new(h->queue, event);
    if (!runs(h) && !ev_timer_is_set(h->limit)) {
        ev_timer_set_ms(h->limit, 0);
    }
}

json_t *
hook_status(const struct hook *h)
{
    if (!h) {
        return json_null();
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:s?}", "program",
                     h->settings->conf->events_program, "waiting",
                     (int) json_array_size(h->queue), "told", (int) h->told,
                     "failed", (int) h->failed, "dropped", (int) h->dropped,
                     "error", *h->error ? h->error : NULL);
}
