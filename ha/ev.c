/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/ev.h"

#include <poll.h>
#include <stdlib.h>

#include <event2/event.h>

#include "lib/log.h"
#include "lib/xalloc.h"

/* Each of the three kinds is one event with a callback of ours. */
struct watch {
    struct event *event;
    ev_func *func;
    void *aux;
};

struct ev_timer {
    struct watch watch;
};

struct ev_fd {
    struct watch watch;
};

struct ev_signal {
    struct watch watch;
};

static void
on_event(evutil_socket_t fd, short what, void *watch_)
{
    struct watch *watch = watch_;

    (void) fd;
    (void) what;
    watch->func(watch->aux);
}

static void
watch_init(struct watch *watch, struct ev_loop *loop, int fd, short what,
           ev_func *func, void *aux)
{
    watch->func = func;
    watch->aux = aux;
    watch->event =
        event_new((struct event_base *) loop, fd, what, on_event, watch);
    if (!watch->event) {
        ha_log(HA_LOG_ERR, "ev", "libevent: out of memory");
        abort();
    }
}

struct ev_loop *
ev_loop_create(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    /* Timers below a millisecond, and not by a cached time. */
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER
                                      | EVENT_BASE_FLAG_NO_CACHE_TIME);
    /* After each callback of the lowest priority: is there anything else? */
    event_config_set_max_dispatch_interval(config, NULL, 1, EV_PRIORITY_LOW);
    base = event_base_new_with_config(config);
    event_config_free(config);
    if (!base || event_base_priority_init(base, EV_PRIORITY_LOW + 1)) {
        ha_log(HA_LOG_ERR, "ev", "libevent cannot start");
        abort();
    }
    return (struct ev_loop *) base;
}

void
ev_loop_destroy(struct ev_loop *loop)
{
    event_base_free((struct event_base *) loop);
}

struct event_base *
ev_loop_base(struct ev_loop *loop)
{
    return (struct event_base *) loop;
}

void
ev_loop_run(struct ev_loop *loop)
{
    event_base_loop((struct event_base *) loop, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
ev_loop_stop(struct ev_loop *loop)
{
    event_base_loopbreak((struct event_base *) loop);
}

struct ev_timer *
ev_timer_create(struct ev_loop *loop, ev_func *func, void *aux)
{
    struct ev_timer *timer = ha_calloc(1, sizeof *timer);

    watch_init(&timer->watch, loop, -1, 0, func, aux);
    return timer;
}

void
ev_timer_destroy(struct ev_timer *timer)
{
    if (timer) {
        event_free(timer->watch.event);
        free(timer);
    }
}

void
ev_timer_set_us(struct ev_timer *timer, long long us)
{
    struct timeval tv = { .tv_sec = us / 1000000, .tv_usec = us % 1000000 };

    event_add(timer->watch.event, &tv);
}

void
ev_timer_set_ms(struct ev_timer *timer, int ms)
{
    ev_timer_set_us(timer, ms * 1000LL);
}

void
ev_timer_stop(struct ev_timer *timer)
{
    event_del(timer->watch.event);
}

bool
ev_timer_is_set(const struct ev_timer *timer)
{
    return event_pending(timer->watch.event, EV_TIMEOUT, NULL);
}

struct ev_fd *
ev_fd_create(struct ev_loop *loop, int fd, short events, ev_func *func,
             void *aux)
{
    struct ev_fd *watch = ha_calloc(1, sizeof *watch);

    watch_init(&watch->watch, loop, fd,
               (events & POLLIN ? EV_READ : 0)
                   | (events & POLLOUT ? EV_WRITE : 0) | EV_PERSIST,
               func, aux);
    event_add(watch->watch.event, NULL);
    return watch;
}

void
ev_fd_destroy(struct ev_fd *watch)
{
    if (watch) {
        event_free(watch->watch.event);
        free(watch);
    }
}

struct ev_signal *
ev_signal_create(struct ev_loop *loop, int sig, ev_func *func, void *aux)
{
    struct ev_signal *watch = ha_calloc(1, sizeof *watch);

    watch_init(&watch->watch, loop, sig, EV_SIGNAL | EV_PERSIST, func, aux);
    event_add(watch->watch.event, NULL);
    return watch;
}

void
ev_signal_destroy(struct ev_signal *watch)
{
    if (watch) {
        event_free(watch->watch.event);
        free(watch);
    }
}
