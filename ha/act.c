/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/act.h"

#include <string.h>

#include "ha/agents.h"
#include "ha/fence.h"
#include "ha/group.h"
#include "ha/loop.h"
#include "ha/had.h"
#include "ha/northd.h"
#include "ha/record.h"
#include "ha/replica.h"
#include "ha/stop.h"
#include "lib/log.h"

#define PROBE_MS 10000 /* An NB change may take so long to SB. */

bool
act_persist(struct had *h, const struct ha_durable *durable)
{
    int error = record_write(h->settings->record, durable);

    if (error) {
        ha_log(HA_LOG_ERR, "record", "%s cannot be written: %s",
               h->settings->record, strerror(-error));
    }
    h->record_error = error;
    return !error;
}

void
act_northd(struct had *h)
{
    bool open =
        h->have_fence && h->fence_facts.connected && h->fence_facts.open;

    /* An adopted active goes on until the core knows better. */
    if (h->have_fence) {
        northd_set_run(h->northd, open && (h->want_northd || !h->has_wish));
    }
}

static void
fence_node(struct had *h, uint32_t node)
{
    int error = agents_fence(h->agents, node);

    if (error) {
        struct ha_event ev = { .type = HA_EV_FENCED };

        ev.fenced.node = node;
        ha_log(HA_LOG_ERR, "fencing", "%s cannot be asked for: %s",
               cluster_name(&h->cluster, node), strerror(-error));
        loop_post(h, &ev);
    }
}

static void
act(struct had *h, const struct ha_action *a)
{
    switch (a->type) {
    case HA_ACT_PERSIST:
        break; /* act_persist(). */
    case HA_ACT_SEND:
        group_send(h->group, &a->msg);
        break;
    case HA_ACT_FENCE_MEMBERS:
        fence_send_members(h->fence, &a->set);
        break;
    case HA_ACT_FENCE_SUPPORT:
        fence_send_epoch(h->fence, WIRE_F_SUPPORT, a->epoch);
        break;
    case HA_ACT_FENCE_SERVE:
        fence_send_epoch(h->fence, WIRE_F_SERVE, a->epoch);
        break;
    case HA_ACT_FENCE_CLOSE:
        /* The core wants it proven anew: an answer that says what the last
         * one said is news all the same. */
        h->fence_facts.closed = false;
        fence_send_epoch(h->fence, WIRE_F_CLOSE, a->epoch);
        break;
    case HA_ACT_REPLICA:
        replica_send_role(h->replica[a->replica.db], a);
        break;
    case HA_ACT_NORTHD:
        h->has_wish = true;
        h->want_northd = a->run;
        act_northd(h);
        break;
    case HA_ACT_PROBE:
        replica_send_probe(h->replica[HA_NB], a->token, PROBE_MS);
        break;
    case HA_ACT_REFUSED:
        h->refused = a->why;
        h->was_refused = true;
        break;
    case HA_ACT_EXIT:
        stop_begin(h);
        break;
    case HA_ACT_FORGET:
        h->forget = true;
        stop_begin(h);
        break;
    case HA_ACT_CONSENT:
        replica_send_consent(h->replica[a->consent.db], a->consent.ask,
                             a->consent.until);
        break;
    case HA_ACT_FENCE_NODE:
        fence_node(h, a->node);
        break;
    case HA_ACT_FENCE_ENDLESS:
        fence_send_endless(h->fence, a->endless.epoch, a->endless.on,
                           a->endless.token);
        break;
    }
}

void
act_run(struct had *h, const struct ha_actions *actions)
{
    for (size_t i = 0; i < actions->n; i++) {
        act(h, &actions->a[i]);
    }
}
