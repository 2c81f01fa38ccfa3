# SPDX-License-Identifier: Apache-2.0
"""Verification: a replica that is not what its position says is found out,
though nothing else can see it, and what differs is named."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from lab import wait_until
from replica_parts import (COMPLETE, DIFFERS, P_FOLLOWING, SCHEMAS,
                           V_DIFFERS, V_EQUAL, V_FAILED, V_RUNNING, Writer,
                           edit_file, pair, program, running, write)

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
    aside = list((b.state / "diverged").iterdir())
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


def test_nothing_is_left_behind(parts):
    """No process of a verification outlives it, however it ends."""
    def verifiers():
        return [p for p in Path("/proc").glob("[0-9]*/cmdline")
                if b"--verify=" in read(p) and str(program()).encode()
                in read(p)]
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
