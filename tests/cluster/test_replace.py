# SPDX-License-Identifier: Apache-2.0
"""A control node is replaced for good, as doc/REPLACE.md says, on real
corosync: by a machine with the same id, and by one with another."""

import dataclasses

import pytest
from lab import Corosync, wait_until
from page import Page
from watch import Watch, cluster, others, wait_equal, wait_state, wait_well

PAGE = Page("REPLACE.md")


class Part:
    """Some control nodes of a lab, as if they were all."""

    def __init__(self, lab, *names):
        self.lab = lab
        self.control = [lab[name] for name in names]

    def __getattr__(self, name):
        return getattr(self.lab, name)

    def __getitem__(self, name):
        return self.lab[name]


@pytest.fixture(scope="module")
def lab(make_lab):
    """n1, n2 and n3 are a cluster, n1 active; n4 is new."""
    lab = make_lab(control=4, compute=0, corosync=dataclasses.replace(
        Corosync.fast(), nodes=["n1", "n2", "n3"]))
    three = Part(lab, "n1", "n2", "n3")
    lab.power_on(three.control)
    lab.start_corosync(three.control)
    lab.start_ovn_had(three.control)
    if wait_well(three).name != "n1":
        lab["n2"].hactl("switchover", "--to", "n1")
        wait_well(three)
    lab.open_ports(lab["n1"])
    lab["n1"].out("ovn-nbctl", "--no-leader-only", "--wait=sb", "ls-add",
                  "kept")
    return lab


def lose(lab, name):
    """Its hardware is dead, which the others have noticed."""
    lab[name].power_cut()
    wait_until(lambda: cluster(lab["n1"])["health"] == "degraded"
               and sorted(cluster(lab["n1"])["in_sync"]) == ["n1", "n2"], 30,
               "the others serve on")


def test_same_id(lab):
    """To the others it is back with an empty disk."""
    lose(lab, "n3")
    PAGE.run(lab, "Before")
    lab["n3"].erase_disk()
    lab["n3"].power_on()
    lab["n3"].start()
    three = Part(lab, "n1", "n2", "n3")
    assert wait_well(three) is lab["n1"]
    wait_equal(three)


def test_another_id(lab):
    """The new one is in sync, on a nodelist that changed under the others; the
    active has served on in its epoch."""
    n1, n4 = lab["n1"], lab["n4"]
    lose(lab, "n3")
    PAGE.run(lab, "Before")
    epoch = cluster(n1)["epoch"]
    PAGE.run(lab, "Another name, id and address")
    lab.corosync.nodes = ["n1", "n2", "n4"]
    n4.power_on()
    lab.start_role(n4, "corosync")
    n4.enable("ovn-had", args=["--wait"])
    n4.start_ovn_had()
    PAGE.run(lab, "After")
    now = Part(lab, "n1", "n2", "n4")
    assert wait_well(now) is n1
    wait_equal(now)
    assert cluster(n1)["epoch"] == epoch
    for node in now.control:
        assert sorted(cluster(node)["in_sync"]) == ["n1", "n2", "n4"]


def test_failover_to_it_counts(lab):
    """Of the three that are now members, one dies: without the new one's vote
    the other one could not go on."""
    now = Part(lab, "n1", "n2", "n4")
    old = wait_well(now)
    with Watch(now, "replaced") as watch:
        watch.busy()
        rest = others(now, old)
        had = watch.everywhere(rest)
        fault = lab.crash(old.name)
        new = lab.wait_active(60, [n.name for n in rest])
        watch.acknowledged(fault, new)
        assert lab["n4"] in rest and new.votes() == 2
        lab.boot(old.name)
        assert wait_well(now) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    wait_equal(now)


def test_old_one_returns(lab):
    """The node that was replaced is started, as it was: it is alone, and says
    so, and the others do not notice."""
    now, n3 = Part(lab, "n1", "n2", "n4"), lab["n3"]
    active = wait_well(now)
    epoch = cluster(active)["epoch"]
    with Watch(now, "returned") as watch:
        watch.busy()
        lab.corosync.nodes = ["n1", "n2", "n3"]
        n3.power_on()
        n3.start()
        lab.corosync.nodes = ["n1", "n2", "n4"]
        wait_state(n3, "isolated")
        PAGE.run(lab, "If the old n3 is started all the same")
        watch.busy(100)
        assert not n3.serves("nb") and not n3.serves("sb", unix=True)
        assert wait_well(now) is active
        assert cluster(active)["epoch"] == epoch
        watch.assert_undisturbed(active)
    n3.power_cut()
    wait_equal(now)


def test_all_of_the_page():
    """Every part with commands is run by a test."""
    assert PAGE.with_commands() == {
        "Before", "Another name, id and address", "After",
        "If the old n3 is started all the same"}
