# SPDX-License-Identifier: Apache-2.0
"""The control nodes lose sight of each other, while clients still reach all
of them: what an old active promises then, nobody else hears.

The lease is three times as long as corosync's detection here, so that a new
active that would not wait for its end would be caught."""

import time

import pytest
from lab import Corosync, wait_until
from watch import (DataPlane, Watch, bring_up, cluster, diverged, others, row,
                   switch_to, wait_equal, wait_state, wait_well)

CONF = "[timing]\nlease-ms = 3000\n"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control and two compute nodes."""
    lab = make_lab(control=3, compute=2, corosync=Corosync.fast())
    bring_up(lab, CONF)
    return lab


@pytest.fixture(scope="module", autouse=True)
def plane(lab):
    """Runs through all tests; the last one looks at it."""
    return DataPlane(lab).start()


def assert_set_aside(watch, lost, old):
    """What only 'old' had acknowledged is in the files that it set aside."""
    texts = diverged(old)
    for db, gone in lost.items():
        for entry in gone:
            name = watch.ledger(db).row(entry.number)
            assert any(f'"{name}"' in text for text in texts), name


def group_is(node, members):
    """Whether a node's group is exactly these."""
    return sorted(cluster(node).get("group", [])) == sorted(
        n.name for n in members)


def views(lab):
    """How often any node has seen others come or go."""
    return [n.hactl("history", "-n", "500").count("group: members are")
            for n in lab.control]


def heal_isolated(lab, node):
    """Heals all once the node knows that it is alone."""
    wait_state(node, "isolated")
    lab.heal()


def take_over(lab, watch, old, cut, heal):
    """The active is cut off by 'cut': one of the others serves once the old
    one does so no more.  Healed, the old one is a standby; what it alone
    had acknowledged is set aside."""
    rest = others(lab, old)
    watch.busy()
    had = watch.everywhere(rest)
    cut()
    new = lab.wait_active(60, [n.name for n in rest])
    watch.acknowledged(time.time(), new)
    heal()
    assert wait_well(lab) is new
    assert row(new, old.name)["state"] == "standby"
    watch.busy()
    lost = watch.assert_lost_in_flight(new, old, had)
    watch.assert_one_at_a_time(old, new)
    assert watch.turns("nb") == watch.turns("sb") == [old.name, new.name]
    assert_set_aside(watch, lost, old)
    return lost


def test_partition_of_the_active(lab):
    """Until its lease ends it acknowledges writes that are lost; they are
    counted, and set aside.  Nobody serves before that."""
    old = wait_well(lab)
    with Watch(lab, "old") as watch:
        lost = take_over(lab, watch, old, lambda: lab.partition(
            [old.name], [n.name for n in others(lab, old)]),
            lambda: heal_isolated(lab, old))
        assert all(lost.values()), "it did not serve on under its lease"
    wait_equal(lab)


def test_partition_of_a_frozen_active(lab):
    """The supervisor of the active stands still and cannot learn that quorum
    is lost.  Its lease runs out all the same, and nobody serves before."""
    old = wait_well(lab)

    def cut():
        old.stop("ovn-had")
        lab.partition([old.name], [n.name for n in others(lab, old)])

    def heal():
        for db in ("nb", "sb"):
            assert not old.serves(db) and not old.serves(db, unix=True)
        old.cont("ovn-had")
        wait_state(old, "isolated")
        lab.heal()
    with Watch(lab, "frozen") as watch:
        take_over(lab, watch, old, cut, heal)
    wait_equal(lab)


@pytest.mark.parametrize("outward", [True, False], ids=["mute", "deaf"])
def test_one_way_cut_of_the_active(lab, outward):
    """The active is heard no more, or hears no more: the same."""
    old = wait_well(lab)

    def cut():
        for node in others(lab, old):
            ends = (old, node) if outward else (node, old)
            lab.cut(ends[0].name, ends[1].name, one_way=True)
    with Watch(lab, "mute" if outward else "deaf") as watch:
        take_over(lab, watch, old, cut, lambda: heal_isolated(lab, old))
    wait_equal(lab)


def test_partition_of_a_standby(lab):
    """A standby, the coordinator too, is cut off and comes back: nothing
    that a client of the active could notice."""
    coordinator, active, third = lab.control
    switch_to(lab, active)
    epoch = cluster(active)["epoch"]
    for victim in (coordinator, third):
        rest = others(lab, victim)
        aside = len(diverged(victim))
        with Watch(lab, f"away_{victim.name}") as watch:
            watch.busy()
            lab.partition([victim.name], [n.name for n in rest])
            wait_until(lambda r=rest: group_is(active, r), 20,
                       "the active's group knows")
            wait_state(victim, "isolated")
            watch.busy()
            lab.heal()
            assert wait_well(lab) is active
            watch.busy()
            watch.assert_undisturbed(active)
        assert cluster(active)["epoch"] == epoch
        assert len(diverged(victim)) == aside
    wait_equal(lab)


def test_flapping_link(lab):
    """The link of the active comes and goes: first for moments, in which it is
    not missed, and then until it is.  The role moves once; from then on it is
    the link of a standby that flaps, and that moves nothing."""
    old = wait_well(lab)
    rest = others(lab, old)

    def cut():
        lab.partition([old.name], [n.name for n in rest])

    def flap():
        cut()
        wait_until(lambda: group_is(new, rest), 40, "it is missed")
        lab.heal()
        wait_until(lambda: group_is(new, lab.control), 40, "it is back")
    with Watch(lab, "flapping") as watch:
        watch.busy()
        epoch, missed = cluster(old)["epoch"], views(lab)
        for _ in range(10):
            cut()
            lab.heal()
            watch.busy(5)
        if views(lab) == missed:
            assert cluster(old)["epoch"] == epoch

        had = watch.everywhere(rest)
        cut()
        new = lab.wait_active(60, [n.name for n in rest])
        epoch = cluster(new)["epoch"]
        lab.heal()
        wait_until(lambda: group_is(new, lab.control), 40, "it is back")
        for _ in range(6):
            flap()
        assert wait_well(lab) is new
        assert cluster(new)["epoch"] == epoch
        watch.busy()
        lost = watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
        assert watch.turns("nb") == watch.turns("sb") == [old.name, new.name]
        assert_set_aside(watch, lost, old)
    wait_equal(lab)


def test_all_apart(lab):
    """No two nodes see each other: nobody serves.  Healed, one of them
    serves with all that was ever acknowledged, also what no other had."""
    old = wait_well(lab)
    a, b = others(lab, old)
    with Watch(lab, "apart") as watch:
        watch.busy()
        fault = time.time()
        lab.partition([old.name], [a.name], [b.name])
        watch.acknowledged(fault, old)
        for node in lab.control:
            wait_state(node, "isolated")
            for db in ("nb", "sb"):
                assert not node.serves(db) and not node.serves(db, unix=True)
        stopped = time.time()
        lab.heal()
        watch.acknowledged(stopped)
        new = wait_well(lab)
        watch.busy()
        watch.assert_none_lost(new)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_pair_that_cannot_meet(lab):
    """The active and one standby do not see each other, but both see the
    third: whatever corosync makes of it, two never serve at once, and when
    it is over all is well and nothing is lost but what was in flight."""
    old = wait_well(lab)
    for other, one_way in zip(others(lab, old), (False, True)):
        before = wait_well(lab)
        with Watch(lab, f"pair_{other.name}") as watch:
            watch.busy()
            had = watch.everywhere(others(lab, before))
            lab.cut(old.name, other.name, one_way=one_way)
            wait_until(lambda: any(not group_is(n, lab.control)
                                   for n in lab.control), 20,
                       "corosync notices")
            lab.heal()
            new = wait_well(lab)
            watch.busy()
            if new is before:
                watch.assert_none_lost(new)
                watch.assert_one_at_a_time(before)
            else:
                watch.assert_lost_in_flight(new, before, had)
                watch.assert_one_at_a_time(before, new)
    wait_equal(lab)


def test_data_plane(plane):
    """Through all of the above: no packet lost, every new flow set up, never
    an OpenFlow rule less, ovn-controller not restarted."""
    plane.stop()
