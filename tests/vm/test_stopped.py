# SPDX-License-Identifier: Apache-2.0
"""The active is a virtual machine that its hypervisor stops, for longer than
lease and failover, and then lets go on.  Its clocks have stood still, too: by
them, and by those of its kernel, its lease is not over.  Only a fence device
helps against that."""

import pytest
from held import hold_often
from lab import Bmc, wait_until
from labs import lab_maker
from machine import Machine, MachineLab
from watch import bring_up, local, switch_to

TIMING = "[timing]\nlease-ms = 5000\n"


@pytest.fixture
def make_lab(request):
    """One at a time: two machines would be in each other's way."""
    yield from lab_maker(request, MachineLab)


def hold(lab, name, promoted=lambda old, new: None):
    """Holds the machine, which serves, once; see held.py."""
    switch_to(lab, lab.machine)
    return hold_often(lab, name, 1, promoted, halt=Machine.pause,
                      go_on=Machine.go_on, rate=3)


def test_without_fencing(make_lab):
    """What was in its buffers is acknowledged and lost, as README.md says.
    Then it learns what it missed, and everyone leaves it."""
    lab = make_lab(control=3)
    bring_up(lab, TIMING)
    assert hold(lab, "alone") > 0
    assert local(lab.machine)["state"] == "standby"


@pytest.fixture
def pair(make_lab):
    """Only the machine can be fenced.  An agent is a program of some size,
    which an emulated machine does not run in time."""
    made = make_lab(control=2)
    bmc = Bmc(made.machine).start()
    other = made.control[1]
    bring_up(made, {
        made.machine.name: TIMING,
        other.name: f"{TIMING}[fence {made.machine.name}]\nlevel-1 = ipmi\n"
        + bmc.device("ipmi", retries=0)})
    wait_until(lambda: all(d["well"] for d in local(other).get(
        "fencing", {}).get("devices", [{"well": False}])), 90,
        "the fence device is well")
    yield made
    bmc.close()


def test_with_fencing(pair):
    """The other one is promoted on a proof alone: then the machine is off, and
    acknowledges nothing."""
    def promoted(old, _):
        assert old is pair.machine and not old.pid
    assert hold(pair, "fenced", promoted) == 0
