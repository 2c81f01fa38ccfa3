# SPDX-License-Identifier: Apache-2.0
"""Every process of the active stands still for longer than its lease and the
failover, while clients hold connections to it and have writes in flight; then
all of it goes on.  Counted is what the old active acknowledges after the new
one was promoted.

OVN_HA_FROZEN_ROUNDS=100 makes it a hundred times."""

import os

import pytest
from held import hold_often
from lab import Bmc, Corosync, wait_until
from pairs import fenced_pair, wait_devices
from watch import (bring_up, local, others, reconfigure, setting, status,
                   wait_well)

ROUNDS = int(os.environ.get("OVN_HA_FROZEN_ROUNDS", "2"))


@pytest.fixture(scope="module")
def lab(make_lab):
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def wait_kernel_lease(lab, state):
    """Waits until this is so on all nodes, by their own account."""
    def states():
        return [local(n).get("fence", {}).get("kernel_lease", {})
                for n in lab.control]
    wait_until(lambda: all(s.get("state") == state for s in states()), 20,
               lambda: f"{state}: {states()}")
    return states()


def test_frozen_active(lab):
    wait_kernel_lease(lab, "used")
    assert hold_often(lab, "with", ROUNDS) == 0


def reconfigure_all(lab, conf):
    """Gives all nodes another configuration."""
    for node in lab.control:
        reconfigure(node, conf)


def test_without_lease_in_the_kernel(lab):
    """Switched off at run time: the old active's writes are acknowledged, and
    lost.  Everything else works."""
    active = wait_well(lab)
    reconfigure_all(lab, "[node]\nkernel-lease = off\n")
    states = wait_kernel_lease(lab, "unused")
    assert {s["why"] for s in states} == {"kernel-lease is off"}
    for node in lab.control:
        assert "ovn_ha" not in node.out("nft", "list", "tables")
    assert wait_well(lab) is active
    assert hold_often(lab, "without", ROUNDS) > 0


def test_fenced_by_an_operator(lab):
    """As before, but whoever sees the promotion has the old active fenced
    (ovn-hactl fence): it never goes on."""
    wait_well(lab)
    bmcs = [Bmc(n).start() for n in lab.control]
    try:
        reconfigure_all(lab, "[node]\nkernel-lease = off\n" + "".join(
            f"[fence {b.name}]\nlevel-1 = ipmi-{b.name}\n"
            + b.device(f"ipmi-{b.name}", retries=0) for b in bmcs))
        wait_until(lambda: all(
            d["well"] for n in lab.control for d in local(n).get(
                "fencing", {}).get("devices", [{"well": False}])), 90,
            lambda: f"all devices are well: {status(lab.control[0])}")

        def promoted(old, new):
            new.hactl("fence", old.name, "--yes", timeout=60)
            assert not old.pid
        assert hold_often(lab, "fenced", (ROUNDS + 1) // 2, promoted) == 0
    finally:
        for bmc in bmcs:
            bmc.close()


@pytest.fixture(scope="module")
def pair(make_lab):
    yield from fenced_pair(make_lab, "[node]\nkernel-lease = off\n")


def test_pair(pair):
    """A pair, in which nobody is promoted before the other one is off."""
    for node in wait_well(pair), *others(pair, wait_well(pair)):
        assert setting(node, "kernel-lease") == "off"
    wait_devices(pair)

    def promoted(old, _):
        assert not old.pid
    assert hold_often(pair, "pair", (ROUNDS + 1) // 2, promoted) == 0
