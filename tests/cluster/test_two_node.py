# SPDX-License-Identifier: Apache-2.0
"""A pair with two_node, and so wait_for_all: to corosync each half of it has
quorum.  That alone lets nobody serve."""

import pytest
from chaos.rounds import assert_rounds
from chaos.topologies import TOPOLOGIES
from lab import CommandError, wait_until
from pairs import (assert_takes_a_proof, fenced_pair, mend, phases,
                   wait_devices)
from watch import Watch, cluster, others, shown, wait_state, wait_well


@pytest.fixture(scope="module")
def lab(make_lab):
    """A pair, each with a controller.  The policy is given as people do who
    do not trust in defaults."""
    yield from fenced_pair(
        make_lab, "[quorum]\nno-quorum-policy = fence\n"
        "fence-delay-ms = 8000\n", quorum={"two_node": 1})


@pytest.fixture(autouse=True)
def afterwards(lab):
    """The next test finds all well."""
    yield
    mend(lab)


def alone(node):
    """Whether it sees nobody else, or is off already."""
    try:
        return not node.pid or node.votes() == 1
    except CommandError:
        return not node.pid


def test_cut_link(lab):
    """Both halves have quorum.  The active has the standby fenced and serves
    on, and no client notices."""
    active = wait_well(lab)
    standby, = others(lab, active)
    wait_devices(lab)
    with Watch(lab, "two_node_cut") as watch:
        watch.busy()
        lab.cut(active.name, standby.name)
        wait_until(lambda: alone(standby), 40,
                   "the standby is alone, with quorum")
        wait_until(lambda: not standby.pid, 120, "the standby is fenced")
        watch.busy()
        lab.heal()
        lab.boot(standby.name)
        assert wait_well(lab) is active
        watch.assert_undisturbed(active)


def test_power_cut(lab):
    """The active's power is cut while its controller hangs: quorum is not the
    proof that it is off.  With it the other one serves."""
    assert_takes_a_proof(lab, "two_node_power", "fencing", votes=1)


def test_cold_start(lab):
    """Both lose their power.  The one that is back first has no quorum, because
    corosync waits for both, and fences nobody; when both are there, one
    serves."""
    active = wait_well(lab)
    standby, = others(lab, active)
    lab.crash(active.name, standby.name)
    lab.boot(standby.name)
    shown(standby, "unmet", 60)
    wait_state(standby, "blocked")
    assert not cluster(standby)["quorate"]
    wait_until(lambda: phases(standby), 20,
               "its fence devices are looked after")
    assert phases(standby) == ["idle"]
    lab.boot(active.name)
    wait_well(lab)


def test_random_rounds(lab):
    """Rounds of random faults, as tests/chaos/run plays many of."""
    assert_rounds(lab, TOPOLOGIES["two-node"], seed=1, numbers=[7, 5])
