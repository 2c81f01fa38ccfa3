# SPDX-License-Identifier: Apache-2.0
"""ovn-ha-replica between real ovsdb-servers.

After whatever happened, the databases must be equal row by row, _uuid
included, and so must be the positions."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from lab import wait_until
from replica_parts import (ACTIVE, COMPLETE, CONNECTED, DIFFERS, FOLLOW,
                           FOREIGN, HAS_DATA, IDLE, LINEAGE, P_ACTIVE,
                           P_FAILED, P_FOLLOWING, P_IDLE, P_SNAPSHOT, SCHEMAS,
                           SERVER_OK, V_EQUAL, Writer, forge_chain, pair,
                           running, write)


@pytest.fixture
def cluster(tmp_path):
    yield from running(tmp_path)


def wait_for_another_date(node):
    """Waits until what is written now is no more taken for a part of what
    was written last: two dates within 100 ms count as one."""
    written = node.file.stat().st_ctime
    wait_until(lambda: time.time() > written + 0.3, 10, "a later date")


def assert_same(active, *standbys):
    """All are at the same position, with the same content."""
    head = active.head()
    for s in standbys:
        s.wait_at(head)
    want = active.dump()
    for s in standbys:
        assert s.dump() == want, f"node {s.id} differs from {active.id}"
    return head


def test_starts_empty_and_idle(cluster):
    a = cluster.add()
    status = a.wait(lambda s: s.phase == P_IDLE and s.flags == SERVER_OK)
    assert status.pos.lineage == 0
    assert a.end_worker() == 0


def test_replicates_under_load_and_compaction(cluster):
    a, b = pair(cluster)
    c = cluster.add()
    writers = [Writer(a, i, rate=400) for i in range(3)]
    for w in writers:
        w.start()
    r = random.Random(5)
    for _ in range(8):
        time.sleep(r.uniform(0.05, 0.3))
        r.choice([a, b, b]).compact()
    c.follow(a, 1)
    c.wait_following()
    c.compact()
    assert sum(w.stop() for w in writers) > 100
    assert_same(a, b, c)
    assert b.status.snapshots == 1 and b.status.resumes == 0
    assert a.status.flags & COMPLETE and b.status.flags & COMPLETE
    peer = a.wait_peer(2, lambda p: p.acked == p.head and p.lag_us == 0)
    assert peer.connected and peer.complete


def test_whatever_is_killed(cluster):
    a, b = pair(cluster)
    writers = [Writer(a, i, rate=150) for i in range(3)]
    for w in writers:
        w.start()
    r = random.Random(7)

    def restart_worker(node):
        node.stop_worker()
        if r.random() < 0.3:
            node.compact()
        time.sleep(r.uniform(0, 0.2))
        node.start_worker()

    def restart_server(node):
        node.stop_server()
        time.sleep(r.uniform(0, 0.2))
        node.start_server()

    for step in range(14):
        time.sleep(r.uniform(0, 0.4))
        node = [a, b][step % 2]
        r.choice([restart_worker, restart_server])(node)
        if r.random() < 0.5:
            r.choice([a, b]).compact()
    assert sum(w.stop() for w in writers) > 50
    b.wait_following()
    assert_same(a, b)
    # Two compactions in one absence of the standby are the only reason for
    # more than to resume.
    for line in b.tail(None).splitlines():
        if "sends a snapshot" in line:
            assert "is not known" in line or "is older than" in line
    assert b.tail(None).count("is not known") == 1
    # Nor is what is being written taken for damage.
    for node in (a, b):
        assert "damaged" not in node.tail(None)
    assert not list(b.state.glob("diverged/*"))


def test_unchanged_standby_writes_nothing(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    size = b.file.stat().st_size
    b.stop_worker()
    b.start_worker()
    b.wait_following()
    a.stop_worker()
    a.start_worker()
    b.wait(lambda s: s.resumes == 2)
    assert b.file.stat().st_size == size


def test_switchover_there_and_back(cluster):
    a, b = pair(cluster)
    nodes = [a, b]
    for epoch in range(2, 8):
        old, new = nodes
        writer = Writer(old, epoch)
        writer.start()
        wait_until(lambda: writer.acknowledged > 20)
        acknowledged = writer.stop()
        began = time.monotonic()
        final = old.idle(epoch).pos
        new.wait_at(final)
        assert new.idle(epoch).pos == final
        assert new.active(epoch).pos == final
        took = time.monotonic() - began
        assert took < 1, took
        old.follow(new, epoch)
        old.wait_following()
        assert acknowledged > 20
        nodes.reverse()
    assert_same(nodes[0], nodes[1])
    assert nodes[1].status.snapshots <= 1


def test_session_is_kept_while_the_role_moves(cluster):
    """The heir takes nothing while it is idle, and the rest of the old
    active's log at once when it may."""
    a, b = pair(cluster)
    writer = Writer(a, 1)
    writer.start()
    wait_until(lambda: writer.acknowledged > 20)
    mine = b.idle(2).pos
    size = b.file.stat().st_size
    acknowledged = writer.acknowledged
    wait_until(lambda: writer.acknowledged > acknowledged + 20)
    writer.stop()
    final = a.idle(2).pos
    assert b.status.pos.seq == mine.seq < final.seq
    assert b.file.stat().st_size == size
    b.follow(a, 2)
    b.wait_at(final)
    assert f"goes on with node 1 at record {mine.seq}" in b.tail()
    assert b.status.resumes == 0 and "is disconnected" not in a.tail()
    assert_same(a, b)


def test_idle_node_keeps_no_session_for_long(cluster):
    a, b = pair(cluster)
    b.idle(1)
    wait_until(lambda: "node 2 is disconnected" in a.tail(), 10)
    write(a)
    b.follow(a, 1)
    b.wait(lambda s: s.resumes == 1)
    assert "goes on" not in b.tail()
    assert_same(a, b)


def test_kept_session_is_no_use_after_a_foreign_write(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.idle(1)
    b.transact({"op": "insert", "table": "Logical_Switch",
                "row": {"name": "stray"}})
    b.follow(a, 1)
    b.wait_following()
    assert "goes on" not in b.tail(None)
    assert_same(a, b)


def test_new_active_pulls_the_tail_from_a_standby(cluster):
    a, b = pair(cluster)
    c = cluster.add()
    c.follow(a, 1)
    c.wait_following()
    write(a)
    behind = assert_same(a, b, c)
    c.idle()
    write(a, 30, seed=2)
    head = assert_same(a, b)
    a.stop()
    assert b.idle().pos == head
    assert c.status.pos.seq == behind.seq
    c.follow(b, 1)
    c.wait_at(head)
    assert c.idle().pos == head
    assert c.active(2).pos == head
    b.follow(c, 2)
    b.wait_following()
    write(c, 10, seed=3)
    assert_same(c, b)
    assert b.status.snapshots == 1  # That of its beginning.


def test_only_the_active_of_the_epoch_gives_a_snapshot(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    c = cluster.add()
    c.follow(b, 1)
    c.wait(lambda s: "not the active one" in s.why)
    assert not c.status.flags & COMPLETE
    a.active(3)
    c.follow(a, 2)
    c.wait(lambda s: "not the active one" in s.why)
    c.follow(a, 3)
    c.wait_following()
    assert_same(a, c)


def test_divergence_is_set_aside(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.idle()
    write(a, 5, seed=2)  # Never reaches b.
    lost = a.dump()
    a.idle()
    b.active(2)
    write(b, 3, seed=3)
    a.follow(b, 2)
    a.wait_following()
    assert_same(b, a)
    assert a.status.need in ("own last record is not in the source's log",
                             "own position is beyond the end of the source's "
                             "log")
    (aside,) = a.state.glob("diverged/ovnnb-1.1-*.db")
    assert rows_of(aside, "Logical_Switch") == set(lost["Logical_Switch"])


def test_what_came_after_a_resynchronisation_is_counted_again(cluster):
    """A node that was resynchronised, and then was active, knows what it
    acknowledged when its worker has read the file anew."""
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.idle()
    write(a, 5, seed=2)  # Never reaches b.
    a.idle()
    b.active(2)
    write(b, 3, seed=3)
    a.follow(b, 2)
    a.wait_following()
    assert_same(b, a)
    a.idle(3)
    b.idle(3)
    a.active(3)
    write(a, 7, seed=4)
    before = a.head()
    a.idle(3)
    a.stop_worker()
    a.last_role = None
    a.start_worker()
    status = a.wait(lambda s: s.phase == P_IDLE)
    assert status.pos == before
    assert not status.flags & FOREIGN
    a.active(4)
    b.follow(a, 4)
    b.wait_following()
    assert_same(a, b)


def test_foreign_write_is_noticed_and_cured(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.transact({"op": "insert", "table": "Meter_Band",
                "row": {"action": "drop", "rate": 1},
                "uuid-name": "band"},
               {"op": "insert", "table": "Meter", "row": {
                   "name": "stray", "unit": "kbps",
                   "bands": ["named-uuid", "band"]}})

    def noticed():
        return [s for _, s in b.history if s.flags & FOREIGN]
    wait_until(noticed, 5)
    assert not noticed()[0].flags & COMPLETE
    assert "Meter" in noticed()[0].why
    b.wait(lambda s: s.flags & COMPLETE and s.phase == P_FOLLOWING)
    assert "Meter" not in b.dump()
    assert_same(a, b)
    assert list(b.state.glob("diverged/*.db"))
    assert b.status.snapshots == 2
    assert b.status.need == "own file holds foreign records"


@pytest.mark.parametrize("compacted", [False, True])
def test_foreign_write_while_the_worker_is_down(cluster, compacted):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.idle()
    b.stop_worker()
    b.transact({"op": "insert", "table": "DNS", "row": {}})
    if compacted:
        b.compact()
    b.last_role = None
    b.start_worker()
    status = b.wait(lambda s: s.phase == P_IDLE)
    assert not status.flags & COMPLETE
    assert "not the replica's writes to DNS" in status.why
    b.follow(a, 1)
    b.wait_following()
    assert_same(a, b)
    assert "DNS" not in b.dump()


def make_record(body, of=None):
    """With the hash of that, or with another one."""
    return b"OVSDB JSON %d %s\n%s" % (
        len(body), hashlib.sha1(of or body).hexdigest().encode(), body)


@pytest.mark.parametrize("cut", [5, -7, -1])
def test_torn_record_is_not_there_yet(cluster, cut):
    """In its header, in what it holds, before its very last byte."""
    a, b = pair(cluster)
    write(a)
    head = assert_same(a, b)
    record = make_record(b'{"Logical_Switch":{}}\n')
    a.stop_server()
    b.stop_server()
    for node in (a, b):
        with open(node.file, "ab") as f:
            f.write(record[:cut])
    for node in (a, b):
        node.stop_worker()
        node.start_worker()
        node.start_server()
    b.wait_following()
    assert a.wait(lambda s: s.phase == P_ACTIVE).pos == head
    assert b.status.pos == head
    # The servers cut it off with their next write.
    write(a, 5, seed=2)
    assert_same(a, b)


def test_wrong_hash_on_the_active(cluster):
    """No standby takes such a record, and both say why they do not go on."""
    a, b = pair(cluster)
    write(a)
    head, before = assert_same(a, b), b.dump()
    a.stop_worker()
    a.stop_server()
    with open(a.file, "ab") as f:
        f.write(make_record(b'{"Logical_Switch":{}}\n', b"another"))
    a.start_server()
    a.start_worker()
    wait_until(lambda: "damaged at offset" in a.tail(None), 10, "it is said")
    b.wait(lambda s: "no complete log" in s.why)
    assert b.status.pos == head and b.dump() == before


@pytest.mark.parametrize("who", ["active", "standby"])
def test_compaction_while_the_worker_is_down(cluster, who):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    node = a if who == "active" else b
    node.stop_worker()
    write(a, 5, seed=2)
    node.compact()
    write(a, 5, seed=3)
    node.start_worker()
    b.wait(lambda s: s.resumes > 0)
    b.wait_following()
    assert_same(a, b)
    assert b.status.snapshots == (1 if who == "active" else 0)


def take_over(old, new, epoch):
    """Another node is made active in place of one that lost its position,
    whose data give way, but are not lost."""
    assert new.idle().error == 0
    new.active(epoch)
    old.follow(new, epoch)
    old.wait_following()
    write(new, 5, seed=90 + epoch)
    assert_same(new, old)
    assert old.status.flags & COMPLETE


def test_two_compactions_while_the_actives_worker_is_down(cluster):
    a, b = pair(cluster)
    write(a)
    before = assert_same(a, b)
    content = b.dump()
    a.stop_worker()
    a.compact()
    wait_for_another_date(a)
    write(a, 5, seed=2)
    a.compact()
    lost = a.dump()
    a.start_worker()
    a.wait(lambda s: s.phase == P_ACTIVE and "does not follow" in s.why)
    assert not a.status.flags & COMPLETE
    assert b.dump() == content and b.status.pos == before
    take_over(a, b, 2)
    (aside,) = a.state.glob("diverged/*.db")
    assert rows_of(aside, "Logical_Switch") == set(lost["Logical_Switch"])


def newer_schema(tmp_path, table):
    """The schema with a column "novelty" in 'table'."""
    schema = json.loads(open(SCHEMAS["nb"]).read())
    schema["version"] = "99.0.0"
    schema["tables"][table]["columns"]["novelty"] = {"type": "string"}
    newer = tmp_path / "newer.ovsschema"
    newer.write_text(json.dumps(schema))
    return newer


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_conversion_of_the_whole_cluster(cluster, tmp_path, compact, lost):
    """An upgrade with everything stopped keeps every position, unless a write
    came between."""
    newer = newer_schema(tmp_path, "Logical_Switch")
    a, b = pair(cluster)
    write(a, 30)
    head = assert_same(a, b)
    nodes = [a, b] if not lost else [a]
    for node in nodes:
        node.idle()
        node.stop_worker()
        if lost:
            node.compact()
            wait_for_another_date(node)
            write(node, 3, seed=9)
        node.stop_server()
        if compact:
            wait_for_another_date(a)
            subprocess.run(["ovsdb-tool", "compact", str(node.file)],
                           check=True)
            wait_for_another_date(node)
        subprocess.run(["ovsdb-tool", "convert", str(node.file), str(newer)],
                       check=True)
        node.last_role = None
        node.start_server()
        node.start_worker()
        status = node.wait(lambda s: s.phase == P_IDLE)
        assert bool(status.flags & COMPLETE) == (not lost)
        assert status.pos == head if not lost else "not follow" in status.why
    if not lost:
        assert a.active(2).pos == head
        b.follow(a, 2)
        b.wait_following()
        assert b.status.resumes == 1 and b.status.snapshots == 0
        write(a, 5, seed=2)
        assert_same(a, b)


def rows_of(file, table):
    """The _uuid of all rows of 'table' in a database file."""
    shown = subprocess.run(["ovsdb-tool", "query", str(file), json.dumps(
        ["OVN_Northbound", {"op": "select", "table": table,
                            "where": [], "columns": ["_uuid"]}])],
        check=True, capture_output=True, text=True).stdout
    return {r["_uuid"][1] for r in json.loads(shown)[0]["rows"]}


@pytest.mark.parametrize("how", ["empty", "restored", "in place"])
def test_wrong_file_on_the_active_is_not_followed(cluster, how):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    backup = a.file.read_bytes()
    write(a, 10, seed=2)
    before = assert_same(a, b)
    content = b.dump()
    a.stop_server()
    if how == "empty":
        a.file.unlink()
    elif how == "in place":
        a.file.write_bytes(backup)
    else:
        new = a.file.with_suffix(".new")
        new.write_bytes(backup)
        new.rename(a.file)
    a.start_server()
    status = a.wait(lambda s: s.phase == P_ACTIVE
                    and not s.flags & COMPLETE)
    assert status.why
    write(a, 5, seed=3)
    b.wait(lambda s: "no complete log" in s.why)
    # It stays so when the worker begins anew.
    a.stop_worker()
    a.last_role = None
    a.start_worker()
    a.wait(lambda s: s.phase == P_IDLE)
    assert a.role(ACTIVE, (1, a.id)).error < 0
    assert not a.status.flags & COMPLETE
    assert b.dump() == content and b.status.pos == before
    assert b.status.snapshots == 1  # That of its beginning.
    assert not list(b.state.glob("diverged/*"))
    take_over(a, b, 2)
    assert len(list(a.state.glob("diverged/*.db"))) == 1


def test_backup_from_its_time_as_a_standby(cluster):
    """Its records say their positions by themselves."""
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    backup = b.file.read_bytes()
    write(a, 10, seed=2)
    a.idle()
    b.wait_at(a.head())
    b.idle()
    b.active(2)
    a.follow(b, 2)
    a.wait_following()
    write(b, 5, seed=3)
    before = assert_same(b, a)
    content = a.dump()
    b.stop_server()
    new = b.file.with_suffix(".new")
    new.write_bytes(backup)
    new.rename(b.file)
    b.start_server()
    b.wait(lambda s: s.phase == P_ACTIVE and not s.flags & COMPLETE and s.why)
    write(b, 5, seed=4)
    b.wait(lambda s: s.file_bytes >= b.file.stat().st_size)
    a.wait(lambda s: "source refuses" in s.why)
    assert not b.status.flags & COMPLETE
    assert a.dump() == content and a.status.pos == before
    take_over(b, a, 3)


def damage(file, at):
    """Changes one byte of the record that holds the byte 'at'."""
    data = bytearray(file.read_bytes())
    i = data.index(b'"name"', at)
    data[i + 1:i + 5] = b"NAME"
    file.write_bytes(data)


@pytest.mark.parametrize("where", ["snapshot", "records"])
def test_damaged_file_is_not_complete(cluster, where):
    a, b = pair(cluster)
    write(a, 60)
    assert_same(a, b)
    b.compact()
    size = b.file.stat().st_size
    write(a, 20, seed=3)
    head = assert_same(a, b)
    b.idle()
    b.wait(lambda s: s.pos == head)
    b.stop_worker()
    b.stop_server()
    b.last_role = None
    damage(b.file, 15000 if where == "snapshot" else size)
    whole = b.file.read_bytes()
    b.start_server()
    b.start_worker()
    status = b.wait(lambda s: s.phase == P_IDLE)
    assert not status.flags & COMPLETE and "damaged at offset" in status.why
    assert b.role(ACTIVE, (2, b.id)).error < 0
    b.follow(a, 1)
    b.wait_following()
    assert b.status.flags & COMPLETE and not b.status.why
    write(a, 5, seed=4)
    assert_same(a, b)
    (aside,) = b.state.glob("diverged/*.db")
    assert aside.read_bytes() == whole


def test_what_a_crash_leaves_behind_the_last_record(cluster):
    a, b = pair(cluster)
    write(a)
    head = assert_same(a, b)
    b.stop_worker()
    b.stop_server()
    with open(b.file, "ab") as f:
        f.write(bytes(4096))
    b.start_server()
    b.history = []
    b.start_worker()
    b.wait_following()
    end = time.monotonic() + 3  # It is read afresh after 2 s, or never.
    b.wait(lambda s: time.monotonic() > end)
    assert {s.flags & COMPLETE for _, s in b.history[2:]} == {COMPLETE}
    assert "afresh" not in b.tail(None)
    assert b.status.pos == head
    write(a, 5, seed=2)
    assert_same(a, b)


def test_record_that_is_too_large_is_told(cluster):
    a = cluster.add()
    a.active(1)
    write(a, 5)
    with open(a.file, "ab") as f:
        f.write(b"OVSDB JSON 4294967296 " + 40 * b"0" + b"\n{")
    status = a.wait(lambda s: not s.flags & COMPLETE)
    assert "cannot be read" in status.why


def test_set_aside_on_another_file_system(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.stop_worker()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert os.stat(other).st_dev != os.stat(b.file).st_dev
        shutil.copytree(b.state, other, dirs_exist_ok=True)
        b.state = Path(other)
        b.start_worker()
        b.wait_following()
        b.transact({"op": "insert", "table": "DNS", "row": {}})
        wait_until(lambda: list(b.state.glob("diverged/*.db")), 5)
        b.wait(lambda s: s.snapshots == 1 and s.phase == P_FOLLOWING)
        assert_same(a, b)
        (aside,) = b.state.glob("diverged/*.db")
        assert len(rows_of(aside, "DNS")) == 1
        b.end_worker()


class Tap(threading.Thread):
    """Stands between a receiver and its source; keeps what the former says."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.said = []
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            try:
                up = self.dial()
            except ConnectionRefusedError:  # The source does not listen yet.
                conn.close()
                continue
            for pair in ((conn, up, True), (up, conn, False)):
                threading.Thread(target=self.pump, args=pair,
                                 daemon=True).start()

    def dial(self):
        """The source."""
        return socket.create_connection(("127.0.0.1", self.target))

    def change(self, data, _):
        """What is passed on; with True of what the receiver says."""
        return data

    def pump(self, source, sink, keep):
        while True:
            try:
                data = self.change(source.recv(65536), keep)
                sink.sendall(data)
            except OSError:
                data = b""
            if not data:
                source.close()
                sink.close()
                return
            if keep:
                self.said.append((time.monotonic(), data))


def pair_through(cluster, kind):
    """An active node and one that follows it, with a tap of that kind in
    between."""
    a = cluster.add()
    a.active(1)
    b = cluster.add()
    tap = kind(a.port)
    b.follow(type("Source", (), {"id": 1, "port": tap.port}), 1)
    b.wait_following()
    return a, b, tap


class Forger(Tap):
    """Changes the hash in each acknowledgement from a record on, as if that one
    were another there."""

    first = None

    def change(self, data, from_receiver):
        ack = struct.pack(">IHH", 32, 11, 0)
        at = data.find(ack) if from_receiver and self.first else -1
        while at >= 0 and at + 40 <= len(data):
            (seq,) = struct.unpack_from(">Q", data, at + 24)
            if seq >= self.first:
                data = data[:at + 39] + bytes([data[at + 39] ^ 1]) \
                    + data[at + 40:]
            at = data.find(ack, at + 40)
        return data


@pytest.mark.parametrize("at_once", [False, True])
def test_another_record_under_the_same_number(cluster, at_once):
    """Its position is the active's, and the hash over its records is not: it
    counts no more, and both say which record it is; of several that were made
    durable at once, and acknowledged so, between which it is."""
    a, b, tap = pair_through(cluster, Forger)
    write(a)
    head = assert_same(a, b)
    tap.first = head.seq + 3
    if at_once:
        b.server.send_signal(signal.SIGSTOP)
        write(a, 5, seed=2)
        b.wait(lambda s: s.head.seq == a.head().seq, 10, "all is there")
        b.server.send_signal(signal.SIGCONT)
    else:
        for i in range(2):
            write(a, 1, seed=2 + i)
            assert_same(a, b)
            assert a.wait_peer(2, lambda p: p.acked == p.head).connected
        write(a, 1, seed=4)
    status = b.wait(lambda s: s.phase == P_FAILED and "holds" in s.why)
    text = re.search(r"holds (another record (\d+) than is here|other records "
                     r"than are here from one of (\d+) to (\d+) on)",
                     status.why)
    numbers = [int(n) for n in text.groups()[1:] if n]
    if at_once:
        assert head.seq < numbers[0] <= tap.first <= numbers[-1]
    else:
        assert numbers == [tap.first]
    assert not status.flags & CONNECTED
    assert f"is refused: {text[0]}" in a.tail()
    a.wait_peer(2, lambda p: not p.connected and not p.complete)
    tap.first = None
    b.wait_following()
    assert_same(a, b)
    tap.listener.close()


def test_other_records_are_found_at_a_reconnect(cluster):
    """While a worker is down, the chain in its last record is changed: by that
    the records are other ones than the active's of the same number.  Both say
    so, loudly, the standby does not count until all was compared and verified,
    and not after a restart either."""
    a, b = pair(cluster)
    write(a)
    head = assert_same(a, b)
    b.stop_worker()
    assert forge_chain(b.file) == head.seq
    b.start_worker()
    status = b.wait(lambda s: s.phase == P_FAILED)
    text = f"record {head.seq}, or one before it"
    assert f"own {text}, is another than the source's" in status.why
    assert status.flags & DIFFERS and not status.flags & COMPLETE
    assert re.search(rf"\|ERR\|.*own {text}", b.tail())
    assert re.search(rf"\|ERR\|.* holds another {text}", a.tail())
    b.stop_worker()
    b.start_worker()
    b.wait_following()
    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS)
    wait_until(lambda: any(v.state == V_EQUAL for v in b.verifications), 10,
               "it is verified")
    assert b.status.snapshots == 1
    assert_same(a, b)


def test_receiver_is_heard_while_it_is_busy(cluster):
    a = cluster.add()
    a.active(1)
    write(a)
    b = cluster.add()
    tap = Tap(a.port)
    b.wait(lambda s: s.flags & SERVER_OK)
    b.server.send_signal(signal.SIGSTOP)
    try:
        b.follow(type("Source", (), {"id": 1, "port": tap.port}), 1)
        b.wait(lambda s: s.phase == P_SNAPSHOT and s.done)
        began = time.monotonic()
        wait_until(lambda: sum(t > began + 0.5 for t, _ in tap.said) >= 2, 5)
        assert b.status.phase == P_SNAPSHOT
        assert not a.wait_peer(2, lambda p: p.connected).complete
    finally:
        b.server.send_signal(signal.SIGCONT)
    b.wait_following()
    assert_same(a, b)
    tap.listener.close()


class Gate(Tap):
    """Keeps back what the source says while it is shut."""

    def __init__(self, port):
        self.open = threading.Event()
        self.open.set()
        self.kept = []
        super().__init__(port)

    def change(self, data, from_receiver):
        if not from_receiver and not self.open.is_set():
            self.kept.append(time.monotonic())
            self.open.wait()
        return data


def test_own_standstill_is_no_silence_of_the_source(cluster):
    """As a machine that stood still: what was sent meanwhile arrives only when
    TCP repeats it."""
    a, b, gate = pair_through(cluster, Gate)
    resumes = b.status.resumes
    gate.open.clear()
    wait_until(lambda: gate.kept, 5, "the source's heartbeat")
    b.worker.send_signal(signal.SIGSTOP)
    wait_until(lambda: time.monotonic() > gate.kept[0] + 6, 10,
               "longer than the source may be silent")
    b.worker.send_signal(signal.SIGCONT)
    said = len(b.history)
    wait_until(lambda: len(b.history) > said + 1, 5, "it goes on")
    gate.open.set()
    write(a)
    assert_same(a, b)
    assert b.status.resumes == resumes
    assert "silent" not in b.tail(None)
    # The source itself is silent.
    gate.open.clear()
    b.wait(lambda s: s.why == "the source is silent", 15)
    gate.open.set()
    b.wait(lambda s: s.resumes > resumes and s.phase == P_FOLLOWING)
    assert_same(a, b)
    gate.listener.close()


def test_strangers_leave_room_for_members(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    silent = [socket.create_connection(("127.0.0.1", a.port))
              for _ in range(40)]
    try:
        wait_until(lambda: "say nothing" in a.tail(None), 5)
        write(a, 5, seed=2)
        assert_same(a, b)
        for s in silent:
            s.close()
        b.stop_worker()
        b.start_worker()
        b.wait(lambda s: s.resumes == 1)
    finally:
        for s in silent:
            s.close()


def test_empty_standby_and_lost_position_file(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.stop_worker()
    b.stop_server()
    b.file.unlink()
    b.start_server()
    b.start_worker()
    b.wait(lambda s: s.snapshots == 1 and s.phase == P_FOLLOWING)
    write(a, 5, seed=2)
    assert_same(a, b)
    assert not list(b.state.glob("diverged/*"))
    # Without its position file it reads the position from the records.
    b.stop_worker()
    (b.state / "nb.pos").unlink()
    b.start_worker()
    b.wait(lambda s: s.resumes == 1 and s.phase == P_FOLLOWING)
    assert_same(a, b)


def test_large_records(cluster):
    a, b = pair(cluster)
    for i in range(3):
        a.transact({"op": "insert", "table": "DNS", "row": {"records": [
            "map", [[f"{i}-{j}", "x" * 200] for j in range(20000)]]}})
        write(a, 3, seed=i)
    assert_same(a, b)


def test_other_lineage_does_not_give_way(cluster):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    c = cluster.add()
    write(c, 5)
    done = c.role(ACTIVE, (1, c.id), lineage=LINEAGE + 1)
    assert done.error == 0
    content = c.dump()
    c.follow(a, 1)
    c.wait(lambda s: s.phase == P_FAILED and "lineage" in s.why)
    assert c.dump() == content


def test_active_refuses_what_cannot_be(cluster):
    a, b = pair(cluster)
    write(a)
    a.active(5)
    write(a, 2, seed=2)
    assert_same(a, b)
    assert b.role(ACTIVE, (4, b.id)).error < 0
    assert b.role(ACTIVE, (6, b.id), lineage=LINEAGE + 1).error < 0
    assert b.role(ACTIVE, (6, b.id)).error == 0


def test_wrong_key_is_refused(cluster, tmp_path):
    a, _ = pair(cluster)
    bad = tmp_path / "other"
    bad.write_bytes(b"k" * 128)
    c, d = cluster.add(key=bad), cluster.add(key=None)
    for node in (c, d):
        node.follow(a, 1)
        node.wait(lambda s: s.phase == P_FAILED and "key" in s.why)
        assert not node.status.flags & COMPLETE
    # The other way round: who listens must prove it too.
    c.active(1)
    b2 = cluster.add()
    b2.follow(c, 1)
    b2.wait(lambda s: s.phase == P_FAILED and "key" in s.why)


class Spoiler(Tap):
    """Damages the next record on its way to the receiver, when told to."""

    spoil = False

    def change(self, data, from_receiver):
        if from_receiver or not self.spoil or b'"Logical_' not in data:
            return data
        self.spoil = False
        return data.replace(b'"Logical_', b'"logical_', 1)


def test_record_is_damaged_on_its_way(cluster):
    """It is not applied, and comes again."""
    a, b, tap = pair_through(cluster, Spoiler)
    write(a)
    assert_same(a, b)
    before = b.status
    tap.spoil = True
    write(a, 5, seed=2)
    b.wait(lambda s: "a record of the source is damaged" in s.why)
    b.wait_following()
    assert_same(a, b)
    assert not tap.spoil and b.status.resumes > before.resumes
    assert b.status.snapshots == before.snapshots
    tap.listener.close()


def test_stranger_by_address(cluster):
    """Is not even asked who it is."""
    a = cluster.add()
    a.active(1)
    cluster.meet()

    def dial():
        try:
            return socket.create_connection(("127.0.0.1", a.port), 10,
                                            ("127.0.0.9", 0))
        except ConnectionRefusedError:  # It does not listen yet.
            return None
    with wait_until(dial, 5, "it listens") as stranger:
        assert stranger.recv(1) == b""
    wait_until(lambda: "127.0.0.9" in a.tail(None)
               and "no member of the cluster" in a.tail(None), 10,
               "it says who was refused")


def test_stranger_is_refused(cluster):
    a, b = pair(cluster)
    a.set_peers([1])
    b.wait(lambda s: "member" in s.why)
    write(a)
    assert b.status.pos != a.head()
    a.set_peers([1, 2])
    b.wait_following()
    assert_same(a, b)


def test_server_is_watched(cluster):
    a = cluster.add()
    a.wait(lambda s: s.flags & SERVER_OK)
    a.stop_server()
    a.wait(lambda s: not s.flags & SERVER_OK)
    a.start_server()
    seen = a.wait(lambda s: s.flags & SERVER_OK).seen_us
    a.wait(lambda s: s.seen_us > seen)


@pytest.fixture
def northd(tmp_path):
    started = []

    def start(nb, sb):
        p = subprocess.Popen(
            ["ovn-northd", f"--ovnnb-db=unix:{nb.sock}",
             f"--ovnsb-db=unix:{sb.sock}", "-vconsole:off",
             f"--unixctl={tmp_path}/northd.ctl"])
        started.append(p)
        return p
    yield start
    for p in started:
        p.kill()
        p.wait()


def test_probe_and_idle_northd(cluster, northd):
    nb = cluster.add()
    sb = cluster.add(db="sb")
    assert nb.probe().error < 0  # Not active.
    nb.active(1)
    sb.active(1)
    assert nb.probe(0.3).error < 0  # NB_Global has no row yet.
    process = northd(nb, sb)
    wait_until(lambda: "SB_Global" in sb.dump() and "NB_Global" in nb.dump())
    assert nb.probe().error == 0
    # What an idle northd writes is no data.
    for node in (nb, sb):
        node.idle()
        node.stop_worker()
        node.last_role = None
        node.start_worker()
        node.wait(lambda s: s.phase == P_IDLE and s.pos.lineage)
        assert not node.status.flags & HAS_DATA
    nb.active(2)
    process.kill()
    process.wait()
    probed = nb.probe(0.5)
    assert probed.error < 0 and probed.took_ms >= 500
    write(nb)
    nb.idle(2)
    nb.wait(lambda s: s.flags & HAS_DATA)


def test_roles_follow_each_other_fast(cluster):
    a, b = pair(cluster)
    writer = Writer(a, 1)
    writer.start()
    r = random.Random(3)
    for _ in range(30):
        kind = r.choice([IDLE, FOLLOW])
        b.send_role(kind, (1, a.id), a)
        time.sleep(r.uniform(0, 0.05))
    b.follow(a, 1)
    b.wait_following()
    assert writer.stop() > 10
    assert_same(a, b)


@pytest.mark.parametrize("restart", [False, True])
def test_a_position_is_final_only_when_nothing_can_follow(cluster, restart):
    a, b = pair(cluster)
    write(a)
    assert_same(a, b)
    b.server.send_signal(signal.SIGSTOP)
    write(a, 40, seed=2)
    b.wait(lambda s: s.head.seq >= a.head().seq)
    if restart:
        b.last_role = None
        b.stop_worker()
        b.start_worker()
        b.wait(lambda s: s.file_bytes)
    token = b.send_role(IDLE, (1, 2))
    with pytest.raises(TimeoutError):
        b.wait(lambda s: token in b.dones, 0.7)
    b.server.send_signal(signal.SIGCONT)
    b.wait(lambda s: token in b.dones)
    # Whatever was in its buffer has happened, or never will.
    final = b.dones[token].pos
    size = b.file.stat().st_size
    assert b.transact({"op": "comment", "comment": "barrier"})
    assert b.file.stat().st_size == size
    b.follow(a, 1)
    b.wait_following()
    assert_same(a, b)
    assert final.seq <= b.status.pos.seq
