# SPDX-License-Identifier: Apache-2.0
"""Pairs of control nodes of which each has a controller that can fence it."""

from lab import Bmc, Corosync, wait_until
from watch import (Watch, bring_up, cluster, local, others, wait_well,
                   wait_why)


def fenced_pair(make_lab, conf="", quorum=None, qnetd=False, **device):
    """A lab of two, all well, with 'conf' on each, and options for all
    devices; for a fixture."""
    corosync = Corosync.fast()
    corosync.quorum.update(quorum or {})
    made = make_lab(control=2, compute=0, corosync=corosync, qnetd=qnetd)
    made.bmc = {n.name: Bmc(n).start() for n in made.control}
    bring_up(made, conf + "".join(
        f"[fence {name}]\nlevel-1 = ipmi-{name}\n"
        + bmc.device(f"ipmi-{name}", retries=0, **device)
        for name, bmc in made.bmc.items()))
    try:
        yield made
    finally:
        for bmc in made.bmc.values():
            bmc.close()


def wait_devices(lab):
    """Waits until each node knows the other's controller to be well."""
    def well():
        return all(d["well"] for n in lab.control for d in local(n).get(
            "fencing", {}).get("devices", [{"well": False}]))
    wait_until(well, 90, "all fence devices are well")


def phases(node):
    """How far a node is with fencing each node that it has a device for."""
    told = local(node).get("fencing") or {}
    return [other["phase"] for other in told.get("nodes", [])]


def assert_takes_a_proof(lab, name, why, votes):
    """The active's power is cut while its controller hangs: with quorum, by
    this many votes, the other one waits, and says why.  Once the controller
    says that it is off, it serves."""
    old = wait_well(lab)
    new, = others(lab, old)
    wait_devices(lab)
    with Watch(lab, name) as watch:
        watch.busy()
        had = watch.everywhere([new])
        lab.bmc[old.name].stop()
        fault = lab.crash(old.name)
        wait_why(new, why)
        assert cluster(new)["quorate"] and new.votes() == votes
        assert not new.serves("nb", unix=True)
        lab.bmc[old.name].cont()
        watch.acknowledged(fault, new, deadline=120)
        assert f"verdict: node {old.index} serves no more: a fence device " \
            "has proven that it is off" in new.hactl("history")
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)


def mend(lab):
    """Whatever a test left behind, the next one finds all well."""
    lab.heal()
    for bmc in lab.bmc.values():
        bmc.set_mode("well")
        bmc.cont()
    for node in lab.nodes.values():
        if not node.pid:
            lab.boot(node.name)
    wait_well(lab)
