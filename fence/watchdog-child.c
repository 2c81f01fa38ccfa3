/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/watchdog-child.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fence/feed.h"
#include "fence/helper.h"
#include "fence/wdt.h"
#include "lib/log.h"
#include "lib/seq.h"

struct feeder {
    struct wdt dev;
    bool unfit;   /* It is not what is wanted, and nothing stops it. */
    bool checked; /* It works, and was disarmed. */
    mono_t fed;   /* MONO_MIN: it is not open. */
    struct wire_watchdog conf; /* By which it was opened. */
    char why[WIRE_WHY_LEN];
};

/* Feeds it if it bites by 'until' then. */
static void
feed(struct feeder *f, mono_t until)
{
    int64_t timeout_us = (int64_t) f->dev.timeout_ms * 1000;
    int error;

    /* One that protects nothing is not to harm either. */
    if (!f->unfit && !feed_may(mono_now(), timeout_us, until)) {
        return;
    }
    error = wdt_feed(&f->dev);
    if (!error) {
        f->fed = mono_now();
    }
    if (!f->unfit) {
        snprintf(f->why, sizeof f->why, "%s%s",
                 error ? "it cannot be fed: " : "",
                 error ? strerror(-error) : "");
    }
}

static void
open_it(struct feeder *f, const struct wire_watchdog *conf)
{
    int error;

    f->conf = *conf;
    f->checked = false;
    if (!f->why[0]) { /* One that is missing is tried again and again. */
        ha_log(HA_LOG_INFO, "watchdog", "arming %s",
               conf->device[0] ? conf->device : conf->identity);
    }
    error = wdt_open(&f->dev, conf, f->why, sizeof f->why);
    f->unfit = error && f->dev.fd >= 0;
    if (f->dev.fd >= 0) {
        f->fed = mono_now();
    }
    if (!error) {
        f->why[0] = '\0';
        ha_log(HA_LOG_INFO, "watchdog", "%s, \"%s\": armed with %u ms",
               f->dev.path, f->dev.identity, f->dev.timeout_ms);
    }
}

static void
let_go(struct feeder *f)
{
    if (f->dev.fd >= 0 && wdt_disarm(&f->dev)) {
        ha_log(HA_LOG_ERR, "watchdog",
               "%s cannot be disarmed (nowayout): this node is reset in %u "
               "ms, unless something feeds it",
               f->dev.path, f->dev.timeout_ms);
        wdt_close(&f->dev);
    }
    f->unfit = f->checked = false;
    f->fed = MONO_MIN;
}

/* Armed only to see that it works, and not before the door is closed. */
static void
make_ready(struct feeder *f, const struct wire_watchdog *conf)
{
    if (f->dev.fd < 0 && !f->checked) {
        open_it(f, conf);
    }
    if (f->dev.fd < 0) {
        return;
    }
    if (f->unfit || wdt_disarm(&f->dev)) {
        feed(f, MONO_NEVER);
    } else {
        f->checked = true;
        f->fed = MONO_MIN;
    }
}

static void
arm(struct feeder *f, const struct wire_watchdog *conf, mono_t until)
{
    if (f->dev.fd >= 0) {
        feed(f, until);
    } else if (feed_may(mono_now(), watchdog_wanted_us(conf), until)) {
        open_it(f, conf);
    }
}

static void
carry_out(struct feeder *f, const struct watchdog_wish *wish)
{
    const struct wire_watchdog *conf = &wish->conf;

    if (memcmp(&f->conf, conf, sizeof *conf)) {
        let_go(f);
    }
    switch ((enum watchdog_use) wish->use) {
    case WATCHDOG_OFF:
        let_go(f);
        break;
    case WATCHDOG_READY:
        make_ready(f, conf);
        break;
    case WATCHDOG_ARMED:
        arm(f, conf, (mono_t){ wish->until_us });
        break;
    }
}

static void
make_answer(const struct feeder *f, uint32_t use, struct watchdog_answer *a)
{
    const struct wdt *d = &f->dev;

    memset(a, 0, sizeof *a);
    a->is.state = use == WATCHDOG_OFF       ? WIRE_WATCHDOG_NONE
                  : d->fd >= 0 && !f->unfit ? WIRE_WATCHDOG_ARMED
                  : f->checked              ? WIRE_WATCHDOG_READY
                  : f->why[0]               ? WIRE_WATCHDOG_MISSING
                                            : WIRE_WATCHDOG_PENDING;
    a->is.nowayout = d->nowayout;
    a->is.timeout_ms = d->timeout_ms;
    a->is.pretimeout_ms = d->pretimeout_ms;
    memcpy(a->is.path, d->path, sizeof a->is.path);
    memcpy(a->is.identity, d->identity, sizeof a->is.identity);
    memcpy(a->is.why, f->why, sizeof a->is.why);
    a->fed_us = f->fed.us;
}

void
watchdog_child_run(int fd, const void *aux)
{
    static struct feeder feeder; /* The only one. */
    struct watchdog_answer answer;
    struct watchdog_wish wish;

    (void) aux;
    helper_begin(fd, "ovn-ha-watchdog");
    wdt_init(&feeder.dev);
    feeder.fed = MONO_MIN;
    while (helper_take(&wish, sizeof wish)) {
        carry_out(&feeder, &wish);
        make_answer(&feeder, wish.use, &answer);
        if (seq_send(STDIN_FILENO, &answer, sizeof answer)) {
            break;
        }
    }
    _exit(0);
}
