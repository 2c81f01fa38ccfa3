# SPDX-License-Identifier: Apache-2.0
"""A worker is killed at every step of a snapshot, on either side: each call
that changes a file of its own or sends to somebody.  Afterwards the standby's
file is one whole state, the old one or a newer one, and it catches up."""

import subprocess
from collections import Counter
from pathlib import Path

import big_sb
import pytest
from lab import wait_until
from replica_parts import (COMPLETE, FOLLOW, LINEAGE, P_ACTIVE, P_FOLLOWING,
                           P_IDLE, Cluster, program)
from test_resync import assert_same, large, leftovers, put_file, start

MAX_STEPS = 400


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    """The library to preload."""
    lib = tmp_path_factory.mktemp("killer") / "killat.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(lib),
                    str(Path(__file__).with_name("killat.c")), "-ldl"],
                   check=True)
    return lib


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


def doom(node, killer, at, after, fewer=False):
    """The node's worker is started anew in its last role, to die at step
    'at'.  With 'fewer' most of the many calls for a large file are none."""
    if node.sup:
        node.stop_worker()
    node.env = {"LD_PRELOAD": str(killer), "KILL_AT": str(at),
                "KILL_PATH": str(node.folder)}
    if after:
        node.env["KILL_AFTER"] = "1"
    if fewer:
        node.env["KILL_FEWER"] = "1"
    try:
        node.start_worker()
    except OSError:
        pass  # So soon.
    node.env = {}


def is_dead(node):
    return node.worker.poll() is not None


def revive(node):
    """What ovn-had does with a worker that died."""
    if node.sup:
        node.stop_worker()
    node.start_worker()


def run_to_end(standby, doomed):
    """Waits until the doomed worker dies or the standby follows.  Returns
    True if it died."""
    wait_until(lambda: is_dead(doomed) or (
        standby.status and standby.status.phase == P_FOLLOWING), 60,
        "death, or the end")
    return is_dead(doomed)


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
    return status.pos.seq == new.seq


def kill_at_every_step(a, b, killer, who, after, fewer=False):
    """Of a snapshot of 'a' that 'b' takes over, from where it stands now.
    Returns how often 'b' was found at its old and at its new position.

    What is found old is, to the byte, what it was before, and so the start
    for the next step; it catches up when one is not fatal any more."""
    old, new = b.status.pos, a.head()
    content = b.file.read_bytes()
    doomed = b if who == "receiver" else a
    found = Counter()
    for at in range(1, MAX_STEPS):
        b.last_role = (FOLLOW, (1, a.id), a, LINEAGE)
        if doomed is a:
            revive(b)
        doom(doomed, killer, at, after, fewer)
        died = run_to_end(b, doomed)
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


@pytest.mark.parametrize("who, after", [
    ("receiver", False), ("receiver", True), ("sender", False)])
def test_difference(cluster, killer, tmp_path, who, after):
    a, b = cluster.add(), cluster.add()
    for node in (a, b):
        put_file(node, make_small(tmp_path, seed=node.id))
    cluster.meet()
    a.active(1)
    olds, news = kill_at_every_step(a, b, killer, who, after)
    assert olds > 1 and news > 0
    assert not b.installs


@pytest.mark.parametrize("who, after", [
    ("receiver", False), ("receiver", True), ("sender", False)])
def test_whole_file(cluster, killer, large, who, after):
    a, b = start(cluster, large)
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
