/* SPDX-License-Identifier: Apache-2.0 */

/* Databases as logs of a few records, the replica workers that ship them, and
 * what a core is told of all that serves it on its own node. */

#include "tests/explore/model.h"

#include <assert.h>
#include <string.h>

#include "lib/wire.h"

static const struct ha_epoch no_epoch;

static bool
epoch_same(struct ha_epoch a, struct ha_epoch b)
{
    return !ha_epoch_cmp(a, b);
}

/* ---- Logs ------------------------------------------------------------- */

static struct ha_epoch
epoch_of(mrec_t r)
{
    return (struct ha_epoch){ r >> 16, r >> 12 & 15 };
}

struct ha_pos
local_pos(const struct mdb *d)
{
    struct ha_pos pos;

    memset(&pos, 0, sizeof pos);
    pos.lineage = d->lineage;
    pos.seq = d->n;
    for (uint32_t i = 0; i < d->n; i++) {
        pos.epoch = epoch_of(d->log[i]);
        pos.chain = (pos.chain ^ d->log[i]) * 0x01000193;
    }
    pos.chain &= 0xffffffff;
    return pos;
}

static mrec_t
append(struct model *m, struct mdb *d)
{
    mrec_t r = d->owner.n << 16 | d->owner.node << 12 | m->s.next_rec++;

    assert(d->n < MODEL_LOG);
    d->log[d->n++] = r;
    return r;
}

void
local_facts(const struct mnode *nd, struct ha_local *l)
{
    memset(l, 0, sizeof *l);
    for (int i = 0; i < HA_N_DBS; i++) {
        const struct mdb *d = &nd->db[i];
        struct ha_local_db *f = &l->db[i];

        f->pos = local_pos(d);
        f->role = d->now.role;
        f->life = d->life;
        f->role_token = d->now.token;
        f->role_epoch = d->now.epoch;
        f->complete = d->lineage != 0;
        f->has_data = d->n > 0;
        f->server_ok = !nd->server_down;
        f->connected = d->connected;
    }
    l->northd_ok = true;
    l->unfit = nd->unfit;
}

void
local_peer_facts(struct model *m, struct mnode *nd, uint32_t peer,
                 enum ha_db db, struct ha_peer_db *ret)
{
    const struct mdb *d = &nd->db[db];
    const struct mdb *p = &m->node[peer - 1].db[db];

    memset(ret, 0, sizeof *ret);
    if (d->now.role == WIRE_R_ACTIVE) {
        ret->connected = p->connected && p->now.source == model_id(m, nd)
                         && epoch_same(p->now.epoch, d->now.epoch);
        ret->complete = p->lineage == d->lineage;
        ret->acked = local_pos(p);
        ret->head = local_pos(d);
        ret->lag_us = p->n < d->n ? MODEL_TICK_US : 0;
    }
}

void
local_post(struct model *m, struct mnode *nd)
{
    struct ha_local l;
    struct ha_fence f;

    for (uint32_t i = 0; i < nd->n_inbox; i++) {
        if (nd->inbox[i].kind == HA_EV_START
            || nd->inbox[i].kind == HA_EV_LOCAL
            || nd->inbox[i].kind == HA_EV_PEER) {
            return; /* First things first. */
        }
    }
    local_facts(nd, &l);
    if (memcmp(&l, &nd->core.local, sizeof l)) {
        model_post(m, nd, (struct mitem){ .kind = HA_EV_LOCAL });
    }
    local_fence_facts(nd, &f);
    if (nd->fence.answer || f.connected != nd->core.fence.connected
        || f.open != nd->core.fence.open) {
        nd->fence.answer = false;
        model_post(m, nd, (struct mitem){ .kind = HA_EV_FENCE });
    }
    for (uint32_t id = 1; id <= m->cfg->n; id++) {
        for (uint8_t db = 0; id != model_id(m, nd) && db < HA_N_DBS; db++) {
            struct ha_peer_db p;

            local_peer_facts(m, nd, id, db, &p);
            if (memcmp(&p, &nd->core.peers[id - 1].recv[db], sizeof p)) {
                model_post(m, nd,
                           (struct mitem){ .kind = HA_EV_PEER,
                                           .node = (uint8_t) id,
                                           .mask = db });
            }
        }
    }
}

/* ---- Replica workers -------------------------------------------------- */

static void
take_role(struct model *m, struct mnode *nd, enum ha_db db,
          const struct mrole *role)
{
    struct mdb *d = &nd->db[db];

    d->now = *role;
    d->connected = false;
    if (role->role != WIRE_R_ACTIVE) {
        d->owner = no_epoch;
    } else if (!epoch_same(d->owner, role->epoch)) {
        judge_log_taken(m, nd, db);
        d->lineage = role->lineage;
        d->owner = role->epoch;
        if (!d->n) {
            append(m, d);
        }
    }
}

void
local_replica_command(struct model *m, struct mnode *nd,
                      const struct ha_action *a)
{
    struct mdb *d = &nd->db[a->replica.db];
    struct mrole role = {
        .role = a->replica.role,
        .token = a->replica.token,
        .source = a->replica.source,
        .epoch = a->replica.epoch,
        .lineage = a->replica.lineage,
    };

    if (role.role == WIRE_R_ACTIVE) {
        judge_takes(m, nd, a->replica.db);
    }
    if (nd->mute || nd->server_down) {
        d->next = role;
        d->has_next = true;
    } else {
        take_role(m, nd, a->replica.db, &role);
    }
}

/* They go on, where they may. */
void
local_replica_unmute(struct model *m, struct mnode *nd)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        struct mdb *d = &nd->db[db];

        if (d->has_next && !nd->mute && !nd->server_down) {
            struct mrole role = d->next;

            d->has_next = false;
            memset(&d->next, 0, sizeof d->next);
            take_role(m, nd, db, &role);
        }
    }
}

/* ovn-had starts anew, and its workers with it.  The databases lived on. */
void
local_workers_restart(struct mnode *nd)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        struct mdb *d = &nd->db[db];

        d->life++;
        d->has_next = d->connected = false;
        memset(&d->now, 0, sizeof d->now);
        memset(&d->next, 0, sizeof d->next);
    }
    nd->mute = false;
}

/* The machine, or all that ovn-had runs, is gone; files stay. */
void
local_power_off(struct mnode *nd)
{
    uint64_t life = nd->fence.life;

    memset(&nd->fence, 0, sizeof nd->fence);
    nd->fence.life = life;
    nd->door_open = false;
    nd->door_epoch = no_epoch;
    nd->kernel_until = (mono_t){ 0 };
    for (int db = 0; db < HA_N_DBS; db++) {
        struct mdb *d = &nd->db[db];

        d->owner = no_epoch;
        d->has_next = d->connected = false;
        memset(&d->now, 0, sizeof d->now);
        memset(&d->next, 0, sizeof d->next);
    }
}

static uint32_t
common_prefix(const struct mdb *a, const struct mdb *b)
{
    uint32_t n = 0;

    while (n < a->n && n < b->n && a->log[n] == b->log[n]) {
        n++;
    }
    return a->lineage == b->lineage ? n : 0;
}

/* 'd' takes what 's' has. */
static void
pull(struct model *m, struct mnode *nd, enum ha_db db, const struct mdb *s)
{
    struct mdb *d = &nd->db[db];
    bool from_active = s->now.role == WIRE_R_ACTIVE;
    uint32_t common = common_prefix(d, s);

    d->connected = true;
    if (d->lineage != s->lineage || common < d->n) {
        if (!from_active) {
            /* A tail is only ever what follows. */
            d->connected = d->lineage == s->lineage && common == s->n;
            return;
        }
        judge_cut(m, nd, db, s, common);
    } else if (common == s->n) {
        return;
    }
    judge_accepts(m, nd, db);
    d->lineage = s->lineage;
    d->n = s->n;
    memcpy(d->log, s->log, sizeof d->log);
}

static void
follow(struct model *m, struct mnode *nd, enum ha_db db)
{
    struct mdb *d = &nd->db[db];
    const struct mnode *src = &m->node[d->now.source - 1];
    const struct mdb *s = &src->db[db];

    if (model_reaches(m, nd, src) && src->had && !src->mute
        && !src->server_down && s->lineage == d->now.lineage
        && (s->now.role == WIRE_R_IDLE
            || (s->now.role == WIRE_R_ACTIVE
                && epoch_same(s->now.epoch, d->now.epoch)))) {
        pull(m, nd, db, s);
    } else {
        d->connected = false;
    }
}

void
local_replica_tick(struct model *m)
{
    FOR_EACH_MNODE(nd, m)
    {
        for (int db = 0; db < HA_N_DBS; db++) {
            if (nd->up && nd->had && !nd->mute && !nd->server_down
                && nd->db[db].now.role == WIRE_R_FOLLOW) {
                follow(m, nd, db);
            } else {
                nd->db[db].connected = false;
            }
        }
    }
}

/* ---- Clients ---------------------------------------------------------- */

void
local_write(struct model *m, uint32_t copies)
{
    FOR_EACH_MNODE(nd, m)
    {
        struct mdb *d = &nd->db[HA_SB];

        if (!local_lets_out(m, nd) || nd->server_down) {
            continue;
        }
        judge_acked(m, nd, HA_SB, append(m, d));
        FOR_EACH_MNODE(peer, m)
        {
            const struct mdb *p = &peer->db[HA_SB];

            if (copies && p->connected && !peer->mute
                && p->now.role == WIRE_R_FOLLOW
                && p->now.source == model_id(m, nd)) {
                follow(m, peer, HA_SB);
                copies--;
            }
        }
    }
}
