/* SPDX-License-Identifier: Apache-2.0 */

/* What may happen to a cluster, and what it does to the model.
 *
 * To add an event: a kind in model.h, a row in 'rows', a case in
 * events_apply(), and the searches of explore.c that are to use it. */

#include "tests/explore/model.h"

#include <stdio.h>
#include <string.h>

/* ---- What there is to choose ------------------------------------------ */

static bool
is_up(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->up;
}

static bool
is_off(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return !nd->up || nd->stopped;
}

static bool
has_lost_power(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return !nd->up && !nd->wiped && (nd->has_durable || nd->db[HA_NB].lineage);
}

static bool
runs(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return model_had_runs(nd);
}

static bool
is_frozen(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->frozen;
}

static bool
is_connected(const struct model *m, const struct mnode *nd)
{
    return nd->up && m->s.comp[model_id(m, nd) - 1] != mbit(model_id(m, nd));
}

static bool
is_parted(const struct model *m, const struct mnode *nd)
{
    return nd == m->node && m->s.comp[0] != (1u << m->cfg->n) - 1;
}

static bool
has_fence(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->up && nd->fence.up && !nd->fence.slow;
}

static bool
has_open_door(const struct model *m, const struct mnode *nd)
{
    return has_fence(m, nd) && nd->door_open && !nd->fence.sticky;
}

static bool
disk_good(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->up && !nd->disk_bad;
}

static bool
disk_bad(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->disk_bad;
}

static bool
not_mute(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return model_had_runs(nd) && !nd->mute;
}

static bool
is_mute(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->mute;
}

static bool
server_up(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->up && !nd->server_down;
}

static bool
server_down(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->up && nd->server_down;
}

static bool
is_fit(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return model_had_runs(nd) && !nd->unfit;
}

static bool
serves(const struct model *m, const struct mnode *nd)
{
    bool served = false;

    FOR_EACH_MNODE(other, (struct model *) m)
    {
        served |= local_lets_out(m, other) && !other->server_down;
    }
    return nd == m->node && served;
}

static bool
is_not_active(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->up && nd->core.state != HA_ACTIVE;
}

static bool
device_good(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return !nd->device_bad;
}

static bool
device_bad(const struct model *m, const struct mnode *nd)
{
    (void) m;
    return nd->device_bad;
}

/* An operator looked, and the other node was off. */
static bool
other_is_off(const struct model *m, const struct mnode *nd)
{
    return model_had_runs(nd) && m->cfg->n == 2
           && !m->node[2 - model_id(m, nd)].up;
}

/* In a pair that lives on proof this is an operator's word, too, and true. */
static bool
may_be_forced(const struct model *m, const struct mnode *nd)
{
    return model_had_runs(nd) && (!m->cfg->pair_fence || other_is_off(m, nd));
}

static const struct row {
    const char *name;
    bool (*may)(const struct model *, const struct mnode *);
    uint8_t ways;
    bool planned; /* Nothing is lost by it. */
} rows[MODEL_N_KINDS] = {
    [MODEL_RUN] = { "goes on", NULL, 1, true },
    [MODEL_POWER] = { "loses power", is_up, 2, false },
    [MODEL_BOOT] = { "boots", is_off, 1, false },
    [MODEL_WIPE] = { "loses its disk", has_lost_power, 1, false },
    [MODEL_CUT] = { "is cut off", is_connected, 4, false },
    [MODEL_HEAL] = { "the network heals", is_parted, 1, false },
    [MODEL_HAD_CRASH] = { "ovn-had crashes", runs, 1, false },
    [MODEL_FENCE_CRASH] = { "the fence worker crashes", has_fence, 1, false },
    [MODEL_FREEZE] = { "ovn-had freezes", runs, 1, false },
    [MODEL_THAW] = { "ovn-had thaws", is_frozen, 1, false },
    [MODEL_SLOW] = { "the fence worker hangs", has_fence, 2, false },
    [MODEL_STICKY] = { "its door will take long to close", has_open_door, 1,
                       false },
    [MODEL_DISK_BAD] = { "its disk is full", disk_good, 1, false },
    [MODEL_DISK_OK] = { "its disk has room", disk_bad, 1, false },
    [MODEL_MUTE] = { "the replica workers hang", not_mute, 1, false },
    [MODEL_UNMUTE] = { "the replica workers go on", is_mute, 1, false },
    [MODEL_SERVER_DOWN] = { "the databases end", server_up, 1, false },
    [MODEL_SERVER_UP] = { "the databases start", server_down, 1, false },
    [MODEL_UNFIT] = { "would rather hand over", is_fit, 1, true },
    [MODEL_WRITE] = { "a client writes", serves, 2, true },
    [MODEL_SWITCH] = { "switchover to it", is_not_active, 1, true },
    [MODEL_SHUTDOWN] = { "is shut down", runs, 1, true },
    [MODEL_FORCE] = { "failover to it, with loss", may_be_forced, 1, false },
    [MODEL_DEVICE_BAD] = { "its fence device fails", device_good, 1, false },
    [MODEL_DEVICE_OK] = { "its fence device works", device_bad, 1, false },
    [MODEL_VOUCH] = { "an operator vouches for the other", other_is_off, 1,
                      false },
};

/* Ways differ only while there is something on its way. */
static uint8_t
ways_of(const struct model *m, enum mkind kind)
{
    if ((kind == MODEL_POWER || kind == MODEL_CUT) && !m->s.n_queue) {
        return 1;
    }
    return rows[kind].ways;
}

uint32_t
events_list(const struct model *m, uint32_t kinds,
            struct mchoice choices[MODEL_MAX_CHOICES])
{
    uint32_t n = 0;

    for (uint8_t kind = MODEL_RUN + 1; kind < MODEL_N_KINDS; kind++) {
        if (!(kinds & (1u << kind))) {
            continue;
        }
        FOR_EACH_MNODE(nd, (struct model *) m)
        {
            if (!rows[kind].may(m, nd)) {
                continue;
            }
            for (uint8_t way = 0; way < ways_of(m, kind); way++) {
                choices[n++] = (struct mchoice){
                    .kind = kind,
                    .node = (uint8_t) model_id(m, nd),
                    .way = way,
                };
            }
        }
    }
    return n;
}

const char *
events_name(struct mchoice c, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s", rows[c.kind].name,
             c.kind == MODEL_POWER && c.way ? " with what it sent last"
             : c.kind == MODEL_CUT && c.way == 1
                 ? "; only it and the senders have what was under way"
             : c.kind == MODEL_CUT && c.way == 2
                 ? "; the others and the senders have what was under way"
             : c.kind == MODEL_CUT && c.way == 3
                 ? "; only the senders have what was under way"
             : c.kind == MODEL_SLOW && c.way  ? ", and is killed"
             : c.kind == MODEL_WRITE && c.way ? ", and one standby has it"
                                              : "");
    return buf;
}

#define SLOW_TICKS 2
#define STICKY_TICKS 12

/* ---- What it does ----------------------------------------------------- */

/* What was sent before a membership broke is to end in it. */
static void
mark_old(struct model *m, const struct mnode *nd)
{
    uint8_t ring = nd->ring;

    for (uint32_t i = 0; i < m->s.n_queue; i++) {
        if (m->s.queue[i].to & ring) {
            m->s.queue[i].old = 1;
        }
    }
}

static void
drop_from(struct model *m, uint8_t from)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->s.n_queue; i++) {
        if (m->s.queue[i].from != from) {
            m->s.queue[n++] = m->s.queue[i];
        }
    }
    memset(&m->s.queue[n], 0, (m->s.n_queue - n) * sizeof m->s.queue[0]);
    m->s.n_queue = (uint8_t) n;
}

static void
power_off(struct model *m, struct mnode *nd, bool drop)
{
    uint8_t id = (uint8_t) model_id(m, nd);

    mark_old(m, nd);
    if (drop) {
        drop_from(m, id);
    }
    local_power_off(nd);
    model_had_crash(m, nd);
    nd->up = false;
    nd->stopped = nd->disk_bad = nd->mute = nd->server_down = false;
    nd->unfit = false;
    nd->ring = 0;
}

static void
boot(struct mnode *nd)
{
    nd->up = true;
    nd->stopped = false;
}

static void
wipe(struct mnode *nd)
{
    nd->wiped = true;
    nd->has_durable = false;
    nd->promised = (struct ha_epoch){ 0, 0 };
    memset(&nd->durable, 0, sizeof nd->durable);
    memset(nd->db, 0, sizeof nd->db);
}

static void
cut_off(struct model *m, struct mnode *nd, uint8_t way)
{
    uint8_t self = mbit(model_id(m, nd));

    for (uint32_t i = 0; i < m->s.n_queue; i++) {
        struct mentry *e = &m->s.queue[i];

        if (!e->old && (e->to & nd->ring)) {
            uint8_t sender = mbit(e->from);

            e->old = 1;
            e->to &= way == 0   ? 0xff
                     : way == 1 ? self | sender
                     : way == 2 ? (uint8_t) ~self | sender
                                : sender;
        }
    }
    for (uint32_t i = 0; i < m->cfg->n; i++) {
        m->s.comp[i] &= (uint8_t) ~self;
    }
    m->s.comp[model_id(m, nd) - 1] = self;
}

/* Where a membership never noticed, nothing is lost. */
static void
heal(struct model *m)
{
    for (uint32_t i = 0; i < m->cfg->n; i++) {
        m->s.comp[i] = (uint8_t) ((1u << m->cfg->n) - 1);
    }
    for (uint32_t i = 0; i < m->s.n_queue; i++) {
        struct mentry *e = &m->s.queue[i];
        const struct mnode *sender = &m->node[e->from - 1];

        if (sender->up && !model_stalled(m, sender)) {
            e->to = sender->view;
            e->old = 0;
        } else {
            e->old = 1;
        }
    }
}

static void
ask(struct model *m, struct mnode *nd, enum ha_event_type type)
{
    model_post(m, nd,
               (struct mitem){ .kind = (uint8_t) type,
                               .node = (uint8_t) model_id(m, nd) });
}

void
events_apply(struct model *m, struct mchoice c)
{
    struct mnode *nd = &m->node[c.node - 1];

    m->s.planned &= rows[c.kind].planned;
    switch ((enum mkind) c.kind) {
    case MODEL_POWER:
        power_off(m, nd, !c.way);
        break;
    case MODEL_BOOT:
        boot(nd);
        break;
    case MODEL_WIPE:
        wipe(nd);
        break;
    case MODEL_CUT:
        cut_off(m, nd, c.way);
        break;
    case MODEL_HEAL:
        heal(m);
        break;
    case MODEL_HAD_CRASH:
        model_had_crash(m, nd);
        break;
    case MODEL_FENCE_CRASH:
        local_fence_crash(nd);
        break;
    case MODEL_FREEZE:
        nd->frozen = 1;
        break;
    case MODEL_THAW:
        nd->frozen = 0;
        break;
    case MODEL_SLOW:
        nd->fence.slow = SLOW_TICKS;
        nd->fence.dies = c.way;
        break;
    case MODEL_STICKY:
        nd->fence.sticky = STICKY_TICKS;
        break;
    case MODEL_DISK_BAD:
    case MODEL_DISK_OK:
        nd->disk_bad = c.kind == MODEL_DISK_BAD;
        break;
    case MODEL_MUTE:
        nd->mute = true;
        break;
    case MODEL_UNMUTE:
        nd->mute = false;
        local_replica_unmute(m, nd);
        break;
    case MODEL_SERVER_DOWN:
        nd->server_down = true;
        break;
    case MODEL_SERVER_UP:
        nd->server_down = false;
        local_replica_unmute(m, nd);
        break;
    case MODEL_UNFIT:
        nd->unfit = true;
        break;
    case MODEL_WRITE:
        local_write(m, c.way);
        break;
    case MODEL_SWITCH:
        FOR_EACH_MNODE(any, m)
        {
            if (any->core.state == HA_ACTIVE) {
                model_post(
                    m, any,
                    (struct mitem){ .kind = HA_EV_SWITCH, .node = c.node });
            }
        }
        break;
    case MODEL_SHUTDOWN:
        ask(m, nd, HA_EV_SHUTDOWN);
        break;
    case MODEL_FORCE:
        ask(m, nd, HA_EV_FORCE);
        break;
    case MODEL_DEVICE_BAD:
    case MODEL_DEVICE_OK:
        nd->device_bad = c.kind == MODEL_DEVICE_BAD;
        break;
    case MODEL_VOUCH:
        model_post(m, nd,
                   (struct mitem){ .kind = HA_EV_FENCED,
                                   .node = (uint8_t) (3 - c.node),
                                   .flag = 3 });
        break;
    case MODEL_RUN:
    case MODEL_N_KINDS:
        break;
    }
}
