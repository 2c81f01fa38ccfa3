# SPDX-License-Identifier: Apache-2.0
"""A disk is full: nothing is lost, it is said, and all goes on by itself once
there is room."""

import os

import pytest
from guard import DEADLINE, Guard, epoch, pick
from lab import CommandError, Corosync, wait_until
from watch import (bring_up, cluster, local, others, problem_codes, row, shown,
                   status, switch_to, wait_in_sync, wait_state, wait_well)

# As there is less room on the disks made here than in real life.
CONF = """[disk]
low-mb = 5
warn-mb = 7
"""


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three members."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab, CONF)
    return lab


def small_disk(lab, node, folder):
    """Puts a folder of a node on a small file system of its own."""
    node.service_stop("ovn-had")
    node.exec("sh", "-ec", f"""
        cp -a {folder} /run/copy
        mount -t tmpfs -o size=16m small {folder}
        cp -a /run/copy/. {folder}
        rm -r /run/copy""")
    node.start_ovn_had()
    wait_well(lab)


def fill(node, folder):
    """Writes until nothing fits in any more."""
    result = node.exec("dd", "if=/dev/zero", f"of={folder}/fill", "bs=4096",
                       "oflag=append", "conv=notrunc", check=False)
    assert "No space left" in result.stderr


def leave(node, folder, megabytes):
    """Fills it up to that."""
    fs = os.statvfs(node.root(folder))
    free = fs.f_bavail * fs.f_frsize
    file = node.root(f"{folder}/fill")
    size = file.stat().st_size if file.exists() else 0
    node.exec("fallocate", "-l", str(size + free - int(megabytes * 1e6)),
              f"{folder}/fill")


def logs(node):
    """All that was said on a node."""
    return node.log("lab/ovn-had.log") + node.log("ovn/ovn-ha-workers.log") \
        + node.log("ovn/ovsdb-server-nb.log")


def test_record(lab):
    """The record cannot be written, though there is room: that is told, and
    so is what comes of it when this node's vote is needed."""
    active = wait_well(lab)
    node, third = [n for n in lab.control if n is not active]
    obstacle = node.root("/var/lib/ovn-ha/record.tmp")
    obstacle.mkdir()
    try:
        third.kill("ovn-had")
        shown(node, "record-error")
        shown(active, "record-full", about=node)
        wait_state(third, "standby")
        lab.crash(active.name)
        shown(node, "disk", about=node)
        shown(third, "record-full", about=node)
        shown(third, "agreeing", about=third)
    finally:
        obstacle.rmdir()
    lab.wait_active(DEADLINE, [node.name, third.name])
    lab.boot(active.name)
    wait_well(lab)
    assert not problem_codes(node)


def test_databases(lab):
    """Where the databases are."""
    node = pick(lab, "standby")
    small_disk(lab, node, "/var/lib/ovn")
    active = wait_well(lab)
    with Guard(lab) as guard:
        before = epoch(active)
        fill(node, "/var/lib/ovn")
        wait_in_sync(active, [n.name for n in lab.control if n is not node])
        wait_until(lambda: "not applied by the own server: No space left"
                   in logs(node), DEADLINE)
        guard.busy()
        node.root("/var/lib/ovn/fill").unlink()
        guard.verify()
        assert epoch(active) == before


def test_state(lab):
    """Where the record of a standby is: while it cannot be written this node
    agrees to nothing and gets no role, though its number is the lower one of
    the two; the others do without it."""
    active = wait_well(lab)
    node, third = others(lab, active)
    small_disk(lab, node, "/var/lib/ovn-ha")
    with Guard(lab) as guard:
        before = epoch(active)
        fill(node, "/var/lib/ovn-ha")
        third.kill("ovn-had")
        wait_until(lambda: "/var/lib/ovn-ha/record cannot be written: No "
                   "space left" in logs(node), DEADLINE)
        shown(active, "record-full")
        guard.busy()
        wait_until(lambda: third.name in cluster(active)["in_sync"]
                   and row(active, third.name)["state"] == "standby"
                   and not row(active, third.name)["not_eligible"], DEADLINE,
                   lambda: f"it may take over: {status(active)}")
        with pytest.raises(CommandError, match="no room for its record"):
            active.hactl("switchover", "--to", node.name)
        assert epoch(active) == before
        # Until it has caught up it may be out of the set once more.
        wait_until(lambda: not active.exec(
            lab.program("ovn-hactl", "."), "switchover", check=False,
            timeout=70).returncode, DEADLINE, "it is asked to take over")
        assert cluster(third)["active"] == third.name
        guard.busy()
        node.root("/var/lib/ovn-ha/fill").unlink()
        assert guard.verify() is third


def test_active_record(lab):
    """Where the active's record is: no move that it could not agree to is
    begun, and one that is shut down closes its door first."""
    node = pick(lab, "standby")
    small_disk(lab, node, "/var/lib/ovn-ha")
    switch_to(lab, node)
    rest = others(lab, node)
    with Guard(lab) as guard:
        before = epoch(node)
        # Nearly full and full at once: in between it would hand over.
        leave(node, "/var/lib/ovn-ha", 0.1)
        shown(rest[0], "record-full")
        for asked in (node, *rest):
            with pytest.raises(CommandError, match="no room for its record "
                               "or for the active's"):
                asked.hactl("switchover")
        assert epoch(node) == before
        fill(node, "/var/lib/ovn-ha")
        node.service_stop("ovn-had")
        wait_until(lambda: cluster(rest[0])["active"] not in (None, node.name),
                   DEADLINE, lambda: f"a successor: {status(rest[0])}")
        guard.busy()
        node.root("/var/lib/ovn-ha/fill").unlink()
        node.start_ovn_had()
        guard.verify()


def test_log(lab):
    """Where the logs are: neither the fence worker nor anyone else waits for
    them; with room again they are written."""
    node = pick(lab, "standby")
    small_disk(lab, node, "/var/log/ovn")
    switch_to(lab, node)
    log = node.root("/var/log/ovn/ovn-ha-workers.log")

    def worker():
        fence = local(node)["fence"]
        return fence["pid"], fence["lease_losses"]
    before = worker()
    with Guard(lab) as guard:
        fill(node, "/var/log/ovn")
        for target in (others(lab, node)[0], node):
            guard.busy()
            switch_to(lab, target)
        node.kill("ovn-had")
        wait_well(lab)
        guard.busy()
        size = log.stat().st_size
        assert size % os.sysconf("SC_PAGE_SIZE") == 0, "its last page is full"
        node.root("/var/log/ovn/fill").unlink()
        switch_to(lab, others(lab, node)[0])
        wait_until(lambda: log.stat().st_size > size, DEADLINE,
                   "logs are written again")
        assert worker() == before, "the fence worker went on, and in time"
        guard.verify()


def test_active(lab):
    """Where the active's databases are: it says so, hands over before it is
    full, loses nothing, and does not get the role back by itself."""
    node = pick(lab, "standby")
    small_disk(lab, node, "/var/lib/ovn")
    third = [n for n in lab.control if n is not node][0]
    switch_to(lab, node)
    with Guard(lab) as guard:
        leave(node, "/var/lib/ovn", 6)
        shown(node, "disk-tight", DEADLINE)
        leave(node, "/var/lib/ovn", 4)
        wait_until(lambda: cluster(third)["active"] != node.name, DEADLINE,
                   lambda: f"{node.name} hands over: {status(node)}")
        shown(third, "disk-low")
        heir = cluster(third)["active"]
        fill(node, "/var/lib/ovn")
        guard.busy()
        node.root("/var/lib/ovn/fill").unlink()
        wait_until(lambda: "disk-low" not in problem_codes(third), DEADLINE,
                   "there is room again")
        assert guard.verify().name == heir
