/* SPDX-License-Identifier: Apache-2.0 */

/* Who writes: clients, each of whose acknowledged writes is in a ledger, and
 * northd, which writes SB from inside. */

#include "tests/sim/sim.h"

#define NORTHD_US (250 * MS)

/* ---- Clients ---------------------------------------------------------- */

/* A node whose listeners are open, though its replies may not get out. */
static struct node *
some_open_node(struct world *w, enum ha_db db)
{
    struct node *open[HA_MAX_NODES];
    unsigned n = 0;

    FOR_EACH_NODE(nd, w)
    {
        if (node_runs(nd) && nd->door_open && nd->db[db].server_up) {
            open[n++] = nd;
        }
    }
    return !n ? NULL : open[n == 1 ? 0 : rnd(w) % n];
}

static void
write_one(struct world *w, enum ha_db db)
{
    struct node *nd = some_open_node(w, db);

    if (!nd) {
        return;
    }
    oracle_write(w, nd, db, "a client");
    db_append(&nd->db[db], nd->db[db].owner, w->next_id++, w->now);
    if (door_lets_out(w, nd)) {
        oracle_ack(w, nd, db);
    }
}

static void
write_nb(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    write_one(w, HA_NB);
    world_in(w, rnd_in(w, w->write_us / 2, w->write_us * 3 / 2), write_nb, nd,
             arg, ptr);
}

static void
write_sb(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    write_one(w, HA_SB);
    world_in(w, rnd_in(w, w->write_us / 2, w->write_us * 3 / 2), write_sb, nd,
             arg, ptr);
}

void
clients_start(struct world *w)
{
    world_in(w, w->write_us, write_nb, NULL, 0, NULL);
    world_in(w, w->write_us, write_sb, NULL, 0, NULL);
}

/* ---- northd ----------------------------------------------------------- */

static void
northd_works(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    if (!nd->northd.alive || nd->northd.life != life) {
        return;
    }
    if (nd->northd.running && node_runs(nd) && nd->db[HA_SB].server_up) {
        oracle_write(w, nd, HA_SB, "northd");
        db_append(&nd->db[HA_SB], nd->db[HA_SB].owner, w->next_id++, w->now);
    }
    world_in(w, NORTHD_US, northd_works, nd, life, ptr);
}

static void
northd_resumes(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    (void) w;
    (void) ptr;
    if (nd->northd.alive && nd->northd.life == life) {
        nd->northd.running = nd->northd.want_run;
    }
}

static void
northd_up(struct world *w, struct node *nd, uint64_t had_life, void *ptr)
{
    (void) ptr;
    if (!nd->up || !nd->had.alive || nd->had.life != had_life
        || nd->northd.alive) {
        return;
    }
    nd->northd.alive = true;
    nd->northd.running = false;
    nd->northd.life++;
    if (nd->northd.want_run) {
        world_in(w, rnd_in(w, 5, 60) * MS, northd_resumes, nd, nd->northd.life,
                 NULL);
    }
    world_in(w, NORTHD_US, northd_works, nd, nd->northd.life, NULL);
    node_local(w, nd);
}

/* Warm and paused, until it is told to run; one that lives is adopted. */
void
northd_start(struct world *w, struct node *nd)
{
    nd->northd.want_run = false;
    if (!nd->northd.alive) {
        world_in(w, rnd_in(w, 20, 300) * MS, northd_up, nd, nd->had.life,
                 NULL);
    }
}

/* ovn-had starts it again, as it was wanted last. */
void
northd_kill(struct world *w, struct node *nd)
{
    if (!nd->northd.alive) {
        return;
    }
    nd->northd.alive = nd->northd.running = false;
    if (nd->up && nd->had.alive) {
        node_local(w, nd);
        world_in(w, rnd_in(w, 20, 300) * MS, northd_up, nd, nd->had.life,
                 NULL);
    }
}

void
northd_set(struct world *w, struct node *nd, bool run)
{
    nd->northd.want_run = run;
    if (!run) {
        nd->northd.running = false;
    } else if (nd->northd.alive) {
        world_in(w, rnd_in(w, 5, 60) * MS, northd_resumes, nd, nd->northd.life,
                 NULL);
    }
}

/* ---- NB change to SB -------------------------------------------------- */

struct probe {
    uint32_t token;
    uint64_t had_life;
    int64_t give_up_at;
};

static void
probe_looks(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    const struct probe *p = ptr;
    bool done = node_runs(nd) && nd->northd.running && nd->db[0].server_up
                && nd->db[1].server_up && nd->door_open;
    struct ha_event ev = { .type = HA_EV_PROBED };

    if (!nd->up || !nd->had.alive || nd->had.life != p->had_life) {
        return;
    }
    if (!done && w->now < p->give_up_at) {
        world_in(w, 20 * MS, probe_looks, nd, arg, ptr);
        return;
    }
    ev.probed.token = p->token;
    ev.probed.error = done ? 0 : -110;
    had_post(w, nd, &ev);
}

void
northd_probe(struct world *w, struct node *nd, uint32_t token)
{
    struct probe *p = world_alloc(w, sizeof *p);

    *p = (struct probe){ token, nd->had.life, w->now + SEC };
    world_in(w, rnd_in(w, 15, 120) * MS, probe_looks, nd, 0, p);
}
