# SPDX-License-Identifier: Apache-2.0
"""Maintenance: corosync goes and comes on every node and no client notices;
whoever dies meanwhile is not replaced, until an operator has said enough."""

import itertools

import pytest
from lab import Corosync, wait_until
from watch import (Watch, bring_up, cluster, local, others, reconfigure, row,
                   shown, wait_state, wait_well, wait_why)


@pytest.fixture(scope="module", name="lab")
def _lab(make_lab):
    made = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(made)
    return made


def hactl(node, *args, stdin=None):
    """An ovn-hactl command; returns its result."""
    return node.exec(node.lab.program("ovn-hactl", "."), *args, stdin=stdin,
                     check=False, timeout=70)


def fine(node, *args):
    """The same, which has to go well; returns what it says."""
    done = hactl(node, *args)
    assert done.returncode == 0, done
    return done.stdout


def wait_paused(lab, deadline=40):
    """Waits until all know that the cluster is paused, and is else well."""
    def paused():
        views = [cluster(n) for n in lab.control]
        return all(v.get("pause", {}).get("state") == "on"
                   and v["in_force"] and v["health"] == "ok" for v in views)
    wait_until(paused, deadline, lambda: "all are paused; they say\n" +
               "\n".join(f"{n.name}: {cluster(n)}" for n in lab.control),
               interval=0.1)


def stop_corosync(*nodes):
    """Stops it on these nodes, as for an upgrade of it."""
    for node in nodes:
        node.service_stop("corosync")
    for node in nodes:
        wait_until(lambda n=node: local(n).get("corosync") is False, 20,
                   f"{node.name} has noticed")


def test_corosync_comes_and_goes(lab):
    """On one node after the other, and on all at once."""
    active = wait_well(lab)
    one, two = others(lab, active)
    with Watch(lab, "pause") as watch:
        watch.busy()
        assert "paused: roles stay" in fine(one, "pause")
        assert row(one, active.name)["lease_endless"]
        for node in (one, active, two):
            stop_corosync(node)
            watch.busy()
            node.start_corosync()
            wait_paused(lab)
        stop_corosync(*lab.control)
        # More than lease, token and any patience with a mute member.
        for _ in range(5):
            watch.busy(50)
        for node in lab.control:
            assert cluster(node)["pause"]["state"] == "on"
            shown(node, "corosync-down")
        assert local(active)["state"] == "active"
        assert cluster(active)["health"] == "degraded"
        # Without corosync anywhere the standbys still follow.
        written = watch.everywhere([active])
        for node, db in itertools.product((one, two), written):
            wait_until(lambda n=node, d=db: written[d] <= watch.rows(n, d),
                       20, f"{node.name} has what {db} has got meanwhile")
            assert local(node)["corosync"] is False
        told = active.log("lab/ovn-had.log").count("starts on")
        active.hactl("reload")
        watch.busy(50)
        for node in lab.control:
            node.start_corosync()
        wait_paused(lab)
        assert active.log("lab/ovn-had.log").count("starts on") > told
        done = hactl(two, "switchover")
        assert done.returncode == 1, done
        assert "the cluster is paused" in done.stderr
        done = hactl(two, "pause")
        assert done.returncode == 1 and "paused" in done.stderr, done
        assert "resumed" in fine(two, "resume")
        assert not row(one, active.name)["lease_endless"]
        assert wait_well(lab) is active
        watch.busy()
        watch.assert_undisturbed(active)
    assert "resume: asked for here by root" in two.hactl("history")
    for node in lab.control:
        # More than is shown by itself has happened since.
        assert "pause: all members have recorded it" in node.hactl(
            "history", "-n", "500")
    with Watch(lab, "resumed") as watch:
        watch.busy()
        fault = lab.crash(active.name)
        watch.acknowledged(fault)
        lab.boot(active.name)
        new = wait_well(lab)
        watch.assert_one_at_a_time(active, new)


def test_absent_member(lab):
    """All have to record it: one that is not here is named."""
    active = wait_well(lab)
    one, two = others(lab, active)
    stop_corosync(two)
    wait_until(lambda: two.name not in cluster(active)["group"], 20,
               f"{two.name} has left")
    done = hactl(one, "pause")
    assert done.returncode == 1, done
    assert f"{two.name} is not here" in done.stderr
    shown(two, "no-group")
    done = hactl(one, "resume")
    assert done.returncode == 1, done
    assert "the cluster is not paused" in done.stderr
    two.start_corosync()
    wait_well(lab)


def test_active_dies(lab):
    """Nobody is promoted; to resume says what is missing; an operator who
    has looked ends it."""
    old = wait_well(lab)
    one, two = others(lab, old)
    with Watch(lab, "paused_cut") as watch:
        watch.busy()
        fine(old, "pause")
        watch.busy()
        had = watch.everywhere([one, two])
        lab.crash(old.name)
        for node in (one, two):
            shown(node, "paused")
        done = hactl(one, "failover", "--allow-data-loss", "--yes")
        assert done.returncode == 1 and "paused" in done.stderr, done
        done = hactl(one, "resume")
        assert done.returncode == 1, done
        assert "a lease that has no end" in done.stderr
        assert f"ovn-hactl fence-ack {old.name}" in done.stderr
        for node in (one, two):
            shown(node, "endless")
            assert local(node)["state"] == "blocked"
            assert f"ovn-hactl fence-ack {old.name}" in node.hactl(
                "status", check=False)
        done = hactl(two, "fence-ack", old.name, "--yes")
        assert done.returncode == 0, done
        watch.busy()
        wait_until(lambda: cluster(two).get("pause") == {"state": "none"}, 40,
                   "the pause is over")
        new = next(n for n in (one, two)
                   if n.name == cluster(two)["active"])
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)


def test_active_is_cut_off(lab):
    """It serves on, alone, also once the others have resumed: its lease has no
    end, and they know it.  When they meet it gives that back; nothing moved."""
    active = wait_well(lab)
    rest = others(lab, active)
    epoch = cluster(active)["epoch"]
    with Watch(lab, "paused_apart") as watch:
        watch.busy()
        fine(active, "pause")
        lab.partition([active.name], [n.name for n in rest])
        for node in rest:
            shown(node, "paused")
        watch.busy()
        done = hactl(rest[0], "resume")
        assert done.returncode == 1, done
        assert "a lease that has no end" in done.stderr
        for node in rest:
            shown(node, "endless")
            wait_state(node, "blocked")
        # More than lease, token and any patience.
        for _ in range(3):
            watch.busy(50)
        assert local(active)["state"] == "active"
        assert row(active, active.name)["lease_endless"]
        lab.heal()
        for node in lab.control:
            wait_until(lambda n=node: cluster(n).get("pause")
                       == {"state": "none"}, 40, lambda n=node:
                       f"the pause is over: {cluster(n)}")
        assert wait_well(lab) is active
        assert not row(rest[0], active.name)["lease_endless"]
        assert cluster(active)["epoch"] == epoch
        watch.busy()
        watch.assert_undisturbed(active)


def test_the_active_is_stopped(lab):
    """Asked to leave, it says first that nobody takes over; when it is back,
    it serves again, in another epoch."""
    active = wait_well(lab)
    one = others(lab, active)[0]
    epoch = cluster(active)["epoch"]
    fine(one, "pause")
    done = hactl(active, "leave", stdin="\n")
    assert done.returncode == 1, done
    assert "no other node takes over" in done.stdout
    assert local(active)["state"] == "active"
    fine(active, "leave", "--yes")
    wait_why(one, "paused")
    wait_state(one, "blocked")
    active.start_ovn_had()
    wait_paused(lab)
    assert cluster(one)["active"] == active.name
    assert cluster(one)["epoch"] != epoch
    fine(one, "resume")
    assert wait_well(lab) is active


def test_proof_comes_too_late(lab):
    """The same as when the active dies, but it may have served for longer than
    is to be lost before an operator said that it is off."""
    for node in lab.control:
        reconfigure(node, "[quorum]\neligible-ms = 1000\n")
    old = wait_well(lab)
    one, two = others(lab, old)
    fine(old, "pause")
    lab.crash(old.name)
    shown(one, "paused")
    wait_until(lambda: local(one)["state_ms"] > 1000, 20, "it is too late")
    hactl(one, "resume")
    shown(one, "endless")
    assert hactl(two, "fence-ack", old.name, "--yes").returncode == 0
    for node in (one, two):
        shown(node, "pause-stale")
        assert not node.serves("nb", unix=True)
    lab.boot(old.name)
    wait_well(lab)


def test_its_disk_is_lost(lab):
    """It serves alone, paused, and comes back without a disk: what it served
    is gone, and an operator has to accept that."""
    old = wait_well(lab)
    one, two = others(lab, old)
    fine(old, "pause")
    lab.partition([old.name], [one.name, two.name])
    for node in (one, two):
        shown(node, "paused")
        wait_until(lambda n=node: local(n)["state_ms"] > 1000, 20, "a while")
    old.nbctl("ls-add", "served-alone")
    hactl(one, "resume")
    shown(one, "endless")
    lab.crash(old.name)
    lab.heal()
    lab.boot(old.name, empty_disk=True)
    for node in lab.control:
        wait_why(node, "pause-stale")
    shown(two, "pause-stale")
    done = hactl(two, "switchover", "--to", two.name)
    assert done.returncode == 1, done
    assert not any(n.serves("nb", unix=True) for n in lab.control)
    assert hactl(two, "failover", "--allow-data-loss", "--yes").returncode == 0
    assert wait_well(lab) in (one, two)
