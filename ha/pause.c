/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/pause.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "ha/agents.h"
#include "ha/cluster.h"
#include "ha/events.h"
#include "ha/had.h"
#include "ha/loop.h"
#include "lib/log.h"
#include "lib/uctl.h"
#include "lib/xalloc.h"

bool
pause_keeps_role(const struct had *h)
{
    const struct ha_record *rec = &h->core.durable.record;

    return h->core.hold.n
           && (rec->paused == HA_PAUSE_ASKED || rec->paused == HA_PAUSE_ON);
}

static uint64_t
now_ms(void)
{
    struct timeval tv;

    gettimeofday(&tv, NULL);
    return (uint64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

/* Who asked for it, and where: only this node knows. */
static void
note(struct had *h, const char *what, struct uctl_conn *conn)
{
    char *text =
        ha_asprintf("%s: asked for here by %s", what, uctl_conn_arg(conn, 0));

    events_tell(h, HA_LOG_WARN, "pause", text);
    free(text);
}

void
pause_run_pause(struct had *h, struct uctl_conn *conn)
{
    struct ha_event ev = { .type = HA_EV_PAUSE, .ctl.ms = now_ms() };
    char text[512];
    uint32_t node;
    enum ha_why why = ha_core_pause_why_not(&h->core, &node);

    if (why == HA_WHY_ABSENT) {
        snprintf(text, sizeof text,
                 "refused: all members have to record it, and %s is not here: "
                 "start it, and wait until ovn-hactl status shows it",
                 cluster_name(&h->cluster, node));
        uctl_conn_reply_error(conn, text);
        return;
    } else if (why != HA_WHY_NONE) {
        snprintf(text, sizeof text, "refused: %s", ha_why_text(why));
        uctl_conn_reply_error(conn, text);
        return;
    }
    note(h, "pause", conn);
    loop_post(h, &ev);
    uctl_conn_reply(conn, "asked for\n");
}

void
pause_run_resume(struct had *h, struct uctl_conn *conn)
{
    struct ha_event ev = { .type = HA_EV_RESUME };
    char text[512];

    h->was_refused = false;
    loop_post(h, &ev);
    if (!h->was_refused) {
        note(h, "resume", conn);
        uctl_conn_reply(conn, "asked for\n");
    } else if (h->refused == HA_WHY_RESUMING) {
        /* It says once more what is missing. */
        uctl_conn_reply(conn, "asked for\n");
    } else if (h->core.record.paused && h->core.cfg.nodes.n == 2
               && !h->core.in_force) {
        const struct ha_set *nodes = &h->core.cfg.nodes;
        const char *other = cluster_name(
            &h->cluster, nodes->id[nodes->id[0] == h->cluster.self]);

        snprintf(text, sizeof text,
                 "refused: %s has to agree, or to be off: start it, or make "
                 "sure that it is off, run ovn-hactl fence-ack %s, and resume "
                 "again",
                 other, other);
        uctl_conn_reply_error(conn, text);
    } else {
        snprintf(text, sizeof text, "refused: %s", ha_why_text(h->refused));
        uctl_conn_reply_error(conn, text);
    }
}

/* What a promotion waits for, with the node's name; the caller frees it. */
static char *
waits(const struct had *h)
{
    const struct ha_core *c = &h->core;
    const char *active = cluster_name(&h->cluster, c->record.active);

    switch (ha_core_pause_waits(c)) {
    case HA_WHY_PAUSED:
        return ha_set_has(&c->view, c->record.active)
                   ? NULL
                   : ha_asprintf(
                       "%s is not here, and nobody takes over: start "
                       "it, or run ovn-hactl resume",
                       active);
    case HA_WHY_ENDLESS:
        return ha_asprintf(
            "%s went away with a lease that has no end, and nothing proves "
            "that it has stopped: start it, or make sure that it is off and "
            "run ovn-hactl %s %s",
            active,
            agents_can_fence(h->agents, c->record.active) ? "fence"
                                                          : "fence-ack",
            active);
    case HA_WHY_PAUSE_STALE:
        return ha_asprintf(
            "%s is off, but may have served for longer than eligible-ms after "
            "it was heard last: start it, or accept the loss with ovn-hactl "
            "failover --allow-data-loss",
            active);
    default:
        return NULL;
    }
}

/* Milliseconds since 1970 as a date. */
static json_t *
date(uint64_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    char text[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

json_t *
pause_status(const struct had *h)
{
    static const char *const names[] = { "none", "asked", "on", "ending" };
    const struct ha_record *rec = &h->core.record;
    json_t *o =
        json_pack("{s:s}", "state",
                  rec->paused < HA_N_PAUSES ? names[rec->paused] : "unknown");
    uint64_t now = now_ms();
    char *text;

    if (rec->paused == HA_PAUSE_NONE) {
        return o;
    }
    json_object_set_new(o, "since", date(rec->paused_ms));
    json_object_set_new(o, "seconds",
                        json_integer(now > rec->paused_ms
                                         ? (now - rec->paused_ms) / 1000
                                         : 0));
    text = waits(h);
    json_object_set_new(o, "waits", text ? json_string(text) : json_null());
    free(text);
    return o;
}
