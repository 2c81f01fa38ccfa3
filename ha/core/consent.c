/* SPDX-License-Identifier: Apache-2.0 */

/* What a replica asks an operator for, and the answer's way to it.
 *
 * The answer names how far the active's log went when it was given, so that it
 * covers nothing that happened since. */

#include "ha/core/core-private.h"

#include <inttypes.h>

static enum ha_ask
request_ask(uint32_t request)
{
    return request == HA_REQ_REINIT          ? HA_ASK_REINIT
           : request == HA_REQ_ACCEPT_SHRINK ? HA_ASK_SHRINK
                                             : HA_ASK_NONE;
}

bool
consent_is_request(uint32_t request)
{
    return request_ask(request) != HA_ASK_NONE;
}

/* Up to where an answer to what 'l' asks for holds. */
static uint64_t
consent_until(const struct ha_core *c, enum ha_db db,
              const struct ha_local_db *l)
{
    const struct ha_peer *active = core_heard(c, c->record.active);
    const struct ha_pos *head;

    if (!active) {
        return l->ask_seq;
    }
    head = &active->status.local.db[db].pos;
    return head->lineage == c->record.lineage && head->seq > l->ask_seq
               ? head->seq
               : l->ask_seq;
}

/* True if a member here has found that its record and others' are of different
 * lineages. */
static bool
lineages_differ(const struct ha_core *c)
{
    bool differ = c->foreign;

    for (uint32_t i = 0; i < c->view.n; i++) {
        const struct ha_peer *p = ha_core_peer(c, c->view.id[i]);

        differ |= p->heard && p->status.why == HA_WHY_LINEAGES;
    }
    return differ;
}

/* Where no lineage has most of the holders, only the coordinator says so, and
 * any of them may be the one that gives way. */
bool
ha_core_may_forget(const struct ha_core *c, uint32_t id)
{
    const struct ha_peer *p = ha_core_peer(c, id);

    return p && p->heard && ha_set_has(&c->view, id) && !p->status.hold.n
           && p->status.state == HA_STARTING && lineages_differ(c)
           && (p->status.why == HA_WHY_LINEAGES || !c->in_force);
}

static void
forget_event(struct ha_core *c, uint32_t id, struct ha_actions *out)
{
    struct ha_msg *m = core_send(c, out, HA_MSG_REQUEST);

    m->request = HA_REQ_REINIT;
    m->node = id;
    core_tell(out, "reinit: an operator has the record of node %u set aside",
              id);
}

/* As if this node had lost its record: what it promised meanwhile ends with
 * all that it runs. */
static void
forget_message(struct ha_core *c, struct ha_actions *out)
{
    if (c->durable.accepted.n && !c->hold.n && !c->in_force
        && lineages_differ(c)) {
        core_tell(out, "reinit: own record of another lineage is set aside");
        core_act(out, HA_ACT_FORGET);
        c->exited = true;
    }
}

void
consent_event(struct ha_core *c, const struct ha_event *ev,
              struct ha_actions *out)
{
    const struct ha_peer *p = core_heard(c, ev->ctl.to);
    enum ha_ask ask = request_ask(ev->ctl.request);
    enum ha_why why = !c->in_force         ? HA_WHY_AGREEING
                      : !p                 ? HA_WHY_ABSENT
                      : ask == HA_ASK_NONE ? HA_WHY_NOT_ELIGIBLE
                                           : HA_WHY_NONE;
    struct ha_msg *m;

    if (ask == HA_ASK_REINIT && ha_core_may_forget(c, ev->ctl.to)) {
        forget_event(c, ev->ctl.to, out);
        return;
    }
    if (why != HA_WHY_NONE) {
        core_act(out, HA_ACT_REFUSED)->why = why;
        return;
    }
    m = core_send(c, out, HA_MSG_REQUEST);
    m->request = ev->ctl.request;
    m->node = ev->ctl.to;
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct ha_local_db *l = &p->status.local.db[db];

        if (l->ask == (uint32_t) ask) {
            m->pos[db].lineage = c->record.lineage;
            m->pos[db].seq = consent_until(c, db, l);
        }
    }
    core_tell(out, "%s: an operator lets node %u",
              ask == HA_ASK_REINIT ? "reinit" : "accept-shrink", p->id);
}

void
consent_message(struct ha_core *c, const struct ha_msg *m,
                struct ha_actions *out)
{
    enum ha_ask ask = request_ask(m->request);

    if (m->node == c->cfg.self && ask == HA_ASK_REINIT
        && !m->pos[HA_NB].lineage && !m->pos[HA_SB].lineage) {
        forget_message(c, out);
        return;
    }
    for (int db = 0; m->node == c->cfg.self && db < HA_N_DBS; db++) {
        const struct ha_local_db *l = &c->local.db[db];
        struct ha_action *a;

        if (l->ask != (uint32_t) ask || !m->pos[db].lineage
            || m->pos[db].lineage != c->record.lineage
            || l->ask_seq > m->pos[db].seq) {
            continue;
        }
        a = core_act(out, HA_ACT_CONSENT);
        a->consent.db = db;
        a->consent.ask = ask;
        a->consent.until = m->pos[db].seq;
        if (ask == HA_ASK_REINIT) {
            core_tell(out, "reinit: own %s gives way", ha_db_name(db));
        } else {
            core_tell(out,
                      "accept-shrink: %s may lose rows up to record "
                      "%" PRIu64,
                      ha_db_name(db), m->pos[db].seq);
        }
    }
}

void
consent_tell(const struct ha_local *old, const struct ha_local *new,
             struct ha_actions *out)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct ha_local_db *l = &new->db[db];

        if (l->ask == old->db[db].ask && l->ask_seq == old->db[db].ask_seq) {
            continue;
        }
        if (l->ask == HA_ASK_SHRINK) {
            core_tell(out,
                      "guard: %s is not followed beyond record %" PRIu64
                      ": %" PRIu64 " of %" PRIu64 " rows would be gone",
                      ha_db_name(db), l->ask_seq - 1, l->ask_lost,
                      l->ask_rows);
        } else if (l->ask == HA_ASK_REINIT) {
            core_tell(out,
                      "guard: own %s is of another lineage and does not "
                      "give way by itself",
                      ha_db_name(db));
        }
    }
}
