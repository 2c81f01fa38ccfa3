# SPDX-License-Identifier: Apache-2.0
"""An active whose database lost most of its rows is not followed blindly."""

import pytest
from lab import wait_until
from replica_parts import (ASK_NONE, ASK_SHRINK, COMPLETE, CONNECTED, P_FAILED,
                           Cluster, program)

ROWS = 60


@pytest.fixture
def cluster(tmp_path):
    c = Cluster(tmp_path, program())
    yield c
    unwell = c.stop()
    for n in c.nodes:
        print(f"--- node {n.id}\n{n.tail()}")
    assert not unwell, "workers ended badly"


def fill(node, n=ROWS, tag="s"):
    node.transact(*[{"op": "insert", "table": "Logical_Switch",
                     "row": {"name": f"{tag}{i}"}} for i in range(n)])


def delete(node, names):
    node.transact(*[{"op": "delete", "table": "Logical_Switch",
                     "where": [["name", "==", name]]} for name in names])


def names(node):
    return {r["name"] for r in
            node.dump().get("Logical_Switch", {}).values()}


def pair(cluster, share=70, rows=20, **kwargs):
    """An active and a standby with ROWS rows."""
    options = [f"--shrink-guard={share}", f"--shrink-rows={rows}"]
    a = cluster.add(options=options, **kwargs)
    b = cluster.add(options=options, **kwargs)
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    if a.db == "nb":
        fill(a)
        b.wait_at(a.head())
    return a, b


def wait_stopped(node):
    return node.wait(lambda s: s.ask == ASK_SHRINK and s.phase == P_FAILED, 10,
                     "it asks")


def wipe(node):
    delete(node, [f"s{i}" for i in range(1, ROWS)])


def wait_level(a, b):
    wait_until(lambda: names(b) == names(a), 20, "the same rows")
    b.wait_at(a.head())
    assert b.status.ask == ASK_NONE


def test_one_transaction(cluster):
    """It stops before the record, keeps its data, is connected no more, and
    goes on when it may; the next time it asks again."""
    a, b = pair(cluster)
    before = a.head()
    wipe(a)
    status = wait_stopped(b)
    assert (status.ask_rows, status.ask_lost) == (ROWS, ROWS - 1)
    assert status.ask_seq == before.seq + 1
    assert status.pos == before and status.flags & COMPLETE
    assert not status.flags & CONNECTED
    a.wait_peer(2, lambda p: not p.connected and p.acked == before)
    assert len(names(b)) == ROWS
    assert "ERR|receiver: node 1: stopped before record" in b.tail()

    b.consent(ASK_SHRINK, status.ask_seq)
    wait_level(a, b)
    fill(a, tag="new")
    wait_level(a, b)
    delete(a, [f"new{i}" for i in range(ROWS)])
    wait_stopped(b)
    assert len(names(b)) == ROWS + 1


def test_a_role_that_is_told_again_lets_nothing_pass(cluster):
    """As long as it is the same epoch, nothing has been decided."""
    a, b = pair(cluster)
    wipe(a)
    status = wait_stopped(b)
    b.idle()
    assert b.status.ask == ASK_SHRINK
    b.follow(a, 1)
    assert wait_stopped(b).pos == status.pos
    fill(a, tag="later")
    assert b.status.resumes == 0 and len(names(b)) == ROWS


def test_an_answer_to_something_earlier(cluster):
    """Covers only what had happened when it was given."""
    a, b = pair(cluster)
    wipe(a)
    status = wait_stopped(b)
    b.consent(ASK_SHRINK, status.ask_seq - 1)
    wait_until(lambda: "not asked for" in b.tail(), 5, "it is refused")
    assert b.status.ask == ASK_SHRINK and len(names(b)) == ROWS
    fill(a, tag="new")
    delete(a, [f"new{i}" for i in range(ROWS)])
    b.consent(ASK_SHRINK, status.ask_seq)
    later = b.wait(lambda s: s.ask_seq > status.ask_seq)
    assert later.ask_lost == ROWS
    assert len(names(b)) == ROWS + 1


def test_several_quick_transactions(cluster):
    """They count together, against what was there when the minute began; for
    a worker that begins, against what it finds."""
    a, b = pair(cluster)
    b.stop_worker()
    b.start_worker()
    b.wait_following()
    for i in range(ROWS - 1):
        delete(a, [f"s{i}"])
    status = wait_stopped(b)
    assert status.ask_rows == ROWS
    assert status.ask_lost == ROWS * 70 // 100 + 1
    # What was let through before may still be under way.
    wait_until(lambda: len(names(b)) == ROWS - ROWS * 70 // 100, 5, "the rest")
    # One answer, up to where the active is now, is enough for the rest.
    b.consent(ASK_SHRINK, status.ask_seq + ROWS - 1 - status.ask_lost)
    wait_level(a, b)


def test_all_rows_replaced(cluster):
    """As many others in their place make it no better."""
    a, b = pair(cluster)
    a.transact({"op": "delete", "table": "Logical_Switch", "where": []},
               *[{"op": "insert", "table": "Logical_Switch",
                  "row": {"name": f"other{i}"}} for i in range(ROWS)])
    assert wait_stopped(b).ask_lost == ROWS
    assert "s1" in names(b)


def wipe_file(a, b):
    """The active is given an empty file in a new epoch."""
    b.idle()
    a.idle()
    a.stop_server()
    a.file.unlink()
    a.start_server()
    a.wait(lambda s: not s.flags & COMPLETE)
    a.active(2)


def test_snapshot_of_an_empty_database(cluster):
    """A wiped disk: the standby keeps its rows, and nothing is set aside for
    nothing.  When it may, the rows are set aside first."""
    a, b = pair(cluster)
    wipe_file(a, b)
    b.follow(a, 2)
    status = wait_stopped(b)
    assert status.ask_lost == status.ask_rows == ROWS
    assert len(names(b)) == ROWS
    assert not list(b.state.glob("diverged/*"))
    b.consent(ASK_SHRINK, status.ask_seq)
    wait_level(a, b)
    (report,) = b.state.glob("diverged/*.txt")
    assert "name: s1\n" in report.read_text()


def test_the_standby_can_be_made_active(cluster):
    """Whoever finds that the rows should not be gone makes the one active
    that has them; the other is told what it had alone."""
    a, b = pair(cluster)
    wipe(a)
    before = wait_stopped(b).pos
    a.idle()
    assert b.idle().pos == before
    assert b.active(2).pos == before
    b.wait(lambda s: s.ask == ASK_NONE)
    a.follow(b, 2)
    a.wait_following()
    assert len(names(b)) == ROWS
    wait_level(b, a)


def test_another_epoch_is_judged_anew(cluster):
    """The rows are back: no answer is needed."""
    a, b = pair(cluster)
    c = cluster.add(options=a.options)
    c.follow(a, 1)
    c.wait_following()
    c.wait_at(a.head())
    c.idle()
    wipe(a)
    wait_stopped(b)
    a.idle()
    c.active(2)
    b.follow(c, 2)
    b.wait_following()
    fill(c, 3, tag="more")
    wait_level(c, b)


@pytest.mark.parametrize("share, rows", [(0, 1), (70, ROWS)])
def test_it_lets_pass(cluster, share, rows):
    """No guard, and fewer rows than it guards."""
    a, b = pair(cluster, share, rows)
    wipe(a)
    wait_level(a, b)


def test_half_of_it(cluster):
    """One of two large routers."""
    a, b = pair(cluster)
    delete(a, [f"s{i}" for i in range(ROWS // 2)])
    wait_level(a, b)


def test_rows_that_come_and_go(cluster):
    """What controllers have learnt may go at once."""
    a, b = pair(cluster, db="sb")
    a.transact(
        {"op": "insert", "table": "Datapath_Binding", "uuid-name": "d",
         "row": {"tunnel_key": 1}},
        *[{"op": "insert", "table": "MAC_Binding",
           "row": {"logical_port": "p", "ip": str(i),
                   "datapath": ["named-uuid", "d"]}} for i in range(ROWS)])
    b.wait_at(a.head())
    a.transact({"op": "delete", "table": "MAC_Binding", "where": []})
    b.wait_at(a.head())
    assert "MAC_Binding" not in b.dump()
