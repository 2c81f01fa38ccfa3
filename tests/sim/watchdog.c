/* SPDX-License-Identifier: Apache-2.0 */

/* Watchdogs, with --watchdog, and then without the lease that the kernel
 * holds: what else ends a door that nobody closes.
 *
 * As in fence/feed: armed while the door is not proven to be closed, and fed
 * only while the bite that this puts off comes within the lease. */

#include "tests/sim/sim.h"

static void
reboot(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    (void) ptr;
    if (nd->boot == boot) {
        node_boot(w, nd);
    }
}

static void
look(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    mono_t at = { nd->watchdog_bites };

    (void) ptr;
    if (nd->boot != boot) {
        return;
    }
    nd->watchdog_ticks = false;
    if (!nd->watchdog_bites) {
        return;
    }
    if (mono_before(node_clock(w, nd), at)) {
        nd->watchdog_ticks = true;
        world_at(w, node_god_time(w, nd, at), look, nd, boot, NULL);
        return;
    }
    tell(w, nd, "== its watchdog resets it");
    oracle_fault(w);
    nd->door_stuck_until = 0;
    node_power_cut(w, nd);
    world_in(w, rnd_in(w, 500, 5000) * MS, reboot, nd, nd->boot, NULL);
}

/* Puts the bite off until the lease ends; one without an end lasts for a
 * while. */
void
watchdog_feed(struct world *w, struct node *nd)
{
    mono_t now = node_clock(w, nd);
    mono_t until = lease_holder_until(&nd->fence.holder);

    if (!w->opt.watchdog) {
        return;
    }
    nd->watchdog_bites = mono_min(until, mono_add_us(now, w->cfg.lease_us)).us;
    if (!nd->watchdog_ticks) {
        nd->watchdog_ticks = true;
        world_at(w, w->now, look, nd, nd->boot, NULL);
    }
}

/* The door is closed, or the machine is off. */
void
watchdog_disarm(struct node *nd)
{
    nd->watchdog_bites = 0;
}
