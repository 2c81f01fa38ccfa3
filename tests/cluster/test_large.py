# SPDX-License-Identifier: Apache-2.0
"""A node without data joins a cluster with a large database: ovn-had puts the
whole file in place and starts the server on it."""

import re

import pytest
from guard import pick
from lab import Corosync
from lab.ovsdb import Session, dial
from watch import bring_up, local, wait_equal, wait_well

FILE = "/var/lib/ovn/ovnnb_db.db"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three members."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def fill(node):
    """Makes some 20 MB of rows that northd does not look at."""
    session = Session(dial(node.root("/run/ovn/ovnnb_db.sock")))
    for i in range(10):
        session.transact("OVN_Northbound", *(
            {"op": "insert", "table": "DNS", "row": {"records": ["map", [
                [f"host-{i}-{j}-{k}.example", "x" * 200]
                for k in range(800)]]}} for j in range(10)), timeout=60)
    session.close()


def test_whole_file(lab):
    node = pick(lab, "standby")
    fill(wait_well(lab))
    wait_equal(lab)
    node.service_stop("ovn-had")
    node.exec("sh", "-c", f"rm -f {FILE}* /var/lib/ovn-ha/nb.pos")
    node.start_ovn_had()
    wait_well(lab, 120)
    own = local(node)["nb"]
    assert own["resync"].startswith("whole file: 0 of")
    assert own["snapshots"] == 1
    assert own["snapshot_why"] == "own position is not known"
    assert "snapshot: NB is taken over from" in node.hactl("history")
    assert own["snapshot_why"] in node.hactl("history")
    assert re.search(r" NB: \d+ resumes?, 1 snapshot: own position is not known\n",
                     node.hactl("status", check=False))
    assert f"{FILE}.install is now {FILE}" in node.log("lab/ovn-had.log")
    assert f"{FILE}.install" not in node.out("sh", "-c", f"ls {FILE}*")
    wait_equal(lab, 60)
    # It is a standby like any other.
    server = node.service_pid("ovn-had")
    session = Session(dial(wait_well(lab).root("/run/ovn/ovnnb_db.sock")))
    session.transact("OVN_Northbound", {
        "op": "insert", "table": "Meter_Band",
        "row": {"action": "drop", "rate": 1}, "uuid-name": "band"}, {
        "op": "insert", "table": "Meter", "row": {
            "name": "m", "unit": "kbps", "bands": ["named-uuid", "band"]}})
    session.close()
    wait_equal(lab)
    assert node.service_pid("ovn-had") == server
