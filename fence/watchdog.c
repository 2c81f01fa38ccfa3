/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/watchdog.h"

#include <stdio.h>
#include <string.h>

#include "fence/feed.h"
#include "lib/log.h"

#define RETRY_MS 10000   /* One that is missing may have come. */
#define UNFIT_MS 200     /* It is of no use, but cannot be disarmed. */
#define PENDING_MS 50    /* It was not the time to arm it. */
#define PATIENCE_MS 1000 /* With a driver. */

void
watchdog_init(struct watchdog *d)
{
    *d = (struct watchdog){
        .fed = MONO_MIN,
        .sent = MONO_MIN,
        .until = MONO_NEVER,
    };
    helper_init(&d->helper, "watchdog", watchdog_child_run, NULL);
}

void
watchdog_close(struct watchdog *d)
{
    helper_close(&d->helper);
}

/* ---- What is wanted -------------------------------------------------- */

static bool
is_configured(const struct watchdog *d)
{
    return d->wish.conf.device[0] || d->wish.conf.identity[0];
}

static void
set_use(struct watchdog *d, enum watchdog_use use, mono_t now)
{
    if (d->wish.use != use && (is_configured(d) || use == WATCHDOG_OFF)) {
        d->wish.use = use;
        d->due = true;
        helper_want(&d->helper, now);
    }
}

static int64_t
timeout_us(const struct watchdog *d)
{
    return d->fed.us != MONO_MIN.us ? (int64_t) d->is.timeout_ms * 1000
                                    : watchdog_wanted_us(&d->wish.conf);
}

/* When the wish is to be sent again although it has not changed. */
static mono_t
next_sending(const struct watchdog *d)
{
    mono_t until = { d->wish.until_us };

    if (d->wish.use == WATCHDOG_OFF) {
        return MONO_NEVER;
    }
    switch ((enum wire_watchdog_state) d->is.state) {
    case WIRE_WATCHDOG_ARMED:
        return feed_next(d->sent, timeout_us(d), until);
    case WIRE_WATCHDOG_MISSING:
        return mono_add_ms(d->sent,
                           d->fed.us == MONO_MIN.us ? RETRY_MS : UNFIT_MS);
    case WIRE_WATCHDOG_PENDING:
        return mono_add_ms(d->sent, PENDING_MS);
    case WIRE_WATCHDOG_READY:
        return d->wish.use == WATCHDOG_ARMED ? mono_add_ms(d->sent, PENDING_MS)
                                             : MONO_NEVER;
    case WIRE_WATCHDOG_NONE:
        break;
    }
    return MONO_NEVER;
}

void
watchdog_set(struct watchdog *d, const struct wire_watchdog *conf, mono_t now)
{
    struct wire_watchdog c = *conf;

    c.device[sizeof c.device - 1] = '\0';
    c.identity[sizeof c.identity - 1] = '\0';
    c.reset_after_ms = 0; /* Those are the worker's. */
    memset(c.reset_program, 0, sizeof c.reset_program);
    if (!memcmp(&c, &d->wish.conf, sizeof c)) {
        return;
    }
    d->wish.conf = c;
    d->due = true;
    if (!is_configured(d)) {
        d->wish.use = WATCHDOG_OFF;
    } else {
        d->is.state = WIRE_WATCHDOG_PENDING;
    }
    helper_want(&d->helper, now);
}

void
watchdog_disarm(struct watchdog *d, mono_t now)
{
    d->wish.until_us = MONO_NEVER.us;
    set_use(d, WATCHDOG_READY, now);
}

void
watchdog_arm(struct watchdog *d, mono_t until, mono_t now)
{
    d->wish.until_us = until.us;
    set_use(d, WATCHDOG_ARMED, now);
}

bool
watchdog_lets_open(const struct watchdog *d, mono_t until)
{
    switch ((enum wire_watchdog_state) d->is.state) {
    case WIRE_WATCHDOG_NONE:
    case WIRE_WATCHDOG_MISSING:
        return true;
    case WIRE_WATCHDOG_ARMED:
        /* What it is being told may put the bite off even further. */
        return !mono_before(until, watchdog_bites_at(d))
               && !(d->busy && mono_before(until, d->until));
    case WIRE_WATCHDOG_PENDING:
    case WIRE_WATCHDOG_READY:
        break;
    }
    return false;
}

mono_t
watchdog_bites_at(const struct watchdog *d)
{
    return d->is.state == WIRE_WATCHDOG_ARMED
               ? mono_add_us(d->fed, timeout_us(d))
               : MONO_NEVER;
}

bool
watchdog_may_feed(const struct watchdog *d, mono_t now)
{
    return feed_may(now, timeout_us(d), (mono_t){ d->wish.until_us });
}

void
watchdog_release(struct watchdog *d, mono_t now)
{
    set_use(d, WATCHDOG_OFF, now);
}

bool
watchdog_is_released(const struct watchdog *d)
{
    return d->wish.use == WATCHDOG_OFF && d->is.state == WIRE_WATCHDOG_NONE;
}

/* ---- The child ------------------------------------------------------- */

static void
tell_change(const struct watchdog *d, const struct wire_f_watchdog *old)
{
    const struct wire_f_watchdog *is = &d->is;

    if (is->why[0] && strcmp(is->why, old->why)) {
        ha_log(HA_LOG_WARN, "watchdog", "%s%s%s%s", is->path,
               is->path[0] ? ": " : "", is->why,
               is->state == WIRE_WATCHDOG_MISSING
                   ? "; nothing resets this node if it stands still"
                   : "");
    }
    if (is->nowayout == WIRE_NOWAYOUT_YES && old->nowayout != is->nowayout) {
        ha_log(HA_LOG_WARN, "watchdog",
               "%s cannot be disarmed (nowayout): it is fed on while this "
               "node does not serve, and resets it if ovn-had is stopped",
               is->path);
    }
}

static void
on_answer(struct watchdog *d, const struct watchdog_answer *a)
{
    struct wire_f_watchdog old = d->is;

    d->busy = d->blocked = false;
    helper_answered(&d->helper, d->helper.n_sent);
    d->is = a->is;
    d->fed = (mono_t){ a->fed_us };
    tell_change(d, &old);
    if (d->is.state == WIRE_WATCHDOG_NONE && !d->due) {
        helper_hang_up(&d->helper);
    }
}

/* The driver may wait for ever, but a promotion may not. */
static void
check_patience(struct watchdog *d, mono_t now)
{
    if (d->busy && !d->blocked
        && !mono_before(now, mono_add_ms(d->sent, PATIENCE_MS))) {
        struct wire_f_watchdog old = d->is;

        d->blocked = true;
        d->is.state = WIRE_WATCHDOG_MISSING;
        snprintf(d->is.why, sizeof d->is.why, "its driver does not answer");
        tell_change(d, &old);
    }
}

/* ---- Loop ------------------------------------------------------------ */

unsigned int
watchdog_poll(const struct watchdog *d, struct pollfd pfds[])
{
    return helper_poll(&d->helper, pfds);
}

mono_t
watchdog_next(const struct watchdog *d)
{
    mono_t next = d->helper.fd < 0 ? MONO_NEVER
                  : d->blocked     ? MONO_NEVER
                  : d->busy        ? mono_add_ms(d->sent, PATIENCE_MS)
                                   : next_sending(d);

    return mono_min(next, helper_next(&d->helper));
}

void
watchdog_run(struct watchdog *d, mono_t now)
{
    struct watchdog_answer answer;
    int n;

    while ((n = helper_receive(&d->helper, &answer, sizeof answer, now)) > 0) {
        on_answer(d, &answer);
    }
    if (helper_run(&d->helper, now)) {
        d->due = true;
        d->busy = d->blocked = false;
    }
    check_patience(d, now);
    if (!d->busy && (d->due || !mono_before(now, next_sending(d)))
        && helper_send(&d->helper, &d->wish, sizeof d->wish, now)) {
        d->due = false;
        d->busy = true;
        d->sent = now;
        d->until = (mono_t){ d->wish.until_us };
    }
}
