# SPDX-License-Identifier: Apache-2.0
"""A standby's disk is full: nothing is lost, it is said, and it goes on by
itself once there is room."""

import pytest
from guard import DEADLINE, Guard, epoch, pick
from lab import Corosync, wait_until
from watch import bring_up, wait_in_sync, wait_well


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three members."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def small_disk(lab, node, folder):
    """Puts a folder of a node on a small file system of its own."""
    node.service_stop("ovn-had")
    node.exec("sh", "-ec", f"""
        cp -a {folder} /run/copy
        mount -t tmpfs -o size=8m small {folder}
        cp -a /run/copy/. {folder}
        rm -r /run/copy""")
    node.start_ovn_had()
    wait_well(lab)


def fill(node, folder):
    """Writes until nothing fits in any more."""
    result = node.exec("dd", "if=/dev/zero", f"of={folder}/fill", "bs=4096",
                       check=False)
    assert "No space left" in result.stderr


def logs(node):
    """All that was said on a node."""
    return node.log("lab/ovn-had.log") + node.log("ovn/ovn-ha-workers.log") \
        + node.log("ovn/ovsdb-server-nb.log")


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
    """Where the record is: while it cannot be written this node agrees to
    nothing, and the others do without it."""
    node = pick(lab, "standby")
    small_disk(lab, node, "/var/lib/ovn-ha")
    active = wait_well(lab)
    third = [n for n in lab.control if n not in (active, node)][0]
    with Guard(lab) as guard:
        before = epoch(active)
        fill(node, "/var/lib/ovn-ha")
        third.kill("ovn-had")
        wait_until(lambda: "/var/lib/ovn-ha/record cannot be written: No "
                   "space left" in logs(node), DEADLINE)
        guard.busy()
        node.root("/var/lib/ovn-ha/fill").unlink()
        guard.verify()
        assert epoch(active) == before
