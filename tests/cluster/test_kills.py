# SPDX-License-Identifier: Apache-2.0
"""A worker is killed at every step of a snapshot, on either side, or the
standby's server: each call by which the worker changes a file of its own or
sends to somebody.  Or from that step on its disk is full, or read-only, for a
while.  Afterwards the standby's file is one whole state, the old one or a
newer one, and it catches up.  So with the steps of records."""

import errno
import signal
from collections import Counter

import big_sb
import pytest
from lab import wait_until
from lab.node import process_state
from preload import build_preload
from replica_parts import (COMPLETE, FOLLOW, LINEAGE, P_ACTIVE, P_FOLLOWING,
                           P_IDLE, Cluster, program)
from test_resync import (assert_same, dump, large, leftovers, put_file,
                         start)

MAX_STEPS = 400


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    """The library to preload."""
    return build_preload("killat", tmp_path_factory.mktemp("killer"))


@pytest.fixture
def cluster(tmp_path):
    c = Cluster(tmp_path, program(), db="sb")
    yield c
    for n in c.nodes:
        n.env = {}
    unwell = c.stop()
    for n in c.nodes:
        print(f"--- node {n.id}\n{n.tail()}")
    assert not unwell, "workers ended badly"


def arm(node, killer, at, **env):
    """The node's worker is started anew in its last role, with what 'killer'
    does at step 'at'."""
    if node.sup:
        node.stop_worker()
    node.env = {"LD_PRELOAD": str(killer), "KILL_AT": str(at),
                "KILL_PATH": str(node.folder), **env}
    try:
        node.start_worker()
    except OSError:
        pass  # So soon.
    node.env = {}


def doom(node, killer, at, after, fewer=False, server=False):
    """It dies then, or its server.  With 'fewer' most of the many calls for a
    large file are none."""
    env = {}
    if after:
        env["KILL_AFTER"] = "1"
    if fewer:
        env["KILL_FEWER"] = "1"
    if server:
        env["KILL_PID"] = str(node.server.pid)
    arm(node, killer, at, **env)


def is_dead(node):
    return node.worker.poll() is not None


def revive(node):
    """What ovn-had does with a worker that died."""
    if node.sup:
        node.stop_worker()
    node.start_worker()


def run_to_end(standby, doomed, new=None, server=None):
    """Waits until the doomed worker or server dies, or the standby follows;
    with 'new' until it is there.  Returns True if one died; the end of a server
    that has to give way to another file is none."""
    def is_gone():
        if server:
            return server.poll() is not None and not standby.installer
        return is_dead(doomed)

    def is_there():
        status = standby.status
        return status and status.phase == P_FOLLOWING and (
            not new or status.pos.seq == new.seq)
    wait_until(lambda: is_gone() or is_there(), 60, "death, or the end")
    return is_gone()


def start_server_anew(node):
    """Once its worker can kill it no more, nor have it replaced."""
    with node.cond:
        node.may_install = False
    if node.installer:
        node.installer.join(60)
        node.installer = None
    node.stop_worker()
    node.stop_server()
    node.start_server()


def assert_set_aside_whole(node):
    """Each copy that has its name has its report and its transaction."""
    for path in (node.state / "diverged").glob("*.db"):
        for ending in ".txt", ".json":
            assert path.with_suffix(ending).exists(), path


def check_whole(standby, old, new):
    """The standby's own file, seen by a worker that follows nobody: it is at
    one of both positions.  Returns true if that is the new one."""
    if standby.installer:
        standby.installer.join(60)
    standby.last_role = None
    revive(standby)
    status = standby.wait(lambda s: s.phase == P_IDLE, 60)
    assert status.flags & COMPLETE or not old.lineage
    assert status.pos.seq in (old.seq, new.seq), status
    assert leftovers(standby) == []
    assert_set_aside_whole(standby)
    return status.pos.seq == new.seq


def kill_at_every_step(a, b, killer, who, after, fewer=False):
    """Of a snapshot of 'a' that 'b' takes over, from where it stands now.
    Returns how often 'b' was found at its old and at its new position.

    What is found old is, to the byte, what it was before, and so the start
    for the next step; it catches up when one is not fatal any more."""
    old, new = b.status.pos, a.head()
    content = b.file.read_bytes()
    doomed = a if who == "sender" else b
    found = Counter()
    for at in range(1, MAX_STEPS):
        b.last_role = (FOLLOW, (1, a.id), a, LINEAGE)
        b.may_install = True
        if doomed is a:
            revive(b)
        server = b.server if who == "server" else None
        doom(doomed, killer, at, after, fewer, server)
        died = run_to_end(b, doomed, server=server)
        if server:
            start_server_anew(b)
        if doomed is a:
            revive(a)
            a.wait(lambda s: s.phase == P_ACTIVE, 30)
        is_new = check_whole(b, old, new)
        found[is_new] += 1
        if is_new:
            b.send_role(FOLLOW, (1, a.id), a)
            b.wait_following(60)
            assert_same(a, b)
            reset(b, content)
        else:
            assert b.file.read_bytes() == content
        if not died:
            break
    assert 5 < at < MAX_STEPS - 1
    return found[False], found[True]


def catch_up_and_reset(a, b, content):
    """The standby has all, and is what it was, for the next step.  What could
    not be removed meanwhile the next worker removes."""
    b.wait_following(90)
    assert_same(a, b)
    check_whole(b, a.head(), a.head())
    reset(b, content)


def fail_at_steps(a, b, killer, code, stride, fewer=False):
    """As kill_at_every_step(), but from that step on all that the standby's
    worker writes fails, until it says why, or ends.  Then its disk is well
    again.  Every sixth time it catches up as it is, after its pause, else it
    is started anew.  Returns how often it failed."""
    old, content = b.status.pos, b.file.read_bytes()
    flag, hits = b.folder.parent / "failing", 0
    hit = flag.with_suffix(".hit")
    env = {"FAIL_ERRNO": str(code), "FAIL_WHILE": str(flag)}
    if fewer:
        env["KILL_FEWER"] = "1"

    def is_there():
        return b.status and b.status.phase == P_FOLLOWING
    for at in range(1, MAX_STEPS, stride):
        flag.touch()
        hit.unlink(missing_ok=True)
        b.last_role = (FOLLOW, (1, a.id), a, LINEAGE)
        b.may_install = True
        arm(b, killer, at, **env)
        wait_until(lambda: is_dead(b) or is_there() or (
            hit.is_symlink() and b.status and b.status.why), 60,
            lambda: f"it fails and says why, or is there: {b.status}")
        failed = hit.is_symlink()
        flag.unlink()
        hits += failed
        if is_dead(b) or hits % 6:
            check_whole(b, old, a.head())
            b.send_role(FOLLOW, (1, a.id), a)
        catch_up_and_reset(a, b, content)
        if not failed:
            break
    assert at < MAX_STEPS - stride
    return hits


def compact_at_steps(a, b, killer, node, stride):
    """The standby's worker stands still at a step of a snapshot, while the
    database of 'node' is compacted.  Returns how often."""
    content, stops = b.file.read_bytes(), 0
    for at in range(1, MAX_STEPS, stride):
        b.last_role = (FOLLOW, (1, a.id), a, LINEAGE)
        arm(b, killer, at, KILL_SIGNAL=str(signal.SIGSTOP))
        wait_until(lambda: process_state(b.worker.pid) == "T" or (
            b.status and b.status.phase == P_FOLLOWING), 60,
            "it stands still, or is there")
        stopped = process_state(b.worker.pid) == "T"
        if stopped:
            node.compact()
            b.worker.send_signal(signal.SIGCONT)
        stops += stopped
        catch_up_and_reset(a, b, content)
        if not stopped:
            break
    assert at < MAX_STEPS - stride
    return stops


def two_databases(cluster, tmp_path):
    """An active, and one with as many rows of its own."""
    a, b = cluster.add(), cluster.add()
    for node in (a, b):
        put_file(node, make_small(tmp_path, seed=node.id))
    cluster.meet()
    a.active(1)
    return a, b


@pytest.mark.parametrize("code, stride", [(errno.ENOSPC, 1),
                                          (errno.EROFS, 3)])
def test_difference_on_a_bad_disk(cluster, killer, tmp_path, code, stride):
    a, b = two_databases(cluster, tmp_path)
    assert fail_at_steps(a, b, killer, code, stride) > 10
    assert not b.installs


def test_whole_file_on_a_bad_disk(cluster, killer, large):
    """Every third step, since a file of that size takes its time."""
    a, b = start(cluster, large)
    assert fail_at_steps(a, b, killer, errno.ENOSPC, 3, fewer=True) > 5
    assert b.installs


@pytest.mark.parametrize("whose", ["active", "standby"])
def test_compaction_at_a_step(cluster, killer, tmp_path, whose):
    """Every other step, of a difference."""
    a, b = two_databases(cluster, tmp_path)
    assert compact_at_steps(a, b, killer, a if whose == "active" else b,
                            2) > 10


@pytest.mark.parametrize("who, after", [
    ("receiver", False), ("receiver", True), ("sender", False),
    ("server", True)])
def test_difference(cluster, killer, tmp_path, who, after):
    a, b = two_databases(cluster, tmp_path)
    olds, news = kill_at_every_step(a, b, killer, who, after)
    assert olds > 1 and news > 0
    assert not b.installs


@pytest.mark.parametrize("who, after, aside", [
    ("receiver", False, False), ("receiver", True, False),
    ("sender", False, False), ("server", True, False),
    ("receiver", False, True)])
def test_whole_file(cluster, killer, large, tmp_path, who, after, aside):
    a, b = start(cluster, large)
    if aside:
        put_file(b, make_small(tmp_path, seed=9))
    olds, news = kill_at_every_step(a, b, killer, who, after, fewer=True)
    assert olds > 1 and news > 0
    assert len(b.installs) >= news


def make_small(tmp_path, seed):
    path = tmp_path / f"small{seed}.db"
    big_sb.write(path, big_sb.make_rows(20, 100, seed=seed))
    return path


def reset(node, content):
    """The node's file is what it was, its worker down."""
    if node.sup:
        node.stop_worker()
    node.stop_server()
    node.last_role = None
    for path in node.folder.glob("ovnsb_db.db*"):
        path.unlink()
    (node.state / "sb.pos").unlink(missing_ok=True)
    node.file.write_bytes(content)
    node.start_server()


def follow_small(cluster, tmp_path):
    """A standby that has all of its active's small database; both, and its
    position."""
    a, b = cluster.add(), cluster.add()
    put_file(a, make_small(tmp_path, seed=1))
    cluster.meet()
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    return a, b, assert_same(a, b)


def toggle(node, i):
    """The ith record: it puts a value there or takes it away, and counts."""
    node.transact({"op": "mutate", "table": "SB_Global", "where": [],
                   "mutations": [["options", "insert", ["map", [["k", "v"]]]]
                                 if i % 2 == 0 else
                                 ["options", "delete", ["set", ["k"]]]]},
                  {"op": "mutate", "table": "SB_Global", "where": [],
                   "mutations": [["nb_cfg", "+=", i % 2]]})


@pytest.mark.parametrize("who, after", [
    ("receiver", False), ("receiver", True), ("server", True)])
def test_records(cluster, killer, tmp_path, who, after):
    """A standby that follows has each record once, however far it came.  Most
    of them toggle a value, and would be gone if they came twice."""
    a, b, old = follow_small(cluster, tmp_path)
    b.stop_worker()
    content = b.file.read_bytes()
    states = {old.seq: dump(a)}
    for i in range(8):
        toggle(a, i)
        states[a.head().seq] = dump(a)
    new, found = a.head(), Counter()
    for at in range(1, MAX_STEPS):
        b.last_role = (FOLLOW, (1, a.id), a, LINEAGE)
        server = b.server if who == "server" else None
        doom(b, killer, at, after, server=server)
        died = run_to_end(b, b, new, server)
        if server:
            start_server_anew(b)
        b.last_role = None
        revive(b)
        status = b.wait(lambda s: s.phase == P_IDLE, 60)
        assert status.flags & COMPLETE
        assert dump(b) == states[status.pos.seq]
        found[status.pos.seq] += 1
        b.send_role(FOLLOW, (1, a.id), a)
        assert_same(a, b)
        assert b.status.snapshots == 0
        reset(b, content)
        if not died:
            break
    assert 5 < at < MAX_STEPS - 1
    assert found[old.seq] > 1 and found[new.seq] > 0


@pytest.mark.parametrize("after", [False, True])
def test_records_of_a_sender_that_dies(cluster, killer, tmp_path, after):
    """Some of its records wait when it starts, others come one by one, and it
    dies with each thing that it does about them.  What the standby has then is
    what the active had after that record."""
    a, b, old = follow_small(cluster, tmp_path)
    states = {old.seq: dump(a)}

    def write_one():
        seq = max(states) + 1
        toggle(a, seq)
        states[seq] = dump(a)
        return seq
    lacking = Counter()
    for at in range(1, MAX_STEPS):
        a.stop_worker()
        for _ in range(2):
            write_one()
        doom(a, killer, at, after)
        for _ in range(4):
            last = write_one()
            wait_until(lambda: is_dead(a) or b.status.pos.seq == last, 60,
                       "death, or the record")
        died = is_dead(a)
        b.last_role = None
        revive(b)
        status = b.wait(lambda s: s.phase == P_IDLE, 60)
        assert status.flags & COMPLETE
        assert dump(b) == states[status.pos.seq]
        lacking[last - status.pos.seq] += 1
        revive(a)
        a.wait(lambda s: s.phase == P_ACTIVE, 30)
        b.send_role(FOLLOW, (1, a.id), a)
        assert assert_same(a, b).seq == last
        assert b.status.snapshots == 0
        if not died:
            break
    assert 10 < at < MAX_STEPS - 1
    # All of them, none, and what lies between.
    assert lacking[6] and lacking[0] and len(lacking) > 2, lacking
