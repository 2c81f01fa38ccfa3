/* SPDX-License-Identifier: Apache-2.0 */

/* Which role the two replica workers ought to have.
 *
 * A standby follows only an active whose workers have already taken over the
 * log of the epoch in force (log_ready): before that, the freshest records
 * may still be here, and the new active pulls them. */

#include "ha/core/core-private.h"

bool
replica_in_role(const struct ha_core *c, enum ha_db db, uint32_t role,
                struct ha_epoch epoch)
{
    return c->rep[db].sent && c->rep[db].role == role
           && !ha_epoch_cmp(c->rep[db].epoch, epoch)
           && c->rep[db].life == c->local.db[db].life
           && c->local.db[db].role_token == c->rep[db].token;
}

static void
want(struct ha_core *c, enum ha_db db, uint32_t role, struct ha_epoch epoch,
     uint64_t lineage, uint32_t source, struct ha_actions *out)
{
    struct ha_action *a;

    if (c->rep[db].sent && c->rep[db].role == role
        && !ha_epoch_cmp(c->rep[db].epoch, epoch)
        && c->rep[db].source == source
        && c->rep[db].life == c->local.db[db].life) {
        return;
    }
    c->rep[db].sent = true;
    c->rep[db].role = role;
    c->rep[db].epoch = epoch;
    c->rep[db].source = source;
    c->rep[db].life = c->local.db[db].life;
    c->rep[db].token = c->next_token++;
    a = core_act(out, HA_ACT_REPLICA);
    a->replica.db = db;
    a->replica.role = role;
    a->replica.token = c->rep[db].token;
    a->replica.source = source;
    a->replica.lineage = lineage;
    a->replica.epoch = epoch;
}

/* The fresher member that 'db' has to be pulled from; 0 if none is. */
static uint32_t
tail_source(const struct ha_core *c, enum ha_db db)
{
    const struct ha_pos *top = &c->local.db[db].pos;
    uint32_t source = 0;

    for (uint32_t i = 0; i < c->cfg.nodes.n; i++) {
        const struct ha_peer *p = &c->peers[i];

        if (p->id != c->cfg.self
            && p->final_pos[db].lineage == c->record.lineage
            && ha_pos_cmp(&p->final_pos[db], top) > 0) {
            top = &p->final_pos[db];
            source = p->id;
        }
    }
    return source;
}

static void
run_db(struct ha_core *c, enum ha_db db, struct ha_actions *out)
{
    const struct ha_record *rec = &c->record;
    const struct ha_peer *active = core_heard(c, rec->active);

    if (c->hold.n && ha_epoch_cmp(c->stopped_epoch[db], c->hold) < 0
        && replica_in_role(c, db, ROLE_ACTIVE, c->hold)) {
        /* It has its own log, whoever proposes this epoch anew. */
        c->stopped_epoch[db] = c->hold;
    }
    if (c->proposed
        && ha_epoch_cmp(c->stopped_epoch[db], c->proposal.epoch) < 0) {
        /* Only once the fence worker has closed the door are the last
         * records of an old active in its log. */
        if (ha_epoch_cmp(c->fence_epoch, c->proposal.epoch) >= 0) {
            want(c, db, ROLE_IDLE, c->proposal.epoch, c->proposal.lineage, 0,
                 out);
        }
        if (replica_in_role(c, db, ROLE_IDLE, c->proposal.epoch)) {
            c->stopped_epoch[db] = c->proposal.epoch;
            c->wake = c->now; /* For the support that waited for it. */
        }
        return;
    }
    if (c->hold.n && c->stage >= HA_STAGE_LOG) {
        want(c, db, ROLE_ACTIVE, c->hold, rec->lineage, 0, out);
    } else if (c->hold.n && c->stage == HA_STAGE_TAIL) {
        uint32_t source = tail_source(c, db);

        if (source) {
            want(c, db, ROLE_FOLLOW, c->hold, rec->lineage, source, out);
        }
    } else if (!c->hold.n && c->in_force && c->supported
               && rec->active != c->cfg.self
               && ha_epoch_cmp(rec->epoch, c->stopped_epoch[db]) >= 0
               && ha_epoch_cmp(rec->epoch, c->fence_epoch) >= 0
               && c->state == HA_STANDBY && active && active->status.log_ready
               && core_holds(&active->status, rec)) {
        want(c, db, ROLE_FOLLOW, rec->epoch, rec->lineage, rec->active, out);
    }
}

void
replica_run(struct ha_core *c, struct ha_actions *out)
{
    for (int db = 0; db < HA_N_DBS && !c->local.witness; db++) {
        run_db(c, db, out);
    }
}
