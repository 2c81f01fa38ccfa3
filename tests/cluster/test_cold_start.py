# SPDX-License-Identifier: Apache-2.0
"""The power of the whole cluster fails; nodes come back in any order, some of
them stale, some with an empty disk.  The freshest serves, or nobody."""

import time

import pytest
from lab import Corosync, wait_until
from preload import build_preload
from watch import (DataPlane, NoReplication, Watch, bring_up, cluster,
                   configure, diverged, others, row, shown, wait_equal,
                   wait_in_sync, wait_state, wait_well, wait_why)

# How long a cluster that starts waits for the node that was active last; and
# longer than any machine takes to start one.
CONF = "[timing]\nstart-grace-ms = 2000\n"
PATIENT = "[timing]\nstart-grace-ms = 60000\n"


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


@pytest.fixture(autouse=True)
def all_on(lab):
    """What one test leaves switched off must not fail the next ones."""
    yield
    lab.boot(*[n.name for n in lab.control if not n.pid])


def power_failure(lab):
    """All control nodes at once."""
    lab.crash(*[n.name for n in lab.control])


def assert_nobody_serves(lab):
    """No client port of any node that is on takes writes."""
    for node in [n for n in lab.control if n.pid]:
        for db in ("nb", "sb"):
            assert not node.serves(db) and not node.serves(db, unix=True)


@pytest.fixture
def patient(lab):
    """A cluster that waits for the node that was active last, until it has
    started."""
    for node in lab.control:
        configure(node, PATIENT)
    yield
    for node in lab.control:
        configure(node, CONF)


@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
def test_active_is_there(lab, patient, place):
    """If the former active is among the first two it serves again: nothing
    is lost."""
    old = wait_well(lab)
    order = others(lab, old)
    order.insert(place, old)
    with Watch(lab, f"order{place}") as watch:
        watch.busy()
        power_failure(lab)
        booted = time.time()
        lab.boot(order[0].name)
        wait_state(order[0], "isolated")
        assert_nobody_serves(lab)
        lab.boot(order[1].name)
        watch.acknowledged(booted, old)
        lab.boot(order[2].name)
        assert wait_well(lab) is old
        watch.busy()
        watch.assert_none_lost(old)
        watch.assert_one_at_a_time(old)
    wait_equal(lab)


def test_active_is_slow(lab, patient, tmp_path):
    """The former active is the second to come, and its servers take their time
    to begin.  Nobody takes over meanwhile."""
    old = wait_well(lab)
    first, last = others(lab, old)
    lib = build_preload("slowlisten", tmp_path)
    with Watch(lab, "slow") as watch:
        watch.busy()
        power_failure(lab)
        booted = time.time()
        lab.boot(first.name)
        wait_state(first, "isolated")
        old.power_on()
        old.root("/etc/ld.so.preload").write_text(f"{lib}\n")
        old.start()
        watch.acknowledged(booted, old)
        lab.boot(last.name)
        assert wait_well(lab) is old
        watch.busy()
        watch.assert_none_lost(old)
        watch.assert_one_at_a_time(old)
    wait_equal(lab)


def test_active_comes_last(lab):
    """Without the former active one of the others serves, and nothing is
    lost but what was in flight; it returns as a standby, and what it alone
    had is set aside."""
    old = wait_well(lab)
    rest = others(lab, old)
    with Watch(lab, "last") as watch:
        watch.busy()
        had = watch.everywhere(rest)
        power_failure(lab)
        booted = time.time()
        lab.boot(*[n.name for n in rest])
        new = lab.wait_active(60, [n.name for n in rest])
        watch.acknowledged(booted, new)
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.busy()
        lost = watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
        for db, gone in lost.items():
            for entry in gone:
                name = watch.ledger(db).row(entry.number)
                assert any(f'"{name}"' in text for text in diverged(old))
    wait_equal(lab)


def test_stale_node_comes_first(lab):
    """A node that had long lost its connection comes first.  It does not
    serve, nor does it when the one that is fresher joins it."""
    old = wait_well(lab)
    stale, fresh = others(lab, old)
    with Watch(lab, "stale") as watch:
        watch.busy()
        with NoReplication(stale, old):
            wait_in_sync(old, [old.name, fresh.name])
            watch.busy()
            had = watch.everywhere([fresh])
            power_failure(lab)
        booted = time.time()
        lab.boot(stale.name)
        wait_state(stale, "isolated")
        lab.boot(fresh.name)
        watch.acknowledged(booted, fresh)
        lab.boot(old.name)
        assert wait_well(lab) is fresh
        watch.busy()
        watch.assert_lost_in_flight(fresh, old, had)
        watch.assert_one_at_a_time(old, fresh)
    wait_equal(lab)


def test_each_is_fresher_in_one(lab):
    """One standby has the newer Northbound, the other the newer Southbound.
    Whoever takes over has the newest of both before it serves."""
    old = wait_well(lab)
    a, b = others(lab, old)
    with Watch(lab, "cross") as watch:
        watch.busy()
        with NoReplication(a, old, ["nb"], silent=True), \
                NoReplication(b, old, ["sb"], silent=True):
            watch.busy()
            wait_until(lambda: all(
                watch.everywhere([a, b])[db] - watch.rows(node, db)
                for node, db in ((a, "nb"), (b, "sb"))), 30,
                "each has something that the other has to pull")
            had = watch.everywhere([a, b])
            fault = lab.crash(old.name)
            new = lab.wait_active(60, [a.name, b.name])
            watch.acknowledged(fault, new)
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_standby_with_an_empty_disk(lab):
    """A standby whose disk was replaced gets everything anew, and no client
    of the active notices."""
    active = wait_well(lab)
    victim = others(lab, active)[0]
    with Watch(lab, "newdisk") as watch:
        watch.busy()
        lab.crash(victim.name)
        wait_in_sync(active, [n.name for n in others(lab, victim)])
        lab.boot(victim.name, empty_disk=True)
        assert wait_well(lab) is active
        watch.busy()
        watch.assert_undisturbed(active)
    wait_equal(lab)


def test_active_returns_empty(lab):
    """The active dies and is back, with an empty disk, before anybody has
    missed it.  It does not serve that."""
    old = wait_well(lab)
    with Watch(lab, "swapped") as watch:
        watch.busy()
        had = watch.everywhere(others(lab, old))
        fault = lab.crash(old.name)
        lab.boot(old.name, empty_disk=True)
        new = lab.wait_active(60, [n.name for n in others(lab, old)])
        watch.acknowledged(fault, new)
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_empty_active_comes_first(lab):
    """The former active comes first, with an empty disk.  It waits; so do
    two of them, as the third might know better; then one that has data
    serves."""
    old = wait_well(lab)
    a, b = others(lab, old)
    with Watch(lab, "emptied") as watch:
        watch.busy()
        had = watch.everywhere([a, b])
        power_failure(lab)
        booted = time.time()
        lab.boot(old.name, empty_disk=True)
        wait_state(old, "isolated")
        lab.boot(a.name)
        # Whoever coordinates knows why; both say so of that node.
        for node in a, old:
            shown(node, "holders")
        assert shown(a, "lineage").startswith(old.name)
        assert_nobody_serves(lab)
        lab.boot(b.name)
        new = lab.wait_active(60, [a.name, b.name])
        watch.acknowledged(booted, new)
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    wait_equal(lab)


def test_two_empty_disks(lab):
    """Only one node is left that has data: it serves once all are there, so
    that nobody can know better."""
    old = wait_well(lab)
    a, b = others(lab, old)
    with Watch(lab, "only") as watch:
        watch.busy()
        had = watch.everywhere([b])
        power_failure(lab)
        booted = time.time()
        lab.boot(old.name, a.name, empty_disk=True)
        wait_why(old, "bootstrap-members")
        shown(old, "bootstrap-members")
        assert_nobody_serves(lab)
        lab.boot(b.name)
        watch.acknowledged(booted, b)
        assert wait_well(lab) is b
        watch.busy()
        watch.assert_lost_in_flight(b, old, had)
        watch.assert_one_at_a_time(old, b)
    wait_equal(lab)


def test_first_active_dies(make_lab, tmp_path):
    """A new cluster: nobody serves before all are here.  The first active of
    all loses its power before it has begun the log, because its replica
    workers stand still and do not end when they are killed.  Nobody has data
    of the lineage, nor serves, until it is back; then it begins anew."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    first, *rest = lab.control
    lab.power_on()
    for node in lab.control:
        node.enable("ovn-had")
    configure(first, "[node]\npriority = 200\n")
    lib = build_preload("watchdog", tmp_path)
    first.root("/etc/ld.so.preload").write_text(f"{lib}\n")
    lab.start_corosync()
    first.start_ovn_had()
    rest[0].start_ovn_had()
    wait_why(first, "bootstrap-members")
    wait_until(lambda: all((row(first, first.name).get(db) or {}).get(
        "server_ok") for db in ("nb", "sb")), 40, "its databases are there")
    assert_nobody_serves(lab)
    first.root("/run/watchdog0.state.immortal").touch()
    first.stop("replica")
    rest[1].start_ovn_had()
    wait_why(first, "log")
    wait_until(lambda: cluster(rest[0]).get("epoch") == "1.1", 20,
               "the others have its record")
    lab.crash(first.name)
    wait_why(rest[0], "not-eligible")
    for node in rest:
        shown(node, "no-active")
        assert not row(rest[0], node.name)["nb"]["has_data"]
    assert_nobody_serves(lab)
    lab.boot(first.name)
    active = lab.wait_active(60)
    lab.open_ports(active)
    wait_well(lab)
    wait_equal(lab)


def test_data_plane(plane):
    """Through all of the above: no packet lost, every new flow set up, never
    an OpenFlow rule less, ovn-controller not restarted."""
    plane.stop()
