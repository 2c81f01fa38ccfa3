# SPDX-License-Identifier: Apache-2.0
"""Each process is killed, and each is stopped (SIGSTOP), on the active and on
a standby: the cluster mends itself, and nothing else happens."""

import signal

import pytest
from chaos.rounds import assert_rounds
from chaos.topologies import TOPOLOGIES
from guard import DEADLINE, Guard, epoch, pick, reaches_sb
from lab import CommandError, Corosync, wait_until
from lab.node import process_state
from watch import (NoReplication, bring_up, cluster, contents, diverged, local,
                   shown, wait_equal, wait_well)

OWN = ["nb", "sb", "northd", "replica-nb", "replica-sb", "fence", "ovn-had"]
ROLES = ["active", "standby"]


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes with ovn-had."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def replaced(node, target, old):
    """Whether the processes 'old' are gone, and others are in their place."""
    now = node.find(target)
    return all(p.gone() for p in old) and len(now) == len(old) \
        and all(p.state not in "TZ" for p in now)


def wait_replaced(node, target, old):
    """Waits for that."""
    wait_until(lambda: replaced(node, target, old), DEADLINE,
               lambda: f"{target} on {node.name} replaced: was "
               f"{[(p.pid, process_state(p.pid)) for p in old]}, is "
               f"{[(p.pid, p.state) for p in node.find(target)]}")


def check(guard, role, before, bound_ms=0):
    """The cluster ends healthy; a standby's fault moved nothing."""
    active = guard.verify(bound_ms=bound_ms)
    if role == "standby":
        assert epoch(active) == before, "a standby's fault moved the active"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("target", OWN)
def test_killed(lab, target, role):
    """What dies is replaced."""
    node = pick(lab, role)
    before = epoch(node)
    with Guard(lab) as guard:
        wait_replaced(node, target, node.kill(target))
        check(guard, role, before)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("target", OWN)
def test_stopped(lab, target, role):
    """What makes no progress is ended and replaced."""
    node = pick(lab, role)
    before = epoch(node)
    with Guard(lab) as guard:
        wait_replaced(node, target, node.stop(target))
        check(guard, role, before)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_corosync(lab, how, role):
    """A node without corosync is isolated; with it again it is a member like
    before."""
    node = pick(lab, role)
    before = epoch(node)
    others = [n.name for n in lab.control if n is not node]
    with Guard(lab) as guard:
        if how == "killed":
            node.kill("corosync")
        else:
            node.stop("corosync")
        active = lab.wait_active(DEADLINE, others)
        lab.wait_quorate([lab[name] for name in others])
        assert reaches_sb(active)
        if how == "killed":
            wait_until(lambda: not node.service_running("corosync"))
            node.start_corosync()
        else:
            node.cont("corosync")
        # The active of a frozen corosync serves on until its lease is over.
        lease_ms = cluster(active)["lease_ms"]
        check(guard, role, before,
              lease_ms if (how, role) == ("stopped", "active") else 0)


def test_northd_without_its_lock(lab):
    """northd that lost its lock to a stranger does nothing: it is replaced
    until the lock is free, and then an NB change reaches SB again."""
    active = wait_well(lab)
    with Guard(lab) as guard:
        old = active.find("northd")
        stranger = active.dial("sb", unix=True)
        stranger.call("steal", ["ovn_northd"])
        wait_replaced(active, "northd", old)
        stranger.close()
        guard.verify()
    assert "does not get its lock" in active.log("lab/ovn-had.log")


def test_northd_paused_by_a_stranger(lab):
    """northd on the active goes on when somebody has paused it."""
    active = wait_well(lab)
    with Guard(lab) as guard:
        old = active.find("northd")
        active.exec("ovn-appctl", "-t", "ovn-northd", "pause")
        wait_until(lambda: _works(active), DEADLINE, "northd works again")
        assert active.find("northd") == old
        guard.verify()


def test_standby_northd_resumed_by_a_stranger(lab):
    """What it writes into the standby's own SB is in no log of the active: it
    is ended, and what it wrote is named, gives way, and is kept."""
    active = wait_well(lab)
    standby = pick(lab, "standby")
    with Guard(lab) as guard:
        before, aside = epoch(active), len(diverged(standby))
        old = standby.find("northd")
        # The active's own northd does the same, which is not to be seen here.
        with NoReplication(standby, active, ["sb"]):
            shown(standby, "sb-replica")
            active.nbctl("--no-wait", "ls-add", "of-a-stranger")
            wait_until(lambda: "of-a-stranger" in str(
                contents(standby, "nb").values()),
                       DEADLINE, "the standby's northd sees it")
            standby.exec("ovn-appctl", "-t", "ovn-northd", "resume")
            wait_replaced(standby, "northd", old)
            wait_until(lambda: "a record that is not the replica's writes to "
                       in shown(standby, "sb-replica"), DEADLINE,
                       "it is named")
            assert "of-a-stranger" in str(contents(standby, "sb").values())
        active.nbctl("ls-del", "of-a-stranger")
        guard.verify()
        wait_equal(lab)
        assert local(standby)["sb"]["snapshot_why"] \
            == "own file holds foreign records"
        assert "of-a-stranger" in "".join(diverged(standby)[aside:])
        assert epoch(active) == before


def test_probe_outlives_its_worker(lab):
    """Of the worker that stands still the probe is asked by which an active
    learns that ovn-northd works; the one that takes its place is asked, too."""
    active = wait_well(lab)
    with Guard(lab) as guard:
        old = active.stop("replica-nb")
        active.kill("nb")
        wait_replaced(active, "replica-nb", old)
        assert guard.verify() is active


def _works(node):
    try:
        return node.out("ovn-appctl", "-t", "ovn-northd",
                        "status") == "Status: active"
    except CommandError:
        return False


def test_all_at_once(lab):
    """Everything on the active dies in the same moment."""
    active = wait_well(lab)
    with Guard(lab) as guard:
        old = [p for target in OWN for p in active.find(target)]
        for process in old:
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: all(p.gone() for p in old))
        guard.verify()


def test_random_rounds(lab):
    """Rounds of random faults, as tests/chaos/run plays many of."""
    assert_rounds(lab, TOPOLOGIES["three"], seed=1, numbers=[2, 4])
