# SPDX-License-Identifier: Apache-2.0
"""What a node does not do by itself, and an operator lets it do: lose most of
its rows, give up data of another lineage."""

import shutil

import pytest
from lab import CommandError, Corosync, wait_until
from watch import (bring_up, cluster, others, row, shown, wait_equal, wait_in_sync,
                   wait_well, wait_why)

SWITCHES = [f"guarded{i}" for i in range(150)]


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def nbctl(node, *commands):
    """Several commands in one transaction."""
    argv = ["ovn-nbctl", "--no-leader-only"]
    for command in commands:
        argv += ["--", *command]
    return node.out(*argv, timeout=60)


def asks(node, name):
    """The commands that the node of that name waits for, as 'node' sees
    it."""
    return {db: row(node, name)[db]["asks"]["command"]
            for db in ("nb", "sb")
            if (row(node, name).get(db) or {}).get("asks")}


def wait_asks(node, name, command, deadline=60):
    wait_until(lambda: command in asks(node, name).values(), deadline,
               lambda: f"{name} asks for {command}; {row(node, name)}")


def not_eligible(node, name):
    return (row(node, name).get("not_eligible") or {}).get("code")


def refused(node, *args, **kwargs):
    """Why ovn-hactl refuses."""
    with pytest.raises(CommandError) as e:
        node.hactl(*args, **kwargs)
    return str(e.value)


def test_mass_deletion(lab):
    """Both standbys stop, and nobody takes over by itself; what an operator
    meant to do is waved through from any node."""
    active = wait_well(lab)
    rest = others(lab, active)
    nbctl(active, *[["ls-add", name] for name in SWITCHES])
    wait_equal(lab)
    assert "does not ask" in refused(rest[0], "accept-shrink", rest[1].name)
    # Anew, so that these rows are what is there when the minute begins.
    for node in rest:
        node.hactl("reload")
    wait_well(lab)
    nbctl(active, *[["ls-del", name] for name in SWITCHES])
    for node in rest:
        wait_asks(active, node.name, "accept-shrink")
        assert not_eligible(active, node.name) == "shrink"
    for code in "shrink", "nb-asks":
        shown(active, code)
    wait_in_sync(active, [active.name])
    assert cluster(active)["health"] == "degraded"
    assert f"accept-shrink {rest[0].name}" in rest[1].hactl(
        "status", check=False)
    assert "guard: NB is not followed beyond record" in rest[0].hactl(
        "history")
    assert "may not become active" in refused(
        rest[0], "switchover", "--to", rest[0].name)

    def accepted():
        """NB, and SB once northd has made the same of it."""
        rest[0].hactl("accept-shrink", check=False)
        return cluster(active)["health"] == "ok"
    wait_until(accepted, 60, "all are let go on")
    assert wait_well(lab) is active
    wait_equal(lab)
    assert "accept-shrink: an operator lets node" in rest[0].hactl("history")
    assert "accept-shrink: NB may lose rows" in rest[1].hactl("history")


STATE = "/var/lib/ovn-ha"
OVN = "/var/lib/ovn"


def data_files(node):
    """The databases of a node that is stopped, where it notes their positions,
    and its record."""
    return [node.root(f"{folder}/{name}") for folder, name in
            [(OVN, "ovnnb_db.db"), (OVN, "ovnsb_db.db"),
             (STATE, "nb.pos"), (STATE, "sb.pos"), (STATE, "record")]]


def make_later(record):
    """As if the record's cluster had had 1000 more epochs."""
    lines = record.read_bytes().split(b"\n")[:-2]
    for i, line in enumerate(lines):
        key, *values = line.split(b" ")
        if key in (b"promised", b"accepted", b"epoch"):
            n, node = map(int, values)
            lines[i] = b"%s %d %d" % (key, n + 1000, node)
    text = b"\n".join(lines) + b"\n"
    checksum = 0xcbf29ce484222325
    for byte in text:
        checksum = (checksum ^ byte) * 0x100000001b3 % 2**64
    record.write_bytes(text + b"checksum %016x\n" % checksum)


def begin_another_life(lab):
    """Ends all nodes, removes all that they have, and starts them anew."""
    for node in lab.control:
        node.service_stop("ovn-had", 60)
    for node in lab.control:
        node.exec("sh", "-c", f"rm -rf {STATE}/* {OVN}/*")
    for node in lab.control:
        node.start_ovn_had()
    return wait_well(lab)


def test_data_of_another_lineage(lab, tmp_path):
    """The disk of one node is brought back from an earlier life of the
    cluster: record and data give way only when an operator says so, by one
    command, and what is lost is told."""
    active = wait_well(lab)
    nbctl(active, ["ls-add", "of-another-life"])
    wait_equal(lab)
    old = others(lab, active)[0]
    old.service_stop("ovn-had", 60)
    for path in data_files(old):
        shutil.copy(path, tmp_path / path.name)
    old.start_ovn_had()
    active = begin_another_life(lab)
    old = others(lab, active)[0]
    old.service_stop("ovn-had", 60)
    old.exec("sh", "-c", f"rm -f {OVN}/*.ovn-ha")
    for path in data_files(old):
        shutil.copyfile(tmp_path / path.name, path)
    make_later(old.root(f"{STATE}/record"))
    old.start_ovn_had()
    # Nobody follows its record, and it says by what that is set aside.
    wait_why(old, "lineages")
    shown(old, "lineages")
    rest = [n.name for n in others(lab, old)]
    wait_in_sync(active, rest)
    nbctl(active, ["ls-add", "without-it"])
    assert cluster(active)["active"] == active.name
    assert "ovn-hactl reinit NODE sets aside" in old.hactl("status",
                                                           check=False)
    record = old.root(f"{STATE}/record").read_bytes()
    assert "nothing was done" in refused(active, "reinit", old.name,
                                         stdin="somebody\n")
    wait_why(old, "lineages")
    assert old.root(f"{STATE}/record").read_bytes() == record

    # One command does it all, also on the node itself, which starts anew.
    answer = old.hactl("reinit", old.name, "--timeout", "90",
                       stdin=f"{old.name}\n", timeout=100)
    assert f"{old.name} sets its record aside" in answer
    assert f"{old.name} may go on" in answer
    assert wait_well(lab) is active
    wait_equal(lab)
    assert "own record of another lineage is set aside" in old.hactl("history")
    assert "is of another lineage and does not give way" in old.hactl(
        "history")
    folder = old.root(STATE) / "diverged"
    (aside,) = folder.glob("record-*")
    assert aside.read_bytes() == record
    (report,) = folder.glob("ovnnb-*.txt")
    assert "name: of-another-life" in report.read_text()
    wait_until(lambda: row(active, old.name)["set_aside"]["files"] > 0, 10,
               "all know what it takes")
    assert row(active, old.name)["set_aside"]["bytes"] > \
        report.stat().st_size
    assert f"set aside on {old.name}" in active.hactl("status")
    assert "set aside: own NB data" in old.hactl("history")
    assert row(active, active.name)["set_aside"]["files"] == 0

    # The data alone: the record is as the others have it.
    old.service_stop("ovn-had", 60)
    old.exec("sh", "-c", f"rm -f {OVN}/*.ovn-ha")
    for path in data_files(old)[:4]:
        shutil.copyfile(tmp_path / path.name, path)
    old.start_ovn_had()
    for code in "reinit", "nb-asks", "sb-asks":
        assert shown(active, code).startswith(old.name)
    old.hactl("reinit", old.name, "--yes")
    assert wait_well(lab) is active
