/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_HAD_H
#define HA_HAD_H 1

/* The supervisor's whole state: one struct, which main() owns.
 *
 * Data flows one way: an adapter observes (group, fence, replica, server,
 * northd), ha/observe.c makes an event of it, ha/loop.c has the core decide,
 * ha/act.c carries the actions out through the same adapters. */

#include <stdbool.h>

#include "ha/cluster.h"
#include "ha/core/core.h"
#include "ha/room.h"
#include "ha/settings.h"
#include "lib/mono.h"

struct journal;
struct queued_event;

/* How far the end of this process has come. */
enum had_stop {
    HAD_RUNS,
    HAD_STOP_FENCE, /* The door closes. */
    HAD_STOP_NORTHD,
    HAD_STOP_SERVERS,
    HAD_STOPPED,
};

struct had {
    char *program; /* Path by which it was started. */
    struct settings *settings;
    struct cluster cluster;
    struct ha_core core;

    /* loop.c. */
    struct ev_loop *loop;
    struct ev_timer *tick;
    struct ev_timer *wake;      /* When the core wants a tick. */
    struct queued_event *queue; /* Events to come, oldest first. */
    struct queued_event **queue_tail;
    bool stepping;
    struct history *history;
    struct journal *journal;

    /* Adapters. */
    struct group *group;
    struct fence *fence;
    struct agents *agents; /* Fence agents. */
    struct replica *replica[HA_N_DBS];
    struct server *server[HA_N_DBS];
    struct northd *northd;
    struct control *control;

    /* What it says of itself: status.c, events.c, web.c. */
    struct since *since;
    struct hook *hook;
    struct web *web;
    struct verify *verify;
    struct told *told;
    struct drill *drill;

    /* observe.c. */
    mono_t started_at;
    bool joined;
    bool have_local;
    struct ha_local local; /* As the core knows it. */
    bool have_fence;
    struct ha_fence fence_facts;
    bool address_unfit; /* The virtual IP could not be taken here. */
    int probes_failed;  /* In a row, since northd last answered a probe. */
    uint32_t snapshots[HA_N_DBS]; /* That the worker has counted. */
    bool chain[HA_N_DBS];         /* WIRE_RS_CHAIN was told. */
    mono_t asides_at;             /* When was looked for what was set aside: */
    uint32_t aside_files;
    uint64_t aside_bytes;
    mono_t room_at; /* When was looked how much room there is. */
    struct room room;

    /* act.c. */
    bool has_wish;       /* The core said what northd is to do: */
    bool want_northd;    /* its wish. */
    enum ha_why refused; /* Why the last switchover was refused... */
    bool was_refused;    /* ...if it was. */
    int record_error;    /* Why the record could not be written last; or 0. */

    /* stop.c. */
    enum had_stop stop;
    mono_t stop_since;
    bool leaving; /* SHUTDOWN was fed. */
    bool reexec;  /* Main executes the program anew. */
    bool forget;  /* ...after the end of all it ran, without a record. */
    bool ends;    /* Asked to stop, for good. */
};

#endif /* ha/had.h */
