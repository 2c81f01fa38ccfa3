# SPDX-License-Identifier: Apache-2.0
"""Nodes die and come back, under load, and the data plane notices nothing."""

import time

import pytest
from lab import Corosync, wait_until
from watch import (DataPlane, Watch, bring_up, cluster, others, row,
                   switch_to, wait_equal, wait_in_sync, wait_state,
                   wait_well)


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control and two compute nodes."""
    lab = make_lab(control=3, compute=2, corosync=Corosync.fast())
    bring_up(lab)
    return lab


@pytest.fixture(scope="module", autouse=True)
def plane(lab):
    """Runs through all tests; the last one looks at it."""
    return DataPlane(lab).start()


def test_power_cut_of_the_active(lab):
    """Another node takes over, and loses nothing but what was in flight.
    The old active becomes a standby by itself, catches up, is in sync."""
    old = wait_well(lab)
    with Watch(lab, "power") as watch:
        watch.busy()
        had = watch.everywhere(others(lab, old))
        fault = lab.crash(old.name)
        new = lab.wait_active(60, [n.name for n in others(lab, old)])
        watch.acknowledged(fault, new)
        assert row(new, old.name)["state"] == "absent"
        wait_in_sync(new, [n.name for n in others(lab, old)])

        lab.boot(old.name)
        assert wait_well(lab) is new
        assert row(new, old.name)["state"] == "standby"
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
        assert watch.turns("nb") == watch.turns("sb") == [old.name, new.name]
    wait_equal(lab)


def test_death_of_others(lab):
    """The death of another node, the coordinator too, and its return are
    nothing that a client of the active could notice."""
    coordinator, active, third = lab.control
    switch_to(lab, active)
    epoch = cluster(active)["epoch"]
    for victim in (coordinator, third):
        with Watch(lab, f"death_of_{victim.name}") as watch:
            watch.busy()
            lab.crash(victim.name)
            wait_until(lambda v=victim: v.name not in cluster(
                active)["group"], 20, "the group knows")
            watch.busy()
            lab.boot(victim.name)
            assert wait_well(lab) is active
            watch.busy()
            watch.assert_undisturbed(active)
        assert cluster(active)["epoch"] == epoch
    wait_equal(lab)


def test_both_standbys_lost(lab):
    """Without quorum the active stops.  When one standby returns, one of the
    two serves, with all that was ever acknowledged: what the active took
    after the standbys died is on no other disk."""
    active = wait_well(lab)
    first, second = others(lab, active)
    with Watch(lab, "alone") as watch:
        watch.busy()
        fault = lab.crash(first.name, second.name)
        watch.acknowledged(fault, active)
        wait_state(active, "isolated")
        for db in ("nb", "sb"):
            assert not active.serves(db) and not active.serves(db, unix=True)
        stopped = time.time()

        lab.boot(first.name)
        watch.acknowledged(stopped)
        lab.boot(second.name)
        new = wait_well(lab)
        assert new in (active, first)
        watch.busy()
        watch.assert_none_lost(new)
        watch.assert_one_at_a_time(active, new)
    wait_equal(lab)


def test_data_plane(plane):
    """Through all of the above: no packet lost, every new flow set up, never
    an OpenFlow rule less, ovn-controller not restarted."""
    plane.stop()
