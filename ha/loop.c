/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ha/act.h"
#include "ha/agents.h"
#include "ha/ev.h"
#include "ha/events.h"
#include "ha/had.h"
#include "ha/history.h"
#include "ha/journal.h"
#include "ha/observe.h"
#include "ha/record.h"
#include "ha/stop.h"
#include "lib/log.h"
#include "lib/sdnotify.h"
#include "lib/xalloc.h"

#define TICK_MS 50

/* What the core needs besides the settings.  Corosync's token tells how long
 * a node may be mute without being gone. */
#define TAIL_US 5000000
#define OPEN_US 15000000
#define RETRY_US 10000000

struct queued_event {
    struct queued_event *next;
    struct ha_event event;
};

/* For 'systemctl status'. */
static void
tell_systemd(const struct ha_core *c)
{
    char text[96];

    snprintf(text, sizeof text, "STATUS=%s, epoch %u.%u",
             ha_state_name(c->state), c->record.epoch.n, c->record.epoch.node);
    sdnotify_send(text);
}

static void
tell(struct had *h, const char *text)
{
    tell_systemd(&h->core);
    events_tell(h, HA_LOG_INFO, "core", text);
}

/* One step.  Returns true if the next one has to follow at once: then 'ev' is
 * its event. */
static bool
step(struct had *h, struct ha_event *ev)
{
    struct ha_actions actions;
    bool persist, ok = false;

    ev->now = mono_now();
    if (getrandom(&ev->random, sizeof ev->random, 0) != sizeof ev->random) {
        ev->random = ev->now.us;
    }
    ha_step(&h->core, ev, &actions);
    if (actions.tell[0]) {
        tell(h, actions.tell);
    }
    persist = actions.n && actions.a[0].type == HA_ACT_PERSIST;
    if (persist) {
        ok = act_persist(h, &actions.a[0].durable);
    } else {
        act_run(h, &actions);
    }
    journal_step(h->journal, &h->core, ev, &actions);
    if (persist) {
        memset(ev, 0, sizeof *ev);
        ev->type = ok ? HA_EV_TICK : HA_EV_PERSIST_FAILED;
    }
    return persist;
}

static void
set_wake(struct had *h)
{
    int64_t us = mono_us_between(mono_now(), h->core.wake);

    if (us < TICK_MS * 1000) {
        ev_timer_set_us(h->wake, us > 0 ? us : 0);
    }
}

/* Actions may make adapters call back at once, so what comes meanwhile waits
 * its turn. */
void
loop_post(struct had *h, const struct ha_event *ev)
{
    struct queued_event *q = ha_calloc(1, sizeof *q);

    q->event = *ev;
    *h->queue_tail = q;
    h->queue_tail = &q->next;
    if (h->stepping) {
        return;
    }
    h->stepping = true;
    while (h->queue) {
        q = h->queue;
        while (step(h, &q->event)) {
            continue;
        }
        h->queue = q->next;
        if (!h->queue) {
            h->queue_tail = &h->queue;
        }
        free(q);
    }
    h->stepping = false;
    set_wake(h);
}

static void
post_tick(struct had *h)
{
    struct ha_event ev = { .type = HA_EV_TICK };

    loop_post(h, &ev);
}

static void
on_wake(void *h)
{
    post_tick(h);
}

static void
on_tick(void *h_)
{
    struct had *h = h_;

    ev_timer_set_ms(h->tick, TICK_MS);
    post_tick(h);
    observe_tick(h);
    stop_tick(h);
}

static void
make_config(const struct had *h, struct ha_config *config)
{
    const struct conf *conf = h->settings->conf;

    *config = (struct ha_config){
        .self = h->cluster.self,
        .lease_us = (int64_t) conf->lease_ms * 1000,
        .drift_ppm = conf->drift_ppm,
        .mute_us = (int64_t) h->cluster.token_ms * 1000,
        .grace_us = (int64_t) conf->start_grace_ms * 1000,
        .tail_us = TAIL_US,
        .open_us = OPEN_US,
        .retry_us = RETRY_US,
        .lag_records = conf->lag_records,
        .lag_us = (int64_t) conf->lag_ms * 1000,
    };
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        ha_set_add(&config->nodes, h->cluster.nodes[i].id);
    }
}

/* What a pair may do on proof; and, for all, how old data may be after
 * a pause. */
static void
post_policy(struct had *h)
{
    struct ha_event ev = { .type = HA_EV_POLICY };
    const struct conf *conf = h->settings->conf;

    ev.policy.stale_us = (int64_t) conf->eligible_ms * 1000;
    ev.policy.fence = settings_lives_on_proof(h->settings, &h->cluster);
    ev.policy.quorum =
        ev.policy.fence && !settings_policy_is_fence(h->settings, &h->cluster);
    if (ev.policy.fence && !ev.policy.quorum) {
        ev.policy.delay_us = (int64_t) conf->fence_delay_ms * 1000;
    }
    for (uint32_t i = 0; ev.policy.fence && i < h->cluster.n_nodes; i++) {
        uint32_t id = h->cluster.nodes[i].id;

        if (agents_can_fence(h->agents, id)) {
            ha_set_add(&ev.policy.devices, id);
        }
    }
    loop_post(h, &ev);
}

int
loop_init(struct had *h)
{
    struct ha_event ev = { .type = HA_EV_START };
    struct ha_config config;
    int error = record_read(h->settings->record, &ev.start.durable);

    if (error && error != -ENOENT) {
        ha_log(HA_LOG_ERR, "record",
               "%s cannot be used: %s; this node must "
               "not vote by a guess: mend the file, or remove it to let the "
               "node join as a new one",
               h->settings->record, strerror(-error));
        return error;
    }
    ev.start.has_durable = !error;
    error = history_open(h->settings->history_dir, &h->history);
    if (error) {
        ha_log(HA_LOG_ERR, "history", "%s: %s", h->settings->history_dir,
               strerror(-error));
        return error;
    }
    h->queue_tail = &h->queue;
    h->tick = ev_timer_create(h->loop, on_tick, h);
    h->wake = ev_timer_create(h->loop, on_wake, h);
    h->started_at = mono_now();
    make_config(h, &config);
    ha_core_init(&h->core, &config);
    h->journal = journal_open(h->settings->history_dir, &config);
    loop_post(h, &ev);
    post_policy(h);
    return 0;
}

void
loop_close(struct had *h)
{
    ev_timer_destroy(h->tick);
    ev_timer_destroy(h->wake);
    journal_close(h->journal);
    history_close(h->history);
}

void
loop_run(struct had *h)
{
    ev_timer_set_ms(h->tick, 0);
    ev_loop_run(h->loop);
}

void
loop_stop(struct had *h)
{
    ev_loop_stop(h->loop);
}
