/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/observe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ha/act.h"
#include "ha/agents.h"
#include "ha/asides.h"
#include "ha/drill.h"
#include "ha/events.h"
#include "ha/fence.h"
#include "ha/group.h"
#include "ha/had.h"
#include "ha/loop.h"
#include "ha/northd.h"
#include "ha/replica.h"
#include "ha/room.h"
#include "ha/server.h"
#include "ha/told.h"
#include "ha/verify.h"
#include "lib/log.h"

/* The core must know an adopted active by its facts before it meets the
 * others; but a worker that cannot start must not keep this node away. */
#define JOIN_PATIENCE_US 2000000

/* A probe on suspicion; the core counts its own from 1. */
#define SUSPICION_TOKEN UINT32_MAX
#define SUSPICION_MS 20000
#define BUSY_PROBES 12     /* Patience with a northd that works. */
#define ASIDES_US 60000000 /* Between two looks at what was set aside. */
#define ROOM_US 1000000    /* ... at what is free on the disks. */

/* This node's facts. */

static void
gather_local(const struct had *h, struct ha_local *local)
{
    const struct conf *conf = h->settings->conf;

    /* Padding too: it is compared as memory. */
    memset(local, 0, sizeof *local);
    for (int db = 0; db < HA_N_DBS; db++) {
        replica_facts(h->replica[db], &local->db[db]);
        local->db[db].server_ok = server_ok(h->server[db]);
        local->unfit |= server_unfit(h->server[db]);
    }
    local->address_unfit = h->address_unfit;
    local->priority = conf->priority;
    local->nofailover = conf->nofailover;
    local->witness = conf->witness;
    local->low_disk = h->room.low;
    /* Whatever the reason: nobody is to count on it. */
    local->record_full = h->room.record_full || h->record_error;
    local->northd_ok = northd_ok(h->northd);
    local->aside_files = h->aside_files;
    local->aside_bytes = h->aside_bytes;
}

static void
observe_local(struct had *h)
{
    struct ha_event ev = { .type = HA_EV_LOCAL };

    gather_local(h, &ev.local);
    if (!h->have_local || memcmp(&ev.local, &h->local, sizeof h->local)) {
        h->have_local = true;
        h->local = ev.local;
        loop_post(h, &ev);
    }
}

/* Group. */

static void
on_view(void *h, const struct ha_set *members)
{
    struct ha_event ev = { .type = HA_EV_VIEW, .view.members = *members };

    loop_post(h, &ev);
    verify_group_changed(h);
    told_group_changed(h);
    drill_group_changed(h, members);
}

static void
on_quorum(void *h, bool quorate, const struct ha_set *members)
{
    struct ha_event ev = {
        .type = HA_EV_QUORUM,
        .quorum = { .quorate = quorate, .members = *members },
    };

    loop_post(h, &ev);
}

static void
on_msg(void *h, uint32_t from, const struct ha_msg *msg)
{
    struct ha_event ev = {
        .type = HA_EV_MSG,
        .msg = { .from = from, .msg = *msg },
    };

    loop_post(h, &ev);
}

static void
on_note(void *h, uint32_t from, const void *data, size_t n)
{
    verify_take_note(h, from, data, n);
    told_take_note(h, from, data, n);
    drill_take_note(h, from, data, n);
}

/* Fence worker. */

static void
on_fence(void *h_, const struct wire_f_state *state)
{
    struct had *h = h_;
    struct ha_event ev = { .type = HA_EV_FENCE };

    h->address_unfit = state && state->address_unfit;
    if (state) {
        ev.fence.connected = true;
        ev.fence.serve = state->serve;
        ev.fence.support = state->support;
        ev.fence.open = state->door == WIRE_DOOR_OPEN;
        ev.fence.closed = state->door == WIRE_DOOR_CLOSED;
        ev.fence.endless = state->endless;
        ev.fence.endless_token = state->endless_token;
    }
    if (!h->have_fence
        || memcmp(&ev.fence, &h->fence_facts, sizeof ev.fence)) {
        h->have_fence = true;
        h->fence_facts = ev.fence;
        act_northd(h);
    }
    /* Also what is not new: it may be the answer to a CLOSE of a door that
     * was closed already, which the core waits for. */
    loop_post(h, &ev);
}

static void
on_supported(void *h, const struct wire_f_supported *supported)
{
    struct ha_event ev = {
        .type = HA_EV_SUPPORTED,
        .supported = { .epoch = supported->epoch,
                       .old_promise_left_us = supported->old_promise_left_us },
    };

    loop_post(h, &ev);
}

/* Fence agents. */

static void
on_fenced(void *h_, uint32_t node, bool proven, const char *why)
{
    struct had *h = h_;
    struct ha_event ev = {
        .type = HA_EV_FENCED,
        .fenced = { .node = node, .proven = proven },
    };
    char text[256];

    if (!proven) {
        /* The core knows no devices, and so does not tell why. */
        snprintf(text, sizeof text, "fencing: %s could not be fenced: %s",
                 cluster_name(&h->cluster, node), why);
        events_tell(h, HA_LOG_ERR, "fencing", text);
    }
    loop_post(h, &ev);
}

/* Replica workers. */

/* A new worker begins to count anew. */
static void
note_snapshots(struct had *h, enum ha_db db)
{
    char text[HA_TELL_LEN];
    mono_t at;
    const struct wire_r_status *st = replica_status(h->replica[db], &at);

    if (st && st->snapshots > h->snapshots[db]) {
        snprintf(text, sizeof text, "snapshot: %s is taken over from %s: %s",
                 ha_db_name(db), cluster_name(&h->cluster, st->source),
                 st->snapshot_why);
        events_tell(h, HA_LOG_INFO, "replica", text);
    }
    h->snapshots[db] = st ? st->snapshots : 0;
}

/* Both count the same number of records, and they are not the same. */
static void
note_chain(struct had *h, enum ha_db db)
{
    char text[HA_TELL_LEN];
    mono_t at;
    const struct wire_r_status *st = replica_status(h->replica[db], &at);
    bool found = st && st->flags & WIRE_RS_CHAIN;

    if (found && !h->chain[db]) {
        snprintf(text, sizeof text,
                 "replica: %s has other records than %s's at the same "
                 "position; it may not become active until they are replaced: "
                 "%s",
                 ha_db_name(db), cluster_name(&h->cluster, st->source),
                 st->why);
        events_tell(h, HA_LOG_ERR, "replica", text);
    }
    h->chain[db] = found;
}

static void
on_replica(void *h, enum ha_db db)
{
    note_chain(h, db);
    note_snapshots(h, db);
    verify_replica_changed(h, db);
    observe_local(h);
}

static void
on_peer(void *h, enum ha_db db, const struct wire_r_peer *peer)
{
    struct ha_event ev = {
        .type = HA_EV_PEER,
        .peer = {
            .node = peer->node,
            .db = db,
            .facts = {
                .connected = peer->connected,
                .complete = peer->complete,
                .acked = peer->acked,
                .head = peer->head,
                .lag_us = peer->lag_us,
            },
        },
    };

    loop_post(h, &ev);
}

static void
count_asides(struct had *h)
{
    h->asides_at = mono_now();
    asides_count(h->settings->conf->state_dir, &h->aside_files,
                 &h->aside_bytes);
}

static void
on_aside(void *h_, enum ha_db db, const struct wire_r_aside *aside)
{
    struct had *h = h_;
    char records[32] = "data", text[HA_TELL_LEN];

    if (aside->by_record) {
        snprintf(records, sizeof records, "%" PRIu64 " records",
                 aside->n_records);
    }
    snprintf(text, sizeof text,
             "set aside: own %s %s that %s does not have; report, and a "
             "transaction of %" PRIu64 " operations: diverged/%s",
             ha_db_name(db), records, cluster_name(&h->cluster, aside->source),
             aside->n_ops, aside->name);
    events_tell(h, HA_LOG_WARN, "replica", text);
    count_asides(h);
}

static void
look_for_room(struct had *h)
{
    mono_t now = mono_now();

    if (!h->room_at.us || mono_us_between(h->room_at, now) > ROOM_US) {
        h->room_at = now;
        room_look(&h->room, h->settings->conf);
    }
}

/* One that is at work on something large gets more time, or it would have to
 * begin again. */
static void
judge_northd(struct had *h, int error)
{
    if (error != -ETIMEDOUT) {
        return;
    }
    h->probes_failed++;
    if (!northd_busy(h->northd) || h->probes_failed >= BUSY_PROBES) {
        h->probes_failed = 0;
        northd_replace(h->northd, "an NB change does not reach SB");
    }
}

static void
on_probed(void *h_, const struct wire_r_probed *probed)
{
    struct had *h = h_;
    struct ha_event ev = {
        .type = HA_EV_PROBED,
        .probed = { .token = probed->token, .error = probed->error },
    };

    if (probed->error) {
        ha_log(HA_LOG_WARN, "northd", "an NB change has not reached SB: %s",
               strerror(-probed->error));
        judge_northd(h, probed->error);
    } else {
        h->probes_failed = 0;
        ha_log(HA_LOG_INFO, "northd", "an NB change reached SB after %u ms",
               probed->took_ms);
    }
    loop_post(h, &ev);
}

static void
on_verification(void *h, enum ha_db db, const struct wire_r_verification *m)
{
    verify_take(h, db, m);
}

static void
on_difference(void *h, enum ha_db db, const struct wire_r_difference *d)
{
    verify_take_difference(h, db, d);
}

static void
on_install(void *h_, enum ha_db db)
{
    struct had *h = h_;

    server_install(h->server[db]);
}

/* Databases and northd. */

static void
on_server(void *h_, enum ha_db db)
{
    struct had *h = h_;
    struct wire_f_db facts;

    server_describe(h->server[db], &facts);
    fence_set_db(h->fence, &facts);
    replica_set_server(h->replica[db], facts.pid);
    if (server_has_file(h->server[db])) {
        replica_start(h->replica[db]);
    }
    northd_set_servers(h->northd, server_pid(h->server[HA_NB])
                                      && server_pid(h->server[HA_SB]));
    observe_local(h);
}

/* The last active's file is the truth of the cluster.  If it is gone, another
 * node has the newest there is; only when that one is active may this one
 * begin anew, as its standby. */
static bool
may_create(void *h_)
{
    const struct had *h = h_;

    return h->core.record.active != h->cluster.self;
}

static void
on_northd(void *h_)
{
    struct had *h = h_;

    fence_set_northd(h->fence, northd_pid(h->northd));
    observe_local(h);
}

/* Everything together. */

void
observe_start(struct had *h)
{
    struct group_handler group = { h, on_view, on_quorum, on_msg, on_note };
    struct fence_handler fence = { h, on_fence, on_supported };
    struct agents_handler agents = { h, on_fenced };
    struct replica_handler replica = {
        h,        on_replica, on_peer,         on_probed,
        on_aside, on_install, on_verification, on_difference,
    };
    struct server_handler server = { h, on_server, may_create };
    struct northd_handler northd = { h, on_northd };

    verify_init(h);
    told_init(h);
    drill_init(h);
    h->group = group_create(h->loop, &h->cluster, &group);
    h->fence = fence_create(h->loop, h->settings, &h->cluster, &fence);
    h->agents = agents_create(h->loop, h->settings, &h->cluster, &agents);
    h->northd = northd_create(h->loop, h->settings, &northd);
    for (int db = 0; db < HA_N_DBS; db++) {
        h->replica[db] =
            replica_create(h->loop, db, h->settings, &h->cluster, &replica);
        h->server[db] = server_create(h->loop, h->settings, db, &server);
    }
    for (int db = 0; db < HA_N_DBS && !h->settings->conf->witness; db++) {
        server_start(h->server[db]);
    }
}

void
observe_close(struct had *h)
{
    group_destroy(h->group);
    fence_destroy(h->fence);
    agents_destroy(h->agents);
    northd_destroy(h->northd);
    for (int db = 0; db < HA_N_DBS; db++) {
        replica_destroy(h->replica[db]);
        server_destroy(h->server[db]);
    }
    room_close(&h->room);
    verify_close(h);
    told_close(h);
    drill_close(h);
}

/* northd that burns processor time and answers nothing may be at work on a
 * large change, or turn in circles; what reaches SB tells the one from the
 * other.  Only then: each probe makes every ovn-controller write. */
static void
probe_suspect(struct had *h)
{
    if (replica_is_probing(h->replica[HA_NB]) || !northd_suspect(h->northd)
        || h->core.state != HA_ACTIVE) {
        return;
    }
    ha_log(HA_LOG_WARN, "northd",
           "ovn-northd works, but does not answer; "
           "probing it");
    replica_send_probe(h->replica[HA_NB], SUSPICION_TOKEN, SUSPICION_MS);
}

/* True once this node can tell the others what it has.  While a worker reads
 * its log the position is not known: another node, elected meanwhile, would
 * not know what to pull from here.  An active that serves on, under an ovn-had
 * that was started anew, is not to be missed for that long. */
static bool
may_join(const struct had *h)
{
    bool late = mono_us_between(h->started_at, mono_now()) > JOIN_PATIENCE_US;

    for (int db = 0; db < HA_N_DBS && !h->settings->conf->witness; db++) {
        mono_t at;
        const struct wire_r_status *st = replica_status(h->replica[db], &at);

        if (st ? st->phase == WIRE_RP_LOADING && !h->fence_facts.serve.n
               : !late) {
            return false;
        }
    }
    return true;
}

void
observe_tick(struct had *h)
{
    if (!h->asides_at.us
        || mono_us_between(h->asides_at, mono_now()) > ASIDES_US) {
        count_asides(h);
    }
    look_for_room(h);
    observe_local(h);
    probe_suspect(h);
    verify_tick(h);
    told_tick(h);
    if (!h->joined && h->have_fence && h->fence_facts.connected
        && may_join(h)) {
        h->joined = true;
        group_join(h->group);
    }
}
