# SPDX-License-Identifier: Apache-2.0
"""The lab's alternatives to ovn-had, which benches compare it with: they come
up, survive a power cut as well as they can, and are measured."""

import shutil

import pytest
from lab import (Backup, Corosync, Mirror, Pacemaker, Raft, Writer,
                 wait_until)


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes and a compute node."""
    lab = make_lab(control=3, compute=1, workloads=1,
                   corosync=Corosync.fast())
    return lab


def fresh(lab):
    """All nodes on, with empty disks."""
    lab.heal()
    for node in lab.nodes.values():
        if node.pid:
            node.power_cut()
        node.forget()
        node.erase_disk()
    lab.power_on()


def power_cut(lab, system, promote=None):
    """Cuts the active's power under load; returns who took over."""
    old = system.active()
    with Mirror(lab) as mirror, Writer(lab, system.name) as writer:
        wait_until(lambda: len(writer.ledger().acknowledged()) > 100, 20)
        fault = lab.crash(old.name)
        if promote:
            system.promote(promote)
        wait_until(lambda: writer.ledger().first_ack(fault), 20,
                   "a write after the power cut")
        wait_until(lambda: mirror.reached(writer.ledger(), fault), 40,
                   "a change after the power cut reaches SB")
    new = wait_until(system.active, 20)
    assert new is not old
    return new, writer


def test_raft(lab):
    """RAFT loses nothing."""
    fresh(lab)
    system = Raft(lab, election_ms=500)
    lab.finish_compute(system.start())
    new, writer = power_cut(lab, system)
    assert writer.lost(new) == []


def test_backup(lab):
    """Backup mode goes on where it was told to; what it may lose are the last
    writes only."""
    fresh(lab)
    system = Backup(lab)
    lab.finish_compute(system.start())
    new, writer = power_cut(lab, system, lab["n3"])
    assert new is lab["n3"]
    assert len(writer.lost(new)) <= 3
    lab.boot("n1")
    system.follow(lab["n1"], new)
    system.switchover(lab["n1"])
    assert system.active() is lab["n1"]


@pytest.mark.skipif(not shutil.which("pacemakerd"),
                    reason="build-aux/install-deps --alternatives")
def test_pacemaker(lab):
    """Pacemaker moves the virtual IP and the role, after a fault and when
    told to."""
    fresh(lab)
    lab.start_corosync()
    system = Pacemaker(lab, monitor_s=(2, 3))
    lab.finish_compute(system.start())
    new, writer = power_cut(lab, system)
    assert len(writer.lost(new)) <= 3
    other = next(n for n in lab.control if n.pid and n is not new)
    system.switchover(other)
    wait_until(lambda: system.active() is other, 30, "the role moves")
