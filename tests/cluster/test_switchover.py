# SPDX-License-Identifier: Apache-2.0
"""Planned moves: no acknowledged write is lost, and what may not be is
refused in one clear line."""

import signal
import time

import pytest
from lab import Corosync, wait_until
from preload import build_preload
from watch import (DataPlane, NoReplication, Watch, bring_up, cluster, local,
                   others, row, shown, switch_to, wait_equal, wait_in_sync,
                   wait_state, wait_well)

MOVES = 10

# A standby that hears nothing leaves the in-sync set soon; a worker that hangs
# is replaced only after longer than a move waits for it.
CONF = "[insync]\nlag-ms = 3000\n[timing]\nhang-ms = 12000\n"


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


def hactl(node, *args):
    """ovn-hactl's exit status, output and errors."""
    done = node.exec(node.lab.program("ovn-hactl", "."), *args, check=False,
                     timeout=70)
    return done.returncode, done.stdout, done.stderr


def no_complaint(err):
    """A verification that takes its time, before a switchover, says so."""
    return all("(before the switchover; " in line for line in err.splitlines())


def assert_refused(node, status, text, *args):
    """A switchover ends with this exit status and one line with 'text'."""
    code, out, err = hactl(node, "switchover", *args)
    assert (code, out) == (status, ""), (code, out, err)
    assert err.startswith("ovn-hactl: ") and text in err, err
    assert err.count("\n") == 1 and err.endswith("\n"), err


def test_there_and_back(lab):
    """Ten switchovers under load, to any node or to the one that was named:
    each write that was acknowledged is there."""
    first = active = wait_well(lab)
    back = others(lab, first)[0]
    with Watch(lab, "moves") as watch:
        served = [first.name]
        for move in range(MOVES):
            watch.busy()
            wait_well(lab)
            to = back if active is first else first
            begin = time.time()
            code, out, err = hactl(to, "switchover", "--to", to.name)
            assert code == 0 and no_complaint(err), err
            assert out.startswith(f"{active.name} -> {to.name} in "), out
            watch.acknowledged(begin, to)
            served.append(to.name)
            active = to
        assert wait_well(lab) is first and move == MOVES - 1
        watch.assert_none_lost(first)
        watch.assert_one_at_a_time(first, back)
        assert watch.turns("nb") == watch.turns("sb") == served
    wait_equal(lab)


def test_to_the_best(lab):
    """Without a name the best of the others takes over, whoever is asked."""
    old = wait_well(lab)
    with Watch(lab, "best") as watch:
        for node in lab.control:
            watch.busy()
            before = wait_well(lab)
            code, out, err = hactl(node, "switchover")
            new = wait_well(lab)
            assert code == 0 and no_complaint(err), err
            assert out.startswith(f"{before.name} -> {new.name} in "), out
            assert new is not before
        watch.busy()
        watch.assert_none_lost(wait_well(lab))
        assert watch.turns("nb")[0] == old.name
        assert watch.prober.overlaps() == []


def test_refusals(lab):
    """To the active itself, to nobody, with wrong arguments."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    epoch = cluster(active)["epoch"]
    for node in (active, standby):
        assert_refused(node, 1, f"{active.name} is the active already",
                       "--to", active.name)
        assert_refused(node, 1, "there is no node nonsense",
                       "--to", "nonsense")
        assert_refused(node, 1, "there is no node ", "--to", "")
        assert_refused(node, 2, "one argument too many", standby.name)
        assert_refused(node, 2, "is not a number", "--timeout", "soon")
        assert_refused(node, 2, "does not take that option", "--json")
    assert cluster(active)["epoch"] == epoch
    assert wait_well(lab) is active


def test_not_in_sync(lab):
    """A node that does not get the log leaves the in-sync set, may not
    become active, and is passed over when the active dies."""
    active = wait_well(lab)
    stale, good = others(lab, active)
    with Watch(lab, "stale") as watch:
        watch.busy()
        with NoReplication(stale, active):
            wait_in_sync(active, [active.name, good.name])
            watch.busy()
            for node in lab.control:
                wait_until(lambda n=node: not row(n, stale.name)["in_sync"],
                           10, "everyone knows")
                assert_refused(node, 1, "may not become active: it was not "
                               "in sync", "--to", stale.name)
                shown(node, "not-in-sync")
            watch.busy()
            had = watch.everywhere([good])
            fault = lab.crash(active.name)
            watch.acknowledged(fault, good)
        lab.boot(active.name)
        assert wait_well(lab) is good
        watch.assert_lost_in_flight(good, active, had)
        watch.assert_one_at_a_time(active, good)
    wait_equal(lab)


def test_stop_of_the_active(lab):
    """The service of the active is stopped: it hands over first, ends all
    that it ran, and when started again it is a standby."""
    old = wait_well(lab)
    with Watch(lab, "stop") as watch:
        watch.busy()
        old.service_stop("ovn-had")
        stopped = time.time()
        for what in ("ovn-had", "fence", "replica", "nb", "sb", "northd"):
            assert old.find(what) == [], what
        new = lab.wait_active(10)
        watch.acknowledged(stopped, new)
        assert new is not old
        old.start_ovn_had()
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_none_lost(new)
        watch.assert_one_at_a_time(old, new)
        assert watch.turns("nb") == watch.turns("sb") == [old.name, new.name]
    wait_equal(lab)


def test_stop_of_a_standby(lab):
    """The service of a standby is stopped and started: nothing that a client
    of the active could notice."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    with Watch(lab, "pause") as watch:
        watch.busy()
        standby.service_stop("ovn-had")
        wait_in_sync(active, [n.name for n in others(lab, standby)])
        watch.busy()
        standby.start_ovn_had()
        assert wait_well(lab) is active
        watch.busy()
        watch.assert_undisturbed(active)
    wait_equal(lab)


def test_stop_of_all(lab):
    """All services are stopped, the active's first, and started again: the
    last one to serve had all."""
    wait_well(lab)
    with Watch(lab, "all") as watch:
        watch.busy()
        while serving := lab.serving("nb"):
            serving[0].service_stop("ovn-had")
        for node in lab.control:
            node.service_stop("ovn-had")
            assert node.find("nb") == []
        stopped = time.time()
        for node in lab.control:
            node.start_ovn_had()
        watch.acknowledged(stopped)
        new = wait_well(lab)
        watch.assert_none_lost(new)
        assert watch.prober.overlaps() == []
    wait_equal(lab)


def test_called_off(lab):
    """The old active's replica worker does not say where its log ends: the
    move is called off, the operator is told why, and all that was
    acknowledged is there."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    epoch = int(cluster(active)["epoch"].split(".")[0])
    with Watch(lab, "off") as watch:
        watch.busy()
        stopped = [p for p in active.find("replica") if "--db=nb" in p.args]
        active.stop(stopped[0].pid)
        assert_refused(standby, 1, f"{active.name} is active again: the node "
                       "that hands over does not say where its log ends",
                       "--to", standby.name, "--no-verify")
        assert wait_well(lab) is active
        assert int(cluster(active)["epoch"].split(".")[0]) == epoch + 2
        assert stopped[0].gone()
        watch.busy()
        watch.assert_none_lost(active)
        watch.assert_one_at_a_time(active, active)
    wait_equal(lab)


def test_door_closes_slowly(lab, tmp_path):
    """A database server of the old active stands still, is killed so that the
    door is shut, and does not end, as if it waited for its disk.  Whoever was
    named waits for it, for longer than any lease, and nobody serves; then
    nothing is lost."""
    new = wait_well(lab)
    old = others(lab, new)[0]
    # What ovn-had and its fence worker kill lives on while this file is there.
    immortal = old.root("/run/watchdog0.state.immortal")
    old.service_stop("ovn-had")
    lib = build_preload("watchdog", tmp_path)
    old.root("/etc/ld.so.preload").write_text(f"{lib}\n")
    old.start_ovn_had()
    switch_to(lab, old)
    epoch = int(cluster(old)["epoch"].split(".")[0])
    with Watch(lab, "slow") as watch:
        watch.busy()
        immortal.touch()
        server, = old.find("sb")
        with new.popen(lab.program("ovn-hactl", "."), "switchover", "--to",
                       new.name, "--no-verify") as move:
            server.send_signal(signal.SIGSTOP)
            wait_state(new, "promoting")
            wait_until(lambda: "killing ovsdb-server" in old.log(
                "ovn/ovn-ha-workers.log"), 20, "its server is killed")
            wait_until(lambda: local(new)["state_ms"]
                       > 3 * cluster(new)["lease_ms"], 20,
                       "the old one's lease is long over")
            assert local(new)["state"] == "promoting"
            assert local(old)["state"] == "demoting"
            assert not lab.serving("nb") and not server.gone()
            immortal.unlink()
            assert move.wait(60) == 0
        old.root("/etc/ld.so.preload").unlink()
        assert wait_well(lab) is new
        assert int(cluster(new)["epoch"].split(".")[0]) == epoch + 1
        watch.busy()
        watch.assert_none_lost(new)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_data_plane(plane):
    """Through all of the above: no packet lost, every new flow set up, never
    an OpenFlow rule less, ovn-controller not restarted."""
    plane.stop()
