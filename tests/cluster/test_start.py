# SPDX-License-Identifier: Apache-2.0
"""The first start, and what must not be taken: a story in its order.  A node
says clearly what is wrong, and harms nobody."""

import os
import re

import pytest
from guard import DEADLINE, Guard, epoch
from lab import CommandError, Corosync, wait_until
from lab.ovsdb import DATABASES
from watch import private, status, wait_well

CONF = "/etc/ovn-ha/ovn-ha.conf"
SCHEMA = "/usr/share/ovn/ovn-nb.ovsschema"
NB_FILE = "/var/lib/ovn/ovnnb_db.db"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three nodes on which nothing runs yet."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    lab.power_on()
    return lab


def refusal(node, *args):
    """What ovn-had says when it refuses to start."""
    result = node.exec(node.lab.program("ovn-had", "."), *args, check=False)
    assert result.returncode == 1, result
    return result.stderr


def log(node):
    """What ovn-had said."""
    return node.log("lab/ovn-had.log")


def switches(node):
    """The names of logical switches in a node's own copy."""
    session = private(node, "nb")
    try:
        found = session.transact(DATABASES["nb"], {
            "op": "select", "table": "Logical_Switch", "columns": ["name"],
            "where": []})
    finally:
        session.close()
    return {row["name"] for row in found[0]["rows"]}


@pytest.mark.parametrize("text, line, reason", [
    ("[timing]\nlease = 1000\n", 2, "there is no option [timing] lease"),
    ("[nodes]\npriority = 1\n", 2, "there is no option [nodes] priority"),
    ("\n[timing]\nlease-ms = soon\n", 3, '"soon" is not a whole number'),
    ("[timing]\nlease-ms = 5\n", 2, "5 is out of range: from 200 to 60000"),
    ("[node]\nnofailover = maybe\n", 2, '"maybe" is neither yes nor no'),
    ("[listen]\nnb = tcp:6641\n", 2, '"tcp:6641" is not of the form'),
    ("nonsense\n", 1, "neither [SECTION] nor NAME = VALUE"),
    ("[timing]\nlease-ms = 1000\nbeat-ms = 500\n", 3,
     "unsafe timing: 4 * beat-ms <= lease-ms does not hold: 4 * 500 > 1000"),
])
def test_wrong_configuration(lab, text, line, reason):
    """File, line and reason; for what spans lines the last of them."""
    node = lab["n2"]
    node.root(CONF).write_text(text)
    said = refusal(node)
    node.root(CONF).unlink()
    assert f"{CONF}:{line}: " in said and reason in said


def test_other_run_folder(lab):
    """ovn-hactl looks where the configuration has ovn-had put its files; of
    one that is wrong it takes nothing."""
    node = lab["n2"]
    for text, folder in (("[paths]\novn-run-dir = /run/other\n", "other"),
                         ("[paths]\novn-run-dir = other\n", "ovn")):
        node.root(CONF).write_text(text)
        result = node.exec(lab.program("ovn-hactl", "."), "status",
                           check=False)
        assert f"/run/{folder}/ovn-had.pid" in result.stderr
    node.root(CONF).unlink()


def test_no_corosync(lab):
    """Without corosync it says so and ends, or waits for it."""
    node = lab["n1"]
    assert "corosync is not running" in refusal(node)
    node.service_start("ovn-had", [lab.program("ovn-had", "."), "--wait"])
    wait_until(lambda: "waiting for it" in log(node), DEADLINE)
    lab.start_corosync()
    wait_until(lambda: "starts on n1" in log(node), DEADLINE)
    wait_until(lambda: status(node), DEADLINE)
    node.service_stop("ovn-had")


def test_standalone_owner(lab):
    """A node that is no member yet does not take databases from those who
    run them."""
    node = lab["n2"]
    node.start_central()
    node.nbctl("ls-add", "kept")
    assert re.search(rf"another owner: {NB_FILE} is in use: process \d+ "
                     r"\(ovsdb-server .*systemctl disable --now ovn-central",
                     refusal(node))
    assert node.serves("nb", unix=True) and node.serves("sb", unix=True)
    assert not node.root("/var/lib/ovn-ha/record").exists()


def test_clustered_file(lab):
    """Nor does it take the file of a RAFT cluster."""
    node = lab["n3"]
    node.exec("ovsdb-tool", "create-cluster", NB_FILE, SCHEMA,
              f"tcp:{node.address}:6643")
    said = refusal(node)
    assert f"{NB_FILE} belongs to a RAFT cluster" in said
    assert "ovsdb-tool cluster-to-standalone" in said
    node.root(NB_FILE).unlink()


def test_missing_schema(lab):
    """Without a schema no database can be made: the log says which file."""
    node = lab["n3"]
    node.root(CONF).write_text("[paths]\nnb-schema = /none.ovsschema\n")
    node.start_ovn_had()
    wait_until(lambda: re.search(
        rf"{NB_FILE}: creating the database: .*/none\.ovsschema", log(node)),
        DEADLINE, lambda: log(node))
    wait_until(lambda: "/none.ovsschema" in status(node)["local"]["nb"][
        "server_error"], DEADLINE, "status says so too")
    # Nothing but a reload is needed.
    node.root(CONF).unlink()
    node.hactl("reload")
    wait_until(lambda: status(node).get("local", {}).get("nb", {}).get(
        "server") == "running", DEADLINE, "the database is there")


def test_members_take_over(lab):
    """Once the owner has gone, all are there and one has data: the cluster
    begins by itself, with these data."""
    n1, n2, _ = lab.control
    for service in ("northd", "ovsdb-nb", "ovsdb-sb"):
        n2.service_stop(service)
    for node in (n1, n2):
        node.start_ovn_had()
    active = lab.wait_active(DEADLINE)
    lab.open_ports(active)
    wait_well(lab)
    for node in lab.control:
        wait_until(lambda: "kept" in switches(node), DEADLINE,
                   f"{node.name} has the data")


def test_priority(lab):
    """What clients wait for runs before other work, as OVN's scripts have it;
    northd's computing does not come before its databases."""
    node = lab.active()
    of = {name: {os.getpriority(os.PRIO_PROCESS, p.pid)
                 for p in node.find(name)}
          for name in ("ovn-had", "nb", "sb", "northd", "replica")}
    assert of == dict.fromkeys(of, {-10})


def test_two_daemons(lab):
    """A second ovn-had on the same folder refuses; the first does not
    notice."""
    active = wait_well(lab)
    with Guard(lab) as guard:
        before = epoch(active)
        assert "another ovn-had runs" in refusal(active)
        guard.verify()
        assert epoch(active) == before


def test_key_gone(lab):
    """Without corosync's key a standby trusts nobody, and says so; with it
    again it joins by itself."""
    active = wait_well(lab)
    node = [n for n in lab.control if n is not active][-1]
    key = node.root("/etc/corosync/authkey")
    secret = key.read_bytes()
    with Guard(lab) as guard:
        before = epoch(active)
        node.service_stop("ovn-had")
        key.unlink()
        node.start_ovn_had()
        wait_until(lambda: "/etc/corosync/authkey cannot be read"
                   in node.log("ovn/ovn-ha-workers.log"), DEADLINE)
        guard.busy()
        key.write_bytes(secret)
        guard.verify()
        assert epoch(active) == before


def test_clustered_file_on_a_member(lab):
    """A member whose file became one of a RAFT cluster stays a member; it
    says what is wrong, and goes on once the file is there again."""
    active = wait_well(lab)
    node = [n for n in lab.control if n is not active][-1]
    file = node.root(NB_FILE)
    with Guard(lab) as guard:
        before = epoch(active)
        node.service_stop("ovn-had")
        file.rename(file.with_name("kept.db"))
        node.exec("ovsdb-tool", "create-cluster", NB_FILE, SCHEMA,
                  f"tcp:{node.address}:6643")
        node.start_ovn_had()
        wait_until(lambda: "RAFT" in status(node).get("local", {}).get(
            "nb", {}).get("server_error", ""), DEADLINE, "status says so")
        guard.busy()
        file.with_name("kept.db").rename(file)
        guard.verify()
        assert epoch(active) == before


def test_other_sockets(lab):
    """Where the configuration has the public sockets they are, on the active
    alone, and all parts use them; a reload does not move them."""
    sockets = {"nb": "/run/public/nb.sock", "sb": "/run/public/sb.sock"}
    usual = {"nb": "/run/ovn/ovnnb_db.sock", "sb": "/run/ovn/ovnsb_db.sock"}
    conf = "[paths]\n" + "".join(f"{db}-sock = {path}\n"
                                 for db, path in sockets.items())
    for node in lab.control:
        node.service_stop("ovn-had")
        node.exec("mkdir", "/run/public")
        node.root(CONF).write_text(conf)
        node.start_ovn_had()
    old = wait_well(lab)
    old.hactl("switchover", timeout=70)
    active = wait_well(lab)
    assert active is not old
    for node in lab.control:
        for db in DATABASES:
            assert node.root(sockets[db]).exists() is (node is active)
            assert not node.root(usual[db]).exists()
    active.hactl("backup", "--output", "/var/lib/ovn-ha/of-start")
    nbctl = ["ovn-nbctl", f"--db=unix:{sockets['nb']}", "--no-leader-only"]
    active.out(*nbctl, "--wait=sb", "ls-add", "elsewhere")
    assert "elsewhere" in active.out(
        "ovn-sbctl", f"--db=unix:{sockets['sb']}", "--no-leader-only",
        "--columns=external_ids", "list", "Datapath_Binding")
    said = active.hactl("restore", "/var/lib/ovn-ha/of-start", "--yes",
                        timeout=90)
    assert "restored; the standbys have it" in said
    assert "elsewhere" not in active.out(*nbctl, "ls-list")
    active.root(CONF).unlink()
    with pytest.raises(CommandError, match="nb-sock"):
        active.hactl("reload")
    assert wait_well(lab) is active
