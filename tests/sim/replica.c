/* SPDX-License-Identifier: Apache-2.0 */

/* Databases' logs, and the workers that ship them (lib/wire.h's roles). */

#include "tests/sim/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_US (20 * MS) /* Between two looks of a worker. */
#define BATCH 200          /* Records a round. */
#define LOST_US (400 * MS) /* A connection without a sign of life. */

/* ---- The log ---------------------------------------------------------- */

static uint64_t
chain_on(uint64_t chain, struct ha_epoch epoch, uint64_t id)
{
    chain ^= ((uint64_t) epoch.n << 32 | epoch.node) + id * 31;
    chain *= UINT64_C(0xff51afd7ed558ccd);
    return chain ^ (chain >> 33);
}

static void
log_push(struct db *d, const struct rec *r)
{
    if (d->n == d->allocated) {
        d->allocated = d->allocated * 2 + 256;
        d->log = realloc(d->log, d->allocated * sizeof *d->log);
        if (!d->log) {
            abort();
        }
    }
    d->log[d->n++] = *r;
}

struct rec *
db_append(struct db *d, struct ha_epoch epoch, uint64_t id, int64_t at)
{
    struct rec r = {
        .epoch = epoch,
        .id = id,
        .chain =
            chain_on(d->n ? d->log[d->n - 1].chain : d->lineage, epoch, id),
        .at = at,
    };

    log_push(d, &r);
    return &d->log[d->n - 1];
}

/* The position after the first 'n' records. */
struct ha_pos
db_pos(const struct db *d, size_t n)
{
    struct ha_pos pos;

    memset(&pos, 0, sizeof pos);
    pos.lineage = d->lineage;
    pos.seq = n;
    if (n) {
        pos.epoch = d->log[n - 1].epoch;
        pos.chain = d->log[n - 1].chain;
    }
    return pos;
}

bool
db_has_data(const struct db *d)
{
    return d->data_before || d->n > 0;
}

/* Records that both have alike from the beginning. */
size_t
db_common_prefix(const struct db *a, const struct db *b)
{
    size_t lo = 0;
    size_t hi = a->n < b->n ? a->n : b->n;

    if (a->lineage != b->lineage) {
        return 0;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;

        if (a->log[mid - 1].chain == b->log[mid - 1].chain) {
            lo = mid;
        } else {
            hi = mid - 1;
        }
    }
    return lo;
}

/* ---- Facts ------------------------------------------------------------ */

void
replica_facts(struct world *w, struct node *nd, struct ha_local *l)
{
    (void) w;
    for (int i = 0; i < HA_N_DBS; i++) {
        const struct db *d = &nd->db[i];
        struct ha_local_db *f = &l->db[i];

        if (d->worker_up && d->mute) {
            *f = d->told;
        }
        f->server_ok = d->server_up;
        if (!d->worker_up || d->mute) {
            continue;
        }
        f->pos = db_pos(d, d->synced);
        f->role = d->role;
        f->life = (uint32_t) d->life;
        f->role_token = d->changing ? 0 : d->token;
        f->role_epoch = d->role_epoch;
        f->complete = d->lineage != 0;
        f->has_data = db_has_data(d);
        f->connected = d->connected;
    }
}

/* Tells the supervisor of its receivers, where something changed. */
static void
post_peers(struct world *w, struct node *nd, enum ha_db db)
{
    struct db *d = &nd->db[db];

    for (unsigned i = 0; i < w->n; i++) {
        struct peer_seen *p = &d->peers[i];
        struct ha_event ev;

        if (!p->known) {
            continue;
        }
        if (p->connected && w->now - p->contact_at > LOST_US) {
            p->connected = false;
        }
        memset(&ev, 0, sizeof ev);
        ev.type = HA_EV_PEER;
        ev.peer.node = i + 1;
        ev.peer.db = db;
        ev.peer.facts.connected = p->connected;
        ev.peer.facts.complete = p->complete;
        ev.peer.facts.acked = p->acked;
        ev.peer.facts.head = db_pos(d, d->synced);
        if (p->acked.seq < d->synced) {
            ev.peer.facts.lag_us = w->now - d->log[p->acked.seq].at;
        }
        if (memcmp(&ev.peer.facts, &p->told, sizeof p->told)) {
            p->told = ev.peer.facts;
            had_post(w, nd, &ev);
        }
    }
}

/* ---- Following -------------------------------------------------------- */

/* True if 's' gives 'd' what its role asks for. */
static bool
source_gives(const struct db *d, const struct db *s)
{
    if (!s->worker_up || s->mute || s->changing
        || s->lineage != d->role_lineage) {
        return false;
    }
    return s->role == WIRE_R_IDLE
           || (s->role == WIRE_R_ACTIVE
               && epoch_same(s->role_epoch, d->role_epoch));
}

static void
take_snapshot(struct world *w, struct node *nd, enum ha_db db,
              const struct node *src)
{
    struct db *d = &nd->db[db];
    const struct db *s = &src->db[db];

    if (!d->snapshot_until) {
        d->snapshot_until = w->now + rnd_in(w, 50, 800) * MS;
        return;
    }
    if (w->now < d->snapshot_until) {
        return;
    }
    d->snapshot_until = 0;
    oracle_cut(w, nd, db, src, db_common_prefix(d, s));
    d->set_aside += d->n;
    d->n = 0;
    d->data_before = s->data_before;
    d->lineage = s->lineage;
    for (size_t i = 0; i < s->synced; i++) {
        log_push(d, &s->log[i]);
    }
    d->synced = d->base = d->compact = d->n;
    d->wiped = false;
    tell(w, nd, "replica: %s: snapshot of n%u, now at %u.%u/%zu",
         ha_db_name(db), src->id, db_pos(d, d->n).epoch.n,
         db_pos(d, d->n).epoch.node, d->n);
    oracle_accepts(w, nd, db);
}

/* The file is written anew; a hard link keeps the one before. */
static void
compact(struct world *w, struct db *d)
{
    if (w->opt.compact && d->n >= d->compact + 100 && rnd_chance(w, 5)) {
        d->base = d->compact;
        d->compact = d->n;
    }
}

/* What this file is continued from is its own from now on. */
static void
cut_log(struct db *d, size_t n)
{
    d->set_aside += d->n - n;
    d->n = d->synced = n;
    d->base = d->base < n ? d->base : n;
    d->compact = d->compact < n ? d->compact : n;
}

/* One round of applying what the source has. */
static void
pull(struct world *w, struct node *nd, enum ha_db db, struct node *src)
{
    struct db *d = &nd->db[db];
    const struct db *s = &src->db[db];
    bool from_active = s->role == WIRE_R_ACTIVE;
    size_t common;

    if (d->lineage != s->lineage || (!d->n && s->n)
        || db_common_prefix(d, s) < s->base) {
        if (from_active) {
            take_snapshot(w, nd, db, src);
        }
        return;
    }
    d->snapshot_until = 0;
    common = db_common_prefix(d, s);
    if (common < d->n && common < s->n) {
        if (!from_active) {
            d->connected = false;
            return;
        }
        oracle_cut(w, nd, db, src, common);
        tell(w, nd, "replica: %s: %zu records are set aside", ha_db_name(db),
             d->n - common);
        cut_log(d, common);
    } else if (common < d->n && from_active && common == s->n) {
        /* Ahead of the active: an unsynced tail that it lost. */
        oracle_cut(w, nd, db, src, common);
        cut_log(d, common);
    }
    for (size_t i = d->n; i < s->synced && i < common + BATCH; i++) {
        log_push(d, &s->log[i]);
        d->synced = d->n;
        oracle_accepts(w, nd, db);
    }
}

/* What the source learns from its receiver's answer. */
static void
acknowledge(struct world *w, struct node *nd, enum ha_db db, struct node *src)
{
    const struct db *d = &nd->db[db];
    struct peer_seen *p = &src->db[db].peers[nd->id - 1];

    p->known = true;
    p->connected = true;
    p->complete = d->lineage == src->db[db].lineage && !d->snapshot_until
                  && (d->n > 0 || !src->db[db].n);
    p->contact_at = w->now;
    p->acked = db_pos(d, d->synced);
}

static void
follow(struct world *w, struct node *nd, enum ha_db db)
{
    struct db *d = &nd->db[db];
    struct node *src = world_node(w, d->source);

    if (src && node_runs(src) && net_both(w, nd, src) && d->server_up
        && source_gives(d, &src->db[db])) {
        if (!d->connected && rnd_chance(w, 700)) {
            return; /* Still connecting. */
        }
        d->connected = true;
        d->contact_at = w->now;
        pull(w, nd, db, src);
        acknowledge(w, nd, db, src);
    } else if (d->connected && w->now - d->contact_at > LOST_US) {
        d->connected = false;
    }
}

static void
round_of(struct world *w, struct node *nd, enum ha_db db)
{
    struct db *d = &nd->db[db];

    if (!node_runs(nd) || d->mute) {
        return;
    }
    if (d->role == WIRE_R_FOLLOW && d->sent_seq == d->change_seq
        && !d->changing) {
        follow(w, nd, db);
    } else {
        d->connected = false;
        d->snapshot_until = 0;
        if (!rnd_chance(w, 200)) {
            d->synced = d->n;
        }
    }
    compact(w, d);
    post_peers(w, nd, db);
    node_local(w, nd);
}

static void
round_nb(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    if (nd->up && nd->db[HA_NB].worker_up && nd->db[HA_NB].life == life) {
        round_of(w, nd, HA_NB);
        world_in(w, ROUND_US, round_nb, nd, life, ptr);
    }
}

static void
round_sb(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    if (nd->up && nd->db[HA_SB].worker_up && nd->db[HA_SB].life == life) {
        round_of(w, nd, HA_SB);
        world_in(w, ROUND_US, round_sb, nd, life, ptr);
    }
}

/* ---- Roles ------------------------------------------------------------ */

struct role_command {
    enum ha_db db;
    uint64_t life;
    uint64_t seq;
    struct ha_action a;
};

static void
role_done(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    const struct role_command *rc = ptr;
    const struct ha_action *a = &rc->a;
    struct db *d = &nd->db[rc->db];

    (void) arg;
    if (!nd->up || !d->worker_up || d->life != rc->life
        || d->change_seq != rc->seq) {
        return;
    }
    if (!node_runs(nd) || !d->server_up || d->mute) {
        /* Nothing happens in a frozen node, or without a database. */
        world_in(w, 50 * MS, role_done, nd, arg, ptr);
        return;
    }
    d->changing = false;
    if (w->opt.verbose && !w->keep_story) {
        static const char *const names[] = { "idle", "follow", "active" };

        tell(w, nd, "replica: %s: %s in %u.%u", ha_db_name(rc->db),
             names[a->replica.role], a->replica.epoch.n,
             a->replica.epoch.node);
    }
    d->role = a->replica.role;
    d->role_epoch = a->replica.epoch;
    d->role_lineage = a->replica.lineage;
    d->token = a->replica.token;
    d->source = a->replica.source;
    d->connected = false;
    d->synced = d->n;
    if (d->role != WIRE_R_ACTIVE) {
        d->owner = (struct ha_epoch){ 0, 0 };
    } else if (!epoch_same(d->owner, d->role_epoch)) {
        oracle_log_taken(w, nd, rc->db);
        d->lineage = d->role_lineage;
        d->owner = d->role_epoch;
        if (!d->n
            || (w->base_records
                && !epoch_same(d->log[d->n - 1].epoch, d->role_epoch))) {
            /* An epoch may begin with a record of its own, or just be the
             * number of those to come. */
            db_append(d, d->role_epoch, BASE_BIT | w->next_id++, w->now);
        }
        d->synced = d->n;
        d->wiped = false;
    }
    node_local(w, nd);
}

static void
role_arrives(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    struct role_command *rc = ptr;
    struct db *d = &nd->db[rc->db];
    int64_t us = rnd_in(w, 200, 3000);

    if (!nd->up || !d->worker_up || d->life != rc->life) {
        return;
    }
    if (nd->frozen || d->mute) {
        world_in(w, 20 * MS, role_arrives, nd, arg, ptr);
        return;
    }
    if (rc->seq < d->change_seq) {
        return; /* A later one came first, of those that waited. */
    }
    d->change_seq = rc->seq;
    d->changing = true;
    if (rc->a.replica.role == WIRE_R_ACTIVE) {
        us = rnd_in(w, 1000, 20000);
    }
    world_in(w, us, role_done, nd, 0, rc);
}

void
replica_command(struct world *w, struct node *nd, const struct ha_action *a)
{
    struct db *d = &nd->db[a->replica.db];
    struct role_command *rc;

    if (!d->worker_up) {
        return;
    }
    if (a->replica.role == WIRE_R_ACTIVE) {
        oracle_takes(w, nd, a->replica.db, a->replica.epoch);
    }
    rc = world_alloc(w, sizeof *rc);
    rc->db = a->replica.db;
    rc->life = d->life;
    rc->seq = ++d->sent_seq;
    rc->a = *a;
    world_in(w, 100, role_arrives, nd, 0, rc);
}

/* ---- Life ------------------------------------------------------------- */

static void
loaded(struct world *w, struct node *nd, enum ha_db db, uint64_t had_life)
{
    struct db *d = &nd->db[db];

    if (!nd->up || !nd->had.alive || nd->had.life != had_life
        || d->worker_up) {
        return;
    }
    d->server_up = true;
    d->worker_up = true;
    d->mute = false;
    d->sent_seq = d->change_seq;
    d->life++;
    d->role = WIRE_R_IDLE;
    d->token = 0;
    d->role_epoch = (struct ha_epoch){ 0, 0 };
    d->role_lineage = 0;
    d->source = 0;
    d->connected = d->changing = false;
    d->snapshot_until = 0;
    d->synced = d->n;
    memset(d->peers, 0, sizeof d->peers);
    node_local(w, nd);
    world_in(w, rnd_in(w, 1000, ROUND_US), db == HA_NB ? round_nb : round_sb,
             nd, d->life, NULL);
}

static void
loaded_nb(struct world *w, struct node *nd, uint64_t had_life, void *ptr)
{
    (void) ptr;
    loaded(w, nd, HA_NB, had_life);
}

static void
loaded_sb(struct world *w, struct node *nd, uint64_t had_life, void *ptr)
{
    (void) ptr;
    loaded(w, nd, HA_SB, had_life);
}

/* Starts the server and the worker of one database, unless they live. */
void
replica_start(struct world *w, struct node *nd, enum ha_db db)
{
    struct db *d = &nd->db[db];
    int64_t us = d->server_up ? rnd_in(w, 10, 80) : rnd_in(w, 80, 900);

    if (d->worker_up && d->server_up) {
        node_local(w, nd);
    } else {
        world_in(w, us * MS, db == HA_NB ? loaded_nb : loaded_sb, nd,
                 nd->had.life, NULL);
    }
}

/* The worker dies; ovn-had starts it again. */
void
replica_crash(struct world *w, struct node *nd, enum ha_db db)
{
    struct db *d = &nd->db[db];

    if (!nd->up || !d->worker_up) {
        return;
    }
    tell(w, nd, "== the replica worker of %s crashes", ha_db_name(db));
    d->worker_up = false;
    node_local(w, nd);
    replica_start(w, nd, db);
}

/* The worker hangs, or goes on. */
void
replica_mute(struct world *w, struct node *nd, enum ha_db db, bool mute)
{
    struct ha_local l;

    memset(&l, 0, sizeof l);
    replica_facts(w, nd, &l);
    nd->db[db].told = l.db[db];
    nd->db[db].mute = mute;
}

static void
server_back(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    (void) ptr;
    if (nd->up && (arg >> 8) == nd->boot) {
        nd->db[arg & 0xff].server_up = true;
        node_local(w, nd);
    }
}

/* ovsdb-server dies, and is started again.  What it acknowledged is in the
 * file. */
void
server_crash(struct world *w, struct node *nd, enum ha_db db)
{
    if (!nd->up || !nd->db[db].server_up || !nd->had.alive) {
        return;
    }
    tell(w, nd, "== ovsdb-server of %s crashes", ha_db_name(db));
    nd->db[db].server_up = false;
    node_local(w, nd);
    world_in(w, rnd_in(w, 30, 1500) * MS, server_back, nd, nd->boot << 8 | db,
             NULL);
}

/* The workers end with ovn-had; the servers live on. */
void
replica_down(struct world *w, struct node *nd)
{
    (void) w;
    for (int i = 0; i < HA_N_DBS; i++) {
        nd->db[i].worker_up = false;
    }
}

void
replica_boot(struct world *w, struct node *nd)
{
    (void) w;
    for (int i = 0; i < HA_N_DBS; i++) {
        nd->db[i].server_up = nd->db[i].worker_up = false;
        nd->db[i].owner = (struct ha_epoch){ 0, 0 };
    }
}

/* Of what was never synced, some reached the disk. */
void
replica_power_cut(struct world *w, struct node *nd)
{
    for (int i = 0; i < HA_N_DBS; i++) {
        struct db *d = &nd->db[i];

        if (d->n > d->synced) {
            d->n = (size_t) rnd_in(w, (int64_t) d->synced, (int64_t) d->n);
        }
        d->synced = d->n;
        d->server_up = d->worker_up = false;
        d->owner = (struct ha_epoch){ 0, 0 };
    }
}

void
replica_wipe(struct world *w, struct node *nd)
{
    (void) w;
    for (int i = 0; i < HA_N_DBS; i++) {
        struct db *d = &nd->db[i];

        d->n = d->synced = d->set_aside = d->base = d->compact = 0;
        d->lineage = 0;
        d->data_before = false;
        d->wiped = true;
    }
}
