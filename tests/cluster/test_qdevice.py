# SPDX-License-Identifier: Apache-2.0
"""A pair with a quorum device: real corosync-qnetd and corosync-qdevice, over
TLS.  The device says who of the two may act; that the other one is dead, it
cannot say."""

import time

import pytest
from chaos.rounds import assert_rounds
from chaos.topologies import TOPOLOGIES
from lab import CommandError, wait_until
from pairs import assert_takes_a_proof, fenced_pair, mend, wait_devices
from watch import (Watch, cluster, local, others, wait_state, wait_well,
                   wait_why)


@pytest.fixture(scope="module")
def lab(make_lab):
    """n1 and n2, each with a controller, and q1."""
    yield from fenced_pair(make_lab, qnetd=True)


@pytest.fixture(autouse=True)
def afterwards(lab):
    """The next test finds all well."""
    yield
    mend(lab)
    lab.wait_quorate()


def fencings(node):
    """How often it asked for one, as its history has it."""
    return node.hactl("history", "--lines", "100000").count("fencing: node")


def test_power_cut(lab):
    """The active's power is cut.  The device's vote alone promotes nobody: only
    once the old active is proven to be off does the other one serve."""
    old = wait_well(lab)
    new, = others(lab, old)
    assert local(new)["fencing"]["no_quorum_policy"] == "stop"
    with pytest.raises(CommandError, match="pair that lives on fencing"):
        new.hactl("drill", "isolate", "--yes")
    assert_takes_a_proof(lab, "qdevice_power", "fencing", votes=2)


def test_cut_link(lab):
    """Neither sees the other, both see the device: one gets its vote, has the
    other one fenced and serves; never both."""
    old = wait_well(lab)
    wait_devices(lab)
    with Watch(lab, "qdevice_cut") as watch:
        watch.busy()
        had = watch.everywhere(others(lab, old))
        lab.cut("n1", "n2")
        wait_until(lambda: not all(n.pid for n in lab.control), 120,
                   "one of the two is fenced")
        winner, = [n for n in lab.control if n.pid]
        watch.acknowledged(time.time(), winner)
        wait_until(lambda: cluster(winner).get("in_sync") == [winner.name],
                   20, "it stands alone")
        lab.heal()
        lab.boot(*[n.name for n in others(lab, winner)])
        assert wait_well(lab) is winner
        watch.busy()
        if winner is old:
            watch.assert_undisturbed(old)
        else:
            watch.assert_lost_in_flight(winner, old, had)
            watch.assert_one_at_a_time(old, winner)


def test_device_lost(lab):
    """Without the device the two are a majority, and no client notices.  If the
    standby dies then, too, the active has no quorum: it stops, and nobody
    is fenced.  With the device back it serves again, and nothing is lost."""
    active = wait_well(lab)
    standby, = others(lab, active)
    wait_devices(lab)
    with Watch(lab, "qdevice_lost") as watch:
        watch.busy()
        lab.cut("q1")
        wait_until(lambda: all(n.votes() == 2 for n in lab.control), 60,
                   "the device's vote is gone")
        watch.busy()
        assert local(active)["state"] == "active"
        assert watch.turns("nb") == watch.turns("sb") == [active.name]

        tried = fencings(active)
        lab.crash(standby.name)
        wait_state(active, "isolated", 60)
        assert not active.serves("nb", unix=True)
        assert fencings(active) == tried
        lab.heal("q1")
        watch.acknowledged(time.time(), active, deadline=120)
        assert fencings(active) > tried
        lab.boot(standby.name)
        assert wait_well(lab) is active
        watch.assert_none_lost(active)
        watch.assert_one_at_a_time(active)


def test_random_rounds(lab):
    """Rounds of random faults, as tests/chaos/run plays many of."""
    assert_rounds(lab, TOPOLOGIES["qdevice"], seed=1, numbers=[1])
