/* SPDX-License-Identifier: Apache-2.0 */

/* Fence devices of a pair: each node can switch the other one off.
 *
 * What to run next and what to believe is fence/fencing's, the very object
 * that the product links; modelled are the devices behind it.  Device 0
 * switches; device 1, where there is one, only tells the truth.  A device
 * works on when its node is off, and outlives every process. */

#include "tests/sim/sim.h"

#include <string.h>

#define MONITOR_US (10 * SEC)
#define TIMEOUT_US (5 * SEC)

static void pump(struct world *, struct node *, uint64_t life, void *);

static struct node *
target_of(struct world *w, const struct node *nd)
{
    return &w->nodes[nd->id == 1 ? 1 : 0];
}

/* Tells the supervisor of the end of a request. */
static void
tell_end(struct world *w, struct node *nd)
{
    struct bmc *b = &nd->bmc;
    struct fencing_target *t = &b->fencing.targets[0];
    const struct node *victim = target_of(w, nd);
    struct ha_event ev;

    if (!b->asked
        || (t->phase != FENCING_FENCED && t->phase != FENCING_FAILED)) {
        return;
    }
    b->asked = false;
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_FENCED;
    ev.fenced.node = victim->id;
    ev.fenced.proven = t->phase == FENCING_FENCED;
    if (ev.fenced.proven && victim->boot == b->victim_boot) {
        violation(w, "false-proof",
                  "n%u believes that n%u is off, and it "
                  "was never",
                  nd->id, victim->id);
    }
    had_post(w, nd, &ev);
}

/* Somebody, or the device itself, switches it on again. */
static void
back(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    (void) ptr;
    if (!nd->up && nd->boot == boot && !w->faults_over) {
        node_boot(w, nd);
    }
}

static enum fencing_outcome
switch_off(struct world *w, struct node *nd)
{
    struct node *victim = target_of(w, nd);

    if (nd->bmc.mode == BMC_LIES) {
        nd->bmc.lied = true;
        return FENCING_GOOD;
    }
    if (victim->up) {
        tell(w, victim, "== fenced by n%u", nd->id);
        node_power_cut(w, victim);
        if (!w->opt.calm) {
            world_in(w, rnd_in(w, 500, 9000) * MS, back, victim, victim->boot,
                     NULL);
        }
    }
    return FENCING_GOOD;
}

/* What comes of a run. */
static enum fencing_outcome
outcome(struct world *w, struct node *nd, uint32_t device)
{
    const struct bmc *b = &nd->bmc;
    bool lies = device == 0 && b->lied;

    if (device == 0 && (b->mode == BMC_FAILS || b->mode == BMC_HANGS)) {
        return FENCING_BAD;
    }
    switch (b->fencing.devices[device].running) {
    case FENCING_STATUS:
        return lies || !target_of(w, nd)->up ? FENCING_IS_OFF : FENCING_GOOD;
    case FENCING_OFF:
        return switch_off(w, nd);
    default:
        return FENCING_GOOD;
    }
}

struct ending {
    uint32_t device;
    uint64_t life;
};

static void
ended(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    const struct ending *e = ptr;
    struct bmc *b = &nd->bmc;

    if (b->life != life || !nd->fence.alive || !nd->up) {
        return;
    }
    fencing_done(&b->fencing, e->device, outcome(w, nd, e->device),
                 "the device fails", node_clock(w, nd));
    if (!w->failed) {
        pump(w, nd, life, NULL);
    }
}

static void
pump(struct world *w, struct node *nd, uint64_t life, void *ptr)
{
    struct bmc *b = &nd->bmc;
    struct fencing_run run;
    mono_t due;

    (void) ptr;
    if (b->life != life || !nd->fence.alive || !nd->up) {
        return;
    }
    if (!node_runs(nd)) {
        world_in(w, 100 * MS, pump, nd, life, NULL);
        return;
    }
    while (fencing_next(&b->fencing, node_clock(w, nd), &run)) {
        struct ending *e = world_alloc(w, sizeof *e);
        bool hangs = run.device == 0 && b->mode == BMC_HANGS;

        e->device = run.device;
        world_in(w, hangs ? run.timeout_us : rnd_in(w, 30, 400) * MS, ended,
                 nd, life, e);
    }
    tell_end(w, nd);
    due = fencing_due(&b->fencing);
    if (due.us != MONO_NEVER.us) {
        world_at(w, node_god_time(w, nd, due), pump, nd, life, NULL);
    }
}

/* With the fence worker, whose child runs the agents. */
void
bmc_start(struct world *w, struct node *nd)
{
    struct bmc *b = &nd->bmc;
    struct fencing *f = &b->fencing;

    if (!w->policy.fence || !w->policy.devices.n) {
        return;
    }
    b->life++;
    b->asked = false;
    memset(f, 0, sizeof *f);
    f->n_devices = w->confirm ? 2 : 1;
    for (uint32_t i = 0; i < f->n_devices; i++) {
        f->devices[i].timeout_us = TIMEOUT_US;
        f->devices[i].monitor_us = MONITOR_US;
        f->devices[i].retries = 1;
    }
    f->n_targets = 1;
    f->targets[0].node = target_of(w, nd)->id;
    f->targets[0].levels[0].n = 1;
    f->targets[0].has_confirm = w->confirm;
    f->targets[0].confirm = 1;
    fencing_start(f, node_clock(w, nd));
    pump(w, nd, b->life, NULL);
}

static void
post_failure(struct world *w, struct node *nd)
{
    struct ha_event ev;

    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_FENCED;
    ev.fenced.node = target_of(w, nd)->id;
    had_post(w, nd, &ev);
}

/* The process that runs agents dies; what it was at is not known. */
void
bmc_crash(struct world *w, struct node *nd)
{
    nd->bmc.life++;
    if (nd->bmc.asked) {
        nd->bmc.asked = false;
        post_failure(w, nd);
    }
}

/* The core asks for it. */
void
bmc_fence(struct world *w, struct node *nd, uint32_t node)
{
    struct bmc *b = &nd->bmc;

    if (!nd->fence.alive
        || fencing_request(&b->fencing, node, ++b->token, node_clock(w, nd))) {
        post_failure(w, nd);
        return;
    }
    b->asked = true;
    b->victim_boot = target_of(w, nd)->boot;
    if (!target_of(w, nd)->up) {
        b->victim_boot--; /* It is off already. */
    }
    pump(w, nd, b->life, NULL);
}

/* What is wrong with the device by which 'nd' fences the other. */
void
bmc_set_mode(struct world *w, struct node *nd, enum bmc_mode mode)
{
    static const char *const texts[] = { "works", "fails", "hangs", "lies" };

    tell(w, nd, "== its fence device %s", texts[mode]);
    nd->bmc.mode = mode;
    nd->bmc.lied = false;
}
