# SPDX-License-Identifier: Apache-2.0
"""Five control nodes: what three stand of one fault, five stand of two."""

import pytest
from chaos.rounds import assert_rounds
from chaos.topologies import TOPOLOGIES
from lab import Corosync
from watch import (Watch, bring_up, others, status, wait_equal, wait_state,
                   wait_well)


@pytest.fixture(scope="module")
def lab(make_lab):
    """Five control nodes."""
    lab = make_lab(control=5, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def names(nodes):
    """Their names."""
    return [n.name for n in nodes]


def test_power_cut_of_two(lab):
    """The active and a standby lose their power at once; one of the other
    three serves, and nothing is lost but what was in flight."""
    old = wait_well(lab)
    second, *rest = others(lab, old)
    with Watch(lab, "five_power") as watch:
        watch.busy()
        had = watch.everywhere(rest)
        fault = lab.crash(old.name, second.name)
        new = lab.wait_active(60, names(rest))
        watch.acknowledged(fault, new)
        lab.boot(old.name, second.name)
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_partition_three_two(lab):
    """The active is on the side of two, which stops; then on the side of
    three, where no client notices anything."""
    old = wait_well(lab)
    second, *rest = others(lab, old)
    with Watch(lab, "five_minority") as watch:
        watch.busy()
        had = watch.everywhere(rest)
        lab.partition(names([old, second]), names(rest))
        new = lab.wait_active(60, names(rest))
        wait_state(old, "isolated")
        wait_state(second, "isolated")
        lab.heal()
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    away = [n for n in lab.control if n is not new][:2]
    with Watch(lab, "five_majority") as watch:
        watch.busy()
        lab.partition(names(away), names(others(lab, *away)))
        for node in away:
            wait_state(node, "isolated")
        watch.busy()
        lab.heal()
        assert wait_well(lab) is new
        watch.assert_undisturbed(new)
    wait_equal(lab)


def test_switchover(lab):
    """The role goes to the node that is named, and nothing is lost."""
    old = wait_well(lab)
    new = others(lab, old)[-1]
    with Watch(lab, "five_switch") as watch:
        watch.busy()
        old.hactl("switchover", "--to", new.name, timeout=70)
        assert wait_well(lab) is new, status(old)
        watch.busy()
        watch.assert_none_lost(new)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_random_rounds(lab):
    """Rounds of random faults, as tests/chaos/run plays many of."""
    assert_rounds(lab, TOPOLOGIES["five"], seed=1, numbers=[4])
