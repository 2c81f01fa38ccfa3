# SPDX-License-Identifier: Apache-2.0
"""Backups, and going back to one, as doc/BACKUP.md says: on real databases,
with whatever may be wrong with the files, and with the active dying midway."""

import json
import shutil
import time

import pytest
from lab import CommandError, Corosync, wait_until
from page import Page
from watch import bring_up, cluster, others, wait_equal, wait_well

PAGE = Page("BACKUP.md")
FOLDER = "/var/lib/ovn-ha/backup-monday"
FILES = ["ovnnb_db.db", "ovnsb_db.db"]
STATE = "/var/lib/ovn-ha"
STALE = "/var/lib/ovn-ha/stale"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes, n1 active."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    if wait_well(lab).name != "n1":
        lab["n2"].hactl("switchover", "--to", "n1")
        wait_well(lab)
    return lab


def nbctl(node, *args):
    """ovn-nbctl, and SB has followed."""
    return node.out("ovn-nbctl", "--no-leader-only", "--wait=sb", *args)


def network(lab, node):
    """What a restore brings back: rows by _uuid, and their tunnel keys."""
    return {(table, str(row))
            for db, table, columns in [
                ("nb", "Logical_Switch", ["name", "other_config"]),
                ("nb", "Logical_Switch_Port", ["name"]),
                ("sb", "Datapath_Binding", ["tunnel_key"]),
                ("sb", "Port_Binding", ["logical_port", "tunnel_key"])]
            for row in lab.select(node, db, table, ["_uuid", *columns])}


def refused(node, *args, **kwargs):
    """Why ovn-hactl refuses."""
    with pytest.raises(CommandError) as e:
        node.hactl(*args, **kwargs)
    return str(e.value)


def names(node):
    """Of the switches that this node's own NB has, at once."""
    said = node.out("ovsdb-client", "-f", "csv", "--no-headings", "dump",
                    "unix:/run/ovn-ha/private/nb.sock", "OVN_Northbound",
                    "Logical_Switch", "name")
    return {line.strip('"') for line in said.splitlines()}


def step_on(node):
    """What happened since the backup."""
    nbctl(node, "ls-del", "kept", "--", "ls-add", "later",
          "--", "set", "Logical_Switch", "changed", "other_config:since=1")


@pytest.fixture(scope="module")
def backed_up(lab):
    """The network as it was when n2, a standby, made its backup."""
    active = wait_well(lab)
    for name in ["kept", "changed"]:
        nbctl(active, "ls-add", name, "--", "lsp-add", name, f"{name}-p")
    wait_equal(lab)
    then = network(lab, active)
    PAGE.run(lab, "Making a backup")
    shutil.copytree(lab["n2"].root(FOLDER), lab["n1"].root(FOLDER))
    return then


def test_backup(lab, backed_up):
    """On a standby and on the active: whole files, with the rights of the
    databases, which OVS's own tools read, and nothing beside them."""
    assert backed_up
    n1 = lab["n1"]
    n1.hactl("backup", "--output", "/var/lib/ovn-ha/here")
    for node, folder in [(lab["n2"], FOLDER), (n1, "/var/lib/ovn-ha/here")]:
        assert sorted(f.name for f in node.root(folder).iterdir()) == \
            ["backup.json", *FILES]
        said = json.loads(node.root(f"{folder}/backup.json").read_text())
        assert node.root(folder).stat().st_mode & 0o777 == 0o700
        assert said["in_sync"] is True
        for file, db in zip(FILES, ("nb", "sb")):
            path = node.root(f"{folder}/{file}")
            own = node.root(f"/var/lib/ovn/{file}").stat()
            assert path.stat().st_mode & 0o777 == own.st_mode & 0o660
            assert (path.stat().st_uid, path.stat().st_gid) == \
                (own.st_uid, own.st_gid)
            assert said[db]["bytes"] == path.stat().st_size
            assert said[db]["lineage"] == cluster(n1)["lineage"]
            assert said[db]["record"] > 0
            assert said[db]["lag_records"] is not None
            assert node.out("ovsdb-tool", "db-name", f"{folder}/{file}")
        assert "kept-p" in node.out("ovsdb-tool", "query",
                                    f"{folder}/{FILES[0]}", json.dumps([
                                        "OVN_Northbound", {
                                            "op": "select", "where": [],
                                            "table": "Logical_Switch_Port"}]))
    assert "exists already" in refused(n1, "backup", "--output", "/var/lib/ovn-ha/here")
    assert "No such file" in refused(n1, "backup", "--output", "/none/here")
    n1.exec("sh", "-c", "mkdir /var/lib/ovn-ha/small; "
            "mount -t tmpfs -o size=64k small /var/lib/ovn-ha/small")
    assert "no room" in refused(n1, "backup", "--output", "/var/lib/ovn-ha/small/b")
    assert not n1.root("/var/lib/ovn-ha/small/b").exists()


def test_refused(lab, backed_up):
    """What is wrong is named, and nothing is touched."""
    n1, n2 = lab["n1"], lab["n2"]
    before = network(lab, n1)
    assert before == backed_up
    assert "on the active, which is n1" in refused(n2, "restore", FOLDER,
                                                   "--yes")
    nbctl(n1, "ls-add", "unconfirmed")
    assert "nothing was done" in refused(n1, "restore", FOLDER,
                                         stdin="yes\n")
    nbctl(n1, "ls-del", "unconfirmed")
    for name in FILES:
        for harm, word in [(lambda b: b[:-1], "its end is missing"),
                           (lambda b: b[:-2] + b"X" + b[-1:],
                            "content was changed")]:
            shutil.rmtree(n1.root("/var/lib/ovn-ha/bad"), ignore_errors=True)
            shutil.copytree(n1.root(FOLDER), n1.root("/var/lib/ovn-ha/bad"))
            file = n1.root(f"/var/lib/ovn-ha/bad/{name}")
            file.write_bytes(harm(file.read_bytes()))
            why = refused(n1, "restore", "/var/lib/ovn-ha/bad", "--yes")
            assert name in why and word in why
    n1.root("/var/lib/ovn-ha/bad/backup.json").unlink()
    assert "no backup" in refused(n1, "restore", "/var/lib/ovn-ha/bad", "--yes")
    assert network(lab, n1) == before
    assert not list(n1.root(STATE).glob("diverged/*"))


def test_restore(lab, backed_up):
    """All rows are back, with their _uuid and tunnel keys, on all nodes and in
    the same epoch; what was there is set aside."""
    n1 = lab["n1"]
    step_on(n1)
    epoch = cluster(n1)["epoch"]
    assert network(lab, n1) != backed_up
    said = PAGE.run(lab, "Going back")
    assert "NB: is as in the backup" in said
    assert "SB: is as in the backup" in said
    assert "restored; the standbys have it" in said
    for node in lab.control:
        assert {"kept", "changed"} <= names(node), node.name
    assert network(lab, n1) == backed_up
    wait_equal(lab)
    PAGE.run(lab, "Check")
    assert cluster(n1)["epoch"] == epoch
    report = next(iter(sorted(n1.root(STATE).glob("diverged/ovnnb-*.txt"))))
    assert "the backup" in report.read_text()
    assert "name: later" in report.read_text()
    assert "restore: done" in lab["n3"].hactl("history")
    assert not list(n1.root(STATE).glob("restore-*"))


def test_active_dies_midway(lab, backed_up):
    """NB is restored, SB is not, and the active is gone: the next one has a
    whole NB, northd has made SB fit to it, and to run it again is enough."""
    n1 = lab["n1"]
    step_on(n1)
    n1.exec("mv", "/run/ovn/ovnsb_db.sock", "/run/ovn/away")
    result = n1.exec("ovn-hactl", "restore", FOLDER, "--yes", check=False)
    assert result.returncode == 1
    assert "NB: is as in the backup" in result.stdout
    assert "ovnsb_db.sock: No such file" in result.stderr
    wait_until(lambda: all("kept" in names(n) for n in others(lab, n1)), 20,
               "the standbys have it")
    n1.power_cut()
    active = wait_until(lambda: next(
        (n for n in others(lab, n1) if cluster(n)["health"] == "degraded"
         and cluster(n)["active"] == n.name), None), 40, "another is active")
    nbctl(active, "sync")
    assert {"kept", "changed"} <= names(active)
    assert "later" not in names(active)
    if active.name != "n2":
        shutil.copytree(lab["n2"].root(FOLDER), active.root(FOLDER))
    n1.power_on()
    assert "may be old ones" in refused(n1, "backup", "--output", STALE)
    assert not n1.root(STALE).exists()
    n1.hactl("backup", "--output", STALE, "--yes")
    said = json.loads(n1.root(f"{STALE}/backup.json").read_text())
    assert said["in_sync"] is None and said["nb"]["lag_records"] is None
    n1.start()
    wait_well(lab)
    active.hactl("restore", FOLDER, "--yes", timeout=90)
    assert network(lab, active) == backed_up
    wait_equal(lab)


def test_a_standby_is_down(lab, backed_up):
    """It is named, and not waited for."""
    active = wait_well(lab)
    if not active.root(FOLDER).exists():
        shutil.copytree(lab["n2"].root(FOLDER), active.root(FOLDER))
    step_on(active)
    wait_equal(lab)
    away = others(lab, active)[0]
    away.power_cut()
    wait_until(lambda: cluster(active)["health"] == "degraded", 40,
               f"{away.name} is missed")
    began = time.monotonic()
    said = active.hactl("restore", FOLDER, "--yes", timeout=90)
    assert time.monotonic() - began < 15
    assert f"{away.name} is absent: it gets it when it follows again" in said
    assert "restored; the standbys that are connected have it" in said
    away.power_on()
    away.start()
    wait_well(lab)
    assert network(lab, active) == backed_up
    wait_equal(lab)


def test_standbys_ask(lab, backed_up):
    """Most rows would go: the restore is on the active alone, and says so."""
    active = wait_well(lab)
    for i in range(0, 1500, 500):
        nbctl(active, *" -- ".join(f"ls-add many{j}" for j in range(
            i, i + 500)).split())
    wait_equal(lab)
    result = active.exec("ovn-hactl", "restore", FOLDER, "--yes", check=False,
                         timeout=90)
    assert result.returncode == 4, result.stdout + result.stderr
    for node in others(lab, active):
        assert f"ovn-hactl accept-shrink {node.name}" in result.stdout
        assert "many1" in names(node)
    assert "not on the standbys that ask" in result.stderr
    active.hactl("accept-shrink")
    wait_well(lab)
    assert network(lab, active) == backed_up
    wait_equal(lab)


def test_all_of_the_page():
    """Every part with commands is run by a test."""
    assert PAGE.with_commands() == {"Making a backup", "Going back", "Check"}
