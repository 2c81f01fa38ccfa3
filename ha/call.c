/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "ha/ev.h"
#include "lib/uctl.h"
#include "lib/xalloc.h"

struct call {
    struct ev_loop *loop;
    call_done_func *done;
    void *aux;
    struct uctl_call *uctl; /* NULL: none under way. */
    struct ev_fd *io;
    struct ev_timer *timer; /* The limit, or an early failure. */
    int failed;             /* What call_start() met. */
};

static void
finish(struct call *c, int code)
{
    struct uctl_call *uctl = c->uctl;

    c->uctl = NULL;
    call_cancel(c);
    if (code) {
        c->done(c->aux, NULL, NULL, code);
    } else {
        c->done(c->aux, uctl_call_result(uctl), uctl_call_error(uctl), 0);
    }
    uctl_call_destroy(uctl);
}

static void on_io(void *c_);

/* Waits for what the call waits for. */
static void
watch(struct call *c)
{
    ev_fd_destroy(c->io);
    c->io = ev_fd_create(c->loop, uctl_call_fd(c->uctl),
                         uctl_call_events(c->uctl), on_io, c);
}

static void
on_io(void *c_)
{
    struct call *c = c_;
    int error = uctl_call_step(c->uctl);

    if (error == -EAGAIN) {
        watch(c);
    } else {
        finish(c, error);
    }
}

static void
on_timer(void *c_)
{
    struct call *c = c_;

    finish(c, c->failed ? c->failed : -ETIMEDOUT);
}

struct call *
call_create(struct ev_loop *loop, call_done_func *done, void *aux)
{
    struct call *c = ha_calloc(1, sizeof *c);

    c->loop = loop;
    c->done = done;
    c->aux = aux;
    c->timer = ev_timer_create(loop, on_timer, c);
    return c;
}

void
call_destroy(struct call *c)
{
    if (c) {
        call_cancel(c);
        ev_timer_destroy(c->timer);
        free(c);
    }
}

void
call_start(struct call *c, const char *path, const char *method,
           const char *arg, int timeout_ms)
{
    const char *argv[2] = { arg, NULL };

    call_cancel(c);
    c->failed = uctl_call_start(path, method, argv, &c->uctl);
    if (c->failed) {
        c->uctl = NULL;
        timeout_ms = 0;
    } else {
        watch(c);
    }
    ev_timer_set_ms(c->timer, timeout_ms);
}

void
call_cancel(struct call *c)
{
    ev_fd_destroy(c->io);
    c->io = NULL;
    ev_timer_stop(c->timer);
    uctl_call_destroy(c->uctl);
    c->uctl = NULL;
    c->failed = 0;
}

bool
call_is_busy(const struct call *c)
{
    return c->uctl || c->failed;
}
