# SPDX-License-Identifier: Apache-2.0
"""Large databases: where little is shared the whole file is installed, and
otherwise the difference is applied.  Whoever ends when, the standby's file is
one whole state, the old one or the new one."""

import json
import subprocess
from pathlib import Path

import big_sb
import pytest
from lab import wait_until
from replica_parts import (ASK_NONE, ASK_SHRINK, COMPLETE, DIFFERS, NAMES,
                           P_FAILED, P_FOLLOWING, P_IDLE, SCHEMAS, V_EQUAL,
                           Cluster, program)

BINDINGS, FLOWS = 200, 3000
MORE = " || tcp.src == 1" * 400  # Makes 18 MiB of it.


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The rows, and a file with them."""
    rows = big_sb.make_rows(BINDINGS, FLOWS, more=MORE)
    path = tmp_path_factory.mktemp("large") / "sb.db"
    big_sb.write(path, rows)
    assert path.stat().st_size > 17 << 20
    return rows, path


@pytest.fixture
def cluster(tmp_path):
    c = Cluster(tmp_path, program(), db="sb")
    yield c
    unwell = c.stop()
    for n in c.nodes:
        print(f"--- node {n.id}\n{n.tail()}")
    assert not unwell, "workers ended badly"


def put_file(node, source):
    """Lets a node begin with a copy of a file."""
    node.stop_worker()
    node.stop_server()
    subprocess.run(["cp", str(source), str(node.file)], check=True)
    (node.state / "sb.pos").unlink(missing_ok=True)
    Path(f"{node.file}.ovn-ha").unlink(missing_ok=True)
    node.start_server()
    node.last_role = None
    node.start_worker()
    node.wait(lambda s: s.phase == P_IDLE, 60)


def write(node, n=5):
    """'n' transactions on an active node."""
    for i in range(n):
        node.transact({"op": "mutate", "table": "SB_Global", "where": [],
                       "mutations": [["nb_cfg", "+=", 1]]})


def dump(node, *tables):
    """All rows with their _uuid, sorted."""
    return subprocess.run(["ovsdb-client", "-f", "json", "dump",
                           f"unix:{node.sock}", NAMES["sb"], *tables],
                          check=True, capture_output=True, timeout=60).stdout


def assert_same(a, b):
    head = a.head()
    b.wait_at(head, 60)
    assert dump(a) == dump(b)
    return head


def leftovers(node):
    return [p.name for p in node.folder.glob("ovnsb_db.db.*")
            if not p.name.endswith(".ovn-ha")]


def start(cluster, large):
    """An active node with the large database, and an empty one."""
    a, b = cluster.add(), cluster.add()
    put_file(a, large[1])
    cluster.meet()
    a.active(1)
    return a, b


def test_whole_file_into_an_empty_standby(cluster, large):
    a, b = start(cluster, large)
    b.follow(a, 1)
    b.wait_following(60)
    assert len(b.installs) == 1 and b.status.snapshots == 1
    assert b.status.resync.startswith("whole file: 0 of the snapshot's")
    assert b.status.need == "own position is not known"
    write(a)
    head = assert_same(a, b)
    assert leftovers(b) == []
    # The position is the file's own: without all else it is found again.
    b.stop_worker()
    (b.state / "sb.pos").unlink()
    b.start_worker()
    b.wait(lambda s: s.resumes == 1 and s.phase == P_FOLLOWING, 60)
    assert b.status.pos == head
    # Compaction, a switchover, and a third node that begins with it.
    b.compact()
    write(a)
    head = assert_same(a, b)
    a.idle()
    b.idle()
    assert b.active(2).pos == head
    a.follow(b, 2)
    a.wait(lambda s: s.resumes == 1 and s.phase == P_FOLLOWING, 60)
    write(b)
    assert_same(b, a)
    assert not list(b.state.glob("diverged/*"))


def test_installed_file_as_a_source(cluster, large):
    """Also before it was ever compacted."""
    a, b = start(cluster, large)
    b.follow(a, 1)
    b.wait_following(60)
    write(a)
    head = assert_same(a, b)
    a.idle()
    b.idle()
    assert b.active(2).pos == head
    write(b)
    c = cluster.add()
    c.follow(b, 2)
    c.wait_following(60)
    assert len(c.installs) == 1
    write(b)
    assert_same(b, c)


def test_difference_where_most_is_shared(cluster, large, tmp_path):
    a, b = start(cluster, large)
    rows = {t: dict(r) for t, r in large[0].items()}
    big_sb.change(rows, 0.01)
    other = tmp_path / "other.db"
    big_sb.write(other, rows)
    put_file(b, other)
    b.follow(a, 1)
    b.wait_following(60)
    assert not b.installs
    assert b.status.resync.startswith("difference: ")
    assert "removed rows" in b.tail(None)
    assert_same(a, b)
    # It had data of no known position, which are kept.
    assert len(list(b.state.glob("diverged/*.db"))) == 1


def test_small_database_is_compared(cluster, tmp_path):
    a, b = cluster.add(), cluster.add()
    small = tmp_path / "small.db"
    big_sb.write(small, big_sb.make_rows(20, 100))
    put_file(a, small)
    cluster.meet()
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    assert not b.installs and b.status.resync.startswith("difference: ")
    assert_same(a, b)


def test_other_schema_is_compared(cluster, large, tmp_path):
    """Its file would take the standby's own schema away."""
    a, b = start(cluster, large)
    schema = json.loads(Path(SCHEMAS["sb"]).read_text())
    schema["version"] = "99.0.0"
    schema["tables"]["Meter"]["columns"]["novelty"] = {"type": "string"}
    newer = tmp_path / "newer.ovsschema"
    newer.write_text(json.dumps(schema))
    b.stop_worker()
    b.stop_server()
    b.file.unlink()
    b.create_db(newer)
    b.start_server()
    b.start_worker()
    b.follow(a, 1)
    b.wait_following(120)
    assert not b.installs and "another schema" in b.status.resync
    b.wait_at(a.head())
    for table in ("Logical_Flow", "Port_Binding", "Datapath_Binding"):
        assert dump(a, table) == dump(b, table)
    columns = b.call("get_schema", [NAMES["sb"]])["result"]["tables"]["Meter"]
    assert "novelty" in columns["columns"]


def put_other_data(node, tmp_path):
    """Gives a node data of which the large database has nothing."""
    other = tmp_path / "other.db"
    big_sb.write(other, big_sb.make_rows(200, 1000, seed=5))
    put_file(node, other)
    return node.file.read_bytes()


def assert_set_aside(node, lost):
    """The own file, a report and a transaction, all of them told of."""
    wait_until(lambda: node.asides, 5, "it is told")
    (aside,) = node.state.glob("diverged/*.db")
    assert aside.read_bytes() == lost
    assert "only here: Port_Binding" in aside.with_suffix(".txt").read_text()
    (told,) = node.asides
    assert told.name == aside.stem
    # The first operation is a comment.
    request = json.loads(aside.with_suffix(".json").read_text())
    assert told.ops == len(request) - 2 > 1000


def test_data_that_give_way_are_set_aside(cluster, large, tmp_path):
    """With their report, and before anybody is asked to install."""
    a, b = start(cluster, large)
    lost = put_other_data(b, tmp_path)
    b.may_install = False
    b.follow(a, 1)
    wait_until(lambda: b.installs, 60, "an offer")
    assert_set_aside(b, lost)
    assert b.file.read_bytes() == lost
    b.install()
    b.wait_following(60)
    assert len(b.installs) == 1
    assert_same(a, b)


GUARD = ["--shrink-guard=70", "--shrink-rows=20"]


def guarded(cluster, file):
    """An active node with the database 'file', and one that has the guard."""
    a, b = cluster.add(), cluster.add(options=GUARD)
    put_file(a, file)
    cluster.meet()
    a.active(1)
    return a, b


def wait_stopped(node):
    return node.wait(lambda s: s.ask == ASK_SHRINK and s.phase == P_FAILED, 60,
                     "it asks")


def test_whole_file_is_judged_first(cluster, large, tmp_path):
    """By the guard against an active that lost most of its rows."""
    a, b = guarded(cluster, large[1])
    lost = put_other_data(b, tmp_path)
    b.follow(a, 1)
    status = wait_stopped(b)
    # Flows do not count; bindings, their four datapaths and SB_Global do.
    assert (status.ask_rows, status.ask_lost) == (205, 205)
    assert status.resync.startswith("whole file: ")
    assert not b.installs and not b.asides and leftovers(b) == []
    assert b.file.read_bytes() == lost
    b.consent(ASK_SHRINK, status.ask_seq)
    b.wait_following(60)
    assert len(b.installs) == 1 and b.status.ask == ASK_NONE
    assert_set_aside(b, lost)
    assert_same(a, b)


def test_rows_that_the_source_deleted_later_are_gone(cluster, large, tmp_path):
    """Though its log still has them further in front."""
    own = big_sb.make_rows(200, 1, seed=5)
    del own["SB_Global"], own["Logical_Flow"]
    for row in own["Datapath_Binding"].values():
        row["tunnel_key"] += 1000
    for row in own["Port_Binding"].values():
        row["logical_port"] = "old-" + row["logical_port"]
    theirs = tmp_path / "theirs.db"
    big_sb.write(theirs, {t: {**rows, **own.get(t, {})}
                          for t, rows in large[0].items()})
    with open(theirs, "ab") as f:
        f.write(big_sb.record({t: dict.fromkeys(rows)
                               for t, rows in own.items()}))
    a, b = guarded(cluster, theirs)
    ours = tmp_path / "ours.db"
    big_sb.write(ours, own)
    put_file(b, ours)
    b.follow(a, 1)
    status = wait_stopped(b)
    assert (status.ask_rows, status.ask_lost) == (204, 204)
    assert status.resync.startswith("whole file: 204 of the snapshot's")
    assert not b.installs


def test_offer_is_withdrawn_with_the_role(cluster, large):
    a, b = start(cluster, large)
    before, pos = b.file.read_bytes(), b.status.pos
    b.may_install = False
    b.follow(a, 1)
    wait_until(lambda: b.installs, 60, "an offer")
    assert leftovers(b) == ["ovnsb_db.db.install"]
    assert b.idle().pos == pos
    assert leftovers(b) == []
    b.install()  # Comes too late, and changes nothing.
    assert b.file.read_bytes() == before
    b.may_install = True
    b.follow(a, 1)
    b.wait_following(60)
    assert_same(a, b)


@pytest.mark.parametrize("renamed", [False, True])
def test_worker_dies_with_an_offer(cluster, large, renamed):
    """ovn-had, too, may end before or after the rename."""
    a, b = start(cluster, large)
    b.may_install = False
    b.follow(a, 1)
    wait_until(lambda: b.installs, 60, "an offer")
    offered = Path(f"{b.file}.install").read_bytes()
    old = b.file.read_bytes()
    b.stop_worker()
    if renamed:
        b.install()
        assert b.file.read_bytes() == offered
    role, b.last_role = b.last_role, None
    b.start_worker()
    status = b.wait(lambda s: s.phase == P_IDLE, 60)
    assert bool(status.flags & COMPLETE) == renamed
    assert leftovers(b) == []
    if not renamed:
        assert b.file.read_bytes() == old
    b.may_install = True
    b.send_role(*role)
    b.wait_following(60)
    assert b.status.snapshots == (not renamed)
    write(a)
    assert_same(a, b)


def test_whole_file_makes_a_finding_good(cluster, large):
    """What a verification found is put right by the file, and verified."""
    a, b = start(cluster, large)
    b.stop_worker()
    (b.state / "sb.differs").write_text("one row differs")
    b.last_role = None
    b.start_worker()
    b.wait(lambda s: s.flags & DIFFERS and s.phase == P_IDLE)
    b.follow(a, 1)
    b.wait(lambda s: s.flags & COMPLETE and not s.flags & DIFFERS, 90,
           "installed and verified")
    assert len(b.installs) == 1 and b.status.snapshots == 1
    wait_until(lambda: b.verifications[-1].state == V_EQUAL, 10, "the proof")
    assert not (b.state / "sb.differs").exists()
    assert_same(a, b)
