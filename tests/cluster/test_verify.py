# SPDX-License-Identifier: Apache-2.0
"""Verification: a replica that is not what its position says is found out,
though nothing else can see it, and what differs is named."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from lab import Corosync, wait_until
from replica_parts import (COMPLETE, DIFFERS, P_FOLLOWING, SCHEMAS,
                           V_DIFFERS, V_EQUAL, V_FAILED, V_RUNNING, Writer,
                           edit_file, pair, program, running, write)
from watch import (bring_up, cluster, local, others, row, shown, wait_equal,
                   wait_well)

# Two names of one length, for one row that will be edited.
NAME, EDITED = "the-true-name", "the-false-nam"


@pytest.fixture
def parts(tmp_path):
    yield from running(tmp_path)


def add_switch(node, name, **columns):
    """Returns the row's uuid."""
    row = {"name": name, **columns}
    return node.transact({"op": "insert", "table": "Logical_Switch",
                          "row": row})[0]["uuid"][1]


def edit(node, old=NAME, new=EDITED):
    """Changes the database's file while its server is down, so that the
    records are as long and as sound as before.  What came after them hides
    them from the check of the file's end."""
    node.stop_server()
    edit_file(node.file, old.encode(), new.encode())
    node.start_server()
    node.wait(lambda s: s.phase == P_FOLLOWING, 15, "following again")


def swapped(uuid):
    """Another uuid."""
    first, second, *rest = uuid.split("-")
    return "-".join((second + first[4:], first[:4], *rest))


def read(path):
    """Of a process that may end at any time."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def level(a, b):
    """Waits until 'b' has all of 'a'."""
    head = a.head()
    b.wait_at(head)
    return head


def test_equal_under_load(parts):
    a, b = pair(parts)
    write(a, 200)
    level(a, b)
    writers = [Writer(a, seed) for seed in (2, 3)]
    for w in writers:
        w.start()
    for _ in range(3):
        v = b.verify()
        assert v.state == V_EQUAL and v.rows > 10 and v.tables > 20, v
        assert v.pos.seq > 100 and v.differ == 0 and v.source == a.id, v
    assert all(w.stop() for w in writers)
    assert b.status.flags & COMPLETE and not b.differences


def edited_pair(parts):
    """One switch is edited behind the standby's back."""
    a, b = pair(parts)
    uuid = add_switch(a, NAME)
    write(a)
    level(a, b)
    edit(b)
    return a, b, uuid


def test_edited_row_is_named(parts):
    """Nothing notices but the verification, which tells table, row, column and
    both values; then the row is put right, and that is verified."""
    a, b, uuid = edited_pair(parts)
    assert b.dump()["Logical_Switch"][uuid]["name"] == EDITED
    assert b.status.flags & COMPLETE and not b.status.why, b.status

    v = b.verify()
    assert v.state == V_DIFFERS and v.differ == 1, v
    assert [tuple(d) for d in b.differences] == [
        ("Logical_Switch", uuid, "name", f'"{NAME}"', f'"{EDITED}"')]
    seen = [s for _, s in b.history if s.flags & DIFFERS]
    assert seen and not any(s.flags & COMPLETE for s in seen)
    assert uuid in seen[0].why

    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 20,
           "repaired and verified")
    assert b.dump() == a.dump()
    proof = b.verifications[-1]
    assert (proof.token, proof.state) == (0, V_EQUAL), proof
    assert not (b.state / "nb.differs").exists()
    aside = list((b.state / "diverged").glob("*.db"))
    assert len(aside) == 1 and EDITED in aside[0].read_text()


def found_pair(parts):
    """The difference is found, and cannot be made good at present, because
    nothing can be set aside."""
    a, b, uuid = edited_pair(parts)
    (b.state / "diverged").write_text("no folder")
    assert b.verify().state == V_DIFFERS
    return a, b, uuid


def test_a_finding_outlives_the_worker(parts):
    """What was found is not forgotten with the worker that found it."""
    a, b, uuid = found_pair(parts)
    b.stop_worker()
    b.history.clear()
    b.start_worker()
    b.wait(lambda s: "set aside" in s.why, 20, "cannot be made good")
    assert all(s.flags & DIFFERS and not s.flags & COMPLETE
               for _, s in b.history), b.history
    assert b.dump()["Logical_Switch"][uuid]["name"] == EDITED

    (b.state / "diverged").unlink()
    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 60,
           "repaired and verified")
    assert b.dump() == a.dump()


def test_a_repair_that_does_not_help(parts):
    """The server has the right row in memory, so nothing that it is told
    changes its file.  That is noticed, and not tried for ever; once the server
    is started on that file, the next verification puts it right."""
    a, b = pair(parts)
    uuid = add_switch(a, NAME)
    write(a)
    level(a, b)
    edit_file(b.file, NAME.encode(), EDITED.encode())
    assert b.dump()["Logical_Switch"][uuid]["name"] == NAME
    assert b.verify().state == V_DIFFERS
    wait_until(lambda: "the repair did not help" in b.tail(None), 60)

    def proofs():
        return [v.state for v in b.verifications
                if not v.token and v.state >= V_EQUAL]
    wait_until(proofs, 10)
    b.wait(lambda s: s.flags & DIFFERS and s.phase == P_FOLLOWING, 10)
    assert proofs() == [V_DIFFERS] and not b.status.flags & COMPLETE

    b.stop_server()
    b.start_server()
    b.wait_following(30)
    assert b.dump()["Logical_Switch"][uuid]["name"] == EDITED
    assert b.verify().state == V_DIFFERS
    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 90,
           "repaired and verified")
    assert b.dump() == a.dump()


def test_what_the_active_holds_is_the_truth(parts):
    """A finding ends with becoming active: somebody decided so."""
    a, b, uuid = found_pair(parts)
    a.idle(1)
    b.active(2)
    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 10)
    assert not (b.state / "nb.differs").exists()
    a.follow(b, 2)
    a.wait_following()
    level(b, a)
    assert a.verify().state == V_DIFFERS
    a.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 20,
           "repaired and verified")
    assert a.dump()["Logical_Switch"][uuid]["name"] == EDITED


def test_rows_on_one_side(parts):
    """A row that one side does not have; and no more are told than fit."""
    a, b = pair(parts)
    uuids = [add_switch(a, f"switch-{i}", external_ids=["map", [["k", NAME]]])
             for i in range(6)]
    write(a)
    level(a, b)
    b.stop_server()
    for uuid in uuids[1:]:
        edit_file(b.file, uuid.encode(), swapped(uuid).encode())
    edit_file(b.file, NAME.encode(), EDITED.encode())
    b.start_server()
    b.wait(lambda s: s.phase == P_FOLLOWING, 15, "following again")

    v = b.verify()
    assert v.state == V_DIFFERS and v.differ == 11, v
    assert len(b.differences) == 4
    assert {d.table for d in b.differences} == {"Logical_Switch"}
    for d in b.differences:
        if d.row == uuids[0]:
            assert d.column == "external_ids", d
            assert NAME in d.there and EDITED in d.here, d
        else:
            assert d.column == "" and {d.there, d.here} == {
                "a row", "no such row"}, d
            assert (d.here == "no such row") == (d.row in uuids), d
    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 20,
           "repaired and verified")
    assert b.dump() == a.dump()


def test_refused_while_not_following(parts):
    a, b = pair(parts)
    v = a.verify()
    assert v.state == V_FAILED and "does not follow" in v.why, v
    b.idle()
    v = b.verify()
    assert v.state == V_FAILED and "does not follow" in v.why, v


def test_the_source_goes_away(parts):
    """A verification that is cut short says so, and harms nothing."""
    a, b = pair(parts)
    write(a, 50)
    level(a, b)
    os.kill(a.worker.pid, signal.SIGSTOP)
    try:
        token = b.ask_verify()
        wait_until(lambda: any(v.token == token and v.state == V_RUNNING
                               for v in b.verifications), 10)
    finally:
        a.stop_worker()
    v = b.wait_verified(token)
    assert v.state == V_FAILED and "connection" in v.why, v
    a.start_worker()
    b.wait_following(30)
    assert b.verify().state == V_EQUAL
    assert b.status.flags & COMPLETE


def test_one_at_a_time(parts):
    """The source serves one after the other, for each takes memory; nobody
    has to ask again."""
    a, b = pair(parts)
    c = parts.add()
    c.follow(a, 1)
    c.wait_following()
    write(a)
    level(a, b)
    level(a, c)
    os.kill(a.worker.pid, signal.SIGSTOP)
    try:
        first = b.ask_verify()
        wait_until(lambda: any(v.state == V_RUNNING
                               for v in b.verifications), 20)
        os.kill(b.worker.pid, signal.SIGSTOP)  # It cannot end now.
    finally:
        os.kill(a.worker.pid, signal.SIGCONT)
    try:
        wait_until(lambda: "has its content verified" in a.tail(), 20)
        second = c.ask_verify()
        wait_until(lambda: any("busy" in v.why for v in c.verifications), 20)
    finally:
        os.kill(b.worker.pid, signal.SIGCONT)
    for n, token in ((b, first), (c, second)):
        assert n.wait_verified(token, 60).state == V_EQUAL


def verifiers():
    """The folders in /proc of those that this build has started."""
    lines = [(p.parent, read(p)) for p in Path("/proc").glob("[0-9]*/cmdline")]
    return [folder for folder, line in lines
            if b"--verify=" in line and str(program()).encode() in line]


def test_nothing_is_left_behind(parts):
    """No process of a verification outlives it, however it ends."""
    a, b = pair(parts)
    write(a)
    assert b.verify().state == V_EQUAL
    wait_until(lambda: not verifiers(), 10, "no verifier is left")
    os.kill(a.worker.pid, signal.SIGSTOP)
    b.ask_verify()
    wait_until(verifiers, 10, "one is at work")
    b.stop_worker()
    a.stop_worker()
    wait_until(lambda: not verifiers(), 10, "no verifier is left")


def test_verifies_when_nothing_else_is_to_be_done(parts):
    """On both sides, for processor and disk."""
    a, b = pair(parts)
    write(a, 300)
    found, asked = {}, b.ask_verify()

    def look():
        nonlocal asked
        if any(v.token == asked and v.state >= V_EQUAL
               for v in b.verifications):
            asked = b.ask_verify()
        for folder in verifiers():
            parent = read(folder / "stat").rpartition(b")")[2].split()[1:2]
            if parent:
                found.setdefault(int(parent[0]), set()).add(
                    how_urgent(int(folder.name)))
        return all((19, "idle") in found.get(n.worker.pid, ()) for n in (a, b))
    wait_until(look, 20, lambda: f"both at low priority: {found}",
               interval=0.001)


def how_urgent(pid):
    """Its nice value, and its class for disks."""
    try:
        nice = os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return None
    ionice = subprocess.run(["ionice", "-p", str(pid)], capture_output=True,
                            text=True, check=False).stdout.strip()
    return nice, ionice


def test_newer_schema_on_the_standby(parts, tmp_path):
    """Columns that the active does not know are left out."""
    schema = json.loads(Path(SCHEMAS["nb"]).read_text())
    columns = schema["tables"]["Logical_Switch"]["columns"]
    columns["aaa_new"] = {"type": {"key": "string", "min": 0, "max": 1}}
    columns["zzz_new"] = {"type": "integer"}
    schema["version"] = "99.0.0"
    newer = tmp_path / "newer.ovsschema"
    newer.write_text(json.dumps(schema))
    a, b = parts.add(), parts.add()
    subprocess.run(["ovsdb-client", "convert", f"unix:{b.sock}", str(newer)],
                   check=True)
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    uuid = add_switch(a, NAME)
    write(a)
    level(a, b)
    v = b.verify()
    assert v.state == V_EQUAL and v.skipped == 2, v
    edit(b)
    v = b.verify()
    assert v.state == V_DIFFERS and b.differences[0].row == uuid, v


# With ovn-had.


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes that verify when they are asked."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab, "[replication]\nverify-interval-s = 0\n")
    return lab


def hactl(node, *args):
    """ovn-hactl's exit status, output and errors."""
    done = node.exec(node.lab.program("ovn-hactl", "."), *args, check=False,
                     timeout=90)
    return done.returncode, done.stdout, done.stderr


def verification(node, of, db="nb"):
    """What 'node' knows of the last one of the node 'of'."""
    return row(node, of.name).get(db, {}).get("verification") or {}


def edit_standby(lab, name, edited, conf=None):
    """Stops a standby's service, changes a switch's name in its file, and
    starts it.  Returns active and standby, which nothing tells apart then."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    active.nbctl("ls-add", name)
    for i in range(20):  # Records that hide it.
        active.nbctl("set", "NB_Global", ".", f"external_ids:n={i}")
    wait_equal(lab)
    standby.service_stop("ovn-had", 60)
    if conf:
        standby.root("/etc/ovn-ha/ovn-ha.conf").write_text(conf)
    edit_file(standby.root("/var/lib/ovn/ovnnb_db.db"), name.encode(),
              edited.encode())
    standby.start_ovn_had()
    return active, standby


def uuid_of(node, name):
    return node.nbctl("--bare", "--columns=_uuid", "find", "Logical_Switch",
                      f"name={name}").strip()


def wait_ready(lab, node):
    """Waits until a node may become active, and returns the active."""
    def ready():
        r = row(node, node.name)
        return r.get("in_sync") and r.get("state") == "standby" \
            and not r.get("not_eligible")
    wait_until(ready, 60, lambda: f"{node.name} is ready; it says "
               f"{row(node, node.name)}", interval=0.1)
    return wait_well(lab)


def test_verify_says_what_it_compared(lab):
    """From any node, all standbys or one; and all nodes know of it."""
    active = wait_well(lab)
    standbys = others(lab, active)
    assert verification(active, standbys[0]) == {}
    for node in lab.control:
        code, out, err = hactl(node, "verify")
        assert code == 0, (out, err)  # Progress, if it takes long.
        for line in (f"{n.name} {db} equal: " for n in standbys
                     for db in ("NB", "SB")):
            assert out.count(line) == 1, out
    one = standbys[0]
    code, out, err = hactl(active, "verify", one.name, "--json")
    assert code == 0, err
    assert [(v["node"], v["db"], v["verification"]["state"])
            for v in json.loads(out)] == [(one.name, "NB", "equal"),
                                          (one.name, "SB", "equal")]
    for node in lab.control:
        wait_until(lambda n=node: verification(n, one, "sb").get("state")
                   == "equal", 10)
    assert f"verified  {one.name} NB equal" in active.hactl(
        "status", check=False)


def test_verify_shows_progress(lab):
    """On a terminal: of which node and database, doing what, how far."""
    one = others(lab, wait_well(lab))[0]
    master, terminal = os.openpty()
    os.set_blocking(master, False)
    said, verify = b"", None

    def at_work():
        return [p for p in one.processes()
                if any("--verify=" in arg for arg in p.args)]

    def caught():
        """Tries again if it was too fast."""
        nonlocal verify
        if not verify or verify.poll() is not None:
            verify = one.popen(one.lab.program("ovn-hactl", "."), "verify",
                               one.name, stdout=subprocess.DEVNULL,
                               stderr=terminal)
        for process in at_work():
            process.send_signal(signal.SIGSTOP)
        return any(p.state == "T" for p in at_work())

    def shown_progress():
        nonlocal said
        try:
            said += os.read(master, 65536)
        except BlockingIOError:
            pass
        return re.search(rb"%s (NB|SB): [a-z]+, \d+ %%" % one.name.encode(),
                         said)
    try:
        wait_until(caught, 30, "it verifies", interval=0.001)
        wait_until(shown_progress, 10, lambda: f"progress; it says {said}")
    finally:
        for process in at_work():
            process.send_signal(signal.SIGCONT)
    assert verify.wait(30) == 0
    os.close(master)
    os.close(terminal)


def test_verify_ends_with_its_worker(lab):
    """However soon there is another one; and the next verification goes
    on."""
    one = others(lab, wait_well(lab))[0]
    hactl = one.lab.program("ovn-hactl", ".")
    one.stop("replica-nb")
    ended = one.exec(hactl, "verify", one.name, check=False, timeout=30)
    assert ended.returncode == 1
    assert "the replica worker has ended" in ended.stdout + ended.stderr
    wait_well(lab)
    one.hactl("verify", one.name)


@pytest.mark.parametrize("name, text", [
    ("n9", "there is no such node"), (None, "it is the active")])
def test_verify_refuses(lab, name, text):
    active = wait_well(lab)
    code, out, err = hactl(active, "verify", name or active.name)
    assert (code, out) == (1, "") and text in err, err
    assert err.count("\n") == 1


def test_switchover_to_what_differs_is_refused(lab):
    """One line, that names the row; nothing is closed for it.  What differs
    is replaced, and then the node may become active."""
    active, standby = edit_standby(lab, "shop-front", "shop-fr0nt")
    uuid = uuid_of(active, "shop-front")
    assert wait_ready(lab, standby) is active
    epoch = cluster(active)["epoch"]
    diverged = standby.root("/var/lib/ovn-ha/diverged")
    diverged.write_text("no folder, so that nothing can be set aside")
    try:
        code, out, err = hactl(active, "switchover", "--to", standby.name)
        assert (code, out) == (1, ""), (out, err)
        assert err == (
            f"ovn-hactl: {standby.name} may not become active: its NB differs "
            f"from the active's: table Logical_Switch, row {uuid}, column "
            f'name: "shop-front" on the active, "shop-fr0nt" on '
            f"{standby.name}\n")
        assert cluster(active)["epoch"] == epoch
        assert cluster(active)["active"] == active.name
        history = standby.hactl("history")
        assert "1 of " in history
        assert 'column name: "shop-front" on ' in history

        wait_until(lambda: row(active, standby.name).get("not_eligible"), 10)
        code, out, err = hactl(active, "status")
        assert code == 4, out
        assert f"  {standby.name}: NB differs in 1 row, " in out, out
        code, out, err = hactl(active, "switchover", "--to", standby.name)
        assert (code, out) == (1, "") and err.count("\n") == 1, err
        assert f"{standby.name} may not become active: it" in err, err
    finally:
        diverged.unlink()

    wait_until(lambda: verification(active, standby).get("state") == "equal",
               90, lambda: f"repaired: {verification(active, standby)}")
    found = verification(active, standby)["found"]
    assert found["differences"][0]["row"] == uuid and found["rows"] == 1
    wait_ready(lab, standby)
    assert list(standby.root("/var/lib/ovn-ha/diverged").glob("ovnnb-*"))
    code, out, err = hactl(active, "switchover", "--to", standby.name)
    assert code == 0, err
    assert uuid_of(standby, "shop-front") == uuid
    wait_equal(lab)


def test_schedule_finds_it_too(lab):
    """Nobody asks; by itself the node finds the row and puts it right."""
    active, standby = edit_standby(
        lab, "back-office", "back-0ffice",
        "[replication]\nverify-interval-s = 2\n")
    wait_until(lambda: verification(active, standby).get("found"), 60,
               "the schedule found it", interval=0.1)
    found = verification(active, standby)["found"]["differences"]
    assert [(d["table"], d["column"], d["active"], d["here"])
            for d in found] == [("Logical_Switch", "name", '"back-office"',
                                 '"back-0ffice"')]
    wait_ready(lab, standby)
    wait_until(lambda: verification(active, standby).get("state") == "equal",
               30, "repaired")
    assert not verification(active, others(lab, active, standby)[0]).get(
        "found")
    wait_equal(lab)


def test_recent_is_not_repeated(lab):
    """A switchover soon after one trusts it; --no-verify trusts anything, and
    what the active holds is the truth from then on."""
    active, standby = edit_standby(
        lab, "warehouse", "wareh0use",
        "[replication]\nverify-interval-s = 0\n")
    wait_ready(lab, standby)
    third = others(lab, active, standby)[0]
    assert hactl(active, "verify", third.name)[0] == 0
    at = verification(third, third)["position"]
    active.nbctl("set", "NB_Global", ".", "external_ids:later=1")
    assert hactl(active, "switchover", "--to", third.name)[0] == 0
    assert verification(third, third)["position"] == at

    # But not if a database server was started since.
    wait_ready(lab, active)
    assert hactl(third, "verify", active.name)[0] == 0
    at = verification(active, active)["position"]
    active.kill("nb")
    third.nbctl("set", "NB_Global", ".", "external_ids:later=2")
    wait_ready(lab, active)
    assert hactl(third, "switchover", "--to", active.name)[0] == 0
    assert verification(active, active)["position"] != at
    wait_ready(lab, third)

    wait_ready(lab, standby)
    code, out, err = hactl(active, "switchover", "--to", standby.name,
                           "--no-verify")
    assert (code, err) == (0, ""), err
    assert wait_well(lab) is standby
    code, out, err = hactl(standby, "verify", third.name)
    assert code == 5 and f"{third.name} NB DIFFERS" in out, (out, err)
    assert '"wareh0use" on the active, "warehouse" on ' in out
    assert f"{third.name} SB equal" in out
    assert hactl(standby, "verify")[0] == 5  # The old active does, too.
    for node in (active, third):
        wait_ready(lab, node)
    assert hactl(standby, "verify")[0] == 0
    wait_equal(lab)


def test_in_sync_and_yet_different(lab):
    """A file that changed under its running server: the node receives all,
    and all the same may not become active."""
    active = wait_well(lab)
    standby = others(lab, active)[1]
    standby.service_stop("ovn-had", 60)  # A new worker copies at once.
    standby.start_ovn_had()
    assert wait_ready(lab, standby) is active
    active.nbctl("ls-add", "market-hall")
    active.nbctl("set", "NB_Global", ".", "external_ids:hide=1")
    active.nbctl("--wait=sb", "sync")
    wait_equal(lab)
    for db in ("nb", "sb"):
        edit_file(standby.root(f"/var/lib/ovn/ovn{db}_db.db"), b"market-hall",
                  b"market-hal1")
    assert hactl(active, "verify", standby.name)[0] == 5

    def stuck():
        r = row(active, standby.name)
        return r.get("in_sync") and r.get("state") == "standby" \
            and (r.get("not_eligible") or {}).get("code") == "incomplete" \
            and cluster(active)["health"] == "degraded"
    wait_until(stuck, 60, lambda: f"{row(active, standby.name)}")
    shown(active, "incomplete")
    shown(active, "nb-differs")
    shown(active, "sb-differs")
    for db in ("nb", "sb"):
        standby.kill(db)
        wait_until(lambda d=db: local(standby)[d]["server"] == "running", 20)

    def mended():
        """A verification after the server's start puts it right, once the
        receiver may set the file aside again."""
        hactl(active, "verify", standby.name)
        return not row(active, standby.name).get("not_eligible")
    wait_until(mended, 120, lambda: f"{row(active, standby.name)}")
    wait_equal(lab)


def test_what_cannot_be_verified_is_refused(lab):
    """A record that the disk has spoilt: the server, which has it in memory,
    does not notice, nor does replication.  Nothing is known of this node's
    content then, and the switchover says so."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    standby.kill("nb")  # What was verified before that is not trusted.
    wait_until(lambda: standby.find("nb"), 20)
    wait_ready(lab, standby)
    active.nbctl("ls-add", "spoilt-fish")
    active.nbctl("set", "NB_Global", ".", "external_ids:hide=2")
    wait_equal(lab)
    path = standby.root("/var/lib/ovn/ovnnb_db.db")
    with open(path, "r+b") as file:
        file.seek(path.read_bytes().index(b"spoilt-fish"))
        file.write(b"Spoilt-fish")
    server = standby.find("nb")[0].pid
    code, out, err = hactl(active, "switchover", "--to", standby.name)
    assert (code, out) == (1, ""), (out, err)
    assert err.count("\n") == 1 and err.endswith("--no-verify does without\n")
    assert f"{standby.name} could not be verified: NB: the file does not " \
        "load: " in err, err
    assert wait_well(lab) is active
    assert standby.find("nb")[0].pid == server
    code, out, err = hactl(active, "verify", standby.name)
    assert code == 1 and f"{standby.name} NB not verified: " in out, out
